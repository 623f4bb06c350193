/* The thing "jobs": finished jobs, with their results and files. */

#include "base/instant.h"
#include "job/job_internal.h"
#include "job/retention.h"

enum { PAGE = 200 };

/* A kind may keep its jobs for another time than the setting says. */
static int64_t kind_before_ms(const struct jobs *jobs, const struct store_job *job,
                              int64_t before_ms)
{
	const struct job_kind *kind = jobs_kind(jobs, job->kind);
	if (kind == NULL || kind->keep_ms == 0)
		return before_ms;
	return before_ms + jobs->settings->retention_ms - kind->keep_ms;
}

static uint64_t bytes_of(struct jobs *jobs, const char *id, struct arena *arena)
{
	struct job_file *files;
	size_t           count = 0;
	uint64_t         bytes = 0;
	struct error     err;
	if (jobs_files(jobs, id, arena, &files, &count, &err) != STATUS_OK)
		return 0;
	for (size_t i = 0; i < count; i++)
		bytes += files[i].bytes;
	return bytes;
}

typedef enum status each_fn(struct jobs *jobs, const struct store_job *job, bool due, void *context,
                            struct arena *arena, struct error *err);

/* Every finished job, the newest first, and whether it is due. */
static enum status each_finished(struct jobs *jobs, int64_t before_ms, each_fn *each, void *context,
                                 struct error *err)
{
	struct store_job_filter filter = {.finished_before_ms = INSTANT_MS_NEVER, .limit = PAGE};
	struct arena            arena;
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	enum status             status;
	arena_init(&arena);
	do {
		arena_reset(&arena);
		status =
			jobs->store->ops->job_list(jobs->store, &filter, &arena, &rows, &count, &total, err);
		for (size_t i = 0; status == STATUS_OK && i < count; i++) {
			filter.before_number = rows[i].number;
			bool due             = before_ms != INSTANT_MS_NONE &&
			           rows[i].finished_ms < kind_before_ms(jobs, &rows[i], before_ms);
			status = each(jobs, &rows[i], due, context, &arena, err);
		}
	} while (status == STATUS_OK && count == PAGE);
	arena_done(&arena);
	return status;
}

static enum status count_job(struct jobs *jobs, const struct store_job *job, bool due,
                             void *context, struct arena *arena, struct error *err)
{
	struct retention_look *look  = context;
	uint64_t               bytes = bytes_of(jobs, job->id, arena);
	(void)err;
	look->all.count++;
	look->all.bytes += bytes;
	if (look->oldest_ms == INSTANT_MS_NONE || job->finished_ms < look->oldest_ms)
		look->oldest_ms = job->finished_ms;
	if (due) {
		look->due.count++;
		look->due.bytes += bytes;
	}
	return STATUS_OK;
}

static enum status look(void *context, int64_t before_ms, struct retention_look *ret_look,
                        struct error *err)
{
	*ret_look = (struct retention_look){.oldest_ms = INSTANT_MS_NONE};
	return each_finished(context, before_ms, count_job, ret_look, err);
}

struct dropping {
	struct job              *job;
	struct retention_amount *dropped;
};

/* The row first, so that nobody retries it meanwhile; files that a killed run leaves belong to no
 * job and are swept. */
static enum status drop_job(struct jobs *jobs, const struct store_job *job, bool due, void *context,
                            struct arena *arena, struct error *err)
{
	struct dropping *dropping = context;
	uint64_t         bytes    = due ? bytes_of(jobs, job->id, arena) : 0;
	enum status      status;
	if (job_stopping(dropping->job) != JOB_GO_ON)
		return error_set(err, STATUS_AGAIN, "The job was told to stop");
	if (!due)
		return STATUS_OK;
	status = jobs->store->ops->job_delete(jobs->store, job->id, err);
	if (status == STATUS_NOT_FOUND || status == STATUS_CONFLICT)
		return STATUS_OK; /* somebody retries it just now */
	if (status != STATUS_OK)
		return status;
	dropping->dropped->count++;
	dropping->dropped->bytes += bytes;
	return job_files_remove(jobs, job->id, err);
}

static enum status drop(void *context, struct job *job, int64_t before_ms,
                        struct retention_amount *dropped, struct error *err)
{
	struct dropping dropping = {job, dropped};
	enum status     status   = each_finished(context, before_ms, drop_job, &dropping, err);
	return status == STATUS_OK ? job_files_sweep(context, err) : status;
}

struct retention_thing retention_of_jobs(struct jobs *jobs)
{
	return (struct retention_thing){.name    = "jobs",
	                                .summary = "Finished jobs with their results and files",
	                                .setting = "job-retention",
	                                .age_ms  = &jobs->settings->retention_ms,
	                                .look    = look,
	                                .drop    = drop,
	                                .context = jobs};
}
