#ifndef SONNIM_MODEL_PERSONAL_H
#define SONNIM_MODEL_PERSONAL_H

/* What is personal by default (design, vault): it is sealed under the person's key before it leaves
 * ingest, and only its presence stays in clear.
 *  - traits (and context.traits): email, phone, name, first_name, last_name, firstName, lastName,
 *    address, birthday, device tokens, advertising ids;
 *  - in events: email, phone, context.ip, context.device.{id,token,advertisingId};
 *  - every string longer than PERSONAL_TEXT_BYTES_MAX, wherever it stands, and every set or array
 *    that holds one (never filterable).
 *
 * Of the traits email, phone and birthday something more is kept, sealed with them: for the first
 * two a keyed hash of what they say (vault/blind.h), so that they can be compared with eq, neq, in
 * and not_in; of the birthday its parts, which are asked for as birthday.year, birthday.month and
 * birthday.day. A definition holds such a hash, never the address: PERSONAL_INDEX_PREFIX and
 * hexadecimal digits. */

#include <stdbool.h>

#include "base/text.h"

enum { PERSONAL_TEXT_BYTES_MAX = 64 };

#define PERSONAL_INDEX_PREFIX "blind:"
enum {
	PERSONAL_INDEX_DIGITS = 32, /* 128 bits */
	PERSONAL_INDEX_BYTES  = sizeof PERSONAL_INDEX_PREFIX - 1 + PERSONAL_INDEX_DIGITS,
};

enum personal_place { PERSONAL_IN_TRAITS, PERSONAL_IN_PROPERTIES, PERSONAL_IN_CONTEXT };

/* Whether the value at this dotted path is personal by its name. */
bool personal_by_name(enum personal_place place, struct text path);

/* Whether it is a name of the list itself, not of what lies within one. */
bool personal_is_listed(enum personal_place place, struct text name);

/* The names of a place, ended by an empty one. */
const struct text *personal_names(enum personal_place place);

/* What is kept of a trait beside its value. */
enum personal_index {
	PERSONAL_NOT_INDEXED,
	PERSONAL_EMAIL,
	PERSONAL_PHONE,
	PERSONAL_BIRTHDAY,
};
enum personal_index personal_indexed(struct text trait);

/* Whether a text is a hash as it stands in definitions. */
bool personal_is_index(struct text text);

/* What a name can be tested with, beside exists and absent. */
enum personal_tests {
	PERSONAL_ALL_TESTS,
	PERSONAL_EQUALITY, /* eq, neq, in, not_in, with strings */
	PERSONAL_NO_TESTS,
};
enum personal_tests personal_tests(enum personal_place place, struct text path);

/* Why the others are refused. */
const char *personal_reason(enum personal_tests tests);

#endif
