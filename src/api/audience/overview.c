#include "api/audience/overview.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/audience/asking.h"
#include "api/audience/filter_set.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/log.h"

static const struct text name     = {"audience overview", 17};
static const char        all[]    = "trait($identified) exists";
static const char        active[] = "days_since_last(*) < 30";

enum { ACTIVE_DAYS = 30, SHOWN_MAX = 50 /* groups of each list */ };

/* The two questions, asked one behind the other. */
enum part { PART_ALL, PART_ACTIVE, PART_COUNT };

struct overview {
	struct api       *api;
	struct audiences *audiences; /* NULL: not started */
	pthread_mutex_t   lock;
	struct buffer     json;          /* what is told; empty: nothing yet */
	int64_t           calculated_ms; /* of the monotonic clock; INT64_MIN: by a process before */

	bool                      running;
	enum part                 part;
	struct calculation_waiter waiter;
	struct calculation       *parts[PART_COUNT];
	struct worker_job         job;
	struct api_call          *calls; /* that wait: linked by `state` */
};

struct overview *overview_new(struct api *api)
{
	struct overview *overview = calloc(1, sizeof *overview);
	assert(overview != NULL);
	overview->api           = api;
	overview->calculated_ms = INT64_MIN;
	pthread_mutex_init(&overview->lock, NULL);
	return overview;
}

/* What cannot be read is calculated anew. */
void overview_load(struct overview *overview)
{
	struct store *store = overview->api->config.store;
	struct text   text;
	int64_t       at_ms;
	struct arena  arena;
	struct error  err;
	arena_init(&arena);
	if (store->ops->kept_get(store, name, &arena, &text, &at_ms, &err) == STATUS_OK)
		buffer_add_text(&overview->json, text);
	arena_done(&arena);
}

void overview_free(struct overview *overview)
{
	if (overview == NULL)
		return;
	assert(!overview->running);
	buffer_done(&overview->json);
	pthread_mutex_destroy(&overview->lock);
	free(overview);
}

/* ---- The answer ---- */

static void write_groups(struct json_writer *w, const char *member,
                         const struct query_answer *answer)
{
	json_add_key(w, text_of(member));
	json_begin_array(w);
	const struct query_groups *groups = answer->dimension_count > 0 ? &answer->dimensions[0] : NULL;
	unsigned                   shown  = 0;
	for (uint32_t i = 0; groups != NULL && i < groups->count && shown < SHOWN_MAX; i++) {
		bool nothing = groups->groups[i].value.type <= VALUE_NULL;
		if (nothing && strcmp(member, "search_keywords") == 0)
			continue; /* those who searched for nothing */
		json_begin_object(w);
		json_add_key(w, TEXT("value"));
		value_write_json(w, &groups->groups[i].value);
		json_member_int(w, "size", (int64_t)groups->groups[i].size);
		json_end_object(w);
		shown++;
	}
	json_end_array(w);
}

static void write_overview(struct buffer *out, const struct query_answer *everybody,
                           const struct query_answer *recent)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_int(&w, "total_users", (int64_t)everybody->person_count);
	json_member_int(&w, "active_users", (int64_t)recent->size);
	json_member_int(&w, "active_days", ACTIVE_DAYS);
	write_groups(&w, "membership", everybody);
	write_groups(&w, "search_keywords", recent);
	json_member_instant(&w, "as_of", recent->as_of_ms);
	json_end_object(&w);
}

static void answer_waiting(struct api_call *calls, struct text json, const struct error *err)
{
	for (struct api_call *call = calls, *next; call != NULL; call = next) {
		struct buffer out = {0};
		next              = call->state;
		call->state       = NULL;
		if (json.length == 0) {
			call_fail(call, err);
			continue;
		}
		buffer_add_text(&out, json);
		call_answer(call, 200, &out);
	}
}

/* On a worker: both were answered, or one failed. */
static void finish(struct worker_job *job)
{
	struct overview *overview =
		(struct overview *)(void *)((char *)job - offsetof(struct overview, job));
	struct store              *store               = overview->api->config.store;
	const struct query_answer *answers[PART_COUNT] = {NULL};
	struct buffer              json                = {0};
	struct error               err                 = {0};
	bool                       done                = true;
	for (unsigned i = 0; i < PART_COUNT && done; i++)
		done = overview->parts[i] != NULL &&
		       (answers[i] = calculation_answer(overview->parts[i], &err)) != NULL;
	if (done)
		write_overview(&json, answers[PART_ALL], answers[PART_ACTIVE]);
	struct error unkept;
	if (done && store->ops->kept_put(store, name, buffer_text(&json), clock_wall_ms(), &unkept) !=
	                STATUS_OK)
		log_line(LOG_WARNING, "the overview of users could not be kept",
		         LOG_STRING("error", unkept.reason));
	for (unsigned i = 0; i < PART_COUNT; i++) {
		calculation_unref(overview->parts[i]);
		overview->parts[i] = NULL;
	}
	pthread_mutex_lock(&overview->lock);
	if (done) {
		buffer_clear(&overview->json);
		buffer_add_text(&overview->json, buffer_text(&json));
		overview->calculated_ms = clock_monotonic_ms();
	}
	struct api_call *calls = overview->calls;
	overview->calls        = NULL;
	overview->running      = false;
	pthread_mutex_unlock(&overview->lock);
	answer_waiting(calls, buffer_text(&json), &err);
	buffer_done(&json);
	atomic_fetch_sub(&overview->api->in_flight, 1);
}

