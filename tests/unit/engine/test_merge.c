#include "engine/merge/merge.h"

#include "run.h"

#include "engine/merge/merge_record.h"
#include "model/merge_out.h"
#include <string.h>

enum { VISITOR = 3, USER = 5 };

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

static void visit_as(uint32_t slot, int64_t at_ms, const char *name, const char *message_id)
{
	struct buffer list = {0};
	value_list_end(&list, value_list_begin(&list), 0);
	run_feed(&run, at_ms,
	         &(struct record){.kind         = RECORD_EVENT,
	                          .slot         = slot,
	                          .call         = CALL_TRACK,
	                          .timestamp_ms = at_ms,
	                          .skew_ms      = INSTANT_MS_NONE,
	                          .name         = text_of(name),
	                          .message_id   = text_of(message_id),
	                          .properties   = buffer_text(&list)});
	buffer_done(&list);
}

static void visit(int64_t at_ms, const char *name, const char *message_id)
{
	visit_as(VISITOR, at_ms, name, message_id);
}

static uint64_t tell_merge(uint32_t slot, int64_t at_ms)
{
	struct buffer body = {0};
	merge_out_encode((struct person){0, USER}, &body);
	run_feed(&run, at_ms,
	         &(struct record){.kind = RECORD_MERGE_OUT, .slot = slot, .body = buffer_text(&body)});
	buffer_done(&body);
	return run.position;
}

/* What a relay does with the first of the queue; the number of records that it took. */
static unsigned deliver(int64_t at_ms, bool take_out)
{
	struct merges      *merges = &run.partition->merges;
	struct merge_cursor cursor = {0};
	struct buffer       out    = {0};
	unsigned            total  = 0;
	uint32_t            count;
	bool                whole;
	assert_true(merges->caused.count > 0);
	do {
		buffer_clear(&out);
		whole = merge_encode(run.partition, &merges->caused.items[0], &cursor, MERGE_APPEND_BYTES,
		                     &out, &count);
		struct text left = buffer_text(&out);
		for (uint32_t i = 0; i < count; i++, total++) {
			struct record record;
			struct error  err;
			size_t        size;
			assert_int_equal(record_decode(left, &record, &size, &err), STATUS_OK);
			run_feed(&run, at_ms, &record);
			left = (struct text){left.data + size, left.length - size};
		}
	} while (!whole);
	buffer_done(&out);
	if (take_out)
		merge_caused_remove(run.partition);
	return total;
}

static size_t count_events(uint32_t slot)
{
	const struct events_query query = {
		.from_ms = INT64_MIN, .to_ms = INT64_MAX, .now_ms = 0, .retention_ms = INSTANT_MS_NEVER};
	event_list list = {0};
	facts_read(run.partition, slot, &query, NULL, &list);
	size_t count = list.count;
	event_list_done(&list);
	return count;
}

static void a_visitor_leaves_and_the_user_enters_with_cause_merge(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"op\":\"gte\",\"value\":2}");
	visit(10, "A", "m1");
	visit(11, "A", "m2");
	run_event(&run, USER, 12, 12, "A", "{}", NULL);
	assert_true(run_is_member(&run, VISITOR, 1));

	tell_merge(VISITOR, 20);
	assert_false(run_is_member(&run, VISITOR, 1));
	assert_false(run_is_member(&run, USER, 1));
	assert_int_equal(run.partition->profiles.person_count, 1);
	run_expect(&run, run.partition->changes.count - 1, VISITOR, 1, false, CAUSE_MERGE, 20);

	deliver(21, true);
	assert_true(run_is_member(&run, USER, 1));
	run_expect(&run, run.partition->changes.count - 1, USER, 1, true, CAUSE_MERGE, 21);
	assert_int_equal(count_events(USER), 3);
}

static void what_was_applied_is_dropped_when_it_comes_again(void **state)
{
	(void)state;
	visit(10, "A", "");
	tell_merge(VISITOR, 20);
	tell_merge(VISITOR, 20);
	assert_int_equal(run.partition->merges.caused.count, 1);
	deliver(21, false);
	deliver(22, true);
	assert_int_equal(count_events(USER), 1);
}

static void a_call_that_reaches_a_merged_visitor_goes_to_the_user(void **state)
{
	(void)state;
	visit(10, "A", "m1");
	tell_merge(VISITOR, 20);
	deliver(20, true);
	visit(30, "A", "m2");
	visit(30, "A", "m1"); /* the user has it */
	assert_int_equal(run.partition->merges.caused.count, 2);
	deliver(31, true);
	deliver(31, true);
	assert_int_equal(count_events(USER), 2);
	assert_int_equal(run.partition->profiles.person_count, 1);
}

