/* /ws/audiences: a socket names the audiences that it watches, in the query (?audience_id=) or by
 * messages: {"subscribe":"id"}, {"unsubscribe":"id"}. */

#include <assert.h>
#include <stdlib.h>

#include "api/audience/audience_live.h"
#include "api/handlers.h"
#include "api/stream/handshake.h"
#include "api/stream/live.h"

/* One of the audiences of a socket. */
struct subscription {
	char                   id[UUID_TEXT_BYTES];
	struct audience_watch *watch;   /* else: */
	struct watcher        *segment; /* of a live one; NULL while it is looked up */
};

struct connection {
	struct api         *api;
	struct websocket   *socket; /* the loop's reference, till it is closed */
	pthread_mutex_t     lock;
	unsigned            refs; /* the socket, and look-ups under way */
	bool                closed;
	unsigned            count;
	struct subscription subscriptions[AUDIENCE_WATCHES_MAX];
	struct json_parser *parser; /* on the loop */
	struct audience    *first;  /* of the query; in `arena` */
	struct arena        arena;
};

struct look_up {
	struct worker_job  job;
	struct connection *connection;
	char               id[UUID_TEXT_BYTES];
};

static void unref(struct connection *connection)
{
	pthread_mutex_lock(&connection->lock);
	bool last = --connection->refs == 0;
	pthread_mutex_unlock(&connection->lock);
	if (!last)
		return;
	json_parser_free(connection->parser);
	arena_done(&connection->arena);
	pthread_mutex_destroy(&connection->lock);
	free(connection);
}

static void send_error(struct websocket *socket, struct text id, const struct error *err)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	if (id.length > 0)
		json_member_string(&w, "audience_id", id);
	json_add_key(&w, TEXT("error"));
	json_begin_object(&w);
	json_member_string(&w, "code", text_of(status_code(err->status)));
	json_member_string(&w, "message", text_of(err->reason));
	json_end_object(&w);
	json_end_object(&w);
	websocket_send_text(socket, buffer_text(&out));
	buffer_done(&out);
}

/* ---- Subscriptions; under the connection's lock ---- */

static struct subscription *find(struct connection *connection, struct text id)
{
	for (unsigned i = 0; i < connection->count; i++)
		if (text_equal(id, text_of(connection->subscriptions[i].id)))
			return &connection->subscriptions[i];
	return NULL;
}

static void end(struct connection *connection, struct subscription *subscription)
{
	if (subscription->watch != NULL)
		audience_watch_free(subscription->watch);
	if (subscription->segment != NULL)
		watcher_close(connection->socket, WEBSOCKET_NORMAL, subscription->segment);
	*subscription = connection->subscriptions[--connection->count];
}

/* The number of the segment of a live audience; 0: it does not answer now. */
static uint32_t segment_of(struct connection *connection, const struct audience *audience,
                           struct arena *arena)
{
	struct definition definition;
	struct error      err;
	if (audience->kind != AUDIENCE_LIVE ||
	    definition_get(connection->api->definitions, text_of(audience->saved.segment_id), arena,
	                   &definition, &err) != STATUS_OK ||
	    definition.state != DEFINITION_LIVE)
		return 0;
	return definition.segment.number;
}

static enum status begin(struct connection *connection, struct subscription *subscription,
                         const struct audience *audience, struct arena *arena, struct error *err)
{
	uint32_t segment = segment_of(connection, audience, arena);
	if (segment == 0)
		return audience_watch_new(connection->api->audiences->live, audience, connection->socket,
		                          &subscription->watch, err);
	subscription->segment =
		watcher_of_segment(connection->api->live, segment, text_of(audience->id));
	watcher_open(connection->socket, subscription->segment);
	return STATUS_OK;
}

/* ---- By message ---- */

static void found(struct connection *connection, struct text id, const struct audience *audience,
                  struct arena *arena, struct error *err)
{
	pthread_mutex_lock(&connection->lock);
	struct subscription *subscription = find(connection, id);
	if (!connection->closed && subscription != NULL && subscription->watch == NULL &&
	    subscription->segment == NULL) {
		enum status status =
			audience == NULL ? err->status : begin(connection, subscription, audience, arena, err);
		if (status != STATUS_OK) {
			send_error(connection->socket, id, err);
			end(connection, subscription);
		}
	}
	pthread_mutex_unlock(&connection->lock);
}

static void look_up(struct worker_job *job)
{
	struct look_up *state = (struct look_up *)(void *)((char *)job - offsetof(struct look_up, job));
	struct connection *connection = state->connection;
	struct audience    audience;
	struct arena       arena;
	struct error       err;
	arena_init(&arena);
	enum status status =
		audiences_find(connection->api->audiences, text_of(state->id), &arena, &audience, &err);
	found(connection, text_of(state->id), status == STATUS_OK ? &audience : NULL, &arena, &err);
	arena_done(&arena);
	atomic_fetch_sub(&connection->api->in_flight, 1);
	unref(connection);
	free(state);
}

