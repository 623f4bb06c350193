/* What the file log makes of files that a crash or a disk has changed. */

#include "journal_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/log_file.h"

enum { FILE_BYTES = 1 << 20, FIRST_FRAME = LOG_FILE_HEADER_BYTES, RECORDS = 6 };

static struct journal *try_open(const char *directory, enum status *ret_status, struct error *err)
{
	const struct file_log_config config  = {.directory = directory, .file_bytes = FILE_BYTES};
	struct journal              *journal = NULL;
	*ret_status                          = file_log_open(&config, &journal, err);
	return journal;
}

static struct journal *open_log(const char *directory)
{
	struct error    err;
	enum status     status;
	struct journal *journal = try_open(directory, &status, &err);
	if (status != STATUS_OK)
		fail_msg("%s", err.reason);
	return journal;
}

/* A log of three small frames in one file: as a crash leaves it, and as a stop does. */
struct fixture {
	char    *crashed;
	char    *stopped;
	uint64_t begins[4]; /* of the frames, and the end of the last */
};

static uint64_t end_of(struct journal *journal)
{
	struct file_log_status status;
	file_log_status(journal, &status);
	return FIRST_FRAME + status.bytes;
}

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fixture->stopped        = temporary_directory();
	struct journal *journal = open_log(fixture->stopped);
	for (unsigned i = 0; i < 3; i++) {
		fixture->begins[i] = end_of(journal);
		append_many(journal, i, 2, 20);
	}
	fixture->begins[3] = end_of(journal);
	fixture->crashed   = copy_directory(fixture->stopped);
	journal->ops->free(journal);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	remove_directory(fixture->stopped);
	remove_directory(fixture->crashed);
	free(fixture);
	return 0;
}

static const char *first_file(const char *directory) { return log_path(directory, 1); }

static void assert_holds(struct journal *journal, size_t records)
{
	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.status, STATUS_AGAIN);
	assert_int_equal(gots.count, records);
	for (size_t i = 0; i < gots.count; i++)
		assert_int_equal(gots.items[i].position, i + 1);
	gots_done(&gots);
}

/* Opens: the tail is cut, the rest is there, appends go on, also after another restart. */
static void assert_cut_to(const char *directory, uint64_t records, bool expect_cut)
{
	struct journal        *journal = open_log(directory);
	struct file_log_status status;
	file_log_status(journal, &status);
	assert_int_equal(status.tail_cut_bytes > 0, expect_cut);
	assert_holds(journal, records);
	assert_int_equal(append_one(journal, 0, "x").position, records + 1);
	journal->ops->free(journal);

	journal = open_log(directory);
	file_log_status(journal, &status);
	assert_int_equal(status.tail_cut_bytes, 0);
	assert_holds(journal, records + 1);
	journal->ops->free(journal);
}

static void assert_damaged(const char *directory, const char *file, uint64_t offset)
{
	struct error err;
	enum status  status;
	try_open(directory, &status, &err);
	assert_int_equal(status, STATUS_CORRUPT);
	assert_true(err.fatal);
	if (!names_place(err.reason, file, offset))
		fail_msg("not %s, offset %llu: %s", file, (unsigned long long)offset, err.reason);
}

/* Torn tails. */

static void a_last_frame_torn_at_any_byte_is_cut(void **state)
{
	struct fixture *fixture = *state;
	for (uint64_t at = fixture->begins[2]; at < fixture->begins[3]; at++) {
		char *directory = copy_directory(fixture->crashed);
		/* Its end may be zeros anyway: then it is whole. */
		bool whole = true, empty = at == fixture->begins[2];
		for (uint64_t i = at; i < fixture->begins[3]; i++)
			whole &= file_byte(first_file(directory), i) == 0;
		file_zero_from(first_file(directory), at);
		assert_cut_to(directory, whole ? RECORDS : RECORDS - 2, !whole && !empty);
		remove_directory(directory);
	}
}

static void a_last_frame_whose_begin_was_not_written_is_cut(void **state)
{
	struct fixture   *fixture   = *state;
	char             *directory = copy_directory(fixture->crashed);
	static const char zeros[32];
	int               fd = open(first_file(directory), O_WRONLY);
	assert_int_equal(pwrite(fd, zeros, sizeof zeros, (off_t)fixture->begins[2]), sizeof zeros);
	close(fd);
	assert_cut_to(directory, RECORDS - 2, true);
	remove_directory(directory);
}

