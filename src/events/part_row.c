#include "events/part_row.h"

#include <string.h>

#include "base/instant.h"

struct text part_row_value(struct byte_reader *reader, enum value_type type)
{
	const char *begin = (const char *)reader->at;
	switch (type) {
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
		return read_bytes(reader, sizeof(uint64_t));
	case VALUE_STRING:
	case VALUE_STRING_SET:
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		read_sized(reader);
		return (struct text){begin, (size_t)((const char *)reader->at - begin)};
	default:
		return (struct text){begin, 0};
	}
}

/* The text of a row in a column that not every row has: empty where it has none. */
static bool text_of_row(const struct column *column, uint32_t row, struct text *ret_text)
{
	uint32_t index;
	*ret_text = (struct text){0};
	return column == NULL || !column_index(column, row, &index) ||
	       column_text(column, index, ret_text);
}

/* The value of a property in its column, behind what `out` has of the entry already. */
static bool add_from_column(const struct column *column, uint32_t row, struct buffer *out,
                            size_t type_at)
{
	uint32_t index;
	if (column->role != ROLE_PROPERTY || !column_index(column, row, &index))
		return false;
	struct text text;
	switch (column->encoding) {
	case ENCODING_INTS:
		buffer_add_i64(out, column_int(column, index));
		return column->type == VALUE_INT;
	case ENCODING_DECIMALS:
	case ENCODING_DOUBLES:
		buffer_add_f64(out, column_double(column, index));
		return column->type == VALUE_DOUBLE;
	case ENCODING_BITS:
		out->data[type_at] = column_bool(column, index) ? VALUE_TRUE : VALUE_FALSE;
		return column->type == VALUE_TRUE;
	default:
		if (!column_text(column, index, &text))
			return false;
		buffer_add_sized(out, text);
		return column->type == VALUE_STRING || column->type == VALUE_STRING_SET;
	}
}

/* Puts together one entry of the list. */
static bool add_entry(const struct part *part, uint32_t row, struct byte_reader *shape,
                      struct byte_reader *residual, struct buffer *out)
{
	uint64_t    number = read_varint(shape);
	const char *begin  = (const char *)shape->at;
	read_u32(shape);
	size_t  type_at = out->length + sizeof(uint32_t);
	uint8_t type    = read_u8(shape);
	read_sized(shape);
	if (shape->failed || number > part->header->column_count || type >= VALUE_TYPE_COUNT)
		return false;
	buffer_add(out, begin, (size_t)((const char *)shape->at - begin));
	if (number > 0) {
		const struct column *column = &part->columns[number - 1];
		return column->type == type && add_from_column(column, row, out, type_at);
	}
	buffer_add_text(out, part_row_value(residual, type));
	return !residual->failed;
}

static bool read_properties(const struct part *part, uint32_t row, unsigned flags, event_list *list,
                            struct text *ret_properties)
{
	struct text shape, residual;
	*ret_properties = (struct text){0};
	if (!text_of_row(part->roles[ROLE_SHAPE], row, &shape) ||
	    !text_of_row(part->roles[ROLE_RESIDUAL], row, &residual))
		return false;
	if ((flags & ROW_RAW) != 0) {
		*ret_properties = residual;
		return true;
	}
	if (shape.length == 0)
		return true;

	struct buffer     *out    = &list->scratch;
	struct byte_reader shapes = byte_reader_of(shape.data, shape.length);
	struct byte_reader values = byte_reader_of(residual.data, residual.length);
	uint64_t           count  = read_varint(&shapes);
	buffer_clear(out);
	buffer_add_varint(out, count);
	for (uint64_t i = 0; i < count && out->length <= RECORD_BYTES_MAX; i++)
		if (!add_entry(part, row, &shapes, &values, out))
			return false;
	if (shapes.failed || out->length > RECORD_BYTES_MAX)
		return false;
	char *copy = arena_alloc(&list->arena, out->length);
	memcpy(copy, out->data, out->length);
	*ret_properties = (struct text){copy, out->length};
	return true;
}

static bool read_origin(const struct part *part, uint32_t row, unsigned flags,
                        struct record *record)
{
	struct text text;
	if ((flags & (ROW_ORIGIN | ROW_SOURCE)) == 0)
		return true;
	if (!text_of_row(part->roles[ROLE_ORIGIN], row, &text))
		return false;
	struct byte_reader reader = byte_reader_of(text.data, text.length);
	if ((flags & ROW_ORIGIN) != 0) {
		record->flags |= RECORD_HAS_ORIGIN;
		record->origin.partition = read_u32(&reader);
		record->origin.position  = read_u64(&reader);
		record->origin.ordinal   = read_u32(&reader);
	}
	if ((flags & ROW_SOURCE) != 0) {
		record->flags |= RECORD_HAS_SOURCE;
		record->source = read_sized(&reader);
	}
	return !reader.failed;
}

