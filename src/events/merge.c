#include "events/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/vector.h"

/* So many runs of about one size become one; in a month that is over, fewer. */
enum { FAN_NOW = 4, FAN_OVER = 2, OUTWEIGHS_NOW = 1, OUTWEIGHS_OVER = 4 };

struct run {
	uint64_t number;
	uint64_t bytes;
	bool     old_schema;
	bool     excluded;
};

typedef VECTOR(struct run) run_list;

static void collect(const struct merge_part *parts, size_t count, int32_t month, run_list *runs)
{
	runs->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].month != month)
			continue;
		size_t at = 0;
		while (at < runs->count && runs->items[at].number != parts[i].run)
			at++;
		if (at == runs->count)
			VECTOR_ADD(runs, (struct run){.number = parts[i].run});
		runs->items[at].bytes += parts[i].bytes;
		runs->items[at].old_schema |= parts[i].old_schema;
		runs->items[at].excluded |= parts[i].excluded;
	}
	size_t kept = 0;
	for (size_t i = 0; i < runs->count; i++)
		if (!runs->items[i].excluded)
			runs->items[kept++] = runs->items[i];
	runs->count = kept;
}

static int compare_runs(const void *left, const void *right)
{
	const struct run *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

/* How many of the smallest runs to merge: the most of which the largest is not much larger than
 * all the others together. */
static size_t how_many(const run_list *runs, bool over)
{
	size_t   fan       = over ? FAN_OVER : FAN_NOW;
	uint64_t outweighs = over ? OUTWEIGHS_OVER : OUTWEIGHS_NOW;
	uint64_t sum       = 0;
	size_t   best      = 0;
	for (size_t i = 0; i < runs->count; i++) {
		if (i + 1 >= fan && runs->items[i].bytes <= outweighs * sum)
			best = i + 1;
		sum += runs->items[i].bytes;
	}
	return best;
}

static void mark(const struct merge_part *parts, size_t count, int32_t month,
                 const struct run *runs, size_t run_count, bool *chosen)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < run_count && !chosen[i]; j++)
			chosen[i] = parts[i].month == month && parts[i].run == runs[j].number;
}

/* A month's turn: merging first, then what other settings would lay out differently. */
static bool choose_of_month(const struct merge_part *parts, size_t count, int32_t month, bool over,
                            bool by_schema, run_list *runs, bool *chosen)
{
	collect(parts, count, month, runs);
	if (runs->count == 0)
		return false;
	qsort(runs->items, runs->count, sizeof runs->items[0], compare_runs);
	if (!by_schema) {
		size_t merged = how_many(runs, over);
		mark(parts, count, month, runs->items, merged, chosen);
		return merged > 0;
	}
	for (size_t i = 0; i < runs->count; i++) {
		if (!runs->items[i].old_schema)
			continue;
		mark(parts, count, month, &runs->items[i], 1, chosen);
		return true;
	}
	return false;
}

bool merge_choose(const struct merge_part *parts, size_t count, int32_t clock_month,
                  bool *ret_chosen)
{
	run_list runs  = {0};
	bool     found = false;
	memset(ret_chosen, 0, count * sizeof *ret_chosen);
	for (int by_schema = 0; by_schema < 2 && !found; by_schema++) {
		for (size_t i = 0; i < count && !found; i++) {
			bool seen = false;
			for (size_t j = 0; j < i && !seen; j++)
				seen = parts[j].month == parts[i].month;
			if (!seen)
				found = choose_of_month(parts, count, parts[i].month, parts[i].month < clock_month,
				                        by_schema != 0, &runs, ret_chosen);
		}
	}
	VECTOR_DONE(&runs);
	return found;
}
