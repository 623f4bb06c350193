#include "ingest/message.h"

#include <math.h>
#include <stdio.h>

#include "base/instant.h"
#include "ingest/envelope.h"
#include "ingest/event_types.h"
#include "ingest/tape.h"
#include "model/birthday.h"
#include "model/consent.h"
#include "model/rules.h"

enum { KEPT_BYTES_MAX = 1 << 20 }; /* of a buffer, from one request to the next */

void decoder_init(struct decoder *decoder, struct event_types *event_types, struct vault *vault)
{
	*decoder = (struct decoder){.event_types = event_types, .vault = vault};
	arena_init(&decoder->arena);
	sift_init(&decoder->values, PERSONAL_IN_PROPERTIES);
	sift_init(&decoder->context, PERSONAL_IN_CONTEXT);
}

void decoder_done(struct decoder *decoder)
{
	buffer_done(&decoder->lists);
	buffer_done(&decoder->personal);
	buffer_done(&decoder->indexes);
	buffer_done(&decoder->scratch);
	arena_done(&decoder->arena);
	sift_done(&decoder->values);
	sift_done(&decoder->context);
	plan_check_done(&decoder->check);
	VECTOR_DONE(&decoder->violations);
}

static void begin_buffer(struct buffer *buffer)
{
	if (buffer->capacity > KEPT_BYTES_MAX)
		buffer_done(buffer);
	buffer_clear(buffer);
}

void decoder_begin(struct decoder *decoder, enum ingest_kind kind, size_t body_length,
                   int64_t now_ms, int64_t retention_ms)
{
	begin_buffer(&decoder->lists);
	begin_buffer(&decoder->personal);
	arena_reset(&decoder->arena);
	decoder->kind           = kind;
	decoder->body_length    = body_length;
	decoder->now_ms         = now_ms;
	decoder->retention_ms   = retention_ms;
	decoder->sent_at_ms     = INSTANT_MS_NONE;
	decoder->shared_context = (struct json){0};
	decoder->shared_bytes   = 0;
	decoder->counts         = (struct source_counts){.bytes = body_length};
	decoder->plan           = NULL;
	decoder->values.check   = NULL;

	decoder->violations.count = 0;
	decoder->violations_gone  = 0;
}

/* INSTANT_MS_NONE when absent, or not to be read: who sent it does not lose the event for it. */
static int64_t sent_at_of(struct json json)
{
	int64_t ms;
	if (json_type(json) == JSON_STRING && instant_parse(json_string(json), &ms))
		return ms;
	return INSTANT_MS_NONE;
}

void decoder_share(struct decoder *decoder, struct json batch)
{
	struct json context = json_get(batch, "context");
	decoder->sent_at_ms = sent_at_of(json_get(batch, "sentAt"));
	if (json_type(context) == JSON_OBJECT) {
		decoder->shared_context = context;
		decoder->shared_bytes   = tape_text_bytes(context);
	}
}

/* ---- Ids ---- */

/* The shortest form of a number, in the arena. */
static struct text number_text(struct decoder *decoder, struct json number)
{
	struct json_writer writer = json_writer_of(&decoder->scratch);
	buffer_clear(&decoder->scratch);
	json_add_value(&writer, number);
	return arena_text(&decoder->arena, buffer_text(&decoder->scratch));
}

/* A string or a number; absent and empty are the same. */
static enum ingest_code read_id(struct decoder *decoder, struct json json, size_t bytes_max,
                                enum ingest_code refusal, struct text *ret_id)
{
	*ret_id = TEXT("");
	if (json_type(json) == JSON_NONE)
		return INGEST_ACCEPTED;
	if (json_type(json) == JSON_OVERFLOW)
		return INGEST_INVALID_NUMBER;
	if (json_type(json) == JSON_STRING)
		*ret_id = json_string(json);
	else if (json_is_number(json))
		*ret_id = number_text(decoder, json);
	else
		return refusal;
	return ret_id->length <= bytes_max ? INGEST_ACCEPTED : refusal;
}

