#include "audit/audit_intentions.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit_fixture.h"
#include "base/file.h"
#include "base/instant.h"

static struct audit_keys keys;

static int setup(void **state)
{
	struct error err;
	if (trail_setup(state) != 0)
		return -1;
	assert_int_equal(directory_create(trail_directory, 0700, &err), STATUS_OK);
	return audit_keys_read(trail_keyring, true, &keys, &err) == STATUS_OK ? 0 : -1;
}

static const struct audit_record known = {.action   = TEXT("segment.update"),
                                          .actor    = TEXT("token:t"),
                                          .target   = TEXT("제주"),
                                          .ip       = TEXT("::1"),
                                          .trace_id = TEXT("0123456789abcdef0123456789abcdef")};

static struct audit_found found;

static struct audit_intentions *open_as(const uint8_t workspace_id[16])
{
	struct audit_intentions *intentions = NULL;
	struct error             err        = {0};
	free(found.items);
	found = (struct audit_found){0};
	if (audit_intentions_open(trail_directory, &keys, workspace_id, &trail_disk_system, &intentions,
	                          &found, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return intentions;
}

static struct audit_intentions *open_again(struct audit_intentions *intentions)
{
	audit_intentions_close(intentions);
	return open_as(trail_workspace);
}

static struct audit_intent take(struct audit_intentions *intentions)
{
	struct audit_intent intent = {0};
	struct error        err    = {0};
	if (audit_intentions_take(intentions, &known, 7, &intent, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	return intent;
}

static void end(struct audit_intentions *intentions)
{
	audit_intentions_close(intentions);
	free(found.items);
	found = (struct audit_found){0};
}

static void write_bytes(uint64_t offset, const void *bytes, size_t length)
{
	char path[AUDIT_PATH_BYTES];
	snprintf(path, sizeof path, "%s/intentions", trail_directory);
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	close(fd);
}

static void read_bytes_at(uint64_t offset, void *bytes, size_t length)
{
	char path[AUDIT_PATH_BYTES];
	snprintf(path, sizeof path, "%s/intentions", trail_directory);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, length, (off_t)offset), length);
	close(fd);
}

/* ---- Slots ---- */

static void one_that_was_taken_is_found_with_all_that_was_known(void **state)
{
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	assert_int_equal(found.count + found.damaged, 0);
	struct audit_intent intent = take(intentions);
	assert_int_not_equal(intent.call, 0);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	assert_memory_equal(&found.items[0].intent.call, &intent.call, sizeof intent.call);
	assert_int_equal(found.items[0].intent.after_seq, 7);
	assert_int_equal(found.items[0].intent.begun_ms, intent.begun_ms);
	struct audit_record read = audit_intention_known(&found.items[0]);
	assert_true(text_equal(read.action, known.action) && text_equal(read.actor, known.actor));
	assert_true(text_equal(read.target, known.target) && text_equal(read.ip, known.ip));
	assert_true(text_equal(read.trace_id, known.trace_id));
	end(intentions);
}

static void what_is_told_later_takes_the_place_of_what_was_known(void **state)
{
	struct error        err;
	struct audit_record better = known;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      intent     = take(intentions);
	better.target                       = TEXT("profile:3-17");
	assert_int_equal(audit_intentions_tell(intentions, &intent, &better, &err), STATUS_OK);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	assert_true(text_equal(audit_intention_known(&found.items[0]).target, better.target));
	end(intentions);
}

static void one_that_was_freed_is_gone_and_its_slot_is_taken_again(void **state)
{
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      first      = take(intentions);
	audit_intentions_free(intentions, first.slot);
	struct audit_intent second = take(intentions);
	assert_int_equal(second.slot, first.slot);
	assert_true(second.call != first.call);
	audit_intentions_free(intentions, second.slot);
	assert_int_equal(audit_intentions_counts(intentions).taken, 0);
	intentions = open_again(intentions);
	assert_int_equal(found.count + found.damaged, 0);
	end(intentions);
}

static void what_was_found_keeps_its_slots_until_it_is_forgotten(void **state)
{
	struct error err;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      old        = take(intentions);
	intentions                          = open_again(intentions);
	struct audit_intent new             = take(intentions);
	assert_true(new.slot != old.slot);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 2);
	assert_int_equal(audit_intentions_forget(intentions, &err), STATUS_OK);
	assert_int_equal(trail_disk.sync_count, 1);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 0);
	end(intentions);
}

