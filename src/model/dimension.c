#include "model/dimension.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static const struct dimension_table tables[DIMENSION_COUNT] = {
	[DIMENSION_PRODUCTS] =
		{
			.name        = "products",
			.key         = "product_id",
			.field_count = 5,
			.fields      = {{"name", DIMENSION_STRING},
                            {"category", DIMENSION_STRING},
                            {"region", DIMENSION_STRING},
                            {"themes", DIMENSION_STRINGS},
                            {"price_range", DIMENSION_AMOUNT}},
		},
	[DIMENSION_PROPERTIES] =
		{
			.name        = "properties",
			.key         = "property_id",
			.field_count = 5,
			.fields      = {{"name", DIMENSION_STRING},
                            {"property_type", DIMENSION_STRING},
                            {"region", DIMENSION_STRING},
                            {"pet_friendly", DIMENSION_BOOLEAN},
                            {"kids_friendly", DIMENSION_BOOLEAN}},
		},
};

const struct dimension_table *dimension_table(enum dimension dimension)
{
	assert((unsigned)dimension < DIMENSION_COUNT);
	return &tables[dimension];
}

const struct dimension_table *dimension_by_name(struct text name, enum dimension *ret_dimension)
{
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		if (text_equal(name, text_of(tables[i].name))) {
			*ret_dimension = (enum dimension)i;
			return &tables[i];
		}
	return NULL;
}

/* ---- Ids ---- */

enum status dimension_id(struct json value, const char *field, struct buffer *scratch,
                         struct text *ret_id, struct error *err)
{
	struct json_writer writer = json_writer_of(scratch);
	buffer_clear(scratch);
	switch (json_type(value)) {
	case JSON_STRING:
		*ret_id = json_string(value);
		break;
	case JSON_INT:
	case JSON_UINT:
	case JSON_DOUBLE:
		json_add_value(&writer, value);
		*ret_id = buffer_text(scratch);
		break;
	case JSON_NONE:
		return error_set_field(err, STATUS_INVALID, field, "It is missing");
	default:
		return error_set_field(err, STATUS_INVALID, field, "It must be a string or a number");
	}
	if (ret_id->length == 0 || ret_id->length > DIMENSION_ID_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, field, "It must be 1 to %d bytes long",
		                       DIMENSION_ID_BYTES_MAX);
	return STATUS_OK;
}

/* ---- Rows ---- */

struct row_place {
	const char *row;
	const char *field;
	int         item; /* −1: none */
};

static enum status refuse(const struct row_place *place, struct error *err, const char *reason)
{
	char path[ERROR_FIELD_BYTES_MAX];
	int length = snprintf(path, sizeof path, "%s%s%s", place->row, place->row[0] == '\0' ? "" : ".",
	                      place->field);
	if (place->item >= 0 && length > 0 && (size_t)length < sizeof path)
		snprintf(path + length, sizeof path - (size_t)length, "[%d]", place->item);
	return error_set_field(err, STATUS_INVALID, path, "%s", reason);
}

static enum status check_string(struct json value, const struct row_place *place, struct error *err)
{
	char reason[64];
	if (json_type(value) != JSON_STRING)
		return refuse(place, err, "It must be a string");
	if (json_string(value).length <= DIMENSION_TEXT_BYTES_MAX)
		return STATUS_OK;
	snprintf(reason, sizeof reason, "It must be at most %d bytes long", DIMENSION_TEXT_BYTES_MAX);
	return refuse(place, err, reason);
}

