#include "backup/backups.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/pin.h"
#include "backup_fixture.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/json.h"
#include "events/manifest.h"

/* A number of the last report. */
static int64_t reported(struct backup_fixture *f, const char *name)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	assert_ok(f, json_parse_text(parser, buffer_text(&f->report), &root, &f->err));
	int64_t number = json_int(json_get(root, name));
	json_parser_free(parser);
	return number;
}

static size_t listed(struct backup_fixture *f, struct backup_entry *ret_newest)
{
	struct backup_entry *entries;
	size_t               count;
	struct arena         arena;
	arena_init(&arena);
	assert_ok(f, backups_list(f->backups, &arena, &entries, &count, &f->err));
	if (count > 0)
		*ret_newest = entries[0];
	arena_done(&arena);
	return count;
}

static void a_backup_is_listed_once_it_is_whole(void **state)
{
	struct backup_fixture *f = *state;
	struct backup_entry    newest;
	assert_int_equal(listed(f, &newest), 0);
	f->stop_after = 1;
	assert_int_equal(backup_take(f), STATUS_AGAIN);
	assert_int_equal(listed(f, &newest), 0);
	f->stop_after = -1;
	assert_ok(f, backup_take(f));
	assert_int_equal(listed(f, &newest), 1);
	assert_false(newest.damaged);
}

static void nothing_is_held_after_a_backup_that_was_stopped(void **state)
{
	struct backup_fixture *f = *state;
	char                   path[256];
	snprintf(path, sizeof path, "%s/" PIN_DIRECTORY, f->data);
	f->stop_after = 1;
	assert_int_equal(backup_take(f), STATUS_AGAIN);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* Parts and their manifest, as the event store has them. */
static void make_parts(struct backup_fixture *f, uint64_t count, uint8_t salt)
{
	struct manifest manifest = {.partition = 0, .next_number = count + 1};
	char            name[64], path[256];
	static uint8_t  bytes[200000];
	for (uint64_t i = 1; i <= count; i++) {
		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)(k * i + salt);
		snprintf(name, sizeof name, "events/0000/%016" PRIx64 ".part", i);
		snprintf(path, sizeof path, "%s/%s", f->data, name);
		if (access(path, F_OK) != 0)
			backup_data_file(f, name, bytes, sizeof bytes);
		VECTOR_ADD(&manifest.parts, (struct manifest_part){.number = i});
	}
	snprintf(path, sizeof path, "%s/events/0000/manifest", f->data);
	assert_ok(f, manifest_write(path, &manifest, &f->err));
	manifest_done(&manifest);
}

static void an_increment_stores_only_what_is_new(void **state)
{
	struct backup_fixture *f = *state;
	make_parts(f, 3, 1);
	assert_ok(f, backup_take(f));
	assert_true(reported(f, "newBytes") >= 600000);
	assert_ok(f, backup_take(f));
	assert_true(reported(f, "newBytes") < 200000);
	make_parts(f, 4, 1);
	assert_ok(f, backup_take(f));
	assert_in_range(reported(f, "newBytes"), 200000, 400000);
	assert_in_range(reported(f, "bytes"), 800000, 4000000);
}

static void a_part_of_the_same_name_with_another_content_is_read_again(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	struct buffer          before = {0}, after = {0};
	char                   path[256];
	make_parts(f, 1, 1);
	assert_ok(f, backup_take(f));
	snprintf(path, sizeof path, "%s/events/0000/0000000000000001.part", f->data);
	assert_int_equal(unlink(path), 0);
	make_parts(f, 1, 2);
	assert_ok(f, backup_take(f));
	assert_ok(f, file_read(path, 1 << 20, &before, &f->err));
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
	snprintf(path, sizeof path, "%s/events/0000/0000000000000001.part", f->restored);
	assert_ok(f, file_read(path, 1 << 20, &after, &f->err));
	assert_true(text_equal(buffer_text(&before), buffer_text(&after)));
	buffer_done(&before);
	buffer_done(&after);
}

