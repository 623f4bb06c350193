#include "ingest/ingest.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/instant.h"
#include "ingest/event_types.h"
#include "ingest/letters.h"
#include "ingest/message.h"
#include "ingest/persons.h"
#include "ingest/raw.h"
#include "ingest/runs.h"
#include "ingest/source.h"
#include "ingest/submission.h"
#include "ingest/suppress.h"
#include "ingest/watch.h"
#include "vault/vault_subjects.h"
#include "model/merge_out.h"

enum {
	MESSAGES_KEPT_MAX = 4096, /* memory for them, from one request to the next */
	KEYS_AHEAD        = 4,    /* as many messages take as long to seal as memory to answer */
};

struct ingest {
	struct ingest_config config;
	struct unfinished    unfinished;
	struct event_types  *event_types;
	struct sources      *sources;
	struct watch        *watch;

	_Atomic(struct classes *) classes; /* NULL: none */
	VECTOR(struct classes *) retired;  /* versions before it */
};

struct ingest_thread {
	struct ingest      *ingest;
	struct json_parser *parser;
	struct json         root; /* of the parsed body; JSON_NONE: none */
	struct text         body;
	struct decoder      decoder;
	struct persons      persons;
	struct runs         runs;
	struct buffer       scratch; /* what is sealed; bodies of records */
	VECTOR(struct message) messages;
	struct submission_pool pool;
	struct shapes         *shapes;
	struct source         *observed; /* of the request at hand; NULL: nobody */
};

/* ---- Codes ---- */

const char *ingest_code_name(enum ingest_code code)
{
	static const char *const codes[INGEST_CODE_COUNT] = {[INGEST_ACCEPTED] = "ACCEPTED",
#define X(name, code, message) [INGEST_##name] = code,
	                                                     INGEST_CODES(X)
#undef X
	};
	assert(code < INGEST_CODE_COUNT);
	return codes[code];
}

const char *ingest_code_message(enum ingest_code code)
{
	static const char *const messages[INGEST_CODE_COUNT] = {[INGEST_ACCEPTED] = "accepted",
#define X(name, code, message) [INGEST_##name] = message,
	                                                        INGEST_CODES(X)
#undef X
	};
	assert(code < INGEST_CODE_COUNT);
	return messages[code];
}

struct text ingest_rejection_reason(const struct ingest_rejection *rejection)
{
	return rejection->reason.length > 0 ? rejection->reason
	                                    : text_of(ingest_code_message(rejection->code));
}

/* ---- Life ---- */

struct ingest *ingest_new(const struct ingest_config *config)
{
	assert(config->retention_ms == INSTANT_MS_NEVER ||
	       (config->retention_ms > 0 && config->retention_ms % DAY_MS == 0));

	struct ingest *ingest = calloc(1, sizeof *ingest);
	if (ingest == NULL)
		abort();
	ingest->config = *config;
	unfinished_init(&ingest->unfinished);
	ingest->event_types = event_types_new();
	ingest->sources     = sources_new(config->replayed_through);
	ingest->watch       = watch_new();
	return ingest;
}

void ingest_free(struct ingest *ingest)
{
	unfinished_done(&ingest->unfinished);
	event_types_free(ingest->event_types);
	sources_free(ingest->sources);
	watch_free(ingest->watch);
	classes_free(atomic_load(&ingest->classes));
	for (size_t i = 0; i < ingest->retired.count; i++)
		classes_free(ingest->retired.items[i]);
	VECTOR_DONE(&ingest->retired);
	free(ingest);
}

const struct classes *ingest_classes(const struct ingest *ingest)
{
	return atomic_load_explicit(&ingest->classes, memory_order_acquire);
}

void ingest_set_classes(struct ingest *ingest, struct classes *classes)
{
	struct classes *before =
		atomic_exchange_explicit(&ingest->classes, classes, memory_order_acq_rel);
	if (before != NULL)
		VECTOR_ADD(&ingest->retired, before);
}

struct event_types *ingest_event_types(struct ingest *ingest) { return ingest->event_types; }

