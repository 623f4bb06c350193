#ifndef SONNIM_ENGINE_FUTURE_H
#define SONNIM_ENGINE_FUTURE_H

/* Events that were accepted before their time (5 minutes at most): when one begins to count, by
 * timer, the change bears it as its cause. A binary heap by time. Owner: the partition. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct future_event {
	int64_t  time_ms;
	uint32_t slot;
	uint64_t position;
};

struct future {
	struct future_event *items;
	size_t               count;
	size_t               capacity;
};

void future_done(struct future *future);
void future_add(struct future *future, struct future_event event);

/* Takes out the earliest one if its time is at or before `through_ms`. */
bool future_take(struct future *future, int64_t through_ms, struct future_event *ret_event);

#endif
