#ifndef SONNIM_BASE_INSTANT_H
#define SONNIM_BASE_INSTANT_H

/* Instants and durations in the forms that the language and the API take (contracts, rule 7).
 * An instant is a whole number of milliseconds since 1970-01-01T00:00:00Z; years 0001 to 9999.
 * A duration is one integer and one of s, m, h, d (86,400,000 ms), w, from 60 s to 1,095 d. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define DAY_MS           INT64_C(86400000)
#define MINUTE_MS        INT64_C(60000)
#define DURATION_MS_MIN  (60 * INT64_C(1000))
#define DURATION_MS_MAX  (1095 * DAY_MS)
#define INSTANT_MS_MIN   INT64_C(-62135596800000) /* 0001-01-01T00:00:00Z */
#define INSTANT_MS_MAX   INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define INSTANT_MS_NONE  INT64_MIN                /* "no instant", where a field is optional */
#define INSTANT_MS_NEVER INT64_MAX                /* behind every instant */

/* RFC 3339: T or t, Z or z or an offset, seconds required, no :60; finer fractions are cut off.
 * A date, or a time without offset, is read in UTC (00:00 for a date). False: not an instant.
 * The same form makes a string value of an event or trait a time (rule 17). */
bool instant_parse(struct text text, int64_t *ret_ms);

enum { INSTANT_TEXT_BYTES = 32, DURATION_TEXT_BYTES = 24 };

/* "2025-01-07T10:30:00Z", with ".123" only when the milliseconds are not 0; with a NUL.
 * Only from INSTANT_MS_MIN to INSTANT_MS_MAX (asserted). */
struct text instant_format(int64_t ms, char into[INSTANT_TEXT_BYTES]);

/* The calendar (Gregorian, also where another was used): days since 1970-01-01 of a date whose
 * month is 1 to 12 and whose day may be any, the date of an instant in UTC, a month's length. */
int64_t instant_days_of_date(int year, int month, int day);
void    instant_date(int64_t ms, int *ret_year, int *ret_month, int *ret_day);
int     instant_days_of_month(int year, int month);

/* False: no such duration, or out of range (`*ret_ms` is then the value where it could be read,
 * else 0, so that a caller can say which of the two it is). */
bool duration_parse(struct text text, int64_t *ret_ms);

/* In the largest unit up to days that divides it without rest: "10m", "7d", "14d". Whole seconds
 * only (asserted). */
struct text duration_format(int64_t ms, char into[DURATION_TEXT_BYTES]);

/* 00:00 UTC of the day in which `ms` lies, also before 1970. */
static inline int64_t instant_floor_day_ms(int64_t ms)
{
	int64_t rest = ms % DAY_MS;
	return ms - (rest < 0 ? rest + DAY_MS : rest);
}

#endif
