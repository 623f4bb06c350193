#include "engine/apply/look.h"

#include "base/instant.h"
#include "engine/apply/feature.h"
#include "engine/apply/leaf.h"
#include "engine/apply/step.h"

static const struct feature *feature_at(const struct partition *partition, uint32_t index)
{
	return &partition->catalog.features.items[index];
}

static bool is_built(uint32_t built, uint32_t slot) { return built == BUILT_ALL || slot < built; }

static bool is_touched(const struct partition *partition, struct found_feature found,
                       const struct record *record, int64_t now_ms)
{
	const struct feature *feature = &partition->catalog.features.items[found.number];
	return is_built(feature->built, record->slot) &&
	       ((found.sure && !feature->sequence) || feature_concerns(feature->plan, record, now_ms));
}

/* An event may match several steps of a sequence, and so find it more than once. */
static bool is_repeated(const struct partition *partition, const index_list *features, size_t begin,
                        uint32_t index)
{
	if (!partition->catalog.features.items[index].sequence)
		return false;
	for (size_t i = begin; i < features->count; i++)
		if (features->items[i] == index)
			return true;
	return false;
}

void look_find(struct partition *partition, const struct record *record, int64_t now_ms,
               index_list *features)
{
	found_list *found = &partition->found;
	size_t      begin = features->count;
	found->count      = 0;
	catalog_find(&partition->catalog, record->name, record->properties, found);
	for (size_t i = 0; i < found->count; i++)
		if (is_touched(partition, found->items[i], record, now_ms) &&
		    !is_repeated(partition, features, begin, found->items[i].number))
			VECTOR_ADD(features, (uint32_t)found->items[i].number);
}

void look_before(struct partition *partition, uint32_t slot, const struct profile *profile,
                 int64_t now_ms)
{
	partition->before.count = 0;
	for (size_t i = 0; i < partition->touched.count; i++) {
		const index_list *others = &feature_at(partition, partition->touched.items[i])->others;
		for (size_t j = 0; j < others->count; j++)
			VECTOR_ADD(&partition->before,
			           leaf_holds(partition, slot, profile, others->items[j], now_ms));
	}
}

/* How many of the series' times have come. */
static uint32_t count_happened(const struct series *series, int64_t now_ms)
{
	uint32_t count = series == NULL ? 0 : series->count;
	while (count > 0 && series->times_ms[count - 1] > now_ms)
		count--;
	return count;
}

/* What a look at a feature of a person finds. */
struct finding {
	int64_t  due_ms; /* when to look again */
	uint32_t truths; /* as in person_feature */
};

static const struct finding nothing_found = {.due_ms = INSTANT_MS_NEVER, .truths = TRUTHS_KNOWN};

/* Looks at a leaf. */
static bool find(struct partition *partition, uint32_t slot, const struct profile *profile,
                 uint32_t index, int64_t now_ms, struct finding *finding)
{
	int64_t  next_ms;
	bool     holds = leaf_look(partition, slot, profile, index, now_ms, &next_ms);
	uint32_t bit   = partition->catalog.leaves.items[index].bit;
	if (next_ms < finding->due_ms)
		finding->due_ms = next_ms;
	if (holds && bit < LEAF_BITS)
		finding->truths |= UINT32_C(1) << bit;
	return holds;
}

static void find_all(struct partition *partition, uint32_t slot, const struct profile *profile,
                     const index_list *leaves, int64_t now_ms, struct finding *finding)
{
	for (size_t i = 0; i < leaves->count; i++)
		find(partition, slot, profile, leaves->items[i], now_ms, finding);
}

static void keep_finding(struct person_feature *kept, const struct finding *finding)
{
	kept->next_ms = finding->due_ms;
	kept->truths  = finding->truths;
}

static void touch_crossed(struct partition *partition, uint32_t slot, const struct rung *rung,
                          const struct look_event *event)
{
	step_touch_rule(partition, slot, rung->leaf, rung->rule, rung->above, CAUSE_EVENT,
	                event->position);
}

static void touch_flips(struct partition *partition, uint32_t slot, enum cause cause,
                        uint64_t event_position)
{
	for (size_t i = 0; i < partition->flips.count; i++) {
		const struct gauge_flip *flip = &partition->flips.items[i];
		step_touch_rule(partition, slot, flip->leaf, flip->rule, flip->holds, cause,
		                event_position);
	}
}

/* Where the event lies that was added last: behind those of its time. */
static uint32_t place_of(const struct series *series, int64_t time_ms)
{
	uint32_t at = series->count;
	while (series->times_ms[at - 1] > time_ms)
		at--;
	return at - 1;
}