struct sources *ingest_sources(struct ingest *ingest) { return ingest->sources; }

struct watch *ingest_watch(struct ingest *ingest) { return ingest->watch; }

struct ingest_thread *ingest_thread_new(struct ingest *ingest)
{
	struct ingest_thread *thread = calloc(1, sizeof *thread);
	if (thread == NULL)
		abort();
	thread->ingest = ingest;
	thread->parser = json_parser_new();
	decoder_init(&thread->decoder, ingest->event_types, ingest->config.vault);
	persons_init(&thread->persons, ingest->config.vault);
	runs_init(&thread->runs, ingest->config.partition_count);
	submission_pool_init(&thread->pool);
	thread->shapes = shapes_new();
	watch_join(ingest->watch, thread->shapes);
	return thread;
}

void ingest_thread_free(struct ingest_thread *thread)
{
	if (thread == NULL)
		return;
	watch_leave(thread->ingest->watch, thread->shapes);
	shapes_free(thread->shapes);
	submission_pool_done(&thread->pool);
	runs_done(&thread->runs);
	persons_done(&thread->persons);
	decoder_done(&thread->decoder);
	json_parser_free(thread->parser);
	buffer_done(&thread->scratch);
	VECTOR_DONE(&thread->messages);
	free(thread);
}

/* ---- Body ---- */

enum status ingest_parse(struct ingest_thread *thread, const char *padded_body, size_t length,
                         struct error *err)
{
	assert(length <= INGEST_BODY_BYTES_MAX);

	thread->root = (struct json){0};
	thread->body = (struct text){padded_body, length};
	return json_parse(thread->parser, padded_body, length, &thread->root, err);
}

static struct json first_item(struct json array)
{
	struct json_iterator items = json_iterate(array);
	return json_type(array) == JSON_ARRAY && json_next(&items) ? items.value : (struct json){0};
}

bool ingest_write_key(const struct ingest_thread *thread, struct text *ret_write_key)
{
	struct json key = json_get(thread->root, "writeKey");
	if (json_type(key) != JSON_STRING)
		key = json_get(first_item(json_get(thread->root, "batch")), "writeKey");
	if (json_type(key) != JSON_STRING)
		return false;
	*ret_write_key = json_string(key);
	return true;
}

/* Where the messages are: an array, or one object that is itself the message. */
static enum status find_messages(enum ingest_kind kind, struct json root, struct json *ret_messages,
                                 struct error *err)
{
	const char *member = kind == INGEST_BATCH ? "batch" : kind == INGEST_EVENTS ? "events" : NULL;
	*ret_messages      = root;
	if (kind == INGEST_EVENTS && json_type(root) == JSON_ARRAY)
		return STATUS_OK;
	if (json_type(root) != JSON_OBJECT)
		return error_set(err, STATUS_INVALID, "the body is not a JSON object");
	if (member == NULL)
		return STATUS_OK;

	struct json messages = json_get(root, member);
	if (json_type(messages) == JSON_ARRAY) {
		*ret_messages = messages;
		return STATUS_OK;
	}
	if (kind == INGEST_BATCH && json_type(messages) == JSON_NONE &&
	    json_type(json_get(root, "type")) != JSON_NONE)
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, member, "%s must be an array", member);
}

/* ---- The tracking plan ---- */

/* What the message calls what the plan is about. */
static const char *values_name(const struct ingest_thread *thread, const struct message *message)
{
	enum ingest_kind kind = thread->decoder.kind;
	if (message->call == CALL_IDENTIFY)
		return "traits";
	return kind == INGEST_EVENT || kind == INGEST_EVENTS ? "attributes" : "properties";
}

/* Where the first violation that rejects lies, and what it is. */
static __attribute__((noinline)) struct ingest_rejection explain(struct ingest_thread *thread,
                                                                 const struct message *message,
                                                                 struct arena         *arena)
{
	struct ingest_rejection      rejection = {message->index, message->code, {0}, {0}};
	const struct plan_violation *all       = decoder_violations(&thread->decoder, message);
	char                         reason[PLAN_REASON_BYTES_MAX];
	if (message->code != INGEST_PLAN_VIOLATION)
		return rejection;
	const struct plan_violation *violation = &all[message->violation_rejecting];
	rejection.reason                       = arena_text(arena, plan_describe(violation, reason));
	if (violation->property.length > 0)
		rejection.field = text_of(arena_printf(arena, "%s.%.*s", values_name(thread, message),
		                                       TEXT_FORMAT(violation->property)));
	return rejection;
}

