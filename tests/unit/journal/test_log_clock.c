#include "journal/log_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "../seed.h"

#define HOUR_MS INT64_C(3600000)

static struct log_clock clock_at(int64_t wall_ms, int64_t monotonic_ms)
{
	struct log_clock clock;
	log_clock_init(&clock, LOG_CLOCK_WALL, false, (struct log_clock_sources){wall_ms, monotonic_ms},
	               0, NULL, 0);
	return clock;
}

static int64_t at(struct log_clock *clock, int64_t wall_ms, int64_t monotonic_ms)
{
	return log_clock_read(clock, (struct log_clock_sources){wall_ms, monotonic_ms});
}

static void it_follows_the_wall_clock(void **state)
{
	(void)state;
	struct log_clock clock = clock_at(1000, 5);
	assert_int_equal(at(&clock, 1000, 5), 1000);
	assert_int_equal(at(&clock, 1700, 705), 1700);
	assert_int_equal(at(&clock, 3000, 705), 3000);
}

static void it_runs_with_the_monotonic_clock_when_the_wall_clock_was_set_back(void **state)
{
	(void)state;
	struct log_clock clock = clock_at(10 * HOUR_MS, 0);
	assert_int_equal(at(&clock, 2 * HOUR_MS, 0), 10 * HOUR_MS);
	assert_int_equal(at(&clock, 2 * HOUR_MS + 40, 40), 10 * HOUR_MS + 40);
	assert_int_equal(at(&clock, 2 * HOUR_MS + 100, 100), 10 * HOUR_MS + 100);
}

static void it_stands_when_both_clocks_go_back(void **state)
{
	(void)state;
	struct log_clock clock = clock_at(1000, 500);
	assert_int_equal(at(&clock, 900, 400), 1000);
	assert_int_equal(at(&clock, 950, 499), 1000);
}

static void a_jump_of_just_an_hour_is_followed_and_one_millisecond_more_is_not(void **state)
{
	(void)state;
	struct log_clock clock = clock_at(0, 0);
	assert_int_equal(at(&clock, HOUR_MS, 0), HOUR_MS);
	assert_false(clock.held);
	assert_int_equal(at(&clock, 2 * HOUR_MS + 1, 0), HOUR_MS);
	assert_true(clock.held);
}

static void a_held_clock_runs_with_the_monotonic_one(void **state)
{
	(void)state;
	struct log_clock clock = clock_at(0, 0);
	at(&clock, 5 * HOUR_MS, 0);
	assert_int_equal(at(&clock, 5 * HOUR_MS + 70, 70), 70);
	assert_true(clock.held);
}

static void an_accepted_jump_is_followed(void **state)
{
	(void)state;
	struct log_clock clock;
	log_clock_init(&clock, LOG_CLOCK_WALL, true, (struct log_clock_sources){0, 0}, 0, NULL, 0);
	assert_int_equal(at(&clock, 500 * HOUR_MS, 10), 500 * HOUR_MS);
	assert_false(clock.held);
}

static struct log_clock resume(int64_t wall_ms, int64_t monotonic_ms, int64_t last_ms,
                               int64_t marked_ms, int64_t marked_monotonic_ms)
{
	struct log_clock  clock;
	struct frame_mark mark = {.monotonic_ms = marked_monotonic_ms};
	log_clock_init(&clock, LOG_CLOCK_WALL, false, (struct log_clock_sources){wall_ms, monotonic_ms},
	               last_ms, &mark, marked_ms);
	return clock;
}

static void it_resumes_at_the_last_stamp_when_the_wall_clock_is_behind(void **state)
{
	(void)state;
	struct log_clock clock;
	log_clock_init(&clock, LOG_CLOCK_WALL, false, (struct log_clock_sources){1000, 7}, 5000, NULL,
	               0);
	assert_int_equal(at(&clock, 1000, 7), 5000);
	assert_int_equal(at(&clock, 1010, 17), 5010);
}

