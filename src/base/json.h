#ifndef SONNIM_BASE_JSON_H
#define SONNIM_BASE_JSON_H

/* JSON in and out. Reading is simdjson's DOM parser, strict RFC 8259 and UTF-8; a value is a cursor
 * on its tape (https://github.com/simdjson/simdjson/blob/master/doc/tape.md), so nothing is copied:
 *
 *   { "a": [1, 2.5], "b": "x" }
 *   ┌───┬─────┬───┬─────┬───┬───┬───┬─────┬───┬─────┬─────┬───┐
 *   │ { │ "a" │ [ │ l 1 │ … │ d │ … │  ]  │ … │ "b" │ "x" │ } │     words of 64 bits: type, payload
 *   └───┴─────┴───┴─────┴───┴───┴───┴─────┴───┴─────┴─────┴───┘
 *
 * Three differences from simdjson, so that one bad event does not condemn its batch: a whole number
 * beyond 64 bits is read as a double; a number that is not finite as a double is JSON_OVERFLOW;
 * half a surrogate pair (an escape, cut off by a sender that counts UTF-16) is U+FFFD.
 * Duplicate keys: the last one counts.
 * Nesting up to JSON_DEPTH_MAX. A parser belongs to one thread; its values live until it parses
 * again or is freed. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

enum {
	JSON_PADDING_BYTES = 64, /* readable behind a text that is parsed in place */
	JSON_DEPTH_MAX     = 65536,
};

