/* What happens to sealed files: they are packed, read as if they were not, and deleted when they
 * are old and not needed; also when system calls fail and when the process is killed. */

#include "faulty_system.h"
#include "journal_harness.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "../../unit/seed.h"
#include "base/file.h"
#include "base/hash.h"
#include "journal/log_file.h"
#include "journal/log_pack.h"

enum { FILE_BYTES = 1 << 20, RECORD_BYTES = 2000, APPEND_RECORDS = 10 };

#define HOUR_MS INT64_C(3600000)

#define UNBOUNDED (UINT64_C(1) << 40)

struct fixture {
	char           *directory;
	struct journal *journal;
	int64_t         retention_ms;
	uint64_t        pack_bytes_s;
};

static void open_log(struct fixture *fixture)
{
	const struct file_log_config config = {
		.directory    = fixture->directory,
		.file_bytes   = FILE_BYTES,
		.clock        = LOG_CLOCK_MANUAL,
		.retention_ms = fixture->retention_ms,
		.pack_bytes_s = fixture->pack_bytes_s,
		.system       = &faulty_system,
	};
	struct error err;
	if (file_log_open(&config, &fixture->journal, &err) != STATUS_OK)
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
	open_log(fixture);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	faults_reset();
	close_log(fixture);
	remove_directory(fixture->directory);
	free(fixture);
	return 0;
}

static struct file_log_status status_of(const struct fixture *fixture)
{
	struct file_log_status status;
	file_log_status(fixture->journal, &status);
	return status;
}

/* Half of it compresses, half of it does not. */
static void add_record(struct buffer *records, uint64_t number)
{
	char head[32];
	char content[RECORD_BYTES] = {0};
	int  length                = snprintf(head, sizeof head, "%" PRIu64 " ", number);
	memset(content, 'a' + (int)(number % 26), sizeof content);
	random_bytes(content + RECORD_BYTES / 2, RECORD_BYTES / 2);
	memcpy(content, head, (size_t)length);
	buffer_add_u32(records, RECORD_BYTES);
	buffer_add(records, content, sizeof content);
}

/* Each record begins with its own position. */
static enum status append_some(struct journal *journal)
{
	struct buffer records  = {0};
	uint64_t      position = journal->ops->position(journal);
	for (unsigned i = 0; i < APPEND_RECORDS; i++)
		add_record(&records, position + 1 + i);
	struct journal_batch batch  = {0, APPEND_RECORDS, buffer_text(&records)};
	enum status          status = append_batches(journal, &batch, 1).status;
	buffer_done(&records);
	return status;
}

static void append_until_files(struct fixture *fixture, uint64_t files)
{
	while (status_of(fixture).files < files)
		assert_int_equal(append_some(fixture->journal), STATUS_OK);
}

static void assert_records_from(struct journal *journal, uint64_t first)
{
	struct gots gots = read_all(journal, first - 1);
	if (gots.status != STATUS_AGAIN)
		fail_msg("%s", gots.err.reason);
	assert_int_equal(gots.count, journal->ops->position(journal) - (first - 1));
	for (size_t i = 0; i < gots.count; i++) {
		assert_int_equal(gots.items[i].position, first + i);
		assert_int_equal(gots.items[i].length, RECORD_BYTES);
		assert_int_equal(strtoull(gots.items[i].text, NULL, 10), first + i);
	}
	gots_done(&gots);
}

static void pack_all(struct fixture *fixture)
{
	fixture->pack_bytes_s = UNBOUNDED;
	reopen(fixture);
	wait_until_packed(fixture->journal);
}

static struct log_file_list files_of(const struct fixture *fixture)
{
	struct log_file_list list;
	struct error         err;
	assert_int_equal(log_file_list(fixture->directory, &list, &err), STATUS_OK);
	return list;
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

static struct buffer content_of(const char *path)
{
	struct buffer content = {0};
	struct error  err;
	assert_int_equal(file_read(path, 64 << 20, &content, &err), STATUS_OK);
	return content;
}

static enum status verify(const struct fixture *fixture, bool truncate,
                          struct file_log_report *ret_report, struct error *err)
{
	return file_log_verify(fixture->directory, truncate, NULL, NULL, ret_report, err);
}

/* Packing. */

static void a_packed_log_reads_like_a_plain_one_from_every_position(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 4);
	pack_all(fixture);

	struct file_log_status status = status_of(fixture);
	assert_int_equal(status.files_packed, status.files - 1);
	assert_true(status.disk_bytes < status.files * FILE_BYTES);
	for (uint64_t first = 1; first <= fixture->journal->ops->position(fixture->journal);
	     first += 1 + seed_below(40))
		assert_records_from(fixture->journal, first);
	close_log(fixture);
	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.files, status.files);
}

