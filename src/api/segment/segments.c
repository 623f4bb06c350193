/* /api/v1/segments: definitions. All of it asks the store, so all of it runs on workers. */

#include <stdatomic.h>
#include <time.h>

#include "api/audience/audiences.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/segment/segment_body.h"
#include "api/personal/classification.h"

/* ---- Answering one segment: with warnings, for which every partition tells its names ---- */

struct answer {
	unsigned             http_status;
	struct definition    definition;
	struct segment_names names;
};

static void write_answer(struct api_call *call, const struct segment_names *names)
{
	const struct answer *state = call->state;
	struct buffer        out   = {0};
	struct json_writer   w     = json_writer_of(&out);
	segment_body_write(&w, &state->definition, call->api->definitions, names, call->arena);
	call_add_version(call, state->definition.segment.version);
	call_answer(call, state->http_status, &out);
}

static void write_with_warnings(struct api_call *call)
{
	const struct answer *state = call->state;
	write_answer(call, &state->names);
}

/* What was asked for is done and true, whatever becomes of the look for names. */
static void write_without_warnings(struct api_call *call) { write_answer(call, NULL); }

static void copy_names(struct api_call *call, struct view *view)
{
	struct answer *state = call->state;
	segment_names_copy(&state->names, view);
}

static void free_names(struct api_call *call)
{
	struct answer *state = call->state;
	segment_names_done(&state->names);
}

static void answer(struct api_call *call, unsigned http_status, const struct definition *definition)
{
	struct answer *state = ARENA_NEW(call->arena, struct answer);
	state->http_status   = http_status;
	state->definition    = *definition;
	segment_names_init(&state->names, call->api->config.partition_count, call->arena);
	call->state       = state;
	call->cleanup     = free_names;
	call->read_failed = write_without_warnings;
	call_read_all(call, copy_names, write_with_warnings);
}

static enum status check_windows(struct api_call *call, const struct expr *expr, struct error *err)
{
	enum status status = classification_check(call->api, expr, "expression", err);
	if (status != STATUS_OK || expr == NULL)
		return status;
	return segment_body_check_windows(expr, call->api->config.retention_ms, err);
}

static enum status create(struct api_call *call, struct definition *ret_definition,
                          struct error *err)
{
	struct json         body;
	struct segment_body wanted;
	enum status         status = call_body(call, &body, err);
	if (status == STATUS_OK)
		status = segment_body_read(call, body, true, &wanted, err);
	if (status == STATUS_OK)
		status = check_windows(call, wanted.wish.expr, err);
	if (status != STATUS_OK)
		return status;
	return definition_create(call->api->definitions, &wanted.wish, call->arena, ret_definition,
	                         err);
}

static void create_step(struct api_call *call)
{
	struct definition definition;
	struct error      err;
	if (create(call, &definition, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_add_position(call, 0);
	answer(call, 201, &definition);
}

void segments_create(struct api_call *call) { call_on_worker(call, create_step); }

static enum status update(struct api_call *call, struct definition *ret_definition,
                          struct error *err)
{
	struct definitions *definitions = call->api->definitions;
	struct text         id          = http_param(call->request, "id");
	struct json         body;
	struct segment_body wanted;
	uint32_t            version;
	enum status         status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_if_match(call, &version, err)) != STATUS_OK ||
	    (status = segment_body_read(call, body, false, &wanted, err)) != STATUS_OK ||
	    (status = check_windows(call, wanted.wish.expr, err)) != STATUS_OK ||
	    (status = definition_get(definitions, id, call->arena, ret_definition, err)) != STATUS_OK)
		return status;
	status = audiences_check_segment(call->api->audiences, ret_definition->segment.id, err);
	if (status != STATUS_OK)
		return status;
	if (wanted.has_active && wanted.wish.active != ret_definition->segment.active)
		return error_set_field(err, STATUS_INVALID, "active",
		                       "Enable and disable with PATCH /api/v1/segments/{id}/status");
	return definition_update(definitions, id, version, &wanted.wish, call->arena, ret_definition,
	                         err);
}

