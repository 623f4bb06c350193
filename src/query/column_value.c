#include <assert.h>
#include <string.h>

#include "query/columns_internal.h"

struct column_value column_value(const struct column *column, uint32_t slot)
{
	struct slices_value value = slices_get(&column->slices, slot);
	switch (value.class) {
	case COLUMN_CODE:
		return (struct column_value){.class = COLUMN_CODE, .code = (uint32_t)value.key};
	case COLUMN_NUMBER:
		if (column->doubles)
			return (struct column_value){.class  = COLUMN_NUMBER,
			                             .number = slices_key_double(value.key)};
		return (struct column_value){.class = COLUMN_NUMBER, .integer = value.key};
	case COLUMN_TIME:
		return (struct column_value){.class = COLUMN_TIME, .integer = value.key};
	default:
		return (struct column_value){.class = value.class};
	}
}

struct value column_code_value(const struct column *column, uint32_t code)
{
	assert(code < column_code_count(column));
	return column->codes->values.items[code];
}

uint32_t column_code_count(const struct column *column)
{
	return column->codes == NULL ? 0 : (uint32_t)column->codes->values.count;
}

void column_sum(const struct column *column, uint32_t block, uint32_t count, const uint64_t *mask,
                __int128 *sum, uint64_t *ret_unknown)
{
	const struct slices_set unknown = {.unknown = true};
	assert(!column->doubles);
	if (slices_may_match(&column->slices, &unknown, block))
		slices_match(&column->slices, &unknown, block, count, mask, ret_unknown);
	else
		memset(ret_unknown, 0, (size_t)count * COLUMN_BLOCK_WORDS * sizeof *ret_unknown);
	slices_sum(&column->slices, block, count, mask, sum);
}

static uint64_t count_bits(const uint64_t *mask, uint32_t count)
{
	uint64_t bits = 0;
	for (uint32_t i = 0; i < count * COLUMN_BLOCK_WORDS; i++)
		bits += (unsigned)__builtin_popcountll(mask[i]);
	return bits;
}

void column_count(const struct column *column, uint32_t block, uint32_t count, const uint64_t *mask,
                  uint64_t counts[COLUMN_CODES_MAX], uint64_t classes[COLUMN_CLASS_COUNT],
                  uint64_t *ret_rest)
{
	struct slices_interval  all                      = {INT64_MIN, INT64_MAX};
	const struct slices_set sets[COLUMN_CLASS_COUNT] = {
		[COLUMN_UNKNOWN] = {.unknown = true},
		[COLUMN_NUMBER]  = {.numbers = &all, .number_count = 1},
		[COLUMN_TIME]    = {.times = &all, .time_count = 1},
	};
	uint64_t some[COLUMN_RUN_BLOCKS * COLUMN_BLOCK_WORDS];
	uint64_t missing = 0;
	slices_count(&column->slices, block, count, mask, counts, &missing, ret_rest);
	classes[COLUMN_MISSING] += missing;
	classes[COLUMN_CODE] += count_bits(mask, count) - count_bits(ret_rest, count) - missing;
	for (unsigned i = 0; i < COLUMN_CLASS_COUNT; i++)
		if (slices_may_match(&column->slices, &sets[i], block)) {
			slices_match(&column->slices, &sets[i], block, count, ret_rest, some);
			classes[i] += count_bits(some, count);
		}
}

/* The first and the last number that a chunk may hold. */
static void take_bounds(const struct column *column, const struct slices_chunk *chunk,
                        struct column_statistics *statistics)
{
	const struct slices_range *range = &chunk->numbers;
	int64_t                    low   = range->base, high;
	if (chunk->classes[COLUMN_NUMBER] == 0)
		return;
	if (__builtin_mul_overflow(range->room - 1, range->step, &high) ||
	    __builtin_add_overflow(low, high, &high) || high > SLICES_KEY_MAX)
		high = SLICES_KEY_MAX;
	double first = column->doubles ? slices_key_double(low) : (double)low;
	double last  = column->doubles ? slices_key_double(high) : (double)high;
	if (!statistics->has_numbers || first < statistics->number_min)
		statistics->number_min = first;
	if (!statistics->has_numbers || last > statistics->number_max)
		statistics->number_max = last;
	statistics->has_numbers = true;
}

void column_statistics(const struct column *column, struct column_statistics *ret_statistics)
{
	*ret_statistics = (struct column_statistics){.bytes = column->slices.bytes};
	for (uint32_t i = 0; i < column->slices.chunk_count; i++) {
		const struct slices_chunk *chunk = &column->slices.chunks[i];
		for (unsigned j = 0; j < COLUMN_CLASS_COUNT; j++)
			ret_statistics->classes[j] += chunk->classes[j];
		take_bounds(column, chunk, ret_statistics);
	}
}
