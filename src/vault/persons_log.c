#include "vault/persons_log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "vault/append_file.h"

#define FILE_MAGIC UINT64_C(0x50564d494e4e4f53) /* "SONNIMVP" */
#define RUN_MAGIC  UINT32_C(0x4e555256)         /* "VRUN" */

enum { FORMAT_VERSION = 1, WINDOW_BYTES = 1 << 20 };

struct run_header {
	uint32_t magic;
	uint32_t payload_bytes;
	uint64_t number; /* from 1, one by one */
	uint64_t keys_count;
	uint64_t checksum; /* XXH3 of the payload, seeded with that of the fields above */
};
_Static_assert(sizeof(struct run_header) == RUN_HEADER_BYTES, "as in docs/formats/vault.md");

struct file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t partition_count;
	uint8_t  workspace_id[16];
	uint8_t  zero[24];
	uint64_t checksum; /* XXH3 of the bytes before it */
};
_Static_assert(sizeof(struct file_header) == PERSONS_HEADER_BYTES, "as in docs/formats/vault.md");

static uint64_t run_checksum(const struct run_header *header, const char *payload)
{
	uint64_t seed = hash_bytes(header, offsetof(struct run_header, checksum));
	return hash_bytes_seeded(payload, header->payload_bytes, seed);
}

void persons_run_finish(char *run, size_t length, uint64_t number, uint64_t keys_count)
{
	assert(length >= RUN_HEADER_BYTES && length - RUN_HEADER_BYTES <= RUN_BYTES_MAX);

	struct run_header header = {
		.magic         = RUN_MAGIC,
		.payload_bytes = (uint32_t)(length - RUN_HEADER_BYTES),
		.number        = number,
		.keys_count    = keys_count,
	};
	header.checksum = run_checksum(&header, run + RUN_HEADER_BYTES);
	memcpy(run, &header, sizeof header);
}

void persons_header_encode(const uint8_t workspace_id[16], uint32_t partition_count,
                           uint8_t ret_header[PERSONS_HEADER_BYTES])
{
	struct file_header header = {
		.magic = FILE_MAGIC, .version = FORMAT_VERSION, .partition_count = partition_count};
	memcpy(header.workspace_id, workspace_id, sizeof header.workspace_id);
	header.checksum = hash_bytes(&header, offsetof(struct file_header, checksum));
	memcpy(ret_header, &header, sizeof header);
}

static enum status check_header(const struct file_header *header, const char *path,
                                const uint8_t workspace_id[16], uint32_t partition_count,
                                struct error *err)
{
	if (header->magic != FILE_MAGIC ||
	    header->checksum != hash_bytes(header, offsetof(struct file_header, checksum)))
		return error_set(err, STATUS_CORRUPT, "%s: bad file header at offset 0", path);
	if (header->version != FORMAT_VERSION)
		return error_set(err, STATUS_UNSUPPORTED, "%s: format version %u is not known", path,
		                 header->version);
	if (memcmp(header->workspace_id, workspace_id, sizeof header->workspace_id) != 0)
		return error_set(err, STATUS_CORRUPT, "%s belongs to another workspace", path);
	if (header->partition_count != partition_count)
		return error_set(err, STATUS_CORRUPT, "%s was made for %u partitions, not %u", path,
		                 header->partition_count, partition_count);
	return STATUS_OK;
}

void persons_entry_encode(const struct persons_entry *entry, struct buffer *out)
{
	bool person = entry->kind == ENTRY_PERSON;
	buffer_add_u8(out, (uint8_t)entry->kind);
	buffer_add_u8(out, person ? entry->namespace : 0);
	buffer_add_u16(out, person ? (uint16_t)entry->sealed.length : 0);
	buffer_add_u32(out, person ? entry->key_at : 0);
	buffer_add_u64(out, entry->number);
	buffer_add_u64(out, entry->masked.first);
	buffer_add_u64(out, entry->masked.second);
	if (!person) {
		buffer_add_u64(out, entry->nonce);
		return;
	}
	buffer_add_text(out, entry->sealed);
	static const char zeros[8];
	buffer_add(out, zeros, (8 - entry->sealed.length % 8) % 8);
}

bool persons_entry_decode(struct byte_reader *reader, struct persons_entry *ret_entry)
{
	uint8_t kind             = read_u8(reader);
	*ret_entry               = (struct persons_entry){.kind = (enum persons_entry_kind)kind};
	ret_entry->namespace     = read_u8(reader);
	size_t sealed_length     = read_u16(reader);
	ret_entry->key_at        = read_u32(reader);
	ret_entry->number        = read_u64(reader);
	ret_entry->masked.first  = read_u64(reader);
	ret_entry->masked.second = read_u64(reader);
	if (kind == ENTRY_LINK)
		ret_entry->nonce = read_u64(reader);
	if (kind == ENTRY_PERSON) {
		ret_entry->sealed = read_bytes(reader, sealed_length);
		read_bytes(reader, (8 - sealed_length % 8) % 8);
	}
	return !reader->failed && (kind == ENTRY_LINK || kind == ENTRY_PERSON);
}

/* The file while it is scanned. */
struct scan {
	int           fd;
	const char   *path;
	uint64_t      size;
	struct buffer payload; /* of the run read last */
};

