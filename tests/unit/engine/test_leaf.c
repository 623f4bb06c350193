/* Each kind of leaf at its boundaries: who enters and leaves at which millisecond, and why. */

#include "run.h"

enum { PERSON = 0, SEGMENT = 1, FLIPS_MAX = 16 };

#define AT INT64_C(100000000) /* when the stories begin: the second day */

struct given {
	int64_t     received_ms; /* after AT */
	int64_t     time_ms;     /* after AT */
	const char *name;
	const char *properties;
};

struct flip {
	int64_t    at_ms; /* after AT; INSTANT_MS_NONE: the end of the list */
	bool       entered;
	enum cause cause;
};
#define END                                                                                        \
	{                                                                                              \
		INSTANT_MS_NONE, false, CAUSE_CREATED                                                      \
	}
#define EVENT CAUSE_EVENT
#define TIME  CAUSE_EXPIRY

static void check_flips(const struct run *run, const struct flip *flips)
{
	size_t at = 0;
	for (uint64_t i = 0; i < run->partition->changes.count; i++) {
		const struct change *change = &changes_at(&run->partition->changes, i)->change;
		if (change->segment != SEGMENT || change->slot != PERSON)
			continue;
		if (flips[at].at_ms == INSTANT_MS_NONE)
			fail_msg("one flip more, at AT + %lld", (long long)(change->at_ms - AT));
		if (change->at_ms != AT + flips[at].at_ms || change->entered != flips[at].entered ||
		    change->cause != flips[at].cause)
			fail_msg("flip %zu: at AT + %lld %s, cause %d", at, (long long)(change->at_ms - AT),
			         change->entered ? "entered" : "exited", (int)change->cause);
		at++;
	}
	assert_int_equal(flips[at].at_ms, INSTANT_MS_NONE);
}

/* Defines the segment, lets the events come, and time go on to `end_ms` (after AT); what flipped is
 * exactly this. The same again with the definition coming last, backfilled from what is stored:
 * the person is then what they are in the first run. */
static void tell(const char *expression, const struct given *events, size_t event_count,
                 int64_t end_ms, const struct flip *flips)
{
	struct run run;
	run_begin_retaining(&run, 100 * DAY_MS);
	run_define(&run, AT - 1, SEGMENT, expression);
	for (size_t i = 0; i < event_count; i++)
		run_event(&run, PERSON, AT + events[i].received_ms, AT + events[i].time_ms, events[i].name,
		          events[i].properties, NULL);
	partition_advance(run.partition, AT + end_ms);
	check_flips(&run, flips);

	struct run late;
	run_begin_retaining(&late, 100 * DAY_MS);
	for (size_t i = 0; i < event_count; i++)
		run_event(&late, PERSON, AT + events[i].received_ms, AT + events[i].time_ms, events[i].name,
		          events[i].properties, NULL);
	int64_t last_ms = AT + events[event_count - 1].received_ms;
	run_define(&late, last_ms, SEGMENT, expression);
	for (size_t i = 0; flips[i].at_ms != INSTANT_MS_NONE; i++) {
		if (AT + flips[i].at_ms <= last_ms)
			continue;
		partition_advance(late.partition, AT + flips[i].at_ms - 1);
		assert_int_equal(run_is_member(&late, PERSON, SEGMENT), !flips[i].entered);
		partition_advance(late.partition, AT + flips[i].at_ms);
		assert_int_equal(run_is_member(&late, PERSON, SEGMENT), flips[i].entered);
	}
	run_done(&late);
	run_done(&run);
}

#define TELL(expression, end_ms, events, ...)                                                      \
	tell((expression), (events), sizeof(events) / sizeof((events)[0]), (end_ms),                   \
	     (const struct flip[]){__VA_ARGS__, END})

/* --- spans --- */

