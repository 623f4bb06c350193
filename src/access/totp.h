#ifndef SONNIM_ACCESS_TOTP_H
#define SONNIM_ACCESS_TOTP_H

/* Codes by time (RFC 6238 over RFC 4226): HMAC-SHA-1, six digits, one for each TOTP_STEP_S since
 * 1970, as every authenticator app makes them. The clock of who shows one may be a step astray
 * either way. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum {
	TOTP_SECRET_BYTES = 20, /* as many as the hash has: RFC 4226, 4 */
	TOTP_SECRET_TEXT  = 33, /* in base32, with its NUL */
	TOTP_DIGITS       = 6,
	TOTP_STEP_S       = 30,
	TOTP_STEPS_ASTRAY = 1,
};

int64_t totp_step(int64_t now_ms);

/* The code of a step. */
void totp_code(const uint8_t secret[TOTP_SECRET_BYTES], int64_t step,
               char ret_code[TOTP_DIGITS + 1]);

/* The step behind `after` and around `now_ms` whose code it is; false: there is none. */
bool totp_find(const uint8_t secret[TOTP_SECRET_BYTES], struct text code, int64_t now_ms,
               int64_t after, int64_t *ret_step);

void totp_secret_text(const uint8_t secret[TOTP_SECRET_BYTES], char ret_text[TOTP_SECRET_TEXT]);

#endif
