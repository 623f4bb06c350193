#include "query/past.h"

#include "base/instant.h"

/* The earliest time of an event that exists at the instant (rule 21). */
static int64_t kept_from_ms(int64_t now_ms, int64_t retention_ms)
{
	return instant_floor_day_ms(now_ms - retention_ms) + DAY_MS;
}

static bool begins_behind(const struct past *past, int64_t begin_ms)
{
	if (past->retention_ms == INSTANT_MS_NEVER)
		return false;
	int64_t existed_ms = kept_from_ms(past->as_of_ms, past->retention_ms);
	if (begin_ms < existed_ms)
		begin_ms = existed_ms;
	return begin_ms < kept_from_ms(past->now_ms, past->retention_ms);
}

bool past_window_reaches_behind(const struct past *past, int64_t within_ms)
{
	return begins_behind(past, within_ms == 0 ? INT64_MIN : past->as_of_ms - within_ms + 1);
}

bool past_reaches_behind(const struct past *past, const struct plan_leaf *leaf,
                         const struct plan_feature *feature)
{
	const struct sequence *sequence = feature->sequence;
	if (sequence != NULL) {
		bool bounded = sequence->within_ms != INSTANT_MS_NEVER &&
		               sequence->ended_within_ms != INSTANT_MS_NEVER;
		return past_window_reaches_behind(
			past, bounded ? sequence->within_ms + sequence->ended_within_ms : 0);
	}
	if (leaf->span.from_ms != INSTANT_MS_NONE)
		return begins_behind(past, leaf->span.from_ms);
	return past_window_reaches_behind(past, leaf->span.within_ms);
}

bool past_tree_reaches_behind(const struct past *past, const struct tree *tree)
{
	for (size_t i = 0; i < tree->atoms.count; i++) {
		const struct tree_atom *atom = &tree->atoms.items[i];
		if (atom->kind != NODE_LEAF)
			continue;
		const struct plan_leaf *leaf = &atom->plan->leaves[atom->index];
		if (past_reaches_behind(past, leaf, &atom->plan->features[leaf->feature]))
			return true;
	}
	return false;
}
