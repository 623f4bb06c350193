#ifndef SONNIM_EVENTS_PART_WORDS_H
#define SONNIM_EVENTS_PART_WORDS_H

/* Rows of a part, 64 to a word, and where their values lie in a column: for loops over many rows
 * that find each value's place by counting bits on from the one before. Included by those loops
 * only; they are compiled twice, INLINE into one function for any processor and one (FAST) for
 * those that count and spread bits in one instruction, which makes them twice as fast. */

#include <stdbool.h>
#include <stdint.h>

#include "events/part.h"

#define INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define FAST __attribute__((target("popcnt,bmi,bmi2")))
FAST static inline uint64_t spread_fast(uint64_t bits, uint64_t places)
{
	return __builtin_ia32_pdep_di(bits, places);
}
static inline bool words_are_fast(void)
{
	return __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}
#else
#define FAST
#define spread_fast spread_plain
static inline bool words_are_fast(void) { return false; }
#endif

static inline uint64_t spread_plain(uint64_t bits, uint64_t places)
{
	uint64_t result = 0;
	for (; bits != 0 && places != 0; bits >>= 1, places &= places - 1)
		if ((bits & 1) != 0)
			result |= places & -places;
	return result;
}

/* Bit i of `bits` goes to the i-th set bit of `places`. */
INLINE uint64_t spread(uint64_t bits, uint64_t places, bool fast)
{
	if (places == UINT64_MAX || bits == 0)
		return bits;
	return fast ? spread_fast(bits, places) : spread_plain(bits, places);
}

INLINE uint64_t present(const struct column *column, uint32_t word)
{
	return column->ranks == NULL ? UINT64_MAX : column->words[word];
}

/* How many rows before the word have a value. */
INLINE uint32_t rank_of(const struct column *column, uint32_t word)
{
	enum { WORDS_A_RANK = PRESENCE_RANK_ROWS / 64 };
	if (column->ranks == NULL)
		return word * 64;
	uint32_t rank = column->ranks[word / WORDS_A_RANK];
	for (uint32_t i = word - word % WORDS_A_RANK; i < word; i++)
		rank += (uint32_t)__builtin_popcountll(column->words[i]);
	return rank;
}

/* The values of a word's rows in a column. */
struct word_values {
	const struct column *column;
	uint64_t             present;
	uint32_t             rank;
};

/* False: the column has not as many as it says. */
INLINE bool values_of(const struct column *column, uint32_t word, struct word_values *ret_values)
{
	*ret_values = (struct word_values){column, present(column, word), rank_of(column, word)};
	if (column->ranks == NULL)
		return true; /* as many as rows: column_open() */
	uint32_t count = (uint32_t)__builtin_popcountll(ret_values->present);
	if (ret_values->rank <= column->count && count <= column->count - ret_values->rank)
		return true;
	part_guard_fail(column->guard, column->words);
	return false;
}

INLINE uint32_t index_of(const struct word_values *values, unsigned bit)
{
	if (values->column->ranks == NULL)
		return values->rank + bit;
	return values->rank +
	       (uint32_t)__builtin_popcountll(values->present & (((uint64_t)1 << bit) - 1));
}

#define EACH_BIT(bit, bits)                                                                        \
	for (uint64_t left_ = (bits), bit = 0;                                                         \
	     left_ != 0 && (bit = (uint64_t)__builtin_ctzll(left_), true); left_ &= left_ - 1)

/* What looking at these rows of a column touches. */
static inline void words_touch(const struct column *column, uint32_t first_word,
                               uint32_t word_count)
{
	uint32_t begin = first_word * 64;
	uint64_t end   = (uint64_t)begin + (uint64_t)word_count * 64;
	if (end > column->rows)
		end = column->rows;
	if (column->ranks != NULL) {
		uint32_t first = first_word - first_word % (PRESENCE_RANK_ROWS / 64);
		uint32_t last  = (uint32_t)((end - 1) / 64);
		column_touch(column, column->words + first, (last - first + 1) * sizeof *column->words);
		column_touch(column, column->ranks + begin / PRESENCE_RANK_ROWS,
		             ((end - 1) / PRESENCE_RANK_ROWS - begin / PRESENCE_RANK_ROWS + 1) *
		                 sizeof *column->ranks);
		begin = rank_of(column, first_word);
		end   = rank_of(column, last) + (uint64_t)__builtin_popcountll(column->words[last]);
		if (end > column->count)
			end = column->count;
		if (begin >= end)
			return;
	}
	if (column->encoding == ENCODING_BITS)
		column_touch(column, column->numbers + begin / 64 * sizeof(uint64_t),
		             (end - 1) / 64 * 8 - begin / 64 * 8 + sizeof(uint64_t));
	else if (column->encoding == ENCODING_DOUBLES)
		column_touch(column, column->numbers + (uint64_t)begin * sizeof(double),
		             (end - begin) * sizeof(double));
	else if (column->encoding != ENCODING_TEXTS && column->encoding != ENCODING_FIXED)
		column_touch(column, column->numbers + (uint64_t)begin * column->width,
		             (end - begin) * column->width);
}

#endif