static void a_time_away_that_the_mark_explains_is_no_jump(void **state)
{
	(void)state;
	struct log_clock clock = resume(50 * HOUR_MS, 49 * HOUR_MS, HOUR_MS, HOUR_MS, 0);
	assert_int_equal(at(&clock, 50 * HOUR_MS, 49 * HOUR_MS), 50 * HOUR_MS);
	assert_false(clock.held);
}

static void a_jump_while_away_is_held(void **state)
{
	(void)state;
	struct log_clock clock = resume(50 * HOUR_MS, 2 * HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS);
	assert_true(clock.held);
	assert_int_equal(at(&clock, 50 * HOUR_MS, 2 * HOUR_MS), 2 * HOUR_MS);
}

static void a_mark_of_a_monotonic_clock_ahead_of_ours_explains_nothing(void **state)
{
	(void)state;
	struct log_clock clock = resume(50 * HOUR_MS, 5, HOUR_MS, HOUR_MS, HOUR_MS);
	assert_false(clock.held);
	assert_int_equal(at(&clock, 50 * HOUR_MS, 5), 50 * HOUR_MS);
}

static void whatever_the_clocks_do_it_never_goes_back(void **state)
{
	(void)state;
	seed_begin("log clock");
	struct log_clock clock        = clock_at(100 * HOUR_MS, 0);
	int64_t          monotonic_ms = 0, wall_ms = 100 * HOUR_MS, last_ms = 0;
	for (unsigned i = 0; i < 100000; i++) {
		int64_t step_ms = (int64_t)seed_below(20);
		monotonic_ms += step_ms;
		wall_ms += step_ms;
		if (seed_below(50) == 0)
			wall_ms += (int64_t)seed_below(4 * HOUR_MS) - 2 * HOUR_MS;
		int64_t now_ms = at(&clock, wall_ms, monotonic_ms);
		assert_true(now_ms >= last_ms + (i == 0 ? 0 : step_ms));
		assert_true(now_ms >= wall_ms || clock.held);
		last_ms = now_ms;
	}
}

static void a_manual_clock_moves_only_when_it_is_set(void **state)
{
	(void)state;
	struct log_clock clock;
	struct error     err;
	log_clock_init(&clock, LOG_CLOCK_MANUAL, false, (struct log_clock_sources){9 * HOUR_MS, 9}, 0,
	               NULL, 0);
	assert_int_equal(at(&clock, 9 * HOUR_MS, 50), 0);
	assert_int_equal(log_clock_set(&clock, 700, &err), STATUS_OK);
	assert_int_equal(at(&clock, 10 * HOUR_MS, 5000), 700);
	assert_int_equal(log_clock_set(&clock, 699, &err), STATUS_CONFLICT);
	assert_int_equal(at(&clock, 10 * HOUR_MS, 5000), 700);
}

static void this_boot_has_an_id_that_stays(void **state)
{
	(void)state;
	uint8_t first[16], second[16], zeros[16] = {0};
	log_clock_boot_id(first);
	log_clock_boot_id(second);
	assert_memory_equal(first, second, sizeof first);
	assert_memory_not_equal(first, zeros, sizeof first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_follows_the_wall_clock),
		cmocka_unit_test(it_runs_with_the_monotonic_clock_when_the_wall_clock_was_set_back),
		cmocka_unit_test(it_stands_when_both_clocks_go_back),
		cmocka_unit_test(a_jump_of_just_an_hour_is_followed_and_one_millisecond_more_is_not),
		cmocka_unit_test(a_held_clock_runs_with_the_monotonic_one),
		cmocka_unit_test(an_accepted_jump_is_followed),
		cmocka_unit_test(it_resumes_at_the_last_stamp_when_the_wall_clock_is_behind),
		cmocka_unit_test(a_time_away_that_the_mark_explains_is_no_jump),
		cmocka_unit_test(a_jump_while_away_is_held),
		cmocka_unit_test(a_mark_of_a_monotonic_clock_ahead_of_ours_explains_nothing),
		cmocka_unit_test(whatever_the_clocks_do_it_never_goes_back),
		cmocka_unit_test(a_manual_clock_moves_only_when_it_is_set),
		cmocka_unit_test(this_boot_has_an_id_that_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
