/* From external ids to persons: look-up, creation, links. */

#include <assert.h>
#include <string.h>

#include "vault/subjects.h"
#include "vault/vault_internal.h"

/* Ids that are looked up together: enough to hide the memory's latency, few enough for the
 * stack. */
enum { BLOCK_IDS = 128 };

/* One call, and the block that it is at. */
struct resolve {
	struct vault          *vault;
	const struct vault_id *ids;   /* of the block */
	size_t                 count; /* of the block */
	bool                   create;
	struct person         *persons;
	bool                  *identified; /* or NULL */
	uint64_t               sequence;
	uint64_t               durable; /* as read when the block began */
	bool                   reserved;
	struct writer_space    space;
	struct id_hash         hashes[BLOCK_IDS];
	uint8_t                next[BLOCK_IDS];       /* of the same shard; BLOCK_IDS: none */
	uint8_t                first[ID_SHARD_COUNT]; /* BLOCK_IDS: none */
};

static uint32_t partition_of(const struct vault *vault, struct id_hash hash)
{
	return (uint32_t)((unsigned __int128)hash.second * vault->partition_count >> 64);
}

/* What must be durable before this mapping is used. */
static uint64_t sequence_of(struct vault *vault, uint64_t mapping, uint64_t durable)
{
	uint64_t ahead = mapping_groups_to_wait(mapping, durable);
	if (ahead == 0)
		return 0;
	uint64_t added = atomic_load_explicit(&vault->writer.added, memory_order_acquire);
	return durable + ahead <= added ? durable + ahead : 0;
}

/* Space for all of the block's ids, should all be new. */
static enum status reserve_block(struct resolve *resolve, struct error *err)
{
	if (resolve->reserved)
		return STATUS_OK;
	uint64_t bytes = 0;
	for (size_t i = 0; i < resolve->count; i++)
		bytes += persons_entry_bytes(resolve->ids[i].id.length + CIPHER_EXTRA_BYTES) +
		         WRITER_ENTRY_EXTRA_BYTES;
	enum status status =
		writer_reserve(&resolve->vault->writer, bytes, 2 * resolve->count, &resolve->space, err);
	resolve->reserved = status == STATUS_OK;
	return status;
}

/* Writes both entries of a new person. */
static enum status add_person(struct vault *vault, struct writer_space *space, struct person person,
                              struct key_entry *key_entry, struct persons_entry *entry,
                              uint64_t *ret_group, struct error *err)
{
	uint64_t group = writer_begin(&vault->writer);
	if (group == 0)
		return writer_failure(&vault->writer, err);
	uint64_t key_at = writer_add_key(&vault->writer, space, key_entry);
	entry->key_at   = (uint32_t)key_at;
	uint64_t offset = writer_add_entry(&vault->writer, space, entry);
	writer_end(&vault->writer);

	slot_table_set(&vault->slots, person,
	               (struct slot_place){(uint32_t)(offset / 8), (uint32_t)key_at});
	*ret_group = group;
	return STATUS_OK;
}

/* A person with a key of its own, of whom nothing is written yet. */
static enum status make_key(struct vault *vault, struct writer_space *space, struct person person,
                            struct key_entry *ret_entry, uint8_t ret_key[CIPHER_KEY_BYTES],
                            struct error *err)
{
	uint8_t     wrapping[CIPHER_KEY_BYTES];
	enum status status = vault_new_intermediate(vault, person, space, wrapping, err);
	if (status != STATUS_OK)
		return status;
	*ret_entry = key_entry_of(KEY_ENTRY_DATA, person_number(person));
	cipher_random(&ret_entry->seed, sizeof ret_entry->seed);
	cipher_random(ret_key, CIPHER_KEY_BYTES);
	cipher_wrap(wrapping, ret_key, ret_entry->wrapped);
	cipher_wipe(wrapping, sizeof wrapping);
	return STATUS_OK;
}

/* The shard's lock is held, so that nobody else creates the same one. */
static enum status create_person(struct resolve *resolve, struct id_shard *shard, size_t i,
                                 uint64_t *ret_mapping, struct error *err)
{
	struct vault          *vault  = resolve->vault;
	const struct vault_id *id     = &resolve->ids[i];
	enum status            status = reserve_block(resolve, err);
	if (status != STATUS_OK)
		return status;

	struct person person = {.partition = partition_of(vault, resolve->hashes[i])};
	person.slot          = slot_table_take(&vault->slots, person.partition);
	if (person.slot == SLOT_NONE)
		return error_set(err, STATUS_INTERNAL, "partition %u has no slot left", person.partition);

	uint64_t             number = person_number(person), group = 0;
	struct key_entry     key_entry;
	uint8_t              key[CIPHER_KEY_BYTES];
	uint8_t              sealed[VAULT_ID_BYTES_MAX + CIPHER_EXTRA_BYTES];
	struct persons_entry entry = {.kind = ENTRY_PERSON, .number = number};
	status                     = make_key(vault, &resolve->space, person, &key_entry, key, err);
	if (status != STATUS_OK)
		return status;
	cipher_seal(key, vault_id_purpose((uint8_t)id->namespace), number, id->id, sealed);
	key_cache_put(&vault->cache, number, key);
	cipher_wipe(key, sizeof key);

	entry.namespace = (uint8_t)id->namespace;
	entry.masked    = keyring_mask(vault->keyring, resolve->hashes[i], key_entry.seed, number, 0);
	entry.sealed    = (struct text){(const char *)sealed, id->id.length + CIPHER_EXTRA_BYTES};
	status          = add_person(vault, &resolve->space, person, &key_entry, &entry, &group, err);
	if (status != STATUS_OK)
		return status;
	*ret_mapping = mapping_of(person, id->namespace == VAULT_USER, group);
	id_shard_add(shard, resolve->hashes[i], *ret_mapping);
	if (id->namespace == VAULT_USER)
		subjects_note_user(vault, resolve->hashes[i], person);
	atomic_fetch_add_explicit(&vault->persons, 1, memory_order_relaxed);
	return STATUS_OK;
}

