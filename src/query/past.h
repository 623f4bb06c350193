#ifndef SONNIM_QUERY_PAST_H
#define SONNIM_QUERY_PAST_H

/* Whether a past instant can be asked (contracts, rule 11): events that existed then, and are gone
 * by now, must not matter.
 *
 *   gone by now │ kept
 *   ────────────┼──────●─────────────●────
 *               │    window's begin  as_of          refused when the window begins left of the line
 */

#include <stdbool.h>
#include <stdint.h>

#include "query/tree.h"

struct past {
	int64_t as_of_ms;
	int64_t now_ms;
	int64_t retention_ms;
};

bool past_reaches_behind(const struct past *past, const struct plan_leaf *leaf,
                         const struct plan_feature *feature);

/* Of a window alone; 0: all time. */
bool past_window_reaches_behind(const struct past *past, int64_t within_ms);

/* Of any leaf of the tree's atoms. */
bool past_tree_reaches_behind(const struct past *past, const struct tree *tree);

#endif
