#include "engine/catalog/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/instant.h"

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (memory == NULL)
		abort();
	return memory;
}

void catalog_init(struct catalog *catalog) { *catalog = (struct catalog){0}; }

static void done_by_event(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->by_event.capacity; i++) {
		struct filter_index *index = catalog->by_event.slots[i].value;
		if (catalog->by_event.slots[i].key == NULL || index == NULL)
			continue;
		filter_index_done(index);
		free(index);
	}
	map_text_done(&catalog->by_event);
}

static void forget_slots(struct rule *rule)
{
	exceptions_done(&rule->exceptions);
	if (rule->recorded != NULL)
		roaring_bitmap_free(rule->recorded);
	rule->recorded = NULL;
}

static void done_rules(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->rules.count; i++) {
		struct rule *rule = &catalog->rules.items[i];
		forget_slots(rule);
		VECTOR_DONE(&rule->derived);
		free(rule->segments);
		plan_unref(rule->owner);
	}
	VECTOR_DONE(&catalog->rules);
}

static void done_bindings(struct catalog *catalog)
{
	for (struct binding *binding = catalog->bindings; binding != NULL;) {
		struct binding *next = binding->next;
		free(binding->leaves);
		free(binding->traits);
		free(binding);
		binding = next;
	}
}

void catalog_done(struct catalog *catalog)
{
	done_rules(catalog);
	done_bindings(catalog);
	for (size_t i = 0; i < catalog->features.count; i++) {
		VECTOR_DONE(&catalog->features.items[i].leaves);
		VECTOR_DONE(&catalog->features.items[i].others);
		ladder_done(&catalog->features.items[i].ladder);
		gauge_free(catalog->features.items[i].gauge);
		plan_unref(catalog->features.items[i].owner);
	}
	for (size_t i = 0; i < catalog->leaves.count; i++) {
		VECTOR_DONE(&catalog->leaves.items[i].rules);
		plan_unref(catalog->leaves.items[i].owner);
	}
	for (size_t i = 0; i < catalog->traits.count; i++) {
		VECTOR_DONE(&catalog->traits.items[i].rules);
		plan_unref(catalog->traits.items[i].owner);
	}
	for (size_t i = 0; i < catalog->trait_lists.count; i++)
		VECTOR_DONE(&catalog->trait_lists.items[i]);
	VECTOR_DONE(&catalog->features);
	VECTOR_DONE(&catalog->leaves);
	VECTOR_DONE(&catalog->traits);
	VECTOR_DONE(&catalog->trait_lists);
	VECTOR_DONE(&catalog->live);
	filter_index_done(&catalog->any_event);
	VECTOR_DONE(&catalog->relative_traits);
	VECTOR_DONE(&catalog->live_defaults);
	done_by_event(catalog);
	map_text_done(&catalog->feature_keys);
	map_text_done(&catalog->leaf_keys);
	map_text_done(&catalog->trait_keys);
	map_u64_done(&catalog->by_trait);
}

uint32_t catalog_live(const struct catalog *catalog, uint32_t segment)
{
	return segment < catalog->live.count ? catalog->live.items[segment] : RULE_NONE;
}

void catalog_set_live(struct catalog *catalog, uint32_t segment, uint32_t rule)
{
	while (catalog->live.count <= segment)
		VECTOR_ADD(&catalog->live, RULE_NONE);
	index_list_remove(&catalog->live_defaults, catalog->live.items[segment]);
	catalog->live.items[segment] = rule;
	if (rule != RULE_NONE &&
	    (catalog->rules.items[rule].holds[false] || catalog->rules.items[rule].holds[true]))
		VECTOR_ADD(&catalog->live_defaults, rule);
}

/* The live index under `key`, or RULE_NONE. */
static uint32_t lookup(const struct map_text *map, struct text key)
{
	uintptr_t found = (uintptr_t)map_text_get(map, key);
	return found == 0 ? RULE_NONE : (uint32_t)found - 1;
}

static struct filter_index *event_index_of(struct catalog *catalog, struct text event)
{
	if (event.length == 0)
		return &catalog->any_event;
	void **place = map_text_put(&catalog->by_event, event);
	if (*place == NULL)
		*place = zeroed(1, sizeof(struct filter_index));
	return *place;
}

static index_list *trait_list_of(struct catalog *catalog, uint32_t hash)
{
	uint64_t *place = map_u64_put(&catalog->by_trait, hash);
	if (*place == 0) {
		VECTOR_RESERVE(&catalog->trait_lists, 1);
		catalog->trait_lists.items[catalog->trait_lists.count++] = (index_list){0};
		*place                                                   = catalog->trait_lists.count;
	}
	return &catalog->trait_lists.items[*place - 1];
}

