#include "transfer/import/import_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The window holds a row of IMPORT_ROW_BYTES_MAX whole, and else many. */
enum { WINDOW_BYTES = 2 * IMPORT_ROW_BYTES_MAX };

/* ---- The window ---- */

/* More text behind what the window holds from `at` on; `ended` when there is none. */
static enum status refill(struct import_rows *rows, struct error *err)
{
	size_t length;
	if (rows->at > 0) {
		rows->length -= rows->at;
		memmove(rows->window, rows->window + rows->at, rows->length);
		rows->offset += rows->at;
		rows->at = 0;
	}
	assert(rows->length < rows->capacity);
	enum status status = import_input_read(rows->input, rows->window + rows->length,
	                                       rows->capacity - rows->length, &length, err);
	if (status == STATUS_OK && length == 0)
		rows->ended = true;
	else if (status == STATUS_OK)
		rows->length += length;
	return status;
}

static const char *begin_of(const struct import_rows *rows) { return rows->window + rows->at; }
static const char *end_of(const struct import_rows *rows) { return rows->window + rows->length; }
static size_t      left_in(const struct import_rows *rows) { return rows->length - rows->at; }

/* Behind the line end at or after `from`; the end of the window when the text ends with it. NULL:
 * not yet there, or longer than a row may be. */
static const char *line_end(const struct import_rows *rows, const char *from)
{
	const char *end = memchr(from, '\n', (size_t)(end_of(rows) - from));
	if (end != NULL)
		return end + 1;
	return rows->ended ? end_of(rows) : NULL;
}

static struct text without_line_end(const char *begin, const char *end)
{
	if (end > begin && end[-1] == '\n')
		end--;
	if (end > begin && end[-1] == '\r')
		end--;
	return (struct text){begin, (size_t)(end - begin)};
}

static void take_to(struct import_rows *rows, const char *end)
{
	rows->at = (size_t)(end - rows->window);
}

static enum status too_long(struct error *err)
{
	return error_set(err, STATUS_INVALID, "the row is longer than %d bytes", IMPORT_ROW_BYTES_MAX);
}

/* Drops the rest of a line that is longer than a row may be; its beginning stays in `unquoted`. */
static enum status pass_over(struct import_rows *rows, struct error *err)
{
	enum { KEPT_BYTES = 1024 };
	const char *end;
	buffer_clear(&rows->unquoted);
	buffer_add(&rows->unquoted, begin_of(rows), KEPT_BYTES);
	while ((end = line_end(rows, begin_of(rows))) == NULL) {
		enum status status;
		rows->at = rows->length;
		if ((status = refill(rows, err)) != STATUS_OK)
			return status;
	}
	rows->next_line++;
	take_to(rows, end);
	rows->raw = buffer_text(&rows->unquoted);
	return too_long(err);
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
	while (!rows->ended && rows->length < 3) {
		enum status status = refill(rows, err);
		if (status != STATUS_OK)
			return status;
	}
	if (rows->length >= 3 && memcmp(rows->window, "\xef\xbb\xbf", 3) == 0)
		rows->at = 3;
	size_t at = rows->at;
	while (at < rows->length && is_white((unsigned char)rows->window[at]))
		at++;
	if (rows->format == IMPORT_FORMAT_GUESS)
		rows->format =
			at < rows->length && rows->window[at] == '{' ? IMPORT_FORMAT_JSONL : IMPORT_FORMAT_CSV;
	return STATUS_OK;
}

static void add_name(struct import_rows *rows, struct text name)
{
	buffer_add_text(&rows->names, name);
	VECTOR_ADD(&rows->name_ends, rows->names.length);
}

