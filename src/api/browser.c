#include "api/browser.h"

#include <string.h>
#include <strings.h>

#include "api/collection/write_keys.h"
#include "api/errors.h"
#include "base/clock.h"

enum { ORIGINS_BYTES_MAX = 4096 };

/* A year; hosts below this one are their owners' matter. */
#define HSTS "max-age=31536000"

/* ---- In every answer ---- */

size_t browser_headers(bool secure, struct http_header ret_headers[BROWSER_HEADERS_MAX])
{
	size_t count         = 0;
	ret_headers[count++] = (struct http_header){TEXT("X-Content-Type-Options"), TEXT("nosniff")};
	ret_headers[count++] = (struct http_header){TEXT("Content-Security-Policy"),
	                                            TEXT("default-src 'none'; frame-ancestors 'none'")};
	ret_headers[count++] = (struct http_header){TEXT("Referrer-Policy"), TEXT("no-referrer")};
	if (secure)
		ret_headers[count++] = (struct http_header){TEXT("Strict-Transport-Security"), TEXT(HSTS)};
	return count;
}

/* ---- Origins ---- */

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(".-:[]", c) != NULL;
}

static bool is_origin(struct text text)
{
	size_t at = text_starts_with(text, TEXT("https://"))  ? 8
	            : text_starts_with(text, TEXT("http://")) ? 7
	                                                      : 0;
	if (at == 0 || at == text.length)
		return false;
	if (text_starts_with((struct text){text.data + at, text.length - at}, TEXT("*.")))
		at += 2;
	for (; at < text.length; at++)
		if (text.data[at] == '\0' || !is_host_byte(text.data[at]))
			return false;
	return true;
}

/* The next one of a list; false behind the last. */
static bool next_origin(const char **at, struct text *ret_origin)
{
	while (**at == ',' || **at == ' ')
		(*at)++;
	*ret_origin = (struct text){*at, strcspn(*at, ", ")};
	*at += ret_origin->length;
	return ret_origin->length > 0;
}

const char *browser_check_origins(const void *member)
{
	const char *at;
	struct text origin;
	memcpy(&at, member, sizeof at);
	if (at == NULL)
		return NULL;
	if (strlen(at) > ORIGINS_BYTES_MAX)
		return "is too long";
	while (next_origin(&at, &origin))
		if (!is_origin(origin))
			return "must be origins such as https://app.example.com, separated by commas";
	return NULL;
}

/* A host "*.b.example" lets in "a.b.example", and nothing that only ends alike. */
static bool matches(struct text pattern, struct text origin)
{
	const char *star = memchr(pattern.data, '*', pattern.length);
	if (star == NULL)
		return text_equal(pattern, origin);
	struct text scheme = {pattern.data, (size_t)(star - pattern.data)};
	struct text host   = {star + 1, pattern.length - scheme.length - 1};
	if (origin.length <= scheme.length + host.length || !text_starts_with(origin, scheme) ||
	    !text_ends_with(origin, host))
		return false;
	for (size_t i = scheme.length; i < origin.length - host.length; i++)
		if (!is_host_byte(origin.data[i]) || origin.data[i] == ':')
			return false;
	return true;
}

static bool is_listed(const struct api *api, struct text origin)
{
	const char *at = api->config.cors_origins;
	struct text pattern;
	while (at != NULL && next_origin(&at, &pattern))
		if (matches(pattern, origin))
			return true;
	return false;
}

static bool is_same(const struct http_request *request, struct text origin)
{
	struct text scheme = http_is_secure(request) ? TEXT("https://") : TEXT("http://");
	struct text host   = http_host(request);
	return host.length > 0 && origin.length == scheme.length + host.length &&
	       text_starts_with(origin, scheme) &&
	       strncasecmp(origin.data + scheme.length, host.data, host.length) == 0;
}

bool browser_is_own(const struct api *api, const struct http_request *request)
{
	struct text origin, site;
	/* What browsers say of themselves: "same-origin", "same-site", "cross-site", "none". */
	if (http_header(request, "Sec-Fetch-Site", &site) && text_equal(site, TEXT("cross-site")) &&
	    !(http_header(request, "Origin", &origin) && is_listed(api, origin)))
		return false;
	return !http_header(request, "Origin", &origin) || is_same(request, origin) ||
	       is_listed(api, origin);
}

/* ---- Answers ---- */

/* The path in its workspace: what follows the name of one. */
static struct text path_within(struct text path)
{
	if (!text_starts_with(path, TEXT("/w/")))
		return path;
	const char *name = path.data + 3, *end = path.data + path.length;
	const char *slash = memchr(name, '/', (size_t)(end - name));
	return slash == NULL ? path : (struct text){slash, (size_t)(end - slash)};
}

