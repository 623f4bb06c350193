#include "http/websocket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/websocket_internal.h"

enum {
	OUT_BYTES_MAX     = 64 << 10,  /* frames that wait for one send() */
	IN_BYTES_MAX      = 256 << 10, /* read in one turn, then it is the others' turn */
	CONTROL_QUEUE_MAX = 64,        /* pongs that wait for a client that pings and does not read */
	NO_STATUS         = 1005,

	RATE_BURST_SECONDS = 10,
};

#define MS_NS     INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)

/* ---- The end ---- */

static void say_closed(struct websocket *socket, unsigned code)
{
	pthread_mutex_lock(&socket->lock);
	bool first     = !socket->closed;
	socket->closed = true;
	websocket_clear_queue(socket);
	pthread_mutex_unlock(&socket->lock);
	if (!first)
		return;
	socket->options.on_close(socket, code, socket->options.user);
	if (socket->release)
		socket->release(socket->owner);
}

static unsigned final_code(const struct websocket *socket)
{
	if (wslay_event_get_close_received(socket->frames)) {
		unsigned code = wslay_event_get_status_code_received(socket->frames);
		return code == 0 ? NO_STATUS : code;
	}
	if (wslay_event_get_close_sent(socket->frames))
		return wslay_event_get_status_code_sent(socket->frames);
	return socket->broken ? WEBSOCKET_PROTOCOL : WEBSOCKET_ABNORMAL;
}

static void end(struct websocket *socket)
{
	struct http_loop *loop = socket->loop;

	if (socket->phase == PHASE_OVER)
		return;
	say_closed(socket, final_code(socket));
	socket->phase                                             = PHASE_OVER;
	*(socket->newer ? &socket->newer->older : &loop->sockets) = socket->older;
	if (socket->older)
		socket->older->newer = socket->newer;
	http_loop_unwatch(loop, socket->fd);
	http_count(&loop->sockets_count, -1);
	MHD_upgrade_action(socket->upgrade, MHD_UPGRADE_ACTION_CLOSE);
	websocket_unref(socket);
}

/* Both have said goodbye, or one broke the rules: ours may still be on its way, and closing a
 * socket with unread bytes would take it back. */
static void linger(struct websocket *socket)
{
	socket->phase  = PHASE_LINGERING;
	socket->due_ms = socket->loop->now_ms + WEBSOCKET_CLOSE_MS;
	shutdown(socket->fd, SHUT_WR);
	say_closed(socket, final_code(socket));
}

void websocket_never_opened(struct websocket *socket)
{
	say_closed(socket, WEBSOCKET_ABNORMAL);
	websocket_unref(socket);
}

/* ---- Frames in and out ---- */

