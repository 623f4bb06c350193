#include "model/record.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/instant.h"
#include "model/value.h"

enum {
	SIZE_BYTES  = sizeof(uint32_t),
	FLAGS_KNOWN = RECORD_HAS_ORIGIN | RECORD_HAS_SOURCE | RECORD_IDENTIFIED,
};

static bool call_allowed(enum record_kind kind, unsigned call)
{
	if (kind == RECORD_EVENT)
		return call >= CALL_TRACK && call <= CALL_SCREEN;
	return call >= CALL_IDENTIFY && call <= CALL_PROFILE && call != CALL_ALIAS;
}

static bool has_lists(enum record_kind kind)
{
	return kind == RECORD_EVENT || kind == RECORD_TRAITS;
}

/* No bytes at all are an empty list too. */
static void add_list(struct buffer *out, struct text list)
{
	assert(list.length == 0 || value_check(list));
	buffer_add_sized(out, list);
}

static void encode_call(struct buffer *out, const struct record *record)
{
	assert(call_allowed(record->kind, record->call));

	buffer_add_u8(out, (uint8_t)record->call);
	buffer_add_u8(out, 0);
	buffer_add_u32(out, record->source_number);
	buffer_add_i64(out, record->timestamp_ms);
	buffer_add_i64(out, record->skew_ms);
	if (record->kind == RECORD_EVENT)
		buffer_add_sized(out, record->name);
	buffer_add_sized(out, record->message_id);
	add_list(out, record->properties);
	if (record->kind == RECORD_EVENT)
		add_list(out, record->context);
	buffer_add_sized(out, record->sealed);
}

/* A sized body, as of the kinds whose content is not looked into here. */
static void encode_alias(struct buffer *out, const struct record *record)
{
	struct buffer body = {0};
	buffer_add_u32(&body, record->source_number);
	buffer_add_i64(&body, record->timestamp_ms);
	buffer_add_i64(&body, record->skew_ms);
	buffer_add_sized(&body, record->message_id);
	buffer_add_sized(out, buffer_text(&body));
	buffer_done(&body);
}

void record_encode(struct buffer *out, const struct record *record)
{
	assert(record->kind >= RECORD_EVENT && record->kind <= RECORD_ABANDON);
	assert((record->flags & ~FLAGS_KNOWN) == 0);

	size_t begin = out->length;
	buffer_add_u32(out, 0);
	buffer_add_u8(out, (uint8_t)record->kind);
	buffer_add_u8(out, record->flags);
	buffer_add_u32(out, record->slot);
	if (record->flags & RECORD_HAS_ORIGIN) {
		buffer_add_u32(out, record->origin.partition);
		buffer_add_u64(out, record->origin.position);
		buffer_add_u32(out, record->origin.ordinal);
	}
	if (record->flags & RECORD_HAS_SOURCE)
		buffer_add_sized(out, record->source);
	if (has_lists(record->kind))
		encode_call(out, record);
	else if (record->kind == RECORD_ALIAS)
		encode_alias(out, record);
	else
		buffer_add_sized(out, record->body);

	size_t size = out->length - begin;
	assert(size <= RECORD_BYTES_MAX);
	uint32_t rest = (uint32_t)(size - SIZE_BYTES);
	memcpy(out->data + begin, &rest, sizeof rest);
}

static size_t varint_bytes(uint64_t value)
{
	size_t bytes = 1;
	for (; value >= 0x80; value >>= 7)
		bytes++;
	return bytes;
}

void record_encode_with(struct buffer *out, struct text encoded, const struct record *record,
                        struct text properties)
{
	struct text old    = record->properties;
	size_t      begin  = out->length;
	size_t      before = (size_t)(old.data - encoded.data) - varint_bytes(old.length);
	size_t      behind = (size_t)(old.data - encoded.data) + old.length;
	assert(old.data > encoded.data && behind <= encoded.length);

	buffer_reserve(out, encoded.length + properties.length + VARINT_BYTES_MAX);
	buffer_add(out, encoded.data, before);
	buffer_add_sized(out, properties);
	buffer_add(out, encoded.data + behind, encoded.length - behind);
	size_t size = out->length - begin;
	assert(size <= RECORD_BYTES_MAX);
	uint32_t rest = (uint32_t)(size - SIZE_BYTES);
	memcpy(out->data + begin, &rest, sizeof rest);
}

static enum status corrupt(struct error *err, const char *what)
{
	return error_set(err, STATUS_CORRUPT, "record: %s", what);
}

