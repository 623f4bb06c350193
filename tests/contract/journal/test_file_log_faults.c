/* The file log over system calls that fail. */

#include "faulty_system.h"
#include "journal_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000, FILE_BYTES = 1 << 20 };

struct fixture {
	char           *directory;
	bool            accept_clock;
	struct journal *journal;
};

static enum status try_open(struct fixture *fixture, struct error *err)
{
	const struct file_log_config config = {
		.directory    = fixture->directory,
		.file_bytes   = FILE_BYTES,
		.accept_clock = fixture->accept_clock,
		.system       = &faulty_system,
	};
	return file_log_open(&config, &fixture->journal, err);
}

static void open_log(struct fixture *fixture)
{
	struct error err;
	if (try_open(fixture, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

static void close_log(struct fixture *fixture)
{
	if (fixture->journal != NULL)
		fixture->journal->ops->free(fixture->journal);
	fixture->journal = NULL;
}

static void reopen(struct fixture *fixture)
{
	close_log(fixture);
	open_log(fixture);
}

static int new_fixture(void **state)
{
	faults_reset();
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->directory      = temporary_directory();
	*state                  = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	sync_gate_open();
	close_log(fixture);
	remove_directory(fixture->directory);
	free(fixture);
	faults_reset();
	return 0;
}

static struct file_log_status status_of(struct fixture *fixture)
{
	struct file_log_status status;
	file_log_status(fixture->journal, &status);
	return status;
}

static void assert_holds(struct fixture *fixture, size_t records)
{
	struct gots gots = read_all(fixture->journal, 0);
	assert_int_equal(gots.status, STATUS_AGAIN);
	assert_int_equal(gots.count, records);
	for (size_t i = 0; i < gots.count; i++)
		assert_int_equal(gots.items[i].position, i + 1);
	gots_done(&gots);
}

static struct pending *begin_one(struct fixture *fixture, const char *text)
{
	struct buffer records = {0};
	record_add(&records, text);
	struct journal_batch batch   = {0, 1, buffer_text(&records)};
	struct pending      *pending = append_begin(fixture->journal, &batch, 1);
	buffer_done(&records);
	return pending;
}

/* Writing. */

static void short_writes_are_continued(void **state)
{
	struct fixture *fixture = *state;
	faults.write_bytes_max  = 7;
	open_log(fixture);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(append_many(fixture->journal, 0, 5, 333).status, STATUS_OK);
	assert_holds(fixture, 100);

	reopen(fixture);
	assert_holds(fixture, 100);
}

static void what_comes_during_a_sync_shares_the_next_frame(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	uint64_t frames = status_of(fixture).frames;

	sync_gate_close();
	struct pending *pendings[100];
	pendings[0] = begin_one(fixture, "first");
	sync_gate_wait_for_one();
	for (unsigned i = 1; i < 100; i++)
		pendings[i] = begin_one(fixture, "later");
	assert_int_equal(fixture->journal->ops->position(fixture->journal), 0);
	assert_true(status_of(fixture).queue_bytes > 0);
	sync_gate_open();

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(append_end(pendings[i]).position, i + 1);
	assert_int_equal(status_of(fixture).frames, frames + 2);
	assert_int_equal(status_of(fixture).records, 100);
}

static void a_full_queue_refuses_and_takes_more_once_it_is_written(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	sync_gate_close();
	struct pending *first = begin_one(fixture, "first");
	sync_gate_wait_for_one();

	struct buffer records = {0};
	char         *text    = calloc(1, JOURNAL_APPEND_BYTES_MAX - 3);
	memset(text, 'x', JOURNAL_APPEND_BYTES_MAX - 4);
	record_add(&records, text);
	free(text);
	struct journal_batch batch = {0, 1, buffer_text(&records)};
	struct pending      *large[4];
	for (unsigned i = 0; i < 4; i++)
		large[i] = append_begin(fixture->journal, &batch, 1);
	sync_gate_open();

	assert_int_equal(append_end(first).status, STATUS_OK);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(append_end(large[i]).status, STATUS_OK);
	/* Four of them and the heads of their batches are more than the queue holds. */
	struct answer refused = append_end(large[3]);
	assert_int_equal(refused.status, STATUS_UNAVAILABLE);
	assert_false(refused.called_back);
	assert_int_equal(append_batches(fixture->journal, &batch, 1).status, STATUS_OK);
	buffer_done(&records);
	assert_holds(fixture, 5);
}

static void closing_finishes_what_is_queued(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	struct pending *pendings[500];
	for (unsigned i = 0; i < 500; i++)
		pendings[i] = begin_one(fixture, "x");
	close_log(fixture);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(append_end(pendings[i]).status, STATUS_OK);

	open_log(fixture);
	assert_holds(fixture, 500);
}

/* A full disk. */

/* Appends until the disk is met; how many records there are then. */
static unsigned append_until_full(struct fixture *fixture, struct answer *ret_refused)
{
	for (unsigned records = 0;; records += 10) {
		struct answer answer = append_many(fixture->journal, 0, 10, 5000);
		if (answer.status != STATUS_OK) {
			*ret_refused = answer;
			return records;
		}
		assert_true(records < 1000);
	}
}

static void append_until_it_goes_on(struct fixture *fixture, uint64_t expected_position)
{
	struct answer answer;
	do {
		usleep(10000);
		answer = append_many(fixture->journal, 0, 10, 5000);
	} while (answer.status == STATUS_NO_SPACE);
	assert_int_equal(answer.status, STATUS_OK);
	assert_int_equal(answer.position, expected_position);
}

static void fill_and_go_on(struct fixture *fixture, int error_number)
{
	open_log(fixture);
	faults.allocate_errno = error_number;
	struct answer refused;
	unsigned      records = append_until_full(fixture, &refused);
	assert_true(records >= 100); /* the present file was used up first */
	assert_int_equal(refused.status, STATUS_NO_SPACE);
	assert_false(refused.err.fatal);
	assert_true(status_of(fixture).full);
	assert_false(status_of(fixture).failed);
	assert_int_equal(fixture->journal->ops->position(fixture->journal), records);
	assert_holds(fixture, records);

	faults.allocate_errno = 0;
	append_until_it_goes_on(fixture, records + 10);
	assert_false(status_of(fixture).full);
	assert_holds(fixture, records + 10);
	reopen(fixture);
	assert_holds(fixture, records + 10);
}

static void a_full_disk_refuses_whole_appends_and_goes_on_once_there_is_room(void **state)
{
	fill_and_go_on(*state, ENOSPC);
}

static void an_exhausted_quota_is_a_full_disk(void **state) { fill_and_go_on(*state, EDQUOT); }

static void a_full_disk_is_not_asked_at_every_append(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	faults.allocate_errno = ENOSPC;
	struct answer refused;
	append_until_full(fixture, &refused);

	faults.allocates = 0;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(append_many(fixture->journal, 0, 10, 5000).status, STATUS_NO_SPACE);
	assert_true(faults.allocates < 500);
}

static void a_full_disk_that_a_restart_meets_keeps_what_is_there(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	faults.allocate_errno = ENOSPC;
	struct answer refused;
	unsigned      records = append_until_full(fixture, &refused);

	reopen(fixture);
	assert_holds(fixture, records);
	faults.allocate_errno = 0;
	append_until_it_goes_on(fixture, records + 10);
}

static void a_full_disk_known_ahead_refuses_nothing_while_the_file_has_room(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	faults.allocate_errno = ENOSPC;
	append_many(fixture->journal, 0, 1, FILE_BYTES / 2 + 1000);
	assert_int_equal(append_one(fixture->journal, 0, "x").status, STATUS_OK);
	assert_true(status_of(fixture).full);
	assert_int_equal(append_one(fixture->journal, 0, "x").status, STATUS_OK);
}

static void a_full_disk_at_the_first_open_leaves_nothing_behind(void **state)
{
	struct fixture *fixture = *state;
	struct error    err;
	faults.allocate_errno = ENOSPC;
	assert_int_equal(try_open(fixture, &err), STATUS_NO_SPACE);
	DIR *directory = opendir(fixture->directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		assert_int_equal(entry->d_name[0], '.');
	closedir(directory);

	faults.allocate_errno = 0;
	open_log(fixture);
	assert_int_equal(append_one(fixture->journal, 0, "x").position, 1);
}

static void an_append_larger_than_a_file_waits_for_space_like_any_other(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	faults.allocate_errno = ENOSPC;
	assert_int_equal(append_many(fixture->journal, 0, 1, 3 * FILE_BYTES).status, STATUS_NO_SPACE);
	assert_true(status_of(fixture).full);

	faults.allocate_errno = 0;
	struct answer answer;
	do {
		usleep(10000);
		answer = append_many(fixture->journal, 0, 1, 3 * FILE_BYTES);
	} while (answer.status == STATUS_NO_SPACE);
	assert_int_equal(answer.position, 1);
	assert_int_equal(append_many(fixture->journal, 0, 1, 5 * FILE_BYTES).position, 2);
	assert_int_equal(append_one(fixture->journal, 0, "x").position, 3);
	reopen(fixture);
	assert_holds(fixture, 3);
}

/* Failures that end it. */

static void assert_failed(struct answer answer)
{
	assert_int_equal(answer.status, STATUS_FAILED);
	assert_true(answer.err.fatal);
	assert_non_null(strstr(answer.err.reason, strerror(EIO)));
}

static void assert_takes_no_more(struct fixture *fixture)
{
	int writes = faults.writes, syncs = faults.syncs;
	for (unsigned i = 0; i < 10; i++) {
		struct answer answer = append_one(fixture->journal, 0, "later");
		assert_failed(answer);
		assert_false(answer.called_back);
	}
	assert_true(status_of(fixture).failed);
	assert_int_equal(faults.writes, writes);
	assert_int_equal(faults.syncs, syncs);
}

/* Closes, repairs the disk, and finds what had been acknowledged. */
static void assert_reopens_with(struct fixture *fixture, size_t records_min, size_t records_max)
{
	int writes = faults.writes, syncs = faults.syncs;
	close_log(fixture);
	assert_int_equal(faults.writes, writes); /* not even when it closes */
	assert_int_equal(faults.syncs, syncs);
	faults_reset();
	open_log(fixture);
	size_t records = fixture->journal->ops->position(fixture->journal);
	assert_in_range(records, records_min, records_max);
	assert_holds(fixture, records);
	assert_int_equal(append_one(fixture->journal, 0, "x").status, STATUS_OK);
}

static void after_a_failed_write_nothing_is_taken_or_tried_again(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	append_many(fixture->journal, 0, 10, 100);

	faults.write_errno = EIO;
	assert_failed(append_one(fixture->journal, 0, "lost"));
	faults.write_errno = 0;

	assert_takes_no_more(fixture);
	assert_holds(fixture, 10); /* readers go on */
	assert_reopens_with(fixture, 10, 10);
}

static void after_a_failed_sync_nothing_is_taken_or_tried_again(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	append_many(fixture->journal, 0, 10, 100);

	faults.sync_errno = EIO;
	assert_failed(append_one(fixture->journal, 0, "in doubt"));
	faults.sync_errno = 0;

	assert_takes_no_more(fixture);
	assert_holds(fixture, 10); /* what is not durable is not shown */
	assert_reopens_with(fixture, 10, 11);
}

static void a_failed_sync_answers_all_that_waited_behind_it_in_order(void **state)
{
	struct fixture *fixture = *state;
	open_log(fixture);
	sync_gate_close();
	struct pending *pendings[20];
	pendings[0] = begin_one(fixture, "first");
	sync_gate_wait_for_one();
	for (unsigned i = 1; i < 20; i++)
		pendings[i] = begin_one(fixture, "later");
	faults.sync_errno = EIO;
	sync_gate_open();

	for (unsigned i = 0; i < 20; i++) {
		struct answer answer = append_end(pendings[i]);
		assert_failed(answer);
		assert_true(answer.called_back);
	}
	assert_takes_no_more(fixture);
}

/* Appends 1.5 MB, so that a file is prepared, named and entered meanwhile, until one fails; how
 * many were acknowledged. */
static uint64_t append_until_failed(struct fixture *fixture)
{
	uint64_t acknowledged = 0;
	for (unsigned i = 0; i < 30; i++) {
		struct answer answer = append_many(fixture->journal, 0, 1, 50000);
		if (answer.status != STATUS_OK)
			break;
		acknowledged = answer.position;
	}
	return acknowledged;
}

/* Lets every single call of one kind fail in turn, in a log of its own. */
static void fail_each_call(atomic_int *error_number, int error)
{
	unsigned failures = 0;
	for (int spared = 0;; spared++) {
		struct fixture fixture = {.directory = temporary_directory()};
		open_log(&fixture);
		faults.calls_spared   = spared;
		*error_number         = error;
		uint64_t acknowledged = append_until_failed(&fixture);
		close_log(&fixture);
		faults_reset();

		open_log(&fixture);
		uint64_t position = fixture.journal->ops->position(fixture.journal);
		assert_in_range(position, acknowledged, acknowledged + 1);
		assert_holds(&fixture, position);
		assert_int_equal(append_one(fixture.journal, 0, "x").position, position + 1);
		close_log(&fixture);
		remove_directory(fixture.directory);
		failures += acknowledged < 30;
		if (acknowledged == 30 && failures > 0)
			break;
	}
	print_message("%u failures\n", failures);
}

static void whichever_write_fails_all_that_was_acknowledged_is_there(void **state)
{
	(void)state;
	fail_each_call(&faults.write_errno, EIO);
}

static void whichever_sync_fails_all_that_was_acknowledged_is_there(void **state)
{
	(void)state;
	fail_each_call(&faults.sync_errno, EIO);
}

/* The safe time. */

static void a_stamped_frame_that_is_not_durable_holds_the_safe_time_back(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 1000000;
	faults.monotonic_ms     = 1000;
	open_log(fixture);
	sync_gate_close();
	struct pending *pending = begin_one(fixture, "x");
	sync_gate_wait_for_one();
	faults.wall_ms += 5000;
	faults.monotonic_ms += 5000;

	struct gots before = read_all(fixture->journal, 0);
	assert_int_equal(before.status, STATUS_AGAIN);
	assert_int_equal(before.count, 0);
	assert_int_equal(before.safe_time_ms, 1000000);
	sync_gate_open();

	assert_int_equal(append_end(pending).log_time_ms, 1000000);
	struct gots after = read_all(fixture->journal, 0);
	assert_int_equal(after.count, 1);
	assert_int_equal(after.items[0].log_time_ms, 1000000);
	assert_int_equal(after.safe_time_ms, 1005000);
	gots_done(&after);
}

static void a_safe_time_pins_the_clock(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 1000000;
	faults.monotonic_ms     = 1000;
	open_log(fixture);
	faults.wall_ms += 5000;
	struct gots gots = read_all(fixture->journal, 0);
	assert_int_equal(gots.safe_time_ms, 1005000);

	faults.wall_ms -= 4000;

	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 1005000);
}

/* Clock jumps. */

static void a_clock_set_back_is_outrun_by_the_monotonic_one(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 10 * HOUR_MS;
	faults.monotonic_ms     = 1000;
	open_log(fixture);
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 10 * HOUR_MS);

	faults.wall_ms = 8 * HOUR_MS;
	faults.monotonic_ms += 250;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 10 * HOUR_MS + 250);
	assert_false(status_of(fixture).clock_held);

	/* Also over a restart. */
	reopen(fixture);
	faults.monotonic_ms += 250;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 10 * HOUR_MS + 500);
}

