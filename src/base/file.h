#ifndef SONNIM_BASE_FILE_H
#define SONNIM_BASE_FILE_H

/* Files as several modules need them: whole reads and writes, directories, durable renames.
 * All paths are NUL-ended. Errors: STATUS_IO (NOT_FOUND for a missing file, NO_SPACE for ENOSPC and
 * EDQUOT) with the path and errno's text. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/* Appends the file's content to `out`; more than `bytes_max` is STATUS_TOO_LARGE. */
MUST_USE enum status file_read(const char *path, size_t bytes_max, struct buffer *out,
                               struct error *err);

/* Opens a file for reading; a symbolic link is refused. The caller closes `*ret_fd`. */
MUST_USE enum status file_open(const char *path, int *ret_fd, uint64_t *ret_bytes,
                               struct error *err);

/* Replaces the file by way of a temporary one: after a crash it is the old or the new one, whole.
 * Durable on return (file and directory synced). */
MUST_USE enum status file_replace(const char *path, mode_t mode, const void *data, size_t length,
                                  struct error *err);

/* write(2) until all is written. */
MUST_USE enum status file_write_all(int fd, const void *data, size_t length, const char *path,
                                    struct error *err);

/* The same with pwrite(2), from `offset` on. */
MUST_USE enum status file_write_at(int fd, const void *data, size_t length, uint64_t offset,
                                   const char *path, struct error *err);

/* pread(2) from `offset` on until all is read; STATUS_CORRUPT when the file ends before. */
MUST_USE enum status file_read_at(int fd, void *into, size_t length, uint64_t offset,
                                  const char *path, struct error *err);

MUST_USE enum status directory_create(const char *path, mode_t mode, struct error *err); /* -p */
MUST_USE enum status directory_sync(const char *path, struct error *err);

/* Takes an exclusive lock that goes with the process; STATUS_CONFLICT when another holds it.
 * The descriptor stays open while the lock is held. */
MUST_USE enum status directory_lock(const char *path, int *ret_fd, struct error *err);

/* Maps errno to the status above and describes it. */
enum status file_error(struct error *err, int error_number, const char *what, const char *path);

#endif
