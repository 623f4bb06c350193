#include "definition.h"
#include "model/rules.h"

static enum status parse(const char *body, struct expr **ret_expr, struct error *err)
{
	*err = (struct error){0};
	return rules_parse(json_of(text_of(body)), &definition_arena, ret_expr, err);
}

/* As text, which shows the shape. */
static const char *text_of_body(const char *body)
{
	struct expr *expr;
	struct error err;
	if (parse(body, &expr, &err) != STATUS_OK)
		fail_msg("%s: %s: %s", body, err.field, err.reason);
	return text_of_expr(expr);
}

#define RULE(members) "{\"eventType\":\"orders\",\"attribute\":\"count\"," members "}"
#define GTE3          "\"operator\":\"GTE\",\"value\":3"

static void rules_are_event_leaves_joined_by_and(void **state)
{
	static const char *const cases[][2] = {
		{"{\"rules\":[" RULE(GTE3) "]}", "count(\"Order Completed\") >= 3"},
		{"{\"rules\":[" RULE(
			 GTE3 ",\"windowMinutes\":10") ","
	                                       "{\"eventType\":\"My "
	                                       "Event\",\"attribute\":\"sum\",\"operator\":\"LT\","
	                                       "\"value\":0.5}]}",
	     "count(\"Order Completed\") within 10m >= 3 and sum($amount of \"My Event\") < "
	     "0.5"},
		{"{\"rules\":[{\"eventType\":\"clicks\",\"attribute\":\"sum\",\"property\":\"price\","
	     "\"where\":{\"property\":\"region\",\"op\":\"eq\",\"value\":\"제주\"},"
	     "\"operator\":\"NEQ\",\"value\":7,\"windowMinutes\":1440}]}",
	     "sum(price of \"Link Clicked\" where region = \"제주\") within 1d != 7"},
		/* Everything that a segment's answer has may be sent back. */
		{"{\"windowMinutes\":null,\"expression\":null,\"logicalExpression\":null,"
	     "\"dependencies\":[],\"rules\":[" RULE(
			 GTE3 ",\"id\":\"r\",\"segmentId\":\"s\",\"property\":null,\"where\":null,"
				  "\"windowMinutes\":null,\"active\":true,\"createdAt\":\"x\"") "]}",
	     "count(\"Order Completed\") >= 3"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(text_of_body(cases[i][0]), cases[i][1]);
}

static void every_operator_of_rules_has_its_meaning(void **state)
{
	static const char *const names[][2] = {{"GT", ">"},   {"LT", "<"},   {"EQ", "="},
	                                       {"GTE", ">="}, {"LTE", "<="}, {"NEQ", "!="}};
	(void)state;
	for (int i = 0; i < 6; i++)
		assert_string_equal(
			text_of_body(arena_printf(&definition_arena,
		                              "{\"rules\":[" RULE("\"operator\":\"%s\",\"value\":1") "]}",
		                              names[i][0])),
			arena_printf(&definition_arena, "count(\"Order Completed\") %s 1", names[i][1]));
}

static void the_segments_window_is_the_default_of_its_rules(void **state)
{
	(void)state;
	assert_string_equal(
		text_of_body("{\"windowMinutes\":60,\"rules\":[" RULE(GTE3) "," RULE(
			GTE3 ",\"windowMinutes\":5") "]}"),
		"count(\"Order Completed\") within 1h >= 3 and count(\"Order Completed\") within 5m "
		">= 3");
}

static void inactive_rules_do_not_count(void **state)
{
	(void)state;
	assert_string_equal(text_of_body("{\"rules\":[" RULE(GTE3 ",\"active\":false") "," RULE(
							"\"operator\":\"LT\",\"value\":1") "]}"),
	                    "count(\"Order Completed\") < 1");
}

static void event_types_and_their_events_are_known_both_ways(void **state)
{
	static const char *const pairs[][2] = {{"clicks", "Link Clicked"},
	                                       {"installs", "Application Installed"},
	                                       {"orders", "Order Completed"},
	                                       {"addToCart", "Product Added"}};
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct text type = text_of(pairs[i][0]), name = text_of(pairs[i][1]);
		assert_true(text_equal(rules_event_name(type), name));
		assert_true(text_equal(rules_event_name(name), name));
		assert_true(text_equal(rules_event_type(name), type));
		assert_int_equal(rules_event_type(type).length, 0);
	}
	assert_true(text_equal(rules_event_name(TEXT("Other")), TEXT("Other")));
	assert_int_equal(rules_event_type(TEXT("Other")).length, 0);
}

struct refused {
	const char *body;
	const char *field;
	const char *reason; /* a part of it */
};

#define CHECK_REFUSED(cases)                                                                       \
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases)[0]; i++)                                  \
	check_refused(&(cases)[i])

