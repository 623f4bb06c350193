#ifndef SONNIM_JOB_JOB_H
#define SONNIM_JOB_JOB_H

/* Work in the background: one durable queue in the store, one runner, kinds that the application
 * registers. Everything that takes longer than a request runs here: imports, exports, backups,
 * retention.
 *
 *   jobs_add() ─► queued ──► running ──► done
 *                   │  ▲        ├──────► failed      jobs_retry(): queued again
 *                   │  └────────┤ waits: backoff of a failure; at once: the server stopped
 *                   └───────────┴──────► cancelled
 *
 * What a kind may rely on:
 *  - A job that was added runs, also when the process is killed in between: at the next start it is
 *    taken up again with the state that it last saved (job_save()), on the same parameters and with
 *    the files in its directory. So `run` is at any time a function of (parameters, saved state,
 *    files), and what it did behind its last save is done once more: its effects must bear that
 *    (write a file anew or cut it to the saved length, rename at the end, message ids).
 *  - Never two runs of one job at a time; of one kind at most `beside_max`.
 *  - The order is by priority, the larger first, then by age.
 *  - Its threads are of low priority for the processor and the disk, those that it starts itself
 *    too; job_use_bytes() keeps all jobs together below --job-bandwidth.
 *
 * How a run ends (`run` returns, always within some 100 ms of job_stopping() saying so):
 *   STATUS_OK                        done, with job_set_result()
 *   job_stopping() was asked for     whatever the status: cancelled, or queued again when it is the
 *   (and it is not STATUS_OK)        server that stops (no attempt is counted)
 *   a retriable status (error.h)     queued again after a backoff, up to `attempts_max` attempts
 *   another, or the last attempt     failed: code, field and reason are kept and shown
 * A process that ends while a job runs counts as an attempt only when the job has not saved since
 * it was taken up: what makes progress is never given up, what kills the process is.
 *
 * Every job has a directory of its own (job_file_path()). What lies there is listed with the job
 * and downloadable by who may read jobs, but for names that begin with a dot: write
 * ".report.csv.part" and rename it when it is whole. It is deleted with the job, or before.
 *
 * Parameters, messages, results and reasons are shown to operators and kept in clear: no secrets,
 * no personal data.
 *
 * Times come from `now_ms`, which is the journal's log time: under the manual clock schedules,
 * backoffs and ages are driven by it too. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/settings.h"
#include "base/text.h"
#include "store/store.h"

enum {
	JOB_KINDS_MAX         = 32,
	JOB_KIND_NAME_MAX     = 32,   /* letters a-z, digits, "-" */
	JOB_QUEUED_MAX        = 1000, /* waiting, of one kind; then STATUS_LIMITED */
	JOB_PARAMS_BYTES_MAX  = 64 * 1024,
	JOB_STATE_BYTES_MAX   = 256 * 1024,
	JOB_RESULT_BYTES_MAX  = 64 * 1024,
	JOB_MESSAGE_BYTES_MAX = 256, /* longer ones are cut off, at a character */
	JOB_FILES_MAX         = 64,  /* listed of one job */
	JOB_FILE_NAME_MAX     = 128, /* letters, digits, ".", "-", "_" */
	JOB_PATH_BYTES        = 4096,
	JOB_PRIORITY_MIN      = -100,
	JOB_PRIORITY_MAX      = 100,
	JOB_PRIORITY_OF_KIND  = INT32_MIN, /* in a wish: the kind's own */
	JOB_BESIDE_MAX        = 16,
	JOB_SAVE_INTERVAL_MS  = 1000, /* see job_save_due() */
	JOB_TELL_INTERVAL_MS  = 100,  /* a listener hears of one job's progress at most so often */
	JOB_SCHEDULES_MAX     = 256,
	JOB_SCHEDULE_NAME_MAX = 64, /* letters, digits, ".", "-", "_" */
	JOB_ATTEMPTS_MAX      = 100,
};

/* One run of a job, as its kind sees it. It belongs to the runner. What says "any thread" may be
 * called by threads that the run started, while it has not returned. */
struct job;

/* ---- Kinds ---- */

/* A scope that an asker must have, and the parameter because of which. */
struct job_need {
	const char *scope; /* "pii.read" */
	const char *field; /* "params.masked"; NULL: whatever they are */
};

struct job_kind {
	const char *name;    /* "import"; stands in the store: never renamed */
	const char *summary; /* for people: "Takes rows of a file in" */

