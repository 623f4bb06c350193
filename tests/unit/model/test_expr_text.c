#include "definition.h"
#include "random_definition.h"

enum { ROUNDS = 3000 };

static enum status read(const char *text, struct expr **ret_expr, struct error *err)
{
	*err = (struct error){0};
	return expr_parse_text(text_of(text), "expression", &definition_arena, ret_expr, err);
}

static struct expr *expr_of_text(const char *text)
{
	struct expr *expr;
	struct error err;
	if (read(text, &expr, &err) != STATUS_OK)
		fail_msg("%s: %s: %s", text, err.field, err.reason);
	return expr;
}

static const char *canonical_of_expr(struct expr *expr)
{
	struct buffer out = {0};
	resolve(expr);
	expr_write_canonical(&out, expr);
	return kept(&out);
}

/* --- what is read --- */

static void texts_mean_what_their_json_does(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"count(A) >= 3", "{\"event\":\"A\",\"op\":\"gte\",\"value\":3}"},
		{"COUNT ( A )\n\t>=\r\n3", "{\"event\":\"A\",\"op\":\"gte\",\"value\":3}"},
		{"count(*)=0", "{\"event\":\"*\",\"op\":\"eq\",\"value\":0}"},
		{"count(\"*\") = 0", "{\"event\":\"*\",\"op\":\"eq\",\"value\":0}"},
		{"count(\"Order Completed\" where region in [\"제주\",\"부산\"] and revenue >= 30000) "
	     "within 365d >= 3 and trait(membership_tier) = \"VIP\" and not segment(\"churn-risk\")",
	     "{\"and\":[{\"event\":\"Order Completed\",\"where\":{\"and\":[{\"property\":\"region\","
	     "\"op\":\"in\",\"value\":[\"제주\",\"부산\"]},{\"property\":\"revenue\",\"op\":\"gte\","
	     "\"value\":30000}]},\"within\":\"365d\",\"op\":\"gte\",\"value\":3},"
	     "{\"trait\":\"membership_tier\",\"op\":\"eq\",\"value\":\"VIP\"},"
	     "{\"not\":{\"segment\":\"churn-risk\"}}]}"},
		{"sum(revenue of \"Order Completed\" where region = \"제주\") within 30d >= 100000",
	     "{\"event\":\"Order Completed\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	     "\"value\":\"제주\"},\"aggregate\":\"sum\",\"property\":\"revenue\",\"within\":\"30d\","
	     "\"op\":\"gte\",\"value\":100000}"},
		{"avg(\"of\" of \"where\") within 2h until 30m not in [0.5, -1e2]",
	     "{\"event\":\"where\",\"aggregate\":\"avg\",\"property\":\"of\",\"within\":\"2h\","
	     "\"until\":\"30m\",\"op\":\"not_in\",\"value\":[0.5,-100]}"},
		{"min($amount of A) until 1d absent",
	     "{\"event\":\"A\",\"aggregate\":\"min\",\"property\":\"$amount\",\"until\":\"1d\","
	     "\"op\":\"absent\"}"},
		{"days_since_last(A) between \"2025-01-01\" and \"2025-02-01\" < 7",
	     "{\"event\":\"A\",\"aggregate\":\"days_since_last\",\"between\":[\"2025-01-01\","
	     "\"2025-02-01\"],\"op\":\"lt\",\"value\":7}"},
		{"first(a.b of A) within_last 7d",
	     "{\"event\":\"A\",\"aggregate\":\"first\",\"property\":\"a.b\",\"op\":\"within_last\","
	     "\"value\":\"7d\"}"},
		{"last(p of A) within 1w within_next 2w",
	     "{\"event\":\"A\",\"aggregate\":\"last\",\"property\":\"p\",\"within\":\"7d\","
	     "\"op\":\"within_next\",\"value\":\"14d\"}"},
		{"sequence(A then * where p = 1 or q exists then \"then\") within 7d ended_within 30d",
	     "{\"sequence\":[{\"event\":\"A\"},{\"event\":\"*\",\"where\":{\"or\":[{\"property\":"
	     "\"p\",\"op\":\"eq\",\"value\":1},{\"property\":\"q\",\"op\":\"exists\"}]}},{\"event\":"
	     "\"then\"}],\"within\":\"7d\",\"ended_within\":\"30d\"}"},
		{"trait(t) before \"2025-01-01\" or trait(t) after \"2025-01-01\"",
	     "{\"or\":[{\"trait\":\"t\",\"op\":\"before\",\"value\":\"2025-01-01\"},{\"trait\":\"t\","
	     "\"op\":\"after\",\"value\":\"2025-01-01\"}]}"},
		{"trait(t) != TRUE", "{\"trait\":\"t\",\"op\":\"neq\",\"value\":true}"},
		{"trait(t) contains \"a\\\"\\u0041\\n\"",
	     "{\"trait\":\"t\",\"op\":\"contains\",\"value\":\"a\\\"A\\n\"}"},
		{"count(orders where not (a = 1 and not b = 2)) > 0",
	     "{\"event\":\"Order Completed\",\"where\":{\"not\":{\"and\":[{\"property\":\"a\","
	     "\"op\":\"eq\",\"value\":1},{\"not\":{\"property\":\"b\",\"op\":\"eq\",\"value\":2}}]}},"
	     "\"op\":\"gt\",\"value\":0}"},
		{"((segment(\"a\")))", "{\"segment\":\"a\"}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(json_text_of(expr_of_text(cases[i].text)),
		                    json_text_of(expr_of(text_of(cases[i].json))));
}

