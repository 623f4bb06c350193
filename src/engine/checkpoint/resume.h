#ifndef SONNIM_ENGINE_RESUME_H
#define SONNIM_ENGINE_RESUME_H

/* How a partition that was loaded from a checkpoint catches up with the end of the round in which
 * that was made. A block of persons holds the records through a position of its own:
 *
 *   position of a record     ≤ begin      ≤ its block's    others     behind the end
 *   applied to its person    no           no               yes        yes
 *   to the whole partition   no           yes              yes        yes
 *   to the stored events     where they lack it (all four)
 *   changes are emitted      no           no               no         yes
 *
 * What happens up to the round's end, by records and by timers, is in the persisted change stream
 * already; from its end on each change has the place and the id that it had when it happened first.
 * Records for nobody in particular are applied to the whole partition; definitions do not change
 * during a round. Thread: the partition's. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"

struct partition;

struct resume {
	bool     active;         /* the end is not reached */
	uint64_t position;       /* of the begin; 0: not loaded from a checkpoint */
	VECTOR(uint64_t) blocks; /* positions */
	uint64_t end_position;   /* of the partition's last record before the end */
	uint32_t end_ordinal;
	int64_t  end_clock_ms;
	uint64_t first_change; /* the stream's length at the begin, and at the end */
	uint64_t change_count;
	uint64_t seen_position; /* of the last record read since */
};

void resume_done(struct resume *resume);

/* Whether a record is not to be applied to its person. */
bool resume_skips(const struct resume *resume, uint32_t slot, uint64_t position);

/* Whether the end is reached once all timers through `now_ms` have fired. */
bool resume_ends(const struct resume *resume, int64_t now_ms);

/* Takes up the stream where it ended, once all timers through end_clock_ms have fired. */
void resume_finish(struct partition *partition);

#endif
