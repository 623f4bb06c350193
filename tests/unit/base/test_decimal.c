#include "base/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../seed.h"

static int64_t millionths_of(double number)
{
	int64_t millionths = 0;
	if (!decimal_of(number, &millionths))
		fail_msg("%.17g has no decimal", number);
	return millionths;
}

static void amounts_with_few_decimals_are_what_they_seem(void **state)
{
	(void)state;
	assert_int_equal(millionths_of(0), 0);
	assert_int_equal(millionths_of(-0.0), 0);
	assert_int_equal(millionths_of(0.1), 100000);
	assert_int_equal(millionths_of(-19.99), -19990000);
	assert_int_equal(millionths_of(30000), INT64_C(30000000000));
	assert_int_equal(millionths_of(9007199.254740993), INT64_C(9007199254741));
}

static void halves_go_to_the_even_neighbour(void **state)
{
	(void)state;
	/* Doubles whose exact value is a half: k / 128 millionths need 2^-7 × 10^-6 = 5^-6 × 2^-13. */
	assert_int_equal(millionths_of(0.0000019073486328125), 2); /* 2^-19, no half */
	assert_int_equal(millionths_of(0.0078125), 7812);          /* 7812.5 */
	assert_int_equal(millionths_of(0.0234375), 23438);         /* 23437.5 */
	assert_int_equal(millionths_of(-0.0078125), -7812);
	assert_int_equal(millionths_of(-0.0234375), -23438);
}

static void the_exact_value_is_rounded_not_the_product_in_floating_point(void **state)
{
	(void)state;
	/* The double 0.0000005 lies below a half, although × 10^6 gives 0.5; 0.0000015 above 1.5 - ε:
	 * its exact value is 1.4999999999999998…e-06 or more, told by the digits printed here. */
	assert_int_equal(millionths_of(0.0000005), 0);
	assert_int_equal(millionths_of(nextafter(0.0078125, 1)), 7813);
	assert_int_equal(millionths_of(nextafter(0.0078125, 0)), 7812);
	assert_int_equal(millionths_of(1e-300), 0);
	assert_int_equal(millionths_of(5e-324), 0);
}

static void there_is_a_limit_and_it_is_included(void **state)
{
	(void)state;
	int64_t unused;
	assert_true(millionths_of(DECIMAL_LIMIT) == INT64_C(9200000000000000000));
	assert_true(millionths_of(-DECIMAL_LIMIT) == -INT64_C(9200000000000000000));
	assert_false(decimal_of(nextafter(DECIMAL_LIMIT, INFINITY), &unused));
	assert_false(decimal_of(INFINITY, &unused));
	assert_false(decimal_of(-INFINITY, &unused));
	assert_false(decimal_of(NAN, &unused));
}

/* The C library prints the exact value rounded half to even. */
static void random_numbers_are_rounded_as_printf_rounds_them(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < 200000; i++) {
		double number = ldexp((double)(int64_t)seed_next(), -(int)seed_below(90));
		/* Few bits, so that halves are frequent. */
		if (seed_below(2) == 0)
			number = ldexp((double)(int64_t)seed_below(1 << 20), -(int)seed_below(14));
		if (fabs(number) > DECIMAL_LIMIT)
			continue;
		char text[64], digits[64];
		snprintf(text, sizeof text, "%.6f", number);
		char *at = digits;
		for (const char *from = text; *from != '\0'; from++)
			if (*from != '.')
				*at++ = *from;
		*at = '\0';
		assert_int_equal(millionths_of(number), strtoll(digits, NULL, 10));
	}
}

static void a_number_fits_when_its_shortest_form_has_six_decimals(void **state)
{
	(void)state;
	static const double fit[]   = {0, -0.0, 1, 0.1, 0.000001, -1234567.123456, 1e300, 1.5e20, 5e9};
	static const double unfit[] = {0.0000001, 1.1234567,  1e-300,   0.1 + 0.2,
	                               1.0 / 3,   -0.0000015, INFINITY, NAN};
	for (size_t i = 0; i < sizeof fit / sizeof fit[0]; i++)
		if (!decimal_fits(fit[i]))
			fail_msg("%.17g does not fit", fit[i]);
	for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++)
		if (decimal_fits(unfit[i]))
			fail_msg("%.17g fits", unfit[i]);
}

static void a_number_that_fits_is_the_double_of_its_decimal(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < 100000; i++) {
		char text[64];
		snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, seed_below(1000000000),
		         seed_below(1000000));
		double number = strtod(text, NULL);
		assert_true(decimal_fits(number));
		assert_true(decimal_to_double(millionths_of(number)) == number);
	}
}

static void a_sum_is_answered_as_the_nearest_double(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < 100000; i++) {
		unsigned __int128 magnitude =
			((unsigned __int128)seed_next() << 64 | seed_next()) >> (1 + seed_below(127));
		char  digits[64];
		char *at               = digits + sizeof digits - 1;
		*at                    = '\0';
		unsigned __int128 left = magnitude;
		for (int place = 0; place < 7 || left > 0; place++, left /= 10) {
			if (place == 6)
				*--at = '.';
			*--at = (char)('0' + (int)(left % 10));
		}
		double expected = strtod(at, NULL);
		assert_true(decimal_to_double((__int128)magnitude) == expected);
		assert_true(decimal_to_double(-(__int128)magnitude) == -expected);
	}
	assert_true(decimal_to_double((__int128)((unsigned __int128)1 << 127)) == -0x1p127 / 1e6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amounts_with_few_decimals_are_what_they_seem),
		cmocka_unit_test(halves_go_to_the_even_neighbour),
		cmocka_unit_test(the_exact_value_is_rounded_not_the_product_in_floating_point),
		cmocka_unit_test(there_is_a_limit_and_it_is_included),
		cmocka_unit_test(random_numbers_are_rounded_as_printf_rounds_them),
		cmocka_unit_test(a_number_fits_when_its_shortest_form_has_six_decimals),
		cmocka_unit_test(a_number_that_fits_is_the_double_of_its_decimal),
		cmocka_unit_test(a_sum_is_answered_as_the_nearest_double),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