static void not_binds_closest_then_and_then_or(void **state)
{
	static const char *const pairs[][2] = {
		{"segment(a) or segment(b) and not segment(c)",
	     "segment(a) or (segment(b) and (not segment(c)))"},
		{"segment(a) and segment(b) or segment(c) and segment(d)",
	     "(segment(a) and segment(b)) or (segment(c) and segment(d))"},
		{"not segment(a) or segment(b)", "(not segment(a)) or segment(b)"},
		{"count(A where a exists or b exists and not c exists) > 0",
	     "count(A where a exists or (b exists and (not c exists))) > 0"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		assert_string_equal(json_text_of(expr_of_text(pairs[i][0])),
		                    json_text_of(expr_of_text(pairs[i][1])));
}

static void json_takes_the_text_as_a_string(void **state)
{
	(void)state;
	assert_string_equal(json_text_of(expr_of(TEXT("\"count(A) >= 3\""))),
	                    "{\"event\":\"A\",\"op\":\"gte\",\"value\":3}");
}

/* --- there and back --- */

static void json_in_text_and_back_has_the_same_canonical_form(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		struct buffer json = {0};
		random_definition(&json);
		struct text  definition = text_of(kept(&json));
		struct expr *expr       = expr_of(definition);
		const char  *text       = text_of_expr(expr);
		struct expr *back       = expr_of_text(text);
		if (strcmp(text_of_expr(back), text) != 0)
			fail_msg("%s became %s", text, text_of_expr(back));
		if (strcmp(canonical_of_expr(expr), canonical_of_expr(back)) != 0)
			fail_msg("%.*s became %s", TEXT_FORMAT(definition), text);
	}
}

/* --- what is refused --- */

struct mistake {
	const char *text;
	const char *reason; /* how it begins */
};

static void check_mistakes(const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct expr *expr;
		struct error err;
		enum status  status = read(mistakes[i].text, &expr, &err);
		if (status != STATUS_INVALID || strcmp(err.field, "expression") != 0 ||
		    strncmp(err.reason, mistakes[i].reason, strlen(mistakes[i].reason)) != 0)
			fail_msg("%s: status %d, %s: %s", mistakes[i].text, status, err.field, err.reason);
	}
}

#define CHECK_MISTAKES(mistakes) check_mistakes(mistakes, sizeof(mistakes) / sizeof(mistakes)[0])

