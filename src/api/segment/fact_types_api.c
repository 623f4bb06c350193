/* POST and GET /api/v1/fact-types: which events bring facts and which correct them. A declaration
 * is a record in every partition; the answer comes when all have it. */

#include "api/call.h"
#include "api/handlers.h"
#include "engine/fact/fact_type.h"
#include "model/record.h"

struct declaration {
	struct fact_type type;
	uint64_t         position;
	enum status      status;
	struct error     err;
};

static enum status read_wish(struct api_call *call, struct fact_type *type, struct error *err)
{
	static const char *const known[] = {"name", "original", "updated", "cancelled", "key", NULL};
	struct json              body;
	struct text              key;
	enum status              status;
	size_t                   max = FACT_NAME_BYTES_MAX;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "name", false, 1, max, &type->name, err)) != STATUS_OK ||
	    (status = call_string(body, "original", false, 1, max, &type->original, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "updated", true, 1, max, &type->updated, err)) != STATUS_OK ||
	    (status = call_string(body, "cancelled", true, 1, max, &type->cancelled, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "key", false, 1, max, &key, err)) != STATUS_OK)
		return status;
	value_path_init(&type->key, key, call->arena);
	return STATUS_OK;
}

static void write_type(struct json_writer *w, const struct fact_type *type)
{
	json_begin_object(w);
	json_member_string(w, "name", type->name);
	json_member_string(w, "original", type->original);
	if (type->updated.length > 0)
		json_member_string(w, "updated", type->updated);
	else
		json_member_null(w, "updated");
	if (type->cancelled.length > 0)
		json_member_string(w, "cancelled", type->cancelled);
	else
		json_member_null(w, "cancelled");
	json_member_string(w, "key", type->key.name);
	json_member_bool(w, "builtIn", type->declared_position == 0);
	json_end_object(w);
}

/* ---- POST ---- */

static void check(struct api_call *call, struct view *view)
{
	struct declaration *state = call->state;
	state->status             = fact_types_check(view_fact_types(view), &state->type, &state->err);
}

static bool same(const struct fact_type *a, const struct fact_type *b)
{
	return text_equal(a->name, b->name) && text_equal(a->original, b->original) &&
	       text_equal(a->updated, b->updated) && text_equal(a->cancelled, b->cancelled) &&
	       text_equal(a->key.name, b->key.name);
}

/* Of two that are declared at the same time the first one stands. */
static void find_declared(struct api_call *call, struct view *view)
{
	struct declaration      *state = call->state;
	const struct fact_types *types = view_fact_types(view);
	state->status                  = STATUS_CONFLICT;
	for (size_t i = 0; i < types->list.count; i++)
		if (same(&types->list.items[i], &state->type)) {
			state->type.declared_position = types->list.items[i].declared_position;
			state->status                 = STATUS_OK;
		}
	if (state->status != STATUS_OK)
		state->status = error_set(&state->err, STATUS_CONFLICT,
		                          "Its name or one of its events was taken meanwhile");
}

static void answer_declared(struct api_call *call)
{
	const struct declaration *state = call->state;
	if (state->status != STATUS_OK) {
		call_fail(call, &state->err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_type(&w, &state->type);
	call_add_position(call, state->position);
	call_answer(call, 201, &out);
}

static void await(struct api_call *call)
{
	struct declaration *state = call->state;
	if (state->status != STATUS_OK) {
		call_fail(call, &state->err);
		return;
	}
	call->min_position = state->position;
	call_read_person(call, 0, find_declared, answer_declared);
}

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	struct api_call    *call  = context;
	struct declaration *state = call->state;
	(void)log_time_ms;
	state->status   = status;
	state->position = position;
	if (status != STATUS_OK)
		state->err = *err;
	call_on_worker(call, await);
}

static enum status append(struct api_call *call, struct error *err)
{
	const struct declaration *state   = call->state;
	struct journal           *journal = call->api->config.journal;
	uint32_t                  count   = call->api->config.partition_count;
	struct buffer             body = {0}, bytes = {0};
	fact_type_encode(&state->type, &body);
	struct record record = {.kind = RECORD_SETTING, .slot = SLOT_NONE, .body = buffer_text(&body)};
	record_encode(&bytes, &record);
	struct journal_batch *batches = ARENA_ARRAY(call->arena, struct journal_batch, count);
	for (uint32_t p = 0; p < count; p++)
		batches[p] = (struct journal_batch){p, 1, buffer_text(&bytes)};
	enum status status = journal->ops->append(journal, batches, count, appended, call, err);
	buffer_done(&body);
	buffer_done(&bytes);
	return status;
}

static void declare(struct api_call *call)
{
	struct declaration *state = call->state;
	struct error        err;
	if (state->status != STATUS_OK)
		call_fail(call, &state->err);
	else if (append(call, &err) != STATUS_OK)
		call_fail(call, &err);
}

static void create_step(struct api_call *call)
{
	struct declaration *state = ARENA_NEW(call->arena, struct declaration);
	struct error        err;
	call->state = state;
	if (read_wish(call, &state->type, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_person(call, 0, check, declare);
}

void fact_types_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- GET ---- */

struct listing {
	struct buffer items; /* as written */
};

static void run_list(struct api_call *call, struct view *view)
{
	struct listing          *state = call->state;
	const struct fact_types *types = view_fact_types(view);
	struct json_writer       w     = call_begin_list(&state->items);
	for (size_t i = 0; i < types->list.count; i++)
		write_type(&w, &types->list.items[i]);
	call_end_list(&w, CURSOR_OFFSET, TEXT(""), (int64_t)types->list.count, view_now_ms(view));
}

static void answer_list(struct api_call *call)
{
	struct listing *state = call->state;
	call_answer(call, 200, &state->items);
}

void fact_types_list(struct api_call *call)
{
	call->state = ARENA_NEW(call->arena, struct listing);
	call_read_person(call, 0, run_list, answer_list);
}
