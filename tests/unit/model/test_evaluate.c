#include "base/hash.h"
#include "definition.h"
#include "model/evaluate.h"
#include "random_definition.h"

enum { ROUNDS = 2000 };

#define NOW_MS INT64_C(1736245800000) /* 2025-01-07T10:30:00Z */

/* A property list of these members, in the arena. */
static struct text list_of(const char *json)
{
	struct buffer list = {0};
	struct error  err;
	unsigned      count = 0;
	size_t        begin = value_list_begin(&list);
	for (struct json_iterator i = json_iterate(json_of(text_of(json))); json_next(&i); count++)
		if (value_add_json(&list, i.name, i.value, &err) != STATUS_OK)
			fail_msg("%s", err.reason);
	value_list_end(&list, begin, count);
	struct text copy = arena_text(&definition_arena, buffer_text(&list));
	buffer_done(&list);
	return copy;
}

/* The value of the one member "v"; "-" is none, "personal" a sealed one. */
static struct value value_of(const char *json)
{
	if (strcmp(json, "-") == 0)
		return (struct value){.type = VALUE_NONE};
	if (strcmp(json, "personal") == 0)
		return (struct value){.type = VALUE_PERSONAL};
	struct text list = list_of(arena_printf(&definition_arena, "{\"v\":%s}", json));
	return value_find(list, TEXT("v"), hash_name(TEXT("v")));
}

static struct expr_test test_of(const char *op, const char *operand)
{
	const char *value =
		operand == NULL ? "" : arena_printf(&definition_arena, ",\"value\":%s", operand);
	const char *json =
		arena_printf(&definition_arena, "{\"trait\":\"t\",\"op\":\"%s\"%s}", op, value);
	return expr_of(text_of(json))->trait.test;
}

static const char *const values[] = {
	"-",
	"null",
	"false",
	"true",
	"5",
	"5.0",
	"5.5",
	"-1",
	"\"5\"",
	"\"\"",
	"\"VIP\"",
	"\"a VIP b\"",
	"[]",
	"[\"VIP\",\"a\"]",
	"[\"xVIPx\",\"\"]",
	"[1,2]",
	"{\"a\":1}",
	"personal",
};
enum { VALUE_COUNT = sizeof values / sizeof values[0] };

struct truth {
	const char *op;
	const char *operand;
	const char *holds_for[VALUE_COUNT + 1];
};

static bool is_listed(const char *const *list, const char *value)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, value) == 0)
			return true;
	return false;
}

static void every_operator_holds_for_these_values_and_no_others(void **state)
{
	static const struct truth table[] = {
		{"eq", "5", {"5", "5.0"}},
		{"eq", "\"5\"", {"\"5\""}},
		{"eq", "\"\"", {"\"\"", "[\"xVIPx\",\"\"]"}},
		{"eq", "\"VIP\"", {"\"VIP\"", "[\"VIP\",\"a\"]"}},
		{"eq", "true", {"true"}},
		{"eq", "false", {"false"}},
		{"in", "[5,\"VIP\",true]", {"true", "5", "5.0", "\"VIP\"", "[\"VIP\",\"a\"]"}},
		{"gt", "5", {"5.5"}},
		{"gte", "5", {"5", "5.0", "5.5"}},
		{"lt", "5", {"-1"}},
		{"lte", "5", {"5", "5.0", "-1"}},
		{"contains", "\"VIP\"", {"\"VIP\"", "\"a VIP b\"", "[\"VIP\",\"a\"]"}},
		{"starts_with", "\"VI\"", {"\"VIP\"", "[\"VIP\",\"a\"]"}},
		{"starts_with", "\"a\"", {"\"a VIP b\"", "[\"VIP\",\"a\"]"}},
		{"ends_with", "\"IP\"", {"\"VIP\"", "[\"VIP\",\"a\"]"}},
		{"ends_with", "\"x\"", {"[\"xVIPx\",\"\"]"}},
		{"exists",
	     NULL,
	     {"false", "true", "5", "5.0", "5.5", "-1", "\"5\"", "\"\"", "\"VIP\"", "\"a VIP b\"", "[]",
	      "[\"VIP\",\"a\"]", "[\"xVIPx\",\"\"]", "personal"}},
		{"within_last", "\"1095d\"", {NULL}},
		{"within_next", "\"1095d\"", {NULL}},
		{"before", "\"9999-12-31\"", {NULL}},
		{"after", "\"0001-01-01\"", {NULL}},
	};
	(void)state;
	for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
		struct expr_test test = test_of(table[row].op, table[row].operand);
		for (int i = 0; i < VALUE_COUNT; i++) {
			struct value value    = value_of(values[i]);
			bool         expected = is_listed(table[row].holds_for, values[i]);
			if (evaluate_test(&test, &value, NOW_MS) != expected)
				fail_msg("%s %s of %s", table[row].op, table[row].operand, values[i]);
		}
	}
}

