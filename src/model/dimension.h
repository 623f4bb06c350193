#ifndef SONNIM_MODEL_DIMENSION_H
#define SONNIM_MODEL_DIMENSION_H

/* Dimensions: tables of what events name by an id. There are two:
 *
 *   products    named by `product_id`    name, category, region, themes[], price_range
 *   properties  named by `property_id`   name, property_type, region, pet_friendly, kids_friendly
 *
 * A row is an id and a value list (model/value.h) of its fields, in the order of the table; a field
 * that is not known is not there. Rows come and go by DIMENSION records, the same one in every
 * partition, numbered in the order of the journal:
 *
 *   body of DIMENSION = u64 number, u8 dimension, varint count,
 *                       { sized id, u8 1, sized list  |  sized id, u8 0 (deleted) }
 *
 * An id is a string of 1 to DIMENSION_ID_BYTES_MAX bytes; a number is taken for its shortest
 * decimal text, in a row and in an event alike. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "model/value.h"

/* Numbers are part of the format. */
enum dimension { DIMENSION_PRODUCTS = 0, DIMENSION_PROPERTIES = 1, DIMENSION_COUNT };

enum {
	DIMENSION_ID_BYTES_MAX   = 256,
	DIMENSION_TEXT_BYTES_MAX = 1024, /* of a field, of an item of one */
	DIMENSION_ITEMS_MAX      = 64,
	DIMENSION_ROW_BYTES_MAX  = 16 * 1024, /* of the encoded list */
	DIMENSION_FIELDS_MAX     = 8,
	DIMENSION_ROWS_MAX       = 500000, /* of one dimension */
};

enum dimension_type {
	DIMENSION_STRING,
	DIMENSION_STRINGS,
	DIMENSION_BOOLEAN,
	DIMENSION_AMOUNT, /* a number, or a string such as "100000-200000" */
};

struct dimension_field {
	const char         *name;
	enum dimension_type type;
};

struct dimension_table {
	const char            *name; /* "products" */
	const char            *key;  /* "product_id" */
	size_t                 field_count;
	struct dimension_field fields[DIMENSION_FIELDS_MAX];
};

/* The table of a dimension, and the one of a name; NULL: there is none. */
const struct dimension_table *dimension_table(enum dimension dimension);
const struct dimension_table *dimension_by_name(struct text name, enum dimension *ret_dimension);

/* The id that a JSON value says. STATUS_INVALID with `field`. The text lies in the JSON, or in
 * `scratch` (cleared before). */
MUST_USE enum status dimension_id(struct json value, const char *field, struct buffer *scratch,
                                  struct text *ret_id, struct error *err);

/* Appends the list of the row that a JSON object says; its id is looked at by dimension_id(), not
 * here. STATUS_INVALID with the field, behind `place` ("rows[3]" or empty): not a field of this
 * dimension, of another type, too long. `out` is then unchanged. */
MUST_USE enum status dimension_row(enum dimension dimension, struct json object, const char *place,
                                   struct buffer *out, struct error *err);

/* Adds the members of a row's fields to an open object, the unknown ones as null. */
void dimension_write(enum dimension dimension, struct text list, struct json_writer *writer);

/* ---- Records ---- */

struct dimension_record {
	uint64_t           number;
	enum dimension     dimension;
	uint64_t           count;
	struct byte_reader rows; /* dimension_next() */
};

/* `rows`: `count` of them, as dimension_add() wrote them one behind the other. */
void dimension_record_encode(uint64_t number, enum dimension dimension, uint64_t count,
                             struct text rows, struct buffer *out);

/* `list` with data NULL: the row is deleted. */
void dimension_add(struct buffer *rows, struct text id, struct text list);

/* STATUS_CORRUPT: not such a body, all its rows included. */
MUST_USE enum status dimension_record_decode(struct text body, struct dimension_record *ret_record,
                                             struct error *err);

/* The next row of a decoded record; false at the end. `ret_list->data` NULL: deleted. */
bool dimension_next(struct dimension_record *record, struct text *ret_id, struct text *ret_list);

#endif
