#include "job/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void the_wait_doubles_up_to_its_maximum(void **state)
{
	(void)state;
	const int64_t whole[] = {100, 200, 400, 800, 1000, 1000};
	for (unsigned i = 0; i < 6; i++) {
		/* The whole is what the largest random part gives. */
		int64_t half = whole[i] / 2;
		assert_int_equal(backoff_ms(100, 1000, i + 1, (uint64_t)(whole[i] - half)), whole[i]);
		assert_int_equal(backoff_ms(100, 1000, i + 1, 0), half);
	}
}

static void whatever_the_random_bits_the_wait_is_between_the_half_and_the_whole(void **state)
{
	(void)state;
	for (uint64_t random = 0; random < 100000; random += 7) {
		int64_t wait_ms = backoff_ms(1000, 60000, 3, random * UINT64_C(0x9e3779b97f4a7c15));
		assert_in_range(wait_ms, 2000, 4000);
	}
	assert_in_range(backoff_ms(1000, 60000, 3, UINT64_MAX), 2000, 4000);
}

static void the_largest_numbers_do_not_overflow(void **state)
{
	(void)state;
	assert_true(backoff_ms(1, INT64_MAX, 1000, UINT64_MAX) >= INT64_MAX / 2);
	assert_int_equal(backoff_ms(0, 0, 5, 12345), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_its_maximum),
		cmocka_unit_test(whatever_the_random_bits_the_wait_is_between_the_half_and_the_whole),
		cmocka_unit_test(the_largest_numbers_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
