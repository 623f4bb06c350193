#include "events/message_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 16, TAG_SHIFT = 48 };

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
	for (unsigned i = 0; i < MESSAGE_TABLES; i++)
		free(index->tables[i].slots);
	*index = (struct message_index){0};
}

static void place(struct message_table *table, uint64_t hash, const void *entry)
{
	uint32_t mask = table->capacity - 1;
	uint32_t at   = message_index_line(hash, mask);
	while (table->slots[at] != 0)
		at = (at + 1) & mask;
	table->slots[at] = tagged(hash, entry);
}

static void grow(struct message_table *table, message_index_hash_fn *hash_of)
{
	struct message_table old = *table;
	table->capacity          = old.capacity == 0 ? CAPACITY_MIN : old.capacity * 2;
	size_t size              = table->capacity * sizeof *table->slots;
	table->slots             = aligned_alloc(MESSAGE_LINE * sizeof *table->slots, size);
	if (table->slots == NULL)
		abort();
	memset(table->slots, 0, size);

	for (uint32_t i = 0; i < old.capacity; i++)
		if (old.slots[i] != 0)
			place(table, hash_of(entry_of(old.slots[i])), entry_of(old.slots[i]));
	free(old.slots);
}

void message_index_add(struct message_index *index, uint64_t hash, const void *entry,
                       message_index_hash_fn *hash_of)
{
	struct message_table *table = &index->tables[message_index_table(hash)];
	if ((uint64_t)(table->count + 1) * 4 > (uint64_t)table->capacity * 3) {
		uint32_t before = table->capacity;
		grow(table, hash_of);
		index->bytes += (size_t)(table->capacity - before) * sizeof *table->slots;
	}
	place(table, hash, entry);
	table->count++;
}

const void *message_index_next(const struct message_index *index, uint64_t hash, uint32_t *probe)
{
	const struct message_table *table = &index->tables[message_index_table(hash)];
	if (table->capacity == 0)
		return NULL;

	uint32_t mask = table->capacity - 1;
	uint32_t line = message_index_line(hash, mask);
	for (;;) {
		uint64_t slot = table->slots[(line + *probe) & mask];
		if (slot == 0)
			return NULL;
		(*probe)++;
		if (slot >> TAG_SHIFT == hash >> TAG_SHIFT)
			return entry_of(slot);
	}
}
