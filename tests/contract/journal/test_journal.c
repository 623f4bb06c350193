/* The contract of struct journal_ops, over every backend: a backend joins by adding its factory. */

#include "journal_harness.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* How a backend is opened: on what lies in `directory`, empty at first. */
struct factory {
	const char *name;
	struct journal *(*open)(const char *directory, enum log_clock_mode clock);
};

static struct journal *open_log(const struct file_log_config *config)
{
	struct journal *journal;
	struct error    err;
	if (file_log_open(config, &journal, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return journal;
}

static struct journal *open_file_log(const char *directory, enum log_clock_mode clock)
{
	return open_log(
		&(struct file_log_config){.directory = directory, .file_bytes = 1 << 20, .clock = clock});
}

static struct journal *open_packing_log(const char *directory, enum log_clock_mode clock)
{
	return open_log(&(struct file_log_config){.directory    = directory,
	                                          .file_bytes   = 1 << 20,
	                                          .clock        = clock,
	                                          .pack_bytes_s = UINT64_C(1) << 40});
}

static const struct factory factories[] = {
	{"file log", open_file_log},
	{"file log that packs", open_packing_log},
};

static const struct factory *factory; /* of the present run */

struct fixture {
	char           *directory;
	struct journal *journal;
};

static int open_with(void **state, enum log_clock_mode clock)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->directory      = temporary_directory();
	fixture->journal        = factory->open(fixture->directory, clock);
	*state                  = fixture;
	return 0;
}

static int open_wall(void **state) { return open_with(state, LOG_CLOCK_WALL); }
static int open_manual(void **state) { return open_with(state, LOG_CLOCK_MANUAL); }

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;
	if (fixture->journal != NULL)
		fixture->journal->ops->free(fixture->journal);
	remove_directory(fixture->directory);
	free(fixture);
	return 0;
}

static void reopen(struct fixture *fixture, enum log_clock_mode clock)
{
	fixture->journal->ops->free(fixture->journal);
	fixture->journal = factory->open(fixture->directory, clock);
}

static struct journal_reader *open_reader(struct journal *journal, const bool *wanted,
                                          uint64_t after)
{
	struct journal_reader *reader;
	struct error           err;
	if (journal->ops->reader_open(journal, wanted, PARTITIONS, after, &reader, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return reader;
}

static const bool all_partitions[PARTITIONS] = {true, true, true, true, true, true, true, true};

/* Appending and reading. */

static void positions_count_the_records_of_all_partitions_from_1(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	assert_int_equal(journal->ops->position(journal), 0);

	assert_int_equal(append_one(journal, 3, "a").position, 1);
	assert_int_equal(append_many(journal, 0, 10, 5).position, 11);
	assert_int_equal(append_one(journal, 7, "b").position, 12);
	assert_int_equal(journal->ops->position(journal), 12);
}

static void what_was_appended_is_read_back_in_order(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct answer   answers[3];
	answers[0] = append_one(journal, 2, "one");
	answers[1] = append_one(journal, 1, "two");
	answers[2] = append_one(journal, 2, "three");

	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.status, STATUS_AGAIN);
	assert_int_equal(gots.count, 3);
	const char *const texts[]      = {"one", "two", "three"};
	const uint32_t    partitions[] = {2, 1, 2};
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(gots.items[i].text, texts[i]);
		assert_int_equal(gots.items[i].partition, partitions[i]);
		assert_int_equal(gots.items[i].position, i + 1);
		assert_int_equal(gots.items[i].log_time_ms, answers[i].log_time_ms);
	}
	gots_done(&gots);
}

static void one_append_lies_in_one_frame_with_one_log_time(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct buffer   records = {0};
	record_add(&records, "x");
	record_add(&records, "y");
	struct journal_batch batches[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++)
		batches[p] = (struct journal_batch){p, 2, buffer_text(&records)};
	struct answer answer = append_batches(journal, batches, PARTITIONS);
	buffer_done(&records);

	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.count, 2 * PARTITIONS);
	for (size_t i = 0; i < gots.count; i++) {
		assert_int_equal(gots.items[i].partition, i / 2);
		assert_int_equal(gots.items[i].log_time_ms, answer.log_time_ms);
		assert_int_equal(gots.items[i].frame_position, answer.position);
		assert_int_equal(gots.items[i].frame_end, i / 2 == PARTITIONS - 1);
	}
	gots_done(&gots);
}

