#include "jobs_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"

/* ---- The queue ---- */

static void a_job_that_is_added_runs_and_is_done(void **state)
{
	struct fixture *f = *state;
	fixture_start(f);
	struct store_job job = add(f, "play", JOB_PRIORITY_OF_KIND);
	assert_int_equal(job.state, STORE_JOB_QUEUED);
	assert_int_equal(job.priority, 10);
	assert_int_equal(job.created_ms, 1000000);

	f->now_ms = 1000500;
	job       = await(f, job.id, STORE_JOB_DONE);
	assert_int_equal(f->runs, 1);
	assert_int_equal(job.attempt, 1);
	assert_true(text_equal(job.asked_by, TEXT("a test")));
	assert_true(job.finished_ms >= job.started_ms);
}

static bool allows_one(void *context, const char *scope) { return strcmp(context, scope) == 0; }

static struct job_asker asker_with(const char *scope)
{
	return (struct job_asker){TEXT("token 1"), allows_one, (void *)(uintptr_t)scope};
}

static void who_lacks_what_a_kind_needs_is_refused_at_every_door(void **state)
{
	struct fixture        *f        = *state;
	const struct job_asker player   = asker_with("play");
	const struct job_asker stranger = asker_with("secret");
	const struct text      secret   = TEXT("{\"secret\":1}");
	struct job_wish        wish     = {.kind = "play", .params = secret, .asker = &player};
	struct store_schedule  schedule = {.name   = TEXT("nightly"),
	                                   .kind   = TEXT("play"),
	                                   .params = secret,
	                                   .cron   = TEXT("0 3 * * *"),
	                                   .active = true};
	struct store_job       job;

	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_FORBIDDEN);
	assert_string_equal(f->err.field, "params.secret");
	assert_non_null(strstr(f->err.reason, "secret"));
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &player, &f->err), STATUS_FORBIDDEN);
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &stranger, &f->err), STATUS_FORBIDDEN);

	wish.asker = &fixture_asker;
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
	assert_ok(f, jobs_cancel(f->jobs, job.id, &f->arena, &job, &f->err));
	assert_int_equal(jobs_retry(f->jobs, job.id, &player, &f->arena, &job, &f->err),
	                 STATUS_FORBIDDEN);
	assert_int_equal(jobs_allow(f->jobs, &job, &player, &f->err), STATUS_FORBIDDEN);

	wish = (struct job_wish){.kind = "play", .asker = &stranger};
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_FORBIDDEN);
	assert_string_equal(f->err.field, "");
	wish.asker      = &player;
	schedule.params = TEXT("{}");
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
	assert_ok(f, jobs_schedule_put(f->jobs, &schedule, &player, &f->err));
}

static void what_a_kind_does_not_understand_is_refused_with_the_field(void **state)
{
	struct fixture *f    = *state;
	struct job_wish wish = {.kind = "play", .params = TEXT("{\"bad\":1}"), .asker = &fixture_asker};
	struct store_job job;
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_INVALID);
	assert_string_equal(f->err.field, "params.bad");
	wish.params = TEXT("[1]");
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_INVALID);
	assert_string_equal(f->err.field, "params");
	wish = (struct job_wish){.kind = "other", .asker = &fixture_asker};
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_INVALID);
	assert_string_equal(f->err.field, "kind");
	wish = (struct job_wish){
		.kind = "play", .priority = JOB_PRIORITY_MAX + 1, .asker = &fixture_asker};
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &job, &f->err), STATUS_INVALID);
	assert_string_equal(f->err.field, "priority");
}

static char        order[16];
static _Atomic int order_count;

static enum status play_order(struct fixture *f, struct job *job, struct error *err)
{
	struct json name = json_get(job_params(job), "name");
	(void)f;
	(void)err;
	order[order_count] = json_string(name).data[0];
	order_count++; /* behind it: whoever sees the number sees the letter */
	return STATUS_OK;
}