static void the_file_that_is_written_is_never_packed(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 3);
	pack_all(fixture);

	struct log_file_list list = files_of(fixture);
	for (size_t i = 0; i < list.count; i++) {
		bool last = i + 1 == list.count;
		assert_int_equal(is_there(log_path(fixture->directory, list.items[i])), last);
		assert_int_equal(is_there(packed_path(fixture->directory, list.items[i])), !last);
	}
	log_file_list_done(&list);
}

static void a_reader_that_is_under_way_goes_on_while_its_file_is_packed(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 3);
	close_log(fixture);
	fixture->pack_bytes_s = 1; /* so that it does not come far */
	open_log(fixture);
	const struct journal_ops *ops                = fixture->journal->ops;
	bool                      wanted[PARTITIONS] = {true};
	struct journal_reader    *reader;
	struct error              err;
	struct journal_read       read;
	struct gots               gots = {0};
	assert_int_equal(ops->reader_open(fixture->journal, wanted, PARTITIONS, 0, &reader, &err),
	                 STATUS_OK);
	assert_int_equal(ops->read(reader, &read, &gots.safe_time_ms, &gots.through, &err), STATUS_OK);
	gots_add(&gots, &read);

	/* What the keeper does in the end. */
	char          *packed = copy_directory(fixture->directory);
	struct fixture other  = {.directory = packed};
	open_log(&other);
	pack_all(&other);
	close_log(&other);
	char from[1024];
	snprintf(from, sizeof from, "%s", packed_path(packed, 1));
	assert_int_equal(rename(from, packed_path(fixture->directory, 1)), 0);
	assert_int_equal(unlink(log_path(fixture->directory, 1)), 0);

	gots_read(&gots, fixture->journal, reader);
	assert_int_equal(gots.status, STATUS_AGAIN);
	assert_int_equal(gots.count, ops->position(fixture->journal));
	assert_records_from(fixture->journal, 1);
	gots_done(&gots);
	ops->reader_close(reader);
	remove_directory(packed);
}

static void zstd_gives_the_plain_file_back(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 2);
	struct buffer plain = content_of(log_path(fixture->directory, 1));
	pack_all(fixture);

	struct buffer packed   = content_of(packed_path(fixture->directory, 1));
	char         *unpacked = malloc(plain.length);
	size_t        length   = ZSTD_decompress(unpacked, plain.length, packed.data, packed.length);
	assert_false(ZSTD_isError(length));
	assert_memory_equal(unpacked, plain.data, length);
	for (size_t i = length; i < plain.length; i++)
		assert_int_equal(plain.data[i], 0);
	free(unpacked);
	buffer_done(&plain);
	buffer_done(&packed);
}

static struct log_file open_packed(const struct fixture *fixture)
{
	struct log_file file;
	struct error    err;
	if (log_file_open(fixture->directory, 1, O_RDONLY, &file, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	assert_non_null(file.pack);
	return file;
}

static void a_position_is_reached_without_reading_what_lies_before(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 2);
	pack_all(fixture);
	struct log_file      file  = open_packed(fixture);
	struct log_chunk     chunk = {0};
	struct log_file_list list  = files_of(fixture);
	for (uint64_t position = 1; position < list.items[1]; position++) {
		uint64_t         offset = log_pack_find_position(file.pack, position);
		struct frame     frame  = {0};
		struct error     err;
		enum frame_check check;
		size_t           bytes, passed = 0;
		do {
			assert_int_equal(
				log_chunk_frame(&chunk, &file, offset, file.length, &check, &frame, &bytes, &err),
				STATUS_OK);
			assert_int_equal(check, FRAME_GOOD);
			assert_true(frame.first_position <= position);
			offset += bytes;
			passed += bytes;
		} while (frame.record_count == 0 || frame_last_position(&frame) < position);
		assert_in_range(passed, 1, LOG_PACK_CHUNK_BYTES + bytes);
	}
	log_file_list_done(&list);
	log_chunk_done(&chunk);
	log_file_close(&file);
}

/* What cannot be packed. */

static void break_packing(struct fixture *fixture, atomic_int *fault, int error_number, int spared)
{
	append_until_files(fixture, 3);
	close_log(fixture);
	/* Opened and closed it ends with a mark: opening writes nothing more. */
	faults.calls_spared   = spared;
	*fault                = error_number;
	fixture->pack_bytes_s = UNBOUNDED;
	open_log(fixture);
	while (status_of(fixture).keeping_failures == 0)
		usleep(1000);

	struct file_log_status status = status_of(fixture);
	assert_int_equal(status.files_packed, 0);
	assert_false(status.failed);
	assert_true(is_there(log_path(fixture->directory, 1)));
	assert_false(is_there(packed_path(fixture->directory, 1)));
	assert_records_from(fixture->journal, 1);

	/* Once it works again nothing of it is left, and appending was never held up. */
	*fault = 0;
	assert_int_equal(append_some(fixture->journal), STATUS_OK);
	fixture->journal->ops->needed(fixture->journal, 1);
	wait_until_packed(fixture->journal);
	assert_records_from(fixture->journal, 1);
}

static void a_full_disk_leaves_the_plain_file_and_packing_goes_on_later(void **state)
{
	break_packing(*state, &faults.write_errno, ENOSPC, 2);
}

static void a_failed_write_leaves_the_plain_file(void **state)
{
	break_packing(*state, &faults.write_errno, EIO, 0);
}

static void a_failed_sync_leaves_the_plain_file(void **state)
{
	break_packing(*state, &faults.sync_errno, EIO, 0);
}

static void a_damaged_file_is_not_packed(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 3);
	close_log(fixture);
	file_flip(log_path(fixture->directory, 1), 300000, 3);
	fixture->pack_bytes_s = UNBOUNDED;
	open_log(fixture);
	while (status_of(fixture).files_packed == 0 || status_of(fixture).keeping_failures == 0)
		usleep(1000);

