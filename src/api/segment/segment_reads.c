/* Who is in a segment now, and how many. All partitions answer at one instant. */

#include <stdlib.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/reads.h"

struct share {
	bool                live;
	uint64_t            count;
	uint64_t            person_count;
	size_t              member_count;
	struct view_member *members; /* malloc */
	uint32_t            next_slot;
};

struct members {
	struct definition definition;
	size_t            limit;     /* 0: no list is wanted */
	uint32_t          partition; /* where the list begins */
	uint32_t          slot;
	struct share      shares[];
};

static void free_members(struct api_call *call)
{
	struct members *state = call->state;
	for (uint32_t p = 0; p < call->api->config.partition_count; p++)
		free(state->shares[p].members);
}

static struct members *new_members(struct api_call *call)
{
	uint32_t        count = call->api->config.partition_count;
	struct members *state = arena_zalloc(call->arena, sizeof *state + count * sizeof(struct share));
	call->state           = state;
	call->cleanup         = free_members;
	return state;
}

static void run(struct api_call *call, struct view *view)
{
	struct members *state     = call->state;
	uint32_t        partition = view_partition(view);
	uint32_t        segment   = state->definition.segment.number;
	struct share   *share     = &state->shares[partition];
	share->live               = view_segment_live(view, segment);
	share->count              = view_member_count(view, segment);
	share->person_count       = view_person_count(view);
	share->next_slot          = SLOT_NONE;
	if (!share->live || state->limit == 0 || partition < state->partition)
		return;
	uint32_t from  = partition == state->partition ? state->slot : 0;
	share->members = malloc(state->limit * sizeof *share->members);
	if (share->members != NULL)
		share->member_count =
			view_members(view, segment, from, state->limit, share->members, &share->next_slot);
}

enum status reads_segment(struct api_call *call, struct definition *ret_definition,
                          struct error *err)
{
	return definition_get(call->api->definitions, http_param(call->request, "id"), call->arena,
	                      ret_definition, err);
}

enum status reads_not_live(const struct definition *definition, struct error *err)
{
	return error_set(err, STATUS_CONFLICT, "The segment is not Live: it is %s",
	                 definition_state_name(definition->state));
}

static bool is_live(struct api_call *call)
{
	struct members *state = call->state;
	bool            live  = true;
	for (uint32_t p = 0; p < call->api->config.partition_count; p++)
		live = live && state->shares[p].live;
	return live;
}

/* ---- Members ---- */

static void write_member(struct api_call *call, struct json_writer *w, struct person person,
                         int64_t entered_ms)
{
	json_begin_object(w);
	call_write_person(call, w, person);
	json_member_instant(w, "enteredAt", entered_ms);
	json_end_object(w);
}

static void add_next(struct buffer *next, uint32_t partition, uint32_t slot)
{
	buffer_add_u32(next, partition);
	buffer_add_u32(next, slot);
}

/* In the order of (partition, slot), which never changes. */
static void write_members(struct api_call *call, struct json_writer *w, struct buffer *next)
{
	struct members *state = call->state;
	uint32_t        count = call->api->config.partition_count;
	size_t          left  = state->limit;
	for (uint32_t p = state->partition; p < count; p++) {
		const struct share *share = &state->shares[p];
		if (left == 0 && share->count > 0) {
			add_next(next, p, 0);
			return;
		}
		for (size_t i = 0; i < share->member_count; i++) {
			if (left == 0) {
				add_next(next, p, share->members[i].slot);
				return;
			}
			write_member(call, w, (struct person){p, share->members[i].slot},
			             share->members[i].entered_ms);
			left--;
		}
		if (share->next_slot != SLOT_NONE) {
			add_next(next, p, share->next_slot);
			return;
		}
	}
}

static void answer_members(struct api_call *call)
{
	struct members *state = call->state;
	struct buffer   out = {0}, next = {0};
	struct error    err;
	if (!is_live(call)) {
		reads_not_live(&state->definition, &err);
		call_fail(call, &err);
		return;
	}
	uint64_t total = 0;
	for (uint32_t p = 0; p < call->api->config.partition_count; p++)
		total += state->shares[p].count;
	struct json_writer w = call_begin_list(&out);
	write_members(call, &w, &next);
	call_end_list(&w, CURSOR_MEMBERS, buffer_text(&next), (int64_t)total, call_as_of_ms(call));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

static void members_step(struct api_call *call)
{
	struct members    *state = new_members(call);
	struct byte_reader cursor;
	struct error       err;
	if (call_limit(call, &state->limit, &err) != STATUS_OK ||
	    call_cursor(call, CURSOR_MEMBERS, &cursor, &err) != STATUS_OK ||
	    reads_segment(call, &state->definition, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	if (read_left(&cursor) > 0) {
		state->partition = read_u32(&cursor);
		state->slot      = read_u32(&cursor);
	}
	call_read_all(call, run, answer_members);
}

void segments_members(struct api_call *call) { call_on_worker(call, members_step); }

/* ---- Statistics ---- */

static void answer_statistics(struct api_call *call)
{
	struct members *state = call->state;
	struct error    err;
	if (!is_live(call)) {
		reads_not_live(&state->definition, &err);
		call_fail(call, &err);
		return;
	}
	uint64_t size = 0, persons = 0;
	for (uint32_t p = 0; p < call->api->config.partition_count; p++) {
		size += state->shares[p].count;
		persons += state->shares[p].person_count;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "segmentId", text_of(state->definition.segment.id));
	json_member_int(&w, "size", (int64_t)size);
	json_member_int(&w, "total_users", (int64_t)persons);
	json_member_double(&w, "ratio", persons == 0 ? 0 : (double)size / (double)persons);
	json_member_int(&w, "liveVersion", state->definition.segment.live_version);
	json_member_instant(&w, "as_of", call_as_of_ms(call));
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void statistics_step(struct api_call *call)
{
	struct members *state = new_members(call);
	struct error    err;
	if (reads_segment(call, &state->definition, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_all(call, run, answer_statistics);
}

void segments_statistics(struct api_call *call) { call_on_worker(call, statistics_step); }
