#include "model/dimension.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct json_parser *parser;

static int begin(void **state)
{
	(void)state;
	parser = json_parser_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	json_parser_free(parser);
	return 0;
}

static struct json parse(const char *json)
{
	struct json  root;
	struct error err = {0};
	if (json_parse_text(parser, text_of(json), &root, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return root;
}

static void expect_refused(enum dimension dimension, const char *json, const char *field)
{
	struct buffer out = {0};
	struct error  err = {0};
	buffer_add_u8(&out, 7);
	assert_int_equal(dimension_row(dimension, parse(json), "rows[2]", &out, &err), STATUS_INVALID);
	assert_string_equal(err.field, field);
	assert_int_equal(out.length, 1);
	buffer_done(&out);
}

static void a_row_is_written_as_it_was_said_with_null_for_what_is_not_known(void **state)
{
	(void)state;
	struct buffer      list = {0}, out = {0};
	struct error       err;
	struct json_writer w = json_writer_of(&out);
	const char *json = "{\"price_range\":12.5,\"themes\":[\"가족\",\"자연\"],\"category\":null,"
					   "\"name\":\"감귤\",\"product_id\":\"p\"}";
	assert_int_equal(dimension_row(DIMENSION_PRODUCTS, parse(json), "", &list, &err), STATUS_OK);
	json_begin_object(&w);
	dimension_write(DIMENSION_PRODUCTS, buffer_text(&list), &w);
	json_end_object(&w);
	struct text expected = TEXT("{\"name\":\"감귤\",\"category\":null,\"region\":null,"
	                            "\"themes\":[\"가족\",\"자연\"],\"price_range\":12.5}");
	assert_true(text_equal(buffer_text(&out), expected));
	buffer_done(&list);
	buffer_done(&out);
}

static void what_is_no_field_or_of_another_type_is_refused_at_its_place(void **state)
{
	(void)state;
	expect_refused(DIMENSION_PRODUCTS, "{\"property_type\":\"a\"}", "rows[2].property_type");
	expect_refused(DIMENSION_PRODUCTS, "{\"name\":1}", "rows[2].name");
	expect_refused(DIMENSION_PRODUCTS, "{\"name\":\"a\",\"themes\":[\"a\",null]}",
	               "rows[2].themes[1]");
	expect_refused(DIMENSION_PRODUCTS, "{\"price_range\":[1]}", "rows[2].price_range");
	expect_refused(DIMENSION_PROPERTIES, "{\"pet_friendly\":\"true\"}", "rows[2].pet_friendly");
	expect_refused(DIMENSION_PROPERTIES, "[]", "rows[2]");
}

static void an_id_is_a_string_or_a_number_as_its_shortest_text(void **state)
{
	(void)state;
	struct buffer scratch = {0};
	struct error  err     = {0};
	struct text   id;
	const char   *good[][2] = {
		  {"\"p 1\"", "p 1"}, {"17", "17"}, {"17.0", "17"}, {"1e21", "1e+21"}, {"-0.5", "-0.5"}};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(dimension_id(parse(good[i][0]), "id", &scratch, &id, &err), STATUS_OK);
		assert_true(text_equal(id, text_of(good[i][1])));
	}
	const char *bad[] = {"\"\"", "true", "null", "[1]", "1e999"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(dimension_id(parse(bad[i]), "id", &scratch, &id, &err), STATUS_INVALID);
	assert_int_equal(dimension_id((struct json){0}, "id", &scratch, &id, &err), STATUS_INVALID);
	assert_string_equal(err.reason, "It is missing");
	buffer_done(&scratch);
}

static void records_are_read_as_they_were_written_and_no_part_of_one_is(void **state)
{
	(void)state;
	struct buffer           list = {0}, rows = {0}, body = {0};
	struct error            err;
	struct dimension_record record;
	struct text             id, read;
	assert_int_equal(
		dimension_row(DIMENSION_PROPERTIES, parse("{\"region\":\"제주\"}"), "", &list, &err),
		STATUS_OK);
	dimension_add(&rows, TEXT("a"), buffer_text(&list));
	dimension_add(&rows, TEXT("b"), (struct text){NULL, 0});
	dimension_record_encode(9, DIMENSION_PROPERTIES, 2, buffer_text(&rows), &body);
	assert_int_equal(dimension_record_decode(buffer_text(&body), &record, &err), STATUS_OK);
	assert_int_equal(record.number, 9);
	assert_int_equal(record.dimension, DIMENSION_PROPERTIES);
	assert_true(dimension_next(&record, &id, &read));
	assert_true(text_equal(id, TEXT("a")) && text_equal(read, buffer_text(&list)));
	assert_true(dimension_next(&record, &id, &read));
	assert_true(text_equal(id, TEXT("b")) && read.data == NULL);
	assert_false(dimension_next(&record, &id, &read));
	for (size_t length = 0; length < body.length; length++)
		assert_int_equal(dimension_record_decode((struct text){body.data, length}, &record, &err),
		                 STATUS_CORRUPT);
	body.data[8] = DIMENSION_COUNT;
	assert_int_equal(dimension_record_decode(buffer_text(&body), &record, &err), STATUS_CORRUPT);
	buffer_done(&list);
	buffer_done(&rows);
	buffer_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_written_as_it_was_said_with_null_for_what_is_not_known),
		cmocka_unit_test(what_is_no_field_or_of_another_type_is_refused_at_its_place),
		cmocka_unit_test(an_id_is_a_string_or_a_number_as_its_shortest_text),
		cmocka_unit_test(records_are_read_as_they_were_written_and_no_part_of_one_is),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
