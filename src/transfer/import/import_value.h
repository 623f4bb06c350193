#ifndef SONNIM_TRANSFER_IMPORT_VALUE_H
#define SONNIM_TRANSFER_IMPORT_VALUE_H

/* The value of one cell, as JSON. */

#include "transfer/import/import_map.h"

struct import_cell {
	struct text text; /* of CSV, of constants, and of JSON strings */
	struct json json; /* of JSON Lines; JSON_NONE otherwise */
};

/* "number" …; false: there is no such type. */
bool import_type_of_name(struct text name, enum import_type *ret_type);

/* STATUS_INVALID: the cell is not of this type; something may have been written. */
MUST_USE enum status import_value_write(const struct import_cell *cell, enum import_type type,
                                        struct json_parser *parser, struct json_writer *writer,
                                        struct error *err);

/* Whether these bytes are UTF-8. */
bool import_is_utf8(struct text text);

#endif