/* The leaves on the ladder and of the gauge. `longer`: the event is in the series. */
static void climb(struct partition *partition, const struct profile *profile,
                  const struct feature *feature, const struct series *series, bool longer,
                  const struct look_event *event, struct finding *finding)
{
	uint32_t slot     = event->record->slot;
	uint32_t happened = count_happened(series, event->now_ms);
	if (feature->ladder.count > 0 && event->time_ms <= event->now_ms) {
		partition->crossed.count = 0;
		finding->due_ms = ladder_climb(&feature->ladder, series->times_ms, happened, event->time_ms,
		                               event->now_ms, &partition->crossed);
		for (size_t i = 0; i < partition->crossed.count; i++)
			touch_crossed(partition, slot, &partition->crossed.items[i], event);
	}
	if (feature->gauge != NULL) {
		uint32_t added         = longer ? place_of(series, event->time_ms) : UINT32_MAX;
		partition->flips.count = 0;
		finding->due_ms =
			gauge_climb(feature->gauge, series, happened, added, event->now_ms, &partition->flips);
		touch_flips(partition, slot, CAUSE_EVENT, event->position);
	}
	/* What begins to count later flips them by time. */
	if (happened < series->count)
		find_all(partition, slot, profile, &feature->leaves, event->now_ms, finding);
}

/* Whether nothing is to be thought of but the time itself. */
static bool is_plain(const struct feature *feature, const struct series *series,
                     const struct look_event *event)
{
	if (!feature->times || event->time_ms > event->now_ms)
		return false;
	return series == NULL || (series->times_ms[series->count - 1] <= event->now_ms &&
	                          (series->count < series->room || feature->cap > 0));
}

static struct series *series_with(const struct feature *feature, struct series *series,
                                  const struct look_event *event, bool *ret_longer)
{
	if (!is_plain(feature, series, event))
		return feature_add(feature, series, event->record, event->time_ms, event->now_ms,
		                   ret_longer);
	if (series == NULL)
		series = series_new(SERIES_TIMES);
	return series_add(series, feature->cap, event->time_ms, (union series_item){0});
}

/* Returns what the person then has of the feature; NULL: nothing. */
static struct person_feature *add_to_series(struct partition *partition, struct profile *profile,
                                            uint32_t index, const struct look_event *event,
                                            bool *ret_longer)
{
	uint32_t               place;
	const struct feature  *feature = feature_at(partition, index);
	struct person_feature *kept    = profile_feature_place(profile, index, &place);
	struct series         *series  = kept == NULL ? NULL : kept->series;
	size_t                 before  = series_bytes(series);
	series                         = series_with(feature, series, event, ret_longer);
	if (kept == NULL && series == NULL && !feature->plan->relative)
		return NULL;
	if (kept == NULL)
		kept = profile_feature_insert(&partition->profiles, profile, index, place);
	kept->series = series;
	profiles_count_series(&partition->profiles, before, series_bytes(series));
	return kept;
}

/* One feature; `before` is what those of its leaves were that stand on nothing. */
static void look_at_feature(struct partition *partition, struct profile *profile, uint32_t index,
                            const bool *before, const struct look_event *event)
{
	uint32_t              slot    = event->record->slot;
	bool                  longer  = false;
	const struct feature *feature = feature_at(partition, index);
	struct finding        finding = nothing_found;

	struct person_feature *kept = add_to_series(partition, profile, index, event, &longer);
	if (kept != NULL && kept->series != NULL)
		climb(partition, profile, feature, kept->series, longer, event, &finding);
	for (size_t i = 0; i < feature->others.count; i++) {
		uint32_t leaf  = feature->others.items[i];
		bool     holds = find(partition, slot, profile, leaf, event->now_ms, &finding);
		if (holds != before[i])
			step_touch_leaf(partition, slot, leaf, holds, CAUSE_EVENT, event->position);
	}
	if (kept == NULL)
		return;
	keep_finding(kept, &finding);
	step_arm(partition, slot, profile, finding.due_ms);
}

void look_at_event(struct partition *partition, struct profile *profile,
                   const struct look_event *event)
{
	size_t at = 0;
	if (profile->features == NULL)
		profile_features_reserve(&partition->profiles, profile, (uint32_t)partition->touched.count);
	for (size_t i = 0; i < partition->touched.count; i++) {
		uint32_t index = partition->touched.items[i];
		look_at_feature(partition, profile, index, partition->before.items + at, event);
		at += feature_at(partition, index)->others.count;
	}
}

