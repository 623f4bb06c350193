#include "base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "../seed.h"

static void assert_instant(const char *text, int64_t expected_ms)
{
	int64_t ms = -1;
	if (!instant_parse(text_of(text), &ms))
		fail_msg("%s is refused", text);
	if (ms != expected_ms)
		fail_msg("%s is read as %" PRId64 " instead of %" PRId64, text, ms, expected_ms);
}

static void assert_no_instant(const char *text)
{
	int64_t ms = 42;
	if (instant_parse(text_of(text), &ms))
		fail_msg("%s is read as %" PRId64, text, ms);
	assert_int_equal(ms, 42);
}

static void an_instant_is_read_in_every_form_of_rfc_3339(void **state)
{
	(void)state;
	assert_instant("1970-01-01T00:00:00Z", 0);
	assert_instant("2025-01-07T10:30:00Z", 1736245800000);
	assert_instant("2025-01-07t10:30:00z", 1736245800000);
	assert_instant("2025-01-07T19:30:00+09:00", 1736245800000);
	assert_instant("2025-01-07T05:00:00-05:30", 1736245800000);
	assert_instant("2025-01-07T10:30:00-00:00", 1736245800000);
	assert_instant("0001-01-01T00:00:00Z", INSTANT_MS_MIN);
	assert_instant("9999-12-31T23:59:59.999Z", INSTANT_MS_MAX);
	assert_instant("1969-12-31T23:59:59.999Z", -1);
}

static void fractions_finer_than_a_millisecond_are_cut_off(void **state)
{
	(void)state;
	assert_instant("1970-01-01T00:00:00.5Z", 500);
	assert_instant("1970-01-01T00:00:00.05Z", 50);
	assert_instant("1970-01-01T00:00:00.1239999999999999Z", 123);
	assert_instant("1970-01-01T00:00:00.9999+00:00", 999);
	/* Cut off towards the past, also before 1970. */
	assert_instant("1969-12-31T23:59:59.9999Z", -1);
}

static void a_date_or_a_time_without_offset_is_in_utc(void **state)
{
	(void)state;
	assert_instant("2025-01-07", 1736208000000);
	assert_instant("2025-01-07T10:30:00", 1736245800000);
	assert_instant("2025-01-07T10:30:00.25", 1736245800250);
}

static void leap_days_exist_in_leap_years_only(void **state)
{
	(void)state;
	assert_instant("2024-02-29", 1709164800000);
	assert_instant("2000-02-29", 951782400000);
	assert_no_instant("2025-02-29");
	assert_no_instant("1900-02-29");
	assert_no_instant("2024-02-30");
	assert_no_instant("2024-04-31");
}

static void what_is_no_instant_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"2025",
		"2025-01",
		"2025-1-07",
		"25-01-07",
		"2025-01-07T",
		"2025-01-07T10:30Z",
		"2025-01-07T10:30",
		"2025-01-07 10:30:00Z",
		"2025-01-07T24:00:00Z",
		"2025-01-07T10:60:00Z",
		"2025-01-07T10:30:60Z",
		"2025-01-07T23:59:60Z",
		"2025-01-07T10:30:00.Z",
		"2025-01-07T10:30:00,5Z",
		"2025-01-07T10:30:00+9:00",
		"2025-01-07T10:30:00+0900",
		"2025-01-07T10:30:00+24:00",
		"2025-01-07T10:30:00+09:60",
		"2025-01-07T10:30:00ZZ",
		"2025-01-07Z",
		" 2025-01-07",
		"2025-01-07 ",
		"2025-00-07",
		"2025-13-07",
		"2025-01-00",
		"2025-01-32",
		"0000-01-01",
		"-001-01-01",
		"10000-01-01",
		"+2025-01-07",
		"2025-01-07T10:30:00+",
		"2025-W02-2",
		"20250107",
		"1736245800000",
		"2025-01-07T10:30:00 Z",
		"2025-01-07T10:30:00Z\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_no_instant(texts[i]);
}

static void an_offset_must_not_lead_out_of_the_years_that_exist(void **state)
{
	(void)state;
	assert_no_instant("0001-01-01T00:00:00+00:01");
	assert_no_instant("9999-12-31T23:59:00-00:01");
}

static void every_part_of_an_instant_alone_is_refused(void **state)
{
	(void)state;
	const char whole[] = "2025-01-07T10:30:00.123+09:00";
	for (size_t length = 0; length < sizeof whole - 1; length++) {
		/* The date, and the time with or without its fraction, stand for themselves. */
		if (length == 10 || length == 19 || (length >= 21 && length <= 23))
			continue;
		int64_t ms;
		assert_false(instant_parse((struct text){whole, length}, &ms));
	}
}