	/* Whether the parameters (a JSON object) are understood: asked when a job is added and when a
	 * schedule is set. STATUS_INVALID with the field ("params.format"). Any thread. Never NULL. */
	enum status (*check)(void *context, struct json params, struct error *err);

	/* What an asker needs besides the route's scope to have a job of these parameters run, or to
	 * read the files of one: ends with a NULL scope. Every door asks for it. The parameters are
	 * some that `check` let through. Any thread. NULL: nothing. */
	const struct job_need *(*needs)(void *context, struct json params);

	/* Does the work, on a thread of the runner. NULL: work with a thread of its own is followed
	 * (jobs_follow()), nobody adds such jobs. */
	enum status (*run)(void *context, struct job *job, struct error *err);

	/* Of a kind without `run`, never NULL there: tells what is followed to stop; its end says
	 * job_unfollow(). STATUS_CONFLICT: it is too late for that, and why. Any thread. */
	enum status (*cancel)(void *context, struct json params, struct error *err);

	void *context;

	unsigned beside_max;     /* how many of this kind may run at a time: 1 to JOB_BESIDE_MAX */
	int      priority;       /* by default; retention −50, exports 0, what people wait for 50 */
	unsigned attempts_max;   /* 1: never again by itself */
	int64_t  backoff_ms;     /* before the second attempt; doubles from there, with jitter */
	int64_t  backoff_ms_max; /* but never more */
	int64_t  keep_ms; /* how long a finished one is kept with its files; 0: --job-retention */
};

/* A `check` for kinds that take no parameters. */
enum status job_check_none(void *context, struct json params, struct error *err);

/* ---- Within a run ---- */

const char *job_id(const struct job *job);      /* any thread */
struct json job_params(const struct job *job);  /* lives as long as the run; any thread to read */
struct text job_state(const struct job *job);   /* as last saved; empty: from the beginning */
unsigned    job_attempt(const struct job *job); /* from 1 */
int64_t     job_now_ms(const struct job *job);  /* any thread */

enum job_stop {
	JOB_GO_ON,
	JOB_CANCELLED, /* somebody asked for it: clean up */
	JOB_PAUSED,    /* the server stops: save if there is time, and return */
};

/* Whether to return now, with any status but STATUS_OK (STATUS_AGAIN by custom). Cheap; to be asked
 * at least every 100 ms. Once it is not JOB_GO_ON it stays so. Any thread. */
enum job_stop job_stopping(const struct job *job);

/* Sleeps until then, or until job_stopping(). Any thread. */
void job_sleep_ms(struct job *job, int64_t duration_ms);

/* What operators see. `total` −1: not known. `unit` is a static word ("rows", "bytes"), `message`
 * says in a few words what is being done; NULL: as before. Cheap: writes to the store once a
 * second at most. Any thread. */
void job_progress(struct job *job, int64_t done, int64_t total, const char *unit,
                  const char *message);

/* Saves `state`, in one transaction with the progress as last told: durable when it returns
 * STATUS_OK, and from then on where the job is taken up again. Copied. An fdatasync: save when
 * job_save_due() says so, and where work would be lost. A failure (retriable: the disk is full)
 * leaves the last one in place; return it. */
MUST_USE enum status job_save(struct job *job, struct text state, struct error *err);
bool job_save_due(const struct job *job); /* JOB_SAVE_INTERVAL_MS since the last one; any thread */

/* To be called before each piece of up to some MiB that is read or written: waits while jobs use
 * more than their bandwidth together. Returns early when the job has to stop. Any thread. */
void job_use_bytes(struct job *job, uint64_t bytes);

/* The result, a JSON object; the last one counts. Kept when the run ends in any way, so that a
 * failed import can tell how far it came. Longer than JOB_RESULT_BYTES_MAX is an assertion. */
void job_set_result(struct job *job, struct text json);

/* Where the file `name` of this job lies; its directory is there. */
MUST_USE enum status job_file_path(const struct job *job, const char *name,
                                   char ret_path[JOB_PATH_BYTES], struct error *err);

/* ---- Queue and runner ---- */

struct job_settings {
	int64_t  threads;
	int64_t  nice;
	uint64_t bandwidth_bytes_s; /* 0: no limit */
	int64_t  retention_ms;      /* of finished jobs and their files */
	int64_t  retention_wait_ms; /* from the first report of retention to the first drop */
	char    *zone;              /* of schedules: "Europe/Berlin" */
};

struct settings job_settings_of(struct job_settings *target);

