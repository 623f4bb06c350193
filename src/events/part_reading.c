#include "events/part_reading.h"

#include <stdlib.h>

#include "base/hash.h"
#include "events/part_row.h"
#include "events/part_words.h"

/* One entry of a shape. */
struct shape_entry {
	uint64_t    column; /* number + 1; 0: in the residual column */
	uint32_t    hash;
	uint8_t     type;
	struct text name;
};

static bool next_shape_entry(struct byte_reader *shape, struct shape_entry *ret_entry)
{
	ret_entry->column = read_varint(shape);
	ret_entry->hash   = read_u32(shape);
	ret_entry->type   = read_u8(shape);
	ret_entry->name   = read_sized(shape);
	return !shape->failed && ret_entry->type < VALUE_TYPE_COUNT;
}

static void fail(const struct part_reading *reading)
{
	part_guard_fail(&reading->part->guard, reading->part->guard.begin);
}

/* ---- Where it lies ---- */

static bool is_number(uint8_t type) { return type == VALUE_INT || type == VALUE_DOUBLE; }

static void add_columns(struct part_reading *reading, struct text name, bool numbers_only)
{
	const struct part *part = reading->part;
	for (uint32_t i = 0; i + 1 < part->header->column_count; i++) {
		const struct column *column = &part->columns[i];
		if (column->role != ROLE_PROPERTY || !text_equal(column->name, name) ||
		    (numbers_only && !is_number(column->type)) ||
		    reading->column_count == READING_COLUMNS_MAX)
			continue;
		reading->columns[reading->column_count++] = column;
	}
}

/* Names that the property may be found by. */
static unsigned names_of(const struct amount_path *path, uint32_t hashes[AMOUNT_NAME_COUNT])
{
	if (!path->built_in) {
		hashes[0] = path->path.hash;
		return 1;
	}
	for (unsigned i = 0; i < AMOUNT_NAME_COUNT; i++)
		hashes[i] = path->name_hashes[i];
	return AMOUNT_NAME_COUNT;
}

/* Whether what lies there under one of the names is more than the columns say. Missing ones lie in
 * the residual column too; they only matter where another place would be looked at then. */
static bool hides(const struct amount_path *path, const struct shape_entry *entry)
{
	if (entry->column > 0)
		return false;
	switch (entry->type) {
	case VALUE_NULL:
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		return path->in_context;
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_DOUBLE:
		return true;
	default:
		return !path->built_in;
	}
}

/* By hashes: two names of one hash make a shape odd, and nothing else. */
static bool is_odd(const struct part_reading *reading, struct text shape)
{
	const struct amount_path *path = reading->path;
	uint32_t                  hashes[AMOUNT_NAME_COUNT];
	unsigned                  name_count             = names_of(path, hashes);
	bool                      met[AMOUNT_NAME_COUNT] = {0};
	bool                      enters = false, odd = false;
	struct byte_reader        reader = byte_reader_of(shape.data, shape.length);
	uint64_t                  count  = read_varint(&reader);
	struct shape_entry        entry;
	for (uint64_t i = 0; i < count && !odd; i++) {
		if (!next_shape_entry(&reader, &entry))
			return true;
		for (unsigned j = 0; j < name_count; j++)
			if (entry.hash == hashes[j]) {
				odd |= met[j] || hides(path, &entry);
				met[j] = true;
			}
		if (!path->built_in && path->path.part_count > 0)
			enters |= entry.hash == path->path.parts[0].hash && entry.type == VALUE_OBJECT;
	}
	return odd || enters;
}

static void find_odd_shapes(struct part_reading *reading)
{
	const struct column *shapes = reading->part->roles[ROLE_SHAPE];
	if (shapes == NULL)
		return;
	if (shapes->encoding != ENCODING_DICT) {
		reading->all_odd = true;
		return;
	}
	for (uint32_t code = 0; code < shapes->distinct; code++) {
		struct text shape;
		if (!column_entry(shapes, code, &shape))
			fail(reading);
		else if (!is_odd(reading, shape))
			continue;
		if (reading->odd == NULL && (reading->odd = calloc(shapes->distinct, 1)) == NULL)
			abort();
		reading->odd[code] = 1;
	}
}

/* Whether rows may have their list whole in the residual column; they have no shape. */
static bool may_have_raw_rows(const struct part *part)
{
	const struct part_column *entry = part_column_entry(part, part->roles[ROLE_FLAGS]);
	return (int64_t)entry->max >= ROW_RAW && part->roles[ROLE_RESIDUAL] != NULL;
}

