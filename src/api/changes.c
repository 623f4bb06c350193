/* GET /api/v1/changes: the change stream of a partition as it is, for whoever acts on it or
 * compares it. */

#include <inttypes.h>
#include <stdio.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/reads.h"

struct stream {
	uint32_t       partition;
	uint64_t       after; /* index of the first entry that is wanted */
	size_t         limit;
	struct change *changes;
	struct text   *message_ids; /* of those with cause event */
	size_t         count;
	uint64_t       total;
};

/* The message ids of a person's events among the changes from `begin` to before `end`. */
static void find_messages(struct stream *state, struct view *view, struct arena *arena,
                          size_t begin, size_t end)
{
	event_list events = {0};
	view_events(view, state->changes[begin].slot, &events);
	for (size_t i = begin; i < end; i++)
		for (size_t e = 0; e < events.count; e++)
			if (state->changes[i].event_position == events.items[e].position)
				state->message_ids[i] = arena_text(arena, events.items[e].record.message_id);
	VECTOR_DONE(&events);
}

static void run(struct api_call *call, struct view *view)
{
	struct stream *state = call->state;
	state->total = view_changes(view, state->after, state->limit, state->changes, &state->count);
	for (size_t i = 0; i < state->count;) {
		size_t end = i + 1;
		bool   any = state->changes[i].event_position != 0;
		for (; end < state->count && state->changes[end].slot == state->changes[i].slot; end++)
			any = any || state->changes[end].event_position != 0;
		if (any)
			find_messages(state, view, call->arena, i, end);
		i = end;
	}
}

static void write_change(struct api_call *call, struct json_writer *w, size_t index)
{
	const struct stream *state  = call->state;
	const struct change *change = &state->changes[index];
	char                 id[64];
	snprintf(id, sizeof id, "%u-%" PRIu64 "-%u", state->partition, change->position,
	         change->ordinal);
	json_begin_object(w);
	json_member_string(w, "id", text_of(id));
	if (change->slot == SLOT_NONE) /* for everyone in the partition */
		json_member_null(w, "userId");
	else
		call_write_person(call, w, (struct person){state->partition, change->slot});
	if (change->slot == SLOT_NONE)
		json_member_null(w, "slot");
	else
		json_member_int(w, "slot", change->slot);
	if (change->segment == 0) { /* the person came into being */
		json_member_null(w, "segmentId");
	} else {
		reads_write_segment(call, w, change->segment);
		json_member_int(w, "segmentNumber", change->segment);
	}
	json_member_string(w, "change", change->entered ? TEXT("entered") : TEXT("exited"));
	json_member_instant(w, "at", change->at_ms);
	json_member_string(w, "cause", text_of(cause_name((enum cause)change->cause)));
	if (change->event_position != 0)
		json_member_int(w, "eventPosition", (int64_t)change->event_position);
	if (state->message_ids[index].length > 0)
		json_member_string(w, "messageId", state->message_ids[index]);
	json_end_object(w);
}

static void answer(struct api_call *call)
{
	const struct stream *state = call->state;
	struct buffer        out   = {0};
	struct json_writer   w     = call_begin_list(&out);
	for (size_t i = 0; i < state->count; i++)
		write_change(call, &w, i);
	json_end_array(&w);
	uint64_t next = state->after + state->count;
	if (next >= state->total)
		json_member_null(&w, "next");
	else
		json_member_int(&w, "next", (int64_t)next);
	json_member_int(&w, "total", (int64_t)state->total);
	json_member_instant(&w, "as_of", call_as_of_ms(call));
	json_end_object(&w);
	call_answer(call, 200, &out);
}

void changes_list(struct api_call *call)
{
	struct stream *state = ARENA_NEW(call->arena, struct stream);
	uint64_t       partition;
	struct error   err;
	if (call_query_number(call, "partition", call->api->config.partition_count - 1, 0, &partition,
	                      &err) != STATUS_OK ||
	    call_query_number(call, "after", INT64_MAX, 0, &state->after, &err) != STATUS_OK ||
	    call_limit(call, &state->limit, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	state->partition   = (uint32_t)partition;
	state->changes     = ARENA_ARRAY(call->arena, struct change, state->limit);
	state->message_ids = ARENA_ARRAY(call->arena, struct text, state->limit);
	call->state        = state;
	call_read_person(call, state->partition, run, answer);
}
