#include "access/jwt.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdlib.h>

#include "access/jws.h"
#include "base/hash.h"

enum { HMAC_BYTES = crypto_auth_hmacsha256_BYTES, SECRET_BYTES = 32, RSA_BITS = 2048 };

struct jwt_key {
	enum jwt_algorithm algorithm;
	char               id[JWT_KEY_ID_BYTES];
	uint8_t            secret[SECRET_BYTES]; /* of HS256 */
	EVP_PKEY          *pair;                 /* of the others */
};

static const char *const names[JWT_ALGORITHM_COUNT] = {"HS256", "RS256", "EdDSA"};

const char *jwt_algorithm_name(enum jwt_algorithm algorithm) { return names[algorithm]; }

bool jwt_algorithm_of(struct text name, enum jwt_algorithm *ret_algorithm)
{
	for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++)
		if (text_equal(name, text_of(names[i]))) {
			*ret_algorithm = (enum jwt_algorithm)i;
			return true;
		}
	return false;
}

/* ---- Keys ---- */

static struct jwt_key *new_key(enum jwt_algorithm algorithm)
{
	struct jwt_key *key = calloc(1, sizeof *key);
	assert(key != NULL);
	key->algorithm = algorithm;
	return key;
}

struct jwt_key *jwt_key_new(enum jwt_algorithm algorithm)
{
	struct jwt_key *key = new_key(algorithm);
	uuid_new(key->id);
	if (algorithm == JWT_HS256)
		random_bytes(key->secret, sizeof key->secret);
	else if (algorithm == JWT_RS256)
		key->pair = EVP_RSA_gen(RSA_BITS);
	else
		key->pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (algorithm != JWT_HS256 && key->pair == NULL) {
		jwt_key_free(key);
		return NULL;
	}
	return key;
}

static bool fits(enum jwt_algorithm algorithm, const EVP_PKEY *pair)
{
	if (pair == NULL)
		return false;
	return algorithm == JWT_RS256
	           ? EVP_PKEY_is_a(pair, "RSA") && EVP_PKEY_get_bits(pair) >= RSA_BITS
	           : EVP_PKEY_is_a(pair, "ED25519");
}

enum status jwt_key_read(enum jwt_algorithm algorithm, struct text id, struct text secret,
                         struct jwt_key **ret_key, struct error *err)
{
	struct jwt_key *key   = new_key(algorithm);
	bool            valid = uuid_valid(id);
	if (valid)
		memcpy(key->id, id.data, id.length);
	if (algorithm == JWT_HS256) {
		valid &= secret.length == sizeof key->secret;
		if (valid)
			memcpy(key->secret, secret.data, secret.length);
	} else {
		const uint8_t *at = (const uint8_t *)secret.data;
		key->pair         = d2i_AutoPrivateKey(NULL, &at, (long)secret.length);
		valid &= fits(algorithm, key->pair);
	}
	if (!valid) {
		jwt_key_free(key);
		return error_set(err, STATUS_CORRUPT, "It is no key of %s", names[algorithm]);
	}
	*ret_key = key;
	return STATUS_OK;
}

void jwt_key_free(struct jwt_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pair);
	sodium_memzero(key, sizeof *key);
	free(key);
}

const char *jwt_key_id(const struct jwt_key *key) { return key->id; }

enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key) { return key->algorithm; }

void jwt_key_secret(const struct jwt_key *key, struct buffer *out)
{
	if (key->algorithm == JWT_HS256) {
		buffer_add(out, key->secret, sizeof key->secret);
		return;
	}
	uint8_t *der    = NULL;
	int      length = i2d_PrivateKey(key->pair, &der);
	assert(length > 0);
	buffer_add(out, der, (size_t)length);
	OPENSSL_clear_free(der, (size_t)length);
}

static void add_bytes(struct json_writer *w, const char *name, const void *data, size_t length)
{
	struct buffer text = {0};
	jws_add_base64(&text, data, length);
	json_member_string(w, name, buffer_text(&text));
	buffer_done(&text);
}

static void add_number(struct json_writer *w, const char *name, const EVP_PKEY *pair,
                       const char *parameter)
{
	BIGNUM *number = NULL;
	uint8_t bytes[512];
	int     found = EVP_PKEY_get_bn_param(pair, parameter, &number);
	assert(found == 1 && (size_t)BN_num_bytes(number) <= sizeof bytes);
	int length = BN_bn2bin(number, bytes);
	add_bytes(w, name, bytes, (size_t)length);
	BN_free(number);
}

void jwt_key_write_public(const struct jwt_key *key, struct json_writer *w)
{
	if (key->algorithm == JWT_HS256)
		return;
	json_begin_object(w);
	json_member_string(w, "kty", key->algorithm == JWT_RS256 ? TEXT("RSA") : TEXT("OKP"));
	json_member_string(w, "use", TEXT("sig"));
	json_member_string(w, "alg", text_of(names[key->algorithm]));
	json_member_string(w, "kid", text_of(key->id));
	if (key->algorithm == JWT_RS256) {
		add_number(w, "n", key->pair, OSSL_PKEY_PARAM_RSA_N);
		add_number(w, "e", key->pair, OSSL_PKEY_PARAM_RSA_E);
	} else {
		uint8_t bytes[SECRET_BYTES];
		size_t  length = sizeof bytes;
		int     found  = EVP_PKEY_get_raw_public_key(key->pair, bytes, &length);
		assert(found == 1);
		json_member_string(w, "crv", TEXT("Ed25519"));
		add_bytes(w, "x", bytes, length);
	}
	json_end_object(w);
}

