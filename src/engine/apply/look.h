#ifndef SONNIM_ENGINE_LOOK_H
#define SONNIM_ENGINE_LOOK_H

/* What an event, or an instant, flips of a person's leaves. Of leaves on a ladder (ladder.h)
 * only those are met that flip, those of a gauge (gauge.h) are told by one walk; the others are
 * evaluated before and after. What has flipped touches its rules (step.h), and the person's timer
 * is armed for the next flip by time alone. */

#include "engine/apply/partition.h"

/* Adds the features that an event matches, as far as they are built for its person. */
void look_find(struct partition *partition, const struct record *record, int64_t now_ms,
               index_list *features);

/* What the leaves that must be evaluated are before an event that matches partition->touched. */
void look_before(struct partition *partition, uint32_t slot, const struct profile *profile,
                 int64_t now_ms);

/* Adds the event, which is stored already, to the series of these features, once after each
 * look_before(), and sees what that flips. */
struct look_event {
	const struct record *record;
	int64_t              time_ms;
	int64_t              now_ms;
	uint64_t             position;
};
void look_at_event(struct partition *partition, struct profile *profile,
                   const struct look_event *event);

/* What flips at `at_ms` by time alone, of a feature whose next_ms has come. */
void look_at_instant(struct partition *partition, uint32_t slot, struct profile *profile,
                     struct person_feature *kept, int64_t at_ms);

/* Computes anew when a feature of the person may flip, and arms the timer. */
void look_again(struct partition *partition, uint32_t slot, struct profile *profile,
                struct person_feature *kept, int64_t now_ms);

#endif
