#include "engine/apply/ladder.h"

#include <stdlib.h>

#include "base/instant.h"

void ladder_done(struct ladder *ladder)
{
	free(ladder->rungs);
	*ladder = (struct ladder){0};
}

/* --- which leaves fit --- */

static bool fits(const struct plan_feature *feature, const struct plan_leaf *leaf)
{
	return !feature->relative && feature->kind == SERIES_TIMES && feature->sequence == NULL &&
	       leaf->aggregate == EXPR_COUNT && leaf->span.until_ms == 0 &&
	       leaf->span.from_ms == INSTANT_MS_NONE && leaf->span.to_ms == INSTANT_MS_NEVER;
}

/* The counts at which the leaf's answer differs from that of one less; false: too many, or too
 * large. A test changes its answer next to its values only. */
static bool find_rungs(const struct expr_test *test, uint32_t counts[LADDER_RUNGS_MAX],
                       unsigned *ret_count)
{
	unsigned found = 0;
	for (unsigned i = 0; i < test->value_count; i++) {
		double value = test->values[i].number;
		if (value < 0)
			continue;
		if (!(value < LADDER_N_MAX))
			return false;
		uint32_t floor = (uint32_t)value;
		for (uint32_t n = floor == 0 ? 1 : floor; n <= floor + 1; n++) {
			bool known = evaluate_count(test, n) == evaluate_count(test, n - 1);
			for (unsigned j = 0; j < found && !known; j++)
				known = counts[j] == n;
			if (known)
				continue;
			if (found == LADDER_RUNGS_MAX)
				return false;
			counts[found++] = n;
		}
	}
	*ret_count = found;
	return true;
}

/* --- adding and removing --- */

static int compare_rungs(const void *left, const void *right)
{
	const struct rung *a = left, *b = right;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	if (a->within_ms != b->within_ms)
		return a->within_ms < b->within_ms ? -1 : 1;
	return (a->leaf > b->leaf) - (a->leaf < b->leaf);
}

static void add_rung(struct ladder *ladder, struct rung rung)
{
	if (ladder->count == ladder->capacity) {
		ladder->capacity = ladder->capacity == 0 ? 1 : ladder->capacity * 2;
		ladder->rungs    = realloc(ladder->rungs, ladder->capacity * sizeof rung);
		if (ladder->rungs == NULL)
			abort();
	}
	ladder->rungs[ladder->count++] = rung;
}

static void find_ends(struct ladder *ladder)
{
	uint32_t end = ladder->count;
	for (uint32_t i = ladder->count; i-- > 0;) {
		if (i + 1 < ladder->count && ladder->rungs[i].n != ladder->rungs[i + 1].n)
			end = i + 1;
		ladder->rungs[i].end = end;
	}
}

bool ladder_add(struct ladder *ladder, uint32_t leaf, const struct plan_feature *feature,
                const struct plan_leaf *plan)
{
	uint32_t counts[LADDER_RUNGS_MAX];
	unsigned count;
	if (!fits(feature, plan) || !find_rungs(&plan->test, counts, &count))
		return false;
	ladder->retention_ms = plan->span.retention_ms;
	for (unsigned i = 0; i < count; i++)
		add_rung(ladder, (struct rung){
							 .within_ms =
								 plan->span.within_ms > 0 ? plan->span.within_ms : INSTANT_MS_NEVER,
							 .n     = counts[i],
							 .leaf  = leaf & 0x3fffffff,
							 .above = evaluate_count(&plan->test, counts[i]),
							 .alone = count == 1,
							 .rule  = LADDER_RULES,
						 });
	if (count > 0)
		qsort(ladder->rungs, ladder->count, sizeof ladder->rungs[0], compare_rungs);
	find_ends(ladder);
	return true;
}

void ladder_remove(struct ladder *ladder, uint32_t leaf)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < ladder->count; i++)
		if (ladder->rungs[i].leaf != leaf)
			ladder->rungs[count++] = ladder->rungs[i];
	ladder->count = count;
	find_ends(ladder);
}

