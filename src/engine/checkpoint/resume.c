#include "engine/checkpoint/resume.h"

#include "engine/apply/partition.h"

void resume_done(struct resume *resume)
{
	VECTOR_DONE(&resume->blocks);
	*resume = (struct resume){0};
}

bool resume_skips(const struct resume *resume, uint32_t slot, uint64_t position)
{
	if (position <= resume->position)
		return true;
	uint32_t block = slot / PROFILES_PER_BLOCK;
	return slot != SLOT_NONE && block < resume->blocks.count &&
	       position <= resume->blocks.items[block];
}

bool resume_ends(const struct resume *resume, int64_t now_ms)
{
	return resume->active && now_ms >= resume->end_clock_ms &&
	       (resume->end_position <= resume->position ||
	        resume->seen_position >= resume->end_position);
}

void resume_finish(struct partition *partition)
{
	struct resume  *resume  = &partition->resume;
	struct changes *changes = &partition->changes;
	/* The newest change of a person is that of its block, or one of these. */
	for (uint64_t i = resume->first_change; i < resume->change_count; i++) {
		uint32_t slot = changes_at(changes, i)->change.slot;
		if (slot != SLOT_NONE && profiles_known(&partition->profiles, slot) != NULL)
			profiles_place(&partition->profiles, slot)->newest_change = (uint32_t)i + 1;
	}
	changes_skip(changes, resume->change_count);
	partition->last_position = resume->end_position;
	partition->ordinal       = resume->end_ordinal;
	resume->active           = false;
	VECTOR_DONE(&resume->blocks);
}
