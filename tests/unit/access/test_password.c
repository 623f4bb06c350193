#include "access/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void a_password_matches_its_hash_and_no_other(void **state)
{
	char         hash[PASSWORD_HASH_BYTES], again[PASSWORD_HASH_BYTES];
	struct error err;
	(void)state;
	assert_int_equal(password_hash(TEXT("correct horse"), hash, &err), STATUS_OK);
	assert_int_equal(password_hash(TEXT("correct horse"), again, &err), STATUS_OK);
	assert_true(password_matches(hash, TEXT("correct horse")));
	assert_false(password_matches(hash, TEXT("correct horsf")));
	assert_false(password_matches(hash, TEXT("")));
	assert_string_not_equal(hash, again); /* salted */
}

static void what_is_kept_names_the_parameters(void **state)
{
	char         hash[PASSWORD_HASH_BYTES];
	struct error err;
	(void)state;
	assert_int_equal(password_hash(TEXT("correct horse"), hash, &err), STATUS_OK);
	assert_int_equal(strncmp(hash, "$argon2id$v=19$m=65536,t=3,p=1$", 31), 0);
	assert_false(password_is_outdated(hash));
	memcpy(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31);
	assert_true(password_is_outdated(hash));
}

static void nobody_has_no_password(void **state)
{
	(void)state;
	assert_false(password_matches(NULL, TEXT("correct horse")));
	assert_false(password_matches("", TEXT("")));
}

static enum status choose(const char *password)
{
	struct error err = {0};
	enum status  status =
		password_check(text_of(password), TEXT("Kim@example.com"), TEXT("Kim Min-seo Kim"), &err);
	if (status != STATUS_OK)
		assert_string_equal(err.field, "password");
	return status;
}

static void a_password_that_is_easy_to_guess_is_refused(void **state)
{
	char long_one[PASSWORD_BYTES_MAX + 2] = {0};
	(void)state;
	for (size_t i = 0; i <= PASSWORD_BYTES_MAX; i++)
		long_one[i] = (char)('a' + i % 7);
	assert_int_equal(choose("elevenbytes"), STATUS_INVALID);
	assert_int_equal(choose("aaaaaaaaaaaaaaaa"), STATUS_INVALID);
	assert_int_equal(choose("kim@EXAMPLE.com"), STATUS_INVALID);
	assert_int_equal(choose("kim min-seo kim"), STATUS_INVALID);
	assert_int_equal(choose(long_one), STATUS_INVALID);
	long_one[PASSWORD_BYTES_MAX] = '\0';
	assert_int_equal(choose(long_one), STATUS_OK);
	assert_int_equal(choose("비밀번호입니다"), STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_matches_its_hash_and_no_other),
		cmocka_unit_test(what_is_kept_names_the_parameters),
		cmocka_unit_test(nobody_has_no_password),
		cmocka_unit_test(a_password_that_is_easy_to_guess_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
