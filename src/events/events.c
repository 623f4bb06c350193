#include "events/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "events/events_internal.h"
#include "events/writer.h"

/* When a day began: everything through the position was applied. */
struct day {
	int64_t  clock_ms;
	uint64_t position;
};

/* A person who was erased by the record at this position. */
struct forgotten {
	uint32_t slot;
	uint64_t position;
};

struct events {
	uint32_t              partition;
	struct events_budget *budget;
	struct events_store  *store; /* NULL: in memory only */
	struct shelf         *shelf;
	int64_t               retention_ms; /* of the store */
	uint64_t              message_key;
	size_t                tail_bytes; /* it is sealed when it has so many */

	struct tail     *tail;   /* being filled */
	struct tail     *sealed; /* on its way into parts; NULL: none */
	uint64_t         seals;  /* so far */
	struct part_set *set;
	uint64_t         flush_through;     /* asked for */
	VECTOR(struct day) days;            /* that a restart may begin in, ascending */
	VECTOR(struct forgotten) forgotten; /* a restart may ask for them still */
};

/* ---- The store of all partitions ---- */

/* Half of a partition's share: while one tail is written, the next is filled. */
static size_t tail_share(const struct events_store_config *config)
{
	uint64_t bytes = config->settings->tail_bytes;
	if (bytes == 0)
		bytes = config->budget->limit_bytes / 8;
	return bytes / config->partition_count / 2 + 1;
}

static enum status open_shelves(struct events_store *store, struct error *err)
{
	const struct events_store_config *config = &store->config;
	store->shelves = calloc(config->partition_count, sizeof(struct shelf *));
	if (store->shelves == NULL)
		abort();
	enum status status = directory_create(config->directory, 0700, err);
	for (uint32_t i = 0; i < config->partition_count && status == STATUS_OK; i++) {
		struct shelf_config shelf = {.directory    = config->directory,
		                             .partition    = i,
		                             .retention_ms = config->retention_ms,
		                             .settings     = config->settings,
		                             .position_end = config->position_end,
		                             .stopping     = &store->stopping};
		status                    = shelf_open(&shelf, &store->shelves[i], err);
	}
	return status;
}

enum status events_store_open(const struct events_store_config *config,
                              struct events_store **ret_store, struct error *err)
{
	struct events_store *store = calloc(1, sizeof *store);
	if (store == NULL)
		abort();
	store->config = *config;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&store->lock, NULL);
	enum status status = open_shelves(store, err);
	if (status != STATUS_OK) {
		events_store_close(store);
		return status;
	}
	writer_start(store);
	*ret_store = store;
	return STATUS_OK;
}

void events_store_stop(struct events_store *store) { writer_stop(store); }

