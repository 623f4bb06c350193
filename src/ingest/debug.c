#include "ingest/debug.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

struct debug {
	_Atomic int64_t   next_ms;  /* while nobody looks, nothing is noted before */
	_Atomic int64_t   until_ms; /* somebody looks */
	_Atomic uint64_t *all_bytes;

	pthread_mutex_t    lock;
	uint64_t           count; /* ever noted: the newest is at (count - 1) % DEBUG_EVENTS_MAX */
	struct debug_event events[DEBUG_EVENTS_MAX];
};

static void free_texts(struct debug_event *event)
{
	free((char *)event->event.data);
	free((char *)event->violations.data);
	event->event = event->violations = (struct text){0};
}

static size_t bytes_of(const struct debug_event *event)
{
	return event->event.length + event->violations.length;
}

struct debug *debug_new(_Atomic uint64_t *all_bytes)
{
	struct debug *debug = calloc(1, sizeof *debug);
	if (debug == NULL)
		abort();
	debug->all_bytes = all_bytes;
	pthread_mutex_init(&debug->lock, NULL);
	return debug;
}

void debug_free(struct debug *debug)
{
	if (debug == NULL)
		return;
	for (unsigned i = 0; i < DEBUG_EVENTS_MAX; i++)
		free_texts(&debug->events[i]);
	pthread_mutex_destroy(&debug->lock);
	free(debug);
}

bool debug_due(struct debug *debug)
{
	int64_t now_ms  = clock_monotonic_ms();
	int64_t next_ms = atomic_load_explicit(&debug->next_ms, memory_order_relaxed);
	if (now_ms < next_ms && now_ms >= atomic_load_explicit(&debug->until_ms, memory_order_relaxed))
		return false;
	atomic_store_explicit(&debug->next_ms, now_ms + DEBUG_IDLE_MS, memory_order_relaxed);
	return true;
}

void debug_drop(debug_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free_texts(&list->items[i]);
	list->count = 0;
}

/* Under the lock. */
static void note(struct debug *debug, struct debug_event event)
{
	struct debug_event *place = &debug->events[debug->count % DEBUG_EVENTS_MAX];
	atomic_fetch_sub(debug->all_bytes, bytes_of(place));
	free_texts(place);
	if (atomic_load(debug->all_bytes) + bytes_of(&event) > DEBUG_BYTES_MAX)
		free_texts(&event);
	atomic_fetch_add(debug->all_bytes, bytes_of(&event));
	event.number = ++debug->count;
	*place       = event;
}

void debug_add(struct debug *debug, debug_list *list)
{
	pthread_mutex_lock(&debug->lock);
	for (size_t i = 0; i < list->count; i++)
		note(debug, list->items[i]);
	pthread_mutex_unlock(&debug->lock);
	list->count = 0;
}

void debug_clear(struct debug *debug)
{
	pthread_mutex_lock(&debug->lock);
	for (unsigned i = 0; i < DEBUG_EVENTS_MAX; i++) {
		atomic_fetch_sub(debug->all_bytes, bytes_of(&debug->events[i]));
		free_texts(&debug->events[i]);
	}
	pthread_mutex_unlock(&debug->lock);
}

void debug_read(struct debug *debug, uint64_t after, size_t max, struct arena *arena,
                struct debug_event **ret_events, size_t *ret_count)
{
	struct debug_event *events = ARENA_ARRAY(arena, struct debug_event, DEBUG_EVENTS_MAX);
	size_t              count  = 0;
	atomic_store(&debug->until_ms, clock_monotonic_ms() + DEBUG_WATCH_MS);
	max = max < DEBUG_EVENTS_MAX ? max : DEBUG_EVENTS_MAX;
	pthread_mutex_lock(&debug->lock);
	uint64_t first = debug->count > max ? debug->count - max : 0;
	for (uint64_t i = first > after ? first : after; i < debug->count; i++) {
		events[count] = debug->events[i % DEBUG_EVENTS_MAX];
		if (events[count].event.data != NULL)
			events[count].event = arena_text(arena, events[count].event);
		if (events[count].violations.data != NULL)
			events[count].violations = arena_text(arena, events[count].violations);
		count++;
	}
	pthread_mutex_unlock(&debug->lock);
	*ret_events = events;
	*ret_count  = count;
}
