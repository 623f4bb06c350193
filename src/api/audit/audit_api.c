/* GET /api/v1/audit: records of the audit trail, the newest first; GET /api/v1/audit/head: what
 * somebody elsewhere may keep to check the trail against. They read files, so on workers. */

#include "api/audit/audit_api.h"

#include "api/call_audit.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/instant.h"

static const struct text unknown = {"unknown", 7};

/* ---- What was asked ---- */

static void read_text(struct api_call *call, const char *name, struct text *ret_text)
{
	if (!http_query(call->request, name, ret_text))
		*ret_text = (struct text){0};
}

static bool strip(struct text *text, struct text prefix)
{
	if (!text_starts_with(*text, prefix))
		return false;
	*text = (struct text){text->data + prefix.length, text->length - prefix.length};
	return true;
}

/* Somebody who is not known has no records either. */
static enum status find_person(struct api_call *call, struct text *target, struct error *err)
{
	struct vault_id id = {.id = *target};
	struct person   person;
	uint64_t        sequence;
	bool            identified;
	if (strip(&id.id, TEXT("user_id:")))
		id.namespace = VAULT_USER;
	else if (strip(&id.id, TEXT("anonymous_id:")))
		id.namespace = VAULT_ANONYMOUS;
	else
		return STATUS_OK;
	if (id.id.length == 0 || id.id.length > VAULT_ID_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "target", "An id is 1 to %d bytes long",
		                       VAULT_ID_BYTES_MAX);
	enum status status =
		vault_resolve(call->api->config.vault, &id, 1, false, &person, &identified, &sequence, err);
	char name[CALL_AUDIT_PERSON_BYTES];
	if (status == STATUS_OK)
		*target = arena_text(call->arena, call_audit_person_name(person, name));
	return status;
}

static void member(struct json_writer *w, const char *name, struct text text)
{
	if (text.length > 0)
		json_member_string(w, name, text);
}

/* The search stands in the trail itself, with persons by their numbers. */
static void tell(struct api_call *call, const struct audit_query *query)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	member(&w, "actor", query->actor);
	member(&w, "action", query->action);
	member(&w, "target", query->target);
	if (query->unknown)
		json_member_string(&w, "outcome", unknown);
	if (query->from_ms != INSTANT_MS_MIN)
		json_member_instant(&w, "from", query->from_ms);
	if (query->to_ms != INSTANT_MS_MAX)
		json_member_instant(&w, "to", query->to_ms);
	json_end_object(&w);
	call->audit.filters = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
}

static enum status read_outcome(struct api_call *call, bool *ret_unknown, struct error *err)
{
	struct text outcome;
	*ret_unknown = http_query(call->request, "outcome", &outcome);
	if (*ret_unknown && !text_equal(outcome, unknown))
		return error_set_field(err, STATUS_INVALID, "outcome", "It must be unknown, or be absent");
	return STATUS_OK;
}

enum status audit_api_query(struct api_call *call, struct audit_query *ret_query, struct error *err)
{
	struct audit_query query = {.before_seq = UINT64_MAX};
	enum status        status;
	read_text(call, "actor", &query.actor);
	read_text(call, "action", &query.action);
	read_text(call, "target", &query.target);
	if ((status = find_person(call, &query.target, err)) != STATUS_OK ||
	    (status = read_outcome(call, &query.unknown, err)) != STATUS_OK ||
	    (status = call_query_instant(call, "from", INSTANT_MS_MIN, &query.from_ms, err)) !=
	        STATUS_OK ||
	    (status = call_query_instant(call, "to", INSTANT_MS_MAX, &query.to_ms, err)) != STATUS_OK)
		return status;
	tell(call, &query);
	*ret_query = query;
	return STATUS_OK;
}

/* ---- The list ---- */

static enum status search(struct api_call *call, struct buffer *out, struct error *err)
{
	struct audit      *audit = call->api->config.audit;
	struct audit_query query;
	struct byte_reader cursor;
	audit_file_list    files;
	struct text       *lines;
	size_t             count;
	uint64_t           next;
	enum status        status;
	if ((status = audit_api_query(call, &query, err)) != STATUS_OK ||
	    (status = call_limit(call, &query.limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_AUDIT, &cursor, err)) != STATUS_OK)
		return status;
	audit_snapshot(audit, &files);
	if (read_left(&cursor) > 0)
		query.before_seq = read_u64(&cursor);
	status = audit_search(audit_directory(audit), &files, &query, call->arena, &lines, &count,
	                      &next, err);
	VECTOR_DONE(&files);
	if (status != STATUS_OK)
		return status;
	struct buffer      content = {0};
	struct json_writer w       = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		json_add_raw(&w, lines[i]);
	if (next > 0)
		buffer_add_u64(&content, next);
	call_end_list(&w, CURSOR_AUDIT, buffer_text(&content), -1, clock_wall_ms());
	buffer_done(&content);
	return STATUS_OK;
}

static void search_step(struct api_call *call) { call_answer_written(call, search); }

void audit_list(struct api_call *call) { call_on_worker(call, search_step); }

/* ---- The head ---- */

static enum status write_head(struct api_call *call, struct buffer *out, struct error *err)
{
	struct audit_head head;
	uint8_t           key[AUDIT_PUBLIC_KEY_BYTES];
	char              hex[2 * AUDIT_PUBLIC_KEY_BYTES + 1];
	struct buffer     text = {0};
	(void)err;
	audit_head(call->api->config.audit, &head);
	audit_public_key(call->api->config.audit, key);
	hash_hex(key, sizeof key, hex);
	audit_head_write(&head, &text);
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("head"));
	json_add_raw(&w, buffer_text(&text));
	json_member_string(&w, "publicKey", text_of(hex));
	json_end_object(&w);
	buffer_done(&text);
	return STATUS_OK;
}

static void head_step(struct api_call *call) { call_answer_written(call, write_head); }

void audit_head_get(struct api_call *call) { call_on_worker(call, head_step); }