static void mistakes_of_form_have_line_and_column_and_a_hint(void **state)
{
	static const struct mistake mistakes[] = {
		{"", "line 1, column 1: expected not, (, trait, segment, sequence or an aggregate such as "
	         "count or sum, but the text ends"},
		{"  \n ", "line 2, column 2: expected not"},
		{"cuont(A) > 1", "line 1, column 1: expected not, (, trait, segment, sequence or an "
	                     "aggregate such as count or sum, not cuont: did you mean count?"},
		{"count(A) >= 3 andd segment(a)",
	     "line 1, column 15: expected and, or or the end, not andd: did you mean and?"},
		{"count(A) >= 3 segment(a)", "line 1, column 15: expected and, or or the end, not segment"},
		{"count(A) wihtin 7d > 1", "line 1, column 10: expected within, until, between or a test "
	                               "such as >= 3, not wihtin: did you mean within?"},
		{"count(A", "line 1, column 8: expected where or ), but the text ends"},
		{"count A > 1", "line 1, column 7: expected (, not A"},
		{"count() > 1", "line 1, column 7: expected the name of an event, or *, not )"},
		{"count(A) >", "line 1, column 11: expected a string in quotes, a number, true or false"},
		{"count(A) within \"7d\" > 1", "line 1, column 17: expected a duration such as 30m or 7d"},
		{"count(A) between \"2025-01-01\" > 1", "line 1, column 31: expected and, before"},
		{"count(A) between 2025 and 2026 > 1", "line 1, column 18: expected an instant such as"},
		{"count(A where region) > 1", "line 1, column 21: expected a test such as = 3"},
		{"count(A where region = ) > 1", "line 1, column 24: expected a string in quotes"},
		{"count(A where region is \"x\") > 1", "line 1, column 22: expected a test"},
		{"count(A where region exist) > 1",
	     "line 1, column 22: expected a test such as = 3, in [\"a\"] or exists, not exist: did "
	     "you mean exists?"},
		{"count(A where a exists and) > 1", "line 1, column 27: expected the name of a property"},
		{"count(A where not not a exists) > 1", "line 1, column 19: expected the name of a "
	                                            "property: a name that is a keyword stands in "
	                                            "quotes, \"not\""},
		{"count(within) > 1", "line 1, column 7: expected the name of an event, or *: a name that "
	                          "is a keyword stands in quotes, \"within\""},
		{"trait(t) in \"a\"", "line 1, column 13: expected a list in brackets"},
		{"trait(t) in []", "line 1, column 14: expected a string in quotes"},
		{"trait(t) in [1 2]", "line 1, column 16: expected a comma or ], not 2"},
		{"trait(t) not contains \"a\"", "line 1, column 14: expected in, as in not in"},
		{"trait(t) contains 7", "line 1, column 19: expected a string in quotes, not 7"},
		{"sum(A) > 1", "line 1, column 5: expected the name of a property and of, as in sum(price "
	                   "of \"Order Completed\")"},
		{"not not segment(a)", "line 1, column 5: expected not, (, trait"},
		{"(segment(a)", "line 1, column 12: expected and, or or ), but the text ends"},
		{"segment(a))", "line 1, column 11: expected and, or or the end, not )"},
		{"sequence(A ten B)", "line 1, column 12: expected where, then or ), not ten: did you "
	                          "mean then?"},
		{"segment(a) and\n  trait(\"이름\") = 'x'",
	     "line 2, column 17: names and strings stand in double quotes"},
		{"trait(이름) exists", "line 1, column 7: names with other letters than A to Z stand in "
	                           "double quotes"},
		{"trait(t) == 1", "line 1, column 10: equality is written ="},
		{"trait(t) <> 1", "line 1, column 10: inequality is written !="},
		{"segment(a) && segment(b)", "line 1, column 12: did you mean and?"},
		{"!segment(a)", "line 1, column 1: did you mean not?"},
		{"trait(t) = \"x", "line 1, column 12: the string has no closing quote"},
		{"trait(t) = \"\\x\"", "line 1, column 13: what stands behind a backslash"},
		{"trait(t) = \"a\nb\"", "line 1, column 14: in a string this character"},
		{"trait(t) = 007", "line 1, column 12: numbers are written as in JSON"},
		{"trait(t) = 1.", "line 1, column 12: numbers are written as in JSON"},
		{"trait(t) = .5", "line 1, column 12: expected a string in quotes"},
		{"trait(t) = 1e", "line 1, column 12: expected a string in quotes, a number, true or "
	                      "false, not 1e"},
		{"trait(t) = -", "line 1, column 12: numbers are written as in JSON"},
		{"trait(t) # 1", "line 1, column 10: expected a test such as = 3, in [\"a\"] or exists, "
	                     "not #"},
	};
	(void)state;
	CHECK_MISTAKES(mistakes);
}

