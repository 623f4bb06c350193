#include "engine/fact/amend.h"

#include <string.h>

#include "base/instant.h"
#include "engine/fact/facts.h"
#include "engine/apply/feature.h"
#include "engine/apply/leaf.h"
#include "engine/apply/look.h"
#include "engine/apply/step.h"

static void look(struct amend *amend, int64_t now_ms, event_list *list)
{
	const struct events_query query = {
		.from_ms      = INT64_MIN,
		.to_ms        = INT64_MAX,
		.now_ms       = now_ms,
		.retention_ms = amend->partition->retention_ms,
	};
	facts_read(amend->partition, amend->slot, &query, &amend->arena, list);
}

void amend_begin(struct amend *amend, struct partition *partition, uint32_t slot,
                 struct profile *profile, int64_t before_ms)
{
	*amend = (struct amend){.partition     = partition,
	                        .profile       = profile,
	                        .slot          = slot,
	                        .before_ms     = before_ms,
	                        .stored_before = partition->stored_position};
	arena_init(&amend->arena);
	look(amend, before_ms, &amend->seen);
}

static bool is_known(const struct partition *partition, uint32_t index)
{
	for (size_t i = 0; i < partition->touched.count; i++)
		if (partition->touched.items[i] == index)
			return true;
	return false;
}

static void touch(struct amend *amend, const struct event *event)
{
	struct partition *partition = amend->partition;
	found_list       *found     = &partition->found;
	found->count                = 0;
	catalog_find(&partition->catalog, event->record.name, event->record.properties, found);
	for (size_t i = 0; i < found->count; i++) {
		uint32_t index = (uint32_t)found->items[i].number;
		uint32_t built = partition->catalog.features.items[index].built;
		if ((built == BUILT_ALL || amend->slot < built) && !is_known(partition, index))
			VECTOR_ADD(&partition->touched, index);
	}
}

static int compare(const struct event *a, const struct event *b)
{
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return event_compare_acceptance(a, b);
}

static bool same_version(const struct event *a, const struct event *b)
{
	struct text left = a->record.properties, right = b->record.properties;
	return left.length == right.length &&
	       (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

/* Both lists are in the order of rule 13. */
static void touch_differences(struct amend *amend, const event_list *before,
                              const event_list *after)
{
	size_t i = 0, j = 0;
	while (i < before->count || j < after->count) {
		int order = i == before->count  ? 1
		            : j == after->count ? -1
		                                : compare(&before->items[i], &after->items[j]);
		if (order < 0) {
			touch(amend, &before->items[i++]);
		} else if (order > 0) {
			touch(amend, &after->items[j++]);
		} else {
			if (!same_version(&before->items[i], &after->items[j])) {
				touch(amend, &before->items[i]);
				touch(amend, &after->items[j]);
			}
			i++;
			j++;
		}
	}
}

/* What the leaves are before: by the series so far, and the stored events so far. */
static void note_leaves(struct amend *amend)
{
	struct partition *partition = amend->partition;
	uint64_t          stored    = partition->stored_position;
	partition->stored_position  = amend->stored_before;
	partition->before.count     = 0;
	for (size_t i = 0; i < partition->touched.count; i++) {
		const index_list *leaves =
			&partition->catalog.features.items[partition->touched.items[i]].leaves;
		for (size_t j = 0; j < leaves->count; j++)
			VECTOR_ADD(&partition->before, leaf_holds(partition, amend->slot, amend->profile,
			                                          leaves->items[j], amend->before_ms));
	}
	partition->stored_position = stored;
}

static void touch_flipped(struct amend *amend, int64_t now_ms, enum cause cause,
                          uint64_t event_position)
{
	struct partition *partition = amend->partition;
	size_t            at        = 0;
	for (size_t i = 0; i < partition->touched.count; i++) {
		uint32_t          feature = partition->touched.items[i];
		const index_list *leaves  = &partition->catalog.features.items[feature].leaves;
		for (size_t j = 0; j < leaves->count; j++) {
			uint32_t leaf  = leaves->items[j];
			bool     holds = leaf_holds(partition, amend->slot, amend->profile, leaf, now_ms);
			if (holds != partition->before.items[at++])
				step_touch_leaf(partition, amend->slot, leaf, holds, cause, event_position);
		}
		struct person_feature *kept = profile_feature(amend->profile, feature);
		if (kept != NULL)
			look_again(partition, amend->slot, amend->profile, kept, now_ms);
	}
}

void amend_finish(struct amend *amend, int64_t now_ms, enum cause cause, uint64_t event_position)
{
	struct partition *partition = amend->partition;
	event_list        seen      = {0};
	look(amend, now_ms, &seen);
	partition->touched.count = 0;
	touch_differences(amend, &amend->seen, &seen);
	event_list_done(&seen);
	event_list_done(&amend->seen);
	arena_done(&amend->arena);

	note_leaves(amend);
	for (size_t i = 0; i < partition->touched.count; i++)
		profile_feature_remove(&partition->profiles, amend->profile, partition->touched.items[i]);
	feature_build(partition, amend->slot, amend->profile, &partition->touched, now_ms);
	touch_flipped(amend, now_ms, cause, event_position);
	facts_arm(partition, amend->slot, amend->profile, now_ms);
	if (partition->witness != NULL)
		partition->witness->saw_events(partition->witness, amend->slot);
}

void amend_fire(struct partition *partition, uint32_t slot, struct profile *profile, int64_t at_ms)
{
	if (!profile->amended)
		return;
	int64_t next_ms = facts_next_ms(partition, slot);
	if (next_ms > at_ms) {
		step_arm(partition, slot, profile, next_ms);
		return;
	}
	struct amend amend;
	uint64_t     begun = facts_begun(partition, slot, at_ms);
	amend_begin(&amend, partition, slot, profile, at_ms - 1);
	amend_finish(&amend, at_ms, begun > 0 ? CAUSE_EVENT : CAUSE_EXPIRY, begun);
}