static void of_one_message_id_the_call_accepted_first_counts(void **state)
{
	(void)state;
	run_event(&run, USER, 9, 9, "A", "{}", "first");
	visit(10, "A", "first");
	visit(11, "A", "second");
	run_event(&run, USER, 12, 12, "A", "{}", "second");
	run_event(&run, USER, 13, 13, "A", "{}", "third");
	tell_merge(VISITOR, 20);
	deliver(20, true);
	assert_int_equal(count_events(USER), 3);
	run_event(&run, USER, 30, 30, "A", "{}", "second");
	assert_int_equal(count_events(USER), 3);
}

static void a_merge_of_many_events_comes_in_parts_and_as_one_step(void **state)
{
	(void)state;
	char          filler[20000];
	struct buffer properties = {0};
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	buffer_printf(&properties, "{\"filler\":\"%s\"}", filler);
	buffer_add_u8(&properties, 0);
	run_define(&run, 1, 1, "{\"event\":\"A\",\"op\":\"eq\",\"value\":100}");
	visit(2, "A", ""); /* an anonymous profile */
	for (unsigned i = 1; i < 100; i++)
		run_event(&run, VISITOR, 10 + i, 10 + i, "A", properties.data, NULL);
	uint64_t before = run.partition->changes.count;
	tell_merge(VISITOR, 200);
	assert_true(deliver(201, true) >= 3);
	assert_true(run_is_member(&run, USER, 1));
	/* The visitor's exit, the user's creation, his entry. */
	assert_int_equal(run.partition->changes.count, before + 3);
	buffer_done(&properties);
}

static uint64_t merge_bytes(void)
{
	return atomic_load(&run.partition->bytes[ENGINE_MEMORY_MERGES]);
}

static void what_waits_to_move_is_counted_as_memory_until_it_has_moved(void **state)
{
	(void)state;
	char          id[16];
	struct merges none = {0};
	assert_int_equal(merges_bytes(&none), 0);
	visit(10, "A", "");
	tell_merge(VISITOR, 20);
	deliver(20, true);
	uint64_t idle_bytes = run.partition->merges.held_bytes;
	assert_int_equal(idle_bytes, 0);

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(id, sizeof id, "late-%u", i);
		visit(30 + i, "a name that takes some room", id);
	}
	assert_true(run.partition->merges.held_bytes > 1000 * strlen("a name that takes some room"));
	assert_true(merge_bytes() > run.partition->merges.held_bytes);
	while (run.partition->merges.caused.count > 0)
		deliver(3000, true);
	assert_int_equal(run.partition->merges.held_bytes, 0);
	assert_int_equal(count_events(USER), 1001);
}

/* A visitor's calls, then the same as the user's, which do not count once they are one. */
static void merge_with_duplicates(uint32_t slot, int64_t at_ms, unsigned count)
{
	char id[32];
	for (unsigned i = 0; i < count; i++) {
		snprintf(id, sizeof id, "%u-%u", slot, i);
		visit_as(slot, at_ms, "A", id);
		run_event(&run, USER, at_ms, at_ms, "A", "{}", id);
	}
	tell_merge(slot, at_ms);
	deliver(at_ms, true);
}

static void what_was_dropped_is_forgotten_when_it_exists_no_more(void **state)
{
	(void)state;
	enum { A_MERGE = FACTS_SWEEP_MIN / 2 + 10, MERGES = 8 };
	run_done(&run);
	run_begin_retaining(&run, 10 * DAY_MS);
	for (unsigned i = 0; i < MERGES; i++) {
		merge_with_duplicates(100 + i, (int64_t)i * 6 * DAY_MS, A_MERGE);
		/* As many as exist were dropped by the last two. */
		assert_true(run.partition->facts.dropped.count <= 4 * A_MERGE);
	}
	struct events_query query = {.from_ms      = INT64_MIN,
	                             .to_ms        = INT64_MAX,
	                             .now_ms       = (MERGES - 1) * 6 * DAY_MS,
	                             .retention_ms = 10 * DAY_MS};
	event_list          list  = {0};
	facts_read(run.partition, USER, &query, NULL, &list);
	assert_int_equal(list.count, 2 * A_MERGE);
	event_list_done(&list);
}

static void one_of_a_checkpoint_is_forgotten_only_when_its_event_exists_no_more(void **state)
{
	(void)state;
	struct buffer saved = {0};
	run_done(&run);
	run_begin_retaining(&run, 10 * DAY_MS);
	merge_with_duplicates(100, DAY_MS, 3);
	facts_save(&run.partition->facts, &saved);
	facts_done(&run.partition->facts);
	facts_init(&run.partition->facts);
	struct byte_reader reader = byte_reader_of(saved.data, saved.length);
	assert_true(facts_load(&run.partition->facts, &reader));
	buffer_done(&saved);

	run.partition->facts.sweep_count = 1;
	merge_with_duplicates(101, 2 * DAY_MS, 1);
	assert_int_equal(run.partition->facts.dropped.count, 4);
	run.partition->facts.sweep_count = 1;
	merge_with_duplicates(102, 11 * DAY_MS, 1);
	assert_int_equal(run.partition->facts.dropped.count, 2);
}

