#ifndef SONNIM_TRANSFER_IMPORT_PLAN_H
#define SONNIM_TRANSFER_IMPORT_PLAN_H

/* All that a mapping says, as JSON: what import_map.h takes, and
 *
 *   format     "csv", "jsonl"; by default told by the file's name, else by its first byte
 *   delimiter  of CSV: one character, or "tab"; by default a comma (in a .tsv a tab)
 *   columns    of CSV without a first row that names them: an array of names
 *   order      "file" (the default), or "time": rows are sorted by their timestamps first
 *   dimension  "products" or "properties": rows are rows of it (model/dimension.h), not messages;
 *              FIELD is then its key or one of its fields, and there is no type, rest or order
 *
 * An unknown member is refused. */

#include "transfer/import/import_map.h"

struct import_plan {
	struct import_map  map;
	enum import_format format;
	char               delimiter;
	const char        *columns; /* NULL: the first row names them */
	bool               by_time;
	enum dimension     dimension; /* where map.table is set */
};

/* STATUS_INVALID with the field, whose path begins with `place` ("params.mapping"). `name` of the
 * file may be empty. To be freed in any case. */
MUST_USE enum status import_plan_init(struct import_plan *plan, struct json mapping,
                                      struct text name, const char *place, struct error *err);
void                 import_plan_done(struct import_plan *plan);

#endif
