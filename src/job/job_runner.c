/* The threads: what runs next, how a run ends, and what ran when the process ended. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/log.h"
#include "job/backoff.h"
#include "job/job_internal.h"

enum {
	CLOCK_POLL_MS  = 100,  /* how late a schedule may be */
	FAILED_WAIT_MS = 1000, /* before the store is asked again after an error */
	/* A process that ends during the same run so often, without a step forward, ends because of
	 * it; more often than a kind allows attempts, for it may as well have been the operator. */
	INTERRUPTIONS_MAX = 10,
};

static int64_t now_ms(struct jobs *jobs) { return jobs->now_ms(jobs->now_context); }

/* Linux keeps both for each thread; threads made by this one inherit them. A system that refuses
 * runs jobs at its usual priority. */
static void stand_back(const struct job_settings *settings)
{
	enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_BEST_EFFORT = 2 << 13, IOPRIO_LOWEST = 7 };
	setpriority(PRIO_PROCESS, (id_t)gettid(), (int)settings->nice);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_BEST_EFFORT | IOPRIO_LOWEST);
}

/* ---- What runs next ---- */

struct job *job_new(struct jobs *jobs, struct job_kind_state *kind)
{
	struct job        *job = calloc(1, sizeof *job);
	pthread_condattr_t attributes;
	assert(job != NULL);
	job->jobs = jobs;
	job->kind = kind;
	arena_init(&job->arena);
	pthread_mutex_init(&job->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&job->woken, &attributes);
	pthread_condattr_destroy(&attributes);
	return job;
}

void job_free(struct job *job)
{
	json_parser_free(job->parser);
	arena_done(&job->arena);
	pthread_mutex_destroy(&job->lock);
	pthread_cond_destroy(&job->woken);
	buffer_done(&job->resume);
	buffer_done(&job->result);
	buffer_done(&job->message);
	free(job);
}

/* Under the lock. */
static void enlist(struct jobs *jobs, struct job *job)
{
	job->after = jobs->running;
	if (jobs->running != NULL)
		jobs->running->before = job;
	jobs->running = job;
	job->kind->running++;
	if (jobs->stopping)
		job_wake(job, JOB_PAUSED);
}

static void delist(struct jobs *jobs, struct job *job)
{
	if (job->before != NULL)
		job->before->after = job->after;
	else
		jobs->running = job->after;
	if (job->after != NULL)
		job->after->before = job->before;
	job->kind->running--;
}

/* Takes the row's texts over into buffers that outlive each write. */
static void begin_row(struct job *job)
{
	buffer_add_text(&job->resume, job->row.resume);
	buffer_add_text(&job->result, job->row.result);
	buffer_add_text(&job->message, job->row.message);
	job->row.state      = STORE_JOB_RUNNING;
	job->row.saved      = false;
	job->row.started_ms = now_ms(job->jobs);
	job->row.attempt++;
	job->taken_ns = clock_monotonic_ns();
	atomic_store(&job->saved_at_ms, clock_monotonic_ms());
}

enum status job_take_up(struct job *job, struct error *err)
{
	struct jobs         *jobs = job->jobs;
	enum store_job_state was  = job->row.state;
	begin_row(job);
	/* Listed first, so that whoever cancels finds it from the moment on at which it runs. */
	pthread_mutex_lock(&jobs->lock);
	enlist(jobs, job);
	pthread_mutex_unlock(&jobs->lock);
	job->row.updated_ms = job->row.started_ms;
	job->row.resume     = buffer_text(&job->resume);
	enum status status  = jobs->store->ops->job_change(jobs->store, &job->row, was, err);
	if (status == STATUS_OK)
		return STATUS_OK;
	pthread_mutex_lock(&jobs->lock);
	delist(jobs, job);
	pthread_mutex_unlock(&jobs->lock);
	return status;
}

static bool goes_before(const struct store_job *a, const struct store_job *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->number < b->number;
}

static bool has_room(struct jobs *jobs, const struct job_kind_state *kind)
{
	pthread_mutex_lock(&jobs->lock);
	bool room = kind->running < kind->kind.beside_max;
	pthread_mutex_unlock(&jobs->lock);
	return room;
}