static void random_instants_are_written_as_gmtime_says_and_read_again(void **state)
{
	(void)state;
	seed_begin(__func__);
	for (int i = 0; i < 100000; i++) {
		int64_t   span = INSTANT_MS_MAX - INSTANT_MS_MIN + 1;
		int64_t   ms   = INSTANT_MS_MIN + (int64_t)(seed_next() % (uint64_t)span);
		int64_t   rest = (ms % 1000 + 1000) % 1000;
		time_t    time = (ms - rest) / 1000;
		struct tm tm;
		char      expected[64], into[INSTANT_TEXT_BYTES];
		gmtime_r(&time, &tm);
		int size =
			snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
		             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		if (rest != 0)
			size += snprintf(expected + size, 8, ".%03d", (int)rest);
		snprintf(expected + size, 2, "Z");

		assert_string_equal(instant_format(ms, into).data, expected);
		assert_instant(expected, ms);
	}
}

static void milliseconds_are_written_only_where_there_are_some(void **state)
{
	(void)state;
	char into[INSTANT_TEXT_BYTES];
	assert_string_equal(instant_format(0, into).data, "1970-01-01T00:00:00Z");
	assert_string_equal(instant_format(10, into).data, "1970-01-01T00:00:00.010Z");
	assert_int_equal(instant_format(10, into).length, 24);
}

static void durations_are_one_integer_and_one_unit(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t     ms;
	} durations[] = {
		{"60s", 60000},
		{"1m", 60000},
		{"24h", DAY_MS},
		{"7d", 7 * DAY_MS},
		{"2w", 14 * DAY_MS},
		{"1095d", DURATION_MS_MAX},
		{"26280h", DURATION_MS_MAX},
		{"007d", 7 * DAY_MS},
	};
	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		int64_t ms;
		assert_true(duration_parse(text_of(durations[i].text), &ms));
		assert_int_equal(ms, durations[i].ms);
	}
}

static void a_duration_out_of_range_is_told_from_what_is_none(void **state)
{
	(void)state;
	int64_t ms;
	assert_false(duration_parse(TEXT("59s"), &ms));
	assert_int_equal(ms, 59000);
	assert_false(duration_parse(TEXT("1096d"), &ms));
	assert_int_equal(ms, 1096 * DAY_MS);

	static const char *const none[] = {
		"",
		"d",
		"7",
		"7 d",
		" 7d",
		"7D",
		"-7d",
		"+7d",
		"1.5d",
		"7dd",
		"7y",
		"7ms",
		"99999999999999999999d",
		"9223372036854775807w",
	};
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		assert_false(duration_parse(text_of(none[i]), &ms));
		assert_int_equal(ms, 0);
	}
}

static void a_duration_is_written_in_the_largest_unit_up_to_days_that_divides_it(void **state)
{
	(void)state;
	char into[DURATION_TEXT_BYTES];
	assert_string_equal(duration_format(600000, into).data, "10m");
	assert_string_equal(duration_format(90000, into).data, "90s");
	assert_string_equal(duration_format(90 * MINUTE_MS, into).data, "90m");
	assert_string_equal(duration_format(36 * 60 * MINUTE_MS, into).data, "36h");
	assert_string_equal(duration_format(7 * DAY_MS, into).data, "7d");
	assert_string_equal(duration_format(DURATION_MS_MAX, into).data, "1095d");
}

static void a_day_begins_at_midnight_also_before_1970(void **state)
{
	(void)state;
	assert_int_equal(instant_floor_day_ms(0), 0);
	assert_int_equal(instant_floor_day_ms(DAY_MS - 1), 0);
	assert_int_equal(instant_floor_day_ms(-1), -DAY_MS);
	assert_int_equal(instant_floor_day_ms(-DAY_MS), -DAY_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instant_is_read_in_every_form_of_rfc_3339),
		cmocka_unit_test(fractions_finer_than_a_millisecond_are_cut_off),
		cmocka_unit_test(a_date_or_a_time_without_offset_is_in_utc),
		cmocka_unit_test(leap_days_exist_in_leap_years_only),
		cmocka_unit_test(what_is_no_instant_is_refused),
		cmocka_unit_test(an_offset_must_not_lead_out_of_the_years_that_exist),
		cmocka_unit_test(every_part_of_an_instant_alone_is_refused),
		cmocka_unit_test(random_instants_are_written_as_gmtime_says_and_read_again),
		cmocka_unit_test(milliseconds_are_written_only_where_there_are_some),
		cmocka_unit_test(durations_are_one_integer_and_one_unit),
		cmocka_unit_test(a_duration_out_of_range_is_told_from_what_is_none),
		cmocka_unit_test(a_duration_is_written_in_the_largest_unit_up_to_days_that_divides_it),
		cmocka_unit_test(a_day_begins_at_midnight_also_before_1970),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
