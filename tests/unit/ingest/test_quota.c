#include "ingest/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/instant.h"

enum { THREADS = 4, TAKES = 5000, MOST = 9000 };

/* 2025-01-31T23:59:59.999Z, and 1 ms later another month begins. */
#define LATE_MS INT64_C(1738367999999)

static const struct quota_sizes small = {{10, 15}};

static void no_more_is_taken_than_there_is_and_a_request_is_taken_whole(void **state)
{
	struct quota      quota = {0};
	enum quota_period full;
	(void)state;
	assert_true(quota_take(&quota, &small, LATE_MS, 7, &full));
	assert_false(quota_take(&quota, &small, LATE_MS, 4, &full));
	assert_int_equal(full, QUOTA_DAY);
	assert_true(quota_take(&quota, &small, LATE_MS, 3, &full));
	assert_false(quota_take(&quota, &small, LATE_MS, 1, &full));
	assert_int_equal(quota_used(&quota, QUOTA_DAY, LATE_MS), 10);
	assert_int_equal(quota_used(&quota, QUOTA_MONTH, LATE_MS), 10);
}

static void what_is_refused_by_one_period_is_not_counted_in_the_other(void **state)
{
	struct quota             quota = {0};
	const struct quota_sizes sizes = {{100, 15}};
	enum quota_period        full;
	(void)state;
	assert_false(quota_take(&quota, &sizes, LATE_MS, 16, &full));
	assert_int_equal(full, QUOTA_MONTH);
	assert_int_equal(quota_used(&quota, QUOTA_DAY, LATE_MS), 0);
}

static void a_new_period_begins_with_nothing_used(void **state)
{
	struct quota      quota = {0};
	enum quota_period full;
	(void)state;
	assert_true(quota_take(&quota, &small, LATE_MS - DAY_MS, 10, &full));
	assert_true(quota_take(&quota, &small, LATE_MS, 5, &full));
	assert_false(quota_take(&quota, &small, LATE_MS, 1, &full));
	assert_int_equal(full, QUOTA_MONTH);
	assert_true(quota_take(&quota, &small, LATE_MS + 1, 10, &full));
}

static void what_comes_back_may_be_taken_again_unless_its_period_is_over(void **state)
{
	struct quota      quota = {0};
	enum quota_period full;
	(void)state;
	assert_true(quota_take(&quota, &small, LATE_MS, 10, &full));
	quota_return(&quota, LATE_MS, 4);
	assert_true(quota_take(&quota, &small, LATE_MS, 4, &full));
	assert_true(quota_take(&quota, &small, LATE_MS + 1, 8, &full));
	quota_return(&quota, LATE_MS, 6);
	assert_int_equal(quota_used(&quota, QUOTA_DAY, LATE_MS + 1), 8);
}

static void periods_begin_at_midnight_and_on_the_first(void **state)
{
	(void)state;
	assert_int_equal(quota_end_ms(QUOTA_DAY, LATE_MS), LATE_MS + 1);
	assert_int_equal(quota_end_ms(QUOTA_MONTH, LATE_MS), LATE_MS + 1);
	assert_int_equal(quota_end_ms(QUOTA_MONTH, LATE_MS + 1), LATE_MS + 1 + 28 * DAY_MS);
	assert_int_equal(quota_begin_ms(QUOTA_MONTH, LATE_MS), LATE_MS + 1 - 31 * DAY_MS);
}

static void what_was_accepted_before_counts(void **state)
{
	struct quota      quota                 = {0};
	const uint64_t    before[QUOTA_PERIODS] = {4, 9};
	enum quota_period full;
	(void)state;
	quota_load(&quota, LATE_MS, before);
	assert_false(quota_take(&quota, &small, LATE_MS, 7, &full));
	assert_true(quota_take(&quota, &small, LATE_MS, 6, &full));
}

static void *take_many(void *context)
{
	const struct quota_sizes sizes = {{MOST, 0}};
	enum quota_period        full;
	uintptr_t                taken = 0;
	for (unsigned i = 0; i < TAKES; i++)
		taken += quota_take(context, &sizes, LATE_MS, 1, &full);
	return (void *)taken;
}

static void threads_together_get_no_more_than_there_is(void **state)
{
	struct quota quota = {0};
	pthread_t    threads[THREADS];
	uintptr_t    sum = 0;
	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &quota), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *taken;
		pthread_join(threads[i], &taken);
		sum += (uintptr_t)taken;
	}
	assert_int_equal(sum, MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_is_taken_than_there_is_and_a_request_is_taken_whole),
		cmocka_unit_test(what_is_refused_by_one_period_is_not_counted_in_the_other),
		cmocka_unit_test(a_new_period_begins_with_nothing_used),
		cmocka_unit_test(what_comes_back_may_be_taken_again_unless_its_period_is_over),
		cmocka_unit_test(periods_begin_at_midnight_and_on_the_first),
		cmocka_unit_test(what_was_accepted_before_counts),
		cmocka_unit_test(threads_together_get_no_more_than_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
