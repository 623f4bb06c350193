#include "access/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const struct text claims = {"{\"sub\":\"kim\",\"exp\":5}", 21};

static struct text base64(struct text plain, char *into, size_t size)
{
	sodium_bin2base64(into, size, (const uint8_t *)plain.data, plain.length,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return text_of(into);
}

static enum status verify(const struct jwt_key *key, struct text token)
{
	struct buffer out = {0};
	struct error  err;
	enum status   status = jwt_verify(key, token, &out, &err);
	if (status == STATUS_OK)
		assert_true(text_equal(buffer_text(&out), claims));
	else
		assert_int_equal(out.length, 0);
	buffer_done(&out);
	return status;
}

/* A token with that header and the HMAC of `secret`: what a forger makes. */
static struct buffer forged(const char *header, struct text secret)
{
	char          part[1024];
	uint8_t       key[32] = {0}, mac[32];
	struct buffer out     = {0};
	buffer_add_text(&out, base64(text_of(header), part, sizeof part));
	buffer_add_text(&out, TEXT("."));
	buffer_add_text(&out, base64(claims, part, sizeof part));
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, secret.length > 0 ? (const uint8_t *)secret.data : key,
	                            secret.length > 0 ? secret.length : sizeof key);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)out.data, out.length);
	crypto_auth_hmacsha256_final(&state, mac);
	buffer_add_text(&out, TEXT("."));
	buffer_add_text(&out, base64((struct text){(char *)mac, sizeof mac}, part, sizeof part));
	return out;
}

static void a_signed_token_is_verified_with_each_algorithm(void **state)
{
	(void)state;
	for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++) {
		struct jwt_key *key   = jwt_key_new((enum jwt_algorithm)i), *same, *other;
		struct buffer   token = {0}, secret = {0};
		struct error    err;
		char            id[JWT_KEY_ID_BYTES];
		jwt_sign(key, claims, &token);
		jwt_key_secret(key, &secret);
		assert_int_equal(jwt_key_read((enum jwt_algorithm)i, text_of(jwt_key_id(key)),
		                              buffer_text(&secret), &same, &err),
		                 STATUS_OK);
		assert_true(jwt_read_key_id(buffer_text(&token), id));
		assert_string_equal(id, jwt_key_id(key));
		assert_int_equal(verify(same, buffer_text(&token)), STATUS_OK);
		/* Another key that goes by the same id. */
		other         = jwt_key_new((enum jwt_algorithm)i);
		secret.length = 0;
		jwt_key_secret(other, &secret);
		jwt_key_free(other);
		assert_int_equal(
			jwt_key_read((enum jwt_algorithm)i, text_of(id), buffer_text(&secret), &other, &err),
			STATUS_OK);
		assert_int_equal(verify(other, buffer_text(&token)), STATUS_UNAUTHORIZED);
		jwt_key_free(key);
		jwt_key_free(same);
		jwt_key_free(other);
		buffer_done(&token);
		buffer_done(&secret);
	}
}

static void a_token_that_was_changed_anywhere_is_refused(void **state)
{
	(void)state;
	for (unsigned a = 0; a < JWT_ALGORITHM_COUNT; a++) {
		struct jwt_key *key   = jwt_key_new((enum jwt_algorithm)a);
		struct buffer   token = {0};
		jwt_sign(key, claims, &token);
		for (size_t i = 0; i < token.length; i++) {
			char before   = token.data[i];
			token.data[i] = before == 'A' ? 'B' : 'A';
			assert_int_equal(verify(key, buffer_text(&token)), STATUS_UNAUTHORIZED);
			token.data[i] = before;
		}
		for (size_t length = 0; length < token.length; length++)
			assert_int_equal(verify(key, (struct text){token.data, length}), STATUS_UNAUTHORIZED);
		assert_int_equal(verify(key, buffer_text(&token)), STATUS_OK);
		buffer_done(&token);
		jwt_key_free(key);
	}
}

