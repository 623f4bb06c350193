#ifndef SONNIM_MODEL_EXPR_TEMPLATE_H
#define SONNIM_MODEL_EXPR_TEMPLATE_H

/* An expression in the text notation in which parameters stand instead of some values. It is read
 * once, into a tree with holes, and instantiated by filling these: a parameter is a value of the
 * tree and never text, so nothing that is given can become anything else.
 *
 *   count("Product Viewed" where category in [$value] and price >= $min) within $days >= 1
 *
 *   parameter     stands where                          is filled with
 *   $value        a value stands, or in a list           one string, or several: any of them
 *   $min, $max    a value stands                         a number
 *   $days         a duration stands, or a value          so many days, the number of days
 *   $from, $to    an instant stands                      an instant
 *
 * Several values: in a list they are its items; elsewhere the test (or leaf) that they stand in
 * holds when it holds for one of them. A test or leaf whose parameter is not given is left out, and
 * what is left without an operand: `x >= $min and x <= $max` is a range with one end or both.
 *
 * Templates live in an arena and are never changed; any thread. Mistakes in a template are told as
 * expr_parse_text() does, "line 1, column 14: …". */

#include "model/expr.h"

enum expr_parameter {
	EXPR_PARAMETER_VALUE,
	EXPR_PARAMETER_MIN,
	EXPR_PARAMETER_MAX,
	EXPR_PARAMETER_DAYS,
	EXPR_PARAMETER_FROM,
	EXPR_PARAMETER_TO,
	EXPR_PARAMETER_COUNT
};

const char *expr_parameter_name(enum expr_parameter parameter); /* "$value" */

/* What the holes are filled with. */
struct expr_filling {
	unsigned     given; /* bits of expr_parameter */
	unsigned     value_count;
	struct text *values;
	double       min;
	double       max;
	int64_t      days;
	int64_t      from_ms;
	int64_t      to_ms;
	bool         negated; /* that it does not hold */
};

struct expr_template {
	const struct draft *draft;
	const struct expr  *sample;     /* all holes filled with something */
	unsigned            parameters; /* which stand in it: bits of expr_parameter */

	/* What its first $value is compared with: a trait, or a property of an event ("*": any). Empty:
	 * there is none. */
	struct text trait;
	struct text event;
	struct text property;
};

/* The text is copied. */
MUST_USE enum status expr_template_read(struct text text, const char *field, struct arena *arena,
                                        struct expr_template **ret_template, struct error *err);

/* The expression. STATUS_INVALID: nothing is left of it, or what was given does not fit (a list
 * that is too long): `field` as given, the reason says why. Cost: that of expr_parse_json(). */
MUST_USE enum status expr_template_fill(const struct expr_template *template,
                                        const struct expr_filling *filling, const char *field,
                                        struct arena *arena, struct expr **ret_expr,
                                        struct error *err);

/* Whether all that it looks at can be kept by person whatever the parameters are, but for windows
 * (query/query.h): traits, and numbers and ages of events that no parameter picks out. */
bool expr_template_is_column(const struct expr_template *template);

#endif
