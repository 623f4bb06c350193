#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void an_error_holds_status_place_and_reason(void **state)
{
	(void)state;
	struct error err = {.fatal = true};

	enum status status =
		error_set_field(&err, STATUS_INVALID, "rules[0].value", "must be at least %d", 1);

	assert_int_equal(status, STATUS_INVALID);
	assert_int_equal(err.status, STATUS_INVALID);
	assert_false(err.fatal);
	assert_string_equal(err.field, "rules[0].value");
	assert_string_equal(err.reason, "must be at least 1");
}

static void an_error_without_a_place_forgets_the_former_one(void **state)
{
	(void)state;
	struct error err;
	error_set_field(&err, STATUS_INVALID, "a", "wrong");

	error_set(&err, STATUS_CONFLICT, "in use");

	assert_string_equal(err.field, "");
	assert_string_equal(err.reason, "in use");
}

static void an_error_that_nobody_wants_still_answers_its_status(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, STATUS_AGAIN, "later"), STATUS_AGAIN);
	assert_int_equal(error_set_errno(NULL, STATUS_IO, EIO, "later"), STATUS_IO);
}

static void the_text_of_an_errno_stands_behind_the_reason(void **state)
{
	(void)state;
	struct error err;

	error_set_errno(&err, STATUS_NOT_FOUND, ENOENT, "cannot open %s", "x");

	assert_string_equal(err.reason, "cannot open x: No such file or directory");
}

static void an_error_can_be_made_from_its_own_texts(void **state)
{
	(void)state;
	struct error err;
	error_set_field(&err, STATUS_INVALID, "b", "wrong");

	error_set_field(&err, STATUS_INVALID, err.field, "very %s", err.reason);

	assert_string_equal(err.field, "b");
	assert_string_equal(err.reason, "very wrong");
}

static void a_long_reason_is_cut_off_between_characters(void **state)
{
	(void)state;
	struct error err;
	char         long_text[3 * ERROR_REASON_BYTES_MAX + 1] = "";
	for (int i = 0; i < ERROR_REASON_BYTES_MAX; i++)
		memcpy(long_text + 3 * i, "주", 4);

	error_set_field(&err, STATUS_INVALID, long_text, "%s", long_text);

	assert_int_equal(strlen(err.reason), (ERROR_REASON_BYTES_MAX - 1) / 3 * 3);
	assert_int_equal(strlen(err.field), (ERROR_FIELD_BYTES_MAX - 1) / 3 * 3);
	assert_memory_equal(err.reason, long_text, strlen(err.reason));
}

static void every_status_has_its_own_code(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(status_code(i), status_code(j));
	assert_string_equal(status_code(STATUS_LIMITED), "RATE_LIMITED");
	assert_true(status_retriable(STATUS_LIMITED));
	assert_false(status_retriable(STATUS_FAILED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_holds_status_place_and_reason),
		cmocka_unit_test(an_error_without_a_place_forgets_the_former_one),
		cmocka_unit_test(an_error_that_nobody_wants_still_answers_its_status),
		cmocka_unit_test(the_text_of_an_errno_stands_behind_the_reason),
		cmocka_unit_test(an_error_can_be_made_from_its_own_texts),
		cmocka_unit_test(a_long_reason_is_cut_off_between_characters),
		cmocka_unit_test(every_status_has_its_own_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
