#include "job/job.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/zone.h"
#include "job/job_internal.h"

enum { PAGE = 200 };

/* ---- Life ---- */

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

enum status jobs_open(const struct jobs_config *config, struct jobs **ret_jobs, struct error *err)
{
	struct zone *zone;
	enum status  status;
	assert(config->settings->threads >= 1);
	if ((status = directory_create(config->directory, 0700, err)) != STATUS_OK)
		return status;
	if ((status = zone_open(text_of(config->settings->zone), &zone, err)) != STATUS_OK)
		return error_set(err, status, "--schedule-zone: there is no time zone \"%s\"",
		                 config->settings->zone);
	struct jobs *jobs = calloc(1, sizeof *jobs);
	assert(jobs != NULL);
	jobs->store       = config->store;
	jobs->directory   = strdup(config->directory);
	jobs->settings    = config->settings;
	jobs->now_ms      = config->now_ms;
	jobs->now_context = config->now_context;
	jobs->zone        = zone;
	jobs->next_ms     = INSTANT_MS_NEVER;
	assert(jobs->directory != NULL);
	bucket_init(&jobs->bucket, config->settings->bandwidth_bytes_s, clock_monotonic_ns());
	pthread_mutex_init(&jobs->lock, NULL);
	init_cond(&jobs->wake);
	if ((status = job_restored_load(jobs, err)) != STATUS_OK) {
		jobs_free(jobs);
		return status;
	}
	*ret_jobs = jobs;
	return STATUS_OK;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	assert(!jobs->started && jobs->running == NULL);
	pthread_mutex_destroy(&jobs->lock);
	pthread_cond_destroy(&jobs->wake);
	zone_close(jobs->zone);
	free(jobs->directory);
	free(jobs);
}

const char *jobs_zone(const struct jobs *jobs) { return jobs->settings->zone; }

void jobs_listen(struct jobs *jobs, job_listen_fn *listen, void *context)
{
	assert(!jobs->started);
	jobs->listen         = listen;
	jobs->listen_context = context;
}

void jobs_tell(struct jobs *jobs, const char *id)
{
	if (jobs->listen != NULL)
		jobs->listen(jobs->listen_context, id);
}

void jobs_wake(struct jobs *jobs)
{
	jobs->news++;
	pthread_cond_broadcast(&jobs->wake);
}

void jobs_wake_at(struct jobs *jobs, int64_t at_ms)
{
	if (at_ms < jobs->next_ms)
		jobs->next_ms = at_ms;
}

/* ---- Kinds ---- */

void jobs_register(struct jobs *jobs, const struct job_kind *kind)
{
	assert(!jobs->started && jobs->kind_count < JOB_KINDS_MAX);
	assert(kind->check != NULL && kind->summary != NULL);
	assert(strlen(kind->name) >= 1 && strlen(kind->name) <= JOB_KIND_NAME_MAX);
	assert(jobs_kind(jobs, text_of(kind->name)) == NULL);
	assert(kind->beside_max >= 1 && kind->beside_max <= JOB_BESIDE_MAX);
	assert(kind->priority >= JOB_PRIORITY_MIN && kind->priority <= JOB_PRIORITY_MAX);
	assert(kind->attempts_max >= 1 && kind->attempts_max <= JOB_ATTEMPTS_MAX);
	assert(kind->backoff_ms >= 0 && kind->backoff_ms_max >= kind->backoff_ms);
	assert(kind->keep_ms >= 0);
	jobs->kinds[jobs->kind_count++].kind = *kind;
}

struct job_kind_state *jobs_kind_state(struct jobs *jobs, struct text name)
{
	for (size_t i = 0; i < jobs->kind_count; i++)
		if (text_equal(text_of(jobs->kinds[i].kind.name), name))
			return &jobs->kinds[i];
	return NULL;
}

const struct job_kind *jobs_kind(const struct jobs *jobs, struct text name)
{
	for (size_t i = 0; i < jobs->kind_count; i++)
		if (text_equal(text_of(jobs->kinds[i].kind.name), name))
			return &jobs->kinds[i].kind;
	return NULL;
}

const struct job_kind *jobs_kind_at(const struct jobs *jobs, size_t index)
{
	return index < jobs->kind_count ? &jobs->kinds[index].kind : NULL;
}

enum status job_check_none(void *context, struct json params, struct error *err)
{
	struct json_iterator members = json_iterate(params);
	char                 field[ERROR_FIELD_BYTES_MAX];
	(void)context;
	if (!json_next(&members))
		return STATUS_OK;
	snprintf(field, sizeof field, "params.%.*s", TEXT_FORMAT(members.name));
	return error_set_field(err, STATUS_INVALID, field, "This kind of job takes no parameters");
}

/* ---- Adding ---- */

static enum status check_needs(const struct job_kind *kind, struct json params,
                               const struct job_asker *asker, struct error *err)
{
	if (kind->needs == NULL || asker->allows == NULL)
		return STATUS_OK;
	for (const struct job_need *need = kind->needs(kind->context, params); need->scope != NULL;
	     need++)
		if (!asker->allows(asker->context, need->scope))
			return error_set_field(err, STATUS_FORBIDDEN, need->field == NULL ? "" : need->field,
			                       "A job of the kind \"%s\" needs the scope %s%s", kind->name,
			                       need->scope, need->field == NULL ? "" : " for this");
	return STATUS_OK;
}

