#include "journal/frame.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

/* As it lies in the file. */
struct frame_header {
	uint64_t mark;
	uint64_t checksum;
	uint64_t first_position;
	int64_t  log_time_ms;
	uint32_t payload_bytes;
	uint32_t record_count;
	uint32_t batch_count;
	uint8_t  kind;
	uint8_t  zeros[3];
};
_Static_assert(sizeof(struct frame_header) == FRAME_HEADER_BYTES, "no padding");
_Static_assert(sizeof(struct frame_mark) == 24, "no padding");

enum { CHECKED_FROM = 16 };

size_t frame_batch_encode(uint8_t *into, const struct journal_batch *batch)
{
	uint32_t head[] = {batch->partition, batch->record_count, (uint32_t)batch->records.length};
	_Static_assert(sizeof head == FRAME_BATCH_BYTES, "three numbers");

	memcpy(into, head, sizeof head);
	memcpy(into + sizeof head, batch->records.data, batch->records.length);
	return sizeof head + batch->records.length;
}

void frame_encode(uint8_t *bytes, const struct frame *frame, uint64_t mark, uint64_t offset)
{
	assert(frame->payload.length <= FRAME_PAYLOAD_BYTES_MAX);
	assert(mark != 0);

	struct frame_header header = {
		.mark           = mark,
		.first_position = frame->first_position,
		.log_time_ms    = frame->log_time_ms,
		.payload_bytes  = (uint32_t)frame->payload.length,
		.record_count   = frame->record_count,
		.batch_count    = frame->batch_count,
		.kind           = (uint8_t)frame->kind,
	};
	size_t used  = FRAME_HEADER_BYTES + frame->payload.length;
	size_t total = frame_bytes(frame->payload.length);
	memset(bytes + used, 0, total - used);
	memcpy(bytes, &header, sizeof header);
	header.checksum = hash_bytes_seeded(bytes + CHECKED_FROM, total - CHECKED_FROM, offset);
	memcpy(bytes, &header, sizeof header);
}

static bool batches_fit(const struct frame *frame)
{
	struct byte_reader bytes   = byte_reader_of(frame->payload.data, frame->payload.length);
	uint64_t           records = 0;
	uint32_t           count   = 0;
	for (; read_left(&bytes) > 0 && !bytes.failed; count++) {
		read_u32(&bytes);
		uint32_t record_count = read_u32(&bytes);
		uint32_t size         = read_u32(&bytes);
		if (record_count == 0 || size < record_count)
			return false;
		read_bytes(&bytes, size);
		records += record_count;
	}
	return !bytes.failed && count == frame->batch_count && records == frame->record_count;
}

static bool content_fits(const struct frame *frame)
{
	/* Positions are counted up to here without overflow. */
	if (frame->first_position == 0 || frame->first_position > UINT64_MAX / 2)
		return false;
	switch (frame->kind) {
	case FRAME_DATA:
		return frame->record_count > 0 && batches_fit(frame);
	case FRAME_MARK:
		return frame->record_count == 0 && frame->payload.length == sizeof(struct frame_mark);
	case FRAME_SEAL:
		return frame->record_count == 0 && frame->payload.length == 0;
	}
	return false;
}

enum frame_check frame_check(const uint8_t *bytes, size_t length, uint64_t mark, uint64_t offset,
                             struct frame *ret_frame, size_t *ret_bytes)
{
	struct frame_header header;
	*ret_bytes = sizeof header;
	if (length < sizeof header)
		return FRAME_SHORT;
	memcpy(&header, bytes, sizeof header);
	if (header.mark != mark)
		return FRAME_ABSENT;
	if (header.payload_bytes > FRAME_PAYLOAD_BYTES_MAX)
		return FRAME_BAD;
	*ret_bytes = frame_bytes(header.payload_bytes);
	if (length < *ret_bytes)
		return FRAME_SHORT;
	if (hash_bytes_seeded(bytes + CHECKED_FROM, *ret_bytes - CHECKED_FROM, offset) !=
	    header.checksum)
		return FRAME_BAD;

	struct frame frame = {
		.first_position = header.first_position,
		.log_time_ms    = header.log_time_ms,
		.record_count   = header.record_count,
		.batch_count    = header.batch_count,
		.kind           = header.kind,
		.payload        = {(const char *)bytes + sizeof header, header.payload_bytes},
	};
	if (!content_fits(&frame))
		return FRAME_MALFORMED;
	*ret_frame = frame;
	return FRAME_GOOD;
}

struct frame_mark frame_mark_of(const struct frame *frame)
{
	assert(frame->kind == FRAME_MARK);

	struct frame_mark mark;
	memcpy(&mark, frame->payload.data, sizeof mark);
	return mark;
}

struct frame_batches frame_batches(const struct frame *frame)
{
	assert(frame->kind == FRAME_DATA);

	return (struct frame_batches){
		.bytes          = byte_reader_of(frame->payload.data, frame->payload.length),
		.next_position  = frame->first_position,
		.frame_position = frame_last_position(frame),
		.log_time_ms    = frame->log_time_ms,
	};
}

bool frame_batch_next(struct frame_batches *batches, struct journal_read *ret_read)
{
	if (read_left(&batches->bytes) == 0)
		return false;

	uint32_t partition    = read_u32(&batches->bytes);
	uint32_t record_count = read_u32(&batches->bytes);
	uint32_t size         = read_u32(&batches->bytes);
	*ret_read             = (struct journal_read){
					.partition      = partition,
					.record_count   = record_count,
					.records        = read_bytes(&batches->bytes, size),
					.first_position = batches->next_position,
					.frame_position = batches->frame_position,
					.log_time_ms    = batches->log_time_ms,
					.frame_end      = read_left(&batches->bytes) == 0,
    };
	batches->next_position += record_count;
	assert(!batches->bytes.failed); /* frame_check saw to it */
	return true;
}
