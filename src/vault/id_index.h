#ifndef SONNIM_VAULT_ID_INDEX_H
#define SONNIM_VAULT_ID_INDEX_H

/* From the keyed hash of an external id to the person that it answers.
 *
 *   128-bit hash: first word ─► shard (top 4 bits) and home slot (the rest), second ─► partition
 *   shard = mutex, slots of 24 bytes: [ first │ second │ mapping ], linear probing from the home
 *
 * A shard is at most 4/5 full and grows by half, so that a mapping costs 30 to 45 bytes. Its size
 * is no power of two: a hash is scaled to it (Lemire, "Fast random integer generation in an
 * interval").
 *
 * A mapping is one word: bits 0–31 slot, 32–41 partition, 42 identified, 43 set in every mapping,
 * 44–63 the low bits of the group (writer.h) that makes it durable.
 *
 * Threads: any; what takes a `struct id_shard *` needs its lock. Only erasing a person removes
 * (Knuth, 6.4, algorithm R: those behind move up, so that no look-up ends too early). */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/person.h"

enum {
	ID_SHARD_BITS      = 4,
	ID_SHARD_COUNT     = 1 << ID_SHARD_BITS,
	MAPPING_IDENTIFIED = 42,
	MAPPING_PRESENT    = 43,
	MAPPING_GROUP      = 44,
	MAPPING_GROUP_BITS = 64 - MAPPING_GROUP,
	MAPPING_PARTITIONS = 1 << (MAPPING_IDENTIFIED - 32),
};

_Static_assert((int)PARTITION_COUNT_MAX <= (int)MAPPING_PARTITIONS,
               "a partition fits into 10 bits");

struct id_hash {
	uint64_t first;
	uint64_t second;
};

struct id_slot {
	struct id_hash hash;
	uint64_t       mapping; /* 0: empty */
};

struct id_shard {
	_Alignas(64) pthread_mutex_t lock;
	/* Atomic only for id_index_prefetch(), which reads them without the lock. */
	_Atomic(struct id_slot *) slots;
	atomic_size_t             capacity;
	size_t                    count;
};

struct id_index {
	struct id_shard shards[ID_SHARD_COUNT];
};

static inline uint64_t mapping_of(struct person person, bool identified, uint64_t group)
{
	return person_number(person) | (uint64_t)identified << MAPPING_IDENTIFIED |
	       UINT64_C(1) << MAPPING_PRESENT | group << MAPPING_GROUP;
}

static inline struct person mapping_person(uint64_t mapping)
{
	return person_of_number(mapping & ((UINT64_C(1) << MAPPING_IDENTIFIED) - 1));
}

static inline bool mapping_identified(uint64_t mapping)
{
	return (mapping >> MAPPING_IDENTIFIED & 1) != 0;
}

/* As it stands beside an id, for the first user: so it is not taken for the id's own. */
static inline uint64_t mapping_unidentified(uint64_t mapping)
{
	return mapping & ~(UINT64_C(1) << MAPPING_IDENTIFIED);
}

/* How far the mapping's group lies behind `durable`: 0 when it is not behind it. Wrong once in a
 * thousand for groups a million ago: the caller then waits for one that it need not wait for. */
static inline uint64_t mapping_groups_to_wait(uint64_t mapping, uint64_t durable)
{
	uint64_t mask  = (UINT64_C(1) << MAPPING_GROUP_BITS) - 1;
	uint64_t ahead = ((mapping >> MAPPING_GROUP) - durable) & mask;
	return ahead <= 1024 ? ahead : 0;
}

/* `expected`: so many mappings fit without growing. */
void id_index_init(struct id_index *index, size_t expected);
void id_index_done(struct id_index *index);

static inline size_t id_shard_number(struct id_hash hash)
{
	return (size_t)(hash.first >> (64 - ID_SHARD_BITS));
}

static inline struct id_shard *id_index_shard(struct id_index *index, struct id_hash hash)
{
	return &index->shards[id_shard_number(hash)];
}

static inline size_t id_home(struct id_hash hash, size_t capacity)
{
	return (size_t)((unsigned __int128)(hash.first << ID_SHARD_BITS) * capacity >> 64);
}

/* Brings the first slots of a hash into the cache. */
static inline void id_index_prefetch(struct id_index *index, struct id_hash hash)
{
	struct id_shard *shard    = id_index_shard(index, hash);
	size_t           capacity = atomic_load_explicit(&shard->capacity, memory_order_relaxed);
	uintptr_t        slots = (uintptr_t)atomic_load_explicit(&shard->slots, memory_order_relaxed);
	uintptr_t        at    = slots + id_home(hash, capacity) * sizeof(struct id_slot);
	__builtin_prefetch((const void *)at);
	__builtin_prefetch((const void *)(at + 64));
}

/* What an id that was linked also has, beside its mapping: its own profile, if it had one, and,
 * once the link has moved on, the user to whom it was linked first. Each of the two is its own
 * inverse. */
static inline struct id_hash id_hash_profile(struct id_hash hash)
{
	return (struct id_hash){hash.first, ~hash.second};
}

static inline struct id_hash id_hash_first_user(struct id_hash hash)
{
	return (struct id_hash){hash.first, hash.second ^ UINT64_C(0x5555555555555555)};
}

/* The mapping of a hash; NULL when there is none. Valid until the shard's lock is let go. */
uint64_t *id_shard_find(struct id_shard *shard, struct id_hash hash);

/* Adds a mapping for a hash that has none. */
void id_shard_add(struct id_shard *shard, struct id_hash hash, uint64_t mapping);

/* Sets the mapping of a hash, which may have one: a link. What it was before is kept beside it. */
void id_shard_set(struct id_shard *shard, struct id_hash hash, uint64_t mapping);

/* Removes the mapping of a hash; nothing when it has none. Others of the shard may move. */
void id_shard_remove(struct id_shard *shard, struct id_hash hash);

size_t id_index_count(struct id_index *index);
size_t id_index_memory_bytes(struct id_index *index);

#endif