/* Reads the run at `offset`. `*ret_good` false: there is no whole run. */
static enum status read_run(struct scan *scan, uint64_t offset, struct run_header *ret_header,
                            bool *ret_good, struct error *err)
{
	*ret_good = false;
	if (scan->size - offset < RUN_HEADER_BYTES)
		return STATUS_OK;
	enum status status =
		file_read_at(scan->fd, ret_header, RUN_HEADER_BYTES, offset, scan->path, err);
	if (status != STATUS_OK)
		return status;
	uint64_t begin = offset + RUN_HEADER_BYTES;
	if (ret_header->magic != RUN_MAGIC || ret_header->payload_bytes > RUN_BYTES_MAX ||
	    ret_header->payload_bytes % 8 != 0 || ret_header->payload_bytes > scan->size - begin)
		return STATUS_OK;

	buffer_clear(&scan->payload);
	char *into = buffer_reserve(&scan->payload, ret_header->payload_bytes);
	status     = file_read_at(scan->fd, into, ret_header->payload_bytes, begin, scan->path, err);
	if (status != STATUS_OK)
		return status;
	scan->payload.length = ret_header->payload_bytes;
	*ret_good            = ret_header->checksum == run_checksum(ret_header, into);
	return STATUS_OK;
}

static enum status hand_out(struct scan *scan, uint64_t offset, persons_entry_fn *entry_fn,
                            void *context, struct error *err)
{
	const char        *payload = scan->payload.data;
	struct byte_reader reader  = byte_reader_of(payload, scan->payload.length);
	while (read_left(&reader) > 0) {
		uint64_t at = offset + RUN_HEADER_BYTES + (uint64_t)((const char *)reader.at - payload);
		struct persons_entry entry;
		if (!persons_entry_decode(&reader, &entry))
			return error_set(err, STATUS_CORRUPT, "%s: bad entry at offset %" PRIu64, scan->path,
			                 at);
		enum status status = entry_fn(context, &entry, at, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Looks at what lies behind the last good run: only zeros, a torn run, or damage. */
static enum status look_behind(struct scan *scan, uint64_t bad, bool *ret_torn, struct error *err)
{
	static const uint32_t magic = RUN_MAGIC;
	struct buffer         window;
	enum status           status = STATUS_OK;
	struct run_header     header;
	bool                  later = false;
	buffer_init(&window);
	*ret_torn = false;
	for (uint64_t at = bad; at < scan->size && status == STATUS_OK && !later; at += WINDOW_BYTES) {
		uint64_t left   = scan->size - at;
		size_t   length = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
		buffer_clear(&window);
		char *bytes = buffer_reserve(&window, WINDOW_BYTES);
		memset(bytes, 0, WINDOW_BYTES);
		status = file_read_at(scan->fd, bytes, length, at, scan->path, err);
		/* Runs begin at multiples of 8, and `bad` is one. */
		for (size_t i = 0; i < length && status == STATUS_OK && !later; i += 8) {
			uint64_t word;
			memcpy(&word, bytes + i, sizeof word);
			if (word == 0)
				continue;
			*ret_torn = true;
			if (memcmp(bytes + i, &magic, sizeof magic) == 0)
				status = read_run(scan, at + i, &header, &later, err);
		}
	}
	buffer_done(&window);
	if (status == STATUS_OK && later)
		status = error_set(err, STATUS_CORRUPT, "%s: bad run at offset %" PRIu64, scan->path, bad);
	return status;
}

static enum status scan_runs(struct scan *scan, persons_entry_fn *entry, void *context,
                             struct persons_scan *ret_scan, struct error *err)
{
	*ret_scan = (struct persons_scan){.end = PERSONS_HEADER_BYTES};
	for (;;) {
		struct run_header header;
		bool              good   = false;
		enum status       status = read_run(scan, ret_scan->end, &header, &good, err);
		if (status != STATUS_OK)
			return status;
		if (!good || header.number != ret_scan->run_count + 1)
			return look_behind(scan, ret_scan->end, &ret_scan->torn, err);
		status = hand_out(scan, ret_scan->end, entry, context, err);
		if (status != STATUS_OK)
			return status;
		ret_scan->end += RUN_HEADER_BYTES + header.payload_bytes;
		ret_scan->run_count  = header.number;
		ret_scan->keys_count = header.keys_count;
	}
}

enum status persons_log_scan(int fd, const char *path, const uint8_t workspace_id[16],
                             uint32_t partition_count, persons_entry_fn *entry, void *context,
                             struct persons_scan *ret_scan, struct error *err)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return file_error(err, errno, "look at", path);
	if ((uint64_t)info.st_size < PERSONS_HEADER_BYTES)
		return error_set(err, STATUS_CORRUPT, "%s: bad file header at offset 0", path);

	struct file_header header;
	enum status        status = file_read_at(fd, &header, sizeof header, 0, path, err);
	if (status == STATUS_OK)
		status = check_header(&header, path, workspace_id, partition_count, err);
	if (status != STATUS_OK)
		return status;

	struct scan scan = {.fd = fd, .path = path, .size = (uint64_t)info.st_size};
	buffer_init(&scan.payload);
	status = scan_runs(&scan, entry, context, ret_scan, err);
	buffer_done(&scan.payload);
	return status;
}
