/* What a dead letter says: its place, and how it is sent again. */

#include <stdio.h>

#include "base/buffer.h"
#include "base/instant.h"
#include "ingest/letters.h"
#include "model/record.h"

/* The field that a code is about; "": the whole message. */
static const char *field_of(enum ingest_code code)
{
	switch (code) {
	case INGEST_UNKNOWN_TYPE:
		return "type";
	case INGEST_UNKNOWN_EVENT_TYPE:
		return "eventType";
	case INGEST_MISSING_ID:
	case INGEST_MISSING_USER_ID:
		return "userId";
	case INGEST_MISSING_PREVIOUS_ID:
	case INGEST_ALREADY_IDENTIFIED:
		return "previousId";
	case INGEST_UNSUPPORTED_MERGE:
		return "mergeProperties";
	case INGEST_MISSING_GROUP_ID:
		return "groupId";
	case INGEST_MISSING_EVENT_NAME:
		return "event";
	case INGEST_INVALID_MESSAGE_ID:
		return "messageId";
	case INGEST_INVALID_TIMESTAMP:
	case INGEST_TOO_OLD:
		return "timestamp";
	default:
		return "";
	}
}

struct text letter_place(enum ingest_kind kind, uint32_t index, enum ingest_code code,
                         struct text field, struct arena *arena)
{
	char within[32] = "";
	if (field.length == 0)
		field = text_of(field_of(code));
	if (kind == INGEST_BATCH || kind == INGEST_EVENTS)
		snprintf(within, sizeof within, "%s[%u]", kind == INGEST_BATCH ? "batch" : "events", index);
	bool both = within[0] != '\0' && field.length > 0;
	return text_of(arena_printf(arena, "%s%s%.*s", within, both ? "." : "", TEXT_FORMAT(field)));
}

bool letter_is_cut(const struct store_letter *letter) { return letter->bytes > LETTER_BYTES_MAX; }

/* ---- Sending it again ---- */

static bool is_platform(const struct store_letter *letter)
{
	return letter->kind == INGEST_EVENTS || letter->kind == INGEST_EVENT;
}

static int64_t instant_of(struct json value)
{
	int64_t ms;
	if (json_type(value) == JSON_STRING && instant_parse(json_string(value), &ms))
		return ms;
	return INSTANT_MS_NONE;
}

static struct json present(struct json value)
{
	return json_type(value) == JSON_NULL ? (struct json){0} : value;
}

/* The time that the event had when it came: that of the sender's clock is set right by when it was
 * sent, which means nothing later on. */
static void write_timestamp(struct json_writer *w, const struct store_letter *letter,
                            struct json event, struct json shared)
{
	struct json timestamp = present(json_get(event, "timestamp"));
	struct json sent_at   = present(json_get(event, "sentAt"));
	if (json_type(timestamp) == JSON_NONE && !is_platform(letter))
		timestamp = present(json_get(event, "originalTimestamp"));
	if (json_type(sent_at) == JSON_NONE)
		sent_at = json_get(shared, "sentAt");
	int64_t timestamp_ms = instant_of(timestamp), sent_at_ms = instant_of(sent_at);
	json_add_key(w, TEXT("timestamp"));
	if (json_type(timestamp) == JSON_NONE) {
		json_add_instant(w, letter->at_ms);
	} else if (timestamp_ms == INSTANT_MS_NONE || is_platform(letter)) {
		json_add_value(w, timestamp);
	} else {
		struct record record = {
			.timestamp_ms = timestamp_ms,
			.skew_ms = sent_at_ms == INSTANT_MS_NONE ? INSTANT_MS_NONE : sent_at_ms - timestamp_ms};
		json_add_instant(w, record_time_ms(&record, letter->at_ms, NULL));
	}
}

static void write_message_id(struct json_writer *w, const struct store_letter *letter,
                             struct json event)
{
	struct json id = present(json_get(event, "messageId"));
	char        own[48];
	json_add_key(w, TEXT("messageId"));
	if (json_type(id) != JSON_NONE &&
	    !(json_type(id) == JSON_STRING && json_string(id).length == 0)) {
		json_add_value(w, id);
		return;
	}
	snprintf(own, sizeof own, "dead-letter-%llu", (unsigned long long)letter->id);
	json_add_string(w, text_of(own));
}

static bool is_written_anew(struct text name)
{
	static const struct text names[] = {
		{"timestamp", 9}, {"originalTimestamp", 17}, {"sentAt", 6}, {"messageId", 9}};
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text_equal(name, names[i]))
			return true;
	return false;
}

static void write_event(struct json_writer *w, const struct store_letter *letter, struct json event,
                        struct json shared)
{
	if (json_type(event) != JSON_OBJECT) {
		json_add_value(w, event); /* rejected again */
		return;
	}
	json_begin_object(w);
	for (struct json_iterator i = json_iterate(event); json_next(&i);)
		if (!is_written_anew(i.name)) {
			json_add_key(w, i.name);
			json_add_value(w, i.value);
		}
	write_timestamp(w, letter, event, shared);
	write_message_id(w, letter, event);
	json_end_object(w);
}

static void write_body(struct json_writer *w, const struct store_letter *letter, struct json event,
                       struct json shared)
{
	if (letter->kind == INGEST_BATCH) {
		struct json context = json_get(shared, "context");
		json_begin_object(w);
		if (json_type(context) == JSON_OBJECT) {
			json_add_key(w, TEXT("context"));
			json_add_value(w, context);
		}
		json_add_key(w, TEXT("batch"));
	}
	bool listed = letter->kind == INGEST_BATCH || letter->kind == INGEST_EVENTS;
	if (listed)
		json_begin_array(w);
	write_event(w, letter, event, shared);
	if (listed)
		json_end_array(w);
	if (letter->kind == INGEST_BATCH)
		json_end_object(w);
}

struct text letter_body(const struct store_letter *letter, struct text event, struct text shared,
                        struct arena *arena)
{
	struct json_parser *parsers[] = {json_parser_new(), json_parser_new()};
	struct json         root = {0}, shared_root = {0};
	struct buffer       out = {0};
	struct json_writer  w   = json_writer_of(&out);
	struct error        err;
	if (shared.length > 0 && json_parse_text(parsers[1], shared, &shared_root, &err) != STATUS_OK)
		shared_root = (struct json){0};
	if (json_parse_text(parsers[0], event, &root, &err) == STATUS_OK)
		write_body(&w, letter, root, shared_root);
	char *body = arena_alloc(arena, out.length + JSON_PADDING_BYTES);
	memcpy(body, out.data, out.length);
	struct text text = {body, out.length};
	buffer_done(&out);
	json_parser_free(parsers[0]);
	json_parser_free(parsers[1]);
	return text;
}
