#include "app/background/backfill.h"

#include <stdio.h>

#include "base/log.h"

enum { PER_MILLE = 1000, PRIORITY = 50 };

static uint64_t change_of(struct json params)
{
	struct json change = json_get(params, "change");
	return json_type(change) == JSON_INT ? json_uint(change) : UINT64_MAX;
}

static enum status cancel(void *context, struct json params, struct error *err)
{
	const struct backfill *backfill = context;
	return definition_cancel(backfill->definitions, change_of(params), err);
}

void backfill_register(struct backfill *backfill, struct jobs *jobs)
{
	const struct job_kind kind = {.name         = BACKFILL_KIND,
	                              .summary      = "Builds segments from stored events",
	                              .check        = job_check_none,
	                              .beside_max   = 1,
	                              .priority     = PRIORITY,
	                              .attempts_max = JOB_ATTEMPTS_MAX,
	                              .cancel       = cancel,
	                              .context      = backfill};
	jobs_register(jobs, &kind);
	*backfill = (struct backfill){.jobs = jobs};
}

void backfill_open(struct backfill *backfill, struct definitions *definitions)
{
	backfill->definitions = definitions;
}

static enum store_job_state fate(void *context, struct json params)
{
	const struct definition_recovery *recovery = context;
	uint64_t                          id       = change_of(params);
	if (id == recovery->pending_id)
		return STORE_JOB_RUNNING;
	for (size_t i = 0; i < recovery->abandoned_count; i++)
		if (recovery->abandoned[i] == id)
			return STORE_JOB_CANCELLED;
	return id <= recovery->last_id ? STORE_JOB_DONE : STORE_JOB_CANCELLED;
}

static void recovered(void *context, const struct definition_recovery *recovery)
{
	struct backfill           *backfill = context;
	struct definition_recovery copy     = *recovery;
	struct error               err;
	if (jobs_follow_up(backfill->jobs, BACKFILL_KIND, fate, &copy, &backfill->job, &err) !=
	    STATUS_OK)
		log_error("jobs of backfills could not be settled", &err);
}

static void write_params(const struct definition_change *change, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_int(&w, "change", (int64_t)change->id);
	json_add_key(&w, TEXT("segments"));
	json_begin_array(&w);
	for (size_t i = 0; i < change->count; i++) {
		json_begin_object(&w);
		json_member_string(&w, "id", text_of(change->segments[i].id));
		json_member_int(&w, "version", change->segments[i].version);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_member_int(&w, "derived", (int64_t)change->derived_count);
	json_end_object(&w);
}

static void begun(void *context, const struct definition_change *change)
{
	struct backfill *backfill = context;
	struct buffer    params   = {0};
	struct error     err;
	if (backfill->job != NULL) /* by the process before this one */
		return;
	write_params(change, &params);
	const struct job_asker asker = {.name = TEXT("definition")};
	const struct job_wish  wish  = {
		  .kind = BACKFILL_KIND, .params = buffer_text(&params), .asker = &asker};
	if (jobs_follow(backfill->jobs, &wish, &backfill->job, &err) != STATUS_OK)
		log_error("a backfill goes on without a job to show it", &err);
	buffer_done(&params);
}

static void progressed(void *context, unsigned progress)
{
	struct backfill *backfill = context;
	if (backfill->job != NULL)
		job_progress(backfill->job, progress, PER_MILLE, "per mille",
		             progress < PER_MILLE ? "reads stored events" : "becomes live");
}

static void ended(void *context, enum definition_end end)
{
	static const enum store_job_state states[] = {
		[DEFINITION_END_LIVE]      = STORE_JOB_DONE,
		[DEFINITION_END_ABANDONED] = STORE_JOB_CANCELLED,
		[DEFINITION_END_LEFT]      = STORE_JOB_RUNNING,
	};
	struct backfill *backfill = context;
	job_unfollow(backfill->job, states[end]);
	backfill->job = NULL;
}

struct definition_watch backfill_watch(struct backfill *backfill)
{
	return (struct definition_watch){.context    = backfill,
	                                 .recovered  = recovered,
	                                 .begun      = begun,
	                                 .progressed = progressed,
	                                 .ended      = ended};
}
