/* Runs the contract of store/store.h over every backend. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend.h"
#include "fault_vfs.h"
#include "store/sqlite.h"

static enum status open_sqlite(const char *directory, struct store **ret_store, struct error *err)
{
	char path[128];
	snprintf(path, sizeof path, "%s/store.db", directory);
	return sqlite_store_open(path, ret_store, err);
}

static const struct store_backend sqlite_backend = {
	.name      = "sqlite",
	.open      = open_sqlite,
	.disk_full = fault_vfs_disk_full,
};

const struct store_backend *const store_backends[]    = {&sqlite_backend};
const size_t                      store_backend_count = 1;

static const struct store_backend *current;

int fixture_new(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	fixture->backend = current;
	snprintf(fixture->directory, sizeof fixture->directory, "/tmp/sonnim-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	arena_init(&fixture->arena);
	assert_ok(fixture, current->open(fixture->directory, &fixture->store, &fixture->err));
	*state = fixture;
	return 0;
}

int fixture_free(void **state)
{
	struct fixture *fixture = *state;
	if (fixture->store)
		fixture->store->ops->free(fixture->store);
	arena_done(&fixture->arena);
	const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", fixture->directory, names[i]);
		unlink(path);
	}
	rmdir(fixture->directory);
	free(fixture);
	return 0;
}

void fixture_reopen(struct fixture *fixture)
{
	fixture->store->ops->free(fixture->store);
	fixture->store = NULL;
	assert_ok(fixture, fixture->backend->open(fixture->directory, &fixture->store, &fixture->err));
}

int main(void)
{
	fault_vfs_register();
	int failures = 0;
	for (size_t i = 0; i < store_backend_count; i++) {
		current = store_backends[i];
		failures += run_source_tests(current->name);
		failures += run_plan_tests(current->name);
		failures += run_segment_tests(current->name);
		failures += run_job_tests(current->name);
		failures += run_audience_tests(current->name);
		failures += run_filter_tests(current->name);
		failures += run_person_tests(current->name);
		failures += run_workspace_tests(current->name);
	}
	current = &sqlite_backend;
	failures += run_sqlite_tests();
	return failures > 0;
}
