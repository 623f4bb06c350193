#ifndef SONNIM_BASE_SLAB_H
#define SONNIM_BASE_SLAB_H

/* Small blocks by the million: what a person's state is made of. No head before a block, a freed
 * one is the next to be handed out, and all lie in huge pages, so that meeting one costs a load and
 * not a walk of the page tables too.
 *
 *   thread ──► [ 8 ][ 16 ][ 24 ] … [ 112 K ]     lists of free blocks, by size
 *          └─► chunk of 2 MiB, cut from its begin on
 *
 * Sizes are rounded up: to 8 bytes up to 128, then by at most a quarter; larger ones than
 * SLAB_BYTES_MAX come from malloc. A freed block stays with the thread that freed it, for its size;
 * chunks are never given back. With a sanitizer of addresses it is all malloc, which sees more.
 * Running out of memory aborts. Any thread. */

#include <stddef.h>

enum { SLAB_BYTES_MAX = 112 * 1024 };

/* Not zeroed, aligned to 8 bytes; sizes of whole multiples of 64 to 64. */
void *slab_get(size_t size);
void  slab_put(void *block, size_t size); /* with the size that was asked for; NULL is nothing */

/* What a block of this size takes, and so may hold. */
size_t slab_room(size_t size);

#endif
