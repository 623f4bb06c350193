#ifndef SONNIM_ENGINE_LADDER_H
#define SONNIM_ENGINE_LADDER_H

/* The counting leaves of one feature, so that what an event or an instant flips is found without
 * evaluating each of them.
 *
 * A rung (N, W) is crossed upwards when the count within W goes from N − 1 to N, downwards when it
 * goes back. `count >= 3` is the rung 3, `count < 3` too, `count = 3` the rungs 3 and 4. Rungs
 * stand by N, then by W; the N-th newest time t alone decides over all of one N:
 *
 *   N = 1:  W = 1h  1d  7d  ∞      stands on (N, W) at `now`  ⇔  t + W > now  ⇔  W > g = now − t
 *   N = 3:  W = 1d  30d            a suffix of the N, found by bisection; the first of it is the
 *                                  next one to fall, at t + W
 *
 * An event puts t in the place of the one before, t': those with W in (g, g'] are crossed, no
 * others. At an instant those are crossed downwards whose t + W is that instant.
 *
 * Only leaves fit that count with `within` or without any span, and compare with few whole numbers;
 * the others are evaluated one by one (engine/apply/leaf.h).
 * Owner: the catalog. Cost: of each N, O(log rungs) and one a rung crossed. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "engine/catalog/plan.h"

enum {
	LADDER_RUNGS_MAX = 8,       /* of one leaf */
	LADDER_N_MAX     = 1000000, /* counts compared with more do not fit */
};
#define LADDER_RULES UINT32_MAX

struct rung {
	int64_t  within_ms; /* INSTANT_MS_NEVER: as long as the retention */
	uint32_t n;
	uint32_t leaf : 30;
	uint32_t above : 1; /* what the leaf is with the count N, within this window */
	uint32_t alone : 1; /* the leaf has no other rung: below, it is the contrary */
	uint32_t end;       /* the first rung of the next N */
	uint32_t rule;      /* that has this leaf, if it is one alone; else LADDER_RULES */
};

struct ladder {
	struct rung *rungs;
	uint32_t     count;
	uint32_t     capacity;
	int64_t      retention_ms;
};

void ladder_done(struct ladder *ladder);

/* False: the leaf does not fit, nothing is added. */
bool ladder_add(struct ladder *ladder, uint32_t leaf, const struct plan_feature *feature,
                const struct plan_leaf *plan);
void ladder_remove(struct ladder *ladder, uint32_t leaf);

/* Which rule a leaf belongs to, if it is one alone, so that who crosses a rung need not ask the
 * leaf; LADDER_RULES: none or several. */
void ladder_set_rule(struct ladder *ladder, uint32_t leaf, uint32_t rule);

/* What is crossed is added to `*crossed` (not cleared). */
typedef VECTOR(struct rung) rung_list;

/* What an event of `time_ms` has crossed upwards: `times_ms`, oldest first, are those of the series
 * that have come by `now_ms`, the event's among them unless it was too old for the series. Returns
 * the next instant at which a rung is crossed downwards. */
int64_t ladder_climb(const struct ladder *ladder, const int64_t *times_ms, uint32_t count,
                     int64_t time_ms, int64_t now_ms, rung_list *crossed);

/* What is crossed downwards at `at_ms` when all times have come before it; NULL: nothing is asked.
 * Returns the next such instant. */
int64_t ladder_fall(const struct ladder *ladder, const int64_t *times_ms, uint32_t count,
                    int64_t at_ms, rung_list *crossed);

#endif