/* The most urgent of the kinds that have room; NULL: none is ready. */
static enum status find_ready(struct jobs *jobs, struct job **ret_job, struct error *err)
{
	struct job *best  = NULL;
	int64_t     at_ms = now_ms(jobs);
	for (size_t i = 0; i < jobs->kind_count; i++) {
		struct job_kind_state *kind = &jobs->kinds[i];
		if (kind->kind.run == NULL || !has_room(jobs, kind))
			continue;
		struct job *job    = job_new(jobs, kind);
		enum status status = jobs->store->ops->job_ready(jobs->store, text_of(kind->kind.name),
		                                                 at_ms, &job->arena, &job->row, err);
		if (status == STATUS_OK && (best == NULL || goes_before(&job->row, &best->row))) {
			struct job *other = best;
			best              = job;
			job               = other;
		}
		if (job != NULL)
			job_free(job);
		if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
			if (best != NULL)
				job_free(best);
			return status;
		}
	}
	*ret_job = best;
	return STATUS_OK;
}

/* Takes up the job that runs next. False: the store did not let us. */
static bool pick(struct jobs *jobs, struct job **ret_job)
{
	struct error err;
	enum status  status;
	do {
		*ret_job = NULL;
		status   = find_ready(jobs, ret_job, &err);
		if (status != STATUS_OK || *ret_job == NULL)
			break;
		status = job_take_up(*ret_job, &err);
		if (status != STATUS_OK) {
			job_free(*ret_job);
			*ret_job = NULL;
		}
	} while (status == STATUS_PRECONDITION);
	if (status != STATUS_OK)
		log_error("no job could be taken up", &err);
	return status == STATUS_OK;
}

/* ---- How a run ends ---- */

static void fail(struct job *job, const struct error *err)
{
	const struct job_kind *kind  = &job->kind->kind;
	int64_t                at_ms = now_ms(job->jobs);
	bool again      = status_retriable(err->status) && job->row.attempt < kind->attempts_max;
	job->row.code   = text_of(status_code(err->status));
	job->row.reason = arena_text(
		&job->arena, text_of(err->field[0] == '\0'
	                             ? err->reason
	                             : arena_printf(&job->arena, "%s: %s", err->field, err->reason)));
	job->row.state = again ? STORE_JOB_QUEUED : STORE_JOB_FAILED;
	if (!again) {
		job->row.finished_ms = at_ms;
		return;
	}
	uint64_t random;
	random_bytes(&random, sizeof random);
	job->row.run_from_ms =
		at_ms + backoff_ms(kind->backoff_ms, kind->backoff_ms_max, job->row.attempt, random);
}

static void settle(struct job *job, enum status status, const struct error *err)
{
	enum job_stop stop = job_stopping(job);
	if (status == STATUS_OK || stop != JOB_GO_ON)
		job->row.code = job->row.reason = TEXT("");
	if (status == STATUS_OK) {
		job->row.state       = STORE_JOB_DONE;
		job->row.finished_ms = now_ms(job->jobs);
	} else if (stop == JOB_CANCELLED) {
		job->row.state       = STORE_JOB_CANCELLED;
		job->row.finished_ms = now_ms(job->jobs);
	} else if (stop == JOB_PAUSED) {
		job->row.state = STORE_JOB_QUEUED;
		job->row.attempt--;
	} else {
		fail(job, err);
	}
}

static const char *state_name(enum store_job_state state)
{
	return state == STORE_JOB_QUEUED ? "queued again" : store_job_state_name(state);
}

static void log_end(const struct job *job, int64_t run_ns)
{
	enum log_level level = job->row.state == STORE_JOB_FAILED ? LOG_WARNING : LOG_INFO;
	char           code[64];
	snprintf(code, sizeof code, "%.*s", TEXT_FORMAT(job->row.code));
	log_line(level, "a job has ended", LOG_STRING("kind", job->kind->kind.name),
	         LOG_STRING("job", job->row.id), LOG_STRING("state", state_name(job->row.state)),
	         LOG_STRING("code", code), LOG_NUMBER("attempt", job->row.attempt),
	         LOG_NUMBER("ms", run_ns / 1000000));
}

