#ifndef SONNIM_ENGINE_CHANGE_FILE_H
#define SONNIM_ENGINE_CHANGE_FILE_H

/* The change stream of one partition on disk (docs/formats/changes.md): one file, appended to by
 * chunks, read through a mapping.
 *
 *   ┌────────┬───────────────┬─────────────────────────────────────────┬───────┬───
 *   │ header │ kept chunks … │ chunk: head │ entries │ where each        │ chunk │ …
 *   │        │               │             │         │ segment's are     │       │
 *   └────────┴───────────────┴─────────────────────────────────────────┴───────┴───
 *            0             `cut`                                     `count`
 *
 * Before `cut` most entries were dropped for their age (change_compact.h): kept chunks have what is
 * left of them, each with its place. From there on every entry is there.
 *
 * Every chunk bears checksums. Opening checks all of them and keeps what lies before the first that
 * is torn or damaged; the rest is cut off only when somebody says so (change_file_cut()), since it
 * is history: who opens must first know that it can be made again.
 *
 * Threads: a struct change_file belongs to the partition's thread. change_chunk_encode() and
 * change_file_write() touch only what never changes, so that another thread can write what the
 * owner then takes in with change_file_adopt().
 *
 * Cost: an entry by its index O(log chunks); a segment's next entry one binary search a chunk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/vector.h"
#include "engine/engine.h"

/* An entry with the person's one before it; also its form on disk. */
struct stored_change {
	struct change change;
	uint32_t      previous; /* of the same person, index + 1; 0: none */
	uint32_t      reserved; /* 0 */
};

enum { CHANGE_CHUNK_ENTRIES_MAX = 1 << 14 };

struct change_chunk {
	uint64_t first_index;
	uint64_t offset; /* in the file */
	uint32_t span;   /* entries that it stands for */
	uint32_t count;  /* entries in it; fewer than it stands for only in kept chunks */
	uint32_t bytes;
	bool     kept;
};

/* What stands for a dropped entry: nobody's, of no segment. */
extern const struct stored_change change_dropped;

struct change_file {
	char          *path;
	int            fd;
	uint32_t       partition;
	uint8_t        workspace_id[16];
	const uint8_t *map;
	size_t         map_bytes;
	VECTOR(struct change_chunk) chunks;
	uint64_t cut;    /* the first entry from which on all are there */
	uint64_t count;  /* entries, with those that were dropped */
	uint64_t end;    /* of what is good; 0: not even the header is */
	uint64_t length; /* of the file when it was opened */
};

/* Opens or makes the file; what it lacks is no error: `count` says what is good. STATUS_IO;
 * STATUS_CONFLICT: it belongs to another workspace or partition. */
MUST_USE enum status change_file_open(const char *path, const uint8_t workspace_id[16],
                                      uint32_t partition, struct change_file **ret_file,
                                      struct error *err);
void                 change_file_close(struct change_file *file); /* NULL is fine */

/* Cuts off what is not good, so that it can be appended to. */
MUST_USE enum status change_file_cut(struct change_file *file, struct error *err);

/* Valid until the file changes. Only before the cut: &change_dropped. */
const struct stored_change *change_file_at(const struct change_file *file, uint64_t index);

/* The first entry of `segment` at or behind `from` that is there; UINT64_MAX: none. */
uint64_t change_file_next_of(const struct change_file *file, uint32_t segment, uint64_t from);

/* The entries of `segment` within a chunk, in order: places within the chunk's entries. */
struct change_range {
	const uint16_t *begin;
	const uint16_t *end;
};
struct change_range change_chunk_range(const struct change_file  *file,
                                       const struct change_chunk *chunk, uint32_t segment);

/* The chunk's segments, ascending, appended. */
typedef VECTOR(uint32_t) change_segments;
void change_chunk_segments(const struct change_file *file, const struct change_chunk *chunk,
                           change_segments *out);

const struct stored_change *change_chunk_entries(const struct change_file  *file,
                                                 const struct change_chunk *chunk);

/* The index in the stream of the chunk's entry at `place`. */
uint64_t change_chunk_index(const struct change_file *file, const struct change_chunk *chunk,
                            uint32_t place);

/* The file's first bytes; 64. */
void change_file_head(const struct change_file *file, struct buffer *out);

/* A chunk's bytes, into an empty buffer. */
void change_chunk_encode(const struct stored_change *entries, uint32_t count, uint64_t first_index,
                         struct buffer *out);

/* The same of a kept chunk, which stands for `span` entries: places[i] < span, ascending, is where
 * entries[i] stood behind first_index. */
void change_kept_encode(const struct stored_change *entries, const uint32_t *places, uint32_t count,
                        uint64_t first_index, uint32_t span, struct buffer *out);

/* Writes a chunk's bytes at `offset`; not synced. */
MUST_USE enum status change_file_write(const struct change_file *file, uint64_t offset,
                                       struct text bytes, struct error *err);

/* The file ends with this chunk now: it was written at `end`. */
void change_file_adopt(struct change_file *file, uint64_t bytes, uint32_t count);

/* Takes in the whole chunks that somebody has appended through the descriptor. */
MUST_USE enum status change_file_reach(struct change_file *file, struct error *err);

#endif
