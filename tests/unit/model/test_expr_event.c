#include "refused.h"

/* An event leaf with these members behind its aggregate. */
static const char *leaf(const char *aggregate, const char *members)
{
	return arena_printf(&definition_arena, "{\"event\":\"A\",\"aggregate\":\"%s\"%s}", aggregate,
	                    members);
}

/* `op` and a value that it takes. */
static const char *test_of(enum expr_op op)
{
	static const char *const values[EXPR_OP_COUNT] = {
		[EXPR_EQ]          = "1",
		[EXPR_NEQ]         = "1",
		[EXPR_GT]          = "1",
		[EXPR_GTE]         = "1",
		[EXPR_LT]          = "1",
		[EXPR_LTE]         = "1",
		[EXPR_IN]          = "[1,2]",
		[EXPR_NOT_IN]      = "[1]",
		[EXPR_CONTAINS]    = "\"x\"",
		[EXPR_STARTS_WITH] = "\"x\"",
		[EXPR_ENDS_WITH]   = "\"x\"",
		[EXPR_WITHIN_LAST] = "\"7d\"",
		[EXPR_WITHIN_NEXT] = "\"7d\"",
		[EXPR_BEFORE]      = "\"2025-01-01\"",
		[EXPR_AFTER]       = "\"2025-01-01\"",
	};
	return arena_printf(
		&definition_arena, ",\"op\":\"%s\"%s%s", expr_op_name(op),
		values[op] == NULL ? "" : ",\"value\":", values[op] == NULL ? "" : values[op]);
}

static bool takes_property(enum expr_aggregate aggregate)
{
	return aggregate != EXPR_COUNT && aggregate != EXPR_DAYS_SINCE_LAST &&
	       aggregate != EXPR_DAYS_SINCE_FIRST;
}

/* Rule 2, written out once more. */
static bool may_ask(enum expr_aggregate aggregate, enum expr_op op)
{
	if (op <= EXPR_NOT_IN || aggregate == EXPR_FIRST || aggregate == EXPR_LAST)
		return true;
	return (op == EXPR_EXISTS || op == EXPR_ABSENT) && aggregate != EXPR_COUNT &&
	       aggregate != EXPR_SUM && aggregate != EXPR_DISTINCT;
}

static void each_aggregate_takes_its_operators_and_refuses_the_others(void **state)
{
	(void)state;
	for (enum expr_aggregate aggregate = 0; aggregate < EXPR_AGGREGATE_COUNT; aggregate++)
		for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++) {
			struct error err;
			const char  *property = takes_property(aggregate) ? ",\"property\":\"p\"" : "";
			const char  *members  = arena_printf(&definition_arena, "%s%s", property, test_of(op));
			const char  *text     = leaf(expr_aggregate_name(aggregate), members);
			enum status  status   = parse(text, &err);
			if (status != (may_ask(aggregate, op) ? STATUS_OK : STATUS_INVALID))
				fail_msg("%s: %d", text, status);
			if (status != STATUS_OK) {
				assert_string_equal(err.field, "expression.op");
				assert_non_null(strstr(err.reason, "cannot be asked of"));
			}
		}
}

static void aggregates_of_a_property_need_one_and_the_others_refuse_it(void **state)
{
	(void)state;
	for (enum expr_aggregate aggregate = 0; aggregate < EXPR_AGGREGATE_COUNT; aggregate++) {
		struct error err;
		const char  *name    = expr_aggregate_name(aggregate);
		const char  *without = leaf(name, ",\"op\":\"eq\",\"value\":1");
		const char  *with    = leaf(name, ",\"property\":\"p\",\"op\":\"eq\",\"value\":1");
		bool         takes   = takes_property(aggregate);
		assert_int_equal(parse(takes ? with : without, &err), STATUS_OK);
		assert_int_equal(parse(takes ? without : with, &err), STATUS_INVALID);
		assert_string_equal(err.field, "expression.property");
		assert_non_null(strstr(err.reason, takes ? "is required" : "takes no property"));
	}
}

#define LEAF(aggregate, members) "{\"event\":\"A\",\"aggregate\":\"" aggregate "\"," members "}"
#define P                        "\"property\":\"p\","