struct text browser_path_prefix(const struct http_request *request)
{
	struct text path = http_path(request);
	return (struct text){path.data, path.length - path_within(path).length};
}

bool browser_is_collection(const struct http_request *request)
{
	struct text path = path_within(http_path(request));
	return text_starts_with(path, TEXT("/v1/")) || text_starts_with(path, TEXT("/beacon/")) ||
	       text_starts_with(path, TEXT("/pixel/"));
}

static void allow_origin(struct http_request *request, struct text origin)
{
	http_add_header(request, "Access-Control-Allow-Origin", origin);
	http_add_header(request, "Access-Control-Allow-Credentials", TEXT("true"));
	http_add_header(request, "Access-Control-Expose-Headers",
	                TEXT("ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
	                     "X-RateLimit-Reset, X-Sonnim-Position"));
}

/* Answers differ by origin as soon as some are let in. */
static void answer_own(const struct api *api, struct http_request *request)
{
	struct text origin;
	http_add_header(request, "Cross-Origin-Resource-Policy", TEXT("same-origin"));
	http_add_header(request, "Cross-Origin-Opener-Policy", TEXT("same-origin"));
	http_add_header(request, "Permissions-Policy",
	                TEXT("camera=(), geolocation=(), microphone=(), payment=()"));
	if (!http_header_added(request, "Cache-Control"))
		http_add_header(request, "Cache-Control", TEXT("no-store"));
	if (api->config.cors_origins == NULL)
		return;
	http_set_header(request, "Vary", TEXT("Origin"));
	if (http_header(request, "Origin", &origin) && is_listed(api, origin))
		allow_origin(request, origin);
}

void browser_before_answer(const struct api *api, struct http_request *request)
{
	if (http_is_secure(request) && http_server_tls(api->server) == NULL)
		http_add_header(request, "Strict-Transport-Security", TEXT(HSTS));
	if (!browser_is_collection(request)) {
		answer_own(api, request);
		return;
	}
	http_add_header(request, "Cross-Origin-Resource-Policy", TEXT("cross-origin"));
	/* A source that lets only some origins send has said so: collect.c. */
	if (!http_header_added(request, "Vary"))
		http_add_header(request, "Access-Control-Allow-Origin", TEXT("*"));
	http_add_header(request, "Access-Control-Expose-Headers",
	                TEXT("Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
	                     "X-RateLimit-Reset"));
}

/* ---- What is asked before ---- */

/* Where the key stands in the address its source is known before anything is sent; elsewhere the
 * request itself is refused. False: pages of this origin may not send. */
static bool source_allows(const struct api *api, struct http_request *request, struct text origin)
{
	struct source *source;
	struct text    key;
	if (!http_query(request, "writeKey", &key) ||
	    !write_keys_cached(api->write_keys, key, &source) || !source_restricts_origins(source))
		return true;
	http_add_header(request, "Vary", TEXT("Origin"));
	if (!source_allows_origin(source, origin))
		return false;
	http_add_header(request, "Access-Control-Allow-Origin", origin);
	return true;
}

static void refuse(struct http_request *request)
{
	struct error err;
	error_set(&err, STATUS_FORBIDDEN, "Pages of this origin may not send here");
	http_respond_error(request, 403, &err);
}

void browser_preflight(struct http_request *request, void *user)
{
	const struct api *api = user;
	struct text       origin;
	bool              asks = http_header(request, "Origin", &origin);
	if (browser_is_collection(request)) {
		if (asks && !source_allows(api, request, origin)) {
			refuse(request);
			return;
		}
		http_add_header(request, "Access-Control-Allow-Methods", TEXT("GET, POST, OPTIONS"));
		http_add_header(request, "Access-Control-Allow-Headers",
		                TEXT("authorization, content-type, x-retry-count"));
		http_add_header(request, "Access-Control-Max-Age", TEXT("86400"));
	} else if (asks && is_listed(api, origin)) {
		http_add_header(request, "Access-Control-Allow-Methods",
		                TEXT("GET, POST, PUT, PATCH, DELETE, OPTIONS"));
		http_add_header(request, "Access-Control-Allow-Headers",
		                TEXT("authorization, cache-control, content-type, if-match, traceparent, "
		                     "x-sonnim-csrf, x-sonnim-min-position"));
		http_add_header(request, "Access-Control-Max-Age", TEXT("600"));
	} else if (asks && !is_same(request, origin)) {
		refuse(request);
		return;
	}
	http_respond(request, 204, NULL, NULL);
}
