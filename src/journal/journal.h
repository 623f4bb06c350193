#ifndef SONNIM_JOURNAL_JOURNAL_H
#define SONNIM_JOURNAL_JOURNAL_H

/* The journal: the one durable, ordered record of everything that changes an answer.
 *
 *   appenders ─► queue ─► one frame: one write, one sync for all that waited ─► readers, in order
 *                                     │
 *                                     └─► `appended` is called back, with the position
 *
 * A position is the number of a record in the log, counted from 1 over all partitions; 0 lies
 * before the first. A frame is what one group commit wrote: whole or not there. A batch is the run
 * of records of one partition within a frame, all with the frame's one log time.
 *
 * Promises, of every backend:
 *  - A record is handed to readers, and `appended` called, only after it is durable.
 *  - What one append() brings lies in one frame: it is there whole, with one log time, or not at
 *    all.
 *  - Batches of one append(), and appends of one thread, keep their order.
 *  - Log time never goes back within a partition (in the file log: within the log).
 *  - A reader that finds nothing learns a safe time: every record to come is or will be stamped at
 *    or after it. It comes with the same answer: asked for apart, a record could slip between.
 *  - A full disk is met when space is preallocated, before anything is written: the append fails
 *    with STATUS_NO_SPACE (retriable), nothing of it is there, and it goes on by itself once there
 *    is room.
 *  - After a failed write or sync nothing more is accepted (STATUS_FAILED, fatal) until the journal
 *    is reopened; a sync is never tried again over the same pages ("fsyncgate", LWN 752063). What
 *    was queued gets that error: it may or may not be there after a restart, as for any lost
 *    answer.
 *
 * Threads: append from any, one reader thread a reader. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

struct journal;
struct journal_reader;

enum {
	JOURNAL_APPEND_BYTES_MAX = 16 << 20, /* of all batches of one append */
	JOURNAL_QUEUE_BYTES_MAX  = 64 << 20, /* waiting for the next frame; then STATUS_UNAVAILABLE */
};

/* Records of one partition, encoded one behind the other (model/record.h). */
struct journal_batch {
	uint32_t    partition;
	uint32_t    record_count;
	struct text records;
};

/* What a reader gets: as above, with where and when. Valid until the reader is asked again. */
struct journal_read {
	uint32_t    partition;
	uint32_t    record_count;
	struct text records;
	uint64_t    first_position; /* of the first record; the others follow one by one */
	uint64_t    frame_position; /* of the last record of its frame */
	int64_t     log_time_ms;
	bool        frame_end; /* the reader's last batch of this frame */
};

/* Called once for each append, from the journal's own thread: do little, never block, never append
 * from it (hand over to another thread). On STATUS_OK `position` is that of the last record of the
 * append and `log_time_ms` its stamp; otherwise `err` says why. */
typedef void journal_appended_fn(void *context, enum status status, uint64_t position,
                                 int64_t log_time_ms, const struct error *err);

/* What a backend implements. No member is NULL. The contract tests in tests/contract/journal run
 * over every backend, and over a file log whose system calls inject short writes, ENOSPC, EIO and
 * torn tails. */
struct journal_ops {
	const char *name;

	/* Queues the batches (copied before it returns). An error return (STATUS_UNAVAILABLE when
	 * the queue is full, STATUS_FAILED, STATUS_NO_SPACE while the disk is known to be full) means
	 * that `appended` will not be called. */
	enum status (*append)(struct journal *journal, const struct journal_batch *batches,
	                      size_t batch_count, journal_appended_fn *appended, void *context,
	                      struct error *err);

	/* Opens a reader of some partitions (`partitions[p]` true: wanted; of `partition_count`), from
	 * the first record behind `after` on. STATUS_NOT_FOUND: it is deleted. */
	enum status (*reader_open)(struct journal *journal, const bool *partitions,
	                           uint32_t partition_count, uint64_t after,
	                           struct journal_reader **ret_reader, struct error *err);

	/* The next batch of a wanted partition in log order: STATUS_OK.
	 * STATUS_AGAIN when there is none yet: then `*ret_safe_time_ms` is set, and `*ret_through` is
	 * the position up to which everything wanted has been handed out (also set on STATUS_OK: up to
	 * the frame before). Does not wait. STATUS_CORRUPT and STATUS_IO are fatal. */
	enum status (*read)(struct journal_reader *reader, struct journal_read *ret_read,
	                    int64_t *ret_safe_time_ms, uint64_t *ret_through, struct error *err);

	/* Sleeps until there may be something to read, or `timeout_ms` passed, or reader_wake() was
	 * called (from any thread; a wake before the wait is not lost). */
	void (*reader_wait)(struct journal_reader *reader, int64_t timeout_ms);
	void (*reader_wake)(struct journal_reader *reader);
	void (*reader_close)(struct journal_reader *reader);

	/* The position of the last durable record, and the log time now: what a record appended now
	 * would at least be stamped with. Every later stamp is at or after it. */
	uint64_t (*position)(struct journal *journal);
	int64_t (*log_time_ms)(struct journal *journal);

	/* Manual clock only: later stamps are at or after `now_ms` (going back: STATUS_CONFLICT; under
	 * a real clock STATUS_UNSUPPORTED). Durable through the record that the caller appends next:
	 * until then readers and log_time_ms() stay where they are. */
	enum status (*clock_set)(struct journal *journal, int64_t now_ms, struct error *err);

	/* Every later stamp is at or after `now_ms`, under any clock: what the caller keeps of this
	 * journal has gone so far, and the wall clock may have been set back since. */
	void (*clock_reach)(struct journal *journal, int64_t now_ms);

	/* The caller needs nothing before `position` any more (checkpoints and stored events lie
	 * behind it): what is also older than the retention is deleted, in whole
	 * files, some time later. Never goes back; until the first call nothing is deleted. */
	void (*needed)(struct journal *journal, uint64_t position);

	/* The first position that there is (what lies before it is deleted). */
	uint64_t (*first_position)(struct journal *journal);

	/* Position of the first record that there is and is stamped at or after `log_time_ms`; that of
	 * the next record when there is none. Cost: a binary search, then part of a file is read. */
	enum status (*find_time)(struct journal *journal, int64_t log_time_ms, uint64_t *ret_position,
	                         struct error *err);

	/* Stops accepting, finishes what is queued, closes. Readers must be closed before. */
	void (*free)(struct journal *journal);
};

/* Every backend's struct begins with this. */
struct journal {
	const struct journal_ops *ops;
};

#endif
