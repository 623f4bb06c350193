#ifndef SONNIM_TRANSFER_IMPORT_ROWS_H
#define SONNIM_TRANSFER_IMPORT_ROWS_H

/* The rows of a file to import, one after another.
 *
 *   CSV         RFC 4180 with any one-character delimiter: fields in quotation marks may hold it,
 *               line ends and doubled quotation marks; a byte order mark is passed over, and so are
 *               empty lines. The first row names the columns unless they are given.
 *   JSON Lines  one JSON text a line; empty lines are passed over.
 *
 * A row lies in a window over the text, in one piece: fields point into it, and nothing is copied
 * but fields with doubled quotation marks. Rows are counted by the line on which they begin, from
 * 1. One thread; a row is gone at the next.
 *
 * Going on: what import_rows_place() said before a row was read, given to import_rows_go_on(), has
 * it read again, as if there had been no other program in between. */

#include "base/json.h"
#include "base/vector.h"
#include "transfer/import/import_input.h"

enum { IMPORT_ROW_BYTES_MAX = 1 << 20, IMPORT_COLUMNS_MAX = 10000 };

enum import_format { IMPORT_FORMAT_GUESS, IMPORT_FORMAT_CSV, IMPORT_FORMAT_JSONL };

/* By the name without .gz and .zst; GUESS: it says nothing. */
enum import_format import_format_of_name(const char *path);

struct import_place {
	uint64_t offset; /* in the text, decompressed */
	uint64_t line;   /* the next */
};

struct import_rows {
	struct import_input *input;
	enum import_format   format;
	char                 delimiter;
	char                *window; /* with JSON_PADDING_BYTES behind it */
	size_t               capacity;
	size_t               at;
	size_t               length;
	bool                 ended;  /* nothing behind the window */
	uint64_t             offset; /* of the window in the text */
	uint64_t             next_line;

	/* The row. */
	uint64_t    line;
	struct text raw; /* as it stands in the file, without its line end; of a row that is too long
	                    its beginning */
	VECTOR(struct text) fields;
	struct buffer       unquoted; /* fields that had doubled quotation marks */
	struct json         json;     /* of JSON Lines, once parsed */
	struct json_parser *parser;

	/* The columns of CSV; in one buffer. */
	struct buffer names;
	VECTOR(size_t) name_ends;
};

/* Guesses the format by the first byte where it is IMPORT_FORMAT_GUESS ('{' begins JSON Lines), and
 * reads the names of the columns of CSV from the first row unless `columns` (separated by commas,
 * may be NULL) gives them. `input` stays the caller's. STATUS_INVALID: no header, two columns of
 * one name. */
MUST_USE enum status import_rows_open(struct import_rows *rows, struct import_input *input,
                                      enum import_format format, char delimiter,
                                      const char *columns, struct error *err);
void                 import_rows_close(struct import_rows *rows);

/* The next row: STATUS_OK. STATUS_NOT_FOUND: there is none. STATUS_INVALID: this one is bad, `err`
 * says why, the next call goes on behind it. Others end the import. */
MUST_USE enum status import_rows_next(struct import_rows *rows, struct error *err);

/* Where the next row begins. Rows just opened only go on at a place that lies ahead. */
struct import_place  import_rows_place(const struct import_rows *rows);
MUST_USE enum status import_rows_go_on(struct import_rows *rows, struct import_place place,
                                       struct error *err);

size_t      import_rows_column_count(const struct import_rows *rows);
struct text import_rows_column(const struct import_rows *rows, size_t column);

static inline struct text import_rows_field(const struct import_rows *rows, size_t column)
{
	return rows->fields.items[column];
}

#endif
