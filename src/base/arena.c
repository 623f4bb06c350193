#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES_MIN = 4096, BLOCK_BYTES_MAX = 1 << 20, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *older;
	size_t              size; /* of the content; only the first one has BLOCK_BYTES_MIN */
	_Alignas(ALIGNMENT) char content[];
};

void arena_init(struct arena *arena) { *arena = (struct arena){0}; }

static void free_blocks(struct arena_block *block, const struct arena_block *but)
{
	while (block != NULL) {
		struct arena_block *older = block->older;
		if (block != but)
			free(block);
		block = older;
	}
}

void arena_done(struct arena *arena)
{
	free_blocks(arena->newest, NULL);
	arena_init(arena);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *first = arena->newest;
	while (first != NULL && first->size != BLOCK_BYTES_MIN)
		first = first->older;
	free_blocks(arena->newest, first);
	arena_init(arena);
	if (first == NULL)
		return;

	first->older  = NULL;
	arena->newest = first;
	arena->free   = first->content;
	arena->end    = first->content + first->size;
}

static struct arena_block *block_new(size_t size, struct arena_block *older)
{
	struct arena_block *block = NULL;
	if (size <= SIZE_MAX - sizeof *block)
		block = malloc(sizeof *block + size);
	if (block == NULL)
		abort();
	block->older = older;
	block->size  = size;
	return block;
}

static void *alloc_slow(struct arena *arena, size_t size)
{
	size_t block_size = BLOCK_BYTES_MIN;
	if (arena->newest != NULL && arena->newest->size < BLOCK_BYTES_MAX)
		block_size = arena->newest->size * 2;
	else if (arena->newest != NULL)
		block_size = BLOCK_BYTES_MAX;

	/* Behind the newest, so that what is left of that one is still used. */
	if (size > block_size && arena->newest != NULL) {
		arena->newest->older = block_new(size, arena->newest->older);
		return arena->newest->older->content;
	}

	arena->newest = block_new(block_size, arena->newest);
	arena->free   = arena->newest->content;
	arena->end    = arena->free + block_size;
	if (size > block_size)
		return alloc_slow(arena, size);

	arena->free += size;
	return arena->newest->content;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		abort();
	/* Every answer is an address of its own, as malloc's are. */
	size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	arena->bytes += rounded;
	if (rounded > (size_t)(arena->end - arena->free))
		return alloc_slow(arena, rounded);

	void *memory = arena->free;
	arena->free += rounded;
	return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

struct text arena_text(struct arena *arena, struct text text)
{
	char *copy = arena_alloc(arena, text.length + 1);
	if (text.length > 0)
		memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	return (struct text){copy, text.length};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	assert(format != NULL);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	assert(length >= 0);

	char *string = arena_alloc(arena, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(string, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return string;
}
