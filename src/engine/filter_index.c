#include "engine/filter_index.h"

#include <stdlib.h>

#include "base/hash.h"

void index_list_remove(index_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i] != number)
			continue;
		list->items[i] = list->items[--list->count];
		return;
	}
}

void filter_index_done(struct filter_index *index)
{
	for (size_t i = 0; i < index->groups.count; i++) {
		struct filter_group *group = &index->groups.items[i];
		for (size_t j = 0; j < group->lists.count; j++)
			VECTOR_DONE(&group->lists.items[j]);
		VECTOR_DONE(&group->lists);
		map_u64_done(&group->values);
		plan_unref(group->owner);
	}
	VECTOR_DONE(&index->groups);
	VECTOR_DONE(&index->rest);
}

static struct filter_group *group_of(struct filter_index *index, const struct plan_filter *filter)
{
	for (size_t i = 0; i < index->groups.count; i++)
		if (text_equal(index->groups.items[i].filter->path.name, filter->path.name))
			return &index->groups.items[i];
	return NULL;
}

static uint64_t hash_of(struct text value) { return hash_bytes(value.data, value.length); }

static index_list *list_of(const struct filter_group *group, struct text value)
{
	const uint64_t *place = map_u64_find(&group->values, hash_of(value));
	return place == NULL || *place == 0 ? NULL : &group->lists.items[*place - 1];
}

static index_list *list_put(struct filter_group *group, struct text value)
{
	uint64_t *place = map_u64_put(&group->values, hash_of(value));
	if (*place == 0) {
		VECTOR_ADD(&group->lists, (index_list){0});
		*place = group->lists.count;
	}
	return &group->lists.items[*place - 1];
}

void filter_index_add(struct filter_index *index, const struct plan_feature *feature,
                      struct plan *plan, uint32_t number)
{
	if (feature->filter == NULL) {
		VECTOR_ADD(&index->rest, number);
		return;
	}
	struct filter_group *group = group_of(index, feature->filter);
	if (group == NULL) {
		VECTOR_ADD(&index->groups,
		           (struct filter_group){.filter = feature->filter, .owner = plan_ref(plan)});
		group = &index->groups.items[index->groups.count - 1];
	}
	VECTOR_ADD(list_put(group, feature->filter->value), number);
}

void filter_index_remove(struct filter_index *index, const struct plan_feature *feature,
                         uint32_t number)
{
	if (feature->filter == NULL) {
		index_list_remove(&index->rest, number);
		return;
	}
	struct filter_group *group = group_of(index, feature->filter);
	index_list          *list  = group == NULL ? NULL : list_of(group, feature->filter->value);
	if (list != NULL)
		index_list_remove(list, number);
}

static void add_all(index_list *features, const index_list *found)
{
	for (size_t i = 0; found != NULL && i < found->count; i++)
		VECTOR_ADD(features, found->items[i]);
}

/* The items of a set may name a value twice. */
static void add_new(index_list *features, const index_list *found)
{
	for (size_t i = 0; found != NULL && i < found->count; i++) {
		bool known = false;
		for (size_t j = 0; j < features->count && !known; j++)
			known = features->items[j] == found->items[i];
		if (!known)
			VECTOR_ADD(features, found->items[i]);
	}
}

void filter_index_find(const struct filter_index *index, struct text properties,
                       index_list *features)
{
	add_all(features, &index->rest);
	for (size_t i = 0; i < index->groups.count; i++) {
		const struct filter_group *group = &index->groups.items[i];
		struct value               value = value_at(properties, &group->filter->path);
		if (value.type == VALUE_STRING) {
			add_all(features, list_of(group, value.text));
		} else if (value.type == VALUE_STRING_SET) {
			struct byte_reader set = byte_reader_of(value.text.data, value.text.length);
			struct text        item;
			while (value_set_next(&set, &item))
				add_new(features, list_of(group, item));
		}
	}
}