static void every_trait_that_the_user_lacks_becomes_his(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"trait\":\"a\",\"op\":\"eq\",\"value\":\"visitor\"}");
	run_define(&run, 1, 2, "{\"trait\":\"b\",\"op\":\"eq\",\"value\":\"user\"}");
	run_define(&run, 1, 3, "{\"trait\":\"c\",\"op\":\"eq\",\"value\":\"visitor\"}");
	visit(9, "A", ""); /* an anonymous profile */
	run_traits(&run, VISITOR, 10, "{\"a\":\"visitor\",\"b\":\"visitor\",\"c\":\"visitor\"}");
	run_traits(&run, USER, 10, "{\"b\":\"user\"}");
	tell_merge(VISITOR, 20);
	deliver(21, true);
	for (uint32_t segment = 1; segment <= 3; segment++)
		assert_true(run_is_member(&run, USER, segment));
}

static void the_same_records_give_the_same_stream(void **state)
{
	(void)state;
	run_define(&run, 1, 1, "{\"event\":\"A\",\"within\":\"60s\",\"op\":\"gte\",\"value\":1}");
	visit(1000, "A", "m1");
	tell_merge(VISITOR, 2000);
	deliver(3000, false); /* replayed, what is queued again is what was delivered */
	struct buffer live = {0}, again = {0};
	partition_advance(run.partition, 100000);
	run_stream(run.partition, &live);
	run_replay(&run, 100000, &again);
	assert_int_equal(live.length, again.length);
	assert_memory_equal(live.data, again.data, live.length);
	buffer_done(&live);
	buffer_done(&again);
}

static void what_is_under_way_comes_back_from_a_checkpoint(void **state)
{
	(void)state;
	visit(10, "A", "m1");
	uint64_t position = tell_merge(VISITOR, 20);
	deliver(21, false);
	visit(30, "A", "m2");

	struct buffer saved  = {0};
	struct merges loaded = {0};
	merge_save(&run.partition->merges, &saved);
	struct byte_reader reader = byte_reader_of(saved.data, saved.length);
	assert_true(merge_load(&loaded, &reader));
	assert_int_equal(read_left(&reader), 0);
	assert_int_equal(loaded.closed.count, 1);
	assert_int_equal(loaded.closed.items[0].position, position);
	assert_int_equal(loaded.caused.count, 2);
	assert_true(loaded.caused.items[0].whole);
	assert_int_equal(*map_u64_find(&loaded.received, 0), position);

	struct byte_reader cut  = byte_reader_of(saved.data, saved.length - 1);
	struct merges      torn = {0};
	assert_false(merge_load(&torn, &cut));
	merges_done(&torn);
	merges_done(&loaded);
	buffer_done(&saved);
}

static void a_damaged_merge_is_refused(void **state)
{
	(void)state;
	struct error      err;
	struct person     user;
	struct merge_part part;
	struct merge_item item;
	assert_int_equal(merge_out_decode(TEXT("\1\2\3"), &user, &err), STATUS_CORRUPT);
	assert_int_equal(merge_part_decode(TEXT("\1\2\3"), &part, &err), STATUS_CORRUPT);
	struct byte_reader unknown = byte_reader_of("\11", 1);
	assert_int_equal(merge_item_decode(&unknown, &item, &err), STATUS_CORRUPT);
	struct byte_reader torn = byte_reader_of("\2\0\1", 3);
	assert_int_equal(merge_item_decode(&torn, &item, &err), STATUS_CORRUPT);
	struct byte_reader none = byte_reader_of("", 0);
	assert_int_equal(merge_item_decode(&none, &item, &err), STATUS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_visitor_leaves_and_the_user_enters_with_cause_merge),
		TEST(what_was_applied_is_dropped_when_it_comes_again),
		TEST(a_call_that_reaches_a_merged_visitor_goes_to_the_user),
		TEST(of_one_message_id_the_call_accepted_first_counts),
		TEST(a_merge_of_many_events_comes_in_parts_and_as_one_step),
		TEST(what_waits_to_move_is_counted_as_memory_until_it_has_moved),
		TEST(what_was_dropped_is_forgotten_when_it_exists_no_more),
		TEST(one_of_a_checkpoint_is_forgotten_only_when_its_event_exists_no_more),
		TEST(every_trait_that_the_user_lacks_becomes_his),
		TEST(the_same_records_give_the_same_stream),
		TEST(what_is_under_way_comes_back_from_a_checkpoint),
		TEST(a_damaged_merge_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
