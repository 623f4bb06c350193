#include "engine/catalog/plan_filter.h"

/* The property must be found among the properties: a name that begins with "context." or "$" is
 * looked up elsewhere. */
static bool is_looked_up(struct text property)
{
	return property.data[0] != '$' && !text_starts_with(property, TEXT("context."));
}

static bool has_strings(const struct expr_test *test)
{
	for (unsigned i = 0; i < test->value_count; i++)
		if (test->values[i].type != EXPR_STRING)
			return false;
	return test->op == EXPR_EQ || test->op == EXPR_IN;
}

static bool is_compared(const struct expr_test *test)
{
	return test->op == EXPR_GT || test->op == EXPR_GTE || test->op == EXPR_LT ||
	       test->op == EXPR_LTE;
}

/* How few events a test lets through, as far as its form tells; 0: it cannot serve. */
static unsigned narrowness(const struct expr_where *where)
{
	if (where->kind != EXPR_WHERE_TEST || !is_looked_up(where->property))
		return 0;
	if (has_strings(&where->test))
		return where->test.value_count == 1 ? 3 : 2;
	return is_compared(&where->test) ? 1 : 0;
}

static const struct expr_where *narrowest(const struct expr_where *where)
{
	if (where->kind != EXPR_WHERE_AND)
		return narrowness(where) > 0 ? where : NULL;
	const struct expr_where *found = NULL;
	for (unsigned i = 0; i < where->count; i++)
		if (narrowness(where->operands[i]) > (found == NULL ? 0 : narrowness(found)))
			found = where->operands[i];
	return found;
}

struct plan_filter *plan_filter_of(const struct expr_where *where, struct arena *arena)
{
	const struct expr_where *found = where == NULL ? NULL : narrowest(where);
	if (found == NULL)
		return NULL;
	const struct expr_test *test   = &found->test;
	struct plan_filter     *filter = ARENA_NEW(arena, struct plan_filter);
	value_path_init(&filter->path, arena_text(arena, found->property), arena);
	filter->whole = found == where;
	if (is_compared(test)) {
		filter->kind  = test->op == EXPR_GT || test->op == EXPR_GTE ? FILTER_ABOVE : FILTER_BELOW;
		filter->bound = test->values[0].number;
		filter->with_bound = test->op == EXPR_GTE || test->op == EXPR_LTE;
		return filter;
	}
	filter->kind         = FILTER_STRINGS;
	filter->string_count = test->value_count;
	filter->strings      = ARENA_ARRAY(arena, struct text, test->value_count);
	for (unsigned i = 0; i < test->value_count; i++)
		filter->strings[i] = arena_text(arena, test->values[i].text);
	return filter;
}
