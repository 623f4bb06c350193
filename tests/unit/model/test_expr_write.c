#include "definition.h"

static void json_is_written_as_it_was_read(void **state)
{
	static const char *const definitions[] = {
		"{\"and\":[{\"event\":\"Order Completed\",\"where\":{\"and\":[{\"property\":\"region\","
		"\"op\":\"in\",\"value\":[\"제주\",\"부산\"]},{\"property\":\"revenue\",\"op\":\"gte\","
		"\"value\":30000}]},\"within\":\"365d\",\"op\":\"gte\",\"value\":3},"
		"{\"trait\":\"membership_tier\",\"op\":\"eq\",\"value\":\"VIP\"},"
		"{\"not\":{\"segment\":\"churn-risk\"}}]}",
		"{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"$amount\",\"within\":\"2h\","
		"\"until\":\"30m\",\"op\":\"not_in\",\"value\":[0.1,-5]}",
		"{\"event\":\"*\",\"where\":{\"not\":{\"or\":[{\"property\":\"p\",\"op\":\"absent\"}]}},"
		"\"between\":[\"2025-01-01\",\"2025-02-01T00:00:00+09:00\"],\"op\":\"eq\",\"value\":0}",
		"{\"trait\":\"t\",\"op\":\"within_last\",\"value\":\"3d\"}",
		"{\"trait\":\"t\",\"op\":\"after\",\"value\":\"2025-01-07T10:30:00.5Z\"}",
		"{\"or\":[{\"trait\":\"t\",\"op\":\"eq\",\"value\":true}]}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++)
		assert_string_equal(json_text_of(expr_of(text_of(definitions[i]))), definitions[i]);
}

struct notation {
	const char *json;
	const char *text;
};

static void the_text_notation_follows_its_grammar(void **state)
{
#define EVENT(members) "{\"event\":\"A\",\"op\":\"gt\",\"value\":1," members "}"
#define A              "{\"segment\":\"a\"}"
#define B              "{\"segment\":\"b\"}"
#define C              "{\"segment\":\"c\"}"
#define P              "{\"property\":\"p\",\"op\":\"exists\"}"
#define Q              "{\"property\":\"q\",\"op\":\"absent\"}"
	static const struct notation cases[] = {
		{"{\"and\":[{\"event\":\"Order Completed\",\"where\":{\"and\":[{\"property\":\"region\","
	     "\"op\":\"in\",\"value\":[\"제주\",\"부산\"]},{\"property\":\"revenue\",\"op\":\"gte\","
	     "\"value\":30000}]},\"within\":\"365d\",\"op\":\"gte\",\"value\":3},"
	     "{\"trait\":\"membership_tier\",\"op\":\"eq\",\"value\":\"VIP\"},"
	     "{\"not\":{\"segment\":\"churn-risk\"}}]}",
	     "count(\"Order Completed\" where region in [\"제주\", \"부산\"] and revenue >= 30000) "
	     "within 365d >= 3 and trait(membership_tier) = \"VIP\" and not "
	     "segment(\"churn-risk\")"},
		{"{\"event\":\"*\",\"aggregate\":\"sum\",\"property\":\"revenue\",\"within\":\"30d\","
	     "\"op\":\"lt\",\"value\":-0.5}",
	     "sum(revenue of *) within 30d < -0.5"},
		{EVENT("\"within\":\"2h\",\"until\":\"30m\""), "count(A) within 2h until 30m > 1"},
		{EVENT("\"until\":\"30m\""), "count(A) until 30m > 1"},
		{EVENT("\"between\":[\"2025-01-01\",\"2025-02-01\"]"),
	     "count(A) between \"2025-01-01\" and \"2025-02-01\" > 1"},
		{EVENT("\"where\":{\"not\":{\"or\":[" P "," Q "]}}"),
	     "count(A where not (p exists or q absent)) > 1"},
		{"{\"event\":\"A\",\"op\":\"not_in\",\"value\":[1,2]}", "count(A) not in [1, 2]"},
		{"{\"or\":[{\"and\":[" A "," B "]}," C "]}", "segment(a) and segment(b) or segment(c)"},
		{"{\"and\":[{\"or\":[" A "," B "]}," C "]}", "(segment(a) or segment(b)) and segment(c)"},
		{"{\"and\":[" A ",{\"and\":[" B "," C "]}]}", "segment(a) and (segment(b) and segment(c))"},
		{"{\"not\":{\"not\":" A "}}", "not (not segment(a))"},
		{"{\"and\":[{\"or\":[" A "]}]}", "segment(a)"},
		{"{\"not\":{\"and\":[" A "," B "]}}", "not (segment(a) and segment(b))"},
		{"{\"trait\":\"where\",\"op\":\"neq\",\"value\":false}", "trait(\"where\") != false"},
		{"{\"trait\":\"NOT\",\"op\":\"lte\",\"value\":1e21}", "trait(\"NOT\") <= 1e+21"},
		{"{\"trait\":\"$a.b_1\",\"op\":\"contains\",\"value\":\"a\\\"b\"}",
	     "trait($a.b_1) contains \"a\\\"b\""},
		{"{\"trait\":\"1a\",\"op\":\"ends_with\",\"value\":\"x\"}",
	     "trait(\"1a\") ends_with \"x\""},
		{"{\"trait\":\"t\",\"op\":\"within_next\",\"value\":\"30m\"}", "trait(t) within_next 30m"},
		{"{\"trait\":\"t\",\"op\":\"before\",\"value\":\"2025-01-01\"}",
	     "trait(t) before \"2025-01-01\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(text_of_expr(expr_of(text_of(cases[i].json))), cases[i].text);
}

static void a_canonical_form_that_was_read_back_can_be_written_in_both_notations(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	assert_int_equal(
		expr_parse_canonical(TEXT("{\"and\":[{\"aggregate\":\"count\",\"between\":[0,1500],"
	                              "\"event\":\"A\",\"op\":\"gt\",\"value\":1},{\"segment\":7}]}"),
	                         &definition_arena, &expr, &err),
		STATUS_OK);
	assert_string_equal(json_text_of(expr),
	                    "{\"and\":[{\"event\":\"A\",\"between\":[\"1970-01-01T00:00:00Z\","
	                    "\"1970-01-01T00:00:01.500Z\"],\"op\":\"gt\",\"value\":1},"
	                    "{\"segment\":\"7\"}]}");
	assert_string_equal(text_of_expr(expr), "count(A) between \"1970-01-01T00:00:00Z\" and "
	                                        "\"1970-01-01T00:00:01.500Z\" > 1 and "
	                                        "segment(\"7\")");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(json_is_written_as_it_was_read),
		DEFINITION_TEST(the_text_notation_follows_its_grammar),
		DEFINITION_TEST(a_canonical_form_that_was_read_back_can_be_written_in_both_notations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
