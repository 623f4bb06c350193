#include "events/events_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "events/events_internal.h"
#include "events/part_row.h"
#include "events/part_words.h"
#include "events/tail_scan.h"

/* Finding a person's rows costs as much as a step to the next one so many times; of this share of
 * the slots, nobody is left out. */
enum { STEPS_A_FIND = 64, SHARE_OF_MANY = 4 };

struct scan_part {
	struct part        *part;
	struct part_filter  filter;
	struct part_reading value; /* of the wish's property */
};

struct events_scan {
	const struct events    *events;
	struct events_scan_wish wish;
	struct part_set        *set;
	int64_t                 after_ms; /* only what ends after it exists in parts */
	VECTOR(struct scan_part) parts;   /* those that may have something */
	struct tail_scan tails[2];
	bool             fast;
	uint64_t         rows;
	struct scan_hits hits;
};

/* The block at hand. */
struct block {
	uint32_t        first_slot;
	uint32_t        word_count;
	const uint64_t *wanted;
	uint32_t        wanted_count;
	uint64_t        through_position;
	uint32_t       *counts; /* NULL: hits are taken */
	scan_take_fn   *take;
	void           *context;
};

/* Persons of a part in the block, by number from `begin`. */
struct persons {
	const struct part *part;
	uint32_t           begin;
	uint32_t           count;
	uint32_t           first_row;
	uint32_t           end_row;
	const uint32_t    *ends;                 /* where their rows end */
	uint32_t           copy[SCAN_SLOTS_MAX]; /* of them, where they do not lie so */
};

/* ---- Opening ---- */

static void close_parts(struct events_scan *scan)
{
	for (size_t i = 0; i < scan->parts.count; i++) {
		part_filter_done(&scan->parts.items[i].filter);
		part_reading_done(&scan->parts.items[i].value);
	}
	scan->parts.count = 0;
}

static void open_part(struct events_scan *scan, struct part *part,
                      const struct part_filter_wish *wish)
{
	struct scan_part opened = {.part = part};
	if (!part_filter_init(&opened.filter, part, wish))
		return;
	if (scan->wish.property != NULL)
		part_reading_init(&opened.value, part, scan->wish.property);
	VECTOR_ADD(&scan->parts, opened);
}

/* What was opened before of a part that is still there. */
static bool take_opened(struct events_scan *scan, const struct part *part, struct scan_part *opened,
                        size_t opened_count)
{
	for (size_t i = 0; i < opened_count; i++)
		if (opened[i].part == part) {
			VECTOR_ADD(&scan->parts, opened[i]);
			opened[i].part = NULL;
			return true;
		}
	return false;
}

static bool was_there(const struct part_set *set, const struct part *part)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (set->parts[i] == part)
			return true;
	return false;
}

/* Goes over to another set: what both have stays open. */
static void open_set(struct events_scan *scan, struct part_set *set)
{
	struct part_filter_wish wish     = scan->wish.filter;
	int64_t                 after_ms = part_set_ends_after_ms(set, wish.now_ms);
	int64_t                 first_ms = events_first_ms(after_ms, scan->wish.retention_ms);
	if (scan->set != NULL && after_ms != scan->after_ms) {
		close_parts(scan);
		part_set_unref(scan->set);
		scan->set = NULL;
	}
	struct scan_part *opened       = scan->parts.items;
	size_t            opened_count = scan->parts.count;
	scan->parts.items              = NULL;
	scan->parts.count = scan->parts.capacity = 0;
	if (wish.from_ms < first_ms)
		wish.from_ms = first_ms;
	for (size_t i = 0; i < set->count; i++)
		if (!take_opened(scan, set->parts[i], opened, opened_count) &&
		    !was_there(scan->set, set->parts[i]))
			open_part(scan, set->parts[i], &wish);
	for (size_t i = 0; i < opened_count; i++)
		if (opened[i].part != NULL) {
			part_filter_done(&opened[i].filter);
			part_reading_done(&opened[i].value);
		}
	free(opened);
	part_set_unref(scan->set);
	scan->set      = part_set_ref(set);
	scan->after_ms = after_ms;
}

static struct events_sources refresh(struct events_scan *scan)
{
	struct events_sources sources = events_sources(scan->events);
	if (sources.set != NULL && sources.set != scan->set)
		open_set(scan, sources.set);
	return sources;
}

