#include "app/simulate/sim_calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/instant.h"
#include "base/text.h"

#define HOUR_MS  INT64_C(3600000)
#define START_MS INT64_C(1767193200000) /* 2026-01-01 00:00 in Seoul */

static struct zone *zone;

static int open_zone(void **state)
{
	struct error err;
	(void)state;
	return zone_open(TEXT("+09:00"), &zone, &err) == STATUS_OK ? 0 : -1;
}

static int close_zone(void **state)
{
	(void)state;
	zone_close(zone);
	return 0;
}

static struct sim_calendar calendar_of(enum sim_shape shape)
{
	return (struct sim_calendar){.zone = zone, .shape = shape, .seed = 5};
}

/* Days without a campaign only; a year has all months and weekdays, about evenly. */
static unsigned mean_weight(const struct sim_calendar *calendar)
{
	uint64_t sum = 0, count = 0;
	for (int64_t at_ms = START_MS; at_ms < START_MS + 365 * DAY_MS; at_ms += HOUR_MS / 4) {
		struct sim_campaign campaign;
		unsigned            weight = sim_calendar_weight(calendar, at_ms);
		assert_true(weight <= sim_calendar_weight_max(calendar));
		if (sim_calendar_campaign(calendar, at_ms, &campaign))
			weight = weight * 2 / 3;
		sum += weight;
		count++;
	}
	return (unsigned)(sum / count);
}

static void the_mean_over_a_year_is_one(void **state)
{
	(void)state;
	for (enum sim_shape shape = SIM_SHOP; shape <= SIM_TRAVEL; shape++) {
		struct sim_calendar calendar = calendar_of(shape);
		assert_in_range(mean_weight(&calendar), SIM_WEIGHT_ONE * 98 / 100,
		                SIM_WEIGHT_ONE * 102 / 100);
	}
}

static void evenings_there_are_busier_than_nights(void **state)
{
	(void)state;
	struct sim_calendar calendar = calendar_of(SIM_SHOP);
	for (int64_t day = 0; day < 365; day++) {
		unsigned night   = sim_calendar_weight(&calendar, START_MS + day * DAY_MS + 4 * HOUR_MS);
		unsigned evening = sim_calendar_weight(&calendar, START_MS + day * DAY_MS + 21 * HOUR_MS);
		assert_true(evening > 10 * night);
	}
}

static unsigned weight_of_day(enum sim_shape shape, int64_t day)
{
	struct sim_calendar calendar = calendar_of(shape);
	struct sim_campaign campaign;
	int64_t             at_ms  = START_MS + day * DAY_MS + 12 * HOUR_MS;
	unsigned            weight = sim_calendar_weight(&calendar, at_ms);
	return sim_calendar_campaign(&calendar, at_ms, &campaign) ? weight * 2 / 3 : weight;
}

static void travel_is_busy_on_sundays_and_in_summer_and_shops_before_christmas(void **state)
{
	(void)state;
	/* 2026-01-04 was a Sunday, 2026-01-06 a Tuesday; July and December begin at 181 and 334. */
	assert_true(weight_of_day(SIM_TRAVEL, 3) > weight_of_day(SIM_TRAVEL, 5) * 14 / 10);
	assert_true(weight_of_day(SIM_TRAVEL, 181 + 7) > weight_of_day(SIM_TRAVEL, 7) * 16 / 10);
	assert_true(weight_of_day(SIM_SHOP, 334 + 13) > weight_of_day(SIM_SHOP, 181 + 7 * 3) * 12 / 10);
}

static void a_campaign_runs_in_each_month_for_whole_days_there(void **state)
{
	(void)state;
	struct sim_calendar calendar = calendar_of(SIM_SHOP);
	struct sim_campaign campaign, last = {.key = ""};
	unsigned            count = 0;
	for (int64_t at_ms = START_MS; at_ms < START_MS + 365 * DAY_MS; at_ms += HOUR_MS) {
		if (!sim_calendar_campaign(&calendar, at_ms, &campaign) ||
		    strcmp(campaign.key, last.key) == 0)
			continue;
		assert_true(campaign.begin_ms == at_ms);
		assert_true((campaign.begin_ms - START_MS) % DAY_MS == 0);
		assert_in_range((campaign.end_ms - campaign.begin_ms) / DAY_MS, 3, 7);
		last = campaign;
		count++;
	}
	assert_int_equal(count, 12);
}

static void a_flat_calendar_is_the_same_all_the_time(void **state)
{
	(void)state;
	struct sim_campaign campaign;
	struct sim_calendar calendar = calendar_of(SIM_TRAVEL);
	calendar.flat                = true;
	for (int64_t at_ms = START_MS; at_ms < START_MS + 40 * DAY_MS; at_ms += HOUR_MS) {
		assert_int_equal(sim_calendar_weight(&calendar, at_ms), SIM_WEIGHT_ONE);
		assert_false(sim_calendar_campaign(&calendar, at_ms, &campaign));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mean_over_a_year_is_one),
		cmocka_unit_test(evenings_there_are_busier_than_nights),
		cmocka_unit_test(travel_is_busy_on_sundays_and_in_summer_and_shops_before_christmas),
		cmocka_unit_test(a_campaign_runs_in_each_month_for_whole_days_there),
		cmocka_unit_test(a_flat_calendar_is_the_same_all_the_time),
	};
	return cmocka_run_group_tests(tests, open_zone, close_zone);
}