	assert_true(is_there(log_path(fixture->directory, 1)));
	struct gots gots = read_all(fixture->journal, 0);
	assert_int_equal(gots.status, STATUS_CORRUPT);
	gots_done(&gots);
}

static void what_a_crash_left_of_packing_is_removed_or_done_again(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 3);
	close_log(fixture);
	char *plain = copy_directory(fixture->directory);
	open_log(fixture);
	pack_all(fixture);
	close_log(fixture);
	/* Packed and renamed, the plain one not removed yet; and one half written. */
	char *both = copy_directory(fixture->directory);
	char  path[1024];
	snprintf(path, sizeof path, "%s", log_path(both, 1));
	assert_int_equal(rename(log_path(plain, 1), path), 0);
	snprintf(path, sizeof path, "%s/packing", both);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	remove_directory(fixture->directory);
	remove_directory(plain);
	fixture->directory = both;

	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	fixture->pack_bytes_s = 0;
	open_log(fixture);
	assert_false(is_there(path));
	assert_records_from(fixture->journal, 1);
	pack_all(fixture);
	assert_false(is_there(log_path(fixture->directory, 1)));
	assert_records_from(fixture->journal, 1);
}

/* Damage. */

/* A few bits of a zstd frame say how it was made, not what it holds. */
static bool reads_back_as(const struct fixture *fixture, const struct buffer *plain)
{
	struct log_file  file   = open_packed(fixture);
	struct log_chunk chunk  = {0};
	uint64_t         offset = 0;
	bool             equal  = true;
	while (offset < file.length && equal) {
		const uint8_t *bytes;
		size_t         length;
		struct error   err;
		equal = log_chunk_need(&chunk, &file, offset, 1, file.length, &bytes, &length, &err) ==
		            STATUS_OK &&
		        memcmp(bytes, plain->data + offset, length) == 0;
		offset += length;
	}
	log_chunk_done(&chunk);
	log_file_close(&file);
	return equal;
}

static void a_flipped_bit_of_a_packed_file_is_found_or_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 2);
	struct buffer plain = content_of(log_path(fixture->directory, 1));
	pack_all(fixture);
	close_log(fixture);
	char path[1024];
	snprintf(path, sizeof path, "%s", packed_path(fixture->directory, 1));
	uint64_t length = file_length(path);
	unsigned found  = 0;
	for (unsigned i = 0; i < 200; i++) {
		/* The index too, which is small. */
		uint64_t offset = i % 2 == 0 ? seed_below(length) : length - 1 - seed_below(300);
		unsigned bit    = (unsigned)seed_below(8);
		file_flip(path, offset, bit);

		struct file_log_report report;
		struct error           err      = {0};
		enum status            status   = verify(fixture, false, &report, &err);
		bool                   harmless = status == STATUS_OK && reads_back_as(fixture, &plain);
		if (!harmless && (status != STATUS_CORRUPT || strstr(err.reason, path) == NULL))
			fail_msg("bit %u at %" PRIu64 ": %d, %s", bit, offset, status, err.reason);
		found += !harmless;
		file_flip(path, offset, bit);
	}
	assert_in_range(found, 190, 200);
	buffer_done(&plain);
}

