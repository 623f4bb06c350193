#ifndef SONNIM_JOB_JOB_INTERNAL_H
#define SONNIM_JOB_JOB_INTERNAL_H

/* What the files of the runner share.
 *
 *   job.c            open, register, add, read, cancel, retry
 *   job_runner.c     threads: what runs next, the end of a run, what ran when the process ended
 *   job_run.c        what a kind calls while it runs
 *   job_follow.c     jobs of what runs elsewhere
 *   job_schedule.c   schedules
 *   job_files.c      directories
 *   job_restored.c   what a backup has not
 *   job_metrics.c
 *
 * Locks: jobs.lock, then job.lock; neither is held while the store is asked, but job.lock when a
 * running job's row is written, so that its rows are written in order. */

#include <pthread.h>
#include <stdatomic.h>

#include "job/bucket.h"
#include "job/job.h"

struct zone;

struct job_kind_state {
	struct job_kind kind;
	unsigned        running;
	uint64_t        ended[STORE_JOB_STATE_COUNT]; /* runs that ended so; QUEUED: again */
	int64_t         run_ns;                       /* of those that ended */
};

struct job {
	struct jobs           *jobs;
	struct job_kind_state *kind;
	struct job            *before, *after; /* among those that run */
	struct arena           arena;          /* of `row` as it was taken up */
	struct json_parser    *parser;
	struct json            params;
	int64_t                taken_ns;
	_Atomic int            stop; /* enum job_stop */
	_Atomic int64_t        saved_at_ms;

	pthread_mutex_t  lock; /* over what follows */
	pthread_cond_t   woken;
	struct store_job row; /* as last told; texts point into the buffers below */
	struct buffer    resume;
	struct buffer    result;
	struct buffer    message;
	int64_t          written_ms; /* monotonic, as the next two */
	int64_t          told_ms;
};

struct jobs {
	struct store              *store;
	char                      *directory;
	const struct job_settings *settings;
	int64_t (*now_ms)(void *context);
	void        *now_context;
	struct zone *zone;
	uint64_t     restored_number; /* jobs up to it came out of a backup; 0: none */

	struct job_kind_state kinds[JOB_KINDS_MAX];
	size_t                kind_count;
	job_listen_fn        *listen;
	void                 *listen_context;

	pthread_t *threads;
	unsigned   thread_count;
	pthread_t  clock;
	bool       started;

	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t  wake;
	bool            stopping;
	bool            picking;   /* one thread at a time looks for what runs next */
	uint64_t        news;      /* grows when something may be ready */
	uint64_t        seen_news; /* nothing was ready when it was that */
	bool            look;      /* the clock's thread has something new to look at */
	int64_t         next_ms;   /* when it has */
	struct job     *running;
	struct bucket   bucket;
	uint64_t        used_bytes;
};

/* job.c */
struct job_kind_state *jobs_kind_state(struct jobs *jobs, struct text name);
void                   jobs_tell(struct jobs *jobs, const char *id);
/* Every job that the filter lets through, the newest first, page by page; `arena` holds for the
 * call. Ends with the first call that fails. */
typedef enum status  job_each_fn(void *context, struct store_job *row, struct arena *arena,
                                 struct error *err);
MUST_USE enum status jobs_each(struct jobs *jobs, struct store_job_filter filter, job_each_fn *each,
                               void *context, struct error *err);
/* Under the lock: something may be ready. */
void jobs_wake(struct jobs *jobs);
/* Under the lock: at this instant something is. */
void jobs_wake_at(struct jobs *jobs, int64_t at_ms);
/* Checks what a job or a schedule says of kind, parameters and priority, and whether the asker may
 * have it run. */
MUST_USE enum status jobs_check(struct jobs *jobs, struct text kind, struct text params,
                                const struct job_asker *asker, int *priority, struct error *err);

/* job_runner.c */
struct job *job_new(struct jobs *jobs, struct job_kind_state *kind);
void        job_free(struct job *job);
/* Makes the row, as it was read, RUNNING. STATUS_PRECONDITION: it was changed just now. */
MUST_USE enum status job_take_up(struct job *job, struct error *err);
/* Takes the job out of those that run, when its last row is written or not; frees it. */
void job_finish(struct job *job, bool written);

/* job_run.c */
void job_wake(struct job *job, enum job_stop why);
/* A row with the newest progress of the job, if it runs. Under jobs.lock. */
void job_overlay(struct jobs *jobs, struct store_job *row, struct arena *arena);
/* Under job.lock: writes the row. */
MUST_USE enum status job_write(struct job *job, struct error *err);

/* job_schedule.c: adds the jobs that are due; `*ret_next_ms`: when the next one is. */
MUST_USE enum status job_schedule_look(struct jobs *jobs, int64_t now_ms, int64_t *ret_next_ms,
                                       struct error *err);
/* At start: what is not due yet is reckoned anew, for the zone may be another one. */
MUST_USE enum status job_schedule_begin(struct jobs *jobs, int64_t now_ms, struct error *err);

/* job_restored.c */
MUST_USE enum status job_restored_load(struct jobs *jobs, struct error *err);

/* job_files.c */
bool job_files_name_valid(struct text name);
/* Deletes the directory with all its files; what is not there is fine. */
MUST_USE enum status job_files_remove(struct jobs *jobs, const char *id, struct error *err);
/* Deletes directories that were reserved long ago and belong to no job. */
MUST_USE enum status job_files_sweep(struct jobs *jobs, struct error *err);

#endif