static int by_text(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static enum status check_names(const struct import_rows *rows, struct error *err)
{
	size_t       count  = rows->name_ends.count;
	struct text *sorted = calloc(count + 1, sizeof *sorted);
	enum status  status = STATUS_OK;
	if (sorted == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		sorted[i] = import_rows_column(rows, i);
	qsort(sorted, count, sizeof *sorted, by_text);
	for (size_t i = 1; i < count && status == STATUS_OK; i++)
		if (text_equal(sorted[i], sorted[i - 1]))
			status = error_set(err, STATUS_INVALID, "two columns are called \"%.*s\"",
			                   TEXT_FORMAT(sorted[i]));
	free(sorted);
	return status;
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
	enum status status = import_rows_next(rows, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_INVALID,
		                 "the file is empty: a first row must name the columns");
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < rows->fields.count; i++)
		add_name(rows, import_rows_field(rows, i));
	return STATUS_OK;
}

enum status import_rows_open(struct import_rows *rows, struct import_input *input,
                             enum import_format format, char delimiter, const char *columns,
                             struct error *err)
{
	*rows        = (struct import_rows){.input     = input,
	                                    .format    = format,
	                                    .delimiter = delimiter,
	                                    .capacity  = WINDOW_BYTES,
	                                    .next_line = 1};
	rows->window = calloc(1, WINDOW_BYTES + JSON_PADDING_BYTES);
	rows->parser = json_parser_new();
	if (rows->window == NULL)
		abort();
	enum status status = begin(rows, err);
	if (status == STATUS_OK && rows->format == IMPORT_FORMAT_CSV) {
		if (columns != NULL)
			name_columns(rows, columns);
		else
			status = read_header(rows, err);
		if (status == STATUS_OK && rows->name_ends.count > IMPORT_COLUMNS_MAX)
			status = error_set(err, STATUS_INVALID, "more than %d columns", IMPORT_COLUMNS_MAX);
		if (status == STATUS_OK)
			status = check_names(rows, err);
	}
	return status;
}

void import_rows_close(struct import_rows *rows)
{
	free(rows->window);
	json_parser_free(rows->parser);
	buffer_done(&rows->unquoted);
	buffer_done(&rows->names);
	VECTOR_DONE(&rows->fields);
	VECTOR_DONE(&rows->name_ends);
}

size_t import_rows_column_count(const struct import_rows *rows) { return rows->name_ends.count; }

struct text import_rows_column(const struct import_rows *rows, size_t column)
{
	size_t from = column > 0 ? rows->name_ends.items[column - 1] : 0;
	return (struct text){rows->names.data + from, rows->name_ends.items[column] - from};
}

struct import_place import_rows_place(const struct import_rows *rows)
{
	return (struct import_place){rows->offset + rows->at, rows->next_line};
}

enum status import_rows_go_on(struct import_rows *rows, struct import_place place,
                              struct error *err)
{
	uint64_t here = rows->offset + rows->length;
	assert(place.offset >= rows->offset + rows->at);
	rows->next_line = place.line;
	if (place.offset <= here) {
		rows->at = (size_t)(place.offset - rows->offset);
		return STATUS_OK;
	}
	rows->offset = place.offset;
	rows->at = rows->length = 0;
	return import_input_skip(rows->input, place.offset - here, err);
}

/* ---- Rows ---- */

static bool is_empty(const char *begin, const char *end, bool white_is_empty)
{
	struct text line = without_line_end(begin, end);
	if (!white_is_empty)
		return line.length == 0;
	while (line.length > 0 && is_white((unsigned char)line.data[line.length - 1]))
		line.length--;
	return line.length == 0;
}

/* The next line that is not empty, `*ret_end` behind it, all of it in the window. TOO_LARGE: it is
 * not. NOT_FOUND: there is none. */
static enum status find_line(struct import_rows *rows, bool white_is_empty, const char **ret_end,
                             struct error *err)
{
	for (;;) {
		const char *begin = begin_of(rows), *end = line_end(rows, begin);
		if (end == NULL && left_in(rows) > IMPORT_ROW_BYTES_MAX)
			return STATUS_TOO_LARGE;
		if (end == NULL) {
			enum status status = refill(rows, err);
			if (status != STATUS_OK)
				return status;
			continue;
		}
		if (end == begin)
			return STATUS_NOT_FOUND;
		*ret_end = end;
		if (!is_empty(begin, end, white_is_empty))
			return STATUS_OK;
		rows->next_line++;
		take_to(rows, end);
	}
}

static enum status next_json(struct import_rows *rows, struct error *err)
{
	const char *end;
	enum status status = find_line(rows, true, &end, err);
	rows->line         = rows->next_line;
	if (status == STATUS_TOO_LARGE)
		return pass_over(rows, err);
	if (status != STATUS_OK)
		return status;
	rows->raw = without_line_end(begin_of(rows), end);
	rows->next_line++;
	take_to(rows, end);
	if (rows->raw.length > IMPORT_ROW_BYTES_MAX)
		return too_long(err);
	status = json_parse(rows->parser, rows->raw.data, rows->raw.length, &rows->json, err);
	if (status == STATUS_OK && json_type(rows->json) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "not a JSON object");
	return status;
}

/* A line without any quotation mark. */
static void split(struct import_rows *rows, struct text line)
{
	const char *at = line.data, *end = line.data + line.length, *delimiter;
	while ((delimiter = memchr(at, rows->delimiter, (size_t)(end - at))) != NULL) {
		VECTOR_ADD(&rows->fields, (struct text){at, (size_t)(delimiter - at)});
		at = delimiter + 1;
	}
	VECTOR_ADD(&rows->fields, (struct text){at, (size_t)(end - at)});
}

/* The quotation mark that ends a field behind whose first one `at` stands; NULL: not in the window.
 * Counts the doubled ones, and lines. */
static const char *find_quote(const struct import_rows *rows, const char *at, size_t *doubled)
{
	const char *end = end_of(rows);
	while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
		if (at + 1 == end && !rows->ended)
			return NULL;
		if (at + 1 == end || at[1] != '"')
			return at;
		++*doubled;
		at += 2;
	}
	return NULL;
}

