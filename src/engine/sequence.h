#ifndef SONNIM_ENGINE_SEQUENCE_H
#define SONNIM_ENGINE_SEQUENCE_H

/* Sequences, from a series of the events that match a step, marked with a bit a step.
 *
 *   marks   1   1   2   4   2 4  …       steps 1, 2, 4
 *           └───┼───┴───┘                a chain: t_first, t_last
 *               └───────┘                the one that begins latest, of all that end here
 *
 * A chain holds in [t_last, min(t_last + ended_within, end of t_first's existence)), and is one if
 * t_last − t_first < within. Of those with one end the one that begins latest does whatever any of
 * them does; so, going through the events in order, it is enough to know for each number of steps
 * the latest beginning of a chain so far (dynamic programming; steps last to first, so that an
 * event does not follow itself). Ends and beginnings both grow: the chains' times are intervals in
 * order, and the leaf holds in their union. Future events are intervals yet to come, so the next
 * flip is exact. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/plan.h"
#include "engine/series.h"

/* Whether the leaf holds at `now_ms`, and the next instant at which it flips (INSTANT_MS_NEVER).
 * `series` NULL: without events. False, and nothing is set, when it has dropped what may matter.
 * Cost: O(count × steps an event matches). */
bool sequence_look(const struct plan_leaf *leaf, unsigned step_count, const struct series *series,
                   int64_t now_ms, bool *ret_holds, int64_t *ret_next_ms);

#endif
