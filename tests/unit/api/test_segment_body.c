#include "api/segment/segment_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/instant.h"

#define EXPRESSION                                                                                 \
	"\"expression\":{\"event\":\"Order Completed\",\"within\":\"7d\",\"op\":\"gte\",\"value\":1}"

struct fixture {
	struct arena        arena;
	struct json_parser *parser;
	struct segment_body body;
	struct error        err;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	arena_init(&fixture->arena);
	fixture->parser = json_parser_new();
	*state          = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	arena_done(&fixture->arena);
	json_parser_free(fixture->parser);
	free(fixture);
	return 0;
}

static enum status read(struct fixture *fixture, const char *text, bool create)
{
	struct json     json;
	struct api      api  = {0};
	struct api_call call = {.api = &api, .arena = &fixture->arena};
	assert_int_equal(json_parse_text(fixture->parser, text_of(text), &json, &fixture->err),
	                 STATUS_OK);
	return segment_body_read(&call, json, create, &fixture->body, &fixture->err);
}

static void assert_refused(struct fixture *fixture, const char *text, bool create,
                           const char *field)
{
	assert_int_equal(read(fixture, text, create), STATUS_INVALID);
	assert_string_equal(fixture->err.field, field);
}

static void what_the_author_wrote_is_kept(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(read(fixture, "{\"name\":\"Buyers\"," EXPRESSION "}", true), STATUS_OK);

	assert_true(text_equal(fixture->body.wish.name, TEXT("Buyers")));
	assert_true(text_equal(fixture->body.wish.body, TEXT("{" EXPRESSION "}")));
	assert_non_null(fixture->body.wish.expr);
	assert_true(fixture->body.wish.active);
	assert_null(fixture->body.wish.key.data);
}

static void a_new_segment_needs_a_name_and_a_definition(void **state)
{
	struct fixture *fixture = *state;
	assert_refused(fixture, "{" EXPRESSION "}", true, "name");
	assert_int_equal(read(fixture, "{\"name\":\"Buyers\"}", true), STATUS_INVALID);
}

static void a_change_may_leave_everything_out(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(read(fixture, "{\"description\":\"\"}", false), STATUS_OK);

	assert_null(fixture->body.wish.name.data);
	assert_null(fixture->body.wish.expr);
	assert_null(fixture->body.wish.body.data);
	assert_non_null(fixture->body.wish.description.data);
}

static void unknown_and_read_only_fields_are_named(void **state)
{
	struct fixture *fixture = *state;
	assert_refused(fixture, "{\"name\":\"a\",\"colour\":1," EXPRESSION "}", true, "colour");
	assert_refused(fixture, "{\"version\":3}", false, "version");
	assert_refused(fixture, "{\"state\":\"Live\"}", false, "state");
}

static void fields_have_types_and_limits(void **state)
{
	struct fixture *fixture = *state;
	assert_refused(fixture, "{\"name\":3}", false, "name");
	assert_refused(fixture, "{\"name\":\"\"}", false, "name");
	assert_refused(fixture, "{\"active\":\"yes\"}", false, "active");
	char text[SEGMENT_NAME_BYTES_MAX + 64];
	memset(text, 'a', sizeof text);
	memcpy(text, "{\"name\":\"", 9);
	memcpy(text + sizeof text - 3, "\"}", 3);
	assert_refused(fixture, text, false, "name");
}

static void a_key_can_stand_in_a_path_and_is_no_id(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(read(fixture, "{\"key\":\"vip-2.KR_1\"}", false), STATUS_OK);
	assert_int_equal(read(fixture, "{\"key\":\"단골-손님\"}", false), STATUS_OK);
	assert_refused(fixture, "{\"key\":\"a b\"}", false, "key");
	assert_refused(fixture, "{\"key\":\"-a\"}", false, "key");
	assert_refused(fixture, "{\"key\":\"a/b\"}", false, "key");
	assert_refused(fixture, "{\"key\":\"852a767e-6eb2-40e0-a0c6-b0aee10b835d\"}", false, "key");
}

static void the_type_must_be_that_of_the_definition(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(
		read(fixture, "{\"name\":\"a\",\"type\":\"INDEPENDENT\"," EXPRESSION "}", true), STATUS_OK);
	assert_refused(fixture, "{\"name\":\"a\",\"type\":\"DERIVED\"," EXPRESSION "}", true, "type");
	assert_int_equal(
		read(fixture, "{\"type\":\"DERIVED\",\"expression\":{\"segment\":\"b\"}}", false),
		STATUS_OK);
	assert_refused(fixture, "{\"type\":\"DERIVED\"}", false, "type");
}

static void a_window_must_end_before_events_are_forgotten(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(read(fixture, "{" EXPRESSION "}", false), STATUS_OK);
	const struct expr *expr = fixture->body.wish.expr;

	assert_int_equal(segment_body_check_windows(expr, 8 * DAY_MS, &fixture->err), STATUS_OK);
	assert_int_equal(segment_body_check_windows(expr, INSTANT_MS_NEVER, &fixture->err), STATUS_OK);
	assert_int_equal(segment_body_check_windows(expr, 7 * DAY_MS, &fixture->err), STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_author_wrote_is_kept),
		TEST(a_new_segment_needs_a_name_and_a_definition),
		TEST(a_change_may_leave_everything_out),
		TEST(unknown_and_read_only_fields_are_named),
		TEST(fields_have_types_and_limits),
		TEST(a_key_can_stand_in_a_path_and_is_no_id),
		TEST(the_type_must_be_that_of_the_definition),
		TEST(a_window_must_end_before_events_are_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
