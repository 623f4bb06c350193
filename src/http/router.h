#ifndef SONNIM_HTTP_ROUTER_H
#define SONNIM_HTTP_ROUTER_H

/* From method and path to a handler, by a tree of path segments:
 *
 *   /api/v1 ─┬─ segments ─┬─ (GET, POST)
 *            │            └─ {id} ─┬─ (GET, PUT, DELETE)
 *            │                     └─ members (GET)
 *            └─ events …
 *
 * A literal segment goes before a parameter, and a path that the literal leads nowhere falls back
 * to the parameter. A parameter is one whole, non-empty segment as sent ("user_id:7", "a%2Fb") and
 * is percent-decoded after the path was split, so that its value may hold '/'. A pattern's literal
 * is compared with the decoded segment. "/x" and "/x/" are different paths.
 *
 * Built once, before the server starts; then read by all threads. */

#include <stddef.h>

#include "http/server.h"

enum { HTTP_PARAMS_MAX = 8, HTTP_PATH_SEGMENTS_MAX = 32 };

struct http_route {
	const char      *method;  /* "GET"; GET answers HEAD too unless HEAD has a route */
	const char      *pattern; /* "/segments/{id}/members" */
	http_handler_fn *handler;
	void            *user;
	bool             upload; /* asked when the headers have come, to say where the body goes:
	                            http_receive(). The limit of bodies does not hold. */
};

struct http_router;

struct http_router *http_router_new(void);
void                http_router_free(struct http_router *router);

/* Adds routes whose patterns follow `prefix` ("" or "/api/v1"; the same table may be added under
 * several). The table's strings are kept, not copied, the prefix is copied. Two handlers for one
 * method and path, or a bad pattern, are programmer's mistakes and assert. */
void http_router_add(struct http_router *router, const char *prefix,
                     const struct http_route *routes, size_t count);

/* The handler for OPTIONS on any path that has no such route of its own; without one the answer
 * is 204 with Allow. */
void http_router_set_options(struct http_router *router, http_handler_fn *handler, void *user);

/* All routes in the order of their addition: for OpenAPI and its check. `ret_path` is the prefix
 * with the pattern. */
size_t                   http_router_count(const struct http_router *router);
const struct http_route *http_router_at(const struct http_router *router, size_t index,
                                        const char **ret_path);

enum http_match { HTTP_MATCH_FOUND, HTTP_MATCH_NO_PATH, HTTP_MATCH_NO_METHOD, HTTP_MATCH_BAD_PATH };

struct http_params {
	struct text names[HTTP_PARAMS_MAX];
	struct text values[HTTP_PARAMS_MAX];
	size_t      count;
};

/* What the server asks for each request. NO_METHOD: `ret_allow` is "GET, HEAD, OPTIONS".
 * BAD_PATH: percent-encoding or UTF-8 is wrong, or there are too many segments. Decoded values
 * are allocated from `arena` when they differ from what was sent. */
struct http_matched {
	const struct http_route *route; /* FOUND; of set_options: pattern "" */
	const char              *path;  /* prefix and pattern */
	struct http_params       params;
	const char              *allow; /* FOUND and NO_METHOD */
};
enum http_match http_router_match(const struct http_router *router, struct text method,
                                  struct text path, struct arena *arena,
                                  struct http_matched *ret_matched);

#endif
