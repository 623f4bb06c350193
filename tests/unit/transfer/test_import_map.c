#include "transfer/import/import_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
	struct import_map    map;
	char                 path[64];
	struct import_input *input;
	struct import_rows   rows;
	struct buffer        ignored;
	struct buffer        out;
	struct error         err;
};

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	import_map_init(&fixture->map);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	import_map_done(&fixture->map);
	import_rows_close(&fixture->rows);
	import_input_close(fixture->input);
	unlink(fixture->path);
	buffer_done(&fixture->ignored);
	buffer_done(&fixture->out);
	free(fixture);
	return 0;
}

static void write_file(char path[64], const char *content)
{
	snprintf(path, 64, "/tmp/test_import_map.XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static void add(void **state, const char *rule)
{
	struct fixture *fixture = *state;
	if (import_map_add(&fixture->map, text_of(rule), false, &fixture->err) != STATUS_OK)
		fail_msg("%s", fixture->err.reason);
}

static void set(void **state, const char *rule)
{
	struct fixture *fixture = *state;
	if (import_map_add(&fixture->map, text_of(rule), true, &fixture->err) != STATUS_OK)
		fail_msg("%s", fixture->err.reason);
}

static enum status bind(void **state, const char *content, enum import_group rest)
{
	struct fixture *fixture = *state;
	write_file(fixture->path, content);
	assert_int_equal(import_input_open(fixture->path, &fixture->input, &fixture->err), STATUS_OK);
	enum status status = import_rows_open(&fixture->rows, fixture->input, IMPORT_FORMAT_GUESS, ',',
	                                      NULL, &fixture->err);
	if (status != STATUS_OK)
		return status;
	fixture->map.rest = rest;
	return import_map_bind(&fixture->map, &fixture->rows, &fixture->ignored, &fixture->err);
}

static void open_rows(void **state, const char *content)
{
	if (bind(state, content, IMPORT_TOP) != STATUS_OK)
		fail_msg("%s", ((struct fixture *)*state)->err.reason);
}

/* The message of the next row, or why there is none. */
static const char *message(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(import_rows_next(&fixture->rows, &fixture->err), STATUS_OK);
	buffer_clear(&fixture->out);
	enum status status =
		import_map_message(&fixture->map, &fixture->rows, &fixture->out, NULL, &fixture->err);
	if (status != STATUS_OK) {
		assert_int_equal(fixture->out.length, 0);
		return fixture->err.reason;
	}
	buffer_add_u8(&fixture->out, '\0');
	return fixture->out.data;
}

static void columns_become_the_fields_that_they_are_mapped_to(void **state)
{
	add(state, "userId=customer");
	add(state, "messageId=invoice");
	add(state, "properties.revenue=total:number");
	add(state, "traits.tier=tier");
	set(state, "event=Order Completed");
	open_rows(state, "customer,invoice,total,tier\n7,i1,30.50,VIP\n");
	assert_string_equal(message(state),
	                    "{\"userId\":\"7\",\"messageId\":\"i1\",\"event\":\"Order Completed\","
	                    "\"properties\":{\"revenue\":30.50},\"traits\":{\"tier\":\"VIP\"},"
	                    "\"type\":\"track\"}");
}

static void columns_that_are_called_like_fields_need_no_mapping(void **state)
{
	open_rows(state, "userId,event,messageId,properties.a,type\nu,e,m,x,track\n");
	assert_string_equal(message(state), "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\","
	                                    "\"type\":\"track\",\"properties\":{\"a\":\"x\"}}");
}

static void columns_without_a_mapping_are_named_or_go_where_they_are_told(void **state)
{
	struct fixture *fixture = *state;
	open_rows(state, "userId,event,color,size\nu,e,red,5\n");
	assert_true(text_equal(buffer_text(&fixture->ignored), TEXT("color, size")));
}

static void the_rest_may_become_properties(void **state)
{
	assert_int_equal(bind(state, "userId,event,messageId,color\nu,e,m,red\n", IMPORT_PROPERTIES),
	                 STATUS_OK);
	assert_string_equal(message(state), "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\","
	                                    "\"properties\":{\"color\":\"red\"},\"type\":\"track\"}");
}

/* One cell of a type, as JSON. */
static void assert_cell(const char *type, const char *cell, const char *expected)
{
	void *state;
	char  rule[64], content[256], json[256];
	new_fixture(&state);
	snprintf(rule, sizeof rule, "properties.x=column:%s", type);
	add(&state, rule);
	snprintf(content, sizeof content, "userId,event,messageId,column\nu,e,m,\"%s\"\n", cell);
	open_rows(&state, content);
	if (expected[0] != '!') {
		snprintf(json, sizeof json,
		         "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\","
		         "\"properties\":{\"x\":%s},\"type\":\"track\"}",
		         expected);
		assert_string_equal(message(&state), json);
	} else {
		const char *reason = message(&state);
		if (strncmp(reason, "column: ", 8) != 0 || strstr(reason, expected + 1) == NULL)
			fail_msg("%s %s: %s", type, cell, reason);
	}
	free_fixture(&state);
}

static void cells_are_read_as_their_type(void **state)
{
	(void)state;
	assert_cell("string", "007", "\"007\"");
	assert_cell("number", " 12.50 ", "12.50");
	assert_cell("number", "-0.5e1", "-5");
	assert_cell("number", "-", "!number");
	assert_cell("number", "5.", "!number");
	assert_cell("number", "12345678901234567", "12345678901234567");
	assert_cell("number", "1,5", "!number");
	assert_cell("number", "007", "!number");
	assert_cell("number", "true", "!number");
	assert_cell("boolean", "Yes", "true");
	assert_cell("boolean", "0", "false");
	assert_cell("boolean", "maybe", "!true or false");
	assert_cell("time", "2009-12-01 07:45", "\"2009-12-01T07:45:00Z\"");
	assert_cell("time", "2009-12-01 07:45:01.5", "\"2009-12-01T07:45:01.500Z\"");
	assert_cell("time", "2009-12-01T16:45:00+09:00", "\"2009-12-01T07:45:00Z\"");
	assert_cell("time", "2009-12-01", "\"2009-12-01T00:00:00Z\"");
	assert_cell("time", "01/12/2009", "!time");
	assert_cell("epoch_s", "1736245800.5", "\"2025-01-07T10:30:00.500Z\"");
	assert_cell("epoch_ms", "1736245800000", "\"2025-01-07T10:30:00Z\"");
	assert_cell("epoch_ms", "1e300", "!range");
	assert_cell("epoch_ms", "soon", "!time");
	assert_cell("list", "a, b ,c", "[\"a\",\"b\",\"c\"]");
	assert_cell("json", "[1,{}]", "[1,{}]");
	assert_cell("json", "[1,", "!JSON");
	assert_cell("string", "\xff", "!UTF-8");
	assert_cell("list", "a,\xc0\x80", "!UTF-8");
}

static void empty_cells_are_absent(void **state)
{
	add(state, "properties.n=n:number");
	open_rows(state, "userId,event,messageId,n\nu,e,m,\n");
	assert_string_equal(message(state), "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\","
	                                    "\"type\":\"track\"}");
}

static void a_timestamp_is_a_time_by_itself(void **state)
{
	add(state, "timestamp=at");
	open_rows(state, "userId,event,messageId,at\nu,e,m,2009-12-01 07:45:00\nu,e,m,x\n");
	assert_string_equal(message(state),
	                    "{\"timestamp\":\"2009-12-01T07:45:00Z\",\"userId\":\"u\",\"event\":\"e\","
	                    "\"messageId\":\"m\",\"type\":\"track\"}");
	assert_string_equal(message(state), "at: not a time");
}

static void equal_rows_have_different_message_ids_that_are_the_same_next_time(void **state)
{
	char first[200], second[200];
	open_rows(state, "userId,event\nu,e\nu,e\n");
	snprintf(first, sizeof first, "%s", message(state));
	snprintf(second, sizeof second, "%s", message(state));
	assert_non_null(strstr(first, "\"messageId\":\"import-"));
	assert_string_not_equal(first, second);

	void *again;
	new_fixture(&again);
	open_rows(&again, "userId,event\nu,e\nu,e\n");
	assert_string_equal(message(&again), first);
	assert_string_equal(message(&again), second);
	free_fixture(&again);
}

static void json_lines_without_mapping_are_messages(void **state)
{
	open_rows(state, "{\"type\":\"page\",\"messageId\":\"m\", \"userId\":\"u\"}\n"
	                 "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\",\"context\":null}\n");
	assert_string_equal(message(state),
	                    "{\"type\":\"page\",\"messageId\":\"m\", \"userId\":\"u\"}");
	assert_string_equal(message(state), "{\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"m\","
	                                    "\"type\":\"track\"}");
}

static void members_of_json_lines_are_found_by_name_and_by_path(void **state)
{
	add(state, "userId=customer.id");
	add(state, "messageId=a.b");
	add(state, "timestamp=at:epoch_ms");
	add(state, "properties.items=items");
	add(state, "properties.code=code:string");
	add(state, "properties.total=total:number");
	set(state, "event=e");
	open_rows(state, "{\"customer\":{\"id\":5},\"a.b\":\"exact\",\"a\":{\"b\":\"path\"},"
	                 "\"at\":1736245800000,\"items\":[{\"x\":1}],\"code\":7,\"total\":\"1.5\"}\n"
	                 "{\"customer\":{},\"a\":{\"b\":\"m\"},\"items\":null,\"total\":[]}\n");
	assert_string_equal(
		message(state),
		"{\"userId\":5,\"messageId\":\"exact\",\"timestamp\":\"2025-01-07T10:30:00Z\","
		"\"event\":\"e\",\"properties\":{\"items\":[{\"x\":1}],\"code\":\"7\",\"total\":1.5},"
		"\"type\":\"track\"}");
	assert_string_equal(message(state), "total: the value is of another type");
}

static enum status read_mapping(void **state, const char *text)
{
	struct fixture     *fixture = *state;
	struct json_parser *parser  = json_parser_new();
	struct json         json;
	assert_int_equal(json_parse_text(parser, text_of(text), &json, &fixture->err), STATUS_OK);
	enum status status = import_map_read(&fixture->map, json, &fixture->err);
	json_parser_free(parser);
	return status;
}

static void a_mapping_as_json_has_columns_constants_and_defaults(void **state)
{
	assert_int_equal(
		read_mapping(state, "{\"map\":{\"userId\":\"a\",\"properties.n\":\"n:number\","
	                        "\"properties.m\":{\"column\":\"m\",\"type\":\"number\","
	                        "\"default\":7}},\"set\":{\"event\":\"e\",\"properties.k\":[1],"
	                        "\"properties.t\":true},\"type\":\"track\",\"rest\":\"properties\"}"),
		STATUS_OK);
	open_rows(state, "a,n,m,messageId\nu,5,,i\n");
	const char *is = message(state);
	assert_non_null(strstr(is, "\"event\":\"e\""));
	assert_non_null(strstr(is, "\"n\":5"));
	assert_non_null(strstr(is, "\"m\":7"));
	assert_non_null(strstr(is, "\"k\":[1]"));
	assert_non_null(strstr(is, "\"t\":true"));
}

static void times_are_read_in_their_format_and_zone(void **state)
{
	assert_int_equal(read_mapping(state,
	                              "{\"zone\":\"Asia/Seoul\",\"set\":{\"event\":\"e\"},\"map\":{"
	                              "\"timestamp\":{\"column\":\"at\",\"format\":\"%d.%m.%Y %H:%M\","
	                              "\"zone\":\"Europe/Berlin\"},\"properties.day\":\"day:time\"}}"),
	                 STATUS_OK);
	open_rows(state, "userId,messageId,at,day\nu,i,07.07.2025 10:30,2025-01-07 09:00\n"
	                 "u,i,07.07.2025 10:30,2025-01-07T09:00:00Z\nu,i,7/7/25,\n");
	const char *is = message(state);
	assert_non_null(strstr(is, "\"timestamp\":\"2025-07-07T08:30:00Z\""));
	assert_non_null(strstr(is, "\"day\":\"2025-01-07T00:00:00Z\""));
	assert_non_null(strstr(message(state), "\"day\":\"2025-01-07T09:00:00Z\""));
	assert_string_equal(message(state), "at: not a time");
}

static void the_file_tells_rows_without_a_time_apart(void **state)
{
	struct fixture *fixture = *state;
	char            first[200];
	open_rows(state, "userId,event\nu,e\n");
	snprintf(first, sizeof first, "%s", message(state));
	for (unsigned timed = 0; timed < 2; timed++) {
		void *other;
		new_fixture(&other);
		((struct fixture *)other)->map.digest = 99;
		open_rows(&other,
		          timed ? "userId,event,timestamp\nu,e,2025-01-07\n" : "userId,event\nu,e\n");
		assert_string_not_equal(message(&other), first);
		free_fixture(&other);
	}
	assert_int_equal(fixture->map.digest, 0);
}

static void bad_mappings_are_refused_with_the_place(void **state)
{
	static const struct {
		const char *mapping;
		const char *field;
	} cases[] = {
		{"{\"map\":[]}", "map"},
		{"{\"map\":{\"userId\":5}}", "map.userId"},
		{"{\"map\":{\"user\":\"a\"}}", "map"},
		{"{\"map\":{\"userId\":{\"type\":\"string\"}}}", "map.userId.column"},
		{"{\"map\":{\"userId\":{\"column\":\"a\",\"type\":\"x\"}}}", "map.userId.type"},
		{"{\"map\":{\"userId\":{\"column\":\"a\",\"x\":\"x\"}}}", "map.userId.x"},
		{"{\"map\":{\"timestamp\":{\"column\":\"a\",\"format\":\"%Q\"}}}", "map.timestamp.format"},
		{"{\"map\":{\"timestamp\":{\"column\":\"a\",\"zone\":\"Mars\"}}}", "map.timestamp.zone"},
		{"{\"map\":{\"userId\":{\"column\":\"a\",\"zone\":\"UTC\",\"type\":\"number\"}}}",
	     "map.userId.type"},
		{"{\"set\":{\"event\":null}}", "set.event"},
		{"{\"type\":\"tracks\"}", "type"},
		{"{\"rest\":\"all\"}", "rest"},
		{"{\"zone\":\"../../etc/passwd\"}", "zone"},
	};
	struct fixture *fixture = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(read_mapping(state, cases[i].mapping), STATUS_INVALID);
		assert_string_equal(fixture->err.field, cases[i].field);
	}
}

static void rules_that_mean_nothing_are_refused(void **state)
{
	struct fixture          *fixture = *state;
	static const char *const rules[] = {"userId", "user=x", "properties.=x", "=x"};
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		assert_int_equal(import_map_add(&fixture->map, text_of(rules[i]), false, &fixture->err),
		                 STATUS_INVALID);
}

static void a_column_that_is_not_there_is_named(void **state)
{
	add(state, "userId=who");
	assert_int_equal(bind(state, "userId,event\nu,e\n", IMPORT_TOP), STATUS_INVALID);
	assert_non_null(strstr(((struct fixture *)*state)->err.reason, "\"who\""));
}

static void a_mapping_without_a_person_is_refused(void **state)
{
	assert_int_equal(bind(state, "event\ne\n", IMPORT_TOP), STATUS_INVALID);
}

static void a_track_mapping_without_an_event_is_refused(void **state)
{
	assert_int_equal(bind(state, "userId\nu\n", IMPORT_TOP), STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(columns_become_the_fields_that_they_are_mapped_to),
		TEST(columns_that_are_called_like_fields_need_no_mapping),
		TEST(columns_without_a_mapping_are_named_or_go_where_they_are_told),
		TEST(the_rest_may_become_properties),
		TEST(cells_are_read_as_their_type),
		TEST(empty_cells_are_absent),
		TEST(a_timestamp_is_a_time_by_itself),
		TEST(equal_rows_have_different_message_ids_that_are_the_same_next_time),
		TEST(json_lines_without_mapping_are_messages),
		TEST(members_of_json_lines_are_found_by_name_and_by_path),
		TEST(a_mapping_as_json_has_columns_constants_and_defaults),
		TEST(times_are_read_in_their_format_and_zone),
		TEST(the_file_tells_rows_without_a_time_apart),
		TEST(bad_mappings_are_refused_with_the_place),
		TEST(rules_that_mean_nothing_are_refused),
		TEST(a_column_that_is_not_there_is_named),
		TEST(a_mapping_without_a_person_is_refused),
		TEST(a_track_mapping_without_an_event_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
