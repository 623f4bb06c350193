#include "app/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

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
		cmocka_unit_test(an_unknown_command_is_wrong_usage),
		cmocka_unit_test(help_is_seen_anywhere_before_two_dashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
