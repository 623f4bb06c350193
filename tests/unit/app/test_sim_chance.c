#include "app/simulate/sim_chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { DRAWS = 200000 };

static void the_same_seed_gives_the_same_numbers_on_every_machine(void **state)
{
	(void)state;
	/* The first numbers of splitmix64 from 0, as its authors publish them. */
	struct sim_chance chance = {0};
	assert_true(sim_random(&chance) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(sim_random(&chance) == UINT64_C(0x6e789e6aa1b965f4));
	assert_true(sim_random(&chance) == UINT64_C(0x06c45d188009454f));
}

static void every_number_below_the_bound_is_as_likely(void **state)
{
	(void)state;
	struct sim_chance chance    = {1};
	unsigned          counts[7] = {0};
	for (unsigned i = 0; i < DRAWS; i++)
		counts[sim_below(&chance, 7)]++;
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(counts[i], DRAWS / 7 * 97 / 100, DRAWS / 7 * 103 / 100);
}

static void what_happens_in_so_many_of_a_thousand_does(void **state)
{
	(void)state;
	struct sim_chance chance = {2};
	unsigned          count  = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		count += sim_happens(&chance, 250);
		assert_true(sim_happens(&chance, 1000));
		assert_false(sim_happens(&chance, 0));
	}
	assert_in_range(count, DRAWS * 24 / 100, DRAWS * 26 / 100);
}

/* Of an exponential distribution 1/e lies above the mean, and 1/e² above twice the mean. */
static void waiting_times_are_exponential(void **state)
{
	(void)state;
	struct sim_chance chance = {3};
	int64_t           sum    = 0;
	unsigned          above = 0, above_twice = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		int64_t drawn = sim_exponential(&chance, 1000);
		assert_true(drawn >= 0);
		sum += drawn;
		above += drawn >= 1000;
		above_twice += drawn >= 2000;
	}
	assert_in_range(sum / DRAWS, 985, 1015);
	assert_in_range(above, DRAWS * 360 / 1000, DRAWS * 376 / 1000);
	assert_in_range(above_twice, DRAWS * 130 / 1000, DRAWS * 141 / 1000);
}

static void a_hash_depends_on_seed_owner_and_question(void **state)
{
	(void)state;
	uint64_t hash = sim_hash(1, 2, 3);
	assert_true(hash == sim_hash(1, 2, 3));
	assert_true(hash != sim_hash(2, 2, 3));
	assert_true(hash != sim_hash(1, 3, 3));
	assert_true(hash != sim_hash(1, 2, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers_on_every_machine),
		cmocka_unit_test(every_number_below_the_bound_is_as_likely),
		cmocka_unit_test(what_happens_in_so_many_of_a_thousand_does),
		cmocka_unit_test(waiting_times_are_exponential),
		cmocka_unit_test(a_hash_depends_on_seed_owner_and_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
