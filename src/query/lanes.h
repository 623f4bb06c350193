#ifndef SONNIM_QUERY_LANES_H
#define SONNIM_QUERY_LANES_H

/* The kernels that look at bit slices, one set for each kind of processor, chosen once.
 *
 *   block:  slice 0 (lowest bit) │ slice 1 │ … │ slice width − 1     a slice: a bit of each of 512
 *           └──── 64 bytes ─────┘
 *   block + 1: right behind it
 *
 * A comparison goes from the top slice down and ends as soon as nobody is undecided any more, as
 * O'Neil and Quass describe it for bit-sliced indexes (Improved Query Performance with Variant
 * Indexes, 1997). Ours compares with both ends of an interval in one pass: above the slice at which
 * the ends differ there is one question, below it each end asks those on its own side.
 *
 * Any thread. All sets give the same bits. */

#include <stddef.h>
#include <stdint.h>

enum {
	LANES_BITS      = 512,
	LANES_WORDS     = LANES_BITS / 64,
	LANES_WIDTH_MAX = 64, /* of a code */
};

struct lanes_blocks {
	const uint64_t *slices; /* aligned to 64 */
	unsigned        width;  /* 1 to LANES_WIDTH_MAX */
	uint32_t        count;
};

struct lanes {
	const char *name;

	/* Adds to `holds` who in `among` has low <= code <= high; low <= high < 2^width. Masks lie as
	 * the blocks do, and need not be aligned. */
	void (*within)(const struct lanes_blocks *blocks, uint64_t low, uint64_t high,
	               const uint64_t *among, uint64_t *holds);

	/* Adds to totals[i] for how many in `mask` slice i is set; for how many any is. */
	uint64_t (*weigh)(const struct lanes_blocks *blocks, const uint64_t *mask, uint64_t *totals);

	/* How many bits are set. */
	uint64_t (*count)(const uint64_t *words, size_t word_count);
};

/* The fastest set that this processor can run. */
const struct lanes *lanes_best(void);

/* Set number `index` of those that it can run, plain C the first; NULL: there are no more. */
const struct lanes *lanes_at(unsigned index);

#endif