static void negations_hold_exactly_where_the_test_does_not(void **state)
{
	static const struct {
		const char *op, *negation, *operand;
	} pairs[] = {
		{"eq", "neq", "5"},         {"eq", "neq", "\"VIP\""},
		{"eq", "neq", "false"},     {"in", "not_in", "[\"VIP\",5,false]"},
		{"exists", "absent", NULL},
	};
	(void)state;
	for (size_t pair = 0; pair < sizeof pairs / sizeof pairs[0]; pair++) {
		struct expr_test test     = test_of(pairs[pair].op, pairs[pair].operand);
		struct expr_test negation = test_of(pairs[pair].negation, pairs[pair].operand);
		for (int i = 0; i < VALUE_COUNT; i++) {
			struct value value = value_of(values[i]);
			assert_int_equal(evaluate_test(&negation, &value, NOW_MS),
			                 !evaluate_test(&test, &value, NOW_MS));
		}
	}
}

static void numbers_compare_as_doubles_whatever_their_form(void **state)
{
	(void)state;
	struct expr_test test  = test_of("eq", "9007199254740992");
	struct value     whole = value_of("9007199254740993");
	assert_true(evaluate_test(&test, &whole, NOW_MS));
	test  = test_of("gte", "18446744073709551615");
	whole = value_of("18446744073709551615");
	assert_int_equal(whole.type, VALUE_UINT);
	assert_true(evaluate_test(&test, &whole, NOW_MS));
}

static void times_are_compared_with_the_instant_of_evaluation(void **state)
{
	static const struct {
		const char *op, *operand, *value;
		int         first, last; /* the first and last ms from NOW_MS at which it holds */
	} cases[] = {
		{"within_last", "\"60s\"", "\"2025-01-07T10:30:00Z\"", 0, 59999},
		{"within_last", "\"60s\"", "\"2025-01-07t19:30:00.001999+09:00\"", 1, 60000},
		{"within_next", "\"60s\"", "\"2025-01-07T10:31:00Z\"", 0, 59999},
		{"within_next", "\"60s\"", "\"2025-01-07T10:30:01\"", -59000, 999},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expr_test test  = test_of(cases[i].op, cases[i].operand);
		struct value     value = value_of(cases[i].value);
		assert_false(evaluate_test(&test, &value, NOW_MS + cases[i].first - 1));
		assert_true(evaluate_test(&test, &value, NOW_MS + cases[i].first));
		assert_true(evaluate_test(&test, &value, NOW_MS + cases[i].last));
		assert_false(evaluate_test(&test, &value, NOW_MS + cases[i].last + 1));
	}
}

static void before_and_after_exclude_the_instant_itself(void **state)
{
	static const char *const times[] = {"\"2025-01-07T10:29:59.999Z\"", "\"2025-01-07T10:30:00Z\"",
	                                    "\"2025-01-07T10:30:00.001Z\"", "\"2025-01-08\""};
	(void)state;
	struct expr_test before = test_of("before", "\"2025-01-07T10:30:00Z\"");
	struct expr_test after  = test_of("after", "\"2025-01-07T10:30:00Z\"");
	for (int i = 0; i < 4; i++) {
		struct value value = value_of(times[i]);
		assert_int_equal(evaluate_test(&before, &value, 0), i == 0);
		assert_int_equal(evaluate_test(&after, &value, 0), i > 1);
	}
}

static void only_strings_in_the_form_of_instants_are_times(void **state)
{
	static const char *const others[] = {
		"\"yesterday\"",           "1736245800000",         "true", "[\"2025-01-07T10:30:00Z\"]",
		"\"2025-01-07 10:30:00\"", "\"2025-01-07T10:30Z\"", "\"\""};
	(void)state;
	struct expr_test relative = test_of("within_last", "\"1d\"");
	struct expr_test fixed    = test_of("after", "\"0001-01-01\"");
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct value value = value_of(others[i]);
		assert_false(evaluate_test(&relative, &value, NOW_MS));
		assert_false(evaluate_test(&fixed, &value, NOW_MS));
		assert_true(evaluate_test_next_ms(&relative, &value, NOW_MS) == INSTANT_MS_NEVER);
	}
}

