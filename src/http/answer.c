#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "http/server_internal.h"

/* libmicrohttpd answers what it cannot parse by itself, with pages of HTML, and has no hook for
 * them. But it queues them through its own exported function, and a function of that name in the
 * program goes before the library's. So the one below is called for the library's own answers
 * only: we call the library's function by its address. */
typedef enum MHD_Result queue_fn(struct MHD_Connection *, unsigned, struct MHD_Response *);

static queue_fn *library_queue_response(void)
{
	static _Atomic(queue_fn *) found;
	queue_fn                  *function = atomic_load_explicit(&found, memory_order_relaxed);

	if (!function) {
		function = (queue_fn *)dlsym(RTLD_NEXT, "MHD_queue_response");
		assert(function);
		atomic_store_explicit(&found, function, memory_order_relaxed);
	}
	return function;
}

static void describe(unsigned http_status, struct error *err)
{
	switch (http_status) {
	case 413:
		error_set(err, STATUS_TOO_LARGE, "the body is too large");
		return;
	case 414:
		error_set(err, STATUS_TOO_LARGE, "the request line is too long");
		return;
	case 431:
		error_set(err, STATUS_TOO_LARGE, "the headers are too large");
		return;
	case 505:
		error_set(err, STATUS_UNSUPPORTED, "only HTTP/1.0 and HTTP/1.1 are supported");
		return;
	case 400:
		error_set(err, STATUS_INVALID, "this is not a valid HTTP request");
		return;
	default:
		error_set(err, STATUS_INTERNAL, "the request could not be read");
	}
}

static void write_error(struct http_loop *loop, unsigned http_status, struct buffer *out)
{
	struct http_server *server = loop->server;
	struct buffer       body   = {0};
	struct error        err    = {0};
	struct trace        trace;

	describe(http_status, &err);
	trace_begin(&trace, &loop->traces, (struct text){NULL, 0});
	server->error_body(server->user, http_status, &err, trace.id, &body);

	buffer_printf(out, "HTTP/1.1 %u %s\r\n", http_status, MHD_get_reason_phrase_for(http_status));
	for (size_t i = 0; i < server->header_count; i++)
		buffer_printf(out, "%s: %s\r\n", server->headers[i].name.data,
		              server->headers[i].value.data);
	buffer_printf(out,
	              "Content-Type: application/json\r\ntraceparent: %s\r\n"
	              "Connection: close\r\nContent-Length: %zu\r\n\r\n",
	              trace.parent, body.length);
	buffer_add_text(out, buffer_text(&body));
	buffer_done(&body);
}

/* Bytes that we never read would make close() reset the connection, and the answer with it. */
static void drop_unread(int fd)
{
	char dropped[16384];

	for (size_t left = HTTP_DRAIN_BYTES_MAX; left >= sizeof dropped; left -= sizeof dropped)
		if (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) <= 0)
			return;
}

