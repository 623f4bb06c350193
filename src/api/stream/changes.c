/* GET /api/v1/changes: the change stream, for whoever acts on it or compares it. Of one partition
 * as it is (?partition=, ?after=), or of all of them behind a cursor (?cursor=, ?consumer=):
 *
 *   cursor = u32 partition whose turn it is, u32 partition count, { u64 entries read } each
 *
 * Entries of a partition come in their order; between partitions there is none. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/stream/consumer_cursor.h"
#include "api/handlers.h"
#include "api/reads.h"

/* What one partition gives, to its own memory: all of them read at once. */
struct share {
	uint32_t       partition;
	uint64_t       after; /* index of the first entry that is wanted */
	struct change *changes;
	struct text   *message_ids; /* of those with cause event */
	size_t         count;
	uint64_t       total;
	bool           gone; /* `after` was dropped for its age */
	struct arena   arena;
};

struct stream {
	size_t                 limit;
	bool                   all; /* partitions, behind `cursor` */
	struct consumer_cursor cursor;
	struct share          *shares; /* by partition; of one: that one */
	uint32_t               share_count;
};

static void free_stream(struct api_call *call)
{
	struct stream *state = call->state;
	for (uint32_t i = 0; i < state->share_count; i++)
		arena_done(&state->shares[i].arena);
}

static void make_shares(struct api_call *call, uint32_t count)
{
	struct stream *state = call->state;
	state->shares        = ARENA_ARRAY(call->arena, struct share, count);
	state->share_count   = count;
	for (uint32_t i = 0; i < count; i++)
		arena_init(&state->shares[i].arena);
	call->cleanup = free_stream;
}

/* ---- On the partitions' threads ---- */

/* The message ids of a person's events among the changes from `begin` to before `end`. */
static void find_messages(struct share *share, struct view *view, size_t begin, size_t end)
{
	event_list events = {0};
	view_events(view, share->changes[begin].slot, &events);
	for (size_t i = begin; i < end; i++)
		for (size_t e = 0; e < events.count; e++)
			if (share->changes[i].event_position == events.items[e].position)
				share->message_ids[i] =
					arena_text(&share->arena, events.items[e].record.message_id);
	event_list_done(&events);
}

static void run(struct api_call *call, struct view *view)
{
	struct stream *state = call->state;
	struct share  *share = &state->shares[state->all ? view_partition(view) : 0];
	share->changes       = ARENA_ARRAY(&share->arena, struct change, state->limit);
	share->message_ids   = ARENA_ARRAY(&share->arena, struct text, state->limit);
	if (share->after == 0) /* the begin of what there is */
		share->after = view_first_change(view);
	share->gone = share->after < view_first_change(view);
	if (share->gone)
		return;
	share->total = view_changes(view, share->after, state->limit, share->changes, &share->count);
	for (size_t i = 0; i < share->count;) {
		size_t end = i + 1;
		bool   any = share->changes[i].event_position != 0;
		for (; end < share->count && share->changes[end].slot == share->changes[i].slot; end++)
			any = any || share->changes[end].event_position != 0;
		if (any)
			find_messages(share, view, i, end);
		i = end;
	}
}

/* ---- Answers ---- */

static bool is_gone(struct api_call *call)
{
	const struct stream *state = call->state;
	bool                 gone  = false;
	struct error         err;
	for (uint32_t i = 0; i < state->share_count; i++)
		gone |= state->shares[i].gone;
	if (gone) {
		error_set_field(&err, STATUS_GONE, state->all ? "cursor" : "after",
		                "What comes next was dropped for its age (--history-retention); without "
		                "it the stream begins where it begins now");
		call_fail(call, &err);
	}
	return gone;
}

static void write_change(struct api_call *call, struct json_writer *w, const struct share *share,
                         size_t index)
{
	const struct change *change = &share->changes[index];
	char                 id[64];
	snprintf(id, sizeof id, "%u-%" PRIu64 "-%u", share->partition, change->position,
	         change->ordinal);
	json_begin_object(w);
	json_member_string(w, "id", text_of(id));
	if (change->slot == SLOT_NONE) /* for everyone in the partition */
		json_member_null(w, "userId");
	else
		call_write_person(call, w, (struct person){share->partition, change->slot});
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
	if (share->message_ids[index].length > 0)
		json_member_string(w, "messageId", share->message_ids[index]);
	json_end_object(w);
}

