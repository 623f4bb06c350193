#include "engine/merge/erasure.h"

#include "base/instant.h"
#include "engine/apply/leave.h"

void erasure_apply(struct partition *partition, uint32_t slot, uint64_t position, int64_t at_ms)
{
	struct profile *profile = profiles_place(&partition->profiles, slot);
	events_forget(partition->events, slot, position);
	merge_close(partition, slot, position);
	if (profile->erased)
		return;
	if (profile->exists)
		leave(partition, slot, profile, CAUSE_ERASURE, at_ms);
	profile_clear(&partition->profiles, profile);
	/* When somebody came, and whether as a user, stays: rows of histories follow from it. */
	profile->closed          = true;
	profile->erased          = true;
	profile->amended         = false;
	profile->armed_ms        = INSTANT_MS_NEVER;
	profile->newest_event_ms = INSTANT_MS_NONE;
	partition->profiles.erased_count++;
}
