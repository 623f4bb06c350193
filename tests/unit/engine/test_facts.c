#include "engine/fact/facts.h"

#include "run.h"

#include <string.h>

#include "base/hash.h"

enum { USER = 5, RETENTION_DAYS = 10 };

#define RETENTION_MS (RETENTION_DAYS * DAY_MS)
#define ORDER        "Order Completed"
#define UPDATE       "Order Updated"
#define CANCEL       "Order Cancelled"

static struct run run;

static int begin(void **state)
{
	(void)state;
	run_begin_retaining(&run, RETENTION_MS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	run_done(&run);
	return 0;
}

/* The revenues of what is seen of orders at `now_ms`, in the order of rule 13: "10 20 -", the last
 * one of an order without any. */
static const char *seen(int64_t now_ms)
{
	static char               text[256];
	const struct events_query query  = {.name         = TEXT(ORDER),
	                                    .from_ms      = INT64_MIN,
	                                    .to_ms        = INT64_MAX,
	                                    .now_ms       = now_ms,
	                                    .retention_ms = RETENTION_MS};
	event_list                list   = {0};
	size_t                    length = 0;
	text[0]                          = '\0';
	facts_read(run.partition, USER, &query, NULL, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct text  properties = list.items[i].record.properties;
		struct value value = value_find(properties, TEXT("revenue"), hash_name(TEXT("revenue")));
		double       number;
		length += (size_t)snprintf(text + length, sizeof text - length, "%s", i > 0 ? " " : "");
		if (value_number(&value, &number))
			length += (size_t)snprintf(text + length, sizeof text - length, "%g", number);
		else
			length += (size_t)snprintf(text + length, sizeof text - length, "-");
	}
	event_list_done(&list);
	return text;
}

static void tell(int64_t at_ms, int64_t time_ms, const char *name, const char *properties)
{
	run_event(&run, USER, at_ms, time_ms, name, properties, NULL);
}

/* Live and replayed: the same change stream. */
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

static void of_several_originals_the_first_is_corrected(void **state)
{
	(void)state;
	tell(10, 10, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(20, 20, ORDER, "{\"order_id\":\"o1\",\"revenue\":20}");
	tell(30, 30, ORDER, "{\"order_id\":\"o1\",\"revenue\":30}");
	tell(40, 40, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_string_equal(seen(50), "100 20 30");
	/* One that is earlier by its time, though it was accepted last, is the first from now on. */
	tell(60, 5, ORDER, "{\"order_id\":\"o1\",\"revenue\":5}");
	assert_string_equal(seen(60), "100 10 20 30");
}

static void of_several_originals_the_first_is_cancelled(void **state)
{
	(void)state;
	tell(10, 10, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(20, 20, ORDER, "{\"order_id\":\"o1\",\"revenue\":20}");
	tell(30, 30, CANCEL, "{\"order_id\":\"o1\"}");
	assert_string_equal(seen(30), "20");
	tell(40, 40, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_string_equal(seen(40), "20");
}

static void corrections_are_laid_over_in_order_and_null_removes(void **state)
{
	(void)state;
	tell(10, 10, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(20, 15, UPDATE, "{\"order_id\":\"o1\",\"revenue\":15}");
	tell(30, 12, UPDATE, "{\"order_id\":\"o1\",\"revenue\":12}"); /* before the other by its time */
	assert_string_equal(seen(30), "15");
	tell(40, 40, UPDATE, "{\"order_id\":\"o1\",\"revenue\":null}");
	assert_string_equal(seen(40), "-");
}

static void a_correction_that_comes_before_its_original_waits_for_it(void **state)
{
	(void)state;
	tell(10, 10, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_string_equal(seen(10), "");
	tell(20, 20, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	assert_string_equal(seen(20), "100");
}

static void a_number_means_its_shortest_text_and_other_keys_are_others(void **state)
{
	(void)state;
	tell(10, 10, ORDER, "{\"order_id\":\"3\",\"revenue\":10}");
	tell(11, 11, ORDER, "{\"order_id\":\"03\",\"revenue\":11}");
	tell(12, 12, ORDER, "{\"revenue\":12}");
	tell(13, 13, ORDER, "{\"order_id\":\"\",\"revenue\":13}");
	tell(20, 20, UPDATE, "{\"order_id\":3.0,\"revenue\":100}");
	tell(21, 21, UPDATE, "{\"order_id\":\"\",\"revenue\":200}");
	tell(22, 22, UPDATE, "{\"order_id\":true,\"revenue\":300}");
	assert_string_equal(seen(30), "100 11 12 13");
}

static void a_correction_of_the_future_begins_at_its_time(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"aggregate\":\"sum\",\"property\":\"revenue\","
	           "\"op\":\"gte\",\"value\":100}");
	tell(1000, 1000, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(2000, 5000, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	partition_advance(run.partition, 4999);
	assert_string_equal(seen(4999), "10");
	assert_false(run_is_member(&run, USER, 1));
	partition_advance(run.partition, 5000);
	assert_string_equal(seen(5000), "100");
	run_expect(&run, run.partition->changes.count - 1, USER, 1, true, CAUSE_EVENT, 5000);
	expect_replay(10000);
}

static void when_an_original_ceases_to_exist_the_next_one_takes_its_corrections(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"aggregate\":\"max\",\"property\":\"revenue\","
	           "\"op\":\"gte\",\"value\":100}");
	run_define(&run, 1, 2,
	           "{\"event\":\"Order Completed\",\"aggregate\":\"sum\",\"property\":\"revenue\","
	           "\"op\":\"gte\",\"value\":20}");
	tell(10, 10, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(3 * DAY_MS, 3 * DAY_MS, ORDER, "{\"order_id\":\"o1\",\"revenue\":20}");
	tell(5 * DAY_MS, 5 * DAY_MS, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_string_equal(seen(RETENTION_MS - 1), "100 20");
	assert_string_equal(seen(RETENTION_MS), "100");
	assert_string_equal(seen(RETENTION_MS + 3 * DAY_MS), "");

	uint64_t before = run.partition->changes.count;
	partition_advance(run.partition, RETENTION_MS + 3 * DAY_MS - 1);
	assert_true(run_is_member(&run, USER, 1));
	assert_int_equal(run.partition->changes.count, before); /* 120, then 100: both hold */
	expect_replay(RETENTION_MS + 5 * DAY_MS);
	run_expect(&run, before, USER, 1, false, CAUSE_EXPIRY, RETENTION_MS + 3 * DAY_MS);
	run_expect(&run, before + 1, USER, 2, false, CAUSE_EXPIRY, RETENTION_MS + 3 * DAY_MS);
	assert_int_equal(run.partition->changes.count, before + 2);
}

static void a_correction_whose_original_has_ceased_to_exist_corrects_nothing(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"Order Completed\",\"op\":\"eq\",\"value\":0}");
	run_define(&run, 1, 2, "{\"event\":\"Order Updated\",\"op\":\"gte\",\"value\":1}");
	tell(10, 10, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	int64_t late_ms = RETENTION_MS + DAY_MS;
	tell(late_ms, late_ms, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	tell(late_ms + 1, late_ms + 1, CANCEL, "{\"order_id\":\"o1\"}");
	assert_string_equal(seen(late_ms + 1), "");
	assert_true(run_is_member(&run, USER, 1));
	assert_true(run_is_member(&run, USER, 2)); /* it counts under its own name all the same */
	/* Both wait for an original to come, as a correction does that came too early. */
	tell(late_ms + 2, late_ms + 2, ORDER, "{\"order_id\":\"o1\",\"revenue\":1}");
	assert_string_equal(seen(late_ms + 2), "");
	assert_true(run_is_member(&run, USER, 1));
	expect_replay(late_ms + RETENTION_MS + DAY_MS);
}

static void a_correction_that_ceases_to_exist_corrects_nothing_any_more(void **state)
{
	(void)state;
	run_define(&run, 1, 1,
	           "{\"event\":\"Order Completed\",\"aggregate\":\"sum\",\"property\":\"revenue\","
	           "\"op\":\"gte\",\"value\":100}");
	tell(2 * DAY_MS, 2 * DAY_MS, ORDER, "{\"order_id\":\"o1\",\"revenue\":10}");
	tell(2 * DAY_MS + 1, DAY_MS, UPDATE, "{\"order_id\":\"o1\",\"revenue\":100}");
	assert_true(run_is_member(&run, USER, 1));
	expect_replay(RETENTION_MS + DAY_MS);
	assert_string_equal(seen(RETENTION_MS + DAY_MS), "10");
	run_expect(&run, run.partition->changes.count - 1, USER, 1, false, CAUSE_EXPIRY,
	           RETENTION_MS + DAY_MS);
}

static void a_type_is_declared_once_and_corrects_what_comes_behind_it(void **state)
{
	(void)state;
	struct buffer    body = {0};
	struct fact_type type = {
		.name = TEXT("stay"), .original = TEXT("Stay"), .updated = TEXT("Stay Moved")};
	value_path_init(&type.key, TEXT("stay_id"), &run.arena);
	fact_type_encode(&type, &body);
	tell(9, 9, "Stay Moved", "{\"stay_id\":\"s1\",\"nights\":9}"); /* before the declaration */
	const struct record setting = {
		.kind = RECORD_SETTING, .slot = SLOT_NONE, .body = buffer_text(&body)};
	run_feed(&run, 10, &setting);
	run_feed(&run, 10, &setting);
	size_t types = run.partition->facts.types.list.count;

	run_define(&run, 11, 1,
	           "{\"event\":\"Stay\",\"aggregate\":\"max\",\"property\":\"nights\",\"op\":\"eq\","
	           "\"value\":3}");
	tell(12, 12, "Stay", "{\"stay_id\":\"s1\",\"nights\":1}");
	assert_false(run_is_member(&run, USER, 1));
	tell(13, 13, "Stay Moved", "{\"stay_id\":\"s1\",\"nights\":3}");
	assert_true(run_is_member(&run, USER, 1));

	struct buffer saved = {0};
	struct facts  loaded;
	facts_init(&loaded);
	facts_save(&run.partition->facts, &saved);
	struct byte_reader reader = byte_reader_of(saved.data, saved.length);
	assert_true(facts_load(&loaded, &reader));
	assert_int_equal(read_left(&reader), 0);
	assert_int_equal(loaded.types.list.count, types);
	facts_done(&loaded);
	facts_init(&loaded);
	reader = byte_reader_of(saved.data, saved.length - 1);
	assert_false(facts_load(&loaded, &reader));
	facts_done(&loaded);
	buffer_done(&saved);
	buffer_done(&body);
	expect_replay(100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_several_originals_the_first_is_corrected),
		TEST(of_several_originals_the_first_is_cancelled),
		TEST(corrections_are_laid_over_in_order_and_null_removes),
		TEST(a_correction_that_comes_before_its_original_waits_for_it),
		TEST(a_number_means_its_shortest_text_and_other_keys_are_others),
		TEST(a_correction_of_the_future_begins_at_its_time),
		TEST(when_an_original_ceases_to_exist_the_next_one_takes_its_corrections),
		TEST(a_correction_whose_original_has_ceased_to_exist_corrects_nothing),
		TEST(a_correction_that_ceases_to_exist_corrects_nothing_any_more),
		TEST(a_type_is_declared_once_and_corrects_what_comes_behind_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
