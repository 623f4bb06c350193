#ifndef SONNIM_ENGINE_CHECKPOINT_MANIFEST_H
#define SONNIM_ENGINE_CHECKPOINT_MANIFEST_H

/* What a checkpoint of one partition consists of (docs/formats/checkpoint.md). Two lines of
 * checkpoints, a and b, take turns and share nothing, so that the older one is whole whatever
 * becomes of the newer:
 *
 *   0007-a.manifest ──► 0007-a-1.blocks      appended to; begun anew, as 0007-a-0.blocks, once
 *   0007-b.manifest ──► 0007-b-0.blocks      most of it is outdated
 *
 * The blocks of a round are taken one after the other while records go on being applied, so each
 * bears the position up to which it holds. What concerns the partition as a whole is that of the
 * round's begin; where the change stream stood is known of its end. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/vector.h"
#include "engine/change/changes.h"
#include "engine/apply/future.h"

enum {
	CHECKPOINT_LINES     = 2,
	CHECKPOINT_PATH_MAX  = 1024,
	CHECKPOINT_BYTES_MAX = 1 << 30, /* of a manifest, of a block */
};

/* Where bytes lie in the blocks' file. */
struct checkpoint_place {
	uint64_t offset;
	uint32_t stored_bytes; /* fewer than `bytes`: compressed; 0: nothing is there */
	uint32_t bytes;
	uint64_t checksum; /* of what is stored */
};

struct checkpoint_block {
	struct checkpoint_place place;
	uint64_t                position; /* all of its persons' records through it are in it */
};

struct checkpoint_manifest {
	uint64_t round;        /* of the partition, from 1; the newest checkpoint has the highest */
	int64_t  written_ms;   /* wall clock */
	int64_t  retention_ms; /* what it was made under */
	uint64_t generation;   /* of the blocks' file: even and odd ones take turns */
	uint64_t file_bytes;   /* of it that are in use, or outdated */

	/* The round's begin. */
	uint64_t position; /* all records through it are in it */
	int64_t  clock_ms;
	uint64_t first_change;
	uint64_t last_change_id;

	/* Its end. */
	uint64_t end_position; /* of the partition's last record */
	uint32_t end_ordinal;
	int64_t  end_clock_ms;
	uint64_t change_count;

	struct checkpoint_place definitions; /* as of last_change_id */
	struct checkpoint_place names;
	struct future           future;
	VECTOR(struct default_span) spans;
	VECTOR(struct checkpoint_block) blocks;
};

void checkpoint_manifest_done(struct checkpoint_manifest *manifest);

void                 checkpoint_manifest_write(const struct checkpoint_manifest *manifest,
                                               const uint8_t workspace_id[16], uint32_t partition,
                                               struct buffer *out);
MUST_USE enum status checkpoint_manifest_read(struct text bytes, const uint8_t workspace_id[16],
                                              uint32_t                    partition,
                                              struct checkpoint_manifest *ret_manifest,
                                              struct error               *err);

void checkpoint_manifest_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                              uint32_t partition, unsigned line);
void checkpoint_blocks_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                            uint32_t partition, unsigned line, uint64_t generation);

/* The change stream's file, or the one that is to replace it. */
void checkpoint_changes_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                             uint32_t partition, bool replacement);

/* Compresses where that pays and appends to `out`; fills all of `place` but the offset. */
void checkpoint_pack(struct text bytes, struct checkpoint_place *place, struct buffer *out);

/* The bytes of a place in a blocks' file that is open, into an empty buffer. STATUS_CORRUPT. */
MUST_USE enum status checkpoint_unpack(int fd, const char *path,
                                       const struct checkpoint_place *place, struct buffer *scratch,
                                       struct buffer *out, struct error *err);

#endif
