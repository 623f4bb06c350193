#include "base/edit_distance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void each_insertion_removal_and_replacement_counts_one(void **state)
{
	(void)state;
	assert_int_equal(edit_distance(TEXT("kitten"), TEXT("sitting"), 100), 3);
	assert_int_equal(edit_distance(TEXT("sitting"), TEXT("kitten"), 100), 3);
	assert_int_equal(edit_distance(TEXT("Order Complete"), TEXT("Order Completed"), 100), 1);
	assert_int_equal(edit_distance(TEXT(""), TEXT("abc"), 100), 3);
	assert_int_equal(edit_distance(TEXT("same"), TEXT("same"), 100), 0);
}

static void what_is_not_below_the_limit_answers_the_limit(void **state)
{
	(void)state;
	assert_int_equal(edit_distance(TEXT("kitten"), TEXT("sitting"), 4), 3);
	assert_int_equal(edit_distance(TEXT("kitten"), TEXT("sitting"), 3), 3);
	assert_int_equal(edit_distance(TEXT("kitten"), TEXT("sitting"), 2), 2);
	assert_int_equal(edit_distance(TEXT("abcdef"), TEXT("uvwxyz"), 5), 5);
	assert_int_equal(edit_distance(TEXT("same"), TEXT("same"), 0), 0);
}

static void texts_that_are_too_long_are_far_from_all(void **state)
{
	(void)state;
	static const char long_text[EDIT_DISTANCE_BYTES_MAX + 1];
	struct text       longest  = {long_text, EDIT_DISTANCE_BYTES_MAX};
	struct text       too_long = {long_text, EDIT_DISTANCE_BYTES_MAX + 1};
	assert_int_equal(edit_distance(longest, longest, 1000), 0);
	assert_int_equal(edit_distance(too_long, too_long, 1000), 1000);
}

static void the_nearest_name_is_at_most_two_slips_away(void **state)
{
	(void)state;
	static const char *const names[] = {"region", "recency", "is", NULL};
	assert_string_equal(edit_nearest(TEXT("regoin"), names), "region");
	assert_string_equal(edit_nearest(TEXT("recencyy"), names), "recency");
	assert_string_equal(edit_nearest(TEXT("region"), names), "region");
	assert_null(edit_nearest(TEXT("reasons"), names));
	assert_string_equal(edit_nearest(TEXT("as"), names), "is");
	assert_null(edit_nearest(TEXT("at"), names)); /* more than half of it would be wrong */
	assert_null(edit_nearest(TEXT("제주"), names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_insertion_removal_and_replacement_counts_one),
		cmocka_unit_test(what_is_not_below_the_limit_answers_the_limit),
		cmocka_unit_test(texts_that_are_too_long_are_far_from_all),
		cmocka_unit_test(the_nearest_name_is_at_most_two_slips_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
