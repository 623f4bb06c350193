#include "audit/audit_verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_fixture.h"
#include "base/instant.h"

enum { CHANGES = 10 };

static struct audit_report report;
static char                findings[4096];

static void assert_found(const char *what)
{
	assert_int_equal(trail_verify(&report, findings), STATUS_CORRUPT);
	if (strstr(findings, what) == NULL)
		fail_msg("\"%s\" is not told: %s", what, findings);
}

static void a_trail_as_it_was_written_is_whole(void **state)
{
	(void)state;
	trail_make(CHANGES);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.records, CHANGES + 1); /* and the head at stop */
	assert_int_equal(report.signed_records, 1);
	assert_int_equal(report.unsigned_records, 0);
	assert_int_equal(report.heads, 1);
	assert_int_equal(report.first_seq, 1);
}

static void signatures_are_verified_without_any_head_too(void **state)
{
	static const uint8_t other[16] = {9};
	(void)state;
	trail_make(2);
	assert_int_equal(trail_verify_with(NULL, NULL, &report, findings), STATUS_OK);
	assert_int_equal(report.unsigned_records, 0);
	assert_int_equal(trail_verify_with(other, NULL, &report, findings), STATUS_CORRUPT);
}

static void a_trail_goes_on_behind_a_restart(void **state)
{
	(void)state;
	trail_make(CHANGES);
	trail_make(CHANGES);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.last_seq, 2 * CHANGES + 2);
	assert_int_equal(report.files, 1);
}

