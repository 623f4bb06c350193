#include "api/sentence/sentence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/instant.h"

enum { BEGIN_S = 1767225600 };

static const struct explain_flip never = {.at_ms = INSTANT_MS_NEVER, .exact = true};

static struct text key_of(void *context, uint32_t number)
{
	(void)context;
	assert_int_equal(number, 7);
	return TEXT("churn-risk");
}

static const struct sentence_names names = {.segment_key = key_of};

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static const struct expr *parse(const char *json)
{
	struct error        err;
	struct expr        *expr;
	struct json         root;
	struct json_parser *parser = json_parser_new();
	assert_int_equal(json_parse_text(parser, text_of(json), &root, &err), STATUS_OK);
	assert_int_equal(expr_parse_json(root, "expression", &arena, &expr, &err), STATUS_OK);
	json_parser_free(parser);
	if (expr->kind == EXPR_SEGMENT)
		expr->segment.number = 7;
	return expr;
}

static void assert_node(const struct explain_node *node, const char *korean, const char *english)
{
	const char *expected[] = {korean, english};
	for (int i = 0; i < SENTENCE_LANGUAGES; i++) {
		struct buffer out = {0};
		sentence_of_node(&out, (enum sentence_language)i, node, &names);
		buffer_add_u8(&out, 0);
		assert_string_equal(out.data, expected[i]);
		buffer_done(&out);
	}
}

static void a_count_that_holds_says_when_it_ends(void **state)
{
	(void)state;
	struct explain_node node = {
		.expr =
			parse("{\"event\":\"Order Completed\",\"within\":\"10m\",\"op\":\"gte\",\"value\":3}"),
		.holds = true,
		.leaf  = {.count = 3},
		.flip = {.at_ms = INT64_C(1000) * BEGIN_S, .exact = true, .event = TEXT("Order Completed")},
	};
	assert_node(
		&node,
		"최근 10분 동안 ‘Order Completed’ 이벤트가 3회로 기준(3회 이상)을 충족하며, "
		"다른 일이 없으면 ‘Order Completed’ 이벤트가 기간을 벗어나는 "
		"2026년 1월 1일 00:00:00(UTC)에 충족하지 않게 됩니다.",
		"In the last 10 minutes \"Order Completed\" happened 3 times (needs at least 3: met); "
		"if nothing else happens, this changes at 2026-01-01T00:00:00Z, when "
		"\"Order Completed\" falls out of the window.");
}

static void a_count_that_fails_says_how_many_more_it_needs(void **state)
{
	(void)state;
	struct explain_node node = {
		.expr = parse("{\"event\":\"Order\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	                  "\"value\":\"제주\"},\"op\":\"gte\",\"value\":3}"),
		.leaf = {.count = 1},
		.flip = never,
	};
	assert_node(&node,
	            "지금까지 조건(region = \"제주\")에 맞는 ‘Order’ 이벤트가 1회로 기준(3회 이상)을 "
	            "충족하지 못하며, 2회 더 발생하면 충족하게 됩니다.",
	            "\"Order\" with region = \"제주\" happened once (needs at least 3: not met); "
	            "2 more would change this.");
}

static void amounts_are_grouped_and_followed_by_the_right_particle(void **state)
{
	(void)state;
	struct explain_node node = {
		.expr  = parse("{\"event\":\"Order\",\"aggregate\":\"sum\",\"property\":\"revenue\","
	                    "\"within\":\"30d\",\"op\":\"gt\",\"value\":100000}"),
		.holds = true,
		.leaf  = {.count = 2, .sum = INT64_C(120000) * 1000000},
		.flip  = never,
	};
	assert_node(
		&node,
		"최근 30일 동안 ‘Order’ 이벤트의 ‘revenue’ 합계가 120,000으로 기준(100,000 초과)을 "
		"충족합니다.",
		"In the last 30 days the sum of \"revenue\" of \"Order\" is 120,000 (needs more than "
		"100,000: met).");
}

static void a_trait_is_told_by_its_value(void **state)
{
	(void)state;
	struct explain_node node = {
		.expr  = parse("{\"trait\":\"region\",\"op\":\"in\",\"value\":[\"제주\",\"서울\"]}"),
		.holds = true,
		.trait = {.type = VALUE_STRING, .text = TEXT("서울")},
		.flip  = never,
	};
	assert_node(&node, "‘region’ 특성이 “서울”로 기준(“제주”, “서울” 중 하나)을 충족합니다.",
	            "Trait \"region\" is \"서울\" (needs one of \"제주\", \"서울\": met).");
	node.holds = false;
	node.trait = (struct value){.type = VALUE_NONE};
	assert_node(&node,
	            "‘region’ 특성의 값이 없어 기준(“제주”, “서울” 중 하나)을 충족하지 못합니다.",
	            "Trait \"region\" has no value (needs one of \"제주\", \"서울\": not met).");
}

static void of_an_and_that_fails_only_what_fails_is_told(void **state)
{
	(void)state;
	struct explain_node inner = {
		.expr = parse("{\"segment\":\"churn-risk\"}"), .holds = true, .flip = never};
	struct explain_node operands[] = {
		{.expr  = parse("{\"trait\":\"vip\",\"op\":\"exists\"}"),
	     .holds = true,
	     .trait = {.type = VALUE_TRUE},
	     .flip  = never},
		{.expr     = parse("{\"not\":{\"trait\":\"x\",\"op\":\"exists\"}}"),
	     .count    = 1,
	     .operands = &inner,
	     .flip     = never},
	};
	struct explanation explanation = {
		.found = true,
		.live  = true,
		.root  = {.expr  = parse("{\"and\":[{\"trait\":\"vip\",\"op\":\"exists\"},{\"trait\":\"x\","
	                               "\"op\":\"exists\"}]}"),
	              .count = 2,
	              .operands = operands,
	              .flip     = never},
	};
	const char *expected[] = {
		"‘churn-risk’ 세그먼트에 속해 있어 제외 기준(소속)에 해당하므로 이 사용자는 ‘best’ "
		"세그먼트에 속해 있지 않으며, 시간이 지나는 것만으로는 바뀌지 않습니다.",
		"The user is a member of \"churn-risk\" (must not be a member: not met), so the user is no "
		"member of \"best\"; time alone does not change this.",
	};
	for (int i = 0; i < SENTENCE_LANGUAGES; i++) {
		struct buffer out = {0};
		sentence_of_member(&out, (enum sentence_language)i, &explanation, TEXT("best"), &names);
		buffer_add_u8(&out, 0);
		assert_string_equal(out.data, expected[i]);
		buffer_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_that_holds_says_when_it_ends),
		cmocka_unit_test(a_count_that_fails_says_how_many_more_it_needs),
		cmocka_unit_test(amounts_are_grouped_and_followed_by_the_right_particle),
		cmocka_unit_test(a_trait_is_told_by_its_value),
		cmocka_unit_test(of_an_and_that_fails_only_what_fails_is_told),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