static uint32_t add_feature(struct catalog *catalog, struct plan *plan, uint32_t index,
                            index_list *features)
{
	const struct plan_feature *wanted = &plan->features[index];
	uint32_t                   found  = lookup(&catalog->feature_keys, wanted->key);
	if (found != RULE_NONE)
		return found;

	uint32_t at = (uint32_t)catalog->features.count;
	assert(wanted->cap <= UINT8_MAX);
	catalog->bytes += sizeof(struct feature);
	VECTOR_ADD(&catalog->features, (struct feature){
									   .plan  = wanted,
									   .owner = plan_ref(plan),
									   .cap   = (uint8_t)wanted->cap,
									   .times = wanted->kind == SERIES_TIMES && !wanted->relative,
									   .sequence = wanted->step_count > 0,
								   });
	*map_text_put(&catalog->feature_keys, wanted->key) = (void *)((uintptr_t)at + 1);
	for (unsigned i = 0; i < wanted->step_count; i++)
		filter_index_add(event_index_of(catalog, wanted->steps[i].event), &wanted->steps[i], plan,
		                 at);
	if (wanted->step_count == 0)
		filter_index_add(event_index_of(catalog, wanted->event), wanted, plan, at);
	VECTOR_ADD(features, at);
	return at;
}

/* How long after its time an event matters to a leaf; as long as it exists: NEVER. */
static int64_t looks_back_ms(const struct plan_leaf *leaf, const struct plan_feature *feature)
{
	const struct sequence *sequence = feature->sequence;
	if (sequence == NULL)
		return leaf->span.within_ms > 0 ? leaf->span.within_ms : INSTANT_MS_NEVER;
	if (sequence->within_ms == INSTANT_MS_NEVER || sequence->ended_within_ms == INSTANT_MS_NEVER)
		return INSTANT_MS_NEVER;
	return sequence->within_ms + sequence->ended_within_ms;
}

/* Widens what is kept of a feature by what a leaf looks at. */
static void keep(struct feature *feature, const struct plan_leaf *leaf, bool first)
{
	int64_t back_ms = looks_back_ms(leaf, feature->plan);
	if (first)
		feature->kept = (struct span){.within_ms    = back_ms == INSTANT_MS_NEVER ? 0 : back_ms,
		                              .from_ms      = INSTANT_MS_NONE,
		                              .to_ms        = INSTANT_MS_NEVER,
		                              .retention_ms = leaf->span.retention_ms};
	else if (back_ms == INSTANT_MS_NEVER)
		feature->kept.within_ms = 0;
	else if (feature->kept.within_ms > 0 && feature->kept.within_ms < back_ms)
		feature->kept.within_ms = back_ms;
}

static void add_once(index_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == number)
			return;
	VECTOR_ADD(list, number);
}

/* One that none of its siblings has. */
static uint32_t free_bit(const struct catalog *catalog, const index_list *siblings)
{
	uint32_t taken = 0;
	for (size_t i = 0; i < siblings->count; i++) {
		uint32_t bit = catalog->leaves.items[siblings->items[i]].bit;
		if (bit < LEAF_BITS)
			taken |= UINT32_C(1) << bit;
	}
	uint32_t bit = 0;
	while (bit < LEAF_BITS && (taken >> bit & 1) != 0)
		bit++;
	return bit;
}

static uint32_t add_leaf(struct catalog *catalog, struct plan *plan, uint32_t index,
                         struct catalog_news *news)
{
	const struct plan_leaf *wanted = &plan->leaves[index];
	uint32_t                found  = lookup(&catalog->leaf_keys, wanted->key);
	if (found != RULE_NONE)
		return found;

	uint32_t number = add_feature(catalog, plan, wanted->feature, &news->features);
	uint32_t at     = (uint32_t)catalog->leaves.count;
	catalog->bytes += sizeof(struct leaf);
	VECTOR_ADD(&catalog->leaves,
	           (struct leaf){
				   .plan = wanted, .owner = plan_ref(plan), .feature = number, .bit = LEAF_BITS});
	*map_text_put(&catalog->leaf_keys, wanted->key) = (void *)((uintptr_t)at + 1);

	struct feature *feature = &catalog->features.items[number];
	int64_t         was_ms  = feature->kept.within_ms;
	VECTOR_ADD(&feature->leaves, at);
	if (!ladder_add(&feature->ladder, at, feature->plan, wanted) &&
	    !gauge_add(&feature->gauge, at, feature->plan, wanted)) {
		catalog->leaves.items[at].bit = free_bit(catalog, &feature->others);
		VECTOR_ADD(&feature->others, at);
	}
	keep(feature, wanted, feature->leaves.count == 1);
	add_once(&news->extended, number);
	bool fresh = news->features.count > 0 && number >= news->features.items[0];
	if (!fresh && feature->kept.within_ms != was_ms)
		add_once(&news->deepened, number);
	return at;
}

