#include "api/audience/audiences.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "api/audience/audience_live.h"
#include "api/audience/kept_columns.h"
#include "api/audience/overview.h"
#include "api/context.h"
#include "api/metrics/metrics_text.h"
#include "base/log.h"

enum { STOP_POLL_NS = 1000000 };

/* Revenue is kept by person, so that it need not be scanned; so is what filters look at
 * (filter_set.h). */
static void keep_revenue(struct audiences *audiences)
{
	struct api                     *api      = audiences->api;
	const struct audience_settings *settings = api->config.audience;
	struct error                    err;
	if (queries_keep_revenue(api->config.queries, text_of(settings->order_event),
	                         settings->refund_event != NULL ? text_of(settings->refund_event)
	                                                        : TEXT(""),
	                         &err) != STATUS_OK)
		log_line(LOG_WARNING, "revenue is scanned, not kept as columns",
		         LOG_STRING("error", err.reason));
}

enum { LIST_PIECE = 100 };

/* What was saved before the start. */
static enum status keep_saved(struct audiences *audiences, struct error *err)
{
	struct store *store = audiences->api->config.store;
	uint64_t      after = 0, total;
	size_t        count;
	enum status   status;
	do {
		struct store_audience *rows;
		struct arena           arena;
		arena_init(&arena);
		status =
			store->ops->audience_list(store, after, LIST_PIECE, &arena, &rows, &count, &total, err);
		for (size_t i = 0; status == STATUS_OK && i < count; i++) {
			struct question question;
			struct error    gone; /* what it refers to */
			after = rows[i].number;
			if (question_of(audiences->api, &arena, rows[i].definition, &question, &gone) ==
			    STATUS_OK)
				kept_columns_set(audiences->kept, rows[i].id, question.canonical);
		}
		arena_done(&arena);
	} while (status == STATUS_OK && count == LIST_PIECE);
	return status;
}

struct audiences *audiences_new(struct api *api)
{
	struct audiences *audiences = calloc(1, sizeof *audiences);
	struct error      err;
	assert(audiences != NULL);
	audiences->api          = api;
	audiences->calculations = calculations_new(api);
	audiences->unsaved      = unsaved_new(api->config.audience);
	audiences->live         = audience_live_new(audiences);
	pthread_mutex_init(&audiences->saving, NULL);
	keep_revenue(audiences);
	audiences->kept    = kept_columns_new(api->config.queries);
	enum status status = keep_saved(audiences, &err);
	if (status != STATUS_OK)
		log_line(LOG_WARNING, "saved audiences are scanned, not kept as columns",
		         LOG_STRING("error", err.reason));
	overview_start(api->overview, audiences);
	return audiences;
}

void audiences_stop(struct audiences *audiences)
{
	const struct timespec      pause = {.tv_nsec = STOP_POLL_NS};
	struct calculations_status status;
	calculations_stop(audiences->calculations);
	audience_live_stop(audiences->live);
	for (;;) {
		calculations_status(audiences->calculations, &status);
		if (status.running == 0)
			return;
		nanosleep(&pause, NULL);
	}
}

void audiences_free(struct audiences *audiences)
{
	if (audiences == NULL)
		return;
	audience_live_free(audiences->live);
	calculations_free(audiences->calculations);
	unsaved_free(audiences->unsaved);
	kept_columns_free(audiences->kept);
	pthread_mutex_destroy(&audiences->saving);
	free(audiences);
}

/* ---- Ids ---- */

static enum status find_saved(struct audiences *audiences, struct text id, struct arena *arena,
                              struct audience *audience, struct error *err)
{
	struct store   *store = audiences->api->config.store;
	struct question question;
	enum status     status = store->ops->audience_get(store, id, arena, &audience->saved, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_NOT_FOUND,
		                 "There is no such audience: it was never saved, or not calculated lately");
	if (status != STATUS_OK)
		return status;
	audience->kind     = AUDIENCE_SNAPSHOT;
	audience->written  = audience->saved.definition;
	audience->as_of_ms = audience->saved.as_of_ms;
	memcpy(audience->id, audience->saved.id, sizeof audience->id);
	if (audience->saved.kind == STORE_AUDIENCE_SNAPSHOT)
		return STATUS_OK;
	audience->kind     = AUDIENCE_LIVE;
	audience->as_of_ms = INSTANT_MS_NONE;
	if ((status = question_of(audiences->api, arena, audience->written, &question, err)) !=
	    STATUS_OK)
		return status;
	audience->canonical = question.canonical;
	audience->derived   = question.derived;
	return STATUS_OK;
}

enum status audiences_find(struct audiences *audiences, struct text id, struct arena *arena,
                           struct audience *ret_audience, struct error *err)
{
	struct audience         audience = {0};
	struct unsaved_audience found;
	if (unsaved_get(audiences->unsaved, id, arena, &found)) {
		audience.kind      = AUDIENCE_UNSAVED;
		audience.written   = found.written;
		audience.canonical = found.canonical;
		audience.derived   = found.derived;
		audience.as_of_ms  = found.as_of_ms;
		memcpy(audience.id, found.id, sizeof audience.id);
	} else {
		enum status status = find_saved(audiences, id, arena, &audience, err);
		if (status != STATUS_OK)
			return status;
	}
	*ret_audience = audience;
	return STATUS_OK;
}

