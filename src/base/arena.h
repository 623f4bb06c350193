#ifndef SONNIM_BASE_ARENA_H
#define SONNIM_BASE_ARENA_H

/* Memory that is freed all at once: a request, a parse, a definition allocates from its arena.
 *
 *   block (doubling, from 4 KiB to 1 MiB) ──► block ──► …   a larger wish gets one of its own
 *
 * One owner, one thread at a time. Running out of memory aborts the process (as everywhere here:
 * what comes from outside is limited before it is allocated). Blocks are aligned to 16 bytes. */

#include <stddef.h>

#include "base/text.h"

struct arena_block;

struct arena {
	struct arena_block *newest;
	char               *free;
	char               *end;
	size_t              bytes; /* handed out so far */
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena);

/* Frees everything but the first block, which is used again. */
void arena_reset(struct arena *arena);

/* `size` bytes, aligned to 16, not zeroed; never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, alloc_size(2)));

/* The same, zeroed. */
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((malloc, alloc_size(2)));

/* A copy, with a NUL behind it. */
struct text arena_text(struct arena *arena, struct text text);

/* A formatted string, ended by NUL. */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type)          ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zalloc((arena), (count) * sizeof(type)))

#endif
