#ifndef SONNIM_HTTP_SERVER_INTERNAL_H
#define SONNIM_HTTP_SERVER_INTERNAL_H

/* What the server's files share:
 *
 *   server.c   start, stop, the loops' life          request.c  from bytes to a handler
 *   loop.c     epoll, posted work, deadlines         body.c     its body; upload.c to a file
 *   listen.c   addresses and sockets                 answer.c   from an answer to bytes
 *   websocket.c, and websocket_internal.h
 *
 * Everything here belongs to one loop thread unless it says otherwise. */

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/neighbours.h"
#include "http/proxy.h"
#include "http/router.h"
#include "http/server.h"
#include "http/tls_internal.h"
#include "http/trace.h"

struct http_loop;
struct websocket;
struct http_upload;

enum {
	/* libmicrohttpd has one piece of memory for a connection: the headers as they come, a list of
	 * them, a copy of the cookies, and the headers of the answer. It zeroes all of it after each
	 * request, so it is not larger than needed. */
	HTTP_POOL_BYTES_MORE     = 4096, /* than twice header_bytes_max */
	HTTP_POOL_ENTRY_BYTES    = 64,   /* of the list */
	HTTP_ANSWER_HEADER_BYTES = 2048, /* always left for the answer */
	/* A body that nobody will read (too large, unknown path) is read and dropped up to so much,
	 * because a client that is still sending would lose the answer with its connection. */
	HTTP_DRAIN_BYTES_MAX = 16 << 20,
	/* Bodies up to this size are allocated when they begin, larger ones as they come in. */
	HTTP_BODY_EAGER_BYTES = 256 << 10,
	/* Bodies beyond this size count against bodies_bytes_max. */
	HTTP_BODY_COUNTED_BYTES = 64 << 10,
	/* What of an upload is in memory. */
	HTTP_UPLOAD_BUFFER_BYTES = 1 << 20,
	HTTP_HEADER_COUNT_MAX    = 100,
	HTTP_QUERY_COUNT_MAX     = 100,
	HTTP_IDLE_REQUESTS_MAX   = 2048, /* kept by a loop for reuse, 5 KiB each */
	HTTP_EVENTS_MAX          = 256,
	/* See http_suspend(): after so many vain questions a suspended request is parked. */
	HTTP_POLLS_MAX = 32,
	HTTP_TICK_MS   = 1000, /* how often WebSockets are looked at */
};

/* ---- Work posted to a loop, from any thread ---- */

struct http_post {
	struct http_post *next;
	void (*run)(struct http_loop *loop, struct http_post *post);
};

/* A node may be posted again once its `run` was called. Wakes the loop if it sleeps. */
void http_loop_post(struct http_loop *loop, struct http_post *post);

/* ---- Descriptors in a loop's own epoll ---- */

struct http_watch {
	void (*ready)(struct http_watch *watch, uint32_t events);
};

void http_loop_watch(struct http_loop *loop, int fd, uint32_t events, struct http_watch *watch);
void http_loop_rewatch(struct http_loop *loop, int fd, uint32_t events, struct http_watch *watch);
void http_loop_unwatch(struct http_loop *loop, int fd);

/* ---- Connections and their deadlines ---- */

enum http_phase {
	HTTP_PHASE_WAITING,   /* for the next request's headers */
	HTTP_PHASE_RECEIVING, /* a request's body */
	HTTP_PHASE_ANSWERING, /* no deadline here */
	HTTP_PHASE_SENDING,   /* the answer, or a block of it */
	HTTP_PHASE_UPGRADED,  /* nor here: websocket.c has its own */
	HTTP_PHASE_COUNT
};

/* A deadline is not kept in order, which would touch other connections' memory with each request:
 * every connection is looked at once in a while instead, and may overstay by that while. */
struct http_connection {
	struct http_connection *older; /* in the order of look_ms */
	struct http_connection *newer;
	int64_t                 look_ms;
	int64_t                 since_ms; /* in this phase */
	int64_t                 slack_ms; /* more of it, for what there is to send */
	enum http_phase         phase;
	int                     fd;
	bool                    shaking_hands; /* TLS has not begun yet */
	bool                    counted;       /* among its address's */
	bool                    trusted;       /* a proxy that may say whom it speaks for */
	struct in6_addr         address;       /* of IPv4: mapped */
	struct tls_credentials *credentials;   /* NULL: plain */
	char                    peer[INET6_ADDRSTRLEN];
};

/* ---- Loops ---- */

struct http_loop {
	struct http_server *server;
	unsigned            index;
	pthread_t           thread;
	bool                started;
	struct MHD_Daemon  *daemon;
	int                 epoll_fd;
	int                 wake_fd;
	int                 listen_fd; /* libmicrohttpd's once there is a daemon; -1 when stopping */
	int64_t             now_ms;    /* monotonic, of this turn */

	_Atomic(struct http_post *) posted; /* newest first */
	atomic_bool                 asleep;

	atomic_uint_fast64_t refused;

	struct http_connection *oldest; /* of all connections, by look_ms */
	struct http_connection *newest;
	int64_t                 look_step_ms;
	int64_t                 patience_ms[HTTP_PHASE_COUNT];

