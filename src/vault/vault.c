#include "vault/vault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vault/letter_key.h"
#include "vault/subjects.h"
#include "vault/vault_internal.h"

static int system_allocate(int fd, uint64_t offset, uint64_t length)
{
	return posix_fallocate(fd, (off_t)offset, (off_t)length);
}

static int64_t system_write(int fd, const void *data, size_t length, uint64_t offset)
{
	return pwrite(fd, data, length, (off_t)offset);
}

static const struct vault_system real_system = {
	.allocate = system_allocate,
	.write    = system_write,
	.sync     = fdatasync,
};

static void free_vault(struct vault *vault)
{
	subjects_close(vault->subjects);
	letter_key_close(vault->letter_key);
	VECTOR_DONE(&vault->erased);
	map_u64_done(&vault->leaving);
	pthread_mutex_destroy(&vault->erasing_lock);
	pthread_mutex_destroy(&vault->rotating_lock);
	free((char *)vault->keyring_config.directory);
	free((char *)vault->keyring_config.master.command);
	free((char *)vault->keyring_config.master.variable);
	free(vault);
}

static void make_blind(struct vault *vault, const char *country)
{
	vault->blind = sodium_malloc(sizeof *vault->blind);
	if (!vault->blind)
		abort();
	keyring_blind(vault->keyring, vault->blind->key);
	snprintf(vault->blind->country, sizeof vault->blind->country, "%s", country);
}

enum status vault_open(const struct vault_config *config, struct vault **ret_vault,
                       struct error *err)
{
	assert(config->partition_count >= 1 && config->partition_count <= PARTITION_COUNT_MAX);
	if (sodium_init() < 0)
		abort();

	struct vault_config complete = *config;
	if (!complete.system)
		complete.system = &real_system;
	struct vault *vault = aligned_alloc(_Alignof(struct vault), sizeof *vault);
	if (!vault)
		abort();
	memset(vault, 0, sizeof *vault);
	pthread_mutex_init(&vault->erasing_lock, NULL);
	pthread_mutex_init(&vault->rotating_lock, NULL);
	enum status status = vault_load(vault, &complete, err);
	if (status != STATUS_OK) {
		free_vault(vault);
		return status;
	}
	make_blind(vault, config->phone_country == NULL ? "82" : config->phone_country);
	status = subjects_open(config->keyring_directory, &vault->subjects, err);
	if (status == STATUS_OK)
		status = subjects_find_persons(vault, err);
	if (status == STATUS_OK)
		status =
			letter_key_open(config->keyring_directory, vault->keyring, &vault->letter_key, err);
	size_t count;
	if (status == STATUS_OK && vault->keyring->rotating)
		status = vault_finish_rotation(vault, &count, err);
	if (status == STATUS_OK)
		*ret_vault = vault;
	else
		vault_close(vault);
	return status;
}

bool vault_index(const struct vault *vault, enum personal_index kind, struct text value,
                 char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason)
{
	return blind_index(vault->blind, kind, value, ret_index, ret_reason);
}

void vault_close(struct vault *vault)
{
	writer_close(&vault->writer);
	key_cache_done(&vault->cache);
	slot_table_done(&vault->slots);
	id_index_done(&vault->index);
	sodium_free(vault->blind); /* wipes */
	keyring_free(vault->keyring);
	close(vault->keyring_lock_fd);
	free_vault(vault);
}

/* Authenticated with what belongs to no person: no person's number. */
#define COMMON_NUMBER UINT64_MAX

void vault_reserve(struct vault *vault, uint32_t partition, uint32_t slot_count)
{
	assert(partition < vault->partition_count);
	slot_table_reserve(&vault->slots, partition, slot_count);
}

void vault_when_durable(struct vault *vault, uint64_t sequence, vault_durable_fn *durable,
                        void *context)
{
	writer_when_durable(&vault->writer, sequence, durable, context);
}

/* A person's entry of persons.log, whole; `into` keeps it. */
static enum status read_person(struct vault *vault, struct person person, struct buffer *into,
                               struct persons_entry *ret_entry, struct error *err)
{
	struct slot_place place;
	if (!slot_table_get(&vault->slots, person, &place) || place.person_at == 0)
		return error_set(err, STATUS_NOT_FOUND, "no such person");

	uint64_t    offset = (uint64_t)place.person_at * 8;
	uint8_t     head[ENTRY_PERSON_BYTES];
	enum status status = writer_read_person(&vault->writer, offset, head, sizeof head, err);
	if (status != STATUS_OK)
		return status;
	size_t length = persons_entry_whole_bytes(head);
	char  *bytes  = buffer_reserve(into, length);
	status        = writer_read_person(&vault->writer, offset, bytes, length, err);
	if (status != STATUS_OK)
		return status;

