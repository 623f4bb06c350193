#ifndef SONNIM_ENGINE_LEAF_H
#define SONNIM_ENGINE_LEAF_H

/* Leaves, traits and rules at one instant for one person. From the person's series where they can
 * tell; from the stored events where a series has dropped too much or what matters of an event is
 * relative to the instant, so that the answer is always exact. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/apply/partition.h"

/* Whether leaf `index` holds at `now_ms`, an instant not before the last look at what the person
 * has of its feature. `profile` may be NULL: a person without anything. Mostly what that look found
 * is still so, and nothing is evaluated. */
bool leaf_holds(struct partition *partition, uint32_t slot, const struct profile *profile,
                uint32_t index, int64_t now_ms);

/* The same, with an instant after `now_ms` before which the leaf does not flip by time alone;
 * mostly the exact one of the next flip. INSTANT_MS_NEVER: it does not. `ret_next_ms` may be
 * NULL. */
bool leaf_look(struct partition *partition, uint32_t slot, const struct profile *profile,
               uint32_t index, int64_t now_ms, int64_t *ret_next_ms);

/* The same for a leaf of any plan, of the catalog or not: from the stored events alone, at any
 * instant from the partition's clock on. */
bool leaf_look_events(struct partition *partition, uint32_t slot, const struct plan_leaf *leaf,
                      const struct plan_feature *feature, int64_t now_ms, int64_t *ret_next_ms);

/* The same at a past instant, of what was accepted before `received_before_ms`; 0: whenever. */
bool leaf_look_received(struct partition *partition, uint32_t slot, const struct plan_leaf *leaf,
                        const struct plan_feature *feature, int64_t now_ms,
                        int64_t received_before_ms);

/* The value that a trait leaf looks at. */
struct value trait_value(const struct trait_leaf *trait, struct text list, bool identified);

bool trait_holds(const struct trait_leaf *trait, struct text list, bool identified, int64_t now_ms);
int64_t trait_next_ms(const struct trait_leaf *trait, struct text list, int64_t now_ms);

/* Whether a rule holds, of which everything is built for this slot. */
bool rule_holds(struct partition *partition, uint32_t slot, const struct profile *profile,
                uint32_t rule, int64_t now_ms);

/* Whether it holds for a person without events and traits. */
bool rule_holds_by_default(struct partition *partition, uint32_t rule, bool identified);

/* Whether the person is a member as recorded, and since when. */
bool    rule_is_member(const struct partition *partition, const struct profile *profile,
                       uint32_t rule);
int64_t rule_since_ms(const struct partition *partition, const struct profile *profile,
                      uint32_t rule);

#endif
