#include "engine/fact/facts.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/instant.h"
#include "engine/apply/partition.h"
#include "engine/apply/step.h"

void facts_init(struct facts *facts)
{
	*facts = (struct facts){.sweep_count = FACTS_SWEEP_MIN};
	fact_types_init(&facts->types);
	arena_init(&facts->arena);
}

void facts_done(struct facts *facts)
{
	fact_types_done(&facts->types);
	VECTOR_DONE(&facts->dropped);
	map_u64_done(&facts->dropped_of);
	map_u64_done(&facts->next);
	VECTOR_DONE(&facts->amended.words);
	VECTOR_DONE(&facts->dropping.words);
	arena_done(&facts->arena);
}

uint64_t facts_bytes(const struct facts *facts)
{
	return VECTOR_BYTES(&facts->dropped) + map_u64_bytes(&facts->dropped_of) +
	       map_u64_bytes(&facts->next) + VECTOR_BYTES(&facts->amended.words) +
	       VECTOR_BYTES(&facts->dropping.words);
}

static void add_slot(struct fact_slots *slots, uint32_t slot)
{
	while (slots->words.count <= slot / 64)
		VECTOR_ADD(&slots->words, (uint64_t)0);
	slots->words.items[slot / 64] |= (uint64_t)1 << slot % 64;
}

enum status facts_declare(struct facts *facts, struct text body, uint64_t position,
                          struct error *err)
{
	struct fact_type type;
	struct error     taken;
	enum status      status = fact_type_decode(body, &facts->types.arena, &type, err);
	if (status == STATUS_OK && fact_types_check(&facts->types, &type, &taken) == STATUS_OK)
		fact_types_add(&facts->types, &type, position);
	return status;
}

/* ---- What was dropped ---- */

static bool is_dropped(const struct partition *partition, uint32_t slot, const struct event *event)
{
	const struct facts        *facts = &partition->facts;
	const struct fact_dropped *dropped;
	const uint64_t            *last = map_u64_find(&facts->dropped_of, slot);
	for (uint64_t at = last == NULL ? 0 : *last; at > 0; at = dropped->next) {
		dropped = &facts->dropped.items[at - 1];
		if (dropped->position == event->position && dropped->partition == event->partition &&
		    dropped->stored_position <= partition->stored_position)
			return true;
	}
	return false;
}

static void add_dropped(struct facts *facts, struct fact_dropped dropped)
{
	uint64_t *last = map_u64_put(&facts->dropped_of, dropped.slot);
	dropped.next   = (uint32_t)*last;
	VECTOR_ADD(&facts->dropped, dropped);
	*last = facts->dropped.count;
	add_slot(&facts->dropping, dropped.slot);
}

/* When the event of one that came out of a checkpoint ceases to exist. */
static int64_t end_of(const struct partition *partition, const struct fact_dropped *dropped,
                      int64_t now_ms)
{
	const struct events_query query  = {.calls            = true,
	                                    .from_ms          = INT64_MIN,
	                                    .to_ms            = INT64_MAX,
	                                    .through_position = UINT64_MAX,
	                                    .now_ms           = now_ms,
	                                    .retention_ms     = partition->retention_ms};
	int64_t                   end_ms = now_ms;
	event_list                list   = {0};
	events_read(partition->events, dropped->slot, &query, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].position == dropped->position &&
		    list.items[i].partition == dropped->partition)
			end_ms = events_end_ms(list.items[i].time_ms, partition->retention_ms);
	event_list_done(&list);
	return end_ms;
}

/* Of the events that exist no more nobody asks. Those of a checkpoint are looked up some at a time:
 * each takes a read of his events. */
static void sweep(struct partition *partition, int64_t now_ms)
{
	enum { ASKED_MAX = 256 };
	struct facts *facts = &partition->facts;
	size_t        count = facts->dropped.count, asked = 0;
	facts->dropped.count = 0;
	map_u64_done(&facts->dropped_of);
	facts->dropping.words.count = 0;
	for (size_t i = 0; i < count; i++) {
		struct fact_dropped dropped = facts->dropped.items[i];
		if (dropped.end_ms == INSTANT_MS_NONE && asked++ < ASKED_MAX)
			dropped.end_ms = end_of(partition, &dropped, now_ms);
		if (dropped.end_ms == INSTANT_MS_NONE || dropped.end_ms > now_ms)
			add_dropped(facts, dropped);
	}
	size_t kept        = facts->dropped.count;
	facts->sweep_count = 2 * kept > FACTS_SWEEP_MIN ? 2 * kept : FACTS_SWEEP_MIN;
}

