#include "events/part_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "events/column_builder.h"
#include "events/part_row.h"
#include "events/part_schema.h"

/* Written at once: no more than that waits in the page cache for others' syncs to meet it. */
enum { WRITE_BYTES = 8 << 20, PERSONS_A_BUCKET = 4 };

/* One entry of a property list. */
struct entry {
	struct text head; /* hash, type, name: as they lie there */
	uint32_t    hash;
	uint8_t     type;
	struct text name;
	struct text value; /* without the type */
};

struct work {
	const struct part_row        *rows;
	uint32_t                      count;
	const struct part_identity   *identity;
	const struct events_settings *settings;

	struct part_schema     schema;
	struct column_builder  roles[ROLE_COUNT];
	struct column_builder *properties; /* by column */
	uint32_t              *last_rows;  /* by column: the last row that has it, + 1 */
	struct arena           arena;      /* texts that are not the rows' own */
	struct map_u64         shapes;     /* hash → index + 1 into shape_texts */
	VECTOR(struct text) shape_texts;
	struct buffer shape;
	struct buffer residual;
	VECTOR(uint64_t) message_keys;
	VECTOR(struct part_column) columns;
	struct buffer names;
	uint32_t      events;
};

int part_row_compare(const void *left, const void *right)
{
	const struct part_row *a = left, *b = right;
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	if (a->received_ms != b->received_ms)
		return a->received_ms < b->received_ms ? -1 : 1;
	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	return (a->position > b->position) - (a->position < b->position);
}

static struct record decode(const struct part_row *row)
{
	struct record record;
	size_t        size;
	enum status   status =
		record_decode((struct text){row->encoded, row->size}, &record, &size, NULL);
	assert(status == STATUS_OK && size == row->size);
	(void)status;
	return record;
}

/* ---- Lists ---- */

static bool next_entry(struct byte_reader *reader, struct entry *ret_entry)
{
	const char *begin = (const char *)reader->at;
	ret_entry->hash   = read_u32(reader);
	ret_entry->type   = read_u8(reader);
	ret_entry->name   = read_sized(reader);
	ret_entry->head   = (struct text){begin, (size_t)((const char *)reader->at - begin)};
	if (reader->failed || ret_entry->type == VALUE_NONE || ret_entry->type >= VALUE_TYPE_COUNT)
		return false;
	ret_entry->value = part_row_value(reader, ret_entry->type);
	return !reader->failed;
}

/* Whether it can be taken apart and put together again. */
static bool is_list(struct text list)
{
	struct byte_reader reader = byte_reader_of(list.data, list.length);
	uint64_t           count  = read_varint(&reader);
	struct entry       entry;
	for (uint64_t i = 0; i < count; i++)
		if (!next_entry(&reader, &entry))
			return false;
	return !reader.failed && read_left(&reader) == 0;
}

static void count_properties(struct work *work)
{
	for (uint32_t i = 0; i < work->count; i++) {
		struct record record = decode(&work->rows[i]);
		if (record.kind != RECORD_EVENT || record.properties.length == 0 ||
		    !is_list(record.properties))
			continue;
		struct byte_reader reader =
			byte_reader_of(record.properties.data, record.properties.length);
		uint64_t     count = read_varint(&reader);
		struct entry entry;
		for (uint64_t j = 0; j < count && next_entry(&reader, &entry); j++)
			part_schema_count(&work->schema, entry.hash, entry.name, entry.type);
	}
	part_schema_choose(&work->schema, work->count, work->settings);
}

/* ---- Filling columns ---- */

static enum column_content content_of(enum value_type type)
{
	switch (type) {
	case VALUE_INT:
		return CONTENT_INTS;
	case VALUE_DOUBLE:
		return CONTENT_DOUBLES;
	case VALUE_TRUE:
		return CONTENT_BITS;
	default:
		return CONTENT_TEXTS;
	}
}

