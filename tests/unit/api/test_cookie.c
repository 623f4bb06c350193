#include "api/access/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "api/browser.h"

static bool is(const char *header, const char *value)
{
	struct text found;
	if (!cookie_find(text_of(header), TEXT("a"), &found))
		return value == NULL;
	return value != NULL && text_equal(found, text_of(value));
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
	(void)state;
	assert_true(is("a=1", "1"));
	assert_true(is("b=2; a=1", "1"));
	assert_true(is("b=2;a=1;c=3", "1"));
	assert_true(is("ab=2; ba=3;  a=x=y", "x=y"));
	assert_true(is("a=", ""));
	assert_true(is("a=1; a=2", "1"));
}

static void what_only_looks_like_it_is_none(void **state)
{
	static const char *const others[] = {"", "a", "ab=1", "b=a=1", ";;;", "=1", "A=1", " ; b"};
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_true(is(others[i], NULL));
}

static bool taken(const char *origins) { return browser_check_origins(&origins) == NULL; }

static void origins_are_taken_and_what_is_none_is_not(void **state)
{
	(void)state;
	assert_true(taken(NULL));
	assert_true(taken("https://app.example"));
	assert_true(taken("https://app.example:8443, http://localhost:3000,https://*.b.example"));
	assert_false(taken("app.example"));
	assert_false(taken("https://"));
	assert_false(taken("https://app.example/"));
	assert_false(taken("https://App.example"));
	assert_false(taken("https://a.example,*"));
	assert_false(taken("https://a.*.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
		cmocka_unit_test(what_only_looks_like_it_is_none),
		cmocka_unit_test(origins_are_taken_and_what_is_none_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
