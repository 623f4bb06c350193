#include "engine/merge/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan_cache.h"
#include "model/merge_out.h"
#include "model/value.h"

enum { ORIGIN = 0, RECEIVER = 1, PARTITIONS = 2, VISITOR = 3, USER = 5 };

#define RETENTION_MS (10 * DAY_MS)

/* A journal that keeps what is appended until the test says what became of it. */
struct flight {
	uint32_t      partition;
	uint32_t      record_count;
	struct buffer records;
};

static struct test {
	struct journal       journal; /* first */
	struct events_budget budget;
	struct plan_cache   *plans;
	struct partition    *partitions[PARTITIONS];
	struct relay        *relay;
	uint64_t             position;
	int64_t              now_ms;
	unsigned             wakes[PARTITIONS];
	unsigned             appends;
	bool                 refuses;
	VECTOR(struct flight) flights;
	journal_appended_fn *appended;
	void                *context;
} test;

static enum status take_append(struct journal *journal, const struct journal_batch *batches,
                               size_t batch_count, journal_appended_fn *appended, void *context,
                               struct error *err)
{
	size_t bytes = 0;
	assert_ptr_equal(journal, &test.journal);
	assert_null(test.appended); /* one at a time */
	test.appends++;
	for (size_t i = 0; i < batch_count; i++)
		bytes += batches[i].records.length;
	assert_true(bytes <= JOURNAL_APPEND_BYTES_MAX);
	if (test.refuses)
		return error_set(err, STATUS_NO_SPACE, "refused");
	for (size_t i = 0; i < batch_count; i++) {
		struct flight flight = {batches[i].partition, batches[i].record_count, {0}};
		buffer_add_text(&flight.records, batches[i].records);
		VECTOR_ADD(&test.flights, flight);
	}
	test.appended = appended;
	test.context  = context;
	return STATUS_OK;
}

static void wake(void *context, uint32_t partition)
{
	assert_ptr_equal(context, &test);
	test.wakes[partition]++;
}

static int begin(void **state)
{
	static const struct journal_ops ops = {.name = "test", .append = take_append};
	(void)state;
	test = (struct test){.journal.ops = &ops, .budget.limit_bytes = UINT64_MAX, .now_ms = 1000};
	test.plans = plan_cache_new(RETENTION_MS);
	for (uint32_t i = 0; i < PARTITIONS; i++)
		test.partitions[i] =
			partition_new(i, RETENTION_MS, events_new(i, &test.budget), test.plans);
	test.relay = relay_new(&test.journal, PARTITIONS, wake, &test);
	return 0;
}

static void drop_flights(void)
{
	for (size_t i = 0; i < test.flights.count; i++)
		buffer_done(&test.flights.items[i].records);
	VECTOR_DONE(&test.flights);
}

static int end(void **state)
{
	(void)state;
	drop_flights();
	relay_free(test.relay);
	for (uint32_t i = 0; i < PARTITIONS; i++)
		partition_free(test.partitions[i]);
	plan_cache_free(test.plans);
	return 0;
}

