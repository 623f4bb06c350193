#include "transfer/import/import_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

struct fixture {
	char                 path[64];
	struct import_input *input;
	struct import_rows   rows;
	struct error         err;
	struct buffer        line; /* what next() answers */
};

static int new_fixture(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static void close_rows(struct fixture *fixture)
{
	import_rows_close(&fixture->rows);
	import_input_close(fixture->input);
	fixture->rows  = (struct import_rows){0};
	fixture->input = NULL;
	unlink(fixture->path);
}

static int free_fixture(void **state)
{
	struct fixture *fixture = *state;
	close_rows(fixture);
	buffer_done(&fixture->line);
	free(fixture);
	return 0;
}

static void write_file(struct fixture *fixture, struct text content)
{
	snprintf(fixture->path, sizeof fixture->path, "/tmp/test_import_rows.XXXXXX");
	int fd = mkstemp(fixture->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.length), content.length);
	close(fd);
}

static enum status open_rows(struct fixture *fixture, struct text content,
                             enum import_format format, char delimiter, const char *columns)
{
	close_rows(fixture);
	write_file(fixture, content);
	assert_int_equal(import_input_open(fixture->path, &fixture->input, &fixture->err), STATUS_OK);
	return import_rows_open(&fixture->rows, fixture->input, format, delimiter, columns,
	                        &fixture->err);
}

static void open_csv(void **state, const char *content)
{
	enum status status = open_rows(*state, text_of(content), IMPORT_FORMAT_GUESS, ',', NULL);
	if (status != STATUS_OK)
		fail_msg("%s", ((struct fixture *)*state)->err.reason);
}

/* The next row as "LINE: field|field", or what went wrong. */
static const char *next(void **state)
{
	struct fixture *fixture = *state;
	buffer_clear(&fixture->line);
	enum status status = import_rows_next(&fixture->rows, &fixture->err);
	if (status == STATUS_NOT_FOUND)
		return "end";
	if (status == STATUS_CORRUPT)
		return "corrupt";
	buffer_printf(&fixture->line, "%llu: ", (unsigned long long)fixture->rows.line);
	if (status != STATUS_OK)
		buffer_printf(&fixture->line, "bad");
	else if (fixture->rows.format == IMPORT_FORMAT_JSONL)
		buffer_add_text(&fixture->line, fixture->rows.raw);
	else
		for (size_t i = 0; i < fixture->rows.fields.count; i++) {
			if (i > 0)
				buffer_add_u8(&fixture->line, '|');
			buffer_add_text(&fixture->line, import_rows_field(&fixture->rows, i));
		}
	buffer_add_u8(&fixture->line, '\0');
	return fixture->line.data;
}

/* ---- CSV ---- */

static void the_first_row_names_the_columns(void **state)
{
	struct fixture *fixture = *state;
	open_csv(state, "id,name\n1,a\n2,b\n");
	assert_int_equal(import_rows_column_count(&fixture->rows), 2);
	assert_true(text_equal(import_rows_column(&fixture->rows, 1), TEXT("name")));
	assert_string_equal(next(state), "2: 1|a");
	assert_string_equal(next(state), "3: 2|b");
	assert_string_equal(next(state), "end");
	assert_string_equal(next(state), "end");
}

static void given_columns_leave_the_first_row_a_row(void **state)
{
	assert_int_equal(open_rows(*state, TEXT("1,a\n"), IMPORT_FORMAT_CSV, ',', "id,name"),
	                 STATUS_OK);
	assert_string_equal(next(state), "1: 1|a");
}

static void quoted_fields_hold_delimiters_line_ends_and_quotation_marks(void **state)
{
	open_csv(state, "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\nz,in\"side\n");
	assert_string_equal(next(state), "2: x,y|say \"hi\"");
	assert_string_equal(next(state), "3: two\nlines|");
	assert_string_equal(next(state), "5: z|in\"side");
	assert_string_equal(next(state), "end");
}

static void line_ends_of_windows_a_byte_order_mark_and_empty_lines_do_not_matter(void **state)
{
	open_csv(state, "\xef\xbb\xbfid,name\r\n\r\n1,a\r\n\n2,\"b\"\r\n3,");
	assert_true(text_equal(import_rows_column(&((struct fixture *)*state)->rows, 0), TEXT("id")));
	assert_string_equal(next(state), "3: 1|a");
	assert_string_equal(next(state), "5: 2|b");
	assert_string_equal(next(state), "6: 3|");
	assert_string_equal(next(state), "end");
}