static void damage_in_a_packed_file_is_cut_with_all_that_follows(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 4);
	pack_all(fixture);
	close_log(fixture);
	struct log_file_list list = files_of(fixture);
	char                 path[1024];
	snprintf(path, sizeof path, "%s", packed_path(fixture->directory, list.items[1]));
	file_flip(path, file_length(path) / 2, 1);

	struct file_log_report report;
	struct error           err;
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, path));
	uint64_t last = report.last_position;
	assert_true(last > list.items[1] && last < list.items[2]);
	assert_int_equal(verify(fixture, true, &report, &err), STATUS_OK);
	assert_int_equal(verify(fixture, false, &report, &err), STATUS_OK);
	assert_int_equal(report.last_position, last);
	assert_int_equal(report.files, 2);

	fixture->pack_bytes_s = 0;
	open_log(fixture);
	assert_int_equal(fixture->journal->ops->position(fixture->journal), last);
	assert_records_from(fixture->journal, 1);
	assert_int_equal(append_some(fixture->journal), STATUS_OK);
	log_file_list_done(&list);
}

static void a_packed_file_that_was_shortened_stops_the_start(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 3);
	pack_all(fixture);
	close_log(fixture);
	const char *path = packed_path(fixture->directory, 1);
	assert_int_equal(truncate(path, (off_t)file_length(path) - 1), 0);

	const struct file_log_config config = {
		.directory = fixture->directory, .file_bytes = FILE_BYTES, .clock = LOG_CLOCK_MANUAL};
	struct error err;
	assert_int_equal(file_log_open(&config, &fixture->journal, &err), STATUS_CORRUPT);
	assert_non_null(strstr(err.reason, path));
}

/* Deleting. */

static void set_clock(struct fixture *fixture, int64_t now_ms)
{
	struct error err;
	assert_int_equal(fixture->journal->ops->clock_set(fixture->journal, now_ms, &err), STATUS_OK);
	assert_int_equal(append_some(fixture->journal), STATUS_OK);
}

/* The keeper has had its turn: another call has woken it and it waits again. Each of these files
 * is packed, so that an end of the work can be seen. */
static void let_it_work(struct fixture *fixture)
{
	append_until_files(fixture, status_of(fixture).files + 1);
	wait_until_packed(fixture->journal);
}

static void nothing_is_deleted_before_it_is_said_what_is_needed(void **state)
{
	struct fixture *fixture = *state;
	pack_all(fixture);
	set_clock(fixture, 100 * HOUR_MS);
	append_until_files(fixture, 4);
	let_it_work(fixture);

	assert_int_equal(fixture->journal->ops->first_position(fixture->journal), 1);
	assert_int_equal(status_of(fixture).files_deleted, 0);
}

static void what_is_needed_stays_however_old_it_is(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 4);
	pack_all(fixture);
	set_clock(fixture, 1000 * HOUR_MS);
	struct log_file_list list = files_of(fixture);

	uint64_t first = delete_before(fixture->journal, fixture->directory, list.items[2] - 1);
	let_it_work(fixture);

	assert_int_equal(first, list.items[1]);
	assert_int_equal(fixture->journal->ops->first_position(fixture->journal), first);
	assert_records_from(fixture->journal, first);
	log_file_list_done(&list);
}

static void what_is_not_needed_stays_until_it_is_old(void **state)
{
	struct fixture *fixture = *state;
	fixture->retention_ms   = 24 * HOUR_MS;
	pack_all(fixture);
	append_until_files(fixture, 2);
	set_clock(fixture, 10 * HOUR_MS);
	append_until_files(fixture, 3);
	set_clock(fixture, 34 * HOUR_MS - 1); /* the second was sealed at 10:00 */
	fixture->journal->ops->needed(fixture->journal,
	                              fixture->journal->ops->position(fixture->journal));
	struct log_file_list list = files_of(fixture);
	while (fixture->journal->ops->first_position(fixture->journal) != list.items[1])
		usleep(1000);
	let_it_work(fixture);
	assert_int_equal(fixture->journal->ops->first_position(fixture->journal), list.items[1]);

	set_clock(fixture, 34 * HOUR_MS);
	fixture->journal->ops->needed(fixture->journal, 1); /* looks again */
	while (fixture->journal->ops->first_position(fixture->journal) != list.items[2])
		usleep(1000);
	assert_int_equal(status_of(fixture).needed_position > 1, true);
	log_file_list_done(&list);
}

