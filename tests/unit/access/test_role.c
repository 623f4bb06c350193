#include "access/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "access/scope.h"

static uint32_t scopes_of(const char *name)
{
	const struct role *role = role_built_in(text_of(name));
	assert_non_null(role);
	return role->scopes;
}

static void the_roles_may_what_their_names_say(void **state)
{
	(void)state;
	assert_true(scope_allows(scopes_of("admin"), SCOPE_PERSON_WRITE));
	assert_true(scope_allows(scopes_of("marketing-manager"), SCOPE_AUDIENCE_EXPORT));
	assert_true(scope_allows(scopes_of("marketing-manager"), SCOPE_CAMPAIGN_SEND));
	assert_false(scope_allows(scopes_of("analyst"), SCOPE_AUDIENCE_EXPORT));
	assert_true(scope_allows(scopes_of("engineer"), SCOPE_SOURCE_WRITE));
	assert_true(scope_allows(scopes_of("operator"), SCOPE_AUDIT_READ));
	assert_false(scope_allows(scopes_of("operator"), SCOPE_USER_READ));
	assert_false(scope_allows(scopes_of("viewer"), SCOPE_SEGMENT_WRITE));
}

static void only_an_admin_sees_personal_values_and_changes_people(void **state)
{
	(void)state;
	for (size_t i = 0; i < roles_built_in_count; i++) {
		bool admin = (roles_built_in[i].scopes & SCOPE_ADMIN) != 0;
		assert_int_equal(scope_allows(roles_built_in[i].scopes, SCOPE_PII_READ), admin);
		assert_int_equal(scope_allows(roles_built_in[i].scopes, SCOPE_PERSON_WRITE), admin);
	}
}

static void a_role_of_ones_own_has_a_name_that_is_free(void **state)
{
	(void)state;
	assert_true(role_name_is_free(TEXT("crm-2")));
	assert_false(role_name_is_free(TEXT("admin")));
	assert_false(role_name_is_free(TEXT("")));
	assert_false(role_name_is_free(TEXT("2nd")));
	assert_false(role_name_is_free(TEXT("two words")));
	assert_false(role_name_is_free(TEXT("Upper")));
	assert_false(role_name_is_free(
		TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_roles_may_what_their_names_say),
		cmocka_unit_test(only_an_admin_sees_personal_values_and_changes_people),
		cmocka_unit_test(a_role_of_ones_own_has_a_name_that_is_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
