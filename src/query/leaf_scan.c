#include "query/leaf_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "engine/apply/leaf.h"

enum { FEW_COUNTS = 64 };

/* What an event costs where a person is read alone, beside where all are. */
enum { ALONE = 50 };

struct leaf_scan {
	struct leaf_scan_config config;
	struct fold            *fold;
	bool                    alone;  /* a sequence: person by person */
	bool                    counts; /* nothing but how many is asked */
	bool                    by_default;
	bool                    few[FEW_COUNTS]; /* of `counts`: what holds of so many */
	uint64_t                asked;           /* alone */

	/* Of slots from ahead_slot on, ahead_words of 64: whether it holds, and for whom that is
	 * known. */
	uint32_t       ahead_slot;
	uint32_t       ahead_words;
	uint64_t       truths[FOLD_WORDS_MAX];
	uint64_t       known[FOLD_WORDS_MAX];
	uint32_t       counts_of[FOLD_SLOTS_MAX];
	struct folded *folded; /* FOLD_SLOTS_MAX; NULL: counts */
};

static unsigned takes_of(const struct plan_leaf *leaf)
{
	switch (leaf->aggregate) {
	case EXPR_COUNT:
		return 0;
	case EXPR_SUM:
	case EXPR_AVG:
		return FOLD_SUM;
	case EXPR_MIN:
	case EXPR_MAX:
		return FOLD_EXTREMES;
	case EXPR_DISTINCT:
		return FOLD_DISTINCT;
	case EXPR_FIRST:
		return FOLD_FIRST;
	case EXPR_LAST:
		return FOLD_LAST;
	default:
		return FOLD_TIMES;
	}
}

static bool truth_of(const struct leaf_scan *scan, const struct folded *folded)
{
	const struct plan_leaf *leaf   = scan->config.leaf;
	const struct expr_test *test   = &leaf->test;
	int64_t                 now_ms = scan->config.now_ms;
	switch (leaf->aggregate) {
	case EXPR_COUNT:
		return evaluate_count(test, folded->count);
	case EXPR_SUM:
		return evaluate_sum(test, folded->sum);
	case EXPR_AVG:
		return evaluate_average(test, folded->sum, folded->used);
	case EXPR_MIN:
		return evaluate_extreme(test, folded->used == 0 ? NULL : &folded->min);
	case EXPR_MAX:
		return evaluate_extreme(test, folded->used == 0 ? NULL : &folded->max);
	case EXPR_DISTINCT:
		return evaluate_count(test, folded->used);
	case EXPR_FIRST:
	case EXPR_LAST:
		return evaluate_test(test, &folded->value, now_ms);
	case EXPR_DAYS_SINCE_LAST:
		return evaluate_days(test, folded->last_ms, now_ms);
	case EXPR_DAYS_SINCE_FIRST:
		return evaluate_days(test, folded->first_ms, now_ms);
	case EXPR_AGGREGATE_COUNT:
		break;
	}
	assert(!"an aggregate of the table");
	return false;
}

struct leaf_scan *leaf_scan_new(const struct leaf_scan_config *config)
{
	const struct plan_feature *feature = config->feature;
	struct leaf_scan          *scan    = calloc(1, sizeof *scan);
	if (scan == NULL)
		abort();
	scan->config                = *config;
	scan->alone                 = feature->sequence != NULL;
	const struct fold_wish wish = {
		.partition          = config->partition,
		.event              = feature->event,
		.where              = feature->where,
		.property           = feature->kind == SERIES_TIMES ? NULL : &feature->property,
		.span               = config->leaf->span,
		.now_ms             = config->now_ms,
		.received_before_ms = config->received_before_ms,
		.takes              = scan->alone ? 0 : takes_of(config->leaf),
	};
	scan->fold = fold_new(&wish);
	if (scan->alone)
		return scan; /* without events no sequence holds */
	const struct folded nothing = {.first_ms = INSTANT_MS_NONE, .last_ms = INSTANT_MS_NONE};
	scan->by_default            = truth_of(scan, &nothing);
	scan->counts                = wish.takes == 0;
	if (!scan->counts && (scan->folded = malloc(FOLD_SLOTS_MAX * sizeof *scan->folded)) == NULL)
		abort();
	for (uint32_t i = 0; i < FEW_COUNTS && scan->counts; i++)
		scan->few[i] = evaluate_count(&config->leaf->test, i);
	return scan;
}

void leaf_scan_free(struct leaf_scan *scan)
{
	if (scan == NULL)
		return;
	fold_free(scan->fold);
	free(scan->folded);
	free(scan);
}

uint64_t leaf_scan_cost(struct leaf_scan *scan)
{
	return fold_cost(scan->fold) * (scan->alone ? ALONE : 1);
}

uint64_t leaf_scan_rows(const struct leaf_scan *scan)
{
	return fold_rows(scan->fold) + scan->asked;
}