static uint32_t add_trait(struct catalog *catalog, struct plan *plan, uint32_t index)
{
	const struct plan_trait *wanted = &plan->traits[index];
	uint32_t                 found  = lookup(&catalog->trait_keys, wanted->key);
	if (found != RULE_NONE)
		return found;

	uint32_t at = (uint32_t)catalog->traits.count;
	catalog->bytes += sizeof(struct trait_leaf);
	VECTOR_ADD(&catalog->traits, (struct trait_leaf){.plan = wanted, .owner = plan_ref(plan)});
	*map_text_put(&catalog->trait_keys, wanted->key) = (void *)((uintptr_t)at + 1);
	VECTOR_ADD(trait_list_of(catalog, wanted->path.hash), at);
	if (wanted->first_hash != wanted->path.hash)
		VECTOR_ADD(trait_list_of(catalog, wanted->first_hash), at);
	if (wanted->relative)
		VECTOR_ADD(&catalog->relative_traits, at);
	return at;
}

static uint32_t find_rule(const struct catalog *catalog, const index_list *added, uint32_t segment)
{
	for (size_t i = 0; i < added->count; i++)
		if (catalog->rules.items[added->items[i]].segment == segment)
			return added->items[i];
	uint32_t live = catalog_live(catalog, segment);
	assert(live != RULE_NONE);
	return live;
}

static uint32_t bind_segments(struct catalog *catalog, struct rule *rule, const index_list *added)
{
	uint32_t level = 0;
	rule->segments = zeroed(rule->plan->segment_count, sizeof *rule->segments);
	for (uint32_t i = 0; i < rule->plan->segment_count; i++) {
		uint32_t other    = find_rule(catalog, added, rule->plan->segments[i]);
		rule->segments[i] = other;
		if (catalog->rules.items[other].level + 1 > level)
			level = catalog->rules.items[other].level + 1;
	}
	return level;
}

/* After the rules of a leaf have changed. */
static void tell_ladder(struct catalog *catalog, uint32_t index)
{
	const struct leaf *leaf    = &catalog->leaves.items[index];
	struct feature    *feature = &catalog->features.items[leaf->feature];
	uint32_t           rule    = leaf->rules.count == 1 ? leaf->rules.items[0] : LADDER_RULES;
	ladder_set_rule(&feature->ladder, index, rule);
	gauge_set_rule(feature->gauge, index, rule);
}

static enum rule_form form_of(const struct plan_rule *rule)
{
	if (rule->root.kind == NODE_LEAF)
		return RULE_LEAF;
	if (rule->root.kind == NODE_NOT && rule->root.children[0].kind == NODE_LEAF)
		return RULE_NOT_LEAF;
	return RULE_TREE;
}

static void add_rule(struct catalog *catalog, struct plan *plan, uint32_t index,
                     const struct binding *binding, index_list *rules)
{
	struct rule rule = {
		.plan    = &plan->rules[index],
		.owner   = plan_ref(plan),
		.state   = RULE_PREPARED,
		.form    = form_of(&plan->rules[index]),
		.segment = plan->rules[index].segment,
		.binding = binding,
	};
	exceptions_init(&rule.exceptions);
	rule.level = bind_segments(catalog, &rule, rules);
	if (rule.level > catalog->level_max)
		catalog->level_max = rule.level;

	uint32_t at = (uint32_t)catalog->rules.count;
	VECTOR_ADD(&catalog->rules, rule);
	for (uint32_t i = 0; i < rule.plan->leaf_count; i++) {
		uint32_t leaf = binding->leaves[rule.plan->leaves[i]];
		VECTOR_ADD(&catalog->leaves.items[leaf].rules, at);
		tell_ladder(catalog, leaf);
	}
	for (uint32_t i = 0; i < rule.plan->trait_count; i++)
		VECTOR_ADD(&catalog->traits.items[binding->traits[rule.plan->traits[i]]].rules, at);
	for (uint32_t i = 0; i < rule.plan->segment_count; i++) {
		VECTOR_ADD(&catalog->rules.items[rule.segments[i]].derived, at);
		catalog->rules.items[rule.segments[i]].has_derived = true;
	}
	VECTOR_ADD(rules, at);
	catalog->bytes += sizeof rule + rule.plan->segment_count * sizeof *rule.segments;
}

