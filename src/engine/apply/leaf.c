#include "engine/apply/leaf.h"

#include <assert.h>

#include "base/instant.h"
#include "engine/apply/aggregate.h"
#include "engine/apply/feature.h"

static const struct plan_leaf *plan_of(const struct partition *partition, uint32_t index)
{
	return partition->catalog.leaves.items[index].plan;
}

static bool look_at_steps(struct partition *partition, const struct sequence *sequence,
                          const struct series *series, int64_t now_ms, int64_t *ret_next_ms)
{
	partition->scratch_steps.count = 0;
	for (uint32_t i = 0; series != NULL && i < series->count; i++)
		VECTOR_ADD(&partition->scratch_steps,
		           (struct sequence_event){series->times_ms[i], series_marks(series, i),
		                                   INSTANT_MS_NEVER});
	return sequence_holds(sequence, partition->scratch_steps.items, partition->scratch_steps.count,
	                      now_ms, ret_next_ms);
}

/* What a series says of a leaf. False: it has dropped too much to tell. */
static bool look_at(struct partition *partition, const struct plan_leaf *leaf,
                    const struct plan_feature *feature, const struct series *series, int64_t now_ms,
                    bool *ret_holds, int64_t *ret_next_ms)
{
	if (feature->sequence == NULL)
		return aggregate_look(leaf, series, now_ms, ret_holds, ret_next_ms);
	int64_t next_ms;
	*ret_holds = look_at_steps(partition, feature->sequence, series, now_ms,
	                           ret_next_ms == NULL ? &next_ms : ret_next_ms);
	return true;
}

/* Events before it matter neither now nor later. */
static int64_t oldest_ms(const struct plan_leaf *leaf, const struct plan_feature *feature,
                         int64_t now_ms)
{
	const struct sequence *sequence = feature->sequence;
	if (sequence != NULL)
		return sequence->within_ms == INSTANT_MS_NEVER ||
		               sequence->ended_within_ms == INSTANT_MS_NEVER
		           ? INT64_MIN
		           : now_ms - sequence->ended_within_ms - sequence->within_ms + 1;
	int64_t from_ms = leaf->span.from_ms == INSTANT_MS_NONE ? INT64_MIN : leaf->span.from_ms;
	if (leaf->span.within_ms > 0 && now_ms - leaf->span.within_ms + 1 > from_ms)
		from_ms = now_ms - leaf->span.within_ms + 1;
	return from_ms;
}

static bool look_at_events(struct partition *partition, uint32_t slot, const struct plan_leaf *leaf,
                           const struct plan_feature *feature, int64_t now_ms,
                           struct feature_scan *scan, int64_t *ret_next_ms)
{
	scan->from_ms = oldest_ms(leaf, feature, now_ms);
	scan->to_ms   = leaf->span.to_ms;
	feature_scan(partition, slot, feature, now_ms, scan);
	bool holds;
	bool known = look_at(partition, leaf, feature, scan->series, now_ms, &holds, ret_next_ms);
	assert(known);
	(void)known;
	series_free(scan->series);
	return holds;
}

bool leaf_look_events(struct partition *partition, uint32_t slot, const struct plan_leaf *leaf,
                      const struct plan_feature *feature, int64_t now_ms, int64_t *ret_next_ms)
{
	struct feature_scan scan = {0};
	bool holds = look_at_events(partition, slot, leaf, feature, now_ms, &scan, ret_next_ms);
	if (ret_next_ms != NULL && scan.change_ms < *ret_next_ms)
		*ret_next_ms = scan.change_ms;
	return holds;
}

bool leaf_look_received(struct partition *partition, uint32_t slot, const struct plan_leaf *leaf,
                        const struct plan_feature *feature, int64_t now_ms,
                        int64_t received_before_ms)
{
	struct feature_scan scan = {.received_before_ms = received_before_ms};
	return look_at_events(partition, slot, leaf, feature, now_ms, &scan, NULL);
}

bool leaf_look(struct partition *partition, uint32_t slot, const struct profile *profile,
               uint32_t index, int64_t now_ms, int64_t *ret_next_ms)
{
	uint32_t                     number  = partition->catalog.leaves.items[index].feature;
	const struct plan_feature   *feature = partition->catalog.features.items[number].plan;
	const struct plan_leaf      *leaf    = plan_of(partition, index);
	const struct person_feature *kept = profile == NULL ? NULL : profile_feature(profile, number);
	bool                         holds;
	if ((kept != NULL && feature->relative) ||
	    !look_at(partition, leaf, feature, kept == NULL ? NULL : kept->series, now_ms, &holds,
	             ret_next_ms))
		return leaf_look_events(partition, slot, leaf, feature, now_ms, ret_next_ms);
	return holds;
}

bool leaf_holds(struct partition *partition, uint32_t slot, const struct profile *profile,
                uint32_t index, int64_t now_ms)
{
	const struct leaf           *leaf = &partition->catalog.leaves.items[index];
	const struct person_feature *kept =
		profile == NULL ? NULL : profile_feature(profile, leaf->feature);
	if (kept != NULL && (kept->truths & TRUTHS_KNOWN) != 0 && leaf->bit < LEAF_BITS &&
	    now_ms < kept->next_ms)
		return (kept->truths >> leaf->bit & 1) != 0;
	return leaf_look(partition, slot, profile, index, now_ms, NULL);
}

struct value trait_value(const struct trait_leaf *trait, struct text list, bool identified)
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
