#include <stdio.h>
#include <string.h>

#include "jobs_fixture.h"

/* Of parameters with "late" it is too late to stop. */
static enum status cancel_outside(void *context, struct json params, struct error *err)
{
	(void)context;
	if (json_type(json_get(params, "late")) == JSON_BOOL)
		return error_set(err, STATUS_CONFLICT, "It ends by itself");
	return STATUS_OK;
}

static struct job *follow(struct fixture *f, const char *params)
{
	struct job_wish wish = {.kind = "outside", .params = text_of(params), .asker = &fixture_asker};
	struct job     *job;
	assert_ok(f, jobs_follow(f->jobs, &wish, &job, &f->err));
	return job;
}

/* The fate that the parameter says: "r", "d" or "c". */
static enum store_job_state fate(void *context, struct json params)
{
	struct text wanted = json_string(json_get(params, "fate"));
	(void)context;
	return wanted.data[0] == 'r'   ? STORE_JOB_RUNNING
	       : wanted.data[0] == 'd' ? STORE_JOB_DONE
	                               : STORE_JOB_CANCELLED;
}

static struct job *follow_up(struct fixture *f)
{
	struct job *job;
	assert_ok(f, jobs_follow_up(f->jobs, "outside", fate, f, &job, &f->err));
	return job;
}

static void register_outside(struct fixture *f)
{
	const struct job_kind kind = {.name         = "outside",
	                              .summary      = "Runs elsewhere",
	                              .check        = job_check_none,
	                              .beside_max   = 1,
	                              .attempts_max = 1,
	                              .cancel       = cancel_outside};
	jobs_register(f->jobs, &kind);
}

static int begin(void **state)
{
	fixture_new(state);
	register_outside(*state);
	return 0;
}

static void reopen(struct fixture *f)
{
	fixture_open(f);
	register_outside(f);
}

static void what_runs_elsewhere_is_a_running_job_with_its_progress_and_then_done(void **state)
{
	struct fixture *f = *state;
	fixture_start(f);
	struct job *job = follow(f, "{\"a\":1}");
	char        id[37];
	memcpy(id, job_id(job), sizeof id);
	job_progress(job, 3, 10, "steps", "walks");
	struct store_job row = get(f, id);
	assert_int_equal(row.state, STORE_JOB_RUNNING);
	assert_int_equal(row.done, 3);
	assert_int_equal(row.total, 10);
	assert_true(text_equal(row.params, TEXT("{\"a\":1}")));

	job_unfollow(job, STORE_JOB_DONE);
	row = get(f, id);
	assert_int_equal(row.state, STORE_JOB_DONE);
	assert_int_equal(row.done, 3);
	assert_true(row.finished_ms >= row.started_ms);
}

static void it_takes_no_thread_of_the_runner(void **state)
{
	struct fixture *f   = *state;
	f->settings.threads = 1;
	fixture_start(f);
	struct job *job = follow(f, "{}");
	await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	job_unfollow(job, STORE_JOB_DONE);
}

static void nobody_adds_schedules_or_retries_one(void **state)
{
	struct fixture       *f        = *state;
	struct job_wish       wish     = {.kind = "outside", .asker = &fixture_asker};
	struct store_schedule schedule = {
		.name = TEXT("s"), .kind = TEXT("outside"), .cron = TEXT("* * * * *")};
	struct store_job row;
	assert_int_equal(jobs_add(f->jobs, &wish, &f->arena, &row, &f->err), STATUS_INVALID);
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err),
	                 STATUS_INVALID);

	struct job *job = follow(f, "{}");
	char        id[37];
	memcpy(id, job_id(job), sizeof id);
	assert_int_equal(jobs_retry(f->jobs, id, &fixture_asker, &f->arena, &row, &f->err),
	                 STATUS_CONFLICT);
	job_unfollow(job, STORE_JOB_CANCELLED);
	assert_int_equal(jobs_retry(f->jobs, id, &fixture_asker, &f->arena, &row, &f->err),
	                 STATUS_CONFLICT);
}

static void one_that_is_cancelled_is_so_once_what_it_follows_has_stopped(void **state)
{
	struct fixture  *f   = *state;
	struct job      *job = follow(f, "{\"fate\":\"d\"}");
	struct store_job row;
	char             id[37];
	memcpy(id, job_id(job), sizeof id);
	for (int i = 0; i < 2; i++) {
		assert_ok(f, jobs_cancel(f->jobs, id, &f->arena, &row, &f->err));
		assert_int_equal(row.state, STORE_JOB_RUNNING);
		assert_true(row.cancel_wanted);
	}
	job_unfollow(job, STORE_JOB_CANCELLED);
	assert_int_equal(get(f, id).state, STORE_JOB_CANCELLED);
	assert_ok(f, jobs_cancel(f->jobs, id, &f->arena, &row, &f->err));
}

