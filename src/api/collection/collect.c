/* Collection (Segment's Tracking API) and what it shares with the platform's own events API. */

#include "api/collection/collect.h"

#include <assert.h>
#include <stdio.h>

#include "api/call_limit.h"
#include "api/handlers.h"
#include "api/metrics/metrics.h"
#include "api/collection/write_keys.h"
#include "api/workspace/closed.h"
#include "base/log.h"
#include "ingest/source.h"

enum { REJECTED_AT_ONCE_MAX = 32 }; /* answers with more are written by a worker */

static const struct text success = {"{\"success\":true}", 16};

/* A GIF of one transparent dot. */
static const char pixel[] = "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,\0\0\0\0"
							"\1\0\1\0\0\2\1D\0;";

struct collection {
	enum ingest_kind         kind;
	enum collect_answer      answer;
	struct source           *source; /* NULL: the server's own message */
	struct text              body;   /* with JSON_PADDING_BYTES behind it */
	struct text              key;
	bool                     key_in_query;
	bool                     parsed; /* by the loop's own ingest_thread */
	collect_read_fn         *read;   /* of collect_own() */
	uint64_t                 position;
	struct ingest_rejection *rejected;
	size_t                   rejected_count;
};

/* ---- When it is durable ---- */

static void count_refused(struct api_call *call, enum source_refusal why)
{
	const struct collection *state   = call->state;
	struct journal          *journal = call->api->config.journal;
	if (state->source != NULL)
		source_count_refused(state->source, journal->ops->log_time_ms(journal), why);
}