static void other_delimiters_are_taken(void **state)
{
	assert_int_equal(open_rows(*state, TEXT("a\tb\n1,5\t2\n"), IMPORT_FORMAT_CSV, '\t', NULL),
	                 STATUS_OK);
	assert_string_equal(next(state), "2: 1,5|2");
}

static void a_row_with_other_fields_than_columns_is_bad_alone(void **state)
{
	open_csv(state, "a,b\n1\n1,2,3\n1,2\n");
	assert_string_equal(next(state), "2: bad");
	assert_string_equal(next(state), "3: bad");
	assert_non_null(strstr(((struct fixture *)*state)->err.reason, "3 fields"));
	assert_string_equal(next(state), "4: 1|2");
}

static void a_quotation_mark_without_end_ends_the_import(void **state)
{
	open_csv(state, "a,b\n1,2\n\"x,2\n3,4\n");
	assert_string_equal(next(state), "2: 1|2");
	assert_string_equal(next(state), "corrupt");
	assert_non_null(strstr(((struct fixture *)*state)->err.reason, "line 3"));
}

static void a_row_longer_than_a_megabyte_is_bad_alone(void **state)
{
	struct buffer content = {0};
	buffer_printf(&content, "a\n");
	for (unsigned i = 0; i < 3 * IMPORT_ROW_BYTES_MAX / 16; i++)
		buffer_printf(&content, "0123456789abcdef");
	buffer_printf(&content, "\nb\n");
	assert_int_equal(open_rows(*state, buffer_text(&content), IMPORT_FORMAT_CSV, ',', NULL),
	                 STATUS_OK);
	assert_string_equal(next(state), "2: bad");
	assert_string_equal(next(state), "3: b");
	buffer_done(&content);
}

static void an_empty_file_and_columns_of_one_name_are_refused(void **state)
{
	assert_int_equal(open_rows(*state, TEXT(""), IMPORT_FORMAT_CSV, ',', NULL), STATUS_INVALID);
	assert_int_equal(open_rows(*state, TEXT("a,b,a\n"), IMPORT_FORMAT_CSV, ',', NULL),
	                 STATUS_INVALID);
}

/* ---- JSON Lines ---- */

static void json_lines_are_told_by_their_first_byte(void **state)
{
	open_csv(state, "\n {\"a\":1}\r\n\n{\"b\":\n{\"c\":3}\n[1]\n{\"d\":4}");
	assert_string_equal(next(state), "2:  {\"a\":1}");
	assert_int_equal(json_int(json_get(((struct fixture *)*state)->rows.json, "a")), 1);
	assert_string_equal(next(state), "4: bad");
	assert_string_equal(next(state), "5: {\"c\":3}");
	assert_string_equal(next(state), "6: bad");
	assert_string_equal(next(state), "7: {\"d\":4}");
	assert_string_equal(next(state), "end");
}

/* Every row is read again from its place, as if there had been no rows before. */
static void reading_goes_on_at_any_row(void **state)
{
	static const char   content[] = "\xef\xbb\xbf"
									"a,b\r\n1,\"x\ny\"\n\n2,\"한\"\"글\"\r\n3,z\n4,\"\"\n5,last";
	struct fixture     *fixture   = *state;
	struct import_place places[8];
	char                rows[8][64];
	unsigned            count = 0;
	open_csv(state, content);
	for (;; count++) {
		places[count] = import_rows_place(&fixture->rows);
		snprintf(rows[count], sizeof rows[count], "%s", next(state));
		if (strcmp(rows[count], "end") == 0)
			break;
	}
	assert_int_equal(count, 5);
	for (unsigned i = 0; i <= count; i++) {
		open_csv(state, content);
		assert_int_equal(import_rows_go_on(&fixture->rows, places[i], &fixture->err), STATUS_OK);
		for (unsigned row = i; row <= count; row++)
			assert_string_equal(next(state), rows[row]);
	}
}

static void a_part_of_a_file_is_read_alone(void **state)
{
	struct fixture *fixture = *state;
	close_rows(fixture);
	write_file(fixture, TEXT("before\na,b\n1,2\nbehind"));
	assert_int_equal(import_input_open_part(fixture->path, 7, 8, &fixture->input, &fixture->err),
	                 STATUS_OK);
	assert_int_equal(import_rows_open(&fixture->rows, fixture->input, IMPORT_FORMAT_CSV, ',', NULL,
	                                  &fixture->err),
	                 STATUS_OK);
	assert_string_equal(next(state), "2: 1|2");
	assert_string_equal(next(state), "end");
}

