#ifndef SONNIM_ENGINE_FILTER_INDEX_H
#define SONNIM_ENGINE_FILTER_INDEX_H

/* The features of one event name, found by an equality that their filter demands, so that an event
 * does not look at those that ask for another value:
 *
 *   property ──► value ──► features         region ──► "제주" ──► 3, 8
 *   rest ──► features                                └─► "부산" ──► 5
 *
 * Candidates only: the whole filter decides. Values are told apart by a 64-bit hash; each property
 * is looked up once an event, however many features ask for it.
 * Owner: the catalog; its thread only. */

#include <stdint.h>

#include "base/map.h"
#include "base/vector.h"
#include "engine/plan.h"

typedef VECTOR(uint32_t) index_list;

struct filter_group {
	const struct plan_filter *filter; /* whose property it is; kept alive by `owner` */
	struct plan              *owner;
	struct map_u64            values; /* hash of the value → index + 1 into lists */
	VECTOR(index_list) lists;
};

struct filter_index {
	index_list rest; /* features without such a filter */
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
                       index_list *features);

/* Takes a number out of a list, whose order does not matter. */
void index_list_remove(index_list *list, uint32_t number);

#endif
