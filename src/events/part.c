#include "events/part.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "events/part_row.h"

enum { COLUMNS_MAX = 4096 };

static enum status corrupt(struct error *err, const char *path, const char *what)
{
	return error_set(err, STATUS_CORRUPT, "%s: %s", path, what);
}

/* ---- Opening ---- */

static uint64_t header_checksum(const struct part_header *header)
{
	char *copy = malloc(header->header_bytes);
	if (copy == NULL)
		abort();
	memcpy(copy, header, header->header_bytes);
	memset(copy + offsetof(struct part_header, checksum), 0, sizeof header->checksum);
	uint64_t checksum = hash_bytes(copy, header->header_bytes);
	free(copy);
	return checksum;
}

static enum status check_header(struct text bytes, const char *path, struct error *err)
{
	const struct part_header *header = (const void *)bytes.data;
	if (bytes.length < sizeof *header)
		return corrupt(err, path, "shorter than its header");
	if (memcmp(header->magic, PART_MAGIC, sizeof header->magic) != 0)
		return corrupt(err, path, "not a part of the event store");
	if (header->version != PART_VERSION)
		return error_set(err, STATUS_CORRUPT, "%s: version %u is not known to this program", path,
		                 header->version);
	if (header->file_bytes != bytes.length)
		return corrupt(err, path, "its length is not what its header says");
	if (header->column_count > COLUMNS_MAX || header->header_bytes > bytes.length ||
	    header->header_bytes < sizeof *header + header->column_count * sizeof(struct part_column) ||
	    header->header_bytes % PART_ALIGNMENT != 0)
		return corrupt(err, path, "its header does not fit it");
	if (header->checksum != header_checksum(header))
		return corrupt(err, path, "the checksum of its header is wrong");
	if (header->rows == 0 || header->persons == 0 || header->persons > header->rows ||
	    header->slot_min > header->slot_max || header->bucket_shift > 31)
		return corrupt(err, path, "its header contradicts itself");
	return STATUS_OK;
}

static const struct part_column *entries_of(const struct part *part)
{
	return (const void *)(part->bytes + sizeof *part->header);
}

/* How many values a column that is not by rows must have; 0: as many as it has. */
static uint64_t count_wanted(const struct part_header *header, uint8_t role)
{
	switch (role) {
	case ROLE_PERSON_SLOT:
		return header->persons;
	case ROLE_PERSON_ROW:
		return (uint64_t)header->persons + 1;
	case ROLE_PERSON_BUCKET:
		return (uint64_t)((header->slot_max - header->slot_min) >> header->bucket_shift) + 2;
	default:
		return 0;
	}
}

static bool lies_within(const struct part *part, const struct part_column *entry)
{
	const struct part_header *header = part->header;
	return entry->offset % PART_ALIGNMENT == 0 && entry->offset >= header->header_bytes &&
	       entry->offset <= header->file_bytes &&
	       column_region_bytes(entry) <= header->file_bytes - entry->offset;
}

static bool is_guarded(const struct part *part, const struct part_column *entry)
{
	uint64_t offset = entry->offset - part->header->header_bytes;
	return offset <= part->guard.bytes && column_region_bytes(entry) <= part->guard.bytes - offset;
}

static bool open_column(struct part *part, uint32_t number)
{
	const struct part_header *header = part->header;
	const struct part_column *entry  = &entries_of(part)[number];
	uint64_t names = sizeof *header + header->column_count * sizeof(struct part_column);
	if (entry->role == 0 || entry->role >= ROLE_GUARD || !lies_within(part, entry) ||
	    !is_guarded(part, entry))
		return false;
	if ((uint64_t)entry->name_offset + entry->name_bytes > header->header_bytes - names)
		return false;
	uint64_t wanted = count_wanted(header, entry->role);
	if (wanted != 0 && (entry->count != wanted || entry->encoding != ENCODING_INTS))
		return false;

	struct column *column = &part->columns[number];
	struct text    name   = {part->bytes + names + entry->name_offset, entry->name_bytes};
	if (!column_open(entry, part->bytes + entry->offset, header->rows, name, column))
		return false;
	column->guard = &part->guard;
	if (column->role == ROLE_FILTER) {
		/* It is asked without the guard, from everywhere in it. */
		part_guard_touch(&part->guard, column->texts, column->text_bytes);
		return fuse_filter_read((struct text){column->texts, column->text_bytes}, &part->filter);
	}
	if (column->role != ROLE_PROPERTY)
		part->roles[column->role] = column;
	return true;
}

