#ifndef SONNIM_EVENTS_PART_SCHEMA_H
#define SONNIM_EVENTS_PART_SCHEMA_H

/* Which properties get a column in a part: counted over its rows, then chosen. A property has one
 * for each kind of value that it takes (whole numbers, doubles, booleans, strings, string sets);
 * everything else stays in the residual column. */

#include "base/map.h"
#include "base/vector.h"
#include "events/settings.h"
#include "model/value.h"

struct part_property {
	struct text name;
	uint32_t    hash;
	uint8_t     type; /* INT, DOUBLE, TRUE (for both booleans), STRING or STRING_SET */
	uint32_t    count;
	uint32_t    column; /* its number + 1; 0: none */
};

struct part_schema {
	struct map_u64 index; /* hash and type → index + 1 */
	VECTOR(struct part_property) properties;
	uint32_t column_count;
};

void part_schema_done(struct part_schema *schema);

/* NULL: not counted. */
struct part_property *part_schema_find(const struct part_schema *schema, uint32_t hash,
                                       struct text name, enum value_type type);

/* Counts one occurrence. The name must outlive the schema. */
void part_schema_count(struct part_schema *schema, uint32_t hash, struct text name,
                       enum value_type type);

/* Chooses, for a part of so many rows; columns are numbered from 0, the most frequent first. */
void part_schema_choose(struct part_schema *schema, uint32_t rows,
                        const struct events_settings *settings);

#endif
