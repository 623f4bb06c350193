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
 *           seconds), epoch_s, epoch_ms, list (of strings, between commas), json. By default:
 *           string for CSV, time for timestamp, and for JSON Lines whatever the value is.
 *
 * A column that is called like a field maps to it by itself. Empty cells and JSON null are absent.
 * In JSON Lines a column is a member, or, with dots, a path; without any mapping a line is itself a
 * message. As JSON, a mapping is an object of
 *
 *   map   {FIELD: "COLUMN[:TYPE]", or {"column", "type", "format", "zone", "default"}}
 *         format and zone are for times (import_time.h); the default stands for an absent cell
 *   set   {FIELD: constant}, any JSON value
 *   type  of messages without one: "track", …     rest  where columns without a rule go:
 *   zone  of times without offset: UTC                  "ignore", "properties", "traits"
 *
 * A message without messageId gets one made of the row and its line: the same file can be imported
 * again, mended or with rows added, and every row counts once. Where a row has no timestamp either,
 * the file's digest takes part: the same row in another file is another event. */

#include "base/arena.h"
#include "base/zone.h"
#include "model/dimension.h"
#include "transfer/import/import_rows.h"

enum { IMPORT_RULES_MAX = 2000, IMPORT_ZONES_MAX = 16 };

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
	enum import_group  group;
	struct text        field; /* within the group */
	bool               constant;
	struct text        source; /* column, or the constant itself */
	enum import_type   type;
	struct text        format;    /* of times; empty: none */
	const struct zone *zone;      /* of times without offset; NULL: UTC, or the map's */
	struct text        fallback;  /* of an absent cell; empty: none */
	struct text        prefix;    /* "field": as JSON, once bound */
	size_t             column;    /* of CSV, once bound */
	bool               timestamp; /* the message's, once bound */
	bool               message_id;
	bool               is_type;
};

struct import_map {
	struct arena arena;
	VECTOR(struct import_rule) rules;     /* by group */
	struct text                   type;   /* of messages without one */
	enum import_group             rest;   /* where columns without a rule go; IMPORT_TOP: nowhere */
	const struct zone            *zone;   /* of times without offset; NULL: UTC */
	const struct dimension_table *table;  /* of whose rows these are; NULL: messages */
	uint64_t                      digest; /* of the file: to be set before the first message */
	bool                          whole;  /* JSON Lines without rules: the line is the message */
	struct json_parser           *parser; /* of cells of type json and number */
	struct zone                  *zones[IMPORT_ZONES_MAX];
	struct text                   zone_names[IMPORT_ZONES_MAX];
	unsigned                      zone_count;
};

void import_map_init(struct import_map *map);
void import_map_done(struct import_map *map);

/* Adds one rule; a later one for the same field replaces the earlier. STATUS_INVALID. */
MUST_USE enum status import_map_add(struct import_map *map, struct text rule, bool constant,
                                    struct error *err);

/* Takes the members of a mapping as JSON; others are the caller's. STATUS_INVALID with the field:
 * "map.timestamp.zone". */
MUST_USE enum status import_map_read(struct import_map *map, struct json mapping,
                                     struct error *err);

/* Binds the rules to the columns of `rows`, and checks that messages will have what they need.
 * Names of columns that go nowhere are added to `ret_ignored`, separated by ", ". */
MUST_USE enum status import_map_bind(struct import_map *map, const struct import_rows *rows,
                                     struct buffer *ret_ignored, struct error *err);

/* Appends the message of the row as JSON. STATUS_INVALID: why there is none; `out` is as before.
 * Reasons never hold what stands in the row. `ret_time_ms` (may be NULL): its timestamp,
 * INSTANT_MS_NONE without one. */
MUST_USE enum status import_map_message(struct import_map *map, const struct import_rows *rows,
                                        struct buffer *out, int64_t *ret_time_ms,
                                        struct error *err);

#endif