static ssize_t read_frames(wslay_event_context_ptr frames, uint8_t *into, size_t length, int flags,
                           void *user)
{
	struct websocket *socket = user;
	size_t            early  = socket->early.length - socket->early_read;

	(void)flags;
	if (early > 0) {
		length = early < length ? early : length;
		memcpy(into, socket->early.data + socket->early_read, length);
		socket->early_read += length;
		return (ssize_t)length;
	}
	if (socket->in_left == 0) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	ssize_t got = recv(socket->fd, into, length < socket->in_left ? length : socket->in_left, 0);
	if (got > 0) {
		socket->in_left -= (size_t)got;
		socket->heard_ms = socket->loop->now_ms;
		return got;
	}
	bool later   = got < 0 && (errno == EAGAIN || errno == EINTR);
	socket->lost = !later;
	wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static ssize_t write_frames(wslay_event_context_ptr frames, const uint8_t *data, size_t length,
                            int flags, void *user)
{
	struct websocket *socket = user;

	(void)frames;
	(void)flags;
	buffer_add(&socket->out, data, length);
	return (ssize_t)length;
}

/* A bucket (generic cell rate algorithm) of RATE_BURST_SECONDS of what is allowed. */
static bool may_send(struct websocket *socket)
{
	int64_t rate = socket->loop->server->settings.websocket_rate_max;
	if (rate == 0)
		return true;
	int64_t now_ns  = socket->loop->now_ms * MS_NS;
	int64_t from_ns = socket->full_ns > now_ns ? socket->full_ns : now_ns;
	if (from_ns - now_ns > RATE_BURST_SECONDS * SECOND_NS)
		return false;
	socket->full_ns = from_ns + SECOND_NS / rate;
	return true;
}

static void message_arrived(wslay_event_context_ptr                   frames,
                            const struct wslay_event_on_msg_recv_arg *message, void *user)
{
	struct websocket *socket = user;

	(void)frames;
	if (!may_send(socket)) {
		websocket_close(socket, WEBSOCKET_POLICY, "too many messages");
		return;
	}
	if (wslay_is_ctrl_frame(message->opcode) || !socket->options.on_message)
		return;
	socket->options.on_message(socket,
	                           (struct text){(const char *)message->msg, message->msg_length},
	                           message->opcode == WSLAY_BINARY_FRAME, socket->options.user);
}

static bool take_queued(struct websocket *socket)
{
	struct websocket_message *message = websocket_take_queued(socket);

	if (!message)
		return false;
	struct wslay_event_msg event  = {WSLAY_TEXT_FRAME, (const uint8_t *)message->data,
	                                 message->length};
	int                    result = wslay_event_queue_msg(socket->frames, &event);
	free(message);
	return result == 0;
}

static bool take_close(struct websocket *socket)
{
	pthread_mutex_lock(&socket->lock);
	unsigned code = socket->close_code;
	pthread_mutex_unlock(&socket->lock);
	if (code == 0 || socket->close_queued)
		return false;
	socket->close_queued = true;
	return wslay_event_queue_close(socket->frames, (uint16_t)code,
	                               (const uint8_t *)socket->close_reason,
	                               strlen(socket->close_reason)) == 0;
}

/* Fills `out` from what wslay and the queue hold; false: there is nothing to send. */
static bool fill(struct websocket *socket)
{
	while (socket->out.length < OUT_BYTES_MAX) {
		if (wslay_event_want_write(socket->frames)) {
			if (wslay_event_send(socket->frames) != 0)
				return false;
		} else if (!take_queued(socket) && !take_close(socket)) {
			break;
		}
	}
	return socket->out.length > 0;
}

/* False: the connection is lost. */
static bool send_out(struct websocket *socket)
{
	while (socket->out_sent < socket->out.length || fill(socket)) {
		ssize_t sent = send(socket->fd, socket->out.data + socket->out_sent,
		                    socket->out.length - socket->out_sent, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		socket->out_sent += (size_t)sent;
		if (socket->out_sent < socket->out.length)
			continue;
		buffer_clear(&socket->out);
		socket->out_sent = 0;
	}
	return true;
}

/* wslay closes without a code when it cannot make out a frame: we say 1002. */
static bool receive(struct websocket *socket)
{
	static const char close_1002[] = "\x88\x02\x03\xea";

	if (!wslay_event_want_read(socket->frames) || wslay_event_recv(socket->frames) == 0)
		return true;
	if (socket->lost)
		return false;
	socket->broken = true;
	buffer_add(&socket->out, close_1002, 4); /* what is there are whole frames */
	return send(socket->fd, socket->out.data + socket->out_sent,
	            socket->out.length - socket->out_sent, MSG_NOSIGNAL) > 0;
}

static bool drop_input(struct websocket *socket)
{
	char dropped[4096];
	for (int i = 0; i < IN_BYTES_MAX / (int)sizeof dropped; i++) {
		ssize_t got = recv(socket->fd, dropped, sizeof dropped, 0);
		if (got <= 0)
			return got < 0 && (errno == EAGAIN || errno == EINTR);
	}
	return true;
}

static void watch_again(struct websocket *socket)
{
	bool     sending = socket->phase == PHASE_OPEN && socket->out_sent < socket->out.length;
	uint32_t events  = EPOLLIN | (sending ? EPOLLOUT : 0);

	if (events == socket->watched)
		return;
	socket->watched = events;
	http_loop_rewatch(socket->loop, socket->fd, events, &socket->watch);
}

/* Everything that can be done without waiting. */
static void work(struct websocket *socket)
{
	bool alive = true;

	socket->in_left = IN_BYTES_MAX;
	if (socket->phase == PHASE_LINGERING) {
		alive = drop_input(socket);
	} else {
		alive = receive(socket) && (socket->broken || send_out(socket)) &&
		        wslay_event_get_queued_msg_count(socket->frames) <= CONTROL_QUEUE_MAX;
	}
	if (!alive) {
		end(socket);
		return;
	}
	bool said_goodbye = socket->out.length == 0 && !wslay_event_want_read(socket->frames) &&
	                    !wslay_event_want_write(socket->frames);
	/* Under TLS libmicrohttpd stands between, and passes no half of an end on: what was written it
	 * sends before it closes. */
	if (socket->phase == PHASE_OPEN && said_goodbye && socket->loop->server->tls) {
		end(socket);
		return;
	}
	if (socket->phase == PHASE_OPEN && (socket->broken || said_goodbye))
		linger(socket);
	watch_again(socket);
}

static void socket_ready(struct http_watch *watch, uint32_t events)
{
	(void)events;
	work((struct websocket *)((char *)watch - offsetof(struct websocket, watch)));
}

void websocket_flush(struct http_loop *loop, struct http_post *post)
{
	struct websocket *socket =
		(struct websocket *)((char *)post - offsetof(struct websocket, post));

	pthread_mutex_lock(&socket->lock);
	socket->posted = false;
	bool closing   = socket->close_code != 0;
	pthread_mutex_unlock(&socket->lock);
	if (socket->phase == PHASE_OPEN) {
		if (closing && socket->due_ms == 0)
			socket->due_ms = loop->now_ms + WEBSOCKET_CLOSE_MS;
		work(socket);
	}
	websocket_unref(socket);
}

/* ---- From libmicrohttpd to the loop ---- */

static void start_frames(struct websocket *socket)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback        = read_frames,
		.send_callback        = write_frames,
		.on_msg_recv_callback = message_arrived,
	};
	int result = wslay_event_context_server_init(&socket->frames, &callbacks, socket);
	assert(result == 0);
	(void)result;
	wslay_event_config_set_max_recv_msg_length(socket->frames, WEBSOCKET_MESSAGE_BYTES_MAX);
}

