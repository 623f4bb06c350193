#include "model/value.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"

/* Reading. */

static inline bool has_content(enum value_type type)
{
	return type == VALUE_STRING || type == VALUE_STRING_SET || type == VALUE_ARRAY ||
	       type == VALUE_OBJECT || type == VALUE_INDEXED;
}

static inline struct value read_value(struct byte_reader *bytes, uint8_t type)
{
	struct value value = {.type = VALUE_NONE};
	if (type == VALUE_NONE || type >= VALUE_TYPE_COUNT) {
		bytes->failed = true;
		bytes->at     = bytes->end;
		return value;
	}
	value.type = type;
	if (has_content(type))
		value.text = read_sized(bytes);
	else if (type == VALUE_INT || type == VALUE_UINT || type == VALUE_DOUBLE)
		value.unsigned_integer = read_u64(bytes);
	return value;
}

bool value_number(const struct value *value, double *ret_number)
{
	switch (value->type) {
	case VALUE_INT:
		*ret_number = (double)value->integer;
		return true;
	case VALUE_UINT:
		*ret_number = (double)value->unsigned_integer;
		return true;
	case VALUE_DOUBLE:
		*ret_number = value->number;
		return true;
	default:
		return false;
	}
}

struct value value_tested(const struct value *value)
{
	if (value->type != VALUE_INDEXED)
		return *value;
	struct byte_reader bytes = byte_reader_of(value->text.data, value->text.length);
	uint8_t            type  = read_u8(&bytes);
	struct value       inner = read_value(&bytes, type);
	return bytes.failed ? (struct value){.type = VALUE_PERSONAL} : inner;
}

struct value_reader value_read(struct text list)
{
	struct value_reader reader = {.bytes = byte_reader_of(list.data, list.length)};
	reader.left                = read_varint(&reader.bytes);
	return reader;
}

bool value_next(struct value_reader *reader)
{
	if (reader->left == 0)
		return false;
	reader->left--;

	reader->hash  = read_u32(&reader->bytes);
	uint8_t type  = read_u8(&reader->bytes);
	reader->name  = read_sized(&reader->bytes);
	reader->value = read_value(&reader->bytes, type);
	if (reader->bytes.failed)
		reader->left = 0;
	return !reader->bytes.failed;
}

/* An entry as far as it must be known to pass over it. */
struct entry {
	uint32_t       hash;
	uint8_t        type;
	struct text    name;
	const uint8_t *value;
};

/* How many bytes the value of a type has; SIZED: it begins with their number. */
enum { SIZED = UINT8_MAX };
static const uint8_t value_bytes[UINT8_MAX + 1] = {
	[VALUE_INT] = 8,        [VALUE_UINT] = 8,           [VALUE_DOUBLE] = 8,
	[VALUE_STRING] = SIZED, [VALUE_STRING_SET] = SIZED, [VALUE_ARRAY] = SIZED,
	[VALUE_OBJECT] = SIZED, [VALUE_INDEXED] = SIZED,
};

/* A varint at `at`, in whose place it returns what follows; NULL: it is cut off. Almost all are one
 * byte. */
static inline const uint8_t *pass_varint(const uint8_t *at, const uint8_t *end,
                                         uint64_t *ret_number)
{
	if (__builtin_expect(at < end && *at < 0x80, 1)) {
		*ret_number = *at;
		return at + 1;
	}
	struct byte_reader bytes = {at, end, false};
	*ret_number              = read_varint(&bytes);
	return bytes.failed ? NULL : bytes.at;
}

/* Passes over an entry without looking at its value, and returns the place behind it; NULL: it is
 * cut off. By hand rather than with value_next(): every event is looked through for what the
 * filters ask for. */
static inline const uint8_t *next_entry(const uint8_t *at, const uint8_t *end, struct entry *entry)
{
	uint64_t size;
	if (end - at < (ptrdiff_t)sizeof entry->hash + 2)
		return NULL;
	memcpy(&entry->hash, at, sizeof entry->hash);
	entry->type = at[sizeof entry->hash];
	at          = pass_varint(at + sizeof entry->hash + 1, end, &size);
	if (at == NULL || size > (uint64_t)(end - at))
		return NULL;
	entry->name  = (struct text){(const char *)at, size};
	entry->value = at += size;
	size         = value_bytes[entry->type];
	if (size == SIZED) {
		at = pass_varint(at, end, &size);
		if (at == NULL)
			return NULL;
	}
	return size > (uint64_t)(end - at) ? NULL : at + size;
}

