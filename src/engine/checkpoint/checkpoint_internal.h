#ifndef SONNIM_ENGINE_CHECKPOINT_INTERNAL_H
#define SONNIM_ENGINE_CHECKPOINT_INTERNAL_H

/* Shared by checkpoint.c (all partitions), checkpoint_load.c (start), checkpoint_round.c (the
 * partition's side), checkpoint_changes.c (the change stream) and checkpoint_writer.c (the writer's
 * side). */

#include <pthread.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/checkpoint_block.h"
#include "engine/checkpoint/checkpoint_manifest.h"
#include "engine/apply/partition.h"

enum checkpoint_job_kind {
	JOB_CHANGES,     /* a chunk of the change stream */
	JOB_REPLACE,     /* another file of it */
	JOB_DEFINITIONS, /* parts of a round */
	JOB_NAMES,
	JOB_BLOCK,
	JOB_FINISH,
	JOB_ABANDON,
};

enum checkpoint_outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED };

struct checkpoint_job {
	enum checkpoint_job_kind     kind;
	struct partition_checkpoint *target;
	struct checkpoint_job       *next;

	struct buffer bytes; /* of a part */
	uint32_t      block;

	const struct stored_change *entries; /* of CHANGES */
	bool                        restart; /* the first since the file ends at `offset` again */
	uint64_t                    offset;
	uint32_t                    count;
	uint64_t                    first_index;
	uint64_t                    written_bytes;

	struct change_file *replacement; /* of REPLACE; NULL: handed on */
	uint64_t            source_end;  /* it has what the file has before this offset */
	_Atomic int         outcome;
};

struct checkpoint_line {
	bool                       exists;
	bool                       outdated; /* what has changed since is not known: all of it again */
	struct checkpoint_manifest manifest;
};

struct partition_checkpoint {
	struct checkpoints *owner;
	struct partition   *partition;

	/* The partition's thread. */
	struct checkpoint_line lines[CHECKPOINT_LINES];
	int64_t                due_ns;
	VECTOR(struct checkpoint_job *) spills; /* on the way, in order */
	bool                    spills_restart;
	bool                    spills_failed;   /* one that was taken in */
	int64_t                 spills_after_ns; /* not before, since the last one failed */
	struct checkpoint_marks marks;

	/* The round under way. */
	bool     running;
	bool     ending; /* its last job is on the way */
	unsigned line;
	bool     full;
	uint32_t cursor;
	int64_t  began_ns;
	VECTOR(uint32_t) written; /* blocks whose mark was taken away */
	/* Being made: the places are the writer's, everything else the partition's until it ends. */
	struct checkpoint_manifest next;
	uint64_t                   dimension_number; /* in force at its begin */
	_Atomic int                outcome;

	/* The writer's. */
	int                 fd; /* of the round's file; -1: not open */
	bool                failed;
	struct change_file *written_file; /* of the change stream; at start as the partition's */
	uint64_t            changes_end;
	bool                changes_failed;

	/* For others. */
	_Atomic uint64_t needed_after; /* of the checkpoints */
	_Atomic int64_t  written_ms;   /* of the newest checkpoint; INSTANT_MS_NONE */
	_Atomic int      replacing;    /* enum checkpoint_replacing */
};

struct checkpoints {
	struct checkpoints_config    config;
	char                        *directory;
	struct partition_checkpoint *partitions;

	pthread_t              writer;
	pthread_mutex_t        lock;
	pthread_cond_t         filled;
	struct checkpoint_job *first; /* with the lock */
	struct checkpoint_job *last;
	bool                   stopping;
	_Atomic uint64_t       queued_bytes;
	int64_t                free_ns; /* the writer's: when it may write again */

	_Atomic uint64_t rounds;
	_Atomic uint64_t rounds_failed;
	_Atomic uint64_t bytes;
	_Atomic int64_t  duration_ms;
	_Atomic int64_t  pause_us_max;
	_Atomic uint64_t damaged;
	_Atomic bool     failing;
};

enum { CHECKPOINT_QUEUE_BYTES_MAX = 8 << 20 };

struct checkpoint_job *checkpoint_job_new(struct partition_checkpoint *target,
                                          enum checkpoint_job_kind     kind);
void                   checkpoint_job_free(struct checkpoint_job *job);

/* Jobs are done one after the other. Those of the change stream stay the caller's, the others the
 * writer frees. */
void checkpoint_writer_add(struct checkpoints *checkpoints, struct checkpoint_job *job);
bool checkpoint_is_of_changes(const struct checkpoint_job *job);

/* The next chunk; there is something to be handed out. */
void checkpoint_hand_out_changes(struct partition_checkpoint *target);

/* Takes in what was written; full blocks leave the memory, whether there is a round or not. */
void checkpoint_spill(struct partition_checkpoint *target, int64_t now_ns);

/* On the writer's thread. */
void checkpoint_write_changes(struct partition_checkpoint *target, struct checkpoint_job *job);

void *checkpoint_writer_run(void *checkpoints);

/* Which of the lines was completed last; CHECKPOINT_LINES: none. */
unsigned checkpoint_newest_line(const struct partition_checkpoint *target);

/* Tells others what the lines are now. */
void checkpoint_publish(struct partition_checkpoint *target);

#endif