/* It fits any socket's buffer. */
static bool send_raw(struct http_loop *loop, struct MHD_Connection *mhd, int fd,
                     const struct buffer *out)
{
	if (!loop->server->tls)
		return send(fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	gnutls_session_t session =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
	return gnutls_record_send(session, out->data, out->length) >= 0;
}

/* Written to the socket as it is; everything before it on this connection has been sent. */
void http_answer_raw(struct http_loop *loop, struct MHD_Connection *mhd, unsigned http_status)
{
	struct buffer out = {0};
	int           fd  = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

	write_error(loop, http_status, &out);
	if (send_raw(loop, mhd, fd, &out))
		http_count(&loop->requests, 1);
	drop_unread(fd);
	buffer_done(&out);
}

void http_answer_early(struct http_request *request)
{
	struct http_server *server = request->loop->server;
	struct text         body =
        request->answer.length > 0 ? buffer_text(&request->answer) : request->answer_static;
	struct buffer out = {0};
	int fd = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	if (server->before_answer)
		server->before_answer(server->user, request, request->http_status);
	buffer_printf(&out, "HTTP/1.1 %u %s\r\n", request->http_status,
	              MHD_get_reason_phrase_for(request->http_status));
	for (size_t i = 0; i < server->header_count; i++)
		buffer_printf(&out, "%s: %s\r\n", server->headers[i].name.data,
		              server->headers[i].value.data);
	for (struct http_added_header *at = request->added; at; at = at->next)
		buffer_printf(&out, "%s: %s\r\n", at->name, at->value);
	if (request->content_type)
		buffer_printf(&out, "Content-Type: %s\r\n", request->content_type);
	buffer_printf(&out, "traceparent: %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
	              request->trace.parent, body.length);
	buffer_add_text(&out, body);
	request->queued = send_raw(request->loop, request->mhd, fd, &out);
	drop_unread(fd);
	buffer_done(&out);
}

/* MHD_NO closes the connection. Queueing our own answer instead would not do: on some paths (a
 * Content-Length that is no number) the library sends the headers of a queued answer twice. */
__attribute__((visibility("default"))) enum MHD_Result MHD_queue_response(
	struct MHD_Connection *mhd, unsigned int http_status, struct MHD_Response *response)
{
	if (!http_loop_current)
		return library_queue_response()(mhd, http_status, response);
	http_answer_raw(http_loop_current, mhd, http_status);
	return MHD_NO;
}

/* ---- Our own answers ---- */

static void add_configured_headers(const struct http_server *server, struct MHD_Response *response)
{
	for (size_t i = 0; i < server->header_count; i++)
		MHD_add_response_header(response, server->headers[i].name.data,
		                        server->headers[i].value.data);
}

static struct MHD_Response *response_of(struct buffer *body)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback(body->length, body->data, free);

	assert(response);
	*body = (struct buffer){0};
	return response;
}

/* Its descriptor is libmicrohttpd's now. */
static struct MHD_Response *file_response(struct http_request *request)
{
	struct MHD_Response *response =
		MHD_create_response_from_fd64(request->answer_file_bytes, request->answer_fd);
	assert(response);
	request->answer_is_file = false;
	return response;
}

static struct MHD_Response *make_response(struct http_request *request)
{
	if (request->socket)
		return websocket_response(request->socket);
	if (request->stream)
		return http_stream_response(request);
	if (request->answer_is_file)
		return file_response(request);
	if (request->answer.length > 0)
		return response_of(&request->answer);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		request->answer_static.length, (void *)request->answer_static.data, MHD_RESPMEM_PERSISTENT);
	assert(response);
	return response;
}

void http_answer_send(struct http_request *request)
{
	struct http_server *server = request->loop->server;

	if (server->before_answer)
		server->before_answer(server->user, request, request->http_status);

	if (!request->socket && !request->stream)
		http_loop_sending(request->loop, request->connection,
		                  request->answer_is_file      ? request->answer_file_bytes
		                  : request->answer.length > 0 ? request->answer.length
		                                               : request->answer_static.length);
	struct MHD_Response *response = make_response(request);
	if (request->content_type)
		MHD_add_response_header(response, "Content-Type", request->content_type);
	MHD_add_response_header(response, "traceparent", request->trace.parent);
	add_configured_headers(server, response);
	for (struct http_added_header *at = request->added; at; at = at->next)
		MHD_add_response_header(response, at->name, at->value);
	if (request->loop->stopping && !request->socket)
		MHD_add_response_header(response, "Connection", "close");

	/* Before the call, in which a dead connection may be noticed and the request freed. */
	request->queued        = true;
	enum MHD_Result result = library_queue_response()(request->mhd, request->http_status, response);
	assert(result == MHD_YES);
	(void)result;
	MHD_destroy_response(response);
}

/* The answer of a suspended request has come to its loop. */
static void deliver(struct http_loop *loop, struct http_post *post)
{
	struct http_request *request =
		(struct http_request *)((char *)post - offsetof(struct http_request, post));

	http_count(&loop->suspended, -1);
	if (!request->mhd) {
		if (request->socket)
			websocket_never_opened(request->socket);
		http_request_free(request);
		return;
	}
	if (request->watched)
		http_request_unwatch(request);
	struct MHD_Connection *mhd    = request->mhd;
	bool                   parked = request->parked;
	loop->pending -= !parked;
	if (http_upload_holds(request)) {
		request->suspended = false;
		http_upload_answered(request);
		return;
	}
	http_answer_send(request); /* it may be gone after this */
	if (parked)
		MHD_resume_connection(mhd);
}

