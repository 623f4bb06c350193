/* Opening: both logs are read and checked against one another, what was never durable is cut. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "vault/vault_internal.h"

enum { PATH_BYTES_MAX = 4096, BLOCK_MAPPINGS = 64 };

/* An entry of keys.log, as long as the other log is read. */
struct known_key {
	uint64_t            seed;
	enum key_entry_kind kind;
};

struct load {
	struct vault              *vault;
	const struct vault_config *config;
	char                       persons_path[PATH_BYTES_MAX];
	char                      *keys_path;
	int                        persons_fd;
	int                        keys_fd;
	VECTOR(struct known_key) keys; /* by place */
	uint64_t            keys_count;
	bool                keys_torn;
	uint64_t            data_keys;
	struct persons_scan scan;
	struct id_slot      block[BLOCK_MAPPINGS]; /* to be put into the index */
	size_t              block_count;
};

static enum status bad_key(const struct load *load, uint64_t at, struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %" PRIu64, load->keys_path,
	                 at * KEY_ENTRY_BYTES);
}

static enum status on_key(void *context, const struct key_entry *entry, enum key_entry_kind kind,
                          uint64_t at, struct error *err)
{
	struct load  *load   = context;
	struct vault *vault  = load->vault;
	struct person person = person_of_number(key_entry_number(entry));
	assert(load->keys.count == at);
	VECTOR_ADD(&load->keys, (struct known_key){entry->seed, kind});
	if (kind == KEY_ENTRY_VOID && entry->seed == KEY_SEED_ERASED &&
	    person.partition < vault->partition_count) {
		slot_table_reserve(&vault->slots, person.partition, (uint64_t)person.slot + 1);
		VECTOR_ADD(&vault->erased, person_number(person));
	}
	if (kind == KEY_ENTRY_BAD || kind == KEY_ENTRY_VOID)
		return STATUS_OK;
	if ((kind != KEY_ENTRY_DATA && kind != KEY_ENTRY_INTERMEDIATE) ||
	    person.partition >= vault->partition_count || person.slot == SLOT_NONE)
		return bad_key(load, at, err);

	if (kind == KEY_ENTRY_DATA) {
		load->data_keys++;
		slot_table_set(&vault->slots, person, (struct slot_place){0, (uint32_t)at});
		slot_table_reserve(&vault->slots, person.partition, (uint64_t)person.slot + 1);
	} else {
		/* Nobody else knows the vault yet. */
		slot_table_granule(&vault->slots, person)->intermediate_at = (uint32_t)at;
	}
	return STATUS_OK;
}

/* Puts what has gathered into the index, in its order: the last one of a hash wins. */
static void flush_block(struct load *load)
{
	for (size_t i = 0; i < load->block_count; i++)
		id_index_prefetch(&load->vault->index, load->block[i].hash);
	for (size_t i = 0; i < load->block_count; i++) {
		struct id_slot  *slot  = &load->block[i];
		struct id_shard *shard = id_index_shard(&load->vault->index, slot->hash);
		id_shard_set(shard, slot->hash, slot->mapping);
	}
	load->block_count = 0;
}

static void put_mapping(struct load *load, struct id_hash hash, struct person person,
                        bool identified)
{
	if (load->block_count == BLOCK_MAPPINGS)
		flush_block(load);
	load->block[load->block_count++] = (struct id_slot){hash, mapping_of(person, identified, 0)};
}