static void one_that_cannot_stop_any_more_is_not_cancelled(void **state)
{
	struct fixture  *f   = *state;
	struct job      *job = follow(f, "{\"late\":true}");
	struct store_job row;
	assert_int_equal(jobs_cancel(f->jobs, job_id(job), &f->arena, &row, &f->err), STATUS_CONFLICT);
	assert_string_equal(f->err.reason, "It ends by itself");
	assert_false(get(f, job_id(job)).cancel_wanted);
	assert_int_equal(job_stopping(job), JOB_GO_ON);
	job_unfollow(job, STORE_JOB_DONE);
}

static void one_that_was_cancelled_when_the_process_ended_is_cancelled_whatever_its_fate(
	void **state)
{
	struct fixture  *f   = *state;
	struct job      *job = follow(f, "{\"fate\":\"d\"}");
	struct store_job row;
	char             id[37];
	memcpy(id, job_id(job), sizeof id);
	assert_ok(f, jobs_cancel(f->jobs, id, &f->arena, &row, &f->err));
	job_unfollow(job, STORE_JOB_RUNNING);
	assert_null(follow_up(f));
	assert_int_equal(get(f, id).state, STORE_JOB_CANCELLED);
}

static void the_next_process_goes_on_with_what_goes_on_and_settles_the_rest(void **state)
{
	struct fixture *f       = *state;
	const char     *fates[] = {"{\"fate\":\"d\"}", "{\"fate\":\"c\"}", "{\"fate\":\"r\"}"};
	char            ids[3][37];
	fixture_start(f);
	for (int i = 0; i < 3; i++) {
		struct job *job = follow(f, fates[i]);
		memcpy(ids[i], job_id(job), sizeof ids[i]);
		job_progress(job, 5, 10, "steps", "walks");
		job_unfollow(job, STORE_JOB_RUNNING);
		assert_int_equal(get(f, ids[i]).state, STORE_JOB_RUNNING);
	}
	fixture_stop(f);
	reopen(f);
	fixture_start(f);
	assert_int_equal(get(f, ids[2]).state, STORE_JOB_RUNNING);

	struct job *job = follow_up(f);
	assert_non_null(job);
	assert_string_equal(job_id(job), ids[2]);
	assert_int_equal(get(f, ids[0]).state, STORE_JOB_DONE);
	assert_int_equal(get(f, ids[0]).done, 10);
	assert_int_equal(get(f, ids[1]).state, STORE_JOB_CANCELLED);
	assert_int_equal(get(f, ids[2]).attempt, 2);
	struct store_job told = get(f, ids[2]);
	assert_int_equal(told.done, 5);
	job_unfollow(job, STORE_JOB_DONE);
	char unit[8]; /* it outlives the job */
	snprintf(unit, sizeof unit, "%.*s", TEXT_FORMAT(told.unit));
	assert_string_equal(unit, "steps");
	assert_int_equal(get(f, ids[2]).state, STORE_JOB_DONE);
	assert_null(follow_up(f));
}

/* As a kill between the two writes of jobs_follow() leaves it. */
static void one_that_was_only_added_is_found_too(void **state)
{
	struct fixture  *f   = *state;
	struct store_job row = {.id     = "11111111-1111-4111-8111-111111111111",
	                        .kind   = TEXT("outside"),
	                        .params = TEXT("{\"fate\":\"r\"}")};
	assert_ok(f, f->store->ops->job_add(f->store, &row, &f->err));
	fixture_start(f);
	struct job *job = follow_up(f);
	assert_non_null(job);
	assert_string_equal(job_id(job), row.id);
	job_unfollow(job, STORE_JOB_DONE);
	assert_int_equal(get(f, row.id).state, STORE_JOB_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_runs_elsewhere_is_a_running_job_with_its_progress_and_then_done),
		TEST(it_takes_no_thread_of_the_runner),
		TEST(nobody_adds_schedules_or_retries_one),
		TEST(one_that_is_cancelled_is_so_once_what_it_follows_has_stopped),
		TEST(one_that_cannot_stop_any_more_is_not_cancelled),
		TEST(one_that_was_cancelled_when_the_process_ended_is_cancelled_whatever_its_fate),
		TEST(the_next_process_goes_on_with_what_goes_on_and_settles_the_rest),
		TEST(one_that_was_only_added_is_found_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
