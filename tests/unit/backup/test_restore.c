#include "backup/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup_fixture.h"
#include "base/file.h"
#include "base/hash.h"

static void assert_records(struct backup_fixture *f, const char *expected)
{
	struct buffer records = {0};
	backup_records(f, f->restored, &records);
	assert_string_equal(records.data, expected);
	buffer_done(&records);
}

static void restore(struct backup_fixture *f, int64_t to_ms)
{
	struct restore_report report;
	assert_ok(f, backup_restore(f, to_ms, &report));
}

static void a_backup_brings_journal_vault_store_and_files_back(void **state)
{
	struct backup_fixture *f = *state;
	backup_append(f, "a", 1000);
	backup_user(f, "kim");
	backup_source(f, "shop");
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	restore(f, INSTANT_MS_NEVER);
	assert_records(f, "a");
	assert_int_equal(backup_users(f, f->restored), 1);
	assert_int_equal(backup_sources(f, f->restored), 1);
}

static void what_came_behind_the_backup_comes_from_the_archive(void **state)
{
	struct backup_fixture *f = *state;
	backup_append(f, "a", 1000);
	assert_ok(f, backup_take(f));
	backup_append(f, "b", 2000);
	backup_user(f, "kim");
	backup_step(f);
	backup_append(f, "c", 3000);
	backup_source(f, "shop");
	backup_step(f);
	backup_fixture_close(f);
	restore(f, INSTANT_MS_NEVER);
	assert_records(f, "a,b,c");
	assert_int_equal(backup_users(f, f->restored), 1);
	assert_int_equal(backup_sources(f, f->restored), 1);
}

static void a_restore_to_an_instant_ends_with_the_last_record_stamped_then(void **state)
{
	static const struct {
		int64_t     to_ms;
		const char *records;
	} cases[] = {{1000, "a"}, {1999, "a"}, {2000, "a,b"}, {2500, "a,b"}, {3000, "a,b,c"}};
	struct backup_fixture *f = *state;
	backup_append(f, "a", 1000);
	assert_ok(f, backup_take(f));
	backup_append(f, "b", 2000);
	backup_step(f);
	backup_append(f, "c", 3000);
	backup_step(f);
	backup_fixture_close(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(f->restored, sizeof f->restored, "%s/restored-%zu", f->root, i);
		restore(f, cases[i].to_ms);
		assert_records(f, cases[i].records);
	}
}

static void an_instant_before_every_backup_or_behind_the_archive_is_refused(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	backup_append(f, "a", 1000);
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	assert_int_equal(backup_restore(f, 999, &report), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "1970-01-01T00:00:01Z"));
	assert_int_equal(backup_restore(f, 1001, &report), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "1970-01-01T00:00:01Z"));
	assert_int_not_equal(access(f->restored, F_OK), 0);
}

/* Records of 64 KiB fill a file of 1 MiB soon. */
static void fill(struct backup_fixture *f, unsigned count, int64_t *now_ms)
{
	char *record = malloc((64 << 10) + 1);
	assert_non_null(record);
	for (unsigned i = 0; i < count; i++) {
		uint8_t bytes[32 << 10];
		random_bytes(bytes, sizeof bytes);
		hash_hex(bytes, sizeof bytes, record);
		backup_append(f, record, *now_ms += 1000);
	}
	free(record);
}

static uint64_t last_position(struct backup_fixture *f)
{
	return f->journal->ops->position(f->journal);
}

static void an_instant_at_any_place_of_many_files_can_be_restored(void **state)
{
	struct backup_fixture *f      = *state;
	int64_t                now_ms = 0;
	backup_append(f, "a", now_ms += 1000);
	assert_ok(f, backup_take(f));
	for (int step = 0; step < 4; step++) {
		fill(f, 13, &now_ms);
		backup_step(f);
	}
	uint64_t last = last_position(f);
	backup_fixture_close(f);
	for (uint64_t position = 1; position <= last; position++) {
		struct restore_report report;
		snprintf(f->restored, sizeof f->restored, "%s/restored-%llu", f->root,
		         (unsigned long long)position);
		assert_ok(f,
		          backup_restore(f, (int64_t)position * 1000 + 500 * (position < last), &report));
		assert_int_equal(report.last_position, position);
		struct buffer records = {0};
		backup_records(f, f->restored, &records); /* it opens, and is whole */
		buffer_done(&records);
	}
}

static void a_restored_directory_goes_on_and_is_backed_up_anew(void **state)
{
	struct backup_fixture *f = *state;
	backup_append(f, "a", 1000);
	assert_ok(f, backup_take(f));
	backup_append(f, "b", 2000);
	backup_step(f);
	backup_fixture_close(f);
	restore(f, 1500);

	memcpy(f->data, f->restored, sizeof f->data);
	backup_fixture_open(f);
	backup_append(f, "x", 3000);
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	snprintf(f->restored, sizeof f->restored, "%s/again", f->root);
	restore(f, INSTANT_MS_NEVER);
	assert_records(f, "a,x");
	/* What was before is still there. */
	snprintf(f->restored, sizeof f->restored, "%s/before", f->root);
	restore(f, 2000);
	assert_records(f, "a,b");
}

