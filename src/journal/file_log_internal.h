#ifndef SONNIM_JOURNAL_FILE_LOG_INTERNAL_H
#define SONNIM_JOURNAL_FILE_LOG_INTERNAL_H

/* What the parts of the file log share.
 *
 *   append ──copy──► queues[filling] ══swap══► queues[1 − filling] ──► frame ──► file ──► readers
 *      queue_lock                     writer thread, no lock            state_lock
 *
 * Two locks, never held together: `queue_lock` for what waits, `state_lock` for what readers see:
 * the clock, what is durable, the files. Stamping a frame and answering a safe time both happen
 * under the state lock, so that no record can slip between an answer and its safe time. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal/file_log.h"
#include "journal/log_clock.h"
#include "journal/log_file.h"
#include "journal/log_scan.h"
#include "journal/log_write.h"

enum {
	FILE_LOG_FILE_BYTES_MIN   = 1 << 20,
	FILE_LOG_APPENDS_MAX      = 1 << 20,  /* waiting for the next frame */
	FILE_LOG_INDEX_BYTES      = 1 << 20,  /* between two entries of a file's index */
	FILE_LOG_SPACE_RETRY_MS   = 200,      /* between two attempts to allocate on a full disk */
	FILE_LOG_QUEUE_KEEP_BYTES = 16 << 20, /* memory above is given back after a burst */
	/* Behind every DATA frame there is room for these, so that a stop and a seal always fit. */
	FILE_LOG_RESERVE_BYTES = FRAME_MARK_BYTES + FRAME_HEADER_BYTES,
};

/* One append that waits. */
struct log_waiting {
	journal_appended_fn *appended;
	void                *context;
	uint64_t             record_end; /* records of the queue up to its last one */
};

/* The payload of the next frame, as it will lie in the file, behind room for the frame's header. */
struct log_queue {
	uint8_t *bytes;
	size_t   payload_bytes;
	uint32_t record_count;
	uint32_t batch_count;
	struct {
		struct log_waiting *items;
		size_t              count;
		size_t              capacity;
	} appends;
};

/* Where reading may begin: the frame at `offset` begins with `position`. */
struct log_place {
	uint64_t position;
	int64_t  log_time_ms;
	uint64_t offset;
};

/* One file, as readers know it. */
struct log_entry {
	uint64_t first_position;
	int64_t  log_time_ms; /* when it was begun: no stamp before, and none after in those before */
	uint64_t end;         /* behind its SEAL; 0: it is the last one, `durable_end` counts */
	uint64_t disk_bytes;
	bool     packed;
	bool     unpackable; /* was tried and is damaged: not tried again */
	struct {
		struct log_place *items;
		size_t            count;
		size_t            capacity;
	} index; /* sparse, of what was written or recovered since the log was opened */
};

struct file_log {
	struct journal         journal;
	char                  *directory;
	int                    directory_fd; /* kept open: a rotation must not fail for want of one */
	uint64_t               file_bytes;
	uint8_t                workspace_id[16];
	uint8_t                boot_id[16];
	struct file_log_system system;
	pthread_t              writer;
	pthread_t              keeper; /* or that which follows */
	bool                   follows;

	pthread_mutex_t  queue_lock;
	pthread_cond_t   queue_filled;
	struct log_queue queues[2];
	unsigned         filling;
	bool             writer_waits;
	bool             stopping;
	bool             failed;
	int64_t          refuse_until_ms; /* real monotonic: no space until then; 0: go ahead */
	struct error     refusal;         /* why, when failed or refusing */

	pthread_mutex_t  state_lock;
	struct log_clock clock;
	bool             stamped; /* a frame has its stamp but is not durable yet */
	int64_t          stamped_ms;
	uint64_t         durable_end; /* in the last file */
	int64_t          log_time_ms; /* the last durable stamp; written by the writer alone */
	struct {
		struct log_entry *items;
		size_t            count;
		size_t            capacity;
	} files;
	struct journal_reader *readers;
	struct error           follow_failure; /* why a follower cannot go on */
	struct file_log_status counts;         /* all but what is told at the moment of asking */