static __attribute__((noinline)) void observe_violations(struct ingest_thread *thread,
                                                         const struct message *message)
{
	struct observed             *table  = source_observed(thread->observed, OBSERVED_VIOLATIONS);
	int64_t                      now_ms = thread->decoder.now_ms;
	const struct plan_violation *all    = decoder_violations(&thread->decoder, message);
	const struct observed_seen   seen   = {1, now_ms, now_ms, message->message_id};
	for (unsigned i = 0; i < message->violation_count; i++) {
		bool planned =
			all[i].kind != OBSERVED_UNPLANNED_EVENT && all[i].kind != OBSERVED_UNPLANNED_PROPERTY;
		struct observed_name *name = observed_name(table, all[i].event, all[i].property, planned);
		if (name != NULL)
			observed_add(table, &(struct observed_add){name, all[i].kind}, 1, &seen);
	}
}

/* What the message says of its source: against the plan or not, it was seen. */
static void observe(struct ingest_thread *thread, const struct message *message)
{
	const struct decoder *decoder = &thread->decoder;
	struct text           name    = decoder_observed_name(message);
	if (message->violation_count > 0)
		observe_violations(thread, message);
	if (message->code != INGEST_ACCEPTED || name.length == 0)
		return;
	uint64_t key = shapes_count(thread->shapes, thread->observed, name, decoder->values.shape,
	                            decoder->now_ms);
	if (key != 0)
		shapes_learn(thread->shapes, key, thread->observed, name, decoder->now_ms,
		             span_text(message->values, &decoder->lists),
		             buffer_text(&decoder->values.personal));
}

/* ---- Messages ---- */

/* False: all together take more than the journal takes at once. */
static bool decode(struct ingest_thread *thread, struct submission *submission, struct json json,
                   struct json next)
{
	VECTOR_RESERVE(&thread->messages, 1);
	struct message  *message = &thread->messages.items[thread->messages.count];
	uint32_t         index   = (uint32_t)thread->messages.count++;
	enum ingest_code code    = decoder_message(&thread->decoder, json, next, index, message);
	if (vault_suppresses(thread->ingest->config.vault) &&
	    suppress_message(thread->ingest->config.vault, message, json)) {
		message->code = INGEST_SUPPRESSED;
		submission->suppressed_count++;
		return decoder_bytes(&thread->decoder) <= JOURNAL_APPEND_BYTES_MAX;
	}
	if (thread->observed != NULL)
		observe(thread, message);
	if (code != INGEST_ACCEPTED)
		VECTOR_ADD(&submission->rejected, explain(thread, message, &submission->arena));
	return decoder_bytes(&thread->decoder) <= JOURNAL_APPEND_BYTES_MAX;
}

static bool decode_all(struct ingest_thread *thread, struct submission *submission,
                       struct json messages)
{
	if (thread->messages.capacity > MESSAGES_KEPT_MAX)
		VECTOR_DONE(&thread->messages);
	thread->messages.count = 0;
	if (json_type(messages) == JSON_OBJECT)
		return decode(thread, submission, messages, (struct json){0});

	struct json          json  = {0};
	struct json_iterator items = json_iterate(messages);
	while (json_next(&items)) {
		if (json_type(json) != JSON_NONE && !decode(thread, submission, json, items.value))
			return false;
		json = items.value;
	}
	return json_type(json) == JSON_NONE || decode(thread, submission, json, (struct json){0});
}

static enum status too_much(struct error *err)
{
	return error_set(err, STATUS_TOO_LARGE, "the events take more than %d MB in the journal",
	                 JOURNAL_APPEND_BYTES_MAX >> 20);
}

