#include "query/lanes.h"

#include <stdbool.h>
#include <stddef.h>

#include "query/lanes_internal.h"

enum { SETS_MAX = 4 };

/* From the slowest to the fastest. */
static unsigned find_sets(const struct lanes *sets[SETS_MAX])
{
	unsigned count = 0;
	sets[count++]  = &lanes_plain;
#if defined(__x86_64__)
	/* A processor without the one has not the other. */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
		sets[count++] = &lanes_avx2;
	if (count > 1 && __builtin_cpu_supports("avx512f"))
		sets[count++] = &lanes_avx512;
	if (count > 2 && __builtin_cpu_supports("avx512vpopcntdq"))
		sets[count++] = &lanes_vpopcnt;
#elif defined(__aarch64__)
	sets[count++] = &lanes_neon; /* every one has it */
#endif
	return count;
}

const struct lanes *lanes_at(unsigned index)
{
	const struct lanes *sets[SETS_MAX];
	return index < find_sets(sets) ? sets[index] : NULL;
}

const struct lanes *lanes_best(void)
{
	const struct lanes *sets[SETS_MAX];
	return sets[find_sets(sets) - 1];
}
