#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/apply/partition.h"
#include "engine/survey.h"
#include "engine/view.h"
#include "query/asker.h"
#include "query/query_internal.h"
#include "query/sample.h"

/* The part of one partition. What columns and bitmaps know is answered in the read, at the instant,
 * of all. Who is left open, or waits to be visited, follows in slices, block by block; one who is
 * about to change right before. */
struct share {
	struct survey       survey;
	struct query       *query;
	struct asker        asker;
	struct visits       visits;
	uint32_t            slot_end;
	uint32_t            block_end;
	uint32_t            cursor; /* blocks below it are done */
	unsigned            stride; /* persons to be settled between two looks at the clock */
	uint64_t            kept_bytes;
	bool                looked; /* at the instant, by columns: then it is known who exists */
	struct mask        *exists; /* by block */
	struct mask        *open;   /* those for whom some root is open */
	struct verdict    **kept;   /* what columns said of a block with open ones; NULL: nothing */
	struct mask        *holds;  /* by root, then by block */
	struct query_answer found;
};

enum {
	KEPT_BYTES_MAX = 32 << 20, /* what columns said beyond it is let go, and found another way */
	STRIDE_NS      = 500000,
	STRIDE_MIN     = 8,
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

/* Blocks of the run that begins here. */
static uint32_t run_at(const struct share *share, uint32_t block)
{
	uint32_t left = share->block_end - block;
	return left < RUN_BLOCKS ? left : RUN_BLOCKS;
}

static uint64_t bytes_of(const struct share *share)
{
	return share->block_end * sizeof(struct mask) * (2 + root_count(share) + share->visits.count);
}

static void share_free(struct share *share)
{
	atomic_fetch_sub(&share->query->queries->memory_bytes, bytes_of(share) + share->kept_bytes);
	for (uint32_t block = 0; block < share->block_end; block++)
		free(share->kept[block]);
	visits_done(&share->visits);
	asker_done(&share->asker);
	free(share->kept);
	free(share->open);
	free(share->exists);
	free(share->holds);
	free(share);
}

/* ---- The end ---- */

static uint64_t count_of(const struct share *share, const struct mask *masks, uint32_t block_count)
{
	return share->asker.lanes->count(masks->words, (size_t)block_count * BLOCK_WORDS);
}

/* Of whom is in these sets and in no other, in the run from this block on. */
static uint64_t count_region(const struct share *share, uint32_t block, uint32_t count, size_t sets,
                             size_t region)
{
	struct mask in[RUN_BLOCKS];
	memcpy(in, &share->exists[block], count * sizeof *in);
	for (size_t set = 0; set < sets; set++) {
		const struct mask *holds = &holds_of(share, set)[block];
		for (uint32_t i = 0; i < count; i++)
			in[i] = (region >> set & 1) != 0 ? mask_and(in[i], &holds[i])
			                                 : mask_without(in[i], &holds[i]);
	}
	return count_of(share, in, count);
}

static void count_regions(struct share *share, size_t sets)
{
	for (uint32_t block = 0; block < share->block_end; block += RUN_BLOCKS)
		for (size_t region = 0; region < (size_t)1 << sets; region++)
			share->found.regions[region] +=
				count_region(share, block, run_at(share, block), sets, region);
}

static uint64_t draw(struct share *share, const struct mask *masks, struct query_sample *sample)
{
	uint64_t count = count_of(share, masks, share->block_end);
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
	for (uint32_t block = 0; block < share->block_end; block++) {
		uint32_t slots[BLOCK_SLOTS], count = 0;
		for (unsigned bit = 0; mask_next(&holds[block], &bit); bit++)
			slots[count++] = block * BLOCK_SLOTS + bit;
		roaring_bitmap_add_many(members, count, slots);
	}
	roaring_bitmap_run_optimize(members);
	share->query->members[number] = members;
}

static void sum_up(struct share *share)
{
	const struct query_wish *wish  = &share->query->wish;
	struct query_answer     *found = &share->found;
	found->person_count += count_of(share, share->exists, share->block_end);
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
	query_join(query, &share->found, &share->asker, &share->visits);
	share_free(share);
	query_part_is_over(query);
}

/* ---- Later ---- */

/* Of those who were open unlooked at. At a past instant those exist who had come into being. */
static struct mask who_exists(const struct share *share, uint32_t block, struct mask wanted)
{
	const struct query    *query    = share->query;
	const struct profiles *profiles = &share->survey.partition->profiles;
	struct mask            exists   = {0};
	for (unsigned bit = 0; mask_next(&wanted, &bit); bit++) {
		const struct profile *profile = profiles_find(profiles, block * BLOCK_SLOTS + bit);
		if (profile != NULL && (!query->past || profile->created_ms <= query->wish.as_of_ms))
			mask_set(&exists, bit);
	}
	return exists;
}

/* Those of the wanted ones who are open are decided. */
static void decide(struct share *share, uint32_t block, const struct mask *wanted)
{
	struct mask open = mask_and(share->open[block], wanted);
	if (mask_is_empty(&open))
		return;
	share->open[block] = mask_without(share->open[block], &open);
	if (!share->looked) {
		open                 = who_exists(share, block, open);
		share->exists[block] = mask_or(share->exists[block], &open);
	}
	asker_turn_to(&share->asker, block * BLOCK_SLOTS, share->kept[block]);
	for (size_t root = 0; root < root_count(share); root++) {
		struct mask holds            = asker_settle(&share->asker, root, &open);
		holds_of(share, root)[block] = mask_or(holds_of(share, root)[block], &holds);
		if (root == 0)
			visits_add(&share->visits, block, &holds);
	}
}

static struct mask who_waits(const struct share *share, uint32_t block)
{
	return mask_or(visits_open(&share->visits, block), &share->open[block]);
}

static void settle(struct share *share, uint32_t block, const struct mask *wanted)
{
	decide(share, block, wanted);
	visits_settle(&share->visits, block, wanted);
}

static void before_change(struct survey *survey, uint32_t slot)
{
	struct share *share = (struct share *)survey;
	uint32_t      block = slot / BLOCK_SLOTS;
	if (slot >= share->slot_end)
		return;
	struct mask waits = who_waits(share, block), one = {0};
	mask_set(&one, slot % BLOCK_SLOTS);
	one = mask_and(one, &waits);
	if (!mask_is_empty(&one))
		settle(share, block, &one);
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
		struct mask waits = who_waits(share, share->cursor);
		if (mask_is_empty(&waits)) {
			free(share->kept[share->cursor]);
			share->kept[share->cursor++] = NULL;
			continue;
		}
		waits = mask_least(waits, share->stride);

		share->asker.expected       = &share->open[share->cursor];
		share->asker.expected_count = share->block_end - share->cursor;
		settle(share, share->cursor, &waits);
		share->asker.expected = NULL;
		if (clock_monotonic_ns() >= end_ns)
			return;
	}
	survey_end(survey);
	end(share, STATUS_OK);
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

/* ---- At the instant ---- */

static void keep(struct share *share, uint32_t block, uint32_t run_begin)
{
	size_t bytes = share->asker.column_count * sizeof **share->kept;
	if (bytes == 0 || share->kept_bytes + bytes > KEPT_BYTES_MAX)
		return;
	struct verdict *kept = malloc(bytes);
	if (kept == NULL)
		return;
	asker_keep(&share->asker, block - run_begin, kept);
	share->kept[block] = kept;
	share->kept_bytes += bytes;
}

/* Who is open for one root is decided for all of them. False: nobody is. */
static bool leave_open(struct share *share, uint32_t run_begin, uint32_t count)
{
	bool any = false;
	for (uint32_t block = run_begin; block < run_begin + count; block++) {
		const struct mask *open = &share->open[block];
		if (mask_is_empty(open))
			continue;
		any = true;
		for (size_t root = 0; root < root_count(share); root++)
			holds_of(share, root)[block] = mask_without(holds_of(share, root)[block], open);
		keep(share, block, run_begin);
	}
	return any;
}

/* False: nobody of the run is left for later. */
static bool look(struct share *share, uint32_t block, uint32_t count)
{
	asker_turn_to_run(&share->asker, block);
	for (size_t root = 0; root < root_count(share); root++) {
		struct mask open[RUN_BLOCKS];
		asker_look(&share->asker, root, count, &share->exists[block], &holds_of(share, root)[block],
		           open);
		for (uint32_t i = 0; i < count; i++)
			share->open[block + i] = mask_or(share->open[block + i], &open[i]);
	}
	bool left = leave_open(share, block, count);
	return visits_look(&share->visits, block, count, &holds_of(share, 0)[block]) || left;
}

/* False: nobody is left for later. */
static bool look_at_all(struct share *share, struct columns *columns)
{
	bool left     = false;
	share->looked = true;
	for (uint32_t block = 0; block < share->block_end; block += RUN_BLOCKS) {
		uint32_t count = run_at(share, block);
		columns_persons(columns, block, count, share->exists[block].words);
		left |= look(share, block, count);
	}
	visits_looked(&share->visits);
	return left;
}

/* Without columns everybody is open, and even whether he exists. */
static void leave_all(struct share *share)
{
	for (uint32_t block = 0; block < share->block_end; block++)
		share->open[block] = mask_first(share->slot_end - block * BLOCK_SLOTS);
}

static unsigned stride_of(const struct tree *tree)
{
	double cost = 1;
	for (size_t root = 0; root < tree->roots.count; root++)
		cost += tree->roots.items[root]->cost;
	double stride = STRIDE_NS / cost;
	return stride >= BLOCK_SLOTS ? BLOCK_SLOTS
	       : stride < STRIDE_MIN ? STRIDE_MIN
	                             : (unsigned)stride;
}

static enum status bind(struct share *share, struct columns *columns, struct view *view)
{
	struct query             *query  = share->query;
	const struct asker_config config = {
		.partition = survey_partition(view),
		.columns   = columns,
		.tree      = &query->tree,
		.as_of_ms  = query->past ? query->wish.as_of_ms : view_now_ms(view),
		.past      = query->past,
	};
	bool live  = true;
	bool first = false;
	pthread_mutex_lock(&query->lock);
	if (!query->planned) {
		first              = true;
		query->planned     = true;
		query->plan_status = query_plan(query, config.partition, view_now_ms(view));
		live               = asker_init(&share->asker, &config);
		tree_order(&query->tree, asker_estimate, &share->asker);
	}
	enum status status = query->plan_status;
	pthread_mutex_unlock(&query->lock);
	if (!first)
		live = asker_init(&share->asker, &config);
	share->stride = stride_of(&query->tree);
	return status == STATUS_OK && !live ? STATUS_CONFLICT : status;
}

static struct share *share_new(struct query *query, struct view *view)
{
	struct partition *partition = survey_partition(view);
	struct share     *share     = calloc(1, sizeof *share);
	if (share == NULL)
		abort();
	share->query     = query;
	share->slot_end  = partition->profiles.slot_count;
	share->block_end = (share->slot_end + BLOCK_SLOTS - 1) / BLOCK_SLOTS;
	return share;
}

static void allocate(struct share *share, struct columns *columns)
{
	struct query              *query  = share->query;
	const struct visits_config config = {
		.partition = share->survey.partition,
		.columns   = columns,
		.wish      = &query->wish,
		.revenue   = query->revenue,
		.as_of_ms  = share->asker.config.as_of_ms,
		.past      = query->past,
		.block_end = share->block_end,
	};
	visits_init(&share->visits, &config);
	share->open   = masks_new(share->block_end);
	share->exists = masks_new(share->block_end);
	share->holds  = masks_new(share->block_end * root_count(share));
	share->kept   = calloc(share->block_end + 1, sizeof *share->kept);
	if (share->kept == NULL)
		abort();
}

void share_begin(struct query *query, struct view *view)
{
	struct share   *share   = share_new(query, view);
	struct columns *columns = query->queries->columns[view_partition(view)];
	if (query->past || (columns != NULL && columns_block_count(columns) < share->block_end))
		columns = NULL;
	atomic_fetch_add(&query->left, 1);
	survey_begin(&share->survey, &ops, view);
	enum status status = bind(share, columns, view);
	allocate(share, columns);
	bool left = status == STATUS_OK;
	if (left && columns != NULL)
		left = look_at_all(share, columns);
	else if (left)
		leave_all(share);
	atomic_fetch_add(&query->queries->memory_bytes, bytes_of(share) + share->kept_bytes);
	if (!left) {
		survey_end(&share->survey);
		end(share, status);
	}
}
