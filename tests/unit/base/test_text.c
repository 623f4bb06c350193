#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void texts_are_equal_by_their_bytes_also_when_empty(void **state)
{
	(void)state;
	assert_true(text_equal(TEXT("a\0b"), (struct text){"a\0b", 3}));
	assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
	assert_false(text_equal(TEXT("a"), TEXT("ab")));
	assert_true(text_equal((struct text){NULL, 0}, TEXT("")));
}

static void texts_are_ordered_by_unsigned_bytes_then_length(void **state)
{
	(void)state;
	assert_true(text_compare(TEXT("a"), TEXT("b")) < 0);
	assert_true(text_compare(TEXT("z"), TEXT("제")) < 0);
	assert_true(text_compare(TEXT("ab"), TEXT("a")) > 0);
	assert_true(text_compare((struct text){NULL, 0}, TEXT("a")) < 0);
	assert_int_equal(text_compare(TEXT("ab"), TEXT("ab")), 0);
}

static void begin_and_end_of_a_text_are_found(void **state)
{
	(void)state;
	assert_true(text_starts_with(TEXT("abc"), TEXT("ab")));
	assert_false(text_starts_with(TEXT("ab"), TEXT("abc")));
	assert_true(text_ends_with(TEXT("abc"), TEXT("bc")));
	assert_false(text_ends_with(TEXT("abc"), TEXT("ab")));
	assert_true(text_starts_with(TEXT("abc"), TEXT("")));
	assert_true(text_ends_with((struct text){NULL, 0}, TEXT("")));
}

static void lines_and_columns_are_counted_from_one_in_characters(void **state)
{
	(void)state;
	unsigned line, column;
	text_find_line(TEXT("제주 a\nb"), 0, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 1);
	text_find_line(TEXT("제주 a\nb"), 7, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 4);
	text_find_line(TEXT("제주 a\nb"), 9, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 1);
}

static void what_a_line_cannot_show_as_it_is_is_found(void **state)
{
	(void)state;
	static const struct text unshown[] = {
		TEXT("\0"),           TEXT("\x1b"),         TEXT("\x7f"),         TEXT("\xc2\x85"),
		TEXT("\xe2\x80\xa8"), TEXT("\xe2\x80\xae"), TEXT("\xe2\x81\xa6"), TEXT("\xe2\x81\xa9")};
	for (size_t i = 0; i < sizeof unshown / sizeof unshown[0]; i++) {
		assert_false(text_is_line(unshown[i]));
		assert_int_equal(text_unshown(unshown[i], 0), unshown[i].length);
	}
	assert_true(text_is_line(TEXT("")));
	assert_true(text_is_line(TEXT("김 손님, Łódź – مرحبا\xe2\x80")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_equal_by_their_bytes_also_when_empty),
		cmocka_unit_test(texts_are_ordered_by_unsigned_bytes_then_length),
		cmocka_unit_test(begin_and_end_of_a_text_are_found),
		cmocka_unit_test(what_a_line_cannot_show_as_it_is_is_found),
		cmocka_unit_test(lines_and_columns_are_counted_from_one_in_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