static void begin_columns(struct work *work)
{
	static const uint8_t texts[] = {ROLE_NAME,   ROLE_MESSAGE, ROLE_CONTEXT,  ROLE_SEALED,
	                                ROLE_ORIGIN, ROLE_SHAPE,   ROLE_RESIDUAL, ROLE_MOVED};
	for (enum column_role role = ROLE_TIME; role < ROLE_COUNT; role++) {
		enum column_content content = CONTENT_INTS;
		for (unsigned i = 0; i < sizeof texts; i++)
			if (texts[i] == role)
				content = CONTENT_TEXTS;
		column_builder_init(&work->roles[role], role, content, work->count);
	}
	uint32_t count   = work->schema.column_count;
	work->properties = calloc(count + 1, sizeof *work->properties);
	work->last_rows  = calloc(count + 1, sizeof *work->last_rows);
	if (work->properties == NULL || work->last_rows == NULL)
		abort();
	for (size_t i = 0; i < work->schema.properties.count; i++) {
		const struct part_property *property = &work->schema.properties.items[i];
		if (property->column == 0)
			continue;
		struct column_builder *builder = &work->properties[property->column - 1];
		column_builder_init(builder, ROLE_PROPERTY, content_of(property->type), work->count);
		builder->type = property->type;
	}
}

static void add_text(struct work *work, enum column_role role, uint32_t row, struct text text)
{
	if (text.length > 0)
		column_builder_add_text(&work->roles[role], row, text);
}

static void add_value(struct column_builder *builder, uint32_t row, const struct entry *entry)
{
	struct byte_reader reader = byte_reader_of(entry->value.data, entry->value.length);
	switch (builder->content) {
	case CONTENT_INTS:
		column_builder_add_int(builder, row, read_i64(&reader));
		break;
	case CONTENT_DOUBLES:
		column_builder_add_double(builder, row, read_f64(&reader));
		break;
	case CONTENT_BITS:
		column_builder_add_int(builder, row, entry->type == VALUE_TRUE);
		break;
	case CONTENT_TEXTS:
		column_builder_add_text(builder, row, read_sized(&reader));
		break;
	}
}

static void add_entry(struct work *work, uint32_t row, const struct entry *entry)
{
	const struct part_property *property =
		part_schema_find(&work->schema, entry->hash, entry->name, entry->type);
	uint32_t column = property == NULL ? 0 : property->column;
	/* A name that comes twice in a list: the second one lies beside it. */
	if (column > 0 && work->last_rows[column - 1] == row + 1)
		column = 0;
	buffer_add_varint(&work->shape, column);
	buffer_add_text(&work->shape, entry->head);
	if (column == 0) {
		buffer_add_text(&work->residual, entry->value);
		return;
	}
	if (entry->type == VALUE_FALSE) {
		size_t type_at            = work->shape.length - entry->head.length + sizeof(uint32_t);
		work->shape.data[type_at] = VALUE_TRUE;
	}
	work->last_rows[column - 1] = row + 1;
	add_value(&work->properties[column - 1], row, entry);
}

/* The same shape in one place of the memory. */
static struct text shared_shape(struct work *work)
{
	struct text shape = buffer_text(&work->shape);
	uint64_t   *index = map_u64_put(&work->shapes, hash_bytes(shape.data, shape.length));
	if (*index > 0 && text_equal(work->shape_texts.items[*index - 1], shape))
		return work->shape_texts.items[*index - 1];
	struct text kept = arena_text(&work->arena, shape);
	VECTOR_ADD(&work->shape_texts, kept);
	*index = work->shape_texts.count;
	return kept;
}

static unsigned add_properties(struct work *work, uint32_t row, struct text list)
{
	if (list.length == 0)
		return 0;
	if (!is_list(list)) {
		add_text(work, ROLE_RESIDUAL, row, list);
		return ROW_RAW;
	}
	struct byte_reader reader = byte_reader_of(list.data, list.length);
	uint64_t           count  = read_varint(&reader);
	struct entry       entry;
	buffer_clear(&work->shape);
	buffer_clear(&work->residual);
	buffer_add_varint(&work->shape, count);
	for (uint64_t i = 0; i < count && next_entry(&reader, &entry); i++)
		add_entry(work, row, &entry);
	add_text(work, ROLE_SHAPE, row, shared_shape(work));
	if (work->residual.length > 0)
		add_text(work, ROLE_RESIDUAL, row, arena_text(&work->arena, buffer_text(&work->residual)));
	return 0;
}

static unsigned add_message(struct work *work, uint32_t row, struct text message_id)
{
	if (message_id.length == 0)
		return 0;
	VECTOR_ADD(&work->message_keys,
	           event_message_hash(work->identity->message_key, work->rows[row].slot, message_id));
	uint8_t     bytes[PART_UUID_BYTES];
	bool        uuid;
	struct text packed = part_pack_message(message_id, bytes, &uuid);
	add_text(work, ROLE_MESSAGE, row, uuid ? arena_text(&work->arena, packed) : packed);
	return uuid ? ROW_UUID : 0;
}

