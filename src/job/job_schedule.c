/* Schedules: what adds jobs by the clock. */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/instant.h"
#include "job/cron.h"
#include "job/job_internal.h"

/* ---- Setting them ---- */

static enum status check_name(struct text name, struct error *err)
{
	return name.length <= JOB_SCHEDULE_NAME_MAX && job_files_name_valid(name)
	           ? STATUS_OK
	           : error_set_field(
					 err, STATUS_INVALID, "name",
					 "A name is made of 1 to %d letters, digits, \"-\", \"_\" and \".\"",
					 JOB_SCHEDULE_NAME_MAX);
}

static enum status check_room(struct jobs *jobs, struct text name, struct error *err)
{
	struct store_schedule *schedules;
	size_t                 count;
	bool                   known = false;
	struct arena           arena;
	arena_init(&arena);
	enum status status = jobs_schedule_list(jobs, &arena, &schedules, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		known = known || text_equal(schedules[i].name, name);
	if (status == STATUS_OK && !known && count >= JOB_SCHEDULES_MAX)
		status =
			error_set(err, STATUS_LIMITED, "There are %d schedules already", JOB_SCHEDULES_MAX);
	arena_done(&arena);
	return status;
}

static int64_t next_of(struct jobs *jobs, const struct store_schedule *schedule,
                       const struct cron *cron, int64_t after_ms)
{
	return schedule->active ? cron_next_ms(cron, jobs->zone, after_ms) : INSTANT_MS_NEVER;
}

enum status jobs_schedule_put(struct jobs *jobs, struct store_schedule *schedule,
                              const struct job_asker *asker, struct error *err)
{
	struct cron cron;
	enum status status;
	if (schedule->params.length == 0)
		schedule->params = TEXT("{}");
	if ((status = check_name(schedule->name, err)) != STATUS_OK ||
	    (status = jobs_check(jobs, schedule->kind, schedule->params, asker, &schedule->priority,
	                         err)) != STATUS_OK ||
	    (status = cron_parse(schedule->cron, &cron, err)) != STATUS_OK ||
	    (status = check_room(jobs, schedule->name, err)) != STATUS_OK)
		return status;
	schedule->updated_ms = jobs->now_ms(jobs->now_context);
	schedule->next_ms    = next_of(jobs, schedule, &cron, schedule->updated_ms);
	status               = jobs->store->ops->schedule_put(jobs->store, schedule, err);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&jobs->lock);
	jobs_wake_at(jobs, schedule->next_ms);
	pthread_mutex_unlock(&jobs->lock);
	return STATUS_OK;
}

enum status jobs_schedule_default(struct jobs *jobs, const struct store_schedule *schedule,
                                  struct error *err)
{
	struct store_schedule wanted = *schedule, stored;
	struct arena          arena;
	struct error          missing;
	arena_init(&arena);
	enum status status =
		jobs->store->ops->schedule_get(jobs->store, schedule->name, &arena, &stored, &missing);
	arena_done(&arena);
	if (status == STATUS_NOT_FOUND)
		return jobs_schedule_put(jobs, &wanted, &(struct job_asker){.name = TEXT("the start")},
		                         err);
	if (status != STATUS_OK)
		*err = missing;
	return status;
}

enum status jobs_schedule_delete(struct jobs *jobs, struct text name, struct error *err)
{
	return jobs->store->ops->schedule_delete(jobs->store, name, err);
}

enum status jobs_schedule_get(struct jobs *jobs, struct text name, struct arena *arena,
                              struct store_schedule *ret_schedule, struct error *err)
{
	return jobs->store->ops->schedule_get(jobs->store, name, arena, ret_schedule, err);
}

enum status jobs_schedule_list(struct jobs *jobs, struct arena *arena,
                               struct store_schedule **ret_schedules, size_t *ret_count,
                               struct error *err)
{
	return jobs->store->ops->schedule_list(jobs->store, arena, ret_schedules, ret_count, err);
}

/* ---- Firing ---- */

