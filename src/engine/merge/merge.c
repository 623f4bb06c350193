#include "engine/merge/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/instant.h"
#include "engine/apply/indexed.h"
#include "engine/fact/amend.h"
#include "engine/fact/facts.h"
#include "engine/apply/leaf.h"
#include "engine/apply/leave.h"
#include "engine/merge/erasure.h"
#include "engine/merge/merge_record.h"
#include "engine/apply/step.h"
#include "model/merge_out.h"

void merges_done(struct merges *merges)
{
	for (size_t i = 0; i < merges->caused.count; i++)
		buffer_done(&merges->caused.items[i].items);
	for (size_t i = 0; i < merges->arriving.count; i++)
		buffer_done(&merges->arriving.items[i].items);
	VECTOR_DONE(&merges->closed);
	VECTOR_DONE(&merges->caused);
	VECTOR_DONE(&merges->arriving);
	VECTOR_DONE(&merges->news);
	map_u64_done(&merges->closed_at);
	map_u64_done(&merges->received);
}

uint64_t merges_bytes(const struct merges *merges)
{
	return merges->held_bytes + VECTOR_BYTES(&merges->closed) + VECTOR_BYTES(&merges->caused) +
	       VECTOR_BYTES(&merges->arriving) + VECTOR_BYTES(&merges->news) +
	       map_u64_bytes(&merges->closed_at) + map_u64_bytes(&merges->received);
}

/* Items of what is caused or arriving are let go. */
static void let_go(struct merges *merges, struct buffer *items)
{
	merges->held_bytes -= items->capacity;
	buffer_done(items);
}

static const struct merge_closed *find_closed(const struct merges *merges, uint32_t slot)
{
	const uint64_t *at = map_u64_find(&merges->closed_at, slot);
	return at == NULL ? NULL : &merges->closed.items[*at - 1];
}

bool merge_user_of(const struct partition *partition, uint32_t slot, struct person *ret_user)
{
	const struct merge_closed *closed = find_closed(&partition->merges, slot);
	if (closed == NULL || closed->user.slot == SLOT_NONE)
		return false;
	*ret_user = closed->user;
	return true;
}

void merge_close(struct partition *partition, uint32_t slot, uint64_t position)
{
	struct merges *merges = &partition->merges;
	if (find_closed(merges, slot) != NULL)
		return;
	VECTOR_ADD(&merges->closed, (struct merge_closed){slot, {0, SLOT_NONE}, position});
	*map_u64_put(&merges->closed_at, slot) = merges->closed.count;
}

uint64_t merge_position(const struct partition *partition, uint32_t slot)
{
	const struct merge_closed *closed = find_closed(&partition->merges, slot);
	return closed == NULL ? UINT64_MAX : closed->position;
}

uint64_t merge_received(const struct partition *partition, uint32_t origin)
{
	const uint64_t *position = map_u64_find(&partition->merges.received, origin);
	return position == NULL ? 0 : *position;
}

/* ---- Out ---- */

enum status merge_out(struct partition *partition, const struct record *record, uint64_t position,
                      int64_t at_ms, struct error *err)
{
	struct person user;
	enum status   status = merge_out_decode(record->body, &user, err);
	if (status != STATUS_OK)
		return status;
	struct merges  *merges  = &partition->merges;
	struct profile *profile = profiles_place(&partition->profiles, record->slot);
	/* Told again, after a failed append of what may have been there all the same. */
	if (find_closed(merges, record->slot) != NULL || profile->identified)
		return STATUS_OK;

	/* His traits are kept until the user has them. */
	if (profile->exists)
		leave(partition, record->slot, profile, CAUSE_MERGE, at_ms);
	profile->closed            = true;
	profile->amended           = false;
	profile->armed_ms          = INSTANT_MS_NEVER;
	struct merge_closed closed = {record->slot, user, position};
	VECTOR_ADD(&merges->closed, closed);
	*map_u64_put(&merges->closed_at, record->slot) = merges->closed.count;
	VECTOR_ADD(&merges->caused, (struct merge_caused){.position    = position,
	                                                  .received_ms = at_ms,
	                                                  .slot        = record->slot,
	                                                  .user        = user,
	                                                  .whole       = true});
	return STATUS_OK;
}

static void add_sized_item(const struct merge_item *item, struct buffer *items)
{
	struct buffer encoded = {0};
	merge_item_encode(item, &encoded);
	buffer_add_sized(items, buffer_text(&encoded));
	buffer_done(&encoded);
}