static void mistakes_of_meaning_stand_where_they_were_written(void **state)
{
	static const struct mistake mistakes[] = {
		{"segment(a) and count(price of A) > 1", "line 1, column 22: count takes no property"},
		{"count(A) within 7y > 1", "line 1, column 17: is no duration"},
		{"count(A) within 1h until 2h > 1", "line 1, column 26: must be less than within"},
		{"count(A) exists", "line 1, column 10: exists cannot be asked of a count"},
		{"count(A) = \"1\"", "line 1, column 12: must be a number"},
		{"count(A) in [1, \"2\"]", "line 1, column 17: must be a number"},
		{"count(A) > 1e999", "line 1, column 12: is too large a number"},
		{"avg(p of A) >= 0.0000001", "line 1, column 16: an average is compared with at most 6"},
		{"days_since_last(A) < 1.5", "line 1, column 22: must be a whole number of days"},
		{"count(A where a = 1 and (b = 2 or not c > \"x\")) > 1",
	     "line 1, column 43: must be a number: gt compares numbers only"},
		{"count(A where p contains \"\") > 1", "line 1, column 26: must be a string that is not"},
		{"count(A) between \"soon\" and \"later\" > 1", "line 1, column 18: is no instant"},
		{"count(A) between \"2025-01-02\" and \"2025-01-01\" > 1",
	     "line 1, column 10: the first instant"},
		{"trait(name) = \"a\"", "line 1, column 13:"},
		{"sequence(A)", "line 1, column 1: must be an array of 2 to 20 steps"},
		{"sequence(A then B where p < \"1\")", "line 1, column 29: must be a number"},
		{"sequence(A then B) ended_within 1s", "line 1, column 33: must be from 60 seconds"},
		{"segment(\"\")", "line 1, column 9: must not be empty"},
	};
	(void)state;
	CHECK_MISTAKES(mistakes);
}

static uint32_t number_unless_none(void *context, struct text reference)
{
	(void)context;
	return text_equal(reference, TEXT("none")) ? 0 : 7;
}

