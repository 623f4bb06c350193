#ifndef SONNIM_ENGINE_GAUGE_H
#define SONNIM_ENGINE_GAUGE_H

/* The leaves of one feature that compare a sum or an average with one number, so that an event or
 * an instant looks at each window once and at no leaf by itself, before and after.
 *
 *   series   t0   t1     t2      t3  now      lines, by window:  W = 1h   sum ≥ 100
 *            s0   s1     s2      s3                              W = 1d   avg < 20,  sum ≥ 500
 *                 └─ within W ───┘            what a window holds is a difference of two totals
 *
 * Windows are nested, so that the first event that counts in one is found from that of the shorter
 * one before it. What a window held before an event is what it holds now, without the event. When a
 * line flips by time alone is found by letting the events end one by one, no further than what is
 * known already to flip earlier.
 *
 * Only leaves fit that sum with `within` or without any span and compare by order; the others are
 * evaluated one by one (engine/apply/leaf.h).
 * Owner: the catalog. Cost: of each window O(log events), and what ends before the next flip, at
 * most GAUGE_STEPS_MAX events. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "engine/apply/ladder.h"
#include "engine/apply/series.h"
#include "engine/catalog/plan.h"

enum { GAUGE_STEPS_MAX = 64 };

/* `reached` when sum >= value, of an average sum >= value × count; when strict, beyond it. */
struct gauge_line {
	int64_t  within_ms; /* INSTANT_MS_NEVER: as long as the retention */
	int64_t  value_millionths;
	uint32_t leaf;
	uint32_t rule; /* that has this leaf, if it is one alone; else LADDER_RULES */
	bool     average;
	bool     strict;
	bool     below; /* the leaf holds while the value is not reached */
};

struct gauge {
	uint32_t          count;
	uint32_t          capacity;
	int64_t           retention_ms;
	struct gauge_line lines[]; /* by window */
};

void gauge_free(struct gauge *gauge); /* NULL is one without lines */

/* False: the leaf does not fit, nothing is added. Adding may move the gauge. */
bool gauge_add(struct gauge **gauge, uint32_t leaf, const struct plan_feature *feature,
               const struct plan_leaf *plan);
void gauge_remove(struct gauge *gauge, uint32_t leaf);

/* As ladder_set_rule(). */
void gauge_set_rule(struct gauge *gauge, uint32_t leaf, uint32_t rule);

/* A leaf that has flipped, and now `holds`. */
struct gauge_flip {
	uint32_t leaf;
	uint32_t rule;
	bool     holds;
};
typedef VECTOR(struct gauge_flip) gauge_flip_list;

/* What the event at `added` of the series has flipped, added to `*flips` (not cleared). `happened`
 * events of the series have come by `now_ms`; one that has not, or none (UINT32_MAX), flips
 * nothing. Returns an instant before which what has come flips nothing by time alone, mostly that
 * of the next flip; INSTANT_MS_NEVER. */
int64_t gauge_climb(const struct gauge *gauge, const struct series *series, uint32_t happened,
                    uint32_t added, int64_t now_ms, gauge_flip_list *flips);

/* What flips at `at_ms`, when all events have come before it; NULL: nothing is asked. Returns the
 * same. */
int64_t gauge_fall(const struct gauge *gauge, const struct series *series, int64_t at_ms,
                   gauge_flip_list *flips);

#endif
