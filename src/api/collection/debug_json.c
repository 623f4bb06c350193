/* An event of the debugger as JSON. */

#include <stdio.h>
#include <string.h>

#include "api/collection/debugger.h"
#include "ingest/tape.h"
#include "model/personal.h"

static const char *const verdicts[] = {
	[DEBUG_ACCEPTED] = "accepted", [DEBUG_REJECTED] = "rejected", [DEBUG_REFUSED] = "refused"};

/* What was rejected need not have the shape in which places mean something. */
static bool is_personal_name(struct text name)
{
	return personal_by_name(PERSONAL_IN_TRAITS, name) ||
	       personal_by_name(PERSONAL_IN_PROPERTIES, name) ||
	       personal_by_name(PERSONAL_IN_CONTEXT, name);
}

/* Members of `context.device`. */
static bool is_device_name(struct text name)
{
	return text_equal(name, TEXT("id")) || text_equal(name, TEXT("token")) ||
	       text_equal(name, TEXT("advertisingId"));
}

static bool is_personal_text(struct text text)
{
	return text.length > PERSONAL_TEXT_BYTES_MAX || memchr(text.data, '@', text.length) != NULL;
}

/* At most DEBUGGER_DEPTH_MAX deep: checked before. */
static void write_masked(struct json_writer *w, struct json value, const struct classes *classes,
                         bool device)
{
	switch (json_type(value)) {
	case JSON_OBJECT:
		json_begin_object(w);
		for (struct json_iterator i = json_iterate(value); json_next(&i);) {
			json_add_key(w, is_personal_text(i.name) ? TEXT("***") : i.name);
			if (is_personal_name(i.name) || classes_mention(classes, i.name) ||
			    (device && is_device_name(i.name)))
				json_add_string(w, TEXT("***"));
			else
				write_masked(w, i.value, classes, text_equal(i.name, TEXT("device")));
		}
		json_end_object(w);
		break;
	case JSON_ARRAY:
		json_begin_array(w);
		for (struct json_iterator i = json_iterate(value); json_next(&i);)
			write_masked(w, i.value, classes, device);
		json_end_array(w);
		break;
	case JSON_STRING:
		json_add_string(w, is_personal_text(json_string(value)) ? TEXT("***") : json_string(value));
		break;
	default:
		json_add_value(w, value);
	}
}

static void write_event(struct json_writer *w, struct json_parser *parser, struct text event,
                        bool personal, const struct classes *classes)
{
	struct json      root;
	struct error     err;
	struct tape_scan scan = {0};
	bool parsed = event.data != NULL && json_parse_text(parser, event, &root, &err) == STATUS_OK;
	if (parsed)
		scan = tape_scan(root);
	json_add_key(w, TEXT("event"));
	if (!parsed || scan.depth > DEBUGGER_DEPTH_MAX || scan.overflow)
		json_add_null(w);
	else if (personal)
		json_add_value(w, root);
	else
		write_masked(w, root, classes, false);
}

void debug_event_write(struct json_writer *w, struct json_parser *parser,
                       const struct debug_event *event, bool personal,
                       const struct classes *classes)
{
	bool listed    = event->kind == INGEST_BATCH || event->kind == INGEST_EVENTS;
	char place[32] = "";
	if (listed && event->verdict != DEBUG_REFUSED)
		snprintf(place, sizeof place, "%s[%u]", event->kind == INGEST_BATCH ? "batch" : "events",
		         event->index);
	json_begin_object(w);
	json_member_int(w, "number", (int64_t)event->number);
	json_member_instant(w, "at", event->at_ms);
	json_member_string(w, "verdict", text_of(verdicts[event->verdict]));
	if (event->code == NULL)
		json_member_null(w, "code");
	else
		json_member_string(w, "code", text_of(event->code));
	json_member_string(w, "place", text_of(place));
	json_add_key(w, TEXT("violations"));
	json_add_raw(w, event->violations.data != NULL ? event->violations : TEXT("[]"));
	json_member_int(w, "bytes", (int64_t)event->bytes);
	write_event(w, parser, event->event, personal, classes);
	json_end_object(w);
}
