#include "app/simulate/sim_visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { VISITS = 40000 };

static struct sim_visit visit_of(bool member)
{
	return (struct sim_visit){.member = member, .step = SIM_HOME, .wanted = SIM_LEAVE};
}

static void the_chances_of_a_step_are_a_thousandth_each(void **state)
{
	(void)state;
	for (enum sim_scenario scenario = SIM_TRAFFIC; scenario <= SIM_LTV; scenario++)
		for (enum sim_step from = SIM_HOME; from < SIM_LEAVE; from++) {
			unsigned sum = 0;
			for (enum sim_step to = SIM_HOME; to <= SIM_LEAVE; to++)
				sum += sim_visit_per_mille(scenario, from, to);
			assert_int_equal(sum, 1000);
		}
}

static void steps_follow_one_another_as_often_as_the_table_says(void **state)
{
	(void)state;
	struct sim_chance chance                        = {4};
	unsigned          behind_search[SIM_STEP_COUNT] = {0}, searches = 0;
	for (unsigned i = 0; i < VISITS; i++) {
		struct sim_visit visit = visit_of(true);
		for (enum sim_step last = visit.step; sim_visit_go_on(&visit, SIM_TRAFFIC, &chance);
		     last               = visit.step)
            if (last == SIM_SEARCH) {
							  behind_search[visit.step]++;
							  searches++;
            }
	}
	assert_true(searches > 10000);
	/* Of those that do not leave. */
	unsigned views  = sim_visit_per_mille(SIM_TRAFFIC, SIM_SEARCH, SIM_VIEW);
	unsigned leaves = sim_visit_per_mille(SIM_TRAFFIC, SIM_SEARCH, SIM_LEAVE);
	unsigned meant  = views * 1000 / (1000 - leaves);
	assert_in_range(behind_search[SIM_VIEW] * 1000 / searches, meant - 15, meant + 15);
}

static void nobody_buys_or_enters_without_having_logged_in(void **state)
{
	(void)state;
	static const enum sim_scenario scenarios[] = {SIM_TRAFFIC, SIM_DASHBOARD, SIM_FUNNEL, SIM_LTV};
	struct sim_chance              chance      = {5};
	unsigned                       orders      = 0;
	for (unsigned i = 0; i < VISITS; i++) {
		struct sim_visit visit     = visit_of(i % 3 > 0);
		bool             signed_up = false, logged_in = false;
		while (sim_visit_go_on(&visit, scenarios[i % 4], &chance)) {
			signed_up |= visit.step == SIM_SIGN_UP;
			logged_in |= visit.step == SIM_LOGIN;
			if (visit.step == SIM_LOGIN)
				assert_true(signed_up || i % 3 > 0);
			if (visit.step == SIM_ENTER || visit.step == SIM_CHECKOUT || visit.step == SIM_ORDER)
				assert_true(logged_in && visit.known);
			if (visit.step == SIM_ORDER)
				assert_true(visit.cart_count > 0 && ++orders);
		}
	}
	assert_true(orders > VISITS / 2);
}

static void the_funnel_is_gone_all_the_way(void **state)
{
	(void)state;
	static const enum sim_step steps[] = {SIM_LIST,  SIM_VIEW,  SIM_CLICK,    SIM_SIGN_UP,
	                                      SIM_LOGIN, SIM_ENTER, SIM_CHECKOUT, SIM_ORDER};
	struct sim_chance          chance  = {6};
	for (unsigned i = 0; i < 100; i++) {
		struct sim_visit visit = visit_of(false);
		for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++) {
			assert_true(sim_visit_go_on(&visit, SIM_FUNNEL, &chance));
			assert_int_equal(visit.step, steps[n]);
		}
		assert_false(sim_visit_go_on(&visit, SIM_FUNNEL, &chance));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_chances_of_a_step_are_a_thousandth_each),
		cmocka_unit_test(steps_follow_one_another_as_often_as_the_table_says),
		cmocka_unit_test(nobody_buys_or_enters_without_having_logged_in),
		cmocka_unit_test(the_funnel_is_gone_all_the_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