static struct value value_of_entry(const struct entry *entry, const uint8_t *end)
{
	struct byte_reader value = {entry->value, end, false};
	return read_value(&value, entry->type);
}

struct value value_find(struct text list, struct text name, uint32_t hash)
{
	struct byte_reader bytes = byte_reader_of(list.data, list.length);
	struct entry       entry, found = {.type = VALUE_NONE};
	uint64_t           left = read_varint(&bytes);
	const uint8_t     *at   = bytes.at;
	for (; left > 0 && (at = next_entry(at, bytes.end, &entry)) != NULL; left--)
		if (entry.hash == hash && text_equal(entry.name, name))
			found = entry;
	return found.type == VALUE_NONE ? (struct value){.type = VALUE_NONE}
	                                : value_of_entry(&found, bytes.end);
}

/* A bit for each name, most of them different: what is not asked for is told by one look. */
static uint64_t bit_of(uint32_t hash) { return UINT64_C(1) << (hash & 63); }

void value_find_each(struct text list, const struct value_path *const *paths, unsigned count,
                     struct value *ret_values)
{
	struct byte_reader bytes = byte_reader_of(list.data, list.length);
	struct entry       entry;
	uint64_t           wanted = 0;
	for (unsigned i = 0; i < count; i++) {
		ret_values[i].type = VALUE_NONE;
		wanted |= bit_of(paths[i]->hash);
	}
	uint64_t       left = read_varint(&bytes);
	const uint8_t *at   = bytes.at;
	for (; left > 0 && (at = next_entry(at, bytes.end, &entry)) != NULL; left--) {
		if ((bit_of(entry.hash) & wanted) == 0)
			continue;
		for (unsigned i = 0; i < count; i++)
			if (entry.hash == paths[i]->hash && text_equal(entry.name, paths[i]->name))
				ret_values[i] = value_of_entry(&entry, bytes.end);
	}
	for (unsigned i = 0; i < count; i++)
		if (ret_values[i].type == VALUE_NONE && paths[i]->part_count > 0)
			ret_values[i] = value_at(list, paths[i]);
}

bool value_key(const struct value *value, struct buffer *into, struct text *ret_key)
{
	struct json_writer writer = json_writer_of(into);
	buffer_clear(into);
	switch (value->type) {
	case VALUE_STRING:
		*ret_key = value->text;
		return value->text.length > 0;
	case VALUE_INT:
		json_add_int(&writer, value->integer);
		break;
	case VALUE_UINT:
		json_add_uint(&writer, value->unsigned_integer);
		break;
	case VALUE_DOUBLE:
		json_add_double(&writer, value->number);
		break;
	default:
		return false;
	}
	*ret_key = buffer_text(into);
	return true;
}

bool value_set_next(struct byte_reader *set, struct text *ret_item)
{
	if (read_left(set) == 0)
		return false;
	*ret_item = read_sized(set);
	return !set->failed;
}

/* Paths. */

void value_path_init(struct value_path *path, struct text name, struct arena *arena)
{
	*path      = (struct value_path){.name = arena_text(arena, name)};
	path->hash = hash_name(name);

	unsigned dots = 0;
	for (size_t i = 0; i < name.length; i++)
		dots += name.data[i] == '.';
	if (dots == 0)
		return;

	path->parts      = ARENA_ARRAY(arena, struct value_path_part, dots + 1);
	path->part_count = dots + 1;
	const char *at   = path->name.data;
	const char *end  = at + name.length;
	for (unsigned i = 0; i <= dots; i++) {
		const char *dot  = i < dots ? memchr(at, '.', (size_t)(end - at)) : end;
		struct text part = {at, (size_t)(dot - at)};
		path->parts[i]   = (struct value_path_part){part, hash_name(part)};
		at               = dot + 1;
	}
}

struct value value_at(struct text list, const struct value_path *path)
{
	struct value value = value_find(list, path->name, path->hash);
	if (value.type != VALUE_NONE || path->part_count == 0)
		return value;

