#ifndef SONNIM_ENGINE_CHANGES_H
#define SONNIM_ENGINE_CHANGES_H

/* The change stream of one partition, append-only, with two ways in: each person's changes chained
 * from the newest back, and each segment's in order. An index is a change's place in the stream,
 * from 0; it stays what it is when changes before it are dropped for their age.
 *
 *   0            base       stored        handed      count
 *   ├──── file ────┼───────────┤             │          │
 *                  ├──────── memory, in blocks ─────────┤
 *                              └ on the way ─┘
 *
 * Without a file all of it stays in memory. What a restart emits again is not stored twice: entries
 * before `stored` are compared with the file, and the first that differs is remembered. Of persons
 * who were erased a restart may make other changes than were told: what was told stays, and only
 * that.
 * Owner: the partition; its thread only. What lies in memory never changes, so that another thread
 * may write what was handed out. */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "engine/change/change_file.h"
#include "engine/engine.h"

enum { CHANGES_PER_BLOCK = CHANGE_CHUNK_ENTRIES_MAX };

/* A time during which a segment held for everybody without events: memberships that are not in the
 * stream one by one follow from it (contracts, rule 22). */
struct default_span {
	uint32_t segment;
	uint64_t from_index; /* entries with from_index <= index < to_index lie in it */
	uint64_t to_index;
	bool     holds[2];     /* for anonymous, for identified persons */
	bool     announced[2]; /* it began with an entry for everyone; else it took over from another */
	bool     ended;        /* it ended with an entry for everyone, at to_index */
};

/* Whether the person of a slot was erased. Asked about what comes otherwise than it is stored. */
typedef bool changes_erased_fn(void *context, uint32_t slot);

struct changes {
	struct change_file *file;   /* NULL: none */
	changes_erased_fn  *erased; /* NULL: nobody was */
	void               *erased_context;
	uint64_t            count;
	uint64_t            base;
	uint64_t            stored;
	uint64_t            handed;
	VECTOR(struct stored_change *) blocks;
	VECTOR(struct default_span) spans;
	uint64_t differing; /* index + 1 of the first entry that came otherwise than it is stored */
	uint64_t bytes;     /* in memory */
};

void changes_done(struct changes *changes); /* closes the file */

/* Takes over a file; the stream is empty still, what is stored is expected to come again. */
void changes_open(struct changes *changes, struct change_file *file);

/* The first entry from which on all are there; what is left before it serves what follows. */
static inline uint64_t changes_first(const struct changes *changes)
{
	return changes->file == NULL ? 0 : changes->file->cut;
}

/* Takes over a file that says the same as the one so far, save for a later first entry. */
void changes_replace(struct changes *changes, struct change_file *file);

/* What is stored before `count` (at most changes->stored) does not come again. */
void changes_skip(struct changes *changes, uint64_t count);

/* Adds behind the last; `previous` is the person's newest change (index + 1) or 0. Returns the
 * index of the person's newest change now; UINT64_MAX: none. `change->ordinal` becomes what it is
 * in the stream. */
uint64_t changes_add(struct changes *changes, struct change *change, uint32_t previous);

/* Goes past what is stored next of the erased, of records up to position `through`, which does not
 * come again: before a step that relies on where its entries will stand, and at the end of a
 * replay. Returns the ordinal behind those of record `through`; 0: none of it was passed. */
uint32_t changes_pass_erased(struct changes *changes, uint64_t through);

/* Valid until the next call that is not const. Before the first: &change_dropped, or what is left,
 * which leads each person's chain on to the next that is left, and to its creation at the end. */
static inline const struct stored_change *changes_at(const struct changes *changes, uint64_t index)
{
	assert(index < changes->count || index < changes->stored);
	if (index < changes->base)
		return change_file_at(changes->file, index);
	index -= changes->base;
	return &changes->blocks.items[index / CHANGES_PER_BLOCK][index % CHANGES_PER_BLOCK];
}

/* The first entry of `segment` at or behind `from`; UINT64_MAX: none. Those in memory are looked
 * through one by one. */
uint64_t changes_next_of(const struct changes *changes, uint32_t segment, uint64_t from);

/* The next entries that are to be written, one chunk at most; 0: none. They count as handed out
 * until changes_stored() says that they are written, in order, or changes_not_stored() that they
 * and those behind them are not. */
uint32_t changes_hand_out(struct changes *changes, const struct stored_change **ret_entries,
                          uint64_t *ret_first_index);
void     changes_stored(struct changes *changes, uint64_t bytes, uint32_t count);
void     changes_not_stored(struct changes *changes);

#endif
