#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "../seed.h"

struct output {
	struct buffer       buffer;
	struct json_writer  writer;
	struct json_parser *parser;
};

static int new_output(void **state)
{
	static struct output output;
	output        = (struct output){.parser = json_parser_new()};
	output.writer = json_writer_of(&output.buffer);
	*state        = &output;
	return 0;
}

static int free_output(void **state)
{
	struct output *output = *state;
	buffer_done(&output->buffer);
	json_parser_free(output->parser);
	return 0;
}

static void assert_written(struct output *output, const char *expected)
{
	buffer_add_u8(&output->buffer, '\0');
	assert_string_equal(output->buffer.data, expected);
	buffer_clear(&output->buffer);
	output->writer = json_writer_of(&output->buffer);
}

static void commas_come_by_themselves(void **state)
{
	struct output      *output = *state;
	struct json_writer *w      = &output->writer;
	json_begin_object(w);
	json_member_int(w, "a", 1);
	json_add_key(w, TEXT("b"));
	json_begin_array(w);
	json_begin_object(w);
	json_end_object(w);
	json_add_null(w);
	json_begin_array(w);
	json_end_array(w);
	json_add_bool(w, true);
	json_end_array(w);
	json_member_bool(w, "c", false);
	json_member_null(w, "d");
	json_member_string(w, "e", TEXT("f"));
	json_member_double(w, "g", 0.5);
	json_member_instant(w, "h", 10);
	json_add_key(w, TEXT("i"));
	json_add_raw(w, TEXT("[1]"));
	json_end_object(w);

	assert_written(output, "{\"a\":1,\"b\":[{},null,[],true],\"c\":false,\"d\":null,\"e\":\"f\","
	                       "\"g\":0.5,\"h\":\"1970-01-01T00:00:00.010Z\",\"i\":[1]}");
}

static void whole_numbers_are_written_to_their_limits(void **state)
{
	struct output *output = *state;
	json_begin_array(&output->writer);
	json_add_int(&output->writer, 0);
	json_add_int(&output->writer, INT64_MIN);
	json_add_int(&output->writer, INT64_MAX);
	json_add_uint(&output->writer, UINT64_MAX);
	json_end_array(&output->writer);

	assert_written(output, "[0,-9223372036854775808,9223372036854775807,18446744073709551615]");
}

/* The samples of RFC 8785, appendix B, and the borders of each notation. */
static void doubles_are_written_as_rfc_8785_demands(void **state)
{
	static const struct {
		double      number;
		const char *text;
	} samples[] = {
		{0.0, "0"},
		{-0.0, "0"},
		{5e-324, "5e-324"},
		{-5e-324, "-5e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{9007199254740992, "9007199254740992"},
		{295147905179352830000.0, "295147905179352830000"},
		{9.999999999999997e22, "9.999999999999997e+22"},
		{1e23, "1e+23"},
		{1.0000000000000001e23, "1.0000000000000001e+23"},
		{999999999999999700000.0, "999999999999999700000"},
		{999999999999999900000.0, "999999999999999900000"},
		{1e21, "1e+21"},
		{1e20, "100000000000000000000"},
		{9.999999999999997e-7, "9.999999999999997e-7"},
		{0.000001, "0.000001"},
		{1e-7, "1e-7"},
		{333333333.3333332, "333333333.3333332"},
		{333333333.33333325, "333333333.33333325"},
		{-0.0000033333333333333333, "-0.0000033333333333333333"},
		{1424953923781206.2, "1424953923781206.2"},
		{0.1, "0.1"},
		{1.5, "1.5"},
		{100, "100"},
		{-1, "-1"},
		{123456.789, "123456.789"},
		{1.5e-10, "1.5e-10"},
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		json_add_double(&((struct output *)*state)->writer, samples[i].number);
		assert_written(*state, samples[i].text);
	}
}

static void random_doubles_are_read_again_as_they_were(void **state)
{
	struct output *output = *state;
	seed_begin(__func__);
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = seed_next();
		double   number;
		memcpy(&number, &bits, sizeof number);
		if (!isfinite(number))
			continue;
		json_add_double(&output->writer, number);
		struct json root;
		assert_int_equal(json_parse_text(output->parser, buffer_text(&output->buffer), &root, NULL),
		                 STATUS_OK);
		assert_true(json_number(root) == number);
		buffer_clear(&output->buffer);
		output->writer = json_writer_of(&output->buffer);
	}
}

static void control_characters_and_quotes_are_escaped(void **state)
{
	struct output *output = *state;
	json_add_string(&output->writer, TEXT("\"\\/\b\f\n\r\t\0\x1f\x7f"));

	assert_written(output, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"");
}

