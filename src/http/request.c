#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/gzip.h"
#include "http/percent.h"
#include "http/server_internal.h"

/* ---- Life ---- */

static struct http_request *take_request(struct http_loop *loop)
{
	struct http_request *request = loop->idle;
	struct arena         arena;

	if (request) {
		loop->idle = request->newer;
		loop->idle_count--;
		arena = request->arena;
	} else {
		request = malloc(sizeof *request);
		assert(request);
		arena_init(&arena);
	}
	memset(request, 0, sizeof *request);
	request->arena     = arena;
	request->loop      = loop;
	request->added_end = &request->added;
	return request;
}

static void make_active(struct http_request *request)
{
	struct http_loop *loop = request->loop;

	request->older = loop->active;
	if (loop->active)
		loop->active->newer = request;
	loop->active = request;
}

static void make_inactive(struct http_request *request)
{
	struct http_loop *loop = request->loop;

	*(request->newer ? &request->newer->older : &loop->active) = request->older;
	if (request->older)
		request->older->newer = request->newer;
	request->older = request->newer = NULL;
}

static void count_body(struct http_request *request, uint64_t bytes)
{
	http_count(&request->loop->bodies_bytes, (int64_t)(bytes - request->body_counted));
	request->body_counted = bytes;
}

void http_request_free(struct http_request *request)
{
	struct http_loop *loop = request->loop;

	if (request->body_counted > 0)
		count_body(request, 0);
	if (request->body_owned)
		free(request->body);
	buffer_done(&request->answer);
	if (loop->idle_count == HTTP_IDLE_REQUESTS_MAX) {
		arena_done(&request->arena);
		free(request);
		return;
	}
	arena_reset(&request->arena);
	request->newer = loop->idle;
	loop->idle     = request;
	loop->idle_count++;
}

/* ---- Refusals ---- */

static void refuse(struct http_request *request, unsigned http_status, enum status status,
                   const char *reason)
{
	if (request->refusal)
		return;
	request->refusal              = ARENA_NEW(&request->arena, struct http_refusal);
	request->refusal->http_status = http_status;
	error_set(&request->refusal->error, status, "%s", reason);
}

static void refuse_too_large(struct http_request *request)
{
	uint64_t    limit  = request->loop->server->settings.body_bytes_max;
	const char *reason = arena_printf(&request->arena, "the body is larger than %llu bytes",
	                                  (unsigned long long)limit);

	refuse(request, 413, STATUS_TOO_LARGE, reason);
}

/* ---- Headers ---- */

static bool name_is(const struct http_header *header, const char *name, size_t length)
{
	return header->name.length == length && strncasecmp(header->name.data, name, length) == 0;
}
#define NAME_IS(header, name) name_is((header), (name), sizeof(name) - 1)

static bool value_is(const struct http_header *header, const char *value)
{
	return header->value.length == strlen(value) &&
	       strncasecmp(header->value.data, value, header->value.length) == 0;
}

static void take_content_length(struct http_request *request, const struct http_header *header)
{
	uint64_t length = 0;

	/* libmicrohttpd has checked that the first one is a number. */
	for (size_t i = 0; i < header->value.length; i++)
		length = length * 10 + (uint64_t)(header->value.data[i] - '0');
	request->body_announced = length;
	if (length > request->loop->server->settings.body_bytes_max)
		refuse_too_large(request);
}

/* What decides where the next request begins must be said once and clearly: everything else is
 * how requests are smuggled past a proxy (RFC 9112, section 6.3). */
static void check_framing(struct http_request *request, unsigned lengths, unsigned encodings)
{
	if (lengths + encodings > 1)
		refuse(request, 400, STATUS_INVALID, "more than one header says how long the body is");
	if (encodings == 1 && !request->chunked)
		refuse(request, 501, STATUS_UNSUPPORTED, "no Transfer-Encoding but chunked is supported");
}

static void check_name(struct http_request *request, struct text name)
{
	if (name.length == 0 || memchr(name.data, ' ', name.length) ||
	    memchr(name.data, '\t', name.length))
		refuse(request, 400, STATUS_INVALID, "the name of a header is empty or has a space");
}

