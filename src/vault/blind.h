#ifndef SONNIM_VAULT_BLIND_H
#define SONNIM_VAULT_BLIND_H

/* Blind indexes: by which e-mail addresses and telephone numbers are found and compared without
 * being told. SipHash-2-4 with 128-bit output, under a key that follows from the keyring and stays
 * when the master key changes, of the kind (1 byte) and the normalised value:
 *
 *   e-mail  blanks around it cut off, ASCII letters in lower case, decomposed Hangul composed (as
 *           NFC does); one @ with something on both sides, at most 254 bytes
 *   phone   blanks and -./() left out; +, or 00, before the number of a country; 0 before one of
 *           the default country; else the number is taken as beginning with a country's. The 0
 *           behind the default country's own number is dropped (+82 (0)10 …). 5 to 15 digits
 *
 * This is the one place that says so: it is sealed into records as it is, so that changing it
 * changes nothing about what was stored before. */

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/text.h"
#include "model/personal.h"

enum { BLIND_COUNTRY_DIGITS_MAX = 3 };

struct blind {
	uint8_t key[HASH_KEY_BYTES];
	char    country[BLIND_COUNTRY_DIGITS_MAX + 1]; /* "82" */
};

/* The index of an e-mail address or phone. False: it is none; `*ret_reason` (may be NULL) says so.
 * Any thread. */
bool blind_index(const struct blind *blind, enum personal_index kind, struct text value,
                 char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason);

#endif
