#include "model/birthday.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"

static int64_t day(int year, int month, int day_of_month)
{
	return instant_days_of_date(year, month, day_of_month) * DAY_MS;
}

static void a_date_is_read_as_it_is_written(void **state)
{
	(void)state;
	struct birthday birthday;
	assert_true(birthday_parse(TEXT("1990-05-06T23:30:00-11:00"), &birthday));
	assert_int_equal(birthday.year, 1990);
	assert_int_equal(birthday.month, 5);
	assert_int_equal(birthday.day, 6);
	assert_false(birthday_parse(TEXT("1990-02-30"), &birthday));
	assert_false(birthday_parse(TEXT("06.05.1990"), &birthday));
}

static void an_age_band_begins_at_midnight_of_the_birthday(void **state)
{
	(void)state;
	const struct birthday birthday = {1990, 5, 6};
	int64_t               thirty   = day(2020, 5, 6);
	assert_true(text_equal(birthday_age_band(&birthday, thirty - 1), TEXT("20s")));
	assert_true(text_equal(birthday_age_band(&birthday, thirty), TEXT("30s")));
	assert_int_equal(birthday_next_ms(&birthday, thirty - 1), thirty);
	assert_int_equal(birthday_next_ms(&birthday, thirty), day(2030, 5, 6));
	assert_int_equal(birthday_next_ms(&birthday, day(2060, 5, 6)), INSTANT_MS_NEVER);
	assert_true(text_equal(birthday_age_band(&birthday, day(2090, 1, 1)), TEXT("70s+")));
	assert_int_equal(birthday_age_band(&birthday, day(1990, 5, 5)).length, 0);
}

static void who_was_born_on_february_29_grows_older_on_march_1(void **state)
{
	(void)state;
	const struct birthday birthday = {1996, 2, 29};
	assert_int_equal(birthday_next_ms(&birthday, day(2026, 1, 1)), day(2026, 3, 1));
	assert_int_equal(birthday_next_ms(&birthday, day(2016, 1, 1)), day(2016, 2, 29));
}

static void its_parts_are_written_and_read(void **state)
{
	(void)state;
	const struct birthday birthday = {2004, 12, 31};
	struct birthday       read;
	struct buffer         list = {0};
	birthday_write(&birthday, &list);
	assert_true(birthday_read(buffer_text(&list), &read));
	assert_memory_equal(&read, &birthday, sizeof read);
	assert_false(birthday_read(TEXT(""), &read));
	buffer_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_date_is_read_as_it_is_written),
		cmocka_unit_test(an_age_band_begins_at_midnight_of_the_birthday),
		cmocka_unit_test(who_was_born_on_february_29_grows_older_on_march_1),
		cmocka_unit_test(its_parts_are_written_and_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
