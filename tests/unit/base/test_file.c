#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 256 };

static char directory[PATH_BYTES];

static int new_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/sonnim-test-file-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info, (void)type, (void)place;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
	static char path[2 * PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void assert_content(const char *path, const char *expected)
{
	struct buffer content = {0};
	struct error  err     = {0};
	assert_int_equal(file_read(path, 1 << 20, &content, &err), STATUS_OK);
	assert_int_equal(content.length, strlen(expected));
	assert_memory_equal(content.data, expected, content.length);
	buffer_done(&content);
}

static void a_file_is_written_replaced_and_read(void **state)
{
	(void)state;
	struct error err;
	struct stat  info;
	assert_int_equal(file_replace(path_of("a"), 0640, "one", 3, &err), STATUS_OK);
	assert_content(path_of("a"), "one");
	assert_int_equal(stat(path_of("a"), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);

	assert_int_equal(file_replace(path_of("a"), 0600, "second", 6, &err), STATUS_OK);

	assert_content(path_of("a"), "second");
	assert_int_equal(stat(path_of("a"), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(access(path_of("a.new"), F_OK), -1);
}

static void what_a_crash_left_of_a_replacement_is_no_obstacle(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(symlink(path_of("elsewhere"), path_of("a.new")), 0);

	assert_int_equal(file_replace(path_of("a"), 0600, "one", 3, &err), STATUS_OK);

	assert_content(path_of("a"), "one");
	assert_int_equal(access(path_of("elsewhere"), F_OK), -1);
}

static void reading_appends_and_a_failure_leaves_the_buffer_alone(void **state)
{
	(void)state;
	struct buffer content = {0};
	struct error  err;
	buffer_printf(&content, "x");
	assert_int_equal(file_replace(path_of("a"), 0600, "0123456789", 10, &err), STATUS_OK);

	assert_int_equal(file_read(path_of("a"), 9, &content, &err), STATUS_TOO_LARGE);
	assert_int_equal(content.length, 1);
	assert_int_equal(file_read(path_of("a"), 10, &content, &err), STATUS_OK);
	assert_int_equal(content.length, 11);
	assert_memory_equal(content.data, "x0123456789", 11);
	buffer_done(&content);
}

static void a_missing_file_is_not_found_and_named(void **state)
{
	(void)state;
	struct buffer content = {0};
	struct error  err;

	assert_int_equal(file_read("/nonexistent/a", 10, &content, &err), STATUS_NOT_FOUND);

	assert_string_equal(err.reason, "cannot open /nonexistent/a: No such file or directory");
}

static void a_directory_is_no_file_to_read(void **state)
{
	(void)state;
	struct buffer content = {0};
	struct error  err;

	assert_int_equal(file_read(directory, 10, &content, &err), STATUS_IO);
	buffer_done(&content);
}

static void a_full_disk_is_told_from_other_failures(void **state)
{
	(void)state;
	struct error err;
	int          full = open("/dev/full", O_WRONLY);
	assert_true(full >= 0);

	assert_int_equal(file_write_all(full, "x", 1, "/dev/full", &err), STATUS_NO_SPACE);
	assert_int_equal(file_error(&err, EDQUOT, "write", "x"), STATUS_NO_SPACE);
	assert_int_equal(file_error(&err, EIO, "write", "x"), STATUS_IO);
	close(full);
}

static void directories_are_made_with_those_above_them(void **state)
{
	(void)state;
	struct error err;
	struct stat  info;

	assert_int_equal(directory_create(path_of("a/b/c"), 0700, &err), STATUS_OK);
	assert_int_equal(directory_create(path_of("a/b/c/"), 0700, &err), STATUS_OK);

	assert_int_equal(stat(path_of("a/b/c"), &info), 0);
	assert_true(S_ISDIR(info.st_mode));
	assert_int_equal(directory_sync(path_of("a/b"), &err), STATUS_OK);
}

static void a_directory_cannot_stand_where_a_file_is(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(file_replace(path_of("a"), 0600, "", 0, &err), STATUS_OK);

	assert_int_equal(directory_create(path_of("a"), 0700, &err), STATUS_IO);
	assert_int_equal(directory_create(path_of("a/b"), 0700, &err), STATUS_IO);
	assert_int_equal(directory_create("", 0700, &err), STATUS_NOT_FOUND);
}

static void a_locked_directory_is_refused_to_another_process_until_it_is_let_go(void **state)
{
	(void)state;
	struct error err;
	int          fd;
	assert_int_equal(directory_lock(directory, &fd, &err), STATUS_OK);

	pid_t child = fork();
	if (child == 0) {
		int unused;
		_exit(directory_lock(directory, &unused, NULL) == STATUS_CONFLICT ? 0 : 1);
	}
	int result;
	assert_int_equal(waitpid(child, &result, 0), child);
	assert_int_equal(result, 0);

	close(fd);
	assert_int_equal(directory_lock(directory, &fd, &err), STATUS_OK);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_written_replaced_and_read),
		TEST(what_a_crash_left_of_a_replacement_is_no_obstacle),
		TEST(reading_appends_and_a_failure_leaves_the_buffer_alone),
		TEST(a_missing_file_is_not_found_and_named),
		TEST(a_directory_is_no_file_to_read),
		TEST(a_full_disk_is_told_from_other_failures),
		TEST(directories_are_made_with_those_above_them),
		TEST(a_directory_cannot_stand_where_a_file_is),
		TEST(a_locked_directory_is_refused_to_another_process_until_it_is_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