enum status audiences_check_segment(struct audiences *audiences, const char *segment_id,
                                    struct error *err)
{
	struct store         *store = audiences->api->config.store;
	struct store_audience audience;
	struct arena          arena;
	struct error          ignored;
	arena_init(&arena);
	enum status status =
		store->ops->audience_by_segment(store, segment_id, &arena, &audience, &ignored);
	if (status == STATUS_OK)
		status = error_set(err, STATUS_CONFLICT,
		                   "The segment belongs to the audience \"%.*s\" (%s): change that",
		                   TEXT_FORMAT(audience.name), audience.id);
	else if (status == STATUS_NOT_FOUND)
		status = STATUS_OK;
	else
		*err = ignored;
	arena_done(&arena);
	return status;
}

/* ---- Metrics ---- */

static void write_saved_metrics(struct audiences *audiences, struct buffer *out)
{
	struct store          *store = audiences->api->config.store;
	struct store_audience *rows;
	size_t                 count;
	uint64_t               total;
	struct arena           arena;
	struct error           err;
	arena_init(&arena);
	if (store->ops->audience_list(store, 0, 1, &arena, &rows, &count, &total, &err) == STATUS_OK)
		metric_one(out, "sonnim_audiences", "gauge", "Audiences that were saved", total);
	metric_one(out, "sonnim_audiences_max", "gauge", "Beyond it saving one is refused",
	           AUDIENCES_MAX);
	arena_done(&arena);
}

void audiences_write_metrics(struct audiences *audiences, struct buffer *out)
{
	const struct audience_settings *settings = audiences->api->config.audience;
	struct calculations_status      c;
	struct unsaved_status           u;
	struct audience_live_status     l;
	write_saved_metrics(audiences, out);
	calculations_status(audiences->calculations, &c);
	unsaved_status(audiences->unsaved, &u);
	metric_head(out, "sonnim_audience_questions_total", "counter",
	            "Questions about audiences, by where the answer came from");
	buffer_printf(out, "sonnim_audience_questions_total{from=\"kept\"} %llu\n",
	              (unsigned long long)c.hits);
	buffer_printf(out, "sonnim_audience_questions_total{from=\"joined\"} %llu\n",
	              (unsigned long long)c.joined);
	buffer_printf(out, "sonnim_audience_questions_total{from=\"calculated\"} %llu\n",
	              (unsigned long long)(c.misses - c.refused));
	metric_one(out, "sonnim_audience_refused_total", "counter",
	           "Questions about audiences that were refused since too many were under way",
	           c.refused);
	metric_one(out, "sonnim_audience_cancelled_total", "counter",
	           "Questions about audiences that were stopped since nobody waited for them any more",
	           c.cancelled);
	metric_one(out, "sonnim_audience_running", "gauge", "Questions about audiences under way",
	           c.running);
	metric_one(out, "sonnim_audience_running_max", "gauge", "Beyond it they are refused",
	           (uint64_t)settings->running_max);
	metric_one(out, "sonnim_audience_cache_answers", "gauge", "Answers that are kept", c.count);
	metric_one(out, "sonnim_audience_cache_answers_max", "gauge", "Beyond it the oldest go",
	           (uint64_t)settings->cache_count_max);
	metric_one(out, "sonnim_audience_cache_bytes", "gauge", "Bytes of answers that are kept",
	           c.bytes);
	metric_one(out, "sonnim_audience_cache_bytes_max", "gauge", "Beyond it the oldest go",
	           settings->cache_bytes_max);
	metric_one(out, "sonnim_audience_unsaved", "gauge",
	           "Audiences that are not saved and known by their id", u.count);
	metric_one(out, "sonnim_audience_unsaved_max", "gauge", "Beyond it the oldest go",
	           (uint64_t)settings->unsaved_max);
	metric_one(out, "sonnim_audience_unsaved_bytes", "gauge", "Bytes of their definitions",
	           u.bytes);
	metric_one(out, "sonnim_audience_unsaved_bytes_max", "gauge", "Beyond it the oldest go",
	           UNSAVED_BYTES_MAX);
	audience_live_status(audiences->live, &l);
	metric_one(out, "sonnim_audience_watched", "gauge",
	           "Audiences that are calculated again and again for those who watch them",
	           l.audiences);
	metric_one(out, "sonnim_audience_watched_max", "gauge", "Beyond it subscriptions are refused",
	           AUDIENCE_LIVE_MAX);
	metric_one(out, "sonnim_audience_watchers", "gauge", "Who watches them", l.watchers);
	metric_one(out, "sonnim_audience_watchers_max", "gauge", "Beyond it subscriptions are refused",
	           AUDIENCE_WATCHERS_MAX);
	metric_one(out, "sonnim_audience_watched_calculated_total", "counter",
	           "Times that they were calculated", l.calculated);
}