static void take_out_dropped(const struct partition *partition, uint32_t slot, event_list *list,
                             size_t begin)
{
	size_t kept = begin;
	if (map_u64_find(&partition->facts.dropped_of, slot) == NULL)
		return;
	for (size_t i = begin; i < list->count; i++)
		if (!is_dropped(partition, slot, &list->items[i]))
			list->items[kept++] = list->items[i];
	list->count = kept;
}

void facts_take_out_dropped(const struct partition *partition, uint32_t slot, event_list *list)
{
	take_out_dropped(partition, slot, list, 0);
}

/* ---- Versions ---- */

/* A fact of the person at hand. */
struct fact {
	const struct fact_type *type;
	struct text             key;
	size_t                  original; /* in the list; SIZE_MAX: it has not come */
	bool                    cancelled;
	struct text             properties; /* newest; no bytes: as they came */
	uint32_t                next;       /* of the same hash, index + 1 */
};

struct versions {
	struct partition *partition;
	int64_t           now_ms;
	struct arena     *arena;
	VECTOR(struct fact) facts;
	struct map_u64 by_key; /* index + 1 */
	struct buffer  number;
	struct buffer  list;
};

static struct fact *fact_of(struct versions *versions, const struct fact_type *type,
                            struct text properties, bool make)
{
	struct text key;
	if (!fact_type_key(type, properties, &versions->number, &key))
		return NULL;
	uint64_t hash = hash_bytes_seeded(
		key.data, key.length, (uint64_t)(type - versions->partition->facts.types.list.items));
	uint64_t *place = map_u64_find(&versions->by_key, hash);
	uint32_t  first = place == NULL ? 0 : (uint32_t)*place;
	for (uint32_t at = first; at > 0; at = versions->facts.items[at - 1].next)
		if (versions->facts.items[at - 1].type == type &&
		    text_equal(versions->facts.items[at - 1].key, key))
			return &versions->facts.items[at - 1];
	if (!make)
		return NULL;
	struct fact fact = {
		.type = type, .key = arena_text(versions->arena, key), .original = SIZE_MAX, .next = first};
	VECTOR_ADD(&versions->facts, fact);
	*map_u64_put(&versions->by_key, hash) = versions->facts.count;
	return &versions->facts.items[versions->facts.count - 1];
}

/* Lays the top-level properties of a correction over those so far; null removes. */
static struct text overlay(struct versions *versions, struct text before, struct text correction)
{
	struct buffer *out = &versions->list;
	buffer_clear(out);
	size_t   begin = value_list_begin(out);
	unsigned count = 0;
	for (struct value_reader r = value_read(before); value_next(&r);) {
		if (value_find(correction, r.name, r.hash).type != VALUE_NONE)
			continue;
		value_add(out, r.name, &r.value);
		count++;
	}
	for (struct value_reader r = value_read(correction); value_next(&r);) {
		if (r.value.type == VALUE_NULL)
			continue;
		value_add(out, r.name, &r.value);
		count++;
	}
	value_list_end(out, begin, count);
	return arena_text(versions->arena, buffer_text(out));
}

/* What part a stored event plays now. */
static enum fact_part part_of(const struct versions *versions, const struct event *event,
                              const struct fact_type **ret_type)
{
	if (event->record.kind != RECORD_EVENT)
		return FACT_NONE;
	enum fact_part part =
		fact_types_part(&versions->partition->facts.types, event->record.name, ret_type);
	if (part == FACT_UPDATED || part == FACT_CANCELLED)
		return event->stored_position > (*ret_type)->declared_position &&
		               event->time_ms <= versions->now_ms
		           ? part
		           : FACT_NONE;
	return part;
}

/* The facts that something corrects, with their originals. */
static void find_facts(struct versions *versions, const event_list *list, size_t begin)
{
	const struct fact_type *type;
	for (size_t i = begin; i < list->count; i++) {
		enum fact_part part = part_of(versions, &list->items[i], &type);
		if (part != FACT_UPDATED && part != FACT_CANCELLED)
			continue;
		struct fact *fact = fact_of(versions, type, list->items[i].record.properties, true);
		if (fact != NULL && part == FACT_CANCELLED)
			fact->cancelled = true;
	}
	for (size_t i = begin; i < list->count && versions->facts.count > 0; i++) {
		if (part_of(versions, &list->items[i], &type) != FACT_ORIGINAL)
			continue;
		struct fact *fact = fact_of(versions, type, list->items[i].record.properties, false);
		if (fact != NULL && fact->original == SIZE_MAX)
			fact->original = i;
	}
}

