/* /api/v1/audience/filters: what may be asked for without an expression, and what a deployment adds
 * to it. */

#include "api/audience/asking.h"
#include "api/audience/filter_set.h"
#include "api/audience/filter_values.h"
#include "api/handlers.h"
#include "base/clock.h"

/* ---- Writing ---- */

/* "days" is the window that holds: what the filter says, or as long as events are kept. */
static void write_filter(struct json_writer *w, const struct filters *filters,
                         const struct filter *filter, const struct filter_values *values)
{
	int64_t days = filters_window_days(filters, filter);
	json_begin_object(w);
	json_member_string(w, "name", filter->name);
	json_add_key(w, TEXT("label"));
	json_begin_object(w);
	json_member_string(w, "ko", filter->label.ko);
	json_member_string(w, "en", filter->label.en);
	json_end_object(w);
	json_member_string(w, "type", text_of(filter_type_name(filter->type)));
	json_member_string(w, "origin", text_of(filter_origin_name(filter->origin)));
	json_member_string(w, "evaluation", filter->column ? TEXT("column") : TEXT("scan"));
	if (days == 0)
		json_member_null(w, "days");
	else
		json_member_int(w, "days", days);
	json_member_string(w, "template", filter->text);
	json_member_bool(w, "closed", filter->closed);
	json_add_key(w, TEXT("values"));
	filter_values_write(w, filter, values);
	json_end_object(w);
}

static bool is_named(const struct api_call *call) { return strchr(call->route->path, '{') != NULL; }

static enum status unknown(struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "There is no such filter");
}

/* ---- GET ---- */

/* A filter of the page. */
struct listed {
	struct text            name;
	bool                   divides;
	struct query_dimension dimension;
	struct filter_values   values;
};

struct listing {
	struct asking           asking; /* first */
	struct calculation_wish wish;
	size_t                  begin; /* of the page */
	size_t                  total;
	size_t                  count;
	struct listed          *filters;
	size_t                  done; /* of `filters`: asked for */
	size_t                  asked[QUERY_DIMENSIONS_MAX];
	int64_t                 as_of_ms; /* of the oldest answer */
};

static void add_listed(struct api_call *call, const struct filters *filters,
                       const struct filter *filter)
{
	struct listing *state = call->state;
	struct listed  *row   = &state->filters[state->count++];
	row->name             = arena_text(call->arena, filter->name);
	row->divides          = filter_set_dimension(filters, filter, call->arena, &row->dimension);
}

/* Takes the filter of the path. */
static enum status take_named(struct api_call *call, struct error *err)
{
	struct listing *state         = call->state;
	struct text     name          = http_param(call->request, "name");
	state->filters                = ARENA_NEW(call->arena, struct listed);
	const struct filters *filters = filter_set_lock(call->api->filters);
	const struct filter  *filter  = filters_find(filters, name);
	if (filter != NULL)
		add_listed(call, filters, filter);
	filter_set_unlock(call->api->filters);
	return filter != NULL ? STATUS_OK : unknown(err);
}

/* Takes a page; the cursor is how many were listed before. */
static enum status take_page(struct api_call *call, struct error *err)
{
	struct listing    *state = call->state;
	struct byte_reader cursor;
	size_t             limit;
	enum status        status = call_limit(call, &limit, err);
	if (status == STATUS_OK)
		status = call_cursor(call, CURSOR_OFFSET, &cursor, err);
	if (status != STATUS_OK)
		return status;
	state->begin                  = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	const struct filters *filters = filter_set_lock(call->api->filters);
	state->total                  = filters->count;
	state->filters                = ARENA_ARRAY(call->arena, struct listed, limit);
	for (size_t i = state->begin; i < filters->count && state->count < limit; i++)
		add_listed(call, filters, &filters->list[i]);
	filter_set_unlock(call->api->filters);
	return STATUS_OK;
}

/* One that was deleted meanwhile is not written. */
static void write_listed(struct api_call *call, struct json_writer *w)
{
	const struct listing *state   = call->state;
	const struct filters *filters = filter_set_lock(call->api->filters);
	for (size_t i = 0; i < state->count; i++) {
		const struct filter *filter = filters_find(filters, state->filters[i].name);
		if (filter != NULL)
			write_filter(w, filters, filter, &state->filters[i].values);
	}
	filter_set_unlock(call->api->filters);
}

