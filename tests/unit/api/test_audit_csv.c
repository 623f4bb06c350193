#include "api/audit/audit_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void row_of(const char *json, struct buffer *out)
{
	struct json_parser *parser = json_parser_new();
	struct json         root;
	struct error        err;
	assert_int_equal(json_parse_text(parser, text_of(json), &root, &err), STATUS_OK);
	audit_csv_row(root, out);
	buffer_add_u8(out, '\0');
	json_parser_free(parser);
}

static void a_row_has_a_cell_for_each_name_of_the_head(void **state)
{
	struct buffer head = {0}, row = {0};
	size_t        commas = 0, cells = 0;
	(void)state;
	audit_csv_head(&head);
	row_of("{\"seq\":7,\"action\":\"a.b\",\"outcome\":\"unknown\",\"hash\":\"00\"}", &row);
	for (size_t i = 0; i < head.length; i++)
		commas += head.data[i] == ',';
	for (size_t i = 0; i < row.length; i++)
		cells += row.data[i] == ',';
	assert_int_equal(cells, commas);
	assert_string_equal(row.data, "7,,,a.b,,,unknown,,,,,,,,,00\r\n");
	buffer_done(&head);
	buffer_done(&row);
}

static void what_a_spreadsheet_takes_for_a_formula_is_made_text(void **state)
{
	static const char *const begins[] = {"=", "+", "-", "@", "\\t", "\\r"};
	(void)state;
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		struct buffer row = {0}, json = {0};
		buffer_printf(&json, "{\"target\":\"%s1+1\"}", begins[i]);
		buffer_add_u8(&json, '\0');
		row_of(json.data, &row);
		assert_non_null(strstr(row.data, "'"));
		buffer_done(&row);
		buffer_done(&json);
	}
}

static void quotes_commas_and_new_lines_stay_within_their_cell(void **state)
{
	struct buffer row = {0};
	(void)state;
	row_of("{\"target\":\"a\\\"b,c\\nd\",\"filters\":{\"x\":[1]}}", &row);
	assert_non_null(strstr(row.data, ",\"a\"\"b,c\nd\","));
	assert_non_null(strstr(row.data, ",\"{\"\"x\"\":[1]}\","));
	buffer_done(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_a_cell_for_each_name_of_the_head),
		cmocka_unit_test(what_a_spreadsheet_takes_for_a_formula_is_made_text),
		cmocka_unit_test(quotes_commas_and_new_lines_stay_within_their_cell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
