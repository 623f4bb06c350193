#include "app/simulate/sim_calendar.h"

#include <stdio.h>

#include "app/simulate/sim_chance.h"
#include "base/instant.h"

enum {
	ONE               = SIM_WEIGHT_ONE,
	CAMPAIGN_WEIGHT   = ONE * 3 / 2,
	CAMPAIGN_DAYS_MIN = 3,
	CAMPAIGN_DAYS_MAX = 7,
	WEIGHT_MAX        = 6 * ONE, /* above 2.05 × 1.4 × 1.4 × 1.5 */
};

/* Each list's mean is ONE. */
static const uint16_t hours[24]     = {724,  422,  241,  145,  121,  169,  338,  603,
                                       905,  1086, 1146, 1170, 1267, 1243, 1194, 1170,
                                       1146, 1122, 1207, 1448, 1810, 2051, 2075, 1773};
static const uint16_t weekdays[][7] = {
	/* Sunday to Saturday */
	[SIM_SHOP]   = {1126, 1024, 972, 972, 972, 1000, 1102},
	[SIM_TRAVEL] = {1290, 940, 880, 900, 960, 1058, 1140},
};
static const uint16_t months[][12] = {
	[SIM_SHOP]   = {980, 930, 950, 960, 1000, 960, 930, 920, 1020, 1010, 1340, 1288},
	[SIM_TRAVEL] = {830, 840, 900, 1030, 1130, 1050, 1420, 1400, 900, 1060, 820, 908},
};

struct season {
	const char *key;
	const char *name;
};
static const struct season seasons[12] = {
	{"new-year", "새해맞이"},   {"valentine", "밸런타인"},      {"spring", "봄맞이"},
	{"blossom", "벚꽃 여행"},   {"family", "가정의 달"},        {"early-summer", "얼리 썸머"},
	{"summer", "여름 휴가"},    {"last-summer", "늦여름"},      {"harvest", "추석 선물"},
	{"foliage", "단풍 나들이"}, {"big-sale", "블랙프라이데이"}, {"christmas", "크리스마스"},
};
static const char *const media[] = {"email", "push", "sms", "cpc", "social"};

static int64_t local_of(const struct sim_calendar *calendar, int64_t at_ms)
{
	return at_ms + zone_offset_ms(calendar->zone, at_ms);
}

static int64_t day_of(int64_t local_ms) { return instant_floor_day_ms(local_ms) / DAY_MS; }

int64_t sim_calendar_day(const struct sim_calendar *calendar, int64_t at_ms)
{
	return day_of(local_of(calendar, at_ms));
}

/* From one full hour to the next it changes evenly. */
static unsigned hour_weight(int64_t local_ms)
{
	int64_t  of_day = local_ms - instant_floor_day_ms(local_ms);
	unsigned hour = (unsigned)(of_day / 3600000), passed = (unsigned)(of_day % 3600000 / 1000);
	return (hours[hour] * (3600 - passed) + hours[(hour + 1) % 24] * passed) / 3600;
}

/* One in each month, somewhere within its first three weeks. */
static void campaign_of(const struct sim_calendar *calendar, int year, int month,
                        struct sim_campaign *ret_campaign)
{
	uint64_t owner    = (uint64_t)year * 12 + (uint64_t)month;
	int      first    = 1 + (int)(sim_hash(calendar->seed, owner, 1) % 21);
	unsigned days     = CAMPAIGN_DAYS_MIN + (unsigned)(sim_hash(calendar->seed, owner, 2) %
                                                   (CAMPAIGN_DAYS_MAX - CAMPAIGN_DAYS_MIN + 1));
	int64_t  begin_ms = instant_days_of_date(year, month, first) * DAY_MS;

	*ret_campaign = (struct sim_campaign){
		.name     = seasons[month - 1].name,
		.medium   = media[sim_hash(calendar->seed, owner, 3) % (sizeof media / sizeof media[0])],
		.percent  = 10 + 5 * (unsigned)(sim_hash(calendar->seed, owner, 4) % 5),
		.begin_ms = zone_instant_ms(calendar->zone, begin_ms),
		.end_ms   = zone_instant_ms(calendar->zone, begin_ms + days * DAY_MS),
	};
	snprintf(ret_campaign->key, sizeof ret_campaign->key, "%s-%04d-%02d", seasons[month - 1].key,
	         year, month);
}

static bool runs(const struct sim_campaign *campaign, int64_t at_ms)
{
	return at_ms >= campaign->begin_ms && at_ms < campaign->end_ms;
}

bool sim_calendar_campaign(const struct sim_calendar *calendar, int64_t at_ms,
                           struct sim_campaign *ret_campaign)
{
	int year, month, day;
	if (calendar->flat)
		return false;
	instant_date(local_of(calendar, at_ms), &year, &month, &day);
	campaign_of(calendar, year, month, ret_campaign);
	return runs(ret_campaign, at_ms);
}

unsigned sim_calendar_weight_max(const struct sim_calendar *calendar)
{
	return calendar->flat ? ONE : WEIGHT_MAX;
}

unsigned sim_calendar_weight(const struct sim_calendar *calendar, int64_t at_ms)
{
	if (calendar->flat)
		return ONE;
	struct sim_campaign campaign;
	int64_t             local_ms = local_of(calendar, at_ms);
	int                 year, month, day;
	instant_date(local_ms, &year, &month, &day);
	/* 1970-01-01 was a Thursday. */
	unsigned weekday = (unsigned)((day_of(local_ms) % 7 + 7 + 4) % 7);
	uint64_t weight  = hour_weight(local_ms);
	weight           = weight * weekdays[calendar->shape][weekday] / ONE;
	weight           = weight * months[calendar->shape][month - 1] / ONE;
	if (sim_calendar_campaign(calendar, at_ms, &campaign))
		weight = weight * CAMPAIGN_WEIGHT / ONE;
	return (unsigned)weight;
}
