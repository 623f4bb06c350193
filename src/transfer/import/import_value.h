#ifndef SONNIM_TRANSFER_IMPORT_VALUE_H
#define SONNIM_TRANSFER_IMPORT_VALUE_H

/* The value of one cell, as JSON. */

#include "transfer/import/import_map.h"

#include "base/instant.h"

struct import_cell {
	struct text text; /* of CSV, of constants, and of JSON strings */
	struct json json; /* of JSON Lines; JSON_NONE otherwise */
};

/* "number" …; false: there is no such type. */
bool import_type_of_name(struct text name, enum import_type *ret_type);

/* STATUS_INVALID: the cell is not of the rule's type; something may have been written. The value of
 * a time is left in `ret_time_ms`, which is otherwise as before. */
MUST_USE enum status import_value_write(const struct import_cell *cell,
                                        const struct import_rule *rule, struct json_parser *parser,
                                        struct json_writer *writer, int64_t *ret_time_ms,
                                        struct error *err);

/* Whether these bytes are UTF-8. */
bool import_is_utf8(struct text text);

#endif
