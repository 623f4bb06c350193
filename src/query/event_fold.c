#include "query/event_fold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/instant.h"
#include "engine/fact/facts.h"
#include "events/events_scan.h"

_Static_assert((int)FOLD_SLOTS_MAX == (int)SCAN_SLOTS_MAX, "a block here is a block there");

/* The different values of all persons of a call: open addressing, at most half full. */
struct met_key {
	struct distinct_key key;
	uint32_t            at;
	uint32_t            call; /* in which it was met: others are free places */
};

struct met_keys {
	struct met_key *places;
	uint32_t        mask;
	uint32_t        count;
	uint32_t        call;
};

struct fold {
	struct fold_wish    wish;
	struct events_scan *scan;
	int64_t             from_ms; /* events of from <= time < to may count */
	int64_t             to_ms;
	int64_t             begun_ms; /* later ones do not count yet */
	uint64_t            rows;     /* of those who were read one by one */

	/* The call at hand. */
	uint64_t          *touched;
	struct folded     *folded;
	struct scan_place *ends; /* of FIRST, LAST: of which event the value is */
	struct met_keys    keys; /* of DISTINCT */
	event_list         list;
	struct arena       texts; /* of values of those who were read one by one */
};

/* ---- Opening ---- */

static int64_t later_of(int64_t a, int64_t b) { return a > b ? a : b; }

struct fold *fold_new(const struct fold_wish *wish)
{
	const struct span *span = &wish->span;
	struct fold       *fold = calloc(1, sizeof *fold);
	if (fold == NULL)
		abort();
	fold->wish     = *wish;
	fold->begun_ms = wish->now_ms - span->until_ms;
	fold->from_ms  = span->from_ms == INSTANT_MS_NONE ? INT64_MIN : span->from_ms;
	if (span->within_ms > 0)
		fold->from_ms = later_of(fold->from_ms, wish->now_ms - span->within_ms + 1);
	fold->to_ms = span->to_ms;
	if ((wish->takes & FOLD_NEXT) == 0 && fold->begun_ms + 1 < fold->to_ms)
		fold->to_ms = fold->begun_ms + 1;

	const struct events_scan_wish scan = {
		.filter       = {.name               = wish->event,
	                     .where              = wish->where,
	                     .from_ms            = fold->from_ms,
	                     .to_ms              = fold->to_ms,
	                     .received_before_ms = wish->received_before_ms,
	                     .now_ms             = wish->now_ms},
		.property     = wish->property,
		.retention_ms = wish->partition->retention_ms,
	};
	arena_init(&fold->texts);
	if ((wish->takes & (FOLD_FIRST | FOLD_LAST)) != 0 &&
	    (fold->ends = malloc(FOLD_SLOTS_MAX * sizeof *fold->ends)) == NULL)
		abort();
	fold->scan = events_scan_new(wish->partition->events, &scan);
	return fold;
}

void fold_free(struct fold *fold)
{
	if (fold == NULL)
		return;
	events_scan_free(fold->scan);
	free(fold->ends);
	free(fold->keys.places);
	event_list_done(&fold->list);
	arena_done(&fold->texts);
	free(fold);
}

uint64_t fold_cost(struct fold *fold) { return events_scan_cost(fold->scan); }
uint64_t fold_rows(const struct fold *fold) { return fold->rows + events_scan_rows(fold->scan); }

/* ---- One event ---- */

/* What an event brings, and where it stands among others of its time. */
struct brought {
	uint32_t                at;
	int64_t                 time_ms;
	const struct value     *value; /* NULL: no property is looked at */
	const struct scan_hits *hits;  /* NULL: `order` */
	uint32_t                index;
	const struct event     *order;
};

static struct folded *folded_of(struct fold *fold, uint32_t at)
{
	struct folded *folded = &fold->folded[at];
	if ((fold->touched[at / 64] >> at % 64 & 1) != 0)
		return folded;
	fold->touched[at / 64] |= (uint64_t)1 << at % 64;
	*folded = (struct folded){
		.first_ms = INSTANT_MS_NONE, .last_ms = INSTANT_MS_NONE, .next_ms = INSTANT_MS_NEVER};
	return folded;
}

/* Keeps the value of the event that stands first, or last. */
static void take_end(struct fold *fold, struct folded *folded, const struct brought *brought)
{
	bool               last = (fold->wish.takes & FOLD_LAST) != 0;
	struct scan_place *kept = &fold->ends[brought->at];
	if (folded->used > 0 && brought->time_ms != kept->time_ms &&
	    (brought->time_ms > kept->time_ms) != last)
		return;
	struct scan_place place = brought->hits != NULL ? scan_place_of(brought->hits, brought->index)
	                                                : scan_place_of_event(brought->order);
	if (folded->used > 0 && (scan_place_compare(&place, kept) > 0) != last)
		return;
	*kept         = place;
	folded->value = *brought->value;
}

