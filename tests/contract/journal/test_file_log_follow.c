/* file_log_follow(): a second reader of a log that another process writes, packs and deletes. */

#include "journal_harness.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/seed.h"
#include "journal/log_file.h"

enum { FILE_BYTES = 1 << 20 };

struct fixture {
	char                  *directory;
	struct journal        *writer;
	struct journal        *follower;
	struct journal_reader *reader; /* of the follower */
};

static struct journal *open_writer(const char *directory)
{
	const struct file_log_config config = {.directory    = directory,
	                                       .file_bytes   = FILE_BYTES,
	                                       .clock        = LOG_CLOCK_MANUAL,
	                                       .pack_bytes_s = UINT64_C(1) << 40};
	struct journal              *journal;
	struct error                 err;
	enum status                  status = file_log_open(&config, &journal, &err);
	if (status != STATUS_OK)
		fprintf(stderr, "%s\n", err.reason);
	assert(status == STATUS_OK);
	return journal;
}

static struct journal *open_follower(const char *directory)
{
	const struct file_log_config config = {.directory = directory};
	struct journal              *journal;
	struct error                 err;
	if (file_log_follow(&config, &journal, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return journal;
}

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->directory      = temporary_directory();
	fixture->writer         = open_writer(fixture->directory);
	*state                  = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	if (fixture->reader != NULL)
		fixture->follower->ops->reader_close(fixture->reader);
	if (fixture->follower != NULL)
		fixture->follower->ops->free(fixture->follower);
	if (fixture->writer != NULL)
		fixture->writer->ops->free(fixture->writer);
	remove_directory(fixture->directory);
	free(fixture);
	return 0;
}

static struct journal_reader *open_reader(struct journal *journal, uint64_t after)
{
	struct journal_reader *reader;
	struct error           err;
	bool                   wanted[PARTITIONS];
	memset(wanted, true, sizeof wanted);
	if (journal->ops->reader_open(journal, wanted, PARTITIONS, after, &reader, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return reader;
}

/* Reads until the record at `position` was there. */
static void read_through(struct gots *gots, struct journal *journal, struct journal_reader *reader,
                         uint64_t position)
{
	while (gots->count == 0 || gots->items[gots->count - 1].position < position) {
		gots_read(gots, journal, reader);
		if (gots->status != STATUS_AGAIN)
			fail_msg("%s", gots->err.reason);
		journal->ops->reader_wait(reader, 1000);
	}
}

static void assert_same(const struct gots *left, const struct gots *right)
{
	assert_int_equal(left->count, right->count);
	for (size_t i = 0; i < left->count; i++) {
		assert_int_equal(left->items[i].position, right->items[i].position);
		assert_int_equal(left->items[i].partition, right->items[i].partition);
		assert_int_equal(left->items[i].log_time_ms, right->items[i].log_time_ms);
		assert_int_equal(left->items[i].frame_position, right->items[i].frame_position);
		assert_int_equal(left->items[i].frame_end, right->items[i].frame_end);
		assert_string_equal(left->items[i].text, right->items[i].text);
	}
}

static void what_is_there_and_what_comes_is_read_as_the_writer_reads_it(void **state)
{
	struct fixture *fixture = *state;
	struct error    err;
	for (unsigned i = 0; i < 25; i++)
		append_many(fixture->writer, i % PARTITIONS, 10, 10000);
	fixture->follower = open_follower(fixture->directory);
	fixture->reader   = open_reader(fixture->follower, 0);
	assert_int_equal(fixture->follower->ops->position(fixture->follower), 250);
	for (unsigned i = 0; i < 25; i++) {
		assert_int_equal(fixture->writer->ops->clock_set(fixture->writer, i, &err), STATUS_OK);
		append_many(fixture->writer, i % PARTITIONS, 10, 10000);
	}

	struct gots followed = {0};
	read_through(&followed, fixture->follower, fixture->reader, 500);
	struct gots written = read_all(fixture->writer, 0);
	assert_same(&followed, &written);
	assert_int_equal(followed.safe_time_ms, 24);
	assert_int_equal(followed.through, 500);
	gots_done(&followed);
	gots_done(&written);
}

static void nothing_is_written_by_a_follower(void **state)
{
	struct fixture *fixture = *state;
	append_one(fixture->writer, 0, "x");
	fixture->follower = open_follower(fixture->directory);
	struct error err;

	assert_int_equal(append_one(fixture->follower, 0, "y").status, STATUS_UNSUPPORTED);
	assert_int_equal(fixture->follower->ops->clock_set(fixture->follower, 5, &err),
	                 STATUS_UNSUPPORTED);
	fixture->follower->ops->needed(fixture->follower, UINT64_MAX / 2);
	assert_int_equal(append_one(fixture->writer, 0, "z").position, 2);
}

static void where_there_is_no_journal_there_is_nothing_to_follow(void **state)
{
	(void)state;
	char                        *directory = temporary_directory();
	const struct file_log_config config    = {.directory = directory};
	struct journal              *journal;
	struct error                 err;
	assert_int_equal(file_log_follow(&config, &journal, &err), STATUS_NOT_FOUND);
	remove_directory(directory);
}

static void what_is_deleted_is_not_found(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 60; i++)
		append_many(fixture->writer, 0, 10, 10000);
	uint64_t first    = delete_before(fixture->writer, fixture->directory, 300);
	fixture->follower = open_follower(fixture->directory);

	assert_int_equal(fixture->follower->ops->first_position(fixture->follower), first);
	struct gots gots = read_all(fixture->follower, 0);
	assert_int_equal(gots.status, STATUS_NOT_FOUND);
	gots = read_all(fixture->follower, first - 1);
	assert_int_equal(gots.count, 600 - (first - 1));
	gots_done(&gots);
}

static void files_that_are_packed_and_deleted_meanwhile_do_not_disturb(void **state)
{
	struct fixture *fixture = *state;
	fixture->follower       = open_follower(fixture->directory);
	fixture->reader         = open_reader(fixture->follower, 0);
	struct gots gots        = {0};
	for (unsigned i = 0; i < 400; i++) {
		append_many(fixture->writer, i % PARTITIONS, 3, 4000 + i);
		if (seed_below(4) == 0)
			gots_read(&gots, fixture->follower, fixture->reader);
		if (gots.count > 0)
			fixture->writer->ops->needed(fixture->writer, gots.items[gots.count - 1].position);
	}
	read_through(&gots, fixture->follower, fixture->reader, 1200);
	assert_int_equal(gots.count, 1200);
	for (size_t i = 0; i < gots.count; i++)
		assert_int_equal(gots.items[i].position, i + 1);
	assert_true(fixture->writer->ops->first_position(fixture->writer) > 1);
	gots_done(&gots);
}

/* kill -9 of the writer. */

static void run_child(const char *directory, unsigned round)
{
	struct journal *journal = open_writer(directory);
	for (unsigned i = 0;; i++) {
		char text[3000];
		memset(text, 'x', sizeof text);
		text[snprintf(text, sizeof text, "%u %u ", round, i)] = 'x';
		text[sizeof text - 1]                                 = '\0';
		struct answer answer = append_one(journal, i % PARTITIONS, text);
		assert(answer.status == STATUS_OK);
	}
}

static void writers_that_are_killed_and_started_again_are_followed_on(void **state)
{
	struct fixture *fixture = *state;
	append_one(fixture->writer, 0, "begin");
	fixture->writer->ops->free(fixture->writer);
	fixture->writer   = NULL;
	fixture->follower = open_follower(fixture->directory);
	fixture->reader   = open_reader(fixture->follower, 0);
	struct gots gots  = {0};
	for (unsigned round = 0; round < 15; round++) {
		fflush(NULL);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			run_child(fixture->directory, round);
		usleep((unsigned)seed_below(60000));
		gots_read(&gots, fixture->follower, fixture->reader);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	fixture->writer     = open_writer(fixture->directory);
	struct gots written = read_all(fixture->writer, 0);
	read_through(&gots, fixture->follower, fixture->reader, written.count);
	assert_same(&gots, &written);
	gots_done(&gots);
	gots_done(&written);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	seed_begin("follow");
	const struct CMUnitTest tests[] = {
		TEST(what_is_there_and_what_comes_is_read_as_the_writer_reads_it),
		TEST(nothing_is_written_by_a_follower),
		cmocka_unit_test(where_there_is_no_journal_there_is_nothing_to_follow),
		TEST(what_is_deleted_is_not_found),
		TEST(files_that_are_packed_and_deleted_meanwhile_do_not_disturb),
		TEST(writers_that_are_killed_and_started_again_are_followed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
