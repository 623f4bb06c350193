#include "base/json_locate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char text[] = "{\n"
						   "  \"filters\": [ {\"name\": \"a\\\"]\", \"days\": -1.5e3},\n"
						   "    {\"name\": true, \"label\": {\"ko\": \"제주\", \"en\": null}} ],\n"
						   "  \"empty\": [{}, []]\n"
						   "}\n";

static void check(const char *place, const char *found)
{
	size_t at = json_locate(text_of(text), place);
	if (strncmp(text + at, found, strlen(found)) != 0)
		fail_msg("%s: %s", place, text + at);
}

static void a_value_is_found_by_its_place(void **state)
{
	(void)state;
	check("", "{\n");
	check("filters", "[ {");
	check("filters[0]", "{\"name\": \"a");
	check("filters[0].name", "\"a\\\"]\"");
	check("filters[0].days", "-1.5e3");
	check("filters[1].name", "true");
	check("filters[1].label.ko", "\"제주\"");
	check("filters[1].label.en", "null");
	check("empty[1]", "[]");
}

static void what_is_not_there_is_found_by_what_is_around_it(void **state)
{
	(void)state;
	check("filters[1].type", "{\"name\": true");
	check("filters[7]", "[ {");
	check("filters[1].label.ko.x", "\"제주\"");
	check("other", "{\n");
}

static void a_mistake_is_found_where_the_text_ceases_to_be_json(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t      at;
	} cases[] = {
		{"{\"a\": 1,}", 8}, {"{\"a\" 1}", 5}, {"[1 2]", 3},      {"{\"a\": nul}", 6},
		{"[1, 2", 5},       {"{} x", 3},      {"[\"a\nb\"]", 3}, {"", 0},
		{"{a: 1}", 1},      {"[\"abc", 5},    {"[\"a\\", 4},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t at = json_locate(text_of(cases[i].text), "a");
		if (at != cases[i].at)
			fail_msg("%s: at %zu", cases[i].text, at);
	}
}

static void nesting_beyond_the_limit_ends_the_walk(void **state)
{
	(void)state;
	char deep[2 * JSON_LOCATE_DEPTH_MAX];
	memset(deep, '[', sizeof deep);
	assert_int_equal(json_locate((struct text){deep, sizeof deep}, ""), JSON_LOCATE_DEPTH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_found_by_its_place),
		cmocka_unit_test(what_is_not_there_is_found_by_what_is_around_it),
		cmocka_unit_test(a_mistake_is_found_where_the_text_ceases_to_be_json),
		cmocka_unit_test(nesting_beyond_the_limit_ends_the_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
