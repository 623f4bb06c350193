#include "ingest/letters_erase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

static bool occurs(const struct letter_terms *terms, const char *text)
{
	return letter_terms_occur(terms, text_of(text));
}

static void a_few_terms_are_found_anywhere_in_a_text(void **state)
{
	struct letter_terms terms;
	(void)state;
	letter_terms_init(&terms, NULL);
	letter_terms_add(&terms, TEXT("kim-17"));
	assert_true(occurs(&terms, "{\"userId\":\"kim-17\"}"));
	assert_true(occurs(&terms, "{\"properties\":{\"a\":[{\"who\":\"kim-17\"}]}}"));
	assert_true(occurs(&terms, "{\"note\":\"asked by kim-17, again\"}"));
	assert_true(occurs(&terms, "{\"userId\":\"kim-17\",\"cut of"));
	assert_true(occurs(&terms, "{\"kim-17\":1}"));
	assert_false(occurs(&terms, "{\"userId\":\"kim-1\"}"));
	letter_terms_done(&terms);
}

static void an_id_is_found_however_it_is_escaped_and_as_a_number(void **state)
{
	struct letter_terms terms;
	(void)state;
	letter_terms_init(&terms, NULL);
	letter_terms_add(&terms, TEXT("김\"17"));
	letter_terms_add(&terms, TEXT("4711"));
	assert_true(occurs(&terms, "{\"userId\":\"\\uae40\\\"17\"}"));
	assert_true(occurs(&terms, "{\"userId\":4711}"));
	assert_false(occurs(&terms, "{\"userId\":471}"));
	letter_terms_done(&terms);
}

static void many_terms_are_found_where_they_are_a_value(void **state)
{
	struct letter_terms terms;
	(void)state;
	letter_terms_init(&terms, NULL);
	for (int i = 0; i < 1000; i++) {
		char term[16];
		snprintf(term, sizeof term, "user-%d", i);
		letter_terms_add(&terms, text_of(term));
	}
	assert_true(occurs(&terms, "{\"userId\":\"user-0\"}"));
	assert_true(occurs(&terms, "{\"a\":[1,{\"b\":\"user-999\"}]}"));
	assert_true(occurs(&terms, "{\"userId\":\"user-500\",\"cut of"));
	assert_false(occurs(&terms, "{\"userId\":\"user-1000\"}"));
	letter_terms_done(&terms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_terms_are_found_anywhere_in_a_text),
		cmocka_unit_test(an_id_is_found_however_it_is_escaped_and_as_a_number),
		cmocka_unit_test(many_terms_are_found_where_they_are_a_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
