#include "engine/merge/erasure.h"

#include "run.h"

#include <string.h>

#include "engine/merge/merge_record.h"
#include "model/merge_out.h"

enum { VISITOR = 3, USER = 5, OTHER = 7 };

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

static void erase(uint32_t slot, int64_t at_ms)
{
	run_feed(&run, at_ms, &(struct record){.kind = RECORD_ERASURE, .slot = slot});
}

static uint64_t change_count(void) { return run.partition->changes.count; }

static void everybody_leaves_with_one_exit_of_each_segment(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"op\":\"gte\",\"value\":2}");
	run_define(&run, 1, 2, "{\"event\":\"A\",\"op\":\"eq\",\"value\":0}"); /* holds without any */
	run_define(&run, 1, 3, "{\"segment\":\"1\"}");
	for (int i = 0; i < 3; i++) {
		run_event(&run, USER, 10 + i, 10 + i, "A", "{}", NULL);
		run_event(&run, OTHER, 10 + i, 10 + i, "A", "{}", NULL);
	}
	run_traits(&run, VISITOR, 20, "{\"tier\":\"VIP\"}");
	assert_true(run_is_member(&run, VISITOR, 2));
	uint64_t before = change_count();
	erase(USER, 30);
	assert_int_equal(change_count(), before + 2);
	run_expect(&run, before, USER, 1, false, CAUSE_ERASURE, 30);
	run_expect(&run, before + 1, USER, 3, false, CAUSE_ERASURE, 30);
	erase(VISITOR, 31);
	assert_int_equal(change_count(), before + 3);
	run_expect(&run, before + 2, VISITOR, 2, false, CAUSE_ERASURE, 31);
	assert_int_equal(run.partition->profiles.person_count, 1);
	assert_true(run_is_member(&run, OTHER, 1));
}

static void nothing_is_kept_of_the_person(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"within\":\"5m\",\"op\":\"gte\",\"value\":1}");
	uint64_t bytes = run.partition->profiles.bytes;
	run_event(&run, USER, 10, 10, "A", "{\"amount\":3}", NULL);
	run_traits(&run, USER, 11, "{\"city\":\"제주\"}");
	erase(USER, 20);
	assert_null(profiles_find(&run.partition->profiles, USER));
	const struct profile *profile = profiles_known(&run.partition->profiles, USER);
	assert_null(profile->traits);
	assert_null(profile->features);
	assert_null(profile->memberships);
	assert_true(run.partition->profiles.bytes <= bytes + PROFILES_PER_BLOCK * sizeof *profile);
	/* Nor does his timer do anything. */
	uint64_t before = change_count();
	partition_advance(run.partition, 10 + 2 * 300000);
	assert_int_equal(change_count(), before);
}

static void what_still_comes_for_him_is_dropped(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"op\":\"gte\",\"value\":1}");
	run_event(&run, USER, 10, 10, "A", "{}", NULL);
	erase(USER, 20);
	uint64_t before = change_count();
	run_event(&run, USER, 21, 21, "A", "{}", NULL);
	run_traits(&run, USER, 22, "{\"tier\":\"VIP\"}");
	erase(USER, 23);
	run_feed(&run, 24,
	         &(struct record){.kind = RECORD_ALIAS, .flags = RECORD_IDENTIFIED, .slot = USER});
	assert_int_equal(change_count(), before);
	assert_null(profiles_find(&run.partition->profiles, USER));
	assert_int_equal(run.partition->profiles.erased_count, 1);
}

static void tell_merge(int64_t at_ms)
{
	struct buffer body = {0};
	merge_out_encode((struct person){0, USER}, &body);
	run_feed(
		&run, at_ms,
		&(struct record){.kind = RECORD_MERGE_OUT, .slot = VISITOR, .body = buffer_text(&body)});
	buffer_done(&body);
}

static void deliver(int64_t at_ms)
{
	struct merge_cursor cursor = {0};
	struct buffer       out    = {0};
	struct record       record;
	struct error        err;
	size_t              size;
	uint32_t            count;
	assert_true(merge_encode(run.partition, &run.partition->merges.caused.items[0], &cursor,
	                         MERGE_APPEND_BYTES, &out, &count));
	assert_int_equal(count, 1);
	assert_int_equal(record_decode(buffer_text(&out), &record, &size, &err), STATUS_OK);
	run_feed(&run, at_ms, &record);
	buffer_done(&out);
	merge_caused_remove(run.partition);
}

static void visit(int64_t at_ms)
{
	struct buffer list = {0};
	value_list_end(&list, value_list_begin(&list), 0);
	run_feed(&run, at_ms,
	         &(struct record){.kind         = RECORD_EVENT,
	                          .slot         = VISITOR,
	                          .call         = CALL_TRACK,
	                          .timestamp_ms = at_ms,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .name         = TEXT("A"),
	                          .properties   = buffer_text(&list)});
	buffer_done(&list);
}

static void a_merge_that_reaches_him_too_late_ends(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"op\":\"gte\",\"value\":1}");
	run_traits(&run, USER, 5, "{\"tier\":\"VIP\"}");
	visit(10);
	tell_merge(20);
	erase(USER, 21);
	uint64_t before = change_count();
	deliver(22);
	assert_int_equal(change_count(), before);
	assert_int_equal(merge_received(run.partition, 0), 5);
	/* Calls that are forwarded to him end there too. */
	visit(30);
	deliver(31);
	assert_int_equal(change_count(), before);
	assert_null(profiles_find(&run.partition->profiles, USER));
	/* Those of the visitor end with himself. */
	erase(VISITOR, 40);
	visit(41);
	assert_int_equal(run.partition->merges.caused.count, 0);
}

static void somebody_nobody_knew_is_not_brought_into_being(void **state)
{
	(void)state;
	uint64_t before = change_count();
	erase(USER, 10);
	run_event(&run, USER, 11, 11, "A", "{}", NULL);
	assert_int_equal(change_count(), before);
	assert_int_equal(run.partition->profiles.person_count, 0);
}

static void a_replay_gives_the_same_stream(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"within\":\"5m\",\"op\":\"gte\",\"value\":2}");
	for (int i = 0; i < 400; i++) {
		run_event(&run, (uint32_t)i % 7, 1000 * i, 1000 * i - i * 3, "A", "{}", NULL);
		if (i % 50 == 49)
			erase((uint32_t)i / 50, 1000 * i);
	}
	struct buffer live = {0}, again = {0};
	partition_advance(run.partition, 2000000);
	run_stream(run.partition, &live);
	run_replay(&run, 2000000, &again);
	assert_int_equal(live.length, again.length);
	assert_memory_equal(live.data, again.data, live.length);
	buffer_done(&live);
	buffer_done(&again);
}

#define ERASURE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ERASURE_TEST(everybody_leaves_with_one_exit_of_each_segment),
		ERASURE_TEST(nothing_is_kept_of_the_person),
		ERASURE_TEST(what_still_comes_for_him_is_dropped),
		ERASURE_TEST(a_merge_that_reaches_him_too_late_ends),
		ERASURE_TEST(somebody_nobody_knew_is_not_brought_into_being),
		ERASURE_TEST(a_replay_gives_the_same_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
