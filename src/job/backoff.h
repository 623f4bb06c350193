#ifndef SONNIM_JOB_BACKOFF_H
#define SONNIM_JOB_BACKOFF_H

/* How long to wait before trying again: doubling from `first_ms` up to `max_ms`, and of that a
 * random part between the half and the whole ("equal jitter", M. Brooker, "Exponential Backoff And
 * Jitter", 2015), so that what failed together does not come back together. */

#include <stdint.h>

/* `attempt` from 1: how many have failed. `random` is any 64 random bits. */
int64_t backoff_ms(int64_t first_ms, int64_t max_ms, unsigned attempt, uint64_t random);

#endif
