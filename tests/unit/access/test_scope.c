#include "access/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static void every_scope_is_found_by_its_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		enum scope scope = (enum scope)(1u << i);
		assert_int_equal(scope_of(text_of(scope_name(scope))), scope);
	}
	assert_int_equal(scope_of(TEXT("everything")), SCOPE_NONE);
	assert_int_equal(scope_of(TEXT("")), SCOPE_NONE);
}

static void a_set_comes_back_from_its_text(void **state)
{
	(void)state;
	struct buffer  text = {0};
	const uint32_t set  = SCOPE_SEGMENT_READ | SCOPE_PII_READ | SCOPE_METRICS_READ;
	scope_set_write(&text, set);

	assert_int_equal(scope_set_read(buffer_text(&text)), set);
	buffer_done(&text);
}

static void an_unknown_name_in_a_set_gives_nothing(void **state)
{
	(void)state;
	assert_int_equal(scope_set_read(TEXT("segment.read  later.scope user.read")),
	                 SCOPE_SEGMENT_READ | SCOPE_USER_READ);
	assert_int_equal(scope_set_read(TEXT("")), 0);
}

static void a_scope_allows_itself_only(void **state)
{
	(void)state;
	assert_true(scope_allows(SCOPE_USER_READ, SCOPE_USER_READ));
	assert_false(scope_allows(SCOPE_USER_READ, SCOPE_PII_READ));
	assert_false(scope_allows(0, SCOPE_USER_READ));
	assert_true(scope_allows(0, SCOPE_NONE));
}

static void admin_allows_everything(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		assert_true(scope_allows(SCOPE_ADMIN, (enum scope)(1u << i)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scope_is_found_by_its_name),
		cmocka_unit_test(a_set_comes_back_from_its_text),
		cmocka_unit_test(an_unknown_name_in_a_set_gives_nothing),
		cmocka_unit_test(a_scope_allows_itself_only),
		cmocka_unit_test(admin_allows_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