void events_store_close(struct events_store *store)
{
	if (store == NULL)
		return;
	writer_stop(store);
	for (uint32_t i = 0; i < store->config.partition_count; i++)
		shelf_close(store->shelves[i]);
	free(store->shelves);
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

void events_store_status(struct events_store *store, struct events_store_status *ret_status)
{
	*ret_status = (struct events_store_status){.failing = atomic_load(&store->failing),
	                                           .flushes = atomic_load(&store->flushes),
	                                           .merges  = atomic_load(&store->merges)};
	for (uint32_t i = 0; i < store->config.partition_count; i++) {
		struct shelf *shelf = store->shelves[i];
		ret_status->parts += atomic_load(&shelf->part_count);
		ret_status->bytes += atomic_load(&shelf->part_bytes);
		ret_status->parts_to_rewrite += atomic_load(&shelf->parts_to_rewrite);
		ret_status->parts_forgotten += atomic_load(&shelf->parts_forgotten);
		ret_status->parts_damaged += atomic_load(&shelf->parts_damaged);
	}
}

enum status events_store_verify(const char *directory, uint32_t partition, uint64_t *ret_parts,
                                uint64_t *ret_events, struct error *err)
{
	return shelf_verify(directory, partition, ret_parts, ret_events, err);
}

/* ---- One partition ---- */

static struct events *new_events(uint32_t partition, struct events_budget *budget,
                                 size_t tail_bytes)
{
	struct events *events = calloc(1, sizeof *events);
	if (events == NULL)
		abort();
	events->partition  = partition;
	events->budget     = budget;
	events->tail_bytes = tail_bytes;
	events->tail       = tail_new(partition, budget, tail_bytes);
	return events;
}

struct events *events_new(uint32_t partition, struct events_budget *budget)
{
	struct events *events = new_events(partition, budget, SIZE_MAX);
	random_bytes(&events->message_key, sizeof events->message_key);
	return events;
}

struct events *events_open(struct events_store *store, uint32_t partition)
{
	assert(partition < store->config.partition_count);
	struct events *events = new_events(partition, store->config.budget, tail_share(&store->config));
	events->store         = store;
	events->shelf         = store->shelves[partition];
	events->retention_ms  = store->config.retention_ms;
	events->message_key   = events->shelf->message_key;
	events->set           = shelf_take(events->shelf);
	assert(events->set != NULL);
	return events;
}

void events_free(struct events *events)
{
	assert(events->store == NULL || !events->store->started);
	tail_free(events->sealed);
	tail_free(events->tail);
	part_set_unref(events->set);
	VECTOR_DONE(&events->days);
	VECTOR_DONE(&events->forgotten);
	free(events);
}

static uint64_t hash_of(const struct events *events, uint32_t slot, struct text message_id)
{
	uint64_t hash = event_message_hash(events->message_key, slot, message_id);
	return hash == 0 ? 1 : hash;
}

/* Whether the parts have it, as a restart applies again what was flushed before. What they may have
 * lost by its age is kept once more, for instants at which it was not over. */
static bool in_parts(const struct events *events, int64_t time_ms, uint64_t position)
{
	return events->set != NULL && position <= events->set->through_position &&
	       events_end_ms(time_ms, events->retention_ms) > events->set->expired_ms;
}

void events_add(struct events *events, uint32_t slot, struct text encoded,
                const struct event *event)
{
	const struct record *record = &event->record;
	assert(encoded.length <= RECORD_BYTES_MAX);

	if (in_parts(events, event->time_ms, event->stored_position))
		return;
	uint64_t hash = 0;
	if (record->message_id.length > 0)
		hash = hash_of(events, slot, record->message_id);
	tail_add(events->tail, slot, event, encoded, hash);
}

void events_prefetch(const struct events *events, uint32_t slot, struct text message_id)
{
	uint64_t hash = message_id.length > 0 ? hash_of(events, slot, message_id) : 0;
	tail_prefetch(events->tail, slot, hash);
	if (hash == 0)
		return;
	if (events->sealed != NULL)
		tail_prefetch(events->sealed, slot, hash);
	if (events->set != NULL)
		part_set_prefetch(events->set, slot, hash);
}

bool events_seen(const struct events *events, uint32_t slot, struct text message_id,
                 uint64_t before_position, int64_t now_ms, int64_t retention_ms)
{
	uint64_t hash = hash_of(events, slot, message_id);
	return tail_seen(events->tail, hash, message_id, slot, before_position, now_ms, retention_ms) ||
	       (events->sealed != NULL && tail_seen(events->sealed, hash, message_id, slot,
	                                            before_position, now_ms, retention_ms)) ||
	       (events->set != NULL && part_set_seen(events->set, slot, message_id, hash,
	                                             before_position, now_ms, retention_ms));
}

void events_read(const struct events *events, uint32_t slot, const struct events_query *query,
                 event_list *list)
{
	size_t begin = list->count;
	if (events->set != NULL)
		part_set_read(events->set, slot, query, list);
	if (events->sealed != NULL)
		tail_read(events->sealed, slot, query, list);
	tail_read(events->tail, slot, query, list);
	event_list_sort(list, begin);
}

struct events_sources events_sources(const struct events *events)
{
	return (struct events_sources){events->set, {events->sealed, events->tail}};
}

enum status events_check(const struct events *events, struct error *err)
{
	const struct shelf *shelf = events->shelf;
	if (shelf == NULL || !atomic_load_explicit(&shelf->damaged, memory_order_relaxed))
		return STATUS_OK;
	for (size_t i = 0; i < events->set->count; i++) {
		enum status status = part_check(events->set->parts[i], err);
		if (status != STATUS_OK)
			return status;
	}
	return error_set(err, STATUS_CORRUPT, "%s: a part was damaged", shelf->directory);
}

/* Hands to the writer what is to be freed; frees itself what was there before. */
static void retire(struct events *events, struct tail *tail, struct part_set *set)
{
	if (tail != NULL)
		tail_free(atomic_exchange(&events->shelf->retired_tail, tail));
	part_set_unref(atomic_exchange(&events->shelf->retired_set, set));
	writer_wake(events->store);
}

static void take_over(struct events *events)
{
	struct part_set *set = shelf_take(events->shelf);
	if (set == NULL)
		return;
	struct part_set *before = events->set;
	struct tail     *done   = NULL;
	events->set             = set;
	if (events->sealed != NULL && set->flushes == events->seals) {
		done           = events->sealed;
		events->sealed = NULL;
	}
	retire(events, done, before);
}

/* A tail without anything is sealed too when a flush is asked for: the manifest then says that
 * everything through the position is there. */
static bool is_time_to_seal(const struct events *events, int64_t now_ms, uint64_t position)
{
	/* A replay has not yet come to what the parts have, or to when they lost what is over. */
	if (events->sealed != NULL || now_ms < events->set->expired_ms ||
	    position <= events->set->through_position)
		return false;
	return tail_bytes(events->tail) >= events->tail_bytes ||
	       events->set->through_position < events->flush_through;
}

/* The instant before which no restart will look: a restart begins behind `needed_after`, so after
 * each day that had begun before that position. Events end with a day, so days are enough. */
static void note_day(struct events *events, int64_t now_ms, uint64_t position,
                     uint64_t needed_after)
{
	_Atomic int64_t *clock_ms = &events->shelf->clock_ms;
	if (needed_after == EVENTS_FROM_BEGIN) {
		atomic_store_explicit(clock_ms, now_ms, memory_order_relaxed);
		return;
	}
	if (events->days.count == 0 ||
	    instant_floor_day_ms(events->days.items[events->days.count - 1].clock_ms) <
	        instant_floor_day_ms(now_ms))
		VECTOR_ADD(&events->days, (struct day){now_ms, position});
	size_t over = 0;
	while (over < events->days.count && events->days.items[over].position < needed_after)
		atomic_store_explicit(clock_ms, events->days.items[over++].clock_ms, memory_order_relaxed);
	if (over == 0)
		return;
	/* The last one stays, so that its day is not noted again. */
	events->days.count -= over - 1;
	memmove(events->days.items, events->days.items + over - 1,
	        events->days.count * sizeof events->days.items[0]);
}

void events_forget(struct events *events, uint32_t slot, uint64_t position)
{
	if (events->store != NULL)
		VECTOR_ADD(&events->forgotten, (struct forgotten){slot, position});
}

/* Those whose erasure no restart goes back behind. */
static void hand_over_forgotten(struct events *events, uint64_t needed_after)
{
	size_t kept = 0;
	for (size_t i = 0; i < events->forgotten.count; i++) {
		const struct forgotten forgotten = events->forgotten.items[i];
		if (needed_after == EVENTS_FROM_BEGIN || forgotten.position <= needed_after)
			shelf_forget(events->shelf, forgotten.slot);
		else
			events->forgotten.items[kept++] = forgotten;
	}
	events->forgotten.count = kept;
}

void events_poll(struct events *events, int64_t now_ms, uint64_t position, uint64_t needed_after)
{
	if (events->store == NULL)
		return;
	if (events->forgotten.count > 0)
		hand_over_forgotten(events, needed_after);
	note_day(events, now_ms, position, needed_after);
	take_over(events);
	if (!is_time_to_seal(events, now_ms, position))
		return;
	events->sealed                = events->tail;
	events->tail                  = tail_new(events->partition, events->budget, events->tail_bytes);
	events->shelf->sealed_through = position;
	events->seals++;
	atomic_store(&events->shelf->sealed, events->sealed);
	writer_wake(events->store);
}

bool events_flush(struct events *events, uint64_t through_position)
{
	if (events->flush_through < through_position)
		events->flush_through = through_position;
	return events->set == NULL || events->set->through_position >= through_position;
}

uint64_t events_count(const struct events *events)
{
	uint64_t count = tail_event_count(events->tail);
	if (events->sealed != NULL)
		count += tail_event_count(events->sealed);
	return events->set == NULL ? count : count + events->set->events;
}

uint64_t events_through(const struct events *events)
{
	return events->set == NULL ? 0 : events->set->through_position;
}
