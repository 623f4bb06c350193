#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct target {
	char    *directory;
	char    *zone;
	bool     quiet;
	int64_t  threads;
	uint64_t file_bytes;
	int64_t  timeout_ms;
};

static const char *check_zone(const void *member)
{
	const char *zone;
	memcpy(&zone, member, sizeof zone);
	return strcmp(zone, "Mars") == 0 ? "must not be Mars" : NULL;
}

static const struct setting table[] = {
	SETTING_STRING(struct target, directory, "directory", "./data", "Where the data lies", "PATH"),
	SETTING_STRING(struct target, zone, "zone", NULL, "Zone | of dates", NULL, .check = check_zone),
	SETTING_BOOL(struct target, quiet, "quiet", "Says nothing"),
	SETTING_INT(struct target, threads, "threads", "4", -1, 64, "Number of threads", .live = true),
	SETTING_BYTES(struct target, file_bytes, "file-bytes", "256MiB", 1 << 20, 1 << 30,
                  "Size of one file"),
	SETTING_DURATION(struct target, timeout_ms, "timeout", "5s", 100, 3600000,
                     "How long to wait for an answer before the connection is closed and the "
                     "client may try again"),
};

static struct target         target;
static const struct settings sets[] = {{table, sizeof table / sizeof table[0], &target}};
static struct error          err;

static int load(void **state)
{
	(void)state;
	memset(&target, 0, sizeof target);
	memset(&err, 0, sizeof err);
	return settings_load(sets, 1, &err) == STATUS_OK ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	settings_done(sets, 1);
	return 0;
}

enum { ARGUMENTS_MAX = 16 };

static int rest_count;

/* As main's arguments are: behind the program's name, ended by NULL. */
static enum status parse(const char *const *flags, int count)
{
	char *argv[ARGUMENTS_MAX] = {(char *)"sonnim"};
	int   argc                = count + 1;
	assert_true(argc < ARGUMENTS_MAX);
	for (int i = 0; i < count; i++)
		argv[i + 1] = (char *)flags[i];
	enum status status = settings_parse_flags(sets, 1, &argc, argv, &err);
	if (status == STATUS_OK) {
		assert_null(argv[argc]);
		rest_count = argc;
	}
	return status;
}

#define PARSE(...)                                                                                 \
	parse((const char *[]){__VA_ARGS__},                                                           \
	      (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

static void without_anything_the_defaults_hold(void **state)
{
	(void)state;
	assert_string_equal(target.directory, "./data");
	assert_null(target.zone);
	assert_false(target.quiet);
	assert_int_equal(target.threads, 4);
	assert_int_equal(target.file_bytes, 256 << 20);
	assert_int_equal(target.timeout_ms, 5000);
}

static void flags_are_read_in_both_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--directory=/x=y", "--threads", "-1", "--quiet", "--file-bytes=1GiB",
	                       "--timeout", "250ms", "--zone="),
	                 STATUS_OK);

	assert_string_equal(target.directory, "/x=y");
	assert_int_equal(target.threads, -1);
	assert_true(target.quiet);
	assert_int_equal(target.file_bytes, 1 << 30);
	assert_int_equal(target.timeout_ms, 250);
	assert_string_equal(target.zone, "");
	assert_int_equal(rest_count, 1);
}

static void of_equal_flags_the_last_one_counts(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--zone=a", "--zone", "b", "--quiet", "--quiet=false"), STATUS_OK);

	assert_string_equal(target.zone, "b");
	assert_false(target.quiet);
}

static void what_is_no_flag_is_left_in_its_order(void **state)
{
	(void)state;
	char name[] = "sonnim", a[] = "a", quiet[] = "--quiet", dash[] = "-", number[] = "-5",
		 end[]   = "--";
	char *argv[] = {name, a, quiet, dash, number, end, quiet, a, NULL};
	int   argc   = 8;

	assert_int_equal(settings_parse_flags(sets, 1, &argc, argv, &err), STATUS_OK);

	static const char *const expected[] = {"sonnim", "a", "-", "-5", "--quiet", "a"};
	assert_int_equal(argc, 6);
	for (int i = 0; i < argc; i++)
		assert_string_equal(argv[i], expected[i]);
	assert_null(argv[argc]);
}

