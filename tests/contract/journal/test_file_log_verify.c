/* file_log_verify(): what it counts, finds, and leaves behind when it cuts. */

#include "journal_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/log_file.h"

enum { FILE_BYTES = 1 << 20, APPENDS = 40, RECORDS = 10 * APPENDS };

struct fixture {
	char                *directory; /* of a log of several files, closed */
	struct log_file_list files;
};

static struct journal *open_log(const char *directory)
{
	const struct file_log_config config = {.directory = directory, .file_bytes = FILE_BYTES};
	struct journal              *journal;
	struct error                 err;
	if (file_log_open(&config, &journal, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return journal;
}

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->directory      = temporary_directory();
	struct journal *journal = open_log(fixture->directory);
	for (unsigned i = 0; i < APPENDS; i++)
		append_many(journal, i % PARTITIONS, 10, 10000);
	journal->ops->free(journal);
	struct error err;
	assert_int_equal(log_file_list(fixture->directory, &fixture->files, &err), STATUS_OK);
	assert_true(fixture->files.count >= 4);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	remove_directory(fixture->directory);
	log_file_list_done(&fixture->files);
	free(fixture);
	return 0;
}

static const char *path_of(const struct fixture *fixture, size_t i)
{
	return log_path(fixture->directory, fixture->files.items[i]);
}

static struct log_file_header header_of(const struct fixture *fixture, size_t i)
{
	struct log_file file;
	struct error    err;
	assert_int_equal(
		log_file_open(fixture->directory, fixture->files.items[i], O_RDONLY, &file, &err),
		STATUS_OK);
	log_file_close(&file);
	return file.header;
}

static enum status verify(const struct fixture *fixture, bool truncate,
                          struct file_log_report *ret_report, struct error *err)
{
	return file_log_verify(fixture->directory, truncate, NULL, NULL, ret_report, err);
}

/* Verify names this place; cutting there leaves `records` that open and go on. */
static void assert_cut_at(const struct fixture *fixture, const char *file, uint64_t offset,
                          uint64_t records)
{
	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_CORRUPT);
	if (!names_place(err.reason, file, offset))
		fail_msg("not %s, offset %llu: %s", file, (unsigned long long)offset, err.reason);
	assert_int_equal(report.records, records);
	assert_int_equal(report.removed_bytes, 0);

	assert_int_equal(verify(fixture, true, &report, &err), STATUS_OK);
	assert_true(report.removed_bytes > 0);
	assert_int_equal(report.last_position, records);
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.records, records);

	struct journal *journal = open_log(fixture->directory);
	struct gots     gots    = read_all(journal, 0);
	assert_int_equal(gots.status, STATUS_AGAIN);
	assert_int_equal(gots.count, records);
	gots_done(&gots);
	assert_int_equal(append_one(journal, 0, "x").position, records + 1);
	journal->ops->free(journal);
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.records, records + 1);
}

static bool is_set_aside(const struct fixture *fixture, const char *name)
{
	char path[1100];
	snprintf(path, sizeof path, "%s/damaged/%s", fixture->directory, name);
	return access(path, F_OK) == 0;
}

static void a_good_log_is_counted(void **state)
{
	struct fixture        *fixture = *state;
	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.files, fixture->files.count);
	assert_int_equal(report.frames, APPENDS);
	assert_int_equal(report.records, RECORDS);
	assert_int_equal(report.last_position, RECORDS);
	assert_true(report.last_log_time_ms > 0);
	assert_in_range(report.bytes, RECORDS * 10000, RECORDS * 10100);
	assert_int_equal(report.torn_bytes, 0);
	assert_int_equal(report.removed_bytes, 0);
}

static void an_empty_directory_is_a_good_log(void **state)
{
	(void)state;
	char                  *directory = temporary_directory();
	struct file_log_report report;
	struct error           err;
	assert_int_equal(file_log_verify(directory, false, NULL, NULL, &report, &err), STATUS_OK);
	assert_int_equal(report.files, 0);
	remove_directory(directory);
}

static void a_directory_that_is_not_there_is_not_found(void **state)
{
	(void)state;
	struct file_log_report report;
	struct error           err;
	assert_int_equal(file_log_verify("/nonexistent/journal", false, NULL, NULL, &report, &err),
	                 STATUS_NOT_FOUND);
}

static void visit(void *context, const struct journal_read *read) { gots_add(context, read); }

static void every_batch_is_visited_in_order(void **state)
{
	struct fixture        *fixture = *state;
	struct file_log_report report;
	struct error           err;
	struct gots            gots = {0};
	assert_int_equal(file_log_verify(fixture->directory, false, visit, &gots, &report, &err),
	                 STATUS_OK);
	assert_int_equal(gots.count, RECORDS);
	for (size_t i = 0; i < gots.count; i++) {
		assert_int_equal(gots.items[i].position, i + 1);
		assert_int_equal(gots.items[i].partition, i / 10 % PARTITIONS);
		assert_int_equal(gots.items[i].frame_position, i / 10 * 10 + 10);
		assert_true(gots.items[i].frame_end);
	}
	gots_done(&gots);
}

static void a_torn_tail_is_no_damage(void **state)
{
	struct fixture *fixture = *state;
	size_t          last    = fixture->files.count - 1;
	struct journal *journal = open_log(fixture->directory);
	append_one(journal, 0, "whole");
	append_one(journal, 0, "torn");
	char *crashed = copy_directory(fixture->directory);
	journal->ops->free(journal);

	/* The last byte that is not zero is the last letter of "torn". */
	const char *path = log_path(crashed, fixture->files.items[last]);
	uint64_t    end  = file_length(path);
	while (file_byte(path, end - 1) == 0)
		end--;
	file_zero_from(path, end - 1);

	for (unsigned cutting = 0; cutting < 2; cutting++) {
		struct file_log_report report;
		struct error           err;
		assert_int_equal(file_log_verify(crashed, cutting, NULL, NULL, &report, &err), STATUS_OK);
		assert_int_equal(report.records, RECORDS + 1);
		assert_true(report.torn_bytes > 0); /* left to the next open */
		assert_int_equal(report.removed_bytes, 0);
	}
	remove_directory(crashed);
}

