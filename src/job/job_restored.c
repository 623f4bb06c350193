/* Files of jobs are in no backup. DATA/jobs/.restored: the number of the newest job that came out
 * of one, as text. */

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "job/job_internal.h"

enum { NUMBER_BYTES_MAX = 32 };

static enum status path_of(const struct jobs *jobs, char ret_path[JOB_PATH_BYTES],
                           struct error *err)
{
	if (snprintf(ret_path, JOB_PATH_BYTES, "%s/.restored", jobs->directory) >= JOB_PATH_BYTES)
		return error_set(err, STATUS_INVALID, "The path of the jobs' directory is too long");
	return STATUS_OK;
}

enum status job_restored_load(struct jobs *jobs, struct error *err)
{
	char          path[JOB_PATH_BYTES];
	struct buffer number = {0};
	struct error  read_err;
	enum status   status = path_of(jobs, path, err);
	if (status != STATUS_OK)
		return status;
	status = file_read(path, NUMBER_BYTES_MAX, &number, &read_err);
	if (status == STATUS_OK) {
		buffer_add_u8(&number, '\0');
		jobs->restored_number = strtoull(number.data, NULL, 10);
	}
	buffer_done(&number);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (status != STATUS_OK)
		*err = read_err;
	return status;
}

/* Loses what was saved. */
static enum status forget(void *context, struct store_job *row, struct arena *arena,
                          struct error *err)
{
	const struct jobs *jobs = context;
	(void)arena;
	row->resume = (struct text){0};
	row->saved  = false;
	return jobs->store->ops->job_change(jobs->store, row, row->state, err);
}

static enum status newest(struct jobs *jobs, uint64_t *ret_number, struct error *err)
{
	struct store_job_filter filter = {.limit = 1};
	struct arena            arena;
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	arena_init(&arena);
	enum status status =
		jobs->store->ops->job_list(jobs->store, &filter, &arena, &rows, &count, &total, err);
	*ret_number = status == STATUS_OK && count > 0 ? rows[0].number : 0;
	arena_done(&arena);
	return status;
}

enum status jobs_restored(struct jobs *jobs, struct error *err)
{
	static const enum store_job_state states[] = {STORE_JOB_QUEUED, STORE_JOB_RUNNING,
	                                              STORE_JOB_FAILED, STORE_JOB_CANCELLED};
	char                              path[JOB_PATH_BYTES], text[NUMBER_BYTES_MAX];
	uint64_t                          number;
	enum status                       status = path_of(jobs, path, err);
	if (status == STATUS_OK)
		status = newest(jobs, &number, err);
	for (unsigned i = 0; status == STATUS_OK && i < sizeof states / sizeof states[0]; i++)
		status = jobs_each(jobs, (struct store_job_filter){.state = states[i]}, forget, jobs, err);
	if (status != STATUS_OK)
		return status;
	int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)number);
	status     = file_replace(path, 0600, text, (size_t)length, err);
	if (status == STATUS_OK)
		jobs->restored_number = number;
	return status;
}

enum status jobs_file_missing(const struct jobs *jobs, const struct store_job *job,
                              const char *reason, struct error *err)
{
	if (job->number > jobs->restored_number)
		return error_set(err, STATUS_NOT_FOUND, "%s", reason);
	return error_set(err, STATUS_GONE,
	                 "The job came out of a backup, and files of jobs are in none");
}
