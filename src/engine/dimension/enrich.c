#include "engine/dimension/enrich.h"

#include <assert.h>

#include "base/json.h"

void enrichment_init(struct enrichment *enrichment)
{
	*enrichment = (struct enrichment){0};
	arena_init(&enrichment->arena);
	arena_init(&enrichment->names);
	enrichment->keys = ARENA_ARRAY(&enrichment->names, struct value_path, DIMENSION_COUNT);
	enrichment->fields =
		ARENA_ARRAY(&enrichment->names, struct value_path, DIMENSION_COUNT * DIMENSION_FIELDS_MAX);
	for (unsigned i = 0; i < DIMENSION_COUNT; i++) {
		const struct dimension_table *table = dimension_table((enum dimension)i);
		value_path_init(&enrichment->keys[i], text_of(table->key), &enrichment->names);
		for (size_t f = 0; f < table->field_count; f++)
			value_path_init(&enrichment->fields[i * DIMENSION_FIELDS_MAX + f],
			                text_of(table->fields[f].name), &enrichment->names);
	}
}

void enrichment_done(struct enrichment *enrichment)
{
	VECTOR_DONE(&enrichment->in_force);
	buffer_done(&enrichment->bytes);
	arena_done(&enrichment->arena);
	arena_done(&enrichment->names);
}

/* ---- Versions ---- */

enum status enrichment_apply(struct enrichment *enrichment, struct text body, uint64_t position,
                             struct error *err)
{
	struct dimension_record record;
	enum status             status = dimension_record_decode(body, &record, err);
	if (status != STATUS_OK)
		return status;
	assert(enrichment->dimensions != NULL);
	size_t   count  = enrichment->in_force.count;
	uint64_t number = count == 0 ? 0 : enrichment->in_force.items[count - 1].number;
	/* Told twice, it is in force already. */
	if (record.number <= number)
		return STATUS_OK;
	dimensions_insert(enrichment->dimensions, &record);
	VECTOR_ADD(&enrichment->in_force, (struct in_force){position, record.number});
	return STATUS_OK;
}

uint64_t enrichment_number(const struct enrichment *enrichment, uint64_t position)
{
	size_t at = enrichment->in_force.count;
	while (at > 0 && enrichment->in_force.items[at - 1].position > position)
		at--;
	return at == 0 ? 0 : enrichment->in_force.items[at - 1].number;
}

void enrichment_forget(struct enrichment *enrichment, uint32_t partition, uint64_t position)
{
	size_t past = 0, count = enrichment->in_force.count;
	while (past + 1 < count && enrichment->in_force.items[past + 1].position <= position)
		past++;
	if (count == 0 || enrichment->in_force.items[past].position > position)
		return;
	if (past > 0) {
		for (size_t i = past; i < count; i++)
			enrichment->in_force.items[i - past] = enrichment->in_force.items[i];
		enrichment->in_force.count = count - past;
	}
	dimensions_release(enrichment->dimensions, partition, enrichment->in_force.items[0].number);
}

/* ---- Events ---- */

void enrichment_begin(struct enrichment *enrichment)
{
	arena_reset(&enrichment->arena);
	enrichment->reading = false;
}

void enrichment_end(struct enrichment *enrichment)
{
	if (enrichment->reading)
		dimensions_end_read(enrichment->dimensions);
	enrichment->reading = false;
}

/* The row that a property names; data NULL: none. */
static struct text row_of(struct enrichment *enrichment, enum dimension dimension,
                          const struct value *key, uint64_t number)
{
	struct text id;
	if (!value_key(key, &enrichment->bytes, &id))
		return (struct text){NULL, 0};
	if (!enrichment->reading) {
		dimensions_begin_read(enrichment->dimensions);
		enrichment->reading = true;
	}
	return dimensions_find(enrichment->dimensions, dimension, id, number);
}

