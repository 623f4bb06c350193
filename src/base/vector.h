#ifndef SONNIM_BASE_VECTOR_H
#define SONNIM_BASE_VECTOR_H

/* A growing array of any type: struct { struct change *items; size_t count, capacity; } changes;
 * Zeroed memory is an empty one. Running out of memory aborts. */

#include <stddef.h>
#include <stdlib.h>

#define VECTOR(type)                                                                               \
	struct {                                                                                       \
		type  *items;                                                                              \
		size_t count;                                                                              \
		size_t capacity;                                                                           \
	}

/* Makes room for `more` items behind `count` (aligned to 64 bytes where their size is a multiple of
 * that); the doubled capacity, so that adding is O(1). */
void *vector_grow(void *items, size_t *capacity, size_t wanted_count, size_t item_size);

#define VECTOR_RESERVE(vector, more)                                                               \
	do {                                                                                           \
		if ((vector)->count + (more) > (vector)->capacity)                                         \
			(vector)->items = vector_grow((vector)->items, &(vector)->capacity,                    \
			                              (vector)->count + (more), sizeof *(vector)->items);      \
	} while (0)

#define VECTOR_ADD(vector, ...)                                                                    \
	do {                                                                                           \
		VECTOR_RESERVE(vector, 1);                                                                 \
		(vector)->items[(vector)->count++] = (__VA_ARGS__);                                        \
	} while (0)

#define VECTOR_BYTES(vector) ((vector)->capacity * sizeof *(vector)->items)

#define VECTOR_DONE(vector)                                                                        \
	do {                                                                                           \
		free((vector)->items);                                                                     \
		(vector)->items = NULL;                                                                    \
		(vector)->count = (vector)->capacity = 0;                                                  \
	} while (0)

#endif
