#include "app/simulate/sim_chance.h"

#include <assert.h>

enum { ROUNDS_MAX = 60 }; /* e^-60: never */

/* John von Neumann, "Various techniques used in connection with random digits" (1951): comparisons
 * alone. Draw until a number is larger than the one before; an odd count accepts the first one as
 * the fraction, an even one adds 1 and begins anew. */
int64_t sim_exponential(struct sim_chance *chance, int64_t mean)
{
	assert(mean >= 0 && mean < INT64_C(1) << 57);
	for (int64_t whole = 0; whole < ROUNDS_MAX; whole++) {
		uint64_t first = sim_random(chance), last = first, next;
		unsigned count = 1;
		while ((next = sim_random(chance)) < last) {
			last = next;
			count++;
		}
		if (count % 2 == 1)
			return whole * mean + (int64_t)sim_scale(first, (uint64_t)mean);
	}
	return ROUNDS_MAX * mean;
}
