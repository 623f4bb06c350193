/* GET /api/v1/users/{id}/events: newest first. The cursor is the place of the last one listed in
 * the order of rule 13. */

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "base/instant.h"
#include "model/record.h"
#include "model/value.h"

enum { PAGE_BYTES_MAX = 4 << 20 }; /* copied on the partition's thread; a page may be shorter */

struct place {
	int64_t  time_ms;
	int64_t  received_ms;
	uint32_t partition;
	uint64_t position;
};

struct page {
	struct reads_user user;
	struct vault_id   id;
	bool              found;
	struct place      before; /* position 0: from the newest on */
	size_t            limit;
	struct event     *events; /* copied */
	size_t            count;
	size_t            total;
	bool              more;
};

static bool is_before(const struct event *event, const struct place *place)
{
	if (place->position == 0)
		return true;
	if (event->time_ms != place->time_ms)
		return event->time_ms < place->time_ms;
	if (event->received_ms != place->received_ms)
		return event->received_ms < place->received_ms;
	if (event->partition != place->partition)
		return event->partition < place->partition;
	return event->position < place->position;
}

static size_t copy(struct event *event, struct arena *arena)
{
	struct record *record  = &event->record;
	struct text   *texts[] = {&record->name, &record->message_id, &record->properties,
	                          &record->context, &record->sealed};
	size_t         bytes   = 0;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		bytes += texts[i]->length;
		*texts[i] = arena_text(arena, *texts[i]);
	}
	return bytes;
}

static void run(struct api_call *call, struct view *view)
{
	struct page       *state = call->state;
	uint32_t           slot  = state->user.person.slot;
	struct view_person person;
	event_list         events = {0};
	size_t             bytes  = 0;
	state->found              = view_person(view, slot, &person);
	if (!state->found)
		return;
	view_events(view, slot, &events);
	state->total = events.count;
	for (size_t i = events.count; i-- > 0;) {
		if (!is_before(&events.items[i], &state->before))
			continue;
		if (state->count == state->limit || bytes > PAGE_BYTES_MAX) {
			state->more = true;
			break;
		}
		state->events[state->count] = events.items[i];
		bytes += copy(&state->events[state->count++], call->arena);
	}
	event_list_done(&events);
}

static const char *call_name(enum record_call call)
{
	return call == CALL_PAGE ? "page" : call == CALL_SCREEN ? "screen" : "track";
}

static void write_event(struct api_call *call, struct json_writer *w, const struct event *event)
{
	const struct page   *state       = call->state;
	const struct record *record      = &event->record;
	bool                 pii         = call_shows_personal(call);
	struct buffer        plain       = {0};
	struct text          personal[2] = {{0}};
	struct error         err;
	if (pii && record->sealed.length > 0 &&
	    reads_unseal(call, (struct person){event->partition, record->slot}, record->sealed, &plain,
	                 &err) == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(plain.data, plain.length);
		personal[0]               = read_sized(&reader);
		personal[1]               = read_sized(&reader);
	}
	json_begin_object(w);
	json_member_string(w, state->id.namespace == VAULT_USER ? "userId" : "anonymousId",
	                   state->id.id);
	json_member_string(w, "type", text_of(call_name(record->call)));
	json_member_string(w, "event", record->name);
	if (record->message_id.length > 0)
		json_member_string(w, "messageId", record->message_id);
	json_member_instant(w, "time", event->time_ms);
	json_member_instant(w, "receivedAt", event->received_ms);
	if (record->timestamp_ms != INSTANT_MS_NONE)
		json_member_instant(w, "timestamp", record->timestamp_ms);
	if (event->marked)
		json_member_bool(w, "fromFuture", true);
	json_add_key(w, TEXT("properties"));
	reads_write_values(w, record->properties, pii ? &personal[0] : NULL);
	json_add_key(w, TEXT("context"));
	reads_write_values(w, record->context, pii ? &personal[1] : NULL);
	json_end_object(w);
	buffer_done(&plain);
}

static void answer(struct api_call *call)
{
	struct page *state = call->state;
	struct error err;
	if (!state->found)
		reads_unknown_user(&err);
	if (!state->found || vault_external_id(call->api->config.vault, state->user.person, call->arena,
	                                       &state->id, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0}, next = {0};
	struct json_writer w = reads_begin_list(call, &out, &state->user);
	for (size_t i = 0; i < state->count; i++)
		write_event(call, &w, &state->events[i]);
	if (state->more) {
		const struct event *last = &state->events[state->count - 1];
		buffer_add_i64(&next, last->time_ms);
		buffer_add_i64(&next, last->received_ms);
		buffer_add_u32(&next, last->partition);
		buffer_add_u64(&next, last->position);
	}
	call_end_list(&w, CURSOR_USER_EVENTS, buffer_text(&next), (int64_t)state->total,
	              call_as_of_ms(call));
	buffer_done(&next);
	call_answer(call, 200, &out);
}

void users_events(struct api_call *call)
{
	struct page       *state = ARENA_NEW(call->arena, struct page);
	struct byte_reader cursor;
	struct error       err;
	call->state = state;
	if (call_limit(call, &state->limit, &err) != STATUS_OK ||
	    call_cursor(call, CURSOR_USER_EVENTS, &cursor, &err) != STATUS_OK ||
	    reads_user(call, &state->user, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	if (read_left(&cursor) > 0) {
		state->before.time_ms     = read_i64(&cursor);
		state->before.received_ms = read_i64(&cursor);
		state->before.partition   = read_u32(&cursor);
		state->before.position    = read_u64(&cursor);
	}
	state->events = ARENA_ARRAY(call->arena, struct event, state->limit);
	call_read_person(call, state->user.person.partition, run, answer);
}
