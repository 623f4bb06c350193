#ifndef SONNIM_ENGINE_TIMERS_H
#define SONNIM_ENGINE_TIMERS_H

/* A partition's timers: a hierarchical timing wheel with the exactness of 1 ms and no horizon
 * (Varghese and Lauck 1987, hashed and hierarchical wheels; ours keeps each entry in the level of
 * the highest digit in which its instant differs from the wheel's, as a radix heap does, so that an
 * entry moves at most once a level).
 *
 *   level 0: 64 buckets of 1 ms     the instant's lowest 6 bits
 *   level 1: 64 buckets of 64 ms    the next 6
 *   …        11 levels cover all of int64
 *
 * Entries are never taken back: who fires asks the person whether the entry still counts.
 * Thread: the partition's. Cost: adding O(1), firing O(levels) an entry, amortised. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"

enum { TIMER_LEVELS = 11, TIMER_BUCKETS = 64 };

struct timer {
	int64_t  due_ms;
	uint32_t slot;
};

struct timer_bucket {
	struct timer *items;
	size_t        count;
	size_t        capacity;
};

struct timers {
	int64_t             now_ms; /* nothing is due at or before it */
	uint64_t            count;
	uint64_t            occupied[TIMER_LEVELS]; /* a bit a bucket */
	struct timer_bucket buckets[TIMER_LEVELS][TIMER_BUCKETS];
};

void timers_init(struct timers *timers, int64_t now_ms);
void timers_done(struct timers *timers);

/* `due_ms` > timers->now_ms. */
void timers_add(struct timers *timers, uint32_t slot, int64_t due_ms);

/* The next instant at which something is due, if it is at or before `through_ms`: moves there and
 * adds the slots that are due at it to `*slots` (not cleared; in no order, perhaps twice).
 * Otherwise moves to `through_ms` and returns false. */
typedef VECTOR(uint32_t) slot_list;
bool timers_advance(struct timers *timers, int64_t through_ms, int64_t *ret_due_ms,
                    slot_list *slots);

/* A lower bound of the next instant at which something is due, INSTANT_MS_NEVER when nothing is:
 * how long a thread may sleep. */
int64_t timers_next_ms(const struct timers *timers);

#endif