static void correct(struct versions *versions, event_list *list, size_t begin)
{
	const struct fact_type *type;
	for (size_t i = begin; i < list->count; i++) {
		if (part_of(versions, &list->items[i], &type) != FACT_UPDATED)
			continue;
		struct fact *fact = fact_of(versions, type, list->items[i].record.properties, false);
		if (fact == NULL || fact->original == SIZE_MAX || fact->cancelled)
			continue;
		struct text before = fact->properties.data != NULL
		                         ? fact->properties
		                         : list->items[fact->original].record.properties;
		fact->properties   = overlay(versions, before, list->items[i].record.properties);
	}
	for (size_t i = 0; i < versions->facts.count; i++) {
		const struct fact *fact = &versions->facts.items[i];
		if (fact->original == SIZE_MAX)
			continue;
		if (fact->properties.data != NULL)
			list->items[fact->original].record.properties = fact->properties;
		if (fact->cancelled)
			list->items[fact->original].record.kind = RECORD_LINK; /* taken out below */
	}
	size_t kept = begin;
	for (size_t i = begin; i < list->count; i++)
		if (list->items[i].record.kind != RECORD_LINK)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static bool wanted(const struct events_query *query, const struct event *event)
{
	if (event->record.kind != RECORD_EVENT)
		return query->calls;
	return event->time_ms >= query->from_ms && event->time_ms < query->to_ms &&
	       (query->name.length == 0 || text_equal(query->name, event->record.name));
}

/* All that a person's facts of a type are made of: nothing else takes part in their versions. */
static void read_type(const struct partition *partition, uint32_t slot, struct events_query query,
                      const struct fact_type *type, event_list *list)
{
	const struct text names[] = {type->original, type->updated, type->cancelled};
	size_t            begin   = list->count;
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		query.name = names[i];
		if (query.name.length > 0)
			events_read(partition->events, slot, &query, list);
	}
	event_list_sort(list, begin);
}

/* `type`: of the originals that are asked for; NULL: everything of the person is read, of which
 * then what was asked for is kept. */
static void read_versions(struct partition *partition, uint32_t slot,
                          const struct events_query *query, const struct fact_type *type,
                          struct arena *arena, event_list *list)
{
	size_t              begin = list->count;
	struct events_query all   = *query;
	all.name                  = TEXT("");
	all.from_ms               = INT64_MIN;
	all.to_ms                 = INT64_MAX;
	if (type == NULL)
		events_read(partition->events, slot, &all, list);
	else
		read_type(partition, slot, all, type, list);
	take_out_dropped(partition, slot, list, begin);

	struct versions versions = {.partition = partition, .now_ms = query->now_ms, .arena = arena};
	find_facts(&versions, list, begin);
	if (versions.facts.count > 0)
		correct(&versions, list, begin);
	VECTOR_DONE(&versions.facts);
	map_u64_done(&versions.by_key);
	buffer_done(&versions.number);
	buffer_done(&versions.list);

	size_t kept = begin;
	for (size_t i = begin; i < list->count; i++)
		if (wanted(query, &list->items[i]))
			list->items[kept++] = list->items[i];
	list->count = kept;
}

void facts_read(struct partition *partition, uint32_t slot, const struct events_query *query,
                struct arena *arena, event_list *list)
{
	struct events_query bounded     = *query;
	bounded.through_position        = partition->stored_position;
	const struct profile   *profile = profiles_find(&partition->profiles, slot);
	const struct fact_type *type    = NULL;
	if (profile == NULL || !profile->amended) {
		events_read(partition->events, slot, &bounded, list);
	} else if (bounded.name.length > 0 &&
	           fact_types_part(&partition->facts.types, bounded.name, &type) != FACT_ORIGINAL) {
		size_t begin = list->count;
		events_read(partition->events, slot, &bounded, list);
		take_out_dropped(partition, slot, list, begin);
	} else {
		if (arena == NULL) {
			arena = &partition->facts.arena;
			arena_reset(arena);
		}
		read_versions(partition, slot, &bounded, bounded.calls ? NULL : type, arena, list);
	}
}

