#include "base/clock.h"

#include <assert.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
	struct timespec now;
	int             failed = clock_gettime(CLOCK_REALTIME, &now);
	assert(!failed);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ns(void)
{
	struct timespec now;
	int             failed = clock_gettime(CLOCK_MONOTONIC, &now);
	assert(!failed);
	return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct timespec clock_deadline(int64_t from_now_ms)
{
	struct timespec until;
	int             failed = clock_gettime(CLOCK_MONOTONIC, &until);
	assert(!failed);
	until.tv_sec += from_now_ms / 1000;
	until.tv_nsec += from_now_ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}
