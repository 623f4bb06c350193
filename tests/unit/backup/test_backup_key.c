#include "backup/backup_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup_fixture.h"
#include "base/file.h"

static const char digits[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static void assert_key(const uint8_t key[CIPHER_KEY_BYTES])
{
	assert_int_equal(key[0], 0x00);
	assert_int_equal(key[1], 0x11);
	assert_int_equal(key[31], 0xff);
}

static void a_key_comes_from_a_file_a_command_or_the_environment(void **state)
{
	struct backup_fixture *f = *state;
	uint8_t                key[CIPHER_KEY_BYTES];
	assert_ok(f, backup_key_read(f->key_file, NULL, key, &f->err));
	assert_key(key);
	memset(key, 0, sizeof key);
	char command[128];
	snprintf(command, sizeof command, "echo '  %s'", digits);
	assert_ok(f, backup_key_read(NULL, command, key, &f->err));
	assert_key(key);
	memset(key, 0, sizeof key);
	setenv("SONNIM_BACKUP_KEY", digits, 1);
	assert_ok(f, backup_key_read(NULL, NULL, key, &f->err));
	assert_key(key);
	unsetenv("SONNIM_BACKUP_KEY");
}

static void none_or_two_are_refused(void **state)
{
	struct backup_fixture *f = *state;
	uint8_t                key[CIPHER_KEY_BYTES];
	assert_int_equal(backup_key_read(NULL, NULL, key, &f->err), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "--backup-key-file"));
	assert_int_equal(backup_key_read(f->key_file, "true", key, &f->err), STATUS_INVALID);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
	struct backup_fixture *f = *state;
	uint8_t                key[CIPHER_KEY_BYTES];
	assert_int_equal(chmod(f->key_file, 0640), 0);
	assert_int_equal(backup_key_read(f->key_file, NULL, key, &f->err), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "chmod 600"));
}

static void what_is_no_key_is_refused_without_being_shown(void **state)
{
	struct backup_fixture *f = *state;
	uint8_t                key[CIPHER_KEY_BYTES];
	assert_ok(f, file_replace(f->key_file, 0600, "secret", 6, &f->err));
	assert_int_equal(backup_key_read(f->key_file, NULL, key, &f->err), STATUS_INVALID);
	assert_null(strstr(f->err.reason, "secret"));
	assert_int_equal(backup_key_read(NULL, "exit 3", key, &f->err), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "ended with 3"));
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, backup_fixture_setup, backup_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_key_comes_from_a_file_a_command_or_the_environment),
		TEST(none_or_two_are_refused),
		TEST(a_file_that_others_can_read_is_refused),
		TEST(what_is_no_key_is_refused_without_being_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
