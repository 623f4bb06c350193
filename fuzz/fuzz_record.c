/* Records as the journal hands them over after a fault that its checksum did not see: whatever the
 * bytes, nothing outside of them is read, and what is decoded can be encoded to the same record. */

#include <assert.h>

#include "base/json.h"
#include "fuzz.h"
#include "model/record.h"
#include "model/value.h"

static void read_list(struct text list)
{
	struct buffer      out    = {0};
	struct json_writer writer = json_writer_of(&out);
	value_list_write_json(&writer, list, list);
	buffer_done(&out);
	for (struct value_reader reader = value_read(list); value_next(&reader);)
		value_find(list, reader.name, reader.hash);
}

static bool encodable(struct text list) { return list.length == 0 || value_check(list); }

static void encode_again(const struct record *record)
{
	struct buffer out = {0};
	struct record again;
	size_t        size;
	record_encode(&out, record);
	enum status status = record_decode(buffer_text(&out), &again, &size, NULL);
	assert(status == STATUS_OK && size == out.length);
	assert(again.kind == record->kind && again.flags == record->flags);
	assert(again.slot == record->slot && again.call == record->call);
	assert(again.timestamp_ms == record->timestamp_ms && again.skew_ms == record->skew_ms);
	assert(text_equal(again.properties, record->properties));
	assert(text_equal(again.context, record->context));
	assert(text_equal(again.sealed, record->sealed));
	assert(text_equal(again.body, record->body));
	buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record;
	size_t        record_size;
	struct text   bytes = {(const char *)data, size};
	if (record_decode(bytes, &record, &record_size, NULL) != STATUS_OK) {
		/* As a list, then: most of the code lies there. */
		read_list(bytes);
		value_check(bytes);
		return 0;
	}
	assert(record_size <= size);
	read_list(record.properties);
	read_list(record.context);
	record_time_ms(&record, 0, NULL);
	if (encodable(record.properties) && encodable(record.context))
		encode_again(&record);
	return 0;
}
