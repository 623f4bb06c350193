#include "ingest/tape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"

static int new_parser(void **state)
{
	*state = json_parser_new();
	return 0;
}

static int free_parser(void **state)
{
	json_parser_free(*state);
	return 0;
}

static struct json parse(void **state, const char *text)
{
	struct json  root = {0};
	struct error err  = {0};
	if (json_parse_text(*state, text_of(text), &root, &err) != STATUS_OK)
		fail_msg("%s: %s", text, err.reason);
	return root;
}

static void depth_is_that_of_the_deepest_container(void **state)
{
	assert_int_equal(tape_scan(parse(state, "5")).depth, 0);
	assert_int_equal(tape_scan(parse(state, "[]")).depth, 1);
	assert_int_equal(tape_scan(parse(state, "[{},{\"a\":[1,[2]]},3]")).depth, 4);
}

static void an_overflow_is_found_wherever_it_stands(void **state)
{
	assert_true(tape_scan(parse(state, "{\"a\":[1,{\"b\":1e999}]}")).overflow);
	assert_false(tape_scan(parse(state, "{\"a\":[1,{\"b\":1e300}]}")).overflow);
}

static void the_longest_text_is_found_among_items_members_and_names(void **state)
{
	assert_int_equal(tape_scan(parse(state, "[\"ab\",{\"c\":\"def\"}]")).text_bytes_max, 3);
	assert_int_equal(tape_scan(parse(state, "{\"name\":1}")).text_bytes_max, 4);
	assert_int_equal(tape_scan(parse(state, "[1]")).text_bytes_max, 0);
}

static void a_scan_stays_within_its_value(void **state)
{
	struct json      root = parse(state, "{\"a\":[1],\"b\":[[[\"long\"]]],\"c\":1e999}");
	struct tape_scan scan = tape_scan(json_get(root, "a"));
	assert_int_equal(scan.depth, 1);
	assert_int_equal(scan.text_bytes_max, 0);
	assert_false(scan.overflow);
}

/* Texts without white space and escapes, so that their length is the answer. */
static const char *const compact[] = {
	"5",
	"-17",
	"18446744073709551615",
	"0.25",
	"\"\"",
	"\"제주\"",
	"true",
	"false",
	"null",
	"[]",
	"{}",
	"[1,2,3]",
	"[[],[[]],{}]",
	"{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}",
	"[{\"a\":{}},{\"b\":[]},\"x\",1.5,[2]]",
};

static void the_size_of_a_compact_text_is_its_length(void **state)
{
	for (size_t i = 0; i < sizeof compact / sizeof compact[0]; i++)
		assert_int_equal(tape_text_bytes(parse(state, compact[i])), strlen(compact[i]));
}

static void white_space_does_not_count_and_escapes_count_as_what_they_stand_for(void **state)
{
	assert_int_equal(tape_text_bytes(parse(state, " { \"a\" : [ 1 , 2 ] } ")), 11);
	assert_int_equal(tape_text_bytes(parse(state, "\"\\u0041\\n\"")), 4);
}

static void what_fits_is_told_exactly_with_and_without_a_successor(void **state)
{
	char json[200];
	for (size_t i = 0; i < sizeof compact / sizeof compact[0]; i++) {
		size_t length = strlen(compact[i]);
		snprintf(json, sizeof json, "[%s,{\"next\":1}]", compact[i]);
		struct json_iterator items = json_iterate(parse(state, json));
		json_next(&items);
		struct json value = items.value;
		json_next(&items);
		assert_true(tape_fits(value, items.value, length));
		assert_false(tape_fits(value, items.value, length - 1));
		assert_true(tape_fits(value, (struct json){0}, length));
		assert_false(tape_fits(value, (struct json){0}, length - 1));
		assert_true(tape_fits(value, items.value, 10000));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_parser, free_parser)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(depth_is_that_of_the_deepest_container),
		TEST(an_overflow_is_found_wherever_it_stands),
		TEST(the_longest_text_is_found_among_items_members_and_names),
		TEST(a_scan_stays_within_its_value),
		TEST(the_size_of_a_compact_text_is_its_length),
		TEST(white_space_does_not_count_and_escapes_count_as_what_they_stand_for),
		TEST(what_fits_is_told_exactly_with_and_without_a_successor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
