#include "events/writer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum { RETRY_SECONDS = 1 };

void writer_wake(struct events_store *store)
{
	pthread_mutex_lock(&store->lock);
	pthread_cond_broadcast(&store->work);
	pthread_mutex_unlock(&store->lock);
}

/* Until something happens, at most a second: retention goes by, what failed is tried again. */
static void wait_for_work(struct events_store *store)
{
	struct timespec until = clock_deadline(RETRY_SECONDS * 1000);
	pthread_cond_timedwait(&store->work, &store->lock, &until);
}

static void note_failure(struct events_store *store, const struct error *err)
{
	if (!atomic_exchange(&store->failing, true))
		log_error("events cannot be written to files: they stay in memory, it is tried again", err);
}

static void note_success(struct events_store *store)
{
	if (atomic_exchange(&store->failing, false))
		log_message(LOG_INFO, "events are written to files again");
}

/* One look at every partition; false when there was nothing to do or it failed. */
static bool flush_all(struct events_store *store)
{
	bool worked = false;
	for (uint32_t i = 0; i < store->config.partition_count && !atomic_load(&store->stopping); i++) {
		struct shelf *shelf = store->shelves[i];
		struct error  err   = {0};
		shelf_clean(shelf);
		if (atomic_load(&shelf->sealed) == NULL)
			continue;
		if (shelf_flush(shelf, &err) != STATUS_OK) {
			note_failure(store, &err);
			continue;
		}
		note_success(store);
		atomic_fetch_add(&store->flushes, 1);
		worked = true;
	}
	return worked;
}

static bool tidy_all(struct events_store *store)
{
	bool worked = false;
	for (uint32_t i = 0; i < store->config.partition_count && !atomic_load(&store->stopping); i++) {
		struct error err    = {0};
		enum status  status = shelf_tidy(store->shelves[i], &err);
		if (status == STATUS_OK) {
			atomic_fetch_add(&store->merges, 1);
			worked = true;
		} else if (status == STATUS_CORRUPT) {
			log_error("a part of the event store is damaged and no longer merged", &err);
		} else if (status != STATUS_AGAIN && status != STATUS_UNAVAILABLE) {
			note_failure(store, &err);
		}
	}
	return worked;
}

static void run(struct events_store *store, bool (*round)(struct events_store *store))
{
	while (!atomic_load(&store->stopping)) {
		if (round(store)) {
			writer_wake(store); /* what was flushed may be merged */
			continue;
		}
		pthread_mutex_lock(&store->lock);
		if (!atomic_load(&store->stopping))
			wait_for_work(store);
		pthread_mutex_unlock(&store->lock);
	}
}

static void *run_flusher(void *store)
{
	run(store, flush_all);
	return NULL;
}

static void *run_merger(void *store)
{
	run(store, tidy_all);
	return NULL;
}

void writer_start(struct events_store *store)
{
	if (pthread_create(&store->flusher, NULL, run_flusher, store) != 0 ||
	    pthread_create(&store->merger, NULL, run_merger, store) != 0)
		abort();
	store->started = true;
}

void writer_stop(struct events_store *store)
{
	atomic_store(&store->stopping, true);
	if (!store->started)
		return;
	writer_wake(store);
	pthread_join(store->flusher, NULL);
	pthread_join(store->merger, NULL);
	store->started = false;
}