static struct text look_at_headers(struct http_request *request)
{
	unsigned    lengths = 0, encodings = 0, hosts = 0;
	struct text traceparent = {NULL, 0};

	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];
		check_name(request, header->name);
		switch (header->name.length) {
		case 4:
			hosts += NAME_IS(header, "Host");
			break;
		case 6:
			request->expects_continue |= NAME_IS(header, "Expect");
			break;
		case 11:
			if (NAME_IS(header, "traceparent"))
				traceparent = header->value;
			break;
		case 14:
			if (NAME_IS(header, "Content-Length") && lengths++ == 0)
				take_content_length(request, header);
			break;
		case 16:
			if (!NAME_IS(header, "Content-Encoding") || value_is(header, "identity"))
				break;
			request->gzip = value_is(header, "gzip") || value_is(header, "x-gzip");
			if (!request->gzip)
				refuse(request, 415, STATUS_UNSUPPORTED,
				       "no Content-Encoding but gzip is supported");
			break;
		case 17:
			if (NAME_IS(header, "Transfer-Encoding")) {
				encodings++;
				request->chunked = value_is(header, "chunked");
			}
			break;
		}
	}
	check_framing(request, lengths, encodings);
	if (request->http_1_1 && hosts != 1)
		refuse(request, 400, STATUS_INVALID, "there must be one Host header");
	return traceparent;
}

/* ---- What libmicrohttpd parsed ---- */

/* Where the request line and headers lay, and where our copy is. */
struct block {
	const char *from;
	const char *to;
	size_t      length;
};

static struct text moved(struct http_request *request, const struct block *block, struct text text)
{
	if (text.data >= block->from && text.data + text.length <= block->from + block->length)
		return (struct text){block->to + (text.data - block->from), text.length};
	return arena_text(&request->arena, text); /* a header that was folded over lines */
}

/* Also when only libmicrohttpd's memory is too full for the headers of an answer. */
static bool headers_too_large(const struct http_loop *loop, struct MHD_Connection *mhd)
{
	const struct http_settings *settings     = &loop->server->settings;
	const char                 *cookies      = NULL;
	size_t                      cookie_bytes = 0;
	size_t                      header_bytes =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;

	if (header_bytes > settings->header_bytes_max)
		return true;
	int entries = MHD_get_connection_values_n(
		mhd, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);
	MHD_lookup_connection_value_n(mhd, MHD_HEADER_KIND, "Cookie", 6, &cookies, &cookie_bytes);
	return header_bytes + cookie_bytes + (size_t)entries * HTTP_POOL_ENTRY_BYTES +
	           HTTP_ANSWER_HEADER_BYTES >
	       2 * settings->header_bytes_max + HTTP_POOL_BYTES_MORE;
}

/* The connection, and its memory, may go while somebody still works on the request. */
static void copy_headers(struct http_request *request, const char *method)
{
	struct block block = {.from = method};

	block.length =
		MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	block.to = arena_text(&request->arena, (struct text){method, block.length}).data;

	request->method = moved(request, &block, request->method);
	request->path   = moved(request, &block, request->path);
	for (size_t i = 0; i < request->header_count; i++) {
		request->headers[i].name  = moved(request, &block, request->headers[i].name);
		request->headers[i].value = moved(request, &block, request->headers[i].value);
	}
	for (size_t i = 0; i < request->query_count; i++) {
		request->query[i].name  = moved(request, &block, request->query[i].name);
		request->query[i].value = moved(request, &block, request->query[i].value);
	}
}

struct collector {
	struct http_header *at;
	struct http_header *end;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *name,
                               size_t name_length, const char *value, size_t value_length)
{
	struct collector *collector = cls;

	if (collector->at == collector->end)
		return MHD_NO;
	/* White space behind a header's value is no part of it. */
	while (kind == MHD_HEADER_KIND && value_length > 0 &&
	       (value[value_length - 1] == ' ' || value[value_length - 1] == '\t'))
		value_length--;
	*collector->at++ = (struct http_header){
		.name  = {name, name_length},
		.value = {value ? value : "", value ? value_length : 0},
	};
	return MHD_YES;
}

/* Copies the list, not its strings, into the arena. */
static size_t collect_all(struct http_request *request, enum MHD_ValueKind kind, size_t count_max,
                          struct http_header **ret_list)
{
	int count = MHD_get_connection_values_n(request->mhd, kind, NULL, NULL);

	*ret_list = NULL;
	if (count <= 0)
		return 0;
	if ((size_t)count > count_max) {
		refuse(request, 431, STATUS_TOO_LARGE, "there are too many headers or query parameters");
		count = (int)count_max;
	}
	*ret_list                  = arena_alloc(&request->arena, (size_t)count * sizeof **ret_list);
	struct collector collector = {*ret_list, *ret_list + count};
	MHD_get_connection_values_n(request->mhd, kind, collect, &collector);
	return (size_t)count;
}