static void an_escape_is_found_at_every_place_of_a_string(void **state)
{
	struct output *output = *state;
	for (size_t place = 0; place < 20; place++) {
		char text[20], expected[24];
		memset(text, 'a', sizeof text);
		text[place] = '\n';
		snprintf(expected, sizeof expected, "\"%.*s\\n%.*s\"", (int)place, text, (int)(19 - place),
		         text + place + 1);
		json_add_string(&output->writer, (struct text){text, sizeof text});
		assert_written(output, expected);
	}
}

static void text_beyond_ascii_is_written_as_it_is(void **state)
{
	json_add_string(&((struct output *)*state)->writer, TEXT("제주 é 😀 \xf4\x8f\xbf\xbf"));

	assert_written(*state, "\"제주 é 😀 \xf4\x8f\xbf\xbf\"");
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
	struct output *output = *state;
	json_add_string(&output->writer, TEXT("a\xff"
	                                      "b\xc3"));
	assert_written(output, "\"a\xef\xbf\xbd"
	                       "b\xef\xbf\xbd\"");

	json_add_string(&output->writer, TEXT("\xed\xa0\x80"));
	assert_written(output, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");

	json_add_string(&output->writer, TEXT("longer text\xe0\x80"));
	assert_written(output, "\"longer text\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* All bytes, in all places: whatever is written can be read. */
static void random_bytes_are_written_as_valid_json(void **state)
{
	struct output *output = *state;
	seed_begin(__func__);
	for (int i = 0; i < 20000; i++) {
		char        bytes[40];
		struct text text = {bytes, seed_below(sizeof bytes + 1)};
		for (size_t j = 0; j < text.length; j++)
			bytes[j] = (char)(seed_below(2) ? seed_next() : 'a' + seed_below(26));
		json_add_string(&output->writer, text);
		struct json  root;
		struct error err = {0};
		if (json_parse_text(output->parser, buffer_text(&output->buffer), &root, &err) != STATUS_OK)
			fail_msg("%s", err.reason);
		buffer_clear(&output->buffer);
		output->writer = json_writer_of(&output->buffer);
	}
}

static void copy(struct output *output, const char *text)
{
	struct json root;
	assert_int_equal(json_parse_text(output->parser, text_of(text), &root, NULL), STATUS_OK);
	json_add_value(&output->writer, root);
}

static void a_parsed_value_is_copied(void **state)
{
	static const char *const texts[] = {
		"{\"a\":[1,-2,18446744073709551615,0.5,true,false,null,\"\\\"\"],\"b\":{\"c\":{},\"d\":[[]]"
		"},"
		"\"e\":\"f\"}",
		"[]",
		"{}",
		"[[],[[],{\"a\":[]}],\"b\",{\"c\":\"d\",\"e\":\"f\"},\"g\"]",
		"\"x\"",
		"5",
		"null",
		"[1e999,-1e999]",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		copy(*state, texts[i]);
		assert_written(*state, texts[i]);
	}
}

static void a_parsed_value_is_copied_as_a_member_among_others(void **state)
{
	struct output *output = *state;
	struct json    root;
	assert_int_equal(
		json_parse_text(output->parser, TEXT("{\"x\":[1,{\"y\":2}],\"z\":3}"), &root, NULL),
		STATUS_OK);
	json_begin_array(&output->writer);
	json_add_value(&output->writer, json_get(root, "x"));
	json_add_value(&output->writer, json_get(root, "z"));
	json_add_value(&output->writer, (struct json){0});
	json_end_array(&output->writer);

	assert_written(output, "[[1,{\"y\":2}],3,null]");
}

static void the_deepest_value_that_is_read_can_be_copied(void **state)
{
	static char    text[2 * JSON_DEPTH_MAX];
	struct output *output = *state;
	struct json    root;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(json_parse_text(output->parser, (struct text){text, sizeof text}, &root, NULL),
	                 STATUS_OK);

	json_add_value(&output->writer, root);

	assert_int_equal(output->buffer.length, sizeof text);
	assert_memory_equal(output->buffer.data, text, sizeof text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_output, free_output)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commas_come_by_themselves),
		TEST(whole_numbers_are_written_to_their_limits),
		TEST(doubles_are_written_as_rfc_8785_demands),
		TEST(random_doubles_are_read_again_as_they_were),
		TEST(control_characters_and_quotes_are_escaped),
		TEST(an_escape_is_found_at_every_place_of_a_string),
		TEST(text_beyond_ascii_is_written_as_it_is),
		TEST(bytes_that_are_no_utf8_become_replacement_characters),
		TEST(random_bytes_are_written_as_valid_json),
		TEST(a_parsed_value_is_copied),
		TEST(a_parsed_value_is_copied_as_a_member_among_others),
		TEST(the_deepest_value_that_is_read_can_be_copied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
