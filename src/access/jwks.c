#include "access/jwks.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_ID_BYTES_MAX = 256,
	RSA_BITS_MIN     = 2048,
	RSA_BITS_MAX     = 8192,
	P256_BYTES       = 32,
	ED25519_BYTES    = 32,
};

struct key {
	enum jws_algorithm algorithm;
	EVP_PKEY          *key;
	char               id[KEY_ID_BYTES_MAX + 1];
	size_t             id_length; /* 0: it has none */
};

struct jwks {
	size_t     count;
	struct key keys[JWKS_KEYS_MAX];
};

static const char *const names[JWS_ALGORITHM_COUNT] = {"RS256", "ES256", "EdDSA"};

static struct text string_of(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

/* ---- Keys ---- */

static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY     *key        = NULL;
	OSSL_PARAM   *parameters = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context    = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	assert(parameters != NULL && context != NULL); /* no memory */
	if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(parameters);
	return key;
}

static EVP_PKEY *read_rsa(struct json jwk)
{
	struct buffer n = {0}, e = {0};
	EVP_PKEY     *key = NULL;
	if (jws_read_base64(string_of(jwk, "n"), &n) && jws_read_base64(string_of(jwk, "e"), &e) &&
	    n.length > 0 && n.length <= RSA_BITS_MAX / 8 && e.length > 0 && e.length <= 8) {
		OSSL_PARAM_BLD *build    = OSSL_PARAM_BLD_new();
		BIGNUM         *modulus  = BN_bin2bn((const uint8_t *)n.data, (int)n.length, NULL);
		BIGNUM         *exponent = BN_bin2bn((const uint8_t *)e.data, (int)e.length, NULL);
		assert(build != NULL && modulus != NULL && exponent != NULL);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
		key = make("RSA", build);
		OSSL_PARAM_BLD_free(build);
		BN_free(modulus);
		BN_free(exponent);
	}
	buffer_done(&n);
	buffer_done(&e);
	if (key != NULL && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static EVP_PKEY *read_p256(struct json jwk)
{
	struct buffer point = {0};
	EVP_PKEY     *key   = NULL;
	buffer_add_u8(&point, 4); /* not compressed */
	if (text_equal(string_of(jwk, "crv"), TEXT("P-256")) &&
	    jws_read_base64(string_of(jwk, "x"), &point) && point.length == 1 + P256_BYTES &&
	    jws_read_base64(string_of(jwk, "y"), &point) && point.length == 1 + 2 * P256_BYTES) {
		OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
		assert(build != NULL);
		OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
		OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.length);
		key = make("EC", build); /* which looks whether the point is on the curve */
		OSSL_PARAM_BLD_free(build);
	}
	buffer_done(&point);
	return key;
}

static EVP_PKEY *read_ed25519(struct json jwk)
{
	struct buffer bytes = {0};
	EVP_PKEY     *key   = NULL;
	if (text_equal(string_of(jwk, "crv"), TEXT("Ed25519")) &&
	    jws_read_base64(string_of(jwk, "x"), &bytes) && bytes.length == ED25519_BYTES)
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)bytes.data,
		                                  bytes.length);
	buffer_done(&bytes);
	return key;
}

/* False: it is none that is taken. */
static bool read_key(struct json jwk, struct key *key)
{
	if (json_type(jwk) != JSON_OBJECT)
		return false;
	struct text kty = string_of(jwk, "kty"), use = string_of(jwk, "use");
	struct text alg = string_of(jwk, "alg"), kid = string_of(jwk, "kid");
	bool        rsa = text_equal(kty, TEXT("RSA")), ec = text_equal(kty, TEXT("EC"));
	if ((!rsa && !ec && !text_equal(kty, TEXT("OKP"))) || kid.length > KEY_ID_BYTES_MAX ||
	    (use.length > 0 && !text_equal(use, TEXT("sig"))))
		return false;
	key->algorithm = rsa ? JWS_RS256 : ec ? JWS_ES256 : JWS_EDDSA;
	if (alg.length > 0 && !text_equal(alg, text_of(names[key->algorithm])))
		return false;
	key->key = rsa ? read_rsa(jwk) : ec ? read_p256(jwk) : read_ed25519(jwk);
	if (kid.length > 0)
		memcpy(key->id, kid.data, kid.length);
	key->id_length = kid.length;
	return key->key != NULL;
}

