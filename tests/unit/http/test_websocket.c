#include "http/websocket.h"

#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

/* ---- The server's side: sockets report to the test ---- */

struct seen {
	pthread_mutex_t   lock;
	pthread_cond_t    changed;
	struct websocket *socket; /* opened last; holds a reference */
	unsigned          closed; /* how many */
	unsigned          code;   /* of the last */
};

static struct seen seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0, 0};

static void opened(struct websocket *socket, void *user)
{
	(void)user;
	pthread_mutex_lock(&seen.lock);
	websocket_unref(seen.socket);
	seen.socket = websocket_ref(socket);
	pthread_cond_signal(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

static void closed(struct websocket *socket, unsigned code, void *user)
{
	(void)socket;
	(void)user;
	pthread_mutex_lock(&seen.lock);
	seen.closed++;
	seen.code = code;
	pthread_cond_signal(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

static struct websocket *wait_opened(void)
{
	pthread_mutex_lock(&seen.lock);
	while (!seen.socket)
		pthread_cond_wait(&seen.changed, &seen.lock);
	struct websocket *socket = seen.socket;
	seen.socket              = NULL;
	pthread_mutex_unlock(&seen.lock);
	return socket;
}

static unsigned wait_closed(void)
{
	pthread_mutex_lock(&seen.lock);
	while (seen.closed == 0)
		pthread_cond_wait(&seen.changed, &seen.lock);
	assert_int_equal(seen.closed, 1);
	seen.closed   = 0;
	unsigned code = seen.code;
	pthread_mutex_unlock(&seen.lock);
	return code;
}

static void echo(struct websocket *socket, struct text message, bool binary, void *user)
{
	(void)user;
	if (binary)
		message = TEXT("binary");
	websocket_send_text(socket, message);
}

static struct websocket_options options = {
	.on_open = opened, .on_message = echo, .on_close = closed};

static void accept_any(struct http_request *request, void *user)
{
	struct websocket_options mine = options;
	struct text              offer;
	struct text              key;

	(void)user;
	for (unsigned i = 0; websocket_offer_at(request, i, &offer); i++)
		if (text_equal(offer, TEXT("sonnim.v1")))
			mine.subprotocol = "sonnim.v1";
	if (http_header(request, "X-Refuse", &key)) {
		http_respond_static(request, 403, "text/plain", TEXT("no"));
		return;
	}
	websocket_accept(request, &mine);
}

/* ---- The client's side ---- */

#define UPGRADE                                                                                    \
	"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define KEY       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION   "Sec-WebSocket-Version: 13\r\n"
#define HANDSHAKE UPGRADE KEY VERSION "\r\n"

enum { FIN = 0x80, CONTINUATION = 0, TEXT_FRAME = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static void frame_add(struct buffer *out, unsigned first, const void *data, size_t length)
{
	static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
	const unsigned char       *bytes   = data;

	buffer_add_u8(out, (uint8_t)first);
	if (length < 126) {
		buffer_add_u8(out, (uint8_t)(0x80 | length));
	} else if (length < 65536) {
		buffer_add_u8(out, 0x80 | 126);
		buffer_add_u8(out, (uint8_t)(length >> 8));
		buffer_add_u8(out, (uint8_t)length);
	} else {
		buffer_add_u8(out, 0x80 | 127);
		for (int shift = 56; shift >= 0; shift -= 8)
			buffer_add_u8(out, (uint8_t)((uint64_t)length >> shift));
	}
	buffer_add(out, mask, 4);
	for (size_t i = 0; i < length; i++)
		buffer_add_u8(out, bytes[i] ^ mask[i % 4]);
}

static void frame_send(struct peer *peer, unsigned first, const void *data, size_t length)
{
	struct buffer out = {0};
	frame_add(&out, first, data, length);
	peer_send(peer, out.data, out.length);
	buffer_done(&out);
}

static void say(struct peer *peer, const char *text)
{
	frame_send(peer, FIN | TEXT_FRAME, text, strlen(text));
}

/* The frame's first byte; its payload, ended by NUL, in `into`. */
static unsigned frame_read(struct peer *peer, char *into, size_t capacity, size_t *ret_length)
{
	unsigned char head[2], more[8];
	peer_read(peer, head, 2);
	size_t length = head[1];
	assert_true(length < 128); /* a server does not mask */
	if (length == 126) {
		peer_read(peer, more, 2);
		length = (size_t)more[0] << 8 | more[1];
	} else if (length == 127) {
		peer_read(peer, more, 8);
		length = (size_t)more[5] << 16 | (size_t)more[6] << 8 | more[7];
	}
	assert_true(length < capacity);
	peer_read(peer, into, length);
	into[length] = '\0';
	*ret_length  = length;
	return head[0];
}

static void assert_frame(struct peer *peer, unsigned first, const char *payload)
{
	static char data[200000];
	size_t      length;
	assert_int_equal(frame_read(peer, data, sizeof data, &length), first);
	assert_string_equal(data, payload);
}

static void assert_text(struct peer *peer, const char *payload)
{
	assert_frame(peer, FIN | TEXT_FRAME, payload);
}

static void assert_close(struct peer *peer, unsigned code)
{
	char   data[200];
	size_t length;
	assert_int_equal(frame_read(peer, data, sizeof data, &length), FIN | CLOSE);
	assert_true(length >= 2);
	assert_int_equal((unsigned char)data[0] << 8 | (unsigned char)data[1], code);
}

static void send_close(struct peer *peer, unsigned code)
{
	unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
	frame_send(peer, FIN | CLOSE, payload, 2);
}

static void connect_socket(struct peer *peer, const struct fixture *fixture)
{
	struct reply reply;
	peer_open(peer, fixture);
	exchange(peer, HANDSHAKE, 101, &reply);
	reply_done(&reply);
}

static int init(void **state)
{
	static struct fixture fixture;
	fixture_init(&fixture);
	options = (struct websocket_options){.on_open = opened, .on_message = echo, .on_close = closed};
	*state  = &fixture;
	return 0;
}

static int start(void **state)
{
	init(state);
	FIXTURE_START(*state, {"GET", "/ws", accept_any, NULL});
	return 0;
}

static int done(void **state)
{
	fixture_done(*state);
	websocket_unref(seen.socket);
	seen.socket = NULL;
	seen.closed = 0;
	return 0;
}

/* ---- Handshake ---- */

static void the_handshake_is_that_of_the_standard(void **state)
{
	struct peer  peer;
	struct reply reply;
	peer_open(&peer, *state);
	exchange(&peer, HANDSHAKE, 101, &reply);
	assert_string_equal(reply_header(&reply, "sec-websocket-accept"),
	                    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_string_equal(reply_header(&reply, "upgrade"), "websocket");
	assert_string_equal(reply_header(&reply, "connection"), "Upgrade");
	assert_string_equal(reply_header(&reply, "sec-websocket-protocol"), "");
	reply_done(&reply);
	peer_close(&peer);
}

static void the_handler_chooses_a_subprotocol(void **state)
{
	struct peer  peer;
	struct reply reply;
	peer_open(&peer, *state);
	exchange(&peer, UPGRADE KEY VERSION "Sec-WebSocket-Protocol: other ,  sonnim.v1,x\r\n\r\n", 101,
	         &reply);
	assert_string_equal(reply_header(&reply, "sec-websocket-protocol"), "sonnim.v1");
	reply_done(&reply);
	peer_close(&peer);
}

static void what_is_no_handshake_is_refused(void **state)
{
	assert_int_equal(status_of(*state, "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"), 426);
	assert_int_equal(status_of(*state, UPGRADE KEY "\r\n"), 426);
	assert_int_equal(status_of(*state, UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"), 426);
	assert_int_equal(status_of(*state, UPGRADE VERSION "\r\n"), 400);
	assert_int_equal(status_of(*state, UPGRADE VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n"), 400);
	assert_int_equal(status_of(*state,
	                           "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" KEY VERSION
	                           "\r\n"),
	                 400);
}

static void a_handler_refuses_as_it_likes(void **state)
{
	assert_int_equal(status_of(*state, UPGRADE KEY VERSION "X-Refuse: 1\r\n\r\n"), 403);
}

static void hold_only(struct http_request *request, void *user) { hold(request, user); }

static void a_suspended_request_may_become_a_socket(void **state)
{
	for (int parked = 0; parked < 2; parked++) {
		struct peer  peer;
		struct reply reply;
		if (parked)
			init(state);
		FIXTURE_START(*state, {"GET", "/ws", hold_only, NULL});
		peer_open(&peer, *state);
		peer_say(&peer, HANDSHAKE);
		struct http_request *request = take_held();
		sleep_ms(parked * 100);
		assert_true(websocket_accept(request, &options));
		reply_read(&peer, false, &reply);
		assert_int_equal(reply.status, 101);
		reply_done(&reply);
		say(&peer, "hello");
		assert_text(&peer, "hello");
		peer_close(&peer);
		assert_int_equal(wait_closed(), WEBSOCKET_ABNORMAL);
		if (!parked)
			done(state);
	}
}

static void a_client_that_left_before_the_handshake_is_reported(void **state)
{
	struct peer peer;
	FIXTURE_START(*state, {"GET", "/ws", hold_only, NULL});
	peer_open(&peer, *state);
	peer_say(&peer, HANDSHAKE);
	struct http_request *request = take_held();
	peer_reset(&peer);
	while (http_server_counts(((struct fixture *)*state)->server).connections > 0)
		sleep_ms(1);
	assert_true(websocket_accept(request, &options));
	assert_int_equal(wait_closed(), WEBSOCKET_ABNORMAL);
}

/* ---- Messages ---- */

static void messages_come_back_whole_or_in_fragments(void **state)
{
	struct peer peer;
	connect_socket(&peer, *state);
	say(&peer, "안녕");
	assert_text(&peer, "안녕");
	frame_send(&peer, TEXT_FRAME, "안", 2); /* within a character */
	frame_send(&peer, FIN | PING, "p1", 2);
	frame_send(&peer, CONTINUATION, "안" + 2, 1);
	frame_send(&peer, FIN | CONTINUATION, "!", 1);
	assert_frame(&peer, FIN | PONG, "p1");
	assert_text(&peer, "안!");
	frame_send(&peer, FIN | BINARY, "\xff\x00", 2);
	assert_text(&peer, "binary");
	say(&peer, "");
	assert_text(&peer, "");
	peer_close(&peer);
}

static void frames_right_behind_the_handshake_are_not_lost(void **state)
{
	struct peer   peer;
	struct reply  reply;
	struct buffer all = {0};
	buffer_add_text(&all, TEXT(HANDSHAKE));
	frame_add(&all, FIN | TEXT_FRAME, "one", 3);
	frame_add(&all, FIN | TEXT_FRAME, "two", 3);
	all.length -= 2; /* the last one in two pieces */
	peer_open(&peer, *state);
	peer_send(&peer, all.data, all.length);
	reply_read(&peer, false, &reply);
	assert_int_equal(reply.status, 101);
	reply_done(&reply);
	assert_text(&peer, "one");
	peer_send(&peer, all.data + all.length, 2);
	assert_text(&peer, "two");
	buffer_done(&all);
	peer_close(&peer);
}

static void the_largest_message_passes_and_one_byte_more_is_1009(void **state)
{
	struct peer peer;
	char       *large = malloc(WEBSOCKET_MESSAGE_BYTES_MAX + 2);
	memset(large, 'x', WEBSOCKET_MESSAGE_BYTES_MAX + 1);
	large[WEBSOCKET_MESSAGE_BYTES_MAX + 1] = '\0';
	connect_socket(&peer, *state);
	frame_send(&peer, FIN | TEXT_FRAME, large, WEBSOCKET_MESSAGE_BYTES_MAX);
	assert_text(&peer, large + 1);
	frame_send(&peer, FIN | TEXT_FRAME, large, WEBSOCKET_MESSAGE_BYTES_MAX + 1);
	assert_close(&peer, WEBSOCKET_TOO_BIG);
	assert_true(peer_at_end(&peer));
	assert_int_equal(wait_closed(), WEBSOCKET_TOO_BIG);
	peer_close(&peer);
	free(large);
}

static void text_that_is_no_utf_8_is_1007(void **state)
{
	struct peer peer;
	connect_socket(&peer, *state);
	say(&peer, "a\xff");
	assert_close(&peer, WEBSOCKET_BAD_DATA);
	assert_true(peer_at_end(&peer));
	assert_int_equal(wait_closed(), WEBSOCKET_BAD_DATA);
	peer_close(&peer);
}

static void broken_frames_are_1002(void **state)
{
	const char *broken[] = {
		"\x81\x01x",                /* not masked */
		"\xc1\x80\x01\x02\x03\x04", /* a reserved bit */
		"\x09\x80\x01\x02\x03\x04", /* a control frame in fragments */
		"\x80\x80\x01\x02\x03\x04", /* the end of nothing */
	};
	size_t lengths[] = {3, 6, 6, 6};
	for (int i = 0; i < 4; i++) {
		struct peer peer;
		connect_socket(&peer, *state);
		peer_send(&peer, broken[i], lengths[i]);
		assert_close(&peer, WEBSOCKET_PROTOCOL);
		assert_true(peer_at_end(&peer));
		assert_int_equal(wait_closed(), WEBSOCKET_PROTOCOL);
		peer_close(&peer);
	}
}

/* ---- Closing ---- */

static void a_close_of_the_client_is_echoed(void **state)
{
	struct peer peer;
	connect_socket(&peer, *state);
	send_close(&peer, 4321);
	assert_close(&peer, 4321);
	assert_true(peer_at_end(&peer));
	assert_int_equal(wait_closed(), 4321);
	peer_close(&peer);

	connect_socket(&peer, *state);
	frame_send(&peer, FIN | CLOSE, "", 0);
	assert_frame(&peer, FIN | CLOSE, "");
	assert_true(peer_at_end(&peer));
	assert_int_equal(wait_closed(), 1005);
	peer_close(&peer);
}

static void a_close_of_the_server_comes_behind_what_is_queued(void **state)
{
	struct peer peer;
	connect_socket(&peer, *state);
	struct websocket *socket = wait_opened();
	websocket_send_text(socket, TEXT("last words"));
	websocket_close(socket, WEBSOCKET_POLICY, "enough");
	assert_false(websocket_send_text(socket, TEXT("too late")));
	assert_text(&peer, "last words");
	assert_close(&peer, WEBSOCKET_POLICY);
	send_close(&peer, WEBSOCKET_POLICY);
	assert_true(peer_at_end(&peer));
	assert_int_equal(wait_closed(), WEBSOCKET_POLICY);

	assert_false(websocket_send_text(socket, TEXT("far too late")));
	websocket_close(socket, WEBSOCKET_NORMAL, NULL);
	websocket_unref(socket);
	peer_close(&peer);
}

static void a_client_that_vanishes_is_1006(void **state)
{
	struct peer peer;
	connect_socket(&peer, *state);
	peer_reset(&peer);
	assert_int_equal(wait_closed(), WEBSOCKET_ABNORMAL);
	connect_socket(&peer, *state);
	peer_close(&peer);
	assert_int_equal(wait_closed(), WEBSOCKET_ABNORMAL);
}

static void *stop(void *server)
{
	http_server_stop(server);
	return NULL;
}

static void a_server_that_stops_says_1001(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	pthread_t       stopper;
	connect_socket(&peer, fixture);
	assert_int_equal(pthread_create(&stopper, NULL, stop, fixture->server), 0);
	assert_close(&peer, WEBSOCKET_GOING_AWAY);
	send_close(&peer, WEBSOCKET_GOING_AWAY);
	assert_true(peer_at_end(&peer));
	peer_close(&peer);
	pthread_join(stopper, NULL);
	assert_int_equal(wait_closed(), WEBSOCKET_GOING_AWAY);
}

static void a_stop_does_not_wait_for_a_client_that_says_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	fixture->settings.stop_timeout_ms = 50;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	http_server_stop(fixture->server);
	assert_int_equal(wait_closed(), WEBSOCKET_GOING_AWAY);
	peer_close(&peer);
}

/* ---- Keep-alive ---- */

static void a_client_that_answers_pings_stays_connected(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	char            data[200];
	size_t          length;
	fixture->settings.websocket_ping_ms = 1500; /* so long it may take us to answer */
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(frame_read(&peer, data, sizeof data, &length), FIN | PING);
		frame_send(&peer, FIN | PONG, data, length);
	}
	say(&peer, "still here");
	while (frame_read(&peer, data, sizeof data, &length) == (FIN | PING))
		frame_send(&peer, FIN | PONG, data, length);
	assert_string_equal(data, "still here");
	peer_close(&peer);
}

static void a_client_that_answers_no_ping_is_cut_off(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	fixture->settings.websocket_ping_ms = 40;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	assert_int_equal(wait_closed(), WEBSOCKET_ABNORMAL);
	assert_frame(&peer, FIN | PING, "");
	peer_close(&peer);
}

/* ---- The queue ---- */

enum { SENDERS = 4, MESSAGES_EACH = 300 };

static void *send_many(void *socket)
{
	char text[64];
	for (int i = 0; i < MESSAGES_EACH; i++) {
		snprintf(text, sizeof text, "%lx %d", (unsigned long)pthread_self(), i);
		while (websocket_queued(socket) > 100)
			sleep_ms(1);
		assert_true(websocket_send_text(socket, text_of(text)));
	}
	return NULL;
}

static void each_threads_messages_arrive_in_its_order(void **state)
{
	struct peer   peer;
	pthread_t     senders[SENDERS];
	unsigned long ids[SENDERS]  = {0};
	int           next[SENDERS] = {0};
	connect_socket(&peer, *state);
	struct websocket *socket = wait_opened();
	for (int i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&senders[i], NULL, send_many, socket), 0);
	for (int i = 0; i < SENDERS * MESSAGES_EACH; i++) {
		char          data[200];
		size_t        length;
		unsigned long id;
		int           number, at = 0;
		assert_int_equal(frame_read(&peer, data, sizeof data, &length), FIN | TEXT_FRAME);
		assert_int_equal(sscanf(data, "%lx %d", &id, &number), 2);
		while (ids[at] != 0 && ids[at] != id)
			at++;
		ids[at] = id;
		assert_int_equal(number, next[at]++);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i], NULL);
	websocket_unref(socket);
	peer_close(&peer);
}

static void send_states(struct websocket *socket, void *user)
{
	(void)user;
	assert_true(websocket_send_state(socket, 1, TEXT("one, old")));
	assert_true(websocket_send_text(socket, TEXT("first")));
	assert_true(websocket_send_state(socket, 2, TEXT("two")));
	assert_true(websocket_send_state(socket, 1, TEXT("one, new")));
	assert_true(websocket_send_text(socket, TEXT("second")));
	assert_int_equal(websocket_queued(socket), 4);
	assert_true(websocket_send_state(socket, 2, TEXT("two, new")));
	assert_true(websocket_send_state(socket, 3, TEXT("three")));
	assert_true(websocket_send_state(socket, 3, TEXT("three, new")));
}

static void a_newer_state_takes_the_place_of_the_queued_one(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	options.on_open = send_states;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	assert_text(&peer, "one, new");
	assert_text(&peer, "first");
	assert_text(&peer, "two, new");
	assert_text(&peer, "second");
	assert_text(&peer, "three, new");
	assert_int_equal(http_server_counts(fixture->server).websocket_dropped, 3);
	peer_close(&peer);
}

static void send_growing_states(struct websocket *socket, void *user)
{
	static char large[2000];
	(void)user;
	memset(large, 'x', sizeof large - 1);
	assert_true(websocket_send_state(socket, 1, TEXT("one")));
	assert_true(websocket_send_state(socket, 2, TEXT("two")));
	assert_true(websocket_send_text(socket, TEXT("text")));
	large[1018] = '\0'; /* 2 more bytes than the limit leaves beside "two" and "text" */
	assert_true(websocket_send_state(socket, 1, text_of(large)));
	assert_int_equal(websocket_queued(socket), 2);
}

static void a_state_that_grew_too_large_for_its_place_makes_room_as_a_new_one(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	char            data[2000];
	size_t          length;
	options.on_open                             = send_growing_states;
	options.overflow                            = WEBSOCKET_OVERFLOW_DROP;
	fixture->settings.websocket_queue_bytes_max = 1024;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	assert_text(&peer, "text");
	assert_int_equal(frame_read(&peer, data, sizeof data, &length), FIN | TEXT_FRAME);
	assert_int_equal(length, 1018);
	peer_close(&peer);
}

static void overfill_with_states(struct websocket *socket, void *user)
{
	char text[16];
	(void)user;
	assert_true(websocket_send_text(socket, TEXT("text")));
	for (int i = 1; i <= 6; i++) {
		snprintf(text, sizeof text, "state %d", i);
		assert_true(websocket_send_state(socket, (uint64_t)i, text_of(text)));
	}
}

static void the_oldest_states_are_dropped_when_the_queue_is_full(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	options.on_open                       = overfill_with_states;
	options.overflow                      = WEBSOCKET_OVERFLOW_DROP;
	fixture->settings.websocket_queue_max = 3;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	assert_text(&peer, "text");
	assert_text(&peer, "state 5");
	assert_text(&peer, "state 6");
	peer_close(&peer);
}

static void overfill_with_texts(struct websocket *socket, void *user)
{
	(void)user;
	for (int i = 1; i <= 3; i++)
		assert_true(websocket_send_text(socket, TEXT("text")));
	assert_false(websocket_send_text(socket, TEXT("one too many")));
	assert_false(websocket_send_text(socket, TEXT("and another")));
}

static void a_full_queue_without_states_closes_the_socket(void **state)
{
	struct fixture *fixture               = *state;
	fixture->settings.websocket_queue_max = 3;
	options.on_open                       = overfill_with_texts;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	for (int i = 0; i < 2; i++) {
		struct peer peer;
		options.overflow = i ? WEBSOCKET_OVERFLOW_DROP : WEBSOCKET_OVERFLOW_CLOSE;
		connect_socket(&peer, fixture);
		assert_close(&peer, WEBSOCKET_TRY_LATER);
		send_close(&peer, WEBSOCKET_TRY_LATER);
		assert_true(peer_at_end(&peer));
		assert_int_equal(wait_closed(), WEBSOCKET_TRY_LATER);
		peer_close(&peer);
	}
}

static void a_reader_that_is_too_slow_gets_what_was_sent_and_then_1013(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	static char     data[60001];
	size_t          length;
	unsigned        sent = 0, received = 0;
	FIXTURE_START(fixture, {"GET", "/ws", accept_any, NULL});
	connect_socket(&peer, fixture);
	struct websocket *socket = wait_opened();
	memset(data, 'x', 60000);
	while (websocket_send_text(socket, text_of(data)))
		sent++;
	while (frame_read(&peer, data, sizeof data, &length) == (FIN | TEXT_FRAME)) {
		assert_int_equal(length, 60000);
		received++;
	}
	assert_true(received < sent);
	assert_memory_equal(data, "\x03\xf5", 2);
	peer_close(&peer);
	assert_int_equal(wait_closed(), WEBSOCKET_TRY_LATER);
	websocket_unref(socket);
}

static void large_messages_arrive_whole_at_a_slow_reader(void **state)
{
	enum { COUNT = 15, LENGTH = 60000 };
	struct peer peer;
	static char data[LENGTH + 1], expected[LENGTH + 1];
	connect_socket(&peer, *state);
	struct websocket *socket = wait_opened();
	for (int i = 0; i < COUNT; i++) {
		memset(expected, 'a' + i, LENGTH);
		assert_true(websocket_send_text(socket, text_of(expected)));
	}
	sleep_ms(20);
	for (int i = 0; i < COUNT; i++) {
		size_t length;
		memset(expected, 'a' + i, LENGTH);
		assert_int_equal(frame_read(&peer, data, sizeof data, &length), FIN | TEXT_FRAME);
		assert_string_equal(data, expected);
	}
	websocket_unref(socket);
	peer_close(&peer);
}

#define TEST(name)           cmocka_unit_test_setup_teardown(name, start, done)
#define TEST_UNSTARTED(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_handshake_is_that_of_the_standard),
		TEST(the_handler_chooses_a_subprotocol),
		TEST(what_is_no_handshake_is_refused),
		TEST(a_handler_refuses_as_it_likes),
		TEST_UNSTARTED(a_suspended_request_may_become_a_socket),
		TEST_UNSTARTED(a_client_that_left_before_the_handshake_is_reported),
		TEST(messages_come_back_whole_or_in_fragments),
		TEST(frames_right_behind_the_handshake_are_not_lost),
		TEST(the_largest_message_passes_and_one_byte_more_is_1009),
		TEST(text_that_is_no_utf_8_is_1007),
		TEST(broken_frames_are_1002),
		TEST(a_close_of_the_client_is_echoed),
		TEST(a_close_of_the_server_comes_behind_what_is_queued),
		TEST(a_client_that_vanishes_is_1006),
		TEST(a_server_that_stops_says_1001),
		TEST_UNSTARTED(a_stop_does_not_wait_for_a_client_that_says_nothing),
		TEST_UNSTARTED(a_client_that_answers_pings_stays_connected),
		TEST_UNSTARTED(a_client_that_answers_no_ping_is_cut_off),
		TEST(each_threads_messages_arrive_in_its_order),
		TEST_UNSTARTED(a_newer_state_takes_the_place_of_the_queued_one),
		TEST_UNSTARTED(a_state_that_grew_too_large_for_its_place_makes_room_as_a_new_one),
		TEST_UNSTARTED(the_oldest_states_are_dropped_when_the_queue_is_full),
		TEST_UNSTARTED(a_full_queue_without_states_closes_the_socket),
		TEST_UNSTARTED(a_reader_that_is_too_slow_gets_what_was_sent_and_then_1013),
		TEST(large_messages_arrive_whole_at_a_slow_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
