#include "base/vector.h"

#include <stdint.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 8 };

void *vector_grow(void *items, size_t *capacity, size_t wanted_count, size_t item_size)
{
	if (wanted_count > SIZE_MAX / 4 / item_size)
		abort();
	size_t count = *capacity < CAPACITY_MIN ? CAPACITY_MIN : *capacity;
	while (count < wanted_count)
		count *= 2;

	void *grown = realloc(items, count * item_size);
	if (grown == NULL)
		abort();
	*capacity = count;
	return grown;
}
