#ifndef SONNIM_HTTP_SERVER_H
#define SONNIM_HTTP_SERVER_H

/* An HTTP/1.1 server that knows nothing of what it serves.
 *
 *   loop thread 0   own epoll ──┬── libmicrohttpd's epoll (listening socket, connections)
 *                               ├── eventfd: answers from other threads
 *                               └── upgraded sockets (websocket.h), watched clients
 *   loop thread 1   the same, with its own everything
 *
 * A connection belongs to one loop thread from accept to close. Handlers run on it and must not
 * block: what takes long is suspended and answered from elsewhere:
 *
 *   handler ──► http_suspend() ──► … any thread …  http_respond() ──► the loop sends
 *
 * Ownership: a request lives until it was answered (http_respond); after that call it may be gone.
 * What a request hands out (texts, body) and what its arena holds lives as long as it. A request
 * is used by one thread at a time: the handler's, then whoever it was passed to.
 *
 * Keep-alive, pipelining, HEAD, chunked bodies, `Expect: 100-continue` and gzip bodies work without
 * the handler's help. Nothing is redirected, ever. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/text.h"

struct http_server;
struct http_request;
struct http_router;
struct http_tls;

/* ---- Settings ---- */

struct http_settings {
	char    *listen;               /* "127.0.0.1:8080", "[::1]:8080", ":8080"; port 0: any */
	int64_t  threads;              /* loop threads */
	uint64_t body_bytes_max;       /* of one request, compressed or not → 413 */
	uint64_t bodies_bytes_max;     /* of all requests together → 503 */
	uint64_t header_bytes_max;     /* request line and headers → 431 (414 for the line alone) */
	int64_t  connection_count_max; /* of all threads; more wait in the kernel's queue */
	int64_t  address_connections_max; /* of one address that is not this machine's, and no trusted
	                                   * proxy; more are closed at once. 0: any number */
	int64_t  idle_timeout_ms;         /* a connection on which nothing moves is closed */
	int64_t  request_timeout_ms;      /* from a request's first header to its last byte */
	uint64_t send_rate_min;       /* bytes a second that a client has to take of an answer, behind
	                                * the request timeout; 0: as slowly as it likes */
	int64_t  stop_timeout_ms;     /* how long http_server_stop() waits for what is in flight */
	int64_t  stop_linger_ms;      /* http_server_retire(): how long after its last answer a
	                                * connection may begin another request */
	int64_t  websocket_queue_max; /* messages that wait for one slow reader */
	uint64_t websocket_queue_bytes_max; /* their bytes */
	int64_t  websocket_ping_ms;         /* no sign of life for twice this time: closed */
	int64_t  websocket_rate_max; /* frames a second from one client, ten times as many at once;
	                                     * 0: any number. Then 1008 */
	char    *trusted_proxies;    /* networks (http/proxy.h); NULL: none */
	char    *proxy_header;       /* "x-forwarded-for" or "forwarded" */
	char    *tls_certificate;    /* files (http/tls.h); NULL: plain HTTP */
	char    *tls_key;
	char    *tls_min_version; /* "1.3" or "1.2" */
	bool     insecure_listen; /* plain HTTP on other addresses than this machine's own */
	char    *service_listen;  /* where services that show certificates come in; NULL: nowhere */
	char    *tls_client_ca;
	char    *tls_client_crl;
	char    *tls_client_names;
};

/* Whether it has the form of `listen`; it may be unknown or taken all the same. */
bool http_address_is_valid(const char *address);

/* The table over such a struct, for settings_load() and settings_parse_flags(). */
struct settings http_settings_of(struct http_settings *target);

/* ---- Server ---- */

struct http_header {
	struct text name;
	struct text value;
};

/* Writes the body of an answer that the server makes by itself (400, 404, 405, 413, 431, …) as
 * JSON. `err` holds a status and a reason; `trace_id` is never NULL. Any loop thread. */
typedef void http_error_body_fn(void *user, unsigned http_status, const struct error *err,
                                const char *trace_id, struct buffer *out);

/* Called on the loop thread just before an answer goes out, once for each request that a handler
 * or the router answered: add headers here (http_add_header), or count and log it. */
typedef void http_before_answer_fn(void *user, struct http_request *request, unsigned http_status);

/* Called once, before the first request is served: from then on the server may be asked about
 * itself. */
typedef void http_made_fn(void *context, struct http_server *server);

struct http_server_config {
	const struct http_settings *settings; /* copied */
	const struct http_router   *router;   /* outlives the server */
	const struct http_header   *headers;  /* in every answer, errors of the server too; copied */
	size_t                      header_count;
	http_error_body_fn         *error_body;    /* NULL: the form of contracts.md, "Errors" */
	http_before_answer_fn      *before_answer; /* may be NULL */
	void                       *user;          /* of both */
	http_made_fn               *made;          /* may be NULL */
	void                       *made_context;

	struct http_tls *tls;        /* outlives the server; NULL: plain HTTP */
	unsigned         first_loop; /* what http_loop_index() begins with */

