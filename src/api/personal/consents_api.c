/* /api/v1/users/{id}/consents: what a user has agreed to, and how that came. A decision is two
 * messages of one append: traits, which are asked (model/consent.h), and an event, which is the
 * history and holds time, source and proof. */

#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "api/user/person_traits.h"
#include "api/user/user_put.h"
#include "base/hash.h"
#include "base/instant.h"
#include "model/consent.h"

#define EVENT_NAME TEXT("Consent Changed")

enum { DECISIONS_MAX = 50, HISTORY_MAX = 100, SOURCE_BYTES_MAX = 256, PROOF_BYTES_MAX = 4096 };

/* ---- GET ---- */

struct consents {
	struct reads_user    user;
	struct person_traits of;
	struct event        *events; /* copied, the newest first */
	size_t               count;
};

static void copy_event(struct consents *state, const struct event *event, struct arena *arena)
{
	struct event *kept      = &state->events[state->count++];
	*kept                   = *event;
	kept->record.properties = arena_text(arena, event->record.properties);
	kept->record.sealed     = arena_text(arena, event->record.sealed);
}

static void run(struct api_call *call, struct view *view)
{
	struct consents *state  = call->state;
	event_list       events = {0};
	person_traits_copy(view, state->user.person.slot, false, call->arena, &state->of);
	if (!state->of.found)
		return;
	state->events = ARENA_ARRAY(call->arena, struct event, HISTORY_MAX);
	view_events(view, state->user.person.slot, &events);
	for (size_t i = events.count; i-- > 0 && state->count < HISTORY_MAX;)
		if (text_equal(events.items[i].record.name, EVENT_NAME))
			copy_event(state, &events.items[i], call->arena);
	event_list_done(&events);
}

/* "marketing.email" */
static void write_name(struct json_writer *w, struct text name)
{
	const char *dot = memchr(name.data, '.', name.length);
	if (dot == NULL) {
		json_member_string(w, "purpose", name);
		json_member_null(w, "channel");
		return;
	}
	size_t length = (size_t)(dot - name.data);
	json_member_string(w, "purpose", (struct text){name.data, length});
	json_member_string(w, "channel", (struct text){dot + 1, name.length - length - 1});
}

static void write_item(struct json_writer *w, struct text name, bool granted)
{
	json_begin_object(w);
	write_name(w, name);
	json_member_bool(w, "granted", granted);
	json_end_object(w);
}

static bool is_decided(const struct value *value)
{
	return value->type == VALUE_TRUE || value->type == VALUE_FALSE;
}

/* What an object says; `prefix`: what stands before its names. */
static void write_nested(struct json_writer *w, struct arena *arena, struct text list,
                         const char *prefix)
{
	for (struct value_reader r = value_read(list); value_next(&r);) {
		if (!consent_is_name(r.name))
			continue;
		struct text name = text_of(arena_printf(arena, "%s%.*s", prefix, TEXT_FORMAT(r.name)));
		if (is_decided(&r.value))
			write_item(w, name, r.value.type == VALUE_TRUE);
		else if (r.value.type == VALUE_OBJECT && prefix[0] == '\0')
			write_nested(w, arena, r.value.text, arena_printf(arena, "%s.", name.data));
	}
}

static void write_items(struct json_writer *w, struct arena *arena, struct text traits)
{
	struct text prefix = TEXT("consent.");
	json_add_key(w, TEXT("items"));
	json_begin_array(w);
	for (struct value_reader r = value_read(traits); value_next(&r);) {
		struct text rest = {r.name.data + prefix.length, r.name.length - prefix.length};
		if (text_starts_with(r.name, prefix) && is_decided(&r.value))
			write_item(w, rest, r.value.type == VALUE_TRUE);
		else if (text_equal(r.name, TEXT("consent")) && r.value.type == VALUE_OBJECT)
			write_nested(w, arena, r.value.text, "");
	}
	json_end_array(w);
	struct text  set   = TEXT("marketing_consent");
	struct value value = value_find(traits, set, hash_name(set));
	json_add_key(w, TEXT("marketing_consent"));
	if (value.type == VALUE_NONE)
		json_add_null(w);
	else
		value_write_json(w, &value);
}

static void write_event(struct api_call *call, struct json_writer *w, const struct event *event)
{
	const struct record *record   = &event->record;
	bool                 pii      = call_shows_personal(call);
	struct buffer        plain    = {0};
	struct text          personal = {0};
	struct error         err;
	if (pii && record->sealed.length > 0 &&
	    reads_unseal(call, (struct person){event->partition, record->slot}, record->sealed, &plain,
	                 &err) == STATUS_OK) {
		struct byte_reader reader = byte_reader_of(plain.data, plain.length);
		personal                  = read_sized(&reader);
	}
	json_begin_object(w);
	json_member_instant(w, "at", event->time_ms);
	json_add_key(w, TEXT("decision"));
	reads_write_values(w, record->properties, pii ? &personal : NULL);
	json_end_object(w);
	buffer_done(&plain);
}

