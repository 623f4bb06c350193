#include "engine/change/changes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void changes_done(struct changes *changes)
{
	for (size_t i = 0; i < changes->blocks.count; i++)
		free(changes->blocks.items[i]);
	VECTOR_DONE(&changes->blocks);
	VECTOR_DONE(&changes->spans);
	change_file_close(changes->file);
}

void changes_open(struct changes *changes, struct change_file *file)
{
	assert(changes->count == 0 && changes->file == NULL);
	changes->file = file;
	changes->base = changes->stored = changes->handed = file->count;
}

void changes_replace(struct changes *changes, struct change_file *file)
{
	assert(file->count == changes->stored && file->cut >= changes->file->cut);
	change_file_close(changes->file);
	changes->file = file;
}

void changes_skip(struct changes *changes, uint64_t count)
{
	assert(count >= changes->count && count <= changes->stored);
	changes->count = count;
}

static struct stored_change *place_of(struct changes *changes, uint64_t index)
{
	index -= changes->base;
	if (index / CHANGES_PER_BLOCK == changes->blocks.count) {
		struct stored_change *block = malloc(CHANGES_PER_BLOCK * sizeof *block);
		if (block == NULL)
			abort();
		VECTOR_ADD(&changes->blocks, block);
		changes->bytes += CHANGES_PER_BLOCK * sizeof *block;
	}
	return &changes->blocks.items[index / CHANGES_PER_BLOCK][index % CHANGES_PER_BLOCK];
}

/* ---- What comes again ---- */

static bool is_of_erased(const struct changes *changes, const struct change *change)
{
	return change->slot != SLOT_NONE && changes->erased != NULL &&
	       changes->erased(changes->erased_context, change->slot);
}

/* But for the ordinal, which changes of the erased may have moved. */
static bool is_same(const struct stored_change *stored, const struct stored_change *entry)
{
	struct stored_change moved = *entry;
	moved.change.ordinal       = stored->change.ordinal;
	return memcmp(stored, &moved, sizeof moved) == 0;
}

uint32_t changes_pass_erased(struct changes *changes, uint64_t through)
{
	uint32_t ordinal = 0;
	while (changes->count < changes->stored && changes->count >= changes_first(changes)) {
		const struct change *stored = &changes_at(changes, changes->count)->change;
		if (stored->position > through || !is_of_erased(changes, stored))
			break;
		ordinal = stored->position == through ? stored->ordinal + 1 : 0;
		changes->count++;
	}
	return ordinal;
}

/* Where an entry belongs behind what is stored of the erased, which may not come again or come
 * later within the same record. Nothing that follows bears an ordinal of theirs. */
static uint64_t find_behind_erased(const struct changes *changes, struct stored_change *entry)
{
	uint64_t index = changes->count;
	for (; index < changes->stored; index++) {
		const struct change *stored = &change_file_at(changes->file, index)->change;
		if (is_same(change_file_at(changes->file, index), entry) || !is_of_erased(changes, stored))
			break;
		if (stored->position == entry->change.position && stored->ordinal >= entry->change.ordinal)
			entry->change.ordinal = stored->ordinal + 1;
	}
	return index;
}

/* An entry that is not the one stored in its place. */
static uint64_t add_otherwise(struct changes *changes, struct stored_change *entry)
{
	if (entry->change.position > 0)
		(void)changes_pass_erased(changes, entry->change.position - 1);
	uint64_t index  = find_behind_erased(changes, entry);
	bool     erased = is_of_erased(changes, &entry->change);
	if (index == changes->stored) {
		*place_of(changes, index) = *entry;
	} else if (is_same(change_file_at(changes->file, index), entry)) {
		entry->change.ordinal = change_file_at(changes->file, index)->change.ordinal;
		if (erased && index > changes->count)
			return index; /* what others of the erased have before it may come yet */
	} else if (erased) {
		return (uint64_t)entry->previous - 1; /* it was not told then */
	} else if (changes->differing == 0) {
		changes->differing = index + 1;
	}
	changes->count = index + 1;
	return index;
}

uint64_t changes_add(struct changes *changes, struct change *change, uint32_t previous)
{
	uint64_t             index = changes->count;
	struct stored_change entry = {.change = *change, .previous = previous};
	assert(index < UINT32_MAX);
	if (index < changes->base && index >= changes_first(changes) &&
	    memcmp(change_file_at(changes->file, index), &entry, sizeof entry) != 0) {
		index           = add_otherwise(changes, &entry);
		change->ordinal = entry.change.ordinal;
		return index;
	}
	if (index >= changes->base)
		*place_of(changes, index) = entry;
	changes->count++;
	return index;
}

uint64_t changes_next_of(const struct changes *changes, uint32_t segment, uint64_t from)
{
	if (from < changes->stored) {
		uint64_t found = change_file_next_of(changes->file, segment, from);
		if (found < changes->count)
			return found;
		from = changes->stored;
	}
	for (; from < changes->count; from++)
		if (changes_at(changes, from)->change.segment == segment)
			return from;
	return UINT64_MAX;
}

uint32_t changes_hand_out(struct changes *changes, const struct stored_change **ret_entries,
                          uint64_t *ret_first_index)
{
	uint64_t first = changes->handed;
	if (changes->file == NULL || first >= changes->count)
		return 0;
	uint64_t count = CHANGES_PER_BLOCK - (first - changes->base) % CHANGES_PER_BLOCK;
	if (count > changes->count - first)
		count = changes->count - first;
	*ret_first_index = first;
	*ret_entries     = changes_at(changes, first);
	changes->handed  = first + count;
	return (uint32_t)count;
}

/* Frees the blocks of which everything is stored. */
static void free_stored(struct changes *changes)
{
	size_t count = (changes->stored - changes->base) / CHANGES_PER_BLOCK;
	for (size_t i = 0; i < count; i++)
		free(changes->blocks.items[i]);
	if (count == 0)
		return;
	changes->blocks.count -= count;
	memmove(changes->blocks.items, changes->blocks.items + count,
	        changes->blocks.count * sizeof *changes->blocks.items);
	changes->base += count * CHANGES_PER_BLOCK;
	changes->bytes -= count * CHANGES_PER_BLOCK * sizeof(struct stored_change);
}

void changes_stored(struct changes *changes, uint64_t bytes, uint32_t count)
{
	assert(changes->stored + count <= changes->handed);
	change_file_adopt(changes->file, bytes, count);
	changes->stored += count;
	free_stored(changes);
}

void changes_not_stored(struct changes *changes) { changes->handed = changes->stored; }
