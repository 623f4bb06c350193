#ifndef SONNIM_ENGINE_LEAVE_H
#define SONNIM_ENGINE_LEAVE_H

/* A person ceases to exist: a visitor who became a user (engine/merge/merge.h), or one who is
 * erased (engine/merge/erasure.h). */

#include "engine/apply/partition.h"

/* Every membership ends with a change of this cause, in one step, by level and segment number; then
 * he is in no count and no bitmap, and nothing is kept of him but his traits: they are the caller's
 * to move or to clear. `profile` exists. */
void leave(struct partition *partition, uint32_t slot, struct profile *profile, enum cause cause,
           int64_t at_ms);

#endif