static void a_changed_byte_in_the_last_frame_after_a_crash_is_a_torn_tail(void **state)
{
	struct fixture *fixture = *state;
	for (uint64_t at = fixture->begins[2]; at < fixture->begins[3]; at++) {
		char *directory = copy_directory(fixture->crashed);
		file_flip(first_file(directory), at, at % 8);
		assert_cut_to(directory, RECORDS - 2, true);
		remove_directory(directory);
	}
}

static void an_event_that_contains_a_frame_is_not_taken_for_one_in_a_torn_tail(void **state)
{
	struct fixture *fixture   = *state;
	char           *bytes     = calloc(1, fixture->begins[1] - fixture->begins[0]);
	size_t          length    = fixture->begins[1] - fixture->begins[0];
	char           *directory = copy_directory(fixture->crashed);
	int             fd        = open(first_file(directory), O_RDONLY);
	assert_int_equal(pread(fd, bytes, length, (off_t)fixture->begins[0]), length);
	close(fd);

	/* The copies begin at every remainder of 8, so one of them lies where a frame could. */
	struct buffer records = {0};
	for (unsigned i = 0; i < 8; i++) {
		buffer_add_u32(&records, (uint32_t)length + 1);
		buffer_add(&records, bytes, length);
		buffer_add_u8(&records, 0);
	}
	struct journal        *journal = open_log(directory);
	struct journal_batch   batch   = {0, 8, buffer_text(&records)};
	struct file_log_status before;
	file_log_status(journal, &before);
	assert_int_equal(append_batches(journal, &batch, 1).status, STATUS_OK);
	char *crashed = copy_directory(directory);
	journal->ops->free(journal);

	/* Its own header is gone, and with it the mark that stands there. */
	uint64_t begin = fixture->begins[3] + before.bytes;
	fd             = open(first_file(crashed), O_WRONLY);
	assert_int_equal(pwrite(fd, "torn", 4, (off_t)begin + 8), 4);
	close(fd);
	assert_cut_to(crashed, RECORDS, true);

	remove_directory(directory);
	remove_directory(crashed);
	buffer_done(&records);
	free(bytes);
}

/* Damage. */

static void any_changed_bit_before_the_last_frame_is_named(void **state)
{
	struct fixture *fixture = *state;
	const char     *file    = strrchr(first_file(fixture->crashed), '/') + 1;
	for (uint64_t at = fixture->begins[1]; at < fixture->begins[2]; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			file_flip(first_file(fixture->crashed), at, bit);
			assert_damaged(fixture->crashed, file, fixture->begins[1]);
			file_flip(first_file(fixture->crashed), at, bit);
		}
	}
	assert_cut_to(fixture->crashed, RECORDS, false); /* refusing changed nothing */
}

static void after_a_clean_stop_a_changed_byte_in_the_last_frame_is_damage(void **state)
{
	struct fixture *fixture = *state;
	for (uint64_t at = fixture->begins[2]; at < fixture->begins[3]; at++) {
		file_flip(first_file(fixture->stopped), at, at % 8);
		assert_damaged(fixture->stopped, "00000000000000000001.log", fixture->begins[2]);
		file_flip(first_file(fixture->stopped), at, at % 8);
	}
}

static void after_a_restart_the_last_frame_of_a_crash_is_protected_too(void **state)
{
	struct fixture *fixture = *state;
	struct journal *journal = open_log(fixture->crashed);
	char           *again   = copy_directory(fixture->crashed); /* crashed at once */
	journal->ops->free(journal);
	file_flip(first_file(again), fixture->begins[2] + 50, 3);
	assert_damaged(again, "00000000000000000001.log", fixture->begins[2]);
	remove_directory(again);
}

static void any_changed_byte_of_a_file_header_is_named(void **state)
{
	struct fixture *fixture = *state;
	for (uint64_t at = 0; at < LOG_FILE_HEADER_BYTES; at++) {
		file_flip(first_file(fixture->stopped), at, at % 8);
		assert_damaged(fixture->stopped, "00000000000000000001.log", 0);
		file_flip(first_file(fixture->stopped), at, at % 8);
	}
}

static void a_shortened_file_is_damage_even_at_the_end_of_a_frame(void **state)
{
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 3; i++) {
		char *directory = copy_directory(fixture->stopped);
		assert_int_equal(truncate(first_file(directory), (off_t)fixture->begins[i + 1]), 0);
		assert_damaged(directory, "00000000000000000001.log", fixture->begins[i + 1]);
		remove_directory(directory);
	}
}

static void a_file_that_ends_within_its_header_is_damage(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(truncate(first_file(fixture->stopped), 100), 0);
	assert_damaged(fixture->stopped, "00000000000000000001.log", 100);
}

