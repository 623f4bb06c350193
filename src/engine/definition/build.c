#include "engine/definition/build.h"

#include <stdlib.h>

#include "base/instant.h"
#include "engine/apply/feature.h"
#include "engine/apply/leaf.h"
#include "engine/apply/look.h"
#include "engine/catalog/plan_cache.h"
#include "engine/apply/step.h"

/* Whether what a plan refers to is there: the API saw to it, a damaged record could not. */
static bool references_live(const struct partition *partition, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->rule_count; i++) {
		for (uint32_t j = 0; j < plan->rules[i].segment_count; j++) {
			uint32_t segment = plan->rules[i].segments[j];
			bool     found   = catalog_live(&partition->catalog, segment) != RULE_NONE;
			for (uint32_t k = 0; k < i && !found; k++)
				found = plan->rules[k].segment == segment;
			if (!found)
				return false;
		}
	}
	return true;
}

enum status build_prepare(struct partition *partition, struct text body, struct error *err)
{
	struct byte_reader reader = byte_reader_of(body.data, body.length);
	uint64_t           id     = read_u64(&reader);
	if (id <= partition->last_change_id)
		return STATUS_OK; /* delivered before */

	struct plan *plan;
	enum status  status = plan_cache_get(partition->plans, id, body, &plan, err);
	if (status != STATUS_OK)
		return status;
	if (!references_live(partition, plan)) {
		plan_unref(plan);
		return error_set(err, STATUS_CORRUPT,
		                 "definition change %llu refers to a segment that is not live",
		                 (unsigned long long)id);
	}
	partition->last_change_id = id;

	struct build *build = calloc(1, sizeof *build);
	if (build == NULL)
		abort();
	build->change_id = id;
	build->plan      = plan;
	catalog_add(&partition->catalog, plan, &build->news);
	if (partition->number == 0) /* all partitions share it */
		partition->catalog.bytes += plan->arena.bytes;
	for (size_t i = 0; i < build->news.rules.count; i++) {
		struct rule *rule = &partition->catalog.rules.items[build->news.rules.items[i]];
		for (int identified = 0; identified < 2; identified++)
			rule->holds[identified] =
				rule_holds_by_default(partition, build->news.rules.items[i], identified);
	}

	struct build **end = &partition->builds;
	while (*end != NULL)
		end = &(*end)->next;
	*end = build;
	return STATUS_OK;
}

static void build_slot(struct partition *partition, const struct build *build, uint32_t slot)
{
	struct profile *profile = profiles_change(&partition->profiles, slot);
	if (profile == NULL)
		return;
	int64_t now_ms = atomic_load_explicit(&partition->clock_ms, memory_order_relaxed);
	for (size_t i = 0; i < build->news.deepened.count; i++)
		profile_feature_remove(&partition->profiles, profile, build->news.deepened.items[i]);
	feature_build(partition, slot, profile, &build->news.features, now_ms);
	feature_build(partition, slot, profile, &build->news.deepened, now_ms);

	for (size_t i = 0; i < build->news.extended.count; i++) {
		struct person_feature *kept = profile_feature(profile, build->news.extended.items[i]);
		if (kept != NULL)
			look_again(partition, slot, profile, kept, now_ms);
	}

	/* Referred-to rules come first in a plan. */
	for (size_t i = 0; i < build->news.rules.count; i++) {
		uint32_t rule  = build->news.rules.items[i];
		bool     holds = rule_holds(partition, slot, profile, rule, now_ms);
		if (holds != rule_is_member(partition, profile, rule))
			step_set_member(partition, slot, profile, rule, holds, now_ms);
	}
	step_rearm_traits(partition, slot, profile, now_ms);
}

static void set_built(struct partition *partition, const struct build *build, uint32_t built)
{
	for (size_t i = 0; i < build->news.features.count; i++)
		partition->catalog.features.items[build->news.features.items[i]].built = built;
	for (size_t i = 0; i < build->news.rules.count; i++)
		partition->catalog.rules.items[build->news.rules.items[i]].built = built;
}

/* Builds up to `slots` slots; true when that was its last one. */
static bool build_some(struct partition *partition, struct build *build, uint32_t slots)
{
	while (build->cursor < partition->profiles.slot_count && slots-- > 0)
		build_slot(partition, build, build->cursor++);
	build->built = build->cursor >= partition->profiles.slot_count;
	set_built(partition, build, build->built ? BUILT_ALL : build->cursor);
	return build->built;
}

static struct build *next_unbuilt(const struct partition *partition)
{
	struct build *build = partition->builds;
	while (build != NULL && build->built)
		build = build->next;
	return build;
}