static unsigned add_origin(struct work *work, uint32_t row, const struct record *record)
{
	unsigned      flags = 0;
	struct buffer bytes = {0};
	if ((record->flags & RECORD_HAS_ORIGIN) != 0) {
		flags |= ROW_ORIGIN;
		buffer_add_u32(&bytes, record->origin.partition);
		buffer_add_u64(&bytes, record->origin.position);
		buffer_add_u32(&bytes, record->origin.ordinal);
	}
	if ((record->flags & RECORD_HAS_SOURCE) != 0) {
		flags |= ROW_SOURCE;
		buffer_add_sized(&bytes, record->source);
	}
	if (flags != 0)
		add_text(work, ROLE_ORIGIN, row, arena_text(&work->arena, buffer_text(&bytes)));
	buffer_done(&bytes);
	return flags;
}

static void add_int(struct work *work, enum column_role role, uint32_t row, int64_t number)
{
	column_builder_add_int(&work->roles[role], row, number);
}

/* Of what a merge brought. */
static unsigned add_acceptance(struct work *work, uint32_t index, uint32_t slot)
{
	const struct part_row *row = &work->rows[index];
	if (row->position == row->stored_position)
		return 0;
	struct buffer bytes = {0};
	buffer_add_u32(&bytes, row->partition);
	buffer_add_u32(&bytes, slot);
	buffer_add_u64(&bytes, row->position);
	add_text(work, ROLE_MOVED, index, arena_text(&work->arena, buffer_text(&bytes)));
	buffer_done(&bytes);
	return ROW_MOVED;
}

/* What an event has in columns of its own. */
static unsigned add_event(struct work *work, uint32_t index, const struct record *record)
{
	const struct part_row *row   = &work->rows[index];
	unsigned               flags = ROW_EVENT;
	work->events++;
	column_builder_add_text(&work->roles[ROLE_NAME], index, record->name);
	add_text(work, ROLE_CONTEXT, index, record->context);
	add_text(work, ROLE_SEALED, index, record->sealed);
	flags |= add_properties(work, index, record->properties) | add_origin(work, index, record);
	if ((record->flags & RECORD_IDENTIFIED) != 0)
		flags |= ROW_IDENTIFIED;
	if (record->timestamp_ms != INSTANT_MS_NONE)
		add_int(work, ROLE_TIMESTAMP, index,
		        (int64_t)((uint64_t)row->time_ms - (uint64_t)record->timestamp_ms));
	if (record->skew_ms != INSTANT_MS_NONE)
		add_int(work, ROLE_SKEW, index, record->skew_ms);
	return flags;
}

static void add_row(struct work *work, uint32_t index)
{
	const struct part_row *row    = &work->rows[index];
	struct record          record = decode(row);
	unsigned               flags  = row->marked ? ROW_MARKED : 0;
	if (record.kind == RECORD_EVENT)
		flags |= add_event(work, index, &record);
	else
		add_text(work, ROLE_RESIDUAL, index, (struct text){row->encoded, row->size});
	flags |= add_message(work, index, record.message_id) | add_acceptance(work, index, record.slot);

	add_int(work, ROLE_TIME, index, row->time_ms);
	add_int(work, ROLE_RECEIVED, index,
	        (int64_t)((uint64_t)row->received_ms - (uint64_t)row->time_ms));
	add_int(work, ROLE_POSITION, index, (int64_t)row->stored_position);
	add_int(work, ROLE_FLAGS, index, (int64_t)flags);
	add_int(work, ROLE_CALL, index, (int64_t)record.call);
	add_int(work, ROLE_SOURCE, index, (int64_t)record.source_number);
}

/* ---- Writing ---- */

static void write_column(struct work *work, const struct column_builder *builder, struct text name,
                         struct buffer *body)
{
	struct part_column column;
	if (builder->count == 0)
		return;
	column_builder_write(builder, body, &column);
	column.name_offset = (uint32_t)work->names.length;
	column.name_bytes  = (uint32_t)name.length;
	buffer_add_text(&work->names, name);
	VECTOR_ADD(&work->columns, column);
}

