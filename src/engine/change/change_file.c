#include "engine/change/change_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum { FILE_VERSION = 1, MAP_BYTES_MIN = 1 << 20 };

static const char file_magic[8]  = "SONNIMCS";
static const char chunk_magic[8] = "SONNIMCC";

struct file_head {
	char     magic[8];
	uint32_t version;
	uint32_t partition;
	uint8_t  workspace_id[16];
	uint8_t  zeros[24];
	uint64_t checksum; /* of what is before it */
};

struct chunk_head {
	char     magic[8];
	uint64_t first_index;
	uint32_t count;
	uint32_t segment_count;
	uint64_t body_checksum;
	uint8_t  zeros[24];
	uint64_t checksum; /* of what is before it */
};

/* Behind the entries: where in the order each segment's begin, then the order of all of them. */
struct segment_range {
	uint32_t segment;
	uint32_t begin;
};

_Static_assert(sizeof(struct file_head) == 64 && sizeof(struct chunk_head) == 64, "as on disk");
_Static_assert(sizeof(struct stored_change) == 48 && offsetof(struct change, position) == 0 &&
                   offsetof(struct change, ordinal) == 8 && offsetof(struct change, slot) == 12 &&
                   offsetof(struct change, segment) == 16 &&
                   offsetof(struct change, entered) == 20 && offsetof(struct change, cause) == 21 &&
                   offsetof(struct change, at_ms) == 24 &&
                   offsetof(struct change, event_position) == 32 &&
                   offsetof(struct stored_change, previous) == 40,
               "as on disk");

static size_t align(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

static size_t body_bytes(uint32_t count, uint32_t segment_count)
{
	return align(count * sizeof(struct stored_change) +
	             segment_count * sizeof(struct segment_range) + count * sizeof(uint16_t));
}

/* ---- Writing ---- */

static int compare_keys(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

/* Adds ranges and order; returns the number of segments. */
static uint32_t add_order(const struct stored_change *entries, uint32_t count, struct buffer *out)
{
	uint64_t *keys = malloc(count * sizeof *keys);
	if (keys == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++)
		keys[i] = (uint64_t)entries[i].change.segment << 32 | i;
	qsort(keys, count, sizeof *keys, compare_keys);
	uint32_t segments = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0 && keys[i] >> 32 == keys[i - 1] >> 32)
			continue;
		buffer_add_u32(out, (uint32_t)(keys[i] >> 32));
		buffer_add_u32(out, i);
		segments++;
	}
	for (uint32_t i = 0; i < count; i++)
		buffer_add_u16(out, (uint16_t)keys[i]);
	free(keys);
	return segments;
}

void change_chunk_encode(const struct stored_change *entries, uint32_t count, uint64_t first_index,
                         struct buffer *out)
{
	assert(count > 0 && count <= CHANGE_CHUNK_ENTRIES_MAX && out->length == 0);
	struct chunk_head head = {.first_index = first_index, .count = count};
	memcpy(head.magic, chunk_magic, sizeof head.magic);
	buffer_add(out, &head, sizeof head);
	buffer_add(out, entries, count * sizeof *entries);
	head.segment_count = add_order(entries, count, out);
	while (out->length - sizeof head < body_bytes(count, head.segment_count))
		buffer_add_u8(out, 0);
	head.body_checksum = hash_bytes(out->data + sizeof head, out->length - sizeof head);
	head.checksum      = hash_bytes(&head, offsetof(struct chunk_head, checksum));
	memcpy(out->data, &head, sizeof head);
}

enum status change_file_write(const struct change_file *file, uint64_t offset, struct text bytes,
                              struct error *err)
{
	return file_write_at(file->fd, bytes.data, bytes.length, offset, file->path, err);
}

/* ---- Opening ---- */

/* Sees to it that the mapping covers what is good; beyond the file's end it is not touched. */
static void map_through(struct change_file *file, uint64_t bytes)
{
	if (bytes <= file->map_bytes)
		return;
	size_t wanted = file->map_bytes == 0 ? MAP_BYTES_MIN : 2 * file->map_bytes;
	while (wanted < bytes)
		wanted *= 2;
	if (file->map != NULL)
		munmap((void *)file->map, file->map_bytes);
	void *map = mmap(NULL, wanted, PROT_READ, MAP_SHARED, file->fd, 0);
	if (map == MAP_FAILED)
		abort(); /* no address space or no memory for it */
	file->map       = map;
	file->map_bytes = wanted;
}

static struct file_head head_of(const struct change_file *file)
{
	struct file_head head = {.version = FILE_VERSION, .partition = file->partition};
	memcpy(head.magic, file_magic, sizeof head.magic);
	memcpy(head.workspace_id, file->workspace_id, sizeof head.workspace_id);
	head.checksum = hash_bytes(&head, offsetof(struct file_head, checksum));
	return head;
}

/* Whether the header is there; STATUS_CONFLICT: whole, but not this file's. */
static enum status check_head(const struct change_file *file, bool *ret_good, struct error *err)
{
	struct file_head head, own = head_of(file);
	*ret_good = false;
	if (file->length < sizeof head)
		return STATUS_OK;
	memcpy(&head, file->map, sizeof head);
	if (memcmp(head.magic, file_magic, sizeof head.magic) != 0 ||
	    head.checksum != hash_bytes(&head, offsetof(struct file_head, checksum)))
		return STATUS_OK;
	if (memcmp(&head, &own, sizeof head) != 0)
		return error_set(err, STATUS_CONFLICT,
		                 "%s belongs to another workspace, partition or version", file->path);
	*ret_good = true;
	return STATUS_OK;
}