bool merge_forward(struct partition *partition, struct text encoded, const struct event *event)
{
	const struct record       *record = &event->record;
	const struct merge_closed *closed = find_closed(&partition->merges, record->slot);
	if (closed == NULL || closed->user.slot == SLOT_NONE || event->position < closed->position)
		return false;
	if (event->position <= partition->resume.position)
		return true; /* queued before the checkpoint */
	struct merge_caused caused = {.position    = event->position,
	                              .received_ms = event->received_ms,
	                              .slot        = record->slot,
	                              .user        = closed->user};
	if (record->kind == RECORD_TRAITS)
		add_sized_item(&(struct merge_item){.kind   = MERGE_TRAITS,
		                                    .traits = record->properties,
		                                    .sealed = record->sealed},
		               &caused.items);
	if (record->kind == RECORD_EVENT || record->message_id.length > 0)
		add_sized_item(
			&(struct merge_item){.kind = MERGE_CALL, .event = *event, .encoded = encoded},
			&caused.items);
	partition->merges.held_bytes += caused.items.capacity;
	VECTOR_ADD(&partition->merges.caused, caused);
	return true;
}

/* ---- Records of what is caused ---- */

struct encoding {
	const struct merge_caused *caused;
	uint32_t                   origin;
	uint32_t                   skip; /* items that were encoded before, but for stored calls */
	struct merge_cursor       *cursor;
	size_t                     bytes_max;
	struct buffer              part;
	struct buffer             *out;
	uint32_t                   records;
	bool                       full;
};

static void end_part(struct encoding *encoding, bool last)
{
	const struct merge_caused *caused = encoding->caused;
	struct buffer              body   = {0};
	merge_part_encode(&(struct merge_part){caused->slot, last, buffer_text(&encoding->part)},
	                  &body);
	struct record record = {
		.kind   = RECORD_MERGE_IN,
		.flags  = RECORD_HAS_ORIGIN | RECORD_IDENTIFIED,
		.slot   = caused->user.slot,
		.origin = {encoding->origin, caused->position, encoding->cursor->parts++},
		.body   = buffer_text(&body),
	};
	record_encode(encoding->out, &record);
	encoding->records++;
	buffer_clear(&encoding->part);
	buffer_done(&body);
}

/* False: it is for the next append. */
static bool add_to_part(struct encoding *encoding, struct text item)
{
	if (encoding->part.length > 0 && encoding->part.length + item.length > MERGE_PART_BYTES) {
		end_part(encoding, false);
		encoding->full = encoding->out->length > encoding->bytes_max;
	}
	if (!encoding->full)
		buffer_add_text(&encoding->part, item);
	return !encoding->full;
}

static void add_item(struct encoding *encoding, struct text item)
{
	if (encoding->skip > 0)
		encoding->skip--;
	else if (!encoding->full && add_to_part(encoding, item))
		encoding->cursor->items++;
}

static const struct sealed_block *block_of(const struct traits *traits, struct text name)
{
	for (uint32_t i = 0; i < traits->sealed_count; i++)
		if (text_equal(traits->sealed[i].name, name))
			return traits->sealed[i].block;
	return NULL;
}

/* One item a trait: each goes its own way where the user comes to lack it. */
static void add_traits(const struct profile *profile, struct encoding *encoding)
{
	struct buffer list = {0}, stripped = {0}, encoded = {0};
	for (struct value_reader r = value_read(profile_traits(profile)); value_next(&r);) {
		const struct sealed_block *block = block_of(profile->traits, r.name);
		buffer_clear(&list);
		size_t begin = value_list_begin(&list);
		value_add(&list, r.name, &r.value);
		value_list_end(&list, begin, 1);
		struct merge_item item = {.kind   = MERGE_TRAITS,
		                          .traits = indexed_strip(buffer_text(&list), &stripped)};
		if (block != NULL)
			item.sealed = (struct text){block->bytes, block->size};
		buffer_clear(&encoded);
		merge_item_encode(&item, &encoded);
		add_item(encoding, buffer_text(&encoded));
	}
	buffer_done(&list);
	buffer_done(&stripped);
	buffer_done(&encoded);
}