static void a_file_that_cannot_be_deleted_keeps_those_behind_it(void **state)
{
	struct fixture *fixture = *state;
	append_until_files(fixture, 5);
	struct log_file_list list = files_of(fixture);
	const char          *path = packed_path(fixture->directory, list.items[1]);
	/* A directory of that name cannot be unlinked. */
	assert_int_equal(mkdir(path, 0700), 0);
	fixture->journal->ops->needed(fixture->journal, UINT64_MAX / 2);
	while (status_of(fixture).keeping_failures == 0)
		usleep(1000);

	assert_int_equal(fixture->journal->ops->first_position(fixture->journal), list.items[1]);
	assert_true(is_there(log_path(fixture->directory, list.items[2])));
	assert_int_equal(rmdir(path), 0);
	log_file_list_done(&list);
}

/* kill -9. */

enum { ROUNDS = 25, ACKNOWLEDGED_MAX = 250 };

/* Packs, deletes and appends for ever, and says what was acknowledged. */
static void run_child(const char *directory, int pipe)
{
	const struct file_log_config config = {.directory    = directory,
	                                       .file_bytes   = FILE_BYTES,
	                                       .clock        = LOG_CLOCK_MANUAL,
	                                       .pack_bytes_s = UNBOUNDED};
	struct journal              *journal;
	struct error                 err;
	if (file_log_open(&config, &journal, &err) != STATUS_OK) {
		fprintf(stderr, "%s\n", err.reason);
		abort();
	}
	for (;;) {
		enum status status = append_some(journal);
		assert(status == STATUS_OK);
		uint64_t position = journal->ops->position(journal);
		ssize_t  written  = write(pipe, &position, sizeof position);
		assert(written == sizeof position);
		if (position > 2500)
			journal->ops->needed(journal, position - 2500);
	}
}

static uint64_t run_round(const char *directory)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	uint64_t until = seed_below(ACKNOWLEDGED_MAX), acknowledged = 0, position;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		run_child(directory, ends[1]);
	}
	close(ends[1]);
	for (uint64_t i = 0; i < until && read(ends[0], &position, sizeof position) == sizeof position;
	     i++)
		acknowledged = position;
	usleep((unsigned)seed_below(4000));
	kill(child, SIGKILL);
	int ended;
	waitpid(child, &ended, 0);
	assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
	while (read(ends[0], &position, sizeof position) == sizeof position)
		acknowledged = position;
	close(ends[0]);
	return acknowledged;
}

static void kill_9_while_files_are_packed_and_deleted_loses_nothing(void **state)
{
	struct fixture *fixture = *state;
	close_log(fixture);
	uint64_t acknowledged = 0, deleted = 0, packed = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t last = run_round(fixture->directory);
		acknowledged  = last > acknowledged ? last : acknowledged;

		struct file_log_report report;
		struct error           err;
		if (verify(fixture, false, &report, &err) != STATUS_OK)
			fail_msg("%s", err.reason);
		assert_true(report.last_position >= acknowledged);
		open_log(fixture);
		uint64_t first = fixture->journal->ops->first_position(fixture->journal);
		assert_true(first <= (acknowledged > 2500 ? acknowledged - 2500 : 1) + APPEND_RECORDS);
		assert_records_from(fixture->journal, first);
		deleted += first > 1;
		packed += status_of(fixture).files_packed > 0;
		close_log(fixture);
	}
	print_message("%" PRIu64 " records acknowledged\n", acknowledged);
	assert_true(deleted > 0 && packed > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	seed_begin("pack");
	const struct CMUnitTest tests[] = {
		TEST(a_packed_log_reads_like_a_plain_one_from_every_position),
		TEST(the_file_that_is_written_is_never_packed),
		TEST(a_reader_that_is_under_way_goes_on_while_its_file_is_packed),
		TEST(zstd_gives_the_plain_file_back),
		TEST(a_position_is_reached_without_reading_what_lies_before),
		TEST(a_full_disk_leaves_the_plain_file_and_packing_goes_on_later),
		TEST(a_failed_write_leaves_the_plain_file),
		TEST(a_failed_sync_leaves_the_plain_file),
		TEST(a_damaged_file_is_not_packed),
		TEST(what_a_crash_left_of_packing_is_removed_or_done_again),
		TEST(a_flipped_bit_of_a_packed_file_is_found_or_changes_nothing),
		TEST(damage_in_a_packed_file_is_cut_with_all_that_follows),
		TEST(a_packed_file_that_was_shortened_stops_the_start),
		TEST(nothing_is_deleted_before_it_is_said_what_is_needed),
		TEST(what_is_needed_stays_however_old_it_is),
		TEST(what_is_not_needed_stays_until_it_is_old),
		TEST(a_file_that_cannot_be_deleted_keeps_those_behind_it),
		TEST(kill_9_while_files_are_packed_and_deleted_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
