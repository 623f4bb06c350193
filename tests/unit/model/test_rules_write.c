#include "base/hash.h"
#include "definition.h"
#include "model/rules.h"
#include "random_definition.h"

enum { ROUNDS = 2000 };

static struct text id_of_segment(void *context, struct text reference)
{
	(void)context;
	if (text_equal(reference, TEXT("none")))
		return TEXT("");
	return text_of(arena_printf(&definition_arena, "id-%.*s", TEXT_FORMAT(reference)));
}

static const struct rules_context context = {
	.segment_id    = {"0f0e0d0c-0b0a-4908-8706-050403020100", 36},
	.created_ms    = 1736245800000,
	.segment_id_of = id_of_segment,
};

static struct expr *parse(const char *body)
{
	struct expr *expr;
	struct error err;
	if (rules_parse(json_of(text_of(body)), &definition_arena, &expr, &err) != STATUS_OK)
		fail_msg("%s: %s: %s", body, err.field, err.reason);
	return expr;
}

static const char *write_body(const char *body)
{
	struct expr       *expr   = parse(body);
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	json_begin_object(&writer);
	rules_write(&writer, json_of(text_of(body)), expr, &context);
	json_end_object(&writer);
	return kept(&out);
}

/* A member of what is written; lives until the next call. */
static struct json member(const char *written, const char *list, int index, const char *name)
{
	struct json value = json_get(json_of(text_of(written)), list);
	for (struct json_iterator i = json_iterate(value); json_next(&i); index--)
		if (index == 0)
			return json_get(i.value, name);
	return (struct json){0};
}

static const char *written_json(struct json value)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	json_add_value(&writer, value);
	return kept(&out);
}

static void check_members(const char *written, const char *list, int index,
                          const char *const (*expected)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(written_json(member(written, list, index, expected[i][0])),
		                    expected[i][1]);
}

#define CHECK_MEMBERS(written, list, index, expected)                                              \
	check_members(written, list, index, expected, sizeof(expected) / sizeof(expected)[0])

static void rules_are_answered_as_they_were_written_and_completed(void **state)
{
	(void)state;
	const char *written = write_body(
		"{\"windowMinutes\":30,\"rules\":["
		"{\"id\":\"mine\",\"eventType\":\"orders\",\"attribute\":\"sum\",\"operator\":\"GTE\","
		"\"value\":3,\"createdAt\":\"2024-01-01T00:00:00Z\"},"
		"{\"eventType\":\"X\",\"attribute\":\"count\",\"operator\":\"LT\",\"value\":1,"
		"\"windowMinutes\":5,\"active\":false,"
		"\"where\":{\"property\":\"p\",\"op\":\"exists\"}}]}");
	static const char *const first[][2] = {
		{"id", "\"mine\""},
		{"segmentId", "\"0f0e0d0c-0b0a-4908-8706-050403020100\""},
		{"eventType", "\"orders\""},
		{"attribute", "\"sum\""},
		{"property", "\"$amount\""},
		{"operator", "\"GTE\""},
		{"value", "3"},
		{"windowMinutes", "30"},
		{"active", "true"},
		{"createdAt", "\"2024-01-01T00:00:00Z\""},
	};
	static const char *const second[][2] = {
		{"eventType", "\"X\""},
		{"where", "{\"property\":\"p\",\"op\":\"exists\"}"},
		{"windowMinutes", "5"},
		{"active", "false"},
		{"createdAt", "\"2025-01-07T10:30:00Z\""},
	};
	CHECK_MEMBERS(written, "rules", 0, first);
	CHECK_MEMBERS(written, "rules", 1, second);
	assert_int_equal(json_type(json_get(json_of(text_of(written)), "logicalExpression")),
	                 JSON_NULL);
	assert_int_equal(json_count(json_get(json_of(text_of(written)), "dependencies")), 0);
}

static void ids_that_are_made_stay_the_same_and_differ_from_each_other(void **state)
{
#define RULE "{\"eventType\":\"A\",\"attribute\":\"count\",\"operator\":\"GT\",\"value\":1}"
	(void)state;
	const char *body   = "{\"rules\":[" RULE "," RULE "]}";
	const char *first  = written_json(member(write_body(body), "rules", 0, "id"));
	const char *second = written_json(member(write_body(body), "rules", 1, "id"));
	assert_string_equal(first, written_json(member(write_body(body), "rules", 0, "id")));
	assert_string_not_equal(first, second);
	assert_true(uuid_valid((struct text){first + 1, strlen(first) - 2}));
}

