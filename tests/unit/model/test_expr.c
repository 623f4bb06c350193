#include "definition.h"

static void count_visit(void *context, const struct expr *leaf)
{
	struct buffer    *seen      = context;
	static const char letters[] = {
		[EXPR_EVENT] = 'e', [EXPR_TRAIT] = 't', [EXPR_SEGMENT] = 's', [EXPR_SEQUENCE] = 'q'};
	buffer_add_u8(seen, (uint8_t)letters[leaf->kind]);
}

static void leaves_are_visited_in_order(void **state)
{
	struct buffer seen = {0};
	(void)state;
	expr_visit_leaves(
		expr_of(TEXT("{\"and\":[{\"or\":[{\"segment\":\"a\"},{\"trait\":\"t\",\"op\":\"exists\"}]},"
	                 "{\"not\":{\"event\":\"A\",\"op\":\"gt\",\"value\":0}},{\"sequence\":["
	                 "{\"event\":\"A\"},{\"event\":\"B\"}]},{\"segment\":\"b\"}]}")),
		count_visit, &seen);
	assert_string_equal(kept(&seen), "steqs");
}

static void an_expression_with_a_segment_leaf_is_derived(void **state)
{
	(void)state;
	assert_true(
		expr_is_derived(expr_of(TEXT("{\"not\":{\"and\":[{\"trait\":\"t\",\"op\":\"exists\"},"
	                                 "{\"segment\":\"a\"}]}}"))));
	assert_false(expr_is_derived(expr_of(TEXT("{\"not\":{\"trait\":\"t\",\"op\":\"exists\"}}"))));
}

static void resolving_gives_every_segment_leaf_its_number(void **state)
{
	(void)state;
	struct expr *expr =
		expr_of(TEXT("{\"or\":[{\"segment\":\"A\"},{\"not\":{\"segment\":\"B\"}}]}"));
	resolve(expr);
	assert_int_equal(expr->operands[0]->segment.number, 'A');
	assert_int_equal(expr->operands[1]->operands[0]->segment.number, 'B');
}

static void an_unknown_segment_is_named_with_its_place(void **state)
{
	struct error err;
	(void)state;
	struct expr *expr = expr_of(TEXT("{\"and\":[{\"segment\":\"A\"},"
	                                 "{\"or\":[{\"not\":{\"segment\":\"none\"}}]}]}"));
	assert_int_equal(expr_resolve(expr, "expression", number_of_segment, NULL, &err),
	                 STATUS_INVALID);
	assert_string_equal(err.field, "expression.and[1].or[0].not.segment");
	assert_string_equal(err.reason, "there is no segment \"none\"");
}

static void only_within_last_and_within_next_are_relative(void **state)
{
	(void)state;
	for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++) {
		struct expr_test test = {.op = op};
		assert_int_equal(expr_test_is_relative(&test),
		                 op == EXPR_WITHIN_LAST || op == EXPR_WITHIN_NEXT);
	}
}

static void a_where_is_relative_when_one_of_its_tests_is(void **state)
{
#define WHERE(where) "{\"event\":\"A\",\"op\":\"gt\",\"value\":0,\"where\":" where "}"
	(void)state;
	assert_false(expr_where_is_relative(NULL));
	assert_false(expr_where_is_relative(
		expr_of(TEXT(WHERE("{\"property\":\"p\",\"op\":\"after\",\"value\":\"2025-01-01\"}")))
			->event.where));
	assert_true(expr_where_is_relative(
		expr_of(TEXT(WHERE("{\"or\":[{\"property\":\"p\",\"op\":\"exists\"},{\"not\":"
	                       "{\"property\":\"p\",\"op\":\"within_next\",\"value\":\"1d\"}}]}")))
			->event.where));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(leaves_are_visited_in_order),
		DEFINITION_TEST(an_expression_with_a_segment_leaf_is_derived),
		DEFINITION_TEST(resolving_gives_every_segment_leaf_its_number),
		DEFINITION_TEST(an_unknown_segment_is_named_with_its_place),
		DEFINITION_TEST(only_within_last_and_within_next_are_relative),
		DEFINITION_TEST(a_where_is_relative_when_one_of_its_tests_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