struct jobs_config {
	struct store              *store;
	const char                *directory; /* made; holds a directory for each job that has files */
	const struct job_settings *settings;
	int64_t (*now_ms)(void *context); /* never goes back; any thread */
	void *now_context;
};

struct jobs;

/* Opens the queue: from here on it can be asked and added to. STATUS_INVALID: a zone that is not
 * known. */
MUST_USE enum status jobs_open(const struct jobs_config *config, struct jobs **ret_jobs,
                               struct error *err);

/* Registers a kind; before jobs_start(). The struct is copied, its strings are not. Jobs of a kind
 * that nobody registers wait. */
void                   jobs_register(struct jobs *jobs, const struct job_kind *kind);
const struct job_kind *jobs_kind(const struct jobs *jobs, struct text name); /* NULL: unknown */
const struct job_kind *jobs_kind_at(const struct jobs *jobs, size_t index);  /* NULL: no more */

/* Starts the runner's threads: takes up what ran, and what a schedule missed, once. */
MUST_USE enum status jobs_start(struct jobs *jobs, struct error *err);

/* Tells the running jobs to stop and waits for them; they are queued again. The queue can still be
 * asked. */
void jobs_stop(struct jobs *jobs);

/* After jobs_stop(), when nobody asks any more. NULL is fine. */
void jobs_free(struct jobs *jobs);

/* Everything below: any thread; it asks the store, so never on an HTTP loop. Rows come from the
 * caller's arena (store.h: struct store_job); those of running jobs with their newest progress. */

/* Who wants something: what he may do is asked of what the kind of job needs. */
struct job_asker {
	struct text name;                                 /* for people: "token 7f…" */
	bool (*allows)(void *context, const char *scope); /* NULL: the program itself, everything */
	void *context;
};

struct job_wish {
	const char *kind;
	struct text params;      /* a JSON object; empty: {} */
	const char *id;          /* of jobs_reserve(); NULL: a new one */
	int         priority;    /* or JOB_PRIORITY_OF_KIND */
	int64_t     run_from_ms; /* not before; 0: at once */

	const struct job_asker *asker; /* never NULL */
};

/* STATUS_INVALID: parameters, priority or kind; STATUS_FORBIDDEN: the asker lacks a scope, which is
 * named; STATUS_LIMITED: too many of this kind wait. Durable on return. */
MUST_USE enum status jobs_add(struct jobs *jobs, const struct job_wish *wish, struct arena *arena,
                              struct store_job *ret_job, struct error *err);

/* An id, and the directory of the job to be, for whoever has files to bring along (an upload):
 * they lie there before the job is added. What is not added within a day is deleted. */
MUST_USE enum status jobs_reserve(struct jobs *jobs, char ret_id[37], char ret_path[JOB_PATH_BYTES],
                                  struct error *err);

MUST_USE enum status jobs_get(struct jobs *jobs, const char *id, struct arena *arena,
                              struct store_job *ret_job, struct error *err);
MUST_USE enum status jobs_list(struct jobs *jobs, const struct store_job_filter *filter,
                               struct arena *arena, struct store_job **ret_jobs, size_t *ret_count,
                               uint64_t *ret_total, struct error *err);

/* A queued one is cancelled at once, a running one is told; one that is cancelled already stays so.
 * STATUS_CONFLICT: it is done or failed, or what it follows cannot stop any more. */
MUST_USE enum status jobs_cancel(struct jobs *jobs, const char *id, struct arena *arena,
                                 struct store_job *ret_job, struct error *err);

/* A failed or cancelled one runs again from its saved state, with new attempts. STATUS_CONFLICT:
 * it is neither, or its kind is not known here; STATUS_FORBIDDEN. */
MUST_USE enum status jobs_retry(struct jobs *jobs, const char *id, const struct job_asker *asker,
                                struct arena *arena, struct store_job *ret_job, struct error *err);

/* STATUS_FORBIDDEN, naming the scope: the asker may not have this job run, nor read its files. */
MUST_USE enum status jobs_allow(struct jobs *jobs, const struct store_job *job,
                                const struct job_asker *asker, struct error *err);

/* Files of a job: those that do not begin with a dot, by name. */
struct job_file {
	struct text name;
	uint64_t    bytes;
};
MUST_USE enum status jobs_files(struct jobs *jobs, const char *id, struct arena *arena,
                                struct job_file **ret_files, size_t *ret_count, struct error *err);