static enum status on_person(struct load *load, const struct persons_entry *entry, uint64_t offset,
                             struct error *err)
{
	struct vault *vault  = load->vault;
	struct person person = person_of_number(entry->number);
	if (person.partition >= vault->partition_count || person.slot == SLOT_NONE ||
	    (entry->namespace != VAULT_USER && entry->namespace != VAULT_ANONYMOUS))
		return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %" PRIu64,
		                 load->persons_path, offset);
	slot_table_reserve(&vault->slots, person.partition, (uint64_t)person.slot + 1);

	/* Keys are durable before the entries that need them. */
	if (entry->key_at < KEY_AT_FIRST || entry->key_at >= load->keys.count)
		return error_set(err, STATUS_CORRUPT,
		                 "%s lacks the entry at offset %" PRIu64
		                 ": it is older than %s, or not the one that belongs to it",
		                 load->keys_path, (uint64_t)entry->key_at * KEY_ENTRY_BYTES,
		                 load->persons_path);
	const struct known_key *key = &load->keys.items[entry->key_at];
	if (key->kind == KEY_ENTRY_VOID)
		return STATUS_OK; /* erased */
	struct slot_place place;
	if (key->kind != KEY_ENTRY_DATA || !slot_table_get(&vault->slots, person, &place) ||
	    place.key_at != entry->key_at)
		return bad_key(load, entry->key_at, err);

	if (offset / 8 > UINT32_MAX)
		return error_set(err, STATUS_UNSUPPORTED, "%s is too large", load->persons_path);
	place.person_at = (uint32_t)(offset / 8);
	slot_table_set(&vault->slots, person, place);
	struct id_hash hash = keyring_mask(vault->keyring, entry->masked, key->seed, entry->number, 0);
	put_mapping(load, hash, person, entry->namespace == VAULT_USER);
	atomic_fetch_add_explicit(&vault->persons, 1, memory_order_relaxed);
	return STATUS_OK;
}

static void on_link(struct load *load, const struct persons_entry *entry)
{
	struct vault     *vault = load->vault;
	struct person     user  = person_of_number(entry->number);
	struct slot_place place;
	if (!slot_table_get(&vault->slots, user, &place))
		return; /* the user was erased */
	struct id_hash hash =
		keyring_mask(vault->keyring, entry->masked, load->keys.items[place.key_at].seed,
	                 entry->number, entry->nonce);
	put_mapping(load, hash, user, true);
	atomic_fetch_add_explicit(&vault->links, 1, memory_order_relaxed);
}

static enum status on_entry(void *context, const struct persons_entry *entry, uint64_t offset,
                            struct error *err)
{
	struct load *load = context;
	if (entry->kind == ENTRY_PERSON)
		return on_person(load, entry, offset, err);
	on_link(load, entry);
	return STATUS_OK;
}

/* Every entry of keys.log that the last run needs must be there and good. */
static enum status check_keys(const struct load *load, struct error *err)
{
	for (uint64_t at = KEY_AT_FIRST; at < load->scan.keys_count; at++)
		if (at >= load->keys_count || load->keys.items[at].kind == KEY_ENTRY_BAD)
			return bad_key(load, at, err);
	return STATUS_OK;
}

/* Entries behind those were never durable. Some may be torn amid good ones: made void, they are not
 * taken for damage when later runs have come. */
static enum status void_torn_keys(struct load *load, struct error *err)
{
	uint64_t at    = load->scan.keys_count > KEY_AT_FIRST ? load->scan.keys_count : KEY_AT_FIRST;
	bool     wrote = false;
	for (; at < load->keys_count; at++) {
		if (load->keys.items[at].kind != KEY_ENTRY_BAD)
			continue;
		struct key_entry entry = key_entry_of(KEY_ENTRY_VOID, 0);
		key_entry_finish(&entry, at);
		wrote = true;
		if (pwrite(load->keys_fd, &entry, sizeof entry, (off_t)(at * KEY_ENTRY_BYTES)) !=
		    (ssize_t)sizeof entry)
			return file_error(err, errno, "write", load->keys_path);
	}
	if (wrote && fdatasync(load->keys_fd) != 0)
		return file_error(err, errno, "sync", load->keys_path);
	return STATUS_OK;
}

static void tell_of_tails(const struct load *load)
{
	if (load->scan.torn)
		log_line(LOG_WARNING, "a torn tail is cut", LOG_STRING("file", load->persons_path),
		         LOG_NUMBER("offset", load->scan.end));
	if (load->keys_torn)
		log_line(LOG_WARNING, "a torn tail is cut", LOG_STRING("file", load->keys_path),
		         LOG_NUMBER("offset", load->keys_count * KEY_ENTRY_BYTES));
}

static enum status make_persons_log(const struct load *load, struct error *err)
{
	/* A keyring with persons' keys and no persons: the data was lost, not yet to come. */
	if (load->data_keys > 0)
		return error_set(err, STATUS_CORRUPT, "%s is missing, but %s has keys of persons",
		                 load->persons_path, load->keys_path);
	uint8_t header[PERSONS_HEADER_BYTES];
	persons_header_encode(load->config->workspace_id, load->config->partition_count, header);
	return file_replace(load->persons_path, 0600, header, sizeof header, err);
}