static enum status check_params(const struct job_kind *kind, struct text params,
                                const struct job_asker *asker, struct error *err)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	enum status         status = json_parse_text(parser, params, &root, err);
	if (status != STATUS_OK || json_type(root) != JSON_OBJECT)
		status = error_set_field(err, STATUS_INVALID, "params", "A JSON object is needed");
	else
		status = kind->check(kind->context, root, err);
	if (status == STATUS_OK)
		status = check_needs(kind, root, asker, err);
	json_parser_free(parser);
	return status;
}

enum status jobs_allow(struct jobs *jobs, const struct store_job *job,
                       const struct job_asker *asker, struct error *err)
{
	const struct job_kind *kind = jobs_kind(jobs, job->kind);
	if (kind == NULL)
		return error_set(err, STATUS_CONFLICT, "This server knows no jobs of the kind \"%.*s\"",
		                 TEXT_FORMAT(job->kind));
	struct json_parser *parser = json_parser_new();
	struct json         params;
	enum status         status = json_parse_text(parser, job->params, &params, err);
	if (status == STATUS_OK)
		status = check_needs(kind, params, asker, err);
	json_parser_free(parser);
	return status;
}

enum status jobs_check(struct jobs *jobs, struct text name, struct text params,
                       const struct job_asker *asker, int *priority, struct error *err)
{
	const struct job_kind *kind = jobs_kind(jobs, name);
	if (kind == NULL)
		return error_set_field(err, STATUS_INVALID, "kind", "There is no kind of job of this name");
	if (kind->run == NULL)
		return error_set_field(err, STATUS_INVALID, "kind",
		                       "Nobody adds jobs of this kind: they follow what runs elsewhere");
	if (*priority == JOB_PRIORITY_OF_KIND)
		*priority = kind->priority;
	if (*priority < JOB_PRIORITY_MIN || *priority > JOB_PRIORITY_MAX)
		return error_set_field(err, STATUS_INVALID, "priority", "Must be from %d to %d",
		                       JOB_PRIORITY_MIN, JOB_PRIORITY_MAX);
	if (params.length > JOB_PARAMS_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "params", "Longer than %d bytes",
		                       JOB_PARAMS_BYTES_MAX);
	return check_params(kind, params, asker, err);
}

static enum status check_room(struct jobs *jobs, struct text kind, struct arena *arena,
                              struct error *err)
{
	struct store_job_filter filter = {.kind = kind, .state = STORE_JOB_QUEUED, .limit = 1};
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	enum status             status =
		jobs->store->ops->job_list(jobs->store, &filter, arena, &rows, &count, &total, err);
	if (status != STATUS_OK || total < JOB_QUEUED_MAX)
		return status;
	return error_set(err, STATUS_LIMITED, "%d jobs of this kind wait already", JOB_QUEUED_MAX);
}

enum status jobs_add(struct jobs *jobs, const struct job_wish *wish, struct arena *arena,
                     struct store_job *ret_job, struct error *err)
{
	int64_t now_ms = jobs->now_ms(jobs->now_context);
	assert(wish->asker != NULL);
	struct store_job job = {
		.kind        = arena_text(arena, text_of(wish->kind)),
		.params      = arena_text(arena, wish->params.length > 0 ? wish->params : TEXT("{}")),
		.asked_by    = arena_text(arena, wish->asker->name),
		.priority    = wish->priority,
		.created_ms  = now_ms,
		.run_from_ms = wish->run_from_ms > now_ms ? wish->run_from_ms : now_ms,
	};
	enum status status;
	if (wish->id != NULL)
		memcpy(job.id, wish->id, sizeof job.id);
	else
		uuid_new(job.id);
	if ((status = jobs_check(jobs, job.kind, job.params, wish->asker, &job.priority, err)) !=
	        STATUS_OK ||
	    (status = check_room(jobs, job.kind, arena, err)) != STATUS_OK ||
	    (status = jobs->store->ops->job_add(jobs->store, &job, err)) != STATUS_OK)
		return status;
	pthread_mutex_lock(&jobs->lock);
	if (job.run_from_ms > now_ms)
		jobs_wake_at(jobs, job.run_from_ms);
	else
		jobs_wake(jobs);
	pthread_mutex_unlock(&jobs->lock);
	jobs_tell(jobs, job.id);
	*ret_job = job;
	return STATUS_OK;
}

/* ---- Reading ---- */

static void overlay(struct jobs *jobs, struct store_job *rows, size_t count, struct arena *arena)
{
	pthread_mutex_lock(&jobs->lock);
	for (size_t i = 0; i < count; i++)
		job_overlay(jobs, &rows[i], arena);
	pthread_mutex_unlock(&jobs->lock);
}

