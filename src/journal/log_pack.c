#include "journal/log_pack.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/vector.h"
#include "journal/log_file.h"
#include "journal/log_write.h"

enum {
	SKIPPABLE_MAGIC      = 0x184D2A5A, /* of zstd's frames that hold something else */
	SKIPPABLE_HEAD_BYTES = 8,          /* magic, size */
	VERSION              = 1,
	CHUNK_BYTES_MAX      = LOG_PACK_CHUNK_BYTES + FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX + 8,
};

static const char magic[8] = {'S', 'O', 'N', 'N', 'I', 'M', 'J', 'Z'};

/* As they lie in the file: entries, then the end. */
struct pack_entry {
	uint64_t offset;        /* in the log file */
	uint64_t packed_offset; /* in this file */
	uint64_t position;      /* of the frame of the log that begins there */
	int64_t  log_time_ms;   /* its stamp */
};
struct pack_end {
	uint64_t length; /* of the log file */
	uint64_t entry_count;
	uint64_t index_offset; /* of the first entry, in this file */
	uint32_t version;
	uint32_t zero;
	uint64_t checksum; /* of all entries and of the 32 bytes before */
	char     magic[8];
};
_Static_assert(sizeof(struct pack_entry) == 32 && sizeof(struct pack_end) == 48, "no padding");

enum { CHECKED_BYTES = offsetof(struct pack_end, checksum) };

static uint64_t checksum_of(const struct pack_entry *entries, const struct pack_end *end)
{
	uint64_t of_entries = hash_bytes(entries, end->entry_count * sizeof *entries);
	return hash_bytes_seeded(end, CHECKED_BYTES, of_entries);
}

static void skippable_head(const struct pack_end *end, uint32_t ret_head[2])
{
	ret_head[0] = SKIPPABLE_MAGIC;
	ret_head[1] = (uint32_t)(end->entry_count * sizeof(struct pack_entry) + sizeof *end);
}

/* Reading. */

struct log_pack {
	int                fd;
	char               path[LOG_PATH_BYTES_MAX];
	struct pack_end    end;
	struct pack_entry *entries;
	ZSTD_DCtx         *zstd;
	uint8_t           *packed; /* one chunk, as it lies in the file */
	size_t             packed_capacity;
	uint8_t           *chunk; /* and decompressed: number `chunk_number` */
	size_t             chunk_capacity;
	uint64_t           chunk_number; /* entry_count: none */
};

static enum status read_whole(int fd, const char *path, void *into, size_t length, uint64_t offset,
                              struct error *err)
{
	size_t      got;
	enum status status = log_file_read_at(fd, path, into, length, offset, &got, err);
	if (status == STATUS_OK && got < length)
		return log_file_damaged(err, path, offset + got, "it is shorter than it was");
	return status;
}

/* Whether the entries follow one another, from the begin to the index. */
static bool entries_fit(const struct log_pack *pack)
{
	const struct pack_entry *entries = pack->entries;
	uint64_t                 count   = pack->end.entry_count;
	if (entries[0].offset != 0 || entries[0].packed_offset != 0)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		bool     last     = i + 1 == count;
		uint64_t end      = last ? pack->end.length : entries[i + 1].offset;
		uint64_t packed   = last ? pack->end.index_offset : entries[i + 1].packed_offset;
		uint64_t position = last ? UINT64_MAX : entries[i + 1].position;
		if (end <= entries[i].offset || end - entries[i].offset > CHUNK_BYTES_MAX ||
		    packed <= entries[i].packed_offset ||
		    packed - entries[i].packed_offset > ZSTD_COMPRESSBOUND(CHUNK_BYTES_MAX) ||
		    position < entries[i].position)
			return false;
	}
	return true;
}

/* The head of the skippable frame lies between the last chunk and the index. */
static enum status check_entries(struct log_pack *pack, struct error *err)
{
	struct pack_end *end = &pack->end;
	uint32_t         head[2], wanted[2];
	_Static_assert(sizeof head == SKIPPABLE_HEAD_BYTES, "two numbers");
	if (end->index_offset < sizeof head)
		return log_file_damaged(err, pack->path, 0, "its index makes no sense");
	end->index_offset -= sizeof head;
	skippable_head(end, wanted);
	enum status status =
		read_whole(pack->fd, pack->path, head, sizeof head, end->index_offset, err);
	if (status != STATUS_OK)
		return status;
	if (memcmp(head, wanted, sizeof head) != 0 || !entries_fit(pack))
		return log_file_damaged(err, pack->path, end->index_offset, "its index makes no sense");
	return STATUS_OK;
}

