#include <stdlib.h>

#include "base/clock.h"
#include "engine/apply/partition.h"
#include "engine/view.h"
#include "query/asker.h"
#include "query/query_internal.h"
#include "query/sample.h"

/* The part of one partition. What is asked of a block is settled at once, for those persons who are
 * open: all of them when their turn comes, one who is about to change right before. */
struct share {
	struct survey       survey;
	struct query       *query;
	struct asker        asker;
	uint32_t            slot_end;
	uint32_t            block_end;
	uint32_t            cursor; /* blocks below it are done */
	struct mask        *open;   /* by block: those who are not settled */
	struct mask        *exists;
	struct mask        *holds; /* by root, then by block */
	struct query_answer found;
};

static struct mask *masks_new(size_t count)
{
	struct mask *masks = calloc(count + 1, sizeof *masks);
	if (masks == NULL)
		abort();
	return masks;
}

static size_t root_count(const struct share *share) { return share->query->tree.roots.count; }

static struct mask *holds_of(const struct share *share, size_t root)
{
	return share->holds + root * share->block_end;
}

static void share_free(struct share *share)
{
	asker_done(&share->asker);
	free(share->open);
	free(share->exists);
	free(share->holds);
	free(share);
}

/* ---- The end ---- */

static void count_regions(struct share *share, size_t sets)
{
	for (uint32_t block = 0; block < share->block_end; block++)
		for (size_t region = 0; region < (size_t)1 << sets; region++) {
			struct mask in = share->exists[block];
			for (size_t set = 0; set < sets; set++) {
				const struct mask *holds = &holds_of(share, set)[block];
				in = (region >> set & 1) != 0 ? mask_and(in, holds) : mask_without(in, holds);
			}
			share->found.regions[region] += mask_count(&in);
		}
}

static uint64_t draw(struct share *share, const struct mask *masks, struct query_sample *sample)
{
	uint64_t count = 0;
	for (uint32_t block = 0; block < share->block_end; block++)
		count += mask_count(&masks[block]);
	sample_draw(sample, share->query->wish.sample_count, share->survey.partition->number,
	            masks->words, share->slot_end, count);
	return count;
}

static uint64_t draw_difference(struct share *share, const struct mask *of,
                                const struct mask *without, struct query_sample *sample)
{
	struct mask *masks = masks_new(share->block_end);
	for (uint32_t block = 0; block < share->block_end; block++)
		masks[block] = mask_without(of[block], &without[block]);
	uint64_t count = draw(share, masks, sample);
	free(masks);
	return count;
}

static void keep_members(struct share *share)
{
	uint32_t           number  = share->survey.partition->number;
	roaring_bitmap_t  *members = roaring_bitmap_create();
	const struct mask *holds   = holds_of(share, 0);
	for (uint32_t block = 0; block < share->block_end; block++)
		for (unsigned bit = 0; mask_next(&holds[block], &bit); bit++)
			roaring_bitmap_add(members, block * BLOCK_SLOTS + bit);
	roaring_bitmap_run_optimize(members);
	share->query->members[number] = members;
}

static void sum_up(struct share *share)
{
	const struct query_wish *wish  = &share->query->wish;
	struct query_answer     *found = &share->found;
	for (uint32_t block = 0; block < share->block_end; block++)
		found->person_count += mask_count(&share->exists[block]);
	count_regions(share, wish->set_count);
	found->size = draw(share, holds_of(share, 0), &found->members);
	if (wish->compared != 0 &&
	    catalog_live(&share->survey.partition->catalog, wish->compared) != RULE_NONE) {
		const struct mask *now = holds_of(share, 0), *live = holds_of(share, wish->set_count);
		found->compared  = true;
		found->entering  = draw_difference(share, now, live, &found->enterers);
		found->leaving   = draw_difference(share, live, now, &found->leavers);
		found->live_size = found->size - found->entering + found->leaving;
	}
	if (wish->members)
		keep_members(share);
}

