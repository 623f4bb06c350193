#include "query/event_fold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/instant.h"
#include "engine/fact/facts.h"
#include "events/events_scan.h"

_Static_assert((int)FOLD_SLOTS == (int)SCAN_SLOTS, "a block here is a block there");

/* One of a person's different values. */
struct met_key {
	uint32_t            at;
	struct distinct_key key;
};

struct fold {
	struct fold_wish    wish;
	struct events_scan *scan;
	int64_t             from_ms; /* events of from <= time < to may count */
	int64_t             to_ms;
	int64_t             begun_ms; /* later ones do not count yet */
	uint64_t            rows;     /* of those who were read one by one */

	/* The call at hand. */
	uint64_t      *touched;
	struct folded *folded;
	struct event   ends[FOLD_SLOTS]; /* of FIRST, LAST: the event that the value is of */
	VECTOR(struct met_key) keys;     /* of DISTINCT */
	event_list   list;
	struct arena texts; /* of values of those who were read one by one */
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
	fold->scan = events_scan_new(wish->partition->events, &scan);
	return fold;
}

void fold_free(struct fold *fold)
{
	if (fold == NULL)
		return;
	events_scan_free(fold->scan);
	VECTOR_DONE(&fold->keys);
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
	bool          last = (fold->wish.takes & FOLD_LAST) != 0;
	struct event *kept = &fold->ends[brought->at];
	if (folded->used > 0 && brought->time_ms != kept->time_ms &&
	    (brought->time_ms > kept->time_ms) != last)
		return;
	struct event order =
		brought->hits == NULL ? *brought->order : scan_hits_order(brought->hits, brought->index);
	if (folded->used > 0 && (event_compare(&order, kept) > 0) != last)
		return;
	*kept         = order;
	folded->value = *brought->value;
}

static void take_keys(struct fold *fold, const struct brought *brought, bool *ret_any)
{
	struct met_key         met    = {.at = brought->at};
	struct distinct_reader reader = evaluate_distinct(brought->value);
	while (distinct_next(&reader, &met.key)) {
		VECTOR_ADD(&fold->keys, met);
		*ret_any = true;
	}
}

/* Whether the event has a value that the aggregate can use. */
static bool take_value(struct fold *fold, struct folded *folded, const struct brought *brought)
{
	const unsigned takes = fold->wish.takes;
	double         number;
	int64_t        amount;
	bool           any = false;
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
		take_keys(fold, brought, &any);
		return any;
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

/* ---- Different values ---- */

static int compare_met(const void *left, const void *right)
{
	const struct met_key *a = left, *b = right;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->key.high != b->key.high)
		return a->key.high < b->key.high ? -1 : 1;
	return (a->key.low > b->key.low) - (a->key.low < b->key.low);
}

static void count_different(struct fold *fold)
{
	if (fold->keys.count == 0)
		return;
	qsort(fold->keys.items, fold->keys.count, sizeof *fold->keys.items, compare_met);
	for (size_t i = 0; i < fold->keys.count; i++)
		fold->folded[fold->keys.items[i].at].used +=
			i == 0 || compare_met(&fold->keys.items[i - 1], &fold->keys.items[i]) != 0;
	fold->keys.count = 0;
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

bool fold_person(struct fold *fold, uint32_t slot, struct folded *ret_folded)
{
	uint64_t touched = 0;
	arena_reset(&fold->texts);
	fold->touched = &touched;
	fold->folded  = ret_folded;
	read_person(fold, slot, 0);
	count_different(fold);
	return touched != 0;
}

/* Those among the wanted whose events may be seen otherwise than they lie: taken out. */
static bool take_out_amended(const struct fold *fold, uint32_t first_slot,
                             const uint64_t wanted[FOLD_WORDS], uint64_t plain[FOLD_WORDS],
                             uint64_t amended[FOLD_WORDS])
{
	const struct facts *facts = &fold->wish.partition->facts;
	bool                reads = facts_amend_name(facts, fold->wish.event);
	uint64_t            any   = 0;
	for (unsigned i = 0; i < FOLD_WORDS; i++) {
		amended[i] = reads ? wanted[i] & facts_amended(facts, first_slot / 64 + i) : 0;
		plain[i]   = wanted[i] & ~amended[i];
		any |= amended[i];
	}
	return any != 0;
}

/* ---- Blocks ---- */

#define EACH_SLOT(at, words)                                                                       \
	for (uint32_t word_ = 0, at = 0; word_ < FOLD_WORDS; word_++)                                  \
		for (uint64_t left_ = (words)[word_];                                                      \
		     left_ != 0 && (at = word_ * 64 + (uint32_t)__builtin_ctzll(left_), true);             \
		     left_ &= left_ - 1)

void fold_block(struct fold *fold, uint32_t first_slot, const uint64_t wanted[FOLD_WORDS],
                uint64_t touched[FOLD_WORDS], struct folded folded[FOLD_SLOTS])
{
	uint64_t plain[FOLD_WORDS], amended[FOLD_WORDS];
	bool     some = take_out_amended(fold, first_slot, wanted, plain, amended);
	memset(touched, 0, FOLD_WORDS * sizeof *touched);
	arena_reset(&fold->texts);
	fold->touched = touched;
	fold->folded  = folded;
	events_scan_block(fold->scan, first_slot, plain, fold->wish.partition->stored_position,
	                  take_hits, fold);
	if (some)
		EACH_SLOT(at, amended)
	read_person(fold, first_slot + at, at);
	count_different(fold);
}

void fold_counts(struct fold *fold, uint32_t first_slot, const uint64_t wanted[FOLD_WORDS],
                 uint32_t counts[FOLD_SLOTS])
{
	uint64_t      plain[FOLD_WORDS], amended[FOLD_WORDS];
	bool          some = take_out_amended(fold, first_slot, wanted, plain, amended);
	struct folded folded;
	assert(fold->wish.takes == 0);
	memset(counts, 0, FOLD_SLOTS * sizeof *counts);
	events_scan_count(fold->scan, first_slot, plain, fold->wish.partition->stored_position, counts);
	if (some)
		EACH_SLOT(at, amended)
	counts[at] = fold_person(fold, first_slot + at, &folded) ? folded.count : 0;
}
