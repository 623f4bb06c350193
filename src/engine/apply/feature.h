#ifndef SONNIM_ENGINE_FEATURE_H
#define SONNIM_ENGINE_FEATURE_H

/* What a feature takes from an event, into the series of a person.
 *
 * An event concerns a feature by its name and `where`, of a sequence by those of some step. It may
 * bring nothing all the same: a sum takes numbers only, distinct nothing from an empty set; of a
 * set distinct takes each item, at the event's time. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/apply/partition.h"

/* Whether an event that the filter index has found concerns the feature. Whether it passes a
 * relative test depends on when one looks, so that one concerns it in any case. */
bool feature_concerns(const struct plan_feature *feature, const struct record *record,
                      int64_t now_ms);

/* Whether an event of any name passes at `now_ms` and brings something. */
bool feature_matches(const struct plan_feature *feature, const struct record *record,
                     int64_t now_ms);

/* Adds what the feature takes from an event that concerns it, as it is at `now_ms`. `series` may
 * be NULL, an empty one; returns it, made or moved where need be. Where it would have to grow, what
 * no leaf of the feature looks at any more is let go first. Nothing is taken for a feature that is
 * relative: it keeps no series. `*ret_longer`: something was taken, and nothing older dropped for
 * it. */
struct series *feature_add(const struct feature *feature, struct series *series,
                           const struct record *record, int64_t time_ms, int64_t now_ms,
                           bool *ret_longer);

/* What time range of a person's events to read, and what came out. */
struct feature_scan {
	int64_t        from_ms; /* events of from <= time < to are enough */
	int64_t        to_ms;
	int64_t        received_before_ms; /* only what was accepted before it; 0: whenever */
	int64_t        change_ms; /* out: when some event may pass a relative test another way */
	struct series *series;    /* out: as of now, uncapped; to be freed */
};

/* Reads the stored events; cost: those of the person in the range. */
void feature_scan(struct partition *partition, uint32_t slot, const struct plan_feature *feature,
                  int64_t now_ms, struct feature_scan *scan);

/* Gives the person what is kept of these features, from the stored events, which are read once;
 * they must not have them yet. Nothing is kept of those without events. */
void feature_build(struct partition *partition, uint32_t slot, struct profile *profile,
                   const index_list *features, int64_t now_ms);

/* Takes away what is kept of events of which none matters any more. */
void feature_forget(struct partition *partition, struct profile *profile, int64_t now_ms);

#endif
