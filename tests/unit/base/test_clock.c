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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_counts_milliseconds_since_1970),
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