static enum status resolve_one(struct resolve *resolve, struct id_shard *shard, size_t i,
                               struct error *err)
{
	const uint64_t *found   = id_shard_find(shard, resolve->hashes[i]);
	uint64_t        mapping = found ? *found : 0;
	if (!found && resolve->create) {
		enum status status = create_person(resolve, shard, i, &mapping, err);
		if (status != STATUS_OK)
			return status;
	}
	if (mapping == 0) {
		uint32_t partition  = partition_of(resolve->vault, resolve->hashes[i]);
		resolve->persons[i] = (struct person){partition, SLOT_NONE};
	} else {
		uint64_t sequence   = sequence_of(resolve->vault, mapping, resolve->durable);
		resolve->sequence   = sequence > resolve->sequence ? sequence : resolve->sequence;
		resolve->persons[i] = mapping_person(mapping);
	}
	if (resolve->identified)
		resolve->identified[i] = mapping_identified(mapping);
	return STATUS_OK;
}

/* Chains the ids of each shard, while their slots are on the way into the cache. */
static void sort_block(struct resolve *resolve)
{
	struct vault *vault = resolve->vault;
	memset(resolve->first, BLOCK_IDS, sizeof resolve->first);
	for (size_t i = 0; i < resolve->count; i++) {
		const struct vault_id *id   = &resolve->ids[i];
		struct id_hash         hash = keyring_hash(vault->keyring, (uint8_t)id->namespace, id->id);
		id_index_prefetch(&vault->index, hash);
		size_t shard          = id_shard_number(hash);
		resolve->hashes[i]    = hash;
		resolve->next[i]      = resolve->first[shard];
		resolve->first[shard] = (uint8_t)i;
	}
}

static enum status resolve_block(struct resolve *resolve, struct error *err)
{
	struct vault *vault  = resolve->vault;
	enum status   status = STATUS_OK;
	sort_block(resolve);
	resolve->durable = writer_durable(&vault->writer);
	for (size_t s = 0; s < ID_SHARD_COUNT && status == STATUS_OK; s++) {
		if (resolve->first[s] == BLOCK_IDS)
			continue;
		struct id_shard *shard = &vault->index.shards[s];
		pthread_mutex_lock(&shard->lock);
		for (size_t i = resolve->first[s]; i != BLOCK_IDS && status == STATUS_OK;
		     i        = resolve->next[i])
            status = resolve_one(resolve, shard, i, err);
		pthread_mutex_unlock(&shard->lock);
	}
	if (resolve->reserved) {
		writer_release(&vault->writer, &resolve->space);
		resolve->reserved = false;
		writer_kick(&vault->writer);
	}
	return status;
}

enum status vault_resolve(struct vault *vault, const struct vault_id *ids, size_t count,
                          bool create, struct person *ret_persons, bool *ret_identified,
                          uint64_t *ret_sequence, struct error *err)
{
	struct resolve resolve;
	resolve.vault    = vault;
	resolve.create   = create;
	resolve.sequence = 0;
	resolve.reserved = false;
	resolve.space    = (struct writer_space){0};
	for (size_t begin = 0; begin < count; begin += BLOCK_IDS) {
		resolve.ids        = ids + begin;
		resolve.count      = count - begin < BLOCK_IDS ? count - begin : BLOCK_IDS;
		resolve.persons    = ret_persons + begin;
		resolve.identified = ret_identified ? ret_identified + begin : NULL;
		enum status status = resolve_block(&resolve, err);
		if (status != STATUS_OK)
			return status;
	}
	*ret_sequence = resolve.sequence;
	return STATUS_OK;
}

bool vault_known(struct vault *vault, struct vault_id id)
{
	struct id_hash   hash  = keyring_hash(vault->keyring, (uint8_t)id.namespace, id.id);
	struct id_shard *shard = id_index_shard(&vault->index, hash);
	pthread_mutex_lock(&shard->lock);
	bool known = id_shard_find(shard, hash) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return known;
}

