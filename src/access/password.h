#ifndef SONNIM_ACCESS_PASSWORD_H
#define SONNIM_ACCESS_PASSWORD_H

/* Passwords, as argon2id (RFC 9106, libsodium). What is kept is libsodium's text, which names its
 * own parameters:  $argon2id$v=19$m=65536,t=3,p=1$salt$hash
 *
 * Cost: PASSWORD_MEMORY_BYTES and about 0.1 s of one processor for each hash and each comparison:
 * the caller limits how many run at once. Threads: any. */

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum {
	PASSWORD_BYTES_MIN    = 12,
	PASSWORD_BYTES_MAX    = 256,
	PASSWORD_MEMORY_BYTES = 64 << 20,
	PASSWORD_PASSES       = 3,
	PASSWORD_HASH_BYTES   = 128, /* of the text, with its NUL */
};

/* Whether somebody of this e-mail address and name may choose it: its length, not one character
 * alone, not what everybody knows of him. STATUS_INVALID with the field "password". */
MUST_USE enum status password_check(struct text password, struct text email, struct text name,
                                    struct error *err);

/* STATUS_NO_MEMORY (retriable): there is not enough for one more. */
MUST_USE enum status password_hash(struct text password, char ret_hash[PASSWORD_HASH_BYTES],
                                   struct error *err);

/* Whether it is the password. `hash` NULL: there is none to compare with (an unknown person), which
 * takes as long, and is false. */
bool password_matches(const char *hash, struct text password);

/* Whether it was made with other parameters than today's, so that it is to be made anew. */
bool password_is_outdated(const char *hash);

#endif
