#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_internal.h"
#include "base/vector.h"

enum { ESCAPE_BYTES = sizeof "\\uffff" - 1 };

_Static_assert(JSON_DEPTH_MAX == 65536, "json_simdjson.cc allocates for this depth");

/* A number that is not finite takes two words, as the others do: this one, and ±infinity. */
#define TAG_OVERFLOW 'x'

const uint8_t json_type_of_tag[256] = {
	['n']          = JSON_NULL,
	['t']          = JSON_BOOL,
	['f']          = JSON_BOOL,
	['l']          = JSON_INT,
	['u']          = JSON_UINT,
	['d']          = JSON_DOUBLE,
	[TAG_OVERFLOW] = JSON_OVERFLOW,
	['"']          = JSON_STRING,
	['[']          = JSON_ARRAY,
	['{']          = JSON_OBJECT,
};

/* The numbers of a text that do not fit, by their ordinal among its numbers. */
struct overflow {
	size_t ordinal;
	bool   negative;
};
typedef VECTOR(struct overflow) overflows;

struct json_parser {
	struct json_simdjson *simdjson;
	struct buffer         copy;     /* of a text without padding */
	struct buffer         repaired; /* of a text that simdjson refused */
};

struct json_parser *json_parser_new(void)
{
	struct json_parser *parser = calloc(1, sizeof *parser);
	if (parser == NULL)
		abort();
	parser->simdjson = json_simdjson_new();
	return parser;
}

void json_parser_free(struct json_parser *parser)
{
	if (parser == NULL)
		return;
	json_simdjson_free(parser->simdjson);
	buffer_done(&parser->copy);
	buffer_done(&parser->repaired);
	free(parser);
}

unsigned json_character_length(const uint8_t *at, const uint8_t *end)
{
	if (at[0] < 0x80)
		return 1;
	unsigned length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || (size_t)(end - at) < length)
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool overlong  = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
	bool surrogate = at[0] == 0xed && at[1] >= 0xa0;
	bool beyond    = at[0] == 0xf4 && at[1] >= 0x90;
	return overlong || surrogate || beyond ? 0 : length;
}

static enum status fail(struct error *err, enum json_simdjson_result result, const char *reason,
                        const char *text, size_t length)
{
	if (result != JSON_SIMDJSON_UTF8)
		return error_set(err, STATUS_INVALID, "not valid JSON: %s", reason);

	const uint8_t *begin = (const uint8_t *)text;
	const uint8_t *at    = begin;
	const uint8_t *end   = begin + length;
	for (unsigned valid; at < end && (valid = json_character_length(at, end)) > 0;)
		at += valid;
	return error_set(err, STATUS_INVALID, "not valid UTF-8 at byte %zu", (size_t)(at - begin));
}

static const char *skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* The end of the number that begins at `at`, and whether it is one without fraction and exponent;
 * NULL when it breaks RFC 8259. */
static const char *number_end(const char *at, const char *end, bool *ret_whole)
{
	if (*at == '-')
		at++;
	const char *digits = at;
	at                 = skip_digits(at, end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return NULL;

	*ret_whole = true;
	if (at < end && *at == '.') {
		*ret_whole = false;
		digits     = ++at;
		at         = skip_digits(at, end);
		if (at == digits)
			return NULL;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		*ret_whole = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at     = skip_digits(at, end);
		if (at == digits)
			return NULL;
	}
	bool ends = at == end || (*at != '\0' && strchr(" \t\r\n,:]}{[\"", *at) != NULL);
	return ends ? at : NULL;
}

static bool fits_64_bits(const char *at, const char *end)
{
	bool     negative  = *at == '-';
	uint64_t magnitude = 0;
	for (at += negative; at < end; at++)
		if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
		    __builtin_add_overflow(magnitude, (uint64_t)(*at - '0'), &magnitude))
			return false;
	return !negative || magnitude <= (uint64_t)INT64_MAX + 1;
}

/* The code unit of an escape such as \ud83d; -1 when none is there. */
static int escaped_unit(const char *at, const char *end)
{
	int unit = 0;
	if (end - at < ESCAPE_BYTES || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < ESCAPE_BYTES; i++) {
		int lower = at[i] | 0x20;
		if (at[i] >= '0' && at[i] <= '9')
			unit = unit * 16 + (at[i] - '0');
		else if (lower >= 'a' && lower <= 'f')
			unit = unit * 16 + (lower - 'a' + 10);
		else
			return -1;
	}
	return unit;
}

/* Copies the string that begins at `at`, with U+FFFD for halves of surrogate pairs, and returns
 * its end. */
static const char *repair_string(const char *at, const char *end, struct buffer *out)
{
	const char *begin = at;
	for (at++; at < end && *at != '"';) {
		int unit = escaped_unit(at, end);
		if (unit < 0xd800 || unit > 0xdfff) {
			at += *at == '\\' && at + 1 < end ? 2 : 1;
			continue;
		}
		int next = unit < 0xdc00 ? escaped_unit(at + ESCAPE_BYTES, end) : -1;
		if (next >= 0xdc00 && next <= 0xdfff) {
			at += 2 * ESCAPE_BYTES;
			continue;
		}
		buffer_add(out, begin, (size_t)(at - begin));
		buffer_add(out, "\\ufffd", ESCAPE_BYTES);
		at += ESCAPE_BYTES;
		begin = at;
	}
	if (at < end)
		at++;
	buffer_add(out, begin, (size_t)(at - begin));
	return at;
}

