#include "engine/apply/future.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../seed.h"

static void events_come_out_in_order_of_time_then_position(void **state)
{
	(void)state;
	struct future future = {0};
	for (uint64_t i = 0; i < 500; i++)
		future_add(&future, (struct future_event){(int64_t)seed_below(50), 1, i});

	struct future_event event, before = {.time_ms = -1};
	unsigned            taken = 0;
	while (future_take(&future, 25, &event)) {
		assert_true(event.time_ms > before.time_ms ||
		            (event.time_ms == before.time_ms && event.position > before.position));
		before = event;
		taken++;
	}
	assert_int_equal(taken + future.count, 500);
	while (future_take(&future, 50, &event))
		assert_true(event.time_ms > 25);
	assert_int_equal(future.count, 0);
	future_done(&future);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_out_in_order_of_time_then_position),
	};
	seed_begin("future");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