static enum ingest_code read_ids(struct decoder *decoder, const struct envelope *envelope,
                                 struct message *message)
{
	enum ingest_code code;
	code = read_id(decoder, envelope_get(envelope, FIELD_MESSAGE_ID), INGEST_MESSAGE_ID_BYTES_MAX,
	               INGEST_INVALID_MESSAGE_ID, &message->message_id);
	if (code == INGEST_ACCEPTED)
		code = read_id(decoder, envelope_get(envelope, FIELD_USER_ID), VAULT_ID_BYTES_MAX,
		               INGEST_INVALID_ID, &message->user_id);
	if (code == INGEST_ACCEPTED)
		code = read_id(decoder, envelope_get(envelope, FIELD_ANONYMOUS_ID), VAULT_ID_BYTES_MAX,
		               INGEST_INVALID_ID, &message->anonymous_id);
	return code;
}

/* ---- Times ---- */

static bool read_epoch_ms(struct json json, int64_t *ret_ms)
{
	if (!json_is_number(json))
		return false;
	double ms = floor(json_number(json));
	if (!(ms >= (double)INSTANT_MS_MIN && ms <= (double)INSTANT_MS_MAX))
		return false;
	*ret_ms = (int64_t)ms;
	return true;
}

static bool from_platform(const struct decoder *decoder)
{
	return decoder->kind == INGEST_EVENTS || decoder->kind == INGEST_EVENT;
}

/* Whether it is older than events are kept; notes how long it was on its way. */
static bool too_old(struct decoder *decoder, const struct message *message)
{
	struct record record  = {.timestamp_ms = message->timestamp_ms, .skew_ms = message->skew_ms};
	int64_t       time_ms = record_time_ms(&record, decoder->now_ms, NULL);
	decoder->lag_ms       = time_ms < decoder->now_ms ? decoder->now_ms - time_ms : 0;
	if (decoder->retention_ms == INSTANT_MS_NEVER)
		return false;
	return instant_floor_day_ms(time_ms) + decoder->retention_ms <= decoder->now_ms;
}

static enum ingest_code read_times(struct decoder *decoder, const struct envelope *envelope,
                                   struct message *message)
{
	message->timestamp_ms = INSTANT_MS_NONE;
	message->skew_ms      = INSTANT_MS_NONE;
	decoder->lag_ms       = 0;
	struct json timestamp = envelope_get(envelope, FIELD_TIMESTAMP);
	if (json_type(timestamp) == JSON_NONE && !from_platform(decoder))
		timestamp = envelope_get(envelope, FIELD_ORIGINAL_TIMESTAMP);
	if (json_type(timestamp) == JSON_NONE)
		return INGEST_ACCEPTED;

	bool read = json_type(timestamp) == JSON_STRING
	                ? instant_parse(json_string(timestamp), &message->timestamp_ms)
	                : from_platform(decoder) && read_epoch_ms(timestamp, &message->timestamp_ms);
	if (!read)
		return INGEST_INVALID_TIMESTAMP;

	if (!from_platform(decoder)) {
		int64_t sent_at_ms = sent_at_of(envelope_get(envelope, FIELD_SENT_AT));
		if (sent_at_ms == INSTANT_MS_NONE)
			sent_at_ms = decoder->sent_at_ms;
		if (sent_at_ms != INSTANT_MS_NONE)
			message->skew_ms = sent_at_ms - message->timestamp_ms;
	}
	return too_old(decoder, message) ? INGEST_TOO_OLD : INGEST_ACCEPTED;
}

/* ---- Properties, traits, context ---- */

static bool is_object_or_absent(struct json json)
{
	return json_type(json) == JSON_OBJECT || json_type(json) == JSON_NONE;
}

static enum ingest_code add_members(struct sift *sift, struct json object)
{
	enum ingest_code code = INGEST_ACCEPTED;
	for (struct json_iterator i = json_iterate(object); code == INGEST_ACCEPTED && json_next(&i);)
		code = sift_add(sift, i.name, i.value);
	return code;
}

/* The properties with `name` and `category`, which win over properties so named: browsers send
 * both. */
