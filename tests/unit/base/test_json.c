#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

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

static void assert_refused(void **state, struct text text, const char *reason_part)
{
	struct json  root;
	struct error err = {0};
	assert_int_equal(json_parse_text(*state, text, &root, &err), STATUS_INVALID);
	if (strstr(err.reason, reason_part) == NULL)
		fail_msg("%.*s: \"%s\" says nothing of \"%s\"", TEXT_FORMAT(text), err.reason, reason_part);
}

static void every_type_is_told(void **state)
{
	static const enum json_type expected[] = {
		JSON_NULL, JSON_BOOL,   JSON_BOOL,   JSON_INT,    JSON_INT,   JSON_INT,
		JSON_UINT, JSON_DOUBLE, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT,
	};
	struct json array = parse(state, "[null,true,false,0,9223372036854775807,-9223372036854775808,"
	                                 "9223372036854775808,1.0,1e2,\"\",[],{}]");
	unsigned    at    = 0;
	for (struct json_iterator i = json_iterate(array); json_next(&i); at++)
		assert_int_equal(json_type(i.value), expected[at]);
	assert_int_equal(at, sizeof expected / sizeof expected[0]);
	assert_int_equal(json_type((struct json){0}), JSON_NONE);
}

static void scalars_have_their_values(void **state)
{
	struct json object = parse(state, "{\"t\":true,\"f\":false,\"i\":-5,\"u\":18446744073709551615,"
	                                  "\"d\":2.5,\"s\":\"a\\u0000\\n제주\"}");

	assert_true(json_bool(json_get(object, "t")));
	assert_false(json_bool(json_get(object, "f")));
	assert_int_equal(json_int(json_get(object, "i")), -5);
	assert_true(json_uint(json_get(object, "u")) == UINT64_MAX);
	assert_true(json_number(json_get(object, "d")) == 2.5);
	assert_true(json_number(json_get(object, "i")) == -5);
	assert_true(json_number(json_get(object, "u")) == 0x1p64);
	assert_true(text_equal(json_string(json_get(object, "s")), TEXT("a\0\n제주")));
}

static void an_absent_key_is_none_and_so_is_every_key_of_what_is_no_object(void **state)
{
	struct json object = parse(state, "{\"a\":{\"b\":1}}");

	assert_int_equal(json_type(json_get(object, "b")), JSON_NONE);
	assert_int_equal(json_type(json_get(json_get(object, "b"), "c")), JSON_NONE);
	assert_int_equal(json_type(json_get(json_get(json_get(object, "a"), "b"), "c")), JSON_NONE);
	assert_int_equal(json_int(json_get(json_get(object, "a"), "b")), 1);
}

static void of_equal_keys_the_last_one_counts(void **state)
{
	assert_int_equal(json_int(json_get(parse(state, "{\"a\":1,\"b\":2,\"a\":3}"), "a")), 3);
}

static void members_and_items_come_in_their_order_with_nested_ones_skipped(void **state)
{
	struct json object = parse(state, "{\"a\":[1,[2,{\"x\":3}]],\"b\":{\"c\":{}},\"d\":\"e\"}");
	const char *names  = "abd";
	unsigned    count  = 0;
	for (struct json_iterator i = json_iterate(object); json_next(&i); count++)
		assert_int_equal(i.name.data[0], names[count]);

	assert_int_equal(count, 3);
	assert_int_equal(json_count(object), 3);
	assert_int_equal(json_count(json_get(object, "a")), 2);
	assert_int_equal(json_count(json_get(object, "d")), 0);
	struct json_iterator none = json_iterate(json_get(object, "d"));
	assert_false(json_next(&none));
}

static void whole_numbers_beyond_64_bits_are_doubles(void **state)
{
	const char           text[]     = "[18446744073709551616,-9223372036854775809,"
									  "123456789012345678901234567890,7]";
	struct json          array      = parse(state, text);
	static const double  expected[] = {0x1p64, -0x1p63, 123456789012345678901234567890.0};
	struct json_iterator i          = json_iterate(array);
	for (int at = 0; at < 3; at++) {
		assert_true(json_next(&i));
		assert_int_equal(json_type(i.value), JSON_DOUBLE);
		assert_true(json_number(i.value) == expected[at]);
	}
	assert_true(json_next(&i));
	assert_int_equal(json_type(i.value), JSON_INT);
}

