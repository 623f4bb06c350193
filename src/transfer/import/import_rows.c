#include "transfer/import/import_rows.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 256 * 1024, END_OF_INPUT = -1 };

/* ---- Bytes ---- */

static enum status refill(struct import_rows *rows, struct error *err)
{
	if (rows->ended || rows->at < rows->length)
		return STATUS_OK;
	rows->at = 0;
	enum status status =
		import_input_read(rows->input, rows->chunk, CHUNK_BYTES, &rows->length, err);
	if (status == STATUS_OK && rows->length == 0)
		rows->ended = true;
	return status;
}

/* The next byte without taking it; there must have been a refill. */
static int peek(const struct import_rows *rows)
{
	return rows->at < rows->length ? (unsigned char)rows->chunk[rows->at] : END_OF_INPUT;
}

/* ---- Life ---- */

enum import_format import_format_of_name(const char *path)
{
	static const struct {
		const char        *ending;
		enum import_format format;
	} endings[] = {
		{".csv", IMPORT_FORMAT_CSV},     {".tsv", IMPORT_FORMAT_CSV},
		{".jsonl", IMPORT_FORMAT_JSONL}, {".ndjson", IMPORT_FORMAT_JSONL},
		{".json", IMPORT_FORMAT_JSONL},
	};
	struct text name = text_of(path);
	if (text_ends_with(name, TEXT(".gz")))
		name.length -= 3;
	else if (text_ends_with(name, TEXT(".zst")))
		name.length -= 4;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (text_ends_with(name, text_of(endings[i].ending)))
			return endings[i].format;
	return IMPORT_FORMAT_GUESS;
}

