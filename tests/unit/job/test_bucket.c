#include "job/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)

static void a_second_s_worth_is_there_from_the_start_and_a_debt_is_waited_for(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 1000, 0);
	assert_int_equal(bucket_take(&bucket, 1000, 0), 0);
	assert_int_equal(bucket_take(&bucket, 500, 0), 0); /* who runs into debt does not wait */
	assert_int_equal(bucket_take(&bucket, 1, 0), SECOND_NS / 2);
}

static void a_piece_larger_than_a_second_s_worth_is_paid_for_by_the_next(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 1000, 0);
	assert_int_equal(bucket_take(&bucket, 11000, 0), 0);
	assert_int_equal(bucket_take(&bucket, 1, 4 * SECOND_NS), 6 * SECOND_NS);
}

static void time_fills_it_again_but_never_over_its_brim(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 1000, 0);
	assert_int_equal(bucket_take(&bucket, 2000, 0), 0);
	assert_int_equal(bucket_take(&bucket, 1000, 3600 * SECOND_NS), 0);
	assert_int_equal(bucket_take(&bucket, 1000, 3600 * SECOND_NS), 0);
	assert_int_equal(bucket_take(&bucket, 1000, 3600 * SECOND_NS), SECOND_NS);
}

static void fractions_of_a_byte_add_up(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 1, 0);
	assert_int_equal(bucket_take(&bucket, 2, 0), 0);
	for (int64_t at_ns = 0; at_ns < SECOND_NS; at_ns += SECOND_NS / 100)
		assert_int_equal(bucket_take(&bucket, 0, at_ns), SECOND_NS);
	assert_int_equal(bucket_take(&bucket, 0, SECOND_NS), 0);
}

static void without_a_rate_nobody_waits(void **state)
{
	(void)state;
	struct bucket bucket;
	bucket_init(&bucket, 0, 0);
	assert_int_equal(bucket_take(&bucket, UINT64_MAX, 0), 0);
	assert_int_equal(bucket_take(&bucket, UINT64_MAX, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_s_worth_is_there_from_the_start_and_a_debt_is_waited_for),
		cmocka_unit_test(a_piece_larger_than_a_second_s_worth_is_paid_for_by_the_next),
		cmocka_unit_test(time_fills_it_again_but_never_over_its_brim),
		cmocka_unit_test(fractions_of_a_byte_add_up),
		cmocka_unit_test(without_a_rate_nobody_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
