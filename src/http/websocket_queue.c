#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/websocket_internal.h"

struct websocket *websocket_ref(struct websocket *socket)
{
	atomic_fetch_add_explicit(&socket->references, 1, memory_order_relaxed);
	return socket;
}

void websocket_clear_queue(struct websocket *socket)
{
	while (socket->queue) {
		struct websocket_message *message = socket->queue;
		socket->queue                     = message->next;
		free(message);
	}
	socket->queue_end   = &socket->queue;
	socket->queue_count = 0;
	socket->queue_bytes = 0;
}

void websocket_unref(struct websocket *socket)
{
	if (!socket || atomic_fetch_sub(&socket->references, 1) != 1)
		return;
	websocket_clear_queue(socket);
	if (socket->frames)
		wslay_event_context_free(socket->frames);
	buffer_done(&socket->early);
	buffer_done(&socket->out);
	pthread_mutex_destroy(&socket->lock);
	free(socket);
}

bool websocket_must_post(struct websocket *socket)
{
	if (socket->posted)
		return false;
	socket->posted = true;
	websocket_ref(socket);
	return true;
}

static void remove_at(struct websocket *socket, struct websocket_message **at)
{
	struct websocket_message *message = *at;

	*at = message->next;
	if (socket->queue_end == &message->next)
		socket->queue_end = at;
	socket->queue_count--;
	socket->queue_bytes -= message->length;
	free(message);
}

static struct websocket_message **oldest_state(struct websocket *socket)
{
	for (struct websocket_message **at = &socket->queue; *at; at = &(*at)->next)
		if ((*at)->is_state)
			return at;
	return NULL;
}

static bool fits(const struct websocket *socket, size_t length)
{
	const struct http_limits *limits = &socket->loop->server->limits;

	return socket->queue_count < limits->websocket_queue_max &&
	       socket->queue_bytes + length <= limits->websocket_queue_bytes_max;
}

/* Puts `message` in the place of the queued one of its key. False: there is none now. */
static bool replace(struct websocket *socket, struct websocket_message *message)
{
	for (struct websocket_message **at = &socket->queue; *at; at = &(*at)->next) {
		struct websocket_message *old = *at;
		if (!old->is_state || old->key != message->key)
			continue;
		atomic_fetch_add(&socket->loop->socket_dropped, 1);
		message->next = old->next;
		remove_at(socket, at);
		if (!fits(socket, message->length))
			return false;
		*at = message;
		if (!message->next)
			socket->queue_end = &message->next;
		socket->queue_count++;
		socket->queue_bytes += message->length;
		return true;
	}
	return false;
}

static bool make_room(struct websocket *socket, size_t length)
{
	while (!fits(socket, length)) {
		struct websocket_message **oldest = oldest_state(socket);
		if (socket->options.overflow != WEBSOCKET_OVERFLOW_DROP || !oldest)
			return false;
		remove_at(socket, oldest);
		atomic_fetch_add(&socket->loop->socket_dropped, 1);
	}
	return true;
}

static void ask_to_close(struct websocket *socket, unsigned code, const char *reason)
{
	socket->close_code = code;
	snprintf(socket->close_reason, sizeof socket->close_reason, "%s", reason ? reason : "");
}

/* Under the lock. */
static bool enqueue(struct websocket *socket, struct websocket_message *message)
{
	if (message->is_state && replace(socket, message))
		return true;
	if (!make_room(socket, message->length)) {
		websocket_clear_queue(socket);
		ask_to_close(socket, WEBSOCKET_TRY_LATER, "this reader is too slow");
		free(message);
		return false;
	}
	message->next      = NULL;
	*socket->queue_end = message;
	socket->queue_end  = &message->next;
	socket->queue_count++;
	socket->queue_bytes += message->length;
	return true;
}

static bool send_message(struct websocket *socket, bool is_state, uint64_t key, struct text text)
{
	struct websocket_message *message = malloc(sizeof *message + text.length);
	assert(message);

	*message = (struct websocket_message){.is_state = is_state, .key = key, .length = text.length};
	if (text.length > 0)
		memcpy(message->data, text.data, text.length);

	pthread_mutex_lock(&socket->lock);
	bool accepted = !socket->closed && socket->close_code == 0;
	bool post     = false;
	if (accepted) {
		accepted = enqueue(socket, message);
		post     = websocket_must_post(socket);
	} else {
		free(message);
	}
	pthread_mutex_unlock(&socket->lock);
	if (post)
		http_loop_post(socket->loop, &socket->post);
	return accepted;
}

bool websocket_send_text(struct websocket *socket, struct text text)
{
	return send_message(socket, false, 0, text);
}

bool websocket_send_state(struct websocket *socket, uint64_t key, struct text text)
{
	return send_message(socket, true, key, text);
}

void websocket_close(struct websocket *socket, enum websocket_code code, const char *reason)
{
	bool post = false;

	pthread_mutex_lock(&socket->lock);
	if (!socket->closed && socket->close_code == 0) {
		ask_to_close(socket, code, reason);
		post = websocket_must_post(socket);
	}
	pthread_mutex_unlock(&socket->lock);
	if (post)
		http_loop_post(socket->loop, &socket->post);
}

unsigned websocket_queued(const struct websocket *socket)
{
	struct websocket *writable = (struct websocket *)socket;

	pthread_mutex_lock(&writable->lock);
	unsigned count = socket->queue_count;
	pthread_mutex_unlock(&writable->lock);
	return count;
}

unsigned    websocket_loop_index(const struct websocket *socket) { return socket->loop_index; }
const char *websocket_trace_id(const struct websocket *socket) { return socket->trace_id; }

struct websocket_message *websocket_take_queued(struct websocket *socket)
{
	pthread_mutex_lock(&socket->lock);
	struct websocket_message *message = socket->queue;
	if (message) {
		socket->queue = message->next;
		if (!socket->queue)
			socket->queue_end = &socket->queue;
		socket->queue_count--;
		socket->queue_bytes -= message->length;
	}
	pthread_mutex_unlock(&socket->lock);
	return message;
}
