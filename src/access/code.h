#ifndef SONNIM_ACCESS_CODE_H
#define SONNIM_ACCESS_CODE_H

/* Texts that are given out and recognised without asking the store, since they bear a message code
 * (HMAC-SHA-256, its first 16 bytes) under the secret beside the signing keys:
 *
 *   prefix  base64url( id (16) | number (8, little endian) | random (16) | code (16) )
 *
 * The prefix says what for, and the code covers it. */

#include <stdbool.h>
#include <stdint.h>

#include "access/signing_keys.h"
#include "base/hash.h"
#include "base/text.h"

enum { CODE_TEXT_BYTES = 80, CODE_PREFIX_BYTES = 4 };

struct code {
	char     id[UUID_TEXT_BYTES];
	uint64_t number;
};

/* `prefix`: CODE_PREFIX_BYTES characters. */
void code_write(const uint8_t secret[SIGNING_SECRET_BYTES], const char *prefix,
                const struct code *code, char ret_text[CODE_TEXT_BYTES]);

/* False: it is none of ours, or for something else. */
bool code_read(const uint8_t secret[SIGNING_SECRET_BYTES], const char *prefix, struct text text,
               struct code *ret_code);

/* The hash by which something is found that must not stand in clear: HMAC-SHA-256 under the
 * secret, of `purpose` and the text. */
void code_hash(const uint8_t secret[SIGNING_SECRET_BYTES], const char *purpose, struct text text,
               uint8_t ret_hash[SHA256_BYTES]);

#endif
