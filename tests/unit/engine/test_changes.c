#include "engine/change/changes.h"

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

#include "../seed.h"

enum { SEGMENTS = 7 };

static char path[64];

static int new_path(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/sonnim-test-changes-%ld", (long)getpid());
	unlink(path);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static struct change_file *open_file(uint8_t workspace)
{
	uint8_t             id[16] = {workspace};
	struct change_file *file;
	struct error        err = {0};
	if (change_file_open(path, id, 3, &file, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return file;
}

static struct change change_of(uint64_t number)
{
	return (struct change){.position = number / 3,
	                       .ordinal  = (uint32_t)(number % 3),
	                       .slot     = (uint32_t)(number * 7 % 11),
	                       .segment  = (uint32_t)(number * number % SEGMENTS),
	                       .entered  = number % 2,
	                       .cause    = CAUSE_EVENT,
	                       .at_ms    = (int64_t)number * 1000};
}

static void add(struct changes *changes, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct change change = change_of(changes->count);
		changes_add(changes, &change, (uint32_t)changes->count);
	}
}

/* Writes one chunk; false: there is nothing left. */
static bool store_some(struct changes *changes)
{
	const struct stored_change *entries;
	uint64_t                    first;
	struct buffer               bytes = {0};
	struct error                err   = {0};
	uint32_t                    count = changes_hand_out(changes, &entries, &first);
	if (count == 0)
		return false;
	change_chunk_encode(entries, count, first, &bytes);
	assert_int_equal(
		change_file_write(changes->file, changes->file->end, buffer_text(&bytes), &err), STATUS_OK);
	changes_stored(changes, bytes.length, count);
	buffer_done(&bytes);
	return true;
}

static void expect(const struct changes *changes)
{
	for (uint64_t i = 0; i < changes->count; i++) {
		struct change change = change_of(i);
		assert_memory_equal(&changes_at(changes, i)->change, &change, sizeof change);
		assert_int_equal(changes_at(changes, i)->previous, i);
	}
	for (uint32_t segment = 0; segment <= SEGMENTS; segment++) {
		uint64_t at = changes_next_of(changes, segment, 0);
		for (uint64_t i = 0; i < changes->count; i++) {
			if (change_of(i).segment != segment)
				continue;
			assert_int_equal(at, i);
			at = changes_next_of(changes, segment, at + 1);
		}
		assert_true(at == UINT64_MAX);
	}
}

static void what_is_stored_and_what_is_not_reads_alike(void **state)
{
	(void)state;
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	for (unsigned i = 0; i < 12; i++) {
		add(&changes, seed_below(i == 5 ? 3 * CHANGES_PER_BLOCK : 2000));
		if (i % 3 > 0)
			store_some(&changes);
	}
	expect(&changes);
	while (store_some(&changes))
		;
	assert_true(changes.bytes <= CHANGES_PER_BLOCK * sizeof(struct stored_change));
	expect(&changes);
	changes_done(&changes);
}

static void what_comes_again_is_not_stored_twice(void **state)
{
	(void)state;
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	add(&changes, 5000);
	while (store_some(&changes))
		;
	changes_done(&changes);

	changes = (struct changes){0};
	changes_open(&changes, open_file(1));
	assert_int_equal(changes.stored, 5000);
	changes_skip(&changes, 2000);
	add(&changes, 1000);
	expect(&changes);
	assert_false(store_some(&changes));
	add(&changes, 3000);
	assert_int_equal(changes.differing, 0);
	while (store_some(&changes))
		;
	expect(&changes);
	assert_int_equal(changes.file->count, 6000);
	changes_done(&changes);
}

static void the_first_entry_that_comes_otherwise_is_remembered(void **state)
{
	(void)state;
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	add(&changes, 100);
	store_some(&changes);
	changes_done(&changes);

	changes = (struct changes){0};
	changes_open(&changes, open_file(1));
	add(&changes, 40);
	struct change other = change_of(40);
	other.at_ms++;
	changes_add(&changes, &other, 40);
	add(&changes, 10);
	assert_int_equal(changes.differing, 41);
	changes_done(&changes);
}

static void what_was_not_written_is_handed_out_again(void **state)
{
	(void)state;
	struct changes              changes = {0};
	const struct stored_change *entries;
	uint64_t                    first;
	changes_open(&changes, open_file(1));
	add(&changes, 10);
	assert_int_equal(changes_hand_out(&changes, &entries, &first), 10);
	add(&changes, 5);
	assert_int_equal(changes_hand_out(&changes, &entries, &first), 5);
	assert_int_equal(first, 10);
	changes_not_stored(&changes);
	assert_int_equal(changes_hand_out(&changes, &entries, &first), 15);
	assert_int_equal(first, 0);
	changes_done(&changes);
}

/* A file with these numbers of entries in its chunks. */
static void make_file(const unsigned *counts, size_t chunk_count)
{
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	for (size_t i = 0; i < chunk_count; i++) {
		add(&changes, counts[i]);
		store_some(&changes);
	}
	changes_done(&changes);
}

static void any_flipped_bit_ends_the_good_part_before_its_chunk(void **state)
{
	(void)state;
	static const unsigned counts[] = {3, 1, 9, 20};
	make_file(counts, 4);
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	struct change_file *whole = open_file(1);
	assert_int_equal(whole->count, 33);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (off_t at = 0; at < info.st_size; at++) {
		uint8_t byte, flipped;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ (uint8_t)(1 << seed_below(8));
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		struct change_file *file     = open_file(1);
		uint64_t            expected = 0;
		for (size_t i = 0; at >= 64 && i < whole->chunks.count; i++)
			if ((uint64_t)at >= whole->chunks.items[i].offset + whole->chunks.items[i].bytes)
				expected += counts[i];
			else
				break;
		assert_int_equal(file->count, expected);
		assert_true(file->end < file->length);
		change_file_close(file);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	change_file_close(whole);
}

static void a_torn_tail_is_cut_and_written_again(void **state)
{
	(void)state;
	static const unsigned counts[] = {30, 40};
	make_file(counts, 2);
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(truncate(path, info.st_size - 1 - (off_t)seed_below(1000)), 0);

	struct changes      changes = {0};
	struct change_file *file    = open_file(1);
	struct error        err     = {0};
	assert_int_equal(file->count, 30);
	assert_int_equal(change_file_cut(file, &err), STATUS_OK);
	changes_open(&changes, file);
	add(&changes, 70);
	store_some(&changes);
	changes_done(&changes);
	file = open_file(1);
	assert_int_equal(file->count, 70);
	change_file_close(file);
}

static void a_file_of_another_workspace_is_refused(void **state)
{
	(void)state;
	static const unsigned count = 1;
	make_file(&count, 1);
	uint8_t             id[16] = {2};
	struct change_file *file;
	struct error        err = {0};
	assert_int_equal(change_file_open(path, id, 3, &file, &err), STATUS_CONFLICT);
	assert_non_null(strstr(err.reason, path));
}

/* ---- Persons who were erased ---- */

enum { ERASED_SLOT = 9, OTHER_SLOT = 1, SAME_RECORD = 40 };

static bool is_erased(void *context, uint32_t slot)
{
	(void)context;
	return slot == ERASED_SLOT;
}

static uint32_t add_of(struct changes *changes, uint32_t slot, uint32_t ordinal, int64_t at_ms)
{
	struct change change = {
		.position = SAME_RECORD, .ordinal = ordinal, .slot = slot, .segment = 1, .at_ms = at_ms};
	changes_add(changes, &change, 0);
	return change.ordinal;
}

static void reopen(struct changes *changes)
{
	while (store_some(changes))
		;
	changes_done(changes);
	*changes = (struct changes){.erased = is_erased};
	changes_open(changes, open_file(1));
}

static void what_was_told_of_the_erased_stays_when_it_does_not_come_again(void **state)
{
	(void)state;
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	add_of(&changes, ERASED_SLOT, 0, 100);
	add_of(&changes, OTHER_SLOT, 1, 200);
	add_of(&changes, ERASED_SLOT, 2, 300);
	reopen(&changes);

	/* Without him the other one is the first of the record. */
	assert_int_equal(add_of(&changes, OTHER_SLOT, 0, 200), 1);
	assert_int_equal(changes.count, 2);
	/* What is new bears no ordinal of what was told. */
	assert_int_equal(add_of(&changes, OTHER_SLOT, 2, 400), 3);
	assert_int_equal(changes.differing, 0);
	assert_int_equal(changes.count, 4);
	assert_int_equal(changes_at(&changes, 2)->change.at_ms, 300);
	assert_int_equal(changes_at(&changes, 3)->change.at_ms, 400);
	changes_done(&changes);
}

static void what_was_not_told_of_the_erased_is_not_told_by_a_replay(void **state)
{
	(void)state;
	struct changes changes = {0};
	changes_open(&changes, open_file(1));
	add_of(&changes, OTHER_SLOT, 0, 100);
	add_of(&changes, OTHER_SLOT, 1, 200);
	reopen(&changes);

	struct change other = {.position = SAME_RECORD, .slot = ERASED_SLOT, .at_ms = 50};
	assert_true(changes_add(&changes, &other, 0) == UINT64_MAX);
	assert_int_equal(changes.count, 0);
	assert_int_equal(add_of(&changes, OTHER_SLOT, 1, 100), 0);
	assert_int_equal(add_of(&changes, OTHER_SLOT, 1, 200), 1);
	assert_int_equal(changes.differing, 0);
	assert_int_equal(changes.count, 2);

	/* Of anybody else it is a difference. */
	reopen(&changes);
	add_of(&changes, OTHER_SLOT, 0, 150);
	assert_int_equal(changes.differing, 1);
	changes_done(&changes);
}

static void what_was_told_last_of_the_erased_is_passed_up_to_a_record(void **state)
{
	(void)state;
	struct changes changes = {0};
	struct change  earlier = {.position = SAME_RECORD - 1, .slot = ERASED_SLOT, .segment = 1};
	changes_open(&changes, open_file(1));
	changes_add(&changes, &earlier, 0);
	add_of(&changes, ERASED_SLOT, 0, 100);
	add_of(&changes, OTHER_SLOT, 1, 200);
	add_of(&changes, ERASED_SLOT, 2, 300);
	reopen(&changes);

	assert_int_equal(changes_pass_erased(&changes, SAME_RECORD - 1), 1);
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes_pass_erased(&changes, SAME_RECORD - 1), 0);
	assert_int_equal(changes_pass_erased(&changes, SAME_RECORD), 1);
	assert_int_equal(changes.count, 2); /* nobody passes what others were told of */
	assert_int_equal(add_of(&changes, OTHER_SLOT, 1, 200), 1);
	assert_int_equal(changes_pass_erased(&changes, SAME_RECORD + 1), 0);
	assert_int_equal(changes.count, changes.stored);
	/* Nothing more: there is no end to run over. */
	assert_int_equal(changes_pass_erased(&changes, UINT64_MAX), 0);
	assert_int_equal(changes.count, changes.stored);
	changes_done(&changes);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, new_path, remove_path)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(what_is_stored_and_what_is_not_reads_alike),
		FILE_TEST(what_was_told_of_the_erased_stays_when_it_does_not_come_again),
		FILE_TEST(what_was_told_last_of_the_erased_is_passed_up_to_a_record),
		FILE_TEST(what_was_not_told_of_the_erased_is_not_told_by_a_replay),
		FILE_TEST(what_comes_again_is_not_stored_twice),
		FILE_TEST(the_first_entry_that_comes_otherwise_is_remembered),
		FILE_TEST(what_was_not_written_is_handed_out_again),
		FILE_TEST(any_flipped_bit_ends_the_good_part_before_its_chunk),
		FILE_TEST(a_torn_tail_is_cut_and_written_again),
		FILE_TEST(a_file_of_another_workspace_is_refused),
	};
	seed_begin("changes");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