static void end(struct share *share, enum status status)
{
	struct query *query = share->query;
	struct error  err;
	if (status == STATUS_OK)
		status = events_check(share->survey.partition->events, &err);
	if (status == STATUS_OK)
		sum_up(share);
	share->found.status = status;
	query_join(query, &share->found, &share->asker);
	share_free(share);
	query_part_is_over(query);
}

/* ---- On the way ---- */

static void note_persons(struct share *share, uint32_t block, const struct mask *wanted)
{
	const struct profiles *profiles = &share->survey.partition->profiles;
	for (unsigned bit = 0; mask_next(wanted, &bit); bit++)
		if (profiles_find(profiles, block * BLOCK_SLOTS + bit) != NULL)
			mask_set(&share->exists[block], bit);
}

static void settle(struct share *share, uint32_t block, struct mask wanted)
{
	struct asker *asker = &share->asker;
	share->open[block]  = mask_without(share->open[block], &wanted);
	note_persons(share, block, &wanted);
	wanted = mask_and(wanted, &share->exists[block]);
	if (mask_is_empty(&wanted))
		return;
	asker_turn_to(asker, block * BLOCK_SLOTS);
	for (size_t root = 0; root < root_count(share); root++) {
		struct mask holds            = asker_settle(asker, root, &wanted);
		holds_of(share, root)[block] = mask_or(holds_of(share, root)[block], &holds);
	}
}

static void before_change(struct survey *survey, uint32_t slot)
{
	struct share *share = (struct share *)survey;
	uint32_t      block = slot / BLOCK_SLOTS;
	if (slot >= share->slot_end || !mask_has(&share->open[block], slot % BLOCK_SLOTS))
		return;
	struct mask one = {0};
	mask_set(&one, slot % BLOCK_SLOTS);
	settle(share, block, one);
}

static void go_on(struct survey *survey, int64_t end_ns)
{
	struct share *share = (struct share *)survey;
	struct query *query = share->query;
	if (atomic_load(&query->broken) || query->wish.is_cancelled(query->wish.context)) {
		survey_end(survey);
		end(share, STATUS_UNAVAILABLE);
		return;
	}
	while (share->cursor < share->block_end) {
		struct mask open = share->open[share->cursor];
		settle(share, share->cursor++, open);
		if (clock_monotonic_ns() >= end_ns)
			break;
	}
	if (share->cursor == share->block_end) {
		survey_end(survey);
		end(share, STATUS_OK);
	}
}

static void broken(struct survey *survey, enum status status)
{
	end((struct share *)survey, status);
}

static const struct survey_ops ops = {
	.before_change = before_change,
	.go_on         = go_on,
	.broken        = broken,
};

/* ---- The begin ---- */

/* The first share to begin puts the operands into order, for all. */
static bool bind(struct share *share, struct partition *partition, int64_t now_ms)
{
	struct query *query = share->query;
	bool          live  = asker_init(&share->asker, partition, &query->tree, now_ms);
	pthread_mutex_lock(&query->lock);
	if (!query->ordered)
		tree_order(&query->tree, asker_estimate, &share->asker);
	query->ordered = true;
	pthread_mutex_unlock(&query->lock);
	return live;
}

void share_begin(struct query *query, struct view *view)
{
	struct partition *partition = survey_partition(view);
	struct share     *share     = calloc(1, sizeof *share);
	if (share == NULL)
		abort();
	share->query     = query;
	share->slot_end  = partition->profiles.slot_count;
	share->block_end = (share->slot_end + BLOCK_SLOTS - 1) / BLOCK_SLOTS;
	share->open      = masks_new(share->block_end);
	share->exists    = masks_new(share->block_end);
	share->holds     = masks_new(share->block_end * root_count(share));
	for (uint32_t block = 0; block < share->block_end; block++)
		share->open[block] = mask_first(share->slot_end - block * BLOCK_SLOTS);
	atomic_fetch_add(&query->left, 1);
	survey_begin(&share->survey, &ops, view);
	if (!bind(share, partition, view_now_ms(view))) {
		survey_end(&share->survey);
		end(share, STATUS_CONFLICT);
	}
}
