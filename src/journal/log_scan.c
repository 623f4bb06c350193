#include "journal/log_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct scanner {
	const struct log_file *file;
	struct log_chunk       chunk;
	log_scan_frame_fn     *frame;
	void                  *context;
	struct log_scan       *scan;
};

static void damaged(struct log_scan *scan, const char *reason)
{
	scan->end = LOG_SCAN_DAMAGED;
	snprintf(scan->reason, sizeof scan->reason, "%s", reason);
}

/* Takes a good frame into account. False: it cannot stand here. */
static bool take_frame(struct scanner *scanner, const struct frame *frame)
{
	struct log_scan *scan = scanner->scan;
	if (frame->first_position != scan->next_position) {
		damaged(scan, "a frame is missing or comes twice");
		return false;
	}
	if (frame->log_time_ms < scan->log_time_ms) {
		damaged(scan, "the log time goes back");
		return false;
	}
	scan->next_position += frame->record_count;
	scan->log_time_ms = frame->log_time_ms;
	scan->records += frame->record_count;
	scan->frames += frame->kind == FRAME_DATA;
	scan->ends_with_mark = frame->kind == FRAME_MARK;
	if (frame->kind == FRAME_MARK) {
		scan->mark    = frame_mark_of(frame);
		scan->mark_ms = frame->log_time_ms;
	}
	if (scanner->frame != NULL)
		scanner->frame(scanner->context, frame, scan->end_offset);
	return true;
}

/* Whether a good frame lies at `offset`, behind the end of the good part. */
static enum status find_frame(struct scanner *scanner, uint64_t offset, bool *ret_found,
                              struct error *err)
{
	struct frame     frame;
	size_t           bytes;
	enum frame_check check;
	enum status      status = log_chunk_frame(&scanner->chunk, scanner->file, offset,
	                                          scanner->file->length, &check, &frame, &bytes, err);
	if (status != STATUS_OK)
		return status;
	*ret_found = check == FRAME_GOOD;
	if (*ret_found) {
		damaged(scanner->scan, "");
		snprintf(scanner->scan->reason, sizeof scanner->scan->reason,
		         "no good frame here, but there is one behind it, at %" PRIu64, offset);
	}
	return STATUS_OK;
}

/* Looks through everything behind the last good frame. Frames begin at multiples of 8, and only
 * where the mark stands is there a check to pay for. */
static enum status search_tail(struct scanner *scanner, struct error *err)
{
	const struct log_file *file   = scanner->file;
	struct log_scan       *scan   = scanner->scan;
	uint64_t               offset = scan->end_offset;
	while (offset < file->length) {
		const uint8_t *bytes;
		size_t         length;
		enum status    status = log_chunk_need(&scanner->chunk, file, offset, sizeof(uint64_t),
		                                       file->length, &bytes, &length, err);
		if (status != STATUS_OK)
			return status;

		bool found = false;
		for (size_t at = 0; at < length; at += sizeof(uint64_t), offset += sizeof(uint64_t)) {
			uint64_t word = 0;
			memcpy(&word, bytes + at, length - at < sizeof word ? length - at : sizeof word);
			if (word == 0)
				continue;
			scan->tail_bytes = offset + sizeof word - scan->end_offset;
			if (word != file->header.mark || offset == scan->end_offset ||
			    scan->end == LOG_SCAN_DAMAGED)
				continue;
			status = find_frame(scanner, offset, &found, err);
			if (status != STATUS_OK)
				return status;
			/* The chunk has moved. */
			offset += sizeof word;
			break;
		}
	}
	return STATUS_OK;
}

/* Reads good frames up to the first place without one. */
static enum status read_frames(struct scanner *scanner, struct error *err)
{
	struct log_scan *scan = scanner->scan;
	for (;;) {
		struct frame           frame;
		size_t                 bytes;
		enum frame_check       check;
		const struct log_file *file = scanner->file;
		enum status status = log_chunk_frame(&scanner->chunk, file, scan->end_offset, file->length,
		                                     &check, &frame, &bytes, err);
		if (status != STATUS_OK)
			return status;
		if (check == FRAME_MALFORMED)
			damaged(scan, "the checksum holds but the frame makes no sense");
		if (check != FRAME_GOOD || !take_frame(scanner, &frame))
			return STATUS_OK;
		if (frame.kind == FRAME_SEAL) {
			scan->end = LOG_SCAN_SEALED;
			return STATUS_OK;
		}
		scan->end_offset += bytes;
	}
}

enum status log_scan(const struct log_file *file, log_scan_frame_fn *frame, void *context,
                     struct log_scan *ret_scan, struct error *err)
{
	struct log_scan scan = {
		.end           = LOG_SCAN_CLEAN,
		.end_offset    = LOG_FILE_HEADER_BYTES,
		.next_position = file->header.first_position,
		.log_time_ms   = file->header.log_time_ms,
		.mark          = file->header.clock,
		.mark_ms       = file->header.log_time_ms,
	};
	struct scanner scanner = {.file = file, .frame = frame, .context = context, .scan = &scan};

	struct error failure;
	enum status  status = read_frames(&scanner, &failure);
	if (status == STATUS_CORRUPT && file->pack != NULL) {
		/* A chunk that cannot be decompressed: what lies behind it stays unread. */
		damaged(&scan, failure.reason);
		scan.tail_bytes = file->length - scan.end_offset;
		status          = STATUS_OK;
	} else if (status == STATUS_OK && scan.end != LOG_SCAN_SEALED) {
		status = search_tail(&scanner, &failure);
	}
	if (status == STATUS_OK && scan.end == LOG_SCAN_CLEAN && scan.tail_bytes > 0)
		scan.end = LOG_SCAN_TORN;
	if (scan.end < LOG_SCAN_DAMAGED && file->length < file->header.file_bytes)
		damaged(&scan, "the file is shorter than it was made");
	log_chunk_done(&scanner.chunk);
	if (status != STATUS_OK) {
		if (err != NULL)
			*err = failure;
		return status;
	}
	*ret_scan = scan;
	return STATUS_OK;
}
