#include "engine/leaf.h"

#include <assert.h>

#include "base/instant.h"

/* How far a walk looks for the next flip before it is content with an earlier instant, at which the
 * timer will look on from there. */
enum { WALK_STEPS_MAX = 64 };

static const struct plan_leaf *plan_of(const struct partition *partition, uint32_t index)
{
	return partition->catalog.leaves.items[index].plan;
}

static const struct plan_feature *feature_of(const struct partition *partition, uint32_t index)
{
	uint32_t feature = partition->catalog.leaves.items[index].feature;
	return partition->catalog.features.items[feature].plan;
}

static bool value_holds(const struct plan_leaf *leaf, bool sums, const struct series_value *value)
{
	return sums ? evaluate_sum(&leaf->test, value->sum) : evaluate_count(&leaf->test, value->count);
}

/* Whether an incomplete count can be compared all the same: all that it may be lies above every
 * value that it is compared with. */
static bool decided(const struct plan_leaf *leaf, const struct series_value *value)
{
	return value->complete || value->count > leaf->value_max;
}

static void read_events(struct partition *partition, uint32_t slot,
                        const struct plan_feature *feature, int64_t now_ms, event_list *list)
{
	const struct events_query query = {
		.name             = feature->event,
		.from_ms          = INT64_MIN,
		.to_ms            = INT64_MAX,
		.through_position = partition->stored_position,
		.now_ms           = now_ms,
		.retention_ms     = partition->retention_ms,
	};
	list->count = 0;
	events_read(partition->events, slot, &query, list);
}

struct series *feature_scan(struct partition *partition, uint32_t slot,
                            const struct plan_feature *feature, unsigned cap, int64_t now_ms)
{
	event_list *list = &partition->scratch_events;
	read_events(partition, slot, feature, now_ms, list);

	struct series *series = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct record *record = &list->items[i].record;
		int64_t              amount = 0;
		if (!evaluate_where(feature->where, record->properties, record->context, now_ms))
			continue;
		if (feature->sums &&
		    !evaluate_amount(&feature->amount, record->properties, record->context, &amount))
			continue;
		if (series == NULL)
			series = series_new(feature->sums);
		series = series_add(series, cap, list->items[i].time_ms, amount);
	}
	return series;
}

/* From the stored events, and the next instant at which an event may begin to count, cease to, or
 * pass a relative `where` another way. */
static void value_now(struct partition *partition, uint32_t slot,
                      const struct plan_feature *feature, const struct plan_leaf *leaf,
                      int64_t now_ms, struct leaf_value *ret_value)
{
	event_list *list = &partition->scratch_events;
	read_events(partition, slot, feature, now_ms, list);

	struct series_value value   = {.complete = true};
	int64_t             next_ms = INSTANT_MS_NEVER;
	for (size_t i = 0; i < list->count; i++) {
		const struct event *event    = &list->items[i];
		int64_t             start_ms = span_start_ms(&leaf->span, event->time_ms);
		int64_t             end_ms   = span_end_ms(&leaf->span, event->time_ms);
		int64_t             amount   = 0;
		if (event->time_ms < leaf->span.from_ms || event->time_ms >= leaf->span.to_ms ||
		    end_ms <= now_ms)
			continue;
		int64_t change_ms = evaluate_where_next_ms(feature->where, event->record.properties,
		                                           event->record.context, now_ms);
		if (start_ms > now_ms && start_ms < change_ms)
			change_ms = start_ms;
		if (end_ms < change_ms)
			change_ms = end_ms;
		if (change_ms < next_ms)
			next_ms = change_ms;
		if (start_ms > now_ms || !evaluate_where(feature->where, event->record.properties,
		                                         event->record.context, now_ms))
			continue;
		if (feature->sums && !evaluate_amount(&feature->amount, event->record.properties,
		                                      event->record.context, &amount))
			continue;
		value.count++;
		value.sum += amount;
	}
	*ret_value = (struct leaf_value){
		.holds   = value_holds(leaf, feature->sums, &value),
		.next_ms = next_ms,
		.count   = value.count,
		.sum     = value.sum,
	};
}

