/* /api/v1/users/{id}: who that is, and of which segments he is a member. */

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "model/record.h"
#include "model/value.h"

/* ---- Who ---- */

enum status reads_reserved(struct text id, struct error *err)
{
	if (!text_equal(id, TEXT("me")) && !text_equal(id, TEXT("settings")) &&
	    !text_equal(id, TEXT("subscription")))
		return STATUS_OK;
	return error_set(err, STATUS_NOT_FOUND,
	                 "This path is reserved for accounts, which this version does not have; "
	                 "a user with this id is user_id:%.*s",
	                 TEXT_FORMAT(id));
}

static bool strip(struct text *id, struct text prefix)
{
	if (!text_starts_with(*id, prefix))
		return false;
	*id = (struct text){id->data + prefix.length, id->length - prefix.length};
	return true;
}

enum status reads_unknown_user(struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "There is no such user");
}

enum status reads_user(struct api_call *call, struct reads_user *ret_user, struct error *err)
{
	struct vault_id id = {VAULT_USER, http_param(call->request, "id")};
	uint64_t        sequence;
	bool            identified;
	enum status     status = reads_reserved(id.id, err);
	if (status != STATUS_OK)
		return status;
	if (strip(&id.id, TEXT("anonymous_id:")))
		id.namespace = VAULT_ANONYMOUS;
	else
		strip(&id.id, TEXT("user_id:"));
	if (id.id.length == 0 || id.id.length > VAULT_ID_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "id", "An id is 1 to %d bytes long",
		                       VAULT_ID_BYTES_MAX);
	status = vault_resolve(call->api->config.vault, &id, 1, false, &ret_user->person, &identified,
	                       &sequence, err);
	if (status != STATUS_OK)
		return status;
	struct vault_merge merge;
	ret_user->merged      = id.namespace == VAULT_ANONYMOUS && identified;
	ret_user->merged_into = ret_user->person;
	if (ret_user->merged && vault_merged(call->api->config.vault, id.id, &merge))
		ret_user->merged_into = merge.user;
	if (ret_user->person.slot == SLOT_NONE)
		return reads_unknown_user(err);
	call_audit_person(call, ret_user->person);
	return STATUS_OK;
}

void reads_write_merged(struct api_call *call, struct json_writer *writer,
                        const struct reads_user *user)
{
	struct vault_id id;
	struct error    err;
	if (user->merged && vault_external_id(call->api->config.vault, user->merged_into, call->arena,
	                                      &id, &err) == STATUS_OK)
		json_member_string(writer, "mergedInto", id.id);
}

struct json_writer reads_begin_list(struct api_call *call, struct buffer *out,
                                    const struct reads_user *user)
{
	struct json_writer writer = json_writer_of(out);
	json_begin_object(&writer);
	reads_write_merged(call, &writer, user);
	json_add_key(&writer, TEXT("items"));
	json_begin_array(&writer);
	return writer;
}

void reads_write_segment(struct api_call *call, struct json_writer *writer, uint32_t segment)
{
	struct text id, key;
	if (definition_name_of(call->api->definitions, segment, call->arena, &id, &key)) {
		json_member_string(writer, "segmentId", id);
		json_member_string(writer, "segmentKey", key);
	} else {
		json_member_null(writer, "segmentId");
		json_member_null(writer, "segmentKey");
	}
}

/* ---- Personal values ---- */

enum status reads_unseal(struct api_call *call, struct person person, struct text sealed,
                         struct buffer *out, struct error *err)
{
	struct error failed;
	enum status  status =
		vault_unseal(call->api->config.vault, person, RECORD_SEAL_PURPOSE, sealed, out, &failed);
	if (status == STATUS_OK || status == STATUS_NOT_FOUND)
		return STATUS_OK;
	*err = failed;
	return status;
}

void reads_write_values(struct json_writer *writer, struct text list, const struct text *personal)
{
	if (personal != NULL) {
		value_list_write_json(writer, list, *personal);
		return;
	}
	json_begin_object(writer);
	for (struct value_reader r = value_read(list); value_next(&r);) {
		if (value_is_personal(&r.value))
			continue;
		json_add_key(writer, r.name);
		value_write_json(writer, &r.value);
	}
	json_end_object(writer);
}

/* ---- Segments of a user ---- */

struct segments {
	struct reads_user       user;
	bool                    found;
	struct view_membership *rows;
	size_t                  count;
};

static void run(struct api_call *call, struct view *view)
{
	struct segments   *state = call->state;
	struct view_person person;
	state->found = view_person(view, state->user.person.slot, &person);
	if (state->found)
		state->count = view_memberships(view, state->user.person.slot, call->arena, &state->rows);
}

static void write_membership(struct api_call *call, struct json_writer *w,
                             const struct vault_id *user, const struct view_membership *row)
{
	json_begin_object(w);
	call_write_id(w, user);
	reads_write_segment(call, w, row->segment);
	json_member_instant(w, "enteredAt", row->entered_ms);
	json_member_null(w, "exitedAt");
	json_member_bool(w, "isActive", true);
	json_end_object(w);
}

/* In the order of the segments' numbers; the cursor is the last one listed. */
static void answer(struct api_call *call)
{
	struct segments   *state = call->state;
	struct byte_reader cursor;
	struct error       err;
	size_t             limit, written = 0;
	if (!state->found)
		reads_unknown_user(&err);
	if (!state->found || call_limit(call, &limit, &err) != STATUS_OK ||
	    call_cursor(call, CURSOR_USER_SEGMENTS, &cursor, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct vault_id user = {0};
	if (state->count > 0)
		user = call_person_id(call, state->user.person);
	uint32_t           after = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	struct buffer      out = {0}, next = {0};
	struct json_writer w = reads_begin_list(call, &out, &state->user);
	for (size_t i = 0; i < state->count; i++) {
		if (state->rows[i].segment <= after)
			continue;
		if (written++ == limit) {
			buffer_add_u32(&next, after);
			break;
		}
		write_membership(call, &w, &user, &state->rows[i]);
		after = state->rows[i].segment;
	}
	call_end_list(&w, CURSOR_USER_SEGMENTS, buffer_text(&next), (int64_t)state->count,
	              call_as_of_ms(call));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

void users_segments(struct api_call *call)
{
	struct segments *state = ARENA_NEW(call->arena, struct segments);
	struct error     err;
	call->state = state;
	if (reads_user(call, &state->user, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_look_up(call, state->user.person.partition, run, answer);
}
