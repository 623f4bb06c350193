#ifndef SONNIM_JOURNAL_LOG_PACK_H
#define SONNIM_JOURNAL_LOG_PACK_H

/* A sealed file of the log, compressed: zstd frames that can be read one by one, and an index of
 * them (docs/formats/journal.md). `zstd -d` gives the log file back, up to behind its SEAL.
 *
 *   header │ chunk │ chunk │ … │ index         header: the log file's, a zstd frame of its own
 *          └ zstd frame: whole frames of the log, at least LOG_PACK_CHUNK_BYTES of them
 *
 * A chunk begins with a frame of the log, so that the index tells where reading may begin: for a
 * position, or for a log time. Offsets are those within the log file, so that readers of log_file.h
 * need not know what they read.
 *
 * Errors: STATUS_CORRUPT names file and offset (of the packed file). One thread a pack. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct file_log_system;
struct log_file;
struct log_pack;

enum {
	LOG_PACK_CHUNK_BYTES = 256 << 10, /* of the log file; a larger frame is a chunk alone */

	/* Of zstd. Sealed values do not shrink: behind a chunk that stayed larger than one part of
	 * LOG_PACK_SHRINKS the next is searched in passing only, and becomes a few percent larger. */
	LOG_PACK_LEVEL       = 1,
	LOG_PACK_LEVEL_LARGE = -3,
	LOG_PACK_SHRINKS     = 3,
};

/* Opens the packed file behind `fd`, which stays the caller's; `path` is for errors. Cost: its
 * index is read, 32 bytes a chunk. */
MUST_USE enum status log_pack_open(int fd, const char *path, struct log_pack **ret_pack,
                                   struct error *err);
void                 log_pack_free(struct log_pack *pack); /* NULL: nothing */

/* Length of the log file: up to behind its SEAL. */
uint64_t log_pack_length(const struct log_pack *pack);

/* Reads as pread(2) would from the log file; `*ret_length` is less than `length` at its end only.
 * After STATUS_CORRUPT so many bytes before the damage are there all the same. Keeps the chunk
 * decompressed last. */
MUST_USE enum status log_pack_read(struct log_pack *pack, void *into, size_t length,
                                   uint64_t offset, size_t *ret_length, struct error *err);

/* Offset of the last chunk from which `position` can be reached, or the first record that is
 * stamped at or after `log_time_ms`. Cost: a binary search in memory. */
uint64_t log_pack_find_position(const struct log_pack *pack, uint64_t position);
uint64_t log_pack_find_time(const struct log_pack *pack, int64_t log_time_ms);

/* Writing: the caller asks for one chunk after another, so that it can go slowly. */
struct log_packer;
struct log_pack_result {
	uint64_t bytes;        /* of the log file that this step packed */
	uint64_t packed_bytes; /* that it wrote */
	bool     done;         /* all is written, the index included; not synced */
};

/* Packs `file`, sealed at `end` (offset behind its SEAL), into the empty file behind `fd`; all of
 * them outlive the packer. */
struct log_packer *log_packer_new(const struct file_log_system *system, const struct log_file *file,
                                  uint64_t end, int fd, const char *path);
void               log_packer_free(struct log_packer *packer); /* NULL: nothing */

/* STATUS_CORRUPT: the file is damaged. STATUS_FAILED: it cannot be written. */
MUST_USE enum status log_packer_step(struct log_packer *packer, struct log_pack_result *ret_result,
                                     struct error *err);

#endif
