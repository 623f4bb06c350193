/* Jobs and schedules. */

#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "base/instant.h"

static struct store_job new_job(const char *id, const char *kind, int priority, int64_t run_from_ms)
{
	struct store_job job = {.kind        = text_of(kind),
	                        .params      = TEXT("{\"a\":1}"),
	                        .asked_by    = TEXT("an operator"),
	                        .schedule    = TEXT("nightly"),
	                        .priority    = priority,
	                        .created_ms  = 100,
	                        .run_from_ms = run_from_ms};
	snprintf(job.id, sizeof job.id, "%s", id);
	return job;
}

static struct store_job add(struct fixture *f, const char *id, const char *kind, int priority,
                            int64_t run_from_ms)
{
	struct store_job job = new_job(id, kind, priority, run_from_ms);
	assert_ok(f, f->store->ops->job_add(f->store, &job, &f->err));
	return job;
}

static struct store_job get(struct fixture *f, const char *id)
{
	struct store_job job;
	assert_ok(f, f->store->ops->job_get(f->store, id, &f->arena, &job, &f->err));
	return job;
}

/* Takes it up, as a runner does. */
static struct store_job take(struct fixture *f, const char *id)
{
	struct store_job job = get(f, id);
	job.state            = STORE_JOB_RUNNING;
	job.attempt++;
	assert_ok(f, f->store->ops->job_change(f->store, &job, STORE_JOB_QUEUED, &f->err));
	return job;
}

static void finish(struct fixture *f, const char *id, enum store_job_state state,
                   int64_t finished_ms)
{
	struct store_job job = take(f, id);
	job.state            = state;
	job.finished_ms      = finished_ms;
	assert_ok(f, f->store->ops->job_change(f->store, &job, STORE_JOB_RUNNING, &f->err));
}

static size_t list(struct fixture *f, const struct store_job_filter *filter,
                   struct store_job **ret_jobs, uint64_t *ret_total)
{
	size_t count;
	assert_ok(f, f->store->ops->job_list(f->store, filter, &f->arena, ret_jobs, &count, ret_total,
	                                     &f->err));
	return count;
}

static const char *ready(struct fixture *f, const char *kind, int64_t now_ms)
{
	static char      id[37];
	struct store_job job;
	enum status      status =
		f->store->ops->job_ready(f->store, text_of(kind), now_ms, &f->arena, &job, &f->err);
	if (status == STATUS_NOT_FOUND)
		return NULL;
	assert_ok(f, status);
	memcpy(id, job.id, sizeof id);
	return id;
}

static void a_job_is_there_with_all_that_it_was_added_with_after_a_restart(void **state)
{
	struct fixture  *f   = *state;
	struct store_job job = add(f, "j-1", "import", 7, 200);
	assert_int_equal(job.number, 1);
	fixture_reopen(f);

	job = get(f, "j-1");
	assert_string_equal(job.id, "j-1");
	assert_int_equal(job.number, 1);
	assert_true(text_equal(job.kind, TEXT("import")));
	assert_true(text_equal(job.params, TEXT("{\"a\":1}")));
	assert_true(text_equal(job.asked_by, TEXT("an operator")));
	assert_true(text_equal(job.schedule, TEXT("nightly")));
	assert_int_equal(job.priority, 7);
	assert_int_equal(job.created_ms, 100);
	assert_int_equal(job.run_from_ms, 200);
	assert_int_equal(job.updated_ms, 100);
	assert_int_equal(job.state, STORE_JOB_QUEUED);
	assert_int_equal(job.started_ms, INSTANT_MS_NONE);
	assert_int_equal(job.finished_ms, INSTANT_MS_NONE);
	assert_int_equal(job.attempt, 0);
	assert_int_equal(job.total, -1);
	assert_int_equal(job.resume.length, 0);
}

