#include "base/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void assert_written(void (*add)(struct buffer *, struct text), struct text text,
                           const char *expected)
{
	struct buffer out = {0};
	add(&out, text);
	buffer_add_u8(&out, '\0');
	assert_string_equal(out.data, expected);
	buffer_done(&out);
}

static void a_field_is_quoted_where_something_in_it_would_end_it(void **state)
{
	(void)state;
	assert_written(csv_add_field, TEXT(""), "");
	assert_written(csv_add_field, TEXT("제주 숙소"), "제주 숙소");
	assert_written(csv_add_field, TEXT("a,b"), "\"a,b\"");
	assert_written(csv_add_field, TEXT("a;b"), "\"a;b\"");
	assert_written(csv_add_field, TEXT("a\tb"), "\"a\tb\"");
	assert_written(csv_add_field, TEXT("a\r\nb"), "\"a\r\nb\"");
	assert_written(csv_add_field, TEXT("say \"=1\""), "\"say \"\"=1\"\"\"");
	assert_written(csv_add_field, TEXT("=1"), "=1");
}

static void what_a_spreadsheet_takes_for_a_formula_is_made_text(void **state)
{
	(void)state;
	assert_written(csv_add_text, TEXT("=1+1"), "'=1+1");
	assert_written(csv_add_text, TEXT("=\"a\""), "\"'=\"\"a\"\"\"");
	assert_written(csv_add_text, TEXT("+cmd|' /C calc'!A0"), "'+cmd|' /C calc'!A0");
	assert_written(csv_add_text, TEXT("-2+3"), "'-2+3");
	assert_written(csv_add_text, TEXT("@SUM(A1)"), "'@SUM(A1)");
	assert_written(csv_add_text, TEXT("\t=1"), "\"'\t=1\"");
	assert_written(csv_add_text, TEXT("\r=1"), "\"'\r=1\"");
	assert_written(csv_add_text, TEXT("\n=1"), "\"'\n=1\"");
	assert_written(csv_add_text, TEXT("＝1+1"), "'＝1+1");
	assert_written(csv_add_text, TEXT("＠SUM(A1)"), "'＠SUM(A1)");
}

static void numbers_and_all_other_texts_stay_as_they_are(void **state)
{
	(void)state;
	assert_written(csv_add_text, TEXT(""), "");
	assert_written(csv_add_text, TEXT("a=1"), "a=1");
	assert_written(csv_add_text, TEXT("-12.5"), "-12.5");
	assert_written(csv_add_text, TEXT("+82 (10) 1234-5678"), "+82 (10) 1234-5678");
	assert_written(csv_add_text, TEXT("a,=1"), "\"a,=1\"");
	assert_written(csv_add_text, TEXT("（주）제주"), "（주）제주");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_quoted_where_something_in_it_would_end_it),
		cmocka_unit_test(what_a_spreadsheet_takes_for_a_formula_is_made_text),
		cmocka_unit_test(numbers_and_all_other_texts_stay_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
