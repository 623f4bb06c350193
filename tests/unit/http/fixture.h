#ifndef SONNIM_TESTS_HTTP_FIXTURE_H
#define SONNIM_TESTS_HTTP_FIXTURE_H

/* A server on a free port, and a client that says exactly what a test wants it to. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/router.h"
#include "http/server.h"

struct fixture {
	struct http_settings      settings; /* defaults; change them before fixture_start() */
	struct http_server_config config;
	struct http_router       *router;
	struct http_server       *server;
};

void fixture_init(struct fixture *fixture);
void fixture_start(struct fixture *fixture, const struct http_route *routes, size_t count);
void fixture_done(struct fixture *fixture);

#define FIXTURE_START(fixture, ...)                                                                \
	fixture_start((fixture), (const struct http_route[]){__VA_ARGS__},                             \
	              sizeof((const struct http_route[]){__VA_ARGS__}) / sizeof(struct http_route))

/* Handlers that several tests use. */
void answer_ok(struct http_request *request, void *user);   /* 200 "ok" */
void answer_body(struct http_request *request, void *user); /* 200, the request's body */

/* A handler that suspends every request and holds it until a test takes it, in order. */
void                 hold(struct http_request *request, void *user);
void                 pass_to_test(struct http_request *request); /* its second half */
struct http_request *take_held(void);                            /* waits for one */

/* One connection. Every read waits 10 s at most, then the test fails. */
struct peer {
	int    fd;
	char  *data; /* received and not yet taken */
	size_t length;
};

struct reply {
	unsigned status;
	char     headers[8192]; /* lower case names, "name: value\n" */
	char    *body;          /* ended by NUL */
	size_t   body_length;
};

void peer_open(struct peer *peer, const struct fixture *fixture);
void peer_close(struct peer *peer);
void peer_reset(struct peer *peer); /* closes with RST */
void peer_send(struct peer *peer, const void *data, size_t length);
void peer_say(struct peer *peer, const char *text);
void peer_read(struct peer *peer, void *into, size_t length); /* exactly so many bytes */
bool peer_at_end(struct peer *peer); /* the server closes: true; it says something: false */

/* Reads one answer; `bodiless` for HEAD. Free with reply_done(). */
void        reply_read(struct peer *peer, bool bodiless, struct reply *reply);
const char *reply_header(const struct reply *reply, const char *name); /* "" when absent */
void        reply_done(struct reply *reply);

/* Sends `request`, reads the answer, checks its status. */
void exchange(struct peer *peer, const char *request, unsigned status, struct reply *reply);

/* A new connection for one request; the status. */
unsigned status_of(const struct fixture *fixture, const char *request);

void sleep_ms(int64_t ms);

#endif