static enum ingest_code add_page(struct sift *sift, const struct envelope *envelope,
                                 struct json properties)
{
	struct json name     = envelope_get(envelope, FIELD_NAME);
	struct json category = envelope_get(envelope, FIELD_CATEGORY);
	bool        named    = json_type(name) == JSON_STRING;
	bool        filed    = json_type(category) == JSON_STRING;
	if ((!named && json_type(name) != JSON_NONE) || (!filed && json_type(category) != JSON_NONE))
		return INGEST_INVALID_FIELD;

	enum ingest_code code = named ? sift_add(sift, TEXT("name"), name) : INGEST_ACCEPTED;
	if (filed && code == INGEST_ACCEPTED)
		code = sift_add(sift, TEXT("category"), category);
	for (struct json_iterator i = json_iterate(properties);
	     code == INGEST_ACCEPTED && json_next(&i);)
		if (!(named && text_equal(i.name, TEXT("name"))) &&
		    !(filed && text_equal(i.name, TEXT("category"))))
			code = sift_add(sift, i.name, i.value);
	return code;
}

static enum ingest_code add_group(struct decoder *decoder, const struct envelope *envelope)
{
	struct text      group_id;
	enum ingest_code code = read_id(decoder, envelope_get(envelope, FIELD_GROUP_ID),
	                                VAULT_ID_BYTES_MAX, INGEST_INVALID_ID, &group_id);
	if (code != INGEST_ACCEPTED)
		return code;
	if (group_id.length == 0)
		return INGEST_MISSING_GROUP_ID;
	sift_add_text(&decoder->values, TEXT("group_id"), group_id);
	return INGEST_ACCEPTED;
}

static enum envelope_field values_field(const struct decoder *decoder, enum record_call call)
{
	if (call == CALL_IDENTIFY)
		return FIELD_TRAITS;
	return from_platform(decoder) ? FIELD_ATTRIBUTES : FIELD_PROPERTIES;
}

/* `context.consent.categoryPreferences` of Segment's SDKs: {"Advertising":true}. */
static struct json consents_of(const struct decoder *decoder, const struct envelope *envelope)
{
	struct json context = envelope_get(envelope, FIELD_CONTEXT);
	struct json consent = json_get(context, "consent");
	if (json_type(consent) == JSON_NONE)
		consent = json_get(decoder->shared_context, "consent");
	return json_get(consent, "categoryPreferences");
}

/* Calls `add` for each trait that follows; at most CONSENTS_MAX. */
static void each_consent(const struct decoder *decoder, const struct envelope *envelope,
                         void (*add)(struct decoder *decoder, struct text name, bool given),
                         struct decoder *into)
{
	enum { CONSENTS_MAX = 50 };
	char        name[sizeof "consent." + CONSENT_NAME_BYTES_MAX];
	struct json preferences = consents_of(decoder, envelope);
	unsigned    count       = 0;
	if (json_type(preferences) != JSON_OBJECT)
		return;
	for (struct json_iterator i = json_iterate(preferences); json_next(&i);) {
		if (json_type(i.value) != JSON_BOOL || !consent_is_name(i.name) || count == CONSENTS_MAX)
			continue;
		int length = snprintf(name, sizeof name, "consent.%.*s", (int)i.name.length, i.name.data);
		add(into, (struct text){name, (size_t)length}, json_bool(i.value));
		count++;
	}
}

static void sift_consent(struct decoder *decoder, struct text name, bool given)
{
	sift_add_bool(&decoder->values, name, given);
}

static enum ingest_code add_values(struct decoder *decoder, const struct envelope *envelope,
                                   enum record_call call)
{
	if (call == CALL_ALIAS)
		return INGEST_ACCEPTED;
	if (call == CALL_GROUP)
		return add_group(decoder, envelope);

	struct json values = envelope_get(envelope, values_field(decoder, call));
	if (!is_object_or_absent(values))
		return INGEST_INVALID_FIELD;
	if (call == CALL_PAGE || call == CALL_SCREEN)
		return add_page(&decoder->values, envelope, values);
	if (call == CALL_IDENTIFY)
		each_consent(decoder, envelope, sift_consent, decoder);
	return add_members(&decoder->values, values);
}