/* ---- Different values ---- */

static struct met_key *place_of_key(struct met_keys *keys, const struct met_key *met)
{
	uint64_t mixed = (met->key.low ^ met->key.high ^ met->at) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t place = (uint32_t)(mixed >> 32) & keys->mask;
	for (;; place = (place + 1) & keys->mask) {
		struct met_key *there = &keys->places[place];
		if (there->call != keys->call || (there->at == met->at && there->key.low == met->key.low &&
		                                  there->key.high == met->key.high))
			return there;
	}
}

static void grow_keys(struct met_keys *keys)
{
	struct met_key *before = keys->places;
	uint32_t        room   = before == NULL ? 0 : keys->mask + 1;
	keys->mask             = room == 0 ? 1023 : 2 * room - 1;
	keys->places           = calloc((size_t)keys->mask + 1, sizeof *keys->places);
	if (keys->places == NULL)
		abort();
	for (uint32_t i = 0; i < room; i++)
		if (before[i].call == keys->call)
			*place_of_key(keys, &before[i]) = before[i];
	free(before);
}

static void forget_keys(struct met_keys *keys)
{
	keys->count = 0;
	if (++keys->call != 0)
		return;
	/* Once around: what is left of old calls must not look new. */
	free(keys->places);
	*keys = (struct met_keys){.call = 1};
}

static bool is_new(struct met_keys *keys, uint32_t at, struct distinct_key key)
{
	const struct met_key met = {.key = key, .at = at, .call = keys->call};
	if (keys->places == NULL || keys->count > keys->mask / 2)
		grow_keys(keys);
	struct met_key *place = place_of_key(keys, &met);
	if (place->call == keys->call)
		return false;
	*place = met;
	keys->count++;
	return true;
}

/* Whether there is any. */
static bool take_keys(struct fold *fold, struct folded *folded, const struct brought *brought)
{
	struct distinct_key    key;
	struct distinct_reader reader = evaluate_distinct(brought->value);
	bool                   any    = false;
	for (; distinct_next(&reader, &key); any = true)
		folded->used += is_new(&fold->keys, brought->at, key);
	return any;
}

/* Whether the event has a value that the aggregate can use. */
static bool take_value(struct fold *fold, struct folded *folded, const struct brought *brought)
{
	const unsigned takes = fold->wish.takes;
	double         number;
	int64_t        amount;
	if ((takes & (FOLD_SUM | FOLD_EXTREMES)) != 0 && !value_number(brought->value, &number))
		return false;
	if ((takes & FOLD_SUM) != 0) {
		if (!decimal_of(number, &amount))
			return false;
		folded->sum += amount;
	} else if ((takes & FOLD_EXTREMES) != 0) {
		folded->min = folded->used == 0 || number < folded->min ? number : folded->min;
		folded->max = folded->used == 0 || number > folded->max ? number : folded->max;
	} else if ((takes & FOLD_DISTINCT) != 0) {
		return take_keys(fold, folded, brought);
	} else {
		if (!evaluate_exists(brought->value))
			return false;
		take_end(fold, folded, brought);
	}
	folded->used++;
	return true;
}

static void take_time(struct fold *fold, struct folded *folded, int64_t time_ms)
{
	const unsigned takes = fold->wish.takes;
	if ((takes & (FOLD_TIMES | FOLD_NEXT)) == 0)
		return;
	if (folded->first_ms == INSTANT_MS_NONE || time_ms < folded->first_ms)
		folded->first_ms = time_ms;
	if (folded->last_ms == INSTANT_MS_NONE || time_ms > folded->last_ms)
		folded->last_ms = time_ms;
	if ((takes & FOLD_NEXT) == 0)
		return;
	int64_t end_ms = span_end_ms(&fold->wish.span, time_ms);
	if (end_ms < folded->next_ms)
		folded->next_ms = end_ms;
}

static void take(struct fold *fold, const struct brought *brought)
{
	enum { VALUES = FOLD_SUM | FOLD_EXTREMES | FOLD_FIRST | FOLD_LAST | FOLD_DISTINCT };
	struct folded *folded = folded_of(fold, brought->at);
	if (brought->time_ms > fold->begun_ms) {
		int64_t start_ms = span_start_ms(&fold->wish.span, brought->time_ms);
		if (start_ms < folded->next_ms)
			folded->next_ms = start_ms;
		return;
	}
	folded->count++;
	if ((fold->wish.takes & VALUES) == 0 || take_value(fold, folded, brought))
		take_time(fold, folded, brought->time_ms);
}

static void take_hits(void *context, const struct scan_hits *hits)
{
	struct fold *fold = context;
	for (uint32_t i = 0; i < hits->count; i++) {
		const struct brought brought = {
			.at      = hits->at[i],
			.time_ms = hits->times_ms[i],
			.value   = &hits->values[i],
			.hits    = hits,
			.index   = i,
		};
		take(fold, &brought);
	}
}

