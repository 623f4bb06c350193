#ifndef SONNIM_API_BROWSER_H
#define SONNIM_API_BROWSER_H

/* What browsers are told, and what is asked of them.
 *
 *   every answer      nothing in it may run, be framed or be taken for another type
 *   collection        pages of any origin may send and read, unless the source names origins
 *   everything else   pages of this server's own origin, and of those of --cors-origins; nobody on
 *                     the way keeps it
 *   over TLS          Strict-Transport-Security
 *
 * Headers that are the same in all answers are the HTTP server's own (browser_headers), so that
 * its own answers have them too. Threads: any. */

#include "api/context.h"
#include "http/server.h"

/* In every answer, of whichever route; `secure`: of a listener with TLS. Their number. */
enum { BROWSER_HEADERS_MAX = 4 };
size_t browser_headers(bool secure, struct http_header ret_headers[BROWSER_HEADERS_MAX]);

/* What its path has before that of a route: "/w/NAME", or nothing. */
struct text browser_path_prefix(const struct http_request *request);

/* Whether the path is one of collection, which pages of other origins use. */
bool browser_is_collection(const struct http_request *request);

/* Just before an answer goes out. */
void browser_before_answer(const struct api *api, struct http_request *request);

/* Answers OPTIONS: what a browser asks before a page of another origin may send. */
void browser_preflight(struct http_request *request, void *api);

/* "https://a.example,https://b.example:8443", a host may begin with "*."; NULL when all of them are
 * origins, else why not: the check of a setting. */
const char *browser_check_origins(const void *member);

/* Whether the request was sent by a page of this server's own origin or of --cors-origins, or by
 * no page at all: what a form or a link on somebody else's page cannot bring about. */
bool browser_is_own(const struct api *api, const struct http_request *request);

#endif
