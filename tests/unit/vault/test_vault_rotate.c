#include "vault_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "vault/keys_log.h"

enum { ROTATION_BYTES = 2 * CIPHER_WRAPPED_BYTES };

struct file {
	uint8_t *bytes;
	size_t   length;
};

static struct file take(struct vault_fixture *f, const char *name)
{
	struct file file;
	file.bytes = vault_fixture_read(f, name, &file.length);
	return file;
}

static void put(struct vault_fixture *f, const char *name, const struct file *file)
{
	vault_fixture_write(f, name, file->bytes, file->length);
}

static bool is_there(struct vault_fixture *f, const char *name)
{
	return access(vault_fixture_path(f, name), F_OK) == 0;
}

static struct text seal(struct vault_fixture *f, struct person person)
{
	struct buffer out = {0};
	assert_ok(f, vault_seal(f->vault, person, TEXT("p"), TEXT("secret"), &out, &f->err));
	struct text sealed = arena_text(&f->arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

static void assert_opens(struct vault_fixture *f, struct person person, struct text sealed)
{
	struct buffer out = {0};
	assert_ok(f, vault_unseal(f->vault, person, TEXT("p"), sealed, &out, &f->err));
	assert_true(text_equal(buffer_text(&out), TEXT("secret")));
	buffer_done(&out);
}

static void a_new_master_key_opens_everything_and_the_old_one_nothing(void **state)
{
	struct vault_fixture *f       = *state;
	struct person         before  = vault_user(f, "before");
	struct text           sealed  = seal(f, before);
	struct file           old_key = take(f, "keys/master.key");
	size_t                count   = 0;
	assert_ok(f, vault_rotate(f->vault, &count, &f->err));
	assert_int_equal(count, 2);
	assert_opens(f, before, sealed);
	struct person after = vault_user(f, "after");
	assert_false(is_there(f, "keys/rotation"));
	vault_fixture_reopen(f);
	assert_opens(f, before, sealed);
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "before"), before));
	assert_true(person_equal(vault_look_up(f, VAULT_USER, "after"), after));

	vault_fixture_close(f);
	struct file new_key = take(f, "keys/master.key");
	assert_memory_not_equal(old_key.bytes, new_key.bytes, 64);
	put(f, "keys/master.key", &old_key);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	put(f, "keys/master.key", &new_key);
	assert_ok(f, vault_fixture_open(f));
	free(old_key.bytes);
	free(new_key.bytes);
}

static void rotations_follow_each_other_without_a_write_between(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	struct text           sealed = seal(f, person);
	size_t                count;
	for (int i = 0; i < 3; i++)
		assert_ok(f, vault_rotate(f->vault, &count, &f->err));
	vault_fixture_reopen(f);
	assert_opens(f, person, sealed);
}

/* Whatever was written of a rotation when it ended, the next start finishes it. */
static void a_rotation_that_was_interrupted_at_any_entry_is_finished(void **state)
{
	struct vault_fixture *f      = *state;
	struct person         person = vault_user(f, "kim");
	struct text           sealed = seal(f, person);
	size_t                count;
	vault_fixture_reopen(f); /* so that nothing waits to be written */
	vault_faults_set((struct vault_faults){.write_fails = true});
	assert_int_equal(vault_rotate(f->vault, &count, &f->err), STATUS_FAILED);
	vault_fixture_close(f);
	vault_faults_set((struct vault_faults){0});
	struct file rotation = take(f, "keys/rotation"), old_key = take(f, "keys/master.key");
	struct file old_log = take(f, "keys/keys.log");
	assert_int_equal(rotation.length, ROTATION_BYTES);

	assert_ok(f, vault_fixture_open(f));
	assert_opens(f, person, sealed);
	assert_false(is_there(f, "keys/rotation"));
	vault_fixture_close(f);
	struct file new_key = take(f, "keys/master.key"), new_log = take(f, "keys/keys.log");
	assert_memory_not_equal(old_key.bytes, new_key.bytes, 64);
	size_t entries = old_log.length < new_log.length ? old_log.length : new_log.length;
	for (size_t done = KEY_AT_HASHES; done * KEY_ENTRY_BYTES <= entries; done++)
		for (int replaced = 0; replaced < 2; replaced++) {
			struct file mixed = old_log;
			memcpy(mixed.bytes, new_log.bytes, done * KEY_ENTRY_BYTES);
			put(f, "keys/keys.log", &mixed);
			put(f, "keys/rotation", &rotation);
			put(f, "keys/master.key", replaced ? &new_key : &old_key);
			assert_ok(f, vault_fixture_open(f));
			assert_opens(f, person, sealed);
			vault_fixture_close(f);
			assert_false(is_there(f, "keys/rotation"));
			struct file ended = take(f, "keys/master.key");
			assert_memory_equal(ended.bytes, new_key.bytes, 64);
			free(ended.bytes);
		}
	assert_ok(f, vault_fixture_open(f));
	free(rotation.bytes);
	free(old_key.bytes);
	free(old_log.bytes);
	free(new_key.bytes);
	free(new_log.bytes);
}