/* Where the files of a job lie, those too whose names begin with a dot: for who knows its kind. */
MUST_USE enum status jobs_directory(struct jobs *jobs, const char *id,
                                    char ret_path[JOB_PATH_BYTES], struct error *err);
/* STATUS_NOT_FOUND: there is no such file, or its name is none; STATUS_GONE: jobs_file_missing().
 */
MUST_USE enum status jobs_file_path(struct jobs *jobs, const struct store_job *job,
                                    struct text name, char ret_path[JOB_PATH_BYTES],
                                    struct error *err);
/* What it means that a file of this job is not there: STATUS_GONE when the job came out of a backup
 * (jobs_restored()), else STATUS_NOT_FOUND with this reason. */
MUST_USE enum status jobs_file_missing(const struct jobs *jobs, const struct store_job *job,
                                       const char *reason, struct error *err);

/* Removes the directory of a job that is finished, or of one that was reserved and is not to be,
 * with what lies in it; `*ret_removed`: how many files. */
MUST_USE enum status jobs_drop_files(struct jobs *jobs, const char *id, uint64_t *ret_removed,
                                     struct error *err);

/* The store came out of a backup, which has no files of jobs: what is not done begins anew, without
 * saved state, and the files of all jobs that there are now are gone. Before jobs_start(); may be
 * said twice. */
MUST_USE enum status jobs_restored(struct jobs *jobs, struct error *err);

/* ---- Following ----
 * What runs elsewhere, since it cannot wait for the queue, is shown as a job: of a kind without
 * `run`, running from the begin on. It takes none of the runner's threads, is never queued again,
 * and goes on without being shown when the store refuses. One job of such a kind at a time. */

/* The job of a piece of work that begins. */
MUST_USE enum status jobs_follow(struct jobs *jobs, const struct job_wish *wish,
                                 struct job **ret_job, struct error *err);

/* What became of work that a process before this one began: RUNNING (it goes on, one at most), DONE
 * or CANCELLED. */
typedef enum store_job_state job_fate_fn(void *context, struct json params);

/* Once, after the start, before the first jobs_follow(): settles what was left; `*ret_job` is the
 * one that goes on, NULL: none. */
MUST_USE enum status jobs_follow_up(struct jobs *jobs, const char *kind, job_fate_fn *fate,
                                    void *context, struct job **ret_job, struct error *err);

/* How it ended: DONE or CANCELLED; RUNNING: the process ends before it does and the next one goes
 * on. Frees `job`; NULL is fine. */
void job_unfollow(struct job *job, enum store_job_state state);

/* ---- Schedules ----
 * A cron expression (job/cron.h) in the zone of the settings adds a job at each of its instants.
 * While the last one of a schedule is not finished, no other is added; an instant that was missed
 * (the server was down, or that one still ran) is made up once, as soon as possible. */

/* Sets it: `name`, `kind`, `params`, `cron`, `priority` and `active` count, the rest is filled.
 * STATUS_INVALID names the field; STATUS_FORBIDDEN: the asker may not add such a job;
 * STATUS_LIMITED: there are JOB_SCHEDULES_MAX. */
MUST_USE enum status jobs_schedule_put(struct jobs *jobs, struct store_schedule *schedule,
                                       const struct job_asker *asker, struct error *err);
/* Sets it unless there is one of that name, changed by somebody since or not: what the application
 * brings along, at start. */
MUST_USE enum status jobs_schedule_default(struct jobs *jobs, const struct store_schedule *schedule,
                                           struct error *err);
MUST_USE enum status jobs_schedule_delete(struct jobs *jobs, struct text name, struct error *err);
MUST_USE enum status jobs_schedule_get(struct jobs *jobs, struct text name, struct arena *arena,
                                       struct store_schedule *ret_schedule, struct error *err);
MUST_USE enum status jobs_schedule_list(struct jobs *jobs, struct arena *arena,
                                        struct store_schedule **ret_schedules, size_t *ret_count,
                                        struct error *err); /* by name */
const char          *jobs_zone(const struct jobs *jobs);    /* "Europe/Berlin" */

/* ---- Watching ---- */

/* Told of every job that was added, changed or made progress; from any thread, under no lock of
 * ours; it must be quick and must not call back into the queue. Before jobs_start(). */
typedef void job_listen_fn(void *context, const char *id);
void         jobs_listen(struct jobs *jobs, job_listen_fn *listen, void *context);

/* Prometheus text. */
void jobs_write_metrics(struct jobs *jobs, struct buffer *out);

#endif
