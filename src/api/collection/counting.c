#include "api/collection/counting.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/collection/observations.h"
#include "base/clock.h"
#include "base/log.h"

struct counting {
	struct ingest  *ingest;
	struct sources *sources;
	struct store   *store;
	struct journal *journal;
	pthread_mutex_t flushing; /* one at a time */
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	bool            stopping;
	bool            failing; /* the last one: logged once */
	unsigned        rounds;
	pthread_t       thread;
};

static enum status carry(struct counting *counting, const struct source_row *rows, size_t count,
                         struct error *err)
{
	struct store_count *counts = calloc(count, sizeof *counts);
	if (counts == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		counts[i] = (struct store_count){rows[i].source_number, rows[i].minute_ms,
		                                 text_of(rows[i].name), rows[i].value};
	enum status status = counting->store->ops->count_add(counting->store, counts, count, err);
	free(counts);
	return status;
}

enum status counting_flush(struct counting *counting, struct error *err)
{
	source_row_list rows   = {0};
	enum status     status = STATUS_OK;
	pthread_mutex_lock(&counting->flushing);
	sources_take(counting->sources, counting->journal->ops->log_time_ms(counting->journal), &rows);
	size_t done = 0;
	while (done < rows.count && status == STATUS_OK) {
		size_t left  = rows.count - done;
		size_t count = left < COUNTING_ROWS_AT_ONCE ? left : COUNTING_ROWS_AT_ONCE;
		status       = carry(counting, rows.items + done, count, err);
		if (status == STATUS_OK)
			done += count;
	}
	const source_row_list rest = {.items = rows.items + done, .count = rows.count - done};
	if (rest.count > 0)
		sources_return(counting->sources, &rest);
	pthread_mutex_unlock(&counting->flushing);
	VECTOR_DONE(&rows);
	return status;
}

static enum status keep_observed(struct counting *counting, bool new_only, struct error *err)
{
	pthread_mutex_lock(&counting->flushing);
	enum status status = observations_keep(counting->ingest, counting->store, new_only, err);
	pthread_mutex_unlock(&counting->flushing);
	return status;
}

enum status counting_forget_observed(struct counting *counting, struct source *source,
                                     enum observed_family family, struct error *err)
{
	struct store *store = counting->store;
	pthread_mutex_lock(&counting->flushing);
	watch_forget(ingest_watch(counting->ingest), source, family);
	enum status status = store->ops->observation_drop(store, source_number(source), family, err);
	pthread_mutex_unlock(&counting->flushing);
	return status;
}

static void flush_by_time(struct counting *counting)
{
	struct error err;
	bool         new_only = ++counting->rounds % COUNTING_OBSERVED_ROUNDS != 0;
	bool         failed   = counting_flush(counting, &err) != STATUS_OK ||
	              keep_observed(counting, new_only, &err) != STATUS_OK;
	if (failed && !counting->failing)
		log_error("what sources have sent could not be counted in the store", &err);
	counting->failing = failed;
}

static void *run(void *context)
{
	struct counting *counting = context;
	pthread_mutex_lock(&counting->lock);
	while (!counting->stopping) {
		struct timespec until = clock_deadline(COUNTING_INTERVAL_MS);
		pthread_cond_timedwait(&counting->wake, &counting->lock, &until);
		pthread_mutex_unlock(&counting->lock);
		flush_by_time(counting);
		pthread_mutex_lock(&counting->lock);
	}
	pthread_mutex_unlock(&counting->lock);
	return NULL;
}

/* Deleted ones count for the workspace too: their numbers lie among the others. */
static enum status highest_number(struct store *store, struct arena *arena, uint32_t *ret_number,
                                  struct error *err)
{
	struct store_source *sources;
	size_t               count;
	*ret_number        = 0;
	enum status status = store->ops->source_list(store, arena, &sources, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (sources[i].number > *ret_number)
			*ret_number = sources[i].number;
	return status;
}

static enum status load_quota(struct counting *counting, uint32_t number, int64_t now_ms,
                              struct arena *arena, struct error *err)
{
	struct store       *store = counting->store;
	struct store_count *counts;
	size_t              count;
	uint64_t            events[QUOTA_PERIODS] = {0};
	int64_t             day_ms                = quota_begin_ms(QUOTA_DAY, now_ms);
	int64_t             month_ms              = quota_begin_ms(QUOTA_MONTH, now_ms);
	enum status         status;
	status = store->ops->count_list(store, number, STORE_SPAN_DAY, month_ms,
	                                quota_end_ms(QUOTA_MONTH, now_ms), arena, &counts, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		if (!text_equal(counts[i].name, TEXT("accepted")))
			continue;
		events[QUOTA_MONTH] += (uint64_t)counts[i].value;
		if (counts[i].at_ms == day_ms)
			events[QUOTA_DAY] += (uint64_t)counts[i].value;
	}
	if (status == STATUS_OK && events[QUOTA_MONTH] > 0)
		source_load_quota(source_of(counting->sources, number), now_ms, events);
	return status;
}

/* Quotas go on where they stood. */
static enum status load_quotas(struct counting *counting, struct error *err)
{
	int64_t      now_ms = counting->journal->ops->log_time_ms(counting->journal);
	uint32_t     highest;
	struct arena arena;
	arena_init(&arena);
	enum status status = highest_number(counting->store, &arena, &highest, err);
	for (uint32_t number = 0; status == STATUS_OK && number <= highest; number++) {
		status = load_quota(counting, number, now_ms, &arena, err);
		arena_reset(&arena);
	}
	arena_done(&arena);
	return status;
}

enum status counting_new(struct ingest *ingest, struct store *store, struct journal *journal,
                         struct counting **ret_counting, struct error *err)
{
	enum status status = observations_load(ingest_sources(ingest), store, err);
	if (status != STATUS_OK)
		return status;
	struct counting   *counting = calloc(1, sizeof *counting);
	pthread_condattr_t monotonic;
	if (counting == NULL)
		abort();
	counting->ingest  = ingest;
	counting->sources = ingest_sources(ingest);
	counting->store   = store;
	counting->journal = journal;
	pthread_mutex_init(&counting->flushing, NULL);
	pthread_mutex_init(&counting->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&counting->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((status = load_quotas(counting, err)) != STATUS_OK) {
		free(counting);
		return status;
	}
	if (pthread_create(&counting->thread, NULL, run, counting) != 0)
		abort();
	*ret_counting = counting;
	return STATUS_OK;
}

void counting_free(struct counting *counting)
{
	if (counting == NULL)
		return;
	pthread_mutex_lock(&counting->lock);
	counting->stopping = true;
	pthread_cond_signal(&counting->wake);
	pthread_mutex_unlock(&counting->lock);
	pthread_join(counting->thread, NULL);
	struct error
		err; /* what came while the thread wrote for the last time is still to be written */
	if (counting_flush(counting, &err) != STATUS_OK)
		log_error("what sources have sent could not be counted in the store", &err);
	if (keep_observed(counting, false, &err) != STATUS_OK)
		log_error("what was observed of sources could not be kept in the store", &err);
	pthread_cond_destroy(&counting->wake);
	pthread_mutex_destroy(&counting->lock);
	pthread_mutex_destroy(&counting->flushing);
	free(counting);
}