static void alg_none_is_refused_in_any_spelling(void **state)
{
	struct jwt_key *key = jwt_key_new(JWT_HS256);
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		static const char *const names[] = {"none", "None", "NONE", ""};
		char                     header[256];
		snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}", names[i],
		         jwt_key_id(key));
		struct buffer token = forged(header, TEXT(""));
		assert_int_equal(verify(key, buffer_text(&token)), STATUS_UNAUTHORIZED);
		token.length -= 43; /* and without a signature */
		assert_int_equal(verify(key, buffer_text(&token)), STATUS_UNAUTHORIZED);
		buffer_done(&token);
	}
	jwt_key_free(key);
}

static void a_public_key_is_never_taken_for_a_secret(void **state)
{
	struct jwt_key    *key = jwt_key_new(JWT_RS256);
	struct buffer      jwk = {0};
	struct json_writer w   = json_writer_of(&jwk);
	char               header[256];
	(void)state;
	jwt_key_write_public(key, &w);
	snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
	         jwt_key_id(key));
	struct buffer token = forged(header, buffer_text(&jwk));
	assert_int_equal(verify(key, buffer_text(&token)), STATUS_UNAUTHORIZED);
	buffer_done(&token);
	buffer_done(&jwk);
	jwt_key_free(key);
}

static void a_header_that_says_more_is_refused(void **state)
{
	struct jwt_key *key    = jwt_key_new(JWT_HS256);
	struct buffer   secret = {0};
	(void)state;
	jwt_key_secret(key, &secret);
	static const char *const more[] = {
		",\"crit\":[\"exp\"]", ",\"jku\":\"https://evil.example\"",
		",\"jwk\":{}",         ",\"kid\":\"9c8d968d-bb96-489f-8ca0-7accc0544612\"",
		",\"alg\":\"HS256\"",  ",\"typ\":5"};
	for (unsigned i = 0; i < sizeof more / sizeof more[0]; i++) {
		char header[320];
		snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"%s}", jwt_key_id(key),
		         more[i]);
		struct buffer token = forged(header, buffer_text(&secret));
		assert_int_equal(verify(key, buffer_text(&token)), STATUS_UNAUTHORIZED);
		buffer_done(&token);
	}
	char header[128];
	snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", jwt_key_id(key));
	struct buffer token = forged(header, buffer_text(&secret)); /* that the forger can sign */
	assert_int_equal(verify(key, buffer_text(&token)), STATUS_OK);
	buffer_done(&token);
	buffer_done(&secret);
	jwt_key_free(key);
}

static void no_secret_is_published(void **state)
{
	struct jwt_key    *hmac = jwt_key_new(JWT_HS256), *rsa = jwt_key_new(JWT_RS256);
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	(void)state;
	jwt_key_write_public(hmac, &w);
	assert_int_equal(out.length, 0);
	jwt_key_write_public(rsa, &w);
	buffer_add_u8(&out, 0);
	assert_non_null(strstr(out.data, "\"e\":\"AQAB\""));
	assert_null(strstr(out.data, "\"d\""));
	buffer_done(&out);
	jwt_key_free(hmac);
	jwt_key_free(rsa);
}

static void what_is_no_key_is_refused(void **state)
{
	const struct text id = TEXT("9c8d968d-bb96-489f-8ca0-7accc0544612");
	struct jwt_key   *key;
	struct error      err;
	(void)state;
	assert_int_equal(jwt_key_read(JWT_HS256, id, TEXT("short"), &key, &err), STATUS_CORRUPT);
	assert_int_equal(jwt_key_read(JWT_RS256, id, TEXT("no DER"), &key, &err), STATUS_CORRUPT);
	assert_int_equal(jwt_key_read(JWT_EDDSA, id, TEXT(""), &key, &err), STATUS_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_token_is_verified_with_each_algorithm),
		cmocka_unit_test(a_token_that_was_changed_anywhere_is_refused),
		cmocka_unit_test(alg_none_is_refused_in_any_spelling),
		cmocka_unit_test(a_public_key_is_never_taken_for_a_secret),
		cmocka_unit_test(a_header_that_says_more_is_refused),
		cmocka_unit_test(no_secret_is_published),
		cmocka_unit_test(what_is_no_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
