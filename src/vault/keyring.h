#ifndef SONNIM_VAULT_KEYRING_H
#define SONNIM_VAULT_KEYRING_H

/* The keyring's directory: the master key, and the keys of the hashes that it wraps.
 *
 *   KEYRING/ (0700)  master.key  32 random bytes as hexadecimal digits and a newline, 0600;
 *                                none where the master key comes from a command or a variable
 *                    keys.log    vault/keys_log.h, 0600
 *                    rotation    while the master key is being replaced: the old one and the new
 *                                one, each wrapped by the other
 *
 * A rotation wraps what the old master key wrapped by the new one, entry by entry in place, and can
 * be interrupted at any instant: from its begin to its end the file `rotation` lies there, with
 * which either key yields both, and each entry is wrapped by one of them. What was interrupted is
 * finished when the vault opens. Whoever has the old key and no `rotation` has nothing.
 *
 * The secrets lie in locked memory with guard pages, outside of core dumps, and are wiped. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "vault/cipher.h"
#include "vault/id_index.h"

struct keyring {
	pthread_rwlock_t lock; /* of the three that follow */
	uint8_t          master[CIPHER_KEY_BYTES];
	uint8_t          previous[CIPHER_KEY_BYTES];
	bool             rotating; /* some entries are wrapped by `previous` */

	uint8_t lookup[HASH_KEY_BYTES]; /* of the hash of an external id */
	uint8_t mask[HASH_KEY_BYTES];   /* of what hides that hash in persons.log */
};

/* Where the master key comes from; both NULL: from master.key, which is made when it is missing. */
struct master_source {
	const char *command;  /* prints it (vault/secret_key.h) */
	const char *variable; /* of the environment: its name. What stands in NAME_PREVIOUS is the key
	                       * that it replaces: a start rotates */
};

/* Reads the keyring, or makes it when `create` (there is no data yet that needs one). `*ret_fd` is
 * that of keys.log, `*ret_path` its path (malloc), `*ret_lock_fd` holds the directory's lock.
 * STATUS_NOT_FOUND: there is none; STATUS_CORRUPT: another workspace's, or another master key;
 * STATUS_CONFLICT: another process uses it. */
struct keyring_config {
	const char          *directory;
	const uint8_t       *workspace_id; /* 16 bytes */
	bool                 create;
	struct master_source master;
};
MUST_USE enum status keyring_open(const struct keyring_config *config, struct keyring **ret_keyring,
                                  int *ret_fd, char **ret_path, int *ret_lock_fd,
                                  struct error *err);
void                 keyring_free(struct keyring *keyring);

/* By the master key. Any thread. */
void keyring_wrap(struct keyring *keyring, const uint8_t key[CIPHER_KEY_BYTES],
                  uint8_t ret_wrapped[CIPHER_WRAPPED_BYTES]);
/* The same, or the one before it while it is being replaced. */
bool keyring_unwrap(struct keyring *keyring, const uint8_t wrapped[CIPHER_WRAPPED_BYTES],
                    uint8_t ret_key[CIPHER_KEY_BYTES]);

/* Gets a new master key, a random one or what the command prints now, and notes both durably; from
 * then on it is that which wraps. STATUS_CONFLICT: the source still has the one in use. */
MUST_USE enum status keyring_begin_rotation(struct keyring              *keyring,
                                            const struct keyring_config *config, struct error *err);
/* Everything is wrapped by the new one, durably. */
MUST_USE enum status keyring_end_rotation(struct keyring              *keyring,
                                          const struct keyring_config *config, struct error *err);

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
