#include "api/collection/counting.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

struct counting {
	struct sources *sources;
	struct store   *store;
	struct journal *journal;
	pthread_mutex_t flushing; /* one at a time */
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	bool            stopping;
	bool            failing; /* the last one: logged once */
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

static void flush_by_time(struct counting *counting)
{
	struct error err;
	bool         failed = counting_flush(counting, &err) != STATUS_OK;
	if (failed && !counting->failing)
		log_error("what sources have sent could not be counted in the store", &err);
	counting->failing = failed;
}

static void *run(void *context)
{
	struct counting *counting = context;
	pthread_mutex_lock(&counting->lock);
	while (!counting->stopping) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += COUNTING_INTERVAL_MS / 1000;
		pthread_cond_timedwait(&counting->wake, &counting->lock, &until);
		pthread_mutex_unlock(&counting->lock);
		flush_by_time(counting);
		pthread_mutex_lock(&counting->lock);
	}
	pthread_mutex_unlock(&counting->lock);
	return NULL;
}

struct counting *counting_new(struct sources *sources, struct store *store, struct journal *journal)
{
	struct counting   *counting = calloc(1, sizeof *counting);
	pthread_condattr_t monotonic;
	if (counting == NULL)
		abort();
	counting->sources = sources;
	counting->store   = store;
	counting->journal = journal;
	pthread_mutex_init(&counting->flushing, NULL);
	pthread_mutex_init(&counting->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&counting->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&counting->thread, NULL, run, counting) != 0)
		abort();
	return counting;
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
	pthread_cond_destroy(&counting->wake);
	pthread_mutex_destroy(&counting->lock);
	pthread_mutex_destroy(&counting->flushing);
	free(counting);
}
