#include "store_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../faulty_disk.h"
#include "base/instant.h"

enum { SLOTS = 60 };

static struct fixture fixture;

static int begin(void **state)
{
	(void)state;
	fixture_begin(&fixture);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_end(&fixture);
	return 0;
}

static struct events_query everything(void)
{
	return (struct events_query){.from_ms          = INT64_MIN,
	                             .to_ms            = INT64_MAX,
	                             .through_position = UINT64_MAX,
	                             .now_ms           = fixture.now_ms,
	                             .retention_ms     = fixture.retention_ms};
}

static struct events_query random_query(void)
{
	static const char *const names[] = {"", "", "Order Completed", "상품 조회", "unknown"};
	struct events_query      query   = everything();
	query.name  = text_of(names[fixture_below(sizeof names / sizeof names[0])]);
	query.calls = fixture_below(4) == 0;
	if (fixture_below(2) == 0)
		query.from_ms = fixture.now_ms - (int64_t)fixture_below(60) * DAY_MS;
	if (fixture_below(2) == 0)
		query.to_ms = fixture.now_ms - (int64_t)fixture_below(30) * DAY_MS;
	if (fixture_below(3) == 0)
		query.through_position = fixture_below(fixture.position + 1);
	return query;
}

static void expect_seen(const struct kept *kept)
{
	const struct event *event   = &kept->event;
	bool                exists  = false;
	uint64_t            before  = fixture_below(2) == 0 ? UINT64_MAX : event->stored_position;
	struct text         message = event->record.message_id;
	if (message.length == 0)
		return;
	for (size_t i = 0; i < fixture.kept.count && !exists; i++) {
		const struct kept *other = &fixture.kept.items[i];
		exists = other->slot == kept->slot && text_equal(other->event.record.message_id, message) &&
		         other->event.stored_position < before &&
		         events_end_ms(other->event.time_ms, fixture.retention_ms) > fixture.now_ms;
	}
	assert_int_equal(events_seen(fixture.events, kept->slot, message, before, fixture.now_ms,
	                             fixture.retention_ms),
	                 exists);
}

static void expect_all(void)
{
	struct events_query query = everything();
	query.calls               = true;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		fixture_expect(&fixture, slot, &query);
	for (unsigned i = 0; i < 100; i++) {
		query = random_query();
		fixture_expect(&fixture, (uint32_t)fixture_below(SLOTS), &query);
		if (fixture.kept.count > 0)
			expect_seen(&fixture.kept.items[fixture_below(fixture.kept.count)]);
	}
}

static void add_some(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fixture_add_random(&fixture, SLOTS);
		fixture_poll(&fixture);
		if (fixture_below(50) == 0)
			fixture.now_ms += (int64_t)fixture_below(DAY_MS);
	}
}

static void what_is_flushed_is_read_as_it_was_added(void **state)
{
	(void)state;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 300; i++)
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	expect_all();
}

static void a_store_is_read_alike_whatever_the_writer_has_done(void **state)
{
	(void)state;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 20; i++) {
		add_some(100);
		expect_all();
	}
}

static void after_a_restart_what_is_applied_again_is_not_there_twice(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		fixture_open(&fixture);
		fixture_replay(&fixture);
		expect_all();
		add_some(200);
		fixture_close(&fixture);
	}
	fixture_open(&fixture);
	fixture_replay(&fixture);
	expect_all();
}

/* Each call of a flush is the first that fails, and then it ends. */
static void a_flush_that_fails_anywhere_leaves_a_store_that_opens(void **state)
{
	(void)state;
	for (int spared = 0; spared < 64; spared++) {
		struct events_store_status status;
		bool                       flushed;
		fixture_open(&fixture);
		fixture_replay(&fixture);
		for (unsigned i = 0; i < 3; i++)
			fixture_add_random(&fixture, SLOTS);
		faulty_disk_set(spared % 2 == 0 ? ENOSPC : EDQUOT, spared);
		do {
			flushed = events_flush(fixture.events, fixture.position);
			fixture_poll(&fixture);
			events_store_status(fixture.store, &status);
		} while (!flushed && !status.failing);
		fixture_close(&fixture);
		faulty_disk_set(0, 0);
	}
	fixture_open(&fixture);
	fixture_replay(&fixture);
	expect_all();
}