struct events_scan *events_scan_new(const struct events           *events,
                                    const struct events_scan_wish *wish)
{
	struct events_scan *scan = calloc(1, sizeof *scan);
	if (scan == NULL)
		abort();
	scan->events           = events;
	scan->wish             = *wish;
	scan->fast             = words_are_fast();
	scan->hits.with_values = wish->property != NULL;
	return scan;
}

void events_scan_free(struct events_scan *scan)
{
	if (scan == NULL)
		return;
	close_parts(scan);
	VECTOR_DONE(&scan->parts);
	for (unsigned i = 0; i < 2; i++)
		tail_scan_done(&scan->tails[i]);
	part_set_unref(scan->set);
	free(scan);
}

uint64_t events_scan_cost(struct events_scan *scan)
{
	struct events_sources sources = refresh(scan);
	uint64_t              rows    = 0;
	for (size_t i = 0; i < scan->parts.count; i++)
		rows += scan->parts.items[i].part->header->rows;
	for (unsigned i = 0; i < 2; i++)
		if (sources.tails[i] != NULL)
			rows += tail_event_count(sources.tails[i]);
	return rows;
}

uint64_t events_scan_rows(const struct events_scan *scan) { return scan->rows; }

/* ---- Persons of a part ---- */

/* The first person whose slot is at or after it. */
static uint32_t first_person(const struct part *part, uint64_t slot)
{
	const struct part_header *header = part->header;
	const struct column      *slots  = part->roles[ROLE_PERSON_SLOT];
	if (slot <= header->slot_min)
		return 0;
	if (slot > header->slot_max)
		return header->persons;
	uint32_t bucket = ((uint32_t)slot - header->slot_min) >> header->bucket_shift;
	int64_t  person = column_int(part->roles[ROLE_PERSON_BUCKET], bucket);
	if (person < 0 || person > header->persons)
		return header->persons;
	while (person < header->persons && column_int(slots, (uint32_t)person) < (int64_t)slot)
		person++;
	return (uint32_t)person;
}

static uint32_t lowest(const struct block *block)
{
	uint32_t word = 0;
	while (block->wanted[word] == 0)
		word++;
	return word * 64 + (uint32_t)__builtin_ctzll(block->wanted[word]);
}

static uint32_t highest(const struct block *block)
{
	uint32_t word = block->word_count - 1;
	while (block->wanted[word] == 0)
		word--;
	return word * 64 + 63 - (uint32_t)__builtin_clzll(block->wanted[word]);
}

static bool is_wanted(const struct block *block, uint32_t at)
{
	return at < block->word_count * 64 && (block->wanted[at / 64] >> at % 64 & 1) != 0;
}

/* False: none, or what is there makes no sense. */
static bool find_persons(struct part *part, const struct block *block, struct persons *persons)
{
	const struct column *rows = part->roles[ROLE_PERSON_ROW];
	uint64_t             low  = (uint64_t)block->first_slot + lowest(block);
	uint64_t             high = (uint64_t)block->first_slot + highest(block);
	persons->part             = part;
	persons->begin            = first_person(part, low);
	uint32_t end              = first_person(part, high + 1);
	if (persons->begin >= end)
		return false;
	persons->count    = end - persons->begin;
	int64_t first_row = column_int(rows, persons->begin);
	int64_t end_row   = column_int(rows, end);
	if (first_row < 0 || first_row >= end_row || end_row > part->header->rows ||
	    persons->count > block->word_count * 64) {
		part_guard_fail(&part->guard, part->guard.begin);
		return false;
	}
	persons->first_row = (uint32_t)first_row;
	persons->end_row   = (uint32_t)end_row;
	return true;
}

/* Where their rows end, in ascending order; the last one's end is that of all. */
static bool load_ends(struct persons *persons)
{
	const struct column *rows  = persons->part->roles[ROLE_PERSON_ROW];
	const struct column *slots = persons->part->roles[ROLE_PERSON_SLOT];
	uint32_t             begin = persons->begin + 1;
	const uint8_t       *at    = rows->numbers + (uint64_t)begin * rows->width;
	column_touch(rows, at, (uint64_t)persons->count * rows->width);
	column_touch(slots, slots->numbers + (uint64_t)persons->begin * slots->width,
	             (uint64_t)persons->count * slots->width);
	if (rows->width == sizeof *persons->ends && rows->base == 0) {
		persons->ends = (const uint32_t *)(const void *)at;
	} else {
		for (uint32_t i = 0; i < persons->count; i++)
			persons->copy[i] =
				(uint32_t)((uint64_t)rows->base + column_number_at(at, rows->width, i));
		persons->ends = persons->copy;
	}
	return persons->ends[persons->count - 1] == persons->end_row;
}

