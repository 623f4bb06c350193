#include "vault/blind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const struct blind blind = {.key = {1, 2, 3}, .country = "82"};

static bool index_of(enum personal_index kind, const char *value, char into[PERSONAL_INDEX_BYTES])
{
	return blind_index(&blind, kind, text_of(value), into, NULL);
}

static bool same(enum personal_index kind, const char *a, const char *b)
{
	char one[PERSONAL_INDEX_BYTES], other[PERSONAL_INDEX_BYTES];
	if (!index_of(kind, a, one))
		fail_msg("%s is none", a);
	if (!index_of(kind, b, other))
		fail_msg("%s is none", b);
	return memcmp(one, other, sizeof one) == 0;
}

static void an_address_is_compared_without_blanks_and_upper_case(void **state)
{
	(void)state;
	assert_true(same(PERSONAL_EMAIL, " Kim@Example.COM\n", "kim@example.com"));
	assert_false(same(PERSONAL_EMAIL, "kim@example.com", "kim@example.org"));
}

static void decomposed_hangul_is_composed(void **state)
{
	(void)state;
	/* 한글 as letters: two syllables with three letters each; 가 with two. */
	assert_true(same(PERSONAL_EMAIL, "\u1112\u1161\u11ab\u1100\u1173\u11af@example.com",
	                 "\ud55c\uae00@example.com"));
	assert_true(same(PERSONAL_EMAIL, "\u1100\u1161@example.com", "\uac00@example.com"));
	assert_true(same(PERSONAL_EMAIL, "\u1100\u1161x@example.com", "\uac00x@example.com"));
	assert_false(same(PERSONAL_EMAIL, "\u1100\u1161\u11a8@example.com", "\uac00@example.com"));
}

static void a_number_is_compared_with_its_country(void **state)
{
	(void)state;
	static const char *const written[] = {"010-1234-5678", "+82 10 1234 5678", "0082 10 1234 5678",
	                                      "821012345678", "+82 (0)10/1234.5678"};
	for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
		if (!same(PERSONAL_PHONE, written[i], "01012345678"))
			fail_msg("%s", written[i]);
	assert_true(same(PERSONAL_PHONE, "+1 212 555 0100", "0012125550100"));
	assert_false(same(PERSONAL_PHONE, "+1 212 555 0100", "02125550100"));
}

static void what_is_neither_has_no_index(void **state)
{
	(void)state;
	static const char *const addresses[] = {"", "kim", "@example.com", "kim@", "a@b@c"};
	static const char *const numbers[]   = {"", "abc", "123", "1234567890123456", "+", "12+34567"};
	char                     into[PERSONAL_INDEX_BYTES];
	const char              *reason = NULL;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		if (index_of(PERSONAL_EMAIL, addresses[i], into))
			fail_msg("%s", addresses[i]);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (index_of(PERSONAL_PHONE, numbers[i], into))
			fail_msg("%s", numbers[i]);
	assert_false(blind_index(&blind, PERSONAL_PHONE, TEXT("x"), into, &reason));
	assert_non_null(reason);
}

static void an_index_is_of_its_key_and_kind_and_looks_like_one(void **state)
{
	(void)state;
	struct blind other = blind;
	char         one[PERSONAL_INDEX_BYTES], two[PERSONAL_INDEX_BYTES];
	other.key[0]++;
	assert_true(index_of(PERSONAL_EMAIL, "kim@example.com", one));
	assert_true(blind_index(&other, PERSONAL_EMAIL, TEXT("kim@example.com"), two, NULL));
	assert_memory_not_equal(one, two, sizeof one);
	assert_true(personal_is_index((struct text){one, sizeof one}));
	assert_false(personal_is_index((struct text){one, sizeof one - 1}));
	one[sizeof one - 1] = 'g';
	assert_false(personal_is_index((struct text){one, sizeof one}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_compared_without_blanks_and_upper_case),
		cmocka_unit_test(decomposed_hangul_is_composed),
		cmocka_unit_test(a_number_is_compared_with_its_country),
		cmocka_unit_test(what_is_neither_has_no_index),
		cmocka_unit_test(an_index_is_of_its_key_and_kind_and_looks_like_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
