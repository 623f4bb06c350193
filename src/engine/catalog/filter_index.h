#ifndef SONNIM_ENGINE_FILTER_INDEX_H
#define SONNIM_ENGINE_FILTER_INDEX_H

/* The features of one event name, found by one test that their `where` demands (plan_filter.h), so
 * that an event does not look at those that it cannot match:
 *
 *   property ─┬─► string ──► features         region ──► "제주" ──► 3, 8
 *             │                                     └─► "부산" ──► 5
 *             └─► bounds, sorted              revenue ──► ≥ 1000: 4   ≥ 5000: 9   > 5000: 2
 *   rest ───────► features                    the first bounds up to the event's value are passed
 *
 * A feature whose `where` asks for nothing but that test is found for sure; of others the whole
 * `where` decides. Each property is looked up once an event, however many features ask for it.
 * Owner: the catalog; its thread only. Cost: of each property, O(log bounds) and one a feature
 * found. */

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vector.h"
#include "engine/catalog/plan.h"

typedef VECTOR(uint32_t) index_list;

struct found_feature {
	uint32_t number : 31;
	uint32_t sure : 1; /* nothing else is to be asked */
};
typedef VECTOR(struct found_feature) found_list;

struct filter_bound {
	double               bound; /* of those below: with the other sign */
	bool                 with_bound;
	struct found_feature feature;
};
typedef VECTOR(struct filter_bound) bound_list;

/* Mostly one cache line. */
struct filter_string {
	uint32_t             length; /* of the string, which lies behind the features */
	uint32_t             count;
	uint32_t             room;
	struct found_feature features[]; /* room of them */
};

struct filter_group {
	const struct value_path *path; /* kept alive by `owner` */
	struct plan             *owner;
	struct map_u64           strings; /* by hash: struct filter_string * */
	bound_list               above, below;
};

struct filter_index {
	found_list rest; /* features without such a test */
	VECTOR(struct filter_group) groups;
};

void filter_index_done(struct filter_index *index);

/* `number` is the feature's; `plan` is what its description lies in. */
void filter_index_add(struct filter_index *index, const struct plan_feature *feature,
                      struct plan *plan, uint32_t number);
void filter_index_remove(struct filter_index *index, const struct plan_feature *feature,
                         uint32_t number);

/* Adds the features that an event with these properties may match, each once. */
void filter_index_find(const struct filter_index *index, struct text properties,
                       found_list *features);

/* Takes a number out of a list, whose order does not matter. */
void index_list_remove(index_list *list, uint32_t number);

#endif
