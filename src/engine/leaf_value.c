#include "engine/leaf_value.h"

#include <stdlib.h>

#include "base/instant.h"
#include "engine/apply/feature.h"

typedef VECTOR(struct distinct_key) key_list;

/* What has been seen of the events that count, in their order. */
struct gathering {
	const struct plan_feature *feature;
	const struct plan_leaf    *leaf;
	struct leaf_value          value;
	int64_t                    first_ms;
	int64_t                    last_ms;
	key_list                   keys; /* of distinct */
};

struct value leaf_value_keep(struct value value, struct arena *arena)
{
	if (value.type == VALUE_INDEXED)
		value = (struct value){.type = VALUE_PERSONAL};
	else if (value.type == VALUE_STRING || value.type == VALUE_STRING_SET)
		value.text = arena_text(arena, value.text);
	else if (value.type == VALUE_ARRAY || value.type == VALUE_OBJECT)
		value = (struct value){.type = VALUE_NONE};
	return value;
}

static void take_extreme(struct gathering *gathering, const struct value *value)
{
	double number, kept = 0;
	bool   none = !value_number(&gathering->value.value, &kept);
	if (value_number(value, &number) &&
	    (none || (gathering->leaf->aggregate == EXPR_MIN ? number < kept : number > kept)))
		gathering->value.value = *value;
}

static void take_property(struct gathering *gathering, const struct record *record)
{
	struct value value =
		evaluate_property(&gathering->feature->property, record->properties, record->context);
	switch (gathering->leaf->aggregate) {
	case EXPR_MIN:
	case EXPR_MAX:
		take_extreme(gathering, &value);
		break;
	case EXPR_FIRST:
		if (gathering->value.count == 1)
			gathering->value.value = value;
		break;
	case EXPR_LAST:
		gathering->value.value = value;
		break;
	case EXPR_DISTINCT: {
		struct distinct_reader reader = evaluate_distinct(&value);
		struct distinct_key    key;
		while (distinct_next(&reader, &key))
			VECTOR_ADD(&gathering->keys, key);
		break;
	}
	default:
		break;
	}
}

static void take(struct gathering *gathering, const struct event *event)
{
	const struct record *record = &event->record;
	int64_t              amount;
	gathering->value.count++;
	if (gathering->first_ms == INSTANT_MS_NONE)
		gathering->first_ms = event->time_ms;
	gathering->last_ms = event->time_ms;
	if (gathering->feature->kind == SERIES_TOTALS &&
	    evaluate_amount(&gathering->feature->property, record->properties, record->context,
	                    &amount))
		gathering->value.sum += amount;
	else if (gathering->feature->kind != SERIES_TIMES)
		take_property(gathering, record);
}

static int compare_keys(const void *left, const void *right)
{
	const struct distinct_key *a = left, *b = right;
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return (a->low > b->low) - (a->low < b->low);
}

static uint64_t count_different(key_list *keys)
{
	uint64_t count = 0;
	if (keys->count > 0)
		qsort(keys->items, keys->count, sizeof *keys->items, compare_keys);
	for (size_t i = 0; i < keys->count; i++)
		count += i == 0 || compare_keys(&keys->items[i - 1], &keys->items[i]) != 0;
	return count;
}

static void finish(struct gathering *gathering, int64_t now_ms)
{
	struct leaf_value *value = &gathering->value;
	switch (gathering->leaf->aggregate) {
	case EXPR_COUNT:
	case EXPR_SUM:
		return;
	case EXPR_DISTINCT:
		value->count = count_different(&gathering->keys);
		return;
	default:
		break;
	}
	value->missing = value->count == 0;
	if (value->missing)
		return;
	if (gathering->leaf->aggregate == EXPR_DAYS_SINCE_FIRST)
		value->count = (uint64_t)((now_ms - gathering->first_ms) / DAY_MS);
	else if (gathering->leaf->aggregate == EXPR_DAYS_SINCE_LAST)
		value->count = (uint64_t)((now_ms - gathering->last_ms) / DAY_MS);
}

struct leaf_value leaf_value(struct partition *partition, uint32_t slot,
                             const struct plan_feature *feature, const struct plan_leaf *leaf,
                             int64_t now_ms, struct arena *arena)
{
	struct gathering gathering = {
		.feature = feature, .leaf = leaf, .first_ms = INSTANT_MS_NONE, .last_ms = INSTANT_MS_NONE};
	if (feature->sequence != NULL)
		return gathering.value;
	const struct events_query query = {
		.name             = feature->event,
		.from_ms          = leaf->span.from_ms,
		.to_ms            = leaf->span.to_ms,
		.through_position = partition->stored_position,
		.now_ms           = now_ms,
		.retention_ms     = partition->retention_ms,
	};
	event_list list = {0};
	facts_read(partition, slot, &query, NULL, &list);
	for (size_t i = 0; i < list.count; i++)
		if (span_start_ms(&leaf->span, list.items[i].time_ms) <= now_ms &&
		    span_end_ms(&leaf->span, list.items[i].time_ms) > now_ms &&
		    feature_matches(feature, &list.items[i].record, now_ms))
			take(&gathering, &list.items[i]);
	finish(&gathering, now_ms);
	gathering.value.value = leaf_value_keep(gathering.value.value, arena);
	VECTOR_DONE(&gathering.keys);
	event_list_done(&list);
	return gathering.value;
}
