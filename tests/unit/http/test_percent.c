#include "http/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int new_arena(void **state)
{
	static struct arena arena;
	arena_init(&arena);
	*state = &arena;
	return 0;
}

static int free_arena(void **state)
{
	arena_done(*state);
	return 0;
}

static void assert_decodes(struct arena *arena, const char *encoded, const char *decoded)
{
	struct text text;
	assert_true(percent_decode(arena, text_of(encoded), &text));
	assert_int_equal(text.length, strlen(decoded));
	assert_memory_equal(text.data, decoded, text.length);
}

static void assert_refused(struct arena *arena, const char *encoded)
{
	struct text text;
	assert_false(percent_decode(arena, text_of(encoded), &text));
}

static void what_has_no_escape_is_not_copied(void **state)
{
	struct text plain = TEXT("user_id:7+x");
	struct text text;
	assert_true(percent_decode(*state, plain, &text));
	assert_ptr_equal(text.data, plain.data);
	assert_int_equal(text.length, plain.length);
}

static void escapes_are_decoded_in_both_cases_of_their_digits(void **state)
{
	assert_decodes(*state, "a%2Fb%2fc%25", "a/b/c%");
	assert_decodes(*state, "%EC%A0%9c%ec%A3%BC", "제주");
	assert_decodes(*state, "%F0%9F%98%80", "😀");
	assert_decodes(*state, "", "");
}

static void broken_escapes_are_refused(void **state)
{
	const char *broken[] = {"%", "a%2", "%G0", "%0g", "%%41", "%-1"};
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		assert_refused(*state, broken[i]);
}

static void what_is_no_utf_8_is_refused_escaped_or_not(void **state)
{
	const char *bad[] = {
		"%80",          "%C3",          "%C0%AF", "%E0%80%80", "%ED%A0%80",
		"%F4%90%80%80", "%F5%80%80%80", "%E3%81", "\xff",      "a\xc3(",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(*state, bad[i]);
}

static void control_characters_are_refused(void **state)
{
	assert_refused(*state, "a%00b");
	assert_refused(*state, "a%0Ab");
	assert_refused(*state, "%7F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_escape_is_not_copied),
		cmocka_unit_test(escapes_are_decoded_in_both_cases_of_their_digits),
		cmocka_unit_test(broken_escapes_are_refused),
		cmocka_unit_test(what_is_no_utf_8_is_refused_escaped_or_not),
		cmocka_unit_test(control_characters_are_refused),
	};
	return cmocka_run_group_tests(tests, new_arena, free_arena);
}