static void add_named(struct fixture *f, const char *params, int priority)
{
	struct job_wish wish = {
		.kind = "play", .params = text_of(params), .priority = priority, .asker = &fixture_asker};
	struct store_job job;
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
}

static void the_more_urgent_goes_first_then_the_older(void **state)
{
	struct fixture *f = *state;
	memset(order, 0, sizeof order);
	order_count = 0;
	f->play     = play_order;
	add_named(f, "{\"name\":\"a\"}", 0);
	add_named(f, "{\"name\":\"b\"}", 5);
	add_named(f, "{\"name\":\"c\"}", -5);
	add_named(f, "{\"name\":\"d\"}", 5);
	fixture_start(f);
	await_number(&order_count, 4);
	assert_string_equal(order, "bdac");
}

static void of_a_kind_no_more_run_beside_each_other_than_it_allows(void **state)
{
	struct fixture *f = *state;
	f->play           = play_gate;
	struct store_job jobs[4];
	for (int i = 0; i < 4; i++)
		jobs[i] = add(f, "pair", 0);
	fixture_start(f);
	await_number(&f->at_once, 2);
	assert_int_equal(get(f, jobs[2].id).state, STORE_JOB_QUEUED);

	/* Another kind does not wait for them: there is a third thread. */
	struct store_job other = add(f, "play", -50);
	await(f, other.id, STORE_JOB_RUNNING);
	await_number(&f->at_once, 3);
	f->gate = 1;
	for (int i = 0; i < 4; i++)
		await(f, jobs[i].id, STORE_JOB_DONE);
	await(f, other.id, STORE_JOB_DONE);
	assert_int_equal(f->at_once_max, 3);
}

static void a_job_that_is_not_to_run_yet_waits_for_its_time(void **state)
{
	struct fixture  *f    = *state;
	struct job_wish  wish = {.kind = "play", .run_from_ms = 2000000, .asker = &fixture_asker};
	struct store_job job, next;
	fixture_start(f);
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
	next = add(f, "play", 0);
	await(f, next.id, STORE_JOB_DONE);
	assert_int_equal(get(f, job.id).state, STORE_JOB_QUEUED);
	f->now_ms = 2000000;
	await(f, job.id, STORE_JOB_DONE);
}

/* ---- Progress, results, files ---- */

static enum status play_progress(struct fixture *f, struct job *job, struct error *err)
{
	char message[2 * JOB_MESSAGE_BYTES_MAX];
	memset(message, 'x', JOB_MESSAGE_BYTES_MAX - 1);
	memcpy(message + JOB_MESSAGE_BYTES_MAX - 1, "\xec\x86\x90\xeb\x8b\x98", 7);
	job_progress(job, 3, 7, "rows", message);
	job_set_result(job, TEXT("{\"rows\":3}"));
	return play_gate(f, job, err);
}

static void progress_is_seen_at_once_and_a_message_is_cut_at_a_character(void **state)
{
	struct fixture *f = *state;
	f->play           = play_progress;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	do
		job = get(f, job.id);
	while (job.done != 3);
	assert_int_equal(job.state, STORE_JOB_RUNNING);
	assert_int_equal(job.total, 7);
	assert_true(text_equal(job.unit, TEXT("rows")));
	assert_int_equal(job.message.length, JOB_MESSAGE_BYTES_MAX - 1);
	f->gate = 1;
	job     = await(f, job.id, STORE_JOB_DONE);
	assert_int_equal(job.done, 3);
	assert_true(text_equal(job.result, TEXT("{\"rows\":3}")));
}

static enum status write_file(struct job *job, const char *name, struct error *err)
{
	char        path[JOB_PATH_BYTES];
	enum status status = job_file_path(job, name, path, err);
	return status == STATUS_OK ? file_replace(path, 0600, "text", 4, err) : status;
}

static enum status play_files(struct fixture *f, struct job *job, struct error *err)
{
	enum status status;
	(void)f;
	if ((status = write_file(job, "b.csv", err)) != STATUS_OK ||
	    (status = write_file(job, "a.csv", err)) != STATUS_OK)
		return status;
	return write_file(job, ".half", err);
}