static enum ingest_code add_platform_context(struct decoder        *decoder,
                                             const struct envelope *envelope)
{
	struct text      session_id, device_id;
	enum ingest_code code = read_id(decoder, envelope_get(envelope, FIELD_SESSION_ID),
	                                VAULT_ID_BYTES_MAX, INGEST_INVALID_ID, &session_id);
	if (code == INGEST_ACCEPTED)
		code = read_id(decoder, envelope_get(envelope, FIELD_DEVICE_ID), VAULT_ID_BYTES_MAX,
		               INGEST_INVALID_ID, &device_id);
	if (code != INGEST_ACCEPTED)
		return code;
	if (session_id.length > 0)
		sift_add_text(&decoder->context, TEXT("sessionId"), session_id);
	if (device_id.length > 0)
		sift_add_nested_text(&decoder->context, TEXT("device"), TEXT("id"), device_id);
	return INGEST_ACCEPTED;
}

static bool makes_event(enum record_call call)
{
	return call == CALL_TRACK || call == CALL_PAGE || call == CALL_SCREEN;
}

/* Only events keep their context. */
static enum ingest_code add_context(struct decoder *decoder, const struct envelope *envelope,
                                    enum record_call call)
{
	if (!makes_event(call))
		return INGEST_ACCEPTED;
	if (from_platform(decoder))
		return add_platform_context(decoder, envelope);

	struct json context = envelope_get(envelope, FIELD_CONTEXT);
	if (!is_object_or_absent(context))
		return INGEST_INVALID_FIELD;
	/* The batch's first: of entries with the same name the last one counts. */
	enum ingest_code code = add_members(&decoder->context, decoder->shared_context);
	return code == INGEST_ACCEPTED ? add_members(&decoder->context, context) : code;
}

static struct span span_to_end(size_t begin, const struct buffer *buffer)
{
	return (struct span){begin, buffer->length - begin};
}

/* What is sealed beside a trait, so that it can be compared. False: nothing. */
static bool add_index(struct decoder *decoder, const struct value_reader *trait)
{
	char                digits[PERSONAL_INDEX_BYTES];
	struct birthday     birthday;
	enum personal_index kind  = personal_indexed(trait->name);
	struct value        index = {.type = VALUE_STRING, .text = {digits, sizeof digits}};
	if (kind == PERSONAL_NOT_INDEXED || trait->value.type != VALUE_STRING)
		return false;
	if (kind != PERSONAL_BIRTHDAY) {
		if (!vault_index(decoder->vault, kind, trait->value.text, digits, NULL))
			return false;
	} else {
		if (!birthday_parse(trait->value.text, &birthday))
			return false;
		buffer_clear(&decoder->scratch);
		birthday_write(&birthday, &decoder->scratch);
		index = (struct value){.type = VALUE_OBJECT, .text = buffer_text(&decoder->scratch)};
	}
	value_add(&decoder->indexes, trait->name, &index);
	return true;
}

static void keep_indexes(struct decoder *decoder)
{
	unsigned count = 0;
	buffer_clear(&decoder->indexes);
	size_t begin = value_list_begin(&decoder->indexes);
	for (struct value_reader r = value_read(buffer_text(&decoder->values.personal));
	     value_next(&r);)
		count += add_index(decoder, &r);
	value_list_end(&decoder->indexes, begin, count);
	if (count > 0)
		buffer_add_sized(&decoder->personal, buffer_text(&decoder->indexes));
}

static void keep_personal(struct decoder *decoder, struct message *message)
{
	size_t begin = decoder->personal.length;
	if (decoder->values.personal_count + decoder->context.personal_count > 0) {
		buffer_add_sized(&decoder->personal, buffer_text(&decoder->values.personal));
		buffer_add_sized(&decoder->personal, buffer_text(&decoder->context.personal));
		if (decoder->values.place == PERSONAL_IN_TRAITS)
			keep_indexes(decoder);
	}
	message->personal = span_to_end(begin, &decoder->personal);
}

/* ---- Consent ---- */

static void list_consent(struct decoder *decoder, struct text name, bool given)
{
	value_add(&decoder->lists, name, &(struct value){.type = given ? VALUE_TRUE : VALUE_FALSE});
	decoder->consent_count++;
}

