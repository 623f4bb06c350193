#ifndef SONNIM_ENGINE_EXCEPTIONS_H
#define SONNIM_ENGINE_EXCEPTIONS_H

/* The slots of the persons for whom a rule is not what it is for a person without any event: its
 * members, or those who are none. A bitmap, and before it the newest changes as a short list, since
 * one change of a bitmap touches five places in memory that are in no cache and of the list one:
 *
 *   toggle ──► late: 17, 4096, 17, 3   ──► (32 of them, or somebody asks) ──► bitmap
 *
 * A slot in the list an even number of times is as it was. Owner: the rule; the partition's thread
 * only. */

#include <stdint.h>

#include <roaring/roaring.h>

enum { EXCEPTIONS_LATE = 32 };

struct exceptions {
	uint32_t         *late;
	roaring_bitmap_t *bitmap;
	uint32_t          late_count;
};

void exceptions_init(struct exceptions *exceptions);
void exceptions_done(struct exceptions *exceptions);

/* Adds the slot, or takes it out where it is. */
void exceptions_toggle(struct exceptions *exceptions, uint32_t slot);

/* Asks the processor for what exceptions_toggle() will touch. */
static inline void exceptions_prefetch(const struct exceptions *exceptions)
{
	if (exceptions->late != NULL)
		__builtin_prefetch(exceptions->late + exceptions->late_count, 1);
}

/* All of them; valid until the next change. */
const roaring_bitmap_t *exceptions_bitmap(struct exceptions *exceptions);

#endif