static void texts_that_are_too_long_are_cut_off_at_a_character(void **state)
{
	static char         many[600];
	struct audit_record wordy = known;
	struct error        err;
	struct audit_intent intent;
	(void)state;
	for (size_t i = 0; i + 3 <= sizeof many; i += 3)
		memcpy(many + i, "제", 3);
	wordy.action = wordy.actor = wordy.target = wordy.ip = wordy.trace_id =
		(struct text){many, sizeof many};
	struct audit_intentions *intentions = open_as(trail_workspace);
	assert_int_equal(audit_intentions_take(intentions, &wordy, 0, &intent, &err), STATUS_OK);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	struct audit_record read = audit_intention_known(&found.items[0]);
	assert_int_equal(read.action.length, AUDIT_INTENTION_ACTION_MAX / 3 * 3);
	assert_int_equal(read.target.length, AUDIT_INTENTION_TARGET_MAX / 3 * 3);
	assert_true(text_starts_with((struct text){many, sizeof many}, read.target));
	end(intentions);
}

/* ---- Damage ---- */

static void each_flipped_bit_is_found(void **state)
{
	char slot[AUDIT_INTENTION_BYTES];
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      intent     = take(intentions);
	uint64_t                 offset     = (uint64_t)intent.slot * AUDIT_INTENTION_BYTES;
	read_bytes_at(offset, slot, sizeof slot);
	for (size_t bit = 0; bit < 8 * sizeof slot; bit += bit < 512 ? 1 : 61) {
		slot[bit / 8] ^= (char)(1 << bit % 8);
		write_bytes(offset, slot, sizeof slot);
		intentions = open_again(intentions);
		assert_int_equal(found.count, 0);
		assert_int_equal(found.damaged, 1);
		slot[bit / 8] ^= (char)(1 << bit % 8);
	}
	write_bytes(offset, slot, sizeof slot);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	end(intentions);
}

static void one_that_was_torn_is_damaged_and_one_that_was_being_freed_is_free(void **state)
{
	char        slot[AUDIT_INTENTION_BYTES];
	static char zeros[AUDIT_INTENTION_BYTES];
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      intent     = take(intentions);
	uint64_t                 offset     = (uint64_t)intent.slot * AUDIT_INTENTION_BYTES;
	read_bytes_at(offset, slot, sizeof slot);
	for (size_t written = 16; written < 100; written += 12) {
		write_bytes(offset, zeros, sizeof zeros);
		write_bytes(offset, slot, written);
		intentions = open_again(intentions);
		assert_int_equal(found.count, 0);
		assert_int_equal(found.damaged, 1);
	}
	write_bytes(offset, slot, sizeof slot);
	write_bytes(offset, zeros, 16);
	intentions = open_again(intentions);
	assert_int_equal(found.count + found.damaged, 0);
	end(intentions);
}

static void damaged_slots_are_forgotten_with_those_that_are_whole(void **state)
{
	struct error err;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      intent     = take(intentions);
	take(intentions);
	write_bytes((uint64_t)intent.slot * AUDIT_INTENTION_BYTES + 100, "x", 1);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.damaged, 1);
	assert_int_equal(audit_intentions_forget(intentions, &err), STATUS_OK);
	intentions = open_again(intentions);
	assert_int_equal(found.count + found.damaged, 0);
	end(intentions);
}