static void a_manifest_that_names_a_missing_part_is_refused(void **state)
{
	struct backup_fixture *f = *state;
	char                   path[256];
	make_parts(f, 2, 1);
	snprintf(path, sizeof path, "%s/events/0000/0000000000000002.part", f->data);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(backup_take(f), STATUS_CORRUPT);
	assert_non_null(strstr(f->err.reason, "events/0000/manifest"));
}

static void what_is_deleted_during_a_backup_is_in_it(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	char                   path[256];
	make_parts(f, 2, 1);
	assert_ok(f, pin_take(f->data, (const uint8_t[16]){1, 2, 3}, 2, &f->err));
	snprintf(path, sizeof path, "%s/" PIN_DIRECTORY "/events/0000/0000000000000002.part", f->data);
	assert_int_equal(access(path, F_OK), 0);
	make_parts(f, 1, 1);
	snprintf(path, sizeof path, "%s/events/0000/0000000000000002.part", f->data);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof path, "%s/" PIN_DIRECTORY "/events/0000/0000000000000002.part", f->data);
	assert_int_equal(access(path, F_OK), 0);
	assert_ok(f, pin_release(f->data, &f->err));
	assert_ok(f, backup_take(f));
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
	snprintf(path, sizeof path, "%s/events/0000/0000000000000002.part", f->restored);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* ---- Verifying ---- */

static void damage_one(const char *path, void *context)
{
	int *left = context;
	if (strstr(path, "/objects/") == NULL || (*left)-- != 0)
		return;
	assert_int_equal(truncate(path, 30), 0);
}

static void damage_is_counted_set_aside_and_healed_by_the_next_backup(void **state)
{
	struct backup_fixture *f    = *state;
	int                    left = 0;
	make_parts(f, 3, 1);
	assert_ok(f, backup_take(f));
	assert_ok(f, backups_verify(f->backups, backup_task_of(f), &f->report, &f->err));
	assert_int_equal(reported(f, "damaged"), 0);
	assert_true(reported(f, "objects") > 3);

	backup_each_file(f->place, damage_one, &left);
	assert_int_equal(backups_verify(f->backups, backup_task_of(f), &f->report, &f->err),
	                 STATUS_CORRUPT);
	assert_int_equal(reported(f, "damaged"), 1);
	assert_non_null(strstr(f->err.reason, "objects/"));
	struct backups_status status;
	backups_status(f->backups, &status);
	assert_int_equal(status.damaged, 1);

	backup_source(f, "shop"); /* so that the list and the summary are new */
	assert_ok(f, backup_take(f));
	struct restore_report report;
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
}

/* ---- Pruning ---- */

static void pruning_keeps_what_any_backup_names(void **state)
{
	struct backup_fixture *f = *state;
	struct restore_report  report;
	make_parts(f, 3, 1);
	backup_append(f, "a", 1000);
	assert_ok(f, backup_take(f));
	assert_ok(f, backup_take(f));
	assert_ok(f, backups_prune(f->backups, backup_task_of(f), &f->report, &f->err));
	assert_int_equal(reported(f, "removedObjects"), 0);
	assert_int_equal(reported(f, "removedBackups"), 0);
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, 1000, &report));
}

static void pruning_removes_old_backups_and_what_only_they_used(void **state)
{
	struct backup_fixture *f = *state;
	struct backup_entry    newest;
	struct restore_report  report;
	make_parts(f, 3, 1);
	assert_ok(f, backup_take(f));
	make_parts(f, 1, 1);
	backup_source(f, "shop");
	assert_ok(f, backup_take(f));
	f->settings.keep_ms = -1000; /* everything is older */
	assert_ok(f, backups_prune(f->backups, backup_task_of(f), &f->report, &f->err));
	assert_int_equal(reported(f, "removedBackups"), 1);
	assert_true(reported(f, "removedObjects") >= 2);
	assert_int_equal(listed(f, &newest), 1);
	assert_ok(f, backups_verify(f->backups, backup_task_of(f), &f->report, &f->err));
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
}

