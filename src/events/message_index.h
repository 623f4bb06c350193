#ifndef SONNIM_EVENTS_MESSAGE_INDEX_H
#define SONNIM_EVENTS_MESSAGE_INDEX_H

/* Finds a stored call by the hash of its person and message id. Candidates only: the caller
 * compares the ids themselves. Equal hashes of different calls may lie here side by side.
 *
 *   hash ──► table (its upper bits) ──► [ slot ][ slot ][  -  ][ slot ] …
 *
 * 256 tables, each with open addressing (linear probing, power of two, at most 3/4 full, 8 bytes a
 * slot), so that growing never holds up more than a 256th. A slot holds the pointer of the entry
 * with 16 bits of its hash in the upper bits that pointers of user space leave free (x86-64 and
 * arm64 with 48-bit addresses), so that a miss touches one cache line and a false candidate is met
 * once in 65,536 looks. Growing asks the caller for the hashes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_TABLES = 256, MESSAGE_LINE = 8 };

struct message_index {
	struct message_table {
		uint64_t *slots;
		uint32_t  count;
		uint32_t  capacity;
	} tables[MESSAGE_TABLES];
	size_t bytes;
};

typedef uint64_t message_index_hash_fn(const void *entry);

void message_index_done(struct message_index *index);
void message_index_add(struct message_index *index, uint64_t hash, const void *entry,
                       message_index_hash_fn *hash_of);

/* Candidates for a hash, one after the other: start with *probe = 0; NULL at the end. */
const void *message_index_next(const struct message_index *index, uint64_t hash, uint32_t *probe);

/* The table takes bits 32 to 39, the place in it the lower ones, the tag the uppermost 16. */
static inline uint32_t message_index_table(uint64_t hash)
{
	return hash >> 32 & (MESSAGE_TABLES - 1);
}

/* Looking begins with a cache line, not within it: only where that is full of others, which it is
 * rarely, is the next one met. */
static inline uint32_t message_index_line(uint64_t hash, uint32_t mask)
{
	return (uint32_t)hash & mask & ~(uint32_t)(MESSAGE_LINE - 1);
}

static inline void message_index_prefetch(const struct message_index *index, uint64_t hash)
{
	const struct message_table *table = &index->tables[message_index_table(hash)];
	if (table->capacity > 0)
		__builtin_prefetch(&table->slots[message_index_line(hash, table->capacity - 1)], 1);
}

#endif
