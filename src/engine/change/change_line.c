#include "engine/change/change_line.h"

#include <inttypes.h>
#include <stdio.h>

void change_line_write(struct json_writer *w, uint32_t partition, const struct change *change)
{
	char id[64];
	snprintf(id, sizeof id, "%u-%" PRIu64 "-%u", partition, change->position, change->ordinal);
	json_begin_object(w);
	json_member_string(w, "id", text_of(id));
	if (change->slot == SLOT_NONE)
		json_member_null(w, "slot");
	else
		json_member_int(w, "slot", change->slot);
	if (change->segment == 0)
		json_member_null(w, "segmentNumber");
	else
		json_member_int(w, "segmentNumber", change->segment);
	json_member_string(w, "change", change->entered ? TEXT("entered") : TEXT("exited"));
	json_member_instant(w, "at", change->at_ms);
	json_member_string(w, "cause", text_of(cause_name((enum cause)change->cause)));
	if (change->event_position != 0)
		json_member_int(w, "eventPosition", (int64_t)change->event_position);
	json_end_object(w);
}