static void an_expression_of_simple_event_leaves_has_rules(void **state)
{
	(void)state;
	const char *written = write_body(
		"{\"expression\":{\"and\":[{\"event\":\"Order Completed\",\"within\":\"1d\","
		"\"op\":\"gte\",\"value\":3},{\"event\":\"X\",\"aggregate\":\"sum\",\"property\":\"p\","
		"\"where\":{\"property\":\"q\",\"op\":\"exists\"},\"op\":\"neq\",\"value\":0.5}]}}");
	static const char *const first[][2] = {
		{"eventType", "\"orders\""},
		{"attribute", "\"count\""},
		{"operator", "\"GTE\""},
		{"value", "3"},
		{"windowMinutes", "1440"},
		{"active", "true"},
		{"createdAt", "\"2025-01-07T10:30:00Z\""},
	};
	static const char *const second[][2] = {
		{"eventType", "\"X\""},
		{"attribute", "\"sum\""},
		{"property", "\"p\""},
		{"operator", "\"NEQ\""},
		{"value", "0.5"},
		{"windowMinutes", "null"},
		{"where", "{\"property\":\"q\",\"op\":\"exists\"}"},
	};
	CHECK_MEMBERS(written, "rules", 0, first);
	CHECK_MEMBERS(written, "rules", 1, second);
}

