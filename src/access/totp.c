#include "access/totp.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { SHA1_BYTES = 20, CODES = 1000000 };

int64_t totp_step(int64_t now_ms) { return now_ms / 1000 / TOTP_STEP_S; }

void totp_code(const uint8_t secret[TOTP_SECRET_BYTES], int64_t step,
               char ret_code[TOTP_DIGITS + 1])
{
	uint8_t  counter[8], mac[SHA1_BYTES];
	unsigned length = 0;
	for (int i = 0; i < 8; i++)
		counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
	const uint8_t *made =
		HMAC(EVP_sha1(), secret, TOTP_SECRET_BYTES, counter, sizeof counter, mac, &length);
	assert(made != NULL && length == sizeof mac);
	const uint8_t *at = mac + (mac[SHA1_BYTES - 1] & 15); /* RFC 4226, 5.3 */
	uint32_t       number =
		(uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	snprintf(ret_code, TOTP_DIGITS + 1, "%0*u", TOTP_DIGITS, number % CODES);
	sodium_memzero(mac, sizeof mac);
}

bool totp_find(const uint8_t secret[TOTP_SECRET_BYTES], struct text code, int64_t now_ms,
               int64_t after, int64_t *ret_step)
{
	bool    found = false;
	int64_t now   = totp_step(now_ms);
	if (code.length != TOTP_DIGITS)
		return false;
	for (int64_t step = now - TOTP_STEPS_ASTRAY; step <= now + TOTP_STEPS_ASTRAY; step++) {
		char wanted[TOTP_DIGITS + 1];
		totp_code(secret, step, wanted);
		if (sodium_memcmp(wanted, code.data, TOTP_DIGITS) == 0 && step > after && !found) {
			*ret_step = step;
			found     = true;
		}
	}
	return found;
}

/* RFC 4648, without padding: the bytes are a multiple of five. */
void totp_secret_text(const uint8_t secret[TOTP_SECRET_BYTES], char ret_text[TOTP_SECRET_TEXT])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	size_t            length     = 0;
	for (size_t begin = 0; begin < TOTP_SECRET_BYTES; begin += 5) {
		uint64_t bits = 0;
		for (size_t i = 0; i < 5; i++)
			bits = bits << 8 | secret[begin + i];
		for (int shift = 35; shift >= 0; shift -= 5)
			ret_text[length++] = alphabet[bits >> shift & 31];
	}
	ret_text[length] = '\0';
}