static enum status subscribe(struct connection *connection, struct text id, struct error *err)
{
	struct look_up *state;
	if (!uuid_valid(id))
		return error_set(err, STATUS_NOT_FOUND, "There is no such audience");
	if (find(connection, id) != NULL)
		return STATUS_OK;
	if (connection->count == AUDIENCE_WATCHES_MAX)
		return error_set(err, STATUS_LIMITED, "A socket watches %d audiences at most",
		                 AUDIENCE_WATCHES_MAX);
	atomic_fetch_add(&connection->api->in_flight, 1); /* what a stop waits for */
	if (!api_is_open(connection->api)) {
		atomic_fetch_sub(&connection->api->in_flight, 1);
		return api_closed_error(connection->api, err);
	}
	state = calloc(1, sizeof *state);
	assert(state != NULL);
	state->job.run    = look_up;
	state->connection = connection;
	memcpy(state->id, id.data, id.length);
	struct subscription *subscription = &connection->subscriptions[connection->count++];
	*subscription                     = (struct subscription){0};
	memcpy(subscription->id, id.data, id.length);
	connection->refs++;
	workers_submit(connection->api->workers, &state->job);
	return STATUS_OK;
}

static enum status take_message(struct connection *connection, struct text message,
                                struct text *ret_id, struct error *err)
{
	static const char *const known[] = {"subscribe", "unsubscribe", NULL};
	struct json              object;
	enum status              status;
	if (connection->parser == NULL)
		connection->parser = json_parser_new();
	if ((status = json_parse_text(connection->parser, message, &object, err)) != STATUS_OK)
		return status;
	if (json_type(object) != JSON_OBJECT || json_count(object) != 1)
		return error_set(err, STATUS_INVALID,
		                 "A message is {\"subscribe\":\"id\"} or {\"unsubscribe\":\"id\"}");
	bool wanted = json_type(json_get(object, "subscribe")) != JSON_NONE;
	if ((status = call_only(object, known, err)) != STATUS_OK ||
	    (status = call_string(object, wanted ? "subscribe" : "unsubscribe", false, 1, 64, ret_id,
	                          err)) != STATUS_OK)
		return status;
	if (wanted)
		return subscribe(connection, *ret_id, err);
	struct subscription *subscription = find(connection, *ret_id);
	if (subscription != NULL)
		end(connection, subscription);
	return STATUS_OK;
}

static void on_message(struct websocket *socket, struct text message, bool binary, void *user)
{
	struct connection *connection = user;
	struct text        id         = {0};
	struct error       err        = {0};
	(void)binary;
	pthread_mutex_lock(&connection->lock);
	enum status status = take_message(connection, message, &id, &err);
	pthread_mutex_unlock(&connection->lock);
	if (status != STATUS_OK)
		send_error(socket, id, &err);
}

static void on_open(struct websocket *socket, void *user)
{
	struct connection *connection = user;
	struct error       err;
	pthread_mutex_lock(&connection->lock);
	connection->socket = socket;
	if (connection->first != NULL) {
		struct subscription *subscription = &connection->subscriptions[connection->count++];
		memcpy(subscription->id, connection->first->id, sizeof subscription->id);
		if (begin(connection, subscription, connection->first, &connection->arena, &err) !=
		    STATUS_OK) {
			send_error(socket, text_of(subscription->id), &err);
			end(connection, subscription);
		}
	}
	pthread_mutex_unlock(&connection->lock);
}

static void on_close(struct websocket *socket, unsigned code, void *user)
{
	struct connection *connection = user;
	(void)socket;
	(void)code;
	pthread_mutex_lock(&connection->lock);
	connection->closed = true;
	while (connection->count > 0)
		end(connection, &connection->subscriptions[0]);
	pthread_mutex_unlock(&connection->lock);
	unref(connection);
}

/* ---- The handshake ---- */

static void accept(struct api_call *call)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct text        id;
	struct error       err;
	enum status        status = STATUS_OK;
	assert(connection != NULL);
	connection->api  = call->api;
	connection->refs = 1;
	pthread_mutex_init(&connection->lock, NULL);
	arena_init(&connection->arena);
	if (http_query(call->request, "audience_id", &id)) {
		connection->first = ARENA_NEW(&connection->arena, struct audience);
		status =
			audiences_find(call->api->audiences, id, &connection->arena, connection->first, &err);
	}
	if (status != STATUS_OK) {
		unref(connection);
		call_fail(call, &err);
		return;
	}
	const struct websocket_options options = {.overflow   = WEBSOCKET_OVERFLOW_CLOSE,
	                                          .on_open    = on_open,
	                                          .on_message = on_message,
	                                          .on_close   = on_close,
	                                          .user       = connection};
	if (!handshake_accept(call, options))
		unref(connection);
}

void audiences_watch(struct api_call *call) { handshake_begin(call, accept); }