bool facts_amends(const struct partition *partition, const struct profile *profile,
                  const struct record *record)
{
	const struct fact_type *type;
	enum fact_part          part = fact_types_part(&partition->facts.types, record->name, &type);
	return part == FACT_UPDATED || part == FACT_CANCELLED ||
	       (part == FACT_ORIGINAL && profile->amended);
}

const struct fact_slots *facts_amended(const struct facts *facts, struct text name)
{
	const struct fact_type *type;
	return name.length == 0 || fact_types_part(&facts->types, name, &type) == FACT_ORIGINAL
	           ? &facts->amended
	           : &facts->dropping;
}

/* ---- First of one message id ---- */

static void drop(struct partition *partition, uint32_t slot, struct profile *profile,
                 const struct event *event, uint64_t stored_position, int64_t now_ms)
{
	if (stored_position <= partition->resume.position)
		return; /* the checkpoint knows */
	/* While records are read again that a checkpoint knows, not every event is there yet. */
	if (partition->facts.dropped.count >= partition->facts.sweep_count && !partition->resume.active)
		sweep(partition, now_ms);
	add_dropped(
		&partition->facts,
		(struct fact_dropped){.slot            = slot,
	                          .partition       = event->partition,
	                          .position        = event->position,
	                          .stored_position = stored_position,
	                          .end_ms = events_end_ms(event->time_ms, partition->retention_ms)});
	if (profile != NULL)
		profile->amended = true;
}

/* Whether a stored call with this message id exists that was not dropped. */
static bool is_held(const struct partition *partition, uint32_t slot, struct text message_id,
                    uint64_t before_position, int64_t now_ms)
{
	const struct events_query query = {.calls            = true,
	                                   .from_ms          = INT64_MIN,
	                                   .to_ms            = INT64_MAX,
	                                   .through_position = before_position - 1,
	                                   .now_ms           = now_ms,
	                                   .retention_ms     = partition->retention_ms};
	event_list                list  = {0};
	bool                      held  = false;
	events_read(partition->events, slot, &query, &list);
	take_out_dropped(partition, slot, &list, 0);
	for (size_t i = 0; i < list.count && !held; i++)
		held = text_equal(list.items[i].record.message_id, message_id);
	event_list_done(&list);
	return held;
}

bool facts_seen(const struct partition *partition, uint32_t slot, const struct profile *profile,
                struct text message_id, uint64_t before_position, int64_t now_ms)
{
	return events_seen(partition->events, slot, message_id, before_position, now_ms,
	                   partition->retention_ms) &&
	       (profile == NULL || !profile->amended ||
	        map_u64_find(&partition->facts.dropped_of, slot) == NULL ||
	        is_held(partition, slot, message_id, before_position, now_ms));
}

bool facts_first(struct partition *partition, uint32_t slot, struct profile *profile,
                 const struct event *event, int64_t now_ms)
{
	uint64_t                  stored_position = event->stored_position;
	const struct events_query query           = {.calls            = true,
	                                             .from_ms          = INT64_MIN,
	                                             .to_ms            = INT64_MAX,
	                                             .through_position = UINT64_MAX,
	                                             .now_ms           = now_ms,
	                                             .retention_ms     = partition->retention_ms};
	struct text               id              = event->record.message_id;
	event_list                list            = {0};
	bool                      first           = true;
	if (id.length == 0 ||
	    !events_seen(partition->events, slot, id, stored_position, now_ms, partition->retention_ms))
		return true;
	events_read(partition->events, slot, &query, &list);
	for (size_t i = 0; i < list.count && first; i++) {
		const struct event *other = &list.items[i];
		if (other->stored_position < stored_position && text_equal(other->record.message_id, id) &&
		    !is_dropped(partition, slot, other))
			first = event_compare_acceptance(event, other) < 0;
	}
	for (size_t i = 0; i < list.count && first; i++) {
		const struct event *other = &list.items[i];
		if (other->stored_position < stored_position && text_equal(other->record.message_id, id))
			drop(partition, slot, profile, other, stored_position, now_ms);
	}
	event_list_done(&list);
	return first;
}

/* ---- Time ---- */