static void decode_query(struct http_request *request)
{
	for (size_t i = 0; i < request->query_count; i++) {
		struct http_header *parameter = &request->query[i];
		if (!percent_decode(&request->arena, parameter->name, &parameter->name) ||
		    !percent_decode(&request->arena, parameter->value, &parameter->value))
			refuse(request, 400, STATUS_INVALID, "the query is not valid percent-encoded UTF-8");
	}
}

/* "http://host/path" is what a client says to a proxy; a server takes it too. */
static struct text path_of(const char *url)
{
	struct text path = text_of(url);

	if (path.length < 8 || strncasecmp(url, "http", 4) != 0)
		return path;
	const char *authority = strstr(url, "://");
	if (!authority || authority > url + 5)
		return path;
	const char *slash = strchr(authority + 3, '/');
	return slash ? text_of(slash) : TEXT("/");
}

static void match_route(struct http_request *request)
{
	struct http_server *server = request->loop->server;

	switch (http_router_match(server->router, request->method, request->path, &request->arena,
	                          &request->matched)) {
	case HTTP_MATCH_FOUND:
		return;
	case HTTP_MATCH_NO_PATH:
		refuse(request, 404, STATUS_NOT_FOUND, "there is nothing at this path");
		return;
	case HTTP_MATCH_NO_METHOD:
		/* A route without OPTIONS of its own: Allow is the whole answer. */
		if (text_equal(request->method, TEXT("OPTIONS")))
			return;
		refuse(request, 405, STATUS_METHOD, "this path does not take that method");
		return;
	case HTTP_MATCH_BAD_PATH:
		refuse(request, 400, STATUS_INVALID, "the path is not valid percent-encoded UTF-8");
		return;
	}
}

/* ---- Body ---- */

static uint64_t bodies_bytes(const struct http_server *server)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < server->loop_count; i++)
		bytes += atomic_load_explicit(&server->loops[i].bodies_bytes, memory_order_relaxed);
	return bytes;
}

/* Counts a body of `capacity` bytes; false when there is no room for it, and then it is refused. */
static bool admit(struct http_request *request, uint64_t capacity)
{
	struct http_server *server = request->loop->server;

	if (capacity <= HTTP_BODY_COUNTED_BYTES || capacity <= request->body_counted)
		return true;
	if (bodies_bytes(server) + capacity - request->body_counted >
	    server->settings.bodies_bytes_max) {
		refuse(request, 503, STATUS_UNAVAILABLE, "too many large requests at once, try again");
		http_add_header(request, "Retry-After", TEXT("1"));
		return false;
	}
	count_body(request, capacity);
	return true;
}

static bool grow_body(struct http_request *request, size_t wanted)
{
	uint64_t limit    = request->loop->server->settings.body_bytes_max;
	size_t   capacity = request->body_capacity * 2;

	if (request->body_announced > 0)
		limit = request->body_announced;
	if (capacity < 4096)
		capacity = 4096;
	if (capacity < wanted)
		capacity = wanted;
	if (capacity > limit)
		capacity = limit;
	if (!admit(request, capacity))
		return false;
	char *body = realloc(request->body_owned ? request->body : NULL, capacity + JSON_PADDING_BYTES);
	assert(body);
	if (!request->body_owned && request->body_length > 0)
		memcpy(body, request->body, request->body_length);
	request->body          = body;
	request->body_owned    = true;
	request->body_capacity = capacity;
	return true;
}

/* Room for what Content-Length announces, as far as that may be trusted. */
static void prepare_body(struct http_request *request)
{
	uint64_t length = request->body_announced;

	if (length == 0 || length > HTTP_BODY_EAGER_BYTES || !admit(request, length))
		return;
	request->body          = arena_alloc(&request->arena, length + JSON_PADDING_BYTES);
	request->body_capacity = length;
}

/* False: the connection must be closed. */
static bool take_body(struct http_request *request, const char *data, size_t length)
{
	uint64_t limit = request->loop->server->settings.body_bytes_max;

	if (!request->refusal && request->body_length + length > limit)
		refuse_too_large(request);
	/* What is there was more than one read: the rest may be waiting already. */
	request->loop->progress |= request->body_length + length != request->body_announced;
	if (!request->refusal && (request->body_length + length <= request->body_capacity ||
	                          grow_body(request, request->body_length + length))) {
		memcpy(request->body + request->body_length, data, length);
		request->body_length += length;
		return true;
	}
	request->body_dropped += length;
	return request->body_dropped <= HTTP_DRAIN_BYTES_MAX;
}

