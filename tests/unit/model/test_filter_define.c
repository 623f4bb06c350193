#include "definition.h"
#include "model/filter.h"

static struct filters filters;

static int begin(void **state)
{
	filters_init(&filters);
	return definition_begin(state);
}

static int done(void **state)
{
	filters_done(&filters);
	return definition_done(state);
}

#define DEFINE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, done)

static void check_added(const char *json)
{
	struct error err;
	if (filters_add(&filters, FILTER_OF_STORE, json_of(text_of(json)), "", &err) != STATUS_OK)
		fail_msg("%s: %s: %s", json, err.field, err.reason);
}

#define LABEL "\"label\":{\"ko\":\"치수\",\"en\":\"Size\"}"

static void an_own_filter_is_used_like_the_others(void **state)
{
	(void)state;
	struct expr *expr;
	check_added("{\"name\":\"size\"," LABEL ",\"type\":\"choice\",\"days\":7,\"template\":"
	            "\"count(Tried where size in [$value]) within $days >= 1\","
	            "\"values\":[{\"value\":\"270\",\"label\":{\"ko\":\"중간\",\"en\":\"Medium\"}}]}");
	assert_int_equal(filters.count, 33);
	assert_int_equal(filters_to_expr(&filters, json_of(TEXT("{\"size\":[\"중간\",\"280\"]}")),
	                                 "filters", &definition_arena, &expr, NULL),
	                 STATUS_OK);
	assert_string_equal(text_of_expr(expr),
	                    "count(Tried where size in [\"중간\", \"270\", \"280\"]) within 7d >= 1");
}

static void a_filter_is_written_as_it_is_read(void **state)
{
	(void)state;
	static const char *const definitions[] = {
		"{\"name\":\"size\"," LABEL ",\"type\":\"choice\",\"days\":7,\"template\":"
		"\"count(Tried where size in [$value]) within $days >= 1\","
		"\"values\":[{\"value\":\"270\"," LABEL "}],\"closed\":true}",
		"{\"name\":\"tries\"," LABEL ",\"type\":\"number\",\"template\":\"count(Tried) >= $min\"}",
	};
	for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++) {
		struct buffer      out = {0};
		struct json_writer w   = json_writer_of(&out);
		check_added(definitions[i]);
		filter_write(&w, &filters.list[filters.count - 1]);
		assert_string_equal(kept(&out), definitions[i]);
	}
}

static void the_built_in_filters_can_be_read_as_they_are_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < filters.count; i++) {
		struct buffer      out = {0}, again = {0};
		struct json_writer w = json_writer_of(&out), w_again = json_writer_of(&again);
		struct filters     others = {0};
		struct error       err;
		arena_init(&others.arena);
		filter_write(&w, &filters.list[i]);
		if (filters_add(&others, FILTER_OF_FILE, json_of(buffer_text(&out)), "", &err) != STATUS_OK)
			fail_msg("%.*s: %s: %s", TEXT_FORMAT(buffer_text(&out)), err.field, err.reason);
		filter_write(&w_again, &others.list[0]);
		assert_string_equal(kept(&again), kept(&out));
		filters_done(&others);
	}
}

#define NAMED(rest)  "{\"name\":\"x\"," LABEL "," rest "}"
#define CHOICE(rest) NAMED("\"type\":\"choice\",\"template\":\"trait(x) in [$value]\"," rest)