/* Saves, and then waits to be told to stop; how long what it found saved was. */
static _Atomic int found_saved;

static enum status play_saved(struct fixture *f, struct job *job, struct error *err)
{
	found_saved        = (int)job_state(job).length;
	enum status status = write_file(job, "a.csv", err);
	if (status == STATUS_OK)
		status = job_save(job, TEXT("one file"), err);
	return status == STATUS_OK ? play_gate(f, job, err) : status;
}

static void behind_a_restore_jobs_begin_anew_and_files_are_gone(void **state)
{
	struct fixture *f = *state;
	char            path[JOB_PATH_BYTES], command[256];
	f->play = play_files;
	fixture_start(f);
	struct store_job done = await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	f->play               = play_saved;
	struct store_job half = await(f, add(f, "play", 0).id, STORE_JOB_RUNNING);
	while (get(f, half.id).resume.length == 0)
		continue;
	fixture_crash(f);
	snprintf(command, sizeof command, "rm -r %s/jobs", f->directory);
	assert_int_equal(system(command), 0);

	fixture_open(f);
	assert_int_equal(jobs_file_path(f->jobs, &done, TEXT("a.csv"), path, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, jobs_restored(f->jobs, &f->err));
	assert_ok(f, jobs_restored(f->jobs, &f->err));
	assert_int_equal(jobs_file_path(f->jobs, &done, TEXT("a.csv"), path, &f->err), STATUS_GONE);
	fixture_stop(f);

	fixture_open(f); /* it is remembered */
	assert_int_equal(jobs_file_path(f->jobs, &done, TEXT("a.csv"), path, &f->err), STATUS_GONE);
	found_saved = -1;
	f->gate     = 1;
	fixture_start(f);
	await(f, half.id, STORE_JOB_DONE);
	assert_int_equal(found_saved, 0);
	assert_ok(f, jobs_file_path(f->jobs, &half, TEXT("a.csv"), path, &f->err));
	struct store_job later = await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	assert_int_equal(jobs_file_path(f->jobs, &later, TEXT("b"), path, &f->err), STATUS_NOT_FOUND);
}

static void the_files_of_a_job_are_listed_but_those_not_whole_are_not(void **state)
{
	struct fixture  *f = *state;
	struct job_file *files;
	size_t           count;
	char             path[JOB_PATH_BYTES];
	f->play = play_files;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	await(f, job.id, STORE_JOB_DONE);
	assert_ok(f, jobs_files(f->jobs, job.id, &f->arena, &files, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(files[0].name, TEXT("a.csv")));
	assert_true(text_equal(files[1].name, TEXT("b.csv")));
	assert_int_equal(files[1].bytes, 4);

	assert_ok(f, jobs_file_path(f->jobs, &job, TEXT("a.csv"), path, &f->err));
	assert_int_equal(access(path, R_OK), 0);
	const char *const none[] = {".half", "..", "c.csv", "../store.db", "", "a.csv/"};
	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(jobs_file_path(f->jobs, &job, text_of(none[i]), path, &f->err),
		                 STATUS_NOT_FOUND);
}

static enum status play_read(struct fixture *f, struct job *job, struct error *err)
{
	char          path[JOB_PATH_BYTES];
	struct buffer text   = {0};
	enum status   status = job_file_path(job, ".upload", path, err);
	(void)f;
	if (status == STATUS_OK)
		status = file_read(path, 100, &text, err);
	buffer_done(&text);
	return status;
}

static void files_may_lie_there_before_the_job_is_added(void **state)
{
	struct fixture *f = *state;
	char            id[37], directory[JOB_PATH_BYTES], path[JOB_PATH_BYTES + 16];
	assert_ok(f, jobs_reserve(f->jobs, id, directory, &f->err));
	snprintf(path, sizeof path, "%s/.upload", directory);
	assert_ok(f, file_replace(path, 0600, "text", 4, &f->err));
	f->play               = play_read;
	struct job_wish  wish = {.kind = "play", .id = id, .asker = &fixture_asker};
	struct store_job job;
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
	fixture_start(f);
	await(f, id, STORE_JOB_DONE);
}

static void        its_thread_stands_back_for_live_work(void **state);
static _Atomic int seen_nice;

static enum status play_nice(struct fixture *f, struct job *job, struct error *err)
{
	(void)f;
	(void)job;
	(void)err;
	seen_nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	return STATUS_OK;
}

static void its_thread_stands_back_for_live_work(void **state)
{
	struct fixture *f    = *state;
	int             here = getpriority(PRIO_PROCESS, (id_t)gettid());
	f->settings.nice     = 17;
	f->play              = play_nice;
	fixture_start(f);
	await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	assert_int_equal(seen_nice, 17);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)gettid()), here);
}

