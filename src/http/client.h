#ifndef SONNIM_HTTP_CLIENT_H
#define SONNIM_HTTP_CLIENT_H

/* An HTTP client for commands and tests, over libcurl. One handle keeps its connection alive from
 * call to call; one thread at a time. Redirects are never followed, proxies of the environment are
 * not used for loopback addresses. Only http and https. */

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "http/server.h" /* struct http_header */

struct http_client;

struct http_client *http_client_new(void);
void                http_client_free(struct http_client *client); /* NULL is fine */

enum { HTTP_CLIENT_BODY_BYTES_MAX = 256 * 1024 * 1024 }; /* of an answer */

/* The next bytes of a body, at most `size`; 0 at the end. False: it cannot be read. */
typedef bool http_client_read_fn(void *context, char *into, size_t size, size_t *ret_length);

/* For servers that take what is signed by AWS Signature Version 4, with a SHA-256 of the body. */
struct http_client_signature {
	const char *region;  /* "ap-northeast-2" */
	const char *service; /* "s3" */
	const char *key_id;
	const char *secret;
};

struct http_client_request {
	const char               *method; /* NULL: GET, or POST with a body */
	const char               *url;
	const struct http_header *headers;
	size_t                    header_count;
	struct text               body;
	http_client_read_fn      *read; /* NULL: `body` is it; else it comes in pieces */
	void                     *read_context;
	/* NULL: not signed. Never with `read`; parameters of the URL come sorted and percent-encoded,
	 * each with a "=". */
	const struct http_client_signature *signature;
	const char *ca; /* file (PEM) with who may sign the server's certificate; NULL: the machine's */
	int64_t     connect_timeout_ms; /* 0: 5 s */
	int64_t     timeout_ms;         /* of the whole; 0: 60 s */
	size_t      body_bytes_max;     /* of the answer; 0: HTTP_CLIENT_BODY_BYTES_MAX */
};

/* Zeroed memory is an empty one, and one may be used for many calls. */
struct http_client_response {
	unsigned      status;  /* 200 … */
	struct buffer headers; /* as they came, "Name: value\r\n" each */
	struct buffer body;
};

/* Errors: STATUS_UNAVAILABLE (nobody listens, connection lost), STATUS_TIMEOUT, STATUS_INVALID (the
 * URL), STATUS_TOO_LARGE, STATUS_IO (the body
 * cannot be read); each with a reason that names host and port. Any HTTP status is a
 * success here. After UNAVAILABLE or TIMEOUT a request may or may not have been carried out. */
MUST_USE enum status http_client_send(struct http_client               *client,
                                      const struct http_client_request *request,
                                      struct http_client_response *response, struct error *err);

/* The first such header of the answer, the name in any case. */
bool http_client_header(const struct http_client_response *response, const char *name,
                        struct text *ret_value);

void http_client_response_done(struct http_client_response *response);

#endif
