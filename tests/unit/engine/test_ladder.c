/* Ladders against every leaf evaluated before and after, with random leaves and times. */

#include "../seed.h"
#include "engine/apply/ladder.h"
#include "run.h"

enum { ROUNDS = 300, EVENTS = 60, LEAVES_MAX = 12, DAYS = 40 };

static struct plan_feature feature;

struct fixture {
	struct ladder      ladder;
	struct plan_leaf   leaves[LEAVES_MAX];
	struct expr_scalar values[LEAVES_MAX][2];
	unsigned           count;
	struct series     *series;
};

static void add_leaf(struct fixture *fixture)
{
	static const enum expr_op ops[] = {EXPR_GTE, EXPR_GT,  EXPR_LT, EXPR_LTE,
	                                   EXPR_EQ,  EXPR_NEQ, EXPR_IN, EXPR_NOT_IN};
	unsigned                  at    = fixture->count++;
	enum expr_op              op    = ops[seed_below(8)];
	for (unsigned i = 0; i < 2; i++)
		fixture->values[at][i] =
			(struct expr_scalar){.type = EXPR_NUMBER, .number = (double)seed_below(9) / 2 - 0.5};
	fixture->leaves[at] = (struct plan_leaf){
		.span = {.within_ms    = seed_below(4) == 0 ? 0 : (int64_t)(1 + seed_below(6)) * 10,
	             .from_ms      = INSTANT_MS_NONE,
	             .to_ms        = INSTANT_MS_NEVER,
	             .retention_ms = 2 * DAY_MS},
		.test = {.op          = op,
	             .value_count = op == EXPR_IN || op == EXPR_NOT_IN ? 2 : 1,
	             .values      = fixture->values[at]}};
	assert_true(ladder_add(&fixture->ladder, at, &feature, &fixture->leaves[at]));
}

static bool holds(const struct fixture *fixture, const struct series *series, unsigned leaf,
                  int64_t now_ms)
{
	const struct plan_leaf *plan = &fixture->leaves[leaf];
	return evaluate_count(&plan->test, series_walk_from(series, &plan->span, now_ms).value.count);
}

/* What the rungs say of a leaf: flipped when an odd number of its rungs was crossed. */
static bool flipped(const rung_list *crossed, unsigned leaf)
{
	unsigned count = 0;
	for (size_t i = 0; i < crossed->count; i++)
		count += crossed->items[i].leaf == leaf;
	return count % 2 == 1;
}

static struct series *copy_of(const struct series *series)
{
	struct series *copy = series_new(SERIES_TIMES);
	for (uint32_t i = 0; series != NULL && i < series->count; i++)
		copy = series_add(copy, SERIES_UNLIMITED, series->times_ms[i], (union series_item){0});
	return copy;
}

static void check_event(struct fixture *fixture, int64_t now_ms, int64_t time_ms)
{
	rung_list      crossed = {0};
	struct series *before  = copy_of(fixture->series);
	fixture->series =
		series_add(fixture->series, SERIES_UNLIMITED, time_ms, (union series_item){0});
	ladder_climb(&fixture->ladder, fixture->series->times_ms, fixture->series->count, time_ms,
	             now_ms, &crossed);
	for (unsigned i = 0; i < fixture->count; i++)
		assert_int_equal(flipped(&crossed, i), holds(fixture, before, i, now_ms) !=
		                                           holds(fixture, fixture->series, i, now_ms));
	for (size_t i = 0; i < crossed.count; i++)
		assert_int_equal(crossed.items[i].above,
		                 holds(fixture, fixture->series, crossed.items[i].leaf, now_ms));
	series_free(before);
	VECTOR_DONE(&crossed);
}

/* Every instant up to `through_ms`: what falls is what flips, and the next instant is the first. */
static void check_time(struct fixture *fixture, int64_t from_ms, int64_t through_ms)
{
	rung_list crossed = {0};
	int64_t   next_ms = ladder_fall(&fixture->ladder, fixture->series->times_ms,
	                                fixture->series->count, from_ms, NULL);
	for (int64_t at_ms = from_ms + 1; at_ms <= through_ms; at_ms++) {
		crossed.count    = 0;
		int64_t after_ms = ladder_fall(&fixture->ladder, fixture->series->times_ms,
		                               fixture->series->count, at_ms, &crossed);
		for (unsigned i = 0; i < fixture->count; i++)
			assert_int_equal(flipped(&crossed, i), holds(fixture, fixture->series, i, at_ms - 1) !=
			                                           holds(fixture, fixture->series, i, at_ms));
		assert_int_equal(crossed.count > 0, next_ms == at_ms);
		assert_true(after_ms > at_ms);
		next_ms = after_ms;
	}
	VECTOR_DONE(&crossed);
}

static void rungs_are_crossed_exactly_where_leaves_flip(void **state)
{
	(void)state;
	seed_begin("ladder");
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct fixture fixture = {.series = series_new(SERIES_TIMES)};
		unsigned       leaves  = 1 + (unsigned)seed_below(LEAVES_MAX);
		while (fixture.count < leaves)
			add_leaf(&fixture);
		int64_t now_ms = DAY_MS - 100;
		for (unsigned i = 0; i < EVENTS; i++) {
			check_event(&fixture, now_ms,
			            now_ms - (int64_t)seed_below(3) * (int64_t)seed_below(40));
			int64_t later_ms = now_ms + (int64_t)seed_below(30);
			check_time(&fixture, now_ms, later_ms);
			now_ms = later_ms;
		}
		check_time(&fixture, 3 * DAY_MS - 1000, 3 * DAY_MS + 10); /* the retention ends */
		series_free(fixture.series);
		ladder_done(&fixture.ladder);
	}
}

static void what_is_no_count_within_a_window_does_not_fit(void **state)
{
	(void)state;
	struct ladder      ladder = {0};
	struct expr_scalar value  = {.type = EXPR_NUMBER, .number = 2};
	struct plan_leaf   leaf   = {
			.span = {.within_ms = 10, .from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NEVER},
			.test = {.op = EXPR_GTE, .value_count = 1, .values = &value}};
	assert_true(ladder_add(&ladder, 0, &feature, &leaf));
	struct plan_leaf delayed = leaf;
	delayed.span.until_ms    = 5;
	assert_false(ladder_add(&ladder, 1, &feature, &delayed));
	struct plan_leaf between = leaf;
	between.span.from_ms     = 5;
	assert_false(ladder_add(&ladder, 1, &feature, &between));
	value.number = LADDER_N_MAX;
	assert_false(ladder_add(&ladder, 1, &feature, &leaf));
	assert_int_equal(ladder.count, 1);
	ladder_remove(&ladder, 0);
	assert_int_equal(ladder.count, 0);
	ladder_done(&ladder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rungs_are_crossed_exactly_where_leaves_flip),
		cmocka_unit_test(what_is_no_count_within_a_window_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