static bool is_raw(const struct part *part, uint32_t row)
{
	return (column_int(part->roles[ROLE_FLAGS], row) & ROW_RAW) != 0;
}

void part_reading_init(struct part_reading *reading, struct part *part,
                       const struct amount_path *path)
{
	*reading = (struct part_reading){.path = path, .part = part, .raw = may_have_raw_rows(part)};
	if (!path->built_in)
		add_columns(reading, path->path.name, false);
	for (unsigned i = 0; path->built_in && i < AMOUNT_NAME_COUNT; i++)
		add_columns(reading, text_of(amount_names[i]), true);
	if (path->in_context)
		reading->context = part->roles[ROLE_CONTEXT];
	find_odd_shapes(reading);
}

void part_reading_done(struct part_reading *reading) { free(reading->odd); }

bool part_reading_is_odd(const struct part_reading *reading, uint32_t row)
{
	const struct column *shapes = reading->part->roles[ROLE_SHAPE];
	uint32_t             index;
	if (!part_reading_has_odd(reading) || reading->all_odd)
		return reading->all_odd;
	if (shapes == NULL || !column_index(shapes, row, &index))
		return reading->raw && is_raw(reading->part, row);
	if (reading->odd == NULL)
		return false;
	column_touch_number(shapes, index);
	uint64_t code = column_number_at(shapes->numbers, shapes->width, index);
	return code >= shapes->distinct || reading->odd[code] != 0;
}

/* ---- Values ---- */

struct text part_reading_text(const struct column *column, uint32_t index)
{
	struct text text;
	if (column_text(column, index, &text))
		return text;
	part_guard_fail(column->guard, column->numbers);
	return (struct text){0};
}

struct value part_reading_of_column(const struct column *column, uint32_t index)
{
	switch (column->encoding) {
	case ENCODING_INTS:
		return (struct value){.type = VALUE_INT, .integer = column_int(column, index)};
	case ENCODING_DECIMALS:
	case ENCODING_DOUBLES:
		return (struct value){.type = VALUE_DOUBLE, .number = column_double(column, index)};
	case ENCODING_BITS:
		return (struct value){.type = column_bool(column, index) ? VALUE_TRUE : VALUE_FALSE};
	default:
		return (struct value){.type = column->type == VALUE_STRING_SET ? VALUE_STRING_SET
		                                                               : VALUE_STRING,
		                      .text = part_reading_text(column, index)};
	}
}

static struct text text_of_row(const struct column *column, uint32_t row)
{
	uint32_t index;
	if (column == NULL || !column_index(column, row, &index))
		return (struct text){0};
	return part_reading_text(column, index);
}

/* As value_read() has them. */
static struct value value_of_bytes(struct text bytes, uint8_t type)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	struct value       value  = {.type = type};
	if (type == VALUE_INT || type == VALUE_UINT || type == VALUE_DOUBLE)
		value.unsigned_integer = read_u64(&reader);
	else if (bytes.length > 0)
		value.text = read_sized(&reader);
	return value;
}

/* A row that is looked up by its shape. */
struct row_list {
	const struct part *part;
	uint32_t           row;
	struct text        shape;
	struct text        residual;
	bool               raw; /* the residual is the list */
	bool               damaged;
};

static struct value of_numbered(struct row_list *list, const struct shape_entry *entry)
{
	const struct part   *part = list->part;
	const struct column *column =
		entry->column < part->header->column_count ? &part->columns[entry->column - 1] : NULL;
	uint32_t index;
	if (column == NULL || column->role != ROLE_PROPERTY || column->type != entry->type ||
	    !column_index(column, list->row, &index)) {
		list->damaged = true;
		return (struct value){.type = VALUE_NONE};
	}
	return part_reading_of_column(column, index);
}

/* As value_find() in the list that the row came with. */
static struct value find(struct row_list *list, struct text name, uint32_t hash)
{
	struct value found = {.type = VALUE_NONE};
	if (list->raw)
		return value_find(list->residual, name, hash);
	struct byte_reader shape  = byte_reader_of(list->shape.data, list->shape.length);
	struct byte_reader values = byte_reader_of(list->residual.data, list->residual.length);
	uint64_t           count  = list->shape.length == 0 ? 0 : read_varint(&shape);
	struct shape_entry entry;
	for (uint64_t i = 0; i < count; i++) {
		if (!next_shape_entry(&shape, &entry)) {
			list->damaged = true;
			break;
		}
		struct text bytes = {0};
		if (entry.column == 0)
			bytes = part_row_value(&values, entry.type);
		if (entry.hash == hash && text_equal(entry.name, name))
			found =
				entry.column == 0 ? value_of_bytes(bytes, entry.type) : of_numbered(list, &entry);
	}
	list->damaged |= values.failed;
	return found;
}

