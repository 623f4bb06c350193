/* Gauges against every leaf evaluated before and after, with random leaves, times and refunds. */

#include "../seed.h"
#include "engine/apply/aggregate.h"
#include "engine/apply/gauge.h"
#include "run.h"

enum { ROUNDS = 300, EVENTS = 60, LEAVES_MAX = 12, MILLION = 1000000 };

static struct plan_feature feature = {.kind = SERIES_TOTALS};

struct fixture {
	struct gauge      *gauge;
	struct plan_leaf   leaves[LEAVES_MAX];
	struct expr_scalar values[LEAVES_MAX];
	unsigned           count;
	struct series     *series;
};

static void add_leaf(struct fixture *fixture)
{
	static const enum expr_op ops[] = {EXPR_GTE, EXPR_GT, EXPR_LT, EXPR_LTE};
	unsigned                  at    = fixture->count++;
	int64_t                   value = (int64_t)seed_below(12) - 2;
	fixture->values[at]             = (struct expr_scalar){
					.type = EXPR_NUMBER, .number = (double)value, .millionths = value * MILLION};
	fixture->leaves[at] = (struct plan_leaf){
		.aggregate = seed_below(2) == 0 ? EXPR_SUM : EXPR_AVG,
		.span      = {.within_ms    = seed_below(4) == 0 ? 0 : (int64_t)(1 + seed_below(6)) * 10,
	                  .from_ms      = INSTANT_MS_NONE,
	                  .to_ms        = INSTANT_MS_NEVER,
	                  .retention_ms = 2 * DAY_MS},
		.test      = {.op = ops[seed_below(4)], .value_count = 1, .values = &fixture->values[at]}};
	assert_true(gauge_add(&fixture->gauge, at, &feature, &fixture->leaves[at]));
	gauge_set_rule(fixture->gauge, at, at + 100);
}

static bool holds(const struct fixture *fixture, const struct series *series, unsigned leaf,
                  int64_t now_ms)
{
	bool result;
	assert_true(aggregate_look(&fixture->leaves[leaf], series, now_ms, &result, NULL));
	return result;
}

/* What is told of a leaf: nothing, or once that it has flipped and what it now is. */
static bool flipped(const struct fixture *fixture, const gauge_flip_list *flips, unsigned leaf,
                    int64_t now_ms)
{
	unsigned count = 0;
	for (size_t i = 0; i < flips->count; i++) {
		if (flips->items[i].leaf != leaf)
			continue;
		count++;
		assert_int_equal(flips->items[i].rule, leaf + 100);
		assert_int_equal(flips->items[i].holds, holds(fixture, fixture->series, leaf, now_ms));
	}
	assert_in_range(count, 0, 1);
	return count == 1;
}

static struct series *with(struct series *series, int64_t time_ms, int64_t amount)
{
	return series_add(series, SERIES_UNLIMITED, time_ms,
	                  (union series_item){.amount_millionths = amount * MILLION});
}

static struct series *copy_of(const struct series *series)
{
	struct series *copy = series_new(SERIES_TOTALS);
	for (uint32_t i = 0; i < series->count; i++)
		copy = with(copy, series->times_ms[i],
		            (int64_t)((series_total(series, i + 1) - series_total(series, i)) / MILLION));
	return copy;
}

/* An event of now or before; those of the future are in the series already, at its end. */
static void check_event(struct fixture *fixture, int64_t now_ms, int64_t time_ms, int64_t amount)
{
	gauge_flip_list flips  = {0};
	struct series  *before = copy_of(fixture->series);
	fixture->series        = with(fixture->series, time_ms, amount);
	uint32_t happened = fixture->series->count, added = 0;
	while (happened > 0 && fixture->series->times_ms[happened - 1] > now_ms)
		happened--;
	while (added + 1 < fixture->series->count && fixture->series->times_ms[added + 1] <= time_ms)
		added++;
	gauge_climb(fixture->gauge, fixture->series, happened, added, now_ms, &flips);
	for (unsigned i = 0; i < fixture->count; i++)
		assert_int_equal(flipped(fixture, &flips, i, now_ms),
		                 holds(fixture, before, i, now_ms) !=
		                     holds(fixture, fixture->series, i, now_ms));
	series_free(before);
	VECTOR_DONE(&flips);
}

