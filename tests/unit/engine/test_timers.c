#include "engine/apply/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../seed.h"
#include "base/instant.h"

static void a_timer_fires_at_its_very_millisecond(void **state)
{
	(void)state;
	struct timers timers;
	slot_list     slots = {0};
	int64_t       due_ms;
	timers_init(&timers, -1);
	timers_add(&timers, 7, 100000);

	assert_false(timers_advance(&timers, 99999, &due_ms, &slots));
	assert_true(timers_advance(&timers, 100000, &due_ms, &slots));

	assert_int_equal(due_ms, 100000);
	assert_int_equal(slots.count, 1);
	assert_int_equal(slots.items[0], 7);
	assert_int_equal(timers.count, 0);
	VECTOR_DONE(&slots);
	timers_done(&timers);
}

static void nothing_is_due_in_an_empty_wheel(void **state)
{
	(void)state;
	struct timers timers;
	slot_list     slots = {0};
	int64_t       due_ms;
	timers_init(&timers, 5);

	assert_false(timers_advance(&timers, INSTANT_MS_NEVER - 1, &due_ms, &slots));
	assert_true(timers_next_ms(&timers) == INSTANT_MS_NEVER);
	timers_done(&timers);
}

static int compare_due(const void *a, const void *b)
{
	int64_t left = ((const struct timer *)a)->due_ms, right = ((const struct timer *)b)->due_ms;
	return (left > right) - (left < right);
}

enum { TIMERS = 2000 };

/* Adds timers while time goes on; whatever fires is compared with a sorted list. */
static void timers_fire_in_order_whatever_their_distance(void **state)
{
	(void)state;
	static struct timer all[TIMERS];
	struct timers       timers;
	slot_list           slots  = {0};
	int64_t             now_ms = -1;
	size_t              added = 0, fired = 0;
	timers_init(&timers, now_ms);
	while (fired < TIMERS) {
		for (uint64_t more = seed_below(20); more > 0 && added < TIMERS; more--, added++) {
			int64_t due_ms = now_ms + 1 + (int64_t)(seed_next() >> (24 + seed_below(40)));
			all[added]     = (struct timer){due_ms, (uint32_t)added};
			timers_add(&timers, (uint32_t)added, due_ms);
		}
		qsort(all + fired, added - fired, sizeof all[0], compare_due);
		int64_t through_ms = now_ms + (int64_t)(seed_next() >> (24 + seed_below(40)));
		int64_t due_ms;
		while (timers_advance(&timers, through_ms, &due_ms, &slots)) {
			for (size_t i = 0; i < slots.count; i++, fired++)
				assert_true(all[fired].due_ms == due_ms);
			slots.count = 0;
		}
		assert_true(fired == added || all[fired].due_ms > through_ms);
		assert_true(fired == added || timers_next_ms(&timers) <= all[fired].due_ms);
		now_ms = through_ms;
	}
	VECTOR_DONE(&slots);
	timers_done(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_at_its_very_millisecond),
		cmocka_unit_test(nothing_is_due_in_an_empty_wheel),
		cmocka_unit_test(timers_fire_in_order_whatever_their_distance),
	};
	seed_begin("timers");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
