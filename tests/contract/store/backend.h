#ifndef SONNIM_TESTS_STORE_BACKEND_H
#define SONNIM_TESTS_STORE_BACKEND_H

/* What the contract tests need to know of a backend: how to open it over one place, and how to make
 * its disk full. Every test gets a `struct fixture` with an empty store as its state. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/store.h"

struct store_backend {
	const char *name;
	/* Opens what lies under the directory, or makes it. */
	enum status (*open)(const char *directory, struct store **ret_store, struct error *err);
	void (*disk_full)(bool full);
};

extern const struct store_backend *const store_backends[];
extern const size_t                      store_backend_count;

struct fixture {
	const struct store_backend *backend;
	char                        directory[64];
	struct store               *store;
	struct arena                arena;
	struct error                err;
};

int  fixture_new(void **state); /* of the backend that main() is at */
int  fixture_free(void **state);
void fixture_reopen(struct fixture *fixture);

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

#define assert_ok(fixture, call)                                                                   \
	do {                                                                                           \
		enum status assert_ok_status = (call);                                                     \
		if (assert_ok_status != STATUS_OK)                                                         \
			fail_msg("%s: %s", status_code(assert_ok_status), (fixture)->err.reason);              \
	} while (0)

/* Each file's tests. */
int run_source_tests(const char *backend);
int run_audience_tests(const char *backend);
int run_filter_tests(const char *backend);
int run_job_tests(const char *backend);
int run_person_tests(const char *backend);
int run_plan_tests(const char *backend);
int run_segment_tests(const char *backend);
int run_workspace_tests(const char *backend);
int run_sqlite_tests(void);

#endif