static void what_aggregates_are_compared_with_is_of_their_kind(void **state)
{
	static const struct refused cases[] = {
		{LEAF("avg", P "\"op\":\"gte\",\"value\":\"1\""), "expression.value",
	     "it is compared with an average"},
		{LEAF("avg", P "\"op\":\"gte\",\"value\":0.0000001"), "expression.value", "6 decimals"},
		{LEAF("avg", P "\"op\":\"in\",\"value\":[1,9.3e12]"), "expression.value[1]", "9.2e12"},
		{LEAF("min", P "\"op\":\"eq\",\"value\":true"), "expression.value", "must be a number"},
		{LEAF("max", P "\"op\":\"in\",\"value\":[1,\"a\"]"), "expression.value[1]",
	     "must be a number"},
		{LEAF("distinct", P "\"op\":\"gt\",\"value\":\"1\""), "expression.value", "a count"},
		{LEAF("first", P "\"op\":\"gt\",\"value\":\"1\""), "expression.value",
	     "gt compares numbers only"},
		{LEAF("last", P "\"op\":\"contains\",\"value\":\"\""), "expression.value", "not empty"},
		{LEAF("last", P "\"op\":\"within_last\",\"value\":\"1s\""), "expression.value",
	     "from 60 seconds"},
		{LEAF("last", P "\"op\":\"exists\",\"value\":1"), "expression.value", "takes no value"},
		{LEAF("days_since_last", "\"op\":\"gte\",\"value\":1.5"), "expression.value",
	     "whole number of days"},
		{LEAF("days_since_first", "\"op\":\"in\",\"value\":[1,0.5]"), "expression.value[1]",
	     "whole number of days"},
		{LEAF("days_since_last", "\"op\":\"gte\",\"value\":\"30d\""), "expression.value",
	     "compared with a number of days"},
	};
	static const char *const accepted[] = {
		LEAF("avg", P "\"op\":\"gte\",\"value\":0.000001"),
		LEAF("min", P "\"op\":\"gte\",\"value\":1e-9"),
		LEAF("max", P "\"op\":\"lt\",\"value\":1e300"),
		LEAF("first", P "\"op\":\"in\",\"value\":[\"a\",1,true]"),
		LEAF("last", P "\"within\":\"7d\",\"until\":\"1d\",\"op\":\"eq\",\"value\":\"\""),
		LEAF("days_since_last", "\"op\":\"gte\",\"value\":30.0"),
		LEAF("days_since_first", "\"between\":[\"2025-01-01\",\"2025-02-01\"],\"op\":\"lt\","
	                             "\"value\":-1"),
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
	CHECK_ACCEPTED(accepted);
}

static void of_personal_properties_first_and_last_can_only_ask_whether_they_are_there(void **state)
{
	static const struct refused cases[] = {
		{LEAF("first", "\"property\":\"email\",\"op\":\"eq\",\"value\":\"a\""), "expression.op",
	     "personal"},
		{LEAF("last", "\"property\":\"context.ip\",\"op\":\"neq\",\"value\":\"a\""),
	     "expression.op", "personal"},
		{LEAF("max", "\"property\":\"phone\",\"op\":\"exists\""), "expression.property",
	     "personal"},
		{LEAF("distinct", "\"property\":\"email\",\"op\":\"gt\",\"value\":1"),
	     "expression.property", "personal"},
	};
	static const char *const accepted[] = {
		LEAF("first", "\"property\":\"email\",\"op\":\"exists\""),
		LEAF("last", "\"property\":\"email\",\"op\":\"absent\""),
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
	CHECK_ACCEPTED(accepted);
}

static const char *sequence_of(size_t count)
{
	struct buffer text = {0};
	buffer_add_text(&text, TEXT("{\"sequence\":["));
	for (size_t i = 0; i < count; i++)
		buffer_printf(&text, "%s{\"event\":\"A%zu\"}", i == 0 ? "" : ",", i);
	buffer_add_text(&text, TEXT("]}"));
	return kept(&text);
}

static void a_sequence_has_2_to_20_steps(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 21; count++) {
		struct error err;
		enum status  status = parse(sequence_of(count), &err);
		assert_int_equal(status, count < 2 || count > 20 ? STATUS_INVALID : STATUS_OK);
		if (status != STATUS_OK) {
			assert_string_equal(err.field, "expression.sequence");
			assert_string_equal(err.reason, "must be an array of 2 to 20 steps");
		}
	}
}

static void wrong_sequences_are_refused_with_their_place(void **state)
{
#define SEQUENCE(second, members)                                                                  \
	"{\"not\":{\"sequence\":[{\"event\":\"A\"}," second "]" members "}}"
	static const struct refused cases[] = {
		{"{\"sequence\":{}}", "expression.sequence", "must be an array"},
		{SEQUENCE("7", ""), "expression.not.sequence[1]", "must be an object"},
		{SEQUENCE("{}", ""), "expression.not.sequence[1].event", "is required"},
		{SEQUENCE("{\"event\":7}", ""), "expression.not.sequence[1].event", "must be a string"},
		{SEQUENCE("{\"event\":\"B\",\"op\":\"eq\"}", ""), "expression.not.sequence[1].op",
	     "unknown field"},
		{SEQUENCE("{\"event\":\"B\",\"wher\":{}}", ""), "expression.not.sequence[1].wher",
	     "did you mean \"where\"?"},
		{SEQUENCE("{\"event\":\"B\",\"where\":{\"not\":{\"property\":\"p\",\"op\":\"is\"}}}", ""),
	     "expression.not.sequence[1].where.not.op", "unknown operator"},
		{SEQUENCE("{\"event\":\"B\"}", ",\"within\":7"), "expression.not.within",
	     "must be a duration"},
		{SEQUENCE("{\"event\":\"B\"}", ",\"ended_within\":\"59s\""), "expression.not.ended_within",
	     "from 60 seconds"},
		{SEQUENCE("{\"event\":\"B\"}", ",\"until\":\"1d\""), "expression.not.until",
	     "unknown field"},
		{SEQUENCE("{\"event\":\"B\"}", ",\"op\":\"eq\""), "expression.not.op", "unknown field"},
	};
	(void)state;
	CHECK_REFUSED(cases, STATUS_INVALID);
}

static void the_tests_of_steps_count_with_the_sequence_as_leaves(void **state)
{
	(void)state;
	for (int more = 0; more <= 1; more++) {
		struct error  err;
		struct buffer text = {0};
		buffer_add_text(&text, TEXT("{\"sequence\":[{\"event\":\"A\"},{\"event\":\"B\",\"where\":"
		                            "{\"or\":["));
		for (int i = 0; i < EXPR_LEAVES_MAX - 1 + more; i++)
			buffer_printf(&text, "%s{\"property\":\"p%d\",\"op\":\"exists\"}", i ? "," : "", i);
		buffer_add_text(&text, TEXT("]}}]}"));
		assert_int_equal(parse(kept(&text), &err), more ? STATUS_INVALID : STATUS_OK);
		if (more)
			assert_string_equal(err.field, "expression.sequence[1].where.or");
	}
}

static void a_sequence_ends_up_in_the_tree(void **state)
{
	(void)state;
	struct expr *expr =
		expr_of(TEXT("{\"sequence\":[{\"event\":\"orders\"},{\"event\":\"*\",\"where\":{"
	                 "\"property\":\"p\",\"op\":\"exists\"}}],\"within\":\"7d\","
	                 "\"ended_within\":\"30d\"}"));
	const struct expr_sequence *sequence = &expr->sequence;
	assert_int_equal(expr->kind, EXPR_SEQUENCE);
	assert_int_equal(sequence->step_count, 2);
	assert_true(text_equal(sequence->steps[0].name, TEXT("Order Completed")));
	assert_null(sequence->steps[0].where);
	assert_true(text_equal(sequence->steps[1].name, TEXT("*")));
	assert_true(text_equal(sequence->steps[1].where->property, TEXT("p")));
	assert_int_equal(sequence->within_ms, 7 * DAY_MS);
	assert_int_equal(sequence->ended_within_ms, 30 * DAY_MS);
}

static void the_canonical_form_of_a_sequence_keeps_the_order_of_its_steps(void **state)
{
	static const char canonical[] =
		"{\"ended_within\":2592000000,\"sequence\":[{\"event\":\"B\",\"where\":{\"and\":["
		"{\"op\":\"absent\",\"property\":\"q\"},{\"op\":\"exists\",\"property\":\"p\"}]}},"
		"{\"event\":\"A\"}],\"within\":604800000}";
	struct expr *expr;
	struct error err;
	(void)state;
	assert_string_equal(
		canonical_of(TEXT("{\"within\":\"1w\",\"ended_within\":\"30d\",\"sequence\":[{\"where\":"
	                      "{\"and\":[{\"property\":\"p\",\"op\":\"exists\"},{\"property\":\"q\","
	                      "\"op\":\"absent\"}]},\"event\":\"B\"},{\"event\":\"A\"}]}")),
		canonical);
	assert_int_equal(expr_parse_canonical(text_of(canonical), &definition_arena, &expr, &err),
	                 STATUS_OK);
	assert_string_equal(text_of_expr(expr),
	                    "sequence(B where q absent and p exists then A) within 7d "
	                    "ended_within 30d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(each_aggregate_takes_its_operators_and_refuses_the_others),
		DEFINITION_TEST(aggregates_of_a_property_need_one_and_the_others_refuse_it),
		DEFINITION_TEST(what_aggregates_are_compared_with_is_of_their_kind),
		DEFINITION_TEST(of_personal_properties_first_and_last_can_only_ask_whether_they_are_there),
		DEFINITION_TEST(a_sequence_has_2_to_20_steps),
		DEFINITION_TEST(wrong_sequences_are_refused_with_their_place),
		DEFINITION_TEST(the_tests_of_steps_count_with_the_sequence_as_leaves),
		DEFINITION_TEST(a_sequence_ends_up_in_the_tree),
		DEFINITION_TEST(the_canonical_form_of_a_sequence_keeps_the_order_of_its_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
