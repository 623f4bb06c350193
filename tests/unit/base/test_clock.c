#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void the_wall_clock_counts_milliseconds_since_1970(void **state)
{
	(void)state;
	/* Between the years 2020 and 9999: seconds or microseconds would lie outside. */
	assert_true(clock_wall_ms() > INT64_C(1577836800000));
	assert_true(clock_wall_ms() < INT64_C(253402300800000));
}

static void the_monotonic_clock_never_goes_back(void **state)
{
	(void)state;
	int64_t before = clock_monotonic_ns();
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic_ns();
		assert_true(now >= before);
		before = now;
	}
}

static void a_deadline_lies_so_far_ahead_and_within_a_second_of_nanoseconds(void **state)
{
	(void)state;
	static const int64_t ahead_ms[] = {0, 1, 999, 1000, 61999};
	for (size_t i = 0; i < sizeof ahead_ms / sizeof *ahead_ms; i++) {
		int64_t         before = clock_monotonic_ns();
		struct timespec until  = clock_deadline(ahead_ms[i]);
		int64_t         after  = clock_monotonic_ns();
		int64_t         at     = until.tv_sec * INT64_C(1000000000) + until.tv_nsec;
		assert_in_range(until.tv_nsec, 0, 999999999);
		assert_true(at >= before + ahead_ms[i] * 1000000);
		assert_true(at <= after + ahead_ms[i] * 1000000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_counts_milliseconds_since_1970),
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(a_deadline_lies_so_far_ahead_and_within_a_second_of_nanoseconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