static enum status play_bytes(struct fixture *f, struct job *job, struct error *err)
{
	(void)f;
	for (int i = 0; i < 1000; i++) {
		job_use_bytes(job, 1 << 30);
		if (job_stopping(job) != JOB_GO_ON)
			return error_set(err, STATUS_AGAIN, "told to stop");
	}
	return STATUS_OK;
}

static void who_waits_for_bandwidth_can_be_cancelled(void **state)
{
	struct fixture  *f = *state;
	struct store_job job;
	fixture_stop(f);
	f->settings.bandwidth_bytes_s = 1;
	f->play                       = play_bytes;
	fixture_open(f);
	fixture_start(f);
	struct store_job added = add(f, "play", 0);
	await(f, added.id, STORE_JOB_RUNNING);
	assert_ok(f, jobs_cancel(f->jobs, added.id, &f->arena, &job, &f->err));
	await(f, added.id, STORE_JOB_CANCELLED);
}

/* ---- Cancel and retry ---- */

static void a_queued_job_is_cancelled_before_it_ever_runs(void **state)
{
	struct fixture  *f   = *state;
	struct store_job job = add(f, "play", 0);
	assert_ok(f, jobs_cancel(f->jobs, job.id, &f->arena, &job, &f->err));
	assert_int_equal(job.state, STORE_JOB_CANCELLED);
	fixture_start(f);
	await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	assert_int_equal(f->runs, 1);
}

static void a_running_job_is_told_and_ends_cancelled_and_can_be_retried(void **state)
{
	struct fixture *f = *state;
	f->play           = play_gate;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	await(f, job.id, STORE_JOB_RUNNING);
	assert_int_equal(jobs_retry(f->jobs, job.id, &fixture_asker, &f->arena, &job, &f->err),
	                 STATUS_CONFLICT);
	assert_ok(f, jobs_cancel(f->jobs, job.id, &f->arena, &job, &f->err));
	job = await(f, job.id, STORE_JOB_CANCELLED);
	assert_int_equal(job.code.length, 0);

	f->gate = 1;
	assert_ok(f, jobs_retry(f->jobs, job.id, &fixture_asker, &f->arena, &job, &f->err));
	job = await(f, job.id, STORE_JOB_DONE);
	assert_int_equal(job.attempt, 1);
	assert_int_equal(jobs_cancel(f->jobs, job.id, &f->arena, &job, &f->err), STATUS_CONFLICT);
}

/* ---- Failures ---- */

static enum status play_full(struct fixture *f, struct job *job, struct error *err)
{
	(void)job;
	return f->runs < 3 ? error_set(err, STATUS_NO_SPACE, "the disk is full") : STATUS_OK;
}

static void a_failure_that_may_pass_is_tried_again_after_a_growing_wait(void **state)
{
	struct fixture *f = *state;
	f->play           = play_full;
	fixture_start(f);
	struct store_job job      = add(f, "play", 0);
	int64_t          whole_ms = 1000;
	for (int attempt = 1; attempt <= 2; attempt++, whole_ms *= 2) {
		await_number(&f->runs, attempt);
		do
			job = get(f, job.id);
		while (job.state != STORE_JOB_QUEUED);
		assert_int_equal(job.attempt, attempt);
		assert_true(text_equal(job.code, TEXT("NO_SPACE")));
		assert_true(text_equal(job.reason, TEXT("the disk is full")));
		assert_in_range(job.run_from_ms - f->now_ms, whole_ms / 2, whole_ms);
		f->now_ms = job.run_from_ms;
	}
	job = await(f, job.id, STORE_JOB_DONE);
	assert_int_equal(job.attempt, 3);
	assert_int_equal(job.code.length, 0);
}

