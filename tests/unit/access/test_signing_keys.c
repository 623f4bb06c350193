#include "access/signing_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/claims.h"
#include "base/file.h"

enum { HOUR_MS = 3600 * 1000 };
#define NOW_MS INT64_C(1700000000000)

struct fixture {
	char                 directory[64];
	char                 keyring[80];
	struct vault        *vault;
	struct signing_keys *keys;
	struct error         err;
};

static void open_keys(struct fixture *f, enum jwt_algorithm algorithm, int64_t now_ms)
{
	const struct signing_keys_config config = {
		.directory = f->keyring, .vault = f->vault, .algorithm = algorithm, .age_ms = 0};
	signing_keys_free(f->keys);
	assert_int_equal(signing_keys_open(&config, now_ms, &f->keys, &f->err), STATUS_OK);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char            data[80];
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-signing-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->keyring, sizeof f->keyring, "%s/keyring", f->directory);
	snprintf(data, sizeof data, "%s/vault", f->directory);
	const struct vault_config config = {
		.directory = data, .keyring_directory = f->keyring, .partition_count = 1};
	assert_int_equal(vault_open(&config, &f->vault, &f->err), STATUS_OK);
	open_keys(f, JWT_HS256, NOW_MS);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char            command[128];
	signing_keys_free(f->keys);
	vault_close(f->vault);
	snprintf(command, sizeof command, "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct buffer sign(struct fixture *f, int64_t now_ms)
{
	struct buffer token = {0};
	signing_keys_sign(f->keys, TEXT("{}"), now_ms, &token);
	return token;
}

static enum status verify(struct fixture *f, const struct buffer *token, int64_t now_ms)
{
	struct buffer claims = {0};
	enum status status = signing_keys_verify(f->keys, buffer_text(token), now_ms, &claims, &f->err);
	buffer_done(&claims);
	return status;
}

static void a_token_is_verified_over_rotation_and_restart_until_it_has_expired(void **state)
{
	struct fixture *f     = *state;
	struct buffer   token = sign(f, NOW_MS);
	assert_int_equal(signing_keys_rotate(f->keys, NOW_MS, &f->err), STATUS_OK);
	struct buffer next = sign(f, NOW_MS);
	open_keys(f, JWT_HS256, NOW_MS);
	assert_int_equal(verify(f, &token, NOW_MS + HOUR_MS), STATUS_OK);
	assert_int_equal(verify(f, &next, NOW_MS + HOUR_MS), STATUS_OK);
	int64_t later_ms = NOW_MS + HOUR_MS + INT64_C(1000) * CLAIMS_SECONDS_ASTRAY;
	assert_int_equal(verify(f, &token, later_ms), STATUS_UNAUTHORIZED);
	assert_int_equal(verify(f, &next, later_ms), STATUS_OK);
	buffer_done(&token);
	buffer_done(&next);
}

static void a_published_key_is_known_before_it_signs(void **state)
{
	struct fixture         *f = *state;
	struct signing_key_info keys[SIGNING_KEYS_MAX];
	struct buffer public = {0};
	open_keys(f, JWT_EDDSA, NOW_MS); /* no other of the algorithm: signs at once */
	assert_int_equal(signing_keys_rotate(f->keys, NOW_MS, &f->err), STATUS_OK);
	assert_int_equal(signing_keys_list(f->keys, NOW_MS, keys), 3);
	assert_true(keys[1].signs);
	assert_false(keys[2].signs);
	signing_keys_write_public(f->keys, &public);
	buffer_add_u8(&public, 0);
	assert_non_null(strstr(public.data, keys[2].id));
	assert_null(strstr(public.data, keys[0].id)); /* HS256 */
	assert_int_equal(signing_keys_rotate(f->keys, NOW_MS, &f->err), STATUS_CONFLICT);
	signing_keys_list(f->keys, NOW_MS + SIGNING_AHEAD_MS, keys);
	assert_true(keys[2].signs);
	buffer_done(&public);
}

static void a_token_that_names_no_key_of_ours_is_refused(void **state)
{
	struct fixture *f     = *state;
	struct jwt_key *other = jwt_key_new(JWT_HS256);
	struct buffer   token = {0};
	jwt_sign(other, TEXT("{}"), &token);
	assert_int_equal(verify(f, &token, NOW_MS), STATUS_UNAUTHORIZED);
	buffer_done(&token);
	jwt_key_free(other);
}

static void an_old_key_is_followed_by_itself(void **state)
{
	struct fixture            *f = *state;
	struct signing_key_info    keys[SIGNING_KEYS_MAX];
	struct signing_keys_config config = {
		.directory = f->keyring, .vault = f->vault, .algorithm = JWT_HS256, .age_ms = HOUR_MS};
	signing_keys_free(f->keys);
	assert_int_equal(signing_keys_open(&config, NOW_MS, &f->keys, &f->err), STATUS_OK);
	struct buffer before = sign(f, NOW_MS + HOUR_MS - 1);
	assert_int_equal(signing_keys_list(f->keys, NOW_MS, keys), 1);
	struct buffer behind = sign(f, NOW_MS + HOUR_MS);
	assert_int_equal(signing_keys_list(f->keys, NOW_MS, keys), 2);
	assert_int_equal(verify(f, &before, NOW_MS + HOUR_MS), STATUS_OK);
	assert_int_equal(verify(f, &behind, NOW_MS + HOUR_MS), STATUS_OK);
	buffer_done(&before);
	buffer_done(&behind);
}

static void where_the_next_key_cannot_be_written_the_present_one_goes_on(void **state)
{
	struct fixture            *f        = *state;
	int64_t                    later_ms = NOW_MS + 2 * HOUR_MS;
	char                       away[96];
	struct signing_key_info    keys[SIGNING_KEYS_MAX];
	struct signing_keys_config config = {
		.directory = f->keyring, .vault = f->vault, .algorithm = JWT_HS256, .age_ms = 2 * HOUR_MS};
	assert_int_equal(signing_keys_rotate(f->keys, NOW_MS, &f->err), STATUS_OK);
	signing_keys_free(f->keys);
	assert_int_equal(signing_keys_open(&config, NOW_MS, &f->keys, &f->err), STATUS_OK);
	snprintf(away, sizeof away, "%s/away", f->directory);
	assert_int_equal(rename(f->keyring, away), 0);
	struct buffer token = sign(f, later_ms); /* the first one is over and dropped on the way */
	assert_int_equal(signing_keys_list(f->keys, later_ms, keys), 1);
	assert_int_equal(verify(f, &token, later_ms), STATUS_OK);
	assert_int_equal(rename(away, f->keyring), 0);
	buffer_done(&token);
}

static void an_algorithm_that_was_chosen_before_signs_with_a_new_key(void **state)
{
	struct fixture         *f        = *state;
	int64_t                 later_ms = NOW_MS + 2 * HOUR_MS;
	struct signing_key_info keys[SIGNING_KEYS_MAX];
	open_keys(f, JWT_EDDSA, NOW_MS);
	open_keys(f, JWT_HS256, later_ms);
	struct buffer token = sign(f, later_ms);
	assert_int_equal(verify(f, &token, later_ms + HOUR_MS), STATUS_OK);
	buffer_done(&token);
	open_keys(f, JWT_EDDSA, later_ms);
	size_t count = signing_keys_list(f->keys, later_ms, keys);
	assert_true(keys[count - 1].signs); /* at once: its own were followed */
}

static void a_key_that_waits_does_not_keep_another_algorithm_from_starting(void **state)
{
	struct fixture *f = *state;
	open_keys(f, JWT_EDDSA, NOW_MS);
	assert_int_equal(signing_keys_rotate(f->keys, NOW_MS, &f->err), STATUS_OK);
	open_keys(f, JWT_HS256, NOW_MS);
	struct buffer token = sign(f, NOW_MS);
	assert_int_equal(verify(f, &token, NOW_MS + HOUR_MS), STATUS_OK);
	buffer_done(&token);
}

static void the_file_is_its_owners_alone_and_damage_is_told(void **state)
{
	struct fixture *f = *state;
	char            path[128];
	struct stat     info;
	struct buffer   text = {0};
	snprintf(path, sizeof path, "%s/signing.keys", f->keyring);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(file_read(path, 1 << 20, &text, &f->err), STATUS_OK);
	char *sealed = strstr(text.data, "sealed") + 20;
	*sealed      = *sealed == '0' ? '1' : '0';
	assert_int_equal(file_replace(path, 0600, text.data, text.length, &f->err), STATUS_OK);
	buffer_done(&text);
	const struct signing_keys_config config = {
		.directory = f->keyring, .vault = f->vault, .algorithm = JWT_HS256};
	struct signing_keys *keys;
	assert_int_equal(signing_keys_open(&config, NOW_MS, &keys, &f->err), STATUS_CORRUPT);
}

static void a_clock_that_went_back_keeps_nobody_from_starting_or_signing(void **state)
{
	struct fixture *f = *state;
	open_keys(f, JWT_HS256, NOW_MS - HOUR_MS);
	struct buffer token = sign(f, NOW_MS - HOUR_MS);
	assert_int_equal(verify(f, &token, NOW_MS - HOUR_MS), STATUS_OK);
	buffer_done(&token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_is_verified_over_rotation_and_restart_until_it_has_expired),
		TEST(a_published_key_is_known_before_it_signs),
		TEST(a_token_that_names_no_key_of_ours_is_refused),
		TEST(an_old_key_is_followed_by_itself),
		TEST(where_the_next_key_cannot_be_written_the_present_one_goes_on),
		TEST(an_algorithm_that_was_chosen_before_signs_with_a_new_key),
		TEST(a_key_that_waits_does_not_keep_another_algorithm_from_starting),
		TEST(a_clock_that_went_back_keeps_nobody_from_starting_or_signing),
		TEST(the_file_is_its_owners_alone_and_damage_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