static void what_the_disk_cannot_read_is_told_and_not_answered(void **state)
{
	(void)state;
	struct events_query query = everything();
	event_list          list  = {0};
	struct error        err;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 2000; i++)
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	fixture_close(&fixture);
	fixture_open(&fixture);
	assert_int_equal(events_check(fixture.events, &err), STATUS_OK);
	faulty_disk_set(EIO, 0);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		events_read(fixture.events, slot, &query, &list);
	faulty_disk_set(0, 0);
	event_list_done(&list);
	assert_int_equal(events_check(fixture.events, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, ".part: damaged at byte "));
}

/* Full, or broken, for a while, and perhaps ended meanwhile. */
static void a_disk_that_fails_loses_nothing_and_it_goes_on_by_itself(void **state)
{
	(void)state;
	struct events_store_status status;
	for (unsigned i = 0; i < 12; i++) {
		fixture_open(&fixture);
		fixture_replay(&fixture);
		for (unsigned j = 0; j < 5; j++) {
			if (fixture_below(2) == 0)
				faulty_disk_set(fixture_below(2) == 0 ? ENOSPC : EIO, (int)fixture_below(20));
			add_some(60);
			nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
			expect_all();
			if (fixture_below(2) == 0)
				faulty_disk_set(0, 0);
		}
		fixture_close(&fixture);
		faulty_disk_set(0, 0);
	}
	fixture_open(&fixture);
	fixture_replay(&fixture);
	faulty_disk_set(ENOSPC, 0);
	add_some(60);
	(void)events_flush(fixture.events, fixture.position);
	do {
		fixture_poll(&fixture);
		events_store_status(fixture.store, &status);
	} while (!status.failing);
	expect_all();
	faulty_disk_set(0, 0);
	fixture_flush(&fixture);
	events_store_status(fixture.store, &status);
	assert_false(status.failing);
	expect_all();
	fixture_close(&fixture);

	uint64_t     parts = 0, events = 0;
	struct error err;
	assert_int_equal(events_store_verify(fixture.directory, 0, &parts, &events, &err), STATUS_OK);
	assert_true(parts > 0);
}

/* A replay asks about instants long before those at which parts lost what was over. */
static void a_replay_sees_events_that_the_parts_have_lost(void **state)
{
	(void)state;
	fixture.retention_ms = 20 * DAY_MS;
	int64_t begin_ms     = fixture.now_ms;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 12; i++) {
		add_some(40);
		fixture_flush(&fixture);
		fixture.now_ms += (int64_t)fixture_below(10) * DAY_MS;
		fixture_poll(&fixture);
		expect_all();
	}
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* time to drop parts */
	fixture_close(&fixture);

	int64_t end_ms = fixture.now_ms;
	fixture_open(&fixture);
	kept_list all = fixture.kept;
	fixture.kept  = (kept_list){0};
	for (size_t i = 0; i < all.count; i++) {
		VECTOR_ADD(&fixture.kept, all.items[i]);
		events_add(fixture.events, all.items[i].slot, all.items[i].encoded, &all.items[i].event);
		fixture.now_ms = all.items[i].event.received_ms;
		fixture_poll(&fixture);
		if (i % 16 != 0)
			continue;
		struct events_query query = everything();
		query.through_position    = all.items[i].event.stored_position;
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			fixture_expect(&fixture, slot, &query);
	}
	VECTOR_DONE(&all);
	assert_true(begin_ms < end_ms);
	fixture.now_ms = end_ms;
	expect_all();
}