static bool is_white(int byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Passes over a byte order mark, and over white space where JSON follows. */
static enum status begin(struct import_rows *rows, struct error *err)
{
	enum status status = refill(rows, err);
	if (status != STATUS_OK)
		return status;
	if (rows->length >= 3 && memcmp(rows->chunk, "\xef\xbb\xbf", 3) == 0)
		rows->at = 3;
	size_t at = rows->at;
	while (at < rows->length && is_white((unsigned char)rows->chunk[at]))
		at++;
	if (rows->format == IMPORT_FORMAT_GUESS)
		rows->format =
			at < rows->length && rows->chunk[at] == '{' ? IMPORT_FORMAT_JSONL : IMPORT_FORMAT_CSV;
	return STATUS_OK;
}

static struct text part(const struct buffer *text, const size_t *ends, size_t index)
{
	size_t from = index > 0 ? ends[index - 1] : 0;
	return (struct text){text->data + from, ends[index] - from};
}

static void add_name(struct import_rows *rows, struct text name)
{
	buffer_add_text(&rows->names, name);
	VECTOR_ADD(&rows->name_ends, rows->names.length);
}

static enum status check_names(const struct import_rows *rows, struct error *err)
{
	for (size_t i = 0; i < rows->name_ends.count; i++)
		for (size_t j = 0; j < i; j++)
			if (text_equal(import_rows_column(rows, i), import_rows_column(rows, j)))
				return error_set(err, STATUS_INVALID, "two columns are called \"%.*s\"",
				                 TEXT_FORMAT(import_rows_column(rows, i)));
	return STATUS_OK;
}

static void name_columns(struct import_rows *rows, const char *columns)
{
	for (;;) {
		const char *comma = strchr(columns, ',');
		if (comma == NULL)
			break;
		add_name(rows, (struct text){columns, (size_t)(comma - columns)});
		columns = comma + 1;
	}
	add_name(rows, text_of(columns));
}

static enum status read_header(struct import_rows *rows, struct error *err)
{
	enum { COLUMNS_MAX = 10000 };
	enum status status = import_rows_next(rows, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_INVALID,
		                 "the file is empty: a first row must name the columns");
	if (status != STATUS_OK)
		return status;
	if (rows->ends.count > COLUMNS_MAX)
		return error_set(err, STATUS_INVALID, "more than %d columns", COLUMNS_MAX);
	for (size_t i = 0; i < rows->ends.count; i++)
		add_name(rows, import_rows_field(rows, i));
	return STATUS_OK;
}

enum status import_rows_open(struct import_rows *rows, struct import_input *input,
                             enum import_format format, char delimiter, const char *columns,
                             struct error *err)
{
	*rows = (struct import_rows){
		.input = input, .format = format, .delimiter = delimiter, .next_line = 1};
	rows->chunk  = malloc(CHUNK_BYTES);
	rows->parser = json_parser_new();
	if (rows->chunk == NULL)
		abort();
	enum status status = begin(rows, err);
	if (status == STATUS_OK && rows->format == IMPORT_FORMAT_CSV) {
		if (columns != NULL)
			name_columns(rows, columns);
		else
			status = read_header(rows, err);
		if (status == STATUS_OK)
			status = check_names(rows, err);
	}
	return status;
}

void import_rows_close(struct import_rows *rows)
{
	free(rows->chunk);
	json_parser_free(rows->parser);
	buffer_done(&rows->raw);
	buffer_done(&rows->text);
	buffer_done(&rows->names);
	VECTOR_DONE(&rows->ends);
	VECTOR_DONE(&rows->name_ends);
}

size_t import_rows_column_count(const struct import_rows *rows) { return rows->name_ends.count; }

struct text import_rows_column(const struct import_rows *rows, size_t column)
{
	return part(&rows->names, rows->name_ends.items, column);
}

struct text import_rows_field(const struct import_rows *rows, size_t column)
{
	return part(&rows->text, rows->ends.items, column);
}

/* ---- Rows ---- */

/* Takes the next byte into the row; END_OF_INPUT at the end. */
static enum status take(struct import_rows *rows, int *ret_byte, struct error *err)
{
	enum status status = refill(rows, err);
	if (status != STATUS_OK)
		return status;
	*ret_byte = peek(rows);
	if (*ret_byte == END_OF_INPUT)
		return STATUS_OK;
	rows->at++;
	rows->next_line += *ret_byte == '\n';
	if (rows->raw.length <= IMPORT_ROW_BYTES_MAX)
		buffer_add_u8(&rows->raw, (uint8_t)*ret_byte);
	return STATUS_OK;
}

static void drop_line_end(struct buffer *raw)
{
	if (raw->length > 0 && raw->data[raw->length - 1] == '\n')
		raw->length--;
	if (raw->length > 0 && raw->data[raw->length - 1] == '\r')
		raw->length--;
}

/* One line into `raw`. */
static enum status take_line(struct import_rows *rows, bool *ret_end, struct error *err)
{
	*ret_end = false;
	for (;;) {
		enum status status = refill(rows, err);
		if (status != STATUS_OK)
			return status;
		if (rows->ended) {
			*ret_end = rows->raw.length == 0;
			break;
		}
		const char *from     = rows->chunk + rows->at;
		const char *line_end = memchr(from, '\n', rows->length - rows->at);
		size_t length = line_end != NULL ? (size_t)(line_end + 1 - from) : rows->length - rows->at;
		if (rows->raw.length <= IMPORT_ROW_BYTES_MAX)
			buffer_add(&rows->raw, from, length);
		rows->at += length;
		if (line_end != NULL) {
			rows->next_line++;
			break;
		}
	}
	drop_line_end(&rows->raw);
	return STATUS_OK;
}

static enum status too_long(struct error *err)
{
	return error_set(err, STATUS_INVALID, "the row is longer than %d bytes", IMPORT_ROW_BYTES_MAX);
}

static enum status next_json(struct import_rows *rows, struct error *err)
{
	bool end;
	for (;;) {
		rows->line = rows->next_line;
		buffer_clear(&rows->raw);
		enum status status = take_line(rows, &end, err);
		if (status != STATUS_OK)
			return status;
		if (end)
			return STATUS_NOT_FOUND;
		size_t white = 0;
		while (white < rows->raw.length && is_white((unsigned char)rows->raw.data[white]))
			white++;
		if (white < rows->raw.length)
			break;
	}
	if (rows->raw.length > IMPORT_ROW_BYTES_MAX)
		return too_long(err);
	enum status status = json_parse_text(rows->parser, buffer_text(&rows->raw), &rows->json, err);
	if (status == STATUS_OK && json_type(rows->json) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "not a JSON object");
	return status;
}

static void end_field(struct import_rows *rows) { VECTOR_ADD(&rows->ends, rows->text.length); }

/* A field in quotation marks, behind the first one. */
static enum status take_quoted(struct import_rows *rows, struct error *err)
{
	for (;;) {
		int         byte;
		enum status status = take(rows, &byte, err);
		if (status != STATUS_OK)
			return status;
		if (byte == END_OF_INPUT || rows->raw.length > IMPORT_ROW_BYTES_MAX)
			/* Where it went wrong cannot be told: what follows is not to be trusted. */
			return error_set(err, STATUS_CORRUPT,
			                 "the row that begins on line %llu has a quotation mark that does not "
			                 "end within %d bytes",
			                 (unsigned long long)rows->line, IMPORT_ROW_BYTES_MAX);
		if (byte == '"') {
			status = refill(rows, err);
			if (status != STATUS_OK || peek(rows) != '"')
				return status;
			status = take(rows, &byte, err);
			if (status != STATUS_OK)
				return status;
		}
		buffer_add_u8(&rows->text, (uint8_t)byte);
	}
}

/* One row into `raw`, `text` and `ends`. */
static enum status take_record(struct import_rows *rows, struct error *err)
{
	bool first = true; /* byte of its field */
	for (;;) {
		int         byte;
		enum status status = take(rows, &byte, err);
		if (status != STATUS_OK)
			return status;
		if (byte == END_OF_INPUT || byte == '\n') {
			if (byte == '\n' && rows->text.length > 0 && !first &&
			    rows->text.data[rows->text.length - 1] == '\r')
				rows->text.length--;
			end_field(rows);
			drop_line_end(&rows->raw);
			return STATUS_OK;
		}
		if (byte == '"' && first) {
			status = take_quoted(rows, err);
			if (status != STATUS_OK)
				return status;
			first = false;
		} else if (byte == rows->delimiter) {
			end_field(rows);
			first = true;
		} else {
			if (rows->raw.length <= IMPORT_ROW_BYTES_MAX)
				buffer_add_u8(&rows->text, (uint8_t)byte);
			first = false;
		}
	}
}

static enum status next_csv(struct import_rows *rows, struct error *err)
{
	do {
		enum status status = refill(rows, err);
		if (status != STATUS_OK)
			return status;
		if (rows->ended)
			return STATUS_NOT_FOUND;
		rows->line = rows->next_line;
		buffer_clear(&rows->raw);
		buffer_clear(&rows->text);
		rows->ends.count = 0;
		status           = take_record(rows, err);
		if (status != STATUS_OK)
			return status;
	} while (rows->raw.length == 0);

	if (rows->raw.length > IMPORT_ROW_BYTES_MAX)
		return too_long(err);
	size_t columns = rows->name_ends.count;
	if (columns > 0 && rows->ends.count != columns)
		return error_set(err, STATUS_INVALID, "%zu fields where there are %zu columns",
		                 rows->ends.count, columns);
	return STATUS_OK;
}

enum status import_rows_next(struct import_rows *rows, struct error *err)
{
	return rows->format == IMPORT_FORMAT_JSONL ? next_json(rows, err) : next_csv(rows, err);
}