	for (unsigned i = 0; i < path->part_count; i++) {
		value = value_find(list, path->parts[i].name, path->parts[i].hash);
		if (value.type == VALUE_INDEXED && i + 1 < path->part_count)
			value = value_tested(&value);
		if (i + 1 < path->part_count && value.type != VALUE_OBJECT)
			return (struct value){.type = VALUE_NONE};
		list = value.text;
	}
	return value;
}

/* Checking. `depth` is that of the container whose content is looked at; the list itself has 0. */

static bool check_list(struct text list, unsigned depth);
static bool check_array(struct text items, unsigned depth);

static bool check_value(const struct value *value, unsigned depth)
{
	struct byte_reader set;
	struct text        item;
	switch (value->type) {
	case VALUE_DOUBLE:
		return isfinite(value->number);
	case VALUE_STRING_SET:
		set = byte_reader_of(value->text.data, value->text.length);
		while (value_set_next(&set, &item))
			continue;
		return !set.failed && depth < VALUE_DEPTH_MAX;
	case VALUE_ARRAY:
		return depth < VALUE_DEPTH_MAX && check_array(value->text, depth + 1);
	case VALUE_OBJECT:
		return depth < VALUE_DEPTH_MAX && check_list(value->text, depth + 1);
	case VALUE_INDEXED: /* not in anything that was read */
		return false;
	default:
		return true;
	}
}

static bool check_array(struct text items, unsigned depth)
{
	struct byte_reader bytes = byte_reader_of(items.data, items.length);
	while (read_left(&bytes) > 0) {
		uint8_t      type  = read_u8(&bytes);
		struct value value = read_value(&bytes, type);
		if (bytes.failed || !check_value(&value, depth))
			return false;
	}
	return true;
}

static bool check_list(struct text list, unsigned depth)
{
	struct value_reader reader = value_read(list);
	while (value_next(&reader))
		if (reader.hash != hash_name(reader.name) || !check_value(&reader.value, depth))
			return false;
	return !reader.bytes.failed && read_left(&reader.bytes) == 0;
}

bool value_check(struct text list) { return check_list(list, 0); }

/* Writing. */

/* Writes `number` as a varint in the place of the one byte at `at`, moving what follows. */
static void put_varint_at(struct buffer *out, size_t at, uint64_t number)
{
	uint8_t  varint[VARINT_BYTES_MAX];
	unsigned length = 0;
	for (; number >= 0x80; number >>= 7)
		varint[length++] = (uint8_t)(number | 0x80);
	varint[length++] = (uint8_t)number;

	buffer_reserve(out, length - 1);
	if (length > 1)
		memmove(out->data + at + length, out->data + at + 1, out->length - at - 1);
	memcpy(out->data + at, varint, length);
	out->length += length - 1;
}

/* Leaves room for the varint of what follows, which is short almost always. */
static size_t begin_sized(struct buffer *out)
{
	buffer_add_u8(out, 0);
	return out->length - 1;
}

static void end_sized(struct buffer *out, size_t begin)
{
	put_varint_at(out, begin, out->length - begin - 1);
}

size_t value_list_begin(struct buffer *out) { return begin_sized(out); }

void value_list_end(struct buffer *out, size_t begin, unsigned count)
{
	put_varint_at(out, begin, count);
}

static void add_head(struct buffer *out, struct text name, enum value_type type)
{
	buffer_add_u32(out, hash_name(name));
	buffer_add_u8(out, (uint8_t)type);
	buffer_add_sized(out, name);
}

static void add_bare(struct buffer *out, const struct value *value)
{
	if (has_content(value->type))
		buffer_add_sized(out, value->text);
	else if (value->type == VALUE_INT || value->type == VALUE_UINT || value->type == VALUE_DOUBLE)
		buffer_add_u64(out, value->unsigned_integer);
}

struct value value_index(struct buffer *into, const struct value *inner)
{
	buffer_clear(into);
	buffer_add_u8(into, (uint8_t)inner->type);
	add_bare(into, inner);
	return (struct value){.type = VALUE_INDEXED, .text = buffer_text(into)};
}

void value_add(struct buffer *out, struct text name, const struct value *value)
{
	assert(value->type > VALUE_NONE && value->type < VALUE_TYPE_COUNT);
	assert(value->type != VALUE_DOUBLE || isfinite(value->number));

	add_head(out, name, value->type);
	add_bare(out, value);
}