static enum status check_strings(struct json value, const struct row_place *place,
                                 struct error *err)
{
	struct row_place item = *place;
	char             reason[64];
	if (json_type(value) != JSON_ARRAY)
		return refuse(place, err, "It must be an array of strings");
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		if (++item.item == DIMENSION_ITEMS_MAX) {
			snprintf(reason, sizeof reason, "It must have at most %d items", DIMENSION_ITEMS_MAX);
			return refuse(place, err, reason);
		}
		enum status status = check_string(i.value, &item, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status check_value(enum dimension_type type, struct json value,
                               const struct row_place *place, struct error *err)
{
	switch (type) {
	case DIMENSION_STRING:
		return check_string(value, place, err);
	case DIMENSION_STRINGS:
		return check_strings(value, place, err);
	case DIMENSION_BOOLEAN:
		if (json_type(value) == JSON_BOOL)
			return STATUS_OK;
		return refuse(place, err, "It must be true or false");
	case DIMENSION_AMOUNT:
		if (json_is_number(value))
			return STATUS_OK;
		if (json_type(value) == JSON_STRING)
			return check_string(value, place, err);
		return refuse(place, err, "It must be a number or a string");
	}
	return STATUS_INTERNAL;
}

static bool is_known(const struct dimension_table *table, struct text name)
{
	bool known = text_equal(name, text_of(table->key));
	for (size_t i = 0; i < table->field_count && !known; i++)
		known = text_equal(name, text_of(table->fields[i].name));
	return known;
}

static enum status check_names(const struct dimension_table *table, struct json object,
                               const char *row, struct error *err)
{
	char name[ERROR_FIELD_BYTES_MAX / 2], reason[128];
	for (struct json_iterator i = json_iterate(object); json_next(&i);) {
		if (is_known(table, i.name))
			continue;
		snprintf(name, sizeof name, "%.*s", TEXT_FORMAT(i.name));
		snprintf(reason, sizeof reason, "%s have no such field", table->name);
		return refuse(&(struct row_place){row, name, -1}, err, reason);
	}
	return STATUS_OK;
}

enum status dimension_row(enum dimension dimension, struct json object, const char *place,
                          struct buffer *out, struct error *err)
{
	const struct dimension_table *table  = dimension_table(dimension);
	size_t                        before = out->length;
	unsigned                      count  = 0;
	if (json_type(object) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, place, "It must be an object");
	enum status status = check_names(table, object, place, err);
	if (status != STATUS_OK)
		return status;
	size_t begin = value_list_begin(out);
	for (size_t i = 0; i < table->field_count && status == STATUS_OK; i++) {
		const struct dimension_field *field = &table->fields[i];
		struct json                   value = json_get(object, field->name);
		if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
			continue;
		status = check_value(field->type, value, &(struct row_place){place, field->name, -1}, err);
		if (status == STATUS_OK)
			status = value_add_json(out, text_of(field->name), value, err);
		count++;
	}
	value_list_end(out, begin, count);
	if (status == STATUS_OK && out->length - before > DIMENSION_ROW_BYTES_MAX)
		status = error_set_field(err, STATUS_INVALID, place, "A row must be at most %d bytes long",
		                         DIMENSION_ROW_BYTES_MAX);
	if (status != STATUS_OK)
		out->length = before;
	return status;
}

void dimension_write(enum dimension dimension, struct text list, struct json_writer *writer)
{
	const struct dimension_table *table = dimension_table(dimension);
	for (size_t i = 0; i < table->field_count; i++) {
		struct text  name  = text_of(table->fields[i].name);
		struct value value = value_find(list, name, hash_name(name));
		json_add_key(writer, name);
		if (value.type == VALUE_NONE)
			json_add_null(writer);
		else
			value_write_json(writer, &value);
	}
}

/* ---- Records ---- */

enum { ROW_DELETED = 0, ROW_PUT = 1 };

void dimension_add(struct buffer *rows, struct text id, struct text list)
{
	assert(id.length > 0 && id.length <= DIMENSION_ID_BYTES_MAX);
	buffer_add_sized(rows, id);
	buffer_add_u8(rows, list.data == NULL ? ROW_DELETED : ROW_PUT);
	if (list.data != NULL)
		buffer_add_sized(rows, list);
}

void dimension_record_encode(uint64_t number, enum dimension dimension, uint64_t count,
                             struct text rows, struct buffer *out)
{
	buffer_add_u64(out, number);
	buffer_add_u8(out, (uint8_t)dimension);
	buffer_add_varint(out, count);
	buffer_add_text(out, rows);
}

static bool read_row(struct byte_reader *reader, struct text *ret_id, struct text *ret_list)
{
	*ret_id      = read_sized(reader);
	uint8_t kind = read_u8(reader);
	*ret_list    = kind == ROW_PUT ? read_sized(reader) : (struct text){NULL, 0};
	if (ret_id->length == 0 || ret_id->length > DIMENSION_ID_BYTES_MAX || kind > ROW_PUT)
		reader->failed = true;
	return !reader->failed;
}

enum status dimension_record_decode(struct text body, struct dimension_record *ret_record,
                                    struct error *err)
{
	struct byte_reader      reader = byte_reader_of(body.data, body.length);
	struct dimension_record record = {.number = read_u64(&reader)};
	record.dimension               = (enum dimension)read_u8(&reader);
	record.count                   = read_varint(&reader);
	record.rows                    = reader;
	struct text id, list;
	bool        known =
		!reader.failed && record.number > 0 && (unsigned)record.dimension < DIMENSION_COUNT;
	for (uint64_t i = 0; i < record.count && known; i++)
		known = read_row(&reader, &id, &list) && (list.data == NULL || value_check(list));
	if (!known || read_left(&reader) > 0)
		return error_set(err, STATUS_CORRUPT, "rows of a dimension that make no sense");
	*ret_record = record;
	return STATUS_OK;
}

bool dimension_next(struct dimension_record *record, struct text *ret_id, struct text *ret_list)
{
	if (record->count == 0)
		return false;
	record->count--;
	return read_row(&record->rows, ret_id, ret_list);
}