static void those_of_another_workspace_key_or_slot_are_none(void **state)
{
	const uint8_t other[16] = {9};
	char          slot[AUDIT_INTENTION_BYTES];
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	struct audit_intent      intent     = take(intentions);
	audit_intentions_close(intentions);
	intentions = open_as(other);
	assert_int_equal(found.count, 0);
	assert_int_equal(found.damaged, 1);
	read_bytes_at((uint64_t)intent.slot * AUDIT_INTENTION_BYTES, slot, sizeof slot);
	write_bytes((uint64_t)(intent.slot + 1) * AUDIT_INTENTION_BYTES, slot, sizeof slot);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.damaged, 1);
	keys.items[0].secret_key[0] ^= 1;
	intentions = open_again(intentions);
	assert_int_equal(found.count, 0);
	end(intentions);
}

static void those_of_a_key_before_the_newest_still_count(void **state)
{
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	take(intentions);
	keys.items[1] = keys.items[0];
	keys.items[1].secret_key[0] ^= 1;
	keys.count = 2;
	intentions = open_again(intentions);
	assert_int_equal(found.count, 1);
	take(intentions);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 2);
	end(intentions);
}

/* ---- Room ---- */

static void the_file_grows_up_to_its_end_and_then_one_more_is_refused(void **state)
{
	struct error        err = {0};
	struct audit_intent intent;
	unsigned            count = 0;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	while (count < 10000 &&
	       audit_intentions_take(intentions, &known, 0, &intent, &err) == STATUS_OK)
		count++;
	assert_int_equal(count, 4096);
	assert_int_equal(err.status, STATUS_UNAVAILABLE);
	audit_intentions_free(intentions, 4000);
	assert_int_equal(audit_intentions_take(intentions, &known, 0, &intent, &err), STATUS_OK);
	assert_int_equal(intent.slot, 4000);
	intentions = open_again(intentions);
	assert_int_equal(found.count, 4096);
	end(intentions);
}

static void a_full_disk_refuses_what_the_file_has_no_room_for(void **state)
{
	struct error        err = {0};
	struct audit_intent intent;
	unsigned            count = 0;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	trail_disk.allocate_error           = ENOSPC;
	while (count < 10000 &&
	       audit_intentions_take(intentions, &known, 0, &intent, &err) == STATUS_OK)
		count++;
	assert_int_equal(count, 128);
	assert_int_equal(err.status, STATUS_NO_SPACE);
	trail_disk.allocate_error = 0;
	take(intentions);
	end(intentions);
}

static void one_that_a_full_disk_does_not_take_has_no_slot(void **state)
{
	struct error        err = {0};
	struct audit_intent intent;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	trail_disk.write_error              = ENOSPC;
	assert_int_equal(audit_intentions_take(intentions, &known, 0, &intent, &err), STATUS_NO_SPACE);
	trail_disk.write_error = 0;
	assert_int_equal(audit_intentions_counts(intentions).taken, 0);
	take(intentions);
	end(intentions);
}

static void after_a_failed_write_nothing_is_taken_any_more(void **state)
{
	struct error        err = {0};
	struct audit_intent intent;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	trail_disk.write_error              = EIO;
	assert_int_equal(audit_intentions_take(intentions, &known, 0, &intent, &err), STATUS_FAILED);
	trail_disk.write_error = 0;
	assert_int_equal(audit_intentions_take(intentions, &known, 0, &intent, &err), STATUS_FAILED);
	assert_true(audit_intentions_counts(intentions).failed);
	end(intentions);
}