void catalog_news_done(struct catalog_news *news)
{
	VECTOR_DONE(&news->rules);
	VECTOR_DONE(&news->features);
	VECTOR_DONE(&news->deepened);
	VECTOR_DONE(&news->extended);
}

void catalog_add(struct catalog *catalog, struct plan *plan, struct catalog_news *news)
{
	struct binding *binding = zeroed(1, sizeof *binding);
	binding->next           = catalog->bindings;
	catalog->bindings       = binding;
	binding->leaves         = zeroed(plan->leaf_count, sizeof(uint32_t));
	binding->traits         = zeroed(plan->trait_count, sizeof(uint32_t));
	for (uint32_t i = 0; i < plan->leaf_count; i++)
		binding->leaves[i] = add_leaf(catalog, plan, i, news);
	for (uint32_t i = 0; i < plan->trait_count; i++)
		binding->traits[i] = add_trait(catalog, plan, i);
	for (uint32_t i = 0; i < plan->rule_count; i++)
		add_rule(catalog, plan, i, binding, &news->rules);
}

static void drop_feature(struct catalog *catalog, uint32_t index, index_list *dead)
{
	struct feature *feature = &catalog->features.items[index];
	feature->dead           = true;
	map_text_remove(&catalog->feature_keys, feature->plan->key);
	for (unsigned i = 0; i < feature->plan->step_count; i++) {
		const struct plan_feature *step = &feature->plan->steps[i];
		filter_index_remove(event_index_of(catalog, step->event), step, index);
	}
	if (feature->plan->step_count == 0)
		filter_index_remove(event_index_of(catalog, feature->plan->event), feature->plan, index);
	VECTOR_ADD(dead, index);
}

static void drop_leaf(struct catalog *catalog, uint32_t index, index_list *dead)
{
	struct leaf *leaf = &catalog->leaves.items[index];
	leaf->dead        = true;
	map_text_remove(&catalog->leaf_keys, leaf->plan->key);
	index_list *siblings = &catalog->features.items[leaf->feature].leaves;
	index_list_remove(siblings, index);
	index_list_remove(&catalog->features.items[leaf->feature].others, index);
	ladder_remove(&catalog->features.items[leaf->feature].ladder, index);
	gauge_remove(catalog->features.items[leaf->feature].gauge, index);
	for (size_t i = 0; i < siblings->count; i++)
		keep(&catalog->features.items[leaf->feature],
		     catalog->leaves.items[siblings->items[i]].plan, i == 0);
	if (siblings->count == 0)
		drop_feature(catalog, leaf->feature, dead);
}

static void drop_trait(struct catalog *catalog, uint32_t index)
{
	struct trait_leaf *trait = &catalog->traits.items[index];
	trait->dead              = true;
	map_text_remove(&catalog->trait_keys, trait->plan->key);
	index_list_remove(trait_list_of(catalog, trait->plan->path.hash), index);
	index_list_remove(trait_list_of(catalog, trait->plan->first_hash), index);
	index_list_remove(&catalog->relative_traits, index);
}

void catalog_retire(struct catalog *catalog, uint32_t index, index_list *dead)
{
	struct rule *rule = &catalog->rules.items[index];
	rule->state       = RULE_RETIRED;
	for (uint32_t i = 0; i < rule->plan->leaf_count; i++) {
		uint32_t leaf = rule->binding->leaves[rule->plan->leaves[i]];
		index_list_remove(&catalog->leaves.items[leaf].rules, index);
		tell_ladder(catalog, leaf);
		if (catalog->leaves.items[leaf].rules.count == 0)
			drop_leaf(catalog, leaf, dead);
	}
	for (uint32_t i = 0; i < rule->plan->trait_count; i++) {
		uint32_t trait = rule->binding->traits[rule->plan->traits[i]];
		index_list_remove(&catalog->traits.items[trait].rules, index);
		if (catalog->traits.items[trait].rules.count == 0)
			drop_trait(catalog, trait);
	}
	for (uint32_t i = 0; i < rule->plan->segment_count; i++)
		index_list_remove(&catalog->rules.items[rule->segments[i]].derived, index);
	forget_slots(rule);
}

void catalog_find(const struct catalog *catalog, struct text event, struct text properties,
                  found_list *features)
{
	const struct filter_index *named = map_text_get(&catalog->by_event, event);
	if (named != NULL)
		filter_index_find(named, properties, features);
	filter_index_find(&catalog->any_event, properties, features);
}

const index_list *catalog_traits(const struct catalog *catalog, uint32_t name_hash)
{
	uint64_t *place = map_u64_find(&catalog->by_trait, name_hash);
	return place == NULL || *place == 0 ? NULL : &catalog->trait_lists.items[*place - 1];
}