/* Whether the last job of this schedule has not ended yet. */
static enum status is_under_way(struct jobs *jobs, const struct store_schedule *schedule,
                                struct arena *arena, bool *ret_under_way, struct error *err)
{
	struct store_job job;
	*ret_under_way = false;
	if (schedule->last_id[0] == '\0')
		return STATUS_OK;
	enum status status =
		jobs->store->ops->job_get(jobs->store, schedule->last_id, arena, &job, err);
	if (status == STATUS_NOT_FOUND)
		return STATUS_OK;
	*ret_under_way =
		status == STATUS_OK && (job.state == STORE_JOB_QUEUED || job.state == STORE_JOB_RUNNING);
	return status;
}

static enum status fire(struct jobs *jobs, const struct store_schedule *schedule, int64_t next_ms,
                        int64_t now_ms, struct arena *arena, struct error *err)
{
	struct store_job job = {
		.kind        = schedule->kind,
		.params      = schedule->params,
		.asked_by    = text_of(arena_printf(arena, "schedule %.*s", TEXT_FORMAT(schedule->name))),
		.schedule    = schedule->name,
		.priority    = schedule->priority,
		.created_ms  = now_ms,
		.run_from_ms = now_ms,
	};
	uuid_new(job.id);
	enum status status = jobs->store->ops->schedule_fire(jobs->store, schedule->name,
	                                                     schedule->next_ms, next_ms, &job, err);
	if (status == STATUS_PRECONDITION)
		return STATUS_OK; /* it was changed just now, and is looked at again */
	if (status == STATUS_OK)
		jobs_tell(jobs, job.id);
	return status;
}

/* One schedule; `*next_ms` is lowered to when it is to be looked at again. */
static enum status look_at(struct jobs *jobs, const struct store_schedule *schedule, int64_t now_ms,
                           struct arena *arena, int64_t *next_ms, struct error *err)
{
	int64_t     at_ms = schedule->next_ms;
	struct cron cron;
	enum status status;
	/* A kind that is not there yet, or no longer. */
	if (!schedule->active || jobs_kind(jobs, schedule->kind) == NULL)
		return STATUS_OK;
	if (at_ms <= now_ms) {
		bool under_way;
		if ((status = is_under_way(jobs, schedule, arena, &under_way, err)) != STATUS_OK)
			return status;
		if (under_way)
			return STATUS_OK; /* when it ends, schedules are looked at */
		if ((status = cron_parse(schedule->cron, &cron, err)) != STATUS_OK)
			return status;
		/* From now on: what was missed in between is made up by this one. */
		at_ms = cron_next_ms(&cron, jobs->zone, now_ms);
		if ((status = fire(jobs, schedule, at_ms, now_ms, arena, err)) != STATUS_OK)
			return status;
	}
	if (at_ms < *next_ms)
		*next_ms = at_ms;
	return STATUS_OK;
}

enum status job_schedule_look(struct jobs *jobs, int64_t now_ms, int64_t *ret_next_ms,
                              struct error *err)
{
	struct store_schedule *schedules;
	size_t                 count   = 0;
	int64_t                next_ms = INSTANT_MS_NEVER;
	struct arena           arena;
	arena_init(&arena);
	enum status status = jobs_schedule_list(jobs, &arena, &schedules, &count, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = look_at(jobs, &schedules[i], now_ms, &arena, &next_ms, err);
	arena_done(&arena);
	if (status == STATUS_OK)
		*ret_next_ms = next_ms;
	return status;
}

enum status job_schedule_begin(struct jobs *jobs, int64_t now_ms, struct error *err)
{
	struct store_schedule *schedules;
	size_t                 count = 0;
	struct arena           arena;
	arena_init(&arena);
	enum status status = jobs_schedule_list(jobs, &arena, &schedules, &count, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct store_schedule *schedule = &schedules[i];
		struct cron            cron;
		if (schedule->next_ms <= now_ms)
			continue;
		status = cron_parse(schedule->cron, &cron, err);
		if (status == STATUS_OK) {
			schedule->next_ms = next_of(jobs, schedule, &cron, now_ms);
			status            = jobs->store->ops->schedule_put(jobs->store, schedule, err);
		}
	}
	arena_done(&arena);
	return status;
}
