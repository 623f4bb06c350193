/* /api/v1/dimensions/{name}: rows of products and properties. A change is one record in every
 * partition, answered when it is durable; what is read is what is in force where the first
 * partition stands. */

#include <stdio.h>

#include "api/call.h"
#include "api/handlers.h"
#include "engine/dimension/dimension_rows.h"

enum { BATCH_ROWS_MAX = 1000 };

struct dimension_call {
	enum dimension                dimension;
	const struct dimension_table *table;
	struct text                   id; /* of the path */

	/* Changes. */
	struct buffer rows;
	uint64_t      count;
	struct text   list; /* of the one row that was put or read; data NULL: none */
	bool          removes;
	enum status   status;
	struct error  err;
	uint64_t      position;

	/* Lists. */
	uint64_t                serial;
	size_t                  limit;
	size_t                  found;
	bool                    more;
	uint64_t                total;
	struct dimension_found *page;
};

static void cleanup(struct api_call *call)
{
	struct dimension_call *state = call->state;
	buffer_done(&state->rows);
}

/* The dimension of the path. */
static enum status begin(struct api_call *call, struct error *err)
{
	struct dimension_call *state = ARENA_NEW(call->arena, struct dimension_call);
	struct text            name  = http_param(call->request, "name");
	call->state                  = state;
	call->cleanup                = cleanup;
	state->table                 = dimension_by_name(name, &state->dimension);
	if (state->table == NULL)
		return error_set(err, STATUS_NOT_FOUND, "There is no such dimension: products, properties");
	return STATUS_OK;
}

static enum status begin_row(struct api_call *call, struct error *err)
{
	enum status            status = begin(call, err);
	struct dimension_call *state  = call->state;
	if (status != STATUS_OK)
		return status;
	state->id = http_param(call->request, "id");
	if (state->id.length == 0 || state->id.length > DIMENSION_ID_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "id", "It must be 1 to %d bytes long",
		                       DIMENSION_ID_BYTES_MAX);
	return STATUS_OK;
}

static void write_row(const struct dimension_call *state, struct text id, struct text list,
                      struct json_writer *w)
{
	json_begin_object(w);
	json_member_string(w, state->table->key, id);
	dimension_write(state->dimension, list, w);
	json_end_object(w);
}

static enum status no_row(const struct dimension_call *state, struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "There is no row with this %s", state->table->key);
}

/* ---- Changes ---- */

static void answer_change(struct api_call *call)
{
	struct dimension_call *state = call->state;
	struct buffer          out   = {0};
	struct json_writer     w     = json_writer_of(&out);
	if (state->status != STATUS_OK) {
		call_fail(call, &state->err);
		return;
	}
	call_add_position(call, state->position);
	if (state->removes) {
		call_answer_empty(call, 204);
		return;
	}
	if (state->id.length > 0) {
		write_row(state, state->id, state->list, &w);
	} else {
		json_begin_object(&w);
		json_member_int(&w, "accepted", (int64_t)state->count);
		json_end_object(&w);
	}
	call_answer(call, 200, &out);
}

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	struct api_call       *call  = context;
	struct dimension_call *state = call->state;
	(void)log_time_ms;
	state->status   = status;
	state->position = position;
	if (status != STATUS_OK)
		state->err = *err;
	call_on_worker(call, answer_change);
}

static void append(struct api_call *call)
{
	struct dimension_call *state = call->state;
	struct error           err;
	if (dimension_rows_append(call->api->config.engine, state->dimension, state->count,
	                          buffer_text(&state->rows), appended, call, &err) != STATUS_OK)
		call_fail(call, &err);
}

static enum status read_row(struct api_call *call, struct error *err)
{
	struct dimension_call *state = call->state;
	struct json            body;
	struct buffer          list = {0}, scratch = {0};
	struct text            said   = state->id;
	enum status            status = call_body(call, &body, err);
	if (status == STATUS_OK)
		status = dimension_row(state->dimension, body, "", &list, err);
	if (status == STATUS_OK && json_type(json_get(body, state->table->key)) != JSON_NONE)
		status = dimension_id(json_get(body, state->table->key), state->table->key, &scratch, &said,
		                      err);
	if (status == STATUS_OK && !text_equal(said, state->id))
		status = error_set_field(err, STATUS_INVALID, state->table->key,
		                         "It is another one than that of the path");
	if (status == STATUS_OK) {
		state->list  = arena_text(call->arena, buffer_text(&list));
		state->count = 1;
		dimension_add(&state->rows, state->id, state->list);
	}
	buffer_done(&list);
	buffer_done(&scratch);
	return status;
}

