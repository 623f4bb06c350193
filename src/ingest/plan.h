#ifndef SONNIM_INGEST_PLAN_H
#define SONNIM_INGEST_PLAN_H

/* The tracking plan of a source: which events it sends, and which properties of which types they
 * have (docs/tracking-plan.md). From JSON, compiled once; then each message is checked against it
 * while its values are sifted (ingest/sift.h), and values of a declared type are coerced to it,
 * before anything is encoded: so that the journal holds what the plan made of them.
 *
 *   {"violations":"rejected", "unplannedEvents":"reported", "additionalProperties":"allowed",
 *    "additionalTraits":"allowed", "description":…,
 *    "events":[{"name":"Order Completed", "violations":…, "additionalProperties":…,
 *               "properties":[{"name":"revenue","type":"number","required":true},
 *                             {"name":"shipping.method","type":"string","enum":["택배","퀵"]}]}],
 *    "traits":[{"name":"age","type":"integer"}]}
 *
 * A property is named as in the language (rule 20): its exact name, or a dotted path. JSON null is
 * missing. What is not coerced without loss stays as it came and is a violation:
 *
 *   declared     as it is                    coerced
 *   string       string                      number → its shortest text; true, false
 *   number       number                      text of a JSON number of at most 15 digits, or of a
 *                                            whole one within 64 bits
 *   integer      whole number                whole double up to 2^53; text as above, when whole
 *   boolean      true, false                 "true", "false"
 *   time         string in rule 7's form     whole number of ms since 1970, from PLAN_EPOCH_MS_MIN
 *                                            on (below that they are more likely seconds)
 *   string_set   array of strings            string → set of one; array of strings, numbers and
 *                                            booleans → each as string
 *   array        array
 *   object       object
 *   any          everything
 *
 * One owner; read by any number of threads. Cost: one look-up by hash a message and one a member of
 * its properties; nothing where there is no plan. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "base/vector.h"
#include "ingest/observed.h"
#include "model/value.h"

enum {
	PLAN_EVENTS_MAX            = 500,
	PLAN_PROPERTIES_MAX        = 200, /* of an event; traits */
	PLAN_ENUM_MAX              = 100,
	PLAN_NAME_BYTES_MAX        = 256, /* of events and properties; of a value in `enum` too */
	PLAN_DESCRIPTION_BYTES_MAX = 1024,
	PLAN_VIOLATIONS_MAX        = 16, /* of one message; those beyond are not told of */
	PLAN_REASON_BYTES_MAX      = 768,
};
#define PLAN_EPOCH_MS_MIN INT64_C(100000000000) /* 1973-03-03 */

enum plan_action { PLAN_ALLOWED, PLAN_REPORTED, PLAN_REJECTED };

#define PLAN_TYPES(X)                                                                              \
	X(ANY, "any", "anything")                                                                      \
	X(STRING, "string", "a string")                                                                \
	X(NUMBER, "number", "a number")                                                                \
	X(INTEGER, "integer", "a whole number")                                                        \
	X(BOOLEAN, "boolean", "true or false")                                                         \
	X(TIME, "time", "a time as in RFC 3339")                                                       \
	X(STRING_SET, "string_set", "an array of strings")                                             \
	X(ARRAY, "array", "an array")                                                                  \
	X(OBJECT, "object", "an object")

enum plan_type {
#define X(name, text, phrase) PLAN_##name,
	PLAN_TYPES(X)
#undef X
		PLAN_TYPE_COUNT
};

struct plan_value {
	bool        text;
	struct text string;
	double      number;
};

struct plan_property {
	struct text        name;
	enum plan_type     type;
	bool               declared; /* false: only the way to others, "a" of "a.b" */
	bool               required;
	unsigned           place; /* among the required ones */
	struct plan_value *values;
	size_t             value_count; /* 0: any */
};

/* An event, or the traits. */
struct plan_event {
	struct text            name;
	enum plan_action       violations;
	enum plan_action       additional;
	struct map_text        properties; /* path → struct plan_property */
	struct plan_property **required;
	unsigned               required_count;
};

struct plan;

/* STATUS_INVALID with the path of what is wrong: "events[2].properties[0].type". Nothing of `root`
 * is kept. */
MUST_USE enum status plan_read(struct json root, struct plan **ret_plan, struct error *err);
void                 plan_free(struct plan *plan); /* NULL is fine */

/* An event as it is stored ("Order Completed", "$page"); NULL: not in the plan. */
const struct plan_event *plan_event(const struct plan *plan, struct text name);

/* Of identify; NULL: nothing is said of them. */
const struct plan_event *plan_traits(const struct plan *plan);

enum plan_action plan_unplanned(const struct plan *plan);

size_t plan_event_count(const struct plan *plan);
size_t plan_property_count(const struct plan *plan); /* with traits */

/* ---- Checking one message ---- */

struct plan_violation {
	enum observed_kind kind;
	struct text        event;    /* as stored; "$identify" for traits */
	struct text        property; /* empty: the event itself */
	enum plan_type     wanted;   /* of OBSERVED_WRONG_TYPE */
	enum observed_kind got;      /* likewise: the type that came */
	bool               rejects;
};

/* Belongs to one thread, is used again for each message. */
struct plan_check {
	const struct plan_event *event; /* NULL: nothing is checked */
	struct text              event_name;
	struct arena            *arena;   /* where what is coerced lies, and names not in the plan */
	struct buffer            scratch; /* of a value */
	uint8_t                  seen[(PLAN_PROPERTIES_MAX + 7) / 8]; /* the required ones, by place */
	struct plan_violation    violations[PLAN_VIOLATIONS_MAX];
	unsigned                 violation_count; /* those that are told of */
	unsigned                 rejecting;       /* the first that rejects; violation_count: none */
	unsigned                 free_depth;      /* objects around of which not all is declared */
};

void plan_check_done(struct plan_check *check);

/* `event` may be NULL. Texts must live as long as the violations are looked at. */
void plan_check_begin(struct plan_check *check, const struct plan_event *event, struct text name,
                      struct arena *arena);

/* The event itself is not in the plan. */
void plan_check_unplanned(struct plan_check *check, enum plan_action action);

enum plan_verdict {
	PLAN_AS_IS,   /* what is within is checked likewise */
	PLAN_FREE,    /* what is within may bear any names: `free_depth` counts it while walked */
	PLAN_COERCED, /* to `*ret_value`: a scalar, a string or a set */
};

/* The member at `path` of the properties. */
enum plan_verdict plan_check_member(struct plan_check *check, struct text path, struct json value,
                                    struct value *ret_value);

/* All members have been seen. */
void plan_check_end(struct plan_check *check);

static inline bool plan_check_rejects(const struct plan_check *check)
{
	return check->rejecting < check->violation_count;
}

/* "event \"Order Completed\": property \"revenue\" must be a number, a string came". Never a value.
 */
struct text plan_describe(const struct plan_violation *violation, char into[PLAN_REASON_BYTES_MAX]);

/* What a JSON value is for the language; OBSERVED_NOTHING for null and for an empty array, which
 * goes with every other array. */
enum observed_kind plan_kind_of(struct json value);

/* A name that may be shown: at most OBSERVED_NAME_BYTES_MAX and without '@', else "***": names can
 * hold personal values where maps are sent as objects. */
struct text plan_shown(struct text name);

#endif
