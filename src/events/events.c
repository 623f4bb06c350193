#include "events/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/instant.h"
#include "events/message_index.h"

/* A chunk, its head included, is a huge page, so that filling it faults once. */
enum { HUGE_PAGE_BYTES = 2 << 20, HEADS_MIN = 1024 };

/* One stored call, followed by its encoded record. */
struct entry {
	struct entry *previous; /* of the same person */
	int64_t       time_ms;
	int64_t       received_ms;
	uint64_t      stored_position;
	uint64_t      message_hash; /* 0: no message id */
	uint32_t      slot;
	uint32_t      size : 29; /* of the record */
	uint32_t      marked : 1;
	uint32_t      call : 1;  /* no event: kept for its message id */
	uint32_t      moved : 1; /* a struct acceptance lies behind the record */
	char          encoded[];
};

/* Of what was accepted elsewhere. */
struct acceptance {
	uint64_t position;
	uint32_t partition;
};

struct chunk {
	struct chunk *previous;
	size_t        used;
	size_t        room;
	char          bytes[];
};

struct events {
	uint32_t              partition;
	struct events_budget *budget;
	struct chunk         *newest;
	struct entry        **heads; /* by slot */
	size_t                head_count;
	struct message_index  messages;
	uint64_t              count;
};

static void charge(struct events *events, size_t bytes)
{
	atomic_fetch_add_explicit(&events->budget->used_bytes, bytes, memory_order_relaxed);
}

struct events *events_new(uint32_t partition, struct events_budget *budget)
{
	struct events *events = calloc(1, sizeof *events);
	if (events == NULL)
		abort();
	events->partition = partition;
	events->budget    = budget;
	return events;
}

void events_free(struct events *events)
{
	for (struct chunk *chunk = events->newest; chunk != NULL;) {
		struct chunk *previous = chunk->previous;
		free(chunk);
		chunk = previous;
	}
	message_index_done(&events->messages);
	free(events->heads);
	free(events);
}