static void check_refused(const struct refused *refused)
{
	struct expr *expr;
	struct error err;
	if (parse(refused->body, &expr, &err) != STATUS_INVALID ||
	    strcmp(err.field, refused->field) != 0 || strstr(err.reason, refused->reason) == NULL)
		fail_msg("%s: %s: %s", refused->body, err.field, err.reason);
}

static void a_value_that_is_not_positive_is_refused_in_the_customers_words(void **state)
{
	static const char *const numbers[] = {"0", "-1", "-0.0", "-1e300"};
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct expr *expr;
		struct error err;
		const char  *body = arena_printf(
			 &definition_arena,
			 "{\"rules\":[" RULE(GTE3) "," RULE("\"operator\":\"GT\",\"value\":%s") "]}",
			 numbers[i]);
		assert_int_equal(parse(body, &expr, &err), STATUS_INVALID);
		assert_string_equal(err.field, "rules[1].value");
		assert_string_equal(err.reason, "Value must be greater than 0");
	}
}

static void wrong_rules_are_refused_with_their_place(void **state)
{
#define ONE(members) "{\"rules\":[{" members "}]}"
#define COUNT        "\"eventType\":\"orders\",\"attribute\":\"count\","
#define SUM          "\"eventType\":\"orders\",\"attribute\":\"sum\","
	static const struct refused cases[] = {
		{"[]", "", "must be an object"},
		{"{}", "expression", "is required"},
		{"{\"rules\":[]}", "rules", "at least one active rule"},
		{"{\"rules\":[" RULE(GTE3 ",\"active\":false") "]}", "rules", "active"},
		{"{\"rules\":{}}", "rules", "must be an array"},
		{"{\"rules\":[7]}", "rules[0]", "must be an object"},
		{ONE(COUNT GTE3 ",\"windowMinuts\":5"), "rules[0].windowMinuts", "\"windowMinutes\""},
		{ONE("\"attribute\":\"count\"," GTE3), "rules[0].eventType", "is required"},
		{ONE("\"eventType\":\"orders\"," GTE3), "rules[0].attribute", "count or sum"},
		{ONE("\"eventType\":\"orders\",\"attribute\":\"avg\"," GTE3), "rules[0].attribute",
	     "count or sum"},
		{ONE(COUNT "\"property\":\"p\"," GTE3), "rules[0].property", "no property"},
		{ONE(SUM "\"property\":\"email\"," GTE3), "rules[0].property", "personal"},
		{ONE(COUNT "\"operator\":\"gte\",\"value\":3"), "rules[0].operator", "GT, LT, EQ"},
		{ONE(COUNT "\"value\":3"), "rules[0].operator", "GT, LT, EQ"},
		{ONE(COUNT "\"operator\":\"GTE\""), "rules[0].value", "is required"},
		{ONE(COUNT "\"operator\":\"GTE\",\"value\":\"3\""), "rules[0].value", "a number"},
		{ONE(COUNT "\"operator\":\"GTE\",\"value\":1e999"), "rules[0].value", "too large"},
		{ONE(SUM "\"operator\":\"GTE\",\"value\":1e-7"), "rules[0].value", "6 decimals"},
		{ONE(COUNT GTE3 ",\"windowMinutes\":0"), "rules[0].windowMinutes", "1 to 1440"},
		{ONE(COUNT GTE3 ",\"windowMinutes\":1441"), "rules[0].windowMinutes", "1 to 1440"},
		{ONE(COUNT GTE3 ",\"windowMinutes\":1.5"), "rules[0].windowMinutes", "whole"},
		{ONE(COUNT GTE3 ",\"windowMinutes\":\"5\""), "rules[0].windowMinutes", "whole"},
		{ONE(COUNT GTE3 ",\"active\":1"), "rules[0].active", "true or false"},
		{ONE(COUNT GTE3 ",\"where\":{\"property\":\"p\",\"op\":\"gt\",\"value\":\"x\"}"),
	     "rules[0].where.value", "number"},
		{"{\"windowMinutes\":-5,\"rules\":[" RULE(GTE3) "]}", "windowMinutes", "1 to 1440"},
		{"{\"rules\":[" RULE(GTE3 ",\"active\":false,\"value\":-1") "]}", "rules[0].value",
	     "greater than 0"},
		{"{\"expression\":{\"segment\":\"a\"},\"rules\":[" RULE(GTE3) "]}", "rules",
	     "together with expression"},
		{"{\"expression\":{\"segment\":\"a\"},\"logicalExpression\":\"a\"}", "logicalExpression",
	     "together with expression"},
		{"{\"rules\":[" RULE(GTE3) "],\"dependencies\":[{\"independentSegmentId\":\"a\"}]}",
	     "dependencies", "together with rules"},
		{"{\"expression\":{\"segment\":7}}", "expression.segment", "must be a string"},
	};
	(void)state;
	CHECK_REFUSED(cases);
}

