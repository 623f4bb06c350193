#include "jobs_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"

static int64_t ms_of(const char *instant)
{
	int64_t ms;
	assert_true(instant_parse(text_of(instant), &ms));
	return ms;
}

static struct store_schedule put(struct fixture *f, const char *name, const char *cron)
{
	struct store_schedule schedule = {.name     = text_of(name),
	                                  .kind     = TEXT("play"),
	                                  .cron     = text_of(cron),
	                                  .priority = JOB_PRIORITY_OF_KIND,
	                                  .active   = true};
	assert_ok(f, jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err));
	return schedule;
}

static struct store_schedule get_schedule(struct fixture *f, const char *name)
{
	struct store_schedule schedule;
	assert_ok(f, jobs_schedule_get(f->jobs, text_of(name), &f->arena, &schedule, &f->err));
	return schedule;
}

static uint64_t job_count(struct fixture *f)
{
	struct store_job_filter filter = {.limit = 1};
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	assert_ok(f, jobs_list(f->jobs, &filter, &f->arena, &rows, &count, &total, &f->err));
	return total;
}

/* Waits until the schedule has added the job of that instant. */
static struct store_schedule await_fired(struct fixture *f, const char *name, int64_t at_ms)
{
	struct store_schedule schedule;
	do
		schedule = get_schedule(f, name);
	while (schedule.last_ms != at_ms);
	return schedule;
}

/* Until the runner has looked at the clock of now: a job added behind it has run. */
static void settle(struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		struct job_wish wish = {
			.kind = "pair", .run_from_ms = ++f->now_ms + 1, .asker = &fixture_asker};
		struct store_job job;
		assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &job, &f->err));
		f->now_ms++;
		await(f, job.id, STORE_JOB_DONE);
	}
}

static void a_schedule_adds_a_job_at_each_of_its_instants(void **state)
{
	struct fixture *f = *state;
	f->now_ms         = ms_of("2026-01-01T00:00:00Z");
	fixture_start(f);
	assert_int_equal(put(f, "nightly", "0 3 * * *").next_ms, ms_of("2026-01-01T03:00:00Z"));
	f->now_ms = ms_of("2026-01-01T02:59:59Z");
	settle(f);
	assert_int_equal(get_schedule(f, "nightly").last_ms, INSTANT_MS_NONE);

	f->now_ms                      = ms_of("2026-01-01T03:00:00Z");
	struct store_schedule schedule = await_fired(f, "nightly", ms_of("2026-01-01T03:00:00Z"));
	assert_int_equal(schedule.next_ms, ms_of("2026-01-02T03:00:00Z"));
	struct store_job job = await(f, schedule.last_id, STORE_JOB_DONE);
	assert_true(text_equal(job.schedule, TEXT("nightly")));
	assert_true(text_equal(job.asked_by, TEXT("schedule nightly")));
	assert_int_equal(job.priority, 10);

	f->now_ms = ms_of("2026-01-02T03:00:00Z");
	schedule  = await_fired(f, "nightly", ms_of("2026-01-02T03:00:00Z"));
	assert_string_not_equal(schedule.last_id, job.id);
}

static void what_was_missed_is_made_up_once(void **state)
{
	struct fixture *f = *state;
	f->now_ms         = ms_of("2026-01-01T00:00:00Z");
	put(f, "nightly", "0 3 * * *");
	fixture_stop(f);

	f->now_ms = ms_of("2026-01-09T12:00:00Z");
	fixture_open(f);
	fixture_start(f);
	struct store_schedule schedule = await_fired(f, "nightly", ms_of("2026-01-01T03:00:00Z"));
	assert_int_equal(schedule.next_ms, ms_of("2026-01-10T03:00:00Z"));
	await(f, schedule.last_id, STORE_JOB_DONE);
	settle(f);
	assert_int_equal(job_count(f), 1 + 2);
}

static void while_the_last_one_runs_no_other_is_added_and_then_one_is_made_up(void **state)
{
	struct fixture *f = *state;
	f->now_ms         = ms_of("2026-01-01T00:00:00Z");
	f->play           = play_gate;
	fixture_start(f);
	put(f, "often", "0 * * * *");
	f->now_ms                   = ms_of("2026-01-01T01:00:00Z");
	struct store_schedule first = await_fired(f, "often", ms_of("2026-01-01T01:00:00Z"));
	await(f, first.last_id, STORE_JOB_RUNNING);

	f->now_ms                  = ms_of("2026-01-01T04:30:00Z");
	struct store_schedule same = get_schedule(f, "often");
	assert_string_equal(same.last_id, first.last_id);
	f->gate = 1;
	await(f, first.last_id, STORE_JOB_DONE);
	struct store_schedule second = await_fired(f, "often", ms_of("2026-01-01T02:00:00Z"));
	assert_int_equal(second.next_ms, ms_of("2026-01-01T05:00:00Z"));
	await(f, second.last_id, STORE_JOB_DONE);
	settle(f);
	assert_int_equal(job_count(f), 2 + 2);
}