static void small_parts_are_merged_and_old_ones_expire(void **state)
{
	(void)state;
	struct events_store_status status;
	fixture.settings.part_rows_max = 100000;
	fixture.retention_ms           = 200 * DAY_MS;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 16; i++) {
		for (unsigned j = 0; j < 40; j++)
			fixture_add_random(&fixture, SLOTS);
		fixture_flush(&fixture);
	}
	do {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		fixture_poll(&fixture);
		events_store_status(fixture.store, &status);
	} while (status.parts > 16); /* of 16 × 4 months or so */
	expect_all();

	fixture.now_ms += 301 * DAY_MS;
	do {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		fixture_poll(&fixture);
		events_store_status(fixture.store, &status);
	} while (status.parts > 0);
	expect_all();
}

static void calls_behind_the_journals_end_are_cut_off(void **state)
{
	(void)state;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 300; i++)
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	fixture_close(&fixture);

	fixture.position_end = 200;
	while (fixture.kept.items[fixture.kept.count - 1].event.stored_position > 200)
		free((void *)(uintptr_t)fixture.kept.items[--fixture.kept.count].encoded.data);
	fixture.position = 200;
	fixture_open(&fixture);
	expect_all();
	add_some(50);
	expect_all();
}

static void columns_are_declared_and_excluded_later_with_progress(void **state)
{
	(void)state;
	char                       columns[] = "rare 1, region", exclude[] = "revenue";
	struct events_store_status status;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 200; i++)
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	fixture_close(&fixture);

	fixture.settings.columns         = columns;
	fixture.settings.columns_exclude = exclude;
	fixture_open(&fixture);
	do {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		fixture_poll(&fixture);
		events_store_status(fixture.store, &status);
	} while (status.parts_to_rewrite > 0);
	expect_all();
}

/* How many calls of a person are stored, in parts or not. */
static size_t count_of(uint32_t slot)
{
	struct events_query query = everything();
	event_list          list  = {0};
	query.calls               = true;
	events_read(fixture.events, slot, &query, &list);
	size_t count = list.count;
	event_list_done(&list);
	return count;
}

static void wait_until_tidy(void)
{
	struct events_store_status status;
	do {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		fixture_poll(&fixture);
		events_store_status(fixture.store, &status);
	} while (status.parts_forgotten > 0 || count_of(7) > 0);
}

static void parts_lose_the_rows_of_who_was_erased_and_nobody_elses(void **state)
{
	(void)state;
	fixture.settings.erased_rewrite_ms = 0;
	fixture_open(&fixture);
	for (unsigned i = 0; i < 400; i++)
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	assert_true(count_of(7) > 0);
	events_forget(fixture.events, 7, fixture.position);
	for (unsigned i = 0; i < 200; i++) /* in the tail too */
		fixture_add_random(&fixture, SLOTS);
	fixture_flush(&fixture);
	wait_until_tidy();
	fixture_close(&fixture);
	fixture_open(&fixture);
	assert_int_equal(count_of(7), 0);
	size_t kept = 0;
	for (size_t i = 0; i < fixture.kept.count; i++)
		if (fixture.kept.items[i].slot != 7)
			fixture.kept.items[kept++] = fixture.kept.items[i];
		else
			free((void *)(uintptr_t)fixture.kept.items[i].encoded.data);
	fixture.kept.count = kept;
	expect_all();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_flushed_is_read_as_it_was_added),
		TEST(a_store_is_read_alike_whatever_the_writer_has_done),
		TEST(after_a_restart_what_is_applied_again_is_not_there_twice),
		TEST(a_flush_that_fails_anywhere_leaves_a_store_that_opens),
		TEST(what_the_disk_cannot_read_is_told_and_not_answered),
		TEST(a_disk_that_fails_loses_nothing_and_it_goes_on_by_itself),
		TEST(a_replay_sees_events_that_the_parts_have_lost),
		TEST(small_parts_are_merged_and_old_ones_expire),
		TEST(calls_behind_the_journals_end_are_cut_off),
		TEST(columns_are_declared_and_excluded_later_with_progress),
		TEST(parts_lose_the_rows_of_who_was_erased_and_nobody_elses),
	};
	fixture_seed("events store");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