/* ---- Signatures ---- */

static void add_signature(const struct jwt_key *key, struct text text, struct buffer *out)
{
	if (key->algorithm == JWT_HS256) {
		uint8_t mac[HMAC_BYTES];
		crypto_auth_hmacsha256(mac, (const uint8_t *)text.data, text.length, key->secret);
		buffer_add(out, mac, sizeof mac);
		return;
	}
	EVP_MD_CTX   *context = EVP_MD_CTX_new();
	const EVP_MD *digest  = key->algorithm == JWT_RS256 ? EVP_sha256() : NULL;
	size_t        length  = 0;
	assert(context != NULL);
	bool signed_ =
		EVP_DigestSignInit(context, NULL, digest, NULL, key->pair) == 1 &&
		EVP_DigestSign(context, NULL, &length, (const uint8_t *)text.data, text.length) == 1;
	assert(signed_);
	uint8_t *at = (uint8_t *)buffer_reserve(out, length);
	signed_ = EVP_DigestSign(context, at, &length, (const uint8_t *)text.data, text.length) == 1;
	assert(signed_);
	out->length += length;
	EVP_MD_CTX_free(context);
}

static bool is_signed(const struct jwt_key *key, struct text text, struct text signature)
{
	if (key->algorithm == JWT_HS256)
		return signature.length == HMAC_BYTES &&
		       crypto_auth_hmacsha256_verify((const uint8_t *)signature.data,
		                                     (const uint8_t *)text.data, text.length,
		                                     key->secret) == 0;
	return jws_is_signed(key->algorithm == JWT_RS256 ? JWS_RS256 : JWS_EDDSA, key->pair, text,
	                     signature);
}

void jwt_sign(const struct jwt_key *key, struct text claims, struct buffer *out)
{
	struct buffer      header = {0}, signature = {0};
	struct json_writer w     = json_writer_of(&header);
	size_t             begin = out->length;
	json_begin_object(&w);
	json_member_string(&w, "alg", text_of(names[key->algorithm]));
	json_member_string(&w, "typ", TEXT("JWT"));
	json_member_string(&w, "kid", text_of(key->id));
	json_end_object(&w);
	jws_add_base64(out, header.data, header.length);
	buffer_add_text(out, TEXT("."));
	jws_add_base64(out, claims.data, claims.length);
	add_signature(key, (struct text){out->data + begin, out->length - begin}, &signature);
	buffer_add_text(out, TEXT("."));
	jws_add_base64(out, signature.data, signature.length);
	buffer_done(&header);
	buffer_done(&signature);
}

/* ---- Reading ---- */

bool jwt_has_form(struct text token)
{
	struct jws parts;
	return jws_split(token, JWT_BYTES_MAX, &parts);
}

/* Exactly alg, kid and, if it is there, typ "JWT"; each once. */
static bool read_header(struct json header, enum jwt_algorithm *ret_algorithm,
                        char ret_id[JWT_KEY_ID_BYTES])
{
	unsigned alg = 0, kid = 0, typ = 0, other = 0;
	if (json_type(header) != JSON_OBJECT)
		return false;
	for (struct json_iterator i = json_iterate(header); json_next(&i);) {
		bool        string = json_type(i.value) == JSON_STRING;
		struct text value  = string ? json_string(i.value) : TEXT("");
		if (text_equal(i.name, TEXT("alg")) && jwt_algorithm_of(value, ret_algorithm)) {
			alg++;
		} else if (text_equal(i.name, TEXT("kid")) && uuid_valid(value)) {
			memcpy(ret_id, value.data, value.length);
			ret_id[value.length] = '\0';
			kid++;
		} else if (text_equal(i.name, TEXT("typ")) && text_equal(value, TEXT("JWT"))) {
			typ++;
		} else {
			other++;
		}
	}
	return alg == 1 && kid == 1 && typ <= 1 && other == 0;
}

static bool parse_header(struct text token, struct jws *ret_parts,
                         enum jwt_algorithm *ret_algorithm, char ret_id[JWT_KEY_ID_BYTES])
{
	struct buffer header = {0};
	struct json   root;
	bool          valid =
		jws_split(token, JWT_BYTES_MAX, ret_parts) && jws_read_base64(ret_parts->header, &header);
	if (valid) {
		struct json_parser *parser = json_parser_new();
		valid = json_parse_text(parser, buffer_text(&header), &root, NULL) == STATUS_OK &&
		        read_header(root, ret_algorithm, ret_id);
		json_parser_free(parser);
	}
	buffer_done(&header);
	return valid;
}

bool jwt_read_key_id(struct text token, char ret_id[JWT_KEY_ID_BYTES])
{
	struct jws         parts;
	enum jwt_algorithm algorithm;
	return parse_header(token, &parts, &algorithm, ret_id);
}

enum status jwt_verify(const struct jwt_key *key, struct text token, struct buffer *out,
                       struct error *err)
{
	struct jws         parts;
	enum jwt_algorithm algorithm;
	char               id[JWT_KEY_ID_BYTES];
	struct buffer      signature = {0};
	size_t             begin     = out->length;
	bool valid = parse_header(token, &parts, &algorithm, id) && algorithm == key->algorithm &&
	             text_equal(text_of(id), text_of(key->id)) &&
	             jws_read_base64(parts.signature, &signature) &&
	             is_signed(key, parts.covered, buffer_text(&signature)) &&
	             jws_read_base64(parts.claims, out);
	buffer_done(&signature);
	if (!valid) {
		out->length = begin;
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	}
	return STATUS_OK;
}
