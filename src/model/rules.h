#ifndef SONNIM_MODEL_RULES_H
#define SONNIM_MODEL_RULES_H

/* The REST form of a segment's definition: `rules[]` joined by AND, or `logicalExpression` over the
 * keys in `dependencies[]`, translated to an expression; and back, where an expression has such a
 * form (contracts, Segments). Field names and messages are the customer's. */

#include "base/json.h"
#include "model/expr.h"

/* Reads whichever of `expression`, `rules`, `logicalExpression` with `dependencies`, or
 * `dependencies` alone a request body has (more than one kind: STATUS_INVALID).
 * `windowMinutes` of the segment is the default for rules without one. Inactive rules do not count;
 * no active rule left is STATUS_INVALID at "rules". References to segments stay unresolved. */
MUST_USE enum status rules_parse(struct json body, struct arena *arena, struct expr **ret_expr,
                                 struct error *err);

struct classes;

/* As expr_parse_json_with(). */
MUST_USE enum status rules_parse_with(struct json body, const struct classes *classes,
                                      struct arena *arena, struct expr **ret_expr,
                                      struct error *err);

/* Of a body with `logicalExpression` and `dependencies`: that the one names exactly the segments
 * that the other lists. Each may say id or key, so this needs `expr` resolved, and the same
 * `resolve`. STATUS_OK for every other body. */
MUST_USE enum status rules_check_dependencies(struct json body, const struct expr *expr,
                                              expr_resolve_fn *resolve, void *context,
                                              struct error *err);

/* Writes what rules_parse would read back as the same expression: the members "rules" (or null),
 * "logicalExpression" (or null) and "dependencies" (an array) into an open object. `definition` is
 * the body as stored: ids, createdAt and inactive rules are kept from there; for an expression that
 * was written as such they are derived where it has such a form. Ids are made from `segment_id`
 * and the index, so that they stay the same. `segment_id_of` gives a segment's id for a
 * reference. */
struct rules_context {
	struct text segment_id;
	int64_t     created_ms;
	/* The id of the segment that a reference (id or key) names; empty when unknown. */
	struct text (*segment_id_of)(void *context, struct text reference);
	void *context;
};
void rules_write(struct json_writer *writer, struct json definition, const struct expr *expr,
                 const struct rules_context *context);

/* The platform's own event types and the Segment events that they are stored as: clicks, installs,
 * orders, addToCart ⇔ Link Clicked, Application Installed, Order Completed, Product Added. Either
 * name finds them: expressions and events are mapped on the way in. Others answer themselves. */
struct text rules_event_name(struct text event_type);
/* The platform's type of a stored name; empty when it has none. */
struct text rules_event_type(struct text event_name);

#endif