static void what_is_wrong_is_refused_with_its_place_and_why(void **state)
{
	(void)state;
	static const struct {
		const char *json, *field, *reason;
	} cases[] = {
		{"5", "f", "must be an object"},
		{"{}", "f.name", "is required"},
		{"{\"nme\":\"x\"}", "f.nme", "did you mean \"name\"?"},
		{"{\"name\":5}", "f.name", "must be a string"},
		{"{\"name\":\"Ab\"}", "f.name", "begin with a letter"},
		{"{\"name\":\"9b\"}", "f.name", "begin with a letter"},
		{"{\"name\":\"\"}", "f.name", "must have from 1 to 64 bytes"},
		{"{\"name\":\"x\"}", "f.label", "must be an object"},
		{"{\"name\":\"x\",\"label\":{\"ko\":\"a\"}}", "f.label.en", "is required"},
		{"{\"name\":\"x\",\"label\":{\"ko\":\"a\",\"fr\":\"b\"}}", "f.label.fr", "unknown field"},
		{NAMED("\"type\":\"list\""), "f.type", "must be choice, text"},
		{NAMED("\"type\":\"days\""), "f.template", "is required"},
		{NAMED("\"type\":\"days\",\"values\":[]"), "f.values", "only a choice has values"},
		{CHOICE("\"values\":{}"), "f.values", "must be an array"},
		{CHOICE("\"values\":[{}]"), "f.values[0].value", "is required"},
		{CHOICE("\"values\":[{\"value\":5}]"), "f.values[0].value", "must be a string"},
		{CHOICE("\"values\":[{\"value\":\"a\",\"label\":\"b\"}]"), "f.values[0].label",
	     "must be an object"},
		{CHOICE("\"closed\":1"), "f.closed", "must be true or false"},
		{CHOICE("\"closed\":true"), "f.closed", "needs values"},
		{CHOICE("\"days\":0"), "f.days", "from 1 to 1095"},
		{CHOICE("\"days\":7"), "f.days", "does not use $days"},
		{NAMED("\"type\":\"days\",\"days\":7,\"template\":\"count(E) within $days >= 1\""),
	     "f.days", "is what a filter of this type is given"},
		{NAMED("\"type\":\"boolean\",\"template\":\"count(E) within $days >= 1\""), "f.days",
	     "is required"},
		{NAMED("\"type\":\"choice\",\"template\":\"count(E) >= 1\""), "f.template",
	     "must use $value"},
		{NAMED("\"type\":\"number\",\"template\":\"trait(x) in [$value]\""), "f.template",
	     "a filter of type number is given no $value"},
		{NAMED("\"type\":\"number\",\"template\":\"count(E) >=\""), "f.template",
	     "line 1, column 12: expected"},
		{NAMED("\"type\":\"text\",\"template\":\"trait(name) = $value\""), "f.template",
	     "line 1, column 13"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err = {0};
		enum status  status =
			filters_add(&filters, FILTER_OF_FILE, json_of(text_of(cases[i].json)), "f", &err);
		if (status != STATUS_INVALID || strcmp(err.field, cases[i].field) != 0 ||
		    strstr(err.reason, cases[i].reason) == NULL)
			fail_msg("%s: %d, %s: %s", cases[i].json, status, err.field, err.reason);
	}
	assert_int_equal(filters.count, 32);
}

static void a_name_is_given_once(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(filters_add(&filters, FILTER_OF_FILE,
	                             json_of(TEXT("{\"name\":\"region\"," LABEL ",\"type\":\"choice\","
	                                          "\"template\":\"trait(region) in [$value]\"}")),
	                             "", &err),
	                 STATUS_CONFLICT);
	assert_string_equal(err.field, "name");
}

static void there_is_a_limit_to_own_filters(void **state)
{
	(void)state;
	char         json[256];
	struct error err;
	for (unsigned i = 0; i <= FILTERS_OWN_MAX; i++) {
		snprintf(json, sizeof json,
		         "{\"name\":\"f%u\"," LABEL ",\"type\":\"days\",\"template\":"
		         "\"days_since_last(E) < $days\"}",
		         i);
		assert_int_equal(filters_add(&filters, FILTER_OF_STORE, json_of(text_of(json)), "", &err),
		                 i < FILTERS_OWN_MAX ? STATUS_OK : STATUS_CONFLICT);
	}
}

static void a_file_adds_its_filters(void **state)
{
	(void)state;
	assert_int_equal(
		filters_add_text(&filters,
	                     TEXT("{\"filters\": [\n{\"name\":\"size\"," LABEL
	                          ",\"type\":\"days\",\"template\":\"days_since_last(E) < $days\"},\n"
	                          "{\"name\":\"colour\"," LABEL
	                          ",\"type\":\"text\",\"template\":\"trait(colour) = $value\"}]}"),
	                     NULL),
		STATUS_OK);
	assert_int_equal(filters.count, 34);
	assert_int_equal(filters.list[33].origin, FILTER_OF_FILE);
}

static void a_mistake_in_a_file_is_told_with_line_and_column(void **state)
{
	(void)state;
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"{\"filters\": [\n  {\"name\": \"x\",\n   \"label\": 5}\n]}",
	     "3:13: filters[0].label: must be an object"},
		{"{\"filters\": [\n  {\"name\": \"x\",}]}", "2:16: "},
		{"{\n \"filter\": []}", "2:12: filter: unknown field: did you mean \"filters\"?"},
		{"{\"filters\": {}}", "1:13: filters: must be an array"},
		{"[]", "1:1: must be an object"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err;
		assert_int_equal(filters_add_text(&filters, text_of(cases[i].text), &err), STATUS_INVALID);
		if (strncmp(err.reason, cases[i].reason, strlen(cases[i].reason)) != 0)
			fail_msg("%s: %s", cases[i].text, err.reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINE_TEST(an_own_filter_is_used_like_the_others),
		DEFINE_TEST(a_filter_is_written_as_it_is_read),
		DEFINE_TEST(the_built_in_filters_can_be_read_as_they_are_written),
		DEFINE_TEST(what_is_wrong_is_refused_with_its_place_and_why),
		DEFINE_TEST(a_name_is_given_once),
		DEFINE_TEST(there_is_a_limit_to_own_filters),
		DEFINE_TEST(a_file_adds_its_filters),
		DEFINE_TEST(a_mistake_in_a_file_is_told_with_line_and_column),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