/* Takes the messages from the source's bucket: all of them, or none. */
static enum status limit(const struct ingest_request *request, struct submission *submission,
                         uint64_t count, struct error *err)
{
	struct quota_refusal *limited = &submission->limited;
	if (request->source == NULL)
		return STATUS_OK;
	if (source_takes(request->source, submission->now_ms, count, limited)) {
		submission->taken = count;
		return STATUS_OK;
	}
	source_count_refused(request->source, submission->now_ms, SOURCE_REFUSED_RATE_LIMITED);
	return error_set(err, STATUS_LIMITED,
	                 strcmp(limited->limit, "source") == 0
	                     ? "The source sends more events than it may"
	                     : "As many events were taken as may be in this period (UTC): %s",
	                 limited->limit);
}

static enum status take_messages(struct ingest_thread *thread, const struct ingest_request *request,
                                 struct submission *submission, struct error *err)
{
	const struct ingest_config *config = &thread->ingest->config;
	struct json                 messages;
	enum status                 status = find_messages(request->kind, thread->root, &messages, err);
	if (status != STATUS_OK)
		return status;
	if (json_type(messages) == JSON_ARRAY && json_count(messages) > INGEST_MESSAGES_MAX)
		return error_set(err, STATUS_TOO_LARGE, "more than %d events in one request",
		                 INGEST_MESSAGES_MAX);

	uint64_t count = json_type(messages) == JSON_ARRAY ? json_count(messages) : 1;
	if ((status = limit(request, submission, count, err)) != STATUS_OK)
		return status;
	thread->decoder.values.classes  = ingest_classes(thread->ingest);
	thread->decoder.context.classes = thread->decoder.values.classes;
	decoder_begin(&thread->decoder, request->kind, thread->body.length, submission->now_ms,
	              config->retention_ms);
	if (request->planned != NULL)
		thread->decoder.plan = source_plan(request->planned);
	thread->decoder.values.watching = thread->observed != NULL;
	if (request->kind == INGEST_BATCH && json_type(messages) == JSON_ARRAY)
		decoder_share(&thread->decoder, thread->root);
	return decode_all(thread, submission, messages) ? STATUS_OK : too_much(err);
}

/* ---- Merges ---- */

/* What the vault has linked for this request, whatever becomes of the request, and what earlier
 * ones have left. */
static void note_merges(struct ingest_thread *thread, struct submission *submission)
{
	for (size_t i = 0; i < thread->messages.count; i++) {
		const struct message *message = &thread->messages.items[i];
		if (message->code == INGEST_ACCEPTED && message->links && message->before.slot != SLOT_NONE)
			VECTOR_ADD(&submission->merges, (struct vault_merge){message->before, message->person});
	}
}

static void add_merge_out(struct runs *runs, const struct vault_merge *merge)
{
	struct buffer body = {0};
	merge_out_encode(merge->user, &body);
	struct record record = {
		.kind = RECORD_MERGE_OUT, .slot = merge->visitor.slot, .body = buffer_text(&body)};
	runs_add(runs, merge->visitor.partition, &record);
	buffer_done(&body);
}

static void add_unfinished(struct ingest_thread *thread, struct submission *submission)
{
	size_t before = submission->merges.count;
	unfinished_take(&thread->ingest->unfinished, &submission->merges);
	for (size_t i = before; i < submission->merges.count; i++)
		add_merge_out(&thread->runs, &submission->merges.items[i]);
}

void ingest_merge(struct ingest *ingest, const struct vault_merge *merge)
{
	unfinished_add(&ingest->unfinished, merge, 1);
}

static void finished_late(void *context, const struct ingest_result *result)
{
	(void)context;
	(void)result; /* what failed is unfinished again */
}

void ingest_finish_merges(struct ingest_thread *thread)
{
	struct submission *submission = submission_take(&thread->pool);
	submission->journal           = thread->ingest->config.journal;
	submission->unfinished        = &thread->ingest->unfinished;
	submission->done              = finished_late;
	runs_begin(&thread->runs);
	add_unfinished(thread, submission);
	runs_end(&thread->runs);
	if (thread->runs.batch_count == 0)
		submission_finish(submission, STATUS_OK, 0, 0, NULL);
	else
		submission_append(submission, thread->runs.batches, thread->runs.batch_count);
}

