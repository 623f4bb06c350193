#include "http/websocket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "http/server_internal.h"

enum {
	OUT_BYTES_MAX     = 64 << 10,  /* frames that wait for one send() */
	IN_BYTES_MAX      = 256 << 10, /* read in one turn, then it is the others' turn */
	CONTROL_QUEUE_MAX = 64,        /* pongs that wait for a client that pings and does not read */
	KEY_BYTES         = 24,        /* base64 of 16 bytes */
	ACCEPT_BYTES      = 28,        /* base64 of 20 bytes */
	REASON_BYTES_MAX  = 123,
	NO_STATUS         = 1005,
};

struct message {
	struct message *next;
	bool            is_state;
	uint64_t        key;
	size_t          length;
	char            data[];
};

enum phase {
	PHASE_OPENING,   /* accepted, the handshake is not sent yet */
	PHASE_OPEN,      /* until both close frames went over the wire */
	PHASE_LINGERING, /* on_close was called; the peer shall have time to read our close frame */
	PHASE_OVER,
};

struct websocket {
	struct http_post         post;
	struct http_watch        watch;
	atomic_uint              references;
	struct http_loop        *loop; /* may be gone when closed */
	unsigned                 loop_index;
	struct websocket_options options;
	char                     trace_id[TRACE_ID_BYTES];
	char                     accept[ACCEPT_BYTES + 1];

	/* The loop's. */
	struct websocket                 *older;
	struct websocket                 *newer;
	enum phase                        phase;
	int                               fd;
	struct MHD_UpgradeResponseHandle *upgrade;
	wslay_event_context_ptr           frames;
	struct buffer                     early; /* came right behind the handshake */
	size_t                            early_read;
	struct buffer                     out;
	size_t                            out_sent;
	size_t                            in_left; /* of IN_BYTES_MAX */
	uint32_t                          watched;
	int64_t                           heard_ms;
	int64_t                           pinged_ms;
	int64_t                           due_ms; /* of the peer's close; 0: none */
	bool                              close_queued;
	bool                              lost;   /* the connection */
	bool                              broken; /* the peer sent what is no frame */

	/* Everybody's. */
	pthread_mutex_t  lock;
	struct message  *queue;
	struct message **queue_end;
	unsigned         queue_count;
	size_t           queue_bytes;
	unsigned         close_code; /* 0: not asked to */
	char             close_reason[REASON_BYTES_MAX + 1];
	bool             posted;
	bool             closed;
};

/* ---- Handshake ---- */

static bool has_token(const struct http_request *request, const char *name, const char *token)
{
	struct text value;
	size_t      length = strlen(token);

	if (!http_header(request, name, &value))
		return false;
	for (size_t i = 0; i + length <= value.length; i++) {
		bool   begins = i == 0 || strchr(", \t", value.data[i - 1]);
		size_t end    = i + length;
		bool   ends   = end == value.length || strchr(", \t", value.data[end]);
		if (begins && ends && strncasecmp(value.data + i, token, length) == 0)
			return true;
	}
	return false;
}

bool websocket_requested(const struct http_request *request)
{
	return has_token(request, "Upgrade", "websocket");
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool websocket_offer_at(const struct http_request *request, unsigned index, struct text *ret_name)
{
	struct text value;

	if (!http_header(request, "Sec-WebSocket-Protocol", &value))
		return false;
	const char *at  = value.data;
	const char *end = at + value.length;
	for (;; index--) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *last  = comma ? comma : end;
		if (index == 0) {
			while (at < last && is_blank(*at))
				at++;
			while (last > at && is_blank(last[-1]))
				last--;
			*ret_name = (struct text){at, (size_t)(last - at)};
			return last > at;
		}
		if (!comma)
			return false;
		at = comma + 1;
	}
}