/* ---- Syncs ---- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t  told;
	unsigned        count;
	enum status     status;
};

static struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, STATUS_OK};

static void done(void *context, enum status status, const struct error *err)
{
	struct waiting *w = context;
	(void)err;
	pthread_mutex_lock(&w->lock);
	w->count++;
	w->status = status;
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
}

static void wait_for(unsigned count)
{
	pthread_mutex_lock(&waiting.lock);
	while (waiting.count < count)
		pthread_cond_wait(&waiting.told, &waiting.lock);
	waiting.count = 0;
	pthread_mutex_unlock(&waiting.lock);
}

static void whoever_waits_is_told_behind_a_sync(void **state)
{
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	take(intentions);
	audit_intentions_sync(intentions, done, &waiting);
	wait_for(1);
	assert_int_equal(waiting.status, STATUS_OK);
	assert_int_equal(trail_disk.sync_count, 1);
	end(intentions);
}

static void many_that_wait_share_syncs(void **state)
{
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	for (unsigned i = 0; i < 1000; i++)
		audit_intentions_sync(intentions, done, &waiting);
	wait_for(1000);
	assert_in_range(trail_disk.sync_count, 1, 999);
	end(intentions);
}

static void after_a_failed_sync_nothing_is_begun_any_more(void **state)
{
	struct error        err = {0};
	struct audit_intent intent;
	(void)state;
	struct audit_intentions *intentions = open_as(trail_workspace);
	take(intentions);
	trail_disk.sync_error = EIO;
	audit_intentions_sync(intentions, done, &waiting);
	wait_for(1);
	assert_int_equal(waiting.status, STATUS_FAILED);
	trail_disk.sync_error = 0;
	audit_intentions_sync(intentions, done, &waiting);
	wait_for(1);
	assert_int_equal(waiting.status, STATUS_FAILED);
	assert_int_equal(trail_disk.sync_count, 1);
	assert_int_equal(audit_intentions_take(intentions, &known, 0, &intent, &err), STATUS_FAILED);
	end(intentions);
}

/* ---- In the trail ---- */

static struct audit_report report;
static char                findings[TRAIL_FINDINGS_BYTES];

/* How many lines have it, and of those how many an unknown outcome. */
static unsigned lines_with(const char *text, unsigned *ret_unknown)
{
	struct buffer content;
	struct text  *lines;
	unsigned      with  = 0;
	size_t        count = trail_lines(&content, &lines);
	*ret_unknown        = 0;
	for (size_t i = 0; i < count; i++) {
		static const char unknown[] = ",\"outcome\":\"unknown\"";
		if (memmem(lines[i].data, lines[i].length, text, strlen(text)) == NULL)
			continue;
		with++;
		*ret_unknown += memmem(lines[i].data, lines[i].length, unknown, sizeof unknown - 1) != NULL;
	}
	free(lines);
	buffer_done(&content);
	return with;
}

/* In a process of its own, which ends as if it were killed: `recorded` of so many have records. */
static void leave(unsigned count, unsigned recorded)
{
	pid_t child = fork();
	if (child == 0) {
		struct audit *audit = trail_open();
		for (unsigned i = 0; i < count; i++) {
			struct audit_intent intent;
			struct error        err;
			if (audit_intend(audit, &known, &intent, &err) != STATUS_OK)
				_exit(1);
			if (i >= recorded)
				continue;
			audit_add(audit, &intent, &known, NULL, NULL);
			if (audit_note(audit, &known, &err) != STATUS_OK)
				_exit(1);
		}
		_exit(0);
	}
	int code;
	assert_int_equal(waitpid(child, &code, 0), child);
	assert_int_equal(code, 0);
}

static void what_a_killed_process_has_left_gets_records_each_once(void **state)
{
	unsigned unknown;
	(void)state;
	leave(5, 0);
	for (unsigned i = 0; i < 3; i++) {
		audit_close(trail_open());
		assert_int_equal(lines_with("\"segment.update\"", &unknown), 5);
		assert_int_equal(unknown, 5);
		assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	}
	assert_int_equal(lines_with("\"target\":\"제주\",", &unknown), 5);
	assert_int_equal(lines_with("\"begun\":\"20", &unknown), 5);
}

static void what_has_its_record_gets_no_other(void **state)
{
	struct audit_intentions *intentions;
	unsigned                 unknown;
	char                     slot[AUDIT_INTENTION_BYTES];
	(void)state;
	/* As if the slot had come back, or had not been freed. */
	struct audit       *audit = trail_open();
	struct audit_intent intent;
	struct error        err;
	assert_int_equal(audit_intend(audit, &known, &intent, &err), STATUS_OK);
	uint64_t offset = (uint64_t)intent.slot * AUDIT_INTENTION_BYTES;
	read_bytes_at(offset, slot, sizeof slot);
	audit_add(audit, &intent, &known, NULL, NULL);
	audit_close(audit);
	intentions = open_as(trail_workspace);
	assert_int_equal(found.count, 0);
	end(intentions);
	write_bytes(offset, slot, sizeof slot);
	audit_close(trail_open());
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 1);
	assert_int_equal(unknown, 0);
}