static void appends_of_one_thread_keep_their_order(void **state)
{
	enum { COUNT = 2000 };
	struct journal        *journal = ((struct fixture *)*state)->journal;
	static struct pending *pendings[COUNT];
	for (unsigned i = 0; i < COUNT; i++) {
		struct buffer records = {0};
		char          text[16];
		snprintf(text, sizeof text, "%u", i);
		record_add(&records, text);
		struct journal_batch batch = {i % PARTITIONS, 1, buffer_text(&records)};
		pendings[i]                = append_begin(journal, &batch, 1);
		buffer_done(&records); /* it was copied */
	}
	for (unsigned i = 0; i < COUNT; i++) {
		struct answer answer = append_end(pendings[i]);
		assert_int_equal(answer.status, STATUS_OK);
		assert_int_equal(answer.position, i + 1);
	}

	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.count, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(strtoul(gots.items[i].text, NULL, 10), i);
	gots_done(&gots);
}

static void an_append_over_the_limit_is_refused_and_one_at_the_limit_is_not(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	assert_int_equal(append_many(journal, 0, 1, JOURNAL_APPEND_BYTES_MAX - 4).status, STATUS_OK);

	struct answer answer = append_many(journal, 0, 1, JOURNAL_APPEND_BYTES_MAX - 3);

	assert_int_equal(answer.status, STATUS_TOO_LARGE);
	assert_false(answer.called_back);
	assert_int_equal(journal->ops->position(journal), 1);
	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.count, 1);
	assert_int_equal(gots.items[0].length, JOURNAL_APPEND_BYTES_MAX - 4);
	gots_done(&gots);
}

static void a_reader_sees_its_partitions_only(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct buffer   records = {0};
	record_add(&records, "x");
	struct journal_batch batches[PARTITIONS];
	for (uint32_t p = 0; p < PARTITIONS; p++)
		batches[p] = (struct journal_batch){p, 1, buffer_text(&records)};
	append_batches(journal, batches, PARTITIONS);
	append_batches(journal, batches, 1);
	buffer_done(&records);

	const bool             wanted[PARTITIONS] = {[2] = true, [5] = true};
	struct journal_reader *reader             = open_reader(journal, wanted, 0);
	struct gots            gots               = {0};
	gots_read(&gots, journal, reader);
	journal->ops->reader_close(reader);

	assert_int_equal(gots.count, 2);
	assert_int_equal(gots.items[0].partition, 2);
	assert_int_equal(gots.items[0].position, 3);
	assert_false(gots.items[0].frame_end);
	assert_int_equal(gots.items[1].partition, 5);
	assert_int_equal(gots.items[1].position, 6);
	assert_true(gots.items[1].frame_end);           /* of what it wants */
	assert_int_equal(gots.through, PARTITIONS + 1); /* the last frame held nothing for it */
	gots_done(&gots);
}

static void a_reader_begins_behind_any_position(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	append_many(journal, 1, 7, 3);
	append_many(journal, 2, 5, 3);
	append_one(journal, 3, "last");

	for (uint64_t after = 0; after <= 13; after++) {
		struct gots gots = read_all(journal, after);
		assert_int_equal(gots.count, 13 - after);
		for (size_t i = 0; i < gots.count; i++) {
			uint64_t position = after + 1 + i;
			assert_int_equal(gots.items[i].position, position);
			assert_int_equal(gots.items[i].partition, position <= 7 ? 1 : position <= 12 ? 2 : 3);
			if (position <= 12)
				assert_int_equal(gots.items[i].text[0],
				                 'a' + (position <= 7 ? position - 1 : position - 8));
		}
		assert_int_equal(gots.through, 13);
		gots_done(&gots);
	}
}