static struct value find_amount(struct row_list *list, const struct amount_path *path)
{
	double number;
	for (unsigned i = 0; i < AMOUNT_NAME_COUNT; i++) {
		struct value value = find(list, text_of(amount_names[i]), path->name_hashes[i]);
		if (value_number(&value, &number))
			return value;
	}
	return (struct value){.type = VALUE_NONE};
}

/* As value_at(). */
static struct value find_path(struct row_list *list, const struct value_path *path)
{
	struct value value = find(list, path->name, path->hash);
	if (value.type != VALUE_NONE || path->part_count == 0)
		return value;
	value = find(list, path->parts[0].name, path->parts[0].hash);
	for (unsigned i = 1; i < path->part_count; i++) {
		if (value.type != VALUE_OBJECT)
			return (struct value){.type = VALUE_NONE};
		value = value_find(value.text, path->parts[i].name, path->parts[i].hash);
	}
	return value;
}

static struct value in_context(const struct part_reading *reading, uint32_t row)
{
	return evaluate_property(reading->path, (struct text){0}, text_of_row(reading->context, row));
}

struct value part_reading_odd_value(const struct part_reading *reading, uint32_t row)
{
	const struct part *part = reading->part;
	struct row_list    list = {.part     = part,
	                           .row      = row,
	                           .shape    = text_of_row(part->roles[ROLE_SHAPE], row),
	                           .residual = text_of_row(part->roles[ROLE_RESIDUAL], row),
	                           .raw      = is_raw(part, row)};
	if (!part_is_event(part, row))
		return (struct value){.type = VALUE_NONE};
	struct value value = reading->path->built_in ? find_amount(&list, reading->path)
	                                             : find_path(&list, &reading->path->path);
	if (list.damaged)
		fail(reading);
	if (value.type == VALUE_NONE && reading->context != NULL)
		return in_context(reading, row);
	return value;
}

INLINE struct value value_in_word(const struct part_reading *reading,
                                  const struct word_values *values, uint32_t word, unsigned bit)
{
	uint32_t row = word * 64 + bit;
	if (part_reading_has_odd(reading) && part_reading_is_odd(reading, row))
		return part_reading_odd_value(reading, row);
	for (unsigned i = 0; i < reading->column_count; i++)
		if ((values[i].present >> bit & 1) != 0)
			return part_reading_of_column(values[i].column, index_of(&values[i], bit));
	if (reading->context != NULL)
		return in_context(reading, row);
	return (struct value){.type = VALUE_NONE};
}

INLINE void read_words(const struct part_reading *reading, uint32_t first_word, uint32_t word_count,
                       const uint64_t *bits, struct value *values)
{
	struct word_values columns[READING_COLUMNS_MAX];
	for (unsigned i = 0; i < reading->column_count; i++)
		words_touch(reading->columns[i], first_word, word_count);
	for (uint32_t i = 0; i < word_count; i++) {
		if (bits[i] == 0)
			continue;
		for (unsigned j = 0; j < reading->column_count; j++)
			if (!values_of(reading->columns[j], first_word + i, &columns[j]))
				columns[j].present = 0;
		EACH_BIT(bit, bits[i])
		*values++ = value_in_word(reading, columns, first_word + i, (unsigned)bit);
	}
}

FAST static void read_fast(const struct part_reading *reading, uint32_t first_word,
                           uint32_t word_count, const uint64_t *bits, struct value *values)
{
	read_words(reading, first_word, word_count, bits, values);
}

static void read_plain(const struct part_reading *reading, uint32_t first_word, uint32_t word_count,
                       const uint64_t *bits, struct value *values)
{
	read_words(reading, first_word, word_count, bits, values);
}

void part_reading_values(const struct part_reading *reading, uint32_t first_word,
                         uint32_t word_count, const uint64_t *bits, struct value *values)
{
	if (words_are_fast())
		read_fast(reading, first_word, word_count, bits, values);
	else
		read_plain(reading, first_word, word_count, bits, values);
}