static void upgraded(void *cls, struct MHD_Connection *mhd, void *con_cls, const char *early,
                     size_t early_length, MHD_socket fd, struct MHD_UpgradeResponseHandle *upgrade)
{
	struct websocket    *socket  = cls;
	struct http_request *request = con_cls;
	struct http_loop    *loop    = socket->loop;
	int                  one     = 1;

	(void)mhd;
	request->upgraded = true;
	http_enter(loop, request->connection, HTTP_PHASE_UPGRADED);
	socket->owner       = request->owner;
	socket->release     = request->release;
	request->release    = NULL;
	socket->upgrade     = upgrade;
	socket->fd          = fd;
	socket->watch.ready = socket_ready;
	socket->phase       = PHASE_OPEN;
	socket->heard_ms = socket->pinged_ms = loop->now_ms;
	buffer_add(&socket->early, early, early_length);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	start_frames(socket);

	socket->older = loop->sockets;
	if (loop->sockets)
		loop->sockets->newer = socket;
	loop->sockets = socket;
	http_count(&loop->sockets_count, 1);
	socket->watched = EPOLLIN;
	http_loop_watch(loop, fd, EPOLLIN, &socket->watch);

	if (socket->options.on_open)
		socket->options.on_open(socket, socket->options.user);
	if (loop->stopping)
		websocket_close(socket, WEBSOCKET_GOING_AWAY, "the server stops");
	/* What came early, and what was sent before the socket was open. */
	pthread_mutex_lock(&socket->lock);
	bool post = websocket_must_post(socket);
	pthread_mutex_unlock(&socket->lock);
	if (post)
		http_loop_post(loop, &socket->post);
}

struct MHD_Response *websocket_response(struct websocket *socket)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(upgraded, socket);

	assert(response);
	MHD_add_response_header(response, "Upgrade", "websocket");
	MHD_add_response_header(response, "Sec-WebSocket-Accept", socket->accept);
	return response;
}

/* ---- Time ---- */

static void tick(struct websocket *socket)
{
	int64_t now_ms  = socket->loop->now_ms;
	int64_t ping_ms = socket->loop->server->settings.websocket_ping_ms;

	if (socket->due_ms != 0) {
		if (now_ms >= socket->due_ms)
			end(socket);
		return;
	}
	if (now_ms - socket->heard_ms >= 2 * ping_ms) {
		end(socket);
		return;
	}
	if (now_ms - socket->pinged_ms >= ping_ms) {
		struct wslay_event_msg ping = {WSLAY_PING, NULL, 0};
		socket->pinged_ms           = now_ms;
		if (wslay_event_queue_msg(socket->frames, &ping) == 0)
			work(socket);
	}
}

void websockets_tick(struct http_loop *loop)
{
	struct websocket *next;
	for (struct websocket *socket = loop->sockets; socket; socket = next) {
		next = socket->older;
		tick(socket);
	}
}

void websockets_go_away(struct http_loop *loop)
{
	for (struct websocket *socket = loop->sockets; socket; socket = socket->older)
		websocket_close(socket, WEBSOCKET_GOING_AWAY, "the server stops");
}

void websockets_abort(struct http_loop *loop)
{
	while (loop->sockets)
		end(loop->sockets);
}
