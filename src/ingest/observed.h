#ifndef SONNIM_INGEST_OBSERVED_H
#define SONNIM_INGEST_OBSERVED_H

/* What was seen of a source, by event and property: of which types its values came, and how they
 * went against the tracking plan; how often, since when, when last.
 *
 *   (event, property) ──hash──► name ──► {kind, count, first, last, message id} …
 *
 * Two tables a source, one of types and one of violations. What is seen is added to; those who keep
 * it in the store take what changed since (totals, so that writing them twice does no harm) and
 * load it at start. A property of which two types were seen has DRIFTED: the language keeps them
 * apart (rule 15), so tests for the one do not see the other.
 *
 * Bounded: names beyond the table's number, and once all tables hold OBSERVED_BYTES_MAX, are
 * counted as `beyond` and not kept. A new type of a known property is always kept. Threads: any; a
 * short lock. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/vector.h"

enum {
	OBSERVED_PROPERTIES_MAX   = 5000,      /* of a source */
	OBSERVED_VIOLATIONS_MAX   = 1000,      /* of a source: (event, property), each with its kinds */
	OBSERVED_UNPLANNED_MAX    = 500,       /* among them, for what the plan does not name */
	OBSERVED_NAME_BYTES_MAX   = 128,       /* of what no plan names */
	OBSERVED_SAMPLE_BYTES_MAX = 64,        /* a longer message id is left out */
	OBSERVED_BYTES_MAX        = 256 << 20, /* of all sources */
};

/* Names of the store and of the API. */
#define OBSERVED_KINDS(X)                                                                          \
	X(NOTHING, "", "nothing")                                                                      \
	X(EVENT, "event", "an event")                                                                  \
	X(BOOLEAN, "boolean", "true or false")                                                         \
	X(NUMBER, "number", "a number")                                                                \
	X(STRING, "string", "a string")                                                                \
	X(STRING_SET, "string_set", "an array of strings")                                             \
	X(ARRAY, "array", "an array")                                                                  \
	X(OBJECT, "object", "an object")                                                               \
	X(UNPLANNED_EVENT, "unplanned_event", "")                                                      \
	X(UNPLANNED_PROPERTY, "unplanned_property", "")                                                \
	X(MISSING, "missing_property", "")                                                             \
	X(WRONG_TYPE, "wrong_type", "")                                                                \
	X(WRONG_VALUE, "value_not_allowed", "")                                                        \
	X(BEYOND, "beyond", "") /* what found no room; of no event */

enum observed_kind {
#define X(name, text, phrase) OBSERVED_##name,
	OBSERVED_KINDS(X)
#undef X
		OBSERVED_KIND_COUNT
};

const char *observed_kind_name(enum observed_kind kind);   /* "string" */
const char *observed_kind_phrase(enum observed_kind kind); /* "a string" */

/* OBSERVED_NOTHING: no such name. */
enum observed_kind observed_kind_of(struct text name);

static inline bool observed_is_type(enum observed_kind kind)
{
	return kind >= OBSERVED_BOOLEAN && kind <= OBSERVED_OBJECT;
}

enum observed_family { OBSERVED_TYPES = 1, OBSERVED_VIOLATIONS = 2 }; /* as in the store */

/* Of all tables of one process. */
struct observed_totals {
	_Atomic uint64_t bytes;
	_Atomic uint64_t names;
	_Atomic uint64_t drifted;
	_Atomic uint64_t beyond;
};

struct observed;      /* of one source and family */
struct observed_name; /* lives until observed_free_retired() */

struct observed *observed_new(enum observed_family family, struct observed_totals *totals);
void             observed_free(struct observed *observed);

/* The event (property empty) or property, made when there is room; else NULL, and it counts as
 * beyond. */
struct observed_name *observed_name(struct observed *observed, struct text event,
                                    struct text property, bool planned);

struct observed_seen {
	uint64_t    count;
	int64_t     first_ms;
	int64_t     last_ms;
	struct text sample; /* a message id; empty: none */
};

/* Adds to the kinds of names of this table; those retired since are passed over. */
struct observed_add {
	struct observed_name *name;
	enum observed_kind    kind;
};
void observed_add(struct observed *observed, const struct observed_add *adds, size_t count,
                  const struct observed_seen *seen);

/* ---- What was seen ---- */

struct observed_row {
	struct text          event;
	struct text          property;
	enum observed_kind   kind;
	struct observed_seen seen;
};
typedef VECTOR(struct observed_row) observed_row_list;

/* All rows by event, property, then kind; texts from the arena. `*ret_beyond` tells what found no
 * room. */
void observed_list(struct observed *observed, struct arena *arena, observed_row_list *list,
                   uint64_t *ret_beyond);

/* Those that nobody has taken since they changed; with `new_only` those that were never taken. */
void observed_take(struct observed *observed, bool new_only, struct arena *arena,
                   observed_row_list *list);

/* What was taken could not be kept: all of it is to be taken again. */
void observed_return(struct observed *observed);

/* What the store had. */
void observed_load(struct observed *observed, const struct observed_row *row);

/* Forgets everything. Names that others still point to are retired: they stay until nobody does. */
void observed_retire(struct observed *observed);
void observed_free_retired(struct observed *observed);

#endif