static void through_is_the_frame_before_while_there_is_more_and_the_end_when_there_is_not(
	void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	append_many(journal, 0, 3, 1);
	append_many(journal, 0, 2, 1);
	struct journal_reader *reader = open_reader(journal, all_partitions, 0);
	struct journal_read    read;
	struct error           err;
	int64_t                safe_time_ms;
	uint64_t               through;

	assert_int_equal(journal->ops->read(reader, &read, &safe_time_ms, &through, &err), STATUS_OK);
	assert_int_equal(through, 0);
	assert_int_equal(journal->ops->read(reader, &read, &safe_time_ms, &through, &err), STATUS_OK);
	assert_int_equal(through, 3);
	assert_int_equal(journal->ops->read(reader, &read, &safe_time_ms, &through, &err),
	                 STATUS_AGAIN);
	assert_int_equal(through, 5);
	journal->ops->reader_close(reader);
}

static void a_reader_that_found_nothing_goes_on_with_what_comes(void **state)
{
	struct journal        *journal = ((struct fixture *)*state)->journal;
	struct journal_reader *reader  = open_reader(journal, all_partitions, 0);
	struct gots            gots    = {0};
	for (unsigned i = 0; i < 100; i++) {
		gots_read(&gots, journal, reader);
		assert_int_equal(gots.status, STATUS_AGAIN);
		assert_int_equal(gots.count, i);
		append_one(journal, i % PARTITIONS, "x");
	}
	gots_done(&gots);
	journal->ops->reader_close(reader);
}

static void a_reader_may_begin_behind_the_end(void **state)
{
	struct journal        *journal = ((struct fixture *)*state)->journal;
	struct journal_reader *reader  = open_reader(journal, all_partitions, 2);
	append_many(journal, 0, 3, 1);
	append_one(journal, 0, "z");

	struct gots gots = {0};
	gots_read(&gots, journal, reader);
	assert_int_equal(gots.count, 2);
	assert_int_equal(gots.items[0].position, 3);
	assert_int_equal(gots.items[1].position, 4);
	gots_done(&gots);
	journal->ops->reader_close(reader);
}

/* Waiting. */

static void a_wake_before_the_wait_is_not_lost(void **state)
{
	struct journal        *journal = ((struct fixture *)*state)->journal;
	struct journal_reader *reader  = open_reader(journal, all_partitions, 0);

	journal->ops->reader_wake(reader);
	journal->ops->reader_wait(reader, 24 * 3600 * 1000); /* else the suite's own limit ends it */

	journal->ops->reader_close(reader);
}

static void a_wake_ends_one_wait_only(void **state)
{
	enum { TIMEOUT_MS = 30 };
	struct journal        *journal = ((struct fixture *)*state)->journal;
	struct journal_reader *reader  = open_reader(journal, all_partitions, 0);
	journal->ops->reader_wake(reader);
	journal->ops->reader_wait(reader, 24 * 3600 * 1000);

	/* Nobody wakes this one, so it lasts as long as it may: a lower bound, however slow we are. */
	int64_t begin_ns = clock_monotonic_ns();
	journal->ops->reader_wait(reader, TIMEOUT_MS);
	assert_true(clock_monotonic_ns() - begin_ns >= (int64_t)TIMEOUT_MS * 1000000);
	journal->ops->reader_close(reader);
}

static void *wait_for_one(void *context)
{
	struct journal_reader *reader  = ((void **)context)[0];
	struct journal        *journal = ((void **)context)[1];
	struct journal_read    read;
	struct error           err;
	int64_t                safe_time_ms;
	uint64_t               through;
	while (journal->ops->read(reader, &read, &safe_time_ms, &through, &err) == STATUS_AGAIN)
		journal->ops->reader_wait(reader, 24 * 3600 * 1000);
	return NULL;
}

static void an_append_wakes_a_reader_that_waits(void **state)
{
	struct journal        *journal   = ((struct fixture *)*state)->journal;
	struct journal_reader *reader    = open_reader(journal, all_partitions, 0);
	void                  *context[] = {reader, journal};
	pthread_t              thread;
	pthread_create(&thread, NULL, wait_for_one, context);

	append_one(journal, 0, "x");

	pthread_join(thread, NULL);
	journal->ops->reader_close(reader);
}

/* Restarts. */

