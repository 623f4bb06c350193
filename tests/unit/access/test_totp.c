#include "access/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const uint8_t secret[TOTP_SECRET_BYTES] = "12345678901234567890";

/* RFC 6238, appendix B: the last six of its eight digits. */
static void codes_are_those_of_the_standard(void **state)
{
	static const struct {
		int64_t     at_s;
		const char *code;
	} known[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
	             {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		char code[TOTP_DIGITS + 1];
		totp_code(secret, totp_step(known[i].at_s * 1000), code);
		assert_string_equal(code, known[i].code);
	}
}

static void a_code_of_the_step_before_and_after_counts_and_no_other(void **state)
{
	enum { NOW_STEP = 41000000 };
	int64_t now_ms = (int64_t)NOW_STEP * TOTP_STEP_S * 1000 + 29999, step;
	(void)state;
	for (int64_t away = -3; away <= 3; away++) {
		char code[TOTP_DIGITS + 1];
		totp_code(secret, NOW_STEP + away, code);
		bool found = totp_find(secret, text_of(code), now_ms, 0, &step);
		assert_int_equal(found, away >= -1 && away <= 1);
		if (found)
			assert_int_equal(step, NOW_STEP + away);
	}
}

static void a_code_counts_only_behind_the_newest_that_was_used(void **state)
{
	char    code[TOTP_DIGITS + 1];
	int64_t step = 0;
	(void)state;
	totp_code(secret, 100, code);
	assert_false(totp_find(secret, text_of(code), 100 * TOTP_STEP_S * 1000, 100, &step));
	assert_true(totp_find(secret, text_of(code), 100 * TOTP_STEP_S * 1000, 99, &step));
}

static void what_is_no_code_is_none(void **state)
{
	static const char *const others[] = {"", "28708", "2870820", "28708a", " 87082", "94287082"};
	int64_t                  step;
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(totp_find(secret, text_of(others[i]), 59000, 0, &step));
	assert_true(totp_find(secret, TEXT("287082"), 59000, 0, &step));
}

static void the_secret_is_told_in_base32(void **state)
{
	char text[TOTP_SECRET_TEXT];
	(void)state;
	totp_secret_text(secret, text);
	assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_the_standard),
		cmocka_unit_test(a_code_of_the_step_before_and_after_counts_and_no_other),
		cmocka_unit_test(a_code_counts_only_behind_the_newest_that_was_used),
		cmocka_unit_test(what_is_no_code_is_none),
		cmocka_unit_test(the_secret_is_told_in_base32),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
