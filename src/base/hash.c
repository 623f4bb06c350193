#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(crypto_shorthash_KEYBYTES == HASH_KEY_BYTES, "SipHash takes 128 bits");
_Static_assert(crypto_hash_sha256_BYTES == SHA256_BYTES, "SHA-256 gives 256 bits");

uint64_t hash_bytes(const void *data, size_t length) { return XXH3_64bits(data, length); }

uint64_t hash_bytes_seeded(const void *data, size_t length, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, length, seed);
}

uint64_t hash_keyed(const uint8_t key[HASH_KEY_BYTES], const void *data, size_t length)
{
	uint64_t hash;
	_Static_assert(crypto_shorthash_BYTES == sizeof hash, "SipHash gives 64 bits");
	crypto_shorthash((unsigned char *)&hash, data, length, key);
	return hash;
}

void hash_sha256(const void *data, size_t length, uint8_t ret_digest[SHA256_BYTES])
{
	crypto_hash_sha256(ret_digest, data, length);
}

uint32_t hash_name(struct text name)
{
	uint64_t hash   = hash_bytes(name.data, name.length);
	uint32_t folded = (uint32_t)(hash ^ (hash >> 32));
	return folded == 0 ? 1 : folded;
}

void hash_hex(const uint8_t *data, size_t length, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < length; i++) {
		ret_text[2 * i]     = digits[data[i] >> 4];
		ret_text[2 * i + 1] = digits[data[i] & 15];
	}
	ret_text[2 * length] = '\0';
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hash_unhex(struct text hex, uint8_t *ret_data, size_t length)
{
	if (hex.length != 2 * length)
		return false;
	for (size_t i = 0; i < hex.length; i++)
		if (digit_of(hex.data[i]) < 0)
			return false;
	for (size_t i = 0; i < length; i++)
		ret_data[i] = (uint8_t)(digit_of(hex.data[2 * i]) << 4 | digit_of(hex.data[2 * i + 1]));
	return true;
}

void random_bytes(void *into, size_t length)
{
	uint8_t *at = into;
	while (length > 0) {
		ssize_t got = getrandom(at, length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		/* A process without randomness must not make keys. */
		if (got <= 0)
			abort();
		at += got;
		length -= (size_t)got;
	}
}

void uuid_new(char ret_text[UUID_TEXT_BYTES])
{
	uint8_t id[16];
	random_bytes(id, sizeof id);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* version 4 */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80); /* variant of RFC 9562 */

	char hex[2 * sizeof id + 1];
	hash_hex(id, sizeof id, hex);
	snprintf(ret_text, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	         hex + 16, hex + 20);
}

bool uuid_valid(struct text text)
{
	if (text.length != UUID_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text.data[i] != '-' : digit_of(text.data[i]) < 0)
			return false;
	}
	return true;
}

bool uuid_bytes(struct text text, uint8_t ret_bytes[UUID_BYTES])
{
	char   digits[2 * UUID_BYTES];
	size_t count = 0;
	if (!uuid_valid(text))
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] != '-')
			digits[count++] = text.data[i];
	return hash_unhex((struct text){digits, count}, ret_bytes, UUID_BYTES);
}

bool constant_time_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || sodium_memcmp(a.data, b.data, a.length) == 0);
}