/* As they stood when he left. */
static void add_calls(struct partition *partition, struct encoding *encoding)
{
	const struct events_query query = {
		.calls            = true,
		.from_ms          = INT64_MIN,
		.to_ms            = INT64_MAX,
		.through_position = encoding->caused->position,
		.now_ms           = encoding->caused->received_ms,
		.retention_ms     = partition->retention_ms,
	};
	struct merge_cursor *cursor  = encoding->cursor;
	event_list           list    = {0};
	struct buffer        encoded = {0}, item = {0};
	events_read(partition->events, encoding->caused->slot, &query, &list);
	for (size_t i = 0; i < list.count && !encoding->full; i++) {
		if (cursor->calls && event_compare(&list.items[i], &cursor->call) <= 0)
			continue;
		buffer_clear(&encoded);
		buffer_clear(&item);
		record_encode(&encoded, &list.items[i].record);
		merge_item_encode(&(struct merge_item){.kind    = MERGE_CALL,
		                                       .event   = list.items[i],
		                                       .encoded = buffer_text(&encoded)},
		                  &item);
		if (!add_to_part(encoding, buffer_text(&item)))
			break;
		cursor->calls       = true;
		cursor->call        = list.items[i];
		cursor->call.record = (struct record){0};
	}
	event_list_done(&list);
	buffer_done(&encoded);
	buffer_done(&item);
}

bool merge_encode(struct partition *partition, const struct merge_caused *caused,
                  struct merge_cursor *cursor, size_t bytes_max, struct buffer *out,
                  uint32_t *ret_record_count)
{
	struct encoding    encoding = {.caused    = caused,
	                               .origin    = partition->number,
	                               .skip      = cursor->items,
	                               .cursor    = cursor,
	                               .bytes_max = bytes_max,
	                               .out       = out};
	struct byte_reader reader   = byte_reader_of(caused->items.data, caused->items.length);
	while (read_left(&reader) > 0 && !encoding.full)
		add_item(&encoding, read_sized(&reader));
	if (caused->whole) {
		const struct profile *profile = profiles_known(&partition->profiles, caused->slot);
		if (profile != NULL)
			add_traits(profile, &encoding);
		add_calls(partition, &encoding);
	}
	if (!encoding.full)
		end_part(&encoding, true);
	buffer_done(&encoding.part);
	*ret_record_count = encoding.records;
	return !encoding.full;
}

void merge_caused_remove(struct partition *partition)
{
	struct merges       *merges = &partition->merges;
	struct merge_caused *first  = &merges->caused.items[0];
	struct profile      *closed = profiles_place(&partition->profiles, first->slot);
	if (first->whole && closed->closed)
		profile_clear(&partition->profiles, closed);
	let_go(merges, &first->items);
	merges->caused.count--;
	memmove(merges->caused.items, merges->caused.items + 1,
	        merges->caused.count * sizeof merges->caused.items[0]);
}

/* ---- In ---- */

/* Where the parts of this merge are gathered; NULL: this one is not the next. */
static struct merge_arriving *arriving_of(struct merges *merges, const struct record_origin *origin)
{
	struct merge_arriving *found = NULL;
	for (size_t i = 0; i < merges->arriving.count && found == NULL; i++)
		if (merges->arriving.items[i].partition == origin->partition)
			found = &merges->arriving.items[i];
	if (found == NULL) {
		VECTOR_ADD(&merges->arriving, (struct merge_arriving){.partition = origin->partition});
		found = &merges->arriving.items[merges->arriving.count - 1];
	}
	if (origin->ordinal == 0) {
		found->position = origin->position;
		found->parts    = 0;
		buffer_clear(&found->items);
	}
	return found->position == origin->position && found->parts == origin->ordinal ? found : NULL;
}

/* The traits of an item that the user lacks. */
static bool fill_gaps(struct partition *partition, struct profile *profile,
                      const struct merge_item *item, struct person visitor)
{
	struct buffer list  = {0};
	size_t        begin = value_list_begin(&list);
	unsigned      count = 0;
	for (struct value_reader r = value_read(item->traits); value_next(&r);) {
		if (r.value.type == VALUE_NULL ||
		    value_find(profile_traits(profile), r.name, r.hash).type != VALUE_NONE)
			continue;
		value_add(&list, r.name, &r.value);
		count++;
	}
	value_list_end(&list, begin, count);
	if (count > 0)
		profile_set_traits(&partition->profiles, profile, buffer_text(&list), item->sealed,
		                   visitor);
	buffer_done(&list);
	return count > 0;
}

struct receiving {
	struct partition *partition;
	uint32_t          slot;
	struct profile   *profile; /* NULL: he has been through it */
	struct person     visitor;
	uint64_t          position;
	int64_t           at_ms;
};

