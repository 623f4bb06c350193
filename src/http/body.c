#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "http/gzip.h"
#include "http/server_internal.h"

void http_body_refuse(struct http_request *request)
{
	uint64_t    limit  = request->body_max;
	const char *reason = arena_printf(&request->arena, "the body is larger than %llu bytes",
	                                  (unsigned long long)limit);

	http_request_refuse(request, 413, STATUS_TOO_LARGE, reason);
}

static void count_body(struct http_request *request, uint64_t bytes)
{
	http_count(&request->loop->bodies_bytes, (int64_t)(bytes - request->body_counted));
	request->body_counted = bytes;
}

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
	if (bodies_bytes(server) + capacity - request->body_counted > server->limits.bodies_bytes_max) {
		http_request_refuse(request, 503, STATUS_UNAVAILABLE,
		                    "too many large requests at once, try again");
		http_add_header(request, "Retry-After", TEXT("1"));
		return false;
	}
	count_body(request, capacity);
	return true;
}

static bool grow_body(struct http_request *request, size_t wanted)
{
	uint64_t limit    = request->body_max;
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

void http_body_prepare(struct http_request *request)
{
	uint64_t length   = request->body_announced;
	request->body_max = request->loop->server->limits.body_bytes_max;

	if (length > request->body_max)
		http_body_refuse(request);
	if (request->refusal || length == 0 || length > HTTP_BODY_EAGER_BYTES ||
	    !admit(request, length))
		return;
	request->body          = arena_alloc(&request->arena, length + JSON_PADDING_BYTES);
	request->body_capacity = length;
}

bool http_body_take(struct http_request *request, const char *data, size_t length)
{
	uint64_t limit = request->body_max;

	if (!request->refusal && request->body_length + length > limit)
		http_body_refuse(request);
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
	size_t        max  = request->body_max;
	struct text   body = {request->body, request->body_length};

	enum status status = gzip_decompress(body, max, &out, &err);
	if (status != STATUS_OK) {
		http_request_refuse(request, status == STATUS_TOO_LARGE ? 413 : 400, status, err.reason);
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

void http_body_complete(struct http_request *request)
{
	static char empty[JSON_PADDING_BYTES];

	if (request->gzip && request->body_length > 0)
		decompress(request);
	if (request->body)
		memset(request->body + request->body_length, 0, JSON_PADDING_BYTES);
	else
		request->body = empty;
}

void http_body_done(struct http_request *request)
{
	if (request->body_counted > 0)
		count_body(request, 0);
	if (request->body_owned)
		free(request->body);
}
