#ifndef SONNIM_MODEL_VALUE_H
#define SONNIM_MODEL_VALUE_H

/* Values of properties and traits, and lists of them, in the binary form in which they lie in
 * journal records, in the event store and in profiles (docs/formats/record.md):
 *
 *   list  = varint entry count, entries
 *   entry = u32 hash_name(name), u8 type, varint length and bytes of the name, value
 *   value = nothing                              NULL, FALSE, TRUE, PERSONAL
 *         | 8 bytes                              INT (i64), UINT (u64), DOUBLE (f64)
 *         | varint length, bytes                 STRING
 *         | varint length, { sized string }      STRING_SET  (array of strings only, also empty)
 *         | varint length, { u8 type, value }    ARRAY       (any other array)
 *         | varint length, list                  OBJECT
 *         | varint length, u8 type, value        INDEXED     (in memory only)
 *
 * Types for the language (contracts, rule 15): booleans, numbers (all three, compared as doubles),
 * strings, string sets; NULL, ARRAY, OBJECT and PERSONAL have no value there, but an OBJECT is
 * entered by dotted paths and PERSONAL exists: its value lies sealed in the record that brought it.
 * INDEXED is a PERSONAL of which more is known, in memory: what stands in it is what tests see (a
 * keyed hash of an e-mail address, the parts of a birthday), and nobody else: it is never written.
 *
 * Readers never allocate: texts and nested lists point into the bytes that are read. Decoding
 * checks every length: whatever the bytes, nothing outside them is read (value_check tells
 * beforehand whether a list is well formed, to the depth limit). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

enum value_type {
	VALUE_NONE = 0, /* absent; never written */
	VALUE_NULL,
	VALUE_FALSE,
	VALUE_TRUE,
	VALUE_INT,
	VALUE_UINT,
	VALUE_DOUBLE,
	VALUE_STRING,
	VALUE_STRING_SET,
	VALUE_ARRAY,
	VALUE_OBJECT,
	VALUE_PERSONAL,
	VALUE_INDEXED,
	VALUE_TYPE_COUNT
};

enum { VALUE_DEPTH_MAX = 64 }; /* nesting of arrays and objects in one event or trait */

struct value {
	enum value_type type;
	union {
		int64_t     integer;
		uint64_t    unsigned_integer;
		double      number;
		struct text text; /* STRING: its bytes; others that have one: encoded content */
	};
};

/* Whether the value itself lies sealed. */
static inline bool value_is_personal(const struct value *value)
{
	return value->type == VALUE_PERSONAL || value->type == VALUE_INDEXED;
}

/* What tests see of it: of INDEXED what stands in it, else the value. */
struct value value_tested(const struct value *value);

/* An INDEXED value of `inner`; its bytes lie in `into`, which is cleared. */
struct value value_index(struct buffer *into, const struct value *inner);

/* The number of INT, UINT, DOUBLE as a double; false for other types. */
bool value_number(const struct value *value, double *ret_number);

/* Writing: begin a list, add entries, end it. Nested objects go through value_add_json.
 *   size_t at = value_list_begin(out); value_add(out, name, &value); …; value_list_end(out, at, n);
 */
size_t value_list_begin(struct buffer *out);
void   value_list_end(struct buffer *out, size_t begin, unsigned count);
void   value_add(struct buffer *out, struct text name, const struct value *value);

/* Adds a parsed JSON value. STATUS_INVALID, `out` unchanged: an overflowing number, or nested
 * deeper than VALUE_DEPTH_MAX (error.field is the path from `name` on: "items[3].price"). */
MUST_USE enum status value_add_json(struct buffer *out, struct text name, struct json value,
                                    struct error *err);

/* Whether these bytes are one well-formed list and nothing else. */
bool value_check(struct text list);

/* for (struct value_reader r = value_read(list); value_next(&r);) … r.name … r.value … */
struct value_reader {
	struct byte_reader bytes;
	uint64_t           left;
	uint32_t           hash;
	struct text        name;
	struct value       value;
};
struct value_reader value_read(struct text list);
bool                value_next(struct value_reader *reader);

/* Finds `name` (with its hash_name) at the top of a list; VALUE_NONE when absent. Cost: one integer
 * comparison an entry. Of entries with the same name the last one counts. */
struct value value_find(struct text list, struct text name, uint32_t hash);

/* A property as the language names it (rule 20): the exact name, else, when it has dots, the path
 * through nested objects. Compile once, look up often. */
struct value_path_part {
	struct text name;
	uint32_t    hash;
};
struct value_path {
	struct text name;
	uint32_t    hash;
	unsigned    part_count; /* 0: no dots */

	struct value_path_part *parts;
};
void         value_path_init(struct value_path *path, struct text name, struct arena *arena);
struct value value_at(struct text list, const struct value_path *path);

/* value_at() of each of `count` paths, in one pass over the list. */
void value_find_each(struct text list, const struct value_path *const *paths, unsigned count,
                     struct value *ret_values);

/* A value as the key of something: a string that is not empty, or a number as its shortest decimal
 * text, written to `into` (cleared). False: it is none. */
bool value_key(const struct value *value, struct buffer *into, struct text *ret_key);

/* Iterates the strings of a STRING_SET: `set` is value.text; false at the end. */
bool value_set_next(struct byte_reader *set, struct text *ret_item);

/* Writes as JSON. The value of a PERSONAL entry is looked up in `personal`, a list whose names are
 * dotted paths from the top of the list that is written ("device.token"); where it is not there
 * (`personal` may be empty) it is written as null. */
void value_write_json(struct json_writer *writer, const struct value *value);
void value_list_write_json(struct json_writer *writer, struct text list, struct text personal);

#endif
