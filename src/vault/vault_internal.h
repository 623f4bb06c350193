#ifndef SONNIM_VAULT_VAULT_INTERNAL_H
#define SONNIM_VAULT_VAULT_INTERNAL_H

/* What the files of the vault share.
 *
 * Locks are taken in this order: a shard of the index, a partition of the slot table, the writer's;
 * that of the set of subjects within a shard's or alone.
 * (Those of the key cache are taken alone.) */

#include <stdatomic.h>

#include "base/map.h"
#include "base/vector.h"
#include "vault/blind.h"
#include "vault/id_index.h"
#include "vault/key_cache.h"
#include "vault/keyring.h"
#include "vault/slot_table.h"
#include "vault/vault.h"
#include "vault/writer.h"

typedef VECTOR(uint64_t) vault_number_list;

struct vault {
	struct keyring       *keyring;
	struct blind         *blind;          /* in locked memory */
	struct keyring_config keyring_config; /* without workspace_id */
	pthread_mutex_t       rotating_lock;
	int                   keyring_lock_fd;
	uint32_t              partition_count;
	struct id_index       index;
	struct slot_table     slots;
	struct key_cache      cache;
	struct writer         writer;
	atomic_uint_fast64_t  persons;
	atomic_uint_fast64_t  links;

	/* vault_erase.c: who is being erased, and who was. The lock is taken alone, or within that of a
	 * shard. */
	pthread_mutex_t    erasing_lock;
	struct map_u64     leaving; /* person numbers */
	atomic_size_t      leaving_count;
	vault_number_list  erased;
	struct subjects   *subjects;
	struct letter_key *letter_key;
};

/* vault_erase.c: whether a person is being erased, so that nothing is to be linked to him, or taken
 * from him. */
bool vault_leaving(struct vault *vault, struct person person);

/* vault_resolve.c: writes the entry of a link; `*ret_group` makes it durable. */
MUST_USE enum status vault_add_link(struct vault *vault, struct id_hash hash, struct person user,
                                    uint64_t *ret_group, struct error *err);

/* vault_load.c: fills index and slots from both logs and starts the writer. */
MUST_USE enum status vault_load(struct vault *vault, const struct vault_config *config,
                                struct error *err);

/* vault_keys.c: the data key of a person. STATUS_NOT_FOUND: there is none (any more). */
MUST_USE enum status vault_data_key(struct vault *vault, struct person person,
                                    uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);

/* The entry that holds it. */
MUST_USE enum status vault_key_entry(struct vault *vault, struct person person,
                                     struct key_entry *ret_entry, struct error *err);

/* The intermediate key of a new person, made when the person is the first of its granule: that
 * takes one key of `space`. */
MUST_USE enum status vault_new_intermediate(struct vault *vault, struct person person,
                                            struct writer_space *space,
                                            uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err);

/* vault_rotate.c: ends a rotation that has begun. */
MUST_USE enum status vault_finish_rotation(struct vault *vault, size_t *ret_count,
                                           struct error *err);

/* What an id is sealed for in persons.log. */
static inline struct text vault_id_purpose(uint8_t namespace)
{
	return namespace == VAULT_USER ? TEXT("user_id") : TEXT("anonymous_id");
}

#endif