static void a_jump_of_more_than_an_hour_is_held_until_it_is_accepted(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 10 * HOUR_MS;
	faults.monotonic_ms     = 1000;
	open_log(fixture);

	faults.wall_ms = 11 * HOUR_MS;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 11 * HOUR_MS);
	faults.wall_ms = 12 * HOUR_MS + 1;
	faults.monotonic_ms += 10;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 12 * HOUR_MS + 1);

	faults.wall_ms = 14 * HOUR_MS;
	faults.monotonic_ms += 10;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 12 * HOUR_MS + 11);
	assert_true(status_of(fixture).clock_held);
	reopen(fixture); /* a restart is no acceptance */
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 12 * HOUR_MS + 11);
	assert_true(status_of(fixture).clock_held);

	fixture->accept_clock = true;
	reopen(fixture);
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 14 * HOUR_MS);
	assert_false(status_of(fixture).clock_held);
}

static void a_clock_that_was_set_right_again_is_held_no_longer(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 10 * HOUR_MS;
	faults.monotonic_ms     = 1000;
	open_log(fixture);
	faults.wall_ms = 20 * HOUR_MS;
	append_one(fixture->journal, 0, "x");
	assert_true(status_of(fixture).clock_held);

	faults.wall_ms = 10 * HOUR_MS + 5;
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 10 * HOUR_MS + 5);
	assert_false(status_of(fixture).clock_held);
}

