#ifndef SONNIM_ENGINE_LEAF_VALUE_H
#define SONNIM_ENGINE_LEAF_VALUE_H

/* What the aggregate of a leaf is for a person, as a number or a value that can be shown. Only for
 * people to look at: what decides is leaf_look_events(), over the same stored events. */

#include "engine/apply/partition.h"

struct leaf_value {
	bool         missing; /* there is nothing to aggregate (rule 14) */
	uint64_t     count;   /* events that count; of distinct the values, of days_since_* the days */
	__int128     sum;     /* of sum and avg, millionths */
	struct value value;   /* of min, max, first, last; its text comes from `arena` */
};

/* Of a leaf of any plan; of a sequence nothing but `count`, 0. Cost: a reading of the person's
 * events. */
struct leaf_value leaf_value(struct partition *partition, uint32_t slot,
                             const struct plan_feature *feature, const struct plan_leaf *leaf,
                             int64_t now_ms, struct arena *arena);

/* A value that may be kept: texts are copied, arrays and objects are none. */
struct value leaf_value_keep(struct value value, struct arena *arena);

#endif
