#include "api/audience/filter_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "model/value.h"

static struct value string_of(const char *text)
{
	return (struct value){.type = VALUE_STRING, .text = text_of(text)};
}

static struct value set_of(struct buffer *out, const char *const *items)
{
	for (; *items != NULL; items++)
		buffer_add_sized(out, text_of(*items));
	return (struct value){.type = VALUE_STRING_SET, .text = buffer_text(out)};
}

static const char *written(const char *name, const struct filter_values *values, struct buffer *out)
{
	struct filters     filters;
	struct json_writer w = json_writer_of(out);
	filters_init(&filters);
	filter_values_write(&w, filters_find(&filters, text_of(name)), values);
	filters_done(&filters);
	buffer_add_u8(out, '\0');
	return out->data;
}

static void sets_are_taken_apart_and_counted_with_single_values(void **state)
{
	(void)state;
	static const char *const both[]   = {"a", "b", NULL};
	struct buffer            set      = {0};
	struct query_group       groups[] = {
			  {{.type = VALUE_NULL}, 9}, {set_of(&set, both), 3},   {string_of("b"), 2},
			  {string_of("c"), 3},       {{.type = VALUE_TRUE}, 1},
    };
	struct query_groups  all = {.count = 5, .groups = groups};
	struct filter_values values;
	struct arena         arena;
	arena_init(&arena);
	filter_values_of(&all, &arena, &values);
	assert_true(values.known);
	assert_int_equal(values.count, 3);
	assert_true(text_equal(values.list[0].text, TEXT("b")));
	assert_int_equal(values.list[0].count, 5);
	assert_true(text_equal(values.list[1].text, TEXT("a")));
	assert_true(text_equal(values.list[2].text, TEXT("c")));
	arena_done(&arena);
	buffer_done(&set);
}

static void own_values_come_first_with_their_labels(void **state)
{
	(void)state;
	struct filter_value  list[] = {{TEXT("X"), 7}, {TEXT("M"), 5}};
	struct filter_values values = {true, 2, list};
	struct buffer        out    = {0};
	assert_string_equal(
		written("gender", &values, &out),
		"[{\"value\":\"F\",\"label\":{\"ko\":\"여성\",\"en\":\"Female\"},\"count\":0},"
		"{\"value\":\"M\",\"label\":{\"ko\":\"남성\",\"en\":\"Male\"},\"count\":5},"
		"{\"value\":\"X\",\"label\":{\"ko\":\"X\",\"en\":\"X\"},\"count\":7}]");
	buffer_done(&out);
}

static void what_was_not_counted_has_no_count(void **state)
{
	(void)state;
	struct filter_values values = {0};
	struct buffer        out    = {0};
	assert_string_equal(
		written("gender", &values, &out),
		"[{\"value\":\"F\",\"label\":{\"ko\":\"여성\",\"en\":\"Female\"},\"count\":null},"
		"{\"value\":\"M\",\"label\":{\"ko\":\"남성\",\"en\":\"Male\"},\"count\":null}]");
	buffer_done(&out);
}

static unsigned values_written(const char *name, const struct filter_values *values)
{
	struct buffer out   = {0};
	unsigned      count = 0;
	written(name, values, &out);
	for (const char *at = out.data; (at = strstr(at, "\"value\"")) != NULL; at++)
		count++;
	buffer_done(&out);
	return count;
}

static void others_are_limited_and_closed_filters_have_none(void **state)
{
	(void)state;
	enum { COUNT = FILTER_VALUES_MAX + 20 };
	struct filter_value list[COUNT];
	char                names[COUNT][8];
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof names[i], "v%u", i);
		list[i] = (struct filter_value){text_of(names[i]), COUNT - i};
	}
	struct filter_values values = {true, COUNT, list};
	assert_int_equal(values_written("region", &values), FILTER_VALUES_MAX);
	assert_int_equal(values_written("gender", &values), 2 + FILTER_VALUES_MAX);
	assert_int_equal(values_written("days_of_week", &values), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_taken_apart_and_counted_with_single_values),
		cmocka_unit_test(own_values_come_first_with_their_labels),
		cmocka_unit_test(what_was_not_counted_has_no_count),
		cmocka_unit_test(others_are_limited_and_closed_filters_have_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
