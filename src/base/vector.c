#include "base/vector.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 8, LINE_BYTES = 64 };

/* realloc() for items of whole cache lines, which begin with one. */
static void *grow_lines(void *items, size_t size_before, size_t size)
{
	void *grown = aligned_alloc(LINE_BYTES, size);
	if (grown != NULL && items != NULL) {
		memcpy(grown, items, size_before);
		free(items);
	}
	return grown;
}

void *vector_grow(void *items, size_t *capacity, size_t wanted_count, size_t item_size)
{
	if (wanted_count > SIZE_MAX / 4 / item_size)
		abort();
	size_t count = *capacity < CAPACITY_MIN ? CAPACITY_MIN : *capacity;
	while (count < wanted_count)
		count *= 2;

	void *grown = item_size % LINE_BYTES == 0
	                  ? grow_lines(items, *capacity * item_size, count * item_size)
	                  : realloc(items, count * item_size);
	if (grown == NULL)
		abort();
	*capacity = count;
	return grown;
}
