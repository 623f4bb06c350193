#include "events/part_schema.h"

#include <stdlib.h>

/* A column costs a description and a bit a row: below these it does not pay. */
enum { COUNT_MIN = 16, ROWS_FOR_ONE = 50, PROPERTIES_MAX = 8192 };

void part_schema_done(struct part_schema *schema)
{
	map_u64_done(&schema->index);
	VECTOR_DONE(&schema->properties);
}

/* The type as a column has it; VALUE_NONE: no column takes it. */
static enum value_type type_of(enum value_type type)
{
	switch (type) {
	case VALUE_FALSE:
	case VALUE_TRUE:
		return VALUE_TRUE;
	case VALUE_INT:
	case VALUE_DOUBLE:
	case VALUE_STRING:
	case VALUE_STRING_SET:
		return type;
	default:
		return VALUE_NONE;
	}
}

static uint64_t key_of(uint32_t hash, enum value_type type) { return (uint64_t)hash << 8 | type; }

struct part_property *part_schema_find(const struct part_schema *schema, uint32_t hash,
                                       struct text name, enum value_type type)
{
	enum value_type kept = type_of(type);
	const uint64_t *index =
		kept == VALUE_NONE ? NULL : map_u64_find(&schema->index, key_of(hash, kept));
	if (index == NULL)
		return NULL;
	struct part_property *property = &schema->properties.items[*index - 1];
	return text_equal(property->name, name) ? property : NULL;
}

void part_schema_count(struct part_schema *schema, uint32_t hash, struct text name,
                       enum value_type type)
{
	enum value_type kept = type_of(type);
	if (kept == VALUE_NONE)
		return;
	uint64_t *index = map_u64_find(&schema->index, key_of(hash, kept));
	if (index == NULL) {
		if (schema->properties.count >= PROPERTIES_MAX)
			return;
		VECTOR_ADD(&schema->properties,
		           (struct part_property){.name = name, .hash = hash, .type = (uint8_t)kept});
		index  = map_u64_put(&schema->index, key_of(hash, kept));
		*index = schema->properties.count;
	}
	struct part_property *property = &schema->properties.items[*index - 1];
	/* Of two names with one hash the first has the column, the other the residual. */
	if (text_equal(property->name, name))
		property->count++;
}

static int compare_properties(const void *left, const void *right)
{
	const struct part_property *a = *(struct part_property *const *)left;
	const struct part_property *b = *(struct part_property *const *)right;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	int order = text_compare(a->name, b->name);
	return order != 0 ? order : (int)a->type - (int)b->type;
}

static bool is_wanted(const struct part_property *property, uint32_t rows, bool *ret_declared,
                      const struct events_settings *settings)
{
	*ret_declared = events_settings_lists(settings->columns, property->name);
	if (*ret_declared)
		return true;
	return property->count >= COUNT_MIN && property->count >= rows / ROWS_FOR_ONE &&
	       !events_settings_lists(settings->columns_exclude, property->name);
}

void part_schema_choose(struct part_schema *schema, uint32_t rows,
                        const struct events_settings *settings)
{
	size_t                 count  = schema->properties.count;
	struct part_property **sorted = calloc(count + 1, sizeof(struct part_property *));
	if (sorted == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		sorted[i] = &schema->properties.items[i];
	qsort(sorted, count, sizeof(struct part_property *), compare_properties);
	uint32_t by_themselves = 0;
	for (size_t i = 0; i < count; i++) {
		bool declared;
		if (!is_wanted(sorted[i], rows, &declared, settings) ||
		    (!declared && by_themselves >= settings->columns_max))
			continue;
		by_themselves += !declared;
		sorted[i]->column = ++schema->column_count;
	}
	free(sorted);
}