static void an_event_counts_for_the_window_and_not_a_millisecond_longer(void **state)
{
	static const struct given events[] = {{0, 0, "A", "{}"}, {20000, 20000, "A", "{}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"within\":\"1m\",\"op\":\"gte\",\"value\":2}", DAY_MS, events,
	     {20000, true, EVENT}, {60000, false, TIME});
	TELL("{\"event\":\"A\",\"within\":\"1m\",\"op\":\"eq\",\"value\":1}", DAY_MS, events,
	     {0, true, EVENT}, {20000, false, EVENT}, {60000, true, TIME}, {80000, false, TIME});
}

static void until_lets_an_event_in_when_it_is_old_enough(void **state)
{
	static const struct given events[] = {{0, 0, "A", "{}"}, {90000, 1000, "A", "{}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"within\":\"2m\",\"until\":\"1m\",\"op\":\"gte\",\"value\":1}", DAY_MS,
	     events, {60000, true, TIME}, {121000, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_last\",\"until\":\"2m\",\"op\":\"exists\"}",
	     DAY_MS, events, {120000, true, TIME});
}

static void between_takes_the_first_millisecond_and_not_the_last(void **state)
{
	/* AT is 1970-01-02T03:46:40Z. */
	static const struct given inside[]  = {{0, 0, "A", "{}"}};
	static const struct given outside[] = {{0, -1, "A", "{}"}, {60000, 60000, "A", "{}"}};
	static const char         expression[] =
		"{\"event\":\"A\",\"between\":[\"1970-01-02T03:46:40Z\",\"1970-01-02T03:47:40Z\"],"
		"\"op\":\"gte\",\"value\":1}";
	(void)state;
	TELL(expression, DAY_MS, inside, {0, true, EVENT});
	tell(expression, outside, 2, DAY_MS, (const struct flip[]){END});
}

static void retention_ends_what_counts_for_all_time(void **state)
{
	static const struct given events[] = {{0, 0, "A", "{\"p\":5}"}};
	const int64_t             end_ms   = DAY_MS + 100 * DAY_MS - AT;
	(void)state;
	TELL("{\"event\":\"A\",\"op\":\"gte\",\"value\":1}", 200 * DAY_MS, events, {0, true, EVENT},
	     {end_ms, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"max\",\"property\":\"p\",\"op\":\"exists\"}",
	     200 * DAY_MS, events, {0, true, EVENT}, {end_ms, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_first\",\"op\":\"gte\",\"value\":0}",
	     200 * DAY_MS, events, {0, true, EVENT}, {end_ms, false, TIME});
}

static void a_late_event_takes_its_place_and_enters_nobody_whose_window_is_over(void **state)
{
	static const struct given over[]  = {{0, 0, "B", "{}"}, {90000, 30000, "A", "{}"}};
	static const struct given under[] = {{0, 0, "B", "{}"}, {90000, 30001, "A", "{}"}};
	static const char         expression[] =
		"{\"event\":\"A\",\"within\":\"1m\",\"op\":\"gte\",\"value\":1}";
	(void)state;
	tell(expression, over, 2, DAY_MS, (const struct flip[]){END});
	TELL(expression, DAY_MS, under, {90000, true, EVENT}, {90001, false, TIME});
}

static void an_event_of_the_future_counts_from_its_time_on_and_is_the_cause(void **state)
{
	static const struct given events[] = {{0, 5000, "A", "{\"p\":1}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"within\":\"1m\",\"op\":\"gte\",\"value\":1}", DAY_MS, events,
	     {5000, true, EVENT}, {65000, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"last\",\"property\":\"p\",\"op\":\"eq\",\"value\":1}",
	     DAY_MS, events, {5000, true, EVENT});
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_last\",\"op\":\"eq\",\"value\":0}",
	     2 * DAY_MS, events, {5000, true, EVENT}, {5000 + DAY_MS, false, TIME});
}

static void events_of_the_future_do_not_hide_those_that_have_happened(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{}"},         {1, 1, "A", "{}"},      {2, 200000, "A", "{}"},
		{3, 200000, "A", "{}"},    {4, 200000, "A", "{}"}, {5, 200000, "A", "{}"},
		{10000, 10000, "A", "{}"},
	};
	(void)state;
	TELL("{\"event\":\"A\",\"within\":\"1m\",\"op\":\"eq\",\"value\":3}", 100000, events,
	     {10000, true, EVENT}, {60000, false, TIME});
}

/* --- amounts --- */

static void refunds_move_a_sum_and_an_average_both_ways(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{\"revenue\":100}"},
		{1000, 1000, "A", "{\"revenue\":-60.5}"},
		{2000, 2000, "A", "{\"revenue\":\"100\"}"}, /* no number */
		{3000, 3000, "A", "{\"revenue\":30.5}"},
	};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"$amount\",\"within\":\"1m\","
	     "\"op\":\"gte\",\"value\":70}",
	     DAY_MS, events, {0, true, EVENT}, {1000, false, EVENT}, {3000, true, EVENT},
	     {60000, false, TIME});
	/* 100, then 19.75, then 70 / 3, −15 and 30.5 */
	TELL("{\"event\":\"A\",\"aggregate\":\"avg\",\"property\":\"$amount\",\"within\":\"1m\","
	     "\"op\":\"gt\",\"value\":23.333333}",
	     DAY_MS, events, {0, true, EVENT}, {1000, false, EVENT}, {3000, true, EVENT},
	     {60000, false, TIME}, {61000, true, TIME}, {63000, false, TIME});
}

static void the_next_best_counts_when_the_extreme_leaves(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{\"p\":1}"},
		{1000, 1000, "A", "{\"p\":3}"},
		{2000, 2000, "A", "{\"p\":2}"},
		{3000, 3000, "A", "{}"},
	};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"min\",\"property\":\"p\",\"within\":\"1m\","
	     "\"op\":\"gte\",\"value\":2}",
	     DAY_MS, events, {60000, true, TIME}, {62000, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"max\",\"property\":\"p\",\"within\":\"1m\","
	     "\"op\":\"gt\",\"value\":2}",
	     DAY_MS, events, {1000, true, EVENT}, {61000, false, TIME});
}

/* --- values --- */

static void distinct_tells_types_apart_and_counts_the_items_of_sets(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{\"p\":5}"},           {1000, 1000, "A", "{\"p\":5.0}"},
		{2000, 2000, "A", "{\"p\":\"5\"}"}, {3000, 3000, "A", "{\"p\":[\"5\",\"x\"]}"},
		{4000, 4000, "A", "{\"p\":[]}"},
	};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"distinct\",\"property\":\"p\",\"within\":\"1m\","
	     "\"op\":\"eq\",\"value\":2}",
	     DAY_MS, events, {2000, true, EVENT}, {3000, false, EVENT}, {61000, true, TIME},
	     {63000, false, TIME});
}

