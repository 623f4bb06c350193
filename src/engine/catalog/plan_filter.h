#ifndef SONNIM_ENGINE_PLAN_FILTER_H
#define SONNIM_ENGINE_PLAN_FILTER_H

/* The one test of a `where` by which features are found without asking each of them
 * (filter_index.h): a property that equals a string or one of several, else one that is
 * compared with a number. Whatever else a `where` asks for is asked afterwards. */

#include <stdbool.h>

#include "base/arena.h"
#include "model/expr.h"
#include "model/value.h"

enum plan_filter_kind { FILTER_STRINGS, FILTER_ABOVE, FILTER_BELOW };

struct plan_filter {
	enum plan_filter_kind kind;
	bool                  whole; /* the `where` asks for nothing else */
	struct value_path     path;
	unsigned              string_count;
	struct text          *strings;
	double                bound;
	bool                  with_bound; /* the bound itself passes */
};

/* NULL: the `where` (NULL: none) has no such test that an event must pass. */
struct plan_filter *plan_filter_of(const struct expr_where *where, struct arena *arena);

#endif