static void answer_rejected(struct api_call *call)
{
	const struct collection *state = call->state;
	struct buffer            out   = {0};
	struct json_writer       w     = json_writer_of(&out);
	json_begin_object(&w);
	json_member_bool(&w, "success", true);
	json_add_key(&w, TEXT("rejected"));
	json_begin_array(&w);
	for (size_t i = 0; i < state->rejected_count; i++) {
		const struct ingest_rejection *rejection = &state->rejected[i];
		json_begin_object(&w);
		json_member_int(&w, "index", rejection->index);
		json_member_string(&w, "code", text_of(ingest_code_name(rejection->code)));
		json_member_string(&w, "message", ingest_rejection_reason(rejection));
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void fail_rejected(struct api_call *call, const struct ingest_rejection *rejection)
{
	struct error err;
	struct text  reason = ingest_rejection_reason(rejection);
	if (rejection->field.length > 0)
		error_set_field(&err, STATUS_INVALID,
		                arena_printf(call->arena, "%.*s", TEXT_FORMAT(rejection->field)), "%.*s",
		                TEXT_FORMAT(reason));
	else
		error_set(&err, STATUS_INVALID, "%.*s", TEXT_FORMAT(reason));
	call_fail_code(call, &err, ingest_code_name(rejection->code));
}

static void go_on_with_own(struct api_call *call)
{
	const struct collection *state = call->state;
	call->min_position             = state->position;
	state->read(call);
}

/* What the source may still send, where it is limited at all. */
static void add_left(struct api_call *call, struct source *source)
{
	struct journal    *journal = call->api->config.journal;
	struct source_left left;
	if (!source_left(source, journal->ops->log_time_ms(journal), &left))
		return;
	const struct bucket_state state = {
		.limit = left.size, .remaining = left.remaining, .reset_s = left.reset_s};
	call_limit_headers(call->request, &state);
}

static void answer_accepted(struct api_call *call, const struct ingest_result *result)
{
	struct collection *state = call->state;
	if (state->read != NULL) {
		state->position = result->position;
		call_on_worker(call, go_on_with_own);
		return;
	}
	call_add_position(call, result->position);
	if (state->source != NULL)
		add_left(call, state->source);
	if (state->answer == COLLECT_ANSWER_PIXEL) {
		http_add_header(call->request, "Cache-Control", TEXT("no-store"));
		call_answer_static(call, "image/gif", (struct text){pixel, sizeof pixel - 1});
		return;
	}
	if (result->rejected_count == 0) {
		call_answer_static(call, "application/json", success);
		return;
	}
	state->rejected_count = result->rejected_count;
	state->rejected = ARENA_ARRAY(call->arena, struct ingest_rejection, result->rejected_count);
	for (size_t i = 0; i < result->rejected_count; i++) {
		state->rejected[i]        = result->rejected[i];
		state->rejected[i].reason = arena_text(call->arena, result->rejected[i].reason);
	}
	if (result->rejected_count <= REJECTED_AT_ONCE_MAX)
		answer_rejected(call);
	else
		call_on_worker(call, answer_rejected);
}

static void refuse_limited(struct api_call *call, const struct quota_refusal *limited,
                           const struct error *err)
{
	const struct bucket_state state = {.limit = limited->size, .reset_s = limited->retry_after_s};
	call_limit_headers(call->request, &state);
	call_limited(call, limited->limit, err->reason, limited->retry_after_s);
}

/* On the journal's thread, on the vault's, or on that of ingest_submit(). */
static void ingested(void *context, const struct ingest_result *result)
{
	struct api_call         *call   = context;
	const struct collection *state  = call->state;
	bool                     single = state->answer == COLLECT_ANSWER_SINGLE || state->read != NULL;
	if (result->status == STATUS_OK)
		metrics_ingested(call->api->metrics, result);
	if (result->status != STATUS_OK) {
		struct error err = *result->err;
		err.status       = result->status;
		if (result->status == STATUS_LIMITED) {
			refuse_limited(call, &result->limited, &err);
			return;
		}
		if (result->status == STATUS_INVALID)
			count_refused(call, SOURCE_REFUSED_INVALID_BODY);
		else if (result->status == STATUS_TOO_LARGE)
			count_refused(call, SOURCE_REFUSED_TOO_LARGE);
		call_fail(call, &err);
	} else if (single && result->rejected_count > 0) {
		fail_rejected(call, &result->rejected[0]);
	} else {
		answer_accepted(call, result);
	}
}

/* ---- Handing over ---- */

static void submit(struct api_call *call, struct ingest_thread *thread)
{
	const struct collection    *state   = call->state;
	const struct ingest_request request = {
		.kind          = state->kind,
		.source_number = state->source == NULL ? SOURCE_OF_API : source_number(state->source),
		.done          = ingested,
		.context       = call,
		.source        = state->source,
		.planned       = state->source,
	};
	ingest_submit(thread, &request);
}

/* On a worker: with the ingest_thread that workers share. */
static enum status submit_shared(struct api_call *call, struct text padded_body, struct error *err)
{
	struct api *api = call->api;
	pthread_mutex_lock(&api->ingest_shared_lock);
	enum status status =
		ingest_parse(api->ingest_shared, padded_body.data, padded_body.length, err);
	if (status == STATUS_OK)
		submit(call, api->ingest_shared);
	pthread_mutex_unlock(&api->ingest_shared_lock);
	return status;
}

static void submit_on_worker(struct api_call *call)
{
	struct error             err;
	const struct collection *state = call->state;
	if (submit_shared(call, state->body, &err) != STATUS_OK) {
		count_refused(call, SOURCE_REFUSED_INVALID_BODY);
		call_fail(call, &err);
	}
}

static struct ingest_thread *thread_of(struct api_call *call)
{
	return call->api->ingest_threads[http_loop_index(call->request)];
}

static enum status check_size(struct api_call *call, struct error *err)
{
	const struct collection *state = call->state;
	if (state->body.length > INGEST_BODY_BYTES_MAX)
		return error_set(err, STATUS_TOO_LARGE, "The body is larger than %d bytes",
		                 INGEST_BODY_BYTES_MAX);
	return STATUS_OK;
}

static enum status parse_on_loop(struct api_call *call, struct error *err)
{
	struct collection *state = call->state;
	struct text        body  = state->body;
	if (state->parsed)
		return STATUS_OK;
	enum status status = ingest_parse(thread_of(call), body.data, body.length, err);
	state->parsed      = status == STATUS_OK;
	return status;
}

static void submit_on_loop(struct api_call *call)
{
	struct error err;
	if (parse_on_loop(call, &err) != STATUS_OK) {
		count_refused(call, SOURCE_REFUSED_INVALID_BODY);
		call_fail(call, &err);
		return;
	}
	call_suspend(call);
	submit(call, thread_of(call));
}

static void begin(struct api_call *call, enum ingest_kind kind, enum collect_answer answer)
{
	struct collection *state = ARENA_NEW(call->arena, struct collection);
	state->kind              = kind;
	state->body              = http_body(call->request);
	state->answer            = answer;
	call->state              = state;
}

void collect_body(struct api_call *call, enum ingest_kind kind, struct source *source,
                  enum collect_answer answer)
{
	struct error err;
	begin(call, kind, answer);
	((struct collection *)call->state)->source = source;
	if (check_size(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else if (call_is_suspended(call))
		submit_on_worker(call);
	else
		submit_on_loop(call);
}

void collect_own(struct api_call *call, enum ingest_kind kind, struct buffer *message,
                 collect_read_fn *read)
{
	struct error err;
	begin(call, kind, COLLECT_ANSWER_SINGLE);
	((struct collection *)call->state)->read = read;
	buffer_reserve(message, JSON_PADDING_BYTES);
	if (submit_shared(call, buffer_text(message), &err) != STATUS_OK)
		call_fail(call, &err);
}

/* ---- Collection: who sends, and from where ---- */

/* Only pages bear an origin. False: answered. */
static bool check_origin(struct api_call *call)
{
	struct collection *state = call->state;
	struct text        origin;
	struct error       err;
	if (!source_restricts_origins(state->source))
		return true;
	http_add_header(call->request, "Vary", TEXT("Origin"));
	if (!http_header(call->request, "Origin", &origin))
		return true;
	if (source_allows_origin(state->source, origin)) {
		http_add_header(call->request, "Access-Control-Allow-Origin", origin);
		return true;
	}
	count_refused(call, SOURCE_REFUSED_ORIGIN);
	error_set(&err, STATUS_FORBIDDEN, "Pages of this origin may not send to this source");
	call_fail_code(call, &err, "ORIGIN_NOT_ALLOWED");
	return false;
}

static void look_up_key(struct api_call *call)
{
	struct collection *state = call->state;
	struct error       err;
	if (write_keys_look_up(call->api->write_keys, state->key, &state->source, &err) != STATUS_OK) {
		call_fail(call, &err);
	} else if (check_origin(call)) {
		call_note_use(call);
		submit_on_worker(call);
	}
}

/* The key of the query, where it may stand there, of the header, else of the body (which is parsed
 * then). */
static enum status find_key(struct api_call *call, struct error *err)
{
	struct collection *state = call->state;
	struct text        header;
	char               key[WRITE_KEY_BYTES_MAX];
	size_t             length;
	if (state->key_in_query && http_query(call->request, "writeKey", &header) &&
	    header.length <= WRITE_KEY_BYTES_MAX) {
		state->key = header;
		return STATUS_OK;
	}
	if (http_header(call->request, "Authorization", &header) &&
	    write_key_of_basic(header, key, &length)) {
		state->key = arena_text(call->arena, (struct text){key, length});
		return STATUS_OK;
	}
	enum status status = parse_on_loop(call, err);
	if (status != STATUS_OK)
		return status;
	struct text found;
	if (!ingest_write_key(thread_of(call), &found) || found.length > WRITE_KEY_BYTES_MAX)
		return error_set(err, STATUS_UNAUTHORIZED,
		                 "A write key is needed: as the user of Basic authentication, or as "
		                 "\"writeKey\" in the body");
	state->key = arena_text(call->arena, found);
	return STATUS_OK;
}

static void submit_checked(struct api_call *call)
{
	if (check_origin(call)) {
		call_note_use(call);
		submit_on_loop(call);
	}
}

/* What begin() has begun. */
static void go(struct api_call *call)
{
	struct error       err;
	struct collection *state = call->state;
	if (check_size(call, &err) != STATUS_OK || find_key(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else if (call->held != NULL)
		closed_serve_credential(call, state->key);
	else if (write_keys_cached(call->api->write_keys, state->key, &state->source))
		submit_checked(call);
	else if (!call_move(call, state->key))
		call_on_worker(call, look_up_key);
}

static void collect(struct api_call *call, enum ingest_kind kind)
{
	begin(call, kind, COLLECT_ANSWER_SDK);
	go(call);
}

void collect_pixel(struct api_call *call, enum ingest_kind kind, struct text padded_body)
{
	begin(call, kind, COLLECT_ANSWER_PIXEL);
	struct collection *state = call->state;
	state->body              = padded_body;
	state->key_in_query      = true;
	go(call);
}

void collect_beacon(struct api_call *call)
{
	begin(call, INGEST_BATCH, COLLECT_ANSWER_SDK);
	struct collection *state = call->state;
	state->key_in_query      = true;
	go(call);
}

void collect_track(struct api_call *call) { collect(call, INGEST_TRACK); }
void collect_identify(struct api_call *call) { collect(call, INGEST_IDENTIFY); }
void collect_page(struct api_call *call) { collect(call, INGEST_PAGE); }
void collect_screen(struct api_call *call) { collect(call, INGEST_SCREEN); }
void collect_group(struct api_call *call) { collect(call, INGEST_GROUP); }
void collect_alias(struct api_call *call) { collect(call, INGEST_ALIAS); }
void collect_merge(struct api_call *call) { collect(call, INGEST_MERGE); }
void collect_batch(struct api_call *call) { collect(call, INGEST_BATCH); }

/* What SDKs tell of themselves is not kept. */
void collect_metrics(struct api_call *call)
{
	call_answer_static(call, "application/json", success);
}

/* ---- The settings that browser SDKs load first ---- */

static bool is_host(struct text host)
{
	for (size_t i = 0; i < host.length; i++) {
		char c = host.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_'))
			return false;
	}
	return host.length > 0;
}

static void answer_settings(struct api_call *call)
{
	struct text host;
	call_note_use(call);
	if (!http_header(call->request, "Host", &host) || !is_host(host))
		host = text_of(http_server_address(call->api->server));
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("integrations"));
	json_begin_object(&w);
	json_add_key(&w, TEXT("Segment.io"));
	json_begin_object(&w);
	json_member_string(&w, "apiKey", http_param(call->request, "writeKey"));
	json_member_string(&w, "apiHost",
	                   text_of(arena_printf(call->arena, "%.*s/v1", TEXT_FORMAT(host))));
	json_end_object(&w);
	json_end_object(&w);
	json_add_key(&w, TEXT("metrics"));
	json_begin_object(&w);
	json_member_int(&w, "sampleRate", 0);
	json_end_object(&w);
	json_end_object(&w);
	call_answer(call, 200, &out);
}

static void settings_step(struct api_call *call)
{
	struct source *source;
	struct error   err;
	struct text    key    = http_param(call->request, "writeKey");
	enum status    status = write_keys_look_up(call->api->write_keys, key, &source, &err);
	if (status == STATUS_UNAUTHORIZED)
		error_set(&err, STATUS_NOT_FOUND, "No source has this write key");
	if (status != STATUS_OK)
		call_fail(call, &err);
	else
		answer_settings(call);
}

void collect_settings(struct api_call *call)
{
	struct source *source;
	struct text    key = http_param(call->request, "writeKey");
	if (write_keys_cached(call->api->write_keys, key, &source))
		answer_settings(call);
	else if (!call_move(call, key))
		call_on_worker(call, settings_step);
}

/* ---- The platform's own events API ---- */

static struct source *source_of_api(struct api_call *call)
{
	return source_of(ingest_sources(call->api->config.ingest), SOURCE_OF_API);
}

void events_post(struct api_call *call)
{
	collect_body(call, INGEST_EVENTS, source_of_api(call), COLLECT_ANSWER_SDK);
}

void events_post_single(struct api_call *call)
{
	collect_body(call, INGEST_EVENT, source_of_api(call), COLLECT_ANSWER_SINGLE);
}

void events_health(struct api_call *call)
{
	call_answer_static(call, "application/json", TEXT("{\"status\":\"ok\"}"));
}