/* The number among them of whose row it is; they are asked for in ascending order. */
static inline uint32_t person_of(const struct persons *persons, uint32_t from, uint32_t row)
{
	enum { STRIDE = 8 };
	while (from + STRIDE <= persons->count) {
		const uint32_t *ends = persons->ends + from;
		if (ends[STRIDE - 1] <= row) {
			from += STRIDE;
			continue;
		}
		uint32_t over = 0; /* counted without branches: nobody could foretell them */
		for (unsigned i = 0; i < STRIDE - 1; i++)
			over += ends[i] <= row;
		return from + over;
	}
	while (from + 1 < persons->count && persons->ends[from] <= row)
		from++;
	return from;
}

/* His slot − the first one; beyond the block: what lies there makes no sense. */
static inline uint32_t place_of(const struct persons *persons, uint32_t person, uint32_t first_slot)
{
	const struct column *slots = persons->part->roles[ROLE_PERSON_SLOT];
	uint64_t number = column_number_at(slots->numbers, slots->width, persons->begin + person);
	return (uint32_t)((uint64_t)slots->base + number) - first_slot;
}

/* ---- Rows of a part ---- */

/* Consecutive rows, 64 to a word. */
struct chunk {
	uint32_t first_word;
	uint32_t word_count;
	uint64_t bits[FILTER_WORDS_MAX];
};

/* Sets the rows [begin, end) as far as they lie in the chunk. */
static void set_rows(struct chunk *chunk, uint32_t begin, uint32_t end)
{
	uint64_t first = (uint64_t)chunk->first_word * 64;
	uint64_t low   = begin > first ? begin - first : 0;
	uint64_t high  = end > first ? end - first : 0;
	if (high > (uint64_t)chunk->word_count * 64)
		high = (uint64_t)chunk->word_count * 64;
	while (low < high) {
		uint64_t upto  = (low | 63) + 1 < high ? (low | 63) + 1 : high;
		uint64_t count = upto - low;
		uint64_t ones  = count == 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
		chunk->bits[low / 64] |= ones << low % 64;
		low = upto;
	}
}

/* Which rows are looked at. */
enum choice { EVERYBODY, WALKED, FOUND };

static enum choice choice_of(const struct block *block, const struct persons *persons)
{
	if ((uint64_t)block->wanted_count * SHARE_OF_MANY > (uint64_t)block->word_count * 64)
		return EVERYBODY;
	return (uint64_t)block->wanted_count * STEPS_A_FIND < persons->count ? FOUND : WALKED;
}

/* From person to person: their ends are loaded. */
static uint32_t walk(const struct block *block, const struct persons *persons, struct chunk *chunk)
{
	uint32_t first = chunk->first_word * 64, end = first + chunk->word_count * 64, count = 0;
	uint32_t person = person_of(persons, 0, first);
	uint32_t row    = person == 0 ? persons->first_row : persons->ends[person - 1];
	for (; person < persons->count && row < end; row = persons->ends[person++]) {
		if (!is_wanted(block, place_of(persons, person, block->first_slot)))
			continue;
		set_rows(chunk, row, persons->ends[person]);
		count += persons->ends[person] - row;
	}
	return count;
}

static uint32_t choose_rows(const struct block *block, const struct persons *persons,
                            enum choice choice, struct chunk *chunk)
{
	uint32_t count = 0;
	memset(chunk->bits, 0, sizeof chunk->bits);
	if (choice == EVERYBODY) {
		set_rows(chunk, persons->first_row, persons->end_row);
		return chunk->word_count * 64;
	}
	if (choice == WALKED)
		return walk(block, persons, chunk);
	for (uint32_t i = 0; i < block->word_count; i++)
		for (uint64_t left = block->wanted[i]; left != 0; left &= left - 1) {
			uint32_t slot = block->first_slot + i * 64 + (uint32_t)__builtin_ctzll(left);
			uint32_t begin, end;
			if (!part_find(persons->part, slot, &begin, &end))
				continue;
			set_rows(chunk, begin, end);
			count += end - begin;
		}
	return count;
}

