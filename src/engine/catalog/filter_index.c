#include "engine/catalog/filter_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { GROUPS_AT_ONCE = 16 }; /* that one pass over an event's properties serves */

void index_list_remove(index_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i] != number)
			continue;
		list->items[i] = list->items[--list->count];
		return;
	}
}

static void found_list_remove(found_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].number != number)
			continue;
		list->items[i] = list->items[--list->count];
		return;
	}
}

static struct filter_string *block_of(uint64_t value)
{
	return (struct filter_string *)(uintptr_t)value;
}

void filter_index_done(struct filter_index *index)
{
	for (size_t i = 0; i < index->groups.count; i++) {
		struct filter_group *group = &index->groups.items[i];
		for (size_t j = 0; j < group->strings.capacity; j++)
			free(block_of(group->strings.slots[2 * j + 1]));
		free(block_of(group->strings.zero_value));
		map_u64_done(&group->strings);
		VECTOR_DONE(&group->above);
		VECTOR_DONE(&group->below);
		plan_unref(group->owner);
	}
	VECTOR_DONE(&index->groups);
	VECTOR_DONE(&index->rest);
}

/* --- adding and removing --- */

static struct filter_group *group_of(struct filter_index *index, const struct plan_filter *filter)
{
	for (size_t i = 0; i < index->groups.count; i++)
		if (text_equal(index->groups.items[i].path->name, filter->path.name))
			return &index->groups.items[i];
	return NULL;
}

static struct filter_group *group_put(struct filter_index *index, const struct plan_filter *filter,
                                      struct plan *plan)
{
	struct filter_group *group = group_of(index, filter);
	if (group != NULL)
		return group;
	VECTOR_ADD(&index->groups,
	           (struct filter_group){.path = &filter->path, .owner = plan_ref(plan)});
	return &index->groups.items[index->groups.count - 1];
}

static uint64_t hash_of(struct text value) { return hash_bytes(value.data, value.length); }

static struct filter_string *string_of(const struct filter_group *group, struct text value)
{
	const uint64_t *place = map_u64_find(&group->strings, hash_of(value));
	return place == NULL ? NULL : block_of(*place);
}

static bool is_string(const struct filter_string *string, struct text value)
{
	const char *bytes = (const char *)(string->features + string->room);
	return text_equal((struct text){bytes, string->length}, value);
}

static struct filter_string *string_new(struct text value, uint32_t room)
{
	struct filter_string *string =
		malloc(sizeof *string + room * sizeof string->features[0] + value.length);
	if (string == NULL)
		abort();
	*string = (struct filter_string){.length = (uint32_t)value.length, .room = room};
	if (value.length > 0)
		memcpy(string->features + room, value.data, value.length);
	return string;
}

/* The string's block with room for one more feature. */
static struct filter_string *string_put(struct filter_group *group, struct text value)
{
	uint64_t             *place  = map_u64_put(&group->strings, hash_of(value));
	struct filter_string *string = block_of(*place);
	if (string == NULL) {
		string = string_new(value, 1);
	} else if (string->count == string->room) {
		struct text same = {(const char *)(string->features + string->room), string->length};
		struct filter_string *larger = string_new(same, string->room * 2);
		larger->count                = string->count;
		memcpy(larger->features, string->features, string->count * sizeof string->features[0]);
		free(string);
		string = larger;
	}
	*place = (uintptr_t)string;
	return string;
}

static void add_strings(struct filter_group *group, const struct plan_filter *filter,
                        uint32_t number)
{
	for (unsigned i = 0; i < filter->string_count; i++) {
		struct filter_string *string = string_put(group, filter->strings[i]);
		if (string->count > 0 && string->features[string->count - 1].number == number)
			continue; /* a list may name a string twice */
		/* Where two strings have one hash, nothing found by it is sure. */
		string->features[string->count++] =
			(struct found_feature){.number = number & INT32_MAX,
		                           .sure = filter->whole && is_string(string, filter->strings[i])};
	}
}

static void remove_from_string(struct filter_string *string, uint32_t number)
{
	for (uint32_t i = 0; i < string->count; i++) {
		if (string->features[i].number != number)
			continue;
		string->features[i] = string->features[--string->count];
		return;
	}
}

static bool is_before(const struct filter_bound *a, const struct filter_bound *b)
{
	return a->bound < b->bound || (a->bound == b->bound && a->with_bound && !b->with_bound);
}