/* What stood between quotation marks, and what else stands behind them in its field: rarely worth a
 * copy. */
static struct text unquote(struct import_rows *rows, struct text quoted, size_t doubled,
                           struct text behind)
{
	if (doubled == 0 && behind.length == 0)
		return quoted;
	/* Reserved by the caller: nothing moves. */
	size_t begin = rows->unquoted.length;
	for (size_t i = 0; i < quoted.length; i++) {
		buffer_add_u8(&rows->unquoted, (uint8_t)quoted.data[i]);
		i += quoted.data[i] == '"';
	}
	buffer_add_text(&rows->unquoted, behind);
	return (struct text){rows->unquoted.data + begin, rows->unquoted.length - begin};
}

/* The end of a field without quotation marks around it: the delimiter, or the line's end. */
static const char *find_field_end(const struct import_rows *rows, const char *at)
{
	const char *end = end_of(rows);
	while (at < end && *at != rows->delimiter && *at != '\n')
		at++;
	return at < end || rows->ended ? at : NULL;
}

/* The row at the window's `at` with its quotation marks, into `fields`; `*ret_end` behind it.
 * False: its end is not in the window. */
static bool split_quoted(struct import_rows *rows, const char **ret_end)
{
	const char *at = begin_of(rows), *end = end_of(rows);
	rows->fields.count = 0;
	buffer_clear(&rows->unquoted);
	buffer_reserve(&rows->unquoted, left_in(rows));
	for (;;) {
		struct text quoted  = {at, 0};
		size_t      doubled = 0;
		bool        marks   = at < end && *at == '"';
		if (marks) {
			const char *close = find_quote(rows, at + 1, &doubled);
			if (close == NULL)
				return false;
			quoted = (struct text){at + 1, (size_t)(close - at - 1)};
			at     = close + 1;
		}
		const char *field_end = find_field_end(rows, at);
		if (field_end == NULL)
			return false;
		bool        last   = field_end == end || *field_end == '\n';
		struct text behind = {at, (size_t)(field_end - at)};
		if (last && field_end < end && behind.length > 0 && field_end[-1] == '\r')
			behind.length--;
		VECTOR_ADD(&rows->fields, marks ? unquote(rows, quoted, doubled, behind) : behind);
		if (last) {
			*ret_end = field_end == end ? end : field_end + 1;
			return true;
		}
		at = field_end + 1;
	}
}

static uint64_t count_lines(const char *at, const char *end)
{
	uint64_t count = 0;
	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		count++;
	}
	return count;
}

/* A row whose line has a quotation mark; the row may have more lines. */
static enum status next_quoted(struct import_rows *rows, struct error *err)
{
	const char *end;
	while (!split_quoted(rows, &end)) {
		if (rows->ended || left_in(rows) > IMPORT_ROW_BYTES_MAX)
			/* Where it went wrong cannot be told: what follows is not to be trusted. */
			return error_set(err, STATUS_CORRUPT,
			                 "the row that begins on line %llu has a quotation mark that does not "
			                 "end within %d bytes",
			                 (unsigned long long)rows->line, IMPORT_ROW_BYTES_MAX);
		enum status status = refill(rows, err);
		if (status != STATUS_OK)
			return status;
	}
	rows->raw = without_line_end(begin_of(rows), end);
	rows->next_line += count_lines(begin_of(rows), end);
	take_to(rows, end);
	return STATUS_OK;
}

static enum status next_csv(struct import_rows *rows, struct error *err)
{
	const char *end;
	enum status status = find_line(rows, false, &end, err);
	rows->line         = rows->next_line;
	if (status == STATUS_TOO_LARGE && memchr(begin_of(rows), '"', left_in(rows)) == NULL)
		return pass_over(rows, err);
	if (status != STATUS_OK && status != STATUS_TOO_LARGE)
		return status;

	const char *begin = begin_of(rows);
	if (status == STATUS_TOO_LARGE || memchr(begin, '"', (size_t)(end - begin)) != NULL) {
		if ((status = next_quoted(rows, err)) != STATUS_OK)
			return status;
	} else {
		rows->raw          = without_line_end(begin, end);
		rows->fields.count = 0;
		split(rows, rows->raw);
		rows->next_line++;
		take_to(rows, end);
	}
	if (rows->raw.length > IMPORT_ROW_BYTES_MAX)
		return too_long(err);
	size_t columns = rows->name_ends.count;
	if (columns > 0 && rows->fields.count != columns)
		return error_set(err, STATUS_INVALID, "%zu fields where there are %zu columns",
		                 rows->fields.count, columns);
	return STATUS_OK;
}

enum status import_rows_next(struct import_rows *rows, struct error *err)
{
	return rows->format == IMPORT_FORMAT_JSONL ? next_json(rows, err) : next_csv(rows, err);
}
