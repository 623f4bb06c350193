/* A process that is killed (SIGKILL) at random instants while a job runs: each of its steps is done
 * at least once, none behind the last save more than once for each kill, and in the end it is done.
 * SONNIM_TEST_KILLS: how often (20). The seed is printed; SONNIM_TEST_SEED repeats it. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../seed.h"
#include "jobs_fixture.h"

/* Where a child tells of each step, so that its parent kills it by what it has done and not by
 * how long it took. */
static int told[2];

enum { STEPS = 3000, KILLS = 20, SAVE_EACH = 10 };

/* What a careful kind does: its file is cut to what was saved, then it goes on from there. */
static enum status play_append(struct fixture *f, struct job *job, struct error *err)
{
	struct text saved = job_state(job);
	uint32_t    step  = 0;
	char        path[JOB_PATH_BYTES];
	(void)f;
	if (saved.length == sizeof step)
		memcpy(&step, saved.data, sizeof step);
	enum status status = job_file_path(job, "steps", path, err);
	if (status != STATUS_OK)
		return status;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)(step * sizeof step)) != 0)
		return error_set(err, STATUS_IO, "no file");
	for (; step < STEPS && status == STATUS_OK; step++) {
		if (pwrite(fd, &step, sizeof step, (off_t)(step * sizeof step)) != sizeof step)
			status = error_set(err, STATUS_IO, "not written");
		uint32_t next = step + 1;
		if (told[1] >= 0 && write(told[1], "", 1) != 1)
			status = error_set(err, STATUS_IO, "nobody listens");
		job_progress(job, next, STEPS, "steps", NULL);
		if (next % SAVE_EACH == 0 && status == STATUS_OK)
			status = job_save(job, (struct text){(const char *)&next, sizeof next}, err);
	}
	close(fd);
	return status;
}

/* In the child: runs until it is killed. */
static void run_for_ever(struct fixture *f)
{
	fixture_open(f);
	f->play = play_append;
	fixture_start(f);
	for (;;)
		pause();
}

static void kill_after(struct fixture *f, uint64_t steps)
{
	char step;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run_for_ever(f);
	close(told[1]);
	told[1] = -1;
	for (; steps > 0; steps--)
		assert_int_equal(read(told[0], &step, 1), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(told[0]);
}

static void check_file(struct fixture *f, const char *id)
{
	char     path[JOB_PATH_BYTES];
	uint32_t steps[STEPS + 1];

	struct store_job job = get(f, id);
	assert_ok(f, jobs_file_path(f->jobs, &job, TEXT("steps"), path, &f->err));
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(steps, sizeof steps[0], STEPS + 1, file), STEPS);
	fclose(file);
	for (uint32_t i = 0; i < STEPS; i++)
		assert_int_equal(steps[i], i);
}

static void a_job_is_done_in_the_end_however_often_its_process_is_killed(void **state)
{
	struct fixture *f      = *state;
	const char     *wanted = getenv("SONNIM_TEST_KILLS");
	int             kills  = wanted == NULL ? KILLS : atoi(wanted);
	int64_t         done   = 0;
	seed_begin("test_job_kill");
	char id[37];
	memcpy(id, add(f, "play", 0).id, sizeof id);
	fixture_stop(f);
	for (int i = 0; i < kills; i++) {
		kill_after(f, seed_below(STEPS / (uint64_t)kills));
		fixture_open(f);
		struct store_job job = get(f, id);
		assert_true(job.state != STORE_JOB_FAILED && job.state != STORE_JOB_CANCELLED);
		assert_true(job.done >= done); /* never back */
		done = job.done - job.done % SAVE_EACH;
		fixture_stop(f);
	}
	fixture_open(f);
	f->play = play_append;
	fixture_start(f);
	struct store_job job = await(f, id, STORE_JOB_DONE);
	assert_int_equal(job.done, STEPS);
	check_file(f, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOB_TEST(a_job_is_done_in_the_end_however_often_its_process_is_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