static void a_third_key_is_refused_while_a_rotation_is_under_way(void **state)
{
	static const char third[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
	struct vault_fixture *f = *state;
	size_t                count;
	vault_user(f, "kim");
	vault_fixture_reopen(f);
	vault_faults_set((struct vault_faults){.write_fails = true});
	assert_int_equal(vault_rotate(f->vault, &count, &f->err), STATUS_FAILED);
	vault_fixture_close(f);
	vault_faults_set((struct vault_faults){0});
	struct file old_key = take(f, "keys/master.key");
	vault_fixture_write(f, "keys/master.key", third, sizeof third - 1);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	put(f, "keys/master.key", &old_key);
	assert_ok(f, vault_fixture_open(f));
	free(old_key.bytes);
}

static void a_command_prints_the_key_and_then_another_one(void **state)
{
	struct vault_fixture *f = *state;
	char                  command[192];
	size_t                count;
	struct person         person = vault_user(f, "kim");
	struct text           sealed = seal(f, person);
	vault_fixture_close(f);
	struct file key = take(f, "keys/master.key");
	put(f, "data/key", &key);
	unlink(vault_fixture_path(f, "keys/master.key"));
	snprintf(command, sizeof command, "cat %s", vault_fixture_path(f, "data/key"));
	f->config.master_command = command;
	assert_ok(f, vault_fixture_open(f));
	assert_opens(f, person, sealed);
	assert_int_equal(vault_rotate(f->vault, &count, &f->err), STATUS_CONFLICT);

	char other[65];
	memset(other, 'a', 64);
	other[64] = '\n';
	vault_fixture_write(f, "data/key", other, sizeof other);
	assert_ok(f, vault_rotate(f->vault, &count, &f->err));
	vault_fixture_reopen(f);
	assert_opens(f, person, sealed);
	assert_false(is_there(f, "keys/master.key"));
	vault_fixture_close(f);
	put(f, "data/key", &key);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	unlink(vault_fixture_path(f, "data/key"));
	free(key.bytes);
}

static void a_variable_with_the_previous_one_beside_it_rotates_at_the_start(void **state)
{
	struct vault_fixture *f = *state;
	char                  present[65], next[65];
	size_t                count;
	struct person         person = vault_user(f, "kim");
	struct text           sealed = seal(f, person);
	vault_fixture_close(f);
	struct file key = take(f, "keys/master.key");
	unlink(vault_fixture_path(f, "keys/master.key"));
	snprintf(present, sizeof present, "%.64s", (const char *)key.bytes);
	memset(next, 'b', 64);
	next[64] = '\0';
	free(key.bytes);

	f->config.master_variable = "SONNIM_TEST_MASTER";
	unsetenv("SONNIM_TEST_MASTER_PREVIOUS");
	assert_int_equal(vault_fixture_open(f), STATUS_NOT_FOUND);
	setenv("SONNIM_TEST_MASTER", next, 1);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	setenv("SONNIM_TEST_MASTER_PREVIOUS", present, 1);
	assert_ok(f, vault_fixture_open(f));
	assert_opens(f, person, sealed);
	unsetenv("SONNIM_TEST_MASTER_PREVIOUS");
	vault_fixture_reopen(f);
	assert_opens(f, person, sealed);
	assert_int_equal(vault_rotate(f->vault, &count, &f->err), STATUS_CONFLICT);
	vault_fixture_close(f);
	setenv("SONNIM_TEST_MASTER", present, 1);
	assert_int_equal(vault_fixture_open(f), STATUS_CORRUPT);
	unsetenv("SONNIM_TEST_MASTER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VAULT_TEST(a_new_master_key_opens_everything_and_the_old_one_nothing),
		VAULT_TEST(rotations_follow_each_other_without_a_write_between),
		VAULT_TEST(a_rotation_that_was_interrupted_at_any_entry_is_finished),
		VAULT_TEST(a_third_key_is_refused_while_a_rotation_is_under_way),
		VAULT_TEST(a_command_prints_the_key_and_then_another_one),
		VAULT_TEST(a_variable_with_the_previous_one_beside_it_rotates_at_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