static void put_step(struct api_call *call)
{
	struct error err;
	if (begin_row(call, &err) != STATUS_OK || read_row(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		append(call);
}

void dimensions_put_row(struct api_call *call) { call_on_worker(call, put_step); }

/* One row of a batch. */
static enum status add_row(struct dimension_call *state, struct json row, const char *place,
                           struct buffer *list, struct buffer *scratch, struct error *err)
{
	char        field[ERROR_FIELD_BYTES_MAX];
	struct text id;
	snprintf(field, sizeof field, "%s.%s", place, state->table->key);
	buffer_clear(list);
	enum status status = dimension_row(state->dimension, row, place, list, err);
	if (status == STATUS_OK)
		status = dimension_id(json_get(row, state->table->key), field, scratch, &id, err);
	if (status == STATUS_OK)
		dimension_add(&state->rows, id, buffer_text(list));
	return status;
}

static enum status read_batch(struct api_call *call, struct error *err)
{
	static const char *const known[] = {"rows", NULL};
	struct dimension_call   *state   = call->state;
	struct json              body, rows;
	struct buffer            list = {0}, scratch = {0};
	enum status              status = call_json(call, &body, err);
	if (status == STATUS_OK && json_type(body) == JSON_OBJECT)
		status = call_only(body, known, err);
	if (status != STATUS_OK)
		return status;
	rows = json_type(body) == JSON_OBJECT ? json_get(body, "rows") : body;
	if (json_type(rows) != JSON_ARRAY)
		return error_set_field(err, STATUS_INVALID, "rows", "It must be an array of rows");
	for (struct json_iterator i = json_iterate(rows); status == STATUS_OK && json_next(&i);) {
		char place[32];
		snprintf(place, sizeof place, "rows[%llu]", (unsigned long long)state->count);
		if (state->count++ == BATCH_ROWS_MAX)
			status = error_set_field(err, STATUS_INVALID, "rows", "It must have at most %d rows",
			                         BATCH_ROWS_MAX);
		else
			status = add_row(state, i.value, place, &list, &scratch, err);
	}
	buffer_done(&list);
	buffer_done(&scratch);
	return status;
}

static void post_step(struct api_call *call)
{
	struct dimension_call *state;
	struct error           err;
	if (begin(call, &err) != STATUS_OK || read_batch(call, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	state = call->state;
	if (state->count > 0) {
		append(call);
		return;
	}
	answer_change(call); /* the position is that of now */
}

void dimensions_post(struct api_call *call) { call_on_worker(call, post_step); }

/* ---- One row ---- */

static void run_row(struct api_call *call, struct view *view)
{
	struct dimension_call *state = call->state;
	dimension_row_at(view, state->dimension, state->id, call->arena, &state->list);
}

static void answer_row(struct api_call *call)
{
	struct dimension_call *state = call->state;
	struct error           err;
	struct buffer          out = {0};
	struct json_writer     w   = json_writer_of(&out);
	if (state->list.data == NULL) {
		(void)no_row(state, &err);
		call_fail(call, &err);
		return;
	}
	write_row(state, state->id, state->list, &w);
	call_answer(call, 200, &out);
}

void dimensions_get_row(struct api_call *call)
{
	struct error err;
	if (begin_row(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_person(call, 0, run_row, answer_row);
}

static void delete_found(struct api_call *call)
{
	struct dimension_call *state = call->state;
	struct error           err;
	if (state->list.data == NULL) {
		(void)no_row(state, &err);
		call_fail(call, &err);
		return;
	}
	state->removes = true;
	state->count   = 1;
	dimension_add(&state->rows, state->id, (struct text){NULL, 0});
	append(call);
}

void dimensions_delete_row(struct api_call *call)
{
	struct error err;
	if (begin_row(call, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	/* Whether there is such a row is asked behind everything that was set before. */
	uint64_t position = call->api->config.journal->ops->position(call->api->config.journal);
	if (position > call->min_position)
		call->min_position = position;
	call_read_person(call, 0, run_row, delete_found);
}

/* ---- Lists ---- */

static void run_list(struct api_call *call, struct view *view)
{
	struct dimension_call *state = call->state;
	struct dimension_found next;
	state->found    = dimension_rows_at(view, state->dimension, &state->serial, state->limit,
	                                    call->arena, state->page);
	state->total    = dimension_rows_count(view, state->dimension);
	uint64_t behind = state->serial;
	state->more     = dimension_rows_at(view, state->dimension, &behind, 1, call->arena, &next) > 0;
}

static void answer_list(struct api_call *call)
{
	struct dimension_call *state = call->state;
	struct buffer          out = {0}, next = {0};
	struct json_writer     w = call_begin_list(&out);
	for (size_t i = 0; i < state->found; i++)
		write_row(state, state->page[i].id, state->page[i].list, &w);
	if (state->more)
		buffer_add_u64(&next, state->serial);
	call_end_list(&w, CURSOR_DIMENSION, buffer_text(&next), (int64_t)state->total,
	              call_as_of_ms(call));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

void dimensions_list(struct api_call *call)
{
	struct error       err;
	struct byte_reader cursor;
	enum status        status = begin(call, &err);
	if (status == STATUS_OK)
		status = call_cursor(call, CURSOR_DIMENSION, &cursor, &err);
	struct dimension_call *state = call->state;
	if (status == STATUS_OK)
		status = call_limit(call, &state->limit, &err);
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	state->serial = read_left(&cursor) > 0 ? read_u64(&cursor) : 0;
	state->page   = ARENA_ARRAY(call->arena, struct dimension_found, state->limit);
	call_read_person(call, 0, run_list, answer_list);
}