enum status jwks_read(struct json root, struct jwks **ret_jwks, struct error *err)
{
	struct json list = json_type(root) == JSON_OBJECT ? json_get(root, "keys") : root;
	if (json_type(root) != JSON_OBJECT || json_type(list) != JSON_ARRAY)
		return error_set(err, STATUS_INVALID, "It is no set of keys");
	struct jwks *jwks = calloc(1, sizeof *jwks);
	assert(jwks != NULL);
	for (struct json_iterator i = json_iterate(list); jwks->count < JWKS_KEYS_MAX && json_next(&i);)
		if (read_key(i.value, &jwks->keys[jwks->count]))
			jwks->count++;
		else
			jwks->keys[jwks->count] = (struct key){0};
	if (jwks->count == 0) {
		jwks_free(jwks);
		return error_set(err, STATUS_INVALID,
		                 "The set has no key for signatures by RS256, ES256 or EdDSA");
	}
	*ret_jwks = jwks;
	return STATUS_OK;
}

void jwks_free(struct jwks *jwks)
{
	if (jwks == NULL)
		return;
	for (size_t i = 0; i < jwks->count; i++)
		EVP_PKEY_free(jwks->keys[i].key);
	free(jwks);
}

/* ---- Tokens ---- */

struct header {
	enum jws_algorithm algorithm;
	char               kid[KEY_ID_BYTES_MAX];
	size_t             kid_length; /* 0: it names none */
};

static bool read_header(struct json root, struct header *ret_header)
{
	if (json_type(root) != JSON_OBJECT || json_type(json_get(root, "crit")) != JSON_NONE)
		return false;
	struct text alg = string_of(root, "alg"), kid = string_of(root, "kid");
	unsigned    at = 0;
	while (at < JWS_ALGORITHM_COUNT && !text_equal(alg, text_of(names[at])))
		at++;
	if (at == JWS_ALGORITHM_COUNT || kid.length > KEY_ID_BYTES_MAX)
		return false;
	ret_header->algorithm  = (enum jws_algorithm)at;
	ret_header->kid_length = kid.length;
	if (kid.length > 0)
		memcpy(ret_header->kid, kid.data, kid.length);
	return true;
}

static bool parse_header(struct text encoded, struct header *ret_header)
{
	struct buffer text = {0};
	struct json   root;
	bool          valid = jws_read_base64(encoded, &text);
	if (valid) {
		struct json_parser *parser = json_parser_new();
		valid = json_parse_text(parser, buffer_text(&text), &root, NULL) == STATUS_OK &&
		        read_header(root, ret_header);
		json_parser_free(parser);
	}
	buffer_done(&text);
	return valid;
}

static bool is_named(const struct key *key, const struct header *header)
{
	return key->algorithm == header->algorithm &&
	       (header->kid_length == 0 || text_equal((struct text){key->id, key->id_length},
	                                              (struct text){header->kid, header->kid_length}));
}

enum status jwks_verify(const struct jwks *jwks, struct text token, struct buffer *out,
                        enum jws_algorithm *ret_algorithm, struct error *err)
{
	struct jws    jws;
	struct header header;
	struct buffer signature = {0};
	size_t        begin = out->length, named = 0;
	bool          valid = false;
	if (!jws_split(token, JWKS_TOKEN_BYTES_MAX, &jws) || !parse_header(jws.header, &header) ||
	    !jws_read_base64(jws.signature, &signature)) {
		buffer_done(&signature);
		return error_set(err, STATUS_UNAUTHORIZED,
		                 "The ID token is not signed by RS256, ES256 or EdDSA");
	}
	for (size_t i = 0; i < jwks->count && !valid; i++)
		if (is_named(&jwks->keys[i], &header)) {
			named++;
			valid = jws_is_signed(header.algorithm, jwks->keys[i].key, jws.covered,
			                      buffer_text(&signature));
		}
	valid = valid && jws_read_base64(jws.claims, out);
	buffer_done(&signature);
	if (!valid) {
		out->length = begin;
		return named == 0 || header.kid_length == 0
		           ? error_set(err, STATUS_NOT_FOUND,
		                       "The ID token is signed with a key that is not published")
		           : error_set(err, STATUS_UNAUTHORIZED, "The signature of the ID token is wrong");
	}
	*ret_algorithm = header.algorithm;
	return STATUS_OK;
}