bool leaf_scan_person(struct leaf_scan *scan, uint32_t slot)
{
	const struct leaf_scan_config *config = &scan->config;
	scan->asked++;
	return leaf_look_received(config->partition, slot, config->leaf, config->feature,
	                          config->now_ms, config->received_before_ms);
}

/* ---- Many at once ---- */

static void count_words(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                        const uint64_t *wanted, uint64_t *holds)
{
	const uint32_t *counts = scan->counts_of;
	fold_counts(scan->fold, first_slot, word_count, wanted, scan->counts_of);
	for (uint32_t i = 0; i < word_count; i++) {
		uint64_t bits = 0;
		for (unsigned j = 0; j < 64; j++, counts++) {
			bool truth = *counts < FEW_COUNTS ? scan->few[*counts]
			                                  : evaluate_count(&scan->config.leaf->test, *counts);
			bits |= (uint64_t)truth << j;
		}
		holds[i] = bits & wanted[i];
	}
}

static void fold_words(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *wanted, uint64_t *holds)
{
	uint64_t touched[FOLD_WORDS_MAX];
	fold_block(scan->fold, first_slot, word_count, wanted, touched, scan->folded);
	for (uint32_t i = 0; i < word_count; i++) {
		uint64_t bits = scan->by_default ? wanted[i] & ~touched[i] : 0;
		for (uint64_t left = touched[i]; left != 0; left &= left - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(left);
			bits |= (uint64_t)truth_of(scan, &scan->folded[i * 64 + bit]) << bit;
		}
		holds[i] = bits;
	}
}

static void look_at_words(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                          const uint64_t *wanted, uint64_t *holds)
{
	if (scan->counts)
		count_words(scan, first_slot, word_count, wanted, holds);
	else
		fold_words(scan, first_slot, word_count, wanted, holds);
}

static uint64_t ask_each(struct leaf_scan *scan, uint32_t first_slot, uint64_t wanted)
{
	uint64_t bits = 0;
	for (uint64_t left = wanted; left != 0; left &= left - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		bits |= (uint64_t)leaf_scan_person(scan, first_slot + bit) << bit;
	}
	return bits;
}

/* ---- Ahead ---- */

/* So many wanted ones of a block let one expect as many in the next. */
static bool are_many(const uint64_t wanted[LEAF_SCAN_WORDS])
{
	enum { MANY = LEAF_SCAN_SLOTS / 32 };
	int count = 0;
	for (unsigned i = 0; i < LEAF_SCAN_WORDS; i++)
		count += __builtin_popcountll(wanted[i]);
	return count >= MANY;
}

/* Everybody from the slot on, or those expected, but those who are read one by one: they wait until
 * they are asked for. */
static void look_ahead(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                       const uint64_t *expected)
{
	const struct fact_slots *amended =
		facts_amended(&scan->config.partition->facts, scan->config.feature->event);
	for (uint32_t i = 0; i < word_count; i++)
		scan->known[i] = ~fact_slots_at(amended, first_slot / 64 + i) &
		                 (expected == NULL ? UINT64_MAX : expected[i]);
	scan->ahead_slot  = first_slot;
	scan->ahead_words = word_count;
	look_at_words(scan, first_slot, word_count, scan->known, scan->truths);
}

bool leaf_scan_is_ahead(const struct leaf_scan *scan, uint32_t first_slot)
{
	return first_slot >= scan->ahead_slot &&
	       first_slot / 64 + LEAF_SCAN_WORDS <= scan->ahead_slot / 64 + scan->ahead_words;
}

void leaf_scan_expect(struct leaf_scan *scan, uint32_t first_slot, uint32_t word_count,
                      const uint64_t *expected)
{
	assert(first_slot % 64 == 0);
	if (scan->alone || leaf_scan_is_ahead(scan, first_slot))
		return;
	look_ahead(scan, first_slot, word_count < FOLD_WORDS_MAX ? word_count : FOLD_WORDS_MAX,
	           expected);
}

void leaf_scan_block(struct leaf_scan *scan, uint32_t first_slot,
                     const uint64_t wanted[LEAF_SCAN_WORDS], uint64_t holds[LEAF_SCAN_WORDS])
{
	bool ahead = !scan->alone && leaf_scan_is_ahead(scan, first_slot);
	assert(first_slot % 64 == 0);
	if (!scan->alone && !ahead && are_many(wanted)) {
		look_ahead(scan, first_slot, FOLD_WORDS_MAX, NULL);
		ahead = true;
	}
	if (!scan->alone && !ahead) {
		look_at_words(scan, first_slot, LEAF_SCAN_WORDS, wanted, holds);
		return;
	}
	for (uint32_t i = 0; i < LEAF_SCAN_WORDS; i++) {
		uint32_t at    = first_slot / 64 + i - scan->ahead_slot / 64;
		uint64_t known = ahead ? scan->known[at] : 0;
		uint64_t left  = wanted[i];
		holds[i]       = known == 0 ? 0 : scan->truths[at] & left & known;
		holds[i] |= ask_each(scan, first_slot + i * 64, left & ~known);
	}
}
