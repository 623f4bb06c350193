#include "engine/apply/step.h"

#include <assert.h>
#include <stdlib.h>

#include "base/instant.h"
#include "engine/apply/indexed.h"
#include "engine/apply/leaf.h"

void step_begin(struct partition *partition)
{
	if (++partition->step == 0) {
		/* The marks have come round: forget the old ones. */
		for (size_t i = 0; i < partition->catalog.rules.count; i++)
			partition->catalog.rules.items[i].mark = 0;
		partition->step = 1;
	}
	while (partition->level_count <= partition->catalog.level_max) {
		partition->levels =
			realloc(partition->levels, (partition->level_count + 1) * sizeof *partition->levels);
		if (partition->levels == NULL)
			abort();
		partition->levels[partition->level_count++] = (candidate_list){0};
	}
}

/* `by_leaf`: one that has flipped, and now is why->holds. */
static void touch(struct partition *partition, uint32_t slot, uint32_t index,
                  const struct candidate *why, bool by_leaf)
{
	struct rule   *rule = &partition->catalog.rules.items[index];
	enum rule_form form = by_leaf ? rule->form : RULE_TREE;
	if (rule->built <= slot && rule->built != BUILT_ALL)
		return;
	candidate_list *level = &partition->levels[rule->level];
	if (rule->mark != partition->step) {
		rule->mark    = partition->step;
		rule->mark_at = (uint32_t)level->count;
		exceptions_prefetch(&rule->exceptions);
		VECTOR_ADD(level, (struct candidate){
							  .rule           = index,
							  .segment        = rule->segment,
							  .cause          = why->cause,
							  .known          = form != RULE_TREE,
							  .holds          = why->holds == (form == RULE_LEAF),
							  .event_position = why->event_position,
						  });
	} else if (why->cause == CAUSE_EVENT && level->items[rule->mark_at].cause != CAUSE_EVENT) {
		level->items[rule->mark_at].cause          = CAUSE_EVENT;
		level->items[rule->mark_at].event_position = why->event_position;
	}
}

void step_touch_all(struct partition *partition, uint32_t slot, const index_list *rules,
                    enum cause cause, uint64_t event_position)
{
	const struct candidate why = {.cause = (uint8_t)cause, .event_position = event_position};
	for (size_t i = 0; i < rules->count; i++)
		touch(partition, slot, rules->items[i], &why, false);
}

void step_touch_leaf(struct partition *partition, uint32_t slot, uint32_t leaf, bool holds,
                     enum cause cause, uint64_t event_position)
{
	const struct candidate why = {
		.cause = (uint8_t)cause, .holds = holds, .event_position = event_position};
	const index_list *rules = &partition->catalog.leaves.items[leaf].rules;
	for (size_t i = 0; i < rules->count; i++)
		touch(partition, slot, rules->items[i], &why, true);
}

void step_touch_rule(struct partition *partition, uint32_t slot, uint32_t leaf, uint32_t rule,
                     bool holds, enum cause cause, uint64_t event_position)
{
	if (rule == LADDER_RULES) {
		step_touch_leaf(partition, slot, leaf, holds, cause, event_position);
		return;
	}
	const struct candidate why = {
		.cause = (uint8_t)cause, .holds = holds, .event_position = event_position};
	touch(partition, slot, rule, &why, true);
}

void step_emit(struct partition *partition, struct profile *profile, struct change change)
{
	if (partition->resume.active)
		return; /* it happened before the restart, and is in the stream */
	change.position = partition->last_position;
	change.ordinal  = partition->ordinal;
	uint64_t index =
		changes_add(&partition->changes, &change, profile == NULL ? 0 : profile->newest_change);
	partition->ordinal = change.ordinal + 1;
	if (profile != NULL)
		profile->newest_change = (uint32_t)index + 1;
}

static void note_recorded(struct rule *rule, uint32_t slot)
{
	if (rule->recorded == NULL)
		rule->recorded = roaring_bitmap_create();
	roaring_bitmap_add(rule->recorded, slot);
}

/* What is recorded of a person and a rule, NULL: nothing, and where it belongs. */
struct recorded {
	struct membership *membership;
	uint32_t           place;
};

static struct recorded find_recorded(const struct profile *profile, uint32_t rule)
{
	struct recorded recorded;
	recorded.membership = profile_membership_place(profile, rule, &recorded.place);
	return recorded;
}

