#include "engine/definition/preview.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "engine/change/change_record.h"
#include "engine/engine_internal.h"
#include "engine/apply/leaf.h"

struct preview {
	struct engine_read    read;
	struct preview_wish   wish;
	struct plan          *plan;
	pthread_mutex_t       lock; /* of the answer, while shares end */
	struct preview_answer answer;
	_Atomic uint32_t      left; /* shares that are not over, and the read */
	_Atomic bool          broken;
};

/* The part of one partition. */
struct preview_share {
	struct preview_share *next;
	struct preview       *preview;
	int64_t               as_of_ms;
	uint32_t              live;     /* rule to compare with; RULE_NONE */
	uint32_t             *segments; /* rules, by the plan's references */
	uint32_t             *leaves;   /* of the catalog, by the plan's; RULE_NONE: it has no such */
	uint32_t              cursor;   /* slots below it are done */
	uint32_t              slot_end;
	roaring_bitmap_t     *ahead; /* done too, from the cursor on */
	struct preview_answer answer;
};

/* ---- One person ---- */

struct subject {
	struct partition           *partition;
	const struct preview_share *share;
	uint32_t                    slot;
	const struct profile       *profile;
};

static bool leaf_holds_then(const struct subject *subject, uint32_t index)
{
	const struct preview_share *share = subject->share;
	const struct plan          *plan  = share->preview->plan;
	const struct plan_leaf     *leaf  = &plan->leaves[index];
	if (share->leaves[index] != RULE_NONE)
		return leaf_holds(subject->partition, subject->slot, subject->profile, share->leaves[index],
		                  share->as_of_ms);
	return leaf_look_events(subject->partition, subject->slot, leaf, &plan->features[leaf->feature],
	                        share->as_of_ms, NULL);
}

static bool node_holds(const struct subject *subject, const struct plan_node *node)
{
	const struct preview_share *share = subject->share;
	switch (node->kind) {
	case NODE_AND:
		for (uint32_t i = 0; i < node->count; i++)
			if (!node_holds(subject, &node->children[i]))
				return false;
		return true;
	case NODE_OR:
		for (uint32_t i = 0; i < node->count; i++)
			if (node_holds(subject, &node->children[i]))
				return true;
		return false;
	case NODE_NOT:
		return !node_holds(subject, &node->children[0]);
	case NODE_LEAF:
		return leaf_holds_then(subject, node->index);
	case NODE_TRAIT: {
		const struct trait_leaf trait = {.plan = &share->preview->plan->traits[node->index]};
		return trait_holds(&trait, profile_traits(subject->profile), subject->profile->identified,
		                   share->as_of_ms);
	}
	case NODE_SEGMENT:
		return rule_is_member(subject->partition, subject->profile, share->segments[node->index]);
	}
	assert(false);
	return false;
}

static void draw(struct preview_sample *sample, uint32_t limit, struct person person,
                 uint64_t order)
{
	uint32_t at = sample->count;
	while (at > 0 && sample->persons[at - 1].order > order)
		at--;
	if (at >= limit)
		return;
	if (sample->count < limit)
		sample->count++;
	for (uint32_t i = sample->count - 1; i > at; i--)
		sample->persons[i] = sample->persons[i - 1];
	sample->persons[at] = (struct preview_person){person, order};
}

static void evaluate(struct partition *partition, struct preview_share *share, uint32_t slot)
{
	const struct profile *profile = profiles_find(&partition->profiles, slot);
	if (profile == NULL)
		return;
	const struct subject   subject = {partition, share, slot, profile};
	const struct person    person  = {partition->number, slot};
	const unsigned         limit   = share->preview->wish.sample_count;
	struct preview_answer *answer  = &share->answer;
	uint64_t               order   = hash_bytes(&person, sizeof person);

	bool is  = node_holds(&subject, &share->preview->plan->rules[0].root);
	bool was = share->live != RULE_NONE && rule_is_member(partition, profile, share->live);
	answer->person_count++;
	answer->size += is;
	answer->live_size += was;
	answer->entering += is && !was;
	answer->leaving += was && !is;
	if (is)
		draw(&answer->members, limit, person, order);
	if (is && !was)
		draw(&answer->enterers, limit, person, order);
	if (was && !is)
		draw(&answer->leavers, limit, person, order);
}

/* ---- The end ---- */

static void merge_sample(struct preview_sample *into, const struct preview_sample *from,
                         uint32_t limit)
{
	for (uint32_t i = 0; i < from->count; i++)
		draw(into, limit, from->persons[i].person, from->persons[i].order);
}

static void merge(struct preview *preview, const struct preview_answer *from)
{
	struct preview_answer *into  = &preview->answer;
	const uint32_t         limit = preview->wish.sample_count;
	into->person_count += from->person_count;
	into->size += from->size;
	into->live_size += from->live_size;
	into->entering += from->entering;
	into->leaving += from->leaving;
	into->compared |= from->compared;
	if (into->status == STATUS_OK) /* the first failure says why */
		into->status = from->status;
	merge_sample(&into->members, &from->members, limit);
	merge_sample(&into->enterers, &from->enterers, limit);
	merge_sample(&into->leavers, &from->leavers, limit);
}

static void part_is_over(struct preview *preview)
{
	if (atomic_fetch_sub(&preview->left, 1) == 1)
		preview->wish.done(preview->wish.context, preview);
}

