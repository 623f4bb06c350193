#ifndef SONNIM_ENGINE_AMEND_H
#define SONNIM_ENGINE_AMEND_H

/* A change of what is seen of a person's stored events other than by one more event: a correction
 * of a fact, a merge, or a correction that begins or ends by time. The events seen before and after
 * are compared; every feature that one of the differing versions may match is built anew from the
 * stored events, and the rules of the leaves that this flips are touched.
 *
 *   step_begin(p); amend_begin(&amend, p, slot, profile, before);
 *   … store events, drop some …; amend_finish(&amend, now, cause, event); step_finish(…)
 *
 * Cost: a walk over the person's stored events, and the leaves of the features touched. */

#include "base/arena.h"
#include "engine/apply/partition.h"

struct amend {
	struct partition *partition;
	struct profile   *profile;
	uint32_t          slot;
	int64_t           before_ms;
	uint64_t          stored_before;
	struct arena      arena; /* versions of events */
	event_list        seen;  /* before */
};

/* Looks at the person as at `before_ms`. */
void amend_begin(struct amend *amend, struct partition *partition, uint32_t slot,
                 struct profile *profile, int64_t before_ms);

/* Compares with what is seen at `now_ms`. */
void amend_finish(struct amend *amend, int64_t now_ms, enum cause cause, uint64_t event_position);

/* What time alone amends at `at_ms`, within the step of the timers of that instant. */
void amend_fire(struct partition *partition, uint32_t slot, struct profile *profile, int64_t at_ms);

#endif
