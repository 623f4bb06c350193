#include "engine/merge/merge_record.h"

static enum status corrupt(struct error *err)
{
	return error_set(err, STATUS_CORRUPT, "the body of a merge is damaged");
}

void merge_item_encode(const struct merge_item *item, struct buffer *out)
{
	buffer_add_u8(out, (uint8_t)item->kind);
	if (item->kind == MERGE_TRAITS) {
		buffer_add_sized(out, item->traits);
		buffer_add_sized(out, item->sealed);
		return;
	}
	buffer_add_u8(out, item->event.marked);
	buffer_add_i64(out, item->event.time_ms);
	buffer_add_i64(out, item->event.received_ms);
	buffer_add_u64(out, item->event.position);
	buffer_add_sized(out, item->encoded);
}

static enum status decode_call(struct byte_reader *reader, struct merge_item *item,
                               struct error *err)
{
	size_t size;
	item->event.marked      = read_u8(reader) != 0;
	item->event.time_ms     = read_i64(reader);
	item->event.received_ms = read_i64(reader);
	item->event.position    = read_u64(reader);
	item->encoded           = read_sized(reader);
	if (reader->failed)
		return corrupt(err);
	enum status status = record_decode(item->encoded, &item->event.record, &size, err);
	if (status == STATUS_OK && size != item->encoded.length)
		return corrupt(err);
	return status;
}

enum status merge_item_decode(struct byte_reader *reader, struct merge_item *ret_item,
                              struct error *err)
{
	if (read_left(reader) == 0)
		return STATUS_NOT_FOUND;
	struct merge_item item = {.kind = read_u8(reader)};
	if (item.kind == MERGE_CALL) {
		enum status status = decode_call(reader, &item, err);
		if (status != STATUS_OK)
			return status;
	} else if (item.kind == MERGE_TRAITS) {
		item.traits = read_sized(reader);
		item.sealed = read_sized(reader);
	}
	if (reader->failed || (item.kind != MERGE_CALL && item.kind != MERGE_TRAITS))
		return corrupt(err);
	*ret_item = item;
	return STATUS_OK;
}

enum status merge_part_decode(struct text body, struct merge_part *ret_part, struct error *err)
{
	struct byte_reader reader = byte_reader_of(body.data, body.length);
	struct merge_part  part   = {.slot = read_u32(&reader)};
	part.last                 = read_u8(&reader) != 0;
	if (reader.failed)
		return corrupt(err);
	part.items = read_bytes(&reader, read_left(&reader));
	*ret_part  = part;
	return STATUS_OK;
}

void merge_part_encode(const struct merge_part *part, struct buffer *out)
{
	buffer_add_u32(out, part->slot);
	buffer_add_u8(out, part->last);
	buffer_add_text(out, part->items);
}
