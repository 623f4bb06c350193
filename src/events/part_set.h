#ifndef SONNIM_EVENTS_PART_SET_H
#define SONNIM_EVENTS_PART_SET_H

/* The parts of a partition at one time: never changed once made, so that any thread reads it while
 * it holds a reference. A new one takes its place when parts come or go; parts that no set has any
 * more are unmapped. */

#include <stdatomic.h>

#include "events/events.h"
#include "events/part.h"

struct part_set {
	_Atomic uint32_t refs;
	uint64_t         through_position; /* as in the manifest */
	int64_t          expired_ms;
	uint64_t         flushes; /* tails that were written since the start */
	uint64_t         events;
	uint64_t         bytes; /* of the files */
	size_t           count;
	struct part     *parts[]; /* each with a reference; by month, then number */
};

/* Takes references to the parts. */
struct part_set *part_set_new(struct part *const *parts, size_t count, uint64_t through_position,
                              int64_t expired_ms, uint64_t flushes);
struct part_set *part_set_ref(struct part_set *set);
void             part_set_unref(struct part_set *set); /* NULL is fine */

/* Adds what is wanted of a person, each part's in order. */
void part_set_read(const struct part_set *set, uint32_t slot, const struct events_query *query,
                   event_list *list);

/* Whether a call with this message id lies before the position and exists at `now_ms`. */
bool part_set_seen(const struct part_set *set, uint32_t slot, struct text message_id,
                   uint64_t message_hash, uint64_t before_position, int64_t now_ms,
                   int64_t retention_ms);
void part_set_prefetch(const struct part_set *set, uint32_t slot, uint64_t message_hash);

/* What ends at or before it cannot be seen at `now_ms`: it ended, or may be gone from the parts
 * already. */
int64_t part_set_ends_after_ms(const struct part_set *set, int64_t now_ms);

#endif