static enum status play_always_full(struct fixture *f, struct job *job, struct error *err)
{
	(void)f;
	(void)job;
	return error_set(err, STATUS_NO_SPACE, "the disk is full");
}

static void after_its_last_attempt_a_job_has_failed_with_the_reason(void **state)
{
	struct fixture *f = *state;
	f->play           = play_always_full;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	for (int attempt = 1; attempt < 3; attempt++) {
		await_number(&f->runs, attempt);
		do
			job = get(f, job.id);
		while (job.state != STORE_JOB_QUEUED);
		f->now_ms = job.run_from_ms;
	}
	job = await(f, job.id, STORE_JOB_FAILED);
	assert_int_equal(f->runs, 3);
	assert_true(text_equal(job.reason, TEXT("the disk is full")));
	assert_int_equal(job.finished_ms, f->now_ms);

	f->play = play_nothing;
	assert_ok(f, jobs_retry(f->jobs, job.id, &fixture_asker, &f->arena, &job, &f->err));
	await(f, job.id, STORE_JOB_DONE);
}

static enum status play_invalid(struct fixture *f, struct job *job, struct error *err)
{
	(void)f;
	(void)job;
	return error_set_field(err, STATUS_INVALID, "line 7", "no number");
}

static void a_failure_that_stays_is_not_tried_again(void **state)
{
	struct fixture *f = *state;
	f->play           = play_invalid;
	fixture_start(f);
	struct store_job job = await(f, add(f, "play", 0).id, STORE_JOB_FAILED);
	assert_int_equal(f->runs, 1);
	assert_true(text_equal(job.code, TEXT("VALIDATION_ERROR")));
	assert_true(text_equal(job.reason, TEXT("line 7: no number")));
}

/* ---- Over the end of the process ---- */

static _Atomic int steps_done;

