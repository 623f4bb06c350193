#include "vault/vault_erase.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vault/vault_internal.h"

/* A bit for each hash of a number: most slots of the index need no look-up in the set. */
enum { SIEVE_BITS = 20 };

struct vault_erasure {
	struct vault *vault;
	VECTOR(struct person) persons; /* those who were named stand first */
	size_t named;
	VECTOR(struct id_hash) hashes; /* of index slots that lead to them */
	struct map_u64 numbers;        /* of `persons` */
	uint64_t       sieve[(1 << SIEVE_BITS) / 64];
};

static size_t sieve_bit(uint64_t number)
{
	return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SIEVE_BITS));
}

static bool goes(const struct vault_erasure *erasure, uint64_t number)
{
	size_t bit = sieve_bit(number);
	return (erasure->sieve[bit / 64] >> bit % 64 & 1) != 0 &&
	       map_u64_find(&erasure->numbers, number) != NULL;
}

bool vault_leaving(struct vault *vault, struct person person)
{
	if (atomic_load_explicit(&vault->leaving_count, memory_order_acquire) == 0)
		return false;
	pthread_mutex_lock(&vault->erasing_lock);
	bool leaving = map_u64_find(&vault->leaving, person_number(person)) != NULL;
	pthread_mutex_unlock(&vault->erasing_lock);
	return leaving;
}

static void add_person(struct vault_erasure *erasure, struct person person)
{
	struct vault     *vault  = erasure->vault;
	uint64_t          number = person_number(person);
	struct slot_place place;
	if (!slot_table_get(&vault->slots, person, &place) || goes(erasure, number))
		return;
	VECTOR_ADD(&erasure->persons, person);
	*map_u64_put(&erasure->numbers, number) = 1;
	size_t bit                              = sieve_bit(number);
	erasure->sieve[bit / 64] |= UINT64_C(1) << bit % 64;

	pthread_mutex_lock(&vault->erasing_lock);
	*map_u64_put(&vault->leaving, number) = 1;
	atomic_store_explicit(&vault->leaving_count, vault->leaving.count, memory_order_release);
	pthread_mutex_unlock(&vault->erasing_lock);
}

/* The linked id of which this slot tells the first user; false: it is none such. */
static bool is_first_user(struct id_shard *shard, const struct id_slot *slot,
                          struct id_hash *ret_base)
{
	*ret_base            = id_hash_first_user(slot->hash);
	const uint64_t *base = id_shard_find(shard, *ret_base);
	return !mapping_identified(slot->mapping) && base != NULL && mapping_identified(*base);
}

/* The visitor whose events became those of the user that this slot leads to goes with him. */
static void add_visitor(struct vault_erasure *erasure, struct id_shard *shard,
                        const struct id_slot *slot)
{
	struct id_hash base;
	if (!is_first_user(shard, slot, &base)) {
		base = slot->hash;
		if (!mapping_identified(slot->mapping) ||
		    id_shard_find(shard, id_hash_first_user(base)) != NULL)
			return; /* nobody's link, or another user has them */
	}
	const uint64_t *profile = id_shard_find(shard, id_hash_profile(base));
	if (profile == NULL || mapping_identified(*profile))
		return;
	VECTOR_ADD(&erasure->hashes, id_hash_profile(base));
	add_person(erasure, mapping_person(*profile));
}

static void look_through(struct vault_erasure *erasure, struct id_shard *shard)
{
	pthread_mutex_lock(&shard->lock);
	const struct id_slot *slots = atomic_load_explicit(&shard->slots, memory_order_relaxed);
	for (size_t at = 0; at < shard->capacity; at++) {
		if (slots[at].mapping == 0 ||
		    !goes(erasure, person_number(mapping_person(slots[at].mapping))))
			continue;
		VECTOR_ADD(&erasure->hashes, slots[at].hash);
		add_visitor(erasure, shard, &slots[at]);
	}
	pthread_mutex_unlock(&shard->lock);
}

enum status vault_erasure_begin(struct vault *vault, const struct person *persons, size_t count,
                                struct vault_erasure **ret_erasure, struct error *err)
{
	assert(count <= VAULT_ERASURE_PERSONS_MAX);
	if (writer_failed(&vault->writer))
		return writer_failure(&vault->writer, err);
	struct vault_erasure *erasure = calloc(1, sizeof *erasure);
	if (erasure == NULL)
		abort();
	erasure->vault = vault;
	for (size_t i = 0; i < count; i++)
		add_person(erasure, persons[i]);
	erasure->named = erasure->persons.count;
	for (size_t i = 0; i < ID_SHARD_COUNT && erasure->persons.count > 0; i++)
		look_through(erasure, &vault->index.shards[i]);
	*ret_erasure = erasure;
	return STATUS_OK;
}

const struct person *vault_erasure_persons(const struct vault_erasure *erasure, size_t *ret_count)
{
	*ret_count = erasure->persons.count;
	return erasure->persons.items;
}

_Static_assert(sizeof(struct id_hash) == VAULT_HASH_BYTES, "a hash");

size_t vault_erasure_hash_count(const struct vault_erasure *erasure)
{
	return erasure->hashes.count;
}