static void a_logical_expression_binds_not_before_and_before_or(void **state)
{
	static const char *const cases[][2] = {
		{"a", "segment(a)"},
		{"a AND b AND c", "segment(a) and segment(b) and segment(c)"},
		{"a OR b AND NOT c", "segment(a) or segment(b) and not segment(c)"},
		{"(a OR b) AND c", "(segment(a) or segment(b)) and segment(c)"},
		{"a AND (b AND c)", "segment(a) and (segment(b) and segment(c))"},
		{"NOT (a OR NOT b)", "not (segment(a) or not segment(b))"},
		{"not not a", "not (not segment(a))"},
		{" ( ( churn-risk ) )\\n", "segment(\"churn-risk\")"},
		{"\\\"and\\\" and \\\"two words\\\" And 제주",
	     "segment(\"and\") and segment(\"two words\") and segment(\"제주\")"},
		{"\\\"a\\\\\\\\b\\\\\\\"c\\\"", "segment(\"a\\\\b\\\"c\")"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(text_of_body(arena_printf(
								&definition_arena, "{\"logicalExpression\":\"%s\"}", cases[i][0])),
		                    cases[i][1]);
}

static void a_wrong_logical_expression_is_refused_with_the_position(void **state)
{
#define LOGIC(text) "{\"logicalExpression\":\"" text "\"}"
	static const struct refused cases[] = {
		{"{\"logicalExpression\":7}", "logicalExpression", "must be a string"},
		{LOGIC(""), "logicalExpression", "at character 1: a key, NOT or ( is expected"},
		{LOGIC("a b"), "logicalExpression", "at character 3: AND or OR is expected"},
		{LOGIC("제주 AND"), "logicalExpression", "at character 7: a key"},
		{LOGIC("a AND OR b"), "logicalExpression", "at character 7: a key"},
		{LOGIC("(a OR b"), "logicalExpression", "at character 8: AND, OR or ) is expected"},
		{LOGIC("a)"), "logicalExpression", "at character 2: no ( is open"},
		{LOGIC("a && b"), "logicalExpression", "at character 3: AND or OR"},
		{LOGIC("\\\"a"), "logicalExpression", "at character 1: the quote is not closed"},
		{LOGIC("\\\"\\\""), "logicalExpression", "must not be empty"},
		{LOGIC("NOT"), "logicalExpression", "at character 4: a key"},
		{LOGIC("()"), "logicalExpression", "at character 2: a key"},
	};
	(void)state;
	CHECK_REFUSED(cases);
}

static const char *repeated(const char *before, const char *part, size_t count, const char *behind)
{
	struct buffer text = {0};
	buffer_add_text(&text, text_of(before));
	for (size_t i = 0; i < count; i++)
		buffer_add_text(&text, text_of(part));
	buffer_add_text(&text, text_of(behind));
	return kept(&text);
}

static void a_logical_expression_has_the_limits_of_expressions(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	const char *begin = "{\"logicalExpression\":\"";
	assert_int_equal(parse(repeated(begin, "NOT ", 32, "a\"}"), &expr, &err), STATUS_OK);
	assert_int_equal(parse(repeated(begin, "NOT ", 33, "a\"}"), &expr, &err), STATUS_INVALID);
	assert_int_equal(parse(repeated(begin, "(", 100000, "a\"}"), &expr, &err), STATUS_INVALID);
	assert_non_null(strstr(err.reason, "nested too deep"));
	/* Each pair of parentheses brings two levels here. */
	const char *inner = repeated("", "a OR b AND (", 17, repeated("a", ")", 17, "\"}"));
	assert_int_equal(parse(repeated(begin, inner, 1, ""), &expr, &err), STATUS_INVALID);
	assert_non_null(strstr(err.reason, "deeper than 32"));
	assert_int_equal(parse(repeated(begin, "a OR ", 255, "a\"}"), &expr, &err), STATUS_OK);
	assert_int_equal(parse(repeated(begin, "a OR ", 256, "a\"}"), &expr, &err), STATUS_INVALID);
	assert_string_equal(err.field, "logicalExpression");
	assert_non_null(strstr(err.reason, "more than 256 leaves"));
}

#define DEP(id, op) "{\"independentSegmentId\":\"" id "\",\"logicalOperator\":\"" op "\"}"

static void dependencies_alone_are_joined_from_left_to_right(void **state)
{
	static const char *const cases[][2] = {
		{DEP("a", "OR"), "segment(a)"},
		{"{\"independentSegmentId\":\"a\"}," DEP("b", "AND"), "segment(a) and segment(b)"},
		{DEP("a", "OR") "," DEP("b", "AND") "," DEP("c", "AND"),
	     "segment(a) and segment(b) and segment(c)"},
		{DEP("a", "AND") "," DEP("b", "AND") "," DEP("c", "OR"),
	     "segment(a) and segment(b) or segment(c)"},
		{DEP("a", "AND") "," DEP("b", "OR") "," DEP("c", "AND"),
	     "(segment(a) or segment(b)) and segment(c)"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
			text_of_body(arena_printf(&definition_arena, "{\"dependencies\":[%s]}", cases[i][0])),
			cases[i][1]);
}

static void wrong_dependencies_are_refused_with_their_place(void **state)
{
	static const struct refused cases[] = {
		{"{\"dependencies\":{}}", "dependencies", "must be an array"},
		{"{\"dependencies\":[{}]}", "dependencies[0].independentSegmentId", "is required"},
		{"{\"dependencies\":[{\"independentSegmentId\":7}]}",
	     "dependencies[0].independentSegmentId", "must be a string"},
		{"{\"dependencies\":[" DEP("a", "XOR") "]}", "dependencies[0].logicalOperator",
	     "AND or OR"},
		{"{\"dependencies\":[" DEP("a", "OR") ",{\"independentSegmentId\":\"b\"}]}",
	     "dependencies[1].logicalOperator", "is required"},
		{"{\"dependencies\":[{\"segmentId\":\"a\"}]}", "dependencies[0].segmentId",
	     "unknown field"},
		{"{\"logicalExpression\":\"a\",\"dependencies\":[7]}", "dependencies[0]",
	     "must be an object"},
	};
	(void)state;
	CHECK_REFUSED(cases);
}

static void dependencies_that_nest_too_deep_are_refused(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	const char *begin = "{\"dependencies\":[";
	const char *pair  = DEP("a", "AND") "," DEP("b", "OR") ",";
	const char *last  = DEP("c", "AND") "]}";
	assert_int_equal(parse(repeated(begin, pair, 15, last), &expr, &err), STATUS_OK);
	assert_int_equal(parse(repeated(begin, pair, 17, last), &expr, &err), STATUS_INVALID);
	assert_string_equal(err.field, "dependencies");
	assert_non_null(strstr(err.reason, "deeper than 32"));
}

static void an_unknown_dependency_is_named_at_its_own_place(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	assert_int_equal(
		parse("{\"dependencies\":[" DEP("a", "OR") "," DEP("none", "OR") "]}", &expr, &err),
		STATUS_OK);
	assert_int_equal(expr_resolve(expr, "expression", number_of_segment, NULL, &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "dependencies[1].independentSegmentId");
	assert_int_equal(parse("{\"logicalExpression\":\"a OR none\"}", &expr, &err), STATUS_OK);
	assert_int_equal(expr_resolve(expr, "expression", number_of_segment, NULL, &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "logicalExpression");
}

/* "id-x" and "x" are the same segment. */
static uint32_t number_by_id_or_key(void *context, struct text reference)
{
	struct text prefix = TEXT("id-");
	if (text_starts_with(reference, prefix))
		reference = (struct text){reference.data + prefix.length, reference.length - prefix.length};
	return number_of_segment(context, reference);
}

static enum status check_dependencies(const char *body, struct error *err)
{
	struct expr *expr;
	if (parse(body, &expr, err) != STATUS_OK ||
	    expr_resolve(expr, "expression", number_by_id_or_key, NULL, err) != STATUS_OK)
		fail_msg("%s", err->reason);
	return rules_check_dependencies(json_of(text_of(body)), expr, number_by_id_or_key, NULL, err);
}

static void a_logical_expression_names_exactly_its_dependencies_by_id_or_key(void **state)
{
	struct error err;
	(void)state;
	assert_int_equal(
		check_dependencies("{\"logicalExpression\":\"a AND NOT id-b\",\"dependencies\":[" DEP(
							   "id-a", "AND") "," DEP("b", "AND") "]}",
	                       &err),
		STATUS_OK);
	assert_int_equal(check_dependencies("{\"logicalExpression\":\"a\"}", &err), STATUS_OK);
	assert_int_equal(check_dependencies("{\"rules\":[" RULE(GTE3) "]}", &err), STATUS_OK);

	assert_int_equal(
		check_dependencies(
			"{\"logicalExpression\":\"a OR b\",\"dependencies\":[" DEP("id-a", "AND") "]}", &err),
		STATUS_INVALID);
	assert_string_equal(err.field, "logicalExpression");
	assert_string_equal(err.reason, "\"b\" is not among the dependencies");
	assert_int_equal(check_dependencies("{\"logicalExpression\":\"a\",\"dependencies\":[" DEP(
											"a", "AND") "," DEP("b", "AND") "]}",
	                                    &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "dependencies[1]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(rules_are_event_leaves_joined_by_and),
		DEFINITION_TEST(every_operator_of_rules_has_its_meaning),
		DEFINITION_TEST(the_segments_window_is_the_default_of_its_rules),
		DEFINITION_TEST(inactive_rules_do_not_count),
		DEFINITION_TEST(event_types_and_their_events_are_known_both_ways),
		DEFINITION_TEST(a_value_that_is_not_positive_is_refused_in_the_customers_words),
		DEFINITION_TEST(wrong_rules_are_refused_with_their_place),
		DEFINITION_TEST(a_logical_expression_binds_not_before_and_before_or),
		DEFINITION_TEST(a_wrong_logical_expression_is_refused_with_the_position),
		DEFINITION_TEST(a_logical_expression_has_the_limits_of_expressions),
		DEFINITION_TEST(dependencies_alone_are_joined_from_left_to_right),
		DEFINITION_TEST(wrong_dependencies_are_refused_with_their_place),
		DEFINITION_TEST(dependencies_that_nest_too_deep_are_refused),
		DEFINITION_TEST(an_unknown_dependency_is_named_at_its_own_place),
		DEFINITION_TEST(a_logical_expression_names_exactly_its_dependencies_by_id_or_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
