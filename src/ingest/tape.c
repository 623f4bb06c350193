#include "ingest/tape.h"

/* The closing brackets have words of their own, which are no values. */
static bool closes(enum json_type type) { return type == JSON_NONE; }

static unsigned words_of(enum json_type type)
{
	return type >= JSON_INT && type <= JSON_OVERFLOW ? 2 : 1;
}

static struct json at(struct json value, const uint64_t *word)
{
	return (struct json){word, value.tape, value.strings};
}

struct tape_scan tape_scan(struct json value)
{
	struct tape_scan scan  = {0};
	unsigned         depth = 0;
	const uint64_t  *end   = json_behind(value);
	for (const uint64_t *word = value.word; word < end;) {
		enum json_type type = json_type(at(value, word));
		if (type == JSON_STRING) {
			size_t bytes = json_string(at(value, word)).length;
			if (bytes > scan.text_bytes_max)
				scan.text_bytes_max = bytes;
		} else if (type == JSON_ARRAY || type == JSON_OBJECT) {
			depth++;
			if (depth > scan.depth)
				scan.depth = depth;
		} else if (closes(type)) {
			depth--;
		} else if (type == JSON_OVERFLOW) {
			scan.overflow = true;
		}
		word += words_of(type);
	}
	return scan;
}

static size_t number_bytes(struct json number, struct buffer *scratch)
{
	struct json_writer writer = json_writer_of(scratch);
	buffer_clear(scratch);
	switch (json_type(number)) {
	case JSON_INT:
		json_add_int(&writer, json_int(number));
		break;
	case JSON_UINT:
		json_add_uint(&writer, json_uint(number));
		break;
	case JSON_DOUBLE:
		json_add_double(&writer, json_number(number));
		break;
	default:
		break; /* JSON_OVERFLOW: rejected for that */
	}
	return scratch->length;
}

size_t tape_text_bytes(struct json value)
{
	size_t          bytes   = 0;
	struct buffer   scratch = {0};
	const uint64_t *end     = json_behind(value);
	for (const uint64_t *word = value.word; word < end;) {
		struct json    here = at(value, word);
		enum json_type type = json_type(here);
		if (type == JSON_STRING)
			bytes += json_string(here).length + 2;
		else if (type == JSON_NULL || (type == JSON_BOOL && json_bool(here)))
			bytes += 4;
		else if (type == JSON_BOOL)
			bytes += 5;
		else if (type == JSON_ARRAY || type == JSON_OBJECT || closes(type))
			bytes += 1;
		else
			bytes += number_bytes(here, &scratch);
		/* The comma or colon that follows; none stands before a closing bracket. */
		word += words_of(type);
		bool opens = type == JSON_ARRAY || type == JSON_OBJECT;
		if (word < end && !opens && !closes(json_type(at(value, word))))
			bytes += 1;
	}
	buffer_done(&scratch);
	return bytes;
}

static uint64_t string_offset(const uint64_t *word) { return *word & JSON_PAYLOAD_MASK; }

/* A bound from the lengths alone. Every word of the tape stands for at most 13 bytes of text (a
 * double for 25 with its comma, and has two) plus the string's own; strings lie in a row, so that
 * those of a message end where its successor's begin. */
static bool surely_fits(struct json value, struct json next, size_t limit)
{
	enum { TEXT_BYTES_PER_WORD_MAX = 13 };
	if (json_type(value) != JSON_OBJECT || json_count(value) == 0 ||
	    json_type(next) != JSON_OBJECT || json_count(next) == 0)
		return false;
	size_t words = (size_t)(json_behind(value) - value.word);
	size_t texts = string_offset(next.word + 1) - string_offset(value.word + 1);
	return words * TEXT_BYTES_PER_WORD_MAX + texts <= limit;
}

bool tape_fits(struct json value, struct json next, size_t limit)
{
	return surely_fits(value, next, limit) || tape_text_bytes(value) <= limit;
}
