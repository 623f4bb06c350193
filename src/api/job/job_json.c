#include "api/job/job_json.h"

#include "base/instant.h"

static void member_instant(struct json_writer *w, const char *name, int64_t ms)
{
	if (ms == INSTANT_MS_NONE)
		json_member_null(w, name);
	else
		json_member_instant(w, name, ms);
}

static void write_progress(struct json_writer *w, const struct store_job *job)
{
	json_add_key(w, TEXT("progress"));
	json_begin_object(w);
	json_member_int(w, "done", job->done);
	if (job->total < 0)
		json_member_null(w, "total");
	else
		json_member_int(w, "total", job->total);
	json_member_string(w, "unit", job->unit);
	json_member_string(w, "message", job->message);
	json_end_object(w);
}

static void write_error(struct json_writer *w, const struct store_job *job)
{
	if (job->code.length == 0) {
		json_member_null(w, "error");
		return;
	}
	json_add_key(w, TEXT("error"));
	json_begin_object(w);
	json_member_string(w, "code", job->code);
	json_member_string(w, "message", job->reason);
	json_end_object(w);
}

static void member_json(struct json_writer *w, const char *name, struct text json)
{
	if (json.length == 0) {
		json_member_null(w, name);
		return;
	}
	json_add_key(w, text_of(name));
	json_add_raw(w, json);
}

void job_json_begin(struct json_writer *w, const struct jobs *jobs, const struct store_job *job)
{
	const struct job_kind *kind = jobs_kind(jobs, job->kind);
	json_begin_object(w);
	json_member_string(w, "id", text_of(job->id));
	json_member_string(w, "kind", job->kind);
	json_member_string(w, "state", text_of(store_job_state_name(job->state)));
	json_member_int(w, "priority", job->priority);
	member_json(w, "params", job->params);
	json_member_string(w, "askedBy", job->asked_by);
	if (job->schedule.length == 0)
		json_member_null(w, "schedule");
	else
		json_member_string(w, "schedule", job->schedule);
	json_member_int(w, "attempt", job->attempt);
	if (kind == NULL)
		json_member_null(w, "attemptsMax");
	else
		json_member_int(w, "attemptsMax", kind->attempts_max);
	json_member_bool(w, "cancelWanted", job->cancel_wanted);
	member_instant(w, "createdAt", job->created_ms);
	member_instant(w, "runFrom", job->run_from_ms);
	member_instant(w, "startedAt", job->started_ms);
	member_instant(w, "finishedAt", job->finished_ms);
	member_instant(w, "updatedAt", job->updated_ms);
	write_progress(w, job);
	member_json(w, "result", job->result);
	write_error(w, job);
}

void job_json_write(struct json_writer *w, const struct jobs *jobs, const struct store_job *job)
{
	job_json_begin(w, jobs, job);
	json_end_object(w);
}

void job_json_files(struct json_writer *w, const struct job_file *files, size_t count)
{
	json_add_key(w, TEXT("files"));
	json_begin_array(w);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(w);
		json_member_string(w, "name", files[i].name);
		json_member_int(w, "bytes", (int64_t)files[i].bytes);
		json_end_object(w);
	}
	json_end_array(w);
}
