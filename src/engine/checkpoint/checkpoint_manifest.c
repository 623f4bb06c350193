#include "engine/checkpoint/checkpoint_manifest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/hash.h"

enum { MANIFEST_VERSION = 1, PACK_LEVEL = 1, MAGIC_BYTES = 8 };

static const char magic[MAGIC_BYTES + 1] = "SONNIMCP";

void checkpoint_manifest_done(struct checkpoint_manifest *manifest)
{
	future_done(&manifest->future);
	VECTOR_DONE(&manifest->spans);
	VECTOR_DONE(&manifest->blocks);
	*manifest = (struct checkpoint_manifest){0};
}

/* ---- Writing ---- */

static void write_place(const struct checkpoint_place *place, struct buffer *out)
{
	buffer_add_u64(out, place->offset);
	buffer_add_u32(out, place->stored_bytes);
	buffer_add_u32(out, place->bytes);
	buffer_add_u64(out, place->checksum);
}

static void write_span(const struct default_span *span, struct buffer *out)
{
	buffer_add_u32(out, span->segment);
	buffer_add_u64(out, span->from_index);
	buffer_add_u64(out, span->to_index);
	buffer_add_u8(out, (uint8_t)(span->holds[0] | span->holds[1] << 1 | span->announced[0] << 2 |
	                             span->announced[1] << 3 | span->ended << 4));
}

void checkpoint_manifest_write(const struct checkpoint_manifest *manifest,
                               const uint8_t workspace_id[16], uint32_t partition,
                               struct buffer *out)
{
	buffer_add(out, magic, MAGIC_BYTES);
	buffer_add_u32(out, MANIFEST_VERSION);
	buffer_add_u32(out, partition);
	buffer_add(out, workspace_id, 16);
	buffer_add_u64(out, manifest->round);
	buffer_add_i64(out, manifest->written_ms);
	buffer_add_i64(out, manifest->retention_ms);
	buffer_add_u64(out, manifest->generation);
	buffer_add_u64(out, manifest->file_bytes);
	buffer_add_u64(out, manifest->position);
	buffer_add_i64(out, manifest->clock_ms);
	buffer_add_u64(out, manifest->first_change);
	buffer_add_u64(out, manifest->last_change_id);
	buffer_add_u64(out, manifest->end_position);
	buffer_add_u32(out, manifest->end_ordinal);
	buffer_add_i64(out, manifest->end_clock_ms);
	buffer_add_u64(out, manifest->change_count);
	write_place(&manifest->definitions, out);
	write_place(&manifest->names, out);
	buffer_add_varint(out, manifest->future.count);
	for (size_t i = 0; i < manifest->future.count; i++) {
		buffer_add_i64(out, manifest->future.items[i].time_ms);
		buffer_add_u32(out, manifest->future.items[i].slot);
		buffer_add_u64(out, manifest->future.items[i].position);
	}
	buffer_add_varint(out, manifest->spans.count);
	for (size_t i = 0; i < manifest->spans.count; i++)
		write_span(&manifest->spans.items[i], out);
	buffer_add_varint(out, manifest->blocks.count);
	for (size_t i = 0; i < manifest->blocks.count; i++) {
		write_place(&manifest->blocks.items[i].place, out);
		buffer_add_u64(out, manifest->blocks.items[i].position);
	}
	buffer_add_u64(out, hash_bytes(out->data, out->length));
}

/* ---- Reading ---- */

static struct checkpoint_place read_place(struct byte_reader *reader)
{
	struct checkpoint_place place = {.offset = read_u64(reader)};
	place.stored_bytes            = read_u32(reader);
	place.bytes                   = read_u32(reader);
	place.checksum                = read_u64(reader);
	return place;
}

static struct default_span read_span(struct byte_reader *reader)
{
	struct default_span span = {.segment = read_u32(reader)};
	span.from_index          = read_u64(reader);
	span.to_index            = read_u64(reader);
	uint8_t flags            = read_u8(reader);
	span.holds[0]            = flags & 1;
	span.holds[1]            = flags >> 1 & 1;
	span.announced[0]        = flags >> 2 & 1;
	span.announced[1]        = flags >> 3 & 1;
	span.ended               = flags >> 4 & 1;
	return span;
}

static struct future_event read_future(struct byte_reader *reader)
{
	struct future_event event = {.time_ms = read_i64(reader)};
	event.slot                = read_u32(reader);
	event.position            = read_u64(reader);
	return event;
}

static void read_lists(struct byte_reader *reader, struct checkpoint_manifest *manifest)
{
	uint64_t count = read_varint(reader);
	for (uint64_t i = 0; i < count && !reader->failed; i++)
		future_add(&manifest->future, read_future(reader));
	count = read_varint(reader);
	for (uint64_t i = 0; i < count && !reader->failed; i++)
		VECTOR_ADD(&manifest->spans, read_span(reader));
	count = read_varint(reader);
	for (uint64_t i = 0; i < count && !reader->failed; i++) {
		struct checkpoint_block block = {.place = read_place(reader)};
		block.position                = read_u64(reader);
		VECTOR_ADD(&manifest->blocks, block);
	}
}

static bool read_head(struct byte_reader *reader, const uint8_t workspace_id[16],
                      uint32_t partition)
{
	return memcmp(read_bytes(reader, MAGIC_BYTES).data, magic, reader->failed ? 0 : MAGIC_BYTES) ==
	           0 &&
	       read_u32(reader) == MANIFEST_VERSION && read_u32(reader) == partition &&
	       memcmp(read_bytes(reader, 16).data, workspace_id, reader->failed ? 0 : 16) == 0 &&
	       !reader->failed;
}