static void run_step(struct http_loop *loop, struct http_post *post)
{
	struct http_request *request =
		(struct http_request *)((char *)post - offsetof(struct http_request, post));
	(void)loop;
	request->step(request, request->step_context);
}

void http_go_on(struct http_request *request, http_step_fn *step, void *context)
{
	assert(request->suspended && !request->answered);
	request->step         = step;
	request->step_context = context;
	request->post.run     = run_step;
	http_loop_post(request->loop, &request->post);
}

void http_answer_ready(struct http_request *request, unsigned http_status)
{
	assert(!request->answered);
	assert(http_status >= 100 && http_status <= 599);

	request->answered    = true;
	request->http_status = http_status;
	/* The loop itself answers where a step has brought it here; in a handler it must wait until
	 * libmicrohttpd has returned. */
	if (request->step != NULL && http_loop_current == request->loop) {
		deliver(request->loop, &request->post);
		return;
	}
	if (request->suspended) {
		request->post.run = deliver;
		http_loop_post(request->loop, &request->post);
		return;
	}
	assert(http_loop_current == request->loop);
	if (http_upload_holds(request))
		return;
	/* It may have to wait for the next turn to be written. */
	request->loop->progress = true;
	http_answer_send(request);
}

static const char *copy_type(struct http_request *request, const char *content_type)
{
	return content_type ? arena_text(&request->arena, text_of(content_type)).data : NULL;
}

void http_respond(struct http_request *request, unsigned http_status, const char *content_type,
                  struct buffer *body)
{
	request->content_type = copy_type(request, content_type);
	if (body) {
		request->answer = *body;
		*body           = (struct buffer){0};
	}
	http_answer_ready(request, http_status);
}

void http_respond_static(struct http_request *request, unsigned http_status,
                         const char *content_type, struct text body)
{
	request->content_type  = copy_type(request, content_type);
	request->answer_static = body;
	http_answer_ready(request, http_status);
}

void http_respond_file(struct http_request *request, unsigned http_status, const char *content_type,
                       int fd, uint64_t length)
{
	request->content_type      = copy_type(request, content_type);
	request->answer_is_file    = true;
	request->answer_fd         = fd;
	request->answer_file_bytes = length;
	http_answer_ready(request, http_status);
}

void http_respond_error(struct http_request *request, unsigned http_status, const struct error *err)
{
	struct http_server *server = request->loop->server;
	struct buffer       body   = {0};

	server->error_body(server->user, http_status, err, request->trace.id, &body);
	http_respond(request, http_status, "application/json", &body);
}

void http_answer_refuse(struct http_request *request)
{
	if (request->refusal->http_status == 405)
		http_add_header(request, "Allow", text_of(request->matched.allow));
	http_respond_error(request, request->refusal->http_status, &request->refusal->error);
}

/* A header's value ends at its line: what would begin another header becomes a space. */
static const char *copy_clean(struct arena *arena, struct text text)
{
	char *copy = (char *)arena_text(arena, text).data;

	for (size_t i = 0; i < text.length; i++)
		if (copy[i] == '\r' || copy[i] == '\n' || copy[i] == '\0' || copy[i] == '\t')
			copy[i] = ' ';
	return copy;
}

void http_add_header(struct http_request *request, const char *name, struct text value)
{
	struct http_added_header *header = ARENA_NEW(&request->arena, struct http_added_header);

	header->name        = copy_clean(&request->arena, text_of(name));
	header->value       = copy_clean(&request->arena, value);
	*request->added_end = header;
	request->added_end  = &header->next;
}

void http_set_header(struct http_request *request, const char *name, struct text value)
{
	for (struct http_added_header *at = request->added; at; at = at->next)
		if (strcmp(at->name, name) == 0) {
			at->value = copy_clean(&request->arena, value);
			return;
		}
	http_add_header(request, name, value);
}

bool http_header_added(const struct http_request *request, const char *name)
{
	for (struct http_added_header *at = request->added; at; at = at->next)
		if (strcmp(at->name, name) == 0)
			return true;
	return false;
}