	unsigned pending;    /* suspended requests that are not parked */
	unsigned handshakes; /* connections whose handshake is not over */
	bool     progress;   /* libmicrohttpd may have more to do without any new event */
	bool     again;      /* a connection was closed: it may accept another, in its next turn */

	struct http_request *idle; /* for reuse, singly linked by `next` */
	unsigned             idle_count;
	struct websocket    *sockets; /* doubly linked */
	int64_t              tick_ms;
	int64_t              tick_due_ms;
	struct trace_source  traces;

	bool    stopping;
	bool    closed; /* nothing comes in or goes out any more; suspended requests may be left */
	int64_t stop_due_ms;
	struct http_post stop;

	/* Written by the loop, read by anybody. */
	atomic_uint_fast64_t connections;
	atomic_uint_fast64_t sockets_count;
	atomic_uint_fast64_t requests;
	atomic_uint_fast64_t timeouts;
	atomic_uint_fast64_t bodies_bytes;
	atomic_uint_fast64_t uploads;
	atomic_uint_fast64_t socket_dropped; /* any thread */
	atomic_uint_fast64_t suspended;
};

static inline void http_enter(struct http_loop *loop, struct http_connection *connection,
                              enum http_phase phase)
{
	connection->phase    = phase;
	connection->since_ms = loop->now_ms;
}

/* Single writer: no locked instruction needed. */
static inline void http_count(atomic_uint_fast64_t *counter, int64_t by)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, value + (uint64_t)by, memory_order_relaxed);
}

/* The thread that writes uploads. */
struct http_writer {
	pthread_t           thread;
	bool                started;
	pthread_mutex_t     lock;
	pthread_cond_t      wake;
	bool                stopping;
	struct http_upload *oldest;
	struct http_upload *newest;
};

enum status http_writer_start(struct http_writer *writer, struct error *err);
void        http_writer_stop(struct http_writer *writer); /* after the loops */

/* Those of the settings that may change while loops read them. */
struct http_limits {
	atomic_uint_fast64_t body_bytes_max;
	atomic_uint_fast64_t bodies_bytes_max;
	atomic_int_fast64_t  request_timeout_ms;
	atomic_int_fast64_t  stop_timeout_ms;
	atomic_int_fast64_t  stop_linger_ms;
	atomic_uint_fast64_t websocket_queue_max;
	atomic_uint_fast64_t websocket_queue_bytes_max;
};

struct http_server {
	struct http_settings      settings; /* as it was started */
	struct http_limits        limits;
	const struct http_router *router;
	struct http_header       *headers;
	size_t                    header_count;
	http_error_body_fn       *error_body;
	http_before_answer_fn    *before_answer;
	void                     *user;
	struct http_tls          *tls; /* NULL: plain */
	unsigned                  first_loop;
	struct proxy_networks     trusted;
	struct neighbours        *neighbours;
	bool                      reads_forwarded; /* else X-Forwarded-For and its kin */

	int      listen_fd;
	unsigned port;
	char     address[INET6_ADDRSTRLEN + 16];

	struct http_loop  *loops;
	unsigned           loop_count;
	struct http_writer writer;
	bool               stopped;
	int64_t            linger_ms; /* set before the loops are asked to stop */
	pthread_mutex_t    stop_lock;
	pthread_cond_t     stop_cond;
	unsigned           loops_open; /* under stop_lock */
};

/* Takes the socket, also when it fails. */
enum status http_loop_start(struct http_loop *loop, struct http_server *server, unsigned index,
                            int listen_fd, struct error *err);
void        http_loop_stop(struct http_loop *loop); /* asks; `loops_open` tells when it is closed */
void        http_loop_join(struct http_loop *loop); /* waits for suspended requests */
void        http_loop_free(struct http_loop *loop);

/* The loop whose thread this is; NULL elsewhere. */
extern _Thread_local struct http_loop *http_loop_current;

/* listen.c: binds `address` ("127.0.0.1:8080"); fills in what was bound. */
enum status http_listen(struct http_server *server, const char *address, struct error *err);
int         http_listen_again(const struct http_server *server); /* one more; -1 and errno */
void        http_describe_bound(struct http_server *server);     /* listen_fd's address */

/* ---- Requests ---- */

struct http_added_header {
	struct http_added_header *next;
	const char               *name;
	const char               *value;
};

/* What the server itself has to say about a request instead of a handler. */
struct http_refusal {
	unsigned     http_status;
	struct error error;
};

struct http_request {
	struct http_post        post; /* of a step or the answer */
	http_step_fn           *step; /* on the loop; NULL: none was asked for */
	void                   *step_context;
	struct http_loop       *loop;
	struct MHD_Connection  *mhd; /* NULL: the connection is gone, the answer still to come */
	struct http_connection *connection;
	struct http_request    *next; /* in loop->idle */
	struct arena            arena;