/* Every one of them, in every byte. */
static void each_flipped_bit_is_found(void **state)
{
	char          path[AUDIT_PATH_BYTES];
	struct buffer content = {0};
	(void)state;
	trail_make(2);
	trail_read(1, &content);
	audit_file_path(trail_directory, 1, path);
	int fd = open(path, O_WRONLY);
	for (size_t bit = 0; bit < 8 * content.length; bit++) {
		char changed = (char)(content.data[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(pwrite(fd, &changed, 1, (off_t)(bit / 8)), 1);
		if (trail_verify(&report, findings) != STATUS_CORRUPT)
			fail_msg("bit %zu of byte %zu was not missed", bit % 8, bit / 8);
		assert_int_equal(pwrite(fd, &content.data[bit / 8], 1, (off_t)(bit / 8)), 1);
	}
	close(fd);
	buffer_done(&content);
}

static void rewrite_lines(const size_t *order, size_t count)
{
	struct buffer content, out = {0};
	struct text  *lines;
	trail_lines(&content, &lines);
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(&out, lines[order[i]]);
		buffer_add(&out, "\n", 1);
	}
	trail_write(1, buffer_text(&out));
	buffer_done(&out);
	buffer_done(&content);
	free(lines);
}

/* Of four changes and the head at stop these are left. */
static void assert_left_is_found(const size_t *order, size_t count, const char *what)
{
	trail_make(4);
	rewrite_lines(order, count);
	assert_found(what);
}

static void a_removed_record_is_found_and_named(void **state)
{
	static const size_t order[] = {0, 1, 3, 4};
	(void)state;
	assert_left_is_found(order, 4, "record 3 is missing");
}

static void a_removed_first_record_is_found(void **state)
{
	static const size_t order[] = {1, 2, 3, 4};
	(void)state;
	assert_left_is_found(order, 4, "the trail begins with record 2");
}

static void reordered_records_are_found(void **state)
{
	static const size_t order[] = {0, 2, 1, 3, 4};
	(void)state;
	assert_left_is_found(order, 5, "record 2 stands behind record 3");
}

static void a_cut_tail_is_found_by_the_head_in_the_keyring(void **state)
{
	static const size_t order[] = {0, 1, 2};
	(void)state;
	assert_left_is_found(order, 3, "its end is cut off");
}

static void a_trail_that_is_gone_altogether_is_found(void **state)
{
	char path[AUDIT_PATH_BYTES];
	(void)state;
	trail_make(4);
	audit_file_path(trail_directory, 1, path);
	assert_int_equal(unlink(path), 0);
	assert_found("the trail ends with record 0");
}

/* By somebody who has the files but not the key. */
static void a_chain_that_was_made_anew_is_found(void **state)
{
	struct buffer     out  = {0};
	struct audit_link link = {0};
	(void)state;
	trail_make(4);
	for (int i = 0; i < 5; i++) {
		const struct audit_record forged = {.action = TEXT("segment.delete"), .result_size = -1};
		audit_line_add(&out, &forged, 1000, NULL, trail_workspace, &link);
	}
	trail_write(1, buffer_text(&out));
	assert_found("record 5 is not the one that its head was signed for");
	buffer_done(&out);
}

static void a_missing_file_is_found(void **state)
{
	char            path[AUDIT_PATH_BYTES];
	audit_file_list files = {0};
	struct error    err;
	(void)state;
	trail_settings.file_bytes = 2000;
	trail_make(30);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(audit_files_list(trail_directory, &files, &err), STATUS_OK);
	assert_true(files.count > 3);
	audit_file_path(trail_directory, files.items[1].first_seq, path);
	assert_int_equal(unlink(path), 0);
	assert_found("a file is missing before");
	VECTOR_DONE(&files);
}

static void a_trail_behind_dropped_files_is_whole_by_its_signed_note(void **state)
{
	struct audit_amount dropped = {0};
	struct error        err;
	(void)state;
	trail_settings.file_bytes = 2000;
	struct audit *audit       = trail_open();
	trail_fill(audit, 30);
	size_t before = trail_file_count();
	assert_int_equal(audit_drop(audit, INSTANT_MS_MAX, &dropped, &err), STATUS_OK);
	trail_fill(audit, 3);
	audit_close(audit);
	assert_true(dropped.files > 2);
	assert_true(trail_file_count() <= before - dropped.files + 2);
	if (trail_verify(&report, findings) != STATUS_OK)
		fail_msg("%s", findings);
	assert_true(report.first_seq > 1);
}

static void keep_copy(uint64_t first_seq, bool back)
{
	char path[AUDIT_PATH_BYTES], copy[AUDIT_PATH_BYTES + 8];
	audit_file_path(trail_directory, first_seq, path);
	snprintf(copy, sizeof copy, "%s.copy", path);
	assert_int_equal(back ? link(copy, path) : link(path, copy), 0);
}

/* Killed amidst it, or looked at meanwhile. */
static void a_drop_that_has_left_some_of_its_files_is_whole(void **state)
{
	struct audit_amount dropped = {0};
	audit_file_list     files   = {0};
	struct error        err;
	(void)state;
	trail_settings.file_bytes = 2000;
	struct audit *audit       = trail_open();
	trail_fill(audit, 30);
	assert_int_equal(audit_files_list(trail_directory, &files, &err), STATUS_OK);
	for (size_t i = 0; i < files.count; i++)
		keep_copy(files.items[i].first_seq, false);
	assert_int_equal(audit_drop(audit, INSTANT_MS_MAX, &dropped, &err), STATUS_OK);
	audit_close(audit);
	uint64_t left = files.items[dropped.files - 1].first_seq;
	keep_copy(left, true);
	if (trail_verify(&report, findings) != STATUS_OK)
		fail_msg("%s", findings);
	assert_int_equal(report.first_seq, left);
	VECTOR_DONE(&files);
}

static void files_that_were_dropped_without_a_note_are_found(void **state)
{
	char            path[AUDIT_PATH_BYTES];
	audit_file_list files = {0};
	struct error    err;
	(void)state;
	trail_settings.file_bytes = 2000;
	trail_make(30);
	assert_int_equal(audit_files_list(trail_directory, &files, &err), STATUS_OK);
	audit_file_path(trail_directory, files.items[0].first_seq, path);
	assert_int_equal(unlink(path), 0);
	assert_found("no signed note");
	VECTOR_DONE(&files);
}

/* The server was started on it: what is gone stays told of. */
static void a_cut_that_a_start_went_on_from_is_told_of_for_ever(void **state)
{
	static const size_t order[] = {0, 1, 2};
	(void)state;
	trail_make(4);
	rewrite_lines(order, 3);
	trail_make(2);
	trail_make(2);
	assert_found("records 4 to 5 are missing");
	assert_int_equal(report.findings, 2); /* and the file that begins there */
}

static void what_a_crash_leaves_of_a_line_is_no_finding(void **state)
{
	struct buffer content = {0};
	(void)state;
	trail_make(4);
	trail_read(1, &content);
	buffer_printf(&content, "{\"seq\":6,\"timesta");
	trail_write(1, buffer_text(&content));
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.torn_bytes, 17);
	trail_make(1); /* cuts it, and goes on */
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.torn_bytes, 0);
	buffer_done(&content);
}

#define TRAIL(test) cmocka_unit_test_setup_teardown(test, trail_setup, trail_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRAIL(a_trail_as_it_was_written_is_whole),
		TRAIL(signatures_are_verified_without_any_head_too),
		TRAIL(a_trail_goes_on_behind_a_restart),
		TRAIL(each_flipped_bit_is_found),
		TRAIL(a_removed_record_is_found_and_named),
		TRAIL(a_removed_first_record_is_found),
		TRAIL(reordered_records_are_found),
		TRAIL(a_cut_tail_is_found_by_the_head_in_the_keyring),
		TRAIL(a_trail_that_is_gone_altogether_is_found),
		TRAIL(a_chain_that_was_made_anew_is_found),
		TRAIL(a_missing_file_is_found),
		TRAIL(a_trail_behind_dropped_files_is_whole_by_its_signed_note),
		TRAIL(a_drop_that_has_left_some_of_its_files_is_whole),
		TRAIL(files_that_were_dropped_without_a_note_are_found),
		TRAIL(a_cut_that_a_start_went_on_from_is_told_of_for_ever),
		TRAIL(what_a_crash_leaves_of_a_line_is_no_finding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