static enum value_type type_of_array(struct json array)
{
	for (struct json_iterator i = json_iterate(array); json_next(&i);)
		if (json_type(i.value) != JSON_STRING)
			return VALUE_ARRAY;
	return VALUE_STRING_SET;
}

static enum value_type type_of_json(struct json json)
{
	switch (json_type(json)) {
	case JSON_BOOL:
		return json_bool(json) ? VALUE_TRUE : VALUE_FALSE;
	case JSON_INT:
		return VALUE_INT;
	case JSON_UINT:
		return VALUE_UINT;
	case JSON_DOUBLE:
		return VALUE_DOUBLE;
	case JSON_STRING:
		return VALUE_STRING;
	case JSON_ARRAY:
		return type_of_array(json);
	case JSON_OBJECT:
		return VALUE_OBJECT;
	case JSON_NULL:
		return VALUE_NULL;
	default: /* JSON_OVERFLOW, JSON_NONE */
		return VALUE_NONE;
	}
}

/* Where in the JSON value we are; for errors only. */
struct place {
	const struct place *outer;
	struct text         name; /* of a member; of an item NULL */
	size_t              index;
};

static void add_place(struct buffer *path, const struct place *place)
{
	if (place->outer != NULL)
		add_place(path, place->outer);
	if (place->name.data == NULL)
		buffer_printf(path, "[%zu]", place->index);
	else
		buffer_printf(path, "%s%.*s", path->length > 0 ? "." : "", TEXT_FORMAT(place->name));
}

static enum status refuse(struct error *err, const struct place *place, const char *reason)
{
	struct buffer path = {0};
	add_place(&path, place);
	buffer_add_u8(&path, '\0');
	enum status status = error_set_field(err, STATUS_INVALID, path.data, "%s", reason);
	buffer_done(&path);
	return status;
}

static enum status add_content(struct buffer *out, enum value_type type, struct json json,
                               const struct place *place, unsigned depth, struct error *err);

static enum status add_members(struct buffer *out, struct json object, const struct place *outer,
                               unsigned depth, struct error *err)
{
	size_t       begin = value_list_begin(out);
	unsigned     count = 0;
	struct place place = {.outer = outer};
	for (struct json_iterator i = json_iterate(object); json_next(&i); count++) {
		enum value_type type = type_of_json(i.value);
		place.name           = i.name;
		add_head(out, i.name, type);
		enum status status = add_content(out, type, i.value, &place, depth, err);
		if (status != STATUS_OK)
			return status;
	}
	value_list_end(out, begin, count);
	return STATUS_OK;
}