static void an_inactive_schedule_adds_nothing_until_it_is_active(void **state)
{
	struct fixture       *f        = *state;
	struct store_schedule schedule = {
		.name = TEXT("off"), .kind = TEXT("play"), .cron = TEXT("0 3 * * *")};
	f->now_ms = ms_of("2026-01-01T00:00:00Z");
	fixture_start(f);
	assert_ok(f, jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err));
	assert_int_equal(schedule.next_ms, INSTANT_MS_NEVER);
	f->now_ms = ms_of("2026-01-05T00:00:00Z");
	settle(f);
	assert_int_equal(job_count(f), 2);

	schedule.active = true;
	assert_ok(f, jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err));
	assert_int_equal(schedule.next_ms, ms_of("2026-01-05T03:00:00Z"));
}

static void a_schedule_is_read_in_the_zone_of_the_settings(void **state)
{
	struct fixture *f = *state;
	f->now_ms         = ms_of("2026-03-28T12:00:00Z");
	put(f, "nightly", "0 3 * * *");
	fixture_stop(f);

	/* The zone was changed while the server was down: what is not due is reckoned anew. */
	f->settings.zone = (char *)"Europe/Berlin";
	fixture_open(f);
	fixture_start(f);
	assert_int_equal(get_schedule(f, "nightly").next_ms, ms_of("2026-03-29T01:00:00Z"));
	assert_string_equal(jobs_zone(f->jobs), "Europe/Berlin");
}

static void what_is_wrong_with_a_schedule_is_named(void **state)
{
	struct fixture       *f        = *state;
	struct store_schedule schedule = {
		.name = TEXT("a b"), .kind = TEXT("play"), .cron = TEXT("0 3 * * *")};
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, "name");
	schedule.name = TEXT("ab");
	schedule.kind = TEXT("other");
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, "kind");
	schedule.kind = TEXT("play");
	schedule.cron = TEXT("0 3 * *");
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, "cron");
	schedule.cron   = TEXT("0 3 * * *");
	schedule.params = TEXT("{\"bad\":1}");
	assert_int_equal(jobs_schedule_put(f->jobs, &schedule, &fixture_asker, &f->err),
	                 STATUS_INVALID);
	assert_string_equal(f->err.field, "params.bad");
}

static void there_is_an_end_to_the_number_of_schedules(void **state)
{
	struct fixture *f = *state;
	char            name[32];
	for (int i = 0; i < JOB_SCHEDULES_MAX; i++) {
		snprintf(name, sizeof name, "s-%d", i);
		put(f, name, "0 3 * * *");
	}
	struct store_schedule one_more = {
		.name = TEXT("more"), .kind = TEXT("play"), .cron = TEXT("0 3 * * *")};
	assert_int_equal(jobs_schedule_put(f->jobs, &one_more, &fixture_asker, &f->err),
	                 STATUS_LIMITED);
	put(f, "s-7", "0 4 * * *");
}

static void a_default_schedule_does_not_undo_what_somebody_set(void **state)
{
	struct fixture       *f        = *state;
	struct store_schedule schedule = {.name     = TEXT("nightly"),
	                                  .kind     = TEXT("play"),
	                                  .cron     = TEXT("0 3 * * *"),
	                                  .priority = JOB_PRIORITY_OF_KIND,
	                                  .active   = true};
	assert_ok(f, jobs_schedule_default(f->jobs, &schedule, &f->err));
	assert_true(get_schedule(f, "nightly").active);
	put(f, "nightly", "0 5 * * *");
	assert_ok(f, jobs_schedule_default(f->jobs, &schedule, &f->err));
	assert_true(text_equal(get_schedule(f, "nightly").cron, TEXT("0 5 * * *")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOB_TEST(a_schedule_adds_a_job_at_each_of_its_instants),
		JOB_TEST(what_was_missed_is_made_up_once),
		JOB_TEST(while_the_last_one_runs_no_other_is_added_and_then_one_is_made_up),
		JOB_TEST(an_inactive_schedule_adds_nothing_until_it_is_active),
		JOB_TEST(a_schedule_is_read_in_the_zone_of_the_settings),
		JOB_TEST(what_is_wrong_with_a_schedule_is_named),
		JOB_TEST(there_is_an_end_to_the_number_of_schedules),
		JOB_TEST(a_default_schedule_does_not_undo_what_somebody_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