/* ---- One by one ---- */

/* What was read goes with the next person. */
static void keep_value(struct fold *fold, uint32_t at)
{
	struct value *value = &fold->folded[at].value;
	if ((fold->touched[at / 64] >> at % 64 & 1) == 0)
		return;
	if (value->type == VALUE_STRING || value->type == VALUE_STRING_SET)
		value->text = arena_text(&fold->texts, value->text);
}

/* The events that the leaves see of a person, as his `at`-th. */
static void read_person(struct fold *fold, uint32_t slot, uint32_t at)
{
	const struct fold_wish   *wish  = &fold->wish;
	const struct events_query query = {
		.name               = wish->event,
		.from_ms            = fold->from_ms,
		.to_ms              = fold->to_ms,
		.received_before_ms = wish->received_before_ms,
		.now_ms             = wish->now_ms,
		.retention_ms       = wish->partition->retention_ms,
	};
	event_list_clear(&fold->list);
	facts_read(wish->partition, slot, &query, NULL, &fold->list);
	fold->rows += fold->list.count;
	for (size_t i = 0; i < fold->list.count; i++) {
		const struct event  *event  = &fold->list.items[i];
		const struct record *record = &event->record;
		struct value         value  = {.type = VALUE_NONE};
		if (!evaluate_where(wish->where, record->properties, record->context, wish->now_ms))
			continue;
		if (wish->property != NULL)
			value = evaluate_property(wish->property, record->properties, record->context);
		const struct brought brought = {
			.at = at, .time_ms = event->time_ms, .value = &value, .order = event};
		take(fold, &brought);
	}
	keep_value(fold, at);
}

static void begin_call(struct fold *fold, uint64_t *touched, struct folded *folded)
{
	arena_reset(&fold->texts);
	forget_keys(&fold->keys);
	fold->touched = touched;
	fold->folded  = folded;
}

bool fold_person(struct fold *fold, uint32_t slot, struct folded *ret_folded)
{
	uint64_t touched = 0;
	begin_call(fold, &touched, ret_folded);
	read_person(fold, slot, 0);
	return touched != 0;
}

/* Those among the wanted whose events may be seen otherwise than they lie: taken out. */
static bool take_out_amended(const struct fold *fold, uint32_t first_slot, uint32_t word_count,
                             const uint64_t *wanted, uint64_t *plain, uint64_t *amended)
{
	const struct fact_slots *slots = facts_amended(&fold->wish.partition->facts, fold->wish.event);
	uint64_t                 any   = 0;
	assert(word_count <= FOLD_WORDS_MAX);
	for (uint32_t i = 0; i < word_count; i++) {
		amended[i] = wanted[i] & fact_slots_at(slots, first_slot / 64 + i);
		plain[i]   = wanted[i] & ~amended[i];
		any |= amended[i];
	}
	return any != 0;
}

/* ---- Blocks ---- */

#define EACH_SLOT(at, words, word_count)                                                           \
	for (uint32_t word_ = 0, at = 0; word_ < (word_count); word_++)                                \
		for (uint64_t left_ = (words)[word_];                                                      \
		     left_ != 0 && (at = word_ * 64 + (uint32_t)__builtin_ctzll(left_), true);             \
		     left_ &= left_ - 1)

void fold_block(struct fold *fold, uint32_t first_slot, uint32_t word_count, const uint64_t *wanted,
                uint64_t *touched, struct folded *folded)
{
	uint64_t plain[FOLD_WORDS_MAX], amended[FOLD_WORDS_MAX];
	bool     some = take_out_amended(fold, first_slot, word_count, wanted, plain, amended);
	memset(touched, 0, word_count * sizeof *touched);
	begin_call(fold, touched, folded);
	events_scan_block(fold->scan, first_slot, word_count, plain,
	                  fold->wish.partition->stored_position, take_hits, fold);
	if (some)
		EACH_SLOT(at, amended, word_count)
	read_person(fold, first_slot + at, at);
}

void fold_counts(struct fold *fold, uint32_t first_slot, uint32_t word_count,
                 const uint64_t *wanted, uint32_t *counts)
{
	uint64_t      plain[FOLD_WORDS_MAX], amended[FOLD_WORDS_MAX];
	bool          some = take_out_amended(fold, first_slot, word_count, wanted, plain, amended);
	struct folded folded;
	assert(fold->wish.takes == 0);
	memset(counts, 0, (size_t)word_count * 64 * sizeof *counts);
	events_scan_count(fold->scan, first_slot, word_count, plain,
	                  fold->wish.partition->stored_position, counts);
	if (some)
		EACH_SLOT(at, amended, word_count)
	counts[at] = fold_person(fold, first_slot + at, &folded) ? folded.count : 0;
}