/* Of the event that SDKs send when somebody decides anew: it sets the traits, too. */
static void keep_consents(struct decoder *decoder, const struct envelope *envelope,
                          struct message *message)
{
	size_t begin             = decoder->lists.length;
	message->consents.length = 0;
	if (message->call != CALL_TRACK ||
	    !text_equal(message->name, TEXT("Segment Consent Preference Updated")))
		return;
	decoder->consent_count = 0;
	size_t list            = value_list_begin(&decoder->lists);
	each_consent(decoder, envelope, list_consent, decoder);
	value_list_end(&decoder->lists, list, decoder->consent_count);
	if (decoder->consent_count > 0)
		message->consents = span_to_end(begin, &decoder->lists);
	else
		decoder->lists.length = begin;
}

/* ---- The tracking plan ---- */

/* Pages and screens are not asked to be in a plan. */
static enum ingest_code begin_check(struct decoder *decoder, const struct message *message)
{
	struct plan_check       *check   = &decoder->check;
	const struct plan_event *planned = NULL;
	if (makes_event(message->call))
		planned = plan_event(decoder->plan, message->name);
	else if (message->call == CALL_IDENTIFY)
		planned = plan_traits(decoder->plan);
	plan_check_begin(check, planned, decoder_observed_name(message), &decoder->arena);
	if (planned == NULL && message->call == CALL_TRACK)
		plan_check_unplanned(check, plan_unplanned(decoder->plan));
	decoder->values.check = planned == NULL ? NULL : check;
	return plan_check_rejects(check) ? INGEST_PLAN_VIOLATION : INGEST_ACCEPTED;
}

static void keep_violations(struct decoder *decoder, struct message *message)
{
	const struct plan_check *check = &decoder->check;
	if (decoder->violations.count + check->violation_count > DECODER_VIOLATIONS_KEPT) {
		decoder->violations_gone += decoder->violations.count;
		decoder->violations.count = 0;
	}
	message->violation_begin     = decoder->violations_gone + decoder->violations.count;
	message->violation_count     = check->violation_count;
	message->violation_rejecting = check->rejecting;
	for (unsigned i = 0; i < check->violation_count; i++)
		VECTOR_ADD(&decoder->violations, check->violations[i]);
}

const struct plan_violation *decoder_violations(const struct decoder *decoder,
                                                const struct message *message)
{
	if (message->violation_count == 0 || message->violation_begin < decoder->violations_gone)
		return NULL;
	return &decoder->violations.items[message->violation_begin - decoder->violations_gone];
}

/* Of a message whose values are all there, or which was rejected before. */
static enum ingest_code end_check(struct decoder *decoder, struct message *message)
{
	decoder->values.check = NULL;
	if (!plan_check_rejects(&decoder->check))
		plan_check_end(&decoder->check);
	if (decoder->check.violation_count > 0)
		keep_violations(decoder, message);
	return plan_check_rejects(&decoder->check) ? INGEST_PLAN_VIOLATION : INGEST_ACCEPTED;
}

static enum ingest_code encode_lists(struct decoder *decoder, const struct envelope *envelope,
                                     struct message *message)
{
	size_t begin = decoder->lists.length;
	decoder->values.place =
		makes_event(message->call) ? PERSONAL_IN_PROPERTIES : PERSONAL_IN_TRAITS;
	sift_begin(&decoder->values, &decoder->lists);
	enum ingest_code code = decoder->plan == NULL ? INGEST_ACCEPTED : begin_check(decoder, message);
	if (code == INGEST_ACCEPTED)
		code = add_values(decoder, envelope, message->call);
	if (decoder->plan != NULL && (code == INGEST_ACCEPTED || code == INGEST_PLAN_VIOLATION))
		code = end_check(decoder, message);
	sift_end(&decoder->values);
	message->values = span_to_end(begin, &decoder->lists);

	size_t between = decoder->lists.length;
	sift_begin(&decoder->context, &decoder->lists);
	if (code == INGEST_ACCEPTED)
		code = add_context(decoder, envelope, message->call);
	sift_end(&decoder->context);
	message->context = span_to_end(between, &decoder->lists);

