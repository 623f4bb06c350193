#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"
#include "query/past.h"

#define RETENTION_MS (30 * DAY_MS)
#define NOW_MS       (100 * DAY_MS + 7)

static struct past ago(int64_t ms) { return (struct past){NOW_MS - ms, NOW_MS, RETENTION_MS}; }

/* Of today's instants the same events exist: they go at midnight. */
static void all_time_is_known_of_today_alone(void **state)
{
	(void)state;
	struct past today = ago(7), yesterday = ago(8);
	assert_false(past_window_reaches_behind(&today, 0));
	assert_true(past_window_reaches_behind(&yesterday, 0));
}

static void a_window_may_begin_with_the_oldest_day_that_is_kept(void **state)
{
	(void)state;
	/* Kept is what happened from 00:00 of day 71 on. */
	struct past past = ago(7 + 10 * DAY_MS);
	assert_int_equal(past.as_of_ms, 90 * DAY_MS);
	assert_false(past_window_reaches_behind(&past, 19 * DAY_MS + 1));
	assert_true(past_window_reaches_behind(&past, 19 * DAY_MS + 2));
}

static void nothing_lies_behind_an_unlimited_retention(void **state)
{
	(void)state;
	struct past past  = ago(90 * DAY_MS);
	past.retention_ms = INSTANT_MS_NEVER;
	assert_false(past_window_reaches_behind(&past, 0));
}

static void a_span_between_two_instants_is_looked_at_from_its_begin(void **state)
{
	(void)state;
	struct past         past    = ago(5 * DAY_MS);
	struct plan_feature feature = {0};
	struct plan_leaf    leaf    = {.span = {.from_ms = 71 * DAY_MS, .to_ms = 72 * DAY_MS}};
	assert_false(past_reaches_behind(&past, &leaf, &feature));
	leaf.span.from_ms--;
	assert_true(past_reaches_behind(&past, &leaf, &feature));
}

static void a_sequence_is_as_long_as_both_of_its_bounds(void **state)
{
	(void)state;
	struct past         past     = ago(7 + 10 * DAY_MS);
	struct sequence     sequence = {.within_ms = 9 * DAY_MS, .ended_within_ms = 10 * DAY_MS};
	struct plan_feature feature  = {.sequence = &sequence};
	struct plan_leaf    leaf     = {0};
	assert_false(past_reaches_behind(&past, &leaf, &feature));
	sequence.within_ms += 2;
	assert_true(past_reaches_behind(&past, &leaf, &feature));
	sequence.within_ms       = DAY_MS;
	sequence.ended_within_ms = INSTANT_MS_NEVER;
	assert_true(past_reaches_behind(&past, &leaf, &feature));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_time_is_known_of_today_alone),
		cmocka_unit_test(a_window_may_begin_with_the_oldest_day_that_is_kept),
		cmocka_unit_test(nothing_lies_behind_an_unlimited_retention),
		cmocka_unit_test(a_span_between_two_instants_is_looked_at_from_its_begin),
		cmocka_unit_test(a_sequence_is_as_long_as_both_of_its_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
