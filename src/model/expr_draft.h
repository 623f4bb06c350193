#ifndef SONNIM_MODEL_EXPR_DRAFT_H
#define SONNIM_MODEL_EXPR_DRAFT_H

/* A definition in the text notation is turned into the JSON that means the same, which is then read
 * and checked as any other: so the two cannot differ. Between them stands a draft, which remembers
 * where in the text each member was written; a place in the JSON leads back there.
 *
 *   count(A) >= 3   ──►  { event "A" @6, op "gte" @9, value 3 @12 }   ──►  {"event":"A",…}
 *
 * Drafts live in an arena. */

#include "base/arena.h"
#include "base/json.h"
#include "model/expr.h"

enum draft_kind { DRAFT_RAW, DRAFT_OBJECT, DRAFT_ARRAY, DRAFT_HOLE };
struct draft {
	enum draft_kind kind;
	const char     *name;     /* as a member of an object */
	struct text     raw;      /* DRAFT_RAW: as JSON; DRAFT_HOLE: a sample of what may fill it */
	unsigned        hole;     /* DRAFT_HOLE: enum expr_parameter */
	bool            duration; /* DRAFT_HOLE: it stands for one */
	size_t          at;       /* offset in the text */
	struct draft   *first;
	struct draft   *last;
	struct draft   *next;
};

struct draft *draft_new(struct arena *arena, enum draft_kind kind, size_t at);

/* Behind what is there; `name` (kept) of a member, NULL of an item. */
void draft_add(struct draft *container, const char *name, struct draft *draft);

/* Of holes the samples. */
void draft_write(struct json_writer *writer, const struct draft *draft);

/* Where in the text `place` was written (".and[0].where.value", in the form of expr_place_write()
 * behind the root); where it was not, what is around it. */
size_t draft_find(const struct draft *draft, const char *place);

/* Reads a text in which parameters may stand (model/expr_template.h), and checks it with the
 * samples in their places. */
MUST_USE enum status draft_read(struct text text, const char *field, struct arena *arena,
                                struct draft **ret_draft, struct expr **ret_sample,
                                struct error *err);

#endif