enum json_type {
	JSON_NONE = 0, /* absent: what json_get() answers when there is no such key */
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,  /* fits int64 */
	JSON_UINT, /* fits uint64 only */
	JSON_DOUBLE,
	JSON_OVERFLOW, /* a number beyond ±1.8e308 */
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_parser;

/* A value, by cursor. Copied freely. */
struct json {
	const uint64_t *word;    /* NULL: JSON_NONE */
	const uint64_t *tape;    /* begin of the document's tape: containers name their ends from it */
	const uint8_t  *strings; /* its string bytes */
};

struct json_parser *json_parser_new(void);
void                json_parser_free(struct json_parser *parser);

/* Parses a text behind which JSON_PADDING_BYTES may be read (their content does not matter).
 * STATUS_INVALID with what is wrong (and where, as far as known). */
MUST_USE enum status json_parse(struct json_parser *parser, const char *padded_text, size_t length,
                                struct json *ret_root, struct error *err);

/* The same for any text: it is copied first. */
MUST_USE enum status json_parse_text(struct json_parser *parser, struct text text,
                                     struct json *ret_root, struct error *err);

/* Words of the tape: the type in the upper 8 bits, the payload in the lower 56. */
enum { JSON_TAG_SHIFT = 56 };
#define JSON_PAYLOAD_MASK ((UINT64_C(1) << JSON_TAG_SHIFT) - 1)
extern const uint8_t json_type_of_tag[256];

static inline enum json_type json_type(struct json value)
{
	if (value.word == NULL)
		return JSON_NONE;
	return (enum json_type)json_type_of_tag[*value.word >> JSON_TAG_SHIFT];
}

/* JSON_STRING only (asserted). */
static inline struct text json_string(struct json value)
{
	assert(json_type(value) == JSON_STRING);
	const uint8_t *at = value.strings + (*value.word & JSON_PAYLOAD_MASK);
	uint32_t       length;
	memcpy(&length, at, sizeof length);
	return (struct text){(const char *)at + sizeof length, length};
}

/* JSON_BOOL only. */
static inline bool json_bool(struct json value)
{
	assert(json_type(value) == JSON_BOOL);
	return *value.word >> JSON_TAG_SHIFT == 't';
}

/* JSON_INT only. */
static inline int64_t json_int(struct json value)
{
	assert(json_type(value) == JSON_INT);
	return (int64_t)value.word[1];
}

/* JSON_UINT, or JSON_INT ≥ 0. */
static inline uint64_t json_uint(struct json value)
{
	assert(json_type(value) == JSON_UINT || json_int(value) >= 0);
	return value.word[1];
}

/* JSON_INT, JSON_UINT, JSON_DOUBLE: those three. */
static inline bool json_is_number(struct json value)
{
	enum json_type type = json_type(value);
	return type >= JSON_INT && type <= JSON_DOUBLE;
}

static inline double json_number(struct json value)
{
	assert(json_is_number(value));
	enum json_type type = json_type(value);
	double         number;
	memcpy(&number, &value.word[1], sizeof number);
	return type == JSON_INT    ? (double)(int64_t)value.word[1]
	       : type == JSON_UINT ? (double)value.word[1]
	                           : number;
}

/* for (struct json_iterator i = json_iterate(value); json_next(&i);) … i.name … i.value …
 * Over the members of an object or the items of an array; nothing for other values. */
struct json_iterator {
	struct json     value;
	struct text     name; /* of a member */
	const uint64_t *next;
	const uint64_t *end;
	bool            object;
};

static inline struct json_iterator json_iterate(struct json container)
{
	struct json_iterator iterator = {.value = container};
	enum json_type       type     = json_type(container);
	if (type == JSON_ARRAY || type == JSON_OBJECT) {
		iterator.object = type == JSON_OBJECT;
		iterator.next   = container.word + 1;
		iterator.end    = container.tape + (uint32_t)*container.word - 1;
	}
	return iterator;
}

/* Where the word behind a value lies. */
static inline const uint64_t *json_behind(struct json value)
{
	switch (json_type(value)) {
	case JSON_INT:
	case JSON_UINT:
	case JSON_DOUBLE:
	case JSON_OVERFLOW:
		return value.word + 2;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return value.tape + (uint32_t)*value.word;
	default:
		return value.word + 1;
	}
}

static inline bool json_next(struct json_iterator *iterator)
{
	if (iterator->next == iterator->end)
		return false;
	iterator->value.word = iterator->next;
	if (iterator->object) {
		iterator->name = json_string(iterator->value);
		iterator->value.word++;
	}
	iterator->next = json_behind(iterator->value);
	return true;
}

/* The value of the last such key of an object; JSON_NONE when absent or `object` is no object. */
struct json json_get(struct json object, const char *name);

/* Number of members or items (0 for other values), counted by a walk when simdjson's 24-bit count
 * is saturated. */
size_t json_count(struct json container);

/* Writes compactly. The caller opens and closes; commas come by themselves.
 *   struct json_writer w = json_writer_of(&buffer);
 *   json_begin_object(&w); json_add_key(&w, TEXT("a")); json_add_int(&w, 1); json_end_object(&w);
 */
struct json_writer {
	struct buffer *out;
	bool           comma; /* one is due before the next value or key */
};

static inline struct json_writer json_writer_of(struct buffer *out)
{
	return (struct json_writer){out, false};
}

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_add_key(struct json_writer *writer, struct text name);
void json_add_string(struct json_writer *writer,
                     struct text         text); /* invalid UTF-8 becomes U+FFFD */
void json_add_int(struct json_writer *writer, int64_t value);
void json_add_uint(struct json_writer *writer, uint64_t value);
void json_add_double(struct json_writer *writer, double value); /* finite; shortest, as RFC 8785 */
void json_add_bool(struct json_writer *writer, bool value);
void json_add_null(struct json_writer *writer);
void json_add_instant(struct json_writer *writer, int64_t ms);      /* RFC 3339 string */
void json_add_raw(struct json_writer *writer, struct text json);    /* already JSON */
void json_add_value(struct json_writer *writer, struct json value); /* JSON_OVERFLOW as ±1e999 */

/* Keys with their values in one call, for answers written by hand. */
void json_member_string(struct json_writer *writer, const char *name, struct text text);
void json_member_int(struct json_writer *writer, const char *name, int64_t value);
void json_member_double(struct json_writer *writer, const char *name, double value);
void json_member_bool(struct json_writer *writer, const char *name, bool value);
void json_member_null(struct json_writer *writer, const char *name);
void json_member_instant(struct json_writer *writer, const char *name, int64_t ms);

#endif
