#include "query/groups.h"

#include <stdlib.h>
#include <string.h>

void groups_init(struct groups *groups)
{
	*groups = (struct groups){0};
	arena_init(&groups->arena);
}

void groups_done(struct groups *groups)
{
	map_text_done(&groups->by_value);
	VECTOR_DONE(&groups->items);
	buffer_done(&groups->key);
	arena_done(&groups->arena);
}

static int compare_items(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

/* Sorted, each once. */
static void add_set(struct buffer *key, struct text set)
{
	VECTOR(struct text) items = {0};
	struct byte_reader reader = byte_reader_of(set.data, set.length);
	struct text        item;
	while (value_set_next(&reader, &item))
		VECTOR_ADD(&items, item);
	if (items.count > 1)
		qsort(items.items, items.count, sizeof items.items[0], compare_items);
	for (size_t i = 0; i < items.count; i++)
		if (i == 0 || !text_equal(items.items[i - 1], items.items[i]))
			buffer_add_sized(key, items.items[i]);
	VECTOR_DONE(&items);
}

/* What is equal for equal values: a value of its own, of which a text or a set is the end. False:
 * there is none. */
static bool write_key(struct buffer *key, const struct value *value, struct value *ret_plain)
{
	double number;
	buffer_clear(key);
	*ret_plain = (struct value){.type = value->type};
	if (value_number(value, &number)) {
		*ret_plain = (struct value){.type = VALUE_DOUBLE, .number = number == 0 ? 0 : number};
		buffer_add(key, "n", 1);
		buffer_add(key, &ret_plain->number, sizeof ret_plain->number);
		return true;
	}
	if (value->type == VALUE_INDEXED)
		ret_plain->type = VALUE_PERSONAL;
	switch (ret_plain->type) {
	case VALUE_FALSE:
	case VALUE_TRUE:
	case VALUE_PERSONAL:
		buffer_printf(key, "%d", ret_plain->type);
		return true;
	case VALUE_STRING:
		buffer_add(key, "s", 1);
		buffer_add_text(key, value->text);
		ret_plain->text = (struct text){key->data + 1, key->length - 1};
		return true;
	case VALUE_STRING_SET:
		buffer_add(key, "t", 1);
		add_set(key, value->text);
		ret_plain->text = (struct text){key->data + 1, key->length - 1};
		return true;
	default:
		return false;
	}
}

static void keep_text(struct value *value, struct arena *arena)
{
	if (value->type == VALUE_STRING || value->type == VALUE_STRING_SET)
		value->text = arena_text(arena, value->text);
}

void groups_add(struct groups *groups, const struct value *value, uint64_t count)
{
	struct query_group group = {.size = count};
	if (!write_key(&groups->key, value, &group.value)) {
		groups->missing += count;
		return;
	}
	struct text key   = buffer_text(&groups->key);
	uintptr_t   known = (uintptr_t)map_text_get(&groups->by_value, key);
	if (known != 0) {
		groups->items.items[known - 1].size += count;
	} else if (groups->items.count >= GROUPS_VALUES_MAX) {
		groups->others += count;
	} else {
		keep_text(&group.value, &groups->arena);
		VECTOR_ADD(&groups->items, group);
		*map_text_put(&groups->by_value, key) = (void *)(uintptr_t)groups->items.count;
	}
}

void groups_merge(struct groups *groups, const struct groups *from)
{
	for (size_t i = 0; i < from->items.count; i++)
		groups_add(groups, &from->items.items[i].value, from->items.items[i].size);
	groups->missing += from->missing;
	groups->others += from->others;
}

static int compare_values(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->type == VALUE_DOUBLE)
		return (a->number > b->number) - (a->number < b->number);
	if (a->type == VALUE_STRING || a->type == VALUE_STRING_SET)
		return text_compare(a->text, b->text);
	return 0;
}

static int compare_groups(const void *left, const void *right)
{
	const struct query_group *a = left, *b = right;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return compare_values(&a->value, &b->value);
}

struct query_groups groups_largest(const struct groups *groups, struct arena *arena)
{
	size_t              count = groups->items.count + (groups->missing > 0);
	struct query_group *all   = malloc((count + 1) * sizeof *all);
	if (all == NULL)
		abort();
	if (groups->items.count > 0)
		memcpy(all, groups->items.items, groups->items.count * sizeof *all);
	if (groups->missing > 0)
		all[count - 1] = (struct query_group){{.type = VALUE_NULL}, groups->missing};
	qsort(all, count, sizeof *all, compare_groups);

	struct query_groups largest = {.others = groups->others};
	largest.count               = count < QUERY_GROUPS_MAX ? (uint32_t)count : QUERY_GROUPS_MAX;
	largest.groups              = ARENA_ARRAY(arena, struct query_group, largest.count);
	for (size_t i = 0; i < count; i++) {
		if (i >= largest.count) {
			largest.others += all[i].size;
			continue;
		}
		largest.groups[i] = all[i];
		keep_text(&largest.groups[i].value, arena);
	}
	free(all);
	return largest;
}
