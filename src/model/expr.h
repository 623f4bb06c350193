#ifndef SONNIM_MODEL_EXPR_H
#define SONNIM_MODEL_EXPR_H

/* The expression language (docs/language.md): what an audience, a live segment, a backfill and a
 * campaign trigger are defined by. One tree, read from JSON or from the REST form of rules
 * (model/rules.h), written as JSON, as text and in canonical form.
 *
 *   {"and":[{"event":"Order Completed","where":{"property":"region","op":"eq","value":"제주"},
 *            "aggregate":"count","within":"365d","op":"gte","value":3},
 *           {"trait":"membership_tier","op":"eq","value":"VIP"},
 *           {"not":{"segment":"churn-risk"}}]}
 *
 *            AND
 *     ┌───────┼────────┐
 *   EVENT   TRAIT     NOT ── SEGMENT      (or SEQUENCE: its steps are events with `where`)
 *     └ where: TEST
 *
 * Trees are allocated from an arena and never changed afterwards. Parsing checks everything that
 * can be checked without knowing other segments: forms, names of fields, types, operators of each
 * aggregate, limits; `error.field` is the place ("expression.and[0].where.value"). */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/text.h"
#include "model/personal.h"

enum {
	EXPR_DEPTH_MAX      = 32,  /* and, or, not above a leaf or, with its event's, above a test */
	EXPR_LEAVES_MAX     = 256, /* leaves and tests of `where` together */
	EXPR_LIST_MAX       = 1000,
	EXPR_STEPS_MIN      = 2, /* of a sequence */
	EXPR_STEPS_MAX      = 20,
	EXPR_NAME_BYTES_MAX = 256,        /* of events, properties, traits, segment keys */
	EXPR_TEXT_BYTES_MAX = 1024,       /* of a string value */
	EXPR_BYTES_MAX      = 256 * 1024, /* of the whole, written as JSON: it must fit into a record */
	EXPR_NOTATION_MAX   = 512 * 1024, /* bytes of a text, which its blanks may make longer */
};

enum expr_op {
	EXPR_EQ,
	EXPR_NEQ,
	EXPR_GT,
	EXPR_GTE,
	EXPR_LT,
	EXPR_LTE,
	EXPR_IN,
	EXPR_NOT_IN,
	EXPR_CONTAINS,
	EXPR_STARTS_WITH,
	EXPR_ENDS_WITH,
	EXPR_EXISTS,
	EXPR_ABSENT,
	EXPR_WITHIN_LAST,
	EXPR_WITHIN_NEXT,
	EXPR_BEFORE,
	EXPR_AFTER,
	EXPR_OP_COUNT
};

enum expr_aggregate {
	EXPR_COUNT,
	EXPR_SUM,
	EXPR_AVG,
	EXPR_MIN,
	EXPR_MAX,
	EXPR_DISTINCT,
	EXPR_FIRST,
	EXPR_LAST,
	EXPR_DAYS_SINCE_LAST,
	EXPR_DAYS_SINCE_FIRST,
	EXPR_AGGREGATE_COUNT
};

/* A value to compare with. */
enum expr_scalar_type { EXPR_STRING, EXPR_NUMBER, EXPR_BOOL };
struct expr_scalar {
	enum expr_scalar_type type;
	struct text           text;
	double                number;
	bool                  boolean;
	int64_t               millionths; /* of a number that a sum or average is compared with */
};

/* op and what it compares with: of a property, a trait or an aggregate. */
struct expr_test {
	enum expr_op        op;
	unsigned            value_count;  /* 0: exists, absent and time tests; 1; or a list */
	struct expr_scalar *values;       /* of a list: as written */
	bool                sorted;       /* the list is a copy that evaluate_sort_test() made */
	int64_t             duration_ms;  /* within_last, within_next */
	int64_t             instant_ms;   /* before, after */
	struct text         instant_text; /* as written */
};

enum expr_where_kind { EXPR_WHERE_AND, EXPR_WHERE_OR, EXPR_WHERE_NOT, EXPR_WHERE_TEST };
struct expr_where {
	enum expr_where_kind kind;
	unsigned             count; /* operands */
	struct expr_where  **operands;
	struct text          property;
	struct expr_test     test;
};

struct expr_event {
	struct text         name;  /* "*": any event */
	struct expr_where  *where; /* NULL: none */
	enum expr_aggregate aggregate;
	struct text         property;  /* empty: none; "$amount" is built in */
	int64_t             within_ms; /* 0: none */
	int64_t             until_ms;  /* 0: none */
	int64_t             from_ms;   /* `between`, [from, to); INSTANT_MS_NONE: none */
	int64_t             to_ms;
	struct text         from_text, to_text; /* as written */
	struct expr_test    test;
};

/* Steps matched by different events, each later than the one before in the order of rule 13. */
struct expr_step {
	struct text        name;  /* "*": any event */
	struct expr_where *where; /* NULL: none */
};
struct expr_sequence {
	unsigned          step_count; /* EXPR_STEPS_MIN to EXPR_STEPS_MAX */
	struct expr_step *steps;
	int64_t           within_ms;       /* t_last − t_first < within; 0: no bound */
	int64_t           ended_within_ms; /* now < t_last + ended_within; 0: no bound */
};