static void the_log_of_another_workspace_is_refused(void **state)
{
	struct fixture              *fixture = *state;
	const struct file_log_config config  = {
		 .directory = fixture->stopped, .file_bytes = FILE_BYTES, .workspace_id = {1}};
	struct journal *journal;
	struct error    err;
	assert_int_equal(file_log_open(&config, &journal, &err), STATUS_CORRUPT);
	assert_true(names_place(err.reason, "00000000000000000001.log", 0));
}

static void a_stray_file_is_ignored_and_a_spare_one_removed(void **state)
{
	struct fixture *fixture = *state;
	char            path[1100];
	snprintf(path, sizeof path, "%s/spare", fixture->stopped);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof path, "%s/1.log", fixture->stopped);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof path, "%s/00000000000000000001.log.bak", fixture->stopped);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_cut_to(fixture->stopped, RECORDS, false);
	snprintf(path, sizeof path, "%s/spare", fixture->stopped);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* Several files. */

struct files {
	char                *directory; /* closed */
	struct log_file_list list;
};

static int new_files(void **state)
{
	struct files *files     = calloc(1, sizeof *files);
	files->directory        = temporary_directory();
	struct journal *journal = open_log(files->directory);
	for (unsigned i = 0; i < 40; i++)
		append_many(journal, 0, 10, 10000);
	journal->ops->free(journal);
	struct error err;
	assert_int_equal(log_file_list(files->directory, &files->list, &err), STATUS_OK);
	assert_true(files->list.count >= 4);
	*state = files;
	return 0;
}

static int free_files(void **state)
{
	struct files *files = *state;
	remove_directory(files->directory);
	log_file_list_done(&files->list);
	free(files);
	return 0;
}

static uint64_t seal_offset(const struct files *files, size_t i)
{
	struct log_file next;
	struct error    err;
	assert_int_equal(
		log_file_open(files->directory, files->list.items[i + 1], O_RDONLY, &next, &err),
		STATUS_OK);
	log_file_close(&next);
	return next.header.previous_end;
}

static void remove_file(const struct files *files, size_t i)
{
	assert_int_equal(unlink(log_path(files->directory, files->list.items[i])), 0);
}

static const char *name_of(const struct files *files, size_t i)
{
	return strrchr(log_path(files->directory, files->list.items[i]), '/') + 1;
}

static void a_missing_file_in_the_middle_is_damage(void **state)
{
	struct files *files = *state;
	remove_file(files, 1);
	assert_damaged(files->directory, name_of(files, 2), 0);
}

static void a_missing_last_file_is_damage(void **state)
{
	struct files *files = *state;
	size_t        last  = files->list.count - 1;
	uint64_t      seal  = seal_offset(files, last - 1);
	remove_file(files, last);
	assert_damaged(files->directory, name_of(files, last - 1), seal);
}

static void a_file_without_its_end_is_damage(void **state)
{
	struct files *files = *state;
	for (size_t i = 0; i + 1 < files->list.count; i++) {
		uint64_t    seal = seal_offset(files, i);
		const char *path = log_path(files->directory, files->list.items[i]);
		file_flip(path, seal + 20, 0);
		assert_damaged(files->directory, name_of(files, i), seal);
		path = log_path(files->directory, files->list.items[i]);
		file_flip(path, seal + 20, 0);
	}
}

static void a_shortened_file_in_the_middle_is_damage(void **state)
{
	struct files *files = *state;
	uint64_t      seal  = seal_offset(files, 1);
	assert_int_equal(truncate(log_path(files->directory, files->list.items[1]), (off_t)seal - 1),
	                 0);
	assert_damaged(files->directory, name_of(files, 1), seal - 1);
}

static void a_crash_between_the_name_of_a_file_and_the_end_of_the_one_before_is_repaired(
	void **state)
{
	struct files *files = *state;
	size_t        last  = files->list.count - 1;
	uint64_t      seal  = seal_offset(files, last - 1);
	for (uint64_t torn = 0; torn < FRAME_HEADER_BYTES; torn += 8) {
		char *directory = copy_directory(files->directory);
		file_zero_from(log_path(directory, files->list.items[last - 1]), seal + torn);
		file_zero_from(log_path(directory, files->list.items[last]), LOG_FILE_HEADER_BYTES);
		assert_cut_to(directory, files->list.items[last] - 1, false);
		remove_directory(directory);
	}
}

