#include "base/instant.h"

#include <assert.h>
#include <stdio.h>

/* What is left to read; every function below takes what it recognises from the front. */
struct scan {
	const char *at;
	const char *end;
};

static bool scan_char(struct scan *scan, char upper, char lower)
{
	if (scan->at == scan->end || (*scan->at != upper && *scan->at != lower))
		return false;
	scan->at++;
	return true;
}

/* Exactly `digits` digits, from `min` to `max`. */
static bool scan_number(struct scan *scan, unsigned digits, int min, int max, int *ret_number)
{
	int number = 0;
	if (scan->end - scan->at < (ptrdiff_t)digits)
		return false;
	for (; digits > 0; digits--, scan->at++) {
		if (*scan->at < '0' || *scan->at > '9')
			return false;
		number = number * 10 + (*scan->at - '0');
	}
	*ret_number = number;
	return number >= min && number <= max;
}

int instant_days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool             leap   = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01, proleptic Gregorian (H. Hinnant, "chrono-compatible low-level date
 * algorithms"): years begin in March, so that the leap day is the last one. */
int64_t instant_days_of_date(int year, int month, int day)
{
	int64_t from_march  = month <= 2 ? year - 1 : year;
	int64_t era         = (from_march >= 0 ? from_march : from_march - 399) / 400;
	int64_t year_of_era = from_march - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era  = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	days += 719468;
	int64_t era        = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month       = (5 * day_of_year + 2) / 153; /* 0 is March */

	*ret_day   = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year  = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

void instant_date(int64_t ms, int *ret_year, int *ret_month, int *ret_day)
{
	date_of_days(instant_floor_day_ms(ms) / DAY_MS, ret_year, ret_month, ret_day);
}

static bool scan_date(struct scan *scan, int64_t *ret_ms)
{
	int year, month, day;
	if (!scan_number(scan, 4, 1, 9999, &year) || !scan_char(scan, '-', '-') ||
	    !scan_number(scan, 2, 1, 12, &month) || !scan_char(scan, '-', '-') ||
	    !scan_number(scan, 2, 1, instant_days_of_month(year, month), &day))
		return false;
	*ret_ms = instant_days_of_date(year, month, day) * DAY_MS;
	return true;
}

/* "." and at least one digit; from the fourth on they are cut off. */
static bool scan_fraction(struct scan *scan, int *ret_ms)
{
	*ret_ms = 0;
	if (!scan_char(scan, '.', '.'))
		return true;
	int         unit  = 100;
	const char *begin = scan->at;
	for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++, unit /= 10)
		*ret_ms += (*scan->at - '0') * unit;
	return scan->at > begin;
}

static bool scan_time(struct scan *scan, int64_t *ret_ms)
{
	int hour, minute, second, ms;
	if (!scan_number(scan, 2, 0, 23, &hour) || !scan_char(scan, ':', ':') ||
	    !scan_number(scan, 2, 0, 59, &minute) || !scan_char(scan, ':', ':') ||
	    !scan_number(scan, 2, 0, 59, &second) || !scan_fraction(scan, &ms))
		return false;
	*ret_ms = ((hour * INT64_C(60) + minute) * 60 + second) * 1000 + ms;
	return true;
}

/* Nothing is UTC. */
static bool scan_offset(struct scan *scan, int64_t *ret_ms)
{
	*ret_ms = 0;
	if (scan->at == scan->end || scan_char(scan, 'Z', 'z'))
		return true;
	int  hour, minute;
	bool east = scan_char(scan, '+', '+');
	if ((!east && !scan_char(scan, '-', '-')) || !scan_number(scan, 2, 0, 23, &hour) ||
	    !scan_char(scan, ':', ':') || !scan_number(scan, 2, 0, 59, &minute))
		return false;
	*ret_ms = (hour * 60 + minute) * MINUTE_MS * (east ? 1 : -1);
	return true;
}

bool instant_parse(struct text text, int64_t *ret_ms)
{
	struct scan scan = {text.data, text.data + text.length};
	int64_t     date_ms, time_ms, offset_ms;
	if (text.length == 0 || !scan_date(&scan, &date_ms))
		return false;
	if (scan.at == scan.end) {
		*ret_ms = date_ms;
		return true;
	}
	if (!scan_char(&scan, 'T', 't') || !scan_time(&scan, &time_ms) ||
	    !scan_offset(&scan, &offset_ms) || scan.at != scan.end)
		return false;

	/* An offset may lead out of the years that can be written again. */
	int64_t ms = date_ms + time_ms - offset_ms;
	if (ms < INSTANT_MS_MIN || ms > INSTANT_MS_MAX)
		return false;
	*ret_ms = ms;
	return true;
}

static char *put_digits(char *at, int number, int digits)
{
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
	return at + digits;
}

struct text instant_format(int64_t ms, char into[INSTANT_TEXT_BYTES])
{
	assert(ms >= INSTANT_MS_MIN && ms <= INSTANT_MS_MAX);

	int64_t midnight = instant_floor_day_ms(ms);
	int     of_day   = (int)(ms - midnight);
	int     year, month, day;
	date_of_days(midnight / DAY_MS, &year, &month, &day);

	char *at = put_digits(into, year, 4);
	*at++    = '-';
	at       = put_digits(at, month, 2);
	*at++    = '-';
	at       = put_digits(at, day, 2);
	*at++    = 'T';
	at       = put_digits(at, of_day / 3600000, 2);
	*at++    = ':';
	at       = put_digits(at, of_day / 60000 % 60, 2);
	*at++    = ':';
	at       = put_digits(at, of_day / 1000 % 60, 2);
	if (of_day % 1000 != 0) {
		*at++ = '.';
		at    = put_digits(at, of_day % 1000, 3);
	}
	*at++ = 'Z';
	*at   = '\0';
	return (struct text){into, (size_t)(at - into)};
}

/* Largest first: duration_format() takes the first that divides, from days on: "7d" is what people
 * write, and what they wrote as "7d" must not come back as "1w". */
static const struct {
	char    letter;
	int64_t ms;
} units[] = {
	{'w', 7 * DAY_MS}, {'d', DAY_MS}, {'h', 60 * MINUTE_MS}, {'m', MINUTE_MS}, {'s', 1000},
};
enum { UNIT_COUNT = sizeof units / sizeof units[0], UNIT_DAY = 1 };

bool duration_parse(struct text text, int64_t *ret_ms)
{
	*ret_ms = 0;
	if (text.length < 2)
		return false;

	int64_t number = 0;
	for (size_t i = 0; i + 1 < text.length; i++) {
		char c = text.data[i];
		if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, c - '0', &number))
			return false;
	}
	for (int i = 0; i < UNIT_COUNT; i++) {
		int64_t ms;
		if (text.data[text.length - 1] != units[i].letter ||
		    __builtin_mul_overflow(number, units[i].ms, &ms))
			continue;
		*ret_ms = ms;
		return ms >= DURATION_MS_MIN && ms <= DURATION_MS_MAX;
	}
	return false;
}

struct text duration_format(int64_t ms, char into[DURATION_TEXT_BYTES])
{
	assert(ms >= 0 && ms % 1000 == 0);

	int unit = ms == 0 ? UNIT_COUNT - 1 : UNIT_DAY;
	while (ms % units[unit].ms != 0)
		unit++;
	int length = snprintf(into, DURATION_TEXT_BYTES, "%lld%c", (long long)(ms / units[unit].ms),
	                      units[unit].letter);
	return (struct text){into, (size_t)length};
}