/* RFC 6455, section 4.2.2, item 5.4. */
static void write_accept(struct text key, char accept[ACCEPT_BYTES + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char              input[KEY_BYTES + sizeof guid - 1];
	unsigned char     digest[EVP_MAX_MD_SIZE];

	memcpy(input, key.data, KEY_BYTES);
	memcpy(input + KEY_BYTES, guid, sizeof guid - 1);
	int result = EVP_Digest(input, sizeof input, digest, NULL, EVP_sha1(), NULL);
	assert(result == 1);
	(void)result;
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static bool is_base64(struct text key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.length != KEY_BYTES || memcmp(key.data + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!key.data[i] || !strchr(digits, key.data[i]))
			return false;
	return true;
}

static bool refuse(struct http_request *request, unsigned http_status, const char *reason)
{
	struct error err = {0};

	error_set(&err, STATUS_INVALID, "%s", reason);
	if (http_status == 426) {
		http_add_header(request, "Upgrade", TEXT("websocket"));
		http_add_header(request, "Sec-WebSocket-Version", TEXT("13"));
	}
	http_respond_error(request, http_status, &err);
	return false;
}

static struct websocket *new_socket(struct http_request            *request,
                                    const struct websocket_options *options, struct text key)
{
	struct websocket *socket = calloc(1, sizeof *socket);
	assert(socket);

	socket->references = 1;
	socket->loop       = request->loop;
	socket->loop_index = request->loop->index;
	socket->options    = *options;
	socket->fd         = -1;
	socket->queue_end  = &socket->queue;
	memcpy(socket->trace_id, request->trace.id, sizeof socket->trace_id);
	write_accept(key, socket->accept);
	pthread_mutex_init(&socket->lock, NULL);
	return socket;
}

bool websocket_accept(struct http_request *request, const struct websocket_options *options)
{
	struct text key, version;

	assert(options->on_close);
	if (!websocket_requested(request))
		return refuse(request, 426, "this path speaks WebSocket only");
	if (!text_equal(request->method, TEXT("GET")) || !request->http_1_1 ||
	    !has_token(request, "Connection", "upgrade") || request->body_length > 0)
		return refuse(request, 400, "this is no valid WebSocket handshake");
	if (!http_header(request, "Sec-WebSocket-Version", &version) ||
	    !text_equal(version, TEXT("13")))
		return refuse(request, 426, "only version 13 of WebSocket is supported");
	if (!http_header(request, "Sec-WebSocket-Key", &key) || !is_base64(key))
		return refuse(request, 400, "Sec-WebSocket-Key is missing or not valid");

	request->socket = new_socket(request, options, key);
	if (options->subprotocol)
		http_add_header(request, "Sec-WebSocket-Protocol", text_of(options->subprotocol));
	http_answer_ready(request, 101);
	return true;
}

/* ---- References and the queue ---- */

struct websocket *websocket_ref(struct websocket *socket)
{
	atomic_fetch_add_explicit(&socket->references, 1, memory_order_relaxed);
	return socket;
}

static void clear_queue(struct websocket *socket)
{
	while (socket->queue) {
		struct message *message = socket->queue;
		socket->queue           = message->next;
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
	clear_queue(socket);
	if (socket->frames)
		wslay_event_context_free(socket->frames);
	buffer_done(&socket->early);
	buffer_done(&socket->out);
	pthread_mutex_destroy(&socket->lock);
	free(socket);
}

static void flush_posted(struct http_loop *loop, struct http_post *post);

/* Under the lock. The stack of posted work holds a reference. */
static bool must_post(struct websocket *socket)
{
	if (socket->posted)
		return false;
	socket->posted   = true;
	socket->post.run = flush_posted;
	websocket_ref(socket);
	return true;
}

static void remove_at(struct websocket *socket, struct message **at)
{
	struct message *message = *at;

	*at = message->next;
	if (socket->queue_end == &message->next)
		socket->queue_end = at;
	socket->queue_count--;
	socket->queue_bytes -= message->length;
	free(message);
}

static struct message **oldest_state(struct websocket *socket)
{
	for (struct message **at = &socket->queue; *at; at = &(*at)->next)
		if ((*at)->is_state)
			return at;
	return NULL;
}

/* Puts `message` in the place of the queued one of its key. */
static bool replace(struct websocket *socket, struct message *message)
{
	for (struct message **at = &socket->queue; *at; at = &(*at)->next) {
		struct message *old = *at;
		if (!old->is_state || old->key != message->key)
			continue;
		message->next = old->next;
		*at           = message;
		if (socket->queue_end == &old->next)
			socket->queue_end = &message->next;
		socket->queue_bytes += message->length - old->length;
		free(old);
		atomic_fetch_add(&socket->loop->socket_dropped, 1);
		return true;
	}
	return false;
}

static bool fits(const struct websocket *socket, size_t length)
{
	const struct http_settings *settings = &socket->loop->server->settings;

	return socket->queue_count < (uint64_t)settings->websocket_queue_max &&
	       socket->queue_bytes + length <= settings->websocket_queue_bytes_max;
}

static bool make_room(struct websocket *socket, size_t length)
{
	while (!fits(socket, length)) {
		struct message **oldest = oldest_state(socket);
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
static bool enqueue(struct websocket *socket, struct message *message)
{
	if (message->is_state && replace(socket, message))
		return true;
	if (!make_room(socket, message->length)) {
		clear_queue(socket);
		ask_to_close(socket, WEBSOCKET_TRY_LATER, "this reader is too slow");
		free(message);
		return false;
	}
	*socket->queue_end = message;
	socket->queue_end  = &message->next;
	socket->queue_count++;
	socket->queue_bytes += message->length;
	return true;
}

static bool send_message(struct websocket *socket, bool is_state, uint64_t key, struct text text)
{
	struct message *message = malloc(sizeof *message + text.length);
	assert(message);

	*message = (struct message){.is_state = is_state, .key = key, .length = text.length};
	if (text.length > 0)
		memcpy(message->data, text.data, text.length);

	pthread_mutex_lock(&socket->lock);
	bool accepted = !socket->closed && socket->close_code == 0;
	bool post     = false;
	if (accepted) {
		accepted = enqueue(socket, message);
		post     = must_post(socket);
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
		post = must_post(socket);
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

/* ---- The end ---- */

static void say_closed(struct websocket *socket, unsigned code)
{
	pthread_mutex_lock(&socket->lock);
	bool first     = !socket->closed;
	socket->closed = true;
	clear_queue(socket);
	pthread_mutex_unlock(&socket->lock);
	if (first)
		socket->options.on_close(socket, code, socket->options.user);
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

static void message_arrived(wslay_event_context_ptr                   frames,
                            const struct wslay_event_on_msg_recv_arg *message, void *user)
{
	struct websocket *socket = user;

	(void)frames;
	if (wslay_is_ctrl_frame(message->opcode) || !socket->options.on_message)
		return;
	socket->options.on_message(socket,
	                           (struct text){(const char *)message->msg, message->msg_length},
	                           message->opcode == WSLAY_BINARY_FRAME, socket->options.user);
}

static bool take_queued(struct websocket *socket)
{
	pthread_mutex_lock(&socket->lock);
	struct message *message = socket->queue;
	if (message) {
		socket->queue = message->next;
		if (!socket->queue)
			socket->queue_end = &socket->queue;
		socket->queue_count--;
		socket->queue_bytes -= message->length;
	}
	pthread_mutex_unlock(&socket->lock);
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
	if (socket->phase == PHASE_OPEN && (socket->broken || said_goodbye))
		linger(socket);
	watch_again(socket);
}

static void socket_ready(struct http_watch *watch, uint32_t events)
{
	(void)events;
	work((struct websocket *)((char *)watch - offsetof(struct websocket, watch)));
}

static void flush_posted(struct http_loop *loop, struct http_post *post)
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
	request->upgraded   = true;
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
	bool post = must_post(socket);
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
