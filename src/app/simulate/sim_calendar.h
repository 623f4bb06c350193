#ifndef SONNIM_APP_SIMULATE_SIM_CALENDAR_H
#define SONNIM_APP_SIMULATE_SIM_CALENDAR_H

/* How busy it is: the hour of the day, the day of the week, the season, and campaigns.
 *
 *   weight = hour × weekday × month [× a campaign's], in SIM_WEIGHT_ONE; the mean over a year
 *            without campaigns is 1
 *
 * Hours are those of a time zone; campaigns, one a month, begin and end at midnight there. A
 * function of the instant alone: what it was is not kept. */

#include <stdbool.h>
#include <stdint.h>

#include "base/zone.h"

enum sim_shape { SIM_SHOP, SIM_TRAVEL };

enum { SIM_WEIGHT_ONE = 1024 };

struct sim_calendar {
	const struct zone *zone;
	enum sim_shape     shape;
	uint64_t           seed;
	bool               flat; /* always 1, without campaigns */
};

struct sim_campaign {
	char        key[32]; /* "summer-2026-07" */
	const char *name;
	const char *medium;
	unsigned    percent; /* off */
	int64_t     begin_ms, end_ms;
};

unsigned sim_calendar_weight(const struct sim_calendar *calendar, int64_t at_ms);

/* No weight is above this. */
unsigned sim_calendar_weight_max(const struct sim_calendar *calendar);

/* The campaign that runs at this instant. False: none. */
bool sim_calendar_campaign(const struct sim_calendar *calendar, int64_t at_ms,
                           struct sim_campaign *ret_campaign);

/* Days since 1970-01-01 there; day 3 was a Sunday. */
int64_t sim_calendar_day(const struct sim_calendar *calendar, int64_t at_ms);

#endif