static void of_several_only_those_without_a_record_get_one(void **state)
{
	unsigned unknown;
	(void)state;
	leave(6, 4);
	audit_close(trail_open());
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 6 + 4);
	assert_int_equal(unknown, 2);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
}

static void damaged_slots_are_told_of_in_a_signed_record(void **state)
{
	unsigned unknown;
	(void)state;
	leave(2, 0);
	write_bytes(200, "damage", 6);
	audit_close(trail_open());
	assert_int_equal(lines_with("\"action\":\"audit.intentions\"", &unknown), 1);
	assert_int_equal(lines_with("\"damaged\":1", &unknown), 1);
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 1);
	assert_int_equal(trail_verify(&report, findings), STATUS_OK);
	audit_close(trail_open());
	assert_int_equal(lines_with("\"action\":\"audit.intentions\"", &unknown), 1);
}

static void a_full_disk_leaves_them_to_the_next_start(void **state)
{
	unsigned unknown;
	(void)state;
	leave(3, 0);
	trail_disk.allocate_error = ENOSPC;
	audit_close(trail_open_with(&trail_disk_system));
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 0);
	trail_disk.allocate_error = 0;
	audit_close(trail_open_with(&trail_disk_system));
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 3);
	assert_int_equal(unknown, 3);
}

static void one_that_was_withdrawn_leaves_no_record(void **state)
{
	struct audit_intent intent;
	struct error        err;
	unsigned            unknown;
	(void)state;
	struct audit *audit = trail_open();
	assert_int_equal(audit_intend(audit, &known, &intent, &err), STATUS_OK);
	audit_release(audit, &intent);
	audit_close(audit);
	audit_close(trail_open());
	assert_int_equal(lines_with("\"segment.update\"", &unknown), 0);
}

#define SLOTS(test) cmocka_unit_test_setup_teardown(test, setup, trail_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLOTS(one_that_was_taken_is_found_with_all_that_was_known),
		SLOTS(what_is_told_later_takes_the_place_of_what_was_known),
		SLOTS(one_that_was_freed_is_gone_and_its_slot_is_taken_again),
		SLOTS(what_was_found_keeps_its_slots_until_it_is_forgotten),
		SLOTS(texts_that_are_too_long_are_cut_off_at_a_character),
		SLOTS(each_flipped_bit_is_found),
		SLOTS(one_that_was_torn_is_damaged_and_one_that_was_being_freed_is_free),
		SLOTS(damaged_slots_are_forgotten_with_those_that_are_whole),
		SLOTS(those_of_another_workspace_key_or_slot_are_none),
		SLOTS(those_of_a_key_before_the_newest_still_count),
		SLOTS(the_file_grows_up_to_its_end_and_then_one_more_is_refused),
		SLOTS(a_full_disk_refuses_what_the_file_has_no_room_for),
		SLOTS(one_that_a_full_disk_does_not_take_has_no_slot),
		SLOTS(after_a_failed_write_nothing_is_taken_any_more),
		SLOTS(whoever_waits_is_told_behind_a_sync),
		SLOTS(many_that_wait_share_syncs),
		SLOTS(after_a_failed_sync_nothing_is_begun_any_more),
		SLOTS(what_a_killed_process_has_left_gets_records_each_once),
		SLOTS(what_has_its_record_gets_no_other),
		SLOTS(of_several_only_those_without_a_record_get_one),
		SLOTS(damaged_slots_are_told_of_in_a_signed_record),
		SLOTS(a_full_disk_leaves_them_to_the_next_start),
		SLOTS(one_that_was_withdrawn_leaves_no_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