/* The guard of all regions: the last column's. */
static bool open_guard(struct part *part)
{
	const struct part_header *header = part->header;
	if (header->column_count == 0)
		return false;
	const struct part_column *entry = &entries_of(part)[header->column_count - 1];
	if (entry->role != ROLE_GUARD || entry->encoding != ENCODING_BYTES ||
	    !lies_within(part, entry) || column_region_bytes(entry) != entry->text_bytes)
		return false;
	struct text guarded   = {part->bytes + header->header_bytes,
	                         entry->offset - header->header_bytes};
	struct text checksums = {part->bytes + entry->offset, entry->text_bytes};
	part->guard.path      = part->path;
	part->guard.path_at   = header->header_bytes;
	return hash_bytes(checksums.data, checksums.length) == entry->checksum &&
	       part_guard_init(&part->guard, guarded, checksums);
}

static bool every_row_has(const struct part *part, enum column_role role)
{
	const struct column *column = part->roles[role];
	return column != NULL && column->ranks == NULL && column->encoding == ENCODING_INTS;
}

static bool is_texts(const struct column *column)
{
	return column == NULL || column->encoding == ENCODING_DICT ||
	       column->encoding == ENCODING_TEXTS || column->encoding == ENCODING_FIXED;
}

static bool roles_fit(const struct part *part)
{
	static const uint8_t texts[] = {ROLE_NAME,   ROLE_MESSAGE, ROLE_CONTEXT,  ROLE_SEALED,
	                                ROLE_ORIGIN, ROLE_SHAPE,   ROLE_RESIDUAL, ROLE_MOVED};
	static const uint8_t ints[]  = {ROLE_SOURCE, ROLE_CALL, ROLE_TIMESTAMP, ROLE_SKEW};
	for (unsigned i = 0; i < sizeof texts; i++)
		if (!is_texts(part->roles[texts[i]]))
			return false;
	for (unsigned i = 0; i < sizeof ints; i++)
		if (part->roles[ints[i]] != NULL && part->roles[ints[i]]->encoding != ENCODING_INTS)
			return false;
	return part->roles[ROLE_PERSON_SLOT] != NULL && part->roles[ROLE_PERSON_ROW] != NULL &&
	       part->roles[ROLE_PERSON_BUCKET] != NULL && every_row_has(part, ROLE_TIME) &&
	       every_row_has(part, ROLE_RECEIVED) && every_row_has(part, ROLE_POSITION) &&
	       every_row_has(part, ROLE_FLAGS) && every_row_has(part, ROLE_CALL) &&
	       every_row_has(part, ROLE_SOURCE);
}

static enum status attach(struct part *part, struct text bytes, const char *path, struct error *err)
{
	enum status status = check_header(bytes, path, err);
	if (status != STATUS_OK)
		return status;
	part->bytes   = bytes.data;
	part->header  = (const void *)bytes.data;
	part->columns = calloc(part->header->column_count + 1, sizeof *part->columns);
	if (part->columns == NULL)
		abort();
	if (!open_guard(part))
		return corrupt(err, path, "its checksums do not fit it");
	for (uint32_t i = 0; i + 1 < part->header->column_count; i++)
		if (!open_column(part, i))
			return corrupt(err, path, "a column does not fit what its header says");
	if (!roles_fit(part))
		return corrupt(err, path, "columns are missing");
	/* The filter was looked at. */
	return atomic_load(&part->guard.damaged)
	           ? corrupt(err, path, "the checksum of its filter is wrong")
	           : STATUS_OK;
}

static struct part *new_part(void)
{
	struct part *part = calloc(1, sizeof *part);
	if (part == NULL)
		abort();
	atomic_init(&part->refs, 1);
	return part;
}

enum status part_open_bytes(struct text bytes, const char *path, struct part **ret_part,
                            struct error *err)
{
	struct part *part   = new_part();
	enum status  status = attach(part, bytes, path, err);
	if (status != STATUS_OK)
		part_unref(part);
	else
		*ret_part = part;
	return status;
}

