#ifndef SONNIM_MODEL_RULES_INTERNAL_H
#define SONNIM_MODEL_RULES_INTERNAL_H

/* What the files of the REST form share. */

#include "model/expr_internal.h"
#include "model/rules.h"

enum { RULES_WINDOW_MINUTES_MAX = 1440 };

/* "GT" ⇔ EXPR_GT, of the six operators of rules; NULL or EXPR_OP_COUNT: none. */
const char  *rules_operator_name(enum expr_op op);
enum expr_op rules_operator(struct text name);

/* Whether a body has this member: there, not null and not an empty array. */
bool rules_has(struct json body, const char *member);

/* "logicalExpression", with or without dependencies, or dependencies alone. */
MUST_USE enum status rules_read_logic(struct expr_parser *parser, struct json body,
                                      struct expr **ret_expr);

#endif
