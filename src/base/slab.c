#include "base/slab.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	CHUNK_BYTES = 2 << 20,
	LINE_BYTES  = 64,
	FINE_BYTES  = 128, /* up to here sizes are multiples of 8 */
	FINE_SIZES  = FINE_BYTES / 8,
	SIZES       = FINE_SIZES + 4 * 10,
};

struct block {
	struct block *next;
};

/* All chunks, so that they are known to be in use. */
struct chunk {
	struct chunk *previous;
};
static struct chunk *_Atomic chunks;

static _Thread_local struct {
	struct block *free[SIZES];
	char         *at;
	size_t        left;
} slab;

/* Four sizes to each doubling: 160, 192, 224, 256, 320, … */
static unsigned number_of(size_t size)
{
	if (size <= FINE_BYTES)
		return size == 0 ? 0 : (unsigned)((size - 1) / 8);
	unsigned doubling = 63 - (unsigned)__builtin_clzll(size - 1);
	return FINE_SIZES + (doubling - 7) * 4 + (unsigned)((size - 1) >> (doubling - 2) & 3);
}

static size_t size_of(unsigned number)
{
	if (number < FINE_SIZES)
		return (number + 1) * 8;
	unsigned doubling = 7 + (number - FINE_SIZES) / 4;
	return ((size_t)1 << doubling) +
	       ((number - FINE_SIZES) % 4 + 1) * ((size_t)1 << (doubling - 2));
}

size_t slab_room(size_t size) { return size > SLAB_BYTES_MAX ? size : size_of(number_of(size)); }

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

static void *checked(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void new_chunk(void)
{
	struct chunk *chunk = checked(aligned_alloc(CHUNK_BYTES, CHUNK_BYTES));
	madvise(chunk, CHUNK_BYTES, MADV_HUGEPAGE); /* a wish: without it the pages are small */
	chunk->previous = atomic_load_explicit(&chunks, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&chunks, &chunk->previous, chunk)) {
	}
	slab.at   = (char *)chunk + LINE_BYTES;
	slab.left = CHUNK_BYTES - LINE_BYTES;
}

static void *cut(size_t size)
{
	size_t skip = size % LINE_BYTES == 0 ? (size_t) - (intptr_t)slab.at % LINE_BYTES : 0;
	if (slab.left < skip + size) {
		new_chunk();
		skip = 0;
	}
	void *block = slab.at + skip;
	slab.at += skip + size;
	slab.left -= skip + size;
	return block;
}

void *slab_get(size_t size)
{
	if (size > SLAB_BYTES_MAX || SANITIZED)
		return checked(malloc(size == 0 ? 1 : size));
	unsigned      number = number_of(size);
	struct block *block  = slab.free[number];
	if (block == NULL)
		return cut(size_of(number));
	slab.free[number] = block->next;
	return block;
}

void slab_put(void *block, size_t size)
{
	if (block == NULL)
		return;
	if (size > SLAB_BYTES_MAX || SANITIZED) {
		free(block);
		return;
	}
	unsigned      number = number_of(size);
	struct block *freed  = block;
	freed->next          = slab.free[number];
	slab.free[number]    = freed;
}
