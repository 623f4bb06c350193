#include "api/workspace/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "access/claims.h"
#include "access/jwt.h"
#include "api/api.h"

static void assert_code(const char *credential, const char *expected)
{
	char code[WORKSPACE_CODE_BYTES];
	assert_true(credential_code(text_of(credential), code));
	assert_string_equal(code, expected);
}

static void assert_none(const char *credential)
{
	char code[WORKSPACE_CODE_BYTES];
	assert_false(credential_code(text_of(credential), code));
}

static void what_a_workspace_gives_out_names_it(void **state)
{
	char    token[API_TOKEN_TEXT_BYTES], key[API_WRITE_KEY_BYTES];
	uint8_t hash[STORE_TOKEN_HASH_BYTES];
	(void)state;
	api_token_new("0123abcd", token, hash);
	api_write_key_new("0123abcd", key);
	assert_code(token, "0123abcd");
	assert_code(key, "0123abcd");
	assert_code("wst_0123abcd_x", "0123abcd");
}

static void what_home_gives_out_names_nobody(void **state)
{
	char    token[API_TOKEN_TEXT_BYTES], key[API_WRITE_KEY_BYTES];
	uint8_t hash[STORE_TOKEN_HASH_BYTES];
	(void)state;
	api_token_new("", token, hash);
	api_write_key_new("", key);
	token[7] = key[3] = 'Z'; /* by chance it could look like a code */
	assert_none(token);
	assert_none(key);
}

static void other_texts_name_nobody(void **state)
{
	(void)state;
	static const char *const texts[] = {"",
	                                    "sonnim_",
	                                    "sonnim_0123abcd",
	                                    "sonnim_0123ABCD_x",
	                                    "sonnim_0123abc_xx",
	                                    "wk_0123abcde_x",
	                                    "snr_0123abcd_x",
	                                    "my-own-key",
	                                    "a.b.c",
	                                    "..",
	                                    "a.!!!.c"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_none(texts[i]);
}

static void a_signed_token_names_its_audience(void **state)
{
	const struct claims_realm realm = {"https://x.example", "5b95a686-9e19-4268-ad2a-e6714f6aaf58"};
	const struct claims claims = {.email = TEXT("a\"aud\":\"ffffffff-@example.com"), .scopes = 1};
	struct jwt_key     *key    = jwt_key_new(JWT_HS256);
	struct buffer       json = {0}, token = {0};
	(void)state;
	claims_write(&claims, &realm, &json);
	jwt_sign(key, buffer_text(&json), &token);
	buffer_add_u8(&token, 0);
	assert_code(token.data, "5b95a686");
	buffer_done(&json);
	buffer_done(&token);
	jwt_key_free(key);
}

static void a_token_of_any_length_is_read_within_bounds(void **state)
{
	char text[3 * JWT_BYTES_MAX];
	(void)state;
	memset(text, 'A', sizeof text);
	text[10] = text[sizeof text - 20] = '.';
	text[sizeof text - 1]             = '\0';
	assert_none(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_workspace_gives_out_names_it),
		cmocka_unit_test(what_home_gives_out_names_nobody),
		cmocka_unit_test(other_texts_name_nobody),
		cmocka_unit_test(a_signed_token_names_its_audience),
		cmocka_unit_test(a_token_of_any_length_is_read_within_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
