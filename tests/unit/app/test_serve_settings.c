#include "app/serve_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"

enum { ARGUMENTS_MAX = 8 };

struct fixture {
	struct serve_settings settings;
	struct error          err;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	serve_settings_done(&fixture->settings);
	free(fixture);
	return 0;
}

/* The flags are ended by NULL. */
static enum status load(struct fixture *fixture, const char *const *flags)
{
	char *argv[ARGUMENTS_MAX + 1] = {strdup("serve")};
	int   argc                    = 1;
	for (; flags[argc - 1] != NULL; argc++)
		argv[argc] = strdup(flags[argc - 1]);
	char *kept[ARGUMENTS_MAX + 1];
	memcpy(kept, argv, sizeof kept);
	enum status status = serve_settings_load(&fixture->settings, argc, argv, &fixture->err);
	for (int i = 0; i < argc; i++)
		free(kept[i]);
	return status;
}

#define LOAD(fixture, ...) load((fixture), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void defaults_are_those_that_are_promised(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(LOAD(fixture), STATUS_OK);

	assert_string_equal(fixture->settings.data, "./data");
	assert_string_equal(fixture->settings.keyring, "./keyring");
	assert_string_equal(fixture->settings.http.listen, "127.0.0.1:8080");
	assert_true(fixture->settings.retention_ms == 0); /* what the data has */
	assert_int_equal(serve_settings_clock(&fixture->settings), SERVE_CLOCK_ANY);
}

static void a_flag_wins_over_the_file_that_another_flag_names(void **state)
{
	struct fixture *fixture = *state;
	char            path[]  = "/tmp/sonnim_settings_XXXXXX";
	FILE           *file    = fdopen(mkstemp(path), "w");
	fputs("# settings\ndata = /from/file\nthreads = 3\n", file);
	fclose(file);

	assert_int_equal(LOAD(fixture, "--data", "/from/flag", "--config", path), STATUS_OK);

	assert_string_equal(fixture->settings.data, "/from/flag");
	assert_int_equal(fixture->settings.threads, 3);
	unlink(path);
}

static void retention_is_whole_days(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(LOAD(fixture, "--retention", "36h"), STATUS_INVALID);
	assert_int_equal(LOAD(fixture, "--retention", "1d"), STATUS_INVALID);
	assert_int_equal(LOAD(fixture, "--retention", "48h"), STATUS_OK);
	assert_true(fixture->settings.retention_ms == 2 * DAY_MS);
}

static void the_clock_is_wall_or_manual(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(LOAD(fixture, "--clock=manual"), STATUS_OK);
	assert_int_equal(serve_settings_clock(&fixture->settings), SERVE_CLOCK_MANUAL);
	assert_int_equal(LOAD(fixture, "--clock=sundial"), STATUS_INVALID);
}

static void roles_run_all_together_only(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(LOAD(fixture, "--roles", "engine,ingest,api"), STATUS_OK);
	assert_int_equal(LOAD(fixture, "--roles", "ingest"), STATUS_INVALID);
	assert_int_equal(LOAD(fixture, "--roles", "ingest,ingest,api"), STATUS_INVALID);
	assert_int_equal(LOAD(fixture, "--roles", "ingest,api,engine,cook"), STATUS_INVALID);
	assert_non_null(strstr(fixture->err.reason, "--roles names a role that there is not"));
}

static void what_is_no_flag_is_refused(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(LOAD(fixture, "data"), STATUS_INVALID);
	assert_int_equal(LOAD(fixture, "--dta", "x"), STATUS_INVALID);
	assert_non_null(strstr(fixture->err.reason, "--data"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_those_that_are_promised),
		TEST(a_flag_wins_over_the_file_that_another_flag_names),
		TEST(retention_is_whole_days),
		TEST(the_clock_is_wall_or_manual),
		TEST(roles_run_all_together_only),
		TEST(what_is_no_flag_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