static void update_step(struct api_call *call)
{
	struct definition definition;
	struct error      err;
	if (update(call, &definition, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	call_add_position(call, 0);
	answer(call, 200, &definition);
}

void segments_update(struct api_call *call) { call_on_worker(call, update_step); }

static void get_step(struct api_call *call)
{
	struct definition definition;
	struct error      err;
	if (definition_get(call->api->definitions, http_param(call->request, "id"), call->arena,
	                   &definition, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &definition);
}

void segments_get(struct api_call *call) { call_on_worker(call, get_step); }

/* ---- Disabling and deleting: answered when the members have left ----
 *
 * The change reaches the journal by way of the store, some milliseconds later. Until then the
 * engine goes on as before, so the answer waits: who reads next sees that nobody is a member. */

enum { LEAVE_POLL_NS = 1000000, LEAVE_POLLS_MAX = 2000 };

struct leaving {
	struct definition definition;
	bool              deleted;
	unsigned          polls;
	_Atomic bool      live; /* in some partition; set by all of them */
};

static void look(struct api_call *call, struct view *view)
{
	struct leaving *state = call->state;
	if (view_segment_live(view, state->definition.segment.number))
		atomic_store(&state->live, true);
}

static void answer_left(struct api_call *call)
{
	struct leaving *state = call->state;
	struct error    err;
	call_add_position(call, 0);
	if (state->deleted)
		call_answer_empty(call, 204);
	else if (definition_get(call->api->definitions, text_of(state->definition.segment.id),
	                        call->arena, &state->definition, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, 200, &state->definition);
}

static void wait_until_left(struct api_call *call);

static void poll_again(struct api_call *call)
{
	const struct timespec pause = {.tv_nsec = LEAVE_POLL_NS};
	struct leaving       *state = call->state;
	if (!atomic_load(&state->live) || ++state->polls == LEAVE_POLLS_MAX) {
		answer_left(call);
		return;
	}
	nanosleep(&pause, NULL);
	wait_until_left(call);
}

/* The change is accepted, whatever becomes of the look. */
static void wait_until_left(struct api_call *call)
{
	struct leaving *state = call->state;
	atomic_store(&state->live, false);
	call->read_failed = answer_left;
	call_read_all(call, look, poll_again);
}

static enum status remove_segment(struct api_call *call, struct leaving *state, struct error *err)
{
	struct text id = http_param(call->request, "id");
	enum status status =
		definition_get(call->api->definitions, id, call->arena, &state->definition, err);
	state->deleted = true;
	if (status == STATUS_OK)
		status = audiences_check_segment(call->api->audiences, state->definition.segment.id, err);
	return status == STATUS_OK ? definition_delete(call->api->definitions, id, err) : status;
}

static void delete_step(struct api_call *call)
{
	struct leaving *state = ARENA_NEW(call->arena, struct leaving);
	struct error    err;
	call->state = state;
	if (remove_segment(call, state, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		wait_until_left(call);
}

void segments_delete(struct api_call *call) { call_on_worker(call, delete_step); }

static enum status set_status(struct api_call *call, struct definition *ret_definition,
                              struct error *err)
{
	static const char *const known[] = {"active", NULL};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK)
		return status;
	struct json active = json_get(body, "active");
	if (json_type(active) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "active", "It must be true or false");
	return definition_set_active(call->api->definitions, http_param(call->request, "id"),
	                             json_bool(active), call->arena, ret_definition, err);
}

static void status_step(struct api_call *call)
{
	struct leaving *state = ARENA_NEW(call->arena, struct leaving);
	struct error    err;
	call->state = state;
	if (set_status(call, &state->definition, &err) != STATUS_OK) {
		call_fail(call, &err);
	} else if (!state->definition.segment.active) {
		wait_until_left(call);
	} else {
		call_add_position(call, 0);
		answer(call, 200, &state->definition);
	}
}

void segments_set_status(struct api_call *call) { call_on_worker(call, status_step); }

/* In the order of their numbers, which are never used again; the cursor is the last one listed. */
static enum status list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct definition *definitions;
	size_t             count, limit, written = 0;
	struct byte_reader cursor;
	enum status        status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = definition_list(call->api->definitions, call->arena, &definitions, &count,
	                              err)) != STATUS_OK)
		return status;

	uint32_t           after = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	struct buffer      next  = {0};
	struct json_writer w     = call_begin_list(out);
	for (size_t i = 0; i < count; i++) {
		if (definitions[i].segment.number <= after)
			continue;
		if (written == limit) {
			buffer_add_u32(&next, after);
			break;
		}
		segment_body_write(&w, &definitions[i], call->api->definitions, NULL, call->arena);
		after = definitions[i].segment.number;
		written++;
	}
	struct journal *journal = call->api->config.journal;
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count,
	              journal->ops->log_time_ms(journal));
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, list); }

void segments_list(struct api_call *call) { call_on_worker(call, list_step); }
