#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit_fixture.h"
#include "base/file.h"
#include "base/instant.h"

static struct audit_report report;
static char                findings[4096];

static const struct audit_record change = {.action = TEXT("segment.update"), .result_size = -1};
static const struct audit_intent no_intent;

static void a_record_that_is_waited_for_is_synced_before_it_is_told(void **state)
{
	struct error err;
	(void)state;
	struct audit *audit  = trail_open_with(&trail_disk_system);
	int           before = trail_disk.sync_count;
	assert_int_equal(audit_note(audit, &change, &err), STATUS_OK);
	assert_int_equal(trail_disk.sync_count, before + 1);
	audit_close(audit);
}

static void a_full_disk_refuses_the_work_and_goes_on_once_there_is_room(void **state)
{
	struct error err = {0};
	unsigned     got = 0;
	(void)state;
	struct audit *audit       = trail_open_with(&trail_disk_system);
	trail_disk.allocate_error = ENOSPC;
	while (got < 1000 && audit_reserve(audit, &err) == STATUS_OK)
		got++;
	assert_true(got < 1000); /* what had been allocated ahead */
	assert_int_equal(err.status, STATUS_NO_SPACE);
	assert_non_null(strstr(err.reason, "audit trail"));
	for (unsigned i = 0; i < got; i++) /* those that have room keep it */
		audit_add(audit, &no_intent, &change, NULL, NULL);
	trail_disk.allocate_error = 0;
	assert_int_equal(audit_note(audit, &change, &err), STATUS_OK);
	audit_close(audit);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.records, got + 2);
}

static void after_a_failed_sync_everything_is_refused(void **state)
{
	struct error err = {0};
	(void)state;
	struct audit *audit   = trail_open_with(&trail_disk_system);
	trail_disk.sync_error = EIO;
	assert_int_equal(audit_note(audit, &change, &err), STATUS_FAILED);
	trail_disk.sync_error = 0;
	assert_int_equal(audit_reserve(audit, &err), STATUS_FAILED);
	audit_close(audit);
}

static int64_t cpu_ms(void)
{
	struct timespec spent;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return spent.tv_sec * 1000 + spent.tv_nsec / 1000000;
}

static void rest_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* What was due for a sync must not wake its thread for ever: processor time, not the clock's. */
static void after_a_failure_its_thread_rests(void **state)
{
	struct error err = {0};
	(void)state;
	struct audit *audit   = trail_open_with(&trail_disk_system);
	trail_disk.sync_error = EIO;
	assert_int_equal(audit_note(audit, &change, &err), STATUS_FAILED);
	rest_ms(AUDIT_SYNC_MS + 100);
	int64_t before = cpu_ms();
	rest_ms(400);
	assert_true(cpu_ms() - before < 100);
	audit_close(audit);
}

static void a_failed_write_is_told_to_all_that_wait(void **state)
{
	struct error err = {0};
	(void)state;
	struct audit *audit    = trail_open_with(&trail_disk_system);
	trail_disk.write_error = EIO;
	assert_int_equal(audit_note(audit, &change, &err), STATUS_FAILED);
	assert_non_null(strstr(err.reason, "audit trail"));
	audit_close(audit);
}

static void a_new_file_that_has_no_room_is_put_off(void **state)
{
	struct error err;
	(void)state;
	trail_settings.file_bytes = 2000;
	struct audit *audit       = trail_open_with(&trail_disk_system);
	trail_disk.allocate_error = ENOSPC;
	for (int i = 0; i < 20; i++)
		assert_int_equal(audit_note(audit, &change, &err), STATUS_OK);
	assert_int_equal(trail_file_count(), 1);
	trail_disk.allocate_error = 0;
	for (int i = 0; i < 20; i++)
		assert_int_equal(audit_note(audit, &change, &err), STATUS_OK);
	assert_true(trail_file_count() > 1);
	audit_close(audit);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
}

/* ---- Many at once ---- */

enum { THREADS = 8, EACH = 200 };

static void *add_some(void *context)
{
	for (int i = 0; i < EACH; i++) {
		struct error err;
		if (i % 4 == 0) {
			assert_int_equal(audit_note(context, &change, &err), STATUS_OK);
		} else {
			assert_int_equal(audit_reserve(context, &err), STATUS_OK);
			audit_add(context, &no_intent, &change, NULL, NULL);
		}
	}
	return NULL;
}

static void records_of_many_threads_make_one_chain(void **state)
{
	pthread_t threads[THREADS];
	(void)state;
	trail_settings.file_bytes = 64 << 10;
	struct audit *audit       = trail_open_with(&trail_disk_system);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_some, audit), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	audit_close(audit);
	if (trail_verify(&report, findings) != STATUS_OK)
		fail_msg("%s", findings);
	assert_int_equal(report.records - report.signed_records, THREADS * EACH);
	assert_true(report.files > 3);
	assert_true(trail_disk.sync_count < THREADS * EACH / 2); /* they share syncs */
}

/* ---- Killed ---- */

/* Tells of each record that it was told of; dies when the pipe is closed. */
static void write_until_killed(int fd)
{
	struct audit *audit = trail_open();
	for (uint32_t i = 0;; i++) {
		struct error        err;
		struct audit_record numbered = change;
		numbered.result_size         = i;
		if (audit_note(audit, &numbered, &err) != STATUS_OK || write(fd, &i, sizeof i) != sizeof i)
			_exit(1);
	}
}