/* ---- Records ---- */

/* Seals what is personal; `scratch` holds it afterwards. */
static enum status seal(struct ingest_thread *thread, const struct message *message,
                        struct text *ret_sealed, struct error *err)
{
	buffer_clear(&thread->scratch);
	*ret_sealed = TEXT("");
	if (message->personal.length == 0)
		return STATUS_OK;
	struct text plain  = span_text(message->personal, &thread->decoder.personal);
	enum status status = vault_seal(thread->ingest->config.vault, message->person,
	                                RECORD_SEAL_PURPOSE, plain, &thread->scratch, err);
	if (status == STATUS_OK)
		*ret_sealed = buffer_text(&thread->scratch);
	return persons_erased_meanwhile(status, err);
}

static enum record_kind kind_of(enum record_call call)
{
	switch (call) {
	case CALL_TRACK:
	case CALL_PAGE:
	case CALL_SCREEN:
		return RECORD_EVENT;
	case CALL_ALIAS:
		return RECORD_ALIAS;
	default:
		return RECORD_TRAITS;
	}
}

static struct record record_of(const struct message *message, uint32_t source_number)
{
	return (struct record){
		.kind          = kind_of(message->call),
		.flags         = message->identified ? RECORD_IDENTIFIED : 0,
		.slot          = message->person.slot,
		.call          = message->call,
		.source_number = source_number,
		.timestamp_ms  = message->timestamp_ms,
		.skew_ms       = message->skew_ms,
		.name          = message->name,
		.message_id    = message->message_id,
	};
}

static void add_link(struct ingest_thread *thread, const struct message *message)
{
	struct buffer *body = &thread->scratch;
	buffer_clear(body);
	buffer_add_u32(body, message->before.partition);
	buffer_add_u32(body, message->before.slot);
	struct record record = {
		.kind  = RECORD_LINK,
		.flags = RECORD_IDENTIFIED,
		.slot  = message->person.slot,
		.body  = buffer_text(body),
	};
	runs_add(&thread->runs, message->person.partition, &record);
}

/* Without the message's id: that is the event's. */
static void add_consents(struct ingest_thread *thread, const struct message *message,
                         uint32_t source_number)
{
	struct record record = record_of(message, source_number);
	record.kind          = RECORD_TRAITS;
	record.call          = CALL_IDENTIFY;
	record.name          = (struct text){0};
	record.message_id    = (struct text){0};
	record.properties    = span_text(message->consents, &thread->decoder.lists);
	runs_add(&thread->runs, message->person.partition, &record);
}

static enum status add_message(struct ingest_thread *thread, const struct message *message,
                               uint32_t source_number, struct error *err)
{
	struct record record = record_of(message, source_number);
	if (record.kind != RECORD_ALIAS) {
		record.properties  = span_text(message->values, &thread->decoder.lists);
		record.context     = span_text(message->context, &thread->decoder.lists);
		enum status status = seal(thread, message, &record.sealed, err);
		if (status != STATUS_OK)
			return status;
	}
	runs_add(&thread->runs, message->person.partition, &record);
	if (record.kind == RECORD_EVENT && message->consents.length > 0)
		add_consents(thread, message, source_number);
	/* Behind the call's own traits: the profile that is merged only fills their gaps. */
	if (message->links) {
		add_link(thread, message);
		if (message->before.slot != SLOT_NONE)
			add_merge_out(&thread->runs, &(struct vault_merge){message->before, message->person});
	}
	return STATUS_OK;
}

/* The key of a message that is sealed soon. */
static void prefetch_key(const struct ingest_thread *thread, size_t index)
{
	if (index >= thread->messages.count)
		return;
	const struct message *message = &thread->messages.items[index];
	if (message->code == INGEST_ACCEPTED && message->personal.length > 0)
		vault_prefetch_key(thread->ingest->config.vault, message->person);
}

