/* Jobs of what runs elsewhere. */

#include <assert.h>

#include "base/hash.h"
#include "base/log.h"
#include "job/job_internal.h"

static struct job_kind_state *kind_of(struct jobs *jobs, const char *name)
{
	struct job_kind_state *kind = jobs_kind_state(jobs, text_of(name));
	assert(kind != NULL && kind->kind.run == NULL);
	return kind;
}

enum status jobs_follow(struct jobs *jobs, const struct job_wish *wish, struct job **ret_job,
                        struct error *err)
{
	struct job_kind_state *kind   = kind_of(jobs, wish->kind);
	struct job            *job    = job_new(jobs, kind);
	int64_t                now_ms = jobs->now_ms(jobs->now_context);
	struct store_job       row    = {.kind        = arena_text(&job->arena, text_of(wish->kind)),
	                                 .params      = arena_text(&job->arena, wish->params),
	                                 .asked_by    = arena_text(&job->arena, wish->asker->name),
	                                 .priority    = kind->kind.priority,
	                                 .created_ms  = now_ms,
	                                 .run_from_ms = now_ms};
	assert(wish->params.length <= JOB_PARAMS_BYTES_MAX);
	uuid_new(row.id);
	job->row           = row;
	enum status status = jobs->store->ops->job_add(jobs->store, &job->row, err);
	if (status == STATUS_OK)
		status = job_take_up(job, err);
	if (status != STATUS_OK) {
		job_free(job);
		return status;
	}
	jobs_tell(jobs, row.id);
	*ret_job = job;
	return STATUS_OK;
}

static enum store_job_state fate_of(const struct store_job *row, job_fate_fn *fate, void *context)
{
	struct json_parser  *parser = json_parser_new();
	struct json          params;
	struct error         err;
	enum store_job_state state = STORE_JOB_CANCELLED;
	if (json_parse_text(parser, row->params, &params, &err) == STATUS_OK)
		state = fate(context, params);
	json_parser_free(parser);
	return state;
}

/* One that was left in the state `was`. */
static enum status settle(struct job *job, job_fate_fn *fate, void *context, struct job **ret_job,
                          struct error *err)
{
	struct jobs         *jobs  = job->jobs;
	enum store_job_state state = fate_of(&job->row, fate, context), was = job->row.state;
	if (state == STORE_JOB_RUNNING && *ret_job == NULL) {
		enum status status = job_take_up(job, err);
		if (status != STATUS_OK)
			job_free(job);
		else
			*ret_job = job;
		return status;
	}
	/* What was cancelled was told to stop, and let itself be told. */
	bool done            = state == STORE_JOB_DONE && !job->row.cancel_wanted;
	job->row.state       = done ? STORE_JOB_DONE : STORE_JOB_CANCELLED;
	job->row.finished_ms = job->row.updated_ms = job_now_ms(job);
	if (done && job->row.total >= 0)
		job->row.done = job->row.total; /* what was last told is older than the end */
	enum status status = jobs->store->ops->job_change(jobs->store, &job->row, was, err);
	job_free(job);
	return status;
}

enum status jobs_follow_up(struct jobs *jobs, const char *name, job_fate_fn *fate, void *context,
                           struct job **ret_job, struct error *err)
{
	static const enum store_job_state states[] = {STORE_JOB_RUNNING, STORE_JOB_QUEUED};
	struct job_kind_state            *kind     = kind_of(jobs, name);
	enum status                       status   = STATUS_OK;
	*ret_job                                   = NULL;
	for (unsigned i = 0; i < 2 && status == STATUS_OK; i++) {
		/* Of several, which only a store that refused can leave, the newest may go on. */
		struct store_job_filter filter = {
			.kind = text_of(name), .state = states[i], .limit = JOB_QUEUED_MAX};
		struct job       *reader = job_new(jobs, kind);
		struct store_job *rows;
		size_t            count = 0;
		uint64_t          total;
		status = jobs->store->ops->job_list(jobs->store, &filter, &reader->arena, &rows, &count,
		                                    &total, err);
		for (size_t r = 0; r < count && status == STATUS_OK; r++) {
			struct job *job = job_new(jobs, kind);
			status =
				jobs->store->ops->job_get(jobs->store, rows[r].id, &job->arena, &job->row, err);
			if (status == STATUS_OK)
				status = settle(job, fate, context, ret_job, err);
			else
				job_free(job);
		}
		job_free(reader);
	}
	return status;
}

void job_unfollow(struct job *job, enum store_job_state state)
{
	struct error err;
	if (job == NULL)
		return;
	pthread_mutex_lock(&job->lock);
	bool ended     = state != STORE_JOB_RUNNING;
	job->row.state = state;
	if (ended)
		job->row.finished_ms = job_now_ms(job);
	enum status status = job_write(job, &err);
	pthread_mutex_unlock(&job->lock);
	if (status != STATUS_OK)
		log_error("a job that is followed could not be written", &err); /* the next start does */
	job_finish(job, ended && status == STATUS_OK);
}