static void a_directory_that_is_not_empty_is_left_alone(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	char                   path[128];
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	assert_ok(f, directory_create(f->restored, 0700, &f->err));
	snprintf(path, sizeof path, "%s/mine", f->restored);
	assert_ok(f, file_replace(path, 0600, "x", 1, &f->err));
	assert_int_equal(backup_restore(f, INSTANT_MS_NEVER, &report), STATUS_CONFLICT);
	assert_int_equal(backup_count_files(f->restored), 1);
}

/* A restore that was interrupted: the marker is there, and some of the files. */
static void interrupt(struct backup_fixture *f)
{
	char path[256];
	snprintf(path, sizeof path, "%s/" RESTORE_MARKER, f->restored);
	assert_ok(f, file_replace(path, 0600, "x", 1, &f->err));
	snprintf(path, sizeof path, "%s/store.db", f->restored);
	assert_int_equal(truncate(path, 5000), 0);
	snprintf(path, sizeof path, "%s/vault/foreign", f->restored);
	assert_ok(f, file_replace(path, 0600, "x", 1, &f->err));
}

static void an_interrupted_restore_is_not_taken_for_whole_and_goes_on(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	backup_append(f, "a", 1000);
	backup_source(f, "shop");
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	restore(f, INSTANT_MS_NEVER);
	size_t files = backup_count_files(f->restored);
	assert_ok(f, restore_check(f->restored, &f->err));
	interrupt(f);
	assert_int_equal(restore_check(f->restored, &f->err), STATUS_CONFLICT);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
	assert_true(report.written_bytes > 0 && report.written_bytes < report.bytes);
	assert_ok(f, restore_check(f->restored, &f->err));
	assert_int_equal(backup_count_files(f->restored), files);
	assert_int_equal(backup_sources(f, f->restored), 1);
	assert_records(f, "a");
}

static void another_workspaces_keyring_is_refused_before_anything_is_written(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	char                   path[128];
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	snprintf(path, sizeof path, "%s/keys.log", f->keyring);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, 20, SEEK_SET);
	fputc(0x77, file);
	fclose(file);
	assert_int_equal(backup_restore(f, INSTANT_MS_NEVER, &report), STATUS_CORRUPT);
	assert_int_not_equal(access(f->restored, F_OK), 0);
}

struct victim {
	int    skip; /* so many objects first */
	bool   remove;
	size_t seen;
};

static void hurt(const char *path, void *context)
{
	struct victim *victim = context;
	if (strstr(path, "/objects/") == NULL || (int)victim->seen++ != victim->skip)
		return;
	if (victim->remove) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, -1, SEEK_END);
	int byte = fgetc(file);
	fseek(file, -1, SEEK_END);
	fputc(byte ^ 0x10, file);
	fclose(file);
}

static void refuse_without(struct backup_fixture *f, bool remove)
{
	struct restore_report report;
	backup_append(f, "a", 1000);
	backup_user(f, "kim");
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	struct victim victim = {.remove = remove};
	backup_each_file(f->place, hurt, &victim);
	assert_true(victim.seen > 0);
	enum status status = backup_restore(f, INSTANT_MS_NEVER, &report);
	assert_int_equal(status, remove ? STATUS_NOT_FOUND : STATUS_CORRUPT);
	assert_non_null(strstr(f->err.reason, "objects/"));
	if (access(f->restored, F_OK) == 0)
		assert_int_equal(restore_check(f->restored, &f->err), STATUS_CONFLICT);
}

static void a_damaged_object_is_named_and_nothing_is_taken_for_whole(void **state)
{
	refuse_without(*state, false);
}

static void a_missing_object_is_named_and_nothing_is_taken_for_whole(void **state)
{
	refuse_without(*state, true);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, backup_fixture_setup, backup_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_backup_brings_journal_vault_store_and_files_back),
		TEST(what_came_behind_the_backup_comes_from_the_archive),
		TEST(a_restore_to_an_instant_ends_with_the_last_record_stamped_then),
		TEST(an_instant_before_every_backup_or_behind_the_archive_is_refused),
		TEST(an_instant_at_any_place_of_many_files_can_be_restored),
		TEST(a_restored_directory_goes_on_and_is_backed_up_anew),
		TEST(a_directory_that_is_not_empty_is_left_alone),
		TEST(an_interrupted_restore_is_not_taken_for_whole_and_goes_on),
		TEST(another_workspaces_keyring_is_refused_before_anything_is_written),
		TEST(a_damaged_object_is_named_and_nothing_is_taken_for_whole),
		TEST(a_missing_object_is_named_and_nothing_is_taken_for_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