	/* Sockets that listen already (http_server_sockets() of another process, or a supervisor's),
	 * at most HTTP_SOCKETS_MAX. They belong to the server from here on, also when it does not
	 * start; settings->listen is not looked at. Each has a loop: there are as many at least. */
	const int *sockets;
	size_t     socket_count; /* 0: bind settings->listen */
};

enum { HTTP_SOCKETS_MAX = 256 };

/* Binds and starts the threads; requests are served from here on. STATUS_IO with the address
 * when it cannot be bound, STATUS_INVALID when it cannot be read. */
MUST_USE enum status http_server_start(const struct http_server_config *config,
                                       struct http_server **ret_server, struct error *err);

/* The bound port (for port 0), and the address as "127.0.0.1:8080"; lives with the server. */
unsigned    http_server_port(const struct http_server *server);
const char *http_server_address(const struct http_server *server);

/* Takes over what is `live` in the table of settings: limits of bodies, times and queues. For
 * requests and connections that come next; any thread, one at a time. */
void http_server_set_limits(struct http_server *server, const struct http_settings *settings);

/* Stops accepting, answers what is in flight (at most stop_timeout_ms), closes WebSockets with
 * 1001, then all connections. Suspended requests that are not answered in time lose their
 * connection, but live on until they are answered. Not from a loop thread. */
void http_server_stop(struct http_server *server);

/* The same when another process goes on with the sockets: a client that has just been answered and
 * sends on is served once more, with `Connection: close`, and connects anew. A connection is closed
 * when its last answer lies stop_linger_ms back. */
void http_server_retire(struct http_server *server);

/* Copies of the listening sockets, for another process: connections that nobody has accepted wait
 * in them, as long as any process holds them. The caller closes them. Before the server stops.
 * Their number, HTTP_SOCKETS_MAX at most; 0 when there are no descriptors left. */
size_t http_server_sockets(const struct http_server *server, int ret_sockets[HTTP_SOCKETS_MAX]);

/* Whether a passed socket listens at `address` ("127.0.0.1:8080"; port 0 is any port). */
bool http_socket_is_at(int socket, const char *address);

/* Whether only this machine itself can connect to it. What cannot be resolved is not local. */
bool http_address_is_local(const char *address);
bool http_socket_is_local(int socket);

/* Whether it is a TCP socket that listens. */
bool http_socket_listens(int socket);

/* How many loops such a server has: as many as settings and sockets ask for. */
unsigned http_loop_count(const struct http_settings *settings, size_t socket_count);

/* Stops if need be, waits until every suspended request was answered, ends the threads, frees.
 * NULL is fine. */
void http_server_free(struct http_server *server);

/* What runs now, for metrics; any thread, each number by itself. */
struct http_server_counts {
	uint64_t connections; /* open, WebSockets included */
	uint64_t connections_max;
	uint64_t websockets;
	uint64_t requests;     /* answered since the start */
	uint64_t suspended;    /* waiting for an answer */
	uint64_t bodies_bytes; /* held in request bodies */
	uint64_t bodies_bytes_max;
	uint64_t refused;           /* connections of addresses that had enough */
	uint64_t timeouts;          /* connections closed by the idle or the request timeout */
	uint64_t uploads;           /* bodies that are on their way to a file */
	uint64_t websocket_dropped; /* messages replaced or dropped for slow readers */
};
struct http_server_counts http_server_counts(const struct http_server *server);

/* NULL: plain HTTP. */
const struct http_tls *http_server_tls(const struct http_server *server);

/* ---- Request: what came in ---- */

typedef void http_handler_fn(struct http_request *request, void *user);

struct text http_method(const struct http_request *request); /* "POST" */
struct text http_path(const struct http_request *request);   /* as sent, without the query */

/* The parameter of the route's pattern, percent-decoded, valid UTF-8; asserts that it exists. */
struct text http_param(const struct http_request *request, const char *name);

/* The first such parameter of the query, percent-decoded ('+' is a space), valid UTF-8. */
bool http_query(const struct http_request *request, const char *name, struct text *ret_value);

/* All of them in the order sent. */
size_t http_query_count(const struct http_request *request);
void   http_query_at(const struct http_request *request, size_t index, struct text *ret_name,
                     struct text *ret_value);

/* The first such header; the name in any case. */
bool http_header(const struct http_request *request, const char *name, struct text *ret_value);

/* Decompressed, in one piece, with JSON_PADDING_BYTES (base/json.h) readable behind it: pass it to
 * json_parse() as it is. Never a NULL pointer. The caller may write into it. */
struct text http_body(const struct http_request *request);

/* Of a route with `upload`: takes the body to the end of `fd` as it comes, in bounded memory,
 * however large it is up to `bytes_max`. Once, after http_suspend(), from any thread; a body of
 * which nobody wants anything is dropped when the request is answered.
 * `received` is called on the loop's thread, once: STATUS_OK when all is written (not synced), or
 * TOO_LARGE, NO_SPACE, IO, or UNAVAILABLE when the client ended before. `fd` is the caller's again,
 * and the request is still to be answered. */
typedef void http_received_fn(struct http_request *request, void *context, enum status status,
                              uint64_t bytes, const struct error *err);