static enum status read_index(struct log_pack *pack, struct error *err)
{
	struct stat stat;
	if (fstat(pack->fd, &stat) != 0)
		return file_error(err, errno, "stat", pack->path);
	uint64_t         stored = (uint64_t)stat.st_size;
	struct pack_end *end    = &pack->end;
	if (stored < sizeof *end)
		return log_file_damaged(err, pack->path, stored, "it ends within its index");
	uint64_t    end_offset = stored - sizeof *end;
	enum status status     = read_whole(pack->fd, pack->path, end, sizeof *end, end_offset, err);
	if (status != STATUS_OK)
		return status;
	if (memcmp(end->magic, magic, sizeof magic) != 0)
		return log_file_damaged(err, pack->path, end_offset, "the end of its index is missing");
	if (end->version != VERSION)
		return log_file_damaged(err, pack->path, end_offset, "written by a newer version");
	if (end->entry_count == 0 || end->entry_count > stored / sizeof(struct pack_entry) ||
	    end->index_offset != end_offset - end->entry_count * sizeof(struct pack_entry))
		return log_file_damaged(err, pack->path, end_offset, "its index makes no sense");

	size_t bytes  = end->entry_count * sizeof *pack->entries;
	pack->entries = malloc(bytes);
	if (pack->entries == NULL)
		abort();
	status = read_whole(pack->fd, pack->path, pack->entries, bytes, end->index_offset, err);
	if (status != STATUS_OK)
		return status;
	if (checksum_of(pack->entries, end) != end->checksum)
		return log_file_damaged(err, pack->path, end->index_offset,
		                        "the index's checksum is wrong");
	return check_entries(pack, err);
}

enum status log_pack_open(int fd, const char *path, struct log_pack **ret_pack, struct error *err)
{
	struct log_pack *pack = calloc(1, sizeof *pack);
	if (pack == NULL)
		abort();
	pack->fd = fd;
	snprintf(pack->path, sizeof pack->path, "%s", path);
	enum status status = read_index(pack, err);
	if (status != STATUS_OK) {
		log_pack_free(pack);
		return status;
	}
	pack->chunk_number = pack->end.entry_count;
	*ret_pack          = pack;
	return STATUS_OK;
}

void log_pack_free(struct log_pack *pack)
{
	if (pack == NULL)
		return;
	ZSTD_freeDCtx(pack->zstd);
	free(pack->entries);
	free(pack->packed);
	free(pack->chunk);
	free(pack);
}

uint64_t log_pack_length(const struct log_pack *pack) { return pack->end.length; }

static uint64_t end_of(const struct log_pack *pack, uint64_t number)
{
	return number + 1 < pack->end.entry_count ? pack->entries[number + 1].offset : pack->end.length;
}

static uint64_t packed_end_of(const struct log_pack *pack, uint64_t number)
{
	return number + 1 < pack->end.entry_count ? pack->entries[number + 1].packed_offset
	                                          : pack->end.index_offset;
}

static void need_memory(uint8_t **memory, size_t *capacity, size_t bytes)
{
	if (bytes <= *capacity)
		return;
	free(*memory);
	*memory   = malloc(bytes);
	*capacity = bytes;
	if (*memory == NULL)
		abort();
}

/* Decompresses chunk `number`, unless it is the one at hand. */
static enum status need_chunk(struct log_pack *pack, uint64_t number, struct error *err)
{
	if (pack->chunk_number == number)
		return STATUS_OK;
	const struct pack_entry *entry  = &pack->entries[number];
	size_t                   bytes  = (size_t)(end_of(pack, number) - entry->offset);
	size_t                   packed = (size_t)(packed_end_of(pack, number) - entry->packed_offset);
	pack->chunk_number              = pack->end.entry_count;
	need_memory(&pack->packed, &pack->packed_capacity, packed);
	need_memory(&pack->chunk, &pack->chunk_capacity, bytes);
	if (pack->zstd == NULL && (pack->zstd = ZSTD_createDCtx()) == NULL)
		abort();
	enum status status =
		read_whole(pack->fd, pack->path, pack->packed, packed, entry->packed_offset, err);
	if (status != STATUS_OK)
		return status;
	size_t got = ZSTD_decompressDCtx(pack->zstd, pack->chunk, bytes, pack->packed, packed);
	if (ZSTD_isError(got) || got != bytes)
		return log_file_damaged(err, pack->path, entry->packed_offset,
		                        ZSTD_isError(got) ? ZSTD_getErrorName(got)
		                                          : "a chunk is shorter than its index says");
	pack->chunk_number = number;
	return STATUS_OK;
}