static void damage_in_an_earlier_file_is_met_by_the_reader_that_comes_there(void **state)
{
	struct files *files = *state;
	uint64_t      at    = 300000;
	file_flip(log_path(files->directory, files->list.items[1]), at, 5);
	struct journal *journal = open_log(files->directory);

	struct gots gots = read_all(journal, 0);
	assert_int_equal(gots.status, STATUS_CORRUPT);
	assert_true(gots.err.fatal);
	assert_non_null(strstr(gots.err.reason, name_of(files, 1)));
	assert_true(gots.count >= files->list.items[1] - 1); /* the good part came before */
	gots_done(&gots);

	gots = read_all(journal, files->list.items[2] - 1);
	assert_int_equal(gots.status, STATUS_AGAIN);
	gots_done(&gots);
	journal->ops->free(journal);
}

static void a_reader_that_met_damage_stays_there(void **state)
{
	struct files *files = *state;
	file_flip(log_path(files->directory, files->list.items[0]), 300000, 5);
	struct journal *journal         = open_log(files->directory);
	const bool      all[PARTITIONS] = {true};
	struct error    err;

	struct journal_reader *reader;
	assert_int_equal(journal->ops->reader_open(journal, all, PARTITIONS, 0, &reader, &err),
	                 STATUS_OK);
	struct gots gots = {0};
	for (unsigned i = 0; i < 3; i++) {
		gots_read(&gots, journal, reader);
		assert_int_equal(gots.status, STATUS_CORRUPT);
	}
	gots_done(&gots);
	journal->ops->reader_close(reader);
	journal->ops->free(journal);
}

static void there_is_room_for_the_end_of_a_file_however_full_it_is(void **state)
{
	(void)state;
	for (uint64_t left = 0; left <= 256; left += FRAME_ALIGNMENT_BYTES) {
		char           *directory = temporary_directory();
		struct journal *journal   = open_log(directory);
		uint64_t        payload   = FILE_BYTES - FIRST_FRAME - FRAME_HEADER_BYTES - left;
		append_one(journal, 0, "x");
		payload -= end_of(journal) - FIRST_FRAME;
		/* One record that would leave just so much of the file. */
		append_many(journal, 0, 1, payload - FRAME_BATCH_BYTES - 4);
		journal->ops->free(journal);

		struct error         err;
		struct log_file_list list;
		assert_int_equal(log_file_list(directory, &list, &err), STATUS_OK);
		for (size_t i = 0; i < list.count; i++) {
			struct log_file file;
			assert_int_equal(log_file_open(directory, list.items[i], O_RDONLY, &file, &err),
			                 STATUS_OK);
			assert_int_equal(file.length, file.header.file_bytes);
			log_file_close(&file);
		}
		/* The stop is marked: a change in the last frame is damage. */
		uint64_t begin =
			list.count == 1 ? FIRST_FRAME + frame_bytes(FRAME_BATCH_BYTES + 5) : FIRST_FRAME;
		file_flip(log_path(directory, list.items[list.count - 1]), begin + 100, 0);
		assert_damaged(directory, strrchr(log_path(directory, list.items[list.count - 1]), '/') + 1,
		               begin);
		log_file_list_done(&list);
		remove_directory(directory);
	}
}

#define SMALL(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)
#define FILES(name) cmocka_unit_test_setup_teardown(name, new_files, free_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(a_last_frame_torn_at_any_byte_is_cut),
		SMALL(a_last_frame_whose_begin_was_not_written_is_cut),
		SMALL(a_changed_byte_in_the_last_frame_after_a_crash_is_a_torn_tail),
		SMALL(an_event_that_contains_a_frame_is_not_taken_for_one_in_a_torn_tail),
		SMALL(any_changed_bit_before_the_last_frame_is_named),
		SMALL(after_a_clean_stop_a_changed_byte_in_the_last_frame_is_damage),
		SMALL(after_a_restart_the_last_frame_of_a_crash_is_protected_too),
		SMALL(any_changed_byte_of_a_file_header_is_named),
		SMALL(a_shortened_file_is_damage_even_at_the_end_of_a_frame),
		SMALL(a_file_that_ends_within_its_header_is_damage),
		SMALL(the_log_of_another_workspace_is_refused),
		SMALL(a_stray_file_is_ignored_and_a_spare_one_removed),
		cmocka_unit_test(there_is_room_for_the_end_of_a_file_however_full_it_is),
		FILES(a_missing_file_in_the_middle_is_damage),
		FILES(a_missing_last_file_is_damage),
		FILES(a_file_without_its_end_is_damage),
		FILES(a_shortened_file_in_the_middle_is_damage),
		FILES(a_crash_between_the_name_of_a_file_and_the_end_of_the_one_before_is_repaired),
		FILES(damage_in_an_earlier_file_is_met_by_the_reader_that_comes_there),
		FILES(a_reader_that_met_damage_stays_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
