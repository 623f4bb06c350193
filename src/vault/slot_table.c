#include "vault/slot_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void slot_table_init(struct slot_table *table, uint32_t partition_count)
{
	assert(partition_count >= 1 && partition_count <= PARTITION_COUNT_MAX);

	size_t bytes           = partition_count * sizeof *table->partitions;
	table->partition_count = partition_count;
	table->partitions      = aligned_alloc(_Alignof(struct slot_partition), bytes);
	if (!table->partitions)
		abort();
	for (uint32_t i = 0; i < partition_count; i++) {
		struct slot_partition *partition = &table->partitions[i];
		pthread_mutex_init(&partition->lock, NULL);
		atomic_init(&partition->next, 0);
		partition->granules      = NULL;
		partition->granule_count = 0;
	}
}

void slot_table_done(struct slot_table *table)
{
	for (uint32_t i = 0; i < table->partition_count; i++) {
		struct slot_partition *partition = &table->partitions[i];
		for (size_t g = 0; g < partition->granule_count; g++) {
			if (partition->granules[g])
				cipher_wipe(partition->granules[g]->key, CIPHER_KEY_BYTES);
			free(partition->granules[g]);
		}
		free(partition->granules);
		pthread_mutex_destroy(&partition->lock);
	}
	free(table->partitions);
}

uint32_t slot_table_take(struct slot_table *table, uint32_t partition)
{
	/* 64 bits wide: taking from a full partition again and again never wraps around. */
	uint64_t slot =
		atomic_fetch_add_explicit(&table->partitions[partition].next, 1, memory_order_relaxed);
	return slot < SLOT_NONE ? (uint32_t)slot : (uint32_t)SLOT_NONE;
}

void slot_table_reserve(struct slot_table *table, uint32_t partition, uint64_t slot_count)
{
	atomic_uint_fast64_t *next   = &table->partitions[partition].next;
	uint_fast64_t         before = atomic_load_explicit(next, memory_order_relaxed);
	while (before < slot_count &&
	       !atomic_compare_exchange_weak_explicit(next, &before, slot_count, memory_order_relaxed,
	                                              memory_order_relaxed))
		;
}

static void grow(struct slot_partition *partition, size_t wanted)
{
	size_t count = partition->granule_count * 2 > wanted ? partition->granule_count * 2 : wanted;
	struct granule **granules = realloc(partition->granules, count * sizeof(struct granule *));
	if (!granules)
		abort();
	memset(granules + partition->granule_count, 0,
	       (count - partition->granule_count) * sizeof(struct granule *));
	partition->granules      = granules;
	partition->granule_count = count;
}

struct granule *slot_table_granule(struct slot_table *table, struct person person)
{
	struct slot_partition *partition = slot_table_partition(table, person);
	size_t                 at        = person.slot / GRANULE_SLOTS;
	if (at >= partition->granule_count)
		grow(partition, at + 1);
	if (!partition->granules[at]) {
		partition->granules[at] = calloc(1, sizeof(struct granule));
		if (!partition->granules[at])
			abort();
	}
	return partition->granules[at];
}

void slot_table_set(struct slot_table *table, struct person person, struct slot_place place)
{
	struct slot_partition *partition = slot_table_partition(table, person);
	pthread_mutex_lock(&partition->lock);
	slot_table_granule(table, person)->places[person.slot % GRANULE_SLOTS] = place;
	pthread_mutex_unlock(&partition->lock);
}

bool slot_table_get(struct slot_table *table, struct person person, struct slot_place *ret_place)
{
	if (person.partition >= table->partition_count)
		return false;
	struct slot_partition *partition = slot_table_partition(table, person);
	struct slot_place      place     = {0};
	size_t                 at        = person.slot / GRANULE_SLOTS;
	pthread_mutex_lock(&partition->lock);
	if (at < partition->granule_count && partition->granules[at])
		place = partition->granules[at]->places[person.slot % GRANULE_SLOTS];
	pthread_mutex_unlock(&partition->lock);
	*ret_place = place;
	return place.key_at != 0;
}

size_t slot_table_memory_bytes(struct slot_table *table)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < table->partition_count; i++) {
		struct slot_partition *partition = &table->partitions[i];
		pthread_mutex_lock(&partition->lock);
		bytes += partition->granule_count * sizeof(struct granule *);
		for (size_t g = 0; g < partition->granule_count; g++)
			bytes += partition->granules[g] ? sizeof(struct granule) : 0;
		pthread_mutex_unlock(&partition->lock);
	}
	return bytes;
}