/* Number of the last chunk whose `field` (its offset in the entry; they are sorted by each) is not
 * beyond `key`; the first when there is none. */
static uint64_t last_chunk(const struct log_pack *pack, size_t field, int64_t key)
{
	uint64_t low = 0, high = pack->end.entry_count;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		int64_t  value;
		memcpy(&value, (const char *)&pack->entries[middle] + field, sizeof value);
		if (value <= key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

enum status log_pack_read(struct log_pack *pack, void *into, size_t length, uint64_t offset,
                          size_t *ret_length, struct error *err)
{
	size_t done = 0;
	while (done < length && offset < pack->end.length) {
		uint64_t    number = last_chunk(pack, offsetof(struct pack_entry, offset), (int64_t)offset);
		enum status status = need_chunk(pack, number, err);
		if (status != STATUS_OK) {
			*ret_length = done;
			return status;
		}
		uint64_t left  = end_of(pack, number) - offset;
		size_t   count = length - done < left ? length - done : (size_t)left;
		memcpy((uint8_t *)into + done, pack->chunk + (offset - pack->entries[number].offset),
		       count);
		done += count;
		offset += count;
	}
	*ret_length = done;
	return STATUS_OK;
}

/* The header is not a place where reading may begin. */
static uint64_t place_of(const struct log_pack *pack, uint64_t number)
{
	return number == 0 ? LOG_FILE_HEADER_BYTES : pack->entries[number].offset;
}

uint64_t log_pack_find_position(const struct log_pack *pack, uint64_t position)
{
	return place_of(pack,
	                last_chunk(pack, offsetof(struct pack_entry, position), (int64_t)position));
}

uint64_t log_pack_find_time(const struct log_pack *pack, int64_t log_time_ms)
{
	return place_of(pack,
	                last_chunk(pack, offsetof(struct pack_entry, log_time_ms), log_time_ms - 1));
}

/* Writing. */

struct log_packer {
	const struct file_log_system *system;
	const struct log_file        *file;
	uint64_t                      end;         /* behind its SEAL */
	struct log_file               packed_file; /* its path and descriptor */
	ZSTD_CCtx                    *zstd;
	struct log_chunk              chunk;
	uint64_t                      offset;        /* what lies before is packed */
	uint64_t                      packed_offset; /* written so far */
	VECTOR(struct pack_entry) entries;
	VECTOR(uint8_t) source; /* of the chunk at hand */
	VECTOR(uint8_t) packed;
};

/* Of the zstd frames to come. */
static void set_level(struct log_packer *packer, int level)
{
	ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, level);
}

struct log_packer *log_packer_new(const struct file_log_system *system, const struct log_file *file,
                                  uint64_t end, int fd, const char *path)
{
	struct log_packer *packer = calloc(1, sizeof *packer);
	if (packer == NULL || (packer->zstd = ZSTD_createCCtx()) == NULL)
		abort();
	packer->system         = system;
	packer->file           = file;
	packer->end            = end;
	packer->packed_file.fd = fd;
	snprintf(packer->packed_file.path, sizeof packer->packed_file.path, "%s", path);
	/* A chunk that is damaged is told by zstd, not by what it makes of it. */
	ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_checksumFlag, 1);
	set_level(packer, LOG_PACK_LEVEL);
	return packer;
}

void log_packer_free(struct log_packer *packer)
{
	if (packer == NULL)
		return;
	ZSTD_freeCCtx(packer->zstd);
	log_chunk_done(&packer->chunk);
	VECTOR_DONE(&packer->entries);
	VECTOR_DONE(&packer->source);
	VECTOR_DONE(&packer->packed);
	free(packer);
}

