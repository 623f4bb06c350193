/* What a kind calls while it runs. */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "job/job_internal.h"

enum { WRITE_INTERVAL_MS = 1000, SECOND_NS = 1000000000 };

const char *job_id(const struct job *job) { return job->row.id; }

struct json job_params(const struct job *job) { return job->params; }

struct text job_state(const struct job *job) { return buffer_text(&job->resume); }

unsigned job_attempt(const struct job *job) { return job->row.attempt; }

int64_t job_now_ms(const struct job *job) { return job->jobs->now_ms(job->jobs->now_context); }

/* ---- Stopping ---- */

enum job_stop job_stopping(const struct job *job)
{
	return (enum job_stop)atomic_load_explicit(&job->stop, memory_order_relaxed);
}

void job_wake(struct job *job, enum job_stop why)
{
	pthread_mutex_lock(&job->lock);
	if (atomic_load(&job->stop) != JOB_CANCELLED) /* which also holds when the server stops */
		atomic_store(&job->stop, why);
	pthread_cond_broadcast(&job->woken);
	pthread_mutex_unlock(&job->lock);
}

static void sleep_ns(struct job *job, int64_t duration_ns)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t end_ns = until.tv_nsec + duration_ns;
	until.tv_sec += end_ns / SECOND_NS;
	until.tv_nsec = end_ns % SECOND_NS;
	pthread_mutex_lock(&job->lock);
	while (job_stopping(job) == JOB_GO_ON &&
	       pthread_cond_timedwait(&job->woken, &job->lock, &until) == 0)
		continue;
	pthread_mutex_unlock(&job->lock);
}

void job_sleep_ms(struct job *job, int64_t duration_ms)
{
	if (duration_ms > 0)
		sleep_ns(job, duration_ms * 1000000);
}

void job_use_bytes(struct job *job, uint64_t bytes)
{
	struct jobs *jobs = job->jobs;
	pthread_mutex_lock(&jobs->lock);
	int64_t wait_ns = bucket_take(&jobs->bucket, bytes, clock_monotonic_ns());
	jobs->used_bytes += bytes;
	pthread_mutex_unlock(&jobs->lock);
	if (wait_ns > 0)
		sleep_ns(job, wait_ns);
}

/* ---- Progress and state ---- */

enum status job_write(struct job *job, struct error *err)
{
	struct store *store = job->jobs->store;
	job->row.updated_ms = job_now_ms(job);
	job->row.message    = buffer_text(&job->message);
	job->row.resume     = buffer_text(&job->resume);
	job->row.result     = buffer_text(&job->result);
	job->written_ms     = clock_monotonic_ms();
	enum status status  = store->ops->job_change(store, &job->row, STORE_JOB_RUNNING, err);
	if (status == STATUS_OK && job->row.cancel_wanted)
		atomic_store(&job->stop, JOB_CANCELLED);
	return status;
}

/* Up to the limit, without half a character at the end. */
static void set_message(struct buffer *into, const char *message)
{
	size_t length = strnlen(message, JOB_MESSAGE_BYTES_MAX + 1);
	if (length > JOB_MESSAGE_BYTES_MAX) {
		length = JOB_MESSAGE_BYTES_MAX;
		while (length > 0 && ((unsigned char)message[length] & 0xc0) == 0x80)
			length--;
	}
	buffer_clear(into);
	buffer_add(into, message, length);
}

void job_progress(struct job *job, int64_t done, int64_t total, const char *unit,
                  const char *message)
{
	struct error err;
	int64_t      now_ms = clock_monotonic_ms();
	pthread_mutex_lock(&job->lock);
	job->row.done  = done;
	job->row.total = total;
	if (unit != NULL)
		job->row.unit = text_of(unit);
	if (message != NULL)
		set_message(&job->message, message);
	bool tell = now_ms - job->told_ms >= JOB_TELL_INTERVAL_MS;
	if (tell)
		job->told_ms = now_ms;
	/* What fails here is tried again an interval later; job_save() tells of it. */
	if (now_ms - job->written_ms >= WRITE_INTERVAL_MS && job_write(job, &err) != STATUS_OK)
		job->written_ms = now_ms;
	pthread_mutex_unlock(&job->lock);
	if (tell)
		jobs_tell(job->jobs, job->row.id);
}

enum status job_save(struct job *job, struct text state, struct error *err)
{
	assert(state.length <= JOB_STATE_BYTES_MAX);
	pthread_mutex_lock(&job->lock);
	struct buffer before       = job->resume;
	bool          before_saved = job->row.saved;
	job->resume                = (struct buffer){0};
	buffer_add_text(&job->resume, state);
	job->row.saved     = true;
	enum status status = job_write(job, err);
	if (status == STATUS_OK) {
		buffer_done(&before);
		atomic_store(&job->saved_at_ms, clock_monotonic_ms());
	} else {
		buffer_done(&job->resume);
		job->resume    = before;
		job->row.saved = before_saved;
	}
	pthread_mutex_unlock(&job->lock);
	return status;
}

bool job_save_due(const struct job *job)
{
	return clock_monotonic_ms() - atomic_load(&job->saved_at_ms) >= JOB_SAVE_INTERVAL_MS;
}

void job_set_result(struct job *job, struct text json)
{
	assert(json.length <= JOB_RESULT_BYTES_MAX);
	pthread_mutex_lock(&job->lock);
	buffer_clear(&job->result);
	buffer_add_text(&job->result, json);
	pthread_mutex_unlock(&job->lock);
}

void job_overlay(struct jobs *jobs, struct store_job *row, struct arena *arena)
{
	if (row->state != STORE_JOB_RUNNING)
		return;
	for (struct job *job = jobs->running; job != NULL; job = job->after) {
		if (strcmp(job->row.id, row->id) != 0)
			continue;
		pthread_mutex_lock(&job->lock);
		row->done    = job->row.done;
		row->total   = job->row.total;
		row->unit    = arena_text(arena, job->row.unit); /* of a job taken up, it lies in that */
		row->message = arena_text(arena, buffer_text(&job->message));
		pthread_mutex_unlock(&job->lock);
	}
}

/* ---- Files ---- */

enum status job_file_path(const struct job *job, const char *name, char ret_path[JOB_PATH_BYTES],
                          struct error *err)
{
	const char *directory = job->jobs->directory;
	assert(job_files_name_valid(text_of(name)));
	int length = snprintf(ret_path, JOB_PATH_BYTES, "%s/%s", directory, job->row.id);
	if (length >= JOB_PATH_BYTES)
		return error_set(err, STATUS_INVALID, "The path of the jobs' directory is too long");
	enum status status = directory_create(ret_path, 0700, err);
	if (status != STATUS_OK)
		return status;
	if (snprintf(ret_path, JOB_PATH_BYTES, "%s/%s/%s", directory, job->row.id, name) >=
	    JOB_PATH_BYTES)
		return error_set(err, STATUS_INVALID, "The path of the jobs' directory is too long");
	return STATUS_OK;
}
