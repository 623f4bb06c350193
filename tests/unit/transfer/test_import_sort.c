#include "transfer/import/import_sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../seed.h"

struct fixture {
	char               directory[64];
	struct import_sort sort;
};

static int new_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct error    err;
	snprintf(fixture->directory, sizeof fixture->directory, "/tmp/test_import_sort.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	assert_int_equal(import_sort_init(&fixture->sort, fixture->directory, 0, &err), STATUS_OK);
	*state = fixture;
	return 0;
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	import_sort_done(&fixture->sort);
	import_sort_remove(fixture->directory);
	assert_int_equal(rmdir(fixture->directory), 0); /* nothing is left */
	free(fixture);
	return 0;
}

static void add(struct fixture *fixture, int64_t time_ms, uint64_t line)
{
	char message[64];
	int  length = snprintf(message, sizeof message, "%lld/%llu", (long long)time_ms,
	                       (unsigned long long)line);
	import_sort_add(&fixture->sort, time_ms, line, (struct text){message, (size_t)length});
}

static void spill(struct fixture *fixture)
{
	struct error err;
	if (import_sort_spill(&fixture->sort, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

/* Reads all and asserts order and contents; the count. */
static unsigned read_all(struct fixture *fixture)
{
	struct import_sorted sorted;
	struct error         err;
	enum status          status;
	int64_t              time_ms = INT64_MIN;
	uint64_t             line    = 0;
	unsigned             count   = 0;
	for (; (status = import_sort_next(&fixture->sort, &sorted, &err)) == STATUS_OK; count++) {
		char message[64];
		snprintf(message, sizeof message, "%lld/%llu", (long long)sorted.time_ms,
		         (unsigned long long)sorted.line);
		assert_true(text_equal(sorted.message, text_of(message)));
		assert_true(sorted.time_ms > time_ms || (sorted.time_ms == time_ms && sorted.line > line));
		time_ms = sorted.time_ms;
		line    = sorted.line;
	}
	assert_int_equal(status, STATUS_NOT_FOUND);
	assert_int_equal(import_sort_next(&fixture->sort, &sorted, &err), STATUS_NOT_FOUND);
	return count;
}

static void messages_come_back_by_time_then_line(void **state)
{
	struct fixture *fixture = *state;
	uint64_t        line    = 0;
	seed_begin("import_sort");
	for (unsigned run = 0; run < 7; run++) {
		for (uint64_t i = seed_below(3000) + 1; i > 0; i--)
			add(fixture, (int64_t)seed_below(500) - 250, ++line);
		spill(fixture);
	}
	assert_int_equal(fixture->sort.run_count, 7);
	assert_int_equal(read_all(fixture), line);
}

static void nothing_is_sorted_too(void **state)
{
	spill(*state);
	assert_int_equal(read_all(*state), 0);
}

static void runs_that_were_kept_are_gone_on_with_and_others_removed(void **state)
{
	struct fixture *fixture = *state;
	struct error    err;
	add(fixture, 5, 1);
	spill(fixture);
	add(fixture, 3, 2);
	spill(fixture); /* not in the state that was saved */
	import_sort_done(&fixture->sort);
	assert_int_equal(import_sort_init(&fixture->sort, fixture->directory, 1, &err), STATUS_OK);
	add(fixture, 4, 2);
	spill(fixture);
	assert_int_equal(read_all(fixture), 2);
}

static void a_run_that_is_gone_or_cut_off_is_an_error(void **state)
{
	struct fixture      *fixture = *state;
	struct import_sorted sorted;
	struct error         err;
	char                 path[128];
	for (uint64_t i = 0; i < 100; i++)
		add(fixture, 1, i);
	spill(fixture);
	import_sort_done(&fixture->sort);
	assert_int_equal(import_sort_init(&fixture->sort, fixture->directory, 2, &err),
	                 STATUS_NOT_FOUND);
	import_sort_done(&fixture->sort);
	snprintf(path, sizeof path, "%s/.run-0", fixture->directory);
	assert_int_equal(truncate(path, 1000), 0);
	assert_int_equal(import_sort_init(&fixture->sort, fixture->directory, 1, &err), STATUS_OK);
	enum status status;
	while ((status = import_sort_next(&fixture->sort, &sorted, &err)) == STATUS_OK)
		continue;
	assert_int_equal(status, STATUS_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_come_back_by_time_then_line),
		TEST(nothing_is_sorted_too),
		TEST(runs_that_were_kept_are_gone_on_with_and_others_removed),
		TEST(a_run_that_is_gone_or_cut_off_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