static void a_number_that_is_not_finite_condemns_itself_alone(void **state)
{
	struct json array = parse(state, "[{\"a\":1.5,\"b\":\"1e999 \\\" 1e999\",\"c\":1e400},-1e400,2,"
	                                 "18446744073709551616,1e309,\"x\",-1.7e308]");
	static const enum json_type expected[] = {
		JSON_OBJECT, JSON_OVERFLOW, JSON_INT, JSON_DOUBLE, JSON_OVERFLOW, JSON_STRING, JSON_DOUBLE,
	};
	unsigned at = 0;
	for (struct json_iterator i = json_iterate(array); json_next(&i); at++) {
		assert_int_equal(json_type(i.value), expected[at]);
		if (at > 0)
			continue;
		assert_true(json_number(json_get(i.value, "a")) == 1.5);
		assert_true(text_equal(json_string(json_get(i.value, "b")), TEXT("1e999 \" 1e999")));
		assert_int_equal(json_type(json_get(i.value, "c")), JSON_OVERFLOW);
		assert_false(json_is_number(json_get(i.value, "c")));
	}
	assert_int_equal(at, sizeof expected / sizeof expected[0]);
}

static void a_whole_number_with_very_many_digits_is_an_overflow(void **state)
{
	enum { DIGITS = 100000 };
	char *text = malloc(DIGITS + 3);
	memset(text, '9', DIGITS + 2);
	text[0]          = '[';
	text[DIGITS + 1] = ']';
	text[DIGITS + 2] = '\0';

	struct json_iterator i = json_iterate(parse(state, text));

	assert_true(json_next(&i));
	assert_int_equal(json_type(i.value), JSON_OVERFLOW);
	free(text);
}

static void a_number_too_small_is_zero(void **state)
{
	assert_true(json_number(parse(state, "1e-400")) == 0);
}