static bool read_message(const struct part *part, uint32_t row, unsigned flags, event_list *list,
                         struct text *ret_message)
{
	struct text text;
	if (!text_of_row(part->roles[ROLE_MESSAGE], row, &text))
		return false;
	*ret_message = text;
	if ((flags & ROW_UUID) == 0)
		return true;
	if (text.length != PART_UUID_BYTES)
		return false;
	static const char digits[] = "0123456789abcdef";
	char             *uuid     = arena_alloc(&list->arena, 36);
	unsigned          at       = 0;
	for (unsigned i = 0; i < PART_UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			uuid[at++] = '-';
		uuid[at++] = digits[(uint8_t)text.data[i] >> 4];
		uuid[at++] = digits[(uint8_t)text.data[i] & 15];
	}
	*ret_message = (struct text){uuid, at};
	return true;
}

/* A number that not every row has. */
static bool optional(const struct column *column, uint32_t row, int64_t *ret_number)
{
	uint32_t index;
	if (column == NULL || !column_index(column, row, &index))
		return false;
	*ret_number = column_int(column, index);
	return true;
}

static bool read_acceptance(const struct part *part, uint32_t row, unsigned flags,
                            struct event *event)
{
	struct text text;
	event->partition = part->header->partition;
	event->position  = event->stored_position;
	if ((flags & ROW_MOVED) == 0)
		return true;
	if (!text_of_row(part->roles[ROLE_MOVED], row, &text))
		return false;
	struct byte_reader reader = byte_reader_of(text.data, text.length);
	event->partition          = read_u32(&reader);
	event->record.slot        = read_u32(&reader);
	event->position           = read_u64(&reader);
	return !reader.failed;
}

/* The row without its record. */
static struct event event_of_row(const struct part *part, uint32_t row, unsigned flags)
{
	return (struct event){
		.time_ms         = part_time_ms(part, row),
		.received_ms     = part_received_ms(part, row),
		.stored_position = part_position(part, row),
		.marked          = (flags & ROW_MARKED) != 0,
	};
}

bool part_row_order(const struct part *part, uint32_t row, struct event *ret_event)
{
	unsigned flags = (unsigned)column_int(part->roles[ROLE_FLAGS], row);
	*ret_event     = event_of_row(part, row, flags);
	return read_acceptance(part, row, flags, ret_event);
}

static bool read_record(struct part *part, uint32_t row, unsigned flags, event_list *list,
                        struct event *event)
{
	struct record *record = &event->record;
	int64_t        call   = column_int(part->roles[ROLE_CALL], row);
	int64_t        delta;
	if (call < CALL_TRACK || call > CALL_SCREEN)
		return false;
	record->kind          = RECORD_EVENT;
	record->flags         = (flags & ROW_IDENTIFIED) != 0 ? RECORD_IDENTIFIED : 0;
	record->call          = (enum record_call)call;
	record->source_number = (uint32_t)column_int(part->roles[ROLE_SOURCE], row);
	if (optional(part->roles[ROLE_TIMESTAMP], row, &delta))
		record->timestamp_ms = (int64_t)((uint64_t)event->time_ms - (uint64_t)delta);
	optional(part->roles[ROLE_SKEW], row, &record->skew_ms);
	return text_of_row(part->roles[ROLE_NAME], row, &record->name) &&
	       text_of_row(part->roles[ROLE_CONTEXT], row, &record->context) &&
	       text_of_row(part->roles[ROLE_SEALED], row, &record->sealed) &&
	       read_message(part, row, flags, list, &record->message_id) &&
	       read_origin(part, row, flags, record) &&
	       read_properties(part, row, flags, list, &record->properties);
}

/* What is no event lies whole in the residual column. */
static bool read_call(struct part *part, uint32_t row, struct record *record)
{
	struct text encoded;
	size_t      size;
	return text_of_row(part->roles[ROLE_RESIDUAL], row, &encoded) &&
	       record_decode(encoded, record, &size, NULL) == STATUS_OK && size == encoded.length &&
	       record->kind != RECORD_EVENT;
}

bool part_row_read(struct part *part, uint32_t slot, uint32_t row, event_list *list,
                   struct event *ret_event)
{
	unsigned flags = (unsigned)column_int(part->roles[ROLE_FLAGS], row);
	*ret_event     = event_of_row(part, row, flags);
	ret_event->record =
		(struct record){.slot = slot, .timestamp_ms = INSTANT_MS_NONE, .skew_ms = INSTANT_MS_NONE};
	if ((flags & ROW_EVENT) == 0)
		return read_call(part, row, &ret_event->record) &&
		       read_acceptance(part, row, flags, ret_event);
	return read_acceptance(part, row, flags, ret_event) &&
	       read_record(part, row, flags, list, ret_event);
}