static void damage_in_a_file_is_named_and_cut_with_all_that_follows(void **state)
{
	struct fixture *fixture = *state;
	/* The third frame of the second file. */
	uint64_t frame  = frame_bytes(FRAME_BATCH_BYTES + 10 * (4 + 10000));
	uint64_t offset = LOG_FILE_HEADER_BYTES + 2 * frame;
	uint64_t good   = fixture->files.items[1] - 1 + 20;
	char     name[64], piece[64];
	file_flip(path_of(fixture, 1), offset + 5000, 2);
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, 1), '/') + 1);
	snprintf(piece, sizeof piece, "%020llu.%llu", (unsigned long long)fixture->files.items[1],
	         (unsigned long long)offset);

	assert_cut_at(fixture, name, offset, good);

	assert_true(is_set_aside(fixture, piece));
	for (size_t i = 2; i < fixture->files.count; i++)
		assert_true(is_set_aside(fixture, strrchr(path_of(fixture, i), '/') + 1));
}

static void a_damaged_header_takes_its_file_along(void **state)
{
	struct fixture *fixture = *state;
	char            name[64];
	file_flip(path_of(fixture, 2), 50, 2);
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, 2), '/') + 1);

	assert_cut_at(fixture, name, 0, fixture->files.items[2] - 1);

	assert_true(is_set_aside(fixture, name));
}

static void when_the_first_header_is_damaged_nothing_is_left(void **state)
{
	struct fixture *fixture = *state;
	file_flip(path_of(fixture, 0), 50, 2);
	assert_cut_at(fixture, "00000000000000000001.log", 0, 0);
}

static void a_missing_file_ends_the_log_before_it(void **state)
{
	struct fixture *fixture = *state;
	char            name[64];
	assert_int_equal(unlink(path_of(fixture, 1)), 0);
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, 2), '/') + 1);

	assert_cut_at(fixture, name, 0, fixture->files.items[1] - 1);
}

static void a_missing_last_file_ends_the_log_before_it(void **state)
{
	struct fixture *fixture = *state;
	size_t          last    = fixture->files.count - 1;
	uint64_t        seal    = header_of(fixture, last).previous_end;
	char            name[64];
	assert_int_equal(unlink(path_of(fixture, last)), 0);
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, last - 1), '/') + 1);

	assert_cut_at(fixture, name, seal, fixture->files.items[last] - 1);
}

static void a_lost_end_of_a_file_is_cut_there(void **state)
{
	struct fixture *fixture = *state;
	uint64_t        seal    = header_of(fixture, 1).previous_end;
	file_flip(path_of(fixture, 0), seal + 20, 1);
	assert_cut_at(fixture, "00000000000000000001.log", seal, fixture->files.items[1] - 1);
}

static void the_lost_end_of_the_last_file_but_one_is_cut_there(void **state)
{
	struct fixture *fixture = *state;
	size_t          last    = fixture->files.count - 1;
	uint64_t        seal    = header_of(fixture, last).previous_end;
	char            name[64];
	file_flip(path_of(fixture, last - 1), seal + 20, 1);
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, last - 1), '/') + 1);

	/* All frames of the last file were counted before it was known that they cannot stay. */
	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_CORRUPT);
	assert_true(names_place(err.reason, name, seal));
	assert_int_equal(verify(fixture, true, &report, &err), STATUS_OK);
	struct journal *journal = open_log(fixture->directory);
	assert_int_equal(journal->ops->position(journal), fixture->files.items[last] - 1);
	journal->ops->free(journal);
}

static void a_shortened_last_file_gets_its_length_back(void **state)
{
	struct fixture *fixture = *state;
	size_t          last    = fixture->files.count - 1;
	/* Within its first frame. */
	assert_int_equal(truncate(path_of(fixture, last), LOG_FILE_HEADER_BYTES + 1001), 0);
	char name[64];
	snprintf(name, sizeof name, "%s", strrchr(path_of(fixture, last), '/') + 1);

	assert_cut_at(fixture, name, LOG_FILE_HEADER_BYTES, fixture->files.items[last] - 1);

	assert_int_equal(file_length(path_of(fixture, last)), FILE_BYTES);
}

static void a_log_without_its_first_files_is_a_good_one(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_log(fixture->directory);
	delete_before(journal, fixture->directory, fixture->files.items[2]);
	journal->ops->free(journal);

	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.files, fixture->files.count - 2);
	assert_int_equal(report.records, RECORDS - (fixture->files.items[2] - 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_log_is_counted),
		cmocka_unit_test(an_empty_directory_is_a_good_log),
		cmocka_unit_test(a_directory_that_is_not_there_is_not_found),
		TEST(every_batch_is_visited_in_order),
		TEST(a_torn_tail_is_no_damage),
		TEST(damage_in_a_file_is_named_and_cut_with_all_that_follows),
		TEST(a_damaged_header_takes_its_file_along),
		TEST(when_the_first_header_is_damaged_nothing_is_left),
		TEST(a_missing_file_ends_the_log_before_it),
		TEST(a_missing_last_file_ends_the_log_before_it),
		TEST(a_lost_end_of_a_file_is_cut_there),
		TEST(the_lost_end_of_the_last_file_but_one_is_cut_there),
		TEST(a_shortened_last_file_gets_its_length_back),
		TEST(a_log_without_its_first_files_is_a_good_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
