#include "events/rewrite.h"

#include <stdlib.h>

#include "events/tail.h"

/* Encoded records that are held at once. */
enum { BYTES_MAX = 256 << 20, HEAD_BYTES_MAX = 128 /* what a record has besides */ };

struct run {
	const struct rewrite *rewrite;
	uint32_t             *persons; /* by part: the next one */
	event_list            events;  /* of one person */
	part_row_list         rows;
	struct arena          arena;
	struct buffer         encoded;
	bool                  left_out;
};

/* It is so from now on: whoever chooses parts to rewrite leaves it alone. */
static enum status damaged(struct part *part, struct error *err)
{
	part_guard_fail(&part->guard, part->guard.begin);
	return part_check(part, err);
}

/* The least slot that some part has next; false at the end. */
static bool next_slot(const struct run *run, uint32_t *ret_slot)
{
	bool found = false;
	for (size_t i = 0; i < run->rewrite->part_count; i++) {
		const struct part *part = run->rewrite->parts[i];
		if (run->persons[i] >= part->header->persons)
			continue;
		uint32_t slot = (uint32_t)column_int(part->roles[ROLE_PERSON_SLOT], run->persons[i]);
		if (!found || slot < *ret_slot)
			*ret_slot = slot;
		found = true;
	}
	return found;
}

/* What a damaged file may have made of it. */
static bool is_encodable(const struct record *record)
{
	const struct text lists[] = {record->properties, record->context};
	size_t bytes = record->name.length + record->message_id.length + record->sealed.length +
	               record->source.length;
	for (unsigned i = 0; i < 2; i++) {
		bytes += lists[i].length;
		if (lists[i].length > 0 && !value_check(lists[i]))
			return false;
	}
	return bytes + HEAD_BYTES_MAX <= RECORD_BYTES_MAX;
}

static enum status read_person(struct run *run, size_t index, uint32_t slot, struct error *err)
{
	const struct rewrite *rewrite = run->rewrite;
	struct part          *part    = rewrite->parts[index];
	uint32_t              found, row, end;
	if (run->persons[index] >= part->header->persons)
		return STATUS_OK;
	if (!part_person(part, run->persons[index], &found, &row, &end))
		return damaged(part, err);
	if (found != slot)
		return STATUS_OK;
	run->persons[index]++;
	if (rewrite->forgotten != NULL && map_u64_find(rewrite->forgotten, slot) != NULL)
		return STATUS_OK;
	for (; row < end; row++) {
		struct event event;
		if (part_position(part, row) > rewrite->through_position)
			continue;
		if (events_end_ms(part_time_ms(part, row), rewrite->retention_ms) <= rewrite->after_ms) {
			run->left_out = true;
			continue;
		}
		if (!part_read(part, slot, row, &run->events, &event) || !is_encodable(&event.record))
			return damaged(part, err);
		VECTOR_ADD(&run->events, event);
	}
	/* What is written anew gets new checksums: nothing damaged may come so far. */
	return part_check(part, err);
}

static bool hand_on(struct run *run)
{
	bool go_on = run->rows.count == 0 || run->rewrite->take(run->rewrite->context, run->rows.items,
	                                                        (uint32_t)run->rows.count);
	run->rows.count = 0;
	arena_done(&run->arena);
	return go_on;
}

static bool add_row(struct run *run, uint32_t slot, const struct event *event)
{
	buffer_clear(&run->encoded);
	record_encode(&run->encoded, &event->record);
	struct text text = arena_text(&run->arena, buffer_text(&run->encoded));
	VECTOR_ADD(&run->rows, (struct part_row){.time_ms         = event->time_ms,
	                                         .received_ms     = event->received_ms,
	                                         .position        = event->position,
	                                         .stored_position = event->stored_position,
	                                         .partition       = event->partition,
	                                         .slot            = slot,
	                                         .size            = (uint32_t)text.length & 0x7fffffff,
	                                         .marked          = event->marked,
	                                         .encoded         = text.data});
	bool full = (int64_t)run->rows.count >= run->rewrite->rows_max || run->arena.bytes >= BYTES_MAX;
	return !full || hand_on(run);
}

static enum status one_person(struct run *run, uint32_t slot, struct error *err)
{
	event_list_clear(&run->events);
	for (size_t i = 0; i < run->rewrite->part_count; i++) {
		enum status status = read_person(run, i, slot, err);
		if (status != STATUS_OK)
			return status;
	}
	event_list_sort(&run->events, 0);
	for (size_t i = 0; i < run->events.count; i++)
		if (!add_row(run, slot, &run->events.items[i]))
			return STATUS_UNAVAILABLE;
	return STATUS_OK;
}

enum status rewrite_run(const struct rewrite *rewrite, bool *ret_left_out, struct error *err)
{
	struct run run = {.rewrite = rewrite,
	                  .persons = calloc(rewrite->part_count, sizeof *run.persons)};
	if (run.persons == NULL)
		abort();
	uint32_t    slot   = 0;
	enum status status = STATUS_OK;
	while (status == STATUS_OK && next_slot(&run, &slot))
		status = atomic_load_explicit(rewrite->stopping, memory_order_relaxed)
		             ? STATUS_UNAVAILABLE
		             : one_person(&run, slot, err);
	if (status == STATUS_OK && !hand_on(&run))
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		*ret_left_out = run.left_out;
	free(run.persons);
	event_list_done(&run.events);
	VECTOR_DONE(&run.rows);
	arena_done(&run.arena);
	buffer_done(&run.encoded);
	return status;
}