static enum status add_items(struct buffer *out, struct json array, const struct place *outer,
                             unsigned depth, struct error *err)
{
	struct place place = {.outer = outer};
	for (struct json_iterator i = json_iterate(array); json_next(&i); place.index++) {
		enum value_type type = type_of_json(i.value);
		buffer_add_u8(out, (uint8_t)type);
		enum status status = add_content(out, type, i.value, &place, depth, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum status add_container(struct buffer *out, enum value_type type, struct json json,
                                 const struct place *place, unsigned depth, struct error *err)
{
	if (depth >= VALUE_DEPTH_MAX)
		return refuse(err, place, "nested too deeply");

	enum status status = STATUS_OK;
	size_t      begin  = begin_sized(out);
	if (type == VALUE_OBJECT)
		status = add_members(out, json, place, depth + 1, err);
	else if (type == VALUE_ARRAY)
		status = add_items(out, json, place, depth + 1, err);
	else
		for (struct json_iterator i = json_iterate(json); json_next(&i);)
			buffer_add_sized(out, json_string(i.value));
	if (status == STATUS_OK)
		end_sized(out, begin);
	return status;
}

/* What stands behind the type, and behind the name where there is one. */
static enum status add_content(struct buffer *out, enum value_type type, struct json json,
                               const struct place *place, unsigned depth, struct error *err)
{
	switch (type) {
	case VALUE_NONE:
		return refuse(err, place, "the number is too large");
	case VALUE_INT:
		buffer_add_i64(out, json_int(json));
		return STATUS_OK;
	case VALUE_UINT:
		buffer_add_u64(out, json_uint(json));
		return STATUS_OK;
	case VALUE_DOUBLE:
		buffer_add_f64(out, json_number(json));
		return STATUS_OK;
	case VALUE_STRING:
		buffer_add_sized(out, json_string(json));
		return STATUS_OK;
	case VALUE_STRING_SET:
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		return add_container(out, type, json, place, depth, err);
	default:
		return STATUS_OK;
	}
}

enum status value_add_json(struct buffer *out, struct text name, struct json value,
                           struct error *err)
{
	assert(json_type(value) != JSON_NONE);

	size_t          begin = out->length;
	enum value_type type  = type_of_json(value);
	struct place    place = {.name = name.data == NULL ? TEXT("") : name};
	add_head(out, name, type);
	enum status status = add_content(out, type, value, &place, 0, err);
	if (status != STATUS_OK)
		out->length = begin;
	return status;
}

/* As JSON. */

struct json_output {
	struct json_writer *writer;
	struct text         personal; /* "" where no path leads to */
	struct buffer       path;     /* of the member that is written, with dots */
};

static void write_value(struct json_output *output, const struct value *value, unsigned depth);

static void write_members(struct json_output *output, struct text list, unsigned depth)
{
	size_t outer = output->path.length;
	json_begin_object(output->writer);
	for (struct value_reader reader = value_read(list); value_next(&reader);) {
		if (outer > 0)
			buffer_add_u8(&output->path, '.');
		buffer_add_text(&output->path, reader.name);
		json_add_key(output->writer, reader.name);
		write_value(output, &reader.value, depth);
		output->path.length = outer;
	}
	json_end_object(output->writer);
}

/* No path leads into an array. */
static void write_items(struct json_output *output, struct text items, unsigned depth)
{
	struct json_output inner = {.writer = output->writer};
	struct byte_reader bytes = byte_reader_of(items.data, items.length);
	json_begin_array(output->writer);
	while (read_left(&bytes) > 0) {
		uint8_t      type  = read_u8(&bytes);
		struct value value = read_value(&bytes, type);
		if (bytes.failed)
			break;
		write_value(&inner, &value, depth);
	}
	json_end_array(output->writer);
	buffer_done(&inner.path);
}

static void write_strings(struct json_writer *writer, struct text set)
{
	struct byte_reader bytes = byte_reader_of(set.data, set.length);
	struct text        item;
	json_begin_array(writer);
	while (value_set_next(&bytes, &item))
		json_add_string(writer, item);
	json_end_array(writer);
}

static void write_personal(struct json_output *output)
{
	struct text  path  = buffer_text(&output->path);
	struct value value = value_find(output->personal, path, hash_name(path));
	if (value.type == VALUE_NONE || value_is_personal(&value))
		json_add_null(output->writer);
	else
		value_write_json(output->writer, &value);
}

static void write_value(struct json_output *output, const struct value *value, unsigned depth)
{
	struct json_writer *writer = output->writer;
	switch (value->type) {
	case VALUE_FALSE:
	case VALUE_TRUE:
		json_add_bool(writer, value->type == VALUE_TRUE);
		return;
	case VALUE_INT:
		json_add_int(writer, value->integer);
		return;
	case VALUE_UINT:
		json_add_uint(writer, value->unsigned_integer);
		return;
	case VALUE_STRING:
		json_add_string(writer, value->text);
		return;
	case VALUE_PERSONAL:
	case VALUE_INDEXED:
		write_personal(output);
		return;
	default:
		break;
	}

	/* Neither deeper nor infinite values are ever written; bytes that are wrong become null. */
	bool container = value->type == VALUE_STRING_SET || value->type == VALUE_ARRAY ||
	                 value->type == VALUE_OBJECT;
	if (value->type == VALUE_DOUBLE && isfinite(value->number))
		json_add_double(writer, value->number);
	else if (!container || depth >= VALUE_DEPTH_MAX)
		json_add_null(writer);
	else if (value->type == VALUE_OBJECT)
		write_members(output, value->text, depth + 1);
	else if (value->type == VALUE_ARRAY)
		write_items(output, value->text, depth + 1);
	else
		write_strings(writer, value->text);
}

void value_write_json(struct json_writer *writer, const struct value *value)
{
	struct json_output output = {.writer = writer};
	write_value(&output, value, 0);
	buffer_done(&output.path);
}

void value_list_write_json(struct json_writer *writer, struct text list, struct text personal)
{
	struct json_output output = {.writer = writer, .personal = personal};
	write_members(&output, list, 0);
	buffer_done(&output.path);
}