bool build_continue(struct partition *partition, uint32_t slots)
{
	struct build *build = next_unbuilt(partition);
	if (build != NULL && build_some(partition, build, slots))
		build = build->next;
	return build != NULL;
}

struct build *build_find(const struct partition *partition, uint64_t change_id)
{
	struct build *build = partition->builds;
	while (build != NULL && build->change_id != change_id)
		build = build->next;
	return build;
}

struct build *build_finish(struct partition *partition, uint64_t change_id)
{
	struct build *build = build_find(partition, change_id);
	while (build != NULL && !build->built)
		build_some(partition, next_unbuilt(partition), UINT32_MAX);
	return build;
}

void build_drop(struct partition *partition, struct build *build)
{
	struct build **place = &partition->builds;
	while (*place != build)
		place = &(*place)->next;
	*place = build->next;
	catalog_news_done(&build->news);
	plan_unref(build->plan);
	free(build);
}

static void forget_members(struct partition *partition, uint32_t index)
{
	struct rule            *rule    = &partition->catalog.rules.items[index];
	const roaring_bitmap_t *lists[] = {exceptions_bitmap(&rule->exceptions), rule->recorded};
	for (unsigned i = 0; i < 2 && lists[i] != NULL; i++) {
		roaring_uint32_iterator_t iterator;
		roaring_init_iterator(lists[i], &iterator);
		for (; iterator.has_value; roaring_advance_uint32_iterator(&iterator)) {
			struct profile *profile = profiles_change(&partition->profiles, iterator.current_value);
			if (profile != NULL)
				profile_membership_remove(profile, index);
		}
	}
}

/* Takes away the events that only the abandoned rules looked at. */
static void trim_feature(struct partition *partition, uint32_t slot, uint32_t index, int64_t now_ms)
{
	const struct feature  *feature = &partition->catalog.features.items[index];
	const struct profile  *found   = profiles_find(&partition->profiles, slot);
	struct person_feature *kept    = found == NULL ? NULL : profile_feature(found, index);
	if (kept == NULL || kept->series == NULL || feature->dead)
		return;
	struct profile *profile = profiles_change(&partition->profiles, slot);
	size_t          before  = series_bytes(kept->series);
	series_forget(kept->series, &feature->kept, now_ms);
	if (kept->series->count == 0) {
		profile_feature_remove(&partition->profiles, profile, index);
		return;
	}
	kept->series = series_fit(kept->series);
	profiles_count_series(&partition->profiles, before, series_bytes(kept->series));
}

/* Features that look back less far again. */
static void trim(struct partition *partition, const struct build *build)
{
	int64_t now_ms = atomic_load_explicit(&partition->clock_ms, memory_order_relaxed);
	for (size_t i = 0; i < build->news.deepened.count; i++)
		for (uint32_t slot = 0; slot < build->cursor; slot++)
			trim_feature(partition, slot, build->news.deepened.items[i], now_ms);
}

static void add_once(index_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == number)
			return;
	VECTOR_ADD(list, number);
}

/* What the builds behind it share with it, and it has not built to the end, is the next one's. */
static void hand_over(struct partition *partition, const struct build *build, index_list *dead)
{
	struct feature      *features = partition->catalog.features.items;
	struct catalog_news *next     = &build->next->news;
	for (size_t i = 0; i < build->news.features.count; i++) {
		uint32_t index = build->news.features.items[i];
		if (features[index].dead)
			continue;
		features[index].built = 0;
		VECTOR_ADD(dead, index);
		VECTOR_ADD(&next->features, index);
		index_list_remove(&next->deepened, index); /* it has nothing to be deepened */
	}
	for (size_t i = 0; i < build->news.deepened.count; i++)
		if (!features[build->news.deepened.items[i]].dead)
			add_once(&next->deepened, build->news.deepened.items[i]);
	for (size_t i = 0; i < build->news.extended.count; i++)
		if (!features[build->news.extended.items[i]].dead)
			add_once(&next->extended, build->news.extended.items[i]);
}

void build_abandon(struct partition *partition, struct build *build, index_list *dead)
{
	/* Derived ones first, as when they cease to be. */
	for (size_t i = build->news.rules.count; i-- > 0;) {
		forget_members(partition, build->news.rules.items[i]);
		catalog_retire(&partition->catalog, build->news.rules.items[i], dead);
	}
	trim(partition, build);
	if (!build->built && build->next != NULL)
		hand_over(partition, build, dead);
	build_drop(partition, build);
}

unsigned build_progress(const struct partition *partition, uint64_t change_id)
{
	const struct build *build = build_find(partition, change_id);
	if (build == NULL || build->built || partition->profiles.slot_count == 0)
		return 1000;
	return (unsigned)(999 * (uint64_t)build->cursor / partition->profiles.slot_count);
}
