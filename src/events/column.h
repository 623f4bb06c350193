#ifndef SONNIM_EVENTS_COLUMN_H
#define SONNIM_EVENTS_COLUMN_H

/* One column of a part, read where it lies (part_format.h says how).
 *
 *   row ──► presence ──► index ──► number ──► int, double, bool
 *                                        └──► text (of a dictionary, or its own)
 *
 * Columns that every row has are asked by row. Whatever the bytes, nothing outside of them is read:
 * column_open() checks what can be checked once, the getters that return false the rest, and false
 * then means that the file is damaged. With a guard every byte that is looked at is one that was
 * compared (part_guard.h).
 *
 * Read-only, any thread. Cost: a few nanoseconds where the memory is there. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "events/part_format.h"
#include "events/part_guard.h"
#include "model/value.h"

struct column {
	enum column_role     role;
	enum value_type      type;
	enum column_encoding encoding;
	uint8_t              width;
	uint8_t              end_width;
	uint8_t              scale;
	uint32_t             rows;
	uint32_t             count;
	uint32_t             distinct;
	int64_t              base;
	const uint32_t      *ranks; /* NULL: every row has a value */
	const uint64_t      *words;
	const uint8_t       *numbers;
	const uint8_t       *ends;
	const char          *texts;
	size_t               text_bytes;
	struct text          name;
	struct part_guard   *guard; /* NULL: none */
};

/* `region` is the column's, of the size that `entry` says, aligned to 8 bytes. False: the entry
 * does not fit it. */
bool column_open(const struct part_column *entry, const char *region, uint32_t rows,
                 struct text name, struct column *ret_column);

/* The bytes of a region, each of its four pieces padded; UINT64_MAX: more than there can be. */
uint64_t column_region_bytes(const struct part_column *entry);

/* Where the value of a row lies; false when it has none. */
bool column_index(const struct column *column, uint32_t row, uint32_t *ret_index);

static inline uint64_t column_number_at(const uint8_t *numbers, uint8_t width, uint32_t index)
{
	switch (width) {
	case 1:
		return numbers[index];
	case 2:
		return ((const uint16_t *)(const void *)numbers)[index];
	case 4:
		return ((const uint32_t *)(const void *)numbers)[index];
	case 8:
		return ((const uint64_t *)(const void *)numbers)[index];
	default:
		return 0;
	}
}

static inline void column_touch(const struct column *column, const void *at, size_t length)
{
	if (column->guard != NULL)
		part_guard_touch(column->guard, at, length);
}

static inline void column_touch_number(const struct column *column, uint64_t index)
{
	column_touch(column, column->numbers + index * column->width, column->width);
}

/* `index` is below the column's count. */
static inline int64_t column_int(const struct column *column, uint32_t index)
{
	column_touch_number(column, index);
	return (int64_t)((uint64_t)column->base +
	                 column_number_at(column->numbers, column->width, index));
}
double column_double(const struct column *column, uint32_t index);
bool   column_bool(const struct column *column, uint32_t index);
bool   column_text(const struct column *column, uint32_t index, struct text *ret_text);

/* An entry of the dictionary. */
bool column_entry(const struct column *column, uint32_t code, struct text *ret_text);

/* The number of a text in the dictionary; false: no row has it. DICT only. */
bool column_code(const struct column *column, struct text text, uint32_t *ret_code);

/* 10^scale. */
double column_power(unsigned scale);
enum { COLUMN_SCALE_MAX = 6 };

#endif