/* The next instant from a list at which the answer differs from the one just before. */
static int64_t next_change_ms(const struct expr_test *test, const struct value *value,
                              const int64_t *instants, int count, int64_t now_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (int i = 0; i < count; i++)
		if (instants[i] > now_ms && instants[i] < next_ms &&
		    evaluate_test(test, value, instants[i]) != evaluate_test(test, value, instants[i] - 1))
			next_ms = instants[i];
	return next_ms;
}

static void next_ms_is_the_next_instant_at_which_a_relative_test_flips(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		char             into[INSTANT_TEXT_BYTES];
		int64_t          at_ms       = NOW_MS + (int64_t)seed_below(3 * DAY_MS);
		int64_t          duration_ms = (int64_t)(60 + seed_below(100000)) * 1000;
		struct text      text        = instant_format(at_ms, into);
		struct value     value       = {.type = VALUE_STRING, .text = text};
		struct expr_test test = {.op = seed_below(2) == 0 ? EXPR_WITHIN_LAST : EXPR_WITHIN_NEXT,
		                         .duration_ms = duration_ms};

		int64_t instants[9];
		for (int i = 0; i < 9; i++)
			instants[i] = at_ms + (i / 3 - 1) * duration_ms + i % 3 - 1;
		for (int i = 0; i < 9; i++)
			assert_true(evaluate_test_next_ms(&test, &value, instants[i]) ==
			            next_change_ms(&test, &value, instants, 9, instants[i]));
	}
}

static void what_compares_with_a_fixed_instant_never_flips_by_time(void **state)
{
	(void)state;
	struct value value = value_of("\"2025-01-07T10:30:00Z\"");
	for (enum expr_op op = 0; op < EXPR_OP_COUNT; op++) {
		struct expr_scalar scalar = {.type = EXPR_STRING, .text = TEXT("x")};
		struct expr_test   test   = {.op          = op,
		                             .value_count = 1,
		                             .values      = &scalar,
		                             .instant_ms  = NOW_MS,
		                             .duration_ms = DAY_MS};
		if (!expr_test_is_relative(&test))
			assert_true(evaluate_test_next_ms(&test, &value, 0) == INSTANT_MS_NEVER);
	}
}

static void a_sorted_list_answers_as_an_unsorted_one(void **state)
{
	unsigned sorted_count = 0;
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		struct buffer text = {0};
		random_list(&text, random_scalar);
		struct expr_test test   = test_of("in", kept(&text));
		struct expr_test sorted = test;
		evaluate_sort_test(&sorted, &definition_arena);
		sorted_count += sorted.sorted;
		for (int i = 0; i < 8; i++) {
			random_scalar(&text);
			struct value value = value_of(kept(&text));
			assert_int_equal(evaluate_test(&sorted, &value, 0), evaluate_test(&test, &value, 0));
		}
	}
	assert_true(sorted_count > 0);
}

static void sorting_leaves_the_list_of_the_tree_as_it_was(void **state)
{
	(void)state;
	struct expr_test test   = test_of("in", "[9,8,7,6,5,4,3,2,1,0]");
	struct expr_test sorted = test;
	evaluate_sort_test(&sorted, &definition_arena);
	assert_true(sorted.sorted);
	assert_true(sorted.values[0].number == 0);
	assert_true(test.values[0].number == 9);
}

static const struct expr_where *where_of(const char *where)
{
	return expr_of(text_of(arena_printf(&definition_arena,
	                                    "{\"event\":\"A\",\"op\":\"gt\",\"value\":0,"
	                                    "\"where\":%s}",
	                                    where)))
	    ->event.where;
}

static bool where_holds(const char *where, const char *properties, const char *context)
{
	struct compiled_where *compiled = evaluate_compile_where(where_of(where), &definition_arena);
	struct text            property_list = list_of(properties);
	return evaluate_where(compiled, property_list, list_of(context), NOW_MS);
}

static void no_where_holds_for_every_event_for_ever(void **state)
{
	struct text empty = {0};
	(void)state;
	assert_null(evaluate_compile_where(NULL, &definition_arena));
	assert_true(evaluate_where(NULL, empty, empty, NOW_MS));
	assert_true(evaluate_where_next_ms(NULL, empty, empty, NOW_MS) == INSTANT_MS_NEVER);
}

#define EQ(name, value) "{\"property\":\"" name "\",\"op\":\"eq\",\"value\":" value "}"

