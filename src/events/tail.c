#include "events/tail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/map.h"
#include "events/message_index.h"

/* A chunk, its head included, is a huge page where the tail is large, so that filling it faults
 * once. */
enum {
	HUGE_PAGE_BYTES = 2 << 20,
	CHUNK_BYTES_MIN = 64 << 10,
	CHUNKS_A_TAIL   = 8,
	HEADS_MIN       = 1024,
};

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
	struct chunk *next;
	size_t        used;
	size_t        room;
	char          bytes[];
};

/* The events of a name. */
struct tail_names {
	struct tail_row *items;
	size_t           count;
	size_t           capacity;
};

struct tail {
	uint32_t              partition;
	uint64_t              number;
	struct events_budget *budget;
	size_t                chunk_bytes;
	struct chunk         *oldest;
	struct chunk         *newest;
	struct entry        **heads; /* by slot */
	size_t                head_count;
	struct message_index  messages;
	uint64_t              charged; /* to the budget */
	uint64_t              event_count;
	uint64_t              position_max;
	size_t                bytes;

	/* The directory, as far as somebody has asked for it. */
	VECTOR(struct tail_names) lists;
	struct map_text names;        /* number of the list + 1 */
	struct chunk   *listed;       /* up to here; NULL: nothing */
	size_t          listed_bytes; /* of that chunk */
};

static void charge(struct tail *tail, size_t bytes)
{
	tail->charged += bytes;
	atomic_fetch_add_explicit(&tail->budget->used_bytes, bytes, memory_order_relaxed);
}

static size_t chunk_bytes_for(size_t bytes)
{
	size_t chunk = bytes / CHUNKS_A_TAIL;
	if (chunk >= HUGE_PAGE_BYTES)
		return HUGE_PAGE_BYTES;
	return chunk < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : chunk & ~(size_t)(CHUNK_BYTES_MIN - 1);
}

static _Atomic uint64_t tails_made;

struct tail *tail_new(uint32_t partition, struct events_budget *budget, size_t bytes)
{
	struct tail *tail = calloc(1, sizeof *tail);
	if (tail == NULL)
		abort();
	tail->partition   = partition;
	tail->number      = atomic_fetch_add(&tails_made, 1) + 1;
	tail->budget      = budget;
	tail->chunk_bytes = chunk_bytes_for(bytes);
	return tail;
}

void tail_free(struct tail *tail)
{
	if (tail == NULL)
		return;
	for (struct chunk *chunk = tail->newest; chunk != NULL;) {
		struct chunk *previous = chunk->previous;
		free(chunk);
		chunk = previous;
	}
	message_index_done(&tail->messages);
	for (size_t i = 0; i < tail->lists.count; i++)
		VECTOR_DONE(&tail->lists.items[i]);
	VECTOR_DONE(&tail->lists);
	map_text_done(&tail->names);
	free(tail->heads);
	atomic_fetch_sub_explicit(&tail->budget->used_bytes, tail->charged, memory_order_relaxed);
	free(tail);
}

static struct chunk *new_chunk(struct tail *tail, size_t entry_size)
{
	size_t unit         = tail->chunk_bytes;
	size_t size         = sizeof(struct chunk) + entry_size;
	size                = (size + unit - 1) / unit * unit;
	bool          huge  = unit == HUGE_PAGE_BYTES;
	struct chunk *chunk = huge ? aligned_alloc(HUGE_PAGE_BYTES, size) : malloc(size);
	if (chunk == NULL)
		abort();
	if (huge)
		madvise(chunk, size, MADV_HUGEPAGE); /* a wish: without it the pages are small */
	*chunk = (struct chunk){.previous = tail->newest, .room = size - sizeof *chunk};
	if (tail->newest == NULL)
		tail->oldest = chunk;
	else
		tail->newest->next = chunk;
	charge(tail, size);
	return chunk;
}

static struct entry *allocate_entry(struct tail *tail, size_t content)
{
	size_t size = (sizeof(struct entry) + content + 7) & ~(size_t)7;
	if (tail->newest == NULL || size > tail->newest->room - tail->newest->used)
		tail->newest = new_chunk(tail, size);
	struct entry *entry = (struct entry *)(tail->newest->bytes + tail->newest->used);
	tail->newest->used += size;
	tail->bytes += size;
	return entry;
}