/* Until it is written: what ran is not to run again for a full disk's sake. When the server stops
 * meanwhile, the row stays as it is and the job is taken up again at the next start. */
static bool write_end(struct job *job)
{
	struct error err;
	bool         told = false;
	for (;;) {
		pthread_mutex_lock(&job->lock);
		enum status status = job_write(job, &err);
		pthread_mutex_unlock(&job->lock);
		if (status == STATUS_OK)
			return true;
		if (!told)
			log_error("the end of a job could not be written", &err);
		told = true;
		pthread_mutex_lock(&job->jobs->lock);
		bool stopping = job->jobs->stopping;
		pthread_mutex_unlock(&job->jobs->lock);
		if (stopping || status == STATUS_PRECONDITION)
			return false;
		const struct timespec pause = {.tv_sec = FAILED_WAIT_MS / 1000};
		nanosleep(&pause, NULL);
	}
}

void job_finish(struct job *job, bool written)
{
	struct jobs *jobs   = job->jobs;
	int64_t      run_ns = clock_monotonic_ns() - job->taken_ns;
	if (written)
		log_end(job, run_ns);
	pthread_mutex_lock(&jobs->lock);
	delist(jobs, job);
	job->kind->run_ns += run_ns;
	if (written)
		job->kind->ended[job->row.state]++;
	if (job->row.state == STORE_JOB_QUEUED)
		jobs_wake_at(jobs, job->row.run_from_ms);
	jobs->look = true; /* its schedule may have waited for it */
	jobs_wake(jobs);
	pthread_mutex_unlock(&jobs->lock);
	jobs_tell(jobs, job->row.id);
	job_free(job);
}

static void run(struct job *job)
{
	struct error err    = {0};
	enum status  status = STATUS_OK;
	jobs_tell(job->jobs, job->row.id);
	job->parser = json_parser_new();
	status      = json_parse_text(job->parser, job->row.params, &job->params, &err);
	if (status == STATUS_OK)
		status = job->kind->kind.run(job->kind->kind.context, job, &err);
	settle(job, status, &err);
	job_finish(job, write_end(job));
}

/* ---- Threads ---- */

static void wait_ms(struct jobs *jobs, int64_t duration_ms)
{
	struct timespec until = clock_deadline(duration_ms);
	pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until);
}

