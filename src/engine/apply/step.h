#ifndef SONNIM_ENGINE_STEP_H
#define SONNIM_ENGINE_STEP_H

/* One step of one person: rules that may have flipped are gathered as candidates, then evaluated by
 * level, so that nobody sees a derived segment between two states; each flip becomes a change.
 *
 *   step_begin(p); step_touch_leaf(p, …) …; step_finish(p, slot, profile, at) */

#include "engine/apply/partition.h"

void step_begin(struct partition *partition);

/* Rules may have flipped. Of several causes an event is named before time. Those that are not built
 * for `slot` are ignored. */
void step_touch_all(struct partition *partition, uint32_t slot, const index_list *rules,
                    enum cause cause, uint64_t event_position);

/* The same for all rules of a leaf that has flipped, and now `holds`. */
void step_touch_leaf(struct partition *partition, uint32_t slot, uint32_t leaf, bool holds,
                     enum cause cause, uint64_t event_position);

/* The same where it is known which rule has the leaf; LADDER_RULES: it is to be asked. */
void step_touch_rule(struct partition *partition, uint32_t slot, uint32_t leaf, uint32_t rule,
                     bool holds, enum cause cause, uint64_t event_position);

void step_finish(struct partition *partition, uint32_t slot, struct profile *profile,
                 int64_t at_ms);

/* Records a change with the next id. `profile` NULL: it concerns nobody in particular. */
void step_emit(struct partition *partition, struct profile *profile, struct change change);

/* Sets what is recorded of a person and a rule. */
void step_set_member(struct partition *partition, uint32_t slot, struct profile *profile,
                     uint32_t rule, bool member, int64_t since_ms);

/* Sees to it that the person's timer fires at or before `due_ms` (NEVER: nothing to do). */
void step_arm(struct partition *partition, uint32_t slot, struct profile *profile, int64_t due_ms);

/* Computes anew when the person's traits may flip, and arms the timer. */
void step_rearm_traits(struct partition *partition, uint32_t slot, struct profile *profile,
                       int64_t now_ms);

#endif
