#ifndef SONNIM_JOB_CRON_H
#define SONNIM_JOB_CRON_H

/* Cron expressions of five fields, separated by blanks:
 *
 *   minute 0–59   hour 0–23   day of the month 1–31   month 1–12, JAN–DEC   weekday 0–7, SUN–SAT
 *
 * A field is a list (`1,15,30`) of `*`, a number or name, a range (`MON-FRI`), each with a step
 * (`*` `/15`, `8-18/2`; `5/10` is from 5 to the last). 0 and 7 are Sunday; names in any case. When
 * both day fields are restricted (do not begin with `*`), a day has to match one of them only.
 *
 * In the zone's local time. Where clocks are set forward, a time that they skip is read by the
 * offset before: 02:30 is 03:30 by the new time, so that nothing is left out. Where they are set
 * back, a time that comes twice counts once, the first time; but when the hour field is `*` (every
 * hour of 24) it counts both times, so that `*` `/15` goes on every 15 minutes. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "base/zone.h"

enum { CRON_TEXT_BYTES_MAX = 256 };

/* Sets of numbers as bits. */
struct cron {
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;
	uint16_t months;
	uint8_t  weekdays;
	bool     any_day;     /* the field begins with `*` */
	bool     any_weekday; /* likewise */
};

/* STATUS_INVALID, field "cron": what is wrong, or there is no such day in any year. */
MUST_USE enum status cron_parse(struct text text, struct cron *ret_cron, struct error *err);

/* The first instant behind `after_ms`; INSTANT_MS_NEVER in the last years that there are. Cost:
 * microseconds; milliseconds when it is years ahead. */
int64_t cron_next_ms(const struct cron *cron, const struct zone *zone, int64_t after_ms);

#endif