/* ---- Counting ---- */

INLINE uint32_t count_bits(const struct chunk *chunk)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < chunk->word_count; i++)
		count += (uint32_t)__builtin_popcountll(chunk->bits[i]);
	return count;
}

/* Of the rows [begin, end), which lie in the chunk. */
INLINE uint32_t count_rows(const struct chunk *chunk, uint32_t begin, uint32_t end)
{
	uint32_t word = begin / 64 - chunk->first_word, last = (end - 1) / 64 - chunk->first_word;
	uint64_t low = UINT64_MAX << begin % 64, high = UINT64_MAX >> (63 - (end - 1) % 64);
	if (word == last)
		return (uint32_t)__builtin_popcountll(chunk->bits[word] & low & high);
	uint32_t count = (uint32_t)__builtin_popcountll(chunk->bits[word] & low);
	while (++word < last)
		count += (uint32_t)__builtin_popcountll(chunk->bits[word]);
	return count + (uint32_t)__builtin_popcountll(chunk->bits[last] & high);
}

INLINE void add_count(const struct persons *persons, uint32_t person, uint32_t count,
                      const struct block *block)
{
	uint32_t at = place_of(persons, person, block->first_slot);
	if (count > 0 && is_wanted(block, at))
		block->counts[at] += count;
}

/* Of many rows person by person, of few row by row. */
INLINE void count_chunk(const struct persons *persons, const struct chunk *chunk, uint32_t count,
                        const struct block *block)
{
	uint32_t first = chunk->first_word * 64, end = first + chunk->word_count * 64;
	uint32_t person = person_of(persons, 0, first);
	if (count >= persons->count / 4) {
		uint32_t row = first > persons->first_row ? first : persons->first_row;
		for (; person < persons->count && row < end; person++) {
			uint32_t upto = persons->ends[person] < end ? persons->ends[person] : end;
			if (upto <= row)
				continue;
			add_count(persons, person, count_rows(chunk, row, upto), block);
			row = upto;
		}
		return;
	}
	for (uint32_t i = 0; i < chunk->word_count; i++)
		EACH_BIT(bit, chunk->bits[i])
		{
			person = person_of(persons, person, first + i * 64 + (uint32_t)bit);
			add_count(persons, person, 1, block);
		}
}

FAST static void count_fast(const struct persons *persons, const struct chunk *chunk,
                            uint32_t count, const struct block *block)
{
	count_chunk(persons, chunk, count, block);
}

static void count_plain(const struct persons *persons, const struct chunk *chunk, uint32_t count,
                        const struct block *block)
{
	count_chunk(persons, chunk, count, block);
}

FAST static uint32_t bits_fast(const struct chunk *chunk) { return count_bits(chunk); }
static uint32_t      bits_plain(const struct chunk *chunk) { return count_bits(chunk); }

/* ---- Hits ---- */

static void flush(struct events_scan *scan, const struct block *block)
{
	if (scan->hits.count > 0)
		block->take(block->context, &scan->hits);
	scan->hits.count = 0;
}

/* Whose rows they are; those of nobody who is wanted are taken out of `chunk`. */
INLINE void take_rows(struct scan_hits *hits, const struct persons *persons, struct chunk *chunk,
                      const struct block *block)
{
	const struct column *times  = persons->part->roles[ROLE_TIME];
	uint32_t             person = 0;
	words_touch(times, chunk->first_word, chunk->word_count);
	for (uint32_t i = 0; i < chunk->word_count; i++) {
		uint64_t kept = 0;
		EACH_BIT(bit, chunk->bits[i])
		{
			uint32_t row = (chunk->first_word + i) * 64 + (uint32_t)bit;
			person       = person_of(persons, person, row);
			uint32_t at  = place_of(persons, person, block->first_slot);
			if (!is_wanted(block, at))
				continue;
			uint64_t time               = column_number_at(times->numbers, times->width, row);
			hits->at[hits->count]       = (uint16_t)at;
			hits->rows[hits->count]     = row;
			hits->times_ms[hits->count] = (int64_t)((uint64_t)times->base + time);
			hits->count++;
			kept |= (uint64_t)1 << bit;
		}
		chunk->bits[i] = kept;
	}
}

FAST static void take_fast(struct scan_hits *hits, const struct persons *persons,
                           struct chunk *chunk, const struct block *block)
{
	take_rows(hits, persons, chunk, block);
}

