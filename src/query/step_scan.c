#include "query/step_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "query/event_fold.h"

struct step_scan {
	unsigned     count;
	struct fold *folds[EXPR_STEPS_MAX]; /* by cost */
	bool         looked;
	uint32_t     first_slot; /* of what is known: */
	uint64_t     may[FOLD_WORDS_MAX];
	uint32_t     counts[FOLD_SLOTS_MAX];
};

/* The first event of a chain that ended in time is not older than both bounds together. */
static struct span span_of(const struct sequence *sequence)
{
	bool bounded =
		sequence->within_ms != INSTANT_MS_NEVER && sequence->ended_within_ms != INSTANT_MS_NEVER;
	return (struct span){
		.within_ms    = bounded ? sequence->within_ms + sequence->ended_within_ms : 0,
		.from_ms      = INSTANT_MS_NONE,
		.to_ms        = INSTANT_MS_NEVER,
		.retention_ms = sequence->retention_ms,
	};
}

static void insert(struct step_scan *scan, struct fold *fold)
{
	unsigned at = scan->count++;
	for (; at > 0 && fold_cost(scan->folds[at - 1]) > fold_cost(fold); at--)
		scan->folds[at] = scan->folds[at - 1];
	scan->folds[at] = fold;
}

struct step_scan *step_scan_new(struct partition *partition, const struct plan_feature *feature,
                                int64_t now_ms, int64_t received_before_ms)
{
	const struct sequence *sequence = feature->sequence;
	struct step_scan      *scan     = calloc(1, sizeof *scan);
	if (scan == NULL)
		abort();
	for (unsigned i = 0; i < sequence->step_count; i++) {
		const struct fold_wish wish = {
			.partition          = partition,
			.event              = sequence->steps[i].name,
			.where              = sequence->steps[i].where,
			.span               = span_of(sequence),
			.now_ms             = now_ms,
			.received_before_ms = received_before_ms,
		};
		insert(scan, fold_new(&wish));
	}
	return scan;
}

void step_scan_free(struct step_scan *scan)
{
	if (scan == NULL)
		return;
	for (unsigned i = 0; i < scan->count; i++)
		fold_free(scan->folds[i]);
	free(scan);
}

static void look(struct step_scan *scan, uint32_t first_slot)
{
	scan->looked     = true;
	scan->first_slot = first_slot;
	memset(scan->may, 0xff, sizeof scan->may);
	for (unsigned step = 0; step < scan->count; step++) {
		fold_counts(scan->folds[step], first_slot, FOLD_WORDS_MAX, scan->may, scan->counts);
		for (uint32_t i = 0; i < FOLD_SLOTS_MAX; i++)
			if (scan->counts[i] == 0)
				scan->may[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
}

struct mask step_scan_block(struct step_scan *scan, uint32_t first_slot, struct mask wanted)
{
	uint32_t begin = first_slot / FOLD_SLOTS_MAX * FOLD_SLOTS_MAX;
	if (!scan->looked || scan->first_slot != begin)
		look(scan, begin);
	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		wanted.words[i] &= scan->may[(first_slot - begin) / 64 + i];
	return wanted;
}

uint64_t step_scan_rows(const struct step_scan *scan)
{
	uint64_t rows = 0;
	for (unsigned i = 0; i < scan->count; i++)
		rows += fold_rows(scan->folds[i]);
	return rows;
}
