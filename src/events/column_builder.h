#ifndef SONNIM_EVENTS_COLUMN_BUILDER_H
#define SONNIM_EVENTS_COLUMN_BUILDER_H

/* Collects the values of one column of a part, in order of rows, and writes them in the smallest of
 * the encodings that suit them. Owner: part_write.c.
 *
 * Texts are not copied: they lie where they are until column_builder_write(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/vector.h"
#include "events/part_format.h"

enum column_content { CONTENT_INTS, CONTENT_DOUBLES, CONTENT_BITS, CONTENT_TEXTS };

struct column_builder {
	enum column_role    role;
	enum column_content content;
	uint8_t             type; /* enum value_type, of properties */
	uint32_t            rows; /* of the part; of columns that are not by rows the values */
	uint32_t            count;
	uint64_t           *present; /* bits by row */
	VECTOR(int64_t) ints;        /* booleans, too */
	VECTOR(double) doubles;
	VECTOR(struct text) texts;
};

void column_builder_init(struct column_builder *builder, enum column_role role,
                         enum column_content content, uint32_t rows);
void column_builder_done(struct column_builder *builder);

/* Rows ascend; at most one value each. */
void column_builder_add_int(struct column_builder *builder, uint32_t row, int64_t value);
void column_builder_add_double(struct column_builder *builder, uint32_t row, double value);
void column_builder_add_text(struct column_builder *builder, uint32_t row, struct text value);

/* Appends the region to `out`, whose length is a multiple of 8, and describes it (not its name). */
void column_builder_write(const struct column_builder *builder, struct buffer *out,
                          struct part_column *ret_entry);

/* The same for bytes that are a column of their own. */
void column_write_bytes(enum column_role role, struct text bytes, struct buffer *out,
                        struct part_column *ret_entry);

#endif
