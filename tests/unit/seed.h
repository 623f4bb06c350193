#ifndef SONNIM_TESTS_SEED_H
#define SONNIM_TESTS_SEED_H

/* Numbers for randomised tests: xorshift64*, from a seed that is printed and can be given again
 * as SONNIM_TEST_SEED. */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t seed_state;

static inline void seed_begin(const char *test)
{
	const char *given = getenv("SONNIM_TEST_SEED");
	seed_state        = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	if (seed_state == 0)
		seed_state = 1;
	printf("%s: SONNIM_TEST_SEED=%" PRIu64 "\n", test, seed_state);
}

static inline uint64_t seed_next(void)
{
	seed_state ^= seed_state >> 12;
	seed_state ^= seed_state << 25;
	seed_state ^= seed_state >> 27;
	return seed_state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t seed_below(uint64_t bound) { return (seed_next() >> 11) % bound; }

#endif
