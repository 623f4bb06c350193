#include "app/simulate/sim_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "app/simulate/sim_chance.h"

enum { ENTRIES = 5000 };

static char things[ENTRIES];

static void what_is_earlier_comes_first_and_of_one_instant_what_was_added_first(void **state)
{
	(void)state;
	struct sim_queue  queue      = {0};
	struct sim_chance chance     = {9};
	int64_t           last_ms    = -1;
	uint64_t          last_order = 0;
	for (unsigned i = 0; i < ENTRIES; i++)
		sim_queue_add(&queue, (int64_t)sim_below(&chance, 700), &things[i]);
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct sim_entry entry = sim_queue_take(&queue);
		assert_true(entry.at_ms > last_ms || (entry.at_ms == last_ms && entry.order > last_order));
		assert_ptr_equal(entry.what, &things[entry.order]);
		last_ms    = entry.at_ms;
		last_order = entry.order;
	}
	assert_int_equal(queue.heap.count, 0);
	sim_queue_done(&queue);
}

static void adding_and_taking_by_turns_keeps_the_order(void **state)
{
	(void)state;
	struct sim_queue  queue  = {0};
	struct sim_chance chance = {10};
	int64_t           now_ms = 0;
	sim_queue_add(&queue, 0, things);
	sim_queue_add(&queue, 0, things);
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct sim_entry entry = sim_queue_take(&queue);
		assert_true(entry.at_ms >= now_ms);
		now_ms = entry.at_ms;
		sim_queue_add(&queue, now_ms + (int64_t)sim_below(&chance, 1000), things);
		if (i % 3 == 0)
			sim_queue_add(&queue, now_ms + (int64_t)sim_below(&chance, 1000), things);
	}
	sim_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_earlier_comes_first_and_of_one_instant_what_was_added_first),
		cmocka_unit_test(adding_and_taking_by_turns_keeps_the_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