	struct byte_reader reader = byte_reader_of(bytes, length);
	if (!persons_entry_decode(&reader, ret_entry) || ret_entry->kind != ENTRY_PERSON ||
	    ret_entry->number != person_number(person))
		return error_set(err, STATUS_CORRUPT, "persons.log: bad entry of a person");
	return STATUS_OK;
}

static enum status open_id(struct vault *vault, struct person person,
                           const struct persons_entry *entry, struct arena *arena,
                           struct vault_id *ret_id, struct error *err)
{
	struct buffer plain;
	buffer_init(&plain);
	enum status status =
		vault_unseal(vault, person, vault_id_purpose(entry->namespace), entry->sealed, &plain, err);
	if (status == STATUS_OK)
		*ret_id = (struct vault_id){(enum vault_namespace)entry->namespace,
		                            arena_text(arena, buffer_text(&plain))};
	if (plain.data)
		cipher_wipe(plain.data, plain.length);
	buffer_done(&plain);
	return status;
}

enum status vault_external_id(struct vault *vault, struct person person, struct arena *arena,
                              struct vault_id *ret_id, struct error *err)
{
	struct buffer        bytes;
	struct persons_entry entry = {0};
	buffer_init(&bytes);
	enum status status = read_person(vault, person, &bytes, &entry, err);
	if (status == STATUS_OK)
		status = open_id(vault, person, &entry, arena, ret_id, err);
	buffer_done(&bytes);
	return status;
}

void vault_prefetch_key(const struct vault *vault, struct person person)
{
	key_cache_prefetch(&vault->cache, person_number(person));
}

enum status vault_seal(struct vault *vault, struct person person, struct text purpose,
                       struct text plain, struct buffer *out, struct error *err)
{
	uint8_t     key[CIPHER_KEY_BYTES];
	enum status status = vault_data_key(vault, person, key, err);
	if (status != STATUS_OK)
		return status;
	size_t length = plain.length + CIPHER_EXTRA_BYTES;
	char  *into   = buffer_reserve(out, length);
	cipher_seal(key, purpose, person_number(person), plain, (uint8_t *)into);
	out->length += length;
	cipher_wipe(key, sizeof key);
	return STATUS_OK;
}

enum status vault_unseal(struct vault *vault, struct person person, struct text purpose,
                         struct text sealed, struct buffer *out, struct error *err)
{
	uint8_t     key[CIPHER_KEY_BYTES];
	enum status status = vault_data_key(vault, person, key, err);
	if (status != STATUS_OK)
		return status;
	char *into = buffer_reserve(out, sealed.length);
	if (cipher_open(key, purpose, person_number(person), sealed, (uint8_t *)into))
		out->length += sealed.length - CIPHER_EXTRA_BYTES;
	else
		status = error_set(err, STATUS_CORRUPT, "a sealed value is not authentic");
	cipher_wipe(key, sizeof key);
	return status;
}

void vault_seal_common(struct vault *vault, struct text purpose, struct text plain,
                       struct buffer *out)
{
	uint8_t key[CIPHER_KEY_BYTES];
	keyring_common(vault->keyring, key);
	size_t length = plain.length + CIPHER_EXTRA_BYTES;
	char  *into   = buffer_reserve(out, length);
	cipher_seal(key, purpose, COMMON_NUMBER, plain, (uint8_t *)into);
	out->length += length;
	cipher_wipe(key, sizeof key);
}

enum status vault_unseal_common(struct vault *vault, struct text purpose, struct text sealed,
                                struct buffer *out, struct error *err)
{
	uint8_t key[CIPHER_KEY_BYTES];
	keyring_common(vault->keyring, key);
	char *into      = buffer_reserve(out, sealed.length);
	bool  authentic = cipher_open(key, purpose, COMMON_NUMBER, sealed, (uint8_t *)into);
	cipher_wipe(key, sizeof key);
	if (!authentic)
		return error_set(err, STATUS_CORRUPT, "a sealed value is not authentic");
	out->length += sealed.length - CIPHER_EXTRA_BYTES;
	return STATUS_OK;
}

uint64_t vault_durable_bytes(struct vault *vault)
{
	return atomic_load_explicit(&vault->writer.durable_bytes, memory_order_acquire);
}

void vault_status(struct vault *vault, struct vault_status *ret_status)
{
	uint64_t persons = atomic_load_explicit(&vault->persons, memory_order_relaxed);
	*ret_status      = (struct vault_status){
			 .persons      = persons,
			 .links        = atomic_load_explicit(&vault->links, memory_order_relaxed),
			 .memory_bytes = id_index_memory_bytes(&vault->index) +
	                         slot_table_memory_bytes(&vault->slots) +
	                         key_cache_memory_bytes(&vault->cache, persons),
			 .failed = writer_failed(&vault->writer),
    };
}
