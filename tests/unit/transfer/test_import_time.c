#include "transfer/import/import_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"

static void assert_time(const char *text, const char *format, const char *zone_name,
                        const char *expected)
{
	struct zone *zone = NULL;
	struct error err;
	char         is[INSTANT_TEXT_BYTES];
	int64_t      ms;
	if (zone_name != NULL)
		assert_int_equal(zone_open(text_of(zone_name), &zone, &err), STATUS_OK);
	bool read = format != NULL ? import_time_read(text_of(text), text_of(format), zone, &ms)
	                           : import_time_read_plain(text_of(text), zone, &ms);
	zone_close(zone);
	if (read != (expected != NULL))
		fail_msg("\"%s\" by \"%s\" is %s", text, format != NULL ? format : "",
		         read ? "a time" : "none");
	if (read) {
		instant_format(ms, is);
		assert_string_equal(is, expected);
	}
}

static void formats_say_where_the_parts_stand(void **state)
{
	(void)state;
	assert_time("07.01.2025 10:30", "%d.%m.%Y %H:%M", NULL, "2025-01-07T10:30:00Z");
	assert_time("1/7/25", "%m/%d/%y", NULL, "2025-01-07T00:00:00Z");
	assert_time("7-Jan-1999", "%d-%b-%Y", NULL, "1999-01-07T00:00:00Z");
	assert_time("January 7, 2025", "%B %d, %Y", NULL, "2025-01-07T00:00:00Z");
	assert_time("2025-01-07   10:30:05,25", "%F %T%f", NULL, "2025-01-07T10:30:05.250Z");
	assert_time("20250107103005", "%Y%m%d%H%M%S", NULL, "2025-01-07T10:30:05Z");
	assert_time("100%", "%s%%", NULL, "1970-01-01T00:01:40Z");
	assert_time("2025년 1월 7일 오후 3:05", "%Y년 %m월 %d일 %p %I:%M", NULL,
	            "2025-01-07T15:05:00Z");
	assert_time("12:00 AM 2025-01-07", "%I:%M %p %F", NULL, "2025-01-07T00:00:00Z");
	assert_time("12:00 pm 2025-01-07", "%I:%M %p %F", NULL, "2025-01-07T12:00:00Z");
}

static void offsets_go_before_the_zone(void **state)
{
	(void)state;
	assert_time("2025-01-07 10:30", "%F %H:%M", "Asia/Seoul", "2025-01-07T01:30:00Z");
	assert_time("2025-01-07 10:30 +0100", "%F %H:%M %z", "Asia/Seoul", "2025-01-07T09:30:00Z");
	assert_time("2025-01-07 10:30 -03:30", "%F %H:%M %z", NULL, "2025-01-07T14:00:00Z");
	assert_time("2025-01-07 10:30Z", "%F %H:%M%z", "Asia/Seoul", "2025-01-07T10:30:00Z");
	assert_time("1736245800", "%s", "Asia/Seoul", "2025-01-07T10:30:00Z");
}

static void what_has_another_form_or_no_meaning_is_no_time(void **state)
{
	(void)state;
	assert_time("07.01.2025", "%d.%m.%Y %H:%M", NULL, NULL);
	assert_time("07.01.2025 10:30 ", "%d.%m.%Y %H:%M", NULL, NULL);
	assert_time("31.02.2025", "%d.%m.%Y", NULL, NULL);
	assert_time("00.01.2025", "%d.%m.%Y", NULL, NULL);
	assert_time("07.13.2025", "%d.%m.%Y", NULL, NULL);
	assert_time("07.01.0000", "%d.%m.%Y", NULL, NULL);
	assert_time("07.01.2025 24:00", "%d.%m.%Y %H:%M", NULL, NULL);
	assert_time("13:00 am 2025-01-07", "%I:%M %p %F", NULL, NULL);
	assert_time("7 Foo 2025", "%d %b %Y", NULL, NULL);
	assert_time("", "%F", NULL, NULL);
	assert_time("9999999999999", "%s", NULL, NULL);
}

static void plain_times_are_read_in_the_zone_unless_they_have_an_offset(void **state)
{
	(void)state;
	assert_time("2025-01-07", NULL, "Asia/Seoul", "2025-01-06T15:00:00Z");
	assert_time("2025-01-07 10:30", NULL, "Asia/Seoul", "2025-01-07T01:30:00Z");
	assert_time("2025-01-07T10:30:00.5", NULL, "Asia/Seoul", "2025-01-07T01:30:00.500Z");
	assert_time("2025-01-07T10:30:00Z", NULL, "Asia/Seoul", "2025-01-07T10:30:00Z");
	assert_time("2025-01-07T10:30:00-01:00", NULL, "Asia/Seoul", "2025-01-07T11:30:00Z");
	assert_time("2025-01-07 10:30", NULL, NULL, "2025-01-07T10:30:00Z");
	assert_time("0001-01-01", NULL, "Asia/Seoul", NULL);
	assert_time("7.1.2025", NULL, NULL, NULL);
}

static void formats_that_mean_nothing_are_refused(void **state)
{
	static const char *const formats[] = {"", "%", "%Q", "%d %", "%H:%M", "today"};
	struct error             err;
	(void)state;
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		assert_int_equal(import_time_check(text_of(formats[i]), &err), STATUS_INVALID);
	assert_int_equal(import_time_check(TEXT("%d.%m.%Y"), &err), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_say_where_the_parts_stand),
		cmocka_unit_test(offsets_go_before_the_zone),
		cmocka_unit_test(what_has_another_form_or_no_meaning_is_no_time),
		cmocka_unit_test(plain_times_are_read_in_the_zone_unless_they_have_an_offset),
		cmocka_unit_test(formats_that_mean_nothing_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
