#include "engine/merge/erasure.h"

#include "base/instant.h"
#include "engine/apply/leave.h"

void erasure_apply(struct partition *partition, uint32_t slot, uint64_t position, int64_t at_ms)
{
	struct profile *profile = profiles_place(&partition->profiles, slot);
	events_forget(partition->events, slot, position);
	if (profile->erased)
		return;
	if (profile->exists)
		leave(partition, slot, profile, CAUSE_ERASURE, at_ms);
	profile_clear(&partition->profiles, profile);
	profile->closed          = true;
	profile->erased          = true;
	profile->amended         = false;
	profile->identified      = false;
	profile->created_ms      = 0;
	profile->armed_ms        = INSTANT_MS_NEVER;
	profile->newest_event_ms = INSTANT_MS_NONE;
	partition->profiles.erased_count++;
}