static void end_share(struct partition *partition, struct preview_share *share, enum status status)
{
	struct preview *preview = share->preview;
	for (struct preview_share **place = &partition->previews;; place = &(*place)->next)
		if (*place == share) {
			*place = share->next;
			break;
		}
	share->answer.status = status;
	pthread_mutex_lock(&preview->lock);
	merge(preview, &share->answer);
	pthread_mutex_unlock(&preview->lock);
	if (status != STATUS_OK)
		atomic_store(&preview->broken, true);
	roaring_bitmap_free(share->ahead);
	free(share->segments);
	free(share->leaves);
	free(share);
	part_is_over(preview);
}

const struct preview_answer *preview_answer(const struct preview *preview)
{
	return &preview->answer;
}

void preview_free(struct preview *preview)
{
	plan_unref(preview->plan);
	pthread_mutex_destroy(&preview->lock);
	free(preview);
}

/* ---- The partition ---- */

void preview_before_change(struct partition *partition, uint32_t slot)
{
	for (struct preview_share *share = partition->previews; share != NULL; share = share->next)
		if (slot >= share->cursor && slot < share->slot_end &&
		    roaring_bitmap_add_checked(share->ahead, slot))
			evaluate(partition, share, slot);
}

void preview_break_all(struct partition *partition, enum status status)
{
	while (partition->previews != NULL)
		end_share(partition, partition->previews, status);
}

void preview_continue(struct partition *partition, uint32_t slots)
{
	struct preview_share *share   = partition->previews;
	struct preview       *preview = share->preview;
	if (atomic_load(&preview->broken) || preview->wish.is_cancelled(preview->wish.context)) {
		end_share(partition, share, STATUS_UNAVAILABLE);
		return;
	}
	for (; slots > 0 && share->cursor < share->slot_end; slots--, share->cursor++)
		if (!roaring_bitmap_contains(share->ahead, share->cursor))
			evaluate(partition, share, share->cursor);
	if (share->cursor == share->slot_end)
		end_share(partition, share, STATUS_OK);
}

/* ---- The begin ---- */

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

/* Leaves that the catalog keeps up are asked there. */
static uint32_t known_leaf(const struct catalog *catalog, const struct plan *plan, uint32_t index)
{
	uintptr_t found = (uintptr_t)map_text_get(&catalog->leaf_keys, plan->leaves[index].key);
	if (found == 0)
		return RULE_NONE;
	uint32_t leaf    = (uint32_t)found - 1;
	uint32_t feature = catalog->leaves.items[leaf].feature;
	return catalog->features.items[feature].built == BUILT_ALL ? leaf : RULE_NONE;
}

static bool bind(struct partition *partition, struct preview_share *share)
{
	const struct catalog   *catalog = &partition->catalog;
	const struct plan      *plan    = share->preview->plan;
	const struct plan_rule *rule    = &plan->rules[0];
	share->leaves                   = zeroed(plan->leaf_count, sizeof(uint32_t));
	share->segments                 = zeroed(rule->segment_count, sizeof(uint32_t));
	for (uint32_t i = 0; i < plan->leaf_count; i++)
		share->leaves[i] = known_leaf(catalog, plan, i);
	bool live = true;
	for (uint32_t i = 0; i < rule->segment_count; i++) {
		share->segments[i] = catalog_live(catalog, rule->segments[i]);
		live &= share->segments[i] != RULE_NONE;
	}
	uint32_t compared      = share->preview->wish.compared;
	share->live            = compared == 0 ? RULE_NONE : catalog_live(catalog, compared);
	share->answer.compared = share->live != RULE_NONE;
	return live;
}

static void begin(struct engine_read *read, struct view *view)
{
	struct preview       *preview   = (struct preview *)read;
	struct partition     *partition = view->partition;
	struct preview_share *share     = zeroed(1, sizeof *share);
	share->preview                  = preview;
	share->as_of_ms                 = view->now_ms;
	share->slot_end                 = partition->profiles.slot_count;
	share->ahead                    = roaring_bitmap_create();
	share->next                     = partition->previews;
	partition->previews             = share;
	atomic_fetch_add(&preview->left, 1);
	if (!bind(partition, share))
		end_share(partition, share, STATUS_CONFLICT);
}

static void all_begun(struct engine_read *read, enum status status, const struct error *err)
{
	struct preview *preview = (struct preview *)read;
	(void)err;
	pthread_mutex_lock(&preview->lock);
	preview->answer.as_of_ms = read->as_of_ms;
	if (status != STATUS_OK) {
		preview->answer.status = status;
		atomic_store(&preview->broken, true);
	}
	pthread_mutex_unlock(&preview->lock);
	part_is_over(preview);
}

enum status preview_start(struct engine *engine, const struct preview_wish *wish, struct error *err)
{
	assert(wish->sample_count <= PREVIEW_SAMPLE_MAX);
	struct preview      *preview = zeroed(1, sizeof *preview);
	struct buffer        body    = {0};
	struct change_rule   rule    = {.canonical = wish->canonical};
	struct change_record record  = {.rule_count = 1, .rules = &rule};
	change_record_write_prepare(&body, &record);
	enum status status =
		plan_compile(buffer_text(&body), engine->config.retention_ms, &preview->plan, err);
	buffer_done(&body);
	if (status != STATUS_OK) {
		free(preview);
		return status;
	}
	preview->wish = *wish;
	preview->read =
		(struct engine_read){.run = begin, .done = all_begun, .min_position = wish->min_position};
	pthread_mutex_init(&preview->lock, NULL);
	atomic_store(&preview->left, 1);
	engine_read_all(engine, &preview->read);
	return STATUS_OK;
}