enum status checkpoint_manifest_read(struct text bytes, const uint8_t workspace_id[16],
                                     uint32_t partition, struct checkpoint_manifest *ret_manifest,
                                     struct error *err)
{
	*ret_manifest = (struct checkpoint_manifest){0};
	if (bytes.length < sizeof(uint64_t))
		return error_set(err, STATUS_CORRUPT, "it is too short");
	size_t             length   = bytes.length - sizeof(uint64_t);
	struct byte_reader checksum = byte_reader_of(bytes.data + length, sizeof(uint64_t));
	if (hash_bytes(bytes.data, length) != read_u64(&checksum))
		return error_set(err, STATUS_CORRUPT, "its checksum is wrong");
	struct byte_reader reader = byte_reader_of(bytes.data, length);
	if (!read_head(&reader, workspace_id, partition))
		return error_set(err, STATUS_CORRUPT, "it is of another version, workspace or partition");
	struct checkpoint_manifest manifest = {.round = read_u64(&reader)};
	manifest.written_ms                 = read_i64(&reader);
	manifest.retention_ms               = read_i64(&reader);
	manifest.generation                 = read_u64(&reader);
	manifest.file_bytes                 = read_u64(&reader);
	manifest.position                   = read_u64(&reader);
	manifest.clock_ms                   = read_i64(&reader);
	manifest.first_change               = read_u64(&reader);
	manifest.last_change_id             = read_u64(&reader);
	manifest.end_position               = read_u64(&reader);
	manifest.end_ordinal                = read_u32(&reader);
	manifest.end_clock_ms               = read_i64(&reader);
	manifest.change_count               = read_u64(&reader);
	manifest.definitions                = read_place(&reader);
	manifest.names                      = read_place(&reader);
	read_lists(&reader, &manifest);
	if (reader.failed || read_left(&reader) > 0) {
		checkpoint_manifest_done(&manifest);
		return error_set(err, STATUS_CORRUPT, "it is malformed");
	}
	*ret_manifest = manifest;
	return STATUS_OK;
}

/* ---- Files ---- */

void checkpoint_manifest_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                              uint32_t partition, unsigned line)
{
	snprintf(ret_path, CHECKPOINT_PATH_MAX, "%s/%04u-%c.manifest", directory, partition,
	         'a' + (int)line);
}

void checkpoint_blocks_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                            uint32_t partition, unsigned line, uint64_t generation)
{
	snprintf(ret_path, CHECKPOINT_PATH_MAX, "%s/%04u-%c-%u.blocks", directory, partition,
	         'a' + (int)line, (unsigned)(generation % 2));
}

void checkpoint_changes_path(char ret_path[CHECKPOINT_PATH_MAX], const char *directory,
                             uint32_t partition, bool replacement)
{
	snprintf(ret_path, CHECKPOINT_PATH_MAX, "%s/%04u.changes%s", directory, partition,
	         replacement ? ".next" : "");
}

void checkpoint_pack(struct text bytes, struct checkpoint_place *place, struct buffer *out)
{
	assert(bytes.length > 0 && bytes.length <= CHECKPOINT_BYTES_MAX);
	size_t begin = out->length;
	size_t room  = ZSTD_compressBound(bytes.length);
	buffer_reserve(out, room);
	size_t packed = ZSTD_compress(out->data + begin, room, bytes.data, bytes.length, PACK_LEVEL);
	if (ZSTD_isError(packed) || packed >= bytes.length)
		buffer_add_text(out, bytes);
	else
		out->length += packed;
	*place = (struct checkpoint_place){
		.stored_bytes = (uint32_t)(out->length - begin),
		.bytes        = (uint32_t)bytes.length,
		.checksum     = hash_bytes(out->data + begin, out->length - begin),
	};
}

static enum status read_at(int fd, const char *path, const struct checkpoint_place *place,
                           struct buffer *out, struct error *err)
{
	buffer_clear(out);
	char       *into   = buffer_reserve(out, place->stored_bytes);
	enum status status = file_read_at(fd, into, place->stored_bytes, place->offset, path, err);
	out->length        = status == STATUS_OK ? place->stored_bytes : 0;
	return status;
}

enum status checkpoint_unpack(int fd, const char *path, const struct checkpoint_place *place,
                              struct buffer *scratch, struct buffer *out, struct error *err)
{
	if (place->stored_bytes > CHECKPOINT_BYTES_MAX || place->bytes > CHECKPOINT_BYTES_MAX ||
	    place->stored_bytes > place->bytes)
		return error_set(err, STATUS_CORRUPT, "%s: a block's size makes no sense", path);
	enum status status = read_at(fd, path, place, scratch, err);
	if (status != STATUS_OK)
		return status;
	if (hash_bytes(scratch->data, scratch->length) != place->checksum)
		return error_set(err, STATUS_CORRUPT, "%s: the checksum at offset %" PRIu64 " is wrong",
		                 path, place->offset);
	if (place->stored_bytes == place->bytes) {
		buffer_add_text(out, buffer_text(scratch));
		return STATUS_OK;
	}
	buffer_reserve(out, place->bytes);
	size_t size = ZSTD_decompress(out->data, place->bytes, scratch->data, scratch->length);
	if (size != place->bytes)
		return error_set(err, STATUS_CORRUPT, "%s: what lies at offset %" PRIu64 " does not unpack",
		                 path, place->offset);
	out->length = size;
	return STATUS_OK;
}