static enum status encode(struct ingest_thread *thread, uint32_t source_number,
                          struct submission *submission, struct error *err)
{
	runs_begin(&thread->runs);
	for (size_t i = 0; i < thread->messages.count; i++) {
		const struct message *message = &thread->messages.items[i];
		prefetch_key(thread, i + KEYS_AHEAD);
		if (message->code != INGEST_ACCEPTED)
			continue;
		enum status status = add_message(thread, message, source_number, err);
		if (status != STATUS_OK)
			return status;
		submission->accepted_count++;
	}
	add_unfinished(thread, submission);
	runs_end(&thread->runs);
	return thread->runs.bytes <= JOURNAL_APPEND_BYTES_MAX ? STATUS_OK : too_much(err);
}

/* ---- Submit ---- */

/* Before anything else uses the thread: the body is there until then. */
static void capture_rejected(struct ingest_thread *thread, const struct ingest_request *request,
                             struct submission *submission)
{
	struct letters *letters = thread->ingest->config.letters;
	if (letters == NULL || request->source == NULL || submission->rejected.count == 0)
		return;
	submission->letters = letters;
	letters_capture(letters, request, submission->now_ms, thread->body, thread->root,
	                submission->rejected.items, submission->rejected.count, &submission->captured);
}

static bool any_left(const struct ingest_thread *thread, const struct submission *submission)
{
	return thread->messages.count > submission->rejected.count;
}

static int by_index(const void *a, const void *b)
{
	const struct ingest_rejection *left = a, *right = b;
	return (left->index > right->index) - (left->index < right->index);
}

/* Those that the vault knew better. */
static void add_late_rejections(const struct ingest_thread *thread, struct submission *submission)
{
	size_t before = submission->rejected.count;
	for (size_t i = 0; i < thread->messages.count; i++)
		if (thread->messages.items[i].code == INGEST_ALREADY_IDENTIFIED)
			VECTOR_ADD(&submission->rejected,
			           (struct ingest_rejection){(uint32_t)i, INGEST_ALREADY_IDENTIFIED, {0}, {0}});
	if (submission->rejected.count > before)
		qsort(submission->rejected.items, submission->rejected.count,
		      sizeof submission->rejected.items[0], by_index);
}

/* Everything up to the append; STATUS_OK with nothing in `runs` when all were rejected. */
static enum status prepare(struct ingest_thread *thread, const struct ingest_request *request,
                           struct submission *submission, struct error *err)
{
	const struct ingest_config *config = &thread->ingest->config;
	enum status                 status = STATUS_OK;
	if (config->admit != NULL)
		status = config->admit(config->admit_context);
	if (status != STATUS_OK)
		return error_set(err, status, "no more events are taken at the moment");

	submission->now_ms = config->journal->ops->log_time_ms(config->journal);
	status             = take_messages(thread, request, submission, err);
	submission->counts = thread->decoder.counts;
	runs_begin(&thread->runs);
	if (status != STATUS_OK || !any_left(thread, submission))
		return status;

	status = persons_resolve(&thread->persons, thread->messages.items, thread->messages.count, err);
	note_merges(thread, submission);
	if (status != STATUS_OK)
		return status;
	add_late_rejections(thread, submission);
	return encode(thread, request->source_number, submission, err);
}

static struct submission *begin(struct ingest_thread *thread, const struct ingest_request *request)
{
	assert(json_type(thread->root) != JSON_NONE);

	struct submission *submission = submission_take(&thread->pool);
	submission->journal           = thread->ingest->config.journal;
	submission->unfinished        = &thread->ingest->unfinished;
	submission->done              = request->done;
	submission->context           = request->context;
	submission->source            = request->source;
	return submission;
}

void ingest_check(struct ingest_thread *thread, const struct ingest_request *request)
{
	struct journal    *journal    = thread->ingest->config.journal;
	struct submission *submission = begin(thread, request);
	struct error       err;
	submission->now_ms = journal->ops->log_time_ms(journal);
	thread->observed   = NULL;
	shapes_lock(thread->shapes);
	enum status status = take_messages(thread, request, submission, &err);
	shapes_unlock(thread->shapes);
	if (status == STATUS_OK)
		submission->accepted_count =
			(unsigned)(thread->messages.count - submission->rejected.count);
	thread->root = (struct json){0};
	submission_finish(submission, status, 0, 0, &err);
}

