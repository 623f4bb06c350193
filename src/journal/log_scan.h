#ifndef SONNIM_JOURNAL_LOG_SCAN_H
#define SONNIM_JOURNAL_LOG_SCAN_H

/* Reads all frames of one file and tells how it ends: the one place that decides between a torn
 * tail and damage.
 *
 *   frame frame frame 0 0 0 0 0 0 0 0      CLEAN    only zeros behind the last good frame
 *   frame frame fra?? 0 0 0 0 0 0 0 0      TORN     something, but no good frame behind it
 *   frame fr?me frame 0 0 0 0 0 0 0 0      DAMAGED  a good frame behind a bad one, a frame that no
 *                                                   crash leaves, or a file that was shortened
 *   frame frame SEAL                       SEALED   another file follows
 *
 * Cost: one sequential read of the file and a hash of each frame. */

#include "base/error.h"
#include "journal/log_file.h"

enum log_scan_end { LOG_SCAN_CLEAN, LOG_SCAN_TORN, LOG_SCAN_DAMAGED, LOG_SCAN_SEALED };

struct log_scan {
	enum log_scan_end end;
	uint64_t          end_offset; /* behind the last good frame; SEALED: of the SEAL */
	uint64_t          tail_bytes; /* from there to the last byte that is not 0, in steps of 8 */
	char              reason[ERROR_REASON_BYTES_MAX]; /* DAMAGED: what is wrong at end_offset */

	uint64_t frames; /* of kind DATA */
	uint64_t records;
	uint64_t next_position;
	int64_t  log_time_ms; /* the last stamp, that of the file before included */

	bool              ends_with_mark; /* the last good frame is a MARK */
	struct frame_mark mark;           /* the last one, or what the header says */
	int64_t           mark_ms;        /* its stamp */
};

/* Called for every good frame, in order. */
typedef void log_scan_frame_fn(void *context, const struct frame *frame, uint64_t offset);

/* `frame` may be NULL. Errors are those of reading: damage is a result, not an error. */
MUST_USE enum status log_scan(const struct log_file *file, log_scan_frame_fn *frame, void *context,
                              struct log_scan *ret_scan, struct error *err);

#endif
