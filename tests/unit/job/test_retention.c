#include "job/retention.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/instant.h"
#include "jobs_fixture.h"

#define AGE_MS  (10 * DAY_MS)
#define WAIT_MS (1 * DAY_MS)

/* A thing with items of certain instants. */
static struct {
	int64_t  at_ms[4];
	unsigned count;
	int64_t  age_ms;
	bool     fails;
} shelf;

static struct retention *retention;

static enum status look(void *context, int64_t before_ms, struct retention_look *ret_look,
                        struct error *err)
{
	(void)context;
	(void)err;
	*ret_look = (struct retention_look){.oldest_ms = INSTANT_MS_NONE};
	for (unsigned i = 0; i < shelf.count; i++) {
		ret_look->all.count++;
		ret_look->due.count += before_ms != INSTANT_MS_NONE && shelf.at_ms[i] < before_ms;
	}
	return STATUS_OK;
}

static enum status drop(void *context, struct job *job, int64_t before_ms,
                        struct retention_amount *dropped, struct error *err)
{
	unsigned kept = 0;
	(void)context;
	(void)job;
	for (unsigned i = 0; i < shelf.count; i++)
		if (shelf.at_ms[i] < before_ms)
			dropped->count++;
		else
			shelf.at_ms[kept++] = shelf.at_ms[i];
	shelf.count = kept;
	return shelf.fails ? error_set(err, STATUS_IO, "the disk is broken") : STATUS_OK;
}

/* A runner with that thing, kept for `age_ms`, and the jobs themselves. */
static void open_with(struct fixture *f, int64_t age_ms)
{
	const struct retention_thing thing = {.name    = "shelf",
	                                      .summary = "Items on a shelf",
	                                      .setting = "shelf-retention",
	                                      .age_ms  = &shelf.age_ms,
	                                      .look    = look,
	                                      .drop    = drop};
	shelf.age_ms                       = age_ms;
	if (f->jobs == NULL)
		fixture_open(f);
	retention                         = retention_new(f->jobs, f->store, WAIT_MS);
	const struct retention_thing jobs = retention_of_jobs(f->jobs);
	retention_register(retention, &thing);
	retention_register(retention, &jobs);
	fixture_start(f);
}

static void close_it(struct fixture *f)
{
	fixture_stop(f);
	retention_free(retention);
}

/* Runs it and answers what it says of the thing. */
static struct retention_row run_once(struct fixture *f, enum store_job_state end)
{
	struct retention_row *rows;
	size_t                count;
	await(f, add(f, "retention", JOB_PRIORITY_OF_KIND).id, end);
	assert_ok(f, retention_list(retention, &f->arena, &rows, &count, &f->err));
	assert_int_equal(count, 2);
	return rows[0];
}

static void fill(int64_t at_ms)
{
	memset(&shelf, 0, sizeof shelf);
	shelf.at_ms[0] = at_ms;
	shelf.at_ms[1] = at_ms + AGE_MS;
	shelf.count    = 2;
}

static void nothing_is_dropped_before_it_was_reported_and_the_wait_is_over(void **state)
{
	struct fixture *f = *state;
	fill(0);
	f->now_ms = AGE_MS + 1;
	open_with(f, AGE_MS);
	struct retention_row row = run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 2);
	assert_int_equal(row.look.due.count, 1);
	assert_int_equal(row.reported_ms, AGE_MS + 1);
	assert_int_equal(row.drops_from_ms, AGE_MS + 1 + WAIT_MS);
	assert_int_equal(row.plan, RETENTION_WAIT);

	f->now_ms = row.drops_from_ms - 1;
	row       = run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 2);
	f->now_ms = row.drops_from_ms;
	row       = run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 1);
	assert_int_equal(row.dropped.count, 1);
	assert_int_equal(row.dropped_ms, f->now_ms);
	assert_int_equal(row.plan, RETENTION_KEEP);

	/* From then on without another report. */
	f->now_ms = 2 * AGE_MS + 1;
	run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 0);
	close_it(f);
}

static void the_report_is_the_result_of_the_job(void **state)
{
	struct fixture *f = *state;
	fill(0);
	f->now_ms = AGE_MS + 1;
	open_with(f, AGE_MS);
	struct store_job job = await(f, add(f, "retention", JOB_PRIORITY_OF_KIND).id, STORE_JOB_DONE);
	char             result[512];
	snprintf(result, sizeof result, "%.*s", TEXT_FORMAT(job.result));
	assert_non_null(strstr(result, "{\"name\":\"shelf\",\"done\":\"report\",\"due\":{\"count\":1,"
	                               "\"bytes\":0},\"dropped\":{\"count\":0,\"bytes\":0},"
	                               "\"dropsFrom\":\"1970-01-12T00:00:00.001Z\"}"));
	close_it(f);
}

