#include "events/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "../seed.h"
#include "base/instant.h"

#define RETENTION_MS (10 * DAY_MS)

static struct events_budget budget;
static struct events       *events;
static uint64_t             position;

static int begin(void **state)
{
	(void)state;
	budget   = (struct events_budget){.limit_bytes = UINT64_MAX};
	events   = events_new(3, &budget);
	position = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	events_free(events);
	return 0;
}

static void add(uint32_t slot, enum record_kind kind, const char *name, const char *message_id,
                int64_t time_ms)
{
	struct record record  = {.kind       = kind,
	                         .slot       = slot,
	                         .call       = kind == RECORD_EVENT ? CALL_TRACK : CALL_IDENTIFY,
	                         .name       = text_of(name),
	                         .message_id = text_of(message_id)};
	struct buffer encoded = {0};
	record_encode(&encoded, &record);
	position++;
	events_add(events, slot, buffer_text(&encoded),
	           &(struct event){.time_ms         = time_ms,
	                           .received_ms     = time_ms,
	                           .position        = position,
	                           .stored_position = position,
	                           .partition       = 3,
	                           .record          = record});
	buffer_done(&encoded);
}

/* A call that a merge brings at the next position, accepted elsewhere by slot 7. */
static void add_moved(uint32_t slot, const char *name, const char *message_id, int64_t time_ms,
                      int64_t received_ms, uint32_t partition, uint64_t accepted)
{
	struct record record  = {.kind       = RECORD_EVENT,
	                         .slot       = 7,
	                         .call       = CALL_TRACK,
	                         .name       = text_of(name),
	                         .message_id = text_of(message_id)};
	struct buffer encoded = {0};
	record_encode(&encoded, &record);
	events_add(events, slot, buffer_text(&encoded),
	           &(struct event){.time_ms         = time_ms,
	                           .received_ms     = received_ms,
	                           .position        = accepted,
	                           .stored_position = position,
	                           .partition       = partition,
	                           .record          = record});
	buffer_done(&encoded);
}

static event_list read_all(uint32_t slot, const char *name, int64_t now_ms)
{
	const struct events_query query = {.name             = text_of(name),
	                                   .from_ms          = INT64_MIN,
	                                   .to_ms            = INT64_MAX,
	                                   .through_position = UINT64_MAX,
	                                   .now_ms           = now_ms,
	                                   .retention_ms     = RETENTION_MS};
	event_list                list  = {0};
	events_read(events, slot, &query, &list);
	return list;
}

static void a_persons_events_come_in_order_of_time_then_acceptance(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++)
		add(seed_below(2) ? 1 : 70000, RECORD_EVENT, "a", "", (int64_t)seed_below(40));

	event_list list = read_all(1, "", 100);
	for (size_t i = 1; i < list.count; i++)
		assert_true(list.items[i - 1].time_ms < list.items[i].time_ms ||
		            (list.items[i - 1].time_ms == list.items[i].time_ms &&
		             list.items[i - 1].position < list.items[i].position));
	event_list other = read_all(70000, "", 100);
	assert_int_equal(list.count + other.count, 300);
	event_list_done(&list);
	event_list_done(&other);
}

static void what_a_merge_brought_keeps_its_place_in_the_order(void **state)
{
	(void)state;
	position = 40;
	add(1, RECORD_EVENT, "a", "own", 50); /* accepted at 50, partition 3, position 41 */
	add(1, RECORD_EVENT, "a", "newest", 60);
	position++;
	add_moved(1, "a", "later partition", 50, 50, 4, 12);
	add_moved(1, "a", "earlier partition", 50, 50, 2, 39);
	add_moved(1, "a", "received before", 50, 49, 9, 5);

	static const char *const expected[] = {"received before", "earlier partition", "own",
	                                       "later partition", "newest"};
	event_list               list       = read_all(1, "", 100);
	assert_int_equal(list.count, 5);
	for (size_t i = 0; i < list.count; i++)
		assert_true(text_equal(list.items[i].record.message_id, text_of(expected[i])));
	assert_int_equal(list.items[1].position, 39);
	assert_int_equal(list.items[1].stored_position, 43);
	assert_int_equal(list.items[1].partition, 2);
	assert_int_equal(list.items[1].record.slot, 7);
	assert_int_equal(list.items[2].partition, 3);
	event_list_done(&list);

	/* It is this person's from the merge on, not before. */
	assert_false(events_seen(events, 1, TEXT("received before"), 43, 100, RETENTION_MS));
	assert_true(events_seen(events, 1, TEXT("received before"), 44, 100, RETENTION_MS));
	assert_false(events_seen(events, 7, TEXT("received before"), 44, 100, RETENTION_MS));
}

