#include "events/part_guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"

static uint64_t block_count(uint64_t bytes)
{
	return (bytes + GUARD_BLOCK_BYTES - 1) / GUARD_BLOCK_BYTES;
}

static uint64_t block_bytes(uint64_t bytes, uint64_t block)
{
	uint64_t left = bytes - block * GUARD_BLOCK_BYTES;
	return left < GUARD_BLOCK_BYTES ? left : GUARD_BLOCK_BYTES;
}

void part_guard_write(struct text bytes, struct buffer *out)
{
	for (uint64_t block = 0; block < block_count(bytes.length); block++)
		buffer_add_u64(out, hash_bytes(bytes.data + block * GUARD_BLOCK_BYTES,
		                               block_bytes(bytes.length, block)));
}

bool part_guard_init(struct part_guard *guard, struct text bytes, struct text checksums)
{
	uint64_t blocks = block_count(bytes.length);
	if (checksums.length != blocks * sizeof(uint64_t))
		return false;
	guard->begin     = bytes.data;
	guard->bytes     = bytes.length;
	guard->checksums = (const uint64_t *)(const void *)checksums.data;
	guard->compared  = calloc(blocks / 64 + 1, sizeof *guard->compared);
	if (guard->compared == NULL)
		abort();
	return true;
}

void part_guard_done(struct part_guard *guard) { free(guard->compared); }

void part_guard_fail(struct part_guard *guard, const void *at)
{
	if (atomic_load(&guard->damaged))
		return;
	atomic_store(&guard->damaged_at, (uint64_t)((const char *)at - guard->begin));
	atomic_store(&guard->damaged, true);
	if (guard->alarm != NULL)
		atomic_store(guard->alarm, true);
}

static bool is_good(const struct part_guard *guard, uint64_t block)
{
	char     buffer[GUARD_BLOCK_BYTES];
	uint64_t at    = block * GUARD_BLOCK_BYTES;
	size_t   bytes = (size_t)block_bytes(guard->bytes, block);
	/* A file that is gone was replaced by a merge: the mapping is what there is. */
	int fd = guard->path == NULL ? -1 : open(guard->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return hash_bytes(guard->begin + at, bytes) == guard->checksums[block];
	ssize_t count = pread(fd, buffer, bytes, (off_t)(guard->path_at + at));
	close(fd);
	return count == (ssize_t)bytes && hash_bytes(buffer, bytes) == guard->checksums[block];
}

void part_guard_compare(struct part_guard *guard, uint64_t block)
{
	if (!is_good(guard, block))
		part_guard_fail(guard, guard->begin + block * GUARD_BLOCK_BYTES);
	atomic_fetch_or_explicit(&guard->compared[block / 64], (uint64_t)1 << block % 64,
	                         memory_order_release);
}
