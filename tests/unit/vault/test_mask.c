#include "vault/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/hash.h"
#include "model/value.h"

static void assert_masked(const char *name, const char *value, const char *expected)
{
	struct buffer out = {0};
	mask_value(text_of(name), text_of(value), &out);
	buffer_add_u8(&out, '\0');
	assert_string_equal(out.data, expected);
	buffer_done(&out);
}

static void an_address_keeps_its_first_character_and_its_domain(void **state)
{
	(void)state;
	assert_masked("email", "abc@email.com", "a***@email.com");
	assert_masked("traits.Email", "홍길동@email.kr", "홍***@email.kr");
	assert_masked("email", "@email.com", "***@email.com");
	assert_masked("email", "a@b@c.com", "a***@c.com");
	assert_masked("email", "nothing", "***");
	assert_masked("email", "", "***");
}

static void a_number_keeps_its_first_three_and_last_four_digits(void **state)
{
	(void)state;
	assert_masked("phone", "010-9876-1234", "010-****-1234");
	assert_masked("phone", "01098761234", "010****1234");
	assert_masked("phone", "+82 10-9876-1234", "+82 1*-****-1234");
	assert_masked("phone", "1234", "***");
	assert_masked("phone", "call me at 01098761234", "***");
}

static void all_else_is_hidden(void **state)
{
	(void)state;
	assert_masked("name", "abc@email.com", "***");
	assert_masked("context.ip", "1.2.3.4", "***");
	assert_masked("phonebook", "010-9876-1234", "***");
}

static void a_list_is_masked_value_by_value(void **state)
{
	struct buffer list = {0}, out = {0};
	struct value  email  = {.type = VALUE_STRING, .text = TEXT("abc@email.com")};
	struct value  number = {.type = VALUE_INT, .integer = 5};
	(void)state;
	size_t begin = value_list_begin(&list);
	value_add(&list, TEXT("email"), &email);
	value_add(&list, TEXT("birthday"), &number);
	value_list_end(&list, begin, 2);
	mask_list(buffer_text(&list), &out);
	assert_true(value_check(buffer_text(&out)));
	struct value found = value_find(buffer_text(&out), TEXT("email"), hash_name(TEXT("email")));
	assert_true(text_equal(found.text, TEXT("a***@email.com")));
	found = value_find(buffer_text(&out), TEXT("birthday"), hash_name(TEXT("birthday")));
	assert_true(text_equal(found.text, TEXT("***")));
	buffer_done(&list);
	buffer_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_keeps_its_first_character_and_its_domain),
		cmocka_unit_test(a_number_keeps_its_first_three_and_last_four_digits),
		cmocka_unit_test(all_else_is_hidden),
		cmocka_unit_test(a_list_is_masked_value_by_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
