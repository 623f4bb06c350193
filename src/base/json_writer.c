#include "base/json.h"

#include <math.h>

#include "base/instant.h"
#include "base/json_internal.h"

static void put(struct json_writer *writer, const char *bytes, size_t length)
{
	buffer_add(writer->out, bytes, length);
}

static void begin_value(struct json_writer *writer)
{
	if (writer->comma)
		buffer_add_u8(writer->out, ',');
	writer->comma = true;
}

static void open(struct json_writer *writer, char bracket)
{
	begin_value(writer);
	buffer_add_u8(writer->out, (uint8_t)bracket);
	writer->comma = false;
}

static void close(struct json_writer *writer, char bracket)
{
	buffer_add_u8(writer->out, (uint8_t)bracket);
	writer->comma = true;
}

void json_begin_object(struct json_writer *writer) { open(writer, '{'); }
void json_end_object(struct json_writer *writer) { close(writer, '}'); }
void json_begin_array(struct json_writer *writer) { open(writer, '['); }
void json_end_array(struct json_writer *writer) { close(writer, ']'); }

/* How many of the next 8 bytes can be copied as they are: ASCII from the space on, without the
 * quotation mark and the backslash. (Bit tricks: a byte's high bit is set where a test holds;
 * borrows reach only bytes above one that is itself found.) */
static unsigned plain_bytes(const char *at)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t       word;
	memcpy(&word, at, sizeof word);
	uint64_t quote     = word ^ ones * '"';
	uint64_t backslash = word ^ ones * '\\';
	uint64_t found     = (word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & highs;
	return found == 0 ? 8 : (unsigned)__builtin_ctzll(found) / 8;
}