static void apply(uint32_t partition, struct text records, uint32_t count)
{
	struct journal_read read = {.partition      = partition,
	                            .record_count   = count,
	                            .records        = records,
	                            .first_position = test.position + 1,
	                            .log_time_ms    = test.now_ms};
	struct error        err  = {0};
	test.position += count;
	if (partition_apply(test.partitions[partition], &read, 1, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	relay_applied(test.relay, test.partitions[partition]);
}

static uint64_t feed(uint32_t partition, const struct record *record)
{
	struct buffer encoded = {0};
	record_encode(&encoded, record);
	apply(partition, buffer_text(&encoded), 1);
	buffer_done(&encoded);
	return test.position;
}

static void visit(uint32_t slot, int64_t time_ms, const char *message_id, size_t bytes)
{
	struct buffer list   = {0};
	char         *filler = malloc(bytes + 1);
	assert_non_null(filler);
	memset(filler, 'x', bytes);
	const struct value value = {.type = VALUE_STRING, .text = {filler, bytes}};
	size_t             at    = value_list_begin(&list);
	value_add(&list, TEXT("filler"), &value);
	value_list_end(&list, at, 1);
	feed(ORIGIN, &(struct record){.kind         = RECORD_EVENT,
	                              .slot         = slot,
	                              .call         = CALL_TRACK,
	                              .timestamp_ms = time_ms,
	                              .skew_ms      = INSTANT_MS_NONE,
	                              .name         = TEXT("A"),
	                              .message_id   = text_of(message_id),
	                              .properties   = buffer_text(&list)});
	buffer_done(&list);
	free(filler);
}

static void visit_often(uint32_t slot, unsigned count, int64_t time_ms)
{
	for (unsigned i = 0; i < count; i++) {
		char id[32];
		snprintf(id, sizeof id, "m-%u-%u", slot, i);
		visit(slot, time_ms + i, id, 20000);
	}
}

static uint64_t tell_merge(uint32_t visitor, uint32_t user)
{
	struct buffer body = {0};
	merge_out_encode((struct person){RECEIVER, user}, &body);
	uint64_t position = feed(
		ORIGIN,
		&(struct record){.kind = RECORD_MERGE_OUT, .slot = visitor, .body = buffer_text(&body)});
	buffer_done(&body);
	return position;
}

static void send(bool live) { relay_send(test.relay, test.partitions[ORIGIN], live); }

/* What became of the append that is in flight. */
static void land(enum status status)
{
	struct error         err      = {.status = status};
	journal_appended_fn *appended = test.appended;
	assert_non_null(appended);
	test.appended = NULL;
	if (status == STATUS_OK) {
		for (size_t i = 0; i < test.flights.count; i++)
			apply(test.flights.items[i].partition, buffer_text(&test.flights.items[i].records),
			      test.flights.items[i].record_count);
	}
	drop_flights();
	appended(test.context, status, test.position, test.now_ms, &err);
}

static size_t events_of(uint32_t partition, uint32_t slot, bool *ret_ordered)
{
	const struct events_query query = {.from_ms      = INT64_MIN,
	                                   .to_ms        = INT64_MAX,
	                                   .now_ms       = test.now_ms,
	                                   .retention_ms = RETENTION_MS};
	event_list                list  = {0};
	facts_read(test.partitions[partition], slot, &query, NULL, &list);
	size_t count = list.count;
	*ret_ordered = true;
	for (size_t i = 1; i < count; i++)
		*ret_ordered &= event_compare(&list.items[i - 1], &list.items[i]) < 0;
	event_list_done(&list);
	return count;
}

static size_t events_of_user(void)
{
	bool   ordered;
	size_t count = events_of(RECEIVER, USER, &ordered);
	assert_true(ordered);
	return count;
}

static void nothing_is_sent_before_everybody_has_replayed(void **state)
{
	(void)state;
	visit(VISITOR, 10, "m1", 1);
	tell_merge(VISITOR, USER);
	send(false);
	assert_int_equal(test.appends, 0);
	send(true);
	assert_int_equal(test.appends, 1);
	send(true); /* in flight */
	assert_int_equal(test.appends, 1);
	land(STATUS_OK);
	assert_int_equal(events_of_user(), 1);
}

static void it_is_settled_once_the_receiver_has_applied_it(void **state)
{
	(void)state;
	visit(VISITOR, 10, "m1", 1);
	uint64_t position = tell_merge(VISITOR, USER);
	assert_true(relay_settled(test.relay, position - 1));
	assert_false(relay_settled(test.relay, position));
	send(true);
	assert_false(relay_settled(test.relay, position));
	unsigned before = test.wakes[ORIGIN];
	land(STATUS_OK);
	assert_true(test.wakes[ORIGIN] > before); /* by the receiver, who has it */
	relay_applied(test.relay, test.partitions[ORIGIN]);
	assert_true(relay_settled(test.relay, position));
	assert_int_equal(test.partitions[ORIGIN]->merges.caused.count, 0);
	send(true);
	assert_int_equal(test.appends, 1);
}

static void what_waits_goes_in_one_append_and_in_order(void **state)
{
	(void)state;
	visit(VISITOR, 10, "m1", 1);
	tell_merge(VISITOR, USER);
	visit(VISITOR, 20, "m2", 1); /* forwarded */
	visit(VISITOR, 30, "m2", 1); /* the same call again */
	send(true);
	assert_int_equal(test.appends, 1);
	land(STATUS_OK);
	assert_int_equal(events_of_user(), 2);
	send(true);
	assert_int_equal(test.appends, 1);
	assert_int_equal(test.partitions[ORIGIN]->merges.caused.count, 0);
}

static void a_refused_and_a_failed_append_are_tried_again(void **state)
{
	(void)state;
	visit(VISITOR, 10, "m1", 1);
	tell_merge(VISITOR, USER);
	test.refuses = true;
	send(true);
	test.refuses = false;
	assert_int_equal(test.appends, 1);
	send(true);
	land(STATUS_NO_SPACE);
	send(true);
	land(STATUS_OK);
	assert_int_equal(test.appends, 3);
	assert_int_equal(events_of_user(), 1);
}

static void what_was_sent_but_seemed_to_fail_counts_once(void **state)
{
	(void)state;
	visit(VISITOR, 10, "m1", 1);
	visit(VISITOR, 11, "", 1);
	tell_merge(VISITOR, USER);
	send(true);
	for (size_t i = 0; i < test.flights.count; i++)
		apply(test.flights.items[i].partition, buffer_text(&test.flights.items[i].records),
		      test.flights.items[i].record_count);
	land(STATUS_FAILED);
	send(true);
	assert_int_equal(events_of_user(), 2);
	assert_int_equal(test.partitions[ORIGIN]->merges.caused.count, 0);
}

/* Until nothing is in flight any more; the number of appends. */
static unsigned carry(void)
{
	unsigned before = test.appends;
	for (send(true); test.appended != NULL; send(true)) {
		assert_true(test.appends < before + 100);
		land(STATUS_OK);
	}
	return test.appends - before;
}

static void a_merge_larger_than_an_append_goes_in_several_and_arrives_as_one_step(void **state)
{
	(void)state;
	enum { COUNT = 1000 }; /* of 20 kB */
	visit_often(VISITOR, COUNT, 10);
	tell_merge(VISITOR, USER);
	send(true);
	land(STATUS_OK);
	assert_int_equal(events_of_user(), 0); /* the last part has not come */
	send(true);
	land(STATUS_NO_SPACE); /* it begins anew */
	assert_true(carry() >= 3);
	assert_int_equal(events_of_user(), COUNT);
	assert_int_equal(test.partitions[RECEIVER]->merges.arriving.count, 0);
	assert_int_equal(test.partitions[ORIGIN]->merges.caused.count, 0);
}

static void merges_that_wait_together_fit_into_an_append(void **state)
{
	(void)state;
	/* The first is nearly as large as an append may be, the second larger. */
	static const unsigned counts[] = {410, 500, 3};
	size_t                total    = 0;
	for (uint32_t i = 0; i < 3; i++) {
		visit_often(VISITOR + 10 * i, counts[i], 10 + 1000 * i);
		tell_merge(VISITOR + 10 * i, USER);
		total += counts[i];
	}
	carry(); /* take_append() looks at their size */
	assert_int_equal(events_of_user(), total);
}

/* The store forgets what is over while a large merge is between two appends. */
static void events_that_cease_to_exist_on_the_way_take_no_others_along(void **state)
{
	(void)state;
	enum { OLD = 50, COUNT = 600 };
	visit_often(VISITOR, OLD, 0);
	test.now_ms = 2 * DAY_MS;
	for (unsigned i = 0; i < COUNT; i++) {
		char id[32];
		snprintf(id, sizeof id, "n-%u", i);
		visit(VISITOR, DAY_MS + i, id, 20000);
	}
	tell_merge(VISITOR, USER);
	send(true);
	land(STATUS_OK);

	test.now_ms              = RETENTION_MS; /* those of the first day have ended */
	struct partition *origin = test.partitions[ORIGIN];
	struct events    *left   = events_new(ORIGIN, &test.budget);
	event_list        list   = {0};
	struct buffer     record = {0};
	events_read(origin->events, VISITOR,
	            &(struct events_query){.calls            = true,
	                                   .from_ms          = DAY_MS,
	                                   .to_ms            = INT64_MAX,
	                                   .through_position = UINT64_MAX,
	                                   .now_ms           = test.now_ms,
	                                   .retention_ms     = RETENTION_MS},
	            &list);
	assert_int_equal(list.count, COUNT);
	for (size_t i = 0; i < list.count; i++) {
		buffer_clear(&record);
		record_encode(&record, &list.items[i].record);
		events_add(left, VISITOR, buffer_text(&record), &list.items[i]);
	}
	buffer_done(&record);
	event_list_done(&list);
	events_free(origin->events);
	origin->events = left;

	carry();
	assert_int_equal(events_of_user(), COUNT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_sent_before_everybody_has_replayed),
		TEST(it_is_settled_once_the_receiver_has_applied_it),
		TEST(what_waits_goes_in_one_append_and_in_order),
		TEST(a_refused_and_a_failed_append_are_tried_again),
		TEST(what_was_sent_but_seemed_to_fail_counts_once),
		TEST(a_merge_larger_than_an_append_goes_in_several_and_arrives_as_one_step),
		TEST(merges_that_wait_together_fit_into_an_append),
		TEST(events_that_cease_to_exist_on_the_way_take_no_others_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
