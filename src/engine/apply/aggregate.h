#ifndef SONNIM_ENGINE_AGGREGATE_H
#define SONNIM_ENGINE_AGGREGATE_H

/* The aggregates of event leaves, from a series: whether a leaf holds and when it flips. Pure
 * functions of the series and the instant.
 *
 *   aggregate                       of those that count        kind of series
 *   count, days_since_first, _last  how many; the ends' times  TIMES
 *   sum, avg                        running totals             TOTALS
 *   min, max                        numbers                    NUMBERS
 *   first, last                     whether the end passes     MARKS
 *   distinct                        keys of values             KEYS
 *
 * Nothing to aggregate is 0 for count, sum, distinct, and missing for the others (rule 14). */

#include <stdbool.h>
#include <stdint.h>

#include "engine/catalog/plan.h"
#include "engine/apply/series.h"

/* Whether the leaf holds at `now_ms`, and an instant behind it before which that does not change by
 * time alone, mostly the next flip itself; INSTANT_MS_NEVER: it does not. `ret_next_ms` may be
 * NULL. `series` may be NULL, an empty one. Returns false, and sets nothing, when the series has
 * dropped too much to tell.
 * Cost: O(log count) and what counts: nothing for counts, sums and averages, one item for first,
 * last and days_since, each for min, max and distinct. */
bool aggregate_look(const struct plan_leaf *leaf, const struct series *series, int64_t now_ms,
                    bool *ret_holds, int64_t *ret_next_ms);

#endif