static enum status map_file(const char *path, struct text *ret_bytes, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return file_error(err, errno, "open", path);
	struct stat info;
	enum status status = STATUS_OK;
	if (fstat(fd, &info) != 0)
		status = file_error(err, errno, "look at", path);
	else if (info.st_size == 0)
		status = corrupt(err, path, "empty");
	if (status == STATUS_OK) {
		void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (bytes == MAP_FAILED)
			status = file_error(err, errno, "map", path);
		else
			*ret_bytes = (struct text){bytes, (size_t)info.st_size};
	}
	close(fd);
	return status;
}

enum status part_open(const char *path, struct part **ret_part, struct error *err)
{
	struct text bytes;
	enum status status = map_file(path, &bytes, err);
	if (status != STATUS_OK)
		return status;
	struct part *part = new_part();
	part->path        = strdup(path);
	if (part->path == NULL)
		abort();
	status = attach(part, bytes, path, err);
	if (status != STATUS_OK) {
		munmap((void *)(uintptr_t)bytes.data, bytes.length);
		free(part->path);
		part->path = NULL;
		part_unref(part);
		return status;
	}
	*ret_part = part;
	return STATUS_OK;
}

struct part *part_ref(struct part *part)
{
	atomic_fetch_add_explicit(&part->refs, 1, memory_order_relaxed);
	return part;
}