static void half_a_surrogate_pair_becomes_a_replacement_character(void **state)
{
	static const struct {
		const char *json;
		const char *string;
	} samples[] = {
		{"\"a\\ud83d\"", "a\xef\xbf\xbd"},
		{"\"\\uDE00z\"", "\xef\xbf\xbdz"},
		{"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
		{"\"\\ud83d\\n\\ude00\\ud83d\\ude00\"", "\xef\xbf\xbd\n\xef\xbf\xbd\xf0\x9f\x98\x80"},
		{"\"\\\\ud83d \\ud83d\\u0041\"", "\\ud83d \xef\xbf\xbd"
	                                     "A"},
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct json root = parse(state, samples[i].json);
		if (!text_equal(json_string(root), text_of(samples[i].string)))
			fail_msg("%s is read as %.*s", samples[i].json, TEXT_FORMAT(json_string(root)));
	}
}

static void a_text_may_need_both_its_numbers_and_its_strings_repaired(void **state)
{
	struct json object = parse(state, "{\"a\\udc00\":1e999,\"b\":\"\\ud800\",\"c\":-1e999}");

	assert_int_equal(json_count(object), 3);
	assert_int_equal(json_type(json_get(object, "a\xef\xbf\xbd")), JSON_OVERFLOW);
	assert_int_equal(json_type(json_get(object, "c")), JSON_OVERFLOW);
	assert_true(text_equal(json_string(json_get(object, "b")), TEXT("\xef\xbf\xbd")));
}

static void a_root_may_be_a_scalar(void **state)
{
	assert_int_equal(json_int(parse(state, " 5 ")), 5);
	assert_int_equal(json_type(parse(state, "1e999")), JSON_OVERFLOW);
	assert_true(json_number(parse(state, "18446744073709551616")) == 0x1p64);
	assert_true(text_equal(json_string(parse(state, "\"x\"")), TEXT("x")));
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const texts[] = {
		"",           " ",
		"{",          "}",
		"[1,]",       "[,1]",
		"{\"a\"}",    "{\"a\":}",
		"{\"a\":1,}", "{a:1}",
		"[1 2]",      "nul",
		"True",       "NaN",
		"Infinity",   "-Infinity",
		"'a'",        "\"a",
		"[1]]",       "// c\n1",
		"\"\\x\"",    "\"\\u12\"",
		"\"\t\"",     "[1e400 2]",
		"[1e400",     "{\"a\":1e400,}",
		"1 1",        "\xef\xbb\xbf{}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(state, text_of(texts[i]), "not valid JSON");
}

static void malformed_numbers_are_named_with_their_place(void **state)
{
	static const char *const texts[] = {"[01]",  "[-]",   "[1.]",    "[1e]", "[1e+]", "[--1]",
	                                    "[-01]", "[0x1]", "[1.2.3]", "[1a]", "[00]",  "[-a]"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(state, text_of(texts[i]), "malformed number at byte 1");
	assert_refused(state, TEXT("[1e400,1.]"), "malformed number at byte 7");
}

static void invalid_utf8_is_named_with_its_place(void **state)
{
	static const char *const bytes[] = {
		"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf8", "\x80",     "\xec\xa0",     "\xc3",         "\xf0\x80\x80\x80",
	};
	for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
		char text[16];
		snprintf(text, sizeof text, "\"주%s\"", bytes[i]);
		assert_refused(state, text_of(text), "not valid UTF-8 at byte 4");
	}
}

static struct text nested(char *into, size_t depth)
{
	memset(into, '[', depth);
	memset(into + depth, ']', depth);
	return (struct text){into, 2 * depth};
}

static void nesting_is_limited(void **state)
{
	static char text[2 * (JSON_DEPTH_MAX + 1)];
	struct json root;

	assert_int_equal(json_parse_text(*state, nested(text, JSON_DEPTH_MAX), &root, NULL), STATUS_OK);
	assert_refused(state, nested(text, JSON_DEPTH_MAX + 1), "deep");
	assert_int_equal(json_parse_text(*state, nested(text, 10), &root, NULL), STATUS_OK);
}

static void a_parser_reads_on_after_a_refusal_and_after_a_longer_text(void **state)
{
	assert_refused(state, TEXT("[1,"), "");
	struct buffer large = {0};
	buffer_add_u8(&large, '[');
	for (int i = 0; i < 100000; i++)
		buffer_printf(&large, "%d,", i);
	buffer_printf(&large, "1]");
	struct json root;
	assert_int_equal(json_parse_text(*state, buffer_text(&large), &root, NULL), STATUS_OK);
	assert_int_equal(json_count(root), 100001);
	buffer_done(&large);

	assert_int_equal(json_int(parse(state, "3")), 3);
}

static void a_text_is_parsed_in_place_whatever_stands_behind_it(void **state)
{
	char padded[5 + JSON_PADDING_BYTES];
	memset(padded, '"', sizeof padded);
	memcpy(padded, "[1,2]", 5);
	struct json root;

	assert_int_equal(json_parse(*state, padded, 5, &root, NULL), STATUS_OK);
	assert_int_equal(json_count(root), 2);

	memset(padded, '9', sizeof padded);
	assert_int_equal(json_parse(*state, padded, 2, &root, NULL), STATUS_OK);
	assert_int_equal(json_int(root), 99);
}

static void a_string_of_a_megabyte_is_read_whole(void **state)
{
	enum { LENGTH = 1 << 20 };
	char *text = malloc(LENGTH + 2);
	memset(text, 'x', LENGTH + 2);
	text[0] = text[LENGTH + 1] = '"';
	struct json root;

	assert_int_equal(json_parse_text(*state, (struct text){text, LENGTH + 2}, &root, NULL),
	                 STATUS_OK);
	assert_int_equal(json_string(root).length, LENGTH);
	free(text);
}

static void more_members_than_simdjson_counts_are_counted(void **state)
{
	enum { COUNT = 0xffffff + 5 };
	char *text = malloc(2 * (size_t)COUNT + 1);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(text + 2 * i, ",1", 2);
	text[0]                 = '[';
	text[2 * (size_t)COUNT] = ']';
	struct json root;

	assert_int_equal(
		json_parse_text(*state, (struct text){text, 2 * (size_t)COUNT + 1}, &root, NULL),
		STATUS_OK);
	assert_int_equal(json_count(root), COUNT);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_parser, free_parser)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_type_is_told),
		TEST(scalars_have_their_values),
		TEST(an_absent_key_is_none_and_so_is_every_key_of_what_is_no_object),
		TEST(of_equal_keys_the_last_one_counts),
		TEST(members_and_items_come_in_their_order_with_nested_ones_skipped),
		TEST(whole_numbers_beyond_64_bits_are_doubles),
		TEST(a_number_that_is_not_finite_condemns_itself_alone),
		TEST(a_whole_number_with_very_many_digits_is_an_overflow),
		TEST(a_number_too_small_is_zero),
		TEST(half_a_surrogate_pair_becomes_a_replacement_character),
		TEST(a_text_may_need_both_its_numbers_and_its_strings_repaired),
		TEST(a_root_may_be_a_scalar),
		TEST(what_is_no_json_is_refused),
		TEST(malformed_numbers_are_named_with_their_place),
		TEST(invalid_utf8_is_named_with_its_place),
		TEST(nesting_is_limited),
		TEST(a_parser_reads_on_after_a_refusal_and_after_a_longer_text),
		TEST(a_text_is_parsed_in_place_whatever_stands_behind_it),
		TEST(a_string_of_a_megabyte_is_read_whole),
		TEST(more_members_than_simdjson_counts_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