enum expr_kind { EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_EVENT, EXPR_TRAIT, EXPR_SEGMENT, EXPR_SEQUENCE };
struct expr {
	enum expr_kind kind;
	unsigned       count; /* operands */
	struct expr  **operands;
	union {
		struct expr_event    event;
		struct expr_sequence sequence;
		struct {
			struct text      name;
			struct expr_test test;
		} trait;
		struct {
			struct text reference; /* id or key, as written */
			struct text place;     /* of the reference, where the tree does not tell
			                        * (rules): "dependencies[1].independentSegmentId" */
			unsigned    line;      /* and column of the reference in the text notation, */
			unsigned    column;    /* from 1; 0 where it was not read from that */
			uint32_t    number;    /* set by expr_resolve(); 0 before */
		} segment;
	};
};

/* Reads and checks a JSON object, or a string in the text notation. `field` is what the place of a
 * mistake begins with ("expression"). */
MUST_USE enum status expr_parse_json(struct json value, const char *field, struct arena *arena,
                                     struct expr **ret_expr, struct error *err);

struct classes;

/* The same where the workspace has said of names that they are not personal (model/classes.h): they
 * may be compared. `classes` NULL: nothing was said. */
MUST_USE enum status expr_parse_json_with(struct json value, const char *field,
                                          const struct classes *classes, struct arena *arena,
                                          struct expr **ret_expr, struct error *err);

/* The same of the text notation (docs/language.md). `error.field` is `field` alone, the reason
 * begins with the place: "line 2, column 14: expected …". */
MUST_USE enum status expr_parse_text(struct text text, const char *field, struct arena *arena,
                                     struct expr **ret_expr, struct error *err);

/* What holds when all of them do (at least one): read again as a whole, which keeps the limits too;
 * one alone is it. */
MUST_USE enum status expr_all_of(struct expr *const *operands, unsigned count, const char *field,
                                 struct arena *arena, struct expr **ret_expr, struct error *err);

/* Names every segment leaf by number. `resolve` answers a reference's number, or 0 when there is no
 * such segment (then STATUS_INVALID with the place). */
typedef uint32_t     expr_resolve_fn(void *context, struct text reference);
MUST_USE enum status expr_resolve(struct expr *expr, const char *field, expr_resolve_fn *resolve,
                                  void *context, struct error *err);

/* Of traits that are kept sealed and can be compared (model/personal.h): replaces what they are
 * compared with by its index. `index` writes that of one value; false: it has none, `*ret_reason`
 * says why (STATUS_INVALID with the place then). What is an index already stays. `*ret_changed`:
 * something was replaced, so that the tree alone is what may be kept of the definition. */
typedef bool         expr_index_fn(void *context, enum personal_index kind, struct text value,
                                   char ret_index[PERSONAL_INDEX_BYTES], const char **ret_reason);
MUST_USE enum status expr_index_personal(struct expr *expr, const char *field, expr_index_fn *index,
                                         void *context, struct arena *arena, bool *ret_changed,
                                         struct error *err);

/* Calls `visit` for every segment leaf, or every leaf, depth first, in order. */
typedef void expr_visit_fn(void *context, const struct expr *leaf);
void         expr_visit_leaves(const struct expr *expr, expr_visit_fn *visit, void *context);

/* Whether it has a segment leaf. */
bool expr_is_derived(const struct expr *expr);

/* JSON as the language writes it; defaults that were not written are not added. */
void expr_write_json(struct json_writer *writer, const struct expr *expr);

/* Text notation: `count("Order Completed" where region = "제주") within 365d >= 3 and …` */
void expr_write_text(struct buffer *out, const struct expr *expr);

/* The text of what an event or trait leaf compares, without the comparison: `trait(tier)`. */
void expr_write_text_value(struct buffer *out, const struct expr *expr);

/* The text of a `where` alone: `region = "제주" and revenue >= 30000`. */
void expr_write_text_where(struct buffer *out, const struct expr_where *where);

/* Canonical form (contracts, rule 6): RFC 8785 JSON; durations in ms, instants in epoch ms, lists
 * sorted and unique, and/or flattened and sorted by their own canonical bytes, duplicates of
 * operands removed, one-operand and/or collapsed, segment leaves as {"segment":number}, defaults
 * written out. Equal meaning in this sense ⇔ equal bytes. The expression must be resolved.
 * expr_parse_canonical reads it back: what PREPARE records carry. */
void                 expr_write_canonical(struct buffer *out, const struct expr *expr);
MUST_USE enum status expr_parse_canonical(struct text canonical, struct arena *arena,
                                          struct expr **ret_expr, struct error *err);

/* The canonical form of a `where` alone (empty for NULL): what features are shared by. */
void expr_write_canonical_where(struct buffer *out, const struct expr_where *where);

/* Whether a test, or one of a `where`, is relative to the instant of evaluation. */
bool expr_test_is_relative(const struct expr_test *test);
bool expr_where_is_relative(const struct expr_where *where);

const char *expr_op_name(enum expr_op op);                      /* "gte" */
const char *expr_aggregate_name(enum expr_aggregate aggregate); /* "count" */

#endif