static void a_long_pause_is_no_jump(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 10 * HOUR_MS;
	faults.monotonic_ms     = 1000;
	open_log(fixture);
	append_one(fixture->journal, 0, "x");
	close_log(fixture);

	faults.wall_ms += 24 * HOUR_MS;
	faults.monotonic_ms += 24 * HOUR_MS;
	open_log(fixture);
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 34 * HOUR_MS);
	assert_false(status_of(fixture).clock_held);
}

static void after_another_boot_the_wall_clock_is_followed(void **state)
{
	struct fixture *fixture = *state;
	faults.wall_ms          = 10 * HOUR_MS;
	faults.monotonic_ms     = 100 * HOUR_MS;
	open_log(fixture);
	append_one(fixture->journal, 0, "x");
	close_log(fixture);

	faults.wall_ms += 24 * HOUR_MS;
	faults.monotonic_ms = 1; /* it began anew */
	open_log(fixture);
	assert_int_equal(append_one(fixture->journal, 0, "x").log_time_ms, 34 * HOUR_MS);
	assert_false(status_of(fixture).clock_held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_writes_are_continued),
		TEST(what_comes_during_a_sync_shares_the_next_frame),
		TEST(a_full_queue_refuses_and_takes_more_once_it_is_written),
		TEST(closing_finishes_what_is_queued),
		TEST(a_full_disk_refuses_whole_appends_and_goes_on_once_there_is_room),
		TEST(an_exhausted_quota_is_a_full_disk),
		TEST(a_full_disk_is_not_asked_at_every_append),
		TEST(a_full_disk_that_a_restart_meets_keeps_what_is_there),
		TEST(a_full_disk_known_ahead_refuses_nothing_while_the_file_has_room),
		TEST(a_full_disk_at_the_first_open_leaves_nothing_behind),
		TEST(an_append_larger_than_a_file_waits_for_space_like_any_other),
		TEST(after_a_failed_write_nothing_is_taken_or_tried_again),
		TEST(after_a_failed_sync_nothing_is_taken_or_tried_again),
		TEST(a_failed_sync_answers_all_that_waited_behind_it_in_order),
		TEST(whichever_write_fails_all_that_was_acknowledged_is_there),
		TEST(whichever_sync_fails_all_that_was_acknowledged_is_there),
		TEST(a_stamped_frame_that_is_not_durable_holds_the_safe_time_back),
		TEST(a_safe_time_pins_the_clock),
		TEST(a_clock_set_back_is_outrun_by_the_monotonic_one),
		TEST(a_jump_of_more_than_an_hour_is_held_until_it_is_accepted),
		TEST(a_clock_that_was_set_right_again_is_held_no_longer),
		TEST(a_long_pause_is_no_jump),
		TEST(after_another_boot_the_wall_clock_is_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