void         http_receive(struct http_request *request, int fd, uint64_t bytes_max,
                          http_received_fn *received, void *context);

/* Whom it is from, "127.0.0.1": the socket's peer, or whom trusted proxies speak for
 * (http/proxy.h). What decides by address, or notes it, asks this. */
const char *http_client_address(const struct http_request *request);

/* Whether he speaks TLS, with this server or with a trusted proxy. */
bool http_is_secure(const struct http_request *request);

/* The host that he asked for, as he or a trusted proxy says: "cdp.example:8443"; empty: none. */
struct text http_host(const struct http_request *request);

/* 32 hexadecimal digits: of a valid `traceparent`, else new. The answer carries `traceparent`. */
const char *http_trace_id(const struct http_request *request);

struct arena *http_arena(struct http_request *request);

/* The loop thread that it runs on, from first_loop on: for state that each of them has. */
unsigned http_loop_index(const struct http_request *request);

/* clock_monotonic_ns() when its headers had arrived. */
int64_t http_received_ns(const struct http_request *request);

/* The pattern of the route that it matched ("/api/v1/segments/{id}"), "" for none: for metrics. */
const char *http_pattern(const struct http_request *request);

/* Whose request it is, for a server of several owners (http_owner(); NULL: nobody has said).
 * Handler, or behind http_go_on(), once. `release` is called once, when nothing of the request is
 * left: behind its end, or behind the on_close of the WebSocket that it became; on a loop's
 * thread. */
typedef void http_release_fn(void *owner);
void         http_set_owner(struct http_request *request, void *owner, http_release_fn *release);
void        *http_owner(const struct http_request *request);
/* Another `release` from here on, where it has an owner. Whoever holds the request. */
void http_set_release(struct http_request *request, http_release_fn *release);

/* ---- Request: the answer ---- */

/* Both texts are copied; CR, LF, TAB and NUL in them are replaced by spaces. In the handler, later
 * by whoever holds the request, and in before_answer. All headers of an answer together must stay
 * below 2 KiB: more has room only when the request's own headers were small. */
void http_add_header(struct http_request *request, const char *name, struct text value);

/* The same, in the place of one of that name that was added before. */
void http_set_header(struct http_request *request, const char *name, struct text value);

/* Whether such a header was added to the answer. */
bool http_header_added(const struct http_request *request, const char *name);

/* Takes the request out of the handler: it will be answered later, from any thread. Handler only.
 * After this call only the thread that it is passed to may use it. */
void http_suspend(struct http_request *request);

/* Goes on with a suspended request on its loop's own thread, from any thread: for what takes
 * microseconds until the answer, so that no other thread has to wake up for it. */
typedef void http_step_fn(struct http_request *request, void *context);
void         http_go_on(struct http_request *request, http_step_fn *step, void *context);

/* Answers, exactly once: in the handler at once, or after http_suspend() from any thread.
 * `body` is moved (the struct is empty afterwards); NULL or empty is no body. `content_type` NULL:
 * none; it is copied. The request may be gone when this returns.
 * Cost: no copy of the body; from another thread one atomic exchange, and a write(2) only when the
 * loop is asleep. */
void http_respond(struct http_request *request, unsigned http_status, const char *content_type,
                  struct buffer *body);

/* The same for a body that lives as long as the process: a literal. */
void http_respond_static(struct http_request *request, unsigned http_status,
                         const char *content_type, struct text body);

/* The same for a body that is a file: `length` bytes from the begin of `fd`, which is the server's
 * from here on and closed when they are sent. Neither copied nor held in memory. */
void http_respond_file(struct http_request *request, unsigned http_status, const char *content_type,
                       int fd, uint64_t length);

/* The same for a body that is made while it is sent, of a length that nobody knows yet: in chunks.
 * The caller, on a thread that may wait, writes piece by piece and ends it, also when nobody takes
 * it any more. What is written waits, one piece, until the client has taken it.
 *   write  false: the client is gone, or the server stops. `bytes` is empty afterwards.
 *   end    `whole` false: the client is not told an end, so that it does not take the part for all.
 * A client that takes nothing loses its connection after the idle timeout. */
struct http_stream;
struct http_stream *http_respond_stream(struct http_request *request, unsigned http_status,
                                        const char *content_type);
bool                http_stream_write(struct http_stream *stream, struct buffer *bytes);
void                http_stream_end(struct http_stream *stream, bool whole);

/* The same with a body from the server's error_body. */
void http_respond_error(struct http_request *request, unsigned http_status,
                        const struct error *err);

/* Calls `gone` on the loop thread, at most once, when the client closes its connection (or its
 * sending half) before the answer; the request must be answered all the same. Handler only, after
 * http_suspend() and before the request is passed on; costs two system calls.
 * `gone` may run while another thread works on the request, and shortly after http_respond(): it
 * may only set a flag, and `user` must live as long as the request: take it from http_arena(). */
typedef void http_cancel_fn(void *user);
void         http_on_cancel(struct http_request *request, http_cancel_fn *gone, void *user);

#endif