/* When a correction begins or ceases to exist, or an original gives way to the next one. */
static int64_t change_ms(struct partition *partition, uint32_t slot, int64_t now_ms)
{
	const struct events_query query   = {.from_ms          = INT64_MIN,
	                                     .to_ms            = INT64_MAX,
	                                     .through_position = partition->stored_position,
	                                     .now_ms           = now_ms,
	                                     .retention_ms     = partition->retention_ms};
	int64_t                   next_ms = INSTANT_MS_NEVER;
	event_list                list    = {0};
	const struct fact_type   *type;
	events_read(partition->events, slot, &query, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct event *event = &list.items[i];
		enum fact_part part = fact_types_part(&partition->facts.types, event->record.name, &type);
		if (part == FACT_NONE)
			continue;
		int64_t end_ms = events_end_ms(event->time_ms, partition->retention_ms);
		if (part != FACT_ORIGINAL && event->time_ms > now_ms && event->time_ms < next_ms)
			next_ms = event->time_ms;
		if (end_ms < next_ms)
			next_ms = end_ms;
	}
	event_list_done(&list);
	return next_ms;
}

void facts_set_next_ms(struct partition *partition, uint32_t slot, int64_t next_ms)
{
	struct facts *facts = &partition->facts;
	add_slot(&facts->amended, slot);
	*map_u64_put(&facts->next, slot) = (uint64_t)next_ms;
}

void facts_arm(struct partition *partition, uint32_t slot, struct profile *profile, int64_t now_ms)
{
	if (!profile->amended)
		return;
	int64_t next_ms = change_ms(partition, slot, now_ms);
	facts_set_next_ms(partition, slot, next_ms);
	step_arm(partition, slot, profile, next_ms);
}

int64_t facts_next_ms(const struct partition *partition, uint32_t slot)
{
	const uint64_t *next = map_u64_find(&partition->facts.next, slot);
	return next == NULL ? INSTANT_MS_NEVER : (int64_t)*next;
}

uint64_t facts_begun(struct partition *partition, uint32_t slot, int64_t now_ms)
{
	const struct fact_type   *type;
	const struct events_query query    = {.from_ms          = now_ms,
	                                      .to_ms            = now_ms + 1,
	                                      .through_position = partition->stored_position,
	                                      .now_ms           = now_ms,
	                                      .retention_ms     = partition->retention_ms};
	uint64_t                  position = 0;
	event_list                list     = {0};
	events_read(partition->events, slot, &query, &list);
	for (size_t i = 0; i < list.count; i++) {
		enum fact_part part =
			fact_types_part(&partition->facts.types, list.items[i].record.name, &type);
		if (part == FACT_UPDATED || part == FACT_CANCELLED)
			position = list.items[i].position;
	}
	event_list_done(&list);
	return position;
}

/* ---- Checkpoints ---- */

void facts_save(const struct facts *facts, struct buffer *out)
{
	size_t declared = 0;
	for (size_t i = 0; i < facts->types.list.count; i++)
		declared += facts->types.list.items[i].declared_position > 0;
	buffer_add_varint(out, declared);
	for (size_t i = 0; i < facts->types.list.count; i++) {
		const struct fact_type *type = &facts->types.list.items[i];
		if (type->declared_position == 0)
			continue;
		struct buffer body = {0};
		fact_type_encode(type, &body);
		buffer_add_u64(out, type->declared_position);
		buffer_add_sized(out, buffer_text(&body));
		buffer_done(&body);
	}
	buffer_add_varint(out, facts->dropped.count);
	for (size_t i = 0; i < facts->dropped.count; i++) {
		const struct fact_dropped *dropped = &facts->dropped.items[i];
		buffer_add_u32(out, dropped->slot);
		buffer_add_u32(out, dropped->partition);
		buffer_add_u64(out, dropped->position);
		buffer_add_u64(out, dropped->stored_position);
	}
}

bool facts_load(struct facts *facts, struct byte_reader *reader)
{
	uint64_t declared = read_varint(reader);
	for (uint64_t i = 0; i < declared && !reader->failed; i++) {
		uint64_t         position = read_u64(reader);
		struct text      body     = read_sized(reader);
		struct fact_type type;
		struct error     err;
		if (reader->failed || position == 0 ||
		    fact_type_decode(body, &facts->types.arena, &type, &err) != STATUS_OK ||
		    fact_types_check(&facts->types, &type, &err) != STATUS_OK)
			return false;
		fact_types_add(&facts->types, &type, position);
	}
	uint64_t dropped_count = read_varint(reader);
	for (uint64_t i = 0; i < dropped_count && !reader->failed; i++) {
		struct fact_dropped dropped = {.slot = read_u32(reader), .end_ms = INSTANT_MS_NONE};
		dropped.partition           = read_u32(reader);
		dropped.position            = read_u64(reader);
		dropped.stored_position     = read_u64(reader);
		add_dropped(facts, dropped);
	}
	return !reader->failed;
}
