/* The body of a set of kernels, for any width of a register: included once by each lanes_*.c, which
 * defines
 *   LANE            the type of a register: &, |, ~ work on it
 *   LANE_IS_ZERO(x) whether no bit is set
 *   LANE_LOAD(p), LANE_STORE(p, x)  from and to memory, aligned to 8
 *   LANES_SET       the name of the set
 *   LANES_NAME      the same as a string */

#include "query/lanes.h"

enum { LANE_WORDS = sizeof(LANE) / 8 };

/* What of two ends is the same for all blocks. */
struct ends {
	uint64_t low, high;
	int      top;      /* the highest slice */
	int      apart;    /* the highest slice at which they differ; -1: they do not */
	int      low_end;  /* whoever is not below the low end at this slice is not below it at all */
	int      high_end; /* the same of the high end */
};

static struct ends ends_of(const struct lanes_blocks *blocks, uint64_t low, uint64_t high)
{
	uint64_t    differs = low ^ high;
	struct ends ends    = {.low = low, .high = high, .top = (int)blocks->width - 1};
	ends.apart          = differs == 0 ? -1 : 63 - __builtin_clzll(differs);
	ends.low_end        = low == 0 ? 64 : __builtin_ctzll(low);
	ends.high_end       = high == UINT64_MAX ? 64 : __builtin_ctzll(~high);
	return ends;
}

/* Of those in `among` whose upper bits are those of both ends, who is between their lower bits. */
static inline LANE between(const uint64_t *slices, const struct ends *ends, LANE among)
{
	LANE slice = LANE_LOAD(slices + ends->apart * LANES_WORDS);
	LANE above = among & ~slice; /* in, if not below the low end */
	LANE below = among & slice;  /* in, if not above the high end */
	LANE in    = (LANE){0};
	int  at    = ends->apart - 1;
	for (; at >= ends->low_end || at >= ends->high_end; at--) {
		if (LANE_IS_ZERO(above | below))
			return in;
		slice = LANE_LOAD(slices + at * LANES_WORDS);
		if ((ends->low >> at & 1) != 0) {
			above &= slice;
		} else {
			in |= above & slice;
			above &= ~slice;
		}
		if ((ends->high >> at & 1) != 0) {
			in |= below & ~slice;
			below &= slice;
		} else {
			below &= ~slice;
		}
	}
	return in | above | below;
}

static inline LANE lane_within(const uint64_t *slices, const struct ends *ends, LANE among)
{
	for (int at = ends->top; at > ends->apart; at--) {
		LANE slice = LANE_LOAD(slices + at * LANES_WORDS);
		among &= (ends->low >> at & 1) != 0 ? slice : ~slice;
		if (LANE_IS_ZERO(among))
			return among;
	}
	return ends->apart < 0 ? among : between(slices, ends, among);
}

static void within(const struct lanes_blocks *blocks, uint64_t low, uint64_t high,
                   const uint64_t *among, uint64_t *holds)
{
	const struct ends ends   = ends_of(blocks, low, high);
	const uint64_t   *slices = blocks->slices;
	for (uint32_t block = 0; block < blocks->count; block++) {
		for (unsigned word = 0; word < LANES_WORDS; word += LANE_WORDS) {
			LANE some = LANE_LOAD(among + word);
			if (LANE_IS_ZERO(some))
				continue;
			LANE_STORE(holds + word,
			           LANE_LOAD(holds + word) | lane_within(slices + word, &ends, some));
		}
		slices += blocks->width * LANES_WORDS;
		among += LANES_WORDS;
		holds += LANES_WORDS;
	}
}

static void weigh(const struct lanes_blocks *blocks, const uint64_t *mask, uint64_t *totals)
{
	const uint64_t *slices = blocks->slices;
	for (uint32_t block = 0; block < blocks->count; block++) {
		uint64_t any = 0;
		for (unsigned word = 0; word < LANES_WORDS; word++)
			any |= mask[word];
		for (unsigned slice = 0; slice < blocks->width && any != 0; slice++) {
			uint64_t total = 0;
			for (unsigned word = 0; word < LANES_WORDS; word++)
				total +=
					(unsigned)__builtin_popcountll(slices[slice * LANES_WORDS + word] & mask[word]);
			totals[slice] += total;
		}
		slices += blocks->width * LANES_WORDS;
		mask += LANES_WORDS;
	}
}

const struct lanes LANES_SET = {.name = LANES_NAME, .within = within, .weigh = weigh};