	/* The keeper: what it is told (state lock), and what it goes by. */
	pthread_cond_t keeper_wake;
	bool           keeper_stop;
	uint64_t       needed_position; /* 0: not told yet */
	uint64_t       held_position;   /* by copies; UINT64_MAX: none */
	int64_t        retention_ms;
	uint64_t       pack_bytes_s;

	_Atomic uint64_t durable_position; /* written under the state lock */

	/* The writer's own. */
	struct log_file file; /* the last one */
	uint64_t        offset;
	uint64_t        next_position;
	struct log_file spare;             /* preallocated, has no name yet; fd −1: none */
	int64_t         allocate_after_ms; /* real monotonic */
};

static inline struct file_log *file_log_of(struct journal *journal)
{
	return (struct file_log *)journal;
}

struct log_clock_sources file_log_sources(const struct file_log *log);

/* For waiting by the monotonic clock. */
void            file_log_condition_init(pthread_cond_t *condition);
struct timespec file_log_deadline(int64_t timeout_ms);

/* The log time now, as readers may rely on it; with state_lock held. */
int64_t file_log_now_ms(struct file_log *log);

/* Position and offset of a frame for the index of the last file (state lock, or before anybody
 * else knows the log). */
void file_log_index_add(struct log_entry *entry, const struct frame *frame, uint64_t offset);

/* The file that holds `position`, or would; NULL when it is deleted. The state lock is held. */
struct log_entry *file_log_find_entry(struct file_log *log, uint64_t position);

/* file_log_recover.c: reads what is there, cuts a torn tail, begins the first file of an empty log;
 * sets all but the threads. */
MUST_USE enum status file_log_recover(struct file_log *log, const struct file_log_config *config,
                                      struct error *err);

/* The same for a follower: changes nothing, reads no frame. STATUS_NOT_FOUND: a file went away
 * meanwhile, or there is none. */
MUST_USE enum status file_log_recover_follower(struct file_log *log, struct error *err);

/* file_log_writer.c */
void *file_log_writer(void *context); /* the thread; of the log */

/* Begins file number one of an empty log. STATUS_NO_SPACE: nothing is left behind. */
MUST_USE enum status file_log_first_file(struct file_log *log, struct error *err);

/* Writes a MARK, durably; nothing when there is no room for one (then the last frame is one). */
MUST_USE enum status file_log_write_mark(struct file_log *log, struct error *err);

/* file_log_keeper.c: packs and deletes sealed files. */
void *file_log_keeper(void *context); /* the thread; of the log */
void  file_log_needed(struct journal *journal, uint64_t position);

/* file_log_follow.c: reads what the process that writes the log appends. Starts the thread. */
MUST_USE enum status file_log_follow_start(struct file_log *log, struct error *err);

/* file_log_time.c */
MUST_USE enum status file_log_find_time(struct journal *journal, int64_t log_time_ms,
                                        uint64_t *ret_position, struct error *err);

/* file_log_reader.c: the operations of readers. */
MUST_USE enum status file_log_reader_open(struct journal *journal, const bool *partitions,
                                          uint32_t partition_count, uint64_t after,
                                          struct journal_reader **ret_reader, struct error *err);
MUST_USE enum status file_log_read(struct journal_reader *reader, struct journal_read *ret_read,
                                   int64_t *ret_safe_time_ms, uint64_t *ret_through,
                                   struct error *err);
void                 file_log_reader_wait(struct journal_reader *reader, int64_t timeout_ms);
void                 file_log_reader_wake(struct journal_reader *reader);
void                 file_log_reader_close(struct journal_reader *reader);

/* Wakes all readers (state lock held). */
void file_log_wake_readers(struct file_log *log);

#endif
