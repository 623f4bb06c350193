#ifndef SONNIM_EVENTS_MESSAGE_INDEX_H
#define SONNIM_EVENTS_MESSAGE_INDEX_H

/* Finds a stored call by the hash of its person and message id. Candidates only: the caller compares
 * the ids themselves. Equal hashes of different calls may lie here side by side.
 *
 *   slots: [ entry ][ entry ][  -  ][ entry ] …   open addressing, linear probing, power of two,
 *                                                 at most 3/4 full; 8 bytes a slot
 *
 * A slot holds the pointer of the entry with 16 bits of its hash in the upper bits that pointers of
 * user space leave free (x86-64 and arm64 with 48-bit addresses), so that a miss touches one cache
 * line and a false candidate is met once in 65,536 looks. Growing asks the caller for full hashes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_index {
	uint64_t *slots;
	size_t    count;
	size_t    capacity;
};

typedef uint64_t message_index_hash_fn(const void *entry);

void message_index_done(struct message_index *index);
void message_index_add(struct message_index *index, uint64_t hash, const void *entry,
                       message_index_hash_fn *hash_of);

/* Candidates for a hash, one after the other: start with *probe = 0; NULL at the end. */
const void *message_index_next(const struct message_index *index, uint64_t hash, size_t *probe);

static inline void message_index_prefetch(const struct message_index *index, uint64_t hash)
{
	if (index->capacity > 0)
		__builtin_prefetch(&index->slots[hash & (index->capacity - 1)]);
}

static inline size_t message_index_bytes(const struct message_index *index)
{
	return index->capacity * sizeof *index->slots;
}

#endif