static void of_equal_times_the_later_accepted_is_the_last(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{\"p\":\"x\"}"},
		{1000, 0, "A", "{\"p\":\"y\"}"},
		{2000, 0, "A", "{}"}, /* brings no value */
	};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"last\",\"property\":\"p\",\"within\":\"1m\","
	     "\"op\":\"eq\",\"value\":\"y\"}",
	     DAY_MS, events, {1000, true, EVENT}, {60000, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"first\",\"property\":\"p\",\"within\":\"1m\","
	     "\"op\":\"starts_with\",\"value\":\"x\"}",
	     DAY_MS, events, {0, true, EVENT}, {60000, false, TIME});
}

static void a_value_that_is_a_time_is_asked_at_each_instant(void **state)
{
	/* A minute after AT. */
	static const struct given events[] = {{0, 0, "A", "{\"due\":\"1970-01-02T03:47:40Z\"}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"last\",\"property\":\"due\",\"op\":\"within_last\","
	     "\"value\":\"2m\"}",
	     DAY_MS, events, {60000, true, TIME}, {180000, false, TIME});
	TELL("{\"event\":\"A\",\"where\":{\"not\":{\"property\":\"due\",\"op\":\"within_next\","
	     "\"value\":\"60s\"}},\"op\":\"gte\",\"value\":1}",
	     DAY_MS, events, {60000, true, TIME});
}

/* --- days --- */

static void days_change_at_whole_days_after_the_event(void **state)
{
	static const struct given events[] = {{0, 0, "A", "{}"}, {5000, 5000, "A", "{}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_last\",\"op\":\"in\",\"value\":[2,5]}",
	     10 * DAY_MS, events, {5000 + 2 * DAY_MS, true, TIME}, {5000 + 3 * DAY_MS, false, TIME},
	     {5000 + 5 * DAY_MS, true, TIME}, {5000 + 6 * DAY_MS, false, TIME});
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_first\",\"op\":\"gte\",\"value\":1}",
	     10 * DAY_MS, events, {DAY_MS, true, TIME});
	/* The window forgets the first one before the second. */
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_first\",\"within\":\"2d\",\"op\":\"lt\","
	     "\"value\":2}",
	     10 * DAY_MS, events, {0, true, EVENT}, {5000 + 2 * DAY_MS, false, TIME});
}

static void who_never_did_it_has_no_days(void **state)
{
	static const struct given events[] = {{0, 0, "B", "{}"}, {1000, 1000, "A", "{}"}};
	(void)state;
	TELL("{\"event\":\"A\",\"aggregate\":\"days_since_last\",\"op\":\"gte\",\"value\":0}", DAY_MS,
	     events, {1000, true, EVENT});
}

/* --- sequences --- */

static void a_sequence_holds_from_its_last_event_on(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{}"},       {1000, 1000, "C", "{}"},   {2000, 2000, "A", "{}"},
		{3000, 3000, "B", "{}"}, {63000, 62000, "C", "{}"},
	};
	(void)state;
	/* From the second A to the C it is a minute: not less. */
	tell("{\"sequence\":[{\"event\":\"A\"},{\"event\":\"B\"},{\"event\":\"C\"}],"
	     "\"within\":\"60s\"}",
	     events, 5, DAY_MS, (const struct flip[]){END});
	TELL("{\"sequence\":[{\"event\":\"A\"},{\"event\":\"B\"},{\"event\":\"C\"}],"
	     "\"within\":\"61s\",\"ended_within\":\"2m\"}",
	     DAY_MS, events, {63000, true, EVENT}, {182000, false, TIME});
	TELL("{\"sequence\":[{\"event\":\"B\"},{\"event\":\"*\"}]}", 200 * DAY_MS, events,
	     {63000, true, EVENT}, {DAY_MS + 100 * DAY_MS - AT, false, TIME});
}