static void take_plain(struct scan_hits *hits, const struct persons *persons, struct chunk *chunk,
                       const struct block *block)
{
	take_rows(hits, persons, chunk, block);
}

/* A chunk has no more rows than there is room for hits. */
static void take_chunk(struct events_scan *scan, const struct scan_part *scanned,
                       const struct persons *persons, struct chunk *chunk,
                       const struct block *block)
{
	assert(scan->hits.count == 0);
	if (scan->fast)
		take_fast(&scan->hits, persons, chunk, block);
	else
		take_plain(&scan->hits, persons, chunk, block);
	if (scan->wish.property != NULL)
		part_reading_values(&scanned->value, chunk->first_word, chunk->word_count, chunk->bits,
		                    scan->hits.values);
	flush(scan, block);
}

static void scan_part(struct events_scan *scan, struct scan_part *scanned,
                      const struct block *block)
{
	struct persons persons;
	struct chunk   chunk;
	bool           loaded = false;
	if (!find_persons(scanned->part, block, &persons))
		return;
	enum choice choice = choice_of(block, &persons);
	if (choice == WALKED && !(loaded = load_ends(&persons))) {
		part_guard_fail(&scanned->part->guard, scanned->part->guard.begin);
		return;
	}
	scan->hits.part = scanned->part;
	for (uint32_t word = persons.first_row / 64; (uint64_t)word * 64 < persons.end_row;
	     word += FILTER_WORDS_MAX) {
		uint32_t words   = (persons.end_row - 1) / 64 - word + 1;
		chunk.first_word = word;
		chunk.word_count = words < FILTER_WORDS_MAX ? words : FILTER_WORDS_MAX;
		scan->rows += choose_rows(block, &persons, choice, &chunk);
		part_filter_run(&scanned->filter, chunk.first_word, chunk.word_count,
		                block->through_position, chunk.bits);
		uint32_t count = scan->fast ? bits_fast(&chunk) : bits_plain(&chunk);
		if (count == 0)
			continue;
		if (!loaded && !load_ends(&persons)) {
			part_guard_fail(&scanned->part->guard, scanned->part->guard.begin);
			break;
		}
		loaded = true;
		if (block->counts == NULL)
			take_chunk(scan, scanned, &persons, &chunk, block);
		else if (scan->fast)
			count_fast(&persons, &chunk, count, block);
		else
			count_plain(&persons, &chunk, count, block);
	}
}

/* ---- Order ---- */

static struct scan_acceptance acceptance_of(const struct event *event)
{
	return (struct scan_acceptance){event->partition, event->position, event->received_ms};
}

struct scan_place scan_place_of(const struct scan_hits *hits, uint32_t index)
{
	struct scan_place place = {.time_ms = hits->times_ms[index], .part = hits->part};
	if (place.part == NULL)
		place.accepted = hits->accepted[index];
	else
		place.row = hits->rows[index];
	return place;
}

struct scan_place scan_place_of_event(const struct event *event)
{
	return (struct scan_place){.time_ms = event->time_ms, .accepted = acceptance_of(event)};
}

struct scan_acceptance scan_place_acceptance(const struct scan_place *place)
{
	struct event event;
	if (place->part == NULL)
		return place->accepted;
	if (!part_row_order(place->part, place->row, &event))
		part_guard_fail(&place->part->guard, place->part->guard.begin);
	return acceptance_of(&event);
}

static struct event event_at(const struct scan_place *place)
{
	struct scan_acceptance accepted = scan_place_acceptance(place);
	return (struct event){
		.time_ms     = place->time_ms,
		.received_ms = accepted.received_ms,
		.partition   = accepted.partition,
		.position    = accepted.position,
	};
}

int scan_place_compare(const struct scan_place *a, const struct scan_place *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	const struct event left = event_at(a), right = event_at(b);
	return event_compare(&left, &right);
}

/* ---- Tails ---- */

static void take_event(struct events_scan *scan, const struct tail *tail,
                       const struct tail_row *row, uint32_t at, const struct block *block)
{
	struct scan_hits *hits = &scan->hits;
	if (hits->count == SCAN_HITS_MAX)
		flush(scan, block);
	hits->at[hits->count]       = (uint16_t)at;
	hits->times_ms[hits->count] = row->time_ms;
	struct event event          = tail_row_order(tail, row);
	hits->accepted[hits->count] = acceptance_of(&event);
	if (scan->wish.property != NULL)
		hits->values[hits->count] =
			evaluate_property(scan->wish.property, tail_row_properties(row), tail_row_context(row));
	hits->count++;
}