static uint32_t run_and_kill(unsigned after)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		close(pipes[0]);
		write_until_killed(pipes[1]);
	}
	close(pipes[1]);
	uint32_t last   = 0, got;
	bool     killed = false;
	while (read(pipes[0], &got, sizeof got) == sizeof got) {
		last = got;
		if (got >= after && !killed) {
			kill(child, SIGKILL);
			killed = true;
		}
	}
	close(pipes[0]);
	waitpid(child, NULL, 0);
	return last;
}

static void a_killed_process_leaves_a_whole_chain_with_all_that_was_told(void **state)
{
	uint64_t told = 0;
	(void)state;
	trail_settings.file_bytes = 20000;
	for (unsigned round = 0; round < 10; round++) {
		told += run_and_kill(5 + 7 * round) + 1;
		if (trail_verify(&report, findings) != STATUS_OK)
			fail_msg("%s", findings);
		assert_true(report.records >= told);
	}
	struct audit *audit = trail_open();
	audit_close(audit);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.unsigned_records, 0);
}

/* ---- Heads ---- */

static void heads_are_added_to_a_file_elsewhere_and_find_a_cut(void **state)
{
	char              path[AUDIT_PATH_BYTES], file[AUDIT_PATH_BYTES];
	struct buffer     text = {0};
	struct audit_head head;
	struct audit_keys keys;
	struct error      err;
	(void)state;
	snprintf(file, sizeof file, "%s.heads", trail_directory);
	trail_settings.head_file = file;
	trail_make(3);
	assert_int_equal(file_read(file, 4096, &text, &err), STATUS_OK);
	assert_int_equal(audit_head_read(buffer_text(&text), &head, &err), STATUS_OK);
	assert_int_equal(head.seq, 4);
	assert_int_equal(audit_keys_read(trail_keyring, false, &keys, &err), STATUS_OK);
	assert_true(audit_head_verify(&head, &keys));

	/* Both the data and the keyring's head are put back. */
	trail_settings.head_file = NULL;
	snprintf(path, sizeof path, "%s/audit.head", trail_keyring);
	assert_int_equal(unlink(path), 0);
	audit_file_path(trail_directory, 1, path);
	assert_int_equal(unlink(path), 0);
	trail_make(1);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(trail_verify_with(trail_workspace, &head, &report, findings), STATUS_CORRUPT);
	buffer_done(&text);
}

static void a_trail_without_its_key_is_not_opened(void **state)
{
	char          path[AUDIT_PATH_BYTES];
	struct audit *audit = NULL;
	struct error  err   = {0};
	(void)state;
	trail_make(1);
	snprintf(path, sizeof path, "%s/audit.key", trail_keyring);
	assert_int_equal(unlink(path), 0);
	const struct audit_config config = {.directory         = trail_directory,
	                                    .keyring_directory = trail_keyring,
	                                    .settings          = &trail_settings};
	assert_int_equal(audit_open(&config, &audit, &err), STATUS_NOT_FOUND);
}

static void a_key_that_is_added_signs_from_then_on_and_the_old_one_still_counts(void **state)
{
	char          path[AUDIT_PATH_BYTES];
	struct buffer text = {0};
	struct error  err;
	(void)state;
	trail_make(2);
	snprintf(path, sizeof path, "%s/audit.key", trail_keyring);
	assert_int_equal(file_read(path, 4096, &text, &err), STATUS_OK);
	for (int i = 0; i < 64; i++)
		buffer_add_u8(&text, "0123456789abcdef"[i % 16]);
	buffer_add_u8(&text, '\n');
	assert_int_equal(file_replace(path, 0600, text.data, text.length, &err), STATUS_OK);
	trail_make(2);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	assert_int_equal(report.signed_records, 2);
	buffer_done(&text);
}

static void records_of_nobody_are_limited_and_those_left_out_are_told(void **state)
{
	unsigned admitted = 0;
	uint64_t left_out = 0;
	(void)state;
	struct audit *audit = trail_open();
	while (audit_admit_unknown(audit, &left_out) && admitted < 10 * AUDIT_UNKNOWN_BURST)
		admitted++;
	assert_in_range(admitted, AUDIT_UNKNOWN_BURST, 10 * AUDIT_UNKNOWN_BURST - 1);
	while (!audit_admit_unknown(audit, &left_out))
		;
	assert_true(left_out >= 1);
	audit_close(audit);
}

#define TRAIL(test) cmocka_unit_test_setup_teardown(test, trail_setup, trail_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRAIL(a_record_that_is_waited_for_is_synced_before_it_is_told),
		TRAIL(a_full_disk_refuses_the_work_and_goes_on_once_there_is_room),
		TRAIL(after_a_failed_sync_everything_is_refused),
		TRAIL(after_a_failure_its_thread_rests),
		TRAIL(a_failed_write_is_told_to_all_that_wait),
		TRAIL(a_new_file_that_has_no_room_is_put_off),
		TRAIL(records_of_many_threads_make_one_chain),
		TRAIL(a_killed_process_leaves_a_whole_chain_with_all_that_was_told),
		TRAIL(heads_are_added_to_a_file_elsewhere_and_find_a_cut),
		TRAIL(a_trail_without_its_key_is_not_opened),
		TRAIL(a_key_that_is_added_signs_from_then_on_and_the_old_one_still_counts),
		TRAIL(records_of_nobody_are_limited_and_those_left_out_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