static void a_property_is_found_by_its_exact_name_else_by_its_path(void **state)
{
	(void)state;
	assert_true(where_holds(EQ("a.b", "1"), "{\"a\":{\"b\":1}}", "{}"));
	assert_true(where_holds(EQ("a.b", "1"), "{\"a\":{\"b\":2},\"a.b\":1}", "{}"));
	assert_false(where_holds(EQ("a.b", "1"), "{\"a\":{\"c\":1}}", "{}"));
	assert_false(where_holds(EQ("b", "1"), "{\"a\":{\"b\":1}}", "{}"));
}

static void context_is_reached_when_the_properties_do_not_have_the_name(void **state)
{
	(void)state;
	assert_true(where_holds(EQ("context.page.path", "\"/\""), "{}", "{\"page\":{\"path\":\"/\"}}"));
	assert_true(where_holds(EQ("context.locale", "\"ko\""), "{\"context.locale\":\"ko\"}",
	                        "{\"locale\":\"en\"}"));
	assert_true(where_holds(EQ("context.locale", "\"ko\""), "{\"context\":{\"locale\":\"ko\"}}",
	                        "{\"locale\":\"en\"}"));
	assert_false(where_holds(EQ("locale", "\"ko\""), "{}", "{\"locale\":\"ko\"}"));
	assert_false(where_holds(EQ("context.locale", "\"ko\""), "{}", "{\"context.locale\":\"ko\"}"));
}

static void amount_is_the_first_number_among_its_four_names(void **state)
{
	const char *gte = "{\"property\":\"$amount\",\"op\":\"gte\",\"value\":10}";
	(void)state;
	assert_true(where_holds(gte, "{\"value\":1,\"total\":2,\"amount\":3,\"revenue\":10}", "{}"));
	assert_false(where_holds(gte, "{\"value\":10,\"total\":10,\"amount\":3}", "{}"));
	assert_true(where_holds(gte, "{\"value\":1,\"total\":10,\"amount\":\"3\"}", "{}"));
	assert_true(where_holds(gte, "{\"value\":10}", "{}"));
	assert_false(where_holds(gte, "{\"$amount\":10}", "{}"));
}

/* The same by the letter of the tree. */
static bool holds_by_tree(const struct expr_where *where, struct text properties, int64_t now_ms)
{
	if (where->kind == EXPR_WHERE_TEST) {
		struct value_path path;
		value_path_init(&path, where->property, &definition_arena);
		struct value value = value_at(properties, &path);
		return evaluate_test(&where->test, &value, now_ms);
	}
	bool holds = where->kind == EXPR_WHERE_AND;
	for (unsigned i = 0; i < where->count; i++) {
		bool operand = holds_by_tree(where->operands[i], properties, now_ms);
		if (where->kind == EXPR_WHERE_NOT)
			return !operand;
		holds = where->kind == EXPR_WHERE_AND ? holds && operand : holds || operand;
	}
	return holds;
}

static void random_flag(struct buffer *out)
{
	buffer_printf(out, "{\"property\":\"p%d\",\"op\":\"%s\",\"value\":true}", (int)seed_below(6),
	              seed_below(2) == 0 ? "eq" : "neq");
}

static void a_compiled_where_answers_as_its_tree_does(void **state)
{
	unsigned held = 0;
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		struct buffer text = {0};
		random_tree(&text, 5, random_flag);
		const struct expr_where *where    = where_of(kept(&text));
		struct compiled_where   *compiled = evaluate_compile_where(where, &definition_arena);
		for (int events = 0; events < 8; events++) {
			buffer_add_text(&text, TEXT("{\"other\":1"));
			for (int i = 0; i < 6; i++)
				buffer_printf(&text, ",\"p%d\":%s", i, seed_below(2) == 0 ? "true" : "false");
			buffer_add_text(&text, TEXT("}"));
			struct text properties = list_of(kept(&text));
			bool        holds      = holds_by_tree(where, properties, NOW_MS);
			held += holds;
			assert_int_equal(evaluate_where(compiled, properties, (struct text){0}, NOW_MS), holds);
		}
	}
	assert_in_range(held, ROUNDS, 7 * ROUNDS);
}