static void decompress(struct http_request *request)
{
	struct buffer out  = {0};
	struct error  err  = {0};
	size_t        max  = request->loop->server->settings.body_bytes_max;
	struct text   body = {request->body, request->body_length};

	enum status status = gzip_decompress(body, max, &out, &err);
	if (status != STATUS_OK) {
		refuse(request, status == STATUS_TOO_LARGE ? 413 : 400, status, err.reason);
		buffer_done(&out);
		return;
	}
	buffer_reserve(&out, JSON_PADDING_BYTES);
	if (!admit(request, out.capacity)) {
		buffer_done(&out);
		return;
	}
	if (request->body_owned)
		free(request->body);
	request->body          = out.data;
	request->body_owned    = true;
	request->body_length   = out.length;
	request->body_capacity = out.capacity - JSON_PADDING_BYTES;
}

static void complete_body(struct http_request *request)
{
	static char empty[JSON_PADDING_BYTES];

	if (request->gzip && request->body_length > 0)
		decompress(request);
	if (request->body)
		memset(request->body + request->body_length, 0, JSON_PADDING_BYTES);
	else
		request->body = empty;
}

/* ---- libmicrohttpd's callbacks ---- */

/* A body that is refused anyway, and that it would take too long to drop. */
static bool refused_at_once(const struct http_request *request)
{
	return request->refusal &&
	       (request->expects_continue || request->body_announced > HTTP_DRAIN_BYTES_MAX);
}

static struct http_request *begin(struct http_loop *loop, struct MHD_Connection *mhd,
                                  const char *url, const char *method, const char *version)
{
	struct http_request *request = take_request(loop);

	request->mhd = mhd;
	request->connection =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	request->method      = text_of(method);
	request->path        = path_of(url);
	request->http_1_1    = strcmp(version, "HTTP/1.0") != 0;
	request->received_ns = clock_monotonic_ns();
	request->matched     = (struct http_matched){.path = "", .allow = "OPTIONS"};
	memcpy(request->peer, request->connection->peer, sizeof request->peer);
	make_active(request);

	request->header_count =
		collect_all(request, MHD_HEADER_KIND, HTTP_HEADER_COUNT_MAX, &request->headers);
	request->query_count =
		collect_all(request, MHD_GET_ARGUMENT_KIND, HTTP_QUERY_COUNT_MAX, &request->query);
	copy_headers(request, method);
	trace_begin(&request->trace, &loop->traces, look_at_headers(request));
	decode_query(request);
	match_route(request);
	if (!request->refusal)
		prepare_body(request);
	http_deadline_set(loop, request->connection, &loop->receiving);
	if (refused_at_once(request))
		http_answer_refuse(request);
	return request;
}

static void handle(struct http_request *request)
{
	http_deadline_clear(request->connection);
	complete_body(request);
	if (request->refusal) {
		http_answer_refuse(request);
		return;
	}
	const struct http_route *route = request->matched.route;
	if (!route) {
		http_add_header(request, "Allow", text_of(request->matched.allow));
		http_respond(request, 204, NULL, NULL);
		return;
	}
	route->handler(request, route->user);
	assert(request->suspended || request->queued);
}

/* Still no answer. */
static void poll_again(struct http_request *request)
{
	if (++request->polls < HTTP_POLLS_MAX)
		return;
	request->parked = true;
	request->loop->pending--;
	MHD_suspend_connection(request->mhd);
}

enum MHD_Result http_request_receive(void *cls, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *upload,
                                     size_t *upload_size, void **con_cls)
{
	struct http_request *request = *con_cls;

	if (!request && headers_too_large(cls, mhd)) {
		bool line = strlen(url) > ((struct http_loop *)cls)->server->settings.header_bytes_max;
		http_answer_raw(cls, mhd, line ? 414 : 431);
		return MHD_NO;
	}
	if (!request) {
		*con_cls = begin(cls, mhd, url, method, version);
		return MHD_YES;
	}
	if (*upload_size > 0) {
		bool going   = take_body(request, upload, *upload_size);
		*upload_size = 0;
		return going ? MHD_YES : MHD_NO;
	}
	if (request->suspended)
		poll_again(request);
	else if (!request->answered)
		handle(request);
	return MHD_YES;
}