static void one_event_is_not_two_steps(void **state)
{
	static const struct given once[]  = {{0, 0, "A", "{}"}};
	static const struct given twice[] = {{0, 0, "A", "{}"}, {1000, 0, "A", "{}"}};
	static const char         expression[] =
		"{\"sequence\":[{\"event\":\"A\"},{\"event\":\"A\"}],\"ended_within\":\"1m\"}";
	(void)state;
	tell(expression, once, 1, DAY_MS, (const struct flip[]){END});
	TELL(expression, DAY_MS, twice, {1000, true, EVENT}, {60000, false, TIME});
}

static void a_late_step_completes_a_sequence(void **state)
{
	static const struct given events[] = {
		{0, 0, "A", "{\"p\":1}"}, {2000, 2000, "B", "{}"}, {3000, 1000, "A", "{\"p\":2}"}};
	(void)state;
	TELL(
		"{\"sequence\":[{\"event\":\"A\",\"where\":{\"property\":\"p\",\"op\":\"gt\",\"value\":1}},"
		"{\"event\":\"B\"}],\"ended_within\":\"1m\"}",
		DAY_MS, events, {3000, true, EVENT}, {62000, false, TIME});
}

/* --- what is kept --- */

static const struct profile *person_of(const struct run *run)
{
	return profiles_find(&run->partition->profiles, PERSON);
}

static void what_no_window_reaches_is_let_go_and_read_again_for_a_longer_one(void **state)
{
	(void)state;
	struct run run;
	run_begin(&run);
	run_define(&run, AT, SEGMENT,
	           "{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"p\",\"within\":\"1m\","
	           "\"op\":\"gte\",\"value\":1000}");
	for (int i = 0; i < 100; i++)
		run_event(&run, PERSON, AT + i * MINUTE_MS, AT + i * MINUTE_MS, "A", "{\"p\":1}", NULL);
	assert_int_equal(person_of(&run)->features->count, 1);
	assert_true(person_of(&run)->features->items[0].series->count <= 2);

	static const char hour[] = "{\"event\":\"A\",\"aggregate\":\"sum\",\"property\":\"p\","
							   "\"within\":\"1h\",\"op\":\"eq\",\"value\":60}";
	run_define(&run, AT + 100 * MINUTE_MS - 1, SEGMENT + 1, hour);
	assert_true(run_is_member(&run, PERSON, SEGMENT + 1));
	partition_advance(run.partition, AT + 100 * MINUTE_MS);
	assert_false(run_is_member(&run, PERSON, SEGMENT + 1));
	run_done(&run);
}

static void a_person_whose_events_are_over_takes_no_memory_for_them(void **state)
{
	(void)state;
	struct run run;
	run_begin(&run);
	run_define(&run, AT, SEGMENT, "{\"event\":\"A\",\"within\":\"1m\",\"op\":\"gte\",\"value\":1}");
	run_event(&run, PERSON, AT, AT, "A", "{}", NULL);
	assert_int_equal(person_of(&run)->features->count, 1);
	partition_advance(run.partition, AT + MINUTE_MS);
	assert_true(person_of(&run)->features == NULL || person_of(&run)->features->count == 0);
	run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_counts_for_the_window_and_not_a_millisecond_longer),
		cmocka_unit_test(until_lets_an_event_in_when_it_is_old_enough),
		cmocka_unit_test(between_takes_the_first_millisecond_and_not_the_last),
		cmocka_unit_test(retention_ends_what_counts_for_all_time),
		cmocka_unit_test(a_late_event_takes_its_place_and_enters_nobody_whose_window_is_over),
		cmocka_unit_test(an_event_of_the_future_counts_from_its_time_on_and_is_the_cause),
		cmocka_unit_test(events_of_the_future_do_not_hide_those_that_have_happened),
		cmocka_unit_test(refunds_move_a_sum_and_an_average_both_ways),
		cmocka_unit_test(the_next_best_counts_when_the_extreme_leaves),
		cmocka_unit_test(distinct_tells_types_apart_and_counts_the_items_of_sets),
		cmocka_unit_test(of_equal_times_the_later_accepted_is_the_last),
		cmocka_unit_test(a_value_that_is_a_time_is_asked_at_each_instant),
		cmocka_unit_test(days_change_at_whole_days_after_the_event),
		cmocka_unit_test(who_never_did_it_has_no_days),
		cmocka_unit_test(a_sequence_holds_from_its_last_event_on),
		cmocka_unit_test(one_event_is_not_two_steps),
		cmocka_unit_test(a_late_step_completes_a_sequence),
		cmocka_unit_test(what_no_window_reaches_is_let_go_and_read_again_for_a_longer_one),
		cmocka_unit_test(a_person_whose_events_are_over_takes_no_memory_for_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
