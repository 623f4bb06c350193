/* POST /api/v1/segments/preview and …/{id}/preview: what a definition would answer. */

#include <stdatomic.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/segment/segment_body.h"
#include "api/personal/classification.h"
#include "query/query.h"

enum { SAMPLE_DEFAULT = 10, TRIES_MAX = 5 };

struct preview_call {
	struct api_call          *call;
	bool                      counted;
	_Atomic bool              gone; /* the client */
	unsigned                  sample_count;
	unsigned                  tries;
	struct definition_wish    wish;
	struct definition_preview definition;
	struct query             *query; /* the last one; NULL: none */
};

static void client_gone(void *user)
{
	struct preview_call *state = user;
	atomic_store_explicit(&state->gone, true, memory_order_relaxed);
}

static bool is_cancelled(void *context)
{
	const struct preview_call *state = context;
	return atomic_load_explicit(&state->gone, memory_order_relaxed) ||
	       atomic_load(&state->call->api->stopped);
}

static void clean_up(struct api_call *call)
{
	struct preview_call *state = call->state;
	if (state->query != NULL)
		query_free(state->query);
	if (state->counted)
		atomic_fetch_sub(&call->api->preview_count, 1);
}

/* ---- What was asked ---- */

static enum status read_sample(struct json body, struct preview_call *state, struct error *err)
{
	struct json sample = json_get(body, "sample");
	if (json_type(sample) == JSON_NONE)
		return STATUS_OK;
	double count = json_is_number(sample) ? json_number(sample) : -1;
	if (!(count >= 0 && count <= QUERY_SAMPLE_MAX) || count != (double)(unsigned)count)
		return error_set_field(err, STATUS_INVALID, "sample",
		                       "It must be a whole number from 0 to %d", QUERY_SAMPLE_MAX);
	state->sample_count = (unsigned)count;
	return STATUS_OK;
}

static bool is_named(const struct api_call *call) { return strchr(call->route->path, '{') != NULL; }

/* A body may be missing where a segment is named: then it is its newest version. */
static enum status read_wish(struct api_call *call, struct definition_wish *wish, struct error *err)
{
	bool        named = is_named(call);
	struct json body;
	enum status status;
	if (named && http_body(call->request).length == 0)
		return STATUS_OK;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = segment_body_read_definition(call, body, !named, wish, err)) != STATUS_OK ||
	    (status = classification_check(call->api, wish->expr, "expression", err)) != STATUS_OK ||
	    (status = read_sample(body, call->state, err)) != STATUS_OK)
		return status;
	return wish->expr == NULL
	           ? STATUS_OK
	           : segment_body_check_windows(wish->expr, call->api->config.retention_ms, err);
}

/* ---- The answer ---- */

static void write_sample(struct api_call *call, struct json_writer *w, const char *name,
                         const struct query_sample *sample)
{
	json_add_key(w, text_of(name));
	json_begin_array(w);
	for (uint32_t i = 0; i < sample->count; i++) {
		json_begin_object(w);
		call_write_person(call, w, sample->persons[i].person);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_difference(struct api_call *call, struct json_writer *w,
                             const struct query_answer *answer)
{
	const struct preview_call *state = call->state;
	json_add_key(w, TEXT("difference"));
	if (!answer->compared) {
		json_add_null(w);
		return;
	}
	json_begin_object(w);
	json_member_string(w, "segmentId", text_of(state->definition.id));
	json_member_int(w, "liveVersion", state->definition.live_version);
	json_member_int(w, "size", (int64_t)answer->live_size);
	json_member_int(w, "entering", (int64_t)answer->entering);
	json_member_int(w, "leaving", (int64_t)answer->leaving);
	write_sample(call, w, "sampleEntering", &answer->enterers);
	write_sample(call, w, "sampleLeaving", &answer->leavers);
	json_end_object(w);
}

static void write_answer(struct api_call *call, const struct query_answer *answer)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_int(&w, "size", (int64_t)answer->size);
	json_member_int(&w, "total_users", (int64_t)answer->person_count);
	json_member_double(
		&w, "ratio",
		answer->person_count == 0 ? 0 : (double)answer->size / (double)answer->person_count);
	write_sample(call, &w, "sample", &answer->members);
	write_difference(call, &w, answer);
	json_member_instant(&w, "as_of", answer->as_of_ms);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static enum status failure(const struct query_answer *answer, struct error *err)
{
	switch (answer->status) {
	case STATUS_CONFLICT:
		return error_set_field(err, STATUS_CONFLICT, "expression",
		                       "A segment that it refers to is not Live");
	case STATUS_AGAIN:
		return error_set(err, STATUS_UNAVAILABLE,
		                 "Definitions change too often for a preview; try again");
	case STATUS_TIMEOUT:
		return error_set(err, STATUS_TIMEOUT, "the data asked for was not applied in time");
	default:
		return error_set(err, STATUS_UNAVAILABLE, "The preview was given up");
	}
}

/* ---- On the way ---- */

static void start(struct api_call *call);

static void answer_step(struct api_call *call)
{
	struct preview_call       *state  = call->state;
	const struct query_answer *answer = query_answer(state->query);
	struct error               err;
	if (answer->status == STATUS_OK) {
		write_answer(call, answer);
	} else if (answer->status == STATUS_AGAIN && ++state->tries < TRIES_MAX) {
		query_free(state->query);
		state->query = NULL;
		start(call);
	} else {
		failure(answer, &err);
		call_fail(call, &err);
	}
}

static void is_done(void *context, struct query *query)
{
	struct preview_call *state = context;
	state->query               = query;
	call_on_worker(state->call, answer_step);
}

static void start(struct api_call *call)
{
	struct preview_call *state = call->state;
	bool                 named = is_named(call);
	struct query        *query;
	struct error         err;
	enum status          status = definition_preview(
				 call->api->definitions, named ? http_param(call->request, "id") : (struct text){0},
				 &state->wish, call->arena, &state->definition, &err);
	const struct query_wish asked = {.set_count    = 1,
	                                 .sets         = {state->definition.canonical},
	                                 .as_of_ms     = INSTANT_MS_NONE,
	                                 .compared     = state->definition.compared,
	                                 .min_position = call->min_position,
	                                 .sample_count = state->sample_count,
	                                 .is_cancelled = is_cancelled,
	                                 .done         = is_done,
	                                 .context      = state};
	if (status == STATUS_OK)
		status = query_start(call->api->config.queries, &asked, &query, &err);
	if (status != STATUS_OK)
		call_fail(call, &err);
}

static void look_up(struct api_call *call)
{
	struct error err;
	if (read_wish(call, &((struct preview_call *)call->state)->wish, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		start(call);
}

/* The client is watched from the loop, so this is no step of a worker yet. */
void segments_preview(struct api_call *call)
{
	struct preview_call *state = ARENA_NEW(call->arena, struct preview_call);
	struct error         err;
	state->call         = call;
	state->sample_count = SAMPLE_DEFAULT;
	call->state         = state;
	call->cleanup       = clean_up;
	state->counted      = true;
	if (atomic_fetch_add(&call->api->preview_count, 1) >= API_PREVIEWS_MAX) {
		error_set(&err, STATUS_LIMITED, "There are %d previews under way already",
		          API_PREVIEWS_MAX);
		call_fail(call, &err);
		return;
	}
	if (!call_is_suspended(call)) { /* else its token was looked up elsewhere: not watched */
		call_suspend(call);
		http_on_cancel(call->request, client_gone, state);
	}
	call_on_worker(call, look_up);
}
