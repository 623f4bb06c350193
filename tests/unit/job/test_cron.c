#include "job/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"

static struct zone *zone_of(const char *name)
{
	struct zone *zone;
	struct error err;
	if (zone_open(text_of(name), &zone, &err) != STATUS_OK)
		fail_msg("%s: %s", name, err.reason);
	return zone;
}

static int64_t ms_of(const char *instant)
{
	int64_t ms;
	assert_true(instant_parse(text_of(instant), &ms));
	return ms;
}

static struct cron cron_of(const char *text)
{
	struct cron  cron;
	struct error err;
	if (cron_parse(text_of(text), &cron, &err) != STATUS_OK)
		fail_msg("%s: %s", text, err.reason);
	return cron;
}

/* From `after` on, `expected` are the next instants, in this order. */
static void check(const char *cron_text, const char *zone_name, const char *after,
                  const char *const *expected)
{
	struct cron  cron = cron_of(cron_text);
	struct zone *zone = zone_of(zone_name);
	int64_t      at   = ms_of(after);
	for (; *expected != NULL; expected++) {
		char text[INSTANT_TEXT_BYTES];
		at = cron_next_ms(&cron, zone, at);
		instant_format(at, text);
		assert_string_equal(text, *expected);
	}
	zone_close(zone);
}

#define CHECK(cron, zone, after, ...)                                                              \
	check(cron, zone, after, (const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *text, const char *reason_part)
{
	struct cron  cron;
	struct error err = {0};
	assert_int_equal(cron_parse(text_of(text), &cron, &err), STATUS_INVALID);
	assert_string_equal(err.field, "cron");
	if (strstr(err.reason, reason_part) == NULL)
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, err.reason, reason_part);
}

static void five_fields_are_read_with_lists_ranges_steps_and_names(void **state)
{
	(void)state;
	struct cron cron = cron_of(" 0,30  8-18/2\t1,15 jan-Mar MON-FRI ");
	assert_int_equal(cron.minutes, UINT64_C(1) | UINT64_C(1) << 30);
	assert_int_equal(cron.hours, 1 << 8 | 1 << 10 | 1 << 12 | 1 << 14 | 1 << 16 | 1 << 18);
	assert_int_equal(cron.days, 1 << 1 | 1 << 15);
	assert_int_equal(cron.months, 1 << 1 | 1 << 2 | 1 << 3);
	assert_int_equal(cron.weekdays, 0x3e);
	assert_int_equal(cron_of("*/20 * * * *").minutes, UINT64_C(0x10000100001));
	assert_int_equal(cron_of("50/4 * * * *").minutes,
	                 UINT64_C(1) << 50 | UINT64_C(1) << 54 | UINT64_C(1) << 58);
}

static void zero_and_seven_are_sunday_and_a_range_may_end_there(void **state)
{
	(void)state;
	assert_int_equal(cron_of("0 0 * * 0").weekdays, 1);
	assert_int_equal(cron_of("0 0 * * 7").weekdays, 1);
	assert_int_equal(cron_of("0 0 * * SUN").weekdays, 1);
	assert_int_equal(cron_of("0 0 * * FRI-SUN").weekdays, 0x61);
	assert_int_equal(cron_of("0 0 * * 5-7").weekdays, 0x61);
	assert_int_equal(cron_of("0 0 * * SUN-TUE").weekdays, 0x07);
}

