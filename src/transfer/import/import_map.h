#ifndef SONNIM_TRANSFER_IMPORT_MAP_H
#define SONNIM_TRANSFER_IMPORT_MAP_H

/* Which column of a file becomes which field of a message.
 *
 *   FIELD=COLUMN[:TYPE]   userId=customer_id, properties.revenue=price:number
 *   FIELD=VALUE           of constants: event=Order Completed
 *
 *   FIELD   userId, anonymousId, previousId, groupId, messageId, type, event, timestamp, name,
 *           category, or properties.NAME, traits.NAME, context.NAME
 *   TYPE    string, number, boolean, time (RFC 3339, also with a space for the T, also without
 *           offset: UTC), epoch_s, epoch_ms, list (of strings, between commas), json. By default:
 *           string for CSV, time for timestamp, and for JSON Lines whatever the value is.
 *
 * A column that is called like a field maps to it by itself. Empty cells and JSON null are absent.
 * In JSON Lines a column is a member, or, with dots, a path; without any mapping a line is itself a
 * message. A mapping file is JSON: {"map":{"FIELD":"COLUMN[:TYPE]",…},"set":{"FIELD":"VALUE",…}}.
 *
 * A message without messageId gets one made of the row and its line: the same file can be imported
 * again, or further after a failure, and every row counts once. */

#include "transfer/import/import_rows.h"
#include "base/arena.h"

enum import_type {
	IMPORT_ANY, /* of JSON Lines: as it is */
	IMPORT_STRING,
	IMPORT_NUMBER,
	IMPORT_BOOLEAN,
	IMPORT_TIME,
	IMPORT_EPOCH_S,
	IMPORT_EPOCH_MS,
	IMPORT_LIST,
	IMPORT_JSON,
};

enum import_group {
	IMPORT_TOP,
	IMPORT_PROPERTIES,
	IMPORT_TRAITS,
	IMPORT_CONTEXT,
	IMPORT_GROUP_COUNT
};

struct import_rule {
	enum import_group group;
	struct text       field; /* within the group */
	bool              constant;
	struct text       source; /* column, or the constant itself */
	enum import_type  type;
	size_t            column; /* of CSV, once bound */
};

struct import_map {
	struct arena arena;
	VECTOR(struct import_rule) rules; /* by group */
	struct text         type;         /* of messages without one */
	bool                whole;        /* JSON Lines without rules: the line is the message */
	struct json_parser *parser;       /* of cells of type json and number */
};

void import_map_init(struct import_map *map);
void import_map_done(struct import_map *map);

/* Adds one rule; a later one for the same field replaces the earlier. STATUS_INVALID. */
MUST_USE enum status import_map_add(struct import_map *map, struct text rule, bool constant,
                                    struct error *err);
MUST_USE enum status import_map_add_file(struct import_map *map, const char *path,
                                         struct error *err);

/* Adds the rules of another map, which replace those for the same fields. */
void import_map_replace(struct import_map *map, const struct import_map *other);

/* `rest` is where columns without a rule go (IMPORT_TOP: nowhere). `type` is that of messages
 * without one. Binds the rules to the columns of `rows`, and checks that messages will have what
 * they need. Names of columns that go nowhere are added to `ret_ignored`, separated by ", ". */
MUST_USE enum status import_map_bind(struct import_map *map, const struct import_rows *rows,
                                     const char *type, enum import_group rest,
                                     struct buffer *ret_ignored, struct error *err);

/* Appends the message of the row as JSON. STATUS_INVALID: why there is none; `out` is as before. */
MUST_USE enum status import_map_message(struct import_map *map, const struct import_rows *rows,
                                        struct buffer *out, struct error *err);

#endif
