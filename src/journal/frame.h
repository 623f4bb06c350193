#ifndef SONNIM_JOURNAL_FRAME_H
#define SONNIM_JOURNAL_FRAME_H

/* The bytes of a frame (docs/formats/journal.md). All numbers little-endian.
 *
 *    0  u64 mark            the file's own random number: what may begin a frame, and nothing else
 *    8  u64 checksum        XXH3 64 of all bytes from 16 to the end, seeded with the frame's offset
 *   16  u64 first position
 *   24  i64 log time, ms
 *   32  u32 payload bytes
 *   36  u32 record count
 *   40  u32 batch count
 *   44  u8  kind, 3 × 0
 *   48  payload, zeros up to a multiple of 8
 *
 * A mark that outsiders cannot know keeps an event that contains the bytes of a frame from being
 * taken for one when a torn tail is searched; the offset in the checksum tells frames apart that
 * were moved. Nothing here allocates or does I/O. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "journal/journal.h"

enum {
	FRAME_HEADER_BYTES      = 48,
	FRAME_ALIGNMENT_BYTES   = 8,
	FRAME_BATCH_BYTES       = 12, /* before the records of a batch */
	FRAME_PAYLOAD_BYTES_MAX = JOURNAL_QUEUE_BYTES_MAX,
};

/* Numbers are part of the format. */
enum frame_kind {
	FRAME_DATA = 1, /* batches */
	FRAME_MARK = 2, /* at each open and close: all before it was whole then; a struct frame_mark */
	FRAME_SEAL = 3, /* ends the file: another one follows, whose first position this is */
};

/* What a MARK carries: enough to tell how long the process was away if the machine stayed up. */
struct frame_mark {
	uint8_t boot_id[16];  /* zeros: not known, or under the manual clock */
	int64_t monotonic_ms; /* since that boot */
};
enum { FRAME_MARK_BYTES = FRAME_HEADER_BYTES + sizeof(struct frame_mark) };

struct frame {
	uint64_t        first_position; /* of a frame without records: the next one */
	int64_t         log_time_ms;
	uint32_t        record_count;
	uint32_t        batch_count;
	enum frame_kind kind;
	struct text     payload;
};

/* Of the frame as it lies in the file. */
static inline uint64_t frame_bytes(uint64_t payload_bytes)
{
	uint64_t bytes = FRAME_HEADER_BYTES + payload_bytes;
	return (bytes + FRAME_ALIGNMENT_BYTES - 1) & ~(uint64_t)(FRAME_ALIGNMENT_BYTES - 1);
}

static inline uint64_t frame_last_position(const struct frame *frame)
{
	return frame->first_position + frame->record_count - 1;
}

/* Writes a batch at `into` (FRAME_BATCH_BYTES + its length); returns what it took. */
size_t frame_batch_encode(uint8_t *into, const struct journal_batch *batch);

/* Writes header and padding around a payload that lies at `bytes` + FRAME_HEADER_BYTES already
 * (`frame->payload.data` is not looked at). `bytes` holds frame_bytes(payload length). */
void frame_encode(uint8_t *bytes, const struct frame *frame, uint64_t mark, uint64_t offset);

enum frame_check {
	FRAME_GOOD,
	FRAME_SHORT,     /* `*ret_bytes` are needed to tell */
	FRAME_ABSENT,    /* it does not begin with the mark */
	FRAME_BAD,       /* header or checksum wrong: torn or damaged */
	FRAME_MALFORMED, /* the checksum holds but the content makes no sense: no crash does that */
};

/* Checks what lies at `bytes`, of which `length` may be read. GOOD: `*ret_frame` points into them
 * and `*ret_bytes` is its size. Cost: the hash of it. */
enum frame_check frame_check(const uint8_t *bytes, size_t length, uint64_t mark, uint64_t offset,
                             struct frame *ret_frame, size_t *ret_bytes);

/* What a MARK frame carries. */
struct frame_mark frame_mark_of(const struct frame *frame);

/* for (struct frame_batches b = frame_batches(frame); frame_batch_next(&b, &read);) …
 * `read.frame_end` says whether it is the frame's last. The frame is a good one of kind DATA. */
struct frame_batches {
	struct byte_reader bytes;
	uint64_t           next_position;
	uint64_t           frame_position;
	int64_t            log_time_ms;
};
struct frame_batches frame_batches(const struct frame *frame);
bool                 frame_batch_next(struct frame_batches *batches, struct journal_read *ret_read);

#endif
