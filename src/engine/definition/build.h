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

/* The build of a change; NULL when there is none. build_finish() builds it to its end. */
struct build *build_find(const struct partition *partition, uint64_t change_id);
struct build *build_finish(struct partition *partition, uint64_t change_id);

/* Takes it out of the list and frees it; rules and features stay in the catalog. */
void build_drop(struct partition *partition, struct build *build);

/* The same of one that does not become live, however far it came: nobody is left a member of its
 * rules, features go back to what the rules that remain look at, and those that serve nobody are
 * dead and added to `*dead`, with those that the next build must build anew: their series are to
 * be taken from everybody. Cost: what was built, but no stored event is read. */
void build_abandon(struct partition *partition, struct build *build, index_list *dead);

/* 0..1000; 1000 when built or unknown. */
unsigned build_progress(const struct partition *partition, uint64_t change_id);

#endif