static void set_member(struct partition *partition, uint32_t slot, struct profile *profile,
                       uint32_t index, struct recorded recorded, bool member, int64_t since_ms)
{
	struct rule       *rule       = &partition->catalog.rules.items[index];
	struct membership *membership = recorded.membership;
	bool               held       = rule->holds[profile->identified];
	bool               was        = membership == NULL ? held : membership->member;
	if (member != was)
		exceptions_toggle(&rule->exceptions, slot);
	rule->exception_balance += (int)member - (int)was;

	if (member == held && !held) {
		if (membership != NULL)
			profile_membership_remove(profile, index);
		return;
	}
	if (membership == NULL) {
		membership =
			profile_membership_insert(&partition->profiles, profile, index, recorded.place);
		if (rule->holds[false] || rule->holds[true])
			note_recorded(rule, slot);
	}
	membership->member   = member;
	membership->since_ms = since_ms;
}

void step_set_member(struct partition *partition, uint32_t slot, struct profile *profile,
                     uint32_t index, bool member, int64_t since_ms)
{
	set_member(partition, slot, profile, index, find_recorded(profile, index), member, since_ms);
}

/* Looks at a candidate, and makes known that it has flipped. */
static void settle(struct partition *partition, uint32_t slot, struct profile *profile,
                   const struct candidate *candidate, int64_t at_ms)
{
	struct recorded    recorded = find_recorded(profile, candidate->rule);
	const struct rule *rule     = &partition->catalog.rules.items[candidate->rule];
	bool               was      = recorded.membership == NULL ? rule->holds[profile->identified]
	                                                          : recorded.membership->member;
	bool               holds    = candidate->holds;
	if (!candidate->known)
		holds = rule_holds(partition, slot, profile, candidate->rule, at_ms);
	if (holds == was)
		return;
	set_member(partition, slot, profile, candidate->rule, recorded, holds, at_ms);
	if (rule->state == RULE_LIVE)
		step_emit(partition, profile,
		          (struct change){.slot           = slot,
		                          .segment        = rule->segment,
		                          .entered        = holds,
		                          .cause          = candidate->cause,
		                          .at_ms          = at_ms,
		                          .event_position = candidate->event_position});
	if (rule->has_derived)
		step_touch_all(partition, slot, &rule->derived, candidate->cause,
		               candidate->event_position);
}

/* By segment number; few, so insertion. Marks may be lost: nothing of this level is touched
 * again. */
static void sort_by_segment(candidate_list *level)
{
	for (size_t i = 1; i < level->count; i++) {
		struct candidate candidate = level->items[i];
		size_t           at        = i;
		for (; at > 0 && level->items[at - 1].segment > candidate.segment; at--)
			level->items[at] = level->items[at - 1];
		level->items[at] = candidate;
	}
}

/* How many of them enter a segment, as far as it is known before they are looked at. */
static uint32_t count_entering(const candidate_list *level)
{
	uint32_t count = 0;
	for (size_t i = 0; i < level->count; i++)
		count += level->items[i].known && level->items[i].holds;
	return count;
}

void step_finish(struct partition *partition, uint32_t slot, struct profile *profile, int64_t at_ms)
{
	for (size_t i = 0; i < partition->level_count; i++) {
		candidate_list *level = &partition->levels[i];
		if (level->count == 0)
			continue;
		if (level->count > 1) {
			sort_by_segment(level);
			profile_memberships_reserve(&partition->profiles, profile, count_entering(level));
		}
		for (size_t j = 0; j < level->count; j++) {
			struct candidate candidate = level->items[j];
			settle(partition, slot, profile, &candidate, at_ms);
		}
		level->count = 0;
	}
}

void step_arm(struct partition *partition, uint32_t slot, struct profile *profile, int64_t due_ms)
{
	if (due_ms >= profile->armed_ms)
		return;
	timers_add(&partition->timers, slot, due_ms);
	profile->armed_ms = due_ms;
}

void step_rearm_traits(struct partition *partition, uint32_t slot, struct profile *profile,
                       int64_t now_ms)
{
	if (profile->traits == NULL)
		return;
	const index_list *relative = &partition->catalog.relative_traits;
	int64_t           next_ms  = INSTANT_MS_NEVER;
	for (size_t i = 0; i < relative->count; i++) {
		int64_t trait_ms = trait_next_ms(&partition->catalog.traits.items[relative->items[i]],
		                                 profile_traits(profile), now_ms);
		if (trait_ms < next_ms)
			next_ms = trait_ms;
	}
	int64_t age_ms = indexed_age_next_ms(profile, now_ms);
	if (age_ms < next_ms)
		next_ms = age_ms;
	profile->traits->next_ms = next_ms;
	step_arm(partition, slot, profile, next_ms);
}