/* An event of the future that begins at this instant and that the leaf looks at; 0: none. */
static uint64_t begun_event(struct partition *partition, uint32_t slot, const struct leaf *leaf,
                            int64_t now_ms)
{
	const struct plan_feature *feature = partition->catalog.features.items[leaf->feature].plan;
	if (leaf->plan->span.until_ms > 0)
		return 0;
	uint64_t position = 0;
	for (size_t i = 0; i < partition->begun.count; i++) {
		const struct future_event *begun = &partition->begun.items[i];
		if (begun->slot != slot)
			continue;
		const struct events_query query = {
			.name             = feature->event,
			.from_ms          = now_ms,
			.to_ms            = now_ms + 1,
			.through_position = partition->stored_position,
			.now_ms           = now_ms,
			.retention_ms     = partition->retention_ms,
		};
		event_list *list = &partition->scratch_events;
		event_list_clear(list);
		facts_read(partition, slot, &query, NULL, list);
		for (size_t j = 0; j < list->count; j++)
			if (list->items[j].position == begun->position &&
			    feature_matches(feature, &list->items[j].record, now_ms))
				position = begun->position;
	}
	return position;
}

/* Evaluates a leaf at an instant and right before it. */
static void evaluate_flip(struct partition *partition, uint32_t slot, struct profile *profile,
                          uint32_t index, int64_t at_ms, struct finding *finding)
{
	bool holds = find(partition, slot, profile, index, at_ms, finding);
	if (leaf_holds(partition, slot, profile, index, at_ms - 1) == holds)
		return;
	uint64_t position =
		begun_event(partition, slot, &partition->catalog.leaves.items[index], at_ms);
	step_touch_leaf(partition, slot, index, holds, position > 0 ? CAUSE_EVENT : CAUSE_EXPIRY,
	                position);
}

static int64_t fall(struct partition *partition, uint32_t slot, struct profile *profile,
                    const struct feature *feature, const struct series *series, int64_t at_ms)
{
	if (feature->gauge != NULL) {
		partition->flips.count = 0;
		int64_t due_ms         = gauge_fall(feature->gauge, series, at_ms, &partition->flips);
		touch_flips(partition, slot, CAUSE_EXPIRY, 0);
		return due_ms;
	}
	partition->crossed.count = 0;
	int64_t due_ms =
		ladder_fall(&feature->ladder, series->times_ms, series->count, at_ms, &partition->crossed);
	for (size_t i = 0; i < partition->crossed.count; i++) {
		const struct rung *rung  = &partition->crossed.items[i];
		bool               holds = !rung->above;
		/* It may have crossed several of its rungs at once. */
		if (!rung->alone) {
			holds = leaf_holds(partition, slot, profile, rung->leaf, at_ms);
			if (holds == leaf_holds(partition, slot, profile, rung->leaf, at_ms - 1))
				continue;
		}
		step_touch_rule(partition, slot, rung->leaf, rung->rule, holds, CAUSE_EXPIRY, 0);
	}
	return due_ms;
}

void look_at_instant(struct partition *partition, uint32_t slot, struct profile *profile,
                     struct person_feature *kept, int64_t at_ms)
{
	const struct feature *feature = feature_at(partition, kept->feature);
	const struct series  *series  = kept->series;
	const index_list     *rest    = &feature->leaves;
	struct finding        finding = nothing_found;
	/* Where something begins to count now or later, all of them are evaluated. */
	if (series != NULL && count_happened(series, at_ms - 1) == series->count) {
		finding.due_ms = fall(partition, slot, profile, feature, series, at_ms);
		rest           = &feature->others;
	}
	for (size_t i = 0; i < rest->count; i++)
		evaluate_flip(partition, slot, profile, rest->items[i], at_ms, &finding);
	keep_finding(kept, &finding);
}

void look_again(struct partition *partition, uint32_t slot, struct profile *profile,
                struct person_feature *kept, int64_t now_ms)
{
	const struct feature *feature = feature_at(partition, kept->feature);
	const struct series  *series  = kept->series;
	const index_list     *rest    = &feature->leaves;
	struct finding        finding = nothing_found;
	if (series != NULL && count_happened(series, now_ms) == series->count) {
		finding.due_ms = feature->gauge != NULL ? gauge_fall(feature->gauge, series, now_ms, NULL)
		                                        : ladder_fall(&feature->ladder, series->times_ms,
		                                                      series->count, now_ms, NULL);
		rest           = &feature->others;
	}
	find_all(partition, slot, profile, rest, now_ms, &finding);
	keep_finding(kept, &finding);
	step_arm(partition, slot, profile, finding.due_ms);
}
