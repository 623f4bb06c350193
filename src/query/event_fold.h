#ifndef SONNIM_QUERY_EVENT_FOLD_H
#define SONNIM_QUERY_EVENT_FOLD_H

/* What the stored events of many persons come to: how many passed a filter, when, what a property
 * of them sums up to; person by person, exactly as the language says (contracts, rules 8 to 26).
 *
 *   slots ──► parts and tails, side by side (events/events_scan.h) ──► one result a person
 *         └─► whoever has corrected facts: read as the engine does (engine/fact/facts.h)
 *
 * Meant for a few or for all persons of a partition, in ascending order, in slices between batches:
 * parts and tails may come and go in between. Each person is read as he is when he is asked for;
 * of somebody who has not changed since the instant that is what he was then.
 *
 * Thread: the partition's. Damaged parts: events_check(), as for every reader. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/apply/partition.h"

enum { FOLD_WORDS_MAX = 64, FOLD_SLOTS_MAX = 64 * FOLD_WORDS_MAX }; /* in one call */

/* What to find out, beside `count`. */
enum fold_take {
	FOLD_TIMES    = 1,  /* first_ms, last_ms */
	FOLD_SUM      = 2,  /* used, sum: of amounts (rule 19) */
	FOLD_EXTREMES = 4,  /* used, min, max: of numbers */
	FOLD_FIRST    = 8,  /* used, value: of the first event that has one */
	FOLD_LAST     = 16, /* used, value: of the last one */
	FOLD_DISTINCT = 32, /* used: of different values */
	FOLD_NEXT     = 64, /* next_ms */
};

/* At most one of SUM, EXTREMES, FIRST, LAST and DISTINCT. Everything outlives the fold. */
struct fold_wish {
	struct partition            *partition;
	struct text                  event;    /* empty: any */
	const struct compiled_where *where;    /* NULL: all of them */
	const struct amount_path    *property; /* NULL: none is looked at */
	struct span                  span;     /* which events count at `now_ms` */
	int64_t                      now_ms;
	int64_t                      received_before_ms; /* only what was; 0: whenever */
	unsigned                     takes;              /* enum fold_take */
};

struct folded {
	uint32_t     count;    /* events that pass, whatever they have of the property */
	uint32_t     used;     /* of these, those with a usable value; of DISTINCT values */
	int64_t      first_ms; /* of those that pass, of SUM to DISTINCT of those that are used; */
	int64_t      last_ms;  /* INSTANT_MS_NONE: there are none */
	int64_t      next_ms;  /* when one ceases or begins to count; INSTANT_MS_NEVER */
	double       min;
	double       max;
	__int128     sum;   /* millionths */
	struct value value; /* VALUE_NONE: there is none. Texts live until the next call */
};

struct fold;

struct fold *fold_new(const struct fold_wish *wish);
void         fold_free(struct fold *fold); /* NULL is fine */

/* The wanted ones (bit i: slot first_slot + i) of `word_count` words of slots from first_slot on, a
 * multiple of 64. `touched` gets a bit for each of them that has something, whose `folded[i]` is
 * then set; the others have nothing: no event counts, now or later. The more at once, the cheaper
 * is each. */
void fold_block(struct fold *fold, uint32_t first_slot, uint32_t word_count, const uint64_t *wanted,
                uint64_t *touched, struct folded *folded);

/* The same of a wish that takes nothing else: how many events count of each; 0 for those who are
 * not wanted. Faster. */
void fold_counts(struct fold *fold, uint32_t first_slot, uint32_t word_count,
                 const uint64_t *wanted, uint32_t *counts);

/* One person; false: nothing. */
bool fold_person(struct fold *fold, uint32_t slot, struct folded *ret_folded);

/* Stored events that reading everybody would look at, from what parts say of themselves. */
uint64_t fold_cost(struct fold *fold);

/* Stored events looked at so far. */
uint64_t fold_rows(const struct fold *fold);

#endif
