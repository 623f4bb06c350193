#ifndef SONNIM_QUERY_MASK_H
#define SONNIM_QUERY_MASK_H

/* Sets of the persons of a block, 512 slots that begin at a multiple of 512: bit i is slot first +
 * i. And what is known of a question about them, in three values (Kleene's logic): */

#include <stdbool.h>
#include <stdint.h>

enum {
	BLOCK_SLOTS = 512,
	BLOCK_WORDS = BLOCK_SLOTS / 64,
	RUN_BLOCKS  = 16, /* that are looked at together; a run begins at a multiple of it */
};

struct mask {
	uint64_t words[BLOCK_WORDS];
};

/* Of whom it is known, and of these, for whom it holds: holds ⊆ known. */
struct verdict {
	struct mask holds;
	struct mask known;
};

static inline struct mask mask_and(struct mask a, const struct mask *b)
{
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		a.words[i] &= b->words[i];
	return a;
}

static inline struct mask mask_or(struct mask a, const struct mask *b)
{
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		a.words[i] |= b->words[i];
	return a;
}

static inline struct mask mask_without(struct mask a, const struct mask *b)
{
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		a.words[i] &= ~b->words[i];
	return a;
}

static inline bool mask_is_empty(const struct mask *mask)
{
	uint64_t any = 0;
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		any |= mask->words[i];
	return any == 0;
}

static inline unsigned mask_count(const struct mask *mask)
{
	unsigned count = 0;
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		count += (unsigned)__builtin_popcountll(mask->words[i]);
	return count;
}

static inline bool mask_has(const struct mask *mask, unsigned bit)
{
	return (mask->words[bit / 64] >> bit % 64 & 1) != 0;
}

static inline void mask_set(struct mask *mask, unsigned bit)
{
	mask->words[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Those below `count`. */
static inline struct mask mask_first(unsigned count)
{
	struct mask mask = {0};
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		mask.words[i] = count >= 64 * (i + 1) ? UINT64_MAX
		                : count > 64 * i      ? (UINT64_C(1) << count % 64) - 1
		                                      : 0;
	return mask;
}

/* The first `count` of them. */
static inline struct mask mask_least(struct mask mask, unsigned count)
{
	for (unsigned i = 0; i < BLOCK_WORDS; i++) {
		unsigned has = (unsigned)__builtin_popcountll(mask.words[i]);
		for (; has > count; has--)
			mask.words[i] ^= UINT64_C(1) << (63 - __builtin_clzll(mask.words[i]));
		count -= has;
	}
	return mask;
}

/* for (unsigned bit = 0; mask_next(&mask, &bit); bit++) … */
static inline bool mask_next(const struct mask *mask, unsigned *bit)
{
	for (unsigned word = *bit / 64; word < BLOCK_WORDS; word++) {
		uint64_t left = mask->words[word];
		if (word == *bit / 64)
			left &= UINT64_MAX << *bit % 64;
		if (left != 0) {
			*bit = word * 64 + (unsigned)__builtin_ctzll(left);
			return true;
		}
	}
	return false;
}

/* Whom a verdict leaves open, and for whom it does not hold. */
static inline struct mask verdict_open(const struct verdict *verdict, struct mask of)
{
	return mask_without(of, &verdict->known);
}

static inline struct mask verdict_fails(const struct verdict *verdict)
{
	return mask_without(verdict->known, &verdict->holds);
}

#endif
