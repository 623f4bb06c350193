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

/* Version 1 has no kept chunks, and is otherwise the same. */
enum { FILE_VERSION = 2, FILE_VERSION_MIN = 1, MAP_BYTES_MIN = 1 << 20 };

static const char file_magic[8]  = "SONNIMCS";
static const char chunk_magic[8] = "SONNIMCC";
static const char kept_magic[8]  = "SONNIMCK";

const struct stored_change change_dropped = {.change = {.slot = SLOT_NONE}};

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
	uint32_t span; /* of a kept chunk; else 0 */
	uint8_t  zeros[20];
	uint64_t checksum; /* of what is before it */
};

/* Behind the entries, and the places of a kept chunk: where in the order each segment's begin, then
 * the order of all of them. */
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

static size_t entry_bytes(bool kept)
{
	return sizeof(struct stored_change) + (kept ? sizeof(uint32_t) : 0);
}

static size_t body_bytes(bool kept, uint32_t count, uint32_t segment_count)
{
	return align(count * entry_bytes(kept) + segment_count * sizeof(struct segment_range) +
	             count * sizeof(uint16_t));
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

static void encode(struct chunk_head head, const struct stored_change *entries,
                   const uint32_t *places, struct buffer *out)
{
	assert(head.count <= CHANGE_CHUNK_ENTRIES_MAX && out->length == 0);
	buffer_add(out, &head, sizeof head);
	buffer_add(out, entries, head.count * sizeof *entries);
	if (places != NULL)
		buffer_add(out, places, head.count * sizeof *places);
	head.segment_count = add_order(entries, head.count, out);
	while (out->length - sizeof head < body_bytes(places != NULL, head.count, head.segment_count))
		buffer_add_u8(out, 0);
	head.body_checksum = hash_bytes(out->data + sizeof head, out->length - sizeof head);
	head.checksum      = hash_bytes(&head, offsetof(struct chunk_head, checksum));
	memcpy(out->data, &head, sizeof head);
}

void change_chunk_encode(const struct stored_change *entries, uint32_t count, uint64_t first_index,
                         struct buffer *out)
{
	struct chunk_head head = {.first_index = first_index, .count = count};
	assert(count > 0);
	memcpy(head.magic, chunk_magic, sizeof head.magic);
	encode(head, entries, NULL, out);
}

void change_kept_encode(const struct stored_change *entries, const uint32_t *places, uint32_t count,
                        uint64_t first_index, uint32_t span, struct buffer *out)
{
	struct chunk_head head = {.first_index = first_index, .count = count, .span = span};
	assert(count > 0 && places[count - 1] < span);
	memcpy(head.magic, kept_magic, sizeof head.magic);
	encode(head, entries, places, out);
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

static struct file_head head_of(const struct change_file *file, uint32_t version)
{
	struct file_head head = {.version = version, .partition = file->partition};
	memcpy(head.magic, file_magic, sizeof head.magic);
	memcpy(head.workspace_id, file->workspace_id, sizeof head.workspace_id);
	head.checksum = hash_bytes(&head, offsetof(struct file_head, checksum));
	return head;
}

void change_file_head(const struct change_file *file, struct buffer *out)
{
	const struct file_head head = head_of(file, FILE_VERSION);
	buffer_add(out, &head, sizeof head);
}

/* Whether the header is there; STATUS_CONFLICT: whole, but not this file's. */
static enum status check_head(const struct change_file *file, bool *ret_good, struct error *err)
{
	struct file_head head;
	*ret_good = false;
	if (file->length < sizeof head)
		return STATUS_OK;
	memcpy(&head, file->map, sizeof head);
	if (memcmp(head.magic, file_magic, sizeof head.magic) != 0 ||
	    head.checksum != hash_bytes(&head, offsetof(struct file_head, checksum)))
		return STATUS_OK;
	const struct file_head own = head_of(file, head.version);
	if (head.version < FILE_VERSION_MIN || head.version > FILE_VERSION ||
	    memcmp(&head, &own, sizeof head) != 0)
		return error_set(err, STATUS_CONFLICT,
		                 "%s belongs to another workspace, partition or version", file->path);
	*ret_good = true;
	return STATUS_OK;
}

static void add_chunk(struct change_file *file, const struct change_chunk *chunk)
{
	VECTOR_ADD(&file->chunks, *chunk);
	file->count += chunk->span;
	file->end += chunk->bytes;
	if (chunk->kept)
		file->cut = file->count;
	map_through(file, file->end);
}

/* Whether a whole chunk lies at the end of what is good. Kept ones lie before all others. */
static bool check_chunk(const struct change_file *file, struct change_chunk *ret_chunk)
{
	struct chunk_head head;
	if (file->length - file->end < sizeof head)
		return false;
	memcpy(&head, file->map + file->end, sizeof head);
	bool kept = memcmp(head.magic, kept_magic, sizeof head.magic) == 0;
	if ((!kept && memcmp(head.magic, chunk_magic, sizeof head.magic) != 0) ||
	    head.checksum != hash_bytes(&head, offsetof(struct chunk_head, checksum)) ||
	    head.first_index != file->count || head.count == 0 ||
	    head.count > CHANGE_CHUNK_ENTRIES_MAX || head.segment_count > head.count ||
	    (kept && (head.span < head.count || file->cut != file->count)))
		return false;
	size_t body = body_bytes(kept, head.count, head.segment_count);
	*ret_chunk  = (struct change_chunk){.first_index = head.first_index,
	                                    .offset      = file->end,
	                                    .span        = kept ? head.span : head.count,
	                                    .count       = head.count,
	                                    .bytes       = (uint32_t)(sizeof head + body),
	                                    .kept        = kept};
	return file->length - file->end >= ret_chunk->bytes &&
	       head.body_checksum == hash_bytes(file->map + file->end + sizeof head, body);
}

enum status change_file_reach(struct change_file *file, struct error *err)
{
	struct stat         info;
	struct change_chunk chunk;
	if (fstat(file->fd, &info) != 0)
		return file_error(err, errno, "read", file->path);
	file->length = (uint64_t)info.st_size;
	map_through(file, file->length + 1);
	while (check_chunk(file, &chunk))
		add_chunk(file, &chunk);
	return STATUS_OK;
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
	status    = change_file_reach(file, err);
	madvise((void *)file->map, file->length, MADV_NORMAL);
	return status;
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
		struct file_head head   = head_of(file, FILE_VERSION);
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
	add_chunk(file, &(struct change_chunk){.first_index = file->count,
	                                       .offset      = file->end,
	                                       .span        = count,
	                                       .count       = count,
	                                       .bytes       = (uint32_t)bytes});
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

const struct stored_change *change_chunk_entries(const struct change_file  *file,
                                                 const struct change_chunk *chunk)
{
	return (const struct stored_change *)(file->map + chunk->offset + sizeof(struct chunk_head));
}

static const uint32_t *places_of(const struct change_file *file, const struct change_chunk *chunk)
{
	return (const uint32_t *)(change_chunk_entries(file, chunk) + chunk->count);
}

uint64_t change_chunk_index(const struct change_file *file, const struct change_chunk *chunk,
                            uint32_t place)
{
	return chunk->first_index + (chunk->kept ? places_of(file, chunk)[place] : place);
}

const struct stored_change *change_file_at(const struct change_file *file, uint64_t index)
{
	assert(index < file->count);
	const struct change_chunk  *chunk   = chunk_of(file, index);
	const struct stored_change *entries = change_chunk_entries(file, chunk);
	uint64_t                    place   = index - chunk->first_index;
	if (!chunk->kept)
		return &entries[place];
	const uint32_t *places = places_of(file, chunk);
	uint32_t        low = 0, high = chunk->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (places[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low < chunk->count && places[low] == place ? &entries[low] : &change_dropped;
}

static const struct segment_range *ranges_of(const struct change_file  *file,
                                             const struct change_chunk *chunk, uint32_t *ret_count)
{
	const uint8_t    *body = (const uint8_t *)change_chunk_entries(file, chunk);
	struct chunk_head head;
	memcpy(&head, file->map + chunk->offset, sizeof head);
	*ret_count = head.segment_count;
	return (const struct segment_range *)(body + chunk->count * entry_bytes(chunk->kept));
}

void change_chunk_segments(const struct change_file *file, const struct change_chunk *chunk,
                           change_segments *out)
{
	uint32_t                    count;
	const struct segment_range *ranges = ranges_of(file, chunk, &count);
	for (uint32_t i = 0; i < count; i++)
		VECTOR_ADD(out, ranges[i].segment);
}

struct change_range change_chunk_range(const struct change_file  *file,
                                       const struct change_chunk *chunk, uint32_t segment)
{
	uint32_t                    count;
	const struct segment_range *ranges = ranges_of(file, chunk, &count);
	const uint16_t             *order  = (const uint16_t *)(ranges + count);
	uint32_t                    low = 0, high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ranges[middle].segment < segment)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == count || ranges[low].segment != segment)
		return (struct change_range){order, order};
	return (struct change_range){order + ranges[low].begin,
	                             order + (low + 1 < count ? ranges[low + 1].begin : chunk->count)};
}

uint64_t change_file_next_of(const struct change_file *file, uint32_t segment, uint64_t from)
{
	if (from >= file->count)
		return UINT64_MAX;
	const struct change_chunk *end = file->chunks.items + file->chunks.count;
	for (const struct change_chunk *chunk = chunk_of(file, from); chunk < end; chunk++) {
		struct change_range range = change_chunk_range(file, chunk, segment);
		for (const uint16_t *at = range.begin; at < range.end; at++)
			if (change_chunk_index(file, chunk, *at) >= from)
				return change_chunk_index(file, chunk, *at);
	}
	return UINT64_MAX;
}
