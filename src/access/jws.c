#include "access/jws.h"

#include <assert.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

enum { P256_BYTES = 32, DER_BYTES_MAX = 80 };

bool jws_split(struct text token, size_t bytes_max, struct jws *ret_jws)
{
	if (token.length > bytes_max || token.length == 0)
		return false;
	const char *end   = token.data + token.length;
	const char *first = memchr(token.data, '.', token.length);
	const char *last  = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
	if (last == NULL || memchr(last + 1, '.', (size_t)(end - last - 1)) != NULL)
		return false;
	ret_jws->header    = (struct text){token.data, (size_t)(first - token.data)};
	ret_jws->claims    = (struct text){first + 1, (size_t)(last - first - 1)};
	ret_jws->signature = (struct text){last + 1, (size_t)(end - last - 1)};
	ret_jws->covered   = (struct text){token.data, (size_t)(last - token.data)};
	return true;
}

void jws_add_base64(struct buffer *out, const void *data, size_t length)
{
	size_t size = sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char  *at   = buffer_reserve(out, size);
	sodium_bin2base64(at, size, data, length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	out->length += size - 1;
}

/* libsodium's decoder is strict: no other alphabet, no bits left over. */
bool jws_read_base64(struct text text, struct buffer *out)
{
	size_t      length = 0;
	const char *end    = NULL;
	char       *at     = buffer_reserve(out, text.length + 1);
	bool valid = sodium_base642bin((uint8_t *)at, text.length + 1, text.data, text.length, NULL,
	                               &length, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	             end == text.data + text.length;
	out->length += valid ? length : 0;
	return valid;
}

/* RFC 7518, 3.4: two numbers of 32 bytes each, which libcrypto takes as ASN.1. */
static bool to_der(struct text signature, uint8_t ret_der[DER_BYTES_MAX], size_t *ret_length)
{
	if (signature.length != 2 * P256_BYTES)
		return false;
	const uint8_t *bytes = (const uint8_t *)signature.data;
	ECDSA_SIG     *pair  = ECDSA_SIG_new();
	BIGNUM        *r     = BN_bin2bn(bytes, P256_BYTES, NULL);
	BIGNUM        *s     = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
	assert(pair != NULL && r != NULL && s != NULL); /* no memory */
	ECDSA_SIG_set0(pair, r, s);
	uint8_t *at     = ret_der;
	int      length = i2d_ECDSA_SIG(pair, NULL);
	bool     fits   = length > 0 && length <= DER_BYTES_MAX;
	if (fits)
		*ret_length = (size_t)i2d_ECDSA_SIG(pair, &at);
	ECDSA_SIG_free(pair);
	return fits;
}

bool jws_is_signed(enum jws_algorithm algorithm, EVP_PKEY *key, struct text covered,
                   struct text signature)
{
	uint8_t        der[DER_BYTES_MAX];
	const uint8_t *bytes  = (const uint8_t *)signature.data;
	size_t         length = signature.length;
	if (algorithm == JWS_ES256) {
		if (!to_der(signature, der, &length))
			return false;
		bytes = der;
	}
	EVP_MD_CTX   *context = EVP_MD_CTX_new();
	const EVP_MD *digest  = algorithm == JWS_EDDSA ? NULL : EVP_sha256();
	assert(context != NULL);
	bool valid = EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
	             EVP_DigestVerify(context, bytes, length, (const uint8_t *)covered.data,
	                              covered.length) == 1;
	EVP_MD_CTX_free(context);
	return valid;
}
