#ifndef SONNIM_API_FILTER_VALUES_H
#define SONNIM_API_FILTER_VALUES_H

/* What values the persons have by which a filter divides them, and how many have each: groups of a
 * question about everybody (query/query.h), of which sets are taken apart, so that whoever has two
 * values counts for both. Those of events are each person's newest in the filter's window. */

#include "api/audience/filter_set.h"

enum { FILTER_VALUES_MAX = 100 }; /* beyond those that the filter lists itself */

struct filter_value {
	struct text text;
	uint64_t    count;
};

/* By number, the largest first, then by text. */
struct filter_values {
	bool                 known;
	size_t               count;
	struct filter_value *list;
};

/* Everybody, in canonical form. */
extern const struct text filter_values_everybody;

/* From a dimension's groups; copies into the arena. */
void filter_values_of(const struct query_groups *groups, struct arena *arena,
                      struct filter_values *ret_values);

/* Writes the array of a filter's values: its own in their order, then FILTER_VALUES_MAX others that
 * there are. `count` is null where they are not known. */
void filter_values_write(struct json_writer *writer, const struct filter *filter,
                         const struct filter_values *values);

#endif
