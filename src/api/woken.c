#include "api/woken.h"

#include <assert.h>

#include "base/clock.h"

void woken_start(struct woken *woken, void *(*run)(void *owner), void *owner)
{
	pthread_condattr_t attributes;
	*woken = (struct woken){.stopping = false};
	pthread_mutex_init(&woken->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&woken->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	int failed = pthread_create(&woken->thread, NULL, run, owner);
	assert(failed == 0);
}

void woken_wait(struct woken *woken, int64_t most_ms)
{
	if (most_ms < 0) {
		pthread_cond_wait(&woken->wake, &woken->lock);
		return;
	}
	struct timespec until = clock_deadline(most_ms);
	pthread_cond_timedwait(&woken->wake, &woken->lock, &until);
}

void woken_stop(struct woken *woken)
{
	pthread_mutex_lock(&woken->lock);
	woken->stopping = true;
	pthread_cond_broadcast(&woken->wake);
	pthread_mutex_unlock(&woken->lock);
	pthread_join(woken->thread, NULL);
	woken->joined = true;
}

void woken_done(struct woken *woken)
{
	assert(woken->joined);
	pthread_mutex_destroy(&woken->lock);
	pthread_cond_destroy(&woken->wake);
}
