#include "engine/changes.h"

#include <assert.h>
#include <stdlib.h>

void changes_done(struct changes *changes)
{
	for (size_t i = 0; i * CHANGES_PER_BLOCK < changes->count; i++)
		free(changes->blocks[i]);
	free(changes->blocks);
	for (size_t i = 0; i < changes->segments.count; i++)
		VECTOR_DONE(&changes->segments.items[i]);
	VECTOR_DONE(&changes->segments);
	VECTOR_DONE(&changes->spans);
}

static struct stored_change *place_of(struct changes *changes, uint64_t index)
{
	size_t block = index / CHANGES_PER_BLOCK;
	if (block >= changes->block_count)
		changes->blocks =
			vector_grow(changes->blocks, &changes->block_count, block + 1, sizeof *changes->blocks);
	if (index % CHANGES_PER_BLOCK == 0) {
		changes->blocks[block] = malloc(CHANGES_PER_BLOCK * sizeof(struct stored_change));
		if (changes->blocks[block] == NULL)
			abort();
		changes->bytes += CHANGES_PER_BLOCK * sizeof(struct stored_change);
	}
	return &changes->blocks[block][index % CHANGES_PER_BLOCK];
}

static void index_by_segment(struct changes *changes, uint32_t segment, uint64_t index)
{
	while (changes->segments.count <= segment) {
		VECTOR_RESERVE(&changes->segments, 1);
		changes->segments.items[changes->segments.count].items    = NULL;
		changes->segments.items[changes->segments.count].count    = 0;
		changes->segments.items[changes->segments.count].capacity = 0;
		changes->segments.count++;
	}
	VECTOR_ADD(&changes->segments.items[segment], (uint32_t)index);
	changes->bytes += sizeof(uint32_t);
}

uint64_t changes_add(struct changes *changes, const struct change *change, uint32_t previous)
{
	uint64_t index = changes->count;
	assert(index < UINT32_MAX);
	*place_of(changes, index) = (struct stored_change){*change, previous};
	changes->count++;
	index_by_segment(changes, change->segment, index);
	return index;
}
