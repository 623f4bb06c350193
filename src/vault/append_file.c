#include "vault/append_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* Preallocated at a time: an eighth of the file, within these. */
enum { CHUNK_BYTES_MIN = 1 << 20, CHUNK_BYTES_MAX = 64 << 20 };

enum status append_file_init(struct append_file *file, const struct vault_system *system,
                             const char *path, int fd, uint64_t end, struct error *err)
{
	*file = (struct append_file){.system    = system,
	                             .path      = strdup(path),
	                             .fd        = fd,
	                             .allocated = end,
	                             .writing   = {.base = end},
	                             .gathering = {.base = end}};
	if (!file->path)
		abort();
	if (ftruncate(fd, (off_t)end) != 0)
		return file_error(err, errno, "truncate", path);
	return STATUS_OK;
}

void append_file_done(struct append_file *file, bool cut)
{
	if (cut) {
		/* Only tidies up: the next open would take zeros for what they are. */
		int result = ftruncate(file->fd, (off_t)file->gathering.base);
		(void)result;
	}
	close(file->fd);
	free(file->path);
	buffer_done(&file->writing.bytes);
	buffer_done(&file->gathering.bytes);
}

static uint64_t chunk_bytes(const struct append_file *file)
{
	uint64_t chunk = file->allocated / 8;
	if (chunk < CHUNK_BYTES_MIN)
		return CHUNK_BYTES_MIN;
	return chunk > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : chunk;
}

enum status append_file_reserve(struct append_file *file, uint64_t length, struct error *err)
{
	uint64_t wanted = append_file_end(file) + file->reserved + length;
	if (wanted > file->allocated) {
		uint64_t end   = wanted + chunk_bytes(file);
		int      error = file->system->allocate(file->fd, file->allocated, end - file->allocated);
		if (error != 0)
			return file_error(err, error, "preallocate", file->path);
		file->allocated = end;
	}
	file->reserved += length;
	return STATUS_OK;
}

void append_file_release(struct append_file *file, uint64_t length)
{
	assert(file->reserved >= length);
	file->reserved -= length;
}

uint64_t append_file_add(struct append_file *file, const void *data, size_t length)
{
	uint64_t offset = append_file_end(file);
	append_file_release(file, length);
	buffer_add(&file->gathering.bytes, data, length);
	assert(append_file_end(file) <= file->allocated);
	return offset;
}

void append_file_take(struct append_file *file)
{
	struct buffer written = file->writing.bytes;
	file->writing         = file->gathering;
	buffer_clear(&written);
	file->gathering.base  = file->writing.base + file->writing.bytes.length;
	file->gathering.bytes = written; /* its memory is used again */
}

enum status append_file_write(struct append_file *file, bool sync, struct error *err)
{
	const char *at     = file->writing.bytes.data;
	size_t      left   = file->writing.bytes.length;
	uint64_t    offset = file->writing.base;
	if (left == 0)
		return STATUS_OK;
	while (left > 0) {
		int64_t written = file->system->write(file->fd, at, left, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return file_error(err, written < 0 ? errno : EIO, "write", file->path);
		at += written;
		left -= (size_t)written;
		offset += (uint64_t)written;
	}
	/* Never again after a failure: the pages may be marked clean without being on the disk. */
	if (sync && file->system->sync(file->fd) != 0)
		return file_error(err, errno, "sync", file->path);
	return STATUS_OK;
}

static bool read_part(const struct append_part *part, uint64_t offset, void *into, size_t length)
{
	if (offset < part->base)
		return false;
	assert(offset + length <= part->base + part->bytes.length);
	memcpy(into, part->bytes.data + (offset - part->base), length);
	return true;
}

enum status append_file_read(struct append_file *file, pthread_mutex_t *lock, uint64_t offset,
                             void *into, size_t length, struct error *err)
{
	pthread_mutex_lock(lock);
	bool done = read_part(&file->gathering, offset, into, length) ||
	            read_part(&file->writing, offset, into, length);
	pthread_mutex_unlock(lock);

	return done ? STATUS_OK : file_read_at(file->fd, into, length, offset, file->path, err);
}

void append_file_overwrite(struct append_file *file, uint64_t offset, const void *data,
                           size_t length)
{
	struct append_part *part = &file->writing;
	if (offset >= part->base && offset + length <= part->base + part->bytes.length)
		memcpy(part->bytes.data + (offset - part->base), data, length);
}

uint64_t append_file_ahead(const struct append_file *file)
{
	uint64_t chunk = chunk_bytes(file);
	uint64_t end   = append_file_end(file) + file->reserved;
	return end + chunk / 2 > file->allocated ? end + chunk : 0;
}