static void positions_and_stamps_go_on_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	int64_t         last_ms = 0;
	for (unsigned round = 1; round <= 5; round++) {
		assert_int_equal(fixture->journal->ops->position(fixture->journal), 10 * (round - 1));
		struct answer answer = append_many(fixture->journal, 0, 10, 20);
		assert_int_equal(answer.position, 10 * round);
		assert_true(answer.log_time_ms >= last_ms);
		last_ms = answer.log_time_ms;
		reopen(fixture, LOG_CLOCK_WALL);
	}
	struct gots gots = read_all(fixture->journal, 0);
	assert_int_equal(gots.count, 50);
	gots_done(&gots);
}

static void a_log_of_many_files_is_read_from_any_position_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 60; i++)
		append_many(fixture->journal, i % PARTITIONS, 10, 10000);
	for (unsigned round = 0; round < 2; round++) {
		for (uint64_t after = 0; after < 600; after += 37) {
			struct gots gots = read_all(fixture->journal, after);
			assert_int_equal(gots.status, STATUS_AGAIN);
			assert_int_equal(gots.count, 600 - after);
			for (size_t i = 0; i < gots.count; i++) {
				assert_int_equal(gots.items[i].position, after + 1 + i);
				assert_int_equal(gots.items[i].length, 10000);
			}
			gots_done(&gots);
		}
		reopen(fixture, LOG_CLOCK_WALL);
	}
}

/* Trimming. */

static void what_is_not_needed_is_deleted_and_the_rest_stays(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 60; i++)
		append_many(fixture->journal, 0, 10, 10000);
	assert_int_equal(fixture->journal->ops->first_position(fixture->journal), 1);

	uint64_t first = delete_before(fixture->journal, fixture->directory, 300);

	assert_in_range(first, 200, 300);

	for (unsigned round = 0; round < 2; round++) {
		struct gots gots = read_all(fixture->journal, 0);
		assert_int_equal(gots.status, STATUS_NOT_FOUND);
		gots = read_all(fixture->journal, first - 1);
		assert_int_equal(gots.count, 600 - (first - 1));
		gots_done(&gots);
		reopen(fixture, LOG_CLOCK_WALL);
	}
	assert_int_equal(append_one(fixture->journal, 0, "x").position, 601);
}

static void needing_nothing_keeps_the_positions_going(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 30; i++)
		append_many(fixture->journal, 0, 10, 10000);

	delete_before(fixture->journal, fixture->directory, UINT64_MAX / 2);
	reopen(fixture, LOG_CLOCK_WALL);

	assert_int_equal(append_one(fixture->journal, 0, "x").position, 301);
}

