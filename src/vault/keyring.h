#ifndef SONNIM_VAULT_KEYRING_H
#define SONNIM_VAULT_KEYRING_H

/* The keyring's directory: the master key, and the keys of the hashes that it wraps.
 *
 *   KEYRING/ (0700)  master.key  32 random bytes as hexadecimal digits and a newline, 0600
 *                    keys.log    vault/keys_log.h, 0600
 *
 * The secrets lie in locked memory with guard pages, outside of core dumps, and are wiped. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "vault/cipher.h"
#include "vault/id_index.h"

struct keyring {
	uint8_t master[CIPHER_KEY_BYTES];
	uint8_t lookup[HASH_KEY_BYTES]; /* of the hash of an external id */
	uint8_t mask[HASH_KEY_BYTES];   /* of what hides that hash in persons.log */
};

/* Reads the keyring, or makes it when `create` (there is no data yet that needs one). `*ret_fd` is
 * that of keys.log, `*ret_path` its path (malloc), `*ret_lock_fd` holds the directory's lock.
 * STATUS_NOT_FOUND: there is none; STATUS_CORRUPT: another workspace's, or another master key;
 * STATUS_CONFLICT: another process uses it. */
MUST_USE enum status keyring_open(const char *directory, const uint8_t workspace_id[16],
                                  bool create, struct keyring **ret_keyring, int *ret_fd,
                                  char **ret_path, int *ret_lock_fd, struct error *err);
void                 keyring_free(struct keyring *keyring);

/* The key of blind indexes (vault/blind.h): the same way. */
void keyring_blind(const struct keyring *keyring, uint8_t ret_key[HASH_KEY_BYTES]);

/* The hash by which an id is found. */
struct id_hash keyring_hash(const struct keyring *keyring, uint8_t namespace, struct text id);

/* The hash hidden in, or taken out of, an entry of persons.log. `nonce` tells the entries of one
 * person apart. */
struct id_hash keyring_mask(const struct keyring *keyring, struct id_hash hash, uint64_t seed,
                            uint64_t number, uint64_t nonce);

/* The key of what belongs to no person: HMAC-SHA-256 under both keys of the hashes, so that it
 * stays when the master key changes. */
void keyring_common(const struct keyring *keyring, uint8_t ret_key[CIPHER_KEY_BYTES]);

#endif