void leaf_value(struct partition *partition, uint32_t slot, const struct plan_feature *feature,
                const struct plan_leaf *leaf, int64_t now_ms, struct leaf_value *ret_value)
{
	struct leaf_value later;
	value_now(partition, slot, feature, leaf, now_ms, ret_value);
	/* Where an event comes or goes without a flip, one looks on from there. */
	for (unsigned step = 0; step < WALK_STEPS_MAX && ret_value->next_ms < INSTANT_MS_NEVER;
	     step++) {
		value_now(partition, slot, feature, leaf, ret_value->next_ms, &later);
		if (later.holds != ret_value->holds)
			return;
		ret_value->next_ms = later.next_ms;
	}
}

/* The value of a leaf whose `where` is relative to the instant. */
static bool relative_holds(struct partition *partition, uint32_t slot, uint32_t index,
                           int64_t now_ms, int64_t *ret_next_ms)
{
	struct leaf_value value;
	value_now(partition, slot, feature_of(partition, index), plan_of(partition, index), now_ms,
	          &value);
	*ret_next_ms = value.next_ms;
	return value.holds;
}

bool leaf_holds(struct partition *partition, uint32_t slot, const struct profile *profile,
                uint32_t index, int64_t now_ms)
{
	const struct plan_leaf      *leaf    = plan_of(partition, index);
	const struct plan_feature   *feature = feature_of(partition, index);
	const struct person_feature *kept =
		profile == NULL ? NULL
						: profile_feature(profile, partition->catalog.leaves.items[index].feature);
	if (kept != NULL && feature->relative) {
		int64_t next_ms;
		return relative_holds(partition, slot, index, now_ms, &next_ms);
	}

	const struct series *series = kept == NULL ? NULL : kept->series;
	struct series_value  value  = series_at(series, &leaf->span, now_ms);
	if (!decided(leaf, &value)) {
		struct series *full = feature_scan(partition, slot, feature, SERIES_UNLIMITED, now_ms);
		value               = series_at(full, &leaf->span, now_ms);
		series_free(full);
	}
	return value_holds(leaf, feature->sums, &value);
}

/* Whether the leaf holds, and its next flip. False: the series has dropped too much to tell. */
static bool walk_to_flip(const struct plan_leaf *leaf, bool sums, const struct series *series,
                         int64_t now_ms, bool *ret_holds, int64_t *ret_next_ms)
{
	struct series_walk walk = series_walk_from(series, &leaf->span, now_ms);
	if (!decided(leaf, &walk.value))
		return false;

	bool holds   = value_holds(leaf, sums, &walk.value);
	*ret_holds   = holds;
	*ret_next_ms = INSTANT_MS_NEVER;
	for (unsigned step = 0; step < WALK_STEPS_MAX; step++) {
		if (!series_walk_next(&walk)) {
			*ret_next_ms = INSTANT_MS_NEVER;
			return true;
		}
		if (!decided(leaf, &walk.value))
			return false;
		*ret_next_ms = walk.at_ms;
		if (value_holds(leaf, sums, &walk.value) != holds)
			break;
	}
	return true;
}

bool leaf_look(struct partition *partition, uint32_t slot, const struct profile *profile,
               uint32_t index, int64_t now_ms, int64_t *ret_next_ms)
{
	const struct plan_leaf      *leaf    = plan_of(partition, index);
	const struct plan_feature   *feature = feature_of(partition, index);
	const struct person_feature *kept =
		profile_feature(profile, partition->catalog.leaves.items[index].feature);
	if (kept != NULL && feature->relative)
		return relative_holds(partition, slot, index, now_ms, ret_next_ms);

	bool                 holds;
	const struct series *series = kept == NULL ? NULL : kept->series;
	if (!walk_to_flip(leaf, feature->sums, series, now_ms, &holds, ret_next_ms)) {
		struct series *full  = feature_scan(partition, slot, feature, SERIES_UNLIMITED, now_ms);
		bool           known = walk_to_flip(leaf, feature->sums, full, now_ms, &holds, ret_next_ms);
		assert(known);
		(void)known;
		series_free(full);
	}
	return holds;
}