static struct entry **head_of(struct tail *tail, uint32_t slot)
{
	if (slot >= tail->head_count) {
		size_t count = tail->head_count == 0 ? HEADS_MIN : tail->head_count;
		while (count <= slot)
			count *= 2;
		tail->heads = realloc(tail->heads, count * sizeof *tail->heads);
		if (tail->heads == NULL)
			abort();
		memset(tail->heads + tail->head_count, 0, (count - tail->head_count) * sizeof *tail->heads);
		charge(tail, (count - tail->head_count) * sizeof *tail->heads);
		tail->head_count = count;
	}
	return &tail->heads[slot];
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

static uint64_t entry_message_hash(const void *entry)
{
	return ((const struct entry *)entry)->message_hash;
}

static size_t content_bytes(const struct entry *entry)
{
	return entry->size + (entry->moved ? sizeof(struct acceptance) : 0);
}

/* With what pads it. */
static size_t entry_bytes(const struct entry *entry)
{
	return (sizeof *entry + content_bytes(entry) + 7) & ~(size_t)7;
}

void tail_add(struct tail *tail, uint32_t slot, const struct event *event, struct text encoded,
              uint64_t message_hash)
{
	struct entry **head = head_of(tail, slot);
	struct entry   made = {
		  .previous        = *head,
		  .time_ms         = event->time_ms,
		  .received_ms     = event->received_ms,
		  .stored_position = event->stored_position,
		  .message_hash    = message_hash,
		  .slot            = slot,
		  .size            = (uint32_t)encoded.length & 0x1fffffff,
		  .marked          = event->marked,
		  .call            = event->record.kind != RECORD_EVENT,
		  .moved           = event->stored_position != event->position,
    };
	struct entry *entry = allocate_entry(tail, content_bytes(&made));
	assert(*head == NULL || (*head)->stored_position <= event->stored_position);
	*entry = made;
	memcpy(entry->encoded, encoded.data, encoded.length);
	if (made.moved) {
		struct acceptance acceptance = {event->position, event->partition};
		memcpy(entry->encoded + encoded.length, &acceptance, sizeof acceptance);
	}
	*head = entry;
	tail->event_count += !made.call;
	tail->position_max = event->stored_position;

	if (message_hash != 0) {
		size_t before = tail->messages.bytes;
		message_index_add(&tail->messages, message_hash, entry, entry_message_hash);
		if (tail->messages.bytes != before)
			charge(tail, tail->messages.bytes - before);
	}
}

void tail_prefetch(const struct tail *tail, uint32_t slot, uint64_t message_hash)
{
	if (slot < tail->head_count)
		__builtin_prefetch(&tail->heads[slot], 1);
	if (message_hash != 0)
		message_index_prefetch(&tail->messages, message_hash);
}

bool tail_seen(const struct tail *tail, uint64_t message_hash, struct text message_id,
               uint32_t slot, uint64_t before_position, int64_t now_ms, int64_t retention_ms)
{
	uint32_t            probe = 0;
	const struct entry *entry;
	while ((entry = message_index_next(&tail->messages, message_hash, &probe)) != NULL) {
		if (entry->message_hash != message_hash || entry->slot != slot ||
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
	       (query->received_before_ms == 0 || entry->received_ms < query->received_before_ms) &&
	       events_end_ms(entry->time_ms, query->retention_ms) > query->now_ms;
}

/* They come newest first by position: turned around, only late ones are out of order. */
static void reverse(struct event *events, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct event other    = events[i];
		events[i]             = events[count - 1 - i];
		events[count - 1 - i] = other;
	}
}

static struct acceptance acceptance_of(const struct tail *tail, const struct entry *entry)
{
	struct acceptance acceptance = {entry->stored_position, tail->partition};
	if (entry->moved)
		memcpy(&acceptance, entry->encoded + entry->size, sizeof acceptance);
	return acceptance;
}

/* Without its record. */
static struct event event_of(const struct tail *tail, const struct entry *entry)
{
	struct acceptance acceptance = acceptance_of(tail, entry);
	return (struct event){
		.time_ms         = entry->time_ms,
		.received_ms     = entry->received_ms,
		.position        = acceptance.position,
		.stored_position = entry->stored_position,
		.partition       = acceptance.partition,
		.marked          = entry->marked,
	};
}

void tail_read(const struct tail *tail, uint32_t slot, const struct events_query *query,
               event_list *list)
{
	const struct entry *entry = slot < tail->head_count ? tail->heads[slot] : NULL;
	size_t              begin = list->count;
	for (; entry != NULL; entry = entry->previous) {
		if (!wanted(entry, query))
			continue;
		struct event event = event_of(tail, entry);
		decode(entry, &event.record);
		if (query->name.length == 0 || text_equal(query->name, event.record.name))
			VECTOR_ADD(list, event);
	}
	reverse(list->items + begin, list->count - begin);
}

/* ---- The directory ---- */

/* The list of a name. */
static struct tail_names *list_of(struct tail *tail, struct text name)
{
	void **place = map_text_put(&tail->names, name);
	if (*place == NULL) {
		VECTOR_ADD(&tail->lists, (struct tail_names){0});
		*place = (void *)(uintptr_t)tail->lists.count;
	}
	return &tail->lists.items[(uintptr_t)*place - 1];
}

static void list_entry(struct tail *tail, const struct entry *entry)
{
	struct record record;
	if (entry->call)
		return;
	decode(entry, &record);
	struct tail_names    *list = list_of(tail, record.name);
	size_t                room = list->capacity;
	const struct tail_row row  = {.slot             = entry->slot,
	                              .time_ms          = entry->time_ms,
	                              .entry            = entry,
	                              .properties       = record.properties.data,
	                              .context          = record.context.data,
	                              .properties_bytes = (uint32_t)record.properties.length,
	                              .context_bytes    = (uint32_t)record.context.length};
	VECTOR_ADD(list, row);
	if (list->capacity != room)
		charge(tail, (list->capacity - room) * sizeof row);
}

uint32_t tail_list(struct tail *tail)
{
	if (tail->listed == NULL)
		tail->listed = tail->oldest;
	for (struct chunk *chunk = tail->listed; chunk != NULL; chunk = chunk->next) {
		if (chunk != tail->listed)
			tail->listed_bytes = 0;
		tail->listed = chunk;
		while (tail->listed_bytes < chunk->used) {
			const struct entry *entry = (const void *)(chunk->bytes + tail->listed_bytes);
			list_entry(tail, entry);
			tail->listed_bytes += entry_bytes(entry);
		}
	}
	return (uint32_t)tail->lists.count;
}

uint32_t tail_name(const struct tail *tail, struct text name)
{
	return (uint32_t)(uintptr_t)map_text_get(&tail->names, name) - 1;
}

const struct tail_row *tail_named(const struct tail *tail, uint32_t name, size_t *ret_count)
{
	*ret_count = tail->lists.items[name].count;
	return tail->lists.items[name].items;
}

uint64_t tail_position_max(const struct tail *tail) { return tail->position_max; }
uint64_t tail_number(const struct tail *tail) { return tail->number; }

void tail_prefetch_row(const struct tail_row *row)
{
	__builtin_prefetch(row->entry);
	__builtin_prefetch(row->properties);
	__builtin_prefetch(row->properties + 64);
}

bool tail_row_wanted(const struct tail_row *row, const struct events_query *query)
{
	return wanted(row->entry, query);
}

struct event tail_row_order(const struct tail *tail, const struct tail_row *row)
{
	return event_of(tail, row->entry);
}

uint64_t tail_event_count(const struct tail *tail) { return tail->event_count; }
size_t   tail_bytes(const struct tail *tail) { return tail->bytes; }

static struct part_row part_row_of(const struct tail *tail, const struct entry *entry)
{
	struct acceptance acceptance = acceptance_of(tail, entry);
	return (struct part_row){
		.time_ms         = entry->time_ms,
		.received_ms     = entry->received_ms,
		.position        = acceptance.position,
		.stored_position = entry->stored_position,
		.partition       = acceptance.partition,
		.slot            = entry->slot,
		.size            = (uint32_t)entry->size & 0x7fffffff,
		.marked          = entry->marked,
		.encoded         = entry->encoded,
	};
}

bool tail_rows(const struct tail *tail, int64_t after_ms, int64_t retention_ms, part_row_list *rows)
{
	bool all = true;
	for (const struct chunk *chunk = tail->newest; chunk != NULL; chunk = chunk->previous) {
		for (size_t at = 0; at < chunk->used;) {
			const struct entry *entry = (const void *)(chunk->bytes + at);
			at += entry_bytes(entry);
			if (events_end_ms(entry->time_ms, retention_ms) <= after_ms) {
				all = false;
				continue;
			}
			VECTOR_ADD(rows, part_row_of(tail, entry));
		}
	}
	return all;
}
