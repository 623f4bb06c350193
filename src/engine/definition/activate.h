#ifndef SONNIM_ENGINE_ACTIVATE_H
#define SONNIM_ENGINE_ACTIVATE_H

/* The step of an ACTIVATE record: what was prepared takes the place of what was live, in one
 * instant, with everything derived from it. Only the difference is recorded, by person slot, level,
 * segment number; before them one entry for each segment that from now on holds, or no longer
 * holds, for everyone without events (contracts, rules 22 and 28):
 *
 *            before        after
 *   person   member        member       no change, stays a member since then
 *            not           member       entered; nothing where the entry for everyone says it
 *            member        not          exited
 *            not           not          nothing; exited where an entry for everyone says entered
 *
 * Cost: the persons of whom something is recorded. An edit after which a segment holds for fewer
 * without events looks at everybody of the partition, since each leaves by himself: 0.2 µs a
 * person, all in this one step, since it is one instant. */

#include "engine/apply/partition.h"

MUST_USE enum status activate(struct partition *partition, struct text body, int64_t at_ms,
                              struct error *err);

/* The step of an ABANDON record: what was prepared, built or not, is dropped with all that was made
 * of it, and nothing is recorded of it; what the record lists ceases to be, as with ACTIVATE. A
 * change that was activated before stays, one that was abandoned is never activated. The state
 * behind it answers what it would without the PREPARE, however far a build came. Cost: what was
 * built; a look at everybody where features go. */
MUST_USE enum status abandon(struct partition *partition, struct text body, int64_t at_ms,
                             struct error *err);

#endif