static bool check_chunk(const struct change_file *file, struct chunk_head *ret_head,
                        size_t *ret_bytes)
{
	struct chunk_head *head = ret_head;
	if (file->length - file->end < sizeof *head)
		return false;
	memcpy(head, file->map + file->end, sizeof *head);
	if (memcmp(head->magic, chunk_magic, sizeof head->magic) != 0 ||
	    head->checksum != hash_bytes(head, offsetof(struct chunk_head, checksum)) ||
	    head->first_index != file->count || head->count == 0 ||
	    head->count > CHANGE_CHUNK_ENTRIES_MAX || head->segment_count > head->count)
		return false;
	size_t body = body_bytes(head->count, head->segment_count);
	*ret_bytes  = sizeof *head + body;
	return file->length - file->end >= *ret_bytes &&
	       head->body_checksum == hash_bytes(file->map + file->end + sizeof *head, body);
}

static enum status read_file(struct change_file *file, struct error *err)
{
	struct stat info;
	if (fstat(file->fd, &info) != 0)
		return file_error(err, errno, "read", file->path);
	file->length = (uint64_t)info.st_size;
	map_through(file, file->length + 1);
	if (file->length == 0)
		return change_file_cut(file, err);

	bool        good;
	enum status status = check_head(file, &good, err);
	if (status != STATUS_OK || !good)
		return status;
	madvise((void *)file->map, file->length, MADV_SEQUENTIAL);
	file->end = sizeof(struct file_head);
	struct chunk_head head;
	size_t            bytes;
	while (check_chunk(file, &head, &bytes))
		change_file_adopt(file, bytes, head.count);
	madvise((void *)file->map, file->length, MADV_NORMAL);
	return STATUS_OK;
}

enum status change_file_open(const char *path, const uint8_t workspace_id[16], uint32_t partition,
                             struct change_file **ret_file, struct error *err)
{
	struct change_file *file = calloc(1, sizeof *file);
	if (file == NULL || (file->path = strdup(path)) == NULL)
		abort();
	file->partition = partition;
	memcpy(file->workspace_id, workspace_id, sizeof file->workspace_id);
	file->fd           = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum status status = file->fd < 0 ? file_error(err, errno, "open", path) : read_file(file, err);
	if (status != STATUS_OK) {
		change_file_close(file);
		return status;
	}
	*ret_file = file;
	return STATUS_OK;
}

void change_file_close(struct change_file *file)
{
	if (file == NULL)
		return;
	if (file->map != NULL)
		munmap((void *)file->map, file->map_bytes);
	if (file->fd >= 0)
		close(file->fd);
	VECTOR_DONE(&file->chunks);
	free(file->path);
	free(file);
}

enum status change_file_cut(struct change_file *file, struct error *err)
{
	if (ftruncate(file->fd, (off_t)file->end) != 0)
		return file_error(err, errno, "cut", file->path);
	if (file->end == 0) {
		struct file_head head   = head_of(file);
		enum status      status = file_write_at(file->fd, &head, sizeof head, 0, file->path, err);
		if (status != STATUS_OK)
			return status;
		file->end = sizeof head;
	}
	file->length = file->end;
	return STATUS_OK;
}

void change_file_adopt(struct change_file *file, uint64_t bytes, uint32_t count)
{
	VECTOR_ADD(&file->chunks,
	           (struct change_chunk){file->count, file->end, count, (uint32_t)bytes});
	file->count += count;
	file->end += bytes;
	map_through(file, file->end);
}

/* ---- Reading ---- */

static const struct change_chunk *chunk_of(const struct change_file *file, uint64_t index)
{
	size_t low = 0, high = file->chunks.count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (file->chunks.items[middle].first_index <= index)
			low = middle;
		else
			high = middle;
	}
	return &file->chunks.items[low];
}

static const struct stored_change *entries_of(const struct change_file  *file,
                                              const struct change_chunk *chunk)
{
	return (const struct stored_change *)(file->map + chunk->offset + sizeof(struct chunk_head));
}

const struct stored_change *change_file_at(const struct change_file *file, uint64_t index)
{
	assert(index < file->count);
	const struct change_chunk *chunk = chunk_of(file, index);
	return &entries_of(file, chunk)[index - chunk->first_index];
}

/* The part of the order in which a segment's entries stand. */
static bool find_range(const struct change_file *file, const struct change_chunk *chunk,
                       uint32_t segment, const uint16_t **ret_begin, const uint16_t **ret_end)
{
	const struct chunk_head    *head = (const struct chunk_head *)(file->map + chunk->offset);
	const struct segment_range *ranges =
		(const struct segment_range *)(entries_of(file, chunk) + chunk->count);
	const uint16_t *order = (const uint16_t *)(ranges + head->segment_count);
	uint32_t        low = 0, high = head->segment_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ranges[middle].segment < segment)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == head->segment_count || ranges[low].segment != segment)
		return false;
	*ret_begin = order + ranges[low].begin;
	*ret_end   = order + (low + 1 < head->segment_count ? ranges[low + 1].begin : chunk->count);
	return true;
}

uint64_t change_file_next_of(const struct change_file *file, uint32_t segment, uint64_t from)
{
	if (from >= file->count)
		return UINT64_MAX;
	const struct change_chunk *end = file->chunks.items + file->chunks.count;
	for (const struct change_chunk *chunk = chunk_of(file, from); chunk < end; chunk++) {
		const uint16_t *at, *stop;
		if (!find_range(file, chunk, segment, &at, &stop))
			continue;
		while (at < stop && chunk->first_index + *at < from)
			at++;
		if (at < stop)
			return chunk->first_index + *at;
	}
	return UINT64_MAX;
}