static struct text describe_violations(const struct plan_violation *violations, unsigned count)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	char               reason[PLAN_REASON_BYTES_MAX];
	json_begin_array(&w);
	for (unsigned i = 0; i < count; i++) {
		json_begin_object(&w);
		json_member_string(&w, "kind", text_of(observed_kind_name(violations[i].kind)));
		if (violations[i].property.length > 0)
			json_member_string(&w, "property", violations[i].property);
		else
			json_member_null(&w, "property");
		json_member_string(&w, "message", plan_describe(&violations[i], reason));
		json_end_object(&w);
	}
	json_end_array(&w);
	return buffer_text(&out); /* its memory is the debugger's */
}

static void note(const struct ingest_thread *thread, const struct submission *submission,
                 const struct ingest_request *request, const struct message *message,
                 struct text event, debug_list *list)
{
	const struct plan_violation *violations = decoder_violations(&thread->decoder, message);
	struct debug_event           seen       = {.at_ms = submission->now_ms,
	                                           .kind  = request->kind,
	                                           .index = message->index,
	                                           .bytes = event.length};
	if (message->code != INGEST_ACCEPTED) {
		seen.verdict = DEBUG_REJECTED;
		seen.code    = ingest_code_name(message->code);
	}
	if (violations != NULL)
		seen.violations = describe_violations(violations, message->violation_count);
	if (event.length <= DEBUG_EVENT_BYTES_MAX) {
		char *copy = malloc(event.length + 1);
		if (copy == NULL)
			abort();
		memcpy(copy, event.data, event.length);
		seen.event = (struct text){copy, event.length};
	}
	VECTOR_ADD(list, seen);
}

/* The last of its events, with what becomes of each if the rest goes well; as above. */
static void note_seen(struct ingest_thread *thread, const struct ingest_request *request,
                      struct submission *submission)
{
	size_t count = thread->messages.count, index = 0;
	size_t first = count > DEBUG_REQUEST_EVENTS_MAX ? count - DEBUG_REQUEST_EVENTS_MAX : 0;
	if (request->source == NULL || count == 0 || !debug_due(source_debug(request->source)))
		return;
	struct raw_items items =
		raw_items(thread->body, request->kind == INGEST_BATCH ? TEXT("batch") : TEXT("events"));
	bool listed =
		(request->kind == INGEST_BATCH || request->kind == INGEST_EVENTS) && items.at < items.end;
	if (!listed && thread->messages.items[0].code != INGEST_SUPPRESSED)
		note(thread, submission, request, &thread->messages.items[0], thread->body,
		     &submission->seen);
	for (; listed && index < count && raw_next(&items); index++)
		if (index >= first && thread->messages.items[index].code != INGEST_SUPPRESSED)
			note(thread, submission, request, &thread->messages.items[index], items.item,
			     &submission->seen);
}

void ingest_submit(struct ingest_thread *thread, const struct ingest_request *request)
{
	struct submission *submission = begin(thread, request);
	struct error       err;
	const struct runs *runs = &thread->runs;
	thread->observed        = request->planned;
	shapes_lock(thread->shapes);
	enum status status = prepare(thread, request, submission, &err);
	if (status == STATUS_OK) {
		capture_rejected(thread, request, submission);
		note_seen(thread, request, submission);
	}
	shapes_unlock(thread->shapes);
	thread->root = (struct json){0};
	if (status != STATUS_OK || runs->batch_count == 0)
		submission_finish(submission, status, 0, 0, &err);
	else if (thread->persons.sequence == 0)
		submission_append(submission, runs->batches, runs->batch_count);
	else
		submission_append_when_durable(submission, runs->batches, runs->batch_count,
		                               thread->ingest->config.vault, thread->persons.sequence);
}