static void write_properties(struct work *work, struct buffer *body)
{
	struct text *names = calloc(work->schema.column_count + 1, sizeof *names);
	if (names == NULL)
		abort();
	for (size_t i = 0; i < work->schema.properties.count; i++)
		if (work->schema.properties.items[i].column > 0)
			names[work->schema.properties.items[i].column - 1] =
				work->schema.properties.items[i].name;
	/* First of all: shapes know them by their number. */
	for (uint32_t i = 0; i < work->schema.column_count; i++)
		write_column(work, &work->properties[i], names[i], body);
	assert(work->columns.count == work->schema.column_count);
	free(names);
}

static uint32_t bucket_shift(uint32_t span, uint32_t persons)
{
	uint32_t shift = 0;
	while (shift < 31 && (span >> shift) > persons / PERSONS_A_BUCKET + 1)
		shift++;
	return shift;
}

/* The index by person; fills what the header says of it. */
static void write_persons(struct work *work, struct part_header *header, struct buffer *body)
{
	struct column_builder slots, firsts, buckets;
	column_builder_init(&slots, ROLE_PERSON_SLOT, CONTENT_INTS, work->count);
	column_builder_init(&firsts, ROLE_PERSON_ROW, CONTENT_INTS, work->count + 1);
	for (uint32_t i = 0; i < work->count; i++) {
		if (i > 0 && work->rows[i].slot == work->rows[i - 1].slot)
			continue;
		column_builder_add_int(&slots, 0, work->rows[i].slot);
		column_builder_add_int(&firsts, 0, i);
	}
	column_builder_add_int(&firsts, 0, work->count);

	header->persons       = slots.count;
	header->slot_min      = work->rows[0].slot;
	header->slot_max      = work->rows[work->count - 1].slot;
	header->bucket_shift  = bucket_shift(header->slot_max - header->slot_min, slots.count);
	uint32_t bucket_count = ((header->slot_max - header->slot_min) >> header->bucket_shift) + 2;
	column_builder_init(&buckets, ROLE_PERSON_BUCKET, CONTENT_INTS, bucket_count);
	for (uint32_t bucket = 0, person = 0; bucket < bucket_count; bucket++) {
		while (person < slots.count && ((uint32_t)slots.ints.items[person] - header->slot_min) >>
		                                   header->bucket_shift < bucket)
			person++;
		column_builder_add_int(&buckets, 0, person);
	}
	write_column(work, &slots, (struct text){0}, body);
	write_column(work, &firsts, (struct text){0}, body);
	write_column(work, &buckets, (struct text){0}, body);
	column_builder_done(&slots);
	column_builder_done(&firsts);
	column_builder_done(&buckets);
}

static void write_filter(struct work *work, struct buffer *body)
{
	struct buffer      filter = {0};
	struct part_column column;
	fuse_filter_write(work->message_keys.items, work->message_keys.count, &filter);
	column_write_bytes(ROLE_FILTER, buffer_text(&filter), body, &column);
	VECTOR_ADD(&work->columns, column);
	buffer_done(&filter);
}

/* The last region: it guards those before it. */
static void write_guard(struct work *work, struct buffer *body)
{
	struct buffer      checksums = {0};
	struct part_column column;
	part_guard_write(buffer_text(body), &checksums);
	column_write_bytes(ROLE_GUARD, buffer_text(&checksums), body, &column);
	VECTOR_ADD(&work->columns, column);
	buffer_done(&checksums);
}

static void write_head(struct work *work, struct part_header *header, struct buffer *head,
                       const struct buffer *body)
{
	size_t columns = work->columns.count * sizeof(struct part_column);
	size_t names   = (work->names.length + PART_ALIGNMENT - 1) & ~(size_t)(PART_ALIGNMENT - 1);
	header->column_count = (uint32_t)work->columns.count;
	header->header_bytes = sizeof *header + columns + names;
	header->file_bytes   = header->header_bytes + body->length;
	for (size_t i = 0; i < work->columns.count; i++)
		work->columns.items[i].offset += header->header_bytes;

	buffer_clear(head);
	buffer_add(head, header, sizeof *header);
	buffer_add(head, work->columns.items, columns);
	buffer_add_text(head, buffer_text(&work->names));
	while (head->length < header->header_bytes)
		buffer_add_u8(head, 0);
	uint64_t checksum = hash_bytes(head->data, head->length);
	memcpy(head->data + offsetof(struct part_header, checksum), &checksum, sizeof checksum);
}

