/* The history of a segment and of a user: rows of the change stream of all partitions, or of one,
 * by (instant, partition, place in the stream).
 *
 * A cursor holds for each partition the place where it goes on, so that no row is ever missed, also
 * not one that comes at the very instant of the last page. Rows that follow from one entry of the
 * stream share its place: `skip` of them were listed already. */

#include <stdio.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/reads.h"

struct share {
	uint32_t             partition;
	uint64_t             index; /* where the page begins */
	uint64_t             skip;
	struct arena         arena; /* of rows: filled on the partition's thread */
	struct view_history *rows;
	size_t               count;
	size_t               taken;
	bool                 known; /* a live segment, an existing person */
	bool                 more;
};

struct history {
	enum cursor_kind  kind;
	struct definition definition; /* of a segment's */
	struct reads_user user;       /* of a user's */
	size_t            limit;
	uint32_t          share_count;
	struct share     *shares;
};

static void free_history(struct api_call *call)
{
	struct history *state = call->state;
	for (uint32_t i = 0; i < state->share_count; i++)
		arena_done(&state->shares[i].arena);
}

static struct history *new_history(struct api_call *call, enum cursor_kind kind,
                                   uint32_t share_count)
{
	struct history *state = ARENA_NEW(call->arena, struct history);
	state->kind           = kind;
	state->share_count    = share_count;
	state->shares         = ARENA_ARRAY(call->arena, struct share, share_count);
	for (uint32_t i = 0; i < share_count; i++) {
		state->shares[i].partition = i;
		arena_init(&state->shares[i].arena);
	}
	call->state   = state;
	call->cleanup = free_history;
	return state;
}

static enum status read_page(struct api_call *call, struct error *err)
{
	struct history    *state = call->state;
	struct byte_reader cursor;
	enum status        status;
	if ((status = call_limit(call, &state->limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, state->kind, &cursor, err)) != STATUS_OK)
		return status;
	if (read_left(&cursor) == 0)
		return STATUS_OK;
	for (uint32_t i = 0; i < state->share_count; i++) {
		state->shares[i].index = read_varint(&cursor);
		state->shares[i].skip  = read_varint(&cursor);
		if (cursor.failed || state->shares[i].skip > UINT32_MAX)
			return error_set_field(err, STATUS_INVALID, "cursor",
			                       "The cursor is not one that this list answered");
	}
	return STATUS_OK;
}

/* ---- On the partition's thread ---- */

/* What a row points to ends with the read. */
static void keep_rows(struct history *state, struct share *share)
{
	size_t skipped = 0;
	while (skipped < share->count && skipped < share->skip &&
	       share->rows[skipped].index == share->index)
		skipped++;
	share->more = share->count >= state->limit + share->skip;
	share->rows += skipped;
	share->count -= skipped;
	for (size_t i = 0; i < share->count; i++) {
		struct text *id = &share->rows[i].event.record.message_id;
		*id             = arena_text(&share->arena, *id);
	}
}

static void run_segment(struct api_call *call, struct view *view)
{
	struct history *state   = call->state;
	struct share   *share   = &state->shares[view_partition(view)];
	uint32_t        segment = state->definition.segment.number;
	share->known            = true;
	share->count = view_segment_history(view, segment, share->index, state->limit + share->skip,
	                                    &share->arena, &share->rows);
	keep_rows(state, share);
}

static void run_user(struct api_call *call, struct view *view)
{
	struct history    *state = call->state;
	struct share      *share = &state->shares[0];
	struct view_person person;
	uint32_t           slot = state->user.person.slot;
	share->known            = view_person(view, slot, &person);
	if (!share->known)
		return;
	share->count = view_person_history(view, slot, share->index, state->limit + share->skip,
	                                   &share->arena, &share->rows);
	keep_rows(state, share);
}

/* ---- The answer ---- */

