/* The body of a set of kernels, for any width of a register: included once by each lanes_*.c, which
 * defines
 *   LANE            the type of a register: &, |, ~ work on it
 *   LANE_IS_ZERO(x) whether no bit is set
 *   LANE_LOAD(p), LANE_STORE(p, x)  from and to memory, aligned to 8
 *   LANE_COUNTS(x), LANE_ADD(x, y)  how many bits are set of each 64, their sums; not defined where
 *                                   the processor counts no better than word by word
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

#ifdef LANE_COUNTS

/* Counts stay side by side until the end. */
static uint64_t lane_total(LANE counts)
{
	uint64_t words[LANE_WORDS], total = 0;
	LANE_STORE(words, counts);
	for (unsigned i = 0; i < LANE_WORDS; i++)
		total += words[i];
	return total;
}

static uint64_t weigh(const struct lanes_blocks *blocks, const uint64_t *mask, uint64_t *totals)
{
	const uint64_t *slices = blocks->slices;
	const unsigned  width  = blocks->width;
	LANE            counts[LANES_WIDTH_MAX], having = (LANE){0};
	for (unsigned slice = 0; slice < width; slice++)
		counts[slice] = (LANE){0};
	for (uint32_t block = 0; block < blocks->count; block++, mask += LANES_WORDS) {
		for (unsigned word = 0; word < LANES_WORDS; word += LANE_WORDS) {
			LANE some = LANE_LOAD(mask + word), any = (LANE){0};
			if (LANE_IS_ZERO(some))
				continue;
			for (unsigned slice = 0; slice < width; slice++) {
				LANE set      = some & LANE_LOAD(slices + slice * LANES_WORDS + word);
				any           = any | set;
				counts[slice] = LANE_ADD(counts[slice], LANE_COUNTS(set));
			}
			having = LANE_ADD(having, LANE_COUNTS(any));
		}
		slices += width * LANES_WORDS;
	}
	for (unsigned slice = 0; slice < width; slice++)
		totals[slice] += lane_total(counts[slice]);
	return lane_total(having);
}

static uint64_t count_bits(const uint64_t *words, size_t word_count)
{
	LANE     counts = (LANE){0};
	size_t   word   = 0;
	uint64_t rest   = 0;
	for (; word + LANE_WORDS <= word_count; word += LANE_WORDS)
		counts = LANE_ADD(counts, LANE_COUNTS(LANE_LOAD(words + word)));
	for (; word < word_count; word++)
		rest += (unsigned)__builtin_popcountll(words[word]);
	return lane_total(counts) + rest;
}

#else

static uint64_t weigh(const struct lanes_blocks *blocks, const uint64_t *mask, uint64_t *totals)
{
	const uint64_t *slices = blocks->slices;
	const unsigned  width  = blocks->width;
	uint64_t        having = 0;
	for (uint32_t block = 0; block < blocks->count; block++, mask += LANES_WORDS) {
		for (unsigned word = 0; word < LANES_WORDS; word++) {
			uint64_t any = 0;
			for (unsigned slice = 0; slice < width && mask[word] != 0; slice++) {
				uint64_t set = slices[slice * LANES_WORDS + word] & mask[word];
				any |= set;
				totals[slice] += (unsigned)__builtin_popcountll(set);
			}
			having += (unsigned)__builtin_popcountll(any);
		}
		slices += width * LANES_WORDS;
	}
	return having;
}

static uint64_t count_bits(const uint64_t *words, size_t word_count)
{
	uint64_t total = 0;
	for (size_t word = 0; word < word_count; word++)
		total += (unsigned)__builtin_popcountll(words[word]);
	return total;
}

#endif

const struct lanes LANES_SET = {
	.name = LANES_NAME, .within = within, .weigh = weigh, .count = count_bits};
