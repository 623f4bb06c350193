#include "vault/keys_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "vault/append_file.h"

#define FILE_MAGIC UINT64_C(0x4b564d494e4e4f53) /* "SONNIMVK" */

enum { FORMAT_VERSION = 1, WINDOW_ENTRIES = 16384 };

static uint64_t checksum(const struct key_entry *entry, uint64_t at)
{
	return hash_bytes_seeded(entry, offsetof(struct key_entry, checksum), at);
}

void key_entry_finish(struct key_entry *entry, uint64_t at)
{
	entry->checksum = checksum(entry, at);
}

enum key_entry_kind key_entry_kind(const struct key_entry *entry, uint64_t at)
{
	uint64_t kind = entry->head >> 56;
	if (kind < KEY_ENTRY_HEADER || kind > KEY_ENTRY_VOID || entry->checksum != checksum(entry, at))
		return KEY_ENTRY_BAD;
	return (enum key_entry_kind)kind;
}

struct key_entry key_entry_header(const uint8_t workspace_id[16])
{
	struct key_entry header = key_entry_of(KEY_ENTRY_HEADER, FORMAT_VERSION);
	header.seed             = FILE_MAGIC;
	memcpy(header.wrapped, workspace_id, 16);
	key_entry_finish(&header, KEY_AT_HEADER);
	return header;
}

enum status key_entry_check_header(const struct key_entry *entry, const char *path,
                                   const uint8_t workspace_id[16], struct error *err)
{
	if (key_entry_kind(entry, KEY_AT_HEADER) != KEY_ENTRY_HEADER || entry->seed != FILE_MAGIC)
		return error_set(err, STATUS_CORRUPT, "%s: bad file header at offset 0", path);
	if (key_entry_number(entry) != FORMAT_VERSION)
		return error_set(err, STATUS_UNSUPPORTED, "%s: its format version is not known", path);
	if (memcmp(entry->wrapped, workspace_id, 16) != 0)
		return error_set(err, STATUS_CORRUPT, "%s belongs to another workspace", path);
	return STATUS_OK;
}

static bool only_zeros(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* What the scan has found so far. */
struct scan {
	key_entry_fn *entry;
	void         *context;
	uint64_t      count;
	bool          dirty; /* something other than zeros since the last good entry */
};

static enum status scan_entry(struct scan *scan, const struct key_entry *entry, uint64_t at,
                              struct error *err)
{
	enum key_entry_kind kind = key_entry_kind(entry, at);
	if (kind != KEY_ENTRY_BAD) {
		scan->count = at + 1;
		scan->dirty = false;
	} else if (!scan->dirty) {
		scan->dirty = !only_zeros(entry, sizeof *entry);
	}
	return scan->entry(scan->context, entry, kind, at, err);
}

static enum status scan_entries(struct scan *scan, int fd, const char *path, uint64_t size,
                                struct key_entry *window, struct error *err)
{
	uint64_t whole = size / KEY_ENTRY_BYTES;
	for (uint64_t at = KEY_AT_FIRST; at < whole; at += WINDOW_ENTRIES) {
		uint64_t    count = whole - at < WINDOW_ENTRIES ? whole - at : WINDOW_ENTRIES;
		enum status status =
			file_read_at(fd, window, count * KEY_ENTRY_BYTES, at * KEY_ENTRY_BYTES, path, err);
		for (uint64_t i = 0; i < count && status == STATUS_OK; i++)
			status = scan_entry(scan, &window[i], at + i, err);
		if (status != STATUS_OK)
			return status;
	}
	size_t      rest   = size % KEY_ENTRY_BYTES;
	enum status status = file_read_at(fd, window, rest, whole * KEY_ENTRY_BYTES, path, err);
	if (status == STATUS_OK && !only_zeros(window, rest))
		scan->dirty = true;
	return status;
}

enum status keys_log_scan(int fd, const char *path, key_entry_fn *entry, void *context,
                          uint64_t *ret_count, bool *ret_torn, struct error *err)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return file_error(err, errno, "look at", path);
	struct key_entry *window = calloc(WINDOW_ENTRIES, sizeof *window);
	if (!window)
		abort();
	struct scan scan   = {.entry = entry, .context = context, .count = KEY_AT_FIRST};
	enum status status = scan_entries(&scan, fd, path, (uint64_t)info.st_size, window, err);
	free(window);
	*ret_count = scan.count;
	*ret_torn  = scan.dirty;
	return status;
}