/* A call of the visitor becomes the user's, unless he has it already. */
static void take_call(struct receiving *receiving, struct merge_item *item)
{
	struct partition *partition = receiving->partition;
	struct profile   *profile   = receiving->profile;
	struct event     *event     = &item->event;
	event->partition            = receiving->visitor.partition;
	event->stored_position      = receiving->position;
	if (events_end_ms(event->time_ms, partition->retention_ms) <= receiving->at_ms ||
	    !facts_first(partition, receiving->slot, profile, event, receiving->at_ms))
		return;
	events_add(partition->events, receiving->slot, item->encoded, event);
	if (event->record.kind != RECORD_EVENT)
		return;
	if (event->time_ms > receiving->at_ms && receiving->position > partition->resume.position)
		future_add(&partition->future,
		           (struct future_event){event->time_ms, receiving->slot, event->position});
	if (profile == NULL)
		return;
	if (profile->newest_event_ms < event->time_ms)
		profile->newest_event_ms = event->time_ms;
	if (facts_amends(partition, profile, &event->record))
		profile->amended = true;
}

static bool trait_now(const struct partition *partition, const struct profile *profile,
                      size_t index, int64_t now_ms)
{
	return trait_holds(&partition->catalog.traits.items[index], profile_traits(profile),
	                   profile->identified, now_ms);
}

/* Rules whose traits changed. */
static void touch_traits(struct partition *partition, uint32_t slot, const struct profile *profile,
                         const bool *before, int64_t at_ms)
{
	const struct catalog *catalog = &partition->catalog;
	for (size_t i = 0; i < catalog->traits.count; i++)
		if (!catalog->traits.items[i].dead && trait_now(partition, profile, i, at_ms) != before[i])
			step_touch_all(partition, slot, &catalog->traits.items[i].rules, CAUSE_MERGE, 0);
}