static void an_unknown_flag_is_refused_with_the_nearest_known_one(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--treads=5"), STATUS_INVALID);
	assert_string_equal(err.reason, "unknown setting --treads, did you mean --threads?");

	assert_int_equal(PARSE("--something-else"), STATUS_INVALID);
	assert_string_equal(err.reason, "unknown setting --something-else");

	assert_int_equal(PARSE("-q"), STATUS_INVALID);
	assert_string_equal(err.reason, "unknown setting -q");
}

static void a_flag_without_its_value_is_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--threads"), STATUS_INVALID);
	assert_string_equal(err.reason, "--threads needs a value");
}

static void values_out_of_bounds_are_refused_with_the_bounds(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--threads=65"), STATUS_INVALID);
	assert_string_equal(err.reason, "--threads must be from -1 to 64");
	assert_int_equal(PARSE("--file-bytes=4KiB"), STATUS_INVALID);
	assert_string_equal(err.reason, "--file-bytes must be from 1MiB to 1GiB");
	assert_int_equal(PARSE("--timeout=2h"), STATUS_INVALID);
	assert_string_equal(err.reason, "--timeout must be from 100ms to 1h");
	assert_int_equal(target.threads, 4);
}

static void values_of_the_wrong_form_are_refused(void **state)
{
	(void)state;
	static const char *const flags[] = {
		"--threads=",      "--threads=x",      "--threads=1x",
		"--threads= 1",    "--threads=1.5",    "--threads=99999999999999999999",
		"--file-bytes=-1", "--file-bytes=1MB", "--file-bytes=9999999999999GiB",
		"--timeout=5",     "--timeout=5 s",    "--timeout=s",
		"--quiet=yes",     "--quiet=",
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (PARSE(flags[i]) != STATUS_INVALID)
			fail_msg("%s is taken", flags[i]);
}

static void whole_numbers_of_milliseconds_or_bytes_need_no_larger_unit(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--file-bytes=1048577", "--timeout=3599999ms"), STATUS_OK);

	assert_int_equal(target.file_bytes, 1048577);
	assert_int_equal(target.timeout_ms, 3599999);
}

static void the_environment_comes_before_the_defaults(void **state)
{
	(void)state;
	setenv("SONNIM_FILE_BYTES", "2MiB", 1);
	setenv("SONNIM_THREADS", "", 1);
	enum status status = settings_load(sets, 1, &err);
	unsetenv("SONNIM_FILE_BYTES");
	unsetenv("SONNIM_THREADS");

	assert_int_equal(status, STATUS_OK);
	assert_int_equal(target.file_bytes, 2 << 20);
	assert_int_equal(target.threads, 4);
}

static void a_bad_variable_is_named(void **state)
{
	(void)state;
	setenv("SONNIM_FILE_BYTES", "2", 1);
	enum status status = settings_load(sets, 1, &err);
	unsetenv("SONNIM_FILE_BYTES");

	assert_int_equal(status, STATUS_INVALID);
	assert_string_equal(err.reason, "SONNIM_FILE_BYTES must be from 1MiB to 1GiB");
}

static enum status load_content(const char *content)
{
	char  path[] = "/tmp/sonnim-test-settings-XXXXXX";
	FILE *file   = fdopen(mkstemp(path), "w");
	fputs(content, file);
	fclose(file);
	enum status status = settings_load_file(sets, 1, path, &err);
	unlink(path);
	return status;
}

static void a_file_comes_between_environment_and_defaults(void **state)
{
	(void)state;
	setenv("SONNIM_THREADS", "7", 1);
	enum status status = load_content("# comment\n\n  zone = Asia/Seoul # here\r\nthreads=6\n"
	                                  "directory = /a#b = c\nquiet = true");
	unsetenv("SONNIM_THREADS");

	assert_int_equal(status, STATUS_OK);
	assert_string_equal(target.zone, "Asia/Seoul");
	assert_string_equal(target.directory, "/a#b = c");
	assert_true(target.quiet);
	assert_int_equal(target.threads, 7);
	assert_int_equal(target.timeout_ms, 5000);
}

static void a_mistake_in_a_file_is_named_with_its_line(void **state)
{
	(void)state;
	assert_int_equal(load_content("\nthreads = x\n"), STATUS_INVALID);
	assert_non_null(strstr(err.reason, ":2:11: threads must be a whole number"));
	assert_int_equal(load_content("threads"), STATUS_INVALID);
	assert_non_null(strstr(err.reason, ":1:1: expected name = value"));
	assert_int_equal(load_content("  thread = 5"), STATUS_INVALID);
	assert_non_null(strstr(err.reason, ":1:3: unknown setting thread, did you mean threads?"));
	assert_int_equal(load_content("threads = 1\n\nthreads = 1"), STATUS_INVALID);
	assert_non_null(strstr(err.reason, ":3:1: threads is given in line 1 already"));
	assert_int_equal(load_content("threads = 1\nzone =  Mars"), STATUS_INVALID);
	assert_non_null(strstr(err.reason, ":2:9: zone must not be Mars"));
	assert_int_equal(settings_load_file(sets, 1, "/nonexistent", &err), STATUS_NOT_FOUND);
}

static void note(void *context, const struct setting *setting)
{
	char *names = context;
	snprintf(names + strlen(names), 64 - strlen(names), "%s ", setting->name);
}

static void what_differs_is_told_and_only_what_is_live_is_taken_over(void **state)
{
	struct target         other     = {0};
	const struct settings others[]  = {{table, sizeof table / sizeof table[0], &other}};
	char                  names[64] = "";
	(void)state;
	assert_int_equal(settings_load(others, 1, &err), STATUS_OK);
	settings_compare(sets, others, 1, note, names);
	assert_string_equal(names, "");
	other.threads    = 9;
	other.timeout_ms = 200;
	other.zone       = strdup("UTC");
	settings_compare(sets, others, 1, note, names);
	assert_string_equal(names, "zone threads timeout ");
	settings_take_live(sets, others, 1);
	assert_int_equal(target.threads, 9);
	assert_int_equal(target.timeout_ms, 5000);
	assert_null(target.zone);
	settings_done(others, 1);
}

static void help_keeps_within_100_columns_and_names_every_setting(void **state)
{
	(void)state;
	struct buffer out = {0};
	settings_help(sets, 1, &out);
	buffer_add_u8(&out, '\0');

	assert_non_null(strstr(out.data, "  --directory PATH "));
	assert_non_null(strstr(out.data, "  --quiet  "));
	assert_non_null(strstr(out.data, "Size of one file (default 256MiB)\n"));
	assert_non_null(strstr(out.data, "(default 5s)\n"));
	for (const char *line = out.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert_true(end - line <= 100);
	buffer_done(&out);
}

static void the_documentation_is_a_table_of_every_setting(void **state)
{
	(void)state;
	struct buffer out = {0};
	settings_markdown(sets, 1, &out);
	buffer_add_u8(&out, '\0');

	assert_non_null(strstr(out.data, "| `file-bytes` | size | `256MiB` | 1MiB to 1GiB |  | "
	                                 "Size of one file |\n"));
	assert_non_null(strstr(out.data, "| `threads` | number | `4` | -1 to 64 | yes | Number"));
	assert_non_null(
		strstr(out.data, "| `quiet` | true or false | `false` |  |  | Says nothing |\n"));
	assert_non_null(strstr(out.data, "| `zone` | text |  |  |  | Zone \\| of dates |\n"));
	buffer_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, load, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_anything_the_defaults_hold),
		TEST(flags_are_read_in_both_forms),
		TEST(of_equal_flags_the_last_one_counts),
		TEST(what_is_no_flag_is_left_in_its_order),
		TEST(an_unknown_flag_is_refused_with_the_nearest_known_one),
		TEST(a_flag_without_its_value_is_refused),
		TEST(values_out_of_bounds_are_refused_with_the_bounds),
		TEST(values_of_the_wrong_form_are_refused),
		TEST(whole_numbers_of_milliseconds_or_bytes_need_no_larger_unit),
		TEST(the_environment_comes_before_the_defaults),
		TEST(a_bad_variable_is_named),
		TEST(a_file_comes_between_environment_and_defaults),
		TEST(what_differs_is_told_and_only_what_is_live_is_taken_over),
		TEST(a_mistake_in_a_file_is_named_with_its_line),
		TEST(help_keeps_within_100_columns_and_names_every_setting),
		TEST(the_documentation_is_a_table_of_every_setting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
