#include "engine/apply/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../seed.h"
#include "base/instant.h"

static const union series_item nothing;

static struct series_value series_at(const struct series *series, const struct span *span,
                                     int64_t now_ms)
{
	return series_walk_from(series, span, now_ms).value;
}

static const struct span minute = {.within_ms    = MINUTE_MS,
                                   .from_ms      = INSTANT_MS_NONE,
                                   .to_ms        = INSTANT_MS_NEVER,
                                   .retention_ms = INSTANT_MS_NEVER};

static void an_event_counts_until_the_millisecond_at_which_it_turns_as_old_as_the_window(
	void **state)
{
	(void)state;
	struct series *series = series_add(series_new(SERIES_TIMES), 0, 1000, nothing);

	assert_int_equal(series_at(series, &minute, 999).count, 0);
	assert_int_equal(series_at(series, &minute, 1000).count, 1);
	assert_int_equal(series_at(series, &minute, 1000 + MINUTE_MS - 1).count, 1);
	assert_int_equal(series_at(series, &minute, 1000 + MINUTE_MS).count, 0);
	series_free(series);
}

static void a_late_amount_takes_its_place_among_the_others(void **state)
{
	(void)state;
	struct series *series = series_new(SERIES_TOTALS);
	series = series_add(series, 0, 1000, (union series_item){.amount_millionths = 10});
	series = series_add(series, 0, 50000, (union series_item){.amount_millionths = -3});
	series = series_add(series, 0, 20000, (union series_item){.amount_millionths = 5});

	assert_true(series_at(series, &minute, 50000).sum == 12);
	assert_true(series_at(series, &minute, 1000 + MINUTE_MS).sum == 2);
	assert_true(series_at(series, &minute, 20000 + MINUTE_MS).sum == -3);
	series_free(series);
}

static void a_capped_series_says_when_it_has_dropped_what_might_count(void **state)
{
	(void)state;
	struct series *series = series_new(SERIES_TIMES);
	for (int i = 0; i < 8; i++)
		series = series_add(series, 6, i * 1000, nothing);

	struct series_value value = series_at(series, &minute, 8000);
	assert_int_equal(value.count, 6);
	assert_false(value.complete);
	/* The oldest that is kept has ended: so have those that are not. */
	value = series_at(series, &minute, 2000 + MINUTE_MS);
	assert_int_equal(value.count, 5);
	assert_true(value.complete);
	series_free(series);
}

static void what_is_forgotten_takes_its_amounts_along(void **state)
{
	(void)state;
	struct series *series = series_new(SERIES_TOTALS);
	for (int i = 0; i < 5; i++)
		series = series_add(series, 0, i * 1000, (union series_item){.amount_millionths = 1 << i});

	series_forget(series, &minute, 2000 + MINUTE_MS);
	assert_int_equal(series->count, 2);
	assert_true(series_at(series, &minute, 2000 + MINUTE_MS).sum == 8 + 16);
	assert_true(series_at(series, &minute, 3000 + MINUTE_MS).sum == 16);
	series_free(series);
}

static void what_was_dropped_is_over_when_the_oldest_is_forgotten(void **state)
{
	(void)state;
	struct series *series = series_new(SERIES_TIMES);
	for (int i = 0; i < 8; i++)
		series = series_add(series, 6, i * 1000, nothing);
	series_forget(series, &minute, 2000 + MINUTE_MS);
	assert_true(series_at(series, &minute, 2000 + MINUTE_MS).complete);
	assert_int_equal(series_at(series, &minute, 2000 + MINUTE_MS).count, 5);
	series_free(series);
}

static void retention_ends_whole_days(void **state)
{
	(void)state;
	const struct span span = {
		.from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NEVER, .retention_ms = 10 * DAY_MS};
	struct series *series = series_add(series_new(SERIES_TIMES), 0, DAY_MS + 12345, nothing);

	assert_int_equal(series_at(series, &span, 11 * DAY_MS - 1).count, 1);
	assert_int_equal(series_at(series, &span, 11 * DAY_MS).count, 0);
	series_free(series);
}

static bool counts(const struct span *span, int64_t time_ms, int64_t now_ms)
{
	return time_ms >= span->from_ms && time_ms < span->to_ms &&
	       span_start_ms(span, time_ms) <= now_ms && now_ms < span_end_ms(span, time_ms);
}

enum { EVENTS = 30, END_MS = 4000 };

/* Small numbers, so that everything meets: every instant is compared with a plain count. */
static void check_random_span(void)
{
	struct span span = {
		.within_ms    = (int64_t)seed_below(3) * 700,
		.from_ms      = seed_below(3) == 0 ? 500 : INSTANT_MS_NONE,
		.to_ms        = seed_below(3) == 0 ? 1500 : INSTANT_MS_NEVER,
		.retention_ms = seed_below(2) ? INSTANT_MS_NEVER : 0,
	};
	if (span.within_ms > 0)
		span.until_ms = (int64_t)seed_below((uint64_t)span.within_ms);
	if (span.retention_ms == 0)
		span.retention_ms = 2500;
	int64_t        times[EVENTS];
	struct series *series = series_new(SERIES_TOTALS);
	for (int i = 0; i < EVENTS; i++) {
		times[i] = (int64_t)seed_below(2000);
		series   = series_add(series, 0, times[i],
		                      (union series_item){.amount_millionths = times[i] % 7 - 3});
	}

	struct series_walk  walk   = series_walk_from(series, &span, -1);
	bool                more   = series_walk_next(&walk);
	struct series_value before = series_at(series, &span, -1);
	for (int64_t now_ms = 0; now_ms < END_MS; now_ms++) {
		uint32_t count = 0;
		__int128 sum   = 0;
		for (int i = 0; i < EVENTS; i++) {
			if (!counts(&span, times[i], now_ms))
				continue;
			count++;
			sum += times[i] % 7 - 3;
		}
		struct series_value value = series_at(series, &span, now_ms);
		assert_int_equal(value.count, count);
		assert_true(value.sum == sum);
		if (more && walk.at_ms == now_ms) {
			assert_int_equal(walk.value.count, count);
			more = series_walk_next(&walk);
		} else {
			assert_int_equal(before.count, count);
		}
		before = value;
	}
	series_free(series);
}

static void any_span_counts_what_a_plain_loop_counts(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++)
		check_random_span();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_event_counts_until_the_millisecond_at_which_it_turns_as_old_as_the_window),
		cmocka_unit_test(a_late_amount_takes_its_place_among_the_others),
		cmocka_unit_test(a_capped_series_says_when_it_has_dropped_what_might_count),
		cmocka_unit_test(what_is_forgotten_takes_its_amounts_along),
		cmocka_unit_test(what_was_dropped_is_over_when_the_oldest_is_forgotten),
		cmocka_unit_test(retention_ends_whole_days),
		cmocka_unit_test(any_span_counts_what_a_plain_loop_counts),
	};
	seed_begin("series");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