static void an_unknown_job_is_not_found(void **state)
{
	struct fixture  *f   = *state;
	struct store_job job = {.number = 77};
	assert_int_equal(f->store->ops->job_get(f->store, "j-9", &f->arena, &job, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(job.number, 77);
	assert_int_equal(f->store->ops->job_cancel(f->store, "j-9", 1, &f->arena, &job, &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(f->store->ops->job_delete(f->store, "j-9", &f->err), STATUS_NOT_FOUND);
}

static void progress_state_and_result_are_written_in_one_go(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	struct store_job job = take(f, "j-1");
	job.saved            = true;
	job.started_ms       = 300;
	job.updated_ms       = 400;
	job.done             = 5;
	job.total            = 9;
	job.unit             = TEXT("rows");
	job.message          = TEXT("reading");
	job.resume           = (struct text){"a\0b", 3};
	job.result           = TEXT("{\"rows\":5}");
	job.code             = TEXT("NO_SPACE");
	job.reason           = TEXT("the disk is full");
	assert_ok(f, f->store->ops->job_change(f->store, &job, STORE_JOB_RUNNING, &f->err));
	fixture_reopen(f);

	job = get(f, "j-1");
	assert_int_equal(job.state, STORE_JOB_RUNNING);
	assert_true(job.saved);
	assert_int_equal(job.attempt, 1);
	assert_int_equal(job.started_ms, 300);
	assert_int_equal(job.updated_ms, 400);
	assert_int_equal(job.done, 5);
	assert_int_equal(job.total, 9);
	assert_true(text_equal(job.unit, TEXT("rows")));
	assert_true(text_equal(job.message, TEXT("reading")));
	assert_true(text_equal(job.resume, ((struct text){"a\0b", 3})));
	assert_true(text_equal(job.result, TEXT("{\"rows\":5}")));
	assert_true(text_equal(job.code, TEXT("NO_SPACE")));
	assert_true(text_equal(job.reason, TEXT("the disk is full")));
}

static void a_change_of_a_job_that_is_in_another_state_is_refused(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	struct store_job first = take(f, "j-1");

	/* Another runner that also saw it queued. */
	struct store_job second = first;
	second.done             = 99;
	assert_int_equal(f->store->ops->job_change(f->store, &second, STORE_JOB_QUEUED, &f->err),
	                 STATUS_PRECONDITION);
	assert_int_equal(get(f, "j-1").done, 0);
}

static void ready_is_the_most_urgent_of_those_whose_time_has_come_then_the_oldest(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	add(f, "j-2", "import", 50, 501);
	add(f, "j-3", "backup", 50, 500);
	add(f, "j-4", "import", 0, 0);

	assert_string_equal(ready(f, "import", 500), "j-1");
	assert_string_equal(ready(f, "import", 501), "j-2");
	assert_string_equal(ready(f, "backup", 500), "j-3");
	assert_null(ready(f, "backup", 499));
	take(f, "j-1");
	assert_string_equal(ready(f, "import", 500), "j-4");
	take(f, "j-4");
	assert_null(ready(f, "import", 500));
}

static void the_next_that_waits_for_its_time_is_known(void **state)
{
	struct fixture *f = *state;
	int64_t         run_ms;
	add(f, "j-1", "import", 0, 0);
	assert_ok(f, f->store->ops->job_next_run(f->store, 10, &run_ms, &f->err));
	assert_int_equal(run_ms, INSTANT_MS_NEVER);
	add(f, "j-2", "import", 0, 600);
	add(f, "j-3", "import", 0, 500);
	assert_ok(f, f->store->ops->job_next_run(f->store, 10, &run_ms, &f->err));
	assert_int_equal(run_ms, 500);
	assert_ok(f, f->store->ops->job_next_run(f->store, 500, &run_ms, &f->err));
	assert_int_equal(run_ms, 600);
}

static void a_list_begins_with_the_newest_and_is_filtered_and_paged(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	add(f, "j-2", "backup", 0, 0);
	add(f, "j-3", "import", 0, 0);
	add(f, "j-4", "import", 0, 0);
	take(f, "j-4");

	struct store_job *jobs;
	uint64_t          total;
	assert_int_equal(list(f, &(struct store_job_filter){.limit = 10}, &jobs, &total), 4);
	assert_int_equal(total, 4);
	assert_string_equal(jobs[0].id, "j-4");
	assert_string_equal(jobs[3].id, "j-1");

	struct store_job_filter filter = {.kind = TEXT("import"), .limit = 2};
	assert_int_equal(list(f, &filter, &jobs, &total), 2);
	assert_int_equal(total, 3);
	assert_string_equal(jobs[1].id, "j-3");
	filter.before_number = jobs[1].number;
	assert_int_equal(list(f, &filter, &jobs, &total), 1);
	assert_int_equal(total, 3);
	assert_string_equal(jobs[0].id, "j-1");

	filter = (struct store_job_filter){.state = STORE_JOB_RUNNING, .limit = 10};
	assert_int_equal(list(f, &filter, &jobs, &total), 1);
	assert_string_equal(jobs[0].id, "j-4");
}

static void finished_ones_are_found_by_their_age(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	add(f, "j-2", "import", 0, 0);
	add(f, "j-3", "import", 0, 0);
	finish(f, "j-1", STORE_JOB_DONE, 1000);
	finish(f, "j-2", STORE_JOB_FAILED, 999);

	struct store_job       *jobs;
	uint64_t                total;
	struct store_job_filter filter = {.finished_before_ms = 1000, .limit = 10};
	assert_int_equal(list(f, &filter, &jobs, &total), 1);
	assert_int_equal(total, 1);
	assert_string_equal(jobs[0].id, "j-2");
}

static void a_queued_job_is_cancelled_at_once_and_a_running_one_is_told(void **state)
{
	struct fixture  *f = *state;
	struct store_job job;
	add(f, "j-1", "import", 0, 0);
	add(f, "j-2", "import", 0, 0);
	struct store_job running = take(f, "j-2");

	assert_ok(f, f->store->ops->job_cancel(f->store, "j-1", 700, &f->arena, &job, &f->err));
	assert_int_equal(job.state, STORE_JOB_CANCELLED);
	assert_int_equal(job.finished_ms, 700);
	assert_false(job.cancel_wanted);
	assert_ok(f, f->store->ops->job_cancel(f->store, "j-2", 700, &f->arena, &job, &f->err));
	assert_int_equal(job.state, STORE_JOB_RUNNING);
	assert_true(job.cancel_wanted);

	/* Whoever writes its progress learns of it, and does not take the wish away. */
	running.done = 3;
	assert_ok(f, f->store->ops->job_change(f->store, &running, STORE_JOB_RUNNING, &f->err));
	assert_true(running.cancel_wanted);
	assert_true(get(f, "j-2").cancel_wanted);
	running.state = STORE_JOB_CANCELLED;
	assert_ok(f, f->store->ops->job_change(f->store, &running, STORE_JOB_RUNNING, &f->err));
	assert_false(get(f, "j-2").cancel_wanted);
}

static void cancelling_again_changes_nothing_and_what_is_finished_is_a_conflict(void **state)
{
	struct fixture  *f = *state;
	struct store_job job;
	add(f, "j-1", "import", 0, 0);
	assert_ok(f, f->store->ops->job_cancel(f->store, "j-1", 700, &f->arena, &job, &f->err));
	assert_ok(f, f->store->ops->job_cancel(f->store, "j-1", 800, &f->arena, &job, &f->err));
	assert_int_equal(job.finished_ms, 700);
	assert_int_equal(job.updated_ms, 700);

	add(f, "j-2", "import", 0, 0);
	finish(f, "j-2", STORE_JOB_DONE, 750);
	assert_int_equal(f->store->ops->job_cancel(f->store, "j-2", 800, &f->arena, &job, &f->err),
	                 STATUS_CONFLICT);
	assert_int_equal(get(f, "j-2").state, STORE_JOB_DONE);
}

static void only_what_is_finished_is_deleted_and_its_number_is_never_used_again(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	assert_int_equal(f->store->ops->job_delete(f->store, "j-1", &f->err), STATUS_CONFLICT);
	take(f, "j-1");
	assert_int_equal(f->store->ops->job_delete(f->store, "j-1", &f->err), STATUS_CONFLICT);

	add(f, "j-2", "import", 0, 0);
	finish(f, "j-2", STORE_JOB_CANCELLED, 750);
	assert_ok(f, f->store->ops->job_delete(f->store, "j-2", &f->err));
	assert_int_equal(f->store->ops->job_delete(f->store, "j-2", &f->err), STATUS_NOT_FOUND);
	assert_int_equal(add(f, "j-3", "import", 0, 0).number, 3);
}

static void jobs_are_counted_by_kind_and_state(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	add(f, "j-2", "import", 0, 0);
	add(f, "j-3", "backup", 0, 0);
	take(f, "j-3");

	struct store_job_count *counts;
	size_t                  count;
	assert_ok(f, f->store->ops->job_count(f->store, &f->arena, &counts, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(counts[0].kind, TEXT("backup")));
	assert_int_equal(counts[0].state, STORE_JOB_RUNNING);
	assert_int_equal(counts[0].count, 1);
	assert_true(text_equal(counts[1].kind, TEXT("import")));
	assert_int_equal(counts[1].count, 2);
}

static struct store_schedule put(struct fixture *f, const char *name, const char *cron,
                                 int64_t next_ms)
{
	struct store_schedule schedule = {.name       = text_of(name),
	                                  .kind       = TEXT("backup"),
	                                  .params     = TEXT("{}"),
	                                  .cron       = text_of(cron),
	                                  .priority   = -3,
	                                  .active     = true,
	                                  .updated_ms = next_ms - 50,
	                                  .next_ms    = next_ms};
	assert_ok(f, f->store->ops->schedule_put(f->store, &schedule, &f->err));
	return schedule;
}

static void a_schedule_is_set_changed_listed_by_name_and_deleted(void **state)
{
	struct fixture *f = *state;
	put(f, "b", "0 3 * * *", 1000);
	assert_int_equal(put(f, "a", "0 4 * * *", 2000).created_ms, 1950);
	assert_int_equal(put(f, "b", "0 5 * * *", 3000).created_ms, 950);
	fixture_reopen(f);

	struct store_schedule *schedules, one;
	size_t                 count;
	assert_ok(f, f->store->ops->schedule_list(f->store, &f->arena, &schedules, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(schedules[0].name, TEXT("a")));
	assert_true(text_equal(schedules[1].cron, TEXT("0 5 * * *")));
	assert_int_equal(schedules[1].updated_ms, 2950);
	assert_int_equal(schedules[1].next_ms, 3000);
	assert_int_equal(schedules[1].last_ms, INSTANT_MS_NONE);
	assert_string_equal(schedules[1].last_id, "");
	assert_int_equal(schedules[1].priority, -3);
	assert_true(schedules[1].active);

	assert_ok(f, f->store->ops->schedule_delete(f->store, TEXT("b"), &f->err));
	assert_int_equal(f->store->ops->schedule_delete(f->store, TEXT("b"), &f->err),
	                 STATUS_NOT_FOUND);
	assert_int_equal(f->store->ops->schedule_get(f->store, TEXT("b"), &f->arena, &one, &f->err),
	                 STATUS_NOT_FOUND);
	assert_ok(f, f->store->ops->schedule_get(f->store, TEXT("a"), &f->arena, &one, &f->err));
	assert_int_equal(one.next_ms, 2000);
}

static void a_schedule_that_fires_adds_its_job_once(void **state)
{
	struct fixture *f = *state;
	put(f, "b", "0 3 * * *", 1000);
	struct store_job job = new_job("j-1", "backup", 0, 1000);
	assert_ok(f, f->store->ops->schedule_fire(f->store, TEXT("b"), 1000, 2000, &job, &f->err));
	assert_int_equal(job.number, 1);

	/* Another runner that saw the same instant. */
	struct store_job twin = new_job("j-2", "backup", 0, 1000);
	assert_int_equal(f->store->ops->schedule_fire(f->store, TEXT("b"), 1000, 2000, &twin, &f->err),
	                 STATUS_PRECONDITION);
	fixture_reopen(f);

	struct store_schedule schedule;
	assert_ok(f, f->store->ops->schedule_get(f->store, TEXT("b"), &f->arena, &schedule, &f->err));
	assert_int_equal(schedule.next_ms, 2000);
	assert_int_equal(schedule.last_ms, 1000);
	assert_string_equal(schedule.last_id, "j-1");
	assert_int_equal(get(f, "j-1").state, STORE_JOB_QUEUED);
	struct store_job none;
	assert_int_equal(f->store->ops->job_get(f->store, "j-2", &f->arena, &none, &f->err),
	                 STATUS_NOT_FOUND);
}

static void what_retention_did_is_kept_by_name(void **state)
{
	struct fixture        *f   = *state;
	struct store_retention row = {.name          = TEXT("jobs"),
	                              .age_ms        = 10,
	                              .reported_ms   = INSTANT_MS_NONE,
	                              .dropped_ms    = 30,
	                              .dropped_count = 4,
	                              .dropped_bytes = 5};
	assert_ok(f, f->store->ops->retention_put(f->store, &row, &f->err));
	row.name = TEXT("exports");
	assert_ok(f, f->store->ops->retention_put(f->store, &row, &f->err));
	row.reported_ms = 20;
	assert_ok(f, f->store->ops->retention_put(f->store, &row, &f->err));
	fixture_reopen(f);

	struct store_retention *rows;
	size_t                  count;
	assert_ok(f, f->store->ops->retention_list(f->store, &f->arena, &rows, &count, &f->err));
	assert_int_equal(count, 2);
	assert_true(text_equal(rows[0].name, TEXT("exports")));
	assert_int_equal(rows[0].age_ms, 10);
	assert_int_equal(rows[0].reported_ms, 20);
	assert_int_equal(rows[0].dropped_ms, 30);
	assert_int_equal(rows[0].dropped_count, 4);
	assert_int_equal(rows[0].dropped_bytes, 5);
	assert_int_equal(rows[1].reported_ms, INSTANT_MS_NONE);
}

static void a_full_disk_leaves_a_job_as_it_was(void **state)
{
	struct fixture *f = *state;
	add(f, "j-1", "import", 0, 0);
	struct store_job job = take(f, "j-1");
	put(f, "b", "0 3 * * *", 1000);

	char large[64 * 1024];
	memset(large, 'x', sizeof large);
	job.resume = (struct text){large, sizeof large};
	job.done   = 5;
	f->backend->disk_full(true);
	enum status      saved = f->store->ops->job_change(f->store, &job, STORE_JOB_RUNNING, &f->err);
	struct store_job fired = new_job("j-2", "backup", 0, 1000);
	enum status      fire =
		f->store->ops->schedule_fire(f->store, TEXT("b"), 1000, 2000, &fired, &f->err);
	f->backend->disk_full(false);
	assert_int_equal(saved, STATUS_NO_SPACE);
	assert_int_equal(fire, STATUS_NO_SPACE);
	assert_int_equal(fired.number, 0);

	assert_int_equal(get(f, "j-1").done, 0);
	assert_int_equal(get(f, "j-1").resume.length, 0);
	assert_ok(f, f->store->ops->schedule_fire(f->store, TEXT("b"), 1000, 2000, &fired, &f->err));
	assert_int_equal(fired.number, 2);
}

int run_job_tests(const char *backend)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_job_is_there_with_all_that_it_was_added_with_after_a_restart),
		STORE_TEST(an_unknown_job_is_not_found),
		STORE_TEST(progress_state_and_result_are_written_in_one_go),
		STORE_TEST(a_change_of_a_job_that_is_in_another_state_is_refused),
		STORE_TEST(ready_is_the_most_urgent_of_those_whose_time_has_come_then_the_oldest),
		STORE_TEST(the_next_that_waits_for_its_time_is_known),
		STORE_TEST(a_list_begins_with_the_newest_and_is_filtered_and_paged),
		STORE_TEST(finished_ones_are_found_by_their_age),
		STORE_TEST(a_queued_job_is_cancelled_at_once_and_a_running_one_is_told),
		STORE_TEST(cancelling_again_changes_nothing_and_what_is_finished_is_a_conflict),
		STORE_TEST(only_what_is_finished_is_deleted_and_its_number_is_never_used_again),
		STORE_TEST(jobs_are_counted_by_kind_and_state),
		STORE_TEST(a_schedule_is_set_changed_listed_by_name_and_deleted),
		STORE_TEST(a_schedule_that_fires_adds_its_job_once),
		STORE_TEST(what_retention_did_is_kept_by_name),
		STORE_TEST(a_full_disk_leaves_a_job_as_it_was),
	};
	char name[64];
	snprintf(name, sizeof name, "jobs of %s", backend);
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
