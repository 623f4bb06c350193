#include "api/audience/saved.h"

#include "api/handlers.h"
#include "base/clock.h"
#include "query/member_list.h"

const char *saved_kind_name(enum store_audience_kind kind)
{
	return kind == STORE_AUDIENCE_LIVE ? "live" : "snapshot";
}

enum status saved_members(struct api *api, const char *id, struct member_list **ret_list,
                          struct error *err)
{
	struct store                *store = api->config.store;
	struct member_list          *list  = member_list_new(api->config.partition_count);
	struct store_audience_share *shares;
	size_t                       count = 0;
	struct arena                 arena;
	arena_init(&arena);
	enum status status =
		store->ops->audience_members(store, text_of(id), &arena, &shares, &count, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		if (!member_list_put(list, shares[i].partition, shares[i].slots))
			status = error_set(err, STATUS_CORRUPT, "The members of audience %s are damaged", id);
	arena_done(&arena);
	if (status == STATUS_OK)
		*ret_list = list;
	else
		member_list_unref(list);
	return status;
}

/* ---- Sizes of segments now ---- */

static void look(struct api_call *call, struct view *view)
{
	struct saved *state     = call->state;
	uint32_t      partition = view_partition(view);
	uint64_t     *sizes     = state->sizes + partition * state->count;
	bool         *live      = state->live + partition * state->count;
	for (size_t i = 0; i < state->count; i++)
		if (state->rows[i].found) {
			uint32_t number = state->rows[i].definition.segment.number;
			live[i]         = view_segment_live(view, number);
			sizes[i]        = view_member_count(view, number);
		}
	state->persons[partition] = view_person_count(view);
}

/* False: its segment does not answer yet, or any more. */
static bool size_of(const struct saved *state, size_t row, uint32_t partition_count,
                    uint64_t *ret_size)
{
	bool live = state->rows[row].found && state->sizes != NULL;
	*ret_size = 0;
	for (uint32_t p = 0; live && p < partition_count; p++) {
		live = state->live[p * state->count + row];
		*ret_size += state->sizes[p * state->count + row];
	}
	return live;
}

/* ---- Writing one ---- */

static void write_definition(struct json_writer *w, struct api_call *call,
                             const struct store_audience *audience)
{
	struct question question;
	struct error    err;
	if (question_show(call->api, call->arena, audience->definition, &question, &err) == STATUS_OK) {
		question_write(w, &question);
		return;
	}
	json_member_null(w, "expression"); /* a filter of its own that is not there any more */
	json_member_null(w, "filters");
	json_member_null(w, "text");
}

static void write_segment(struct json_writer *w, const struct saved_row *row)
{
	json_add_key(w, TEXT("segment"));
	if (!row->found) {
		json_add_null(w);
		return;
	}
	json_begin_object(w);
	json_member_string(w, "id", text_of(row->definition.segment.id));
	json_member_string(w, "key", row->definition.segment.key);
	json_member_string(w, "state", text_of(definition_state_name(row->definition.state)));
	json_end_object(w);
}

static void write_size(struct json_writer *w, uint64_t size, uint64_t persons, int64_t as_of_ms)
{
	json_member_int(w, "audience_size", (int64_t)size);
	json_member_int(w, "total_users", (int64_t)persons);
	json_member_double(w, "ratio", persons == 0 ? 0 : (double)size / (double)persons);
	json_member_instant(w, "as_of", as_of_ms);
}

/* Members "audience_size" to "as_of" as they were last calculated. */
static void write_calculated_size(struct json_writer *w, const struct store_audience *audience)
{
	struct json_parser *parser = json_parser_new();
	struct json         figures;
	struct error        err;
	uint64_t            size = 0, persons = 0;
	if (json_parse_text(parser, audience->figures, &figures, &err) == STATUS_OK) {
		struct json value = json_get(figures, "audience_size");
		size              = json_type(value) == JSON_INT ? json_uint(value) : 0;
		value             = json_get(figures, "total_users");
		persons           = json_type(value) == JSON_INT ? json_uint(value) : 0;
	}
	json_parser_free(parser);
	write_size(w, size, persons, audience->as_of_ms);
}

static void write_row(struct json_writer *w, struct api_call *call, size_t index)
{
	const struct saved          *state      = call->state;
	const struct saved_row      *row        = &state->rows[index];
	const struct store_audience *audience   = &row->audience;
	uint32_t                     partitions = call->api->config.partition_count;
	uint64_t                     size, persons = 0;
	json_begin_object(w);
	json_member_string(w, "id", text_of(audience->id));
	json_member_string(w, "name", audience->name);
	json_member_string(w, "description", audience->description);
	json_member_string(w, "kind", text_of(saved_kind_name(audience->kind)));
	json_member_int(w, "version", audience->version);
	json_member_instant(w, "createdAt", audience->created_ms);
	json_member_instant(w, "updatedAt", audience->updated_ms);
	write_definition(w, call, audience);
	write_segment(w, row);
	if (size_of(state, index, partitions, &size)) {
		for (uint32_t p = 0; p < partitions; p++)
			persons += state->persons[p];
		write_size(w, size, persons, call_as_of_ms(call));
	} else {
		write_calculated_size(w, audience);
	}
	json_add_key(w, TEXT("figures"));
	json_add_raw(w, audience->figures);
	json_end_object(w);
}

/* ---- Answering ---- */

static void write_one(struct api_call *call)
{
	const struct saved *state = call->state;
	struct buffer       out   = {0};
	struct json_writer  w     = json_writer_of(&out);
	write_row(&w, call, 0);
	call_add_version(call, state->rows[0].audience.version);
	call_answer(call, state->http_status, &out);
}

static void write_list(struct api_call *call)
{
	const struct saved *state   = call->state;
	struct journal     *journal = call->api->config.journal;
	struct buffer       out = {0}, next = {0};
	struct json_writer  w     = call_begin_list(&out);
	size_t              count = state->count < state->limit ? state->count : state->limit;
	for (size_t i = 0; i < count; i++)
		write_row(&w, call, i);
	if (state->count > state->limit)
		buffer_add_u64(&next, state->rows[count - 1].audience.number);
	call_end_list(&w, CURSOR_AUDIENCES, buffer_text(&next), (int64_t)state->total,
	              journal->ops->log_time_ms(journal));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

static void write(struct api_call *call)
{
	const struct saved *state = call->state;
	(state->listed ? write_list : write_one)(call);
}

/* What was asked for is done and true, whatever becomes of the look. */
static void write_without_sizes(struct api_call *call)
{
	struct saved *state = call->state;
	state->sizes        = NULL;
	write(call);
}

void saved_answer(struct api_call *call)
{
	struct saved *state      = call->state;
	size_t        partitions = call->api->config.partition_count;
	struct error  err;
	for (size_t i = 0; i < state->count; i++) {
		struct saved_row *row = &state->rows[i];
		row->found            = row->audience.segment_id[0] != '\0' &&
		             definition_get(call->api->definitions, text_of(row->audience.segment_id),
		                            call->arena, &row->definition, &err) == STATUS_OK;
	}
	state->sizes   = ARENA_ARRAY(call->arena, uint64_t, partitions * state->count + 1);
	state->live    = ARENA_ARRAY(call->arena, bool, partitions * state->count + 1);
	state->persons = ARENA_ARRAY(call->arena, uint64_t, partitions);
	if (strcmp(call->route->method, "GET") != 0)
		call->read_failed = write_without_sizes;
	call_read_all(call, look, write);
}

void saved_answer_one(struct api_call *call, unsigned http_status,
                      const struct store_audience *audience)
{
	struct saved *state     = call->state;
	state->rows             = ARENA_NEW(call->arena, struct saved_row);
	state->rows[0].audience = *audience;
	state->count            = 1;
	state->http_status      = http_status;
	saved_answer(call);
}

/* ---- Reading ---- */

static struct saved *new_state(struct api_call *call)
{
	call->state = ARENA_NEW(call->arena, struct saved);
	return call->state;
}

static void get_step(struct api_call *call)
{
	struct store         *store = call->api->config.store;
	struct store_audience audience;
	struct error          err;
	new_state(call);
	if (store->ops->audience_get(store, http_param(call->request, "id"), call->arena, &audience,
	                             &err) != STATUS_OK)
		call_fail(call, &err);
	else
		saved_answer_one(call, 200, &audience);
}

void audiences_get(struct api_call *call) { call_on_worker(call, get_step); }

/* In the order of their numbers, which are never used again; the cursor is the last one listed. */
static enum status read_list(struct api_call *call, struct saved *state, struct error *err)
{
	struct store          *store = call->api->config.store;
	struct store_audience *audiences;
	struct byte_reader     cursor;
	enum status            status;
	if ((status = call_limit(call, &state->limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_AUDIENCES, &cursor, err)) != STATUS_OK ||
	    (status = store->ops->audience_list(store, read_left(&cursor) > 0 ? read_u64(&cursor) : 0,
	                                        state->limit + 1, call->arena, &audiences,
	                                        &state->count, &state->total, err)) != STATUS_OK)
		return status;
	state->listed = true;
	state->rows   = ARENA_ARRAY(call->arena, struct saved_row, state->count + 1);
	for (size_t i = 0; i < state->count; i++)
		state->rows[i].audience = audiences[i];
	return STATUS_OK;
}

static void list_step(struct api_call *call)
{
	struct error err;
	if (read_list(call, new_state(call), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		saved_answer(call);
}

void audiences_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- Versions ---- */

static enum status write_versions(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store                  *store = call->api->config.store;
	struct text                    id    = http_param(call->request, "id");
	struct store_audience          audience;
	struct store_audience_version *versions;
	size_t                         count, limit, written = 0;
	struct byte_reader             cursor;
	enum status                    status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_AUDIENCES, &cursor, err)) != STATUS_OK ||
	    (status = store->ops->audience_get(store, id, call->arena, &audience, err)) != STATUS_OK ||
	    (status = store->ops->audience_versions(store, id, call->arena, &versions, &count, err)) !=
	        STATUS_OK)
		return status;
	uint64_t           before = read_left(&cursor) > 0 ? read_u64(&cursor) : UINT64_MAX;
	struct buffer      next   = {0};
	struct json_writer w      = call_begin_list(out);
	for (size_t i = 0; i < count; i++) {
		if (versions[i].version >= before)
			continue;
		if (written++ == limit) {
			buffer_add_u64(&next, versions[i - 1].version);
			break;
		}
		json_begin_object(&w);
		json_member_int(&w, "version", versions[i].version);
		json_member_string(&w, "name", versions[i].name);
		json_member_string(&w, "description", versions[i].description);
		json_add_key(&w, TEXT("definition"));
		json_add_raw(&w, versions[i].definition);
		json_member_instant(&w, "at", versions[i].at_ms);
		json_end_object(&w);
	}
	call_end_list(&w, CURSOR_AUDIENCES, buffer_text(&next), (int64_t)count, clock_wall_ms());
	buffer_done(&next);
	return STATUS_OK;
}

static void versions_step(struct api_call *call) { call_answer_written(call, write_versions); }

void audiences_versions(struct api_call *call) { call_on_worker(call, versions_step); }
