#ifndef SONNIM_EVENTS_PART_READING_H
#define SONNIM_EVENTS_PART_READING_H

/* Where a property of the language (contracts, rule 20) lies in the rows of a part, found once and
 * then asked of many rows without putting their lists together again:
 *
 *   row ──► first of the columns that has it ──► the context ──► missing
 *       └─► its shape is odd: looked up in shape and residual column
 *
 * A shape is odd when what it says of the property is not that simple: a value that has no column,
 * a name that comes twice, an object that the path leads into. What evaluate_property() makes of
 * the row's lists comes out in any case.
 *
 * Thread: one. Cost of a value: some nanoseconds; of an odd row a walk over its shape. */

#include <stdbool.h>
#include <stdint.h>

#include "events/part.h"
#include "model/evaluate.h"

enum { READING_COLUMNS_MAX = 8 };

struct part_reading {
	const struct amount_path *path; /* outlives the reading */
	struct part              *part;
	unsigned                  column_count;
	const struct column      *columns[READING_COLUMNS_MAX]; /* in the order in which they count */
	const struct column      *context;                      /* NULL: not looked at */
	bool                      raw; /* rows without a shape may have a list all the same */
	bool                      all_odd;
	uint8_t                  *odd; /* by number of a shape; NULL: none is */
};

void part_reading_init(struct part_reading *reading, struct part *part,
                       const struct amount_path *path);
void part_reading_done(struct part_reading *reading);

/* False: no row is odd. */
static inline bool part_reading_has_odd(const struct part_reading *reading)
{
	return reading->all_odd || reading->raw || reading->odd != NULL;
}

/* Whether the row must be asked with part_reading_odd_value(). */
bool part_reading_is_odd(const struct part_reading *reading, uint32_t row);

/* Of any row. Texts lie in the part. VALUE_NONE: missing; so may be what is null, an array or an
 * object, which are missing too. */
struct value part_reading_odd_value(const struct part_reading *reading, uint32_t row);

/* Of the rows of consecutive words, a bit each, in their order: as many values as bits. */
void part_reading_values(const struct part_reading *reading, uint32_t first_word,
                         uint32_t word_count, const uint64_t *bits, struct value *values);

/* Value `index` of a column of properties. */
struct value part_reading_of_column(const struct column *column, uint32_t index);

/* A text of a column; what cannot be read is noted as damage, and empty. */
struct text part_reading_text(const struct column *column, uint32_t index);

#endif