static void answer_one(struct api_call *call, unsigned http_status, const struct listed *row)
{
	struct buffer         out = {0};
	struct json_writer    w   = json_writer_of(&out);
	struct error          err;
	const struct filters *filters = filter_set_lock(call->api->filters);
	const struct filter  *filter  = filters_find(filters, row->name);
	if (filter != NULL)
		write_filter(&w, filters, filter, &row->values);
	filter_set_unlock(call->api->filters);
	if (filter != NULL) {
		call_answer(call, http_status, &out);
		return;
	}
	unknown(&err);
	call_fail(call, &err);
}

static void answer(struct api_call *call)
{
	const struct listing *state = call->state;
	size_t                end   = state->begin + state->count;
	struct buffer         out = {0}, next = {0};
	if (is_named(call)) {
		answer_one(call, 200, &state->filters[0]);
		return;
	}
	struct json_writer w = call_begin_list(&out);
	write_listed(call, &w);
	if (end < state->total)
		buffer_add_u32(&next, (uint32_t)end);
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)state->total, state->as_of_ms);
	buffer_done(&next);
	call_answer(call, 200, &out);
}

static void ask(struct api_call *call);

/* Without an answer, such as when too much is being calculated, the values stay without counts. */
static void counted(struct api_call *call)
{
	struct listing            *state = call->state;
	struct error               err;
	const struct query_answer *found = calculation_answer(state->asking.waiter.calculation, &err);
	for (unsigned i = 0; found != NULL && i < found->dimension_count; i++)
		filter_values_of(&found->dimensions[i], call->arena,
		                 &state->filters[state->asked[i]].values);
	if (found != NULL && found->as_of_ms < state->as_of_ms)
		state->as_of_ms = found->as_of_ms;
	ask(call);
}

/* For as many filters at a time as a question has dimensions. */
static void ask(struct api_call *call)
{
	struct listing          *state = call->state;
	struct calculation_wish *wish  = &state->wish;
	wish->dimension_count          = 0;
	while (state->done < state->count && wish->dimension_count < QUERY_DIMENSIONS_MAX) {
		struct listed *row = &state->filters[state->done];
		if (row->divides) {
			state->asked[wish->dimension_count]       = state->done;
			wish->dimensions[wish->dimension_count++] = row->dimension;
		}
		state->done++;
	}
	if (wish->dimension_count == 0)
		answer(call);
	else
		asking_ask(call, wish, counted);
}

static void list_step(struct api_call *call)
{
	struct listing *state = call->state;
	struct error    err;
	if ((is_named(call) ? take_named(call, &err) : take_page(call, &err)) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	state->as_of_ms = clock_wall_ms();
	state->wish     = (struct calculation_wish){.set_count    = 1,
	                                            .sets         = {filter_values_everybody},
	                                            .as_of_ms     = INSTANT_MS_NONE,
	                                            .min_position = call->min_position,
	                                            .anew         = asking_anew(call)};
	ask(call);
}

void filters_api_get(struct api_call *call)
{
	asking_begin(call, sizeof(struct listing), list_step);
}

/* ---- POST, PUT, DELETE ---- */

/* An own filter's name is the path's, or, of POST, in the body. */
static void put_step(struct api_call *call)
{
	bool         named = is_named(call);
	struct text  name  = named ? http_param(call->request, "name") : TEXT("");
	struct json  body;
	struct text  given;
	struct error err;
	enum status  status = call_body(call, &body, &err);
	if (status == STATUS_OK)
		status = filter_set_put(call->api->filters, name, body, call->arena, &given, &err);
	if (status == STATUS_OK)
		answer_one(call, named ? 200 : 201, &(struct listed){.name = given});
	else
		call_fail(call, &err);
}

void filters_api_create(struct api_call *call) { call_on_worker(call, put_step); }
void filters_api_put(struct api_call *call) { call_on_worker(call, put_step); }

static void delete_step(struct api_call *call)
{
	struct error err;
	if (filter_set_delete(call->api->filters, http_param(call->request, "name"), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void filters_api_delete(struct api_call *call) { call_on_worker(call, delete_step); }