void vault_erasure_hash(const struct vault_erasure *erasure, size_t index,
                        char ret_hash[VAULT_HASH_BYTES])
{
	memcpy(ret_hash, &erasure->hashes.items[index], VAULT_HASH_BYTES);
}

void vault_id_hash(struct vault *vault, struct vault_id id, char ret_hash[VAULT_HASH_BYTES])
{
	struct id_hash hash = keyring_hash(vault->keyring, (uint8_t)id.namespace, id.id);
	memcpy(ret_hash, &hash, VAULT_HASH_BYTES);
}

/* Of the persons from `begin` on, before `end`. */
static enum status void_keys(struct vault_erasure *erasure, size_t begin, size_t end,
                             struct error *err)
{
	struct vault *vault            = erasure->vault;
	enum status   status           = STATUS_OK;
	VECTOR(struct writer_key) keys = {0};
	for (size_t i = begin; i < end; i++) {
		struct person     person = erasure->persons.items[i];
		struct slot_place place;
		if (slot_table_get(&vault->slots, person, &place))
			VECTOR_ADD(&keys,
			           (struct writer_key){place.key_at, key_entry_erased(person_number(person))});
	}
	if (keys.count > 0)
		status = writer_replace_keys(&vault->writer, keys.items, keys.count, err);
	VECTOR_DONE(&keys);
	return status;
}

/* The id of a link answers the user again to whom it was linked first. Noted once more, so that the
 * next start knows nothing of those in between; without room for that it goes by what it finds. */
static void link_back(struct vault *vault, struct id_hash hash, uint64_t *mapping,
                      struct person first)
{
	struct error err;
	uint64_t     group = 0;
	(void)!vault_add_link(vault, hash, first, &group, &err);
	*mapping = mapping_of(first, true, group);
}

/* A slot of the index that led to one of them. */
static void remove_slot(struct vault_erasure *erasure, struct id_hash hash)
{
	struct vault    *vault = erasure->vault;
	struct id_shard *shard = id_index_shard(&vault->index, hash);
	pthread_mutex_lock(&shard->lock);
	uint64_t *mapping = id_shard_find(shard, hash);
	if (mapping != NULL && goes(erasure, person_number(mapping_person(*mapping)))) {
		const uint64_t *first = id_shard_find(shard, id_hash_first_user(hash));
		if (mapping_identified(*mapping) && first != NULL &&
		    !goes(erasure, person_number(mapping_person(*first))))
			link_back(vault, hash, mapping, mapping_person(*first));
		else
			id_shard_remove(shard, hash);
	}
	pthread_mutex_unlock(&shard->lock);
}

static void forget(struct vault_erasure *erasure)
{
	struct vault *vault = erasure->vault;
	/* Keys before mappings: who still finds the person finds that he has no key. */
	for (size_t i = 0; i < erasure->persons.count; i++) {
		struct person person = erasure->persons.items[i];
		slot_table_set(&vault->slots, person, (struct slot_place){0});
		key_cache_remove(&vault->cache, person_number(person));
	}
	for (size_t i = 0; i < erasure->hashes.count; i++)
		remove_slot(erasure, erasure->hashes.items[i]);
	atomic_fetch_sub_explicit(&vault->persons, erasure->persons.count, memory_order_relaxed);
	pthread_mutex_lock(&vault->erasing_lock);
	for (size_t i = 0; i < erasure->persons.count; i++)
		VECTOR_ADD(&vault->erased, person_number(erasure->persons.items[i]));
	pthread_mutex_unlock(&vault->erasing_lock);
}

void vault_erasure_abandon(struct vault_erasure *erasure)
{
	if (erasure == NULL)
		return;
	struct vault *vault = erasure->vault;
	pthread_mutex_lock(&vault->erasing_lock);
	for (size_t i = 0; i < erasure->persons.count; i++)
		map_u64_remove(&vault->leaving, person_number(erasure->persons.items[i]));
	atomic_store_explicit(&vault->leaving_count, vault->leaving.count, memory_order_release);
	pthread_mutex_unlock(&vault->erasing_lock);
	VECTOR_DONE(&erasure->persons);
	VECTOR_DONE(&erasure->hashes);
	map_u64_done(&erasure->numbers);
	free(erasure);
}

enum status vault_erasure_finish(struct vault_erasure *erasure, struct error *err)
{
	/* What was never written cannot be overwritten. */
	enum status status = writer_settle(&erasure->vault->writer, err);
	/* Visitors first, and synced: after a crash in between they are found by those who were
	 * named, and by nobody else. */
	if (status == STATUS_OK)
		status = void_keys(erasure, erasure->named, erasure->persons.count, err);
	if (status == STATUS_OK)
		status = void_keys(erasure, 0, erasure->named, err);
	if (status == STATUS_OK)
		forget(erasure);
	vault_erasure_abandon(erasure);
	return status;
}

void vault_each_erased(struct vault *vault, vault_erased_fn *call, void *context)
{
	vault_number_list erased = {0};
	pthread_mutex_lock(&vault->erasing_lock);
	for (size_t i = 0; i < vault->erased.count; i++)
		VECTOR_ADD(&erased, vault->erased.items[i]);
	pthread_mutex_unlock(&vault->erasing_lock);
	for (size_t i = 0; i < erased.count; i++)
		call(context, person_of_number(erased.items[i]));
	VECTOR_DONE(&erased);
}
