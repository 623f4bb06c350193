#ifndef SONNIM_API_WOKEN_H
#define SONNIM_API_WOKEN_H

/* A thread that sleeps until somebody has work for it: its lock, and how it is made, woken and
 * ended. What it does, and what the lock is over, is its owner's.
 *
 *   woken_start() ─► run(owner): lock, while (!stopping) { woken_wait() … } ─► woken_stop() ─► done
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct woken {
	pthread_mutex_t lock;
	pthread_cond_t  wake; /* of the monotonic clock */
	pthread_t       thread;
	bool            stopping;
	bool            joined;
};

/* Everything that `run` looks at is there by now. */
void woken_start(struct woken *woken, void *(*run)(void *owner), void *owner);

/* Under the lock, on the thread: until it is woken, or so long at most; below 0: for ever. */
void woken_wait(struct woken *woken, int64_t most_ms);

/* Tells the thread to stop and waits for its end. */
void woken_stop(struct woken *woken);

/* After woken_stop(), when nobody takes the lock any more. */
void woken_done(struct woken *woken);

#endif
