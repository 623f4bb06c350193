#include "transfer/import/import_value.h"

#include <math.h>
#include <strings.h>

#include "base/instant.h"

enum { TIME_BYTES_MAX = 64, SHOWN_BYTES_MAX = 60 };

bool import_type_of_name(struct text name, enum import_type *ret_type)
{
	static const struct {
		const char      *name;
		enum import_type type;
	} types[] = {
		{"string", IMPORT_STRING},     {"number", IMPORT_NUMBER}, {"boolean", IMPORT_BOOLEAN},
		{"time", IMPORT_TIME},         {"list", IMPORT_LIST},     {"epoch_s", IMPORT_EPOCH_S},
		{"epoch_ms", IMPORT_EPOCH_MS}, {"json", IMPORT_JSON},
	};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (text_equal(name, text_of(types[i].name))) {
			*ret_type = types[i].type;
			return true;
		}
	}
	return false;
}

/* The length of the character at `at`, 0 when it is not valid (Unicode, table 3-7). */
static size_t character_length(const unsigned char *at, size_t left)
{
	unsigned char first = at[0], low = 0x80, high = 0xbf;
	size_t        length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (length == 1)
		return 1;
	if (first < 0xc2 || first > 0xf4 || left < length)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool import_is_utf8(struct text text)
{
	const unsigned char *at = (const unsigned char *)text.data;
	for (size_t left = text.length, length; left > 0; left -= length, at += length)
		if ((length = character_length(at, left)) == 0)
			return false;
	return true;
}

static struct text trim(struct text text)
{
	while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = (struct text){text.data + 1, text.length - 1};
	while (text.length > 0 &&
	       (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
		text.length--;
	return text;
}

static enum status is_not(struct error *err, struct text text, const char *what)
{
	int shown = text.length > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)text.length;
	return error_set(err, STATUS_INVALID, "\"%.*s\" is not %s", shown, text.data, what);
}

static enum status write_text(struct text text, struct json_writer *writer, struct error *err)
{
	if (!import_is_utf8(text))
		return error_set(err, STATUS_INVALID, "not UTF-8");
	json_add_string(writer, text);
	return STATUS_OK;
}

static enum status write_parsed(struct text text, bool number, struct json_parser *parser,
                                struct json_writer *writer, struct error *err)
{
	struct json  json;
	struct error unused;
	const char  *what = number ? "a number" : "JSON";
	if (json_parse_text(parser, text, &json, &unused) != STATUS_OK)
		return is_not(err, text, what);
	if (number && !json_is_number(json))
		return is_not(err, text, what);
	json_add_value(writer, json);
	return STATUS_OK;
}

static enum status write_boolean(struct text text, struct json_writer *writer, struct error *err)
{
	static const char *const words[] = {"false", "true", "no", "yes", "0", "1", "f", "t", "n", "y"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (text.length == strlen(words[i]) && strncasecmp(text.data, words[i], text.length) == 0) {
			json_add_bool(writer, i % 2 == 1);
			return STATUS_OK;
		}
	}
	return is_not(err, text, "true or false");
}

/* RFC 3339, or the same with a space in the place of the T and without seconds. */
static bool read_time(struct text text, int64_t *ret_ms)
{
	enum { DATE_LENGTH = 10, MINUTE_LENGTH = 16 };
	char copy[TIME_BYTES_MAX + 4];
	if (text.length == 0 || text.length > TIME_BYTES_MAX)
		return false;
	memcpy(copy, text.data, text.length);
	if (text.length > DATE_LENGTH && copy[DATE_LENGTH] == ' ')
		copy[DATE_LENGTH] = 'T';
	if (text.length == MINUTE_LENGTH) {
		memcpy(copy + MINUTE_LENGTH, ":00", 3);
		text.length += 3;
	}
	return instant_parse((struct text){copy, text.length}, ret_ms);
}

static enum status write_time(struct text text, struct json_writer *writer, struct error *err)
{
	int64_t ms;
	if (!read_time(text, &ms))
		return is_not(err, text, "a time");
	json_add_instant(writer, ms);
	return STATUS_OK;
}

static enum status write_epoch(const struct import_cell *cell, double unit_ms,
                               struct json_parser *parser, struct json_writer *writer,
                               struct error *err)
{
	struct json  json = cell->json;
	struct error unused;
	if (!json_is_number(json) &&
	    (json_parse_text(parser, trim(cell->text), &json, &unused) != STATUS_OK ||
	     !json_is_number(json)))
		return is_not(err, cell->text, "a time");
	double ms = floor(json_number(json) * unit_ms);
	if (!(ms >= (double)INSTANT_MS_MIN && ms <= (double)INSTANT_MS_MAX))
		return error_set(err, STATUS_INVALID, "the time is out of range");
	json_add_instant(writer, (int64_t)ms);
	return STATUS_OK;
}

static enum status write_list(struct text text, struct json_writer *writer, struct error *err)
{
	if (!import_is_utf8(text))
		return error_set(err, STATUS_INVALID, "not UTF-8");
	json_begin_array(writer);
	for (;;) {
		const char *comma = memchr(text.data, ',', text.length);
		size_t      here  = comma != NULL ? (size_t)(comma - text.data) : text.length;
		json_add_string(writer, trim((struct text){text.data, here}));
		if (comma == NULL)
			break;
		text = (struct text){comma + 1, text.length - here - 1};
	}
	json_end_array(writer);
	return STATUS_OK;
}

/* A JSON value that is no string keeps its type, but for times. */
static bool is_json_as_it_is(const struct import_cell *cell, enum import_type type)
{
	enum json_type is = json_type(cell->json);
	if (is == JSON_NONE || type == IMPORT_EPOCH_S || type == IMPORT_EPOCH_MS)
		return false;
	return type == IMPORT_ANY || is != JSON_STRING;
}

static bool allows(enum import_type type, struct json json)
{
	switch (type) {
	case IMPORT_NUMBER:
		return json_is_number(json);
	case IMPORT_BOOLEAN:
		return json_type(json) == JSON_BOOL;
	case IMPORT_LIST:
		return json_type(json) == JSON_ARRAY;
	case IMPORT_STRING:
	case IMPORT_TIME:
		return false;
	default:
		return true;
	}
}

enum status import_value_write(const struct import_cell *cell, enum import_type type,
                               struct json_parser *parser, struct json_writer *writer,
                               struct error *err)
{
	if (is_json_as_it_is(cell, type)) {
		if (json_type(cell->json) == JSON_OVERFLOW)
			return error_set(err, STATUS_INVALID, "the number is too large");
		if (type == IMPORT_STRING && json_is_number(cell->json)) {
			struct buffer      number = {0};
			struct json_writer inner  = json_writer_of(&number);
			json_add_value(&inner, cell->json);
			json_add_string(writer, buffer_text(&number));
			buffer_done(&number);
			return STATUS_OK;
		}
		if (!allows(type, cell->json))
			return error_set(err, STATUS_INVALID, "the value is of another type");
		json_add_value(writer, cell->json);
		return STATUS_OK;
	}
	switch (type) {
	case IMPORT_NUMBER:
	case IMPORT_JSON:
		return write_parsed(trim(cell->text), type == IMPORT_NUMBER, parser, writer, err);
	case IMPORT_BOOLEAN:
		return write_boolean(trim(cell->text), writer, err);
	case IMPORT_TIME:
		return write_time(trim(cell->text), writer, err);
	case IMPORT_EPOCH_S:
		return write_epoch(cell, 1000, parser, writer, err);
	case IMPORT_EPOCH_MS:
		return write_epoch(cell, 1, parser, writer, err);
	case IMPORT_LIST:
		return write_list(cell->text, writer, err);
	default:
		return write_text(cell->text, writer, err);
	}
}
