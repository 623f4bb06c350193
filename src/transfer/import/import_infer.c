#include "transfer/import/import_infer.h"

#include <math.h>
#include <stdlib.h>

#include "transfer/import/import_time.h"
#include "transfer/import/import_value.h"

enum possible {
	POSSIBLE_BOOLEAN  = 1,
	POSSIBLE_NUMBER   = 2,
	POSSIBLE_TIME     = 4,
	POSSIBLE_EPOCH_S  = 8,
	POSSIBLE_EPOCH_MS = 16,
	POSSIBLE_ALL      = 31,
};

/* Epoch seconds and milliseconds of the years 2001 to 2100: what else would such numbers be. */
static const double epoch_s_min = 1e9, epoch_s_max = 4.1e9;

void import_infer_init(struct import_infer *infer, const struct import_rows *rows)
{
	*infer = (struct import_infer){0};
	for (size_t i = 0; i < import_rows_column_count(rows); i++)
		VECTOR_ADD(&infer->columns, (struct import_column){0, POSSIBLE_ALL});
}

void import_infer_done(struct import_infer *infer) { VECTOR_DONE(&infer->columns); }

static bool is_boolean(struct text cell)
{
	static const char *const words[] = {"true", "false", "yes",  "no",
	                                    "True", "False", "TRUE", "FALSE"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (text_equal(cell, text_of(words[i])))
			return true;
	return false;
}

static unsigned possible_of_number(struct text cell)
{
	char copy[40], *end;
	bool begins = cell.data[0] == '-' || (cell.data[0] >= '0' && cell.data[0] <= '9');
	if (!begins || cell.length >= sizeof copy)
		return 0;
	memcpy(copy, cell.data, cell.length);
	copy[cell.length] = '\0';
	double number     = strtod(copy, &end);
	bool   zeros      = cell.length > 1 && cell.data[0] == '0' && cell.data[1] != '.';
	if (end != copy + cell.length || !isfinite(number) || zeros)
		return 0; /* "007" is a name */
	unsigned possible = POSSIBLE_NUMBER;
	if (number >= epoch_s_min && number <= epoch_s_max)
		possible |= POSSIBLE_EPOCH_S;
	if (number >= epoch_s_min * 1000 && number <= epoch_s_max * 1000)
		possible |= POSSIBLE_EPOCH_MS;
	return possible;
}

static unsigned possible_of(struct text cell)
{
	int64_t  ms;
	unsigned possible = possible_of_number(cell);
	if (is_boolean(cell))
		possible |= POSSIBLE_BOOLEAN;
	if (cell.length >= 10 && import_time_read_plain(cell, NULL, &ms))
		possible |= POSSIBLE_TIME;
	return possible;
}

void import_infer_row(struct import_infer *infer, const struct import_rows *rows)
{
	for (size_t i = 0; i < infer->columns.count; i++) {
		struct import_column *column = &infer->columns.items[i];
		struct text           cell   = import_rows_field(rows, i);
		if (cell.length == 0)
			continue;
		column->filled++;
		if (column->possible != 0)
			column->possible &= possible_of(cell);
	}
}

static const char *type_name(const struct import_column *column)
{
	static const struct {
		unsigned    possible;
		const char *name;
	} types[] = {
		{POSSIBLE_BOOLEAN, "boolean"},   {POSSIBLE_TIME, "time"},     {POSSIBLE_EPOCH_S, "epoch_s"},
		{POSSIBLE_EPOCH_MS, "epoch_ms"}, {POSSIBLE_NUMBER, "number"},
	};
	for (size_t i = 0; column->filled > 0 && i < sizeof types / sizeof types[0]; i++)
		if ((column->possible & types[i].possible) != 0)
			return types[i].name;
	return "string";
}

void import_infer_write(const struct import_infer *infer, const struct import_rows *rows,
                        struct json_writer *writer)
{
	enum { COLUMNS_SHOWN_MAX = 500 }; /* a result has a limit */
	json_begin_array(writer);
	for (size_t i = 0; i < infer->columns.count && i < COLUMNS_SHOWN_MAX; i++) {
		const struct import_column *column = &infer->columns.items[i];
		struct text                 name   = import_rows_column(rows, i);
		if (name.length > 64)
			name.length = 64;
		json_begin_object(writer);
		json_member_string(writer, "column", name);
		json_member_string(writer, "type", text_of(type_name(column)));
		json_member_int(writer, "filled", (int64_t)column->filled);
		json_end_object(writer);
	}
	json_end_array(writer);
}