enum status jobs_get(struct jobs *jobs, const char *id, struct arena *arena,
                     struct store_job *ret_job, struct error *err)
{
	struct store_job job;
	enum status      status = jobs->store->ops->job_get(jobs->store, id, arena, &job, err);
	if (status != STATUS_OK)
		return status;
	overlay(jobs, &job, 1, arena);
	*ret_job = job;
	return STATUS_OK;
}

enum status jobs_list(struct jobs *jobs, const struct store_job_filter *filter, struct arena *arena,
                      struct store_job **ret_jobs, size_t *ret_count, uint64_t *ret_total,
                      struct error *err)
{
	enum status status =
		jobs->store->ops->job_list(jobs->store, filter, arena, ret_jobs, ret_count, ret_total, err);
	if (status == STATUS_OK)
		overlay(jobs, *ret_jobs, *ret_count, arena);
	return status;
}

enum status jobs_each(struct jobs *jobs, struct store_job_filter filter, job_each_fn *each,
                      void *context, struct error *err)
{
	struct arena      arena;
	struct store_job *rows;
	size_t            count;
	uint64_t          total;
	enum status       status;
	filter.limit = PAGE;
	arena_init(&arena);
	do {
		arena_reset(&arena);
		status =
			jobs->store->ops->job_list(jobs->store, &filter, &arena, &rows, &count, &total, err);
		for (size_t i = 0; status == STATUS_OK && i < count; i++) {
			filter.before_number = rows[i].number;
			status               = each(context, &rows[i], &arena, err);
		}
	} while (status == STATUS_OK && count == PAGE);
	arena_done(&arena);
	return status;
}

/* ---- Changing ---- */

static void stop_running(struct jobs *jobs, const char *id)
{
	pthread_mutex_lock(&jobs->lock);
	for (struct job *job = jobs->running; job != NULL; job = job->after)
		if (strcmp(job->row.id, id) == 0)
			job_wake(job, JOB_CANCELLED);
	pthread_mutex_unlock(&jobs->lock);
}

/* What a job follows is told first: it may be too late, and then the job is not marked either. */
static enum status cancel_followed(struct jobs *jobs, const char *id, struct arena *arena,
                                   struct error *err)
{
	struct store_job       job;
	enum status            status = jobs->store->ops->job_get(jobs->store, id, arena, &job, err);
	const struct job_kind *kind   = status == STATUS_OK ? jobs_kind(jobs, job.kind) : NULL;
	if (kind == NULL || kind->run != NULL || job.cancel_wanted ||
	    (job.state != STORE_JOB_RUNNING && job.state != STORE_JOB_QUEUED))
		return status;
	struct json_parser *parser = json_parser_new();
	struct json         params;
	status = json_parse_text(parser, job.params, &params, err);
	if (status == STATUS_OK)
		status = kind->cancel(kind->context, params, err);
	json_parser_free(parser);
	return status;
}

enum status jobs_cancel(struct jobs *jobs, const char *id, struct arena *arena,
                        struct store_job *ret_job, struct error *err)
{
	struct store_job job;
	enum status      status = cancel_followed(jobs, id, arena, err);
	if (status == STATUS_OK)
		status = jobs->store->ops->job_cancel(jobs->store, id, jobs->now_ms(jobs->now_context),
		                                      arena, &job, err);
	if (status != STATUS_OK)
		return status;
	stop_running(jobs, id);
	overlay(jobs, &job, 1, arena);
	jobs_tell(jobs, id);
	*ret_job = job;
	return STATUS_OK;
}

enum status jobs_retry(struct jobs *jobs, const char *id, const struct job_asker *asker,
                       struct arena *arena, struct store_job *ret_job, struct error *err)
{
	struct store_job job;
	enum status      status = jobs->store->ops->job_get(jobs->store, id, arena, &job, err);
	if (status != STATUS_OK)
		return status;
	enum store_job_state was = job.state;
	if (was != STORE_JOB_FAILED && was != STORE_JOB_CANCELLED)
		return error_set(err, STATUS_CONFLICT, "Only a failed or cancelled job can be retried");
	const struct job_kind *kind = jobs_kind(jobs, job.kind);
	if (kind != NULL && kind->run == NULL)
		return error_set(err, STATUS_CONFLICT, "Jobs of this kind follow what runs elsewhere");
	if ((status = jobs_allow(jobs, &job, asker, err)) != STATUS_OK ||
	    (status = check_room(jobs, job.kind, arena, err)) != STATUS_OK)
		return status;
	job.state       = STORE_JOB_QUEUED;
	job.attempt     = 0;
	job.finished_ms = INSTANT_MS_NONE;
	job.run_from_ms = job.updated_ms = jobs->now_ms(jobs->now_context);
	status                           = jobs->store->ops->job_change(jobs->store, &job, was, err);
	if (status == STATUS_PRECONDITION)
		return error_set(err, STATUS_CONFLICT, "The job was changed at the same time");
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&jobs->lock);
	jobs_wake(jobs);
	pthread_mutex_unlock(&jobs->lock);
	jobs_tell(jobs, id);
	*ret_job = job;
	return STATUS_OK;
}