/* Every instant up to `through_ms`: what falls is what flips, none before the instant told. */
static void check_time(struct fixture *fixture, int64_t from_ms, int64_t through_ms)
{
	gauge_flip_list flips   = {0};
	int64_t         next_ms = gauge_fall(fixture->gauge, fixture->series, from_ms, NULL);
	for (int64_t at_ms = from_ms + 1; at_ms <= through_ms; at_ms++) {
		flips.count      = 0;
		int64_t after_ms = gauge_fall(fixture->gauge, fixture->series, at_ms, &flips);
		for (unsigned i = 0; i < fixture->count; i++)
			assert_int_equal(flipped(fixture, &flips, i, at_ms),
			                 holds(fixture, fixture->series, i, at_ms - 1) !=
			                     holds(fixture, fixture->series, i, at_ms));
		assert_true(flips.count == 0 || at_ms >= next_ms);
		assert_true(after_ms > at_ms);
		if (at_ms >= next_ms)
			next_ms = after_ms;
	}
	VECTOR_DONE(&flips);
}

static void lines_flip_exactly_where_leaves_do(void **state)
{
	(void)state;
	seed_begin("gauge");
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fixture fixture = {.series = series_new(SERIES_TOTALS)};
		unsigned       leaves  = 1 + (unsigned)seed_below(LEAVES_MAX);
		while (fixture.count < leaves)
			add_leaf(&fixture);
		int64_t now_ms = DAY_MS - 100;
		for (unsigned i = 0; i < EVENTS; i++) {
			check_event(&fixture, now_ms, now_ms - (int64_t)seed_below(3) * (int64_t)seed_below(40),
			            (int64_t)seed_below(9) - 3);
			int64_t later_ms = now_ms + (int64_t)seed_below(30);
			check_time(&fixture, now_ms, later_ms);
			now_ms = later_ms;
		}
		check_time(&fixture, 3 * DAY_MS - 1000, 3 * DAY_MS + 10); /* the retention ends */
		series_free(fixture.series);
		gauge_free(fixture.gauge);
	}
}

static void what_lies_in_the_future_counts_in_no_window(void **state)
{
	(void)state;
	seed_begin("gauge");
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fixture fixture = {.series = with(series_new(SERIES_TOTALS), 1000, 5)};
		while (fixture.count < LEAVES_MAX)
			add_leaf(&fixture);
		for (int64_t now_ms = 900; now_ms < 999; now_ms += 1 + (int64_t)seed_below(10))
			check_event(&fixture, now_ms, now_ms, (int64_t)seed_below(9) - 3);
		gauge_flip_list flips = {0};
		gauge_climb(fixture.gauge, fixture.series, fixture.series->count - 1,
		            fixture.series->count - 1, 999, &flips);
		assert_int_equal(flips.count, 0);
		series_free(fixture.series);
		gauge_free(fixture.gauge);
	}
}

static void what_does_not_sum_within_a_window_does_not_fit(void **state)
{
	(void)state;
	struct gauge      *gauge = NULL;
	struct expr_scalar value = {.type = EXPR_NUMBER, .number = 2, .millionths = 2 * MILLION};
	struct plan_leaf   leaf  = {
		   .aggregate = EXPR_SUM,
		   .span      = {.within_ms = 10, .from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NEVER},
		   .test      = {.op = EXPR_GTE, .value_count = 1, .values = &value}};
	assert_true(gauge_add(&gauge, 0, &feature, &leaf));
	struct plan_leaf delayed = leaf;
	delayed.span.until_ms    = 5;
	assert_false(gauge_add(&gauge, 1, &feature, &delayed));
	struct plan_leaf equal = leaf;
	equal.test.op          = EXPR_EQ;
	assert_false(gauge_add(&gauge, 1, &feature, &equal));
	struct plan_leaf least = leaf;
	least.aggregate        = EXPR_MIN;
	assert_false(gauge_add(&gauge, 1, &feature, &least));
	assert_int_equal(gauge->count, 1);
	gauge_remove(gauge, 0);
	assert_int_equal(gauge->count, 0);
	gauge_free(gauge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_flip_exactly_where_leaves_do),
		cmocka_unit_test(what_lies_in_the_future_counts_in_no_window),
		cmocka_unit_test(what_does_not_sum_within_a_window_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