static void take_row(struct events_scan *scan, const struct tail *tail, const struct tail_row *row,
                     const struct block *block)
{
	const struct part_filter_wish *filter = &scan->wish.filter;
	uint32_t                       at     = row->slot - block->first_slot;
	if (block->counts != NULL && filter->where == NULL) {
		block->counts[at]++;
		return;
	}
	struct text properties = tail_row_properties(row), context = tail_row_context(row);
	if (!evaluate_where(filter->where, properties, context, filter->now_ms))
		return;
	if (block->counts != NULL)
		block->counts[at]++;
	else
		take_event(scan, tail, row, at, block);
}

/* What a row must be asked beside slot, name and time. */
static bool is_asked(const struct tail *tail, const struct events_query *query)
{
	return query->received_before_ms != 0 || tail_position_max(tail) > query->through_position;
}

static void scan_run(struct events_scan *scan, const struct tail *tail, const struct tail_run *run,
                     const struct events_query *query, const struct block *block)
{
	enum { AHEAD = 8 };
	bool asked   = is_asked(tail, query);
	bool entries = asked || block->counts == NULL || scan->wish.filter.where != NULL;
	for (size_t i = 0; i < run->count; i++) {
		const struct tail_row *row = &run->rows[i];
		if (entries && i + AHEAD < run->count)
			tail_prefetch_row(row + AHEAD);
		if (row->slot < block->first_slot || !is_wanted(block, row->slot - block->first_slot))
			continue;
		scan->rows++;
		if (!asked || tail_row_wanted(row, query))
			take_row(scan, tail, row, block);
	}
}

static void scan_tail(struct events_scan *scan, struct tail *tail, struct tail_scan *tail_scan,
                      const struct block *block)
{
	const struct part_filter_wish *filter = &scan->wish.filter;
	const int64_t             first_ms = events_first_ms(filter->now_ms, scan->wish.retention_ms);
	const struct events_query query    = {.name = filter->name,
	                                      .from_ms =
                                           filter->from_ms > first_ms ? filter->from_ms : first_ms,
	                                      .to_ms              = filter->to_ms,
	                                      .through_position   = block->through_position,
	                                      .received_before_ms = filter->received_before_ms,
	                                      .now_ms             = filter->now_ms,
	                                      .retention_ms       = scan->wish.retention_ms};
	struct tail_run           runs[2];
	tail_scan_turn_to(tail_scan, tail, &query);
	tail_scan_find(tail_scan, block->first_slot,
	               (uint64_t)block->first_slot + block->word_count * 64, runs);
	scan->hits.part = NULL;
	for (unsigned i = 0; i < 2; i++)
		scan_run(scan, tail, &runs[i], &query, block);
	if (block->counts == NULL)
		flush(scan, block);
}

/* ---- A block ---- */

static void scan_block(struct events_scan *scan, struct block *block)
{
	struct events_sources sources = refresh(scan);
	assert(block->first_slot % 64 == 0 && block->word_count <= SCAN_WORDS_MAX);
	for (uint32_t i = 0; i < block->word_count; i++)
		block->wanted_count += (uint32_t)__builtin_popcountll(block->wanted[i]);
	if (block->wanted_count == 0)
		return;
	for (size_t i = 0; i < scan->parts.count; i++)
		scan_part(scan, &scan->parts.items[i], block);
	for (unsigned i = 0; i < 2; i++)
		if (sources.tails[i] != NULL)
			scan_tail(scan, sources.tails[i], &scan->tails[i], block);
}

void events_scan_block(struct events_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *wanted, uint64_t through_position, scan_take_fn *take,
                       void *context)
{
	struct block block = {.first_slot       = first_slot,
	                      .word_count       = word_count,
	                      .wanted           = wanted,
	                      .through_position = through_position,
	                      .take             = take,
	                      .context          = context};
	scan_block(scan, &block);
}

void events_scan_count(struct events_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *wanted, uint64_t through_position, uint32_t *counts)
{
	struct block block = {.first_slot       = first_slot,
	                      .word_count       = word_count,
	                      .wanted           = wanted,
	                      .through_position = through_position,
	                      .counts           = counts};
	scan_block(scan, &block);
}