enum status vault_add_link(struct vault *vault, struct id_hash hash, struct person user,
                           uint64_t *ret_group, struct error *err)
{
	struct key_entry     key;
	struct writer_space  space  = {0};
	struct persons_entry entry  = {.kind = ENTRY_LINK, .number = person_number(user)};
	enum status          status = vault_key_entry(vault, user, &key, err);
	if (status == STATUS_OK)
		status = writer_reserve(&vault->writer, ENTRY_LINK_BYTES + WRITER_ENTRY_EXTRA_BYTES, 0,
		                        &space, err);
	if (status != STATUS_OK)
		return status;

	cipher_random(&entry.nonce, sizeof entry.nonce);
	entry.masked = keyring_mask(vault->keyring, hash, key.seed, entry.number, entry.nonce);
	*ret_group   = writer_begin(&vault->writer);
	if (*ret_group != 0) {
		writer_add_entry(&vault->writer, &space, &entry);
		writer_end(&vault->writer);
		writer_kick(&vault->writer);
	} else {
		status = writer_failure(&vault->writer, err);
	}
	writer_release(&vault->writer, &space);
	return status;
}

/* The shard's lock is held. */
static enum status link_in_shard(struct vault *vault, struct id_shard *shard, struct id_hash hash,
                                 struct person user, uint64_t *ret_before, uint64_t *ret_sequence,
                                 struct error *err)
{
	uint64_t *mapping = id_shard_find(shard, hash);
	uint64_t  before  = mapping ? *mapping : 0;
	if (mapping_identified(before) &&
	    person_number(mapping_person(before)) == person_number(user)) {
		*ret_sequence = sequence_of(vault, before, writer_durable(&vault->writer));
		*ret_before   = before;
		return STATUS_OK;
	}

	/* Both would have to be told of it. */
	if (vault_leaving(vault, user) || (before != 0 && vault_leaving(vault, mapping_person(before))))
		return error_set(err, STATUS_UNAVAILABLE, "a person of this link is being erased");
	uint64_t    group  = 0;
	enum status status = vault_add_link(vault, hash, user, &group, err);
	if (status != STATUS_OK)
		return status;
	id_shard_set(shard, hash, mapping_of(user, true, group));
	atomic_fetch_add_explicit(&vault->links, 1, memory_order_relaxed);
	*ret_sequence = group;
	*ret_before   = before;
	return STATUS_OK;
}

enum status vault_link(struct vault *vault, struct text anonymous_id, struct person user,
                       bool *ret_existed, struct person *ret_before, uint64_t *ret_sequence,
                       struct error *err)
{
	struct id_hash   hash   = keyring_hash(vault->keyring, VAULT_ANONYMOUS, anonymous_id);
	struct id_shard *shard  = id_index_shard(&vault->index, hash);
	uint64_t         before = 0;
	pthread_mutex_lock(&shard->lock);
	enum status status = link_in_shard(vault, shard, hash, user, &before, ret_sequence, err);
	pthread_mutex_unlock(&shard->lock);
	if (status != STATUS_OK)
		return status;
	*ret_existed = before != 0;
	*ret_before  = before != 0 ? mapping_person(before)
	                           : (struct person){partition_of(vault, hash), SLOT_NONE};
	return STATUS_OK;
}

/* Of an id that is linked and had a profile of its own. The shard's lock is held. */
static bool merge_of(struct id_shard *shard, struct id_hash hash, struct vault_merge *ret_merge)
{
	const uint64_t *now     = id_shard_find(shard, hash);
	const uint64_t *profile = id_shard_find(shard, id_hash_profile(hash));
	const uint64_t *first   = id_shard_find(shard, id_hash_first_user(hash));
	if (now == NULL || !mapping_identified(*now) || profile == NULL)
		return false;
	ret_merge->visitor = mapping_person(*profile);
	ret_merge->user    = mapping_person(first == NULL ? *now : *first);
	return true;
}

bool vault_merged(struct vault *vault, struct text anonymous_id, struct vault_merge *ret_merge)
{
	struct id_hash   hash  = keyring_hash(vault->keyring, VAULT_ANONYMOUS, anonymous_id);
	struct id_shard *shard = id_index_shard(&vault->index, hash);
	pthread_mutex_lock(&shard->lock);
	bool merged = merge_of(shard, hash, ret_merge);
	pthread_mutex_unlock(&shard->lock);
	return merged;
}

void vault_each_merge(struct vault *vault, vault_merge_fn *call, void *context)
{
	for (size_t i = 0; i < ID_SHARD_COUNT; i++) {
		struct id_shard *shard = &vault->index.shards[i];
		pthread_mutex_lock(&shard->lock);
		for (size_t at = 0; at < shard->capacity; at++) {
			const struct id_slot *slot = &shard->slots[at];
			struct vault_merge    merge;
			if (slot->mapping != 0 && mapping_identified(slot->mapping) &&
			    merge_of(shard, slot->hash, &merge))
				call(context, &merge);
		}
		pthread_mutex_unlock(&shard->lock);
	}
}
