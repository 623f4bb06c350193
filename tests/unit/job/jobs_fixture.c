#include "jobs_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/instant.h"

enum { AWAIT_MS_MAX = 60000 };

static void pause_ms(int64_t duration_ms)
{
	const struct timespec pause = {.tv_nsec = duration_ms * 1000000};
	nanosleep(&pause, NULL);
}

static int64_t fixture_now_ms(void *context) { return ((struct fixture *)context)->now_ms; }

static enum status run(void *context, struct job *job, struct error *err)
{
	struct fixture *f   = context;
	int             now = ++f->at_once;
	if (now > f->at_once_max)
		f->at_once_max = now;
	f->runs++;
	enum status status = f->play(f, job, err);
	f->at_once--;
	return status;
}

static enum status check(void *context, struct json params, struct error *err)
{
	(void)context;
	return json_type(json_get(params, "bad")) == JSON_NONE
	           ? STATUS_OK
	           : error_set_field(err, STATUS_INVALID, "params.bad", "Not this one");
}

static const struct job_need *needs(void *context, struct json params)
{
	static const struct job_need always[] = {{"play", NULL}, {0}};
	static const struct job_need secret[] = {{"play", NULL}, {"secret", "params.secret"}, {0}};
	(void)context;
	return json_type(json_get(params, "secret")) == JSON_NONE ? always : secret;
}

void fixture_open(struct fixture *f)
{
	char path[128], directory[128];
	snprintf(path, sizeof path, "%s/store.db", f->directory);
	snprintf(directory, sizeof directory, "%s/jobs", f->directory);
	assert_ok(f, sqlite_store_open(path, &f->store, &f->err));
	struct jobs_config config = {.store       = f->store,
	                             .directory   = directory,
	                             .settings    = &f->settings,
	                             .now_ms      = fixture_now_ms,
	                             .now_context = f};
	assert_ok(f, jobs_open(&config, &f->jobs, &f->err));
	struct job_kind kind = {.name           = "play",
	                        .summary        = "Does what the test says",
	                        .check          = check,
	                        .needs          = needs,
	                        .run            = run,
	                        .context        = f,
	                        .beside_max     = 1,
	                        .priority       = 10,
	                        .attempts_max   = 3,
	                        .backoff_ms     = 1000,
	                        .backoff_ms_max = 60000};
	jobs_register(f->jobs, &kind);
	kind.name       = "pair";
	kind.beside_max = 2;
	jobs_register(f->jobs, &kind);
}

void fixture_start(struct fixture *f) { assert_ok(f, jobs_start(f->jobs, &f->err)); }

void fixture_stop(struct fixture *f)
{
	jobs_stop(f->jobs);
	jobs_free(f->jobs);
	f->store->ops->free(f->store);
	f->jobs  = NULL;
	f->store = NULL;
}

/* The store as it is now is what a killed process leaves. */
void fixture_crash(struct fixture *f)
{
	struct store_job_filter filter = {.state = STORE_JOB_RUNNING, .limit = 100};
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	assert_ok(
		f, f->store->ops->job_list(f->store, &filter, &f->arena, &rows, &count, &total, &f->err));
	jobs_stop(f->jobs);
	for (size_t i = 0; i < count; i++) {
		struct store_job after = get(f, rows[i].id);
		assert_ok(f, f->store->ops->job_change(f->store, &rows[i], after.state, &f->err));
	}
	jobs_free(f->jobs);
	f->store->ops->free(f->store);
	f->jobs  = NULL;
	f->store = NULL;
}

int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	snprintf(f->directory, sizeof f->directory, "/tmp/sonnim-jobs-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	arena_init(&f->arena);
	f->settings =
		(struct job_settings){.threads = 3, .retention_ms = DAY_MS, .zone = (char *)"UTC"};
	f->now_ms = 1000000;
	f->play   = play_nothing;
	fixture_open(f);
	*state = f;
	return 0;
}

int fixture_free(void **state)
{
	struct fixture *f = *state;
	char            command[128];
	f->gate = 1;
	if (f->jobs != NULL)
		fixture_stop(f);
	arena_done(&f->arena);
	snprintf(command, sizeof command, "rm -r %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

const struct job_asker fixture_asker = {.name = TEXT("a test")};

struct store_job add(struct fixture *f, const char *kind, int priority)
{
	struct job_wish  wish = {.kind = kind, .priority = priority, .asker = &fixture_asker};
	struct store_job job;
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
	return job;
}

struct store_job get(struct fixture *f, const char *id)
{
	struct store_job job;
	assert_ok(f, jobs_get(f->jobs, id, &f->arena, &job, &f->err));
	return job;
}

struct store_job await(struct fixture *f, const char *id, enum store_job_state state)
{
	for (int waited = 0; waited < AWAIT_MS_MAX; waited++) {
		struct store_job job = get(f, id);
		if (job.state == state)
			return job;
		pause_ms(1);
	}
	fail_msg("it never was %s", store_job_state_name(state));
	return (struct store_job){0};
}

void await_number(_Atomic int *number, int at_least)
{
	for (int waited = 0; *number < at_least; waited++) {
		if (waited == AWAIT_MS_MAX)
			fail_msg("%d was never reached", at_least);
		pause_ms(1);
	}
}

enum status play_nothing(struct fixture *f, struct job *job, struct error *err)
{
	(void)f;
	(void)job;
	(void)err;
	return STATUS_OK;
}

enum status play_gate(struct fixture *f, struct job *job, struct error *err)
{
	while (f->gate == 0) {
		if (job_stopping(job) != JOB_GO_ON)
			return error_set(err, STATUS_AGAIN, "told to stop");
		job_sleep_ms(job, 1);
	}
	return STATUS_OK;
}
