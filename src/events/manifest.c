#include "events/manifest.h"

#include "base/file.h"
#include "base/hash.h"

#define MANIFEST_MAGIC "SONNIMEV"

enum { MANIFEST_VERSION = 1, HEAD_BYTES = 56, PART_BYTES = 16, CHECKSUM_BYTES = 8 };

void manifest_done(struct manifest *manifest) { VECTOR_DONE(&manifest->parts); }

static enum status corrupt(struct error *err, const char *path, const char *what)
{
	return error_set(err, STATUS_CORRUPT, "%s: %s", path, what);
}

static enum status parse(const char *path, struct text bytes, struct manifest *manifest,
                         struct error *err)
{
	if (bytes.length < HEAD_BYTES + CHECKSUM_BYTES)
		return corrupt(err, path, "cut off");
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length - CHECKSUM_BYTES);
	uint64_t           checksum;
	memcpy(&checksum, bytes.data + bytes.length - CHECKSUM_BYTES, sizeof checksum);
	if (!text_equal(read_bytes(&reader, 8), TEXT(MANIFEST_MAGIC)))
		return corrupt(err, path, "not a manifest of the event store");
	uint32_t version = read_u32(&reader);
	if (version != MANIFEST_VERSION)
		return error_set(err, STATUS_CORRUPT, "%s: version %u is not known to this program", path,
		                 version);
	if (checksum != hash_bytes(bytes.data, bytes.length - CHECKSUM_BYTES))
		return corrupt(err, path, "its checksum is wrong");
	manifest->partition        = read_u32(&reader);
	manifest->message_key      = read_u64(&reader);
	manifest->through_position = read_u64(&reader);
	manifest->expired_ms       = read_i64(&reader);
	manifest->next_number      = read_u64(&reader);
	uint64_t count             = read_u64(&reader);
	if (count != read_left(&reader) / PART_BYTES || read_left(&reader) % PART_BYTES != 0)
		return corrupt(err, path, "its length is not what it says");
	for (uint64_t i = 0; i < count; i++) {
		struct manifest_part part = {.number = read_u64(&reader), .checksum = read_u64(&reader)};
		VECTOR_ADD(&manifest->parts, part);
	}
	return STATUS_OK;
}

enum status manifest_read(const char *path, struct manifest *ret_manifest, struct error *err)
{
	struct buffer   bytes    = {0};
	struct manifest manifest = {0};
	size_t          max    = HEAD_BYTES + (size_t)MANIFEST_PARTS_MAX * PART_BYTES + CHECKSUM_BYTES;
	enum status     status = file_read(path, max, &bytes, err);
	if (status == STATUS_OK)
		status = parse(path, buffer_text(&bytes), &manifest, err);
	buffer_done(&bytes);
	if (status != STATUS_OK)
		manifest_done(&manifest);
	else
		*ret_manifest = manifest;
	return status;
}

enum status manifest_write(const char *path, const struct manifest *manifest, struct error *err)
{
	struct buffer out = {0};
	buffer_add_text(&out, TEXT(MANIFEST_MAGIC));
	buffer_add_u32(&out, MANIFEST_VERSION);
	buffer_add_u32(&out, manifest->partition);
	buffer_add_u64(&out, manifest->message_key);
	buffer_add_u64(&out, manifest->through_position);
	buffer_add_i64(&out, manifest->expired_ms);
	buffer_add_u64(&out, manifest->next_number);
	buffer_add_u64(&out, manifest->parts.count);
	for (size_t i = 0; i < manifest->parts.count; i++) {
		buffer_add_u64(&out, manifest->parts.items[i].number);
		buffer_add_u64(&out, manifest->parts.items[i].checksum);
	}
	buffer_add_u64(&out, hash_bytes(out.data, out.length));
	enum status status = file_replace(path, 0600, out.data, out.length, err);
	buffer_done(&out);
	return status;
}