/* Writes one number so that simdjson takes it. `at` ends with a byte that is no part of it. */
static void repair_number(const char *at, const char *end, bool whole, size_t ordinal,
                          struct buffer *out, overflows *found)
{
	bool   large  = whole && !fits_64_bits(at, end);
	double number = !whole || large ? strtod(at, NULL) : 0;
	if (__builtin_isinf(number)) {
		VECTOR_ADD(found, (struct overflow){ordinal, number < 0});
		buffer_add_u8(out, '0');
		return;
	}
	buffer_add(out, at, (size_t)(end - at));
	if (large)
		buffer_add(out, "e0", 2);
}

/* Copies the text with whole numbers beyond 64 bits written as doubles and 0 for those that are
 * not finite. `text` is NUL-ended: strtod reads from it. False: a malformed number at `*ret_at`. */
static bool repair(const char *text, size_t length, struct buffer *out, overflows *found,
                   size_t *ret_at)
{
	const char *end     = text + length;
	size_t      ordinal = 0;
	for (const char *at = text; at < end;) {
		const char *begin = at;
		if (*at == '"') {
			at = repair_string(at, end, out);
		} else if (*at == '-' || (*at >= '0' && *at <= '9')) {
			bool whole;
			at = number_end(at, end, &whole);
			if (at == NULL) {
				*ret_at = (size_t)(begin - text);
				return false;
			}
			repair_number(begin, at, whole, ordinal++, out, found);
		} else {
			buffer_add_u8(out, (uint8_t)*at++);
		}
	}
	return true;
}

static void mark_overflows(uint64_t *tape, const struct overflow *next, size_t count)
{
	size_t ordinal = 0;
	for (uint64_t *word = tape + 1; count > 0; word++) {
		uint8_t tag = (uint8_t)(*word >> JSON_TAG_SHIFT);
		if (tag != 'l' && tag != 'u' && tag != 'd')
			continue;
		if (ordinal++ == next->ordinal) {
			double infinity = next->negative ? -__builtin_inf() : __builtin_inf();
			word[0]         = (uint64_t)TAG_OVERFLOW << JSON_TAG_SHIFT;
			memcpy(&word[1], &infinity, sizeof infinity);
			next++;
			count--;
		}
		word++;
	}
}

/* The slow way, for texts with a number or a string that simdjson refuses. */
static enum status parse_repaired(struct json_parser *parser, const char *text, size_t length,
                                  struct error *err)
{
	struct buffer ended = {0};
	buffer_add(&ended, text, length);
	buffer_add_u8(&ended, 0);

	overflows found = {0};
	size_t    at    = 0;
	buffer_clear(&parser->repaired);
	enum status status = STATUS_OK;
	if (!repair(ended.data, length, &parser->repaired, &found, &at)) {
		status = error_set(err, STATUS_INVALID, "not valid JSON: malformed number at byte %zu", at);
	} else {
		const char *reason;
		buffer_reserve(&parser->repaired, JSON_PADDING_BYTES);
		enum json_simdjson_result result = json_simdjson_parse(
			parser->simdjson, parser->repaired.data, parser->repaired.length, &reason);
		if (result != JSON_SIMDJSON_OK)
			status = fail(err, result, reason, text, length);
		else
			mark_overflows(json_simdjson_tape(parser->simdjson), found.items, found.count);
	}
	VECTOR_DONE(&found);
	buffer_done(&ended);
	return status;
}

enum status json_parse(struct json_parser *parser, const char *padded_text, size_t length,
                       struct json *ret_root, struct error *err)
{
	const char               *reason;
	enum json_simdjson_result result =
		json_simdjson_parse(parser->simdjson, padded_text, length, &reason);
	if (result == JSON_SIMDJSON_NUMBER || result == JSON_SIMDJSON_STRING) {
		enum status status = parse_repaired(parser, padded_text, length, err);
		if (status != STATUS_OK)
			return status;
	} else if (result != JSON_SIMDJSON_OK) {
		return fail(err, result, reason, padded_text, length);
	}

	const uint64_t *tape = json_simdjson_tape(parser->simdjson);
	*ret_root            = (struct json){tape + 1, tape, json_simdjson_strings(parser->simdjson)};
	return STATUS_OK;
}

enum status json_parse_text(struct json_parser *parser, struct text text, struct json *ret_root,
                            struct error *err)
{
	buffer_clear(&parser->copy);
	buffer_reserve(&parser->copy, text.length + JSON_PADDING_BYTES);
	buffer_add_text(&parser->copy, text);
	return json_parse(parser, parser->copy.data, text.length, ret_root, err);
}

struct json json_get(struct json object, const char *name)
{
	struct json found = {0};
	if (json_type(object) != JSON_OBJECT)
		return found;
	struct text wanted = text_of(name);
	for (struct json_iterator i = json_iterate(object); json_next(&i);)
		if (text_equal(i.name, wanted))
			found = i.value;
	return found;
}

size_t json_count(struct json container)
{
	enum json_type type = json_type(container);
	if (type != JSON_ARRAY && type != JSON_OBJECT)
		return 0;

	const size_t saturated = 0xffffff;
	size_t       count     = (*container.word >> 32) & saturated;
	if (count < saturated)
		return count;
	count = 0;
	for (struct json_iterator i = json_iterate(container); json_next(&i);)
		count++;
	return count;
}
