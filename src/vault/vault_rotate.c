/* A new master key: what the old one wrapped, the keys of the hashes and one intermediate key for
 * each 4,096 persons, is wrapped by the new one, in place. */

#include "base/vector.h"
#include "vault/vault_internal.h"

typedef VECTOR(struct writer_key) entry_list;

/* Where entries lie that a master key wraps. */
static void find_entries(struct vault *vault, entry_list *entries)
{
	VECTOR_ADD(entries, (struct writer_key){.at = KEY_AT_HASHES});
	for (uint32_t i = 0; i < vault->partition_count; i++) {
		struct slot_partition *partition = &vault->slots.partitions[i];
		pthread_mutex_lock(&partition->lock);
		for (size_t j = 0; j < partition->granule_count; j++) {
			const struct granule *granule = partition->granules[j];
			if (granule != NULL && granule->intermediate_at != 0)
				VECTOR_ADD(entries, (struct writer_key){.at = granule->intermediate_at});
		}
		pthread_mutex_unlock(&partition->lock);
	}
}

static enum status wrap_anew(struct vault *vault, struct writer_key *key, struct error *err)
{
	uint8_t     plain[CIPHER_KEY_BYTES];
	enum status status = writer_read_key(&vault->writer, key->at, &key->entry, err);
	if (status != STATUS_OK)
		return status;
	enum key_entry_kind kind = key_entry_kind(&key->entry, key->at);
	if ((kind != KEY_ENTRY_HASHES && kind != KEY_ENTRY_INTERMEDIATE) ||
	    !keyring_unwrap(vault->keyring, key->entry.wrapped, plain))
		return error_set(err, STATUS_CORRUPT, "keys.log: entry %llu does not unwrap",
		                 (unsigned long long)key->at);
	keyring_wrap(vault->keyring, plain, key->entry.wrapped);
	cipher_wipe(plain, sizeof plain);
	return STATUS_OK;
}

static enum status wrap_all(struct vault *vault, size_t *ret_count, struct error *err)
{
	entry_list entries = {0};
	find_entries(vault, &entries);
	/* What was never written cannot be overwritten. */
	enum status status = writer_settle(&vault->writer, err);
	for (size_t i = 0; i < entries.count && status == STATUS_OK; i++)
		status = wrap_anew(vault, &entries.items[i], err);
	if (status == STATUS_OK)
		status = writer_replace_keys(&vault->writer, entries.items, entries.count, err);
	*ret_count = entries.count;
	VECTOR_DONE(&entries);
	return status;
}

enum status vault_finish_rotation(struct vault *vault, size_t *ret_count, struct error *err)
{
	enum status status = wrap_all(vault, ret_count, err);
	return status == STATUS_OK ? keyring_end_rotation(vault->keyring, &vault->keyring_config, err)
	                           : status;
}

enum status vault_rotate(struct vault *vault, size_t *ret_count, struct error *err)
{
	if (pthread_mutex_trylock(&vault->rotating_lock) != 0)
		return error_set(err, STATUS_CONFLICT, "The master key is being replaced already");
	enum status status = STATUS_OK;
	/* One that failed before is finished first: the file that yields both keys knows no third. */
	if (!vault->keyring->rotating)
		status = keyring_begin_rotation(vault->keyring, &vault->keyring_config, err);
	if (status == STATUS_OK)
		status = vault_finish_rotation(vault, ret_count, err);
	pthread_mutex_unlock(&vault->rotating_lock);
	return status;
}
