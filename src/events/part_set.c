#include "events/part_set.h"

#include <stdlib.h>

static int compare_parts(const void *left, const void *right)
{
	const struct part_header *a = (*(struct part *const *)left)->header;
	const struct part_header *b = (*(struct part *const *)right)->header;
	if (a->month != b->month)
		return a->month < b->month ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

struct part_set *part_set_new(struct part *const *parts, size_t count, uint64_t through_position,
                              int64_t expired_ms, uint64_t flushes)
{
	struct part_set *set = calloc(1, sizeof *set + count * sizeof set->parts[0]);
	if (set == NULL)
		abort();
	atomic_init(&set->refs, 1);
	set->through_position = through_position;
	set->expired_ms       = expired_ms;
	set->flushes          = flushes;
	set->count            = count;
	for (size_t i = 0; i < count; i++) {
		set->parts[i] = part_ref(parts[i]);
		set->events += parts[i]->header->events;
		set->bytes += parts[i]->header->file_bytes;
	}
	if (count > 0)
		qsort(set->parts, count, sizeof set->parts[0], compare_parts);
	return set;
}

struct part_set *part_set_ref(struct part_set *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void part_set_unref(struct part_set *set)
{
	if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < set->count; i++)
		part_unref(set->parts[i]);
	free(set);
}

int64_t part_set_ends_after_ms(const struct part_set *set, int64_t now_ms)
{
	return now_ms > set->expired_ms ? now_ms : set->expired_ms;
}

/* Whether a part may have anything that is wanted. */
static bool may_have(const struct part_set *set, const struct part *part,
                     const struct events_query *query)
{
	const struct part_header *header = part->header;
	return header->time_max_ms >= query->from_ms && header->time_min_ms < query->to_ms &&
	       header->position_min <= query->through_position &&
	       (query->calls || header->events > 0) &&
	       events_end_ms(header->time_max_ms, query->retention_ms) >
	           part_set_ends_after_ms(set, query->now_ms);
}

/* The first of the rows [begin, end) whose time is at or after it: they are sorted by it. */
static uint32_t first_from(const struct part *part, uint32_t begin, uint32_t end, int64_t from_ms)
{
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (part_time_ms(part, middle) < from_ms)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

static void read_part(const struct part_set *set, struct part *part, const struct part_name *name,
                      uint32_t slot, const struct events_query *query, event_list *list)
{
	uint32_t row, end;
	if (!part_find(part, slot, &row, &end))
		return;
	int64_t after_ms = part_set_ends_after_ms(set, query->now_ms);
	for (row = first_from(part, row, end, query->from_ms); row < end; row++) {
		int64_t time_ms = part_time_ms(part, row);
		if (time_ms >= query->to_ms)
			break;
		struct event event;
		if ((query->calls || part_is_event(part, row)) &&
		    part_position(part, row) <= query->through_position &&
		    events_end_ms(time_ms, query->retention_ms) > after_ms &&
		    (query->received_before_ms == 0 ||
		     part_received_ms(part, row) < query->received_before_ms) &&
		    part_has_name(part, row, name) && part_read(part, slot, row, list, &event))
			VECTOR_ADD(list, event);
	}
}

void part_set_read(const struct part_set *set, uint32_t slot, const struct events_query *query,
                   event_list *list)
{
	for (size_t i = 0; i < set->count; i++) {
		struct part *part = set->parts[i];
		if (slot < part->header->slot_min || slot > part->header->slot_max ||
		    !may_have(set, part, query))
			continue;
		struct part_name name = part_name_of(part, query->name);
		if (!name.nowhere)
			read_part(set, part, &name, slot, query, list);
	}
}

void part_set_prefetch(const struct part_set *set, uint32_t slot, uint64_t message_hash)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct part *part = set->parts[i];
		if (slot >= part->header->slot_min && slot <= part->header->slot_max)
			fuse_filter_prefetch(&part->filter, message_hash);
	}
}

bool part_set_seen(const struct part_set *set, uint32_t slot, struct text message_id,
                   uint64_t message_hash, uint64_t before_position, int64_t now_ms,
                   int64_t retention_ms)
{
	int64_t after_ms = part_set_ends_after_ms(set, now_ms);
	for (size_t i = 0; i < set->count; i++) {
		struct part *part = set->parts[i];
		if (slot >= part->header->slot_min && slot <= part->header->slot_max &&
		    part->header->position_min < before_position &&
		    fuse_filter_has(&part->filter, message_hash) &&
		    part_has_message(part, slot, message_id, before_position, after_ms, retention_ms))
			return true;
	}
	return false;
}
