#include <math.h>

#include "../seed.h"
#include "base/hash.h"
#include "base/instant.h"
#include "definition.h"
#include "model/evaluate.h"

enum { ROUNDS = 2000 };

static struct expr_test event_test(const char *aggregate, const char *op, const char *operand)
{
	return expr_of(text_of(arena_printf(&definition_arena,
	                                    "{\"event\":\"A\",%s\"op\":\"%s\",\"value\":%s}", aggregate,
	                                    op, operand)))
	    ->event.test;
}

static void counts_are_compared_exactly(void **state)
{
	static const struct {
		const char *op, *operand;
		uint64_t    count;
		bool        holds;
	} cases[] = {
		{"eq", "3", 3, true},
		{"eq", "2.5", 2, false},
		{"neq", "2.5", 2, true},
		{"gt", "2.5", 2, false},
		{"gt", "2.5", 3, true},
		{"lte", "2.5", 2, true},
		{"gte", "-1", 0, true},
		{"lt", "-0.5", 0, false},
		{"eq", "0", 0, true},
		{"in", "[1,3]", 3, true},
		{"in", "[1,3]", 2, false},
		{"not_in", "[1,3]", 2, true},
		/* 2^53 + 1 has no double: it is more than 2^53. */
		{"eq", "9007199254740992", UINT64_C(9007199254740993), false},
		{"gt", "9007199254740992", UINT64_C(9007199254740993), true},
		{"lt", "18446744073709551616", UINT64_MAX, true},
		{"gte", "18446744073709551615", UINT64_MAX, false}, /* read as 2^64 */
		{"lt", "1e300", UINT64_MAX, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expr_test test = event_test("", cases[i].op, cases[i].operand);
		if (evaluate_count(&test, cases[i].count) != cases[i].holds)
			fail_msg("%s %s of %llu", cases[i].op, cases[i].operand,
			         (unsigned long long)cases[i].count);
	}
}

static void sums_are_compared_in_exact_millionths(void **state)
{
	static const struct {
		const char *op, *operand;
		int64_t     millionths;
		bool        holds;
	} cases[] = {
		{"eq", "0.3", 300000, true},           {"eq", "0.3", 300001, false},
		{"neq", "0.3", 300001, true},          {"gt", "0.3", 300001, true},
		{"gte", "0.3", 299999, false},         {"lt", "-0.000001", -2, true},
		{"lte", "-0.000001", 0, false},        {"eq", "9.2e12", INT64_C(9200000000000000000), true},
		{"in", "[0.1,0.2,0.3]", 200000, true}, {"not_in", "[0.1,0.2,0.3]", 200001, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expr_test test =
			event_test("\"aggregate\":\"sum\",\"property\":\"p\",", cases[i].op, cases[i].operand);
		if (evaluate_sum(&test, cases[i].millionths) != cases[i].holds)
			fail_msg("%s %s", cases[i].op, cases[i].operand);
	}
	struct expr_test test = event_test("\"aggregate\":\"sum\",\"property\":\"p\",", "gt", "9.2e12");
	assert_true(evaluate_sum(&test, (__int128)INT64_MAX * 1000));
	assert_false(evaluate_sum(&test, -(__int128)INT64_MAX * 1000));
}

static void long_lists_of_aggregates_answer_sorted_as_unsorted(void **state)
{
	(void)state;
	struct expr_test counts = event_test("", "in", "[20,0,18,2,16,4,14,6,12,8,10,10,2.5]");
	struct expr_test sums   = event_test("\"aggregate\":\"sum\",\"property\":\"p\",", "not_in",
	                                     "[20,0,18,2,16,4,14,6,12,8,10,10,-2]");
	struct expr_test sorted_counts = counts;
	struct expr_test sorted_sums   = sums;
	evaluate_sort_test(&sorted_counts, &definition_arena);
	evaluate_sort_test(&sorted_sums, &definition_arena);
	assert_true(sorted_counts.sorted && sorted_sums.sorted);
	for (int i = -3; i <= 22; i++) {
		if (i >= 0)
			assert_int_equal(evaluate_count(&sorted_counts, (uint64_t)i),
			                 evaluate_count(&counts, (uint64_t)i));
		if (i >= 0)
			assert_int_equal(evaluate_count(&counts, (uint64_t)i), i % 2 == 0 && i <= 20);
		assert_int_equal(evaluate_sum(&sorted_sums, i * (__int128)1000000),
		                 evaluate_sum(&sums, i * (__int128)1000000));
	}
}

#define AVERAGE "\"aggregate\":\"avg\",\"property\":\"p\","
#define LEAST   "\"aggregate\":\"min\",\"property\":\"p\","
#define DAYS    "\"aggregate\":\"days_since_last\","

static void averages_are_compared_without_dividing(void **state)
{
	static const struct {
		const char *op, *operand;
		int64_t     millionths;
		uint64_t    count;
		bool        holds;
	} cases[] = {
		{"eq", "0.333333", 1000000, 3, false},
		{"gt", "0.333333", 1000000, 3, true},
		{"lt", "0.333334", 1000000, 3, true},
		{"eq", "0.5", 1000000, 2, true},
		{"lt", "-0.333333", -1000000, 3, true},
		{"gte", "-0.333334", -1000000, 3, true},
		{"in", "[0.25,0.5]", 1000000, 4, true},
		{"not_in", "[0.25,0.5]", 1000000, 3, true},
		{"lte", "9.2e12", INT64_MAX, UINT64_MAX, true},
		{"gt", "-9.2e12", INT64_MIN, UINT64_MAX, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct expr_test test = event_test(AVERAGE, cases[i].op, cases[i].operand);
		if (evaluate_average(&test, cases[i].millionths, cases[i].count) != cases[i].holds)
			fail_msg("%zu: %s %s", i, cases[i].op, cases[i].operand);
	}
}

static struct expr_test presence_test(const char *aggregate, const char *op)
{
	return expr_of(text_of(arena_printf(&definition_arena, "{\"event\":\"A\",%s\"op\":\"%s\"}",
	                                    aggregate, op)))
	    ->event.test;
}

/* Of nothing: neq, not_in and absent hold, nothing else does. */
static void where_there_is_nothing_to_aggregate_the_value_is_missing(void **state)
{
	static const char *const holding[] = {"neq", "not_in"};
	static const char *const failing[] = {"eq", "in", "gt", "gte", "lt", "lte"};
	(void)state;
	for (size_t i = 0; i < 2 + 6; i++) {
		const char      *op      = i < 2 ? holding[i] : failing[i - 2];
		const char      *operand = strstr(op, "in") != NULL ? "[0]" : "0";
		struct expr_test average = event_test(AVERAGE, op, operand);
		struct expr_test least   = event_test(LEAST, op, operand);
		struct expr_test days    = event_test(DAYS, op, operand);
		assert_int_equal(evaluate_average(&average, 0, 0), i < 2);
		assert_int_equal(evaluate_extreme(&least, NULL), i < 2);
		assert_int_equal(evaluate_days(&days, INSTANT_MS_NONE, 0), i < 2);
		assert_true(evaluate_days_next_ms(&days, INSTANT_MS_NONE, 0) == INSTANT_MS_NEVER);
	}
	double           zero   = 0;
	struct expr_test exists = presence_test(LEAST, "exists");
	struct expr_test absent = presence_test(LEAST, "absent");
	assert_false(evaluate_extreme(&exists, NULL) || evaluate_extreme(&absent, &zero));
	assert_true(evaluate_extreme(&exists, &zero) && evaluate_extreme(&absent, NULL));
	exists = presence_test(AVERAGE, "exists");
	assert_false(evaluate_average(&exists, 0, 0));
	assert_true(evaluate_average(&exists, 0, 1));
}

static void the_least_and_the_greatest_compare_as_doubles(void **state)
{
	(void)state;
	double           number = 9007199254740993.0;
	struct expr_test equal  = event_test(LEAST, "eq", "9007199254740993");
	struct expr_test less   = event_test(LEAST, "lt", "1e-9");
	assert_true(evaluate_extreme(&equal, &number));
	number = 0.5e-9;
	assert_true(evaluate_extreme(&less, &number));
	number = 1e-9;
	assert_false(evaluate_extreme(&less, &number));
}

static void days_are_whole_ones_that_have_passed(void **state)
{
	(void)state;
	struct expr_test less  = event_test(DAYS, "lt", "2");
	struct expr_test equal = event_test(DAYS, "eq", "0");
	assert_true(evaluate_days(&less, 5, 5 + 2 * DAY_MS - 1));
	assert_false(evaluate_days(&less, 5, 5 + 2 * DAY_MS));
	assert_int_equal(evaluate_days_next_ms(&less, 5, 5), 5 + 2 * DAY_MS);
	assert_true(evaluate_days_next_ms(&less, 5, 5 + 2 * DAY_MS) == INSTANT_MS_NEVER);
	assert_true(evaluate_days(&equal, 5, 5));
	assert_int_equal(evaluate_days_next_ms(&equal, 5, 5), 5 + DAY_MS);
	less = event_test(DAYS, "lt", "1e300");
	assert_true(evaluate_days(&less, 5, 5));
	assert_true(evaluate_days_next_ms(&less, 5, 5) == INSTANT_MS_NEVER);
	less = event_test(DAYS, "gte", "-1");
	assert_true(evaluate_days(&less, 5, 5));
	assert_true(evaluate_days_next_ms(&less, 5, 5) == INSTANT_MS_NEVER);
}

static void the_next_flip_of_days_is_the_first_day_on_which_the_answer_differs(void **state)
{
	static const char *const ops[] = {"eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in"};
	enum { DAYS_MAX = 40 };
	(void)state;
	seed_begin(__func__);
	for (int round = 0; round < ROUNDS; round++) {
		const char *op    = ops[seed_below(8)];
		int         value = (int)seed_below(20) - 2;
		const char *operand =
			arena_printf(&definition_arena, strstr(op, "in") != NULL ? "[%d,%d,%d]" : "%d", value,
		                 value + 1, (int)seed_below(20));
		struct expr_test test     = event_test(DAYS, op, operand);
		int64_t          event_ms = (int64_t)seed_below(1000000);
		int64_t          now_ms   = event_ms + (int64_t)seed_below(20 * DAY_MS);
		int64_t          expected = INSTANT_MS_NEVER;
		for (int64_t day = DAYS_MAX; day > (now_ms - event_ms) / DAY_MS; day--)
			if (evaluate_days(&test, event_ms, event_ms + day * DAY_MS) !=
			    evaluate_days(&test, event_ms, now_ms))
				expected = event_ms + day * DAY_MS;
		if (evaluate_days_next_ms(&test, event_ms, now_ms) != expected)
			fail_msg("%s %s at day %lld", op, operand, (long long)((now_ms - event_ms) / DAY_MS));
	}
}

/* The keys of the member "v" of a list. */
static unsigned keys_of(const char *json, struct distinct_key *keys)
{
	struct buffer list = {0};
	struct error  err;
	size_t        begin = value_list_begin(&list);
	if (value_add_json(&list, TEXT("v"), json_get(json_of(text_of(json)), "v"), &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	value_list_end(&list, begin, 1);
	struct value           value  = value_find(buffer_text(&list), TEXT("v"), hash_name(TEXT("v")));
	struct distinct_reader reader = evaluate_distinct(&value);
	unsigned               count  = 0;
	while (distinct_next(&reader, &keys[count]))
		count++;
	buffer_done(&list);
	return count;
}

static void distinct_tells_types_apart_and_counts_each_item_of_a_set(void **state)
{
	static const char *const different[] = {
		"{\"v\":5}", "{\"v\":\"5\"}", "{\"v\":true}", "{\"v\":false}", "{\"v\":\"true\"}",
		"{\"v\":0}", "{\"v\":1}",     "{\"v\":\"\"}", "{\"v\":0.1}",   "{\"v\":\"제주\"}",
	};
	enum { COUNT = sizeof different / sizeof different[0] };
	struct distinct_key keys[COUNT], set[3];
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(keys_of(different[i], &keys[i]), 1);
		for (size_t j = 0; j < i; j++)
			assert_true(keys[i].high != keys[j].high || keys[i].low != keys[j].low);
	}
	assert_int_equal(keys_of("{\"v\":[\"제주\",\"5\"]}", set), 2);
	assert_memory_equal(&set[0], &keys[9], sizeof set[0]);
	assert_memory_equal(&set[1], &keys[1], sizeof set[0]);
	assert_int_equal(keys_of("{\"v\":5.0}", set), 1);
	assert_memory_equal(&set[0], &keys[0], sizeof set[0]);
	assert_int_equal(keys_of("{\"v\":-0.0}", set), 1);
	assert_memory_equal(&set[0], &keys[5], sizeof set[0]);
	assert_int_equal(keys_of("{\"v\":[]}", set), 0);
	assert_int_equal(keys_of("{\"v\":null}", set), 0);
	assert_int_equal(keys_of("{\"v\":[1]}", set), 0);
}

static void a_sealed_value_is_not_told_apart(void **state)
{
	struct value           sealed = {.type = VALUE_PERSONAL};
	struct distinct_reader reader = evaluate_distinct(&sealed);
	struct distinct_key    key;
	(void)state;
	assert_false(distinct_next(&reader, &key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFINITION_TEST(counts_are_compared_exactly),
		DEFINITION_TEST(sums_are_compared_in_exact_millionths),
		DEFINITION_TEST(long_lists_of_aggregates_answer_sorted_as_unsorted),
		DEFINITION_TEST(averages_are_compared_without_dividing),
		DEFINITION_TEST(where_there_is_nothing_to_aggregate_the_value_is_missing),
		DEFINITION_TEST(the_least_and_the_greatest_compare_as_doubles),
		DEFINITION_TEST(days_are_whole_ones_that_have_passed),
		DEFINITION_TEST(the_next_flip_of_days_is_the_first_day_on_which_the_answer_differs),
		DEFINITION_TEST(distinct_tells_types_apart_and_counts_each_item_of_a_set),
		DEFINITION_TEST(a_sealed_value_is_not_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