/* ---- Asking ---- */

static void ask(struct overview *overview);

static void answered(struct calculation_waiter *waiter)
{
	struct overview *overview =
		(struct overview *)(void *)((char *)waiter - offsetof(struct overview, waiter));
	overview->parts[overview->part] = waiter->calculation;
	if (calculation_succeeded(waiter->calculation) && ++overview->part < PART_COUNT) {
		ask(overview);
		return;
	}
	overview->job.run = finish;
	workers_submit(overview->api->workers, &overview->job);
}

static struct text canonical_of(const char *text, struct arena *arena)
{
	struct expr  *expr;
	struct buffer out = {0};
	struct error  err;
	enum status   status = expr_parse_text(text_of(text), "", arena, &expr, &err);
	assert(status == STATUS_OK);
	expr_write_canonical(&out, expr);
	struct text canonical = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return canonical;
}

static void ask(struct overview *overview)
{
	struct arena arena;
	arena_init(&arena);
	bool                    everybody = overview->part == PART_ALL;
	const char             *text      = everybody ? all : active;
	struct text             divider   = everybody ? TEXT("membership") : TEXT("search_keyword");
	struct calculation_wish wish      = {.set_count = 1,
	                                     .sets      = {canonical_of(text, &arena)},
	                                     .as_of_ms  = INSTANT_MS_NONE,
	                                     .anew      = true,
	                                     .passing   = true};
	const struct filters   *filters   = filter_set_lock(overview->api->filters);
	const struct filter    *filter    = filters_find(filters, divider);
	if (filter != NULL && filter_set_dimension(filters, filter, &arena, &wish.dimensions[0]))
		wish.dimension_count = 1;
	filter_set_unlock(overview->api->filters);
	if (!everybody)
		wish.dimensions[0].within_ms = ACTIVE_DAYS * DAY_MS;
	overview->waiter.done = answered;
	calculations_ask(overview->audiences->calculations, &wish, &overview->waiter);
	arena_done(&arena);
}

/* False: the server is stopping. */
static bool begin(struct overview *overview)
{
	atomic_fetch_add(&overview->api->in_flight, 1); /* what a stop waits for */
	if (atomic_load(&overview->api->stopped)) {
		atomic_fetch_sub(&overview->api->in_flight, 1);
		return false;
	}
	overview->part = PART_ALL;
	ask(overview);
	return true;
}

void overview_start(struct overview *overview, struct audiences *audiences)
{
	overview->audiences = audiences;
	overview->running   = true;
	if (!begin(overview)) /* what has begun may have ended by now, on a worker */
		overview->running = false;
}

/* ---- GET /api/v1/audience/overview ---- */

static bool is_old(const struct overview *overview)
{
	return overview->calculated_ms == INT64_MIN || clock_monotonic_ms() - overview->calculated_ms >=
	                                                   overview->api->config.audience->cache_ms;
}

static void look(struct api_call *call)
{
	struct overview *overview = call->api->overview;
	struct buffer    json     = {0};
	struct error     err;
	pthread_mutex_lock(&overview->lock);
	bool waits = overview->json.length == 0 || asking_anew(call);
	if (waits) {
		call->state     = overview->calls;
		overview->calls = call;
	} else {
		buffer_add_text(&json, buffer_text(&overview->json));
	}
	bool wanted       = !overview->running && (waits || is_old(overview));
	overview->running = overview->running || wanted;
	pthread_mutex_unlock(&overview->lock);
	if (!waits)
		call_answer(call, 200, &json);
	if (!wanted || begin(overview))
		return;
	pthread_mutex_lock(&overview->lock);
	struct api_call *calls = overview->calls;
	overview->calls        = NULL;
	overview->running      = false;
	pthread_mutex_unlock(&overview->lock);
	error_set(&err, STATUS_UNAVAILABLE, "The server is stopping");
	answer_waiting(calls, (struct text){0}, &err);
}

void audience_overview(struct api_call *call) { call_on_worker(call, look); }