void part_unref(struct part *part)
{
	if (atomic_fetch_sub_explicit(&part->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (part->path != NULL)
		munmap((void *)(uintptr_t)part->bytes, part->header->file_bytes);
	free(part->path);
	free(part->columns);
	part_guard_done(&part->guard);
	free(part);
}

/* ---- Verifying ---- */

static const char *name_of(const struct part *part)
{
	return part->path == NULL ? "part" : part->path;
}

enum status part_check(const struct part *part, struct error *err)
{
	if (!atomic_load(&part->guard.damaged))
		return STATUS_OK;
	unsigned long long at = part->header->header_bytes + atomic_load(&part->guard.damaged_at);
	return error_set(err, STATUS_CORRUPT, "%s: damaged at byte %llu or up to %d behind",
	                 name_of(part), at, GUARD_BLOCK_BYTES);
}

static enum status verify_columns(struct part *part, struct error *err)
{
	const char *path = name_of(part);
	for (uint32_t i = 0; i < part->header->column_count; i++) {
		const struct part_column *entry = &entries_of(part)[i];
		if (hash_bytes(part->bytes + entry->offset, column_region_bytes(entry)) != entry->checksum)
			return error_set(err, STATUS_CORRUPT,
			                 "%s: the checksum of column %u at byte %llu is wrong", path, i,
			                 (unsigned long long)entry->offset);
	}
	return STATUS_OK;
}

enum status part_verify(struct part *part, struct error *err)
{
	const char *path   = name_of(part);
	enum status status = verify_columns(part, err);
	if (status != STATUS_OK)
		return status;

	event_list list = {0};
	uint32_t   rows = 0, before = 0;
	for (uint32_t person = 0; person < part->header->persons && status == STATUS_OK; person++) {
		uint32_t slot, begin, end;
		bool     good = part_person(part, person, &slot, &begin, &end) && begin == rows &&
		            (person == 0 || slot > before);
		for (uint32_t row = begin; good && row < end; row++) {
			struct event event;
			event_list_clear(&list);
			good = part_read(part, slot, row, &list, &event);
		}
		if (!good)
			status = error_set(err, STATUS_CORRUPT, "%s: person %u cannot be read", path, person);
		rows   = end;
		before = slot;
	}
	event_list_done(&list);
	if (status == STATUS_OK && rows != part->header->rows)
		status = corrupt(err, path, "rows belong to nobody");
	return status;
}

/* ---- Finding ---- */

bool part_person(const struct part *part, uint32_t person, uint32_t *ret_slot, uint32_t *ret_begin,
                 uint32_t *ret_end)
{
	const struct column *rows  = part->roles[ROLE_PERSON_ROW];
	int64_t              begin = column_int(rows, person);
	int64_t              end   = column_int(rows, person + 1);
	*ret_slot                  = (uint32_t)column_int(part->roles[ROLE_PERSON_SLOT], person);
	*ret_begin                 = (uint32_t)begin;
	*ret_end                   = (uint32_t)end;
	return begin >= 0 && begin < end && end <= part->header->rows;
}

bool part_find(const struct part *part, uint32_t slot, uint32_t *ret_begin, uint32_t *ret_end)
{
	const struct part_header *header = part->header;
	if (slot < header->slot_min || slot > header->slot_max)
		return false;
	const struct column *buckets = part->roles[ROLE_PERSON_BUCKET];
	const struct column *slots   = part->roles[ROLE_PERSON_SLOT];
	uint32_t             bucket  = (slot - header->slot_min) >> header->bucket_shift;
	int64_t              low     = column_int(buckets, bucket);
	int64_t              end     = column_int(buckets, bucket + 1);
	if (low < 0 || end > header->persons)
		return false;
	for (int64_t high = end; low < high;) {
		int64_t middle = low + (high - low) / 2;
		if (column_int(slots, (uint32_t)middle) < (int64_t)slot)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t found;
	return low < end && part_person(part, (uint32_t)low, &found, ret_begin, ret_end) &&
	       found == slot;
}

/* ---- Names and message ids ---- */

struct part_name part_name_of(const struct part *part, struct text name)
{
	const struct column *names  = part->roles[ROLE_NAME];
	struct part_name     wanted = {.name = name, .any = name.length == 0};
	if (wanted.any)
		return wanted;
	wanted.coded   = names != NULL && names->encoding == ENCODING_DICT;
	wanted.nowhere = names == NULL || (wanted.coded && !column_code(names, name, &wanted.code));
	return wanted;
}

bool part_has_name(const struct part *part, uint32_t row, const struct part_name *name)
{
	const struct column *names = part->roles[ROLE_NAME];
	uint32_t             index;
	struct text          text;
	if (name->any)
		return true;
	if (name->nowhere || !column_index(names, row, &index))
		return false;
	if (name->coded) {
		column_touch_number(names, index);
		return column_number_at(names->numbers, names->width, index) == name->code;
	}
	return column_text(names, index, &text) && text_equal(text, name->name);
}

static bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

struct text part_pack_message(struct text message_id, uint8_t into[PART_UUID_BYTES], bool *ret_uuid)
{
	char     digits[2 * PART_UUID_BYTES];
	unsigned count = 0;
	*ret_uuid      = false;
	if (message_id.length != UUID_TEXT_BYTES - 1)
		return message_id;
	for (unsigned i = 0; i < UUID_TEXT_BYTES - 1; i++) {
		char c = message_id.data[i];
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				return message_id;
		} else if (is_lower_hex(c)) {
			digits[count++] = c;
		} else {
			return message_id;
		}
	}
	*ret_uuid = hash_unhex((struct text){digits, sizeof digits}, into, PART_UUID_BYTES);
	return (struct text){(const char *)into, PART_UUID_BYTES};
}

static bool row_has_message(struct part *part, uint32_t row, struct text packed, bool uuid)
{
	const struct column *messages = part->roles[ROLE_MESSAGE];
	bool                 row_uuid = (column_int(part->roles[ROLE_FLAGS], row) & ROW_UUID) != 0;
	uint32_t             index;
	struct text          text;
	if (row_uuid != uuid || !column_index(messages, row, &index))
		return false;
	if (!column_text(messages, index, &text)) {
		part_guard_fail(&part->guard, messages->numbers);
		return false;
	}
	return text_equal(text, packed);
}

bool part_has_message(struct part *part, uint32_t slot, struct text message_id,
                      uint64_t before_position, int64_t after_ms, int64_t retention_ms)
{
	uint8_t  bytes[PART_UUID_BYTES];
	uint32_t begin, end;
	bool     uuid;
	if (part->roles[ROLE_MESSAGE] == NULL || !part_find(part, slot, &begin, &end))
		return false;
	struct text packed = part_pack_message(message_id, bytes, &uuid);
	for (uint32_t row = begin; row < end; row++)
		if (row_has_message(part, row, packed, uuid) &&
		    part_position(part, row) < before_position &&
		    events_end_ms(part_time_ms(part, row), retention_ms) > after_ms)
			return true;
	return false;
}

bool part_read(struct part *part, uint32_t slot, uint32_t row, event_list *list,
               struct event *ret_event)
{
	if (part_row_read(part, slot, row, list, ret_event))
		return true;
	part_guard_fail(&part->guard, part->guard.begin);
	return false;
}
