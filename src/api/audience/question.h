#ifndef SONNIM_API_QUESTION_H
#define SONNIM_API_QUESTION_H

/* Who is asked for, as a client writes it: an expression, flat filters, or both, all of which must
 * hold.
 *
 *   {"expression":…,"filters":{"region":["제주"],"membership":"VIP"}}      or, where `flat`:
 *   {"expression":…,"region":["제주"],"membership":"VIP"} */

#include "api/call.h"
#include "model/expr.h"
#include "query/query.h"

struct question {
	struct text  expression; /* JSON as written; empty: none */
	struct text  filters;    /* JSON object as written; empty: none */
	struct text  written;    /* as the author wrote it: {"expression":…,"filters":{…}} */
	struct expr *expr;       /* all of it, as one expression; references are resolved */
	struct text  canonical;  /* of that */
	bool         derived;
};

/* Reads it from the members of `object`, of which `others` (ended by NULL) are somebody else's;
 * with `flat` those that are left are filters too, else they are refused. STATUS_INVALID with the
 * field: neither is there, an unknown filter, a bad expression, windows that reach behind what is
 * kept; STATUS_CONFLICT: a segment that is not Live; STATUS_FORBIDDEN: personal_index.h. Texts are
 * of the call's arena. On workers. */
MUST_USE enum status question_read(struct api_call *call, struct json object,
                                   const char *const *others, bool flat,
                                   struct question *ret_question, struct error *err);

/* The same of what was stored. */
MUST_USE enum status question_of(struct api *api, struct arena *arena, struct text written,
                                 struct question *ret_question, struct error *err);

/* The same, for showing it only: references are not resolved, `canonical` is empty. */
MUST_USE enum status question_show(struct api *api, struct arena *arena, struct text written,
                                   struct question *ret_question, struct error *err);

/* STATUS_INVALID when `object` has a member that is neither of a definition nor among `others`. */
MUST_USE enum status question_only(struct json object, const char *const *others,
                                   struct error *err);

/* Puts `prefix` before the field of an error. */
enum status question_at(const char *prefix, enum status status, struct error *err);

/* Writes "expression" (as written where there are no filters) and "text", and, where there are
 * some, "filters". */
void question_write(struct json_writer *writer, const struct question *question);

/* By what members are grouped. Each is the name of a trait, or an object: {"trait"}, or {"event",
 * "property","within"}. `name` is what the answer calls it. */
struct question_breakdown {
	struct text            name;
	bool                   is_filter; /* it is the name of one */
	struct query_dimension dimension;
};
MUST_USE enum status question_read_breakdowns(struct api *api, struct arena *arena,
                                              struct json                value,
                                              struct question_breakdown *ret_breakdowns,
                                              unsigned *ret_count, struct error *err);

/* A whole number in the body from 0 to `max`; `fallback` when absent. */
MUST_USE enum status question_read_count(struct json body, const char *name, unsigned max,
                                         unsigned fallback, unsigned *ret_count, struct error *err);

/* "as_of": RFC 3339 or epoch milliseconds; INSTANT_MS_NONE when absent. */
MUST_USE enum status question_read_as_of(struct json body, int64_t *ret_ms, struct error *err);

#endif