static void next_ms_of_a_where_is_the_earliest_of_its_relative_tests(void **state)
{
	struct compiled_where *where = evaluate_compile_where(
		where_of("{\"or\":[{\"not\":{\"property\":\"a\",\"op\":\"within_last\",\"value\":\"1h\"}},"
	             "{\"property\":\"context.b\",\"op\":\"within_next\",\"value\":\"1m\"},"
	             "{\"property\":\"a\",\"op\":\"before\",\"value\":\"2026-01-01\"}]}"),
		&definition_arena);
	(void)state;
	struct text          properties   = list_of("{\"a\":\"2025-01-07T10:30:00Z\"}");
	struct text          context      = list_of("{\"b\":\"2025-01-07T10:35:00Z\"}");
	static const int64_t changes_ms[] = {0, 240000, 300000, 3600000};
	int64_t              now_ms       = NOW_MS - 7 * DAY_MS;
	for (int i = 0; i < 4; i++) {
		now_ms = evaluate_where_next_ms(where, properties, context, now_ms);
		assert_int_equal(now_ms - NOW_MS, changes_ms[i]);
	}
	assert_true(evaluate_where_next_ms(where, properties, context, now_ms) == INSTANT_MS_NEVER);
}

static bool amount_of(const char *property, const char *properties, const char *context,
                      int64_t *ret_millionths)
{
	struct amount_path path;
	amount_path_init(&path, text_of(property), &definition_arena);
	struct text list = list_of(properties);
	return evaluate_amount(&path, list, list_of(context), ret_millionths);
}

static void an_amount_is_a_number_within_the_limit_of_decimals(void **state)
{
	int64_t millionths = -1;
	(void)state;
	assert_true(amount_of("price", "{\"price\":12.5}", "{}", &millionths));
	assert_int_equal(millionths, 12500000);
	assert_true(amount_of("cart.total", "{\"cart\":{\"total\":-1}}", "{}", &millionths));
	assert_int_equal(millionths, -1000000);
	assert_true(amount_of("context.n", "{}", "{\"n\":0.000001}", &millionths));
	assert_int_equal(millionths, 1);
	assert_false(amount_of("price", "{}", "{}", &millionths));
	assert_false(amount_of("price", "{\"price\":\"12.5\"}", "{}", &millionths));
	assert_false(amount_of("price", "{\"price\":9.3e12}", "{}", &millionths));
	assert_int_equal(millionths, 1);
}

static void the_built_in_amount_is_the_first_number_even_beyond_the_limit(void **state)
{
	int64_t millionths = 0;
	(void)state;
	assert_true(amount_of("$amount", "{\"value\":1,\"revenue\":2}", "{}", &millionths));
	assert_int_equal(millionths, 2000000);
	assert_false(amount_of("$amount", "{\"revenue\":1e13,\"total\":2}", "{}", &millionths));
	assert_false(amount_of("$amount", "{\"price\":2}", "{\"value\":2}", &millionths));
}

static void what_is_missing_does_not_exist(void **state)
{
	static const char *const missing[]  = {"-", "null", "[1]", "[\"a\",1]", "{}", "{\"a\":1}"};
	static const char *const existing[] = {"0", "false", "\"\"", "[]", "[\"a\"]", "personal"};
	(void)state;
	for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
		struct value value = value_of(missing[i]);
		assert_false(evaluate_exists(&value));
		value = value_of(existing[i]);
		assert_true(evaluate_exists(&value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(every_operator_holds_for_these_values_and_no_others),
		DEFINITION_TEST(negations_hold_exactly_where_the_test_does_not),
		DEFINITION_TEST(numbers_compare_as_doubles_whatever_their_form),
		DEFINITION_TEST(times_are_compared_with_the_instant_of_evaluation),
		DEFINITION_TEST(before_and_after_exclude_the_instant_itself),
		DEFINITION_TEST(only_strings_in_the_form_of_instants_are_times),
		DEFINITION_TEST(next_ms_is_the_next_instant_at_which_a_relative_test_flips),
		DEFINITION_TEST(what_compares_with_a_fixed_instant_never_flips_by_time),
		DEFINITION_TEST(a_sorted_list_answers_as_an_unsorted_one),
		DEFINITION_TEST(sorting_leaves_the_list_of_the_tree_as_it_was),
		DEFINITION_TEST(no_where_holds_for_every_event_for_ever),
		DEFINITION_TEST(a_property_is_found_by_its_exact_name_else_by_its_path),
		DEFINITION_TEST(context_is_reached_when_the_properties_do_not_have_the_name),
		DEFINITION_TEST(amount_is_the_first_number_among_its_four_names),
		DEFINITION_TEST(a_compiled_where_answers_as_its_tree_does),
		DEFINITION_TEST(next_ms_of_a_where_is_the_earliest_of_its_relative_tests),
		DEFINITION_TEST(an_amount_is_a_number_within_the_limit_of_decimals),
		DEFINITION_TEST(what_is_missing_does_not_exist),
		DEFINITION_TEST(the_built_in_amount_is_the_first_number_even_beyond_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