/* Ten steps, each saved; what lies behind the last save is done again. */
static enum status play_steps(struct fixture *f, struct job *job, struct error *err)
{
	struct text saved = job_state(job);
	int         step  = saved.length == 0 ? 0 : saved.data[0];
	for (; step < 10; step++) {
		if (step == 5 && f->gate == 0)
			return play_gate(f, job, err);
		steps_done++;
		job_progress(job, step + 1, 10, "steps", NULL);
		char        next   = (char)(step + 1);
		enum status status = job_save(job, (struct text){&next, 1}, err);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static void a_killed_job_goes_on_from_where_it_last_saved(void **state)
{
	struct fixture *f = *state;
	f->play           = play_steps;
	steps_done        = 0;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	await_number(&steps_done, 5);
	do
		job = get(f, job.id);
	while (job.resume.length == 0 || job.resume.data[0] != 5);
	fixture_crash(f);

	f->gate = 1;
	fixture_open(f);
	assert_int_equal(get(f, job.id).state, STORE_JOB_RUNNING);
	assert_int_equal(get(f, job.id).done, 5);
	fixture_start(f);
	job = await(f, job.id, STORE_JOB_DONE);
	assert_int_equal(steps_done, 10);
	assert_int_equal(job.attempt, 1); /* it made progress: the first run is not held against it */
}

static void a_job_that_is_paused_by_the_end_of_the_server_is_queued_again(void **state)
{
	struct fixture *f = *state;
	f->play           = play_gate;
	fixture_start(f);
	struct store_job job = add(f, "play", 0);
	await(f, job.id, STORE_JOB_RUNNING);
	fixture_stop(f);

	fixture_open(f);
	job = get(f, job.id);
	assert_int_equal(job.state, STORE_JOB_QUEUED);
	assert_int_equal(job.attempt, 0);
	assert_int_equal(job.code.length, 0);
	f->gate = 1;
	fixture_start(f);
	await(f, job.id, STORE_JOB_DONE);
}

static void a_job_that_was_to_be_cancelled_when_it_was_killed_does_not_come_back(void **state)
{
	struct fixture  *f = *state;
	struct store_job job, row;
	f->play = play_gate;
	fixture_start(f);
	job = add(f, "play", 0);
	await(f, job.id, STORE_JOB_RUNNING);
	fixture_crash(f);
	fixture_open(f);
	assert_ok(f, f->store->ops->job_cancel(f->store, job.id, 5, &f->arena, &row, &f->err));
	fixture_start(f);
	await(f, job.id, STORE_JOB_CANCELLED);
	assert_int_equal(f->runs, 1);
}

static void a_job_that_kills_the_process_each_time_is_given_up(void **state)
{
	struct fixture  *f = *state;
	struct store_job job;
	f->play = play_gate;
	job     = add(f, "play", 0);
	for (int i = 0; i < 10; i++) {
		fixture_start(f);
		await(f, job.id, STORE_JOB_RUNNING);
		fixture_crash(f);
		fixture_open(f);
	}
	fixture_start(f);
	job = await(f, job.id, STORE_JOB_FAILED);
	assert_true(text_equal(job.reason, TEXT("The process ended each time that it ran")));
	assert_int_equal(f->runs, 10);
}

static void an_unknown_zone_is_refused_by_name(void **state)
{
	struct fixture *f = *state;
	struct jobs    *jobs;
	char            directory[128];
	snprintf(directory, sizeof directory, "%s/jobs", f->directory);
	struct job_settings settings = {.threads = 1, .zone = (char *)"Mars/Base"};
	struct jobs_config  config = {.store = f->store, .directory = directory, .settings = &settings};
	assert_int_equal(jobs_open(&config, &jobs, &f->err), STATUS_INVALID);
	assert_non_null(strstr(f->err.reason, "Mars/Base"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOB_TEST(a_job_that_is_added_runs_and_is_done),
		JOB_TEST(who_lacks_what_a_kind_needs_is_refused_at_every_door),
		JOB_TEST(what_a_kind_does_not_understand_is_refused_with_the_field),
		JOB_TEST(the_more_urgent_goes_first_then_the_older),
		JOB_TEST(of_a_kind_no_more_run_beside_each_other_than_it_allows),
		JOB_TEST(a_job_that_is_not_to_run_yet_waits_for_its_time),
		JOB_TEST(progress_is_seen_at_once_and_a_message_is_cut_at_a_character),
		JOB_TEST(behind_a_restore_jobs_begin_anew_and_files_are_gone),
		JOB_TEST(the_files_of_a_job_are_listed_but_those_not_whole_are_not),
		JOB_TEST(files_may_lie_there_before_the_job_is_added),
		JOB_TEST(its_thread_stands_back_for_live_work),
		JOB_TEST(who_waits_for_bandwidth_can_be_cancelled),
		JOB_TEST(a_queued_job_is_cancelled_before_it_ever_runs),
		JOB_TEST(a_running_job_is_told_and_ends_cancelled_and_can_be_retried),
		JOB_TEST(a_failure_that_may_pass_is_tried_again_after_a_growing_wait),
		JOB_TEST(after_its_last_attempt_a_job_has_failed_with_the_reason),
		JOB_TEST(a_failure_that_stays_is_not_tried_again),
		JOB_TEST(a_killed_job_goes_on_from_where_it_last_saved),
		JOB_TEST(a_job_that_is_paused_by_the_end_of_the_server_is_queued_again),
		JOB_TEST(a_job_that_was_to_be_cancelled_when_it_was_killed_does_not_come_back),
		JOB_TEST(a_job_that_kills_the_process_each_time_is_given_up),
		JOB_TEST(an_unknown_zone_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