static void a_limit_that_was_shortened_is_reported_anew(void **state)
{
	struct fixture *f = *state;
	fill(0);
	f->now_ms = AGE_MS + 1;
	open_with(f, AGE_MS);
	run_once(f, STORE_JOB_DONE);
	close_it(f);

	/* The wait is over, but what was reported was another limit. */
	f->now_ms = AGE_MS + 1 + WAIT_MS;
	open_with(f, DAY_MS);
	struct retention_row row = run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 2);
	assert_int_equal(row.reported_ms, f->now_ms);
	f->now_ms += WAIT_MS;
	run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 0);
	close_it(f);
}

static void what_was_dropped_before_a_failure_is_told(void **state)
{
	struct fixture *f = *state;
	fill(0);
	f->now_ms = AGE_MS + 1;
	open_with(f, AGE_MS);
	run_once(f, STORE_JOB_DONE);
	f->now_ms += WAIT_MS;
	shelf.fails              = true;
	struct retention_row row = run_once(f, STORE_JOB_FAILED);
	assert_int_equal(row.dropped.count, 1);
	assert_int_equal(shelf.count, 1);
	close_it(f);
}

static void what_is_kept_for_ever_is_never_due(void **state)
{
	struct fixture *f = *state;
	fill(0);
	f->now_ms = 1000 * DAY_MS;
	open_with(f, INSTANT_MS_NEVER);
	struct retention_row row = run_once(f, STORE_JOB_DONE);
	assert_int_equal(row.plan, RETENTION_KEEP);
	f->now_ms += 2 * WAIT_MS;
	run_once(f, STORE_JOB_DONE);
	assert_int_equal(shelf.count, 2);
	close_it(f);
}

static enum status play_file(struct fixture *f, struct job *job, struct error *err)
{
	char        path[JOB_PATH_BYTES];
	enum status status = job_file_path(job, "a.csv", path, err);
	(void)f;
	return status == STATUS_OK ? file_replace(path, 0600, "text", 4, err) : status;
}

static void finished_jobs_go_with_their_files_and_others_stay(void **state)
{
	struct fixture  *f = *state;
	struct store_job waiting, old, gone;
	char             path[JOB_PATH_BYTES];
	memset(&shelf, 0, sizeof shelf);
	f->play = play_file;
	open_with(f, AGE_MS);
	old                  = await(f, add(f, "play", 0).id, STORE_JOB_DONE);
	struct job_wish wish = {.kind = "play", .run_from_ms = 1000 * DAY_MS, .asker = &fixture_asker};
	assert_ok(f, jobs_add(f->jobs, &wish, &f->arena, &waiting, &f->err));

	f->now_ms += DAY_MS; /* as old as it may be */
	run_once(f, STORE_JOB_DONE);
	f->now_ms += 1;
	run_once(f, STORE_JOB_DONE); /* reports */
	f->now_ms += WAIT_MS;
	assert_ok(f, jobs_file_path(f->jobs, &old, TEXT("a.csv"), path, &f->err));
	run_once(f, STORE_JOB_DONE);
	assert_int_equal(jobs_get(f->jobs, old.id, &f->arena, &gone, &f->err), STATUS_NOT_FOUND);
	assert_int_equal(jobs_file_path(f->jobs, &old, TEXT("a.csv"), path, &f->err), STATUS_NOT_FOUND);
	assert_int_equal(get(f, waiting.id).state, STORE_JOB_QUEUED);
	close_it(f);
}

static void there_is_a_nightly_schedule(void **state)
{
	struct fixture       *f = *state;
	struct store_schedule schedule;
	memset(&shelf, 0, sizeof shelf);
	open_with(f, AGE_MS);
	assert_ok(f, retention_begin(retention, &f->err));
	assert_ok(f, jobs_schedule_get(f->jobs, TEXT("retention"), &f->arena, &schedule, &f->err));
	assert_true(schedule.active);
	assert_in_range(schedule.next_ms - f->now_ms, 1, DAY_MS);
	close_it(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOB_TEST(nothing_is_dropped_before_it_was_reported_and_the_wait_is_over),
		JOB_TEST(the_report_is_the_result_of_the_job),
		JOB_TEST(a_limit_that_was_shortened_is_reported_anew),
		JOB_TEST(what_was_dropped_before_a_failure_is_told),
		JOB_TEST(what_is_kept_for_ever_is_never_due),
		JOB_TEST(finished_jobs_go_with_their_files_and_others_stay),
		JOB_TEST(there_is_a_nightly_schedule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