void ladder_set_rule(struct ladder *ladder, uint32_t leaf, uint32_t rule)
{
	for (uint32_t i = 0; i < ladder->count; i++)
		if (ladder->rungs[i].leaf == leaf)
			ladder->rungs[i].rule = rule;
}

/* --- what is crossed --- */

/* The first rung of [begin, end) with a window longer than `age_ms`. */
static uint32_t first_longer(const struct ladder *ladder, uint32_t begin, uint32_t end,
                             int64_t age_ms)
{
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		if (ladder->rungs[middle].within_ms > age_ms)
			end = middle;
		else
			begin = middle + 1;
	}
	return begin;
}

/* Whether the retention still holds a time; for almost all it does by far, and no day is
 * computed. */
static bool is_kept(const struct ladder *ladder, int64_t time_ms, int64_t now_ms)
{
	return ladder->retention_ms == INSTANT_MS_NEVER ||
	       now_ms - time_ms < ladder->retention_ms - DAY_MS ||
	       instant_floor_day_ms(time_ms) + ladder->retention_ms > now_ms;
}

/* The first rung of [begin, end) that `time_ms`, as the N-th newest, still stands on. */
static uint32_t first_standing(const struct ladder *ladder, uint32_t begin, uint32_t end,
                               int64_t time_ms, int64_t now_ms)
{
	return is_kept(ladder, time_ms, now_ms) ? first_longer(ladder, begin, end, now_ms - time_ms)
	                                        : end;
}

static void note_next(const struct ladder *ladder, uint32_t rung, int64_t time_ms, int64_t *next_ms)
{
	const struct span span = {
		.within_ms =
			ladder->rungs[rung].within_ms == INSTANT_MS_NEVER ? 0 : ladder->rungs[rung].within_ms,
		.retention_ms = ladder->retention_ms,
	};
	int64_t end_ms = span_end_ms(&span, time_ms);
	if (end_ms < *next_ms)
		*next_ms = end_ms;
}

/* The event has lifted the N newest unless they are all behind it. */
int64_t ladder_climb(const struct ladder *ladder, const int64_t *times_ms, uint32_t count,
                     int64_t time_ms, int64_t now_ms, rung_list *crossed)
{
	int64_t  next_ms = INSTANT_MS_NEVER;
	uint32_t end;
	for (uint32_t begin = 0; begin < ladder->count; begin = end) {
		end        = ladder->rungs[begin].end;
		uint32_t n = ladder->rungs[begin].n;
		if (n > count)
			break;
		int64_t  nth_ms   = times_ms[count - n];
		uint32_t standing = first_standing(ladder, begin, end, nth_ms, now_ms);
		if (standing == end)
			continue;
		note_next(ladder, standing, nth_ms, &next_ms);
		if (nth_ms > time_ms)
			continue;
		uint32_t stood = end;
		if (n < count)
			stood = first_standing(ladder, standing, end, times_ms[count - n - 1], now_ms);
		for (; standing < stood; standing++)
			VECTOR_ADD(crossed, ladder->rungs[standing]);
	}
	return next_ms;
}

int64_t ladder_fall(const struct ladder *ladder, const int64_t *times_ms, uint32_t count,
                    int64_t at_ms, rung_list *crossed)
{
	int64_t  next_ms = INSTANT_MS_NEVER;
	uint32_t end;
	for (uint32_t begin = 0; begin < ladder->count; begin = end) {
		end        = ladder->rungs[begin].end;
		uint32_t n = ladder->rungs[begin].n;
		if (n > count)
			break;
		int64_t  nth_ms   = times_ms[count - n];
		uint32_t standing = first_standing(ladder, begin, end, nth_ms, at_ms);
		if (standing < end)
			note_next(ladder, standing, nth_ms, &next_ms);
		if (crossed == NULL)
			continue;
		uint32_t stood = first_standing(ladder, begin, standing, nth_ms, at_ms - 1);
		for (; stood < standing; stood++)
			VECTOR_ADD(crossed, ladder->rungs[stood]);
	}
	return next_ms;
}
