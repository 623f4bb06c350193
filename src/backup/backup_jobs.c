#include "backup/backup_jobs.h"

enum { ATTEMPTS_MAX = 5, BACKOFF_MS = 60 * 1000, BACKOFF_MS_MAX = 30 * 60 * 1000, PRIORITY = 40 };

static enum status pace(void *context, uint64_t bytes, struct error *err)
{
	struct job *job = context;
	if (job_stopping(job) == JOB_GO_ON)
		job_use_bytes(job, bytes);
	if (job_stopping(job) != JOB_GO_ON)
		return error_set(err, STATUS_AGAIN, "told to stop");
	/* Nothing to go on from but what is stored already; yet it has come so far, so that an end of
	 * the process is no attempt that failed. */
	return job_save_due(job) ? job_save(job, TEXT("under way"), err) : STATUS_OK;
}

static void tell(void *context, int64_t done, int64_t total, const char *what)
{
	job_progress(context, done, total, NULL, what);
}

typedef enum status work_fn(struct backups *, const struct backup_task *, struct buffer *,
                            struct error *);

static enum status work(work_fn *function, struct backups *backups, struct job *job,
                        struct error *err)
{
	const struct backup_task task   = {.context = job, .pace = pace, .tell = tell};
	struct buffer            report = {0};
	enum status              status = function(backups, &task, &report, err);
	if (report.length > 0)
		job_set_result(job, buffer_text(&report));
	buffer_done(&report);
	return status;
}

static enum status run_take(void *context, struct job *job, struct error *err)
{
	job_progress(job, 0, -1, "bytes", "holding the files");
	return work(backups_take, context, job, err);
}

static enum status run_verify(void *context, struct job *job, struct error *err)
{
	job_progress(job, 0, -1, "objects", "reading what there is");
	return work(backups_verify, context, job, err);
}

static enum status run_prune(void *context, struct job *job, struct error *err)
{
	job_progress(job, 0, -1, "backups", "reading what there is");
	return work(backups_prune, context, job, err);
}

void backup_jobs_register(struct backups *backups, struct jobs *jobs)
{
	struct job_kind kind = {.check          = job_check_none,
	                        .context        = backups,
	                        .beside_max     = 1,
	                        .priority       = PRIORITY,
	                        .attempts_max   = ATTEMPTS_MAX,
	                        .backoff_ms     = BACKOFF_MS,
	                        .backoff_ms_max = BACKOFF_MS_MAX};
	kind.name            = "backup";
	kind.summary         = "Stores what is new since the last backup, and reads it back";
	kind.run             = run_take;
	jobs_register(jobs, &kind);
	kind.name     = "backup-verify";
	kind.summary  = "Reads everything that backups consist of";
	kind.run      = run_verify;
	kind.priority = 0;
	jobs_register(jobs, &kind);
	kind.name    = "backup-prune";
	kind.summary = "Removes backups that are too old, and what only they used";
	kind.run     = run_prune;
	jobs_register(jobs, &kind);
}

static enum status schedule(struct jobs *jobs, const char *kind, const char *cron,
                            struct error *err)
{
	const struct store_schedule row = {.name     = text_of(kind),
	                                   .kind     = text_of(kind),
	                                   .params   = TEXT("{}"),
	                                   .cron     = text_of(cron),
	                                   .priority = JOB_PRIORITY_OF_KIND,
	                                   .active   = true};
	return jobs_schedule_default(jobs, &row, err);
}

/* Whether one waits or runs already. */
static enum status is_under_way(struct jobs *jobs, bool *ret_under_way, struct error *err)
{
	const enum store_job_state states[] = {STORE_JOB_QUEUED, STORE_JOB_RUNNING};
	enum status                status   = STATUS_OK;
	struct arena               arena;
	*ret_under_way = false;
	arena_init(&arena);
	for (int i = 0; i < 2 && status == STATUS_OK; i++) {
		struct store_job_filter filter = {.kind = TEXT("backup"), .state = states[i], .limit = 1};
		struct store_job       *rows;
		size_t                  count = 0;
		uint64_t                total = 0;
		status = jobs_list(jobs, &filter, &arena, &rows, &count, &total, err);
		*ret_under_way |= total > 0;
	}
	arena_done(&arena);
	return status;
}

static enum status add_first(struct jobs *jobs, struct error *err)
{
	const struct job_asker start = {.name = TEXT("the start")};
	const struct job_wish  wish  = {
		  .kind = "backup", .priority = JOB_PRIORITY_OF_KIND, .asker = &start};
	struct store_job row;
	struct arena     arena;
	arena_init(&arena);
	enum status status = jobs_add(jobs, &wish, &arena, &row, err);
	arena_done(&arena);
	return status;
}

enum status backup_jobs_begin(struct backups *backups, struct jobs *jobs,
                              const struct backup_settings *settings, struct error *err)
{
	struct backups_status status;
	enum status           result = STATUS_OK;
	bool                  under_way;
	backups_status(backups, &status);
	if (settings->schedule != NULL && settings->schedule[0] != '\0')
		result = schedule(jobs, "backup", settings->schedule, err);
	if (result == STATUS_OK)
		result = schedule(jobs, "backup-prune", "47 4 * * *", err);
	if (result == STATUS_OK)
		result = schedule(jobs, "backup-verify", "17 5 * * 0", err);
	if (result != STATUS_OK || status.archive.begun)
		return result;
	result = is_under_way(jobs, &under_way, err);
	return result != STATUS_OK || under_way ? result : add_first(jobs, err);
}
