#include "engine/sequence.h"

#include <assert.h>

#include "base/instant.h"
#include "model/expr.h"

/* The latest beginning of a chain of so many steps; INSTANT_MS_NONE: there is none. */
struct chains {
	int64_t first_ms[EXPR_STEPS_MAX];
};

/* Takes the next event; the beginning of the latest whole chain that ends with it. */
static int64_t chains_take(struct chains *chains, unsigned step_count, int64_t time_ms,
                           uint32_t marks)
{
	int64_t whole_ms = INSTANT_MS_NONE;
	while (marks != 0) {
		unsigned step     = 31 - (unsigned)__builtin_clz(marks);
		int64_t  first_ms = step == 0 ? time_ms : chains->first_ms[step - 1];
		marks &= ~(1u << step);
		if (first_ms == INSTANT_MS_NONE)
			continue;
		if (step + 1 == step_count)
			whole_ms = first_ms;
		else if (chains->first_ms[step] < first_ms)
			chains->first_ms[step] = first_ms;
	}
	return whole_ms;
}

/* When a chain that is whole at `last_ms` ends to hold. */
static int64_t end_of(const struct plan_leaf *leaf, int64_t first_ms, int64_t last_ms)
{
	if (leaf->chain_ms > 0 && last_ms - first_ms >= leaf->chain_ms)
		return last_ms;
	int64_t end_ms = span_end_ms(&leaf->span, first_ms);
	if (leaf->ended_ms > 0 && last_ms + leaf->ended_ms < end_ms)
		end_ms = last_ms + leaf->ended_ms;
	return end_ms;
}

/* Whether what a series has dropped, all of it before its first time, is past mattering. */
static bool complete(const struct plan_leaf *leaf, const struct series *series, int64_t now_ms)
{
	return series == NULL || !series->dropped ||
	       span_end_ms(&leaf->span, series->times_ms[0]) <= now_ms ||
	       (leaf->chain_ms > 0 && leaf->ended_ms > 0 &&
	        series->times_ms[0] + leaf->chain_ms + leaf->ended_ms <= now_ms);
}

bool sequence_look(const struct plan_leaf *leaf, unsigned step_count, const struct series *series,
                   int64_t now_ms, bool *ret_holds, int64_t *ret_next_ms)
{
	assert(step_count >= EXPR_STEPS_MIN && step_count <= EXPR_STEPS_MAX);
	if (!complete(leaf, series, now_ms))
		return false;

	struct chains chains;
	for (unsigned i = 0; i < step_count; i++)
		chains.first_ms[i] = INSTANT_MS_NONE;
	bool    holds   = false;
	int64_t flip_ms = INSTANT_MS_NEVER;
	for (uint32_t i = 0; series != NULL && i < series->count; i++) {
		int64_t time_ms  = series->times_ms[i];
		int64_t first_ms = chains_take(&chains, step_count, time_ms, series_marks(series, i));
		if (first_ms == INSTANT_MS_NONE)
			continue;
		int64_t end_ms = end_of(leaf, first_ms, time_ms);
		if (end_ms <= time_ms || end_ms <= now_ms)
			continue;
		if (time_ms <= now_ms) {
			holds   = true;
			flip_ms = end_ms;
		} else if (!holds) {
			flip_ms = time_ms;
			break;
		} else if (time_ms <= flip_ms) {
			flip_ms = end_ms;
		} else {
			break;
		}
	}
	*ret_holds   = holds;
	*ret_next_ms = flip_ms;
	return true;
}
