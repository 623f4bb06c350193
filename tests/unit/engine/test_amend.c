#include "engine/fact/amend.h"

#include "run.h"

enum { USER = 5, OTHER = 6 };

static struct run run;

static int begin(void **state)
{
	(void)state;
	run_begin(&run);
	return 0;
}

static int end(void **state)
{
	(void)state;
	run_done(&run);
	return 0;
}

static uint64_t tell(int64_t at_ms, int64_t time_ms, const char *name, const char *properties)
{
	return run_event(&run, USER, at_ms, time_ms, name, properties, NULL);
}

static void expect_replay(int64_t now_ms)
{
	struct buffer live = {0}, again = {0};
	partition_advance(run.partition, now_ms);
	run_stream(run.partition, &live);
	run_replay(&run, now_ms, &again);
	assert_int_equal(live.length, again.length);
	assert_memory_equal(live.data, again.data, live.length);
	buffer_done(&live);
	buffer_done(&again);
}

static void a_correction_moves_what_matched_before_and_what_matches_now_in_one_step(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	           "\"value\":\"Jeju\"},\"op\":\"gte\",\"value\":1}");
	run_define(&run, 1, 2,
	           "{\"event\":\"Order Completed\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	           "\"value\":\"Busan\"},\"op\":\"gte\",\"value\":1}");
	run_define(&run, 1, 3, "{\"event\":\"Order Completed\",\"op\":\"gte\",\"value\":1}");
	tell(10, 10, "Order Completed", "{\"order_id\":\"o1\",\"region\":\"Jeju\"}");
	uint64_t before   = run.partition->changes.count;
	uint64_t position = tell(20, 20, "Order Updated", "{\"order_id\":\"o1\",\"region\":\"Busan\"}");
	/* Nothing of the third: whatever the region, it is one order. */
	assert_int_equal(run.partition->changes.count, before + 2);
	run_expect(&run, before, USER, 1, false, CAUSE_EVENT, 20);
	run_expect(&run, before + 1, USER, 2, true, CAUSE_EVENT, 20);
	for (uint64_t i = before; i < before + 2; i++)
		assert_int_equal(changes_at(&run.partition->changes, i)->change.event_position, position);
	expect_replay(100);
}

static void a_correction_that_says_the_same_changes_nothing(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"where\":{\"property\":\"region\",\"op\":\"eq\","
	           "\"value\":\"Jeju\"},\"op\":\"eq\",\"value\":1}");
	tell(10, 10, "Order Completed", "{\"order_id\":\"o1\",\"region\":\"Jeju\"}");
	uint64_t before = run.partition->changes.count;
	tell(20, 20, "Order Updated", "{\"order_id\":\"o1\",\"region\":\"Jeju\"}");
	tell(30, 30, "Order Updated", "{\"order_id\":\"o2\",\"region\":\"Busan\"}");
	assert_int_equal(run.partition->changes.count, before);
	assert_true(run_is_member(&run, USER, 1));
	expect_replay(100);
}

static void the_correcting_event_counts_in_the_same_step_under_its_own_name(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"Order Updated\",\"op\":\"gte\",\"value\":1}");
	run_define(&run, 1, 2, "{\"event\":\"*\",\"op\":\"gte\",\"value\":2}");
	run_define(&run, 1, 3, "{\"event\":\"Order Completed\",\"op\":\"gte\",\"value\":1}");
	tell(10, 10, "Order Completed", "{\"order_id\":\"o1\"}");
	uint64_t before = run.partition->changes.count;
	tell(20, 20, "Order Cancelled", "{\"order_id\":\"o1\"}");
	/* One less, one more: of "any" there is one as before. */
	assert_false(run_is_member(&run, USER, 2));
	assert_int_equal(run.partition->changes.count, before + 1);
	run_expect(&run, before, USER, 3, false, CAUSE_EVENT, 20);
	tell(30, 30, "Order Updated", "{\"order_id\":\"o1\"}");
	run_expect(&run, before + 1, USER, 1, true, CAUSE_EVENT, 30);
	run_expect(&run, before + 2, USER, 2, true, CAUSE_EVENT, 30);
	expect_replay(100);
}

static void a_window_over_a_corrected_event_ends_when_the_original_does(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"where\":{\"property\":\"revenue\",\"op\":\"gte\","
	           "\"value\":100},\"within\":\"60s\",\"op\":\"gte\",\"value\":1}");
	tell(1000, 1000, "Order Completed", "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(31000, 31000, "Order Updated", "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_true(run_is_member(&run, USER, 1));
	partition_advance(run.partition, 60999);
	assert_true(run_is_member(&run, USER, 1));
	expect_replay(61000);
	run_expect(&run, run.partition->changes.count - 1, USER, 1, false, CAUSE_EXPIRY, 61000);
	/* Over before it is corrected: nobody enters. */
	uint64_t before = run.partition->changes.count;
	tell(70000, 70000, "Order Updated", "{\"order_id\":\"o1\",\"revenue\":200}");
	assert_int_equal(run.partition->changes.count, before);
}

static void a_correction_that_begins_or_ends_by_time_names_its_cause(void **state)
{
	(void)state;
	run_done(&run);
	run_begin_retaining(&run, 10 * DAY_MS);
	run_define(&run, 1, 1, "{\"event\":\"Order Completed\",\"op\":\"gte\",\"value\":1}");
	int64_t at_ms = 3 * DAY_MS;
	tell(at_ms, at_ms, "Order Completed", "{\"order_id\":\"o1\"}");
	uint64_t position = tell(at_ms + 10, at_ms + 5000, "Order Cancelled", "{\"order_id\":\"o1\"}");
	partition_advance(run.partition, at_ms + 4999);
	assert_true(run_is_member(&run, USER, 1));
	partition_advance(run.partition, at_ms + 5000);
	uint64_t last = run.partition->changes.count - 1;
	run_expect(&run, last, USER, 1, false, CAUSE_EVENT, at_ms + 5000);
	assert_int_equal(changes_at(&run.partition->changes, last)->change.event_position, position);

	/* Of another person: what cancels is older by a day, and ceases to exist a day earlier. */
	run_event(&run, OTHER, at_ms + 6000, at_ms, "Order Completed", "{\"order_id\":\"o1\"}", NULL);
	run_event(&run, OTHER, at_ms + 6001, at_ms - DAY_MS, "Order Cancelled", "{\"order_id\":\"o1\"}",
	          NULL);
	assert_false(run_is_member(&run, OTHER, 1));
	uint64_t before = run.partition->changes.count;
	partition_advance(run.partition, at_ms + 9 * DAY_MS - 1);
	assert_int_equal(run.partition->changes.count, before);
	partition_advance(run.partition, at_ms + 9 * DAY_MS);
	run_expect(&run, before, OTHER, 1, true, CAUSE_EXPIRY, at_ms + 9 * DAY_MS);
	expect_replay(at_ms + 11 * DAY_MS);
	run_expect(&run, before + 1, OTHER, 1, false, CAUSE_EXPIRY, at_ms + 10 * DAY_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_correction_moves_what_matched_before_and_what_matches_now_in_one_step),
		TEST(a_correction_that_says_the_same_changes_nothing),
		TEST(the_correcting_event_counts_in_the_same_step_under_its_own_name),
		TEST(a_window_over_a_corrected_event_ends_when_the_original_does),
		TEST(a_correction_that_begins_or_ends_by_time_names_its_cause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