static void add_bound(bound_list *list, const struct plan_filter *filter, uint32_t number)
{
	struct filter_bound bound = {
		.bound      = filter->kind == FILTER_ABOVE ? filter->bound : -filter->bound,
		.with_bound = filter->with_bound,
		.feature    = {.number = number & INT32_MAX, .sure = filter->whole},
	};
	VECTOR_ADD(list, bound);
	size_t at = list->count - 1;
	for (; at > 0 && is_before(&bound, &list->items[at - 1]); at--)
		list->items[at] = list->items[at - 1];
	list->items[at] = bound;
}

void filter_index_add(struct filter_index *index, const struct plan_feature *feature,
                      struct plan *plan, uint32_t number)
{
	const struct plan_filter *filter = feature->filter;
	if (filter == NULL) {
		VECTOR_ADD(&index->rest, (struct found_feature){.number = number & INT32_MAX,
		                                                .sure   = feature->where == NULL});
		return;
	}
	struct filter_group *group = group_put(index, filter, plan);
	if (filter->kind == FILTER_STRINGS)
		add_strings(group, filter, number);
	else
		add_bound(filter->kind == FILTER_ABOVE ? &group->above : &group->below, filter, number);
}

static void remove_bound(bound_list *list, uint32_t number)
{
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].feature.number != number)
			list->items[count++] = list->items[i];
	list->count = count;
}

void filter_index_remove(struct filter_index *index, const struct plan_feature *feature,
                         uint32_t number)
{
	const struct plan_filter *filter = feature->filter;
	if (filter == NULL) {
		found_list_remove(&index->rest, number);
		return;
	}
	struct filter_group *group = group_of(index, filter);
	if (group == NULL)
		return;
	remove_bound(&group->above, number);
	remove_bound(&group->below, number);
	for (unsigned i = 0; i < filter->string_count; i++) {
		struct filter_string *string = string_of(group, filter->strings[i]);
		if (string != NULL)
			remove_from_string(string, number);
	}
}

/* --- finding --- */

static void add_string(found_list *features, const struct filter_group *group, struct text value)
{
	const struct filter_string *string = string_of(group, value);
	if (string == NULL)
		return;
	bool same = is_string(string, value);
	for (uint32_t i = 0; i < string->count; i++) {
		struct found_feature found = string->features[i];
		found.sure &= same;
		VECTOR_ADD(features, found);
	}
}

/* The items of a set may name a feature twice. */
static void add_set(found_list *features, const struct filter_group *group, struct text set)
{
	struct byte_reader bytes = byte_reader_of(set.data, set.length);
	struct text        item;
	size_t             begin = features->count;
	while (value_set_next(&bytes, &item)) {
		size_t before = features->count, count = before;
		add_string(features, group, item);
		for (size_t i = before; i < features->count; i++) {
			size_t known = begin;
			while (known < before && features->items[known].number != features->items[i].number)
				known++;
			if (known == before)
				features->items[count++] = features->items[i];
		}
		features->count = count;
	}
}

static void add_bounds(found_list *features, const bound_list *list, double number)
{
	size_t begin = 0, end = list->count;
	while (begin < end) {
		size_t                     middle = begin + (end - begin) / 2;
		const struct filter_bound *bound  = &list->items[middle];
		if (bound->bound < number || (bound->bound == number && bound->with_bound))
			begin = middle + 1;
		else
			end = middle;
	}
	for (size_t i = 0; i < begin; i++)
		VECTOR_ADD(features, list->items[i].feature);
}

static void add_group(found_list *features, const struct filter_group *group,
                      const struct value *value)
{
	double number;
	if (value->type == VALUE_STRING) {
		add_string(features, group, value->text);
	} else if (value->type == VALUE_STRING_SET) {
		add_set(features, group, value->text);
	} else if (value_number(value, &number)) {
		add_bounds(features, &group->above, number);
		add_bounds(features, &group->below, -number);
	}
}

void filter_index_find(const struct filter_index *index, struct text properties,
                       found_list *features)
{
	for (size_t i = 0; i < index->rest.count; i++)
		VECTOR_ADD(features, index->rest.items[i]);
	for (size_t begin = 0; begin < index->groups.count; begin += GROUPS_AT_ONCE) {
		const struct filter_group *groups = index->groups.items + begin;
		const struct value_path   *paths[GROUPS_AT_ONCE];
		struct value               values[GROUPS_AT_ONCE];
		size_t                     left  = index->groups.count - begin;
		unsigned                   count = left < GROUPS_AT_ONCE ? (unsigned)left : GROUPS_AT_ONCE;
		for (unsigned i = 0; i < count; i++)
			paths[i] = groups[i].path;
		value_find_each(properties, paths, count, values);
		for (unsigned i = 0; i < count; i++)
			add_group(features, &groups[i], &values[i]);
	}
}