	if (code == INGEST_ACCEPTED) {
		keep_personal(decoder, message);
		keep_consents(decoder, envelope, message);
	} else {
		decoder->lists.length = begin;
	}
	return code;
}

/* ---- Calls ---- */

static bool call_of_type(struct text type, enum record_call *ret_call)
{
	static const struct {
		struct text      type;
		enum record_call call;
	} calls[] = {
		{{"track", 5}, CALL_TRACK},   {{"page", 4}, CALL_PAGE},   {{"identify", 8}, CALL_IDENTIFY},
		{{"screen", 6}, CALL_SCREEN}, {{"group", 5}, CALL_GROUP}, {{"alias", 5}, CALL_ALIAS},
		{{"merge", 5}, CALL_ALIAS},
	};
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		if (text_equal(type, calls[i].type)) {
			*ret_call = calls[i].call;
			return true;
		}
	}
	return false;
}

static enum ingest_code read_call(const struct decoder *decoder, const struct envelope *envelope,
                                  struct message *message)
{
	static const enum record_call of_kind[] = {
		[INGEST_TRACK] = CALL_TRACK, [INGEST_IDENTIFY] = CALL_IDENTIFY,
		[INGEST_PAGE] = CALL_PAGE,   [INGEST_SCREEN] = CALL_SCREEN,
		[INGEST_GROUP] = CALL_GROUP, [INGEST_ALIAS] = CALL_ALIAS,
		[INGEST_MERGE] = CALL_ALIAS, [INGEST_EVENTS] = CALL_TRACK,
		[INGEST_EVENT] = CALL_TRACK,
	};
	if (decoder->kind != INGEST_BATCH) {
		message->call = of_kind[decoder->kind];
		return INGEST_ACCEPTED;
	}
	struct json type = envelope_get(envelope, FIELD_TYPE);
	if (json_type(type) == JSON_STRING && call_of_type(json_string(type), &message->call))
		return INGEST_ACCEPTED;
	return INGEST_UNKNOWN_TYPE;
}

static enum ingest_code read_platform_name(const struct decoder  *decoder,
                                           const struct envelope *envelope, struct message *message)
{
	struct json type = envelope_get(envelope, FIELD_EVENT_TYPE);
	if (json_type(type) != JSON_STRING)
		return INGEST_UNKNOWN_EVENT_TYPE;
	message->name = rules_event_name(json_string(type));
	bool built_in = !text_equal(message->name, json_string(type));
	return built_in || event_types_has(decoder->event_types, message->name)
	           ? INGEST_ACCEPTED
	           : INGEST_UNKNOWN_EVENT_TYPE;
}

static enum ingest_code read_name(const struct decoder *decoder, const struct envelope *envelope,
                                  struct message *message)
{
	message->name = TEXT("");
	if (from_platform(decoder))
		return read_platform_name(decoder, envelope, message);
	if (message->call == CALL_PAGE)
		message->name = TEXT("$page");
	else if (message->call == CALL_SCREEN)
		message->name = TEXT("$screen");
	if (message->call != CALL_TRACK)
		return INGEST_ACCEPTED;

	struct json event = envelope_get(envelope, FIELD_EVENT);
	if (json_type(event) != JSON_STRING || json_string(event).length == 0)
		return INGEST_MISSING_EVENT_NAME;
	message->name = rules_event_name(json_string(event));
	return INGEST_ACCEPTED;
}

/* RudderStack's merge names both as {"type":"userId","value":"7"}: nothing but an alias is meant by
 * that here. */