void http_request_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                            enum MHD_RequestTerminationCode code)
{
	struct http_loop    *loop    = cls;
	struct http_request *request = *con_cls;

	(void)mhd;
	(void)code;
	*con_cls = NULL;
	if (!request)
		return;
	http_deadline_set(loop, request->connection, &loop->waiting);
	http_count(&loop->requests, request->queued);
	make_inactive(request);
	if (request->watched)
		http_request_unwatch(request);
	if (request->suspended && !request->queued) {
		/* The client is gone; who works on the request will tell when it is done. */
		request->mhd        = NULL;
		request->connection = NULL;
		loop->pending--;
		if (request->gone)
			request->gone(request->gone_user);
		return;
	}
	if (request->socket && !request->upgraded)
		websocket_never_opened(request->socket);
	http_request_free(request);
}

/* ---- What handlers ask ---- */

struct text http_method(const struct http_request *request) { return request->method; }
struct text http_path(const struct http_request *request) { return request->path; }

struct text http_param(const struct http_request *request, const char *name)
{
	const struct http_params *params = &request->matched.params;

	for (size_t i = 0; i < params->count; i++)
		if (text_equal(params->names[i], text_of(name)))
			return params->values[i];
	assert(!"the route has such a parameter");
	return TEXT("");
}

bool http_query(const struct http_request *request, const char *name, struct text *ret_value)
{
	for (size_t i = 0; i < request->query_count; i++) {
		if (!text_equal(request->query[i].name, text_of(name)))
			continue;
		*ret_value = request->query[i].value;
		return true;
	}
	return false;
}

size_t http_query_count(const struct http_request *request) { return request->query_count; }

void http_query_at(const struct http_request *request, size_t index, struct text *ret_name,
                   struct text *ret_value)
{
	assert(index < request->query_count);

	*ret_name  = request->query[index].name;
	*ret_value = request->query[index].value;
}

bool http_header(const struct http_request *request, const char *name, struct text *ret_value)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < request->header_count; i++) {
		if (!name_is(&request->headers[i], name, length))
			continue;
		*ret_value = request->headers[i].value;
		return true;
	}
	return false;
}

struct text http_body(const struct http_request *request)
{
	return (struct text){request->body, request->body_length};
}

const char   *http_peer(const struct http_request *request) { return request->peer; }
const char   *http_trace_id(const struct http_request *request) { return request->trace.id; }
struct arena *http_arena(struct http_request *request) { return &request->arena; }
unsigned      http_loop_index(const struct http_request *request) { return request->loop->index; }
int64_t       http_received_ns(const struct http_request *request) { return request->received_ns; }
const char   *http_pattern(const struct http_request *request) { return request->matched.path; }

/* ---- Suspending ----
 * Most suspended requests wait for a group commit: for so short a time that suspending the
 * connection in libmicrohttpd's sense (out of its epoll, back again, a vain read) costs more than
 * all the rest. It offers another way: who returns from the callback without an answer is simply
 * asked again in the next MHD_run(), without any system call. So a request is *pending* at first,
 * and *parked*, really suspended, when it was asked HTTP_POLLS_MAX times. While requests are
 * pending the loop sleeps although libmicrohttpd believes that it has work (loop.c, timeout_ms);
 * and while pending, unlike parked, a connection can be closed under its request. */

void http_suspend(struct http_request *request)
{
	assert(http_loop_current == request->loop);
	assert(!request->suspended && !request->answered);

	request->suspended = true;
	request->loop->pending++;
	http_count(&request->loop->suspended, 1);
}

void http_request_unwatch(struct http_request *request)
{
	request->watched = false;
	http_loop_unwatch(request->loop, request->connection->fd);
}

static void client_moved(struct http_watch *watch, uint32_t events)
{
	struct http_request *request =
		(struct http_request *)((char *)watch - offsetof(struct http_request, watch));
	http_cancel_fn *gone = request->gone;

	(void)events;
	http_request_unwatch(request);
	request->gone = NULL;
	gone(request->gone_user);
}

void http_on_cancel(struct http_request *request, http_cancel_fn *gone, void *user)
{
	assert(http_loop_current == request->loop);
	assert(request->suspended && !request->gone);

	request->gone        = gone;
	request->gone_user   = user;
	request->watch.ready = client_moved;
	request->watched     = true;
	http_loop_watch(request->loop, request->connection->fd, EPOLLRDHUP, &request->watch);
}