static struct value trait_value(const struct trait_leaf *trait, struct text list, bool identified)
{
	if (trait->plan->identified)
		return (struct value){.type = identified ? VALUE_TRUE : VALUE_FALSE};
	if (list.length == 0)
		return (struct value){.type = VALUE_NONE};
	return value_at(list, &trait->plan->path);
}

bool trait_holds(const struct trait_leaf *trait, struct text list, bool identified, int64_t now_ms)
{
	struct value value = trait_value(trait, list, identified);
	return evaluate_test(&trait->plan->test, &value, now_ms);
}

int64_t trait_next_ms(const struct trait_leaf *trait, struct text list, int64_t now_ms)
{
	if (!trait->plan->relative)
		return INSTANT_MS_NEVER;
	struct value value = trait_value(trait, list, false);
	return evaluate_test_next_ms(&trait->plan->test, &value, now_ms);
}

/* What a rule is evaluated for. */
struct subject {
	struct partition     *partition;
	const struct rule    *rule;
	uint32_t              slot;
	const struct profile *profile; /* NULL: a person without anything */
	bool                  identified;
	int64_t               now_ms;
};

static bool segment_holds(const struct subject *subject, uint32_t rule)
{
	if (subject->profile == NULL)
		return subject->partition->catalog.rules.items[rule].holds[subject->identified];
	return rule_is_member(subject->partition, subject->profile, rule);
}

static bool node_holds(const struct subject *subject, const struct plan_node *node)
{
	const struct binding *binding = subject->rule->binding;
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
		return leaf_holds(subject->partition, subject->slot, subject->profile,
		                  binding->leaves[node->index], subject->now_ms);
	case NODE_TRAIT:
		return trait_holds(&subject->partition->catalog.traits.items[binding->traits[node->index]],
		                   subject->profile == NULL ? (struct text){0}
		                                            : profile_traits(subject->profile),
		                   subject->identified, subject->now_ms);
	case NODE_SEGMENT:
		return segment_holds(subject, subject->rule->segments[node->index]);
	}
	assert(false);
	return false;
}

bool rule_holds(struct partition *partition, uint32_t slot, const struct profile *profile,
                uint32_t rule, int64_t now_ms)
{
	const struct subject subject = {
		.partition  = partition,
		.rule       = &partition->catalog.rules.items[rule],
		.slot       = slot,
		.profile    = profile,
		.identified = profile->identified,
		.now_ms     = now_ms,
	};
	return node_holds(&subject, &subject.rule->plan->root);
}

bool rule_holds_by_default(struct partition *partition, uint32_t rule, bool identified)
{
	const struct subject subject = {
		.partition  = partition,
		.rule       = &partition->catalog.rules.items[rule],
		.slot       = SLOT_NONE,
		.identified = identified,
	};
	return node_holds(&subject, &subject.rule->plan->root);
}

bool rule_is_member(const struct partition *partition, const struct profile *profile, uint32_t rule)
{
	const struct membership *membership = profile_membership(profile, rule);
	return membership == NULL ? partition->catalog.rules.items[rule].holds[profile->identified]
	                          : membership->member;
}

int64_t rule_since_ms(const struct partition *partition, const struct profile *profile,
                      uint32_t rule)
{
	const struct membership *membership = profile_membership(profile, rule);
	if (membership != NULL)
		return membership->since_ms;
	int64_t since_ms = partition->catalog.rules.items[rule].since_ms[profile->identified];
	return profile->created_ms > since_ms ? profile->created_ms : since_ms;
}