	/* What came in; nothing points into libmicrohttpd's memory, which goes with the connection. */
	char                 client[INET6_ADDRSTRLEN]; /* the peer, or who stands behind proxies */
	struct text          host;                     /* as a proxy says; empty: none does */
	bool                 secure;                   /* the client speaks TLS */
	struct text          method;
	struct text          path;
	struct http_header  *headers;
	size_t               header_count;
	struct http_header  *query;
	size_t               query_count;
	struct http_matched  matched;
	struct trace         trace;
	int64_t              received_ns;
	bool                 http_1_1;
	bool                 gzip;
	bool                 chunked;
	bool                 expects_continue;
	bool                 endless; /* nothing that we understand says where the body ends */
	struct http_refusal *refusal; /* NULL: none */

	/* The body: in the arena, or of its own when large. */
	char    *body;
	size_t   body_length;
	size_t   body_capacity;  /* without the padding */
	bool     body_owned;     /* free() it */
	uint64_t body_counted;   /* bytes in loop->bodies_bytes */
	uint64_t body_announced; /* Content-Length */
	uint64_t body_max;       /* the limit when it began */
	uint64_t body_dropped;
	bool     body_begun; /* of an upload: an answer has to wait for its end */
	bool     body_ended;

	struct http_upload *upload; /* NULL: the body stays in memory */

	/* Where it is. `suspended` is written before the request leaves the loop's thread, all else
	 * of the answer by whoever answers. */
	bool     suspended;
	bool     queued;   /* libmicrohttpd has the answer */
	bool     upgraded; /* a WebSocket from now on */
	bool     parked;   /* suspended in libmicrohttpd's sense too */
	unsigned polls;

	struct http_watch watch;
	bool              watched;
	http_cancel_fn   *gone;
	void             *gone_user;

	void            *owner;
	http_release_fn *release; /* NULL: no owner, or the WebSocket has it now */

	/* The answer. */
	_Atomic bool               answered; /* by whichever thread */
	unsigned                   http_status;
	const char                *content_type;
	struct buffer              answer;
	struct text                answer_static;
	bool                       answer_is_file;
	int                        answer_fd;
	uint64_t                   answer_file_bytes;
	struct http_added_header  *added;
	struct http_added_header **added_end;
	struct http_stream        *stream; /* of the answer, until libmicrohttpd has it */
	struct websocket          *socket; /* it becomes one */
};

/* libmicrohttpd's callbacks. */
enum MHD_Result http_request_receive(void *cls, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *upload,
                                     size_t *upload_size, void **con_cls);
void            http_request_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                                       enum MHD_RequestTerminationCode code);

void http_request_free(struct http_request *request);
void http_request_unwatch(struct http_request *request);
/* The answer will be this error; the first one counts. */
void http_request_refuse(struct http_request *request, unsigned http_status, enum status status,
                         const char *reason);

/* body.c. Room for what Content-Length announces, as far as that may be trusted. */
void http_body_prepare(struct http_request *request);
bool http_body_take(struct http_request *request, const char *data,
                    size_t length);                    /* false: close */
void http_body_complete(struct http_request *request); /* decompresses, pads */
void http_body_refuse(struct http_request *request);   /* too large */
void http_body_done(struct http_request *request);

/* upload.c. Begins: `route->upload`. Takes what came (nothing: that is all), as much as it can of
 * it, and says how much is left; false: close. An answer is there: goes on to the body's end. The
 * client is gone. */
void http_upload_begin(struct http_request *request);
void http_upload_ask(struct http_request *request);
bool http_upload_take(struct http_request *request, const char *data, size_t *length);
void http_upload_answered(struct http_request *request);
void http_upload_gone(struct http_request *request);

/* Whether an answer has to wait until the rest of the body was read. */
static inline bool http_upload_holds(const struct http_request *request)
{
	return request->upload != NULL && request->body_begun && !request->body_ended;
}

/* loop.c. So many bytes are to be taken by the client from now on. */
void http_loop_sending(struct http_loop *loop, struct http_connection *connection, uint64_t bytes);

/* forwarded.c. Takes from the headers for whom a trusted proxy speaks. */
void http_forwarded_read(struct http_request *request);

/* Ends the request's part in the conversation: hands the answer to libmicrohttpd. */
void http_answer_send(struct http_request *request);
/* What http_respond() does once the answer's fields are filled in. */
void http_answer_ready(struct http_request *request, unsigned http_status);
/* Past libmicrohttpd, which then must close the connection. */
void http_answer_raw(struct http_loop *loop, struct MHD_Connection *mhd, unsigned http_status);

/* Writes the answer of a request whose body will not be read to its end; the caller closes the
 * connection. */
void http_answer_early(struct http_request *request);
/* The answer is a refusal: in the handler's place. */
void http_answer_refuse(struct http_request *request);

/* stream.c. Takes request->stream over; nobody will send it. */
struct MHD_Response *http_stream_response(struct http_request *request);
void                 http_stream_drop(struct http_request *request);

/* ---- WebSockets ---- */

struct MHD_Response *websocket_response(struct websocket *socket);
void websocket_never_opened(struct websocket *socket); /* the client was gone before */
void websockets_tick(struct http_loop *loop);
void websockets_go_away(struct http_loop *loop); /* 1001 to all */
void websockets_abort(struct http_loop *loop);

#endif
