#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/percent.h"
#include "http/server_internal.h"

/* ---- Life ---- */

static struct http_request *take_request(struct http_loop *loop)
{
	struct http_request *request = loop->idle;
	struct arena         arena;

	if (request) {
		loop->idle = request->next;
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

void http_request_free(struct http_request *request)
{
	struct http_loop *loop = request->loop;

	http_body_done(request);
	buffer_done(&request->answer);
	if (request->answer_is_file)
		close(request->answer_fd); /* the client was gone before */
	http_stream_drop(request);
	if (request->release)
		request->release(request->owner);
	if (loop->idle_count == HTTP_IDLE_REQUESTS_MAX) {
		arena_done(&request->arena);
		free(request);
		return;
	}
	arena_reset(&request->arena);
	request->next = loop->idle;
	loop->idle    = request;
	loop->idle_count++;
}

/* ---- Refusals ---- */

void http_request_refuse(struct http_request *request, unsigned http_status, enum status status,
                         const char *reason)
{
	if (request->refusal)
		return;
	request->refusal              = ARENA_NEW(&request->arena, struct http_refusal);
	request->refusal->http_status = http_status;
	error_set(&request->refusal->error, status, "%s", reason);
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
}

/* What decides where the next request begins must be said once and clearly: everything else is
 * how requests are smuggled past a proxy (RFC 9112, section 6.3). */
static void check_framing(struct http_request *request, unsigned lengths, unsigned encodings)
{
	if (lengths + encodings > 1)
		http_request_refuse(request, 400, STATUS_INVALID,
		                    "more than one header says how long the body is");
	if (request->endless)
		http_request_refuse(request, 501, STATUS_UNSUPPORTED,
		                    "no Transfer-Encoding but chunked is supported");
}

/* Of two, a proxy in front and we might each believe another one. */
static void check_singles(struct http_request *request, unsigned hosts, unsigned authorizations)
{
	if (request->http_1_1 && hosts != 1)
		http_request_refuse(request, 400, STATUS_INVALID, "there must be one Host header");
	if (authorizations > 1)
		http_request_refuse(request, 400, STATUS_INVALID,
		                    "there is more than one Authorization header");
}

static void check_name(struct http_request *request, struct text name)
{
	if (name.length == 0 || memchr(name.data, ' ', name.length) ||
	    memchr(name.data, '\t', name.length))
		http_request_refuse(request, 400, STATUS_INVALID,
		                    "the name of a header is empty or has a space");
}

static struct text look_at_headers(struct http_request *request)
{
	unsigned    lengths = 0, encodings = 0, hosts = 0, authorizations = 0;
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
		case 13:
			authorizations += NAME_IS(header, "Authorization");
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
				http_request_refuse(request, 415, STATUS_UNSUPPORTED,
				                    "no Content-Encoding but gzip is supported");
			break;
		case 17:
			if (NAME_IS(header, "Transfer-Encoding")) {
				encodings++;
				request->chunked = value_is(header, "chunked");
				request->endless |= !request->chunked;
			}
			break;
		}
	}
	check_framing(request, lengths, encodings);
	check_singles(request, hosts, authorizations);
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
		http_request_refuse(request, 431, STATUS_TOO_LARGE,
		                    "there are too many headers or query parameters");
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
			http_request_refuse(request, 400, STATUS_INVALID,
			                    "the query is not valid percent-encoded UTF-8");
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
		http_request_refuse(request, 404, STATUS_NOT_FOUND, "there is nothing at this path");
		return;
	case HTTP_MATCH_NO_METHOD:
		/* A route without OPTIONS of its own: Allow is the whole answer. */
		if (text_equal(request->method, TEXT("OPTIONS")))
			return;
		http_request_refuse(request, 405, STATUS_METHOD, "this path does not take that method");
		return;
	case HTTP_MATCH_BAD_PATH:
		http_request_refuse(request, 400, STATUS_INVALID,
		                    "the path is not valid percent-encoded UTF-8");
		return;
	}
}

/* ---- libmicrohttpd's callbacks ---- */

/* A body that is refused anyway, and that it would take too long to drop. */
static bool refused_at_once(const struct http_request *request)
{
	return request->refusal && (request->expects_continue || request->endless ||
	                            request->body_announced > HTTP_DRAIN_BYTES_MAX);
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
	memcpy(request->client, request->connection->peer, sizeof request->client);

	request->header_count =
		collect_all(request, MHD_HEADER_KIND, HTTP_HEADER_COUNT_MAX, &request->headers);
	request->query_count =
		collect_all(request, MHD_GET_ARGUMENT_KIND, HTTP_QUERY_COUNT_MAX, &request->query);
	copy_headers(request, method);
	trace_begin(&request->trace, &loop->traces, look_at_headers(request));
	request->secure = loop->server->tls != NULL;
	if (request->connection->trusted)
		http_forwarded_read(request);
	decode_query(request);
	match_route(request);
	bool upload = !request->refusal && request->matched.route && request->matched.route->upload;
	if (!upload)
		http_body_prepare(request);
	http_enter(loop, request->connection, HTTP_PHASE_RECEIVING);
	if (upload)
		http_upload_begin(request);
	else if (refused_at_once(request))
		http_answer_refuse(request);
	return request;
}

static void handle(struct http_request *request)
{
	http_enter(request->loop, request->connection, HTTP_PHASE_ANSWERING);
	http_body_complete(request);
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
	if (request->upload && !request->body_ended) {
		bool end = *upload_size == 0;
		if (!http_upload_take(request, upload, upload_size))
			return MHD_NO;
		if (!end || !request->body_ended)
			return MHD_YES;
	}
	if (*upload_size > 0) {
		bool going   = http_body_take(request, upload, *upload_size);
		*upload_size = 0;
		return going ? MHD_YES : MHD_NO;
	}
	if (request->suspended)
		poll_again(request);
	else if (!request->answered)
		handle(request);
	else if (request->upload && !request->queued)
		http_answer_send(request);
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
	http_enter(loop, request->connection, HTTP_PHASE_WAITING);
	http_count(&loop->requests, request->queued);
	if (request->watched)
		http_request_unwatch(request);
	if (request->suspended && !request->queued) {
		/* The client is gone; who works on the request will tell when it is done. */
		request->mhd        = NULL;
		request->connection = NULL;
		loop->pending--;
		if (request->gone)
			request->gone(request->gone_user);
		if (request->upload)
			http_upload_gone(request);
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

const char   *http_trace_id(const struct http_request *request) { return request->trace.id; }
struct arena *http_arena(struct http_request *request) { return &request->arena; }
unsigned      http_loop_index(const struct http_request *request) { return request->loop->index; }
int64_t       http_received_ns(const struct http_request *request) { return request->received_ns; }
const char   *http_pattern(const struct http_request *request) { return request->matched.path; }

void http_set_owner(struct http_request *request, void *owner, http_release_fn *release)
{
	assert(!request->owner);

	request->owner   = owner;
	request->release = release;
}

void *http_owner(const struct http_request *request) { return request->owner; }

void http_set_release(struct http_request *request, http_release_fn *release)
{
	if (request->owner != NULL)
		request->release = release;
}

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
