#ifndef SONNIM_QUERY_GROUPS_H
#define SONNIM_QUERY_GROUPS_H

/* How many persons have each value of something.
 *
 * Equal values are those that the language takes for equal (rule 15): numbers as doubles, types
 * apart, sets whatever the order of their items; what has no value there is VALUE_NULL. Values
 * beyond GROUPS_VALUES_MAX are not told apart any more. */

#include "base/map.h"
#include "base/vector.h"
#include "query/query.h"

enum { GROUPS_VALUES_MAX = 1 << 17 };

struct groups {
	struct map_text by_value; /* index + 1 */
	VECTOR(struct query_group) items;
	struct arena  arena;   /* of their values */
	struct buffer key;     /* of the value at hand */
	uint64_t      missing; /* without a value */
	uint64_t      others;
};

void groups_init(struct groups *groups);
void groups_done(struct groups *groups);

void groups_add(struct groups *groups, const struct value *value, uint64_t count);
void groups_merge(struct groups *groups, const struct groups *from);

/* The largest, by size, then by value; what they hold is from `arena`. */
struct query_groups groups_largest(const struct groups *groups, struct arena *arena);

#endif