static void answer_one(struct api_call *call)
{
	const struct stream *state = call->state;
	const struct share  *share = &state->shares[0];
	if (is_gone(call))
		return;
	struct buffer      out = {0};
	struct json_writer w   = call_begin_list(&out);
	for (size_t i = 0; i < share->count; i++)
		write_change(call, &w, share, i);
	json_end_array(&w);
	uint64_t next = share->after + share->count;
	if (next >= share->total)
		json_member_null(&w, "next");
	else
		json_member_int(&w, "next", (int64_t)next);
	json_member_int(&w, "total", (int64_t)share->total);
	json_member_instant(&w, "as_of", call_as_of_ms(call));
	json_end_object(&w);
	call_answer(call, 200, &out);
}

/* From the partition whose turn it is, until the page is full. */
static void write_page(struct api_call *call, struct json_writer *w)
{
	struct stream          *state  = call->state;
	struct consumer_cursor *cursor = &state->cursor;
	size_t                  left   = state->limit;
	uint32_t                turn   = cursor->turn;
	for (uint32_t i = 0; i < state->share_count && left > 0; i++) {
		uint32_t            partition = (cursor->turn + i) % state->share_count;
		const struct share *share     = &state->shares[partition];
		size_t              count     = share->count < left ? share->count : left;
		for (size_t c = 0; c < count; c++)
			write_change(call, w, share, c);
		cursor->after[partition] = share->after + count;
		left -= count;
		turn = partition + 1;
	}
	cursor->turn = turn % state->share_count;
}

static void answer_all(struct api_call *call)
{
	struct stream *state = call->state;
	uint64_t       total = 0, read = 0;
	if (is_gone(call))
		return;
	for (uint32_t i = 0; i < state->share_count; i++) {
		total += state->shares[i].total;
		state->cursor.after[i] = state->shares[i].after;
		if (state->cursor.after[i] > state->shares[i].total) {
			struct error err;
			error_set_field(&err, STATUS_INVALID, "cursor",
			                "The cursor lies behind the end of the stream");
			call_fail(call, &err);
			return;
		}
	}
	struct buffer      out = {0}, next = {0};
	struct json_writer w = call_begin_list(&out);
	write_page(call, &w);
	json_end_array(&w);
	for (uint32_t i = 0; i < state->share_count; i++)
		read += state->cursor.after[i];
	consumer_cursor_write(&state->cursor, &next);
	json_member_string(&w, "next", buffer_text(&next));
	json_member_int(&w, "left", (int64_t)(total - read));
	json_member_int(&w, "total", (int64_t)total);
	json_member_instant(&w, "as_of", call_as_of_ms(call));
	json_end_object(&w);
	buffer_done(&next);
	call_answer(call, 200, &out);
}

/* ---- What was asked ---- */

static void read_all(struct api_call *call)
{
	struct stream *state = call->state;
	make_shares(call, state->cursor.partition_count);
	for (uint32_t i = 0; i < state->share_count; i++) {
		state->shares[i].partition = i;
		state->shares[i].after     = state->cursor.after[i];
	}
	call_read_all(call, run, answer_all);
}

static void read_behind_consumer(struct api_call *call)
{
	struct stream        *state = call->state;
	struct store         *store = call->api->config.store;
	struct store_consumer consumer;
	struct text           name;
	struct error          err;
	http_query(call->request, "consumer", &name);
	if (store->ops->consumer_get(store, name, call->arena, &consumer, &err) != STATUS_OK ||
	    consumer_cursor_read(consumer.cursor, call->api->config.partition_count, call->arena,
	                         &state->cursor, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		read_all(call);
}

static void read_one(struct api_call *call)
{
	struct stream *state = call->state;
	uint64_t       partition, after;
	struct error   err;
	if (call_query_number(call, "partition", call->api->config.partition_count - 1, 0, &partition,
	                      &err) != STATUS_OK ||
	    call_query_number(call, "after", INT64_MAX, 0, &after, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	make_shares(call, 1);
	state->shares[0].partition = (uint32_t)partition;
	state->shares[0].after     = after;
	call_read_person(call, (uint32_t)partition, run, answer_one);
}

void changes_list(struct api_call *call)
{
	struct stream *state = ARENA_NEW(call->arena, struct stream);
	struct text    text;
	struct error   err;
	call->state        = state;
	bool consumer      = http_query(call->request, "consumer", &text);
	bool cursor        = http_query(call->request, "cursor", &text);
	state->all         = consumer || cursor;
	enum status status = call_limit(call, &state->limit, &err);
	if (status == STATUS_OK && consumer && cursor)
		status = error_set_field(&err, STATUS_INVALID, "cursor",
		                         "Either the cursor of a consumer or one of your own");
	if (status == STATUS_OK && cursor)
		status = consumer_cursor_read(text, call->api->config.partition_count, call->arena,
		                              &state->cursor, &err);
	if (status != STATUS_OK)
		call_fail(call, &err);
	else if (consumer)
		call_on_worker(call, read_behind_consumer);
	else if (cursor)
		read_all(call);
	else
		read_one(call);
}
