#include "app/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static const char *const names[] = {"serve", "segment", "source", "user", NULL};

static void a_slip_finds_the_command_that_was_meant(void **state)
{
	(void)state;
	assert_string_equal(command_nearest("serv", names), "serve");
	assert_string_equal(command_nearest("segmnet", names), "segment");
	assert_string_equal(command_nearest("sourse", names), "source");
}

static void what_is_far_from_every_command_finds_none(void **state)
{
	(void)state;
	assert_null(command_nearest("frobnicate", names));
	assert_null(command_nearest("a-name-that-is-longer-than-any-command-could-ever-be", names));
}

static void an_unknown_command_is_wrong_usage(void **state)
{
	(void)state;
	char  program[] = "sonnim", name[] = "frobnicate";
	char *argv[] = {program, name, NULL};
	assert_int_equal(command_main(2, argv), EXIT_USAGE);
	assert_int_equal(command_main(1, argv), EXIT_USAGE);
}

static void help_is_seen_anywhere_before_two_dashes(void **state)
{
	(void)state;
	char  serve[] = "serve", data[] = "--data", value[] = "x", help[] = "--help", end[] = "--";
	char *asked[]     = {serve, data, value, help, NULL};
	char *not_asked[] = {serve, end, help, NULL};
	assert_true(command_wants_help(4, asked));
	assert_false(command_wants_help(3, not_asked));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_finds_the_command_that_was_meant),
		cmocka_unit_test(what_is_far_from_every_command_finds_none),
		cmocka_unit_test(an_unknown_command_is_wrong_usage),
		cmocka_unit_test(help_is_seen_anywhere_before_two_dashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
