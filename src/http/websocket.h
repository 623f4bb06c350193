#ifndef SONNIM_HTTP_WEBSOCKET_H
#define SONNIM_HTTP_WEBSOCKET_H

/* WebSockets (RFC 6455) on the server's own loops.
 *
 *   GET handler ──► websocket_accept() ──► 101 ──► on_open … on_message … on_close
 *
 * The socket stays on the loop thread of its request, and all callbacks run there; they must not
 * block. Sending and closing work from any thread. A handler refuses by answering the request as
 * usual instead of accepting it.
 *
 * Slow readers: each socket has a queue with a limit (websocket_queue_max messages and
 * websocket_queue_bytes_max bytes of http_settings). A *state* message has a key and replaces the
 * queued one of the same key, in its place; what does not fit then either drops the oldest state
 * message or closes the socket (1013), as `overflow` says.
 *
 * Keep-alive: a ping every websocket_ping_ms of http_settings; nothing heard for twice as long:
 * closed (1006 here).
 * Limits: incoming messages up to WEBSOCKET_MESSAGE_BYTES_MAX (else 1009); text must be UTF-8 (else
 * 1007). Extensions are not offered (no compression). */

#include <stdbool.h>
#include <stdint.h>

#include "http/server.h"

enum {
	WEBSOCKET_MESSAGE_BYTES_MAX = 64 * 1024,
	WEBSOCKET_CLOSE_MS          = 5 * 1000, /* how long we wait for the peer to close */
};

enum websocket_code {
	WEBSOCKET_NORMAL      = 1000,
	WEBSOCKET_GOING_AWAY  = 1001,
	WEBSOCKET_PROTOCOL    = 1002,
	WEBSOCKET_UNSUPPORTED = 1003,
	WEBSOCKET_ABNORMAL    = 1006, /* reported only: there was no close frame */
	WEBSOCKET_BAD_DATA    = 1007,
	WEBSOCKET_POLICY      = 1008,
	WEBSOCKET_TOO_BIG     = 1009,
	WEBSOCKET_TRY_LATER   = 1013,
};

/* Reference-counted: the loop holds one reference from websocket_accept() until after on_close.
 * Whoever keeps a handle beyond its callbacks takes one; sending to a closed socket does
 * nothing. */
struct websocket;

enum websocket_overflow {
	WEBSOCKET_OVERFLOW_CLOSE, /* 1013 */
	WEBSOCKET_OVERFLOW_DROP,  /* the oldest state message goes; with none queued: 1013 */
};

struct websocket_options {
	const char *subprotocol; /* one that the client offered (websocket_offers); NULL: none */
	enum websocket_overflow overflow;

	void (*on_open)(struct websocket *socket, void *user); /* may be NULL */
	void (*on_message)(struct websocket *socket, struct text message, bool binary, void *user);
	/* Once, last of all callbacks, whoever closed; also when on_open was never called because the
	 * client was gone. `code` is that of the first close frame, 1005 when it had none.
	 * `user` is not used afterwards. Never NULL. */
	void (*on_close)(struct websocket *socket, unsigned code, void *user);
	void *user;
};

/* Whether the request asks for an upgrade at all (else answer 426 or 400 yourself, or let
 * websocket_accept() do it). */
bool websocket_requested(const struct http_request *request);

/* The n-th subprotocol that the client offers, in its order; false behind the last. */
bool websocket_offer_at(const struct http_request *request, unsigned index, struct text *ret_name);

/* Answers the request with the handshake; counts as its http_respond(), with the same rules (in
 * the handler, or after http_suspend() from any thread). A request that is no valid handshake is
 * answered 400 (426 for a wrong version) instead: false, and no callback will come. Otherwise
 * on_open (where a handle to keep is taken) and on_close follow, or on_close alone.
 * `options` is copied. */
bool websocket_accept(struct http_request *request, const struct websocket_options *options);

struct websocket *websocket_ref(struct websocket *socket);
void              websocket_unref(struct websocket *socket); /* NULL is fine */

/* Queues a text message (copied; valid UTF-8 is the caller's promise). Any thread, also before
 * on_open. False: the socket is closing or closed, or this message closed it by overflow. */
bool websocket_send_text(struct websocket *socket, struct text text);

/* The same for the newest state of something: replaces what is still queued under `key`. */
bool websocket_send_state(struct websocket *socket, uint64_t key, struct text text);

/* Starts the close handshake behind what is queued. Any thread; later calls do nothing. */
void websocket_close(struct websocket *socket, enum websocket_code code, const char *reason);

/* Messages that wait now: for those who would rather not produce more. Any thread. */
unsigned websocket_queued(const struct websocket *socket);

unsigned    websocket_loop_index(const struct websocket *socket);
const char *websocket_trace_id(const struct websocket *socket); /* of the request */

#endif
