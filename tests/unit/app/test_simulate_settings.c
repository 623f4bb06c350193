#include "app/command/simulate_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/instant.h"

#define NOW_MS INT64_C(1773014400000) /* 2026-03-09T00:00:00Z */
#define DAY    "2026-03-01"
#define DAY_AT (NOW_MS - 8 * DAY_MS)

/* What the flags in `line` (parted by blanks) come to. */
static enum exit_code plan_of(const char *line, struct simulate_plan *ret_plan)
{
	char                     copy[256], name[] = "simulate", *words[32] = {name}, *rest = NULL;
	int                      count  = 1;
	struct simulate_settings target = {0};
	struct settings          own    = simulate_settings_of(&target);
	struct error             err;
	snprintf(copy, sizeof copy, "%s", line);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	assert_int_equal(settings_load(&own, 1, &err), STATUS_OK);
	assert_int_equal(settings_parse_flags(&own, 1, &count, words, &err), STATUS_OK);
	*ret_plan           = (struct simulate_plan){0};
	enum exit_code code = simulate_plan_open(ret_plan, &target, NOW_MS);
	simulate_plan_close(ret_plan);
	settings_done(&own, 1);
	return code;
}

static void without_flags_traffic_goes_on_from_now_with_the_clock(void **state)
{
	(void)state;
	struct simulate_plan plan;
	assert_int_equal(plan_of("", &plan), EXIT_DONE);
	assert_int_equal(plan.traffic.scenario, SIM_TRAFFIC);
	assert_int_equal(plan.traffic.shape, SIM_SHOP);
	assert_true(plan.traffic.start_ms == NOW_MS && plan.end_ms == INSTANT_MS_NEVER);
	assert_true(plan.speed == 1 && !plan.live && !plan.move_clock);
}

static void an_end_is_given_as_an_instant_or_as_a_duration(void **state)
{
	(void)state;
	struct simulate_plan plan;
	assert_int_equal(plan_of("--start " DAY " --end 2026-03-04 --speed 0", &plan), EXIT_DONE);
	assert_true(plan.traffic.start_ms == DAY_AT && plan.end_ms == DAY_AT + 3 * DAY_MS);
	assert_int_equal(plan_of("--start " DAY " --duration 3d --speed 0", &plan), EXIT_DONE);
	assert_true(plan.end_ms == DAY_AT + 3 * DAY_MS);
}

static void scenarios_about_what_was_end_now(void **state)
{
	(void)state;
	struct simulate_plan plan;
	assert_int_equal(plan_of("--scenario ltv", &plan), EXIT_DONE);
	assert_true(plan.end_ms == NOW_MS && plan.traffic.start_ms == NOW_MS - 365 * DAY_MS);
	assert_true(plan.speed == 0 && plan.traffic.length_ms <= 31 * DAY_MS);
	assert_int_equal(plan_of("--scenario funnel", &plan), EXIT_DONE);
	assert_true(plan.end_ms == NOW_MS && plan.traffic.length_ms <= DAY_MS / 24 + 1);
	assert_int_equal(plan_of("--scenario dashboard --end 2026-03-04", &plan), EXIT_DONE);
	assert_true(plan.end_ms == DAY_AT + 3 * DAY_MS && plan.traffic.start_ms < plan.end_ms);
}

static void travelling_in_time_moves_the_clock(void **state)
{
	(void)state;
	struct simulate_plan plan;
	assert_int_equal(plan_of("--scenario time-travel --start " DAY, &plan), EXIT_DONE);
	assert_true(plan.move_clock && plan.end_ms == DAY_AT + 30 * DAY_MS);
	assert_int_equal(plan.traffic.scenario, SIM_TRAFFIC);
}

static void what_does_not_go_together_is_wrong_usage(void **state)
{
	static const char *const lines[] = {
		"--shape bank",
		"--scenario party",
		"--zone Mars/Olympus",
		"--end someday",
		"--speed 0",
		"--end 2026-03-20 --duration 3d",
		"--start 2026-03-04 --end 2026-03-04",
		"--live --speed 5",
		"--live --dry-run",
		"--live --move-clock",
		"--live --scenario funnel",
		"--end 2026-03-01",
	};
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct simulate_plan plan;
		assert_int_equal(plan_of(lines[i], &plan), EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_flags_traffic_goes_on_from_now_with_the_clock),
		cmocka_unit_test(an_end_is_given_as_an_instant_or_as_a_duration),
		cmocka_unit_test(scenarios_about_what_was_end_now),
		cmocka_unit_test(travelling_in_time_moves_the_clock),
		cmocka_unit_test(what_does_not_go_together_is_wrong_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
