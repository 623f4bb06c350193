#ifndef SONNIM_ENGINE_BUILD_H
#define SONNIM_ENGINE_BUILD_H

/* Backfill: what a PREPARE record brings is built from the stored events beside the live rules,
 * slot by slot, between steps. Slots below the cursor are kept up like live ones, without showing;
 * slots behind it are left alone until the cursor comes. So the result does not depend on the
 * speed. Builds follow one another, since a later one may share features with an earlier one. */

#include "engine/apply/partition.h"

MUST_USE enum status build_prepare(struct partition *partition, struct text body,
                                   struct error *err);

/* Builds about `slots` slots; true when there is more to do. */
bool build_continue(struct partition *partition, uint32_t slots);

/* The build of a change, built to its end; NULL when there is none. */
struct build *build_finish(struct partition *partition, uint64_t change_id);

/* Takes it out of the list and frees it; rules and features stay in the catalog. */
void build_drop(struct partition *partition, struct build *build);

/* 0..1000; 1000 when built or unknown. */
unsigned build_progress(const struct partition *partition, uint64_t change_id);

#endif