static void a_query_names_events_and_calls_are_none(void **state)
{
	(void)state;
	add(1, RECORD_EVENT, "a", "m1", 1);
	add(1, RECORD_EVENT, "b", "m2", 2);
	add(1, RECORD_TRAITS, "", "m3", 3);

	event_list list = read_all(1, "b", 100);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].time_ms, 2);
	assert_int_equal(events_count(events), 2);
	event_list_done(&list);
}

static void what_lies_behind_the_position_asked_for_is_not_seen(void **state)
{
	(void)state;
	add(1, RECORD_EVENT, "a", "m1", 1);
	add(1, RECORD_EVENT, "a", "m2", 2);

	struct events_query query = {.from_ms          = INT64_MIN,
	                             .to_ms            = INT64_MAX,
	                             .through_position = 1,
	                             .now_ms           = 100,
	                             .retention_ms     = RETENTION_MS};
	event_list          list  = {0};
	events_read(events, 1, &query, &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].position, 1);
	assert_false(events_seen(events, 1, TEXT("m2"), 2, 100, RETENTION_MS));
	assert_true(events_seen(events, 1, TEXT("m2"), 3, 100, RETENTION_MS));
	event_list_done(&list);
}

static void a_message_id_is_a_persons_own_and_free_again_after_the_retention(void **state)
{
	(void)state;
	add(1, RECORD_EVENT, "a", "m1", DAY_MS + 5);
	add(1, RECORD_TRAITS, "", "m2", DAY_MS + 5);

	assert_true(events_seen(events, 1, TEXT("m1"), UINT64_MAX, DAY_MS + 6, RETENTION_MS));
	assert_true(events_seen(events, 1, TEXT("m2"), UINT64_MAX, DAY_MS + 6, RETENTION_MS));
	assert_false(events_seen(events, 2, TEXT("m1"), UINT64_MAX, DAY_MS + 6, RETENTION_MS));
	assert_false(events_seen(events, 1, TEXT("m3"), UINT64_MAX, DAY_MS + 6, RETENTION_MS));
	assert_true(events_seen(events, 1, TEXT("m1"), UINT64_MAX, 11 * DAY_MS - 1, RETENTION_MS));
	assert_false(events_seen(events, 1, TEXT("m1"), UINT64_MAX, 11 * DAY_MS, RETENTION_MS));
}

static void every_message_id_is_found_among_many(void **state)
{
	(void)state;
	char id[32];
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(id, sizeof id, "id-%u", i);
		add(i % 100, RECORD_EVENT, "a", id, i);
	}
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(id, sizeof id, "id-%u", i);
		assert_true(events_seen(events, i % 100, text_of(id), UINT64_MAX, 20000, RETENTION_MS));
		assert_false(
			events_seen(events, (i + 1) % 100, text_of(id), UINT64_MAX, 20000, RETENTION_MS));
	}
}

static void memory_is_counted_in_the_shared_budget(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40000; i++)
		add(1, RECORD_EVENT, "a rather long name of an event, so that it adds up", "", i);
	assert_true(budget.used_bytes > 40000 * 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_persons_events_come_in_order_of_time_then_acceptance),
		TEST(what_a_merge_brought_keeps_its_place_in_the_order),
		TEST(a_query_names_events_and_calls_are_none),
		TEST(what_lies_behind_the_position_asked_for_is_not_seen),
		TEST(a_message_id_is_a_persons_own_and_free_again_after_the_retention),
		TEST(every_message_id_is_found_among_many),
		TEST(memory_is_counted_in_the_shared_budget),
	};
	seed_begin("events");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
