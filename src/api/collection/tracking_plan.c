/* /api/v1/sources/{id}/tracking-plan: which events a source sends, and what they look like. */

#include "api/collection/tracking_plan.h"

#include "api/collection/counting.h"
#include "api/collection/sources.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "ingest/watch.h"

static struct source *source_at(struct api *api, uint32_t number)
{
	return source_of(ingest_sources(api->config.ingest), number);
}

static void let_hold(struct api *api, uint32_t source_number, struct plan *plan)
{
	watch_set_plan(ingest_watch(api->config.ingest), source_at(api, source_number), plan);
}

/* ---- At start, and at the end of a source ---- */

static enum status load(struct api *api, struct json_parser *parser, const struct store_plan *row,
                        struct error *err)
{
	struct json  root;
	struct plan *plan;
	struct error why;
	enum status  status = json_parse_text(parser, row->plan, &root, &why);
	if (status == STATUS_OK)
		status = plan_read(root, &plan, &why);
	if (status != STATUS_OK)
		return error_set(err, STATUS_CORRUPT, "the tracking plan of source %u cannot be read: %s",
		                 row->source_number, why.reason);
	let_hold(api, row->source_number, plan);
	return STATUS_OK;
}

enum status tracking_plans_load(struct api *api, struct error *err)
{
	struct store       *store = api->config.store;
	struct store_plan  *plans;
	struct arena        arena;
	struct json_parser *parser = json_parser_new();
	size_t              count;
	arena_init(&arena);
	enum status status = store->ops->plan_list(store, &arena, &plans, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		status = load(api, parser, &plans[i], err);
	arena_done(&arena);
	json_parser_free(parser);
	return status;
}

enum status tracking_plan_forget(struct api *api, uint32_t source_number, struct error *err)
{
	struct source *source = source_at(api, source_number);
	pthread_mutex_lock(&api->plans_lock);
	let_hold(api, source_number, NULL);
	pthread_mutex_unlock(&api->plans_lock);
	enum status status = counting_forget_observed(api->counting, source, OBSERVED_TYPES, err);
	if (status == STATUS_OK)
		status = counting_forget_observed(api->counting, source, OBSERVED_VIOLATIONS, err);
	return status;
}

/* ---- GET ---- */

static void answer(struct api_call *call, const struct store_plan *plan)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "sourceId", http_param(call->request, "id"));
	json_member_int(&w, "version", plan->version);
	json_member_instant(&w, "createdAt", plan->created_ms);
	json_member_instant(&w, "updatedAt", plan->updated_ms);
	json_add_key(&w, TEXT("plan"));
	json_add_raw(&w, plan->plan);
	json_end_object(&w);
	call_add_version(call, plan->version);
	call_answer(call, 200, &out);
}

static void get_step(struct api_call *call)
{
	struct store     *store = call->api->config.store;
	struct store_plan plan;
	struct error      err;
	uint32_t          number;
	if (sources_find_number(call, &number, &err) != STATUS_OK ||
	    store->ops->plan_get(store, number, call->arena, &plan, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		answer(call, &plan);
}

void tracking_plan_get(struct api_call *call) { call_on_worker(call, get_step); }

/* ---- PUT and DELETE ---- */

/* `stored->plan` empty: it goes. `plan` is taken over, also on an error. */
static enum status change(struct api_call *call, struct store_plan *stored, struct plan *plan,
                          struct error *err)
{
	struct api   *api   = call->api;
	struct store *store = api->config.store;
	uint32_t      expected;
	enum status   status = call_if_match(call, &expected, err);
	if (status == STATUS_OK)
		status = sources_find_number(call, &stored->source_number, err);
	if (status != STATUS_OK) {
		plan_free(plan);
		return status;
	}
	stored->updated_ms = clock_wall_ms();
	pthread_mutex_lock(&api->plans_lock);
	status = store->ops->plan_put(store, stored, expected, err);
	if (status == STATUS_OK)
		let_hold(api, stored->source_number, plan);
	pthread_mutex_unlock(&api->plans_lock);
	if (status != STATUS_OK)
		plan_free(plan);
	return status;
}

static struct text text_of_plan(struct api_call *call, struct json body)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_add_value(&w, body);
	struct text text = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

static void put_step(struct api_call *call)
{
	struct store_plan stored = {0};
	struct json       body;
	struct plan      *plan;
	struct error      err;
	enum status       status = call_body(call, &body, &err);
	if (status == STATUS_OK)
		status = plan_read(body, &plan, &err);
	if (status == STATUS_OK) {
		stored.plan = text_of_plan(call, body);
		status      = change(call, &stored, plan, &err);
	}
	if (status == STATUS_OK)
		answer(call, &stored);
	else
		call_fail(call, &err);
}

void tracking_plan_put(struct api_call *call) { call_on_worker(call, put_step); }

static void delete_step(struct api_call *call)
{
	struct store_plan stored = {0};
	struct error      err;
	if (change(call, &stored, NULL, &err) == STATUS_OK)
		call_answer_empty(call, 204);
	else
		call_fail(call, &err);
}

void tracking_plan_delete(struct api_call *call) { call_on_worker(call, delete_step); }
