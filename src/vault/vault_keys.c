/* Data keys and the intermediate keys that wrap them. */

#include <inttypes.h>
#include <string.h>

#include "vault/vault_internal.h"

static enum status damaged(uint64_t at, struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "keys.log: bad entry at offset %" PRIu64,
	                 at * KEY_ENTRY_BYTES);
}

static enum status read_entry(struct vault *vault, uint64_t at, enum key_entry_kind kind,
                              uint64_t number, struct key_entry *ret_entry, struct error *err)
{
	enum status status = writer_read_key(&vault->writer, at, ret_entry, err);
	if (status == STATUS_OK &&
	    (key_entry_kind(ret_entry, at) != kind || key_entry_number(ret_entry) != number))
		status = damaged(at, err);
	return status;
}

static uint64_t granule_number(struct person person)
{
	person.slot = person.slot / GRANULE_SLOTS * GRANULE_SLOTS;
	return person_number(person);
}

static enum status unwrap_intermediate(struct vault *vault, struct person person,
                                       struct granule *granule, struct error *err)
{
	struct key_entry entry;
	enum status      status = read_entry(vault, granule->intermediate_at, KEY_ENTRY_INTERMEDIATE,
	                                     granule_number(person), &entry, err);
	if (status == STATUS_OK && !keyring_unwrap(vault->keyring, entry.wrapped, granule->key))
		status = damaged(granule->intermediate_at, err);
	granule->unwrapped = status == STATUS_OK;
	return status;
}

static enum status make_intermediate(struct vault *vault, struct person person,
                                     struct granule *granule, struct writer_space *space,
                                     struct error *err)
{
	struct key_entry entry = key_entry_of(KEY_ENTRY_INTERMEDIATE, granule_number(person));
	uint8_t          key[CIPHER_KEY_BYTES];
	cipher_random(key, sizeof key);
	keyring_wrap(vault->keyring, key, entry.wrapped);

	if (writer_begin(&vault->writer) == 0) {
		cipher_wipe(key, sizeof key);
		return writer_failure(&vault->writer, err);
	}
	granule->intermediate_at = (uint32_t)writer_add_key(&vault->writer, space, &entry);
	writer_end(&vault->writer);
	memcpy(granule->key, key, sizeof key);
	granule->unwrapped = true;
	cipher_wipe(key, sizeof key);
	return STATUS_OK;
}

/* `space` NULL: the granule has its key already. */
static enum status intermediate(struct vault *vault, struct person person,
                                struct writer_space *space, uint8_t ret_key[CIPHER_KEY_BYTES],
                                struct error *err)
{
	struct slot_partition *partition = slot_table_partition(&vault->slots, person);
	enum status            status    = STATUS_OK;
	pthread_mutex_lock(&partition->lock);
	struct granule *granule = slot_table_granule(&vault->slots, person);
	if (!granule->unwrapped && granule->intermediate_at != 0)
		status = unwrap_intermediate(vault, person, granule, err);
	else if (!granule->unwrapped && space)
		status = make_intermediate(vault, person, granule, space, err);
	else if (!granule->unwrapped)
		status = error_set(err, STATUS_CORRUPT, "keys.log: an intermediate key is missing");
	if (status == STATUS_OK)
		memcpy(ret_key, granule->key, CIPHER_KEY_BYTES);
	pthread_mutex_unlock(&partition->lock);
	return status;
}

enum status vault_new_intermediate(struct vault *vault, struct person person,
                                   struct writer_space *space, uint8_t ret_key[CIPHER_KEY_BYTES],
                                   struct error *err)
{
	return intermediate(vault, person, space, ret_key, err);
}

enum status vault_key_entry(struct vault *vault, struct person person, struct key_entry *ret_entry,
                            struct error *err)
{
	struct slot_place place;
	if (!slot_table_get(&vault->slots, person, &place))
		return error_set(err, STATUS_NOT_FOUND, "no such person");
	return read_entry(vault, place.key_at, KEY_ENTRY_DATA, person_number(person), ret_entry, err);
}

static enum status unwrap_data_key(struct vault *vault, struct person person,
                                   const struct key_entry *entry, uint8_t ret_key[CIPHER_KEY_BYTES],
                                   struct error *err)
{
	uint8_t     wrapping[CIPHER_KEY_BYTES];
	enum status status = intermediate(vault, person, NULL, wrapping, err);
	if (status == STATUS_OK && !cipher_unwrap(wrapping, entry->wrapped, ret_key))
		status = error_set(err, STATUS_CORRUPT, "keys.log: a person's key does not unwrap");
	cipher_wipe(wrapping, sizeof wrapping);
	return status;
}

enum status vault_data_key(struct vault *vault, struct person person,
                           uint8_t ret_key[CIPHER_KEY_BYTES], struct error *err)
{
	uint64_t number = person_number(person);
	if (key_cache_get(&vault->cache, number, ret_key))
		return STATUS_OK;

	struct key_entry entry;
	enum status      status = vault_key_entry(vault, person, &entry, err);
	if (status == STATUS_OK)
		status = unwrap_data_key(vault, person, &entry, ret_key, err);
	if (status != STATUS_OK)
		return status;
	key_cache_put(&vault->cache, number, ret_key);
	/* Erased in between: the cache was wiped before the key came into it. */
	struct slot_place place;
	if (slot_table_get(&vault->slots, person, &place))
		return STATUS_OK;
	key_cache_remove(&vault->cache, number);
	cipher_wipe(ret_key, CIPHER_KEY_BYTES);
	return error_set(err, STATUS_NOT_FOUND, "no such person");
}
