#ifndef SONNIM_ENGINE_CHECKPOINT_BLOCK_H
#define SONNIM_ENGINE_CHECKPOINT_BLOCK_H

/* A block of 1,024 profiles in a checkpoint (docs/formats/checkpoint.md). Rules and features go by
 * what they are, not by their index, which is another one after a restart: a rule by segment and
 * version, a feature by the hash of its key, both listed once a block. Timers, bitmaps and counters
 * are not there: they are made anew from the profiles.
 *
 * Thread: the partition's. Cost: a block of 1,024 persons with two series each, some 100 µs. */

#include "base/buffer.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "engine/apply/partition.h"

/* What writing needs again and again. Zeroed memory is ready. */
struct checkpoint_marks {
	VECTOR(uint32_t) feature_places; /* by index in the catalog: in the block's list, + 1; 0: not */
	VECTOR(uint32_t) rule_places;
	index_list features; /* the block's list */
	index_list rules;
};
void checkpoint_marks_done(struct checkpoint_marks *marks);

/* Appends the block. */
void checkpoint_block_write(const struct partition *partition, uint32_t block,
                            struct checkpoint_marks *marks, struct buffer *out);

/* From what they are to the indices in a catalog. */
struct checkpoint_indices {
	struct map_u64 features; /* hash of the key → index + 1 */
	struct map_u64 rules;    /* segment << 32 | version → index + 1 */
};
void checkpoint_indices_init(struct checkpoint_indices *indices, const struct catalog *catalog);
void checkpoint_indices_done(struct checkpoint_indices *indices);

/* Makes the block's persons, with what follows from them: timers, the rules' exceptions, counters.
 * STATUS_CORRUPT: the partition then holds a part of them. */
MUST_USE enum status checkpoint_block_read(struct partition *partition, uint32_t block,
                                           const struct checkpoint_indices *indices,
                                           struct text bytes, struct error *err);

#endif
