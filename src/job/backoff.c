#include "job/backoff.h"

#include <assert.h>

int64_t backoff_ms(int64_t first_ms, int64_t max_ms, unsigned attempt, uint64_t random)
{
	assert(first_ms >= 0 && max_ms >= first_ms && attempt >= 1);
	int64_t whole_ms = first_ms;
	for (unsigned i = 1; i < attempt && whole_ms < max_ms; i++)
		whole_ms = whole_ms > max_ms / 2 ? max_ms : whole_ms * 2;
	int64_t half_ms = whole_ms / 2;
	return half_ms + (int64_t)(random % ((uint64_t)(whole_ms - half_ms) + 1));
}
