#include "transfer/import/import_value.h"

#include <math.h>
#include <strings.h>

#include "transfer/import/import_time.h"

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
	for (size_t left = text.length, length; left > 0; left -= length, at += length) {
		uint64_t word;
		length = sizeof word;
		if (left >= sizeof word) {
			memcpy(&word, at, sizeof word);
			if ((word & UINT64_C(0x8080808080808080)) == 0)
				continue;
		}
		if ((length = character_length(at, left)) == 0)
			return false;
	}
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

/* Without what stands there: reasons are shown to people who may not see it. */
static enum status is_not(struct error *err, const char *what)
{
	return error_set(err, STATUS_INVALID, "not %s", what);
}

static enum status write_text(struct text text, struct json_writer *writer, struct error *err)
{
	if (!import_is_utf8(text))
		return error_set(err, STATUS_INVALID, "not UTF-8");
	json_add_string(writer, text);
	return STATUS_OK;
}

/* Whole numbers and decimals, the usual ones, as JSON writes them and few enough digits to be sure
 * of the range; others are the parser's. */
static bool is_plain_number(struct text text)
{
	enum { DIGITS_MAX = 15 };
	size_t at = text.length > 0 && text.data[0] == '-', begin = at, digits = 0;
	for (bool dot = false; at < text.length; at++) {
		char byte = text.data[at];
		if (byte == '.' && !dot && digits > 0 && at + 1 < text.length)
			dot = true;
		else if (byte < '0' || byte > '9')
			return false;
		else
			digits++;
	}
	bool zero = digits > 1 && text.data[begin] == '0' && text.data[begin + 1] != '.';
	return digits > 0 && digits <= DIGITS_MAX && !zero;
}

static enum status write_number(struct text text, struct json_parser *parser,
                                struct json_writer *writer, struct error *err)
{
	struct json  json;
	struct error unused;
	if (is_plain_number(text)) {
		json_add_raw(writer, text);
		return STATUS_OK;
	}
	if (json_parse_text(parser, text, &json, &unused) != STATUS_OK || !json_is_number(json))
		return is_not(err, "a number");
	json_add_value(writer, json);
	return STATUS_OK;
}

static enum status write_json(struct text text, struct json_parser *parser,
                              struct json_writer *writer, struct error *err)
{
	struct json  json;
	struct error unused;
	if (json_parse_text(parser, text, &json, &unused) != STATUS_OK)
		return is_not(err, "JSON");
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
	return is_not(err, "true or false");
}

static enum status write_time(struct text text, const struct import_rule *rule,
                              struct json_writer *writer, int64_t *ret_time_ms, struct error *err)
{
	int64_t ms;
	bool    read = rule->format.length > 0 ? import_time_read(text, rule->format, rule->zone, &ms)
	                                       : import_time_read_plain(text, rule->zone, &ms);
	if (!read)
		return is_not(err, "a time");
	json_add_instant(writer, ms);
	*ret_time_ms = ms;
	return STATUS_OK;
}

static enum status write_epoch(const struct import_cell *cell, double unit_ms,
                               struct json_parser *parser, struct json_writer *writer,
                               int64_t *ret_time_ms, struct error *err)
{
	struct json  json = cell->json;
	struct error unused;
	if (!json_is_number(json) &&
	    (json_parse_text(parser, trim(cell->text), &json, &unused) != STATUS_OK ||
	     !json_is_number(json)))
		return is_not(err, "a time");
	double ms = floor(json_number(json) * unit_ms);
	if (!(ms >= (double)INSTANT_MS_MIN && ms <= (double)INSTANT_MS_MAX))
		return error_set(err, STATUS_INVALID, "the time is out of range");
	*ret_time_ms = (int64_t)ms;
	json_add_instant(writer, *ret_time_ms);
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

enum status import_value_write(const struct import_cell *cell, const struct import_rule *rule,
                               struct json_parser *parser, struct json_writer *writer,
                               int64_t *ret_time_ms, struct error *err)
{
	enum import_type type = rule->type;
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
		return write_number(trim(cell->text), parser, writer, err);
	case IMPORT_JSON:
		return write_json(trim(cell->text), parser, writer, err);
	case IMPORT_BOOLEAN:
		return write_boolean(trim(cell->text), writer, err);
	case IMPORT_TIME:
		return write_time(trim(cell->text), rule, writer, ret_time_ms, err);
	case IMPORT_EPOCH_S:
		return write_epoch(cell, 1000, parser, writer, ret_time_ms, err);
	case IMPORT_EPOCH_MS:
		return write_epoch(cell, 1, parser, writer, ret_time_ms, err);
	case IMPORT_LIST:
		return write_list(cell->text, writer, err);
	default:
		return write_text(cell->text, writer, err);
	}
}
