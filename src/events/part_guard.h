#ifndef SONNIM_EVENTS_PART_GUARD_H
#define SONNIM_EVENTS_PART_GUARD_H

/* Sees to it that no damaged byte of a part goes into an answer. A part has a checksum of each
 * GUARD_BLOCK_BYTES of its content; whoever reads a few bytes touches them first, and blocks that
 * nobody has touched since the part was opened are compared then.
 *
 *   header │ block 0 │ block 1 │ … │ last, shorter │ checksums        a bit a block: compared
 *
 * A block of a file is compared as pread(2) gives it: what the disk cannot read is an error then,
 * not a signal to whoever looks at the mapped memory.
 *
 * What is damaged is read all the same, so that readers need no way out at every number: the part
 * is noted as damaged, and whoever hands answers on looks whether it is (events_check()).
 *
 * Any thread. Cost: a look at a bit; for a block that nobody touched before 20 µs and its pages. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum { GUARD_BLOCK_BYTES = 1 << 16 };

struct part_guard {
	const char       *begin; /* of the first block */
	uint64_t          bytes; /* guarded */
	const uint64_t   *checksums;
	const char       *path;    /* of the file; NULL: there is none */
	uint64_t          path_at; /* where in it the first block begins */
	_Atomic uint64_t *compared;
	_Atomic bool      damaged;
	_Atomic uint64_t  damaged_at; /* first byte of a block that is */
	_Atomic bool     *alarm;      /* set with it; NULL: nobody's */
};

/* Appends the checksums of `bytes`. */
void part_guard_write(struct text bytes, struct buffer *out);

/* False: not as many checksums as `bytes` need. Both stay where they are. */
bool part_guard_init(struct part_guard *guard, struct text bytes, struct text checksums);
void part_guard_done(struct part_guard *guard);

/* Something was found that cannot be: `at` is a byte of the guarded ones. */
void part_guard_fail(struct part_guard *guard, const void *at);

/* Compares a block. */
void part_guard_compare(struct part_guard *guard, uint64_t block);

/* To be called before [at, at + length), guarded bytes, are looked at. */
static inline void part_guard_touch(struct part_guard *guard, const void *at, size_t length)
{
	if (length == 0)
		return;
	uint64_t offset = (uint64_t)((const char *)at - guard->begin);
	uint64_t last   = (offset + length - 1) / GUARD_BLOCK_BYTES;
	for (uint64_t block = offset / GUARD_BLOCK_BYTES; block <= last; block++)
		if ((atomic_load_explicit(&guard->compared[block / 64], memory_order_relaxed) >>
		         block % 64 &
		     1) == 0)
			part_guard_compare(guard, block);
}

#endif