static void what_is_no_cron_expression_is_refused_with_the_reason(void **state)
{
	(void)state;
	refused("", "Five fields");
	refused("* * * *", "Five fields");
	refused("* * * * * *", "Five fields");
	refused("60 * * * *", "\"minute\" has 60");
	refused("* 24 * * *", "\"hour\" has 24");
	refused("* * 0 * *", "\"day of the month\" has 0");
	refused("* * * 13 *", "\"month\" has 13");
	refused("* * * * 8", "\"weekday\" has 8");
	refused("MON * * * *", "\"minute\" has something");
	refused("* * * FOO *", "\"month\" has something");
	refused("5-3 * * * *", "ends before");
	refused("*/0 * * * *", "step");
	refused("*/x * * * *", "step");
	refused("1, * * * *", "\"minute\" has something");
	refused("1x * * * *", "behind");
	refused("99999 * * * *", "\"minute\" has something");
	refused("0 0 31 4,6 *", "No year");
	refused("0 0 30 2 *", "No year");
	char longer[CRON_TEXT_BYTES_MAX + 2];
	memset(longer, '*', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	refused(longer, "Longer");
}

static void the_next_instant_lies_behind_the_given_one(void **state)
{
	(void)state;
	CHECK("30 3 * * *", "UTC", "2026-01-01T03:29:59.999Z", "2026-01-01T03:30:00Z",
	      "2026-01-02T03:30:00Z");
	CHECK("30 3 * * *", "UTC", "2026-01-01T03:30:00Z", "2026-01-02T03:30:00Z");
	CHECK("*/15 * * * *", "UTC", "1969-12-31T23:44:00Z", "1969-12-31T23:45:00Z",
	      "1970-01-01T00:00:00Z", "1970-01-01T00:15:00Z");
}

static void months_end_where_they_end(void **state)
{
	(void)state;
	CHECK("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z",
	      "2026-05-31T00:00:00Z");
	CHECK("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
	CHECK("0 0 29 FEB *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z");
}

static void with_both_day_fields_restricted_either_is_enough(void **state)
{
	(void)state;
	/* 2026-11-13 is a Friday. */
	CHECK("0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z",
	      "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z",
	      "2026-12-04T00:00:00Z", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
	CHECK("0 0 */2 * MON", "UTC", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z",
	      "2026-11-23T00:00:00Z");
	CHECK("0 0 30 2 SUN", "UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
}

static void times_are_those_of_the_zone(void **state)
{
	(void)state;
	CHECK("0 3 * * *", "Asia/Seoul", "2026-03-28T00:00:00Z", "2026-03-28T18:00:00Z",
	      "2026-03-29T18:00:00Z", "2026-03-30T18:00:00Z");
	CHECK("0 3 * * MON", "Asia/Seoul", "2026-03-28T00:00:00Z", "2026-03-29T18:00:00Z");
	CHECK("30 0 * * *", "+05:30", "2026-03-28T00:00:00Z", "2026-03-28T19:00:00Z");
}

static void a_daily_time_keeps_its_place_on_the_wall_over_both_turns(void **state)
{
	(void)state;
	CHECK("0 4 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T03:00:00Z",
	      "2026-03-29T02:00:00Z", "2026-03-30T02:00:00Z");
	CHECK("0 4 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-24T02:00:00Z",
	      "2026-10-25T03:00:00Z", "2026-10-26T03:00:00Z");
}

static void a_time_that_clocks_skip_is_not_left_out(void **state)
{
	(void)state;
	/* 02:30 on 29 March does not exist: 03:30 by the new time, and once only. */
	CHECK("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z",
	      "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z");
	CHECK("30 2,3 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:30:00Z",
	      "2026-03-30T00:30:00Z");
}

static void a_time_that_comes_twice_counts_once(void **state)
{
	(void)state;
	CHECK("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
	      "2026-10-26T01:30:00Z");
	/* Asked within the second of the two hours. */
	CHECK("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z");
}

static void what_runs_every_hour_goes_on_through_both_turns(void **state)
{
	(void)state;
	CHECK("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:50:00Z", "2026-10-25T00:00:00Z",
	      "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z",
	      "2026-10-25T02:00:00Z");
	CHECK("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", "2026-03-29T00:30:00Z",
	      "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z");
	CHECK("15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T14:15:00Z",
	      "2026-04-04T15:45:00Z");
}

static void over_years_every_instant_shows_a_time_that_matches(void **state)
{
	(void)state;
	const char *const zones[] = {"Europe/Berlin", "Asia/Seoul", "America/New_York", "UTC"};
	for (unsigned i = 0; i < 4; i++) {
		struct zone *zone = zone_of(zones[i]);
		struct cron  cron = cron_of("17 5 * * *");
		int64_t      at   = ms_of("2024-12-31T12:00:00Z");
		for (int day = 0; day < 800; day++) {
			int64_t next = cron_next_ms(&cron, zone, at);
			int64_t wall = next + zone_offset_ms(zone, next);
			assert_int_equal((wall % DAY_MS + DAY_MS) % DAY_MS, (5 * 60 + 17) * MINUTE_MS);
			assert_in_range(next - at, 1, DAY_MS + 60 * MINUTE_MS);
			at = next;
		}
		assert_in_range(at, ms_of("2027-03-10T00:00:00Z"), ms_of("2027-03-12T00:00:00Z"));
		zone_close(zone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_fields_are_read_with_lists_ranges_steps_and_names),
		cmocka_unit_test(zero_and_seven_are_sunday_and_a_range_may_end_there),
		cmocka_unit_test(what_is_no_cron_expression_is_refused_with_the_reason),
		cmocka_unit_test(the_next_instant_lies_behind_the_given_one),
		cmocka_unit_test(months_end_where_they_end),
		cmocka_unit_test(with_both_day_fields_restricted_either_is_enough),
		cmocka_unit_test(times_are_those_of_the_zone),
		cmocka_unit_test(a_daily_time_keeps_its_place_on_the_wall_over_both_turns),
		cmocka_unit_test(a_time_that_clocks_skip_is_not_left_out),
		cmocka_unit_test(a_time_that_comes_twice_counts_once),
		cmocka_unit_test(what_runs_every_hour_goes_on_through_both_turns),
		cmocka_unit_test(over_years_every_instant_shows_a_time_that_matches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