static uint64_t find_time(struct journal *journal, int64_t log_time_ms)
{
	uint64_t     position;
	struct error err;
	if (journal->ops->find_time(journal, log_time_ms, &position, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return position;
}

static void a_log_time_finds_the_first_record_stamped_at_or_after_it(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = fixture->journal;
	struct error    err;
	assert_int_equal(find_time(journal, 0), 1);
	for (int64_t i = 1; i <= 300; i++) {
		/* Three appends at each stamp, over several files. */
		assert_int_equal(journal->ops->clock_set(journal, i / 3 * 10, &err), STATUS_OK);
		append_many(journal, 0, 2, 10000);
	}
	for (unsigned round = 0; round < 2; round++) {
		journal          = fixture->journal;
		struct gots gots = read_all(journal, 0);
		for (int64_t at_ms = -1; at_ms <= 1001; at_ms++) {
			uint64_t expected = 1;
			while (expected <= gots.count && gots.items[expected - 1].log_time_ms < at_ms)
				expected++;
			assert_int_equal(find_time(journal, at_ms), expected);
		}
		gots_done(&gots);
		reopen(fixture, LOG_CLOCK_MANUAL);
	}
	uint64_t first = delete_before(fixture->journal, fixture->directory, 300);
	assert_int_equal(find_time(fixture->journal, 0), first);
}

/* The log time. */

static void a_fresh_manual_clock_is_at_1970_and_stamps_what_it_is_set_to(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct error    err;
	assert_int_equal(journal->ops->log_time_ms(journal), 0);
	assert_int_equal(append_one(journal, 0, "x").log_time_ms, 0);

	assert_int_equal(journal->ops->clock_set(journal, 5000, &err), STATUS_OK);

	/* Nobody may rely on it before it is durable. */
	assert_int_equal(journal->ops->log_time_ms(journal), 0);
	assert_int_equal(append_one(journal, 0, "x").log_time_ms, 5000);
	assert_int_equal(journal->ops->log_time_ms(journal), 5000);
	struct gots gots = read_all(journal, 2);
	assert_int_equal(gots.safe_time_ms, 5000);
	gots_done(&gots);
}

static void a_manual_clock_does_not_go_back(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct error    err;
	assert_int_equal(journal->ops->clock_set(journal, 5000, &err), STATUS_OK);

	assert_int_equal(journal->ops->clock_set(journal, 4999, &err), STATUS_CONFLICT);
	assert_int_equal(journal->ops->clock_set(journal, 5000, &err), STATUS_OK);
}

static void a_manual_clock_resumes_at_the_last_stamp(void **state)
{
	struct fixture *fixture = *state;
	struct error    err;
	assert_int_equal(fixture->journal->ops->clock_set(fixture->journal, 7000, &err), STATUS_OK);
	append_one(fixture->journal, 0, "x");

	reopen(fixture, LOG_CLOCK_MANUAL);

	assert_int_equal(fixture->journal->ops->log_time_ms(fixture->journal), 7000);
}

static void a_wall_clock_cannot_be_set(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	struct error    err;
	assert_int_equal(journal->ops->clock_set(journal, INT64_MAX, &err), STATUS_UNSUPPORTED);
}

static void the_log_time_that_was_told_binds_later_stamps(void **state)
{
	struct journal *journal = ((struct fixture *)*state)->journal;
	for (unsigned i = 0; i < 200; i++) {
		int64_t told_ms = journal->ops->log_time_ms(journal);
		assert_true(append_one(journal, 0, "x").log_time_ms >= told_ms);
	}
}

/* The property that everything rests on: with several threads appending and several readers asking,
 * no record is ever stamped before a safe time that its reader was told before it got the
 * record. */

struct storm {
	struct journal  *journal;
	_Atomic unsigned appenders;
	unsigned         seed;
	bool             manual; /* the appenders set the clock, too */
};

/* As several callers of the clock's route might: one of them may be late. */
static void set_clock(struct storm *storm, unsigned *seed)
{
	struct error err;
	int64_t      now_ms =
		storm->journal->ops->log_time_ms(storm->journal) + (int64_t)rand_r(seed) % 1000;
	enum status status = storm->journal->ops->clock_set(storm->journal, now_ms, &err);
	assert(status == STATUS_OK || status == STATUS_CONFLICT);
}

static void *append_storm(void *context)
{
	struct storm *storm = context;
	unsigned      seed  = storm->seed + atomic_fetch_add(&storm->appenders, 1);
	for (unsigned i = 0; i < 400; i++) {
		if (storm->manual && rand_r(&seed) % 8 == 0)
			set_clock(storm, &seed);
		uint32_t      partition = (uint32_t)rand_r(&seed) % PARTITIONS;
		struct answer answer =
			append_many(storm->journal, partition, 1 + (unsigned)rand_r(&seed) % 5,
		                (size_t)rand_r(&seed) % 3000);
		assert(answer.status == STATUS_OK);
		if (rand_r(&seed) % 4 == 0)
			usleep((unsigned)rand_r(&seed) % 1500);
	}
	return NULL;
}

struct watcher {
	struct storm *storm;
	bool          wanted[PARTITIONS];
	atomic_bool   stop;
	uint64_t      records;
	int           broken; /* a record came before its time */
};

static void *watch_storm(void *context)
{
	struct watcher        *watcher      = context;
	struct journal        *journal      = watcher->storm->journal;
	struct journal_reader *reader       = open_reader(journal, watcher->wanted, 0);
	int64_t                safe_time_ms = 0, bound_ms = 0;
	uint64_t               last = 0;
	for (bool stopping = false;;) {
		struct journal_read read;
		struct error        err;
		uint64_t            through;
		enum status status = journal->ops->read(reader, &read, &safe_time_ms, &through, &err);
		if (status == STATUS_OK) {
			watcher->broken += read.log_time_ms < bound_ms || read.first_position <= last ||
			                   read.first_position > journal->ops->position(journal);
			last = read.first_position + read.record_count - 1;
			watcher->records += read.record_count;
			continue;
		}
		assert(status == STATUS_AGAIN);
		watcher->broken += safe_time_ms < bound_ms || through < last;
		bound_ms = safe_time_ms;
		if (stopping)
			break;
		stopping = atomic_load(&watcher->stop);
		journal->ops->reader_wait(reader, 1);
	}
	journal->ops->reader_close(reader);
	return NULL;
}

static void run_storm(struct journal *journal, bool manual)
{
	enum { APPENDERS = 3, WATCHERS = 3 };
	struct storm storm = {.journal = journal, .seed = (unsigned)time(NULL), .manual = manual};
	print_message("seed %u\n", storm.seed);
	struct watcher watchers[WATCHERS];
	pthread_t      appending[APPENDERS], watching[WATCHERS];
	for (unsigned i = 0; i < WATCHERS; i++) {
		watchers[i] = (struct watcher){.storm = &storm};
		for (unsigned p = 0; p < PARTITIONS; p++)
			watchers[i].wanted[p] = i == 0 || p % (WATCHERS - 1) == i - 1;
		pthread_create(&watching[i], NULL, watch_storm, &watchers[i]);
	}
	for (unsigned i = 0; i < APPENDERS; i++)
		pthread_create(&appending[i], NULL, append_storm, &storm);
	for (unsigned i = 0; i < APPENDERS; i++)
		pthread_join(appending[i], NULL);
	for (unsigned i = 0; i < WATCHERS; i++) {
		atomic_store(&watchers[i].stop, true);
		pthread_join(watching[i], NULL);
		assert_int_equal(watchers[i].broken, 0);
	}
	assert_int_equal(watchers[0].records, journal->ops->position(journal));
	assert_int_equal(watchers[1].records + watchers[2].records, watchers[0].records);
}

static void no_record_is_stamped_before_a_safe_time_that_was_told(void **state)
{
	run_storm(((struct fixture *)*state)->journal, false);
}

static void nor_under_a_manual_clock_that_is_set_meanwhile(void **state)
{
	run_storm(((struct fixture *)*state)->journal, true);
}

#define WALL(name)   cmocka_unit_test_setup_teardown(name, open_wall, close_fixture)
#define MANUAL(name) cmocka_unit_test_setup_teardown(name, open_manual, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALL(positions_count_the_records_of_all_partitions_from_1),
		WALL(what_was_appended_is_read_back_in_order),
		WALL(one_append_lies_in_one_frame_with_one_log_time),
		WALL(appends_of_one_thread_keep_their_order),
		WALL(an_append_over_the_limit_is_refused_and_one_at_the_limit_is_not),
		WALL(a_reader_sees_its_partitions_only),
		WALL(a_reader_begins_behind_any_position),
		WALL(through_is_the_frame_before_while_there_is_more_and_the_end_when_there_is_not),
		WALL(a_reader_that_found_nothing_goes_on_with_what_comes),
		WALL(a_reader_may_begin_behind_the_end),
		WALL(a_wake_before_the_wait_is_not_lost),
		WALL(a_wake_ends_one_wait_only),
		WALL(an_append_wakes_a_reader_that_waits),
		WALL(positions_and_stamps_go_on_after_a_restart),
		WALL(a_log_of_many_files_is_read_from_any_position_after_a_restart),
		WALL(what_is_not_needed_is_deleted_and_the_rest_stays),
		WALL(needing_nothing_keeps_the_positions_going),
		MANUAL(a_log_time_finds_the_first_record_stamped_at_or_after_it),
		MANUAL(a_fresh_manual_clock_is_at_1970_and_stamps_what_it_is_set_to),
		MANUAL(a_manual_clock_does_not_go_back),
		MANUAL(a_manual_clock_resumes_at_the_last_stamp),
		WALL(a_wall_clock_cannot_be_set),
		WALL(the_log_time_that_was_told_binds_later_stamps),
		WALL(no_record_is_stamped_before_a_safe_time_that_was_told),
		MANUAL(nor_under_a_manual_clock_that_is_set_meanwhile),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof factories / sizeof factories[0]; i++) {
		factory = &factories[i];
		print_message("backend: %s\n", factory->name);
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed;
}
