#include "http/smtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void an_address_that_could_end_a_header_is_none(void **state)
{
	/* clang-format off */
	static const char *const bad[] = {
		"", "kim", "kim@example.com\r\nBcc: lee@example.com", "kim @example.com", "<k@x", "k@x>",
		"\"k\"@x", "k@x,l@x", "k@x;", "k\t@x", "k\x7f@x", "\xec\x9d\xb4@x"};
	/* clang-format on */
	char long_one[SMTP_ADDRESS_BYTES_MAX + 2] = {0};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(smtp_address_is_plain(text_of(bad[i])));
	assert_true(smtp_address_is_plain(TEXT("kim.min-seo+a@shop.example.com")));
	memset(long_one, '@', sizeof long_one - 1);
	assert_false(smtp_address_is_plain(text_of(long_one)));
}

static void nothing_is_sent_to_or_from_such_an_address(void **state)
{
	const struct smtp_server server = {.url = "smtp://127.0.0.1:1", .plain = true};
	struct smtp_mail         mail   = {
				  .from = TEXT("cdp@example.com"), .to = TEXT("k@x>\r\nDATA"), .text = TEXT("x")};
	struct error err;
	(void)state;
	assert_int_equal(smtp_send(&server, &mail, &err), STATUS_INVALID);
	mail.from = mail.to;
	mail.to   = TEXT("kim@example.com");
	assert_int_equal(smtp_send(&server, &mail, &err), STATUS_INVALID);
}

static void a_server_that_is_not_there_is_unavailable(void **state)
{
	const struct smtp_server server = {.url = "smtp://127.0.0.1:1", .plain = true};
	const struct smtp_mail   mail   = {.from    = TEXT("cdp@example.com"),
	                                   .to      = TEXT("kim@example.com"),
	                                   .subject = TEXT("x"),
	                                   .text    = TEXT("x")};
	struct error             err;
	(void)state;
	assert_int_equal(smtp_send(&server, &mail, &err), STATUS_UNAVAILABLE);
	assert_null(strstr(err.reason, "kim@"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_could_end_a_header_is_none),
		cmocka_unit_test(nothing_is_sent_to_or_from_such_an_address),
		cmocka_unit_test(a_server_that_is_not_there_is_unavailable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
