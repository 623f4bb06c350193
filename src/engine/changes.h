#ifndef SONNIM_ENGINE_CHANGES_H
#define SONNIM_ENGINE_CHANGES_H

/* The change stream of one partition, append-only, with two ways in: each person's changes chained
 * from the newest back, and each segment's by index. An index is a change's place in the stream,
 * from 0. Owner: the partition; its thread only. */

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "engine/engine.h"

enum { CHANGES_PER_BLOCK = 1 << 14 };

struct stored_change {
	struct change change;
	uint32_t      previous; /* of the same person, index + 1; 0: none */
};

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

struct changes {
	struct stored_change **blocks;
	size_t                 block_count;
	uint64_t               count;
	VECTOR(VECTOR(uint32_t)) segments; /* by number: indices */
	VECTOR(struct default_span) spans;
	uint64_t bytes;
};

void changes_done(struct changes *changes);

/* Adds behind the last; `previous` is the person's newest change (index + 1) or 0. Returns the
 * index. */
uint64_t changes_add(struct changes *changes, const struct change *change, uint32_t previous);

static inline const struct stored_change *changes_at(const struct changes *changes, uint64_t index)
{
	return &changes->blocks[index / CHANGES_PER_BLOCK][index % CHANGES_PER_BLOCK];
}

#endif