static void the_backup_that_reaches_into_the_time_that_is_kept_stays(void **state)
{
	struct backup_fixture *f = *state;
	struct backup_entry    newest;
	assert_ok(f, backup_take(f));
	assert_ok(f, backup_take(f));
	listed(f, &newest);
	int64_t second_ms = newest.finished_ms;
	usleep(2000000);
	assert_ok(f, backup_take(f));
	/* Soon behind the second, which is needed for the instants from there to the third. */
	f->settings.keep_ms = clock_wall_ms() - second_ms - 10;
	assert_ok(f, backups_prune(f->backups, backup_task_of(f), &f->report, &f->err));
	assert_int_equal(reported(f, "removedBackups"), 1);
	assert_int_equal(listed(f, &newest), 2);
}

static void an_object_of_an_interrupted_backup_is_removed(void **state)
{
	struct backup_fixture *f = *state;
	assert_ok(f, backup_take(f));
	make_parts(f, 3, 1);
	f->stop_after = 3;
	assert_int_equal(backup_take(f), STATUS_AGAIN);
	assert_ok(f, backups_prune(f->backups, backup_task_of(f), &f->report, &f->err));
	assert_true(reported(f, "removedObjects") >= 1);
	f->stop_after = -1;
	assert_ok(f, backups_verify(f->backups, backup_task_of(f), &f->report, &f->err));
}

/* ---- The archive ---- */

static void a_journal_that_went_back_begins_a_new_chain(void **state)
{
	struct backup_fixture *f = *state;
	struct backups_status  status;
	char                   command[1024];
	backup_append(f, "a", 1000);
	backup_fixture_close(f);
	snprintf(command, sizeof command, "cp -a %s %s/copy", f->data, f->root);
	assert_int_equal(system(command), 0);
	backup_fixture_open(f);
	assert_ok(f, backup_take(f));
	backup_append(f, "b", 2000);
	backup_step(f);
	backup_fixture_close(f);
	snprintf(command, sizeof command, "cp %s/lineage %s/copy/ && rm -rf %s && mv %s/copy %s",
	         f->data, f->root, f->data, f->root, f->data);
	assert_int_equal(system(command), 0);
	backup_fixture_open(f);
	backups_status(f->backups, &status);
	assert_false(status.archive.begun);
	backup_append(f, "x", 3000);
	assert_ok(f, backup_take(f));
	struct restore_report report;
	struct buffer         records = {0};
	backup_fixture_close(f);
	assert_ok(f, backup_restore(f, INSTANT_MS_NEVER, &report));
	backup_records(f, f->restored, &records);
	assert_string_equal(records.data, "a,x");
	buffer_done(&records);
}

static void metrics_tell_of_age_and_lag(void **state)
{
	struct backup_fixture *f   = *state;
	struct buffer          out = {0};
	assert_ok(f, backup_take(f));
	backups_write_metrics(f->backups, &out);
	buffer_add_u8(&out, '\0');
	assert_non_null(strstr(out.data, "\nsonnim_backup_age_seconds "));
	assert_non_null(strstr(out.data, "\nsonnim_archive_lag_seconds "));
	assert_non_null(strstr(out.data, "\nsonnim_archive_begun 1\n"));
	buffer_done(&out);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, backup_fixture_setup, backup_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_backup_is_listed_once_it_is_whole),
		TEST(nothing_is_held_after_a_backup_that_was_stopped),
		TEST(an_increment_stores_only_what_is_new),
		TEST(a_part_of_the_same_name_with_another_content_is_read_again),
		TEST(a_manifest_that_names_a_missing_part_is_refused),
		TEST(what_is_deleted_during_a_backup_is_in_it),
		TEST(damage_is_counted_set_aside_and_healed_by_the_next_backup),
		TEST(pruning_keeps_what_any_backup_names),
		TEST(pruning_removes_old_backups_and_what_only_they_used),
		TEST(the_backup_that_reaches_into_the_time_that_is_kept_stays),
		TEST(an_object_of_an_interrupted_backup_is_removed),
		TEST(a_journal_that_went_back_begins_a_new_chain),
		TEST(metrics_tell_of_age_and_lag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
