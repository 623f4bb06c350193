#ifndef SONNIM_VAULT_APPEND_FILE_H
#define SONNIM_VAULT_APPEND_FILE_H

/* A file that grows at its end, in groups: what is added gathers in memory until the writer's
 * thread takes it, writes it and syncs it, while the next group gathers.
 *
 *   │ durable … │ writing (one group, in memory too) │ gathering (memory) │ preallocated zeros │
 *               └ writing.base                       └ gathering.base                 allocated ┘
 *
 * Space is preallocated before anything is added, so that a full disk is met by whoever adds, and
 * never by the write. Threads: the writer's lock guards everything but append_file_write(), which
 * belongs to the writer's thread, and the pread of append_file_read(). */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "vault/vault.h"

struct append_part {
	uint64_t      base; /* where it lies, or will lie, in the file */
	struct buffer bytes;
};

struct append_file {
	const struct vault_system *system;
	char                      *path;
	int                        fd;
	uint64_t                   allocated;
	uint64_t                   reserved; /* promised to those who will add */
	struct append_part         writing;
	struct append_part         gathering;
};

/* Takes over `fd`, whose content ends at `end`; what lies behind is cut off. */
MUST_USE enum status append_file_init(struct append_file *file, const struct vault_system *system,
                                      const char *path, int fd, uint64_t end, struct error *err);
/* Closes; `cut` takes away what was preallocated. */
void append_file_done(struct append_file *file, bool cut);

/* Makes sure that `length` bytes can be added. STATUS_NO_SPACE (retriable), STATUS_IO. */
MUST_USE enum status append_file_reserve(struct append_file *file, uint64_t length,
                                         struct error *err);
void                 append_file_release(struct append_file *file, uint64_t length);

/* Adds what was reserved; returns where it will lie. */
uint64_t append_file_add(struct append_file *file, const void *data, size_t length);

static inline uint64_t append_file_end(const struct append_file *file)
{
	return file->gathering.base + file->gathering.bytes.length;
}

/* What has gathered becomes what is written; nothing may be writing. */
void append_file_take(struct append_file *file);

/* Writes `writing`, and syncs it when `sync`; nothing when it is empty. */
MUST_USE enum status append_file_write(struct append_file *file, bool sync, struct error *err);

/* Reads what was added, durable or not. `lock` is the writer's, not held by the caller. */
MUST_USE enum status append_file_read(struct append_file *file, pthread_mutex_t *lock,
                                      uint64_t offset, void *into, size_t length,
                                      struct error *err);

/* What was overwritten in the file is so in memory too, where it still lies there. */
void append_file_overwrite(struct append_file *file, uint64_t offset, const void *data,
                           size_t length);

/* How much should be allocated ahead now: 0, or up to which offset. */
uint64_t append_file_ahead(const struct append_file *file);

#endif
