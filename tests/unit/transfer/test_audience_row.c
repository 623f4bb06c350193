#include "vault_fixture.h"

#include <string.h>

#include "base/instant.h"
#include "model/value.h"
#include "transfer/audience/audience_row.h"

static struct json_parser *parser;

static struct json parsed(const char *text)
{
	struct json  json;
	struct error err;
	json_parser_free(parser);
	parser = json_parser_new();
	assert_int_equal(json_parse_text(parser, text_of(text), &json, &err), STATUS_OK);
	return json_get(json, "columns");
}

/* A value list of the members of an object. */
static struct text list_of(struct vault_fixture *f, const char *object)
{
	struct json_parser *own = json_parser_new();
	struct buffer       out = {0};
	struct json         json;
	unsigned            count = 0;
	assert_int_equal(json_parse_text(own, text_of(object), &json, &f->err), STATUS_OK);
	size_t begin = value_list_begin(&out);
	for (struct json_iterator i = json_iterate(json); json_next(&i); count++)
		assert_ok(f, value_add_json(&out, i.name, i.value, &f->err));
	value_list_end(&out, begin, count);
	struct text list = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	json_parser_free(own);
	return list;
}

static const char *row(struct vault_fixture *f, enum export_format format, const char *columns,
                       const char *traits, bool visitor)
{
	struct export_profile   profile = {.person = visitor ? vault_visitor(f, "v-1")
	                                                     : vault_user(f, "고객-1"),
	                                   .view   = {.identified     = !visitor,
	                                              .created_ms     = 0,
	                                              .last_active_ms = INSTANT_MS_NONE,
	                                              .traits         = list_of(f, traits)}};
	struct audience_columns wanted;
	struct export_writer    writer;
	struct buffer           out = {0};
	bool                    written;
	assert_ok(f, audience_columns_read(parsed(columns), &wanted, &f->err));
	export_writer_init(&writer, f->vault, format, false);
	assert_ok(f, audience_write_row(&writer, &wanted, &profile, &out, &written, &f->err));
	assert_true(written);
	export_writer_done(&writer);
	buffer_add_u8(&out, '\0');
	const char *text = arena_text(&f->arena, buffer_text(&out)).data;
	buffer_done(&out);
	return text;
}

static void the_default_columns_are_those_that_platforms_take(void **state)
{
	struct vault_fixture   *f = *state;
	struct audience_columns columns;
	struct buffer           out = {0};
	assert_ok(f, audience_columns_read(parsed("{}"), &columns, &f->err));
	audience_write_head(&columns, EXPORT_CSV, &out);
	assert_true(
		text_equal(buffer_text(&out), TEXT("user_id,email,phone,name,push_token,ad_id\r\n")));
	buffer_done(&out);
}

static void columns_are_found_under_their_usual_names(void **state)
{
	assert_string_equal(
		row(*state, EXPORT_CSV, "{}",
	        "{\"email\":\"a@b.c\",\"phone\":\"+82 10-1234-5678\",\"deviceTokens\":[\"t1\",\"t2\"],"
	        "\"advertisingId\":\"ad\"}",
	        false),
		"고객-1,a@b.c,+82 10-1234-5678,,\"t1;t2\",ad\r\n");
}

static void any_trait_is_a_column(void **state)
{
	assert_string_equal(row(*state, EXPORT_CSV,
	                        "{\"columns\":[\"anonymous_id\",\"등급\",\"age\",\"active\","
	                        "\"missing\",\"created_at\"]}",
	                        "{\"등급\":\"VIP, \\\"골드\\\"\",\"age\":3.5,\"active\":true}", true),
	                    "v-1,\"VIP, \"\"골드\"\"\",3.5,true,,1970-01-01T00:00:00Z\r\n");
}

static void what_a_spreadsheet_takes_for_a_formula_is_disarmed(void **state)
{
	assert_string_equal(row(*state, EXPORT_CSV, "{\"columns\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}",
	                        "{\"a\":\"=1+1\",\"b\":\"@x\",\"c\":\"-2+cmd\",\"d\":\"+82 10\","
	                        "\"e\":-5}",
	                        false),
	                    "'=1+1,'@x,'-2+cmd,+82 10,-5\r\n");
}

static void json_lines_have_null_for_what_is_missing(void **state)
{
	assert_string_equal(row(*state, EXPORT_JSONL, "{\"columns\":[\"user_id\",\"tags\",\"email\"]}",
	                        "{\"tags\":[\"가\",\"나\"]}", false),
	                    "{\"user_id\":\"고객-1\",\"tags\":[\"가\",\"나\"],\"email\":null}\n");
}

static void columns_that_make_no_sense_are_refused(void **state)
{
	struct vault_fixture    *f = *state;
	struct audience_columns  columns;
	static const char *const wrong[] = {"{\"columns\":\"a\"}", "{\"columns\":[]}",
	                                    "{\"columns\":[\"\"]}", "{\"columns\":[\"a\",\"a\"]}",
	                                    "{\"columns\":[5]}"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(audience_columns_read(parsed(wrong[i]), &columns, &f->err),
		                 STATUS_INVALID);
	assert_string_equal(f->err.field, "params.columns[0]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(the_default_columns_are_those_that_platforms_take),
		VAULT_TEST(columns_are_found_under_their_usual_names),
		VAULT_TEST(any_trait_is_a_column),
		VAULT_TEST(what_a_spreadsheet_takes_for_a_formula_is_disarmed),
		VAULT_TEST(json_lines_have_null_for_what_is_missing),
		VAULT_TEST(columns_that_make_no_sense_are_refused),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_parser_free(parser);
	return failed;
}