static void a_segment_that_is_not_there_is_named_with_line_and_column(void **state)
{
	static const struct mistake mistakes[] = {
		{"segment(none)", "line 1, column 9: there is no segment \"none\""},
		{"segment(a) and count(A where \"segment\" = 1) > 1\n  or not segment(\"none\")",
	     "line 2, column 18: there is no segment \"none\""},
		{"not (segment(\"제주\") or segment(b) and segment(none))",
	     "line 1, column 46: there is no segment \"none\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
		struct expr *expr;
		struct error err;
		assert_int_equal(read(mistakes[i].text, &expr, &err), STATUS_OK);
		assert_int_equal(expr_resolve(expr, "expression", number_unless_none, NULL, &err),
		                 STATUS_INVALID);
		assert_string_equal(err.field, "expression");
		assert_string_equal(err.reason, mistakes[i].reason);
	}
}

static void a_long_word_is_shown_in_part(void **state)
{
	static const struct mistake mistakes[] = {
		{"segment(a) a123456789012345678901234567890123456789",
	     "line 1, column 12: expected and, or or the end, not "
	     "a123456789012345678901234567890123456789"},
	};
	struct expr *expr;
	struct error err;
	(void)state;
	CHECK_MISTAKES(mistakes);
	/* The cut would go through a character. */
	assert_int_equal(read("segment(a) \"b1234567890123456789012345678901234567제주\"", &expr, &err),
	                 STATUS_INVALID);
	assert_string_equal(err.reason, "line 1, column 12: expected and, or or the end, not "
	                                "\"b1234567890123456789012345678901234567");
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

static void limits_are_those_of_the_json(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	assert_int_equal(read(repeated("", "segment(a) or ", 255, "segment(a)"), &expr, &err),
	                 STATUS_OK);
	assert_int_equal(read(repeated("", "segment(a) or ", 256, "segment(a)"), &expr, &err),
	                 STATUS_INVALID);
	assert_non_null(strstr(err.reason, "more than 256 leaves"));
	assert_int_equal(read(repeated("trait(t) in [1", ",1", 999, "]"), &expr, &err), STATUS_OK);
	assert_int_equal(read(repeated("trait(t) in [1", ",1", 1000, "]"), &expr, &err),
	                 STATUS_INVALID);
	assert_non_null(strstr(err.reason, "1000 items"));
	assert_int_equal(read(repeated("sequence(a", " then a", 19, ")"), &expr, &err), STATUS_OK);
	assert_int_equal(read(repeated("sequence(a", " then a", 20, ")"), &expr, &err), STATUS_INVALID);
	assert_non_null(strstr(err.reason, "2 to 20 steps"));
	assert_int_equal(read(repeated("", " ", EXPR_NOTATION_MAX, "segment(a)"), &expr, &err),
	                 STATUS_INVALID);
	assert_non_null(strstr(err.reason, "is longer than"));
}

static void nesting_is_limited_and_what_is_written_at_the_limit_is_read(void **state)
{
	struct expr  *expr;
	struct error  err;
	struct buffer json = {0};
	(void)state;
	for (int i = 0; i < EXPR_DEPTH_MAX; i++)
		buffer_add_text(&json, TEXT("{\"not\":"));
	buffer_add_text(&json, TEXT("{\"segment\":\"a\"}"));
	for (int i = 0; i < EXPR_DEPTH_MAX; i++)
		buffer_add_u8(&json, '}');
	const char *text = text_of_expr(expr_of(text_of(kept(&json))));
	assert_string_equal(text_of_expr(expr_of_text(text)), text);
	assert_int_equal(
		read(repeated(repeated("", "(", 10000, "segment(a)"), ")", 10000, ""), &expr, &err),
		STATUS_INVALID);
	assert_string_equal(err.reason,
	                    "line 1, column 66: nested deeper than 32 levels of and, or, not");
}

static void what_is_no_utf8_is_refused(void **state)
{
	struct expr *expr;
	struct error err;
	(void)state;
	assert_int_equal(read("trait(t) = \"\xff\"", &expr, &err), STATUS_INVALID);
	assert_string_equal(err.field, "expression");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(texts_mean_what_their_json_does),
		DEFINITION_TEST(not_binds_closest_then_and_then_or),
		DEFINITION_TEST(json_takes_the_text_as_a_string),
		DEFINITION_TEST(json_in_text_and_back_has_the_same_canonical_form),
		DEFINITION_TEST(mistakes_of_form_have_line_and_column_and_a_hint),
		DEFINITION_TEST(mistakes_of_meaning_stand_where_they_were_written),
		DEFINITION_TEST(a_segment_that_is_not_there_is_named_with_line_and_column),
		DEFINITION_TEST(a_long_word_is_shown_in_part),
		DEFINITION_TEST(limits_are_those_of_the_json),
		DEFINITION_TEST(nesting_is_limited_and_what_is_written_at_the_limit_is_read),
		DEFINITION_TEST(what_is_no_utf8_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
