/* The thing "jobs": finished jobs, with their results and files. */

#include "base/instant.h"
#include "job/job_internal.h"
#include "job/retention.h"

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

/* What a walk through the finished jobs is for. */
struct walk {
	struct jobs             *jobs;
	int64_t                  before_ms; /* INSTANT_MS_NONE: nothing is due */
	struct retention_look   *look;
	struct job              *job; /* of a drop */
	struct retention_amount *dropped;
};

static enum status each_finished(struct walk *walk, job_each_fn *each, struct error *err)
{
	return jobs_each(walk->jobs, (struct store_job_filter){.finished_before_ms = INSTANT_MS_NEVER},
	                 each, walk, err);
}

static bool is_due(const struct walk *walk, const struct store_job *row)
{
	return walk->before_ms != INSTANT_MS_NONE &&
	       row->finished_ms < kind_before_ms(walk->jobs, row, walk->before_ms);
}

static enum status count_job(void *context, struct store_job *row, struct arena *arena,
                             struct error *err)
{
	const struct walk     *walk  = context;
	struct retention_look *look  = walk->look;
	uint64_t               bytes = bytes_of(walk->jobs, row->id, arena);
	(void)err;
	look->all.count++;
	look->all.bytes += bytes;
	if (look->oldest_ms == INSTANT_MS_NONE || row->finished_ms < look->oldest_ms)
		look->oldest_ms = row->finished_ms;
	if (is_due(walk, row)) {
		look->due.count++;
		look->due.bytes += bytes;
	}
	return STATUS_OK;
}

static enum status look(void *context, int64_t before_ms, struct retention_look *ret_look,
                        struct error *err)
{
	struct walk walk = {.jobs = context, .before_ms = before_ms, .look = ret_look};
	*ret_look        = (struct retention_look){.oldest_ms = INSTANT_MS_NONE};
	return each_finished(&walk, count_job, err);
}

/* The row first, so that nobody retries it meanwhile; files that a killed run leaves belong to no
 * job and are swept. */
static enum status drop_job(void *context, struct store_job *row, struct arena *arena,
                            struct error *err)
{
	const struct walk *walk = context;
	struct jobs       *jobs = walk->jobs;
	if (job_stopping(walk->job) != JOB_GO_ON)
		return error_set(err, STATUS_AGAIN, "The job was told to stop");
	if (!is_due(walk, row))
		return STATUS_OK;
	uint64_t    bytes  = bytes_of(jobs, row->id, arena);
	enum status status = jobs->store->ops->job_delete(jobs->store, row->id, err);
	if (status == STATUS_NOT_FOUND || status == STATUS_CONFLICT)
		return STATUS_OK; /* somebody retries it just now */
	if (status != STATUS_OK)
		return status;
	walk->dropped->count++;
	walk->dropped->bytes += bytes;
	return job_files_remove(jobs, row->id, err);
}

static enum status drop(void *context, struct job *job, int64_t before_ms,
                        struct retention_amount *dropped, struct error *err)
{
	struct walk walk   = {.jobs = context, .before_ms = before_ms, .job = job, .dropped = dropped};
	enum status status = each_finished(&walk, drop_job, err);
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
