#include "events/message_index.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 1024, TAG_SHIFT = 48 };

static uint64_t tagged(uint64_t hash, const void *entry)
{
	assert((uintptr_t)entry >> TAG_SHIFT == 0);
	return (hash >> TAG_SHIFT) << TAG_SHIFT | (uintptr_t)entry;
}

static const void *entry_of(uint64_t slot)
{
	return (const void *)(uintptr_t)(slot << (64 - TAG_SHIFT) >> (64 - TAG_SHIFT));
}

void message_index_done(struct message_index *index)
{
	free(index->slots);
	*index = (struct message_index){0};
}

static void place(struct message_index *index, uint64_t hash, const void *entry)
{
	size_t mask = index->capacity - 1;
	size_t at   = hash & mask;
	while (index->slots[at] != 0)
		at = (at + 1) & mask;
	index->slots[at] = tagged(hash, entry);
}

static void grow(struct message_index *index, message_index_hash_fn *hash_of)
{
	struct message_index old = *index;
	index->capacity = old.capacity == 0 ? CAPACITY_MIN : old.capacity * 2;
	index->slots    = calloc(index->capacity, sizeof *index->slots);
	if (index->slots == NULL)
		abort();

	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i] != 0)
			place(index, hash_of(entry_of(old.slots[i])), entry_of(old.slots[i]));
	free(old.slots);
}

void message_index_add(struct message_index *index, uint64_t hash, const void *entry,
                       message_index_hash_fn *hash_of)
{
	if ((index->count + 1) * 4 > index->capacity * 3)
		grow(index, hash_of);
	place(index, hash, entry);
	index->count++;
}

const void *message_index_next(const struct message_index *index, uint64_t hash, size_t *probe)
{
	if (index->capacity == 0)
		return NULL;

	size_t mask = index->capacity - 1;
	for (;;) {
		uint64_t slot = index->slots[(hash + *probe) & mask];
		if (slot == 0)
			return NULL;
		(*probe)++;
		if (slot >> TAG_SHIFT == hash >> TAG_SHIFT)
			return entry_of(slot);
	}
}
