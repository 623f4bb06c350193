#include "model/personal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct named {
	enum personal_place place;
	const char         *path;
};

static const struct named personal[] = {
	{PERSONAL_IN_TRAITS, "email"},
	{PERSONAL_IN_TRAITS, "firstName"},
	{PERSONAL_IN_TRAITS, "birthday"},
	{PERSONAL_IN_TRAITS, "address"},
	{PERSONAL_IN_TRAITS, "address.city"},
	{PERSONAL_IN_TRAITS, "deviceTokens"},
	{PERSONAL_IN_TRAITS, "ad_id"},
	{PERSONAL_IN_PROPERTIES, "email"},
	{PERSONAL_IN_PROPERTIES, "phone"},
	{PERSONAL_IN_CONTEXT, "ip"},
	{PERSONAL_IN_CONTEXT, "device.id"},
	{PERSONAL_IN_CONTEXT, "device.token"},
	{PERSONAL_IN_CONTEXT, "device.advertisingId"},
	{PERSONAL_IN_CONTEXT, "traits.email"},
	{PERSONAL_IN_CONTEXT, "traits.address.city"},
};
static const struct named others[] = {
	{PERSONAL_IN_TRAITS, "membership_tier"},
	{PERSONAL_IN_TRAITS, "emails_opened"},
	{PERSONAL_IN_TRAITS, "addressee"},
	{PERSONAL_IN_TRAITS, "ip"},
	{PERSONAL_IN_PROPERTIES, "name"},
	{PERSONAL_IN_PROPERTIES, "address"},
	{PERSONAL_IN_PROPERTIES, "customer.email"},
	{PERSONAL_IN_CONTEXT, "device.type"},
	{PERSONAL_IN_CONTEXT, "email"},
	{PERSONAL_IN_CONTEXT, "traits.plan"},
	{PERSONAL_IN_CONTEXT, "ipv"},
	{PERSONAL_IN_CONTEXT, ""},
};

static void names_of_personal_values_are_known_in_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof personal / sizeof personal[0]; i++)
		if (!personal_by_name(personal[i].place, text_of(personal[i].path)))
			fail_msg("%s", personal[i].path);
}

static void other_names_are_not_personal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (personal_by_name(others[i].place, text_of(others[i].path)))
			fail_msg("%s", others[i].path);
}

static void only_personal_names_are_refused_with_a_reason(void **state)
{
	(void)state;
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("plan")), PERSONAL_ALL_TESTS);
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("name")), PERSONAL_NO_TESTS);
	assert_int_equal(personal_tests(PERSONAL_IN_PROPERTIES, TEXT("email")), PERSONAL_NO_TESTS);
	assert_non_null(strstr(personal_reason(PERSONAL_NO_TESTS), "only exists and absent"));
}

static void of_traits_an_address_a_number_and_the_parts_of_a_birthday_can_be_compared(void **state)
{
	(void)state;
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("email")), PERSONAL_EQUALITY);
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("phone")), PERSONAL_EQUALITY);
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("birthday.month")),
	                 PERSONAL_ALL_TESTS);
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("birthday")), PERSONAL_NO_TESTS);
	assert_int_equal(personal_tests(PERSONAL_IN_TRAITS, TEXT("email.x")), PERSONAL_NO_TESTS);
	assert_non_null(strstr(personal_reason(PERSONAL_EQUALITY), "only eq, neq, in, not_in"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_personal_values_are_known_in_their_place),
		cmocka_unit_test(other_names_are_not_personal),
		cmocka_unit_test(only_personal_names_are_refused_with_a_reason),
		cmocka_unit_test(of_traits_an_address_a_number_and_the_parts_of_a_birthday_can_be_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
