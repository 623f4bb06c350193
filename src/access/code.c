#include "access/code.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 16, RANDOM_BYTES = 16, CODE_BYTES = 16 };

struct content {
	uint8_t id[ID_BYTES];
	uint8_t number[8];
	uint8_t random[RANDOM_BYTES];
	uint8_t code[CODE_BYTES];
};

_Static_assert(sizeof(struct content) == 56, "no gaps: it is written as it lies in memory");

void code_hash(const uint8_t secret[SIGNING_SECRET_BYTES], const char *purpose, struct text text,
               uint8_t ret_hash[SHA256_BYTES])
{
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, secret, SIGNING_SECRET_BYTES);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)text.data, text.length);
	crypto_auth_hmacsha256_final(&state, ret_hash);
}

static void sign(const uint8_t secret[SIGNING_SECRET_BYTES], const char *prefix,
                 const struct content *content, uint8_t ret_code[CODE_BYTES])
{
	uint8_t     hash[SHA256_BYTES];
	struct text covered = {(const char *)content, offsetof(struct content, code)};
	code_hash(secret, prefix, covered, hash);
	memcpy(ret_code, hash, CODE_BYTES);
}

void code_write(const uint8_t secret[SIGNING_SECRET_BYTES], const char *prefix,
                const struct code *code, char ret_text[CODE_TEXT_BYTES])
{
	struct content content;
	char           digits[2 * ID_BYTES + 1];
	size_t         length = 0;
	for (const char *at = code->id; *at != '\0' && length < 2 * ID_BYTES; at++)
		if (*at != '-')
			digits[length++] = *at;
	bool valid = hash_unhex((struct text){digits, length}, content.id, ID_BYTES);
	assert(valid && strlen(prefix) == CODE_PREFIX_BYTES);
	memcpy(content.number, &code->number, sizeof content.number);
	random_bytes(content.random, sizeof content.random);
	sign(secret, prefix, &content, content.code);
	memcpy(ret_text, prefix, CODE_PREFIX_BYTES);
	sodium_bin2base64(ret_text + CODE_PREFIX_BYTES, CODE_TEXT_BYTES - CODE_PREFIX_BYTES,
	                  (const uint8_t *)&content, sizeof content,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool code_read(const uint8_t secret[SIGNING_SECRET_BYTES], const char *prefix, struct text text,
               struct code *ret_code)
{
	struct content content;
	uint8_t        code[CODE_BYTES];
	char           hex[2 * ID_BYTES + 1];
	size_t         length = 0;
	if (!text_starts_with(text, text_of(prefix)) || text.length >= CODE_TEXT_BYTES ||
	    sodium_base642bin((uint8_t *)&content, sizeof content, text.data + CODE_PREFIX_BYTES,
	                      text.length - CODE_PREFIX_BYTES, NULL, &length, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    length != sizeof content)
		return false;
	sign(secret, prefix, &content, code);
	if (sodium_memcmp(code, content.code, sizeof code) != 0)
		return false;
	hash_hex(content.id, ID_BYTES, hex);
	snprintf(ret_code->id, sizeof ret_code->id, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	         hex + 16, hex + 20);
	memcpy(&ret_code->number, content.number, sizeof ret_code->number);
	return true;
}