static void put_escaped(struct json_writer *writer, uint8_t byte)
{
	static const char short_forms[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
	                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
	if (byte < sizeof short_forms && short_forms[byte] != 0)
		put(writer, (const char[]){'\\', short_forms[byte]}, 2);
	else
		buffer_printf(writer->out, "\\u%04x", byte);
}

static void put_string(struct json_writer *writer, struct text text)
{
	buffer_reserve(writer->out, text.length + 2);
	buffer_add_u8(writer->out, '"');
	for (size_t at = 0; at < text.length;) {
		size_t left = text.length - at;
		if (left >= 8) {
			unsigned plain = plain_bytes(text.data + at);
			put(writer, text.data + at, plain);
			at += plain;
			if (plain > 0)
				continue;
		}
		uint8_t byte = (uint8_t)text.data[at];
		if (byte < ' ' || byte == '"' || byte == '\\') {
			put_escaped(writer, byte);
			at++;
		} else if (byte < 0x80) {
			buffer_add_u8(writer->out, byte);
			at++;
		} else {
			const uint8_t *begin  = (const uint8_t *)text.data + at;
			unsigned       length = json_character_length(begin, begin + left);
			if (length > 0)
				put(writer, text.data + at, length);
			else
				put(writer, "\xef\xbf\xbd", 3);
			at += length > 0 ? length : 1;
		}
	}
	buffer_add_u8(writer->out, '"');
}

void json_add_key(struct json_writer *writer, struct text name)
{
	begin_value(writer);
	put_string(writer, name);
	buffer_add_u8(writer->out, ':');
	writer->comma = false;
}

void json_add_string(struct json_writer *writer, struct text text)
{
	begin_value(writer);
	put_string(writer, text);
}

static void put_uint(struct json_writer *writer, uint64_t value)
{
	char  digits[20];
	char *at = digits + sizeof digits;
	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	put(writer, at, (size_t)(digits + sizeof digits - at));
}

void json_add_int(struct json_writer *writer, int64_t value)
{
	begin_value(writer);
	if (value < 0)
		buffer_add_u8(writer->out, '-');
	put_uint(writer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_add_uint(struct json_writer *writer, uint64_t value)
{
	begin_value(writer);
	put_uint(writer, value);
}

static void put_zeros(struct json_writer *writer, int count)
{
	put(writer, "000000000000000000000", (size_t)count);
}

/* ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20), as RFC 8785 demands. */
void json_add_double(struct json_writer *writer, double value)
{
	assert(isfinite(value));

	char digits[JSON_DIGITS_MAX];
	int  point;
	int  count = (int)json_shortest_digits(value, digits, &point);
	begin_value(writer);
	if (value < 0)
		buffer_add_u8(writer->out, '-');
	if (value == 0) {
		buffer_add_u8(writer->out, '0');
	} else if (count <= point && point <= 21) {
		put(writer, digits, (size_t)count);
		put_zeros(writer, point - count);
	} else if (0 < point && point <= 21) {
		put(writer, digits, (size_t)point);
		buffer_add_u8(writer->out, '.');
		put(writer, digits + point, (size_t)(count - point));
	} else if (-6 < point && point <= 0) {
		put(writer, "0.", 2);
		put_zeros(writer, -point);
		put(writer, digits, (size_t)count);
	} else {
		buffer_add_u8(writer->out, (uint8_t)digits[0]);
		if (count > 1)
			buffer_add_u8(writer->out, '.');
		put(writer, digits + 1, (size_t)count - 1);
		buffer_printf(writer->out, "e%+d", point - 1);
	}
}

void json_add_bool(struct json_writer *writer, bool value)
{
	begin_value(writer);
	buffer_add_text(writer->out, value ? TEXT("true") : TEXT("false"));
}

void json_add_null(struct json_writer *writer)
{
	begin_value(writer);
	put(writer, "null", 4);
}

void json_add_instant(struct json_writer *writer, int64_t ms)
{
	char        formatted[INSTANT_TEXT_BYTES];
	struct text text = instant_format(ms, formatted);
	begin_value(writer);
	buffer_add_u8(writer->out, '"');
	buffer_add_text(writer->out, text);
	buffer_add_u8(writer->out, '"');
}

void json_add_raw(struct json_writer *writer, struct text json)
{
	begin_value(writer);
	buffer_add_text(writer->out, json);
}

static void add_scalar(struct json_writer *writer, struct json value)
{
	switch (json_type(value)) {
	case JSON_BOOL:
		json_add_bool(writer, json_bool(value));
		break;
	case JSON_INT:
		json_add_int(writer, json_int(value));
		break;
	case JSON_UINT:
		json_add_uint(writer, json_uint(value));
		break;
	case JSON_DOUBLE:
		json_add_double(writer, json_number(value));
		break;
	case JSON_OVERFLOW:
		/* Its digits are gone, but it must not become another value. */
		json_add_raw(writer, (int64_t)value.word[1] < 0 ? TEXT("-1e999") : TEXT("1e999"));
		break;
	case JSON_STRING:
		json_add_string(writer, json_string(value));
		break;
	default:
		json_add_null(writer);
	}
}

/* Word by word, not by recursion: the nesting may be deeper than our stack. */
void json_add_value(struct json_writer *writer, struct json value)
{
	uint8_t         is_object[JSON_DEPTH_MAX + 1]; /* by depth: what we are inside of */
	size_t          depth = 0;
	bool            key   = false;
	const uint64_t *end   = value.word == NULL ? NULL : json_behind(value);
	is_object[0]          = false;
	if (value.word == NULL)
		json_add_null(writer);

	for (struct json at = value; at.word != end;) {
		char tag = (char)(*at.word >> JSON_TAG_SHIFT);
		if (key && tag == '"') {
			json_add_key(writer, json_string(at));
			at.word++;
			key = false;
			continue;
		}
		if (tag == '{' || tag == '[') {
			open(writer, tag);
			assert(depth < JSON_DEPTH_MAX);
			is_object[++depth] = tag == '{';
			at.word++;
		} else if (tag == '}' || tag == ']') {
			close(writer, tag);
			depth--;
			at.word++;
		} else {
			add_scalar(writer, at);
			at.word = json_behind(at);
		}
		key = is_object[depth];
	}
}

void json_member_string(struct json_writer *writer, const char *name, struct text text)
{
	json_add_key(writer, text_of(name));
	json_add_string(writer, text);
}

void json_member_int(struct json_writer *writer, const char *name, int64_t value)
{
	json_add_key(writer, text_of(name));
	json_add_int(writer, value);
}

void json_member_double(struct json_writer *writer, const char *name, double value)
{
	json_add_key(writer, text_of(name));
	json_add_double(writer, value);
}

void json_member_bool(struct json_writer *writer, const char *name, bool value)
{
	json_add_key(writer, text_of(name));
	json_add_bool(writer, value);
}

void json_member_null(struct json_writer *writer, const char *name)
{
	json_add_key(writer, text_of(name));
	json_add_null(writer);
}

void json_member_instant(struct json_writer *writer, const char *name, int64_t ms)
{
	json_add_key(writer, text_of(name));
	json_add_instant(writer, ms);
}
