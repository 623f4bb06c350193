#ifndef SONNIM_TESTS_JOBS_FIXTURE_H
#define SONNIM_TESTS_JOBS_FIXTURE_H

/* A runner over a store of its own, with a clock that the test moves and kinds that do what the
 * test says. They need the scope "play", and "secret" too for a parameter "secret". */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "job/job.h"
#include "store/sqlite.h"

struct fixture;

typedef enum status play_fn(struct fixture *f, struct job *job, struct error *err);

struct fixture {
	char                directory[64];
	struct store       *store;
	struct job_settings settings;
	struct jobs        *jobs;
	struct arena        arena;
	struct error        err;
	_Atomic int64_t     now_ms;

	play_fn    *play; /* what the kind "play" does */
	_Atomic int runs; /* how often it did */
	_Atomic int at_once;
	_Atomic int at_once_max;
	_Atomic int gate; /* plays that wait for it go on when it is not 0 */
};

int  fixture_new(void **state);
int  fixture_free(void **state);
void fixture_open(struct fixture *f); /* the runner, with "play" (one at a time) and "pair" (two) */
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);  /* as a server that ends in good order */
void fixture_crash(struct fixture *f); /* what ran is RUNNING in the store, as after a kill */

#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

#define assert_ok(f, call)                                                                         \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (f)->err.reason);                    \
	} while (0)

/* May do everything. */
extern const struct job_asker fixture_asker;

/* Adds a job of that kind and answers it. */
struct store_job add(struct fixture *f, const char *kind, int priority);
struct store_job get(struct fixture *f, const char *id);
/* Waits until it is in that state and answers it. */
struct store_job await(struct fixture *f, const char *id, enum store_job_state state);
void             await_number(_Atomic int *number, int at_least);

/* Plays */
play_fn play_nothing, play_gate;

#endif