static struct part_header new_header(const struct work *work)
{
	struct part_header header = {
		.version      = PART_VERSION,
		.number       = work->identity->number,
		.partition    = work->identity->partition,
		.month        = work->identity->month,
		.rows         = work->count,
		.time_min_ms  = INT64_MAX,
		.time_max_ms  = INT64_MIN,
		.position_min = UINT64_MAX,
		.schema       = events_settings_schema(work->settings),
		.message_key  = work->identity->message_key,
		.run          = work->identity->run,
	};
	memcpy(header.magic, PART_MAGIC, sizeof header.magic);
	for (uint32_t i = 0; i < work->count; i++) {
		const struct part_row *row = &work->rows[i];
		if (row->time_ms < header.time_min_ms)
			header.time_min_ms = row->time_ms;
		if (row->time_ms > header.time_max_ms)
			header.time_max_ms = row->time_ms;
		if (row->stored_position < header.position_min)
			header.position_min = row->stored_position;
		if (row->stored_position > header.position_max)
			header.position_max = row->stored_position;
	}
	return header;
}

static void work_done(struct work *work)
{
	for (enum column_role role = ROLE_TIME; role < ROLE_COUNT; role++)
		column_builder_done(&work->roles[role]);
	for (uint32_t i = 0; i < work->schema.column_count; i++)
		column_builder_done(&work->properties[i]);
	free(work->properties);
	free(work->last_rows);
	part_schema_done(&work->schema);
	arena_done(&work->arena);
	map_u64_done(&work->shapes);
	VECTOR_DONE(&work->shape_texts);
	buffer_done(&work->shape);
	buffer_done(&work->residual);
	VECTOR_DONE(&work->message_keys);
	VECTOR_DONE(&work->columns);
	buffer_done(&work->names);
}

void part_build(const struct part_row *rows, uint32_t count, const struct part_identity *identity,
                const struct events_settings *settings, struct buffer *head, struct buffer *body)
{
	assert(count > 0);
	struct work work = {.rows = rows, .count = count, .identity = identity, .settings = settings};
	count_properties(&work);
	begin_columns(&work);
	for (uint32_t i = 0; i < count; i++)
		add_row(&work, i);

	struct part_header header = new_header(&work);
	buffer_clear(body);
	write_properties(&work, body);
	write_persons(&work, &header, body);
	for (enum column_role role = ROLE_TIME; role < ROLE_COUNT; role++)
		write_column(&work, &work.roles[role], (struct text){0}, body);
	write_filter(&work, body);
	write_guard(&work, body);
	header.events = work.events;
	write_head(&work, &header, head, body);
	work_done(&work);
}

/* ---- The file ---- */

static enum status write_pieces(int fd, const char *path, const struct buffer *body,
                                struct error *err)
{
	for (size_t at = 0; at < body->length; at += WRITE_BYTES) {
		size_t      left   = body->length - at;
		size_t      size   = left < WRITE_BYTES ? left : WRITE_BYTES;
		enum status status = file_write_all(fd, body->data + at, size, path, err);
		if (status != STATUS_OK)
			return status;
		if (fdatasync(fd) != 0)
			return file_error(err, errno, "sync", path);
	}
	return STATUS_OK;
}

static enum status write_file(const char *path, const struct buffer *head,
                              const struct buffer *body, struct error *err)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
		return file_error(err, ENAMETOOLONG, "create", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "create", temporary);
	enum status status = file_write_all(fd, head->data, head->length, temporary, err);
	if (status == STATUS_OK)
		status = write_pieces(fd, temporary, body, err);
	if (status == STATUS_OK && fsync(fd) != 0)
		status = file_error(err, errno, "sync", temporary);
	if (close(fd) != 0 && status == STATUS_OK)
		status = file_error(err, errno, "close", temporary);
	if (status == STATUS_OK && rename(temporary, path) != 0)
		status = file_error(err, errno, "rename", temporary);
	if (status != STATUS_OK)
		unlink(temporary);
	return status;
}

enum status part_write(const char *path, const struct part_row *rows, uint32_t count,
                       const struct part_identity *identity, const struct events_settings *settings,
                       struct error *err)
{
	struct buffer head = {0}, body = {0};
	part_build(rows, count, identity, settings, &head, &body);
	enum status status = write_file(path, &head, &body, err);
	buffer_done(&head);
	buffer_done(&body);
	return status;
}