static void other_expressions_have_neither_rules_nor_logic(void **state)
{
#define LEAF(members) "{\"event\":\"A\"," members "}"
	static const char *const expressions[] = {
		"{\"trait\":\"t\",\"op\":\"exists\"}",
		"{\"not\":" LEAF("\"op\":\"gt\",\"value\":1") "}",
		"{\"or\":[" LEAF("\"op\":\"gt\",\"value\":1") "]}",
		LEAF("\"op\":\"in\",\"value\":[1]"),
		LEAF("\"op\":\"gt\",\"value\":0"),
		LEAF("\"op\":\"gt\",\"value\":1,\"within\":\"2d\""),
		LEAF("\"op\":\"gt\",\"value\":1,\"within\":\"90s\""),
		LEAF("\"op\":\"gt\",\"value\":1,\"until\":\"1h\""),
		LEAF("\"op\":\"gt\",\"value\":1,\"between\":[\"2025-01-01\",\"2025-01-02\"]"),
		"{\"and\":[" LEAF("\"op\":\"gt\",\"value\":1") ",{\"segment\":\"a\"}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++)
		assert_string_equal(
			write_body(arena_printf(&definition_arena, "{\"expression\":%s}", expressions[i])),
			"{\"rules\":null,\"logicalExpression\":null,\"dependencies\":[]}");
}

static void an_expression_of_segments_has_logic_and_its_dependencies(void **state)
{
	(void)state;
	const char *written =
		write_body("{\"expression\":{\"and\":[{\"segment\":\"vip\"},{\"or\":[{\"not\":{"
	               "\"segment\":\"two words\"}},{\"segment\":\"or\"},{\"segment\":\"vip\"}]}]}}");
	assert_string_equal(written_json(json_get(json_of(text_of(written)), "logicalExpression")),
	                    "\"vip AND (NOT \\\"two words\\\" OR \\\"or\\\" OR vip)\"");
	assert_int_equal(json_type(json_get(json_of(text_of(written)), "rules")), JSON_NULL);
	assert_int_equal(json_count(json_get(json_of(text_of(written)), "dependencies")), 3);
	static const char *const first[][2] = {
		{"derivedSegmentId", "\"0f0e0d0c-0b0a-4908-8706-050403020100\""},
		{"independentSegmentId", "\"id-vip\""},
		{"logicalOperator", "\"AND\""},
		{"createdAt", "\"2025-01-07T10:30:00Z\""},
	};
	static const char *const second[][2] = {
		{"independentSegmentId", "\"id-two words\""},
		{"logicalOperator", "\"OR\""},
	};
	CHECK_MEMBERS(written, "dependencies", 0, first);
	CHECK_MEMBERS(written, "dependencies", 1, second);
}

static void dependencies_are_answered_as_they_were_written_and_completed(void **state)
{
	(void)state;
	const char *written =
		write_body("{\"dependencies\":[{\"independentSegmentId\":\"a\"},{\"id\":\"mine\","
	               "\"independentSegmentId\":\"none\",\"logicalOperator\":\"OR\"}]}");
	static const char *const first[][2]  = {{"independentSegmentId", "\"id-a\""},
	                                        {"logicalOperator", "\"AND\""}};
	static const char *const second[][2] = {
		{"id", "\"mine\""}, {"independentSegmentId", "\"none\""}, {"logicalOperator", "\"OR\""}};
	CHECK_MEMBERS(written, "dependencies", 0, first);
	CHECK_MEMBERS(written, "dependencies", 1, second);
	assert_string_equal(written_json(json_get(json_of(text_of(written)), "logicalExpression")),
	                    "\"a OR none\"");
}

static void a_logical_expression_is_answered_as_it_was_written(void **state)
{
	(void)state;
	const char *written = write_body("{\"logicalExpression\":\"( a  or b )\"}");
	assert_string_equal(written_json(json_get(json_of(text_of(written)), "logicalExpression")),
	                    "\"( a  or b )\"");
	assert_int_equal(json_count(json_get(json_of(text_of(written)), "dependencies")), 2);
}

/* "id-x" and "x" are the same segment. */
static uint32_t number_by_id_or_key(void *unused, struct text reference)
{
	struct text prefix = TEXT("id-");
	if (text_starts_with(reference, prefix))
		reference = (struct text){reference.data + prefix.length, reference.length - prefix.length};
	return number_of_segment(unused, reference);
}

static const char *canonical_by_id_or_key(struct expr *expr)
{
	struct buffer out = {0};
	struct error  err;
	if (expr_resolve(expr, "", number_by_id_or_key, NULL, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	expr_write_canonical(&out, expr);
	return kept(&out);
}

static void random_segment(struct buffer *out)
{
	buffer_printf(out, "{\"segment\":\"%s\"}", random_name());
}

static void random_rule_leaf(struct buffer *out)
{
	static const char *const ops[]     = {"eq", "neq", "gt", "gte", "lt", "lte"};
	static const char *const windows[] = {"", "\"within\":\"1m\",", "\"within\":\"24h\","};
	bool                     is_sum    = seed_below(2) == 0;
	buffer_printf(out, "{\"event\":\"%s\",%s%s\"op\":\"%s\",\"value\":%s,\"where\":",
	              seed_below(2) == 0 ? "installs" : "*",
	              is_sum ? "\"aggregate\":\"sum\",\"property\":\"$amount\"," : "", PICK(windows),
	              PICK(ops), seed_below(2) == 0 ? "3" : "0.25");
	random_tree(out, 2, random_property_test);
	buffer_add_text(out, TEXT("}"));
}

static void what_is_written_reads_back_as_the_same_expression(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct buffer body  = {0};
		bool          logic = seed_below(2) == 0;
		buffer_add_text(&body, TEXT("{\"expression\":"));
		if (logic) {
			random_tree(&body, 4, random_segment);
		} else {
			buffer_add_text(&body, TEXT("{\"and\":"));
			random_list(&body, random_rule_leaf);
			buffer_add_text(&body, TEXT("}"));
		}
		buffer_add_text(&body, TEXT("}"));

		const char  *text    = kept(&body);
		const char  *written = write_body(text);
		struct error err;
		struct expr *back = parse(written);
		assert_string_equal(canonical_by_id_or_key(back), canonical_by_id_or_key(parse(text)));
		assert_int_equal(rules_check_dependencies(json_of(text_of(written)), back,
		                                          number_by_id_or_key, NULL, &err),
		                 STATUS_OK);
		assert_true((strstr(written, "\"logicalExpression\":null") == NULL) == logic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(rules_are_answered_as_they_were_written_and_completed),
		DEFINITION_TEST(ids_that_are_made_stay_the_same_and_differ_from_each_other),
		DEFINITION_TEST(an_expression_of_simple_event_leaves_has_rules),
		DEFINITION_TEST(other_expressions_have_neither_rules_nor_logic),
		DEFINITION_TEST(an_expression_of_segments_has_logic_and_its_dependencies),
		DEFINITION_TEST(dependencies_are_answered_as_they_were_written_and_completed),
		DEFINITION_TEST(a_logical_expression_is_answered_as_it_was_written),
		DEFINITION_TEST(what_is_written_reads_back_as_the_same_expression),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
