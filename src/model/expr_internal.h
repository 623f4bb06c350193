#ifndef SONNIM_MODEL_EXPR_INTERNAL_H
#define SONNIM_MODEL_EXPR_INTERNAL_H

/* What the readers of the language share: expressions (expr_parse.c, expr_test.c) and rules
 * (rules.c, rules_logic.c). Every reader takes the parser first, fills its `ret_` only on success,
 * and refuses with the place of the mistake. */

#include "model/expr.h"

/* Where a value stands, as a chain on the stack; written out only when something is refused.
 * "rules[0].where.and[1]" = {"rules",0} ◄── {"where",-1} ◄── {"and",1} */
struct expr_place {
	const struct expr_place *parent; /* NULL: the root */
	struct text              name;
	int64_t                  index; /* -1: none */
};

struct classes;

struct expr_parser {
	struct arena *arena;
	struct error *err;
	unsigned      leaves;    /* read so far, tests of `where` included */
	bool          canonical; /* durations and instants are numbers of ms, segments numbers */
	/* What may be compared though it is on the list of personal names; NULL: nothing of it. */
	const struct classes *classes;
};

/* expr_parse_text() with classes. */
MUST_USE enum status expr_parse_text_with(struct text text, const char *field,
                                          const struct classes *classes, struct arena *arena,
                                          struct expr **ret_expr, struct error *err);

/* What a test is asked of: it decides on operators and types. */
enum expr_subject {
	EXPR_SUBJECT_VALUE,   /* property, trait, first, last: every operator, every type */
	EXPR_SUBJECT_COUNT,   /* count, distinct: numbers; never missing */
	EXPR_SUBJECT_SUM,     /* at most 6 decimals; never missing */
	EXPR_SUBJECT_AVERAGE, /* at most 6 decimals */
	EXPR_SUBJECT_NUMBER,  /* min, max */
	EXPR_SUBJECT_DAYS,    /* days_since_*: whole numbers */
};

/* Refuses what stands at `place`, or its member of that name when `member` is not NULL. */
enum status expr_refuse(struct expr_parser *parser, enum status status,
                        const struct expr_place *place, const char *member,
                        const char *reason_format, ...) __attribute__((format(printf, 5, 6)));

/* "expression.and[0].segment" */
void expr_place_write(struct buffer *out, const struct expr_place *place, const char *member);

/* That `object` is an object with no other members than `names` (ended by NULL). */
MUST_USE enum status expr_check_members(struct expr_parser *parser, struct json object,
                                        const struct expr_place *place, const char *const *names);

/* A member that is a name: a string of 1 to EXPR_NAME_BYTES_MAX bytes, copied into the arena. */
MUST_USE enum status expr_read_name(struct expr_parser *parser, struct json object,
                                    const struct expr_place *place, const char *member,
                                    struct text *ret_name);

/* Counts one more leaf or test. */
MUST_USE enum status expr_count_leaf(struct expr_parser *parser, const struct expr_place *place);

/* The members "op" and "value" of `object`. */
MUST_USE enum status expr_read_test(struct expr_parser *parser, struct json object,
                                    const struct expr_place *place, enum expr_subject subject,
                                    struct expr_test *ret_test);

/* One number, string or boolean; for an aggregate a number of its kind. */
MUST_USE enum status expr_read_scalar(struct expr_parser *parser, struct json value,
                                      const struct expr_place *place, enum expr_subject subject,
                                      struct expr_scalar *ret_scalar);

MUST_USE enum status expr_read_duration(struct expr_parser *parser, struct json value,
                                        const struct expr_place *place, int64_t *ret_ms);
MUST_USE enum status expr_read_instant(struct expr_parser *parser, struct json value,
                                       const struct expr_place *place, int64_t *ret_ms,
                                       struct text *ret_text);

/* A `where`; `depth` is how many and, or, not stand above it. */
MUST_USE enum status expr_read_where(struct expr_parser *parser, struct json value,
                                     const struct expr_place *place, unsigned depth,
                                     struct expr_where **ret_where);

/* An event leaf and a sequence; `depth` is how many and, or, not stand above it. */
MUST_USE enum status expr_read_event(struct expr_parser *parser, struct json object,
                                     const struct expr_place *place, unsigned depth,
                                     struct expr_event *ret_event);
MUST_USE enum status expr_read_sequence(struct expr_parser *parser, struct json object,
                                        const struct expr_place *place, unsigned depth,
                                        struct expr_sequence *ret_sequence);

/* Whether it is the aggregate of a property. */
bool expr_takes_property(enum expr_aggregate aggregate);

/* exists, absent: what may be asked of personal values, too. */
bool expr_asks_for_presence(enum expr_op op);

/* That a property may be tested or aggregated: personal ones only know exists and absent. */
MUST_USE enum status expr_check_property(struct expr_parser *parser, const struct expr_place *place,
                                         const char *member, struct text property);

/* That a whole definition is not longer than EXPR_BYTES_MAX as JSON; its canonical form is hardly
 * longer then. */
MUST_USE enum status expr_check_size(struct expr_parser *parser, const struct expr *expr,
                                     const struct expr_place *place);

/* Anything but the text notation; `depth` is how many and, or, not stand above it. */
MUST_USE enum status expr_read(struct expr_parser *parser, struct json value,
                               const struct expr_place *place, unsigned depth,
                               struct expr **ret_expr);

/* in, not_in. */
bool expr_takes_list(enum expr_op op);

void expr_write_json_where(struct json_writer *writer, const struct expr_where *where);
void expr_write_json_scalar(struct json_writer *writer, const struct expr_scalar *scalar);

#endif