static void the_format_is_told_by_the_name(void **state)
{
	(void)state;
	assert_int_equal(import_format_of_name("a.csv.gz"), IMPORT_FORMAT_CSV);
	assert_int_equal(import_format_of_name("a.tsv"), IMPORT_FORMAT_CSV);
	assert_int_equal(import_format_of_name("/x/a.jsonl.zst"), IMPORT_FORMAT_JSONL);
	assert_int_equal(import_format_of_name("a.ndjson"), IMPORT_FORMAT_JSONL);
	assert_int_equal(import_format_of_name("-"), IMPORT_FORMAT_GUESS);
}

/* ---- Compressed ---- */

static struct buffer rows_of(unsigned from, unsigned to)
{
	struct buffer out = {0};
	if (from == 0)
		buffer_printf(&out, "id,text\n");
	for (unsigned i = from; i < to; i++)
		buffer_printf(&out, "%u,some text that repeats itself %u\n", i, i * 7919);
	return out;
}

static void add_gzip(struct buffer *out, const struct buffer *plain)
{
	z_stream stream = {0};
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound     = deflateBound(&stream, plain->length);
	stream.next_in   = (Bytef *)plain->data;
	stream.avail_in  = (uInt)plain->length;
	stream.next_out  = (Bytef *)buffer_reserve(out, bound);
	stream.avail_out = (uInt)bound;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	out->length += stream.total_out;
	deflateEnd(&stream);
}

static void add_zstd(struct buffer *out, const struct buffer *plain)
{
	size_t bound = ZSTD_compressBound(plain->length);
	size_t size  = ZSTD_compress(buffer_reserve(out, bound), bound, plain->data, plain->length, 3);
	assert_false(ZSTD_isError(size));
	out->length += size;
}

/* Two frames one behind the other are one text. */
static void assert_reads_back(void **state,
                              void (*compress)(struct buffer *out, const struct buffer *plain))
{
	enum { ROWS = 60000 };
	struct buffer first = rows_of(0, ROWS / 2), second = rows_of(ROWS / 2, ROWS), file = {0};
	compress(&file, &first);
	compress(&file, &second);
	assert_int_equal(open_rows(*state, buffer_text(&file), IMPORT_FORMAT_GUESS, ',', NULL),
	                 STATUS_OK);
	for (unsigned i = 0; i < ROWS; i++) {
		char expected[100];
		snprintf(expected, sizeof expected, "%u: %u|some text that repeats itself %u", i + 2, i,
		         i * 7919);
		assert_string_equal(next(state), expected);
	}
	assert_string_equal(next(state), "end");

	assert_int_equal(open_rows(*state, (struct text){file.data, file.length / 3},
	                           IMPORT_FORMAT_GUESS, ',', NULL),
	                 STATUS_OK);
	const char *row;
	do {
		row = next(state);
	} while (strcmp(row, "corrupt") != 0 && strcmp(row, "end") != 0);
	assert_string_equal(row, "corrupt");
	buffer_done(&first);
	buffer_done(&second);
	buffer_done(&file);
}

static void gzip_files_are_read_and_cut_off_ones_are_named(void **state)
{
	assert_reads_back(state, add_gzip);
}

static void zstd_files_are_read_and_cut_off_ones_are_named(void **state)
{
	assert_reads_back(state, add_zstd);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct fixture *fixture = *state;
	enum status     status =
		import_input_open("/tmp/there/is/no/such.csv", &fixture->input, &fixture->err);
	assert_int_equal(status, STATUS_NOT_FOUND);
	assert_non_null(strstr(fixture->err.reason, "no/such.csv"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_row_names_the_columns),
		TEST(given_columns_leave_the_first_row_a_row),
		TEST(quoted_fields_hold_delimiters_line_ends_and_quotation_marks),
		TEST(line_ends_of_windows_a_byte_order_mark_and_empty_lines_do_not_matter),
		TEST(other_delimiters_are_taken),
		TEST(a_row_with_other_fields_than_columns_is_bad_alone),
		TEST(a_quotation_mark_without_end_ends_the_import),
		TEST(a_row_longer_than_a_megabyte_is_bad_alone),
		TEST(an_empty_file_and_columns_of_one_name_are_refused),
		TEST(json_lines_are_told_by_their_first_byte),
		TEST(reading_goes_on_at_any_row),
		TEST(a_part_of_a_file_is_read_alone),
		TEST(the_format_is_told_by_the_name),
		TEST(gzip_files_are_read_and_cut_off_ones_are_named),
		TEST(zstd_files_are_read_and_cut_off_ones_are_named),
		TEST(a_file_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