/* Adds the entries of a row whose names are not carried; how many. */
static unsigned add_fields(struct enrichment *enrichment, enum dimension dimension,
                           struct text properties, struct text row)
{
	const struct value_path *fields =
		&enrichment->fields[(unsigned)dimension * DIMENSION_FIELDS_MAX];
	const struct value_path *paths[DIMENSION_FIELDS_MAX];
	struct value             carried[DIMENSION_FIELDS_MAX];
	unsigned                 count = (unsigned)dimension_table(dimension)->field_count, added = 0;
	for (unsigned i = 0; i < count; i++)
		paths[i] = &fields[i];
	value_find_each(properties, paths, count, carried);
	struct value_reader r     = value_read(row);
	const uint8_t      *entry = r.bytes.at;
	for (; value_next(&r); entry = r.bytes.at)
		for (unsigned i = 0; i < count; i++)
			if (fields[i].hash == r.hash && carried[i].type == VALUE_NONE) {
				buffer_add(&enrichment->bytes, entry, (size_t)(r.bytes.at - entry));
				added++;
			}
	return added;
}

/* The event's own entries as they are, then those of the row. */
static bool lay_under(struct enrichment *enrichment, enum dimension dimension, struct text row,
                      struct text *properties)
{
	struct byte_reader reader = byte_reader_of(properties->data, properties->length);
	uint64_t           count  = read_varint(&reader);
	buffer_clear(&enrichment->bytes);
	unsigned added = add_fields(enrichment, dimension, *properties, row);
	if (added == 0)
		return false;
	size_t        size = VARINT_BYTES_MAX + read_left(&reader) + enrichment->bytes.length;
	struct buffer list = {.data = arena_alloc(&enrichment->arena, size), .capacity = size};
	buffer_add_varint(&list, count + added);
	buffer_add(&list, reader.at, read_left(&reader));
	buffer_add_text(&list, buffer_text(&enrichment->bytes));
	*properties = buffer_text(&list);
	return true;
}

void enrichment_event(struct enrichment *enrichment, uint64_t position, struct record *record,
                      struct text *encoded)
{
	const struct value_path *keys[DIMENSION_COUNT];
	struct value             named[DIMENSION_COUNT];
	struct text              properties = record->properties;
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		keys[i] = &enrichment->keys[i];
	value_find_each(properties, keys, DIMENSION_COUNT, named);
	bool changed = false;
	for (unsigned i = 0; i < DIMENSION_COUNT; i++) {
		if (named[i].type == VALUE_NONE)
			continue;
		uint64_t    number = enrichment_number(enrichment, position);
		struct text row    = row_of(enrichment, (enum dimension)i, &named[i], number);
		if (row.data != NULL)
			changed |= lay_under(enrichment, (enum dimension)i, row, &properties);
	}
	if (!changed)
		return;
	size_t        size = encoded->length + properties.length + VARINT_BYTES_MAX;
	struct buffer out  = {.data = arena_alloc(&enrichment->arena, size), .capacity = size};
	record_encode_with(&out, *encoded, record, properties);
	*encoded           = buffer_text(&out);
	record->properties = properties;
	enrichment->events++;
}

/* ---- Checkpoints ---- */

void enrichment_save(const struct enrichment *enrichment, struct buffer *out)
{
	buffer_add_varint(out, enrichment->in_force.count);
	for (size_t i = 0; i < enrichment->in_force.count; i++) {
		buffer_add_u64(out, enrichment->in_force.items[i].position);
		buffer_add_u64(out, enrichment->in_force.items[i].number);
	}
}

bool enrichment_load(struct enrichment *enrichment, struct byte_reader *reader)
{
	/* Older checkpoints end here. */
	uint64_t        count = read_left(reader) == 0 ? 0 : read_varint(reader);
	struct in_force last  = {0, 0};
	for (uint64_t i = 0; i < count && !reader->failed; i++) {
		struct in_force next = {.position = read_u64(reader)};
		next.number          = read_u64(reader);
		if (next.number <= last.number || next.position <= last.position)
			return false;
		VECTOR_ADD(&enrichment->in_force, next);
		last = next;
	}
	return !reader->failed;
}

void enrichment_clear(struct enrichment *enrichment) { enrichment->in_force.count = 0; }
