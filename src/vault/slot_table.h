#ifndef SONNIM_VAULT_SLOT_TABLE_H
#define SONNIM_VAULT_SLOT_TABLE_H

/* From a person number to where the person's entries lie in both logs, and the allocator of slots.
 *
 *   partition ─► granule (4,096 slots) ─► { place in persons.log, entry of keys.log }, 8 bytes each
 *                        └► the intermediate key that wraps the data keys of these persons
 *
 * A granule, once made, stays where it is. Threads: any; each partition has a lock. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/person.h"
#include "vault/cipher.h"

enum { GRANULE_SLOTS = 4096 };

struct slot_place {
	uint32_t person_at; /* in persons.log, in units of 8 bytes: it may have 32 GiB */
	uint32_t key_at;    /* the entry of keys.log; 0: nobody has this slot */
};

struct granule {
	struct slot_place places[GRANULE_SLOTS];
	uint32_t          intermediate_at; /* the entry of keys.log; 0: none yet */
	bool              unwrapped;
	uint8_t           key[CIPHER_KEY_BYTES];
};

struct slot_partition {
	_Alignas(64) pthread_mutex_t lock;
	atomic_uint_fast64_t next; /* slot */
	struct granule     **granules;
	size_t               granule_count; /* of pointers, some may be NULL */
};

struct slot_table {
	struct slot_partition *partitions;
	uint32_t               partition_count;
};

void slot_table_init(struct slot_table *table, uint32_t partition_count);
void slot_table_done(struct slot_table *table); /* wipes the keys */

/* The next slot of a partition; SLOT_NONE when there is none left. */
uint32_t slot_table_take(struct slot_table *table, uint32_t partition);
/* Later slots are at or behind `slot_count`. */
void slot_table_reserve(struct slot_table *table, uint32_t partition, uint64_t slot_count);

void slot_table_set(struct slot_table *table, struct person person, struct slot_place place);
/* False: nobody has this slot, or there is no such partition. */
bool slot_table_get(struct slot_table *table, struct person person, struct slot_place *ret_place);

static inline struct slot_partition *slot_table_partition(struct slot_table *table,
                                                          struct person      person)
{
	return &table->partitions[person.partition];
}

/* The granule of a person, made when it is missing. The partition's lock must be held. */
struct granule *slot_table_granule(struct slot_table *table, struct person person);

size_t slot_table_memory_bytes(struct slot_table *table);

#endif
