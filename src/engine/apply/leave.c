#include "engine/apply/leave.h"

#include <stdlib.h>

#include "engine/apply/leaf.h"
#include "engine/apply/step.h"

struct leaving {
	uint32_t level;
	uint32_t segment;
	uint32_t rule;
};
typedef VECTOR(struct leaving) leaving_list;

static int compare_leaving(const void *left, const void *right)
{
	const struct leaving *a = left, *b = right;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	return (a->segment > b->segment) - (a->segment < b->segment);
}

static void add_leaving(const struct partition *partition, const struct profile *profile,
                        uint32_t index, leaving_list *list)
{
	const struct rule *rule = &partition->catalog.rules.items[index];
	if (rule->state == RULE_LIVE && rule_is_member(partition, profile, index))
		VECTOR_ADD(list, (struct leaving){rule->level, rule->segment, index});
}

/* Every membership ends, in one step. */
static void leave_segments(struct partition *partition, uint32_t slot, struct profile *profile,
                           enum cause cause, int64_t at_ms)
{
	leaving_list                 list     = {0};
	const struct membership_set *recorded = profile->memberships;
	const index_list            *defaults = &partition->catalog.live_defaults;
	for (uint32_t i = 0; recorded != NULL && i < recorded->count; i++)
		add_leaving(partition, profile, recorded->items[i].rule, &list);
	for (size_t i = 0; i < defaults->count; i++)
		if (profile_membership(profile, defaults->items[i]) == NULL)
			add_leaving(partition, profile, defaults->items[i], &list);
	if (list.count > 1)
		qsort(list.items, list.count, sizeof list.items[0], compare_leaving);
	for (size_t i = 0; i < list.count; i++)
		step_emit(partition, profile,
		          (struct change){.slot    = slot,
		                          .segment = list.items[i].segment,
		                          .cause   = (uint8_t)cause,
		                          .at_ms   = at_ms});
	VECTOR_DONE(&list);
}

/* Takes the person out of the counts and bitmaps of every rule, live or not. */
static void forget_memberships(struct partition *partition, uint32_t slot, struct profile *profile)
{
	while (profile->memberships != NULL && profile->memberships->count > 0) {
		uint32_t rule = profile->memberships->items[profile->memberships->count - 1].rule;
		bool     held = partition->catalog.rules.items[rule].holds[profile->identified];
		step_set_member(partition, slot, profile, rule, held, 0);
		profile_membership_remove(profile, rule);
	}
}

void leave(struct partition *partition, uint32_t slot, struct profile *profile, enum cause cause,
           int64_t at_ms)
{
	leave_segments(partition, slot, profile, cause, at_ms);
	forget_memberships(partition, slot, profile);
	partition->profiles.person_count--;
	partition->profiles.identified_count -= profile->identified;
	struct traits *traits = profile->traits;
	profile->traits       = NULL;
	profile_clear(&partition->profiles, profile);
	profile->traits = traits;
	profile->exists = false;
	if (partition->witness != NULL)
		partition->witness->saw_person(partition->witness, slot);
}