static enum status take_items(struct receiving *receiving, struct text items, bool *ret_filled,
                              struct error *err)
{
	struct partition  *partition = receiving->partition;
	struct byte_reader reader    = byte_reader_of(items.data, items.length);
	struct merge_item  item;
	enum status        status;
	while ((status = merge_item_decode(&reader, &item, err)) == STATUS_OK) {
		if (item.kind == MERGE_CALL)
			take_call(receiving, &item);
		else if (receiving->profile != NULL)
			*ret_filled |= fill_gaps(partition, receiving->profile, &item, receiving->visitor);
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The one step in which the user becomes what both were. */
static enum status receive(struct receiving *receiving, struct text items, struct error *err)
{
	struct partition *partition = receiving->partition;
	struct profile   *profile   = receiving->profile;
	size_t            count     = partition->catalog.traits.count;
	bool             *traits    = calloc(count + 1, sizeof *traits);
	if (traits == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		traits[i] = trait_now(partition, profile, i, receiving->at_ms);

	struct amend amend;
	bool         filled = false;
	step_begin(partition);
	amend_begin(&amend, partition, receiving->slot, profile, receiving->at_ms);
	enum status status = take_items(receiving, items, &filled, err);
	if (receiving->position > partition->stored_position)
		partition->stored_position = receiving->position;
	amend_finish(&amend, receiving->at_ms, CAUSE_MERGE, 0);
	if (filled)
		partition_index_traits(partition, profile, receiving->at_ms);
	if (filled)
		touch_traits(partition, receiving->slot, profile, traits, receiving->at_ms);
	if (filled && partition->witness != NULL)
		partition->witness->saw_person(partition->witness, receiving->slot);
	step_finish(partition, receiving->slot, profile, receiving->at_ms);
	step_rearm_traits(partition, receiving->slot, profile, receiving->at_ms);
	free(traits);
	return status;
}

static enum status finish_arriving(struct merge_arriving *arriving, const struct record *record,
                                   struct receiving *receiving, struct error *err)
{
	struct partition *partition = receiving->partition;
	struct merges    *merges    = &partition->merges;
	struct text       items     = buffer_text(&arriving->items);
	bool              filled    = false;
	enum status       status    = STATUS_OK;
	if (erasure_holds(partition, receiving->slot)) {
		/* Nobody is there to take it. */
	} else if (resume_skips(&partition->resume, receiving->slot, receiving->position)) {
		status = take_items(receiving, items, &filled, err);
	} else {
		receiving->profile = partition_person(partition, receiving->slot, true, receiving->at_ms);
		status             = receive(receiving, items, err);
	}
	uint64_t *received = map_u64_put(&merges->received, record->origin.partition);
	if (*received < record->origin.position)
		*received = record->origin.position;
	VECTOR_ADD(&merges->news, record->origin.partition);
	let_go(merges, &arriving->items);
	*arriving = merges->arriving.items[--merges->arriving.count];
	return status;
}

enum status merge_in(struct partition *partition, const struct record *record, uint64_t position,
                     int64_t at_ms, struct error *err)
{
	struct merge_part part;
	enum status       status = merge_part_decode(record->body, &part, err);
	if (status != STATUS_OK)
		return status;
	if ((record->flags & RECORD_HAS_ORIGIN) == 0)
		return error_set(err, STATUS_CORRUPT, "a merge without origin");
	/* What lies before a checkpoint was applied; here it is stored once more. */
	if (position > partition->resume.position &&
	    record->origin.position <= merge_received(partition, record->origin.partition))
		return STATUS_OK;
	struct merge_arriving *arriving = arriving_of(&partition->merges, &record->origin);
	if (arriving == NULL)
		return STATUS_OK; /* a part that was told again */
	partition->merges.held_bytes -= arriving->items.capacity;
	buffer_add_text(&arriving->items, part.items);
	partition->merges.held_bytes += arriving->items.capacity;
	arriving->parts++;
	if (!part.last)
		return STATUS_OK;
	struct receiving receiving = {.partition = partition,
	                              .slot      = record->slot,
	                              .visitor   = {record->origin.partition, part.slot},
	                              .position  = position,
	                              .at_ms     = at_ms};
	return finish_arriving(arriving, record, &receiving, err);
}

/* ---- Checkpoints ---- */

void merge_save(const struct merges *merges, struct buffer *out)
{
	buffer_add_varint(out, merges->closed.count);
	for (size_t i = 0; i < merges->closed.count; i++) {
		const struct merge_closed *closed = &merges->closed.items[i];
		buffer_add_u32(out, closed->slot);
		buffer_add_u32(out, closed->user.partition);
		buffer_add_u32(out, closed->user.slot);
		buffer_add_u64(out, closed->position);
	}
	buffer_add_varint(out, merges->caused.count);
	for (size_t i = 0; i < merges->caused.count; i++) {
		const struct merge_caused *caused = &merges->caused.items[i];
		buffer_add_u64(out, caused->position);
		buffer_add_i64(out, caused->received_ms);
		buffer_add_u32(out, caused->slot);
		buffer_add_u32(out, caused->user.partition);
		buffer_add_u32(out, caused->user.slot);
		buffer_add_u8(out, caused->whole);
		buffer_add_sized(out, buffer_text(&caused->items));
	}
	struct buffer received = {0};
	uint32_t      count    = 0;
	for (uint32_t origin = 0; origin < PARTITION_COUNT_MAX; origin++) {
		const uint64_t *position = map_u64_find(&merges->received, origin);
		if (position == NULL)
			continue;
		buffer_add_u32(&received, origin);
		buffer_add_u64(&received, *position);
		count++;
	}
	buffer_add_varint(out, count);
	buffer_add_text(out, buffer_text(&received));
	buffer_done(&received);
}

static void load_closed(struct merges *merges, struct byte_reader *reader)
{
	struct merge_closed closed = {.slot = read_u32(reader)};
	closed.user.partition      = read_u32(reader);
	closed.user.slot           = read_u32(reader);
	closed.position            = read_u64(reader);
	VECTOR_ADD(&merges->closed, closed);
	*map_u64_put(&merges->closed_at, closed.slot) = merges->closed.count;
}

static void load_caused(struct merges *merges, struct byte_reader *reader)
{
	struct merge_caused caused = {.position = read_u64(reader)};
	caused.received_ms         = read_i64(reader);
	caused.slot                = read_u32(reader);
	caused.user.partition      = read_u32(reader);
	caused.user.slot           = read_u32(reader);
	caused.whole               = read_u8(reader) != 0;
	buffer_add_text(&caused.items, read_sized(reader));
	merges->held_bytes += caused.items.capacity;
	VECTOR_ADD(&merges->caused, caused);
}

bool merge_load(struct merges *merges, struct byte_reader *reader)
{
	for (uint64_t left = read_varint(reader); left > 0 && !reader->failed; left--)
		load_closed(merges, reader);
	for (uint64_t left = read_varint(reader); left > 0 && !reader->failed; left--)
		load_caused(merges, reader);
	for (uint64_t left = read_varint(reader); left > 0 && !reader->failed; left--) {
		uint32_t origin                         = read_u32(reader);
		*map_u64_put(&merges->received, origin) = read_u64(reader);
		VECTOR_ADD(&merges->news, origin);
	}
	return !reader->failed;
}
