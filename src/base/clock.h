#ifndef SONNIM_BASE_CLOCK_H
#define SONNIM_BASE_CLOCK_H

/* Where time comes from. Only the journal reads the wall clock for anything that changes an
 * answer (journal/log_clock.h); everything else here is for logs, deadlines and tests.
 * Callable from any thread. */

#include <stdint.h>
#include <time.h>

int64_t clock_wall_ms(void);      /* since the epoch, UTC */
int64_t clock_monotonic_ns(void); /* never goes back; not comparable between processes */

static inline int64_t clock_monotonic_ms(void) { return clock_monotonic_ns() / 1000000; }

/* The instant so many milliseconds from now (0 or more), for pthread_cond_timedwait() on a
 * condition that counts by the monotonic clock. */
struct timespec clock_deadline(int64_t from_now_ms);

#endif