static enum status read_logs(struct load *load, bool create, struct error *err)
{
	for (uint64_t at = 0; at < KEY_AT_FIRST; at++)
		VECTOR_ADD(&load->keys, (struct known_key){0, KEY_ENTRY_HASHES});
	enum status status = keys_log_scan(load->keys_fd, load->keys_path, on_key, load,
	                                   &load->keys_count, &load->keys_torn, err);
	id_index_init(&load->vault->index, load->data_keys);
	if (status == STATUS_OK && create)
		status = make_persons_log(load, err);
	if (status != STATUS_OK)
		return status;

	load->persons_fd = open(load->persons_path, O_RDWR | O_CLOEXEC);
	if (load->persons_fd < 0)
		return file_error(err, errno, "open", load->persons_path);
	status = persons_log_scan(load->persons_fd, load->persons_path, load->config->workspace_id,
	                          load->config->partition_count, on_entry, load, &load->scan, err);
	flush_block(load);
	if (status == STATUS_OK)
		status = check_keys(load, err);
	if (status == STATUS_OK)
		status = void_torn_keys(load, err);
	return status;
}

/* Takes over both descriptors. */
static enum status start_writer(struct load *load, struct error *err)
{
	struct writer_config config = {
		.system       = load->config->system,
		.persons_path = load->persons_path,
		.keys_path    = load->keys_path,
		.persons_fd   = load->persons_fd,
		.keys_fd      = load->keys_fd,
		.persons_end  = load->scan.end,
		.keys_end     = load->keys_count * KEY_ENTRY_BYTES,
		.group        = load->scan.run_count,
	};
	load->persons_fd = load->keys_fd = -1;
	return writer_open(&load->vault->writer, &config, err);
}

static enum status load_all(struct load *load, bool create, struct error *err)
{
	struct vault *vault = load->vault;
	slot_table_init(&vault->slots, vault->partition_count);
	key_cache_init(&vault->cache, vault->partition_count);
	enum status status = read_logs(load, create, err);
	if (status == STATUS_OK) {
		tell_of_tails(load);
		status = start_writer(load, err);
	}
	if (status == STATUS_OK)
		return status;
	key_cache_done(&vault->cache);
	slot_table_done(&vault->slots);
	id_index_done(&vault->index);
	if (load->persons_fd >= 0)
		close(load->persons_fd);
	if (load->keys_fd >= 0)
		close(load->keys_fd);
	return status;
}

static const char *copy(const char *text)
{
	char *kept = text == NULL ? NULL : strdup(text);
	if (text != NULL && kept == NULL)
		abort();
	return kept;
}

enum status vault_load(struct vault *vault, const struct vault_config *config, struct error *err)
{
	struct load load = {.vault = vault, .config = config, .persons_fd = -1, .keys_fd = -1};
	int         length =
		snprintf(load.persons_path, sizeof load.persons_path, "%s/persons.log", config->directory);
	if (length < 0 || (size_t)length >= sizeof load.persons_path)
		return file_error(err, ENAMETOOLONG, "open", config->directory);
	enum status status = directory_create(config->directory, 0700, err);
	if (status != STATUS_OK)
		return status;

	bool create            = access(load.persons_path, F_OK) != 0;
	vault->partition_count = config->partition_count;
	vault->keyring_config  = (struct keyring_config){
		 .directory    = copy(config->keyring_directory),
		 .workspace_id = config->workspace_id,
		 .create       = create,
		 .master       = {copy(config->master_command), copy(config->master_variable)},
    };
	status = keyring_open(&vault->keyring_config, &vault->keyring, &load.keys_fd, &load.keys_path,
	                      &vault->keyring_lock_fd, err);
	if (status != STATUS_OK)
		return status;
	status = load_all(&load, create, err);
	if (status != STATUS_OK) {
		keyring_free(vault->keyring);
		close(vault->keyring_lock_fd);
	}
	VECTOR_DONE(&load.keys);
	free(load.keys_path);
	return status;
}