static enum status decode_call(struct byte_reader *bytes, struct record *record, struct error *err)
{
	uint8_t call     = read_u8(bytes);
	uint8_t reserved = read_u8(bytes);
	if (!bytes->failed && (!call_allowed(record->kind, call) || reserved != 0))
		return corrupt(err, "unknown call");
	record->call          = call;
	record->source_number = read_u32(bytes);
	record->timestamp_ms  = read_i64(bytes);
	record->skew_ms       = read_i64(bytes);
	if (record->kind == RECORD_EVENT)
		record->name = read_sized(bytes);
	record->message_id = read_sized(bytes);
	record->properties = read_sized(bytes);
	if (record->kind == RECORD_EVENT)
		record->context = read_sized(bytes);
	record->sealed = read_sized(bytes);
	return STATUS_OK;
}

static enum status decode_alias(struct text body, struct record *record, struct error *err)
{
	struct byte_reader bytes = byte_reader_of(body.data, body.length);
	record->call             = CALL_ALIAS;
	record->source_number    = read_u32(&bytes);
	record->timestamp_ms     = read_i64(&bytes);
	record->skew_ms          = read_i64(&bytes);
	record->message_id       = read_sized(&bytes);
	if (bytes.failed || read_left(&bytes) > 0)
		return corrupt(err, "an alias that is none");
	return STATUS_OK;
}

static enum status decode_content(struct byte_reader *bytes, struct record *record,
                                  struct error *err)
{
	uint8_t kind  = read_u8(bytes);
	record->flags = read_u8(bytes);
	record->slot  = read_u32(bytes);
	if (bytes->failed)
		return STATUS_OK;
	if (kind < RECORD_EVENT || kind > RECORD_ABANDON)
		return corrupt(err, "unknown kind, is the data of a newer version?");
	if ((record->flags & ~FLAGS_KNOWN) != 0)
		return corrupt(err, "unknown flags, is the data of a newer version?");

	record->kind = kind;
	if (record->flags & RECORD_HAS_ORIGIN) {
		record->origin.partition = read_u32(bytes);
		record->origin.position  = read_u64(bytes);
		record->origin.ordinal   = read_u32(bytes);
	}
	if (record->flags & RECORD_HAS_SOURCE)
		record->source = read_sized(bytes);
	if (has_lists(record->kind))
		return decode_call(bytes, record, err);
	record->body = read_sized(bytes);
	if (kind != RECORD_ALIAS || bytes->failed)
		return STATUS_OK;
	struct text body = record->body;
	record->body     = (struct text){0};
	return decode_alias(body, record, err);
}

enum status record_decode(struct text bytes, struct record *ret_record, size_t *ret_size,
                          struct error *err)
{
	struct byte_reader reader = byte_reader_of(bytes.data, bytes.length);
	uint32_t           size   = read_u32(&reader);
	if (reader.failed || size > read_left(&reader))
		return corrupt(err, "cut off");
	if (size > RECORD_BYTES_MAX - SIZE_BYTES)
		return corrupt(err, "larger than any may be");

	reader.end           = reader.at + size;
	struct record record = {.timestamp_ms = INSTANT_MS_NONE, .skew_ms = INSTANT_MS_NONE};
	enum status   status = decode_content(&reader, &record, err);
	if (status != STATUS_OK)
		return status;
	if (reader.failed)
		return corrupt(err, "shorter than its content");
	if (read_left(&reader) > 0)
		return corrupt(err, "longer than its content");
	*ret_record = record;
	*ret_size   = SIZE_BYTES + (size_t)size;
	return STATUS_OK;
}

int64_t record_time_ms(const struct record *record, int64_t received_ms, bool *ret_marked)
{
	int64_t time_ms = received_ms;
	if (record->skew_ms != INSTANT_MS_NONE) {
		/* A sender may claim anything; what lies before all time is still a time. */
		if (__builtin_sub_overflow(received_ms, record->skew_ms, &time_ms))
			time_ms = record->skew_ms > 0 ? INSTANT_MS_MIN : INSTANT_MS_MAX;
	} else if (record->timestamp_ms != INSTANT_MS_NONE) {
		time_ms = record->timestamp_ms;
	}

	bool marked = time_ms > received_ms + EVENT_FUTURE_MS_MAX;
	if (ret_marked != NULL)
		*ret_marked = marked;
	if (marked)
		return received_ms;
	return time_ms < INSTANT_MS_MIN ? INSTANT_MS_MIN : time_ms;
}