static struct chunk *new_chunk(struct events *events, size_t entry_size)
{
	size_t size         = sizeof(struct chunk) + entry_size;
	size                = (size + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
	struct chunk *chunk = aligned_alloc(HUGE_PAGE_BYTES, size);
	if (chunk == NULL)
		abort();
	madvise(chunk, size, MADV_HUGEPAGE); /* a wish: without it the pages are small */
	*chunk = (struct chunk){.previous = events->newest, .room = size - sizeof *chunk};
	charge(events, size);
	return chunk;
}

static struct entry *allocate_entry(struct events *events, size_t record_size)
{
	size_t size = (sizeof(struct entry) + record_size + 7) & ~(size_t)7;
	if (events->newest == NULL || size > events->newest->room - events->newest->used)
		events->newest = new_chunk(events, size);
	struct entry *entry = (struct entry *)(events->newest->bytes + events->newest->used);
	events->newest->used += size;
	return entry;
}

static struct entry **head_of(struct events *events, uint32_t slot)
{
	if (slot >= events->head_count) {
		size_t count = events->head_count == 0 ? HEADS_MIN : events->head_count;
		while (count <= slot)
			count *= 2;
		events->heads = realloc(events->heads, count * sizeof *events->heads);
		if (events->heads == NULL)
			abort();
		memset(events->heads + events->head_count, 0,
		       (count - events->head_count) * sizeof *events->heads);
		charge(events, (count - events->head_count) * sizeof *events->heads);
		events->head_count = count;
	}
	return &events->heads[slot];
}

static struct entry *newest_of(const struct events *events, uint32_t slot)
{
	return slot < events->head_count ? events->heads[slot] : NULL;
}

static void decode(const struct entry *entry, struct record *ret_record)
{
	size_t      size;
	enum status status =
		record_decode((struct text){entry->encoded, entry->size}, ret_record, &size, NULL);
	/* It was decoded from the journal before it came here. */
	assert(status == STATUS_OK && size == entry->size);
	(void)status;
}

static uint64_t message_hash(uint32_t slot, struct text message_id)
{
	uint64_t hash = hash_bytes_seeded(message_id.data, message_id.length, slot);
	return hash == 0 ? 1 : hash;
}

static uint64_t entry_message_hash(const void *entry)
{
	return ((const struct entry *)entry)->message_hash;
}

static struct entry entry_of(struct text encoded, uint32_t slot, const struct event *event)
{
	struct entry entry = {
		.time_ms         = event->time_ms,
		.received_ms     = event->received_ms,
		.stored_position = event->stored_position,
		.slot            = slot,
		.size            = (uint32_t)encoded.length & 0x1fffffff,
		.marked          = event->marked,
		.call            = event->record.kind != RECORD_EVENT,
		.moved           = event->stored_position != event->position,
	};
	if (event->record.message_id.length > 0)
		entry.message_hash = message_hash(slot, event->record.message_id);
	return entry;
}

void events_add(struct events *events, uint32_t slot, struct text encoded,
                const struct event *event)
{
	assert(encoded.length <= RECORD_BYTES_MAX);

	struct entry **head  = head_of(events, slot);
	struct entry   made  = entry_of(encoded, slot, event);
	size_t         extra = made.moved ? sizeof(struct acceptance) : 0;
	struct entry  *entry = allocate_entry(events, encoded.length + extra);
	assert(*head == NULL || (*head)->stored_position <= event->stored_position);
	*entry          = made;
	entry->previous = *head;
	memcpy(entry->encoded, encoded.data, encoded.length);
	if (made.moved) {
		struct acceptance acceptance = {event->position, event->partition};
		memcpy(entry->encoded + encoded.length, &acceptance, sizeof acceptance);
	}
	*head = entry;
	events->count += !made.call;

	if (entry->message_hash != 0) {
		size_t before = events->messages.bytes;
		message_index_add(&events->messages, entry->message_hash, entry, entry_message_hash);
		if (events->messages.bytes != before)
			charge(events, events->messages.bytes - before);
	}
}

void events_prefetch(const struct events *events, uint32_t slot, struct text message_id)
{
	if (slot < events->head_count)
		__builtin_prefetch(&events->heads[slot], 1);
	if (message_id.length > 0)
		message_index_prefetch(&events->messages, message_hash(slot, message_id));
}

int64_t events_end_ms(int64_t time_ms, int64_t retention_ms)
{
	if (retention_ms == INSTANT_MS_NEVER)
		return INSTANT_MS_NEVER;
	return instant_floor_day_ms(time_ms) + retention_ms;
}

bool events_seen(const struct events *events, uint32_t slot, struct text message_id,
                 uint64_t before_position, int64_t now_ms, int64_t retention_ms)
{
	uint64_t            hash  = message_hash(slot, message_id);
	uint32_t            probe = 0;
	const struct entry *entry;
	while ((entry = message_index_next(&events->messages, hash, &probe)) != NULL) {
		if (entry->message_hash != hash || entry->slot != slot ||
		    entry->stored_position >= before_position ||
		    events_end_ms(entry->time_ms, retention_ms) <= now_ms)
			continue;
		struct record record;
		decode(entry, &record);
		if (text_equal(record.message_id, message_id))
			return true;
	}
	return false;
}

static bool wanted(const struct entry *entry, const struct events_query *query)
{
	return (query->calls || !entry->call) && entry->stored_position <= query->through_position &&
	       entry->time_ms >= query->from_ms && entry->time_ms < query->to_ms &&
	       events_end_ms(entry->time_ms, query->retention_ms) > query->now_ms;
}

/* Rule 13. */
static int compare_events(const void *left, const void *right)
{
	const struct event *a = left, *b = right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return event_compare_acceptance(a, b);
}

/* They came newest first by position; only late and merged ones are then out of order. */
static void sort_events(struct event *events, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct event other    = events[i];
		events[i]             = events[count - 1 - i];
		events[count - 1 - i] = other;
	}
	for (size_t i = 1; i < count; i++) {
		if (compare_events(&events[i - 1], &events[i]) > 0) {
			qsort(events, count, sizeof *events, compare_events);
			return;
		}
	}
}

static struct event event_of(const struct events *events, const struct entry *entry)
{
	struct event event = {
		.time_ms         = entry->time_ms,
		.received_ms     = entry->received_ms,
		.position        = entry->stored_position,
		.stored_position = entry->stored_position,
		.partition       = events->partition,
		.marked          = entry->marked,
	};
	if (entry->moved) {
		struct acceptance acceptance;
		memcpy(&acceptance, entry->encoded + entry->size, sizeof acceptance);
		event.position  = acceptance.position;
		event.partition = acceptance.partition;
	}
	decode(entry, &event.record);
	return event;
}

void events_read(const struct events *events, uint32_t slot, const struct events_query *query,
                 event_list *list)
{
	size_t begin = list->count;
	for (const struct entry *entry = newest_of(events, slot); entry != NULL;
	     entry                     = entry->previous) {
		if (!wanted(entry, query))
			continue;
		struct event event = event_of(events, entry);
		if (query->name.length == 0 || text_equal(query->name, event.record.name))
			VECTOR_ADD(list, event);
	}
	sort_events(list->items + begin, list->count - begin);
}

uint64_t events_count(const struct events *events) { return events->count; }

uint64_t events_through(const struct events *events)
{
	(void)events; /* all of it lies in memory */
	return 0;
}
