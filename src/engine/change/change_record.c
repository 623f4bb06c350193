#include "engine/change/change_record.h"

void change_record_write_prepare(struct buffer *out, const struct change_record *record)
{
	buffer_add_u64(out, record->id);
	buffer_add_varint(out, record->rule_count);
	for (size_t i = 0; i < record->rule_count; i++) {
		buffer_add_u32(out, record->rules[i].segment);
		buffer_add_u32(out, record->rules[i].version);
		buffer_add_sized(out, record->rules[i].canonical);
	}
}

void change_record_write_activate(struct buffer *out, const struct change_record *record)
{
	buffer_add_u64(out, record->id);
	buffer_add_varint(out, record->off_count);
	for (size_t i = 0; i < record->off_count; i++)
		buffer_add_u32(out, record->off[i]);
}

/* A count that the bytes that are left can hold, so that a damaged one allocates nothing large. */
static size_t read_count(struct byte_reader *reader, size_t item_bytes_min)
{
	uint64_t count = read_varint(reader);
	if (count > read_left(reader) / item_bytes_min)
		reader->failed = true;
	return reader->failed ? 0 : (size_t)count;
}

static enum status finish(const struct byte_reader *reader, const char *what, struct error *err)
{
	if (reader->failed || read_left(reader) > 0)
		return error_set(err, STATUS_CORRUPT, "a %s record is malformed", what);
	return STATUS_OK;
}

enum status change_record_read_prepare(struct text body, struct arena *arena,
                                       struct change_record *ret_record, struct error *err)
{
	struct byte_reader   reader = byte_reader_of(body.data, body.length);
	struct change_record record = {.id = read_u64(&reader)};
	record.rule_count           = read_count(&reader, 9);
	record.rules                = ARENA_ARRAY(arena, struct change_rule, record.rule_count);
	for (size_t i = 0; i < record.rule_count; i++) {
		record.rules[i].segment   = read_u32(&reader);
		record.rules[i].version   = read_u32(&reader);
		record.rules[i].canonical = read_sized(&reader);
	}
	enum status status = finish(&reader, "PREPARE", err);
	if (status == STATUS_OK)
		*ret_record = record;
	return status;
}

enum status change_record_read_activate(struct text body, struct arena *arena,
                                        struct change_record *ret_record, struct error *err)
{
	struct byte_reader   reader = byte_reader_of(body.data, body.length);
	struct change_record record = {.id = read_u64(&reader)};
	record.off_count            = read_count(&reader, 4);
	record.off                  = ARENA_ARRAY(arena, uint32_t, record.off_count);
	for (size_t i = 0; i < record.off_count; i++)
		record.off[i] = read_u32(&reader);
	enum status status = finish(&reader, "ACTIVATE or ABANDON", err);
	if (status == STATUS_OK)
		*ret_record = record;
	return status;
}
