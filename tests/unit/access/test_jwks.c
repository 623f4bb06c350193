#include "access/jwks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "access/jwt.h"

/* RFC 7515, A.3. */
#define P256                                                                                       \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
static const char es256_token[] =
	"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
	"bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxf"
	"KTUJqPP3-Kg6NU1Q";

/* RFC 8037, A.2 and A.4. */
#define ED25519                                                                                    \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
static const char eddsa_token[] =
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvM"
	"g3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static enum status read_set(const char *text, struct jwks **ret_jwks)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        err;
	assert_int_equal(json_parse_text(parser, text_of(text), &root, &err), STATUS_OK);
	enum status status = jwks_read(root, ret_jwks, &err);
	json_parser_free(parser);
	return status;
}

static enum status verify(const struct jwks *jwks, const char *token, struct buffer *out)
{
	enum jws_algorithm algorithm;
	struct error       err;
	buffer_clear(out);
	enum status status = jwks_verify(jwks, text_of(token), out, &algorithm, &err);
	assert_true(status == STATUS_OK || out->length == 0);
	return status;
}

static void known_signatures_are_right_and_others_are_not(void **state)
{
	static const char *const tokens[] = {es256_token, eddsa_token};
	struct jwks             *jwks;
	struct buffer            out = {0};
	(void)state;
	assert_int_equal(read_set("{\"keys\":[" P256 "," ED25519 "]}", &jwks), STATUS_OK);
	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		char changed[512];
		assert_int_equal(verify(jwks, tokens[i], &out), STATUS_OK);
		for (size_t at = 0; at < strlen(tokens[i]); at += 7) {
			snprintf(changed, sizeof changed, "%s", tokens[i]);
			changed[at] = changed[at] == 'A' ? 'B' : 'A';
			assert_int_not_equal(verify(jwks, changed, &out), STATUS_OK);
		}
	}
	assert_int_equal(verify(jwks, eddsa_token, &out), STATUS_OK);
	assert_true(text_equal(buffer_text(&out), TEXT("Example of Ed25519 signing")));
	buffer_done(&out);
	jwks_free(jwks);
}

static void our_own_keys_are_read_back(void **state)
{
	static const enum jwt_algorithm algorithms[] = {JWT_RS256, JWT_EDDSA};
	(void)state;
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
		struct jwt_key    *key = jwt_key_new(algorithms[i]), *other = jwt_key_new(algorithms[i]);
		struct buffer      set = {0}, token = {0}, strange = {0}, out = {0};
		struct json_writer w = json_writer_of(&set);
		struct jwks       *jwks;
		json_begin_object(&w);
		json_add_key(&w, TEXT("keys"));
		json_begin_array(&w);
		jwt_key_write_public(key, &w);
		json_end_array(&w);
		json_end_object(&w);
		buffer_add_u8(&set, 0);
		assert_int_equal(read_set(set.data, &jwks), STATUS_OK);
		jwt_sign(key, TEXT("{\"sub\":\"kim\"}"), &token);
		buffer_add_u8(&token, 0);
		assert_int_equal(verify(jwks, token.data, &out), STATUS_OK);
		assert_true(text_equal(buffer_text(&out), TEXT("{\"sub\":\"kim\"}")));
		jwt_sign(other, TEXT("{\"sub\":\"kim\"}"), &strange); /* its kid is not there */
		buffer_add_u8(&strange, 0);
		assert_int_equal(verify(jwks, strange.data, &out), STATUS_NOT_FOUND);
		buffer_done(&set);
		buffer_done(&token);
		buffer_done(&strange);
		buffer_done(&out);
		jwks_free(jwks);
		jwt_key_free(key);
		jwt_key_free(other);
	}
}

/* Who publishes his only key without a name may have exchanged it. */
static void a_token_that_names_no_key_may_be_of_one_that_is_new(void **state)
{
	struct jwt_key    *key = jwt_key_new(JWT_EDDSA);
	struct buffer      set = {0}, out = {0};
	struct json_writer w = json_writer_of(&set);
	struct jwks       *jwks;
	(void)state;
	json_begin_object(&w);
	json_add_key(&w, TEXT("keys"));
	json_begin_array(&w);
	jwt_key_write_public(key, &w);
	json_end_array(&w);
	json_end_object(&w);
	buffer_add_u8(&set, 0);
	assert_int_equal(read_set(set.data, &jwks), STATUS_OK);
	assert_int_equal(verify(jwks, eddsa_token, &out), STATUS_NOT_FOUND);
	jwks_free(jwks);
	assert_int_equal(read_set("{\"keys\":[" ED25519 "]}", &jwks), STATUS_OK);
	assert_int_equal(verify(jwks, eddsa_token, &out), STATUS_OK);
	jwks_free(jwks);
	buffer_done(&set);
	buffer_done(&out);
	jwt_key_free(key);
}

static void keys_that_are_not_taken_are_left_out(void **state)
{
	static const char *const sets[] = {
		"{}",
		"[]",
		"{\"keys\":[]}",
		"{\"keys\":{}}",
		"{\"keys\":[1,null,\"x\"]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", /* 24 bits */
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		/* Not on the curve. */
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
		"{\"keys\":[{\"use\":\"enc\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"alg\":\"HS256\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
	};
	struct jwks *jwks;
	(void)state;
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
		assert_int_equal(read_set(sets[i], &jwks), STATUS_INVALID);
}

static void a_key_signs_by_its_own_algorithm_only(void **state)
{
	struct jwks  *jwks;
	struct buffer out = {0};
	(void)state;
	assert_int_equal(read_set("{\"keys\":[" P256 "]}", &jwks), STATUS_OK);
	assert_int_equal(verify(jwks, eddsa_token, &out), STATUS_NOT_FOUND);
	/* {"alg":"none"}, and one that is no header */
	assert_int_equal(verify(jwks, "eyJhbGciOiJub25lIn0.e30.", &out), STATUS_UNAUTHORIZED);
	assert_int_equal(verify(jwks, "W10.e30.AAAA", &out), STATUS_UNAUTHORIZED);
	assert_int_equal(verify(jwks, "", &out), STATUS_UNAUTHORIZED);
	buffer_done(&out);
	jwks_free(jwks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_signatures_are_right_and_others_are_not),
		cmocka_unit_test(our_own_keys_are_read_back),
		cmocka_unit_test(a_token_that_names_no_key_may_be_of_one_that_is_new),
		cmocka_unit_test(keys_that_are_not_taken_are_left_out),
		cmocka_unit_test(a_key_signs_by_its_own_algorithm_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
