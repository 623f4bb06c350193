#ifndef SONNIM_JOURNAL_LOG_FILE_H
#define SONNIM_JOURNAL_LOG_FILE_H

/* One file of the file log: its name, its header, and a part of it in memory.
 *
 *    0  8 bytes "SONNIMJL"
 *    8  u32 version (1), u32 0
 *   16  16 bytes workspace id
 *   32  u64 mark             random, not 0: begins every frame of this file
 *   40  u64 first position   also its name: 20 digits and ".log"
 *   48  u64 file bytes       as preallocated: a shorter file has lost something
 *   56  u64 first position of the file before (0: none)
 *   64  u64 where that one's SEAL lies
 *   72  i64 log time when it was begun, ms
 *   80  16 bytes boot id, i64 monotonic clock at that instant (struct frame_mark)
 *  104  zeros
 *  120  u64 checksum         XXH3 64 of the 120 bytes before
 *
 * Errors: STATUS_CORRUPT names file and offset, STATUS_IO the file; both fatal. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "journal/frame.h"

struct log_pack;

enum {
	LOG_FILE_HEADER_BYTES   = 128,
	LOG_FILE_UNIT_BYTES     = 4096, /* files are whole multiples of it */
	LOG_PATH_BYTES_MAX      = 1024,
	LOG_DIRECTORY_BYTES_MAX = LOG_PATH_BYTES_MAX - 64,
	LOG_CHUNK_BYTES         = 1 << 20, /* read ahead */
};

struct log_file_header {
	uint8_t           workspace_id[16];
	uint64_t          mark;
	uint64_t          first_position;
	uint64_t          file_bytes;
	uint64_t          previous_position;
	uint64_t          previous_end;
	int64_t           log_time_ms;
	struct frame_mark clock; /* at log_time_ms */
};

/* Names of files that are not whole yet, removed at open. */
#define FILE_LOG_SPARE_NAME   "spare"
#define FILE_LOG_PACKING_NAME "packing" /* to be packed, or to be unpacked */

/* Plain, or packed (log_pack.h): lengths and offsets are those of the plain file either way. */
struct log_file {
	int                    fd;
	uint64_t               length; /* when it was opened */
	uint64_t               stored_bytes;
	struct log_file_header header;
	struct log_pack       *pack; /* NULL: a plain file */
	char                   path[LOG_PATH_BYTES_MAX];
};

void log_file_path(char ret_path[LOG_PATH_BYTES_MAX], const char *directory,
                   uint64_t first_position);
void log_file_packed_path(char ret_path[LOG_PATH_BYTES_MAX], const char *directory,
                          uint64_t first_position); /* the same with ".zst" */
void log_file_header_encode(const struct log_file_header *header,
                            uint8_t                       ret_bytes[LOG_FILE_HEADER_BYTES]);

/* The first positions of all files of a directory, plain or packed, sorted; other names are not
 * looked at. */
struct log_file_list {
	uint64_t *items;
	size_t    count;
	size_t    capacity;
};
MUST_USE enum status log_file_list(const char *directory, struct log_file_list *ret_list,
                                   struct error *err);
void                 log_file_list_done(struct log_file_list *list);

/* Opens a file and checks its header. A packed file gets its name before the plain one loses its
 * own: the plain one is taken when there is one, and one of the two is found at any time. On
 * failure nothing is open; `ret_file->path` is set. */
MUST_USE enum status log_file_open(const char *directory, uint64_t first_position, int flags,
                                   struct log_file *ret_file, struct error *err);
void log_file_close(struct log_file *file); /* also when it was never opened: fd −1 */

/* Checks that `next` was made behind the file `first_position`. */
MUST_USE enum status log_file_check_link(uint64_t first_position, const struct log_file *next,
                                         struct error *err);

/* Reads a plain or packed file's bytes; `*ret_length` is less than `length` at its end only. */
MUST_USE enum status log_file_read(const struct log_file *file, void *into, size_t length,
                                   uint64_t offset, size_t *ret_length, struct error *err);

/* pread(2) until all is read or the file ends. */
MUST_USE enum status log_file_read_at(int fd, const char *path, void *into, size_t length,
                                      uint64_t offset, size_t *ret_length, struct error *err);

enum status log_file_damaged(struct error *err, const char *path, uint64_t offset,
                             const char *reason);

/* A part of a file in memory, moving forward. Zeroed memory is an empty one. */
struct log_chunk {
	uint8_t *data;
	size_t   capacity;
	uint64_t offset; /* of data[0] in the file */
	size_t   length;
};
void log_chunk_done(struct log_chunk *chunk);

/* Forgets what was read, for another file. */
static inline void log_chunk_clear(struct log_chunk *chunk) { chunk->length = 0; }

/* Makes `bytes` from `offset` on readable, or all up to `limit`, and reads ahead up to there:
 * `*ret_bytes` points to them, valid until the next call; `*ret_length` may be read. */
MUST_USE enum status log_chunk_need(struct log_chunk *chunk, const struct log_file *file,
                                    uint64_t offset, size_t bytes, uint64_t limit,
                                    const uint8_t **ret_bytes, size_t *ret_length,
                                    struct error *err);

/* Reads and checks the frame at `offset`; one that goes beyond `limit` is FRAME_BAD, no room for a
 * header is FRAME_ABSENT. On FRAME_GOOD `*ret_frame` points into the chunk. */
MUST_USE enum status log_chunk_frame(struct log_chunk *chunk, const struct log_file *file,
                                     uint64_t offset, uint64_t limit, enum frame_check *ret_check,
                                     struct frame *ret_frame, size_t *ret_bytes, struct error *err);

#endif
