#ifndef SONNIM_JOURNAL_FILE_LOG_H
#define SONNIM_JOURNAL_FILE_LOG_H

/* The journal's backend for one machine: one sequence of frames for all partitions of a workspace,
 * so that one fdatasync serves everyone. Byte layout in docs/formats/journal.md.
 *
 *   DIRECTORY/00000000000000000001.log      named by the first position in it, preallocated
 *   ┌────────────┬───────┬───────┬───────┬────────────── zeros ──┐
 *   │ file header│ frame │ frame │ frame │ 0 0 0 0 0 0 0 0 0 …   │
 *   └────────────┴───────┴───────┴───────┴───────────────────────┘
 *   frame = header (magic, size, first position, record count, log time, checksum), batches
 *   batch = u32 partition, u32 record count, u32 size, records
 *
 * A frame is whole or torn: a bad frame with no good frame behind it is the torn tail of a crash,
 * is cut, and a line in the log says so; a bad frame with a good one behind it, or one in a file
 * that is not the last, is damage: opening fails with STATUS_CORRUPT, file and offset (rule
 * "Damaged journal"), and file_log_verify(truncate) is the way on, by hand.
 *
 * Sealed files are compressed (log_pack.h) and, when they are old and not needed, deleted by a
 * thread that never holds up the others: a packed file is written aside, synced, read back and
 * renamed before the plain one goes. When it fails, the files stay as they are, a line in the log
 * says so, and it is tried again later.
 *
 * Threads: one writer thread of its own. Readers use pread on the same files up to what is
 * durable. */

#include <stdint.h>

#include "base/settings.h"
#include "journal/journal.h"

enum log_clock_mode { LOG_CLOCK_WALL, LOG_CLOCK_MANUAL };

struct file_log_config {
	const char *directory;  /* made when absent; the caller holds the data directory's lock */
	uint64_t    file_bytes; /* size of one file, at least 1 MiB */
	enum log_clock_mode clock;
	bool                accept_clock;     /* follow a wall clock that is more than an hour ahead */
	uint8_t             workspace_id[16]; /* stands in every file header, checked at open */
	/* Of sealed files, by a thread of its own, with as little of the disk as `pack_bytes_s`. */
	int64_t  retention_ms; /* they are kept so long at least, and while they are needed */
	uint64_t pack_bytes_s; /* compresses them, reading so much a second; 0: it does not */
	/* System calls, replaceable by tests; NULL: the real ones. */
	const struct file_log_system *system;
};

struct file_log_system {
	int (*allocate)(int fd, uint64_t offset, uint64_t length); /* fallocate; 0 or errno */
	int64_t (*write)(int fd, const void *data, size_t length, uint64_t offset); /* pwrite */
	int (*sync)(int fd); /* fdatasync; 0 or -1 with errno */
	int64_t (*wall_ms)(void);
	int64_t (*monotonic_ms)(void);
};

MUST_USE enum status file_log_open(const struct file_log_config *config,
                                   struct journal **ret_journal, struct error *err);

/* Opens the log for reading beside the process that writes it, without its lock: nothing in the
 * directory is changed. What the writer appends is handed to readers a few milliseconds later, once
 * it is durable; files may be compressed and deleted meanwhile, a reader that is behind what is
 * deleted gets STATUS_NOT_FOUND. The log time is that of the last stamp. Of `config` only directory
 * and system count. append() and clock_set() are STATUS_UNSUPPORTED. STATUS_NOT_FOUND: there is no
 * journal. */
MUST_USE enum status file_log_follow(const struct file_log_config *config,
                                     struct journal **ret_journal, struct error *err);

/* For health and metrics. */
struct file_log_status {
	bool     failed;     /* takes no writes until reopened */
	bool     full;       /* the last preallocation met a full disk */
	bool     clock_held; /* the wall clock jumped ahead by more than an hour: not followed */
	uint64_t frames;     /* written since open */
	uint64_t bytes;      /* of frames written since open */
	uint64_t records;
	uint64_t sync_ns_total;  /* time spent in sync */
	uint64_t queue_bytes;    /* waiting */
	uint64_t tail_cut_bytes; /* cut off at open */

	uint64_t first_position;  /* that there is */
	int64_t  first_ms;        /* log time when its file was begun */
	uint64_t needed_position; /* as told; 0: not yet */
	uint64_t files;
	uint64_t files_packed;
	uint64_t disk_bytes;       /* that they take */
	uint64_t files_deleted;    /* since open */
	uint64_t bytes_packed;     /* since open: of log files … */
	uint64_t bytes_packed_to;  /* … and what became of them */
	uint64_t keeping_failures; /* files that could not be packed or deleted, since open */
};
void file_log_status(struct journal *journal, struct file_log_status *ret_status);

/* Other figures of its configuration from now on. Any thread. */
void file_log_set_keeping(struct journal *journal, int64_t retention_ms, uint64_t pack_bytes_s);

/* ---- Copies of the files while the log is open ---- */

/* A file as far as it is durable; offsets are those of the plain file, packed or not. */
struct file_log_extent {
	uint64_t first_position; /* its name */
	uint64_t end;            /* behind its SEAL; of the last file: behind its last durable frame */
};

/* All files, the last one included, at one instant; `*ret_extents` is freed by the caller.
 * `*ret_last_position` is that of the last durable record, `*ret_last_ms` its stamp. */
void file_log_extents(struct journal *journal, struct file_log_extent **ret_extents,
                      size_t *ret_count, uint64_t *ret_last_position, int64_t *ret_last_ms);

/* Files that hold records at or behind `position` are not deleted, whatever journal->ops->needed()
 * says; UINT64_MAX: nothing is held, which is so at first. May go back. */
void file_log_hold(struct journal *journal, uint64_t position);

/* Reads every frame of a directory that no process has open and calls `visit` (may be NULL) for
 * every batch in order. Damage: STATUS_CORRUPT with file and offset in `err` and the good part
 * counted; with `truncate`, everything from the first damage on is cut off (moved aside into
 * DIRECTORY/damaged/) and the result is STATUS_OK. */
struct file_log_report {
	uint64_t files;
	uint64_t frames;
	uint64_t records;
	uint64_t bytes;
	uint64_t last_position;
	int64_t  last_log_time_ms;
	uint64_t torn_bytes;    /* of a tail that opening would cut */
	uint64_t removed_bytes; /* by `truncate` */
};
typedef void         file_log_visit_fn(void *context, const struct journal_read *read);
MUST_USE enum status file_log_verify(const char *directory, bool truncate, file_log_visit_fn *visit,
                                     void *context, struct file_log_report *ret_report,
                                     struct error *err);

#endif
