/* Prometheus text. */

#include "job/job_internal.h"

static const enum store_job_state ends[] = {STORE_JOB_DONE, STORE_JOB_FAILED, STORE_JOB_CANCELLED,
                                            STORE_JOB_QUEUED};

/* By kind and state; jobs of kinds that are not registered too. */
static void write_states(struct jobs *jobs, struct buffer *out)
{
	struct store_job_count *counts;
	size_t                  count = 0;
	struct arena            arena;
	struct error            err;
	arena_init(&arena);
	if (jobs->store->ops->job_count(jobs->store, &arena, &counts, &count, &err) != STATUS_OK)
		count = 0;
	if (count > 0)
		buffer_printf(out, "# HELP sonnim_jobs Background jobs by kind and state\n"
		                   "# TYPE sonnim_jobs gauge\n");
	for (size_t i = 0; i < count; i++)
		buffer_printf(out, "sonnim_jobs{kind=\"%.*s\",state=\"%s\"} %llu\n",
		              TEXT_FORMAT(counts[i].kind), store_job_state_name(counts[i].state),
		              (unsigned long long)counts[i].count);
	arena_done(&arena);
}

static void write_runs(struct jobs *jobs, struct buffer *out)
{
	buffer_printf(out, "# HELP sonnim_job_runs_total Runs of jobs that ended, by how: again means "
	                   "that they are queued again\n"
	                   "# TYPE sonnim_job_runs_total counter\n");
	pthread_mutex_lock(&jobs->lock);
	for (size_t i = 0; i < jobs->kind_count; i++)
		for (size_t e = 0; e < sizeof ends / sizeof ends[0]; e++)
			buffer_printf(out, "sonnim_job_runs_total{kind=\"%s\",end=\"%s\"} %llu\n",
			              jobs->kinds[i].kind.name,
			              ends[e] == STORE_JOB_QUEUED ? "again" : store_job_state_name(ends[e]),
			              (unsigned long long)jobs->kinds[i].ended[ends[e]]);
	buffer_printf(out, "# HELP sonnim_job_run_seconds_total Time that runs of jobs took\n"
	                   "# TYPE sonnim_job_run_seconds_total counter\n");
	for (size_t i = 0; i < jobs->kind_count; i++)
		buffer_printf(out, "sonnim_job_run_seconds_total{kind=\"%s\"} %.3f\n",
		              jobs->kinds[i].kind.name, (double)jobs->kinds[i].run_ns / 1e9);
	buffer_printf(out,
	              "# HELP sonnim_job_bytes_total Bytes that jobs read and wrote under their limit\n"
	              "# TYPE sonnim_job_bytes_total counter\n"
	              "sonnim_job_bytes_total %llu\n"
	              "# HELP sonnim_job_threads Jobs that may run at a time\n"
	              "# TYPE sonnim_job_threads gauge\n"
	              "sonnim_job_threads %u\n",
	              (unsigned long long)jobs->used_bytes, jobs->thread_count);
	pthread_mutex_unlock(&jobs->lock);
}

void jobs_write_metrics(struct jobs *jobs, struct buffer *out)
{
	write_states(jobs, out);
	write_runs(jobs, out);
}
