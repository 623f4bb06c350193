#include "base/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "base/instant.h"
#include "../seed.h"

static struct zone *open_zone(const char *name)
{
	struct zone *zone;
	struct error err;
	if (zone_open(text_of(name), &zone, &err) != STATUS_OK)
		fail_msg("%s: %s", name, err.reason);
	return zone;
}

static int64_t at(const char *text)
{
	int64_t ms;
	assert_true(instant_parse(text_of(text), &ms));
	return ms;
}

static void assert_instant(const char *name, const char *local, const char *expected)
{
	struct zone *zone = open_zone(name);
	char         text[INSTANT_TEXT_BYTES];
	struct text  is = instant_format(zone_instant_ms(zone, at(local)), text);
	assert_true(is.length < sizeof text);
	assert_string_equal(text, expected);
	zone_close(zone);
}

static void offsets_are_zones(void **state)
{
	(void)state;
	assert_instant("UTC", "2025-01-07T10:30:00", "2025-01-07T10:30:00Z");
	assert_instant("+09:00", "2025-01-07T10:30:00", "2025-01-07T01:30:00Z");
	assert_instant("-0330", "2025-01-07T10:30:00", "2025-01-07T14:00:00Z");
	assert_instant("+09", "2025-01-07T00:00:00", "2025-01-06T15:00:00Z");
}

static void names_of_the_database_are_zones(void **state)
{
	(void)state;
	assert_instant("Asia/Seoul", "2025-01-07T10:30:00", "2025-01-07T01:30:00Z");
	assert_instant("Europe/Berlin", "2025-01-07T10:30:00", "2025-01-07T09:30:00Z");
	assert_instant("Europe/Berlin", "2025-07-07T10:30:00", "2025-07-07T08:30:00Z");
	assert_instant("Australia/Sydney", "2025-01-07T10:30:00", "2025-01-06T23:30:00Z");
}

static void a_time_that_comes_twice_is_the_earlier_instant(void **state)
{
	(void)state;
	assert_instant("Europe/Berlin", "2025-10-26T02:30:00", "2025-10-26T00:30:00Z");
	assert_instant("Europe/Berlin", "2025-10-26T03:30:00", "2025-10-26T02:30:00Z");
}

static void a_time_that_is_skipped_is_read_by_the_offset_before(void **state)
{
	(void)state;
	assert_instant("Europe/Berlin", "2025-03-30T01:59:59", "2025-03-30T00:59:59Z");
	assert_instant("Europe/Berlin", "2025-03-30T02:30:00", "2025-03-30T01:30:00Z");
	assert_instant("Europe/Berlin", "2025-03-30T03:30:00", "2025-03-30T01:30:00Z");
}

static void the_rule_holds_behind_the_last_transition(void **state)
{
	(void)state;
	assert_instant("Europe/Berlin", "2099-07-07T10:30:00", "2099-07-07T08:30:00Z");
	assert_instant("Europe/Berlin", "2099-12-07T10:30:00", "2099-12-07T09:30:00Z");
	assert_instant("Australia/Sydney", "2099-01-07T10:30:00", "2099-01-06T23:30:00Z");
}

static void the_same_as_the_c_library_says(void **state)
{
	(void)state;
	static const char *const names[] = {"Asia/Seoul",       "Europe/Berlin",  "America/New_York",
	                                    "Australia/Sydney", "Asia/Kolkata",   "America/St_Johns",
	                                    "Africa/Cairo",     "Pacific/Apia",   "America/Sao_Paulo",
	                                    "Antarctica/Troll", "Asia/Kathmandu", "Europe/Dublin"};
	seed_begin("zone");
	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
		struct zone *zone = open_zone(names[n]);
		setenv("TZ", names[n], 1);
		tzset();
		for (unsigned i = 0; i < 2000; i++) {
			time_t    second = (time_t)seed_below(UINT64_C(6000000000)) - 900000000;
			struct tm tm;
			localtime_r(&second, &tm);
			if (zone_offset_ms(zone, (int64_t)second * 1000) != (int64_t)tm.tm_gmtoff * 1000)
				fail_msg("%s at %lld", names[n], (long long)second);
		}
		zone_close(zone);
	}
}

static void what_is_no_zone_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"",      "Seoul/Asia", "../../etc/passwd", "/etc/passwd",
	                                    "+9",    "+24:00",     "+09:60",           "Asia",
	                                    "Asia/", "+09:00:00",  "Asia//Seoul"};
	struct zone             *zone;
	struct error             err;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (zone_open(text_of(names[i]), &zone, &err) != STATUS_INVALID)
			fail_msg("\"%s\" is a zone", names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_zones),
		cmocka_unit_test(names_of_the_database_are_zones),
		cmocka_unit_test(a_time_that_comes_twice_is_the_earlier_instant),
		cmocka_unit_test(a_time_that_is_skipped_is_read_by_the_offset_before),
		cmocka_unit_test(the_rule_holds_behind_the_last_transition),
		cmocka_unit_test(the_same_as_the_c_library_says),
		cmocka_unit_test(what_is_no_zone_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
