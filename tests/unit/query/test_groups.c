#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "query/groups.h"

static struct value number(double value)
{
	return (struct value){.type = VALUE_DOUBLE, .number = value};
}

static struct value string(const char *text)
{
	return (struct value){.type = VALUE_STRING, .text = text_of(text)};
}

/* Of at most four strings. */
static struct value set_of(struct buffer *into, const char *const *items)
{
	buffer_clear(into);
	for (; *items != NULL; items++)
		buffer_add_sized(into, text_of(*items));
	return (struct value){.type = VALUE_STRING_SET, .text = buffer_text(into)};
}

static void equal_values_are_one_group(void **state)
{
	(void)state;
	struct groups groups;
	struct arena  arena;
	struct buffer list     = {0};
	struct value  values[] = {number(5),    {.type = VALUE_INT, .integer = 5},
	                          string("5"),  number(0.0),
	                          number(-0.0), {.type = VALUE_TRUE},
	                          string("5")};
	groups_init(&groups);
	arena_init(&arena);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		groups_add(&groups, &values[i], 1);
	struct value set = set_of(&list, (const char *const[]){"b", "a", "b", NULL});
	groups_add(&groups, &set, 1);
	set = set_of(&list, (const char *const[]){"a", "b", NULL});
	groups_add(&groups, &set, 1);
	struct query_groups told = groups_largest(&groups, &arena);
	assert_int_equal(told.count, 5);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(told.groups[i].size, 2);
	assert_int_equal(told.groups[4].value.type, VALUE_TRUE);
	groups_done(&groups);
	arena_done(&arena);
	buffer_done(&list);
}

static void what_has_no_value_is_a_group_of_its_own(void **state)
{
	(void)state;
	struct groups groups;
	struct arena  arena;
	groups_init(&groups);
	arena_init(&arena);
	const struct value none[] = {
		{.type = VALUE_NONE}, {.type = VALUE_NULL}, {.type = VALUE_OBJECT}};
	for (size_t i = 0; i < 3; i++)
		groups_add(&groups, &none[i], 1);
	struct query_groups told = groups_largest(&groups, &arena);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.groups[0].value.type, VALUE_NULL);
	assert_int_equal(told.groups[0].size, 3);
	groups_done(&groups);
	arena_done(&arena);
}

static void the_largest_come_first_and_the_rest_is_counted_together(void **state)
{
	(void)state;
	struct groups parts[2];
	struct arena  arena;
	arena_init(&arena);
	uint64_t sum = 0;
	for (unsigned part = 0; part < 2; part++) {
		groups_init(&parts[part]);
		for (unsigned i = 0; i < QUERY_GROUPS_MAX + 200; i++) {
			struct value value = number(i);
			groups_add(&parts[part], &value, 1 + i % 7);
			sum += 1 + i % 7;
		}
	}
	groups_merge(&parts[0], &parts[1]);
	struct query_groups told = groups_largest(&parts[0], &arena);
	assert_int_equal(told.count, QUERY_GROUPS_MAX);
	uint64_t told_sum = told.others;
	for (uint32_t i = 0; i < told.count; i++) {
		told_sum += told.groups[i].size;
		if (i == 0)
			continue;
		const struct query_group *before = &told.groups[i - 1], *group = &told.groups[i];
		assert_true(before->size > group->size ||
		            (before->size == group->size && before->value.number < group->value.number));
	}
	assert_int_equal(told_sum, sum);
	groups_done(&parts[0]);
	groups_done(&parts[1]);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_values_are_one_group),
		cmocka_unit_test(what_has_no_value_is_a_group_of_its_own),
		cmocka_unit_test(the_largest_come_first_and_the_rest_is_counted_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
