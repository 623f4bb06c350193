#ifndef SONNIM_AUDIT_KEY_H
#define SONNIM_AUDIT_KEY_H

/* The keys that sign the audit trail (Ed25519, RFC 8032, by libsodium), in KEYRING/audit.key, 0600:
 * a line of 64 hexadecimal digits for each seed. The last one signs; those before it are kept for
 * what they have signed, so that a key is changed by adding a line and a restart.
 *
 * A head says that the chain up to `seq` is this one. What is signed are these lines of text:
 *
 *   sonnim audit 1 \n WORKSPACE \n SEQ \n MILLISECONDS \n HASH \n      (hexadecimal, decimal)
 *
 * which a signed record and a head that was sent elsewhere have in common. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

enum {
	AUDIT_KEYS_MAX         = 16,
	AUDIT_KEY_ID_BYTES     = 8,
	AUDIT_SIGNATURE_BYTES  = 64,
	AUDIT_PUBLIC_KEY_BYTES = 32,
	AUDIT_SECRET_KEY_BYTES = 64,
};

struct audit_key {
	uint8_t id[AUDIT_KEY_ID_BYTES]; /* the SHA-256 of the public key begins with it */
	uint8_t public_key[AUDIT_PUBLIC_KEY_BYTES];
	uint8_t secret_key[AUDIT_SECRET_KEY_BYTES]; /* zeros: it can only be verified with */
};

struct audit_keys {
	struct audit_key items[AUDIT_KEYS_MAX];
	size_t           count;
};

/* Reads the keys, or makes the first one when `create`. STATUS_NOT_FOUND: there is no file;
 * STATUS_CORRUPT: it is no list of seeds. Wipe them when they are done with. */
MUST_USE enum status audit_keys_read(const char *keyring_directory, bool create,
                                     struct audit_keys *ret_keys, struct error *err);
void                 audit_keys_wipe(struct audit_keys *keys);

/* Adds a key that can only be verified with: 64 hexadecimal digits. STATUS_INVALID. */
MUST_USE enum status audit_keys_add_public(struct audit_keys *keys, struct text digits,
                                           struct error *err);

/* NULL: there is no such key. */
const struct audit_key *audit_keys_find(const struct audit_keys *keys,
                                        const uint8_t            id[AUDIT_KEY_ID_BYTES]);

struct audit_head {
	uint8_t  workspace_id[16];
	uint64_t seq;
	int64_t  at_ms;
	uint8_t  hash[SHA256_BYTES];
	uint8_t  key_id[AUDIT_KEY_ID_BYTES];
	uint8_t  signature[AUDIT_SIGNATURE_BYTES];
};

/* Signs the first four members. */
void audit_head_sign(struct audit_head *head, const struct audit_key *key);
bool audit_head_verify(const struct audit_head *head, const struct audit_keys *keys);

/* {"workspace":"…","seq":7,"timestamp":"…","hash":"…","key":"…","signature":"…"} */
void audit_head_write(const struct audit_head *head, struct buffer *out);

/* STATUS_INVALID: it is no head. Blanks around it do not count. */
MUST_USE enum status audit_head_read(struct text text, struct audit_head *ret_head,
                                     struct error *err);

#endif