static enum status write_out(struct log_packer *packer, const void *data, size_t length,
                             struct error *err)
{
	enum status status =
		log_write(packer->system, &packer->packed_file, data, length, packer->packed_offset, err);
	if (status == STATUS_OK)
		packer->packed_offset += length;
	return status;
}

static enum status write_chunk(struct log_packer *packer, struct error *err)
{
	packer->packed.count = 0;
	VECTOR_RESERVE(&packer->packed, ZSTD_compressBound(packer->source.count));
	size_t packed = ZSTD_compress2(packer->zstd, packer->packed.items, packer->packed.capacity,
	                               packer->source.items, packer->source.count);
	assert(!ZSTD_isError(packed)); /* there is room for it */
	bool shrinks = packed * LOG_PACK_SHRINKS < packer->source.count;
	if (packer->offset > 0) /* the header's tells nothing */
		set_level(packer, shrinks ? LOG_PACK_LEVEL : LOG_PACK_LEVEL_LARGE);
	packer->offset += packer->source.count;
	packer->source.count = 0;
	return write_out(packer, packer->packed.items, packed, err);
}

static void add_source(struct log_packer *packer, const uint8_t *bytes, size_t length)
{
	VECTOR_RESERVE(&packer->source, length);
	memcpy(packer->source.items + packer->source.count, bytes, length);
	packer->source.count += length;
}

static enum status pack_header(struct log_packer *packer, struct error *err)
{
	const struct log_file_header *header = &packer->file->header;
	const struct pack_entry       entry  = {.position    = header->first_position,
	                                        .log_time_ms = header->log_time_ms};
	uint8_t                       bytes[LOG_FILE_HEADER_BYTES];
	log_file_header_encode(header, bytes);
	VECTOR_ADD(&packer->entries, entry);
	add_source(packer, bytes, sizeof bytes);
	return write_chunk(packer, err);
}

/* Whole frames, until they are a chunk. */
static enum status pack_frames(struct log_packer *packer, struct error *err)
{
	uint64_t offset = packer->offset;
	while (offset < packer->end && packer->source.count < LOG_PACK_CHUNK_BYTES) {
		enum frame_check check;
		struct frame     frame;
		size_t           bytes;
		enum status      status = log_chunk_frame(&packer->chunk, packer->file, offset, packer->end,
		                                          &check, &frame, &bytes, err);
		if (status != STATUS_OK)
			return status;
		if (check != FRAME_GOOD)
			return log_file_damaged(err, packer->file->path, offset, "there is no good frame");
		if (offset == packer->offset) {
			const struct pack_entry entry = {offset, packer->packed_offset, frame.first_position,
			                                 frame.log_time_ms};
			VECTOR_ADD(&packer->entries, entry);
		}
		add_source(packer, (const uint8_t *)frame.payload.data - FRAME_HEADER_BYTES, bytes);
		offset += bytes;
	}
	return write_chunk(packer, err);
}

static enum status write_index(struct log_packer *packer, struct error *err)
{
	size_t   entry_bytes = packer->entries.count * sizeof packer->entries.items[0];
	uint32_t head[2];
	_Static_assert(sizeof head == SKIPPABLE_HEAD_BYTES, "two numbers");

	struct pack_end end = {
		.length       = packer->end,
		.entry_count  = packer->entries.count,
		.index_offset = packer->packed_offset + sizeof head,
		.version      = VERSION,
	};
	memcpy(end.magic, magic, sizeof magic);
	skippable_head(&end, head);
	end.checksum       = checksum_of(packer->entries.items, &end);
	enum status status = write_out(packer, head, sizeof head, err);
	if (status == STATUS_OK)
		status = write_out(packer, packer->entries.items, entry_bytes, err);
	return status != STATUS_OK ? status : write_out(packer, &end, sizeof end, err);
}

enum status log_packer_step(struct log_packer *packer, struct log_pack_result *ret_result,
                            struct error *err)
{
	uint64_t    offset = packer->offset, packed_offset = packer->packed_offset;
	enum status status;
	if (offset == 0)
		status = pack_header(packer, err);
	else if (offset < packer->end)
		status = pack_frames(packer, err);
	else
		status = write_index(packer, err);
	if (status == STATUS_OK)
		*ret_result = (struct log_pack_result){
			.bytes        = packer->offset - offset,
			.packed_bytes = packer->packed_offset - packed_offset,
			.done         = offset == packer->end,
		};
	return status;
}