static enum ingest_code read_merge(struct decoder *decoder, struct json properties,
                                   struct message *message)
{
	unsigned         count = 0;
	enum ingest_code code  = INGEST_ACCEPTED;
	message->user_id       = TEXT("");
	if (json_type(properties) != JSON_ARRAY)
		return INGEST_UNSUPPORTED_MERGE;
	for (struct json_iterator i = json_iterate(properties);
	     code == INGEST_ACCEPTED && json_next(&i); count++) {
		struct json type = json_get(i.value, "type");
		struct text name = json_type(type) == JSON_STRING ? json_string(type) : TEXT("");
		bool        user = text_equal(name, TEXT("userId")) || text_equal(name, TEXT("user_id"));
		if (!user && !text_equal(name, TEXT("anonymousId")) &&
		    !text_equal(name, TEXT("anonymous_id")))
			return INGEST_UNSUPPORTED_MERGE;
		code = read_id(decoder, json_get(i.value, "value"), VAULT_ID_BYTES_MAX, INGEST_INVALID_ID,
		               user ? &message->user_id : &message->previous_id);
	}
	if (code != INGEST_ACCEPTED)
		return code;
	bool both = message->user_id.length > 0 && message->previous_id.length > 0;
	return both && count == 2 ? INGEST_ACCEPTED : INGEST_UNSUPPORTED_MERGE;
}

/* Whether everybody is named whom the call needs. */
static enum ingest_code check_ids(struct decoder *decoder, const struct envelope *envelope,
                                  struct message *message)
{
	message->previous_id = TEXT("");
	if (from_platform(decoder)) {
		message->anonymous_id = TEXT("");
		return message->user_id.length > 0 ? INGEST_ACCEPTED : INGEST_MISSING_USER_ID;
	}
	if (message->call != CALL_ALIAS)
		return message->user_id.length + message->anonymous_id.length > 0 ? INGEST_ACCEPTED
		                                                                  : INGEST_MISSING_ID;

	struct json merged = envelope_get(envelope, FIELD_MERGE_PROPERTIES);
	if (decoder->kind == INGEST_MERGE || json_type(merged) != JSON_NONE)
		return read_merge(decoder, merged, message);
	enum ingest_code code = read_id(decoder, envelope_get(envelope, FIELD_PREVIOUS_ID),
	                                VAULT_ID_BYTES_MAX, INGEST_INVALID_ID, &message->previous_id);
	if (code != INGEST_ACCEPTED)
		return code;
	if (message->user_id.length == 0)
		return INGEST_MISSING_USER_ID;
	return message->previous_id.length > 0 ? INGEST_ACCEPTED : INGEST_MISSING_PREVIOUS_ID;
}

static enum ingest_code decode(struct decoder *decoder, const struct envelope *envelope,
                               struct message *message)
{
	enum ingest_code code = read_call(decoder, envelope, message);
	if (code == INGEST_ACCEPTED)
		code = read_ids(decoder, envelope, message);
	if (code == INGEST_ACCEPTED)
		code = check_ids(decoder, envelope, message);
	if (code == INGEST_ACCEPTED)
		code = read_name(decoder, envelope, message);
	if (code == INGEST_ACCEPTED)
		code = read_times(decoder, envelope, message);
	if (code == INGEST_ACCEPTED)
		code = encode_lists(decoder, envelope, message);
	return code;
}

static bool too_large(const struct decoder *decoder, struct json json, struct json next)
{
	if (decoder->body_length <= EVENT_BYTES_MAX)
		return false;
	return decoder->shared_bytes > EVENT_BYTES_MAX ||
	       !tape_fits(json, next, EVENT_BYTES_MAX - decoder->shared_bytes);
}

enum ingest_code decoder_message(struct decoder *decoder, struct json json, struct json next,
                                 uint32_t index, struct message *ret_message)
{
	ret_message->index      = index;
	ret_message->identified = false;
	ret_message->links      = false;

	ret_message->violation_count = 0;
	if (json_type(json) != JSON_OBJECT)
		return ret_message->code = INGEST_INVALID_MESSAGE;
	if (too_large(decoder, json, next))
		return ret_message->code = INGEST_EVENT_TOO_LARGE;

	struct envelope envelope;
	envelope_read(&envelope, json);
	ret_message->code = decode(decoder, &envelope, ret_message);
	if (ret_message->code == INGEST_ACCEPTED) {
		decoder->counts.lag_sum_ms += decoder->lag_ms;
		decoder->counts.lags[source_lag_of(decoder->lag_ms)]++;
		decoder->counts.violations += ret_message->violation_count > 0;
	}
	return ret_message->code;
}