static void *work(void *context)
{
	struct jobs *jobs = context;
	stand_back(jobs->settings);
	pthread_mutex_lock(&jobs->lock);
	while (!jobs->stopping) {
		if (jobs->picking || jobs->seen_news == jobs->news) {
			pthread_cond_wait(&jobs->wake, &jobs->lock);
			continue;
		}
		uint64_t    news = jobs->news;
		struct job *job;
		jobs->picking = true;
		pthread_mutex_unlock(&jobs->lock);
		bool asked = pick(jobs, &job);
		pthread_mutex_lock(&jobs->lock);
		if (!asked) /* the others wait meanwhile: they would fare no better */
			wait_ms(jobs, FAILED_WAIT_MS);
		else if (job == NULL)
			jobs->seen_news = news;
		jobs->picking = false;
		pthread_cond_broadcast(&jobs->wake);
		if (job != NULL) {
			pthread_mutex_unlock(&jobs->lock);
			run(job);
			pthread_mutex_lock(&jobs->lock);
		}
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

/* Adds what schedules want and finds out when to look again. */
static void look(struct jobs *jobs)
{
	struct error err;
	int64_t      at_ms = now_ms(jobs), schedule_ms = INSTANT_MS_NEVER, run_ms = INSTANT_MS_NEVER;
	enum status  status;
	if ((status = job_schedule_look(jobs, at_ms, &schedule_ms, &err)) != STATUS_OK ||
	    (status = jobs->store->ops->job_next_run(jobs->store, at_ms, &run_ms, &err)) != STATUS_OK)
		log_error("schedules could not be looked at", &err);
	pthread_mutex_lock(&jobs->lock);
	if (status != STATUS_OK)
		wait_ms(jobs, FAILED_WAIT_MS);
	jobs->look = jobs->look || status != STATUS_OK;
	jobs_wake_at(jobs, schedule_ms < run_ms ? schedule_ms : run_ms);
	jobs_wake(jobs);
	pthread_mutex_unlock(&jobs->lock);
}

static void *watch_clock(void *context)
{
	struct jobs *jobs = context;
	stand_back(jobs->settings);
	pthread_mutex_lock(&jobs->lock);
	while (!jobs->stopping) {
		if (!jobs->look && now_ms(jobs) < jobs->next_ms) {
			wait_ms(jobs, CLOCK_POLL_MS);
			continue;
		}
		jobs->look    = false;
		jobs->next_ms = INSTANT_MS_NEVER;
		pthread_mutex_unlock(&jobs->lock);
		look(jobs);
		pthread_mutex_lock(&jobs->lock);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

/* ---- Start and end ---- */

/* A job that ran when the process ended. */
static enum status take_back(struct jobs *jobs, struct store_job *row, struct error *err)
{
	const struct job_kind *kind = jobs_kind(jobs, row->kind);
	if (kind != NULL && kind->run == NULL)
		return STATUS_OK; /* who is followed knows what became of it */
	unsigned limit  = kind != NULL && kind->attempts_max > INTERRUPTIONS_MAX ? kind->attempts_max
	                                                                         : INTERRUPTIONS_MAX;
	row->updated_ms = now_ms(jobs);
	row->state      = STORE_JOB_QUEUED;
	if (row->cancel_wanted) {
		row->state       = STORE_JOB_CANCELLED;
		row->finished_ms = row->updated_ms;
	} else if (row->saved) {
		row->attempt--;
	} else if (row->attempt >= limit) {
		row->state       = STORE_JOB_FAILED;
		row->finished_ms = row->updated_ms;
		row->code        = text_of(status_code(STATUS_INTERNAL));
		row->reason      = TEXT("The process ended each time that it ran");
	}
	return jobs->store->ops->job_change(jobs->store, row, STORE_JOB_RUNNING, err);
}

static enum status take_all_back(struct jobs *jobs, struct error *err)
{
	struct store_job_filter filter = {.state = STORE_JOB_RUNNING,
	                                  .limit = JOB_KINDS_MAX * JOB_BESIDE_MAX};
	struct store_job       *rows;
	size_t                  count = 0;
	uint64_t                total;
	struct arena            arena;
	arena_init(&arena);
	enum status status =
		jobs->store->ops->job_list(jobs->store, &filter, &arena, &rows, &count, &total, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = take_back(jobs, &rows[i], err);
	arena_done(&arena);
	return status;
}

enum status jobs_start(struct jobs *jobs, struct error *err)
{
	enum status status;
	assert(!jobs->started);
	if ((status = take_all_back(jobs, err)) != STATUS_OK ||
	    (status = job_schedule_begin(jobs, now_ms(jobs), err)) != STATUS_OK ||
	    (status = job_files_sweep(jobs, err)) != STATUS_OK)
		return status;
	jobs->started      = true;
	jobs->stopping     = false;
	jobs->look         = true;
	jobs->thread_count = (unsigned)jobs->settings->threads;
	jobs->threads      = calloc(jobs->thread_count, sizeof *jobs->threads);
	assert(jobs->threads != NULL);
	int failed = pthread_create(&jobs->clock, NULL, watch_clock, jobs);
	for (unsigned i = 0; i < jobs->thread_count; i++)
		failed |= pthread_create(&jobs->threads[i], NULL, work, jobs);
	assert(failed == 0);
	return STATUS_OK;
}

void jobs_stop(struct jobs *jobs)
{
	if (!jobs->started)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->stopping = true;
	for (struct job *job = jobs->running; job != NULL; job = job->after)
		job_wake(job, JOB_PAUSED);
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->thread_count; i++)
		pthread_join(jobs->threads[i], NULL);
	pthread_join(jobs->clock, NULL);
	free(jobs->threads);
	jobs->threads = NULL;
	jobs->started = false;
}