static void answer(struct api_call *call)
{
	struct consents *state = call->state;
	struct error     err;
	if (!state->of.found) {
		reads_unknown_user(&err);
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	write_items(&w, call->arena, state->of.view.traits);
	json_add_key(&w, TEXT("history"));
	json_begin_array(&w);
	for (size_t i = 0; i < state->count; i++)
		write_event(call, &w, &state->events[i]);
	json_end_array(&w);
	json_member_instant(&w, "as_of", call_as_of_ms(call));
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void read_consents(struct api_call *call)
{
	struct consents *state = arena_zalloc(call->arena, sizeof *state);
	struct error     err;
	call->state = state;
	if (reads_user(call, &state->user, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_read_person(call, state->user.person.partition, run, answer);
}

void consents_get(struct api_call *call) { read_consents(call); }

/* ---- PUT ---- */

struct decision {
	struct text purpose;
	struct text channel; /* empty: all */
	bool        granted;
	struct text at; /* empty: now */
	struct text source;
	struct text proof;
};

static enum status refuse(struct error *err, unsigned index, const char *member, const char *reason)
{
	char field[ERROR_FIELD_BYTES_MAX];
	snprintf(field, sizeof field, "consents[%u].%.200s", index, member);
	return error_set_field(err, STATUS_INVALID, field, "%s", reason);
}

static enum status read_decision(struct json json, unsigned index, struct decision *decision,
                                 struct error *err)
{
	static const char *const known[] = {"purpose", "channel", "granted", "at",
	                                    "source",  "proof",   NULL};
	struct json              granted = json_get(json, "granted");
	int64_t                  at_ms;
	enum status              status = STATUS_OK;
	if (json_type(json) != JSON_OBJECT)
		return refuse(err, index, "purpose", "A decision is an object with a purpose");
	if ((status = call_only(json, known, err)) != STATUS_OK ||
	    (status = call_string(json, "purpose", false, 1, CONSENT_NAME_BYTES_MAX, &decision->purpose,
	                          err)) != STATUS_OK ||
	    (status = call_string(json, "channel", true, 1, CONSENT_NAME_BYTES_MAX, &decision->channel,
	                          err)) != STATUS_OK ||
	    (status = call_string(json, "at", true, 1, INSTANT_TEXT_BYTES, &decision->at, err)) !=
	        STATUS_OK ||
	    (status = call_string(json, "source", true, 0, SOURCE_BYTES_MAX, &decision->source, err)) !=
	        STATUS_OK ||
	    (status = call_string(json, "proof", true, 0, PROOF_BYTES_MAX, &decision->proof, err)) !=
	        STATUS_OK) {
		const struct error inner = *err;
		return refuse(err, index, inner.field, inner.reason);
	}
	if (!consent_is_name(decision->purpose))
		return refuse(err, index, "purpose", "It must be a name without dots");
	if (decision->channel.length > 0 && !consent_is_name(decision->channel))
		return refuse(err, index, "channel", "It must be a name without dots");
	if (json_type(granted) != JSON_BOOL)
		return refuse(err, index, "granted", "It must be true or false");
	if (decision->at.length > 0 && !instant_parse(decision->at, &at_ms))
		return refuse(err, index, "at", "It must be an RFC 3339 instant");
	decision->granted = json_bool(granted);
	return STATUS_OK;
}

static void write_traits(struct json_writer *w, struct api_call *call,
                         const struct decision *decisions, unsigned count)
{
	json_begin_object(w);
	json_member_string(w, "type", TEXT("identify"));
	user_put_identity(call, w);
	json_add_key(w, TEXT("traits"));
	json_begin_object(w);
	for (unsigned i = 0; i < count; i++) {
		const struct decision *one = &decisions[i];
		const char            *dot = one->channel.length > 0 ? "." : "";
		json_member_bool(w,
		                 arena_printf(call->arena, "consent.%.*s%s%.*s", TEXT_FORMAT(one->purpose),
		                              dot, TEXT_FORMAT(one->channel)),
		                 one->granted);
	}
	json_end_object(w);
	json_end_object(w);
}

static void write_track(struct json_writer *w, struct api_call *call, const struct decision *one)
{
	json_begin_object(w);
	json_member_string(w, "type", TEXT("track"));
	user_put_identity(call, w);
	json_member_string(w, "event", EVENT_NAME);
	if (one->at.length > 0)
		json_member_string(w, "timestamp", one->at);
	json_add_key(w, TEXT("properties"));
	json_begin_object(w);
	json_member_string(w, "purpose", one->purpose);
	if (one->channel.length > 0)
		json_member_string(w, "channel", one->channel);
	json_member_bool(w, "granted", one->granted);
	if (one->source.length > 0)
		json_member_string(w, "source", one->source);
	if (one->proof.length > 0)
		json_member_string(w, "proof", one->proof);
	json_end_object(w);
	json_end_object(w);
}

static enum status put_batch(struct api_call *call, struct buffer *message, struct error *err)
{
	static const char *const known[] = {"consents", NULL};
	struct decision          decisions[DECISIONS_MAX];
	struct json              body;
	unsigned                 count  = 0;
	enum status              status = call_body(call, &body, err);
	if (status == STATUS_OK)
		status = call_only(body, known, err);
	if (status != STATUS_OK)
		return status;
	struct json list = json_get(body, "consents");
	if (json_type(list) != JSON_ARRAY || json_count(list) == 0 || json_count(list) > DECISIONS_MAX)
		return error_set_field(err, STATUS_INVALID, "consents",
		                       "It is an array of 1 to %d decisions", DECISIONS_MAX);
	for (struct json_iterator i = json_iterate(list); status == STATUS_OK && json_next(&i);) {
		decisions[count] = (struct decision){0};
		status           = read_decision(i.value, count, &decisions[count], err);
		count++;
	}
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(message);
	json_begin_object(&w);
	json_add_key(&w, TEXT("batch"));
	json_begin_array(&w);
	write_traits(&w, call, decisions, count);
	for (unsigned i = 0; i < count; i++)
		write_track(&w, call, &decisions[i]);
	json_end_array(&w);
	json_end_object(&w);
	return STATUS_OK;
}

void consents_put(struct api_call *call) { user_put(call, INGEST_BATCH, put_batch, read_consents); }
