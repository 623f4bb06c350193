#include "api/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { JOB_COUNT = 1000 };

struct job {
	struct worker_job job; /* first */
	struct workers   *workers;
	_Atomic int       runs;
	int               wanted;
};

static void run(struct worker_job *job)
{
	struct job *mine = (struct job *)job;
	if (atomic_fetch_add(&mine->runs, 1) + 1 < mine->wanted)
		workers_submit(mine->workers, job);
}

static void every_job_is_run_before_the_workers_end(void **state)
{
	(void)state;
	static struct job jobs[JOB_COUNT];
	struct workers   *workers = workers_new(2);
	for (int i = 0; i < JOB_COUNT; i++) {
		jobs[i] = (struct job){{run, NULL}, workers, 0, 1};
		workers_submit(workers, &jobs[i].job);
	}
	workers_free(workers);

	for (int i = 0; i < JOB_COUNT; i++)
		assert_int_equal(atomic_load(&jobs[i].runs), 1);
}

static void a_job_may_hand_itself_over_again(void **state)
{
	(void)state;
	struct workers *workers = workers_new(1);
	struct job      job     = {{run, NULL}, workers, 0, 3};
	workers_submit(workers, &job.job);
	workers_free(workers);

	assert_int_equal(atomic_load(&job.runs), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_is_run_before_the_workers_end),
		cmocka_unit_test(a_job_may_hand_itself_over_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
