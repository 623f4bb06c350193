#include "vault/id_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CAPACITY_MIN = 16, HUGE_PAGE_BYTES = 2 << 20 };

static struct id_slot *allocate(size_t capacity)
{
	size_t bytes  = capacity * sizeof(struct id_slot);
	size_t align  = bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 64;
	void  *memory = NULL;
	if (posix_memalign(&memory, align, bytes) != 0)
		abort();
	/* Look-ups are random: with small pages each would miss the TLB too. */
	if (align == HUGE_PAGE_BYTES)
		madvise(memory, bytes, MADV_HUGEPAGE);
	return memset(memory, 0, bytes);
}

static struct id_slot *slots_of(struct id_shard *shard)
{
	return atomic_load_explicit(&shard->slots, memory_order_relaxed);
}

static size_t capacity_of(struct id_shard *shard)
{
	return atomic_load_explicit(&shard->capacity, memory_order_relaxed);
}

void id_index_init(struct id_index *index, size_t expected)
{
	/* Shards differ a little; an eighth more makes growing unlikely. */
	size_t capacity = CAPACITY_MIN + expected / ID_SHARD_COUNT * 11 / 8;
	for (size_t i = 0; i < ID_SHARD_COUNT; i++) {
		struct id_shard *shard = &index->shards[i];
		pthread_mutex_init(&shard->lock, NULL);
		atomic_init(&shard->slots, allocate(capacity));
		atomic_init(&shard->capacity, capacity);
		shard->count = 0;
	}
}

void id_index_done(struct id_index *index)
{
	for (size_t i = 0; i < ID_SHARD_COUNT; i++) {
		pthread_mutex_destroy(&index->shards[i].lock);
		free(slots_of(&index->shards[i]));
	}
}

uint64_t *id_shard_find(struct id_shard *shard, struct id_hash hash)
{
	struct id_slot *slots    = slots_of(shard);
	size_t          capacity = capacity_of(shard);
	for (size_t i = id_home(hash, capacity); slots[i].mapping != 0;
	     i        = i + 1 < capacity ? i + 1 : 0)
        if (slots[i].hash.first == hash.first && slots[i].hash.second == hash.second)
            return &slots[i].mapping;
	return NULL;
}

static void place(struct id_slot *slots, size_t capacity, const struct id_slot *slot)
{
	size_t i = id_home(slot->hash, capacity);
	while (slots[i].mapping != 0)
		i = i + 1 < capacity ? i + 1 : 0;
	slots[i] = *slot;
}

static void grow(struct id_shard *shard)
{
	struct id_slot *old    = slots_of(shard);
	size_t          before = capacity_of(shard);
	size_t          after  = before + before / 2;
	struct id_slot *slots  = allocate(after);
	for (size_t i = 0; i < before; i++)
		if (old[i].mapping != 0)
			place(slots, after, &old[i]);
	atomic_store_explicit(&shard->slots, slots, memory_order_relaxed);
	atomic_store_explicit(&shard->capacity, after, memory_order_relaxed);
	free(old);
}

void id_shard_add(struct id_shard *shard, struct id_hash hash, uint64_t mapping)
{
	assert(mapping != 0);
	if (shard->count + 1 > capacity_of(shard) / 5 * 4)
		grow(shard);
	place(slots_of(shard), capacity_of(shard), &(struct id_slot){hash, mapping});
	shard->count++;
}

void id_shard_set(struct id_shard *shard, struct id_hash hash, uint64_t mapping)
{
	uint64_t *found = id_shard_find(shard, hash);
	if (found == NULL) {
		id_shard_add(shard, hash, mapping);
		return;
	}
	uint64_t before = *found;
	*found          = mapping;
	if (!mapping_identified(before))
		id_shard_add(shard, id_hash_profile(hash), before);
	else if (id_shard_find(shard, id_hash_first_user(hash)) == NULL)
		id_shard_add(shard, id_hash_first_user(hash), mapping_unidentified(before));
}

void id_shard_remove(struct id_shard *shard, struct id_hash hash)
{
	uint64_t *found = id_shard_find(shard, hash);
	if (found == NULL)
		return;
	struct id_slot *slots    = slots_of(shard);
	size_t          capacity = capacity_of(shard);
	size_t          hole = (size_t)((char *)found - (char *)slots) / sizeof *slots, at = hole;
	for (;;) {
		at = at + 1 < capacity ? at + 1 : 0;
		if (slots[at].mapping == 0)
			break;
		size_t home  = id_home(slots[at].hash, capacity);
		bool   stays = hole <= at ? hole < home && home <= at : hole < home || home <= at;
		if (stays)
			continue;
		slots[hole] = slots[at];
		hole        = at;
	}
	slots[hole] = (struct id_slot){0};
	shard->count--;
}

size_t id_index_count(struct id_index *index)
{
	size_t count = 0;
	for (size_t i = 0; i < ID_SHARD_COUNT; i++) {
		pthread_mutex_lock(&index->shards[i].lock);
		count += index->shards[i].count;
		pthread_mutex_unlock(&index->shards[i].lock);
	}
	return count;
}

size_t id_index_memory_bytes(struct id_index *index)
{
	size_t bytes = 0;
	for (size_t i = 0; i < ID_SHARD_COUNT; i++)
		bytes += capacity_of(&index->shards[i]) * sizeof(struct id_slot);
	return bytes;
}