static void write_row(struct api_call *call, struct json_writer *w, uint32_t partition,
                      const struct view_history *row)
{
	const struct change *change = &row->change;
	char                 id[96];
	snprintf(id, sizeof id, "%u-%llu-%u-%u-%u", partition, (unsigned long long)change->position,
	         change->ordinal, change->slot, change->segment);
	json_begin_object(w);
	json_member_string(w, "id", text_of(id));
	call_write_person(call, w, (struct person){partition, change->slot});
	reads_write_segment(call, w, change->segment);
	json_member_string(w, "change", change->entered ? TEXT("entered") : TEXT("exited"));
	json_member_instant(w, "at", change->at_ms);
	json_member_string(w, "cause", text_of(cause_name((enum cause)change->cause)));
	if (row->event.position != 0) { /* what caused it, and exists */
		if (row->event.record.message_id.length > 0)
			json_member_string(w, "messageId", row->event.record.message_id);
		json_member_instant(w, "eventTime", row->event.time_ms);
	}
	json_end_object(w);
}

/* The share whose next row is the oldest; NULL: none has one. */
static struct share *oldest(struct history *state)
{
	struct share *best = NULL;
	for (uint32_t i = 0; i < state->share_count; i++) {
		struct share *share = &state->shares[i];
		if (share->taken == share->count)
			continue;
		if (best == NULL ||
		    share->rows[share->taken].change.at_ms < best->rows[best->taken].change.at_ms)
			best = share;
	}
	return best;
}

static void add_place(struct buffer *next, const struct share *share)
{
	uint64_t index = share->index, skip = share->skip;
	if (share->taken > 0) {
		const struct view_history *rows = share->rows;
		uint64_t                   last = rows[share->taken - 1].index;
		bool split = share->taken < share->count && rows[share->taken].index == last;
		if (!split) {
			index = last + 1;
			skip  = 0;
		} else {
			skip = last == index ? skip : 0;
			for (size_t i = share->taken; i > 0 && rows[i - 1].index == last; i--)
				skip++;
			index = last;
		}
	}
	buffer_add_varint(next, index);
	buffer_add_varint(next, skip);
}

static void write_next(struct history *state, struct buffer *next)
{
	bool more = false;
	for (uint32_t i = 0; i < state->share_count; i++)
		more = more || state->shares[i].taken < state->shares[i].count || state->shares[i].more;
	for (uint32_t i = 0; more && i < state->share_count; i++)
		add_place(next, &state->shares[i]);
}

static void answer(struct api_call *call)
{
	struct history *state = call->state;
	struct buffer   out = {0}, next = {0};
	struct error    err;
	bool            known = true;
	for (uint32_t i = 0; i < state->share_count; i++)
		known = known && state->shares[i].known;
	if (!known) {
		reads_unknown_user(&err);
		call_fail(call, &err);
		return;
	}
	struct json_writer w = state->share_count == 1 ? reads_begin_list(call, &out, &state->user)
	                                               : call_begin_list(&out);
	struct share      *share;
	for (size_t left = state->limit; left > 0 && (share = oldest(state)) != NULL; left--)
		write_row(call, &w, share->partition, &share->rows[share->taken++]);
	write_next(state, &next);
	call_end_list(&w, state->kind, buffer_text(&next), -1, call_as_of_ms(call));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

static void segment_step(struct api_call *call)
{
	struct history *state =
		new_history(call, CURSOR_SEGMENT_HISTORY, call->api->config.partition_count);
	struct error err;
	if (read_page(call, &err) != STATUS_OK ||
	    reads_segment(call, &state->definition, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_all(call, run_segment, answer);
}

void segments_history(struct api_call *call) { call_on_worker(call, segment_step); }

void users_history(struct api_call *call)
{
	struct history *state = new_history(call, CURSOR_USER_HISTORY, 1);
	struct error    err;
	if (read_page(call, &err) != STATUS_OK || reads_user(call, &state->user, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	state->shares[0].partition = state->user.person.partition;
	call_read_person(call, state->user.person.partition, run_user, answer);
}
