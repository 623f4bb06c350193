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

/* The leaves on the ladder. */
static void climb(struct partition *partition, uint32_t slot, const struct profile *profile,
                  const struct feature *feature, const struct series *series,
                  const struct look_event *event, struct finding *finding)
{
	uint32_t happened = count_happened(series, event->now_ms);
	if (feature->ladder.count == 0)
		return;

	partition->crossed.count = 0;
	if (event->time_ms <= event->now_ms)
		finding->due_ms = ladder_climb(&feature->ladder, series->times_ms, happened, event->time_ms,
		                               event->now_ms, &partition->crossed);
	for (size_t i = 0; i < partition->crossed.count; i++) {
		const struct rung *rung = &partition->crossed.items[i];
		step_touch_rung(partition, slot, rung, rung->above, CAUSE_EVENT, event->position);
	}
	/* What begins to count later flips them upwards by time. */
	if (happened < series->count)
		find_all(partition, slot, profile, &feature->leaves, event->now_ms, finding);
}

void look_after(struct partition *partition, uint32_t slot, struct profile *profile,
                const struct look_event *event)
{
	size_t at = 0;
	for (size_t i = 0; i < partition->touched.count; i++) {
		const struct feature  *feature = feature_at(partition, partition->touched.items[i]);
		struct person_feature *kept    = profile_feature(profile, partition->touched.items[i]);
		struct finding         finding = nothing_found;
		if (kept != NULL && kept->series != NULL)
			climb(partition, slot, profile, feature, kept->series, event, &finding);
		for (size_t j = 0; j < feature->others.count; j++) {
			uint32_t leaf  = feature->others.items[j];
			bool     holds = find(partition, slot, profile, leaf, event->now_ms, &finding);
			if (holds != partition->before.items[at++])
				step_touch_leaf(partition, slot, leaf, holds, CAUSE_EVENT, event->position);
		}
		if (kept == NULL)
			continue;
		keep_finding(kept, &finding);
		step_arm(partition, slot, profile, finding.due_ms);
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
		step_touch_rung(partition, slot, rung, holds, CAUSE_EXPIRY, 0);
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
		finding.due_ms =
			ladder_fall(&feature->ladder, series->times_ms, series->count, now_ms, NULL);
		rest = &feature->others;
	}
	find_all(partition, slot, profile, rest, now_ms, &finding);
	keep_finding(kept, &finding);
	step_arm(partition, slot, profile, finding.due_ms);
}
