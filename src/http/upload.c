#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/server_internal.h"

/* A body that goes to a file:
 *
 *   headers ─► handler ─► suspended … http_receive() ─► pieces ─► buffer ─► writer's thread ─► file
 *                 └► answered at once: the body is dropped             ▲              │
 *                                                                      └── full: the connection is
 *                                                                          not read until written
 *
 * The loop never writes: what a disk takes long for holds up this connection alone. One buffer an
 * upload, so that a client is read as fast as the disk writes. */

enum upload_phase {
	UPLOAD_NEW,     /* the handler was not asked yet */
	UPLOAD_ASKED,   /* it has not said what to do */
	UPLOAD_OPEN,    /* pieces go to the buffer */
	UPLOAD_WRITING, /* the buffer is the writer's */
	UPLOAD_OVER,    /* `received` was called, or is not wanted */
};

struct http_upload {
	struct http_request *request;
	struct http_post     post; /* to the loop */
	struct http_upload  *next; /* in the writer's queue */
	enum upload_phase    phase;
	bool                 parked; /* libmicrohttpd does not read it */

	int               fd;
	uint64_t          bytes_max;
	uint64_t          bytes;
	http_received_fn *received;
	void             *context;

	char  *buffer;
	size_t length;
	int    write_error; /* errno; 0: written */
};

/* ---- The writer ---- */

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static void written(struct http_loop *loop, struct http_post *post);

static void *run_writer(void *argument)
{
	struct http_writer *writer = argument;
	pthread_mutex_lock(&writer->lock);
	for (;;) {
		struct http_upload *upload = writer->oldest;
		if (upload == NULL && writer->stopping)
			break;
		if (upload == NULL) {
			pthread_cond_wait(&writer->wake, &writer->lock);
			continue;
		}
		writer->oldest = upload->next;
		if (writer->oldest == NULL)
			writer->newest = NULL;
		pthread_mutex_unlock(&writer->lock);
		upload->write_error = write_all(upload->fd, upload->buffer, upload->length);
		upload->post.run    = written;
		http_loop_post(upload->request->loop, &upload->post);
		pthread_mutex_lock(&writer->lock);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

enum status http_writer_start(struct http_writer *writer, struct error *err)
{
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	int result = pthread_create(&writer->thread, NULL, run_writer, writer);
	if (result != 0)
		return error_set_errno(err, STATUS_IO, result, "cannot start a thread that writes");
	writer->started = true;
	return STATUS_OK;
}

void http_writer_stop(struct http_writer *writer)
{
	if (!writer->started)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	writer->started = false;
}

static void give_to_writer(struct http_upload *upload)
{
	struct http_writer *writer = &upload->request->loop->server->writer;
	upload->phase              = UPLOAD_WRITING;
	upload->next               = NULL;
	pthread_mutex_lock(&writer->lock);
	if (writer->newest != NULL)
		writer->newest->next = upload;
	else
		writer->oldest = upload;
	writer->newest = upload;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

/* ---- On the loop ---- */

/* The connection waits, without a deadline: it is not its client who is slow. */
static void park(struct http_upload *upload)
{
	struct http_request *request = upload->request;
	if (upload->parked)
		return;
	upload->parked = true;
	http_enter(request->loop, request->connection, HTTP_PHASE_ANSWERING);
	MHD_suspend_connection(request->mhd);
}

static void unpark(struct http_upload *upload)
{
	struct http_request *request = upload->request;
	if (!upload->parked)
		return;
	upload->parked = false;
	http_enter(request->loop, request->connection, HTTP_PHASE_RECEIVING);
	MHD_resume_connection(request->mhd);
	request->loop->progress = true;
}

/* Tells the handler. What still comes of the body is dropped. */
static void finish(struct http_upload *upload, enum status status, const struct error *err)
{
	struct http_request *request = upload->request;
	upload->phase                = UPLOAD_OVER;
	http_count(&request->loop->uploads, -1);
	free(upload->buffer);
	upload->buffer = NULL;
	upload->received(request, upload->context, status, upload->bytes, err);
}

static void too_large(struct http_upload *upload)
{
	struct error err;
	enum status  status = error_set(&err, STATUS_TOO_LARGE, "the body is larger than %llu bytes",
	                                (unsigned long long)upload->bytes_max);
	finish(upload, status, &err);
}

static void client_gone(struct http_upload *upload)
{
	struct error err;
	enum status  status = error_set(&err, STATUS_UNAVAILABLE, "the client ended within the body");
	finish(upload, status, &err);
}

static void write_failed(struct http_upload *upload)
{
	struct error err;
	bool         full   = upload->write_error == ENOSPC || upload->write_error == EDQUOT;
	enum status  status = error_set_errno(&err, full ? STATUS_NO_SPACE : STATUS_IO,
	                                      upload->write_error, "cannot write the body");
	finish(upload, status, &err);
}

static void written(struct http_loop *loop, struct http_post *post)
{
	struct http_upload *upload =
		(struct http_upload *)((char *)post - offsetof(struct http_upload, post));
	(void)loop;
	upload->length = 0;
	upload->phase  = UPLOAD_OPEN;
	unpark(upload);
	if (upload->write_error != 0)
		write_failed(upload);
}

static void opened(struct http_loop *loop, struct http_post *post)
{
	struct http_upload *upload =
		(struct http_upload *)((char *)post - offsetof(struct http_upload, post));
	http_count(&loop->uploads, 1);
	upload->phase  = UPLOAD_OPEN;
	upload->buffer = malloc(HTTP_UPLOAD_BUFFER_BYTES);
	assert(upload->buffer);
	if (upload->request->mhd == NULL) {
		client_gone(upload);
		return;
	}
	unpark(upload);
	if (upload->request->body_announced > upload->bytes_max)
		too_large(upload);
}

void http_receive(struct http_request *request, int fd, uint64_t bytes_max,
                  http_received_fn *received, void *context)
{
	struct http_upload *upload = request->upload;
	assert(upload != NULL && upload->phase == UPLOAD_ASKED);
	assert(request->suspended && !request->answered);
	upload->fd        = fd;
	upload->bytes_max = bytes_max;
	upload->received  = received;
	upload->context   = context;
	upload->post.run  = opened;
	http_loop_post(request->loop, &upload->post);
}

/* ---- What libmicrohttpd brings ---- */

void http_upload_begin(struct http_request *request)
{
	request->upload          = ARENA_NEW(&request->arena, struct http_upload);
	request->upload->request = request;
	/* Who waits for our consent has not sent anything: an answer may still go out at once. */
	if (request->expects_continue)
		http_upload_ask(request);
	request->body_begun = true;
}

void http_upload_ask(struct http_request *request)
{
	const struct http_route *route = request->matched.route;
	if (request->upload->phase != UPLOAD_NEW)
		return;
	request->upload->phase = UPLOAD_ASKED;
	route->handler(request, route->user);
	assert(request->suspended || request->answered);
}

/* As much as there is room for; the rest is offered again. */
static void take(struct http_upload *upload, const char *data, size_t *length)
{
	struct http_request *request = upload->request;
	size_t               room    = HTTP_UPLOAD_BUFFER_BYTES - upload->length;
	size_t               count   = *length < room ? *length : room;
	if (upload->bytes + count > upload->bytes_max) {
		too_large(upload);
		return;
	}
	memcpy(upload->buffer + upload->length, data, count);
	upload->length += count;
	upload->bytes += count;
	*length -= count;
	/* As long as something moves, it may take as long as it takes. */
	http_enter(request->loop, request->connection, HTTP_PHASE_RECEIVING);
	request->loop->progress = true;
	if (upload->length == HTTP_UPLOAD_BUFFER_BYTES) {
		give_to_writer(upload);
		park(upload);
	}
}

/* A client that sends more than is worth reading gets its answer right away. */
static bool drop(struct http_request *request, size_t *length)
{
	request->body_dropped += *length;
	*length = 0;
	if (request->body_dropped <= HTTP_DRAIN_BYTES_MAX)
		return true;
	http_answer_early(request);
	return false;
}

static void take_end(struct http_upload *upload)
{
	if (upload->length > 0) {
		give_to_writer(upload);
		park(upload);
		return;
	}
	upload->request->body_ended = true;
	finish(upload, STATUS_OK, NULL);
}

bool http_upload_take(struct http_request *request, const char *data, size_t *length)
{
	struct http_upload *upload = request->upload;
	bool                end    = *length == 0;
	http_upload_ask(request);
	/* While it is suspended the answer is another thread's. */
	if (!request->suspended && request->answered) {
		request->body_ended = end;
		return drop(request, length);
	}
	if (upload->phase == UPLOAD_OPEN && end)
		take_end(upload);
	else if (upload->phase == UPLOAD_OPEN)
		take(upload, data, length);
	else
		park(upload); /* what comes now waits, too, for the answer to what went wrong */
	return true;
}

void http_upload_answered(struct http_request *request) { unpark(request->upload); }

void http_upload_gone(struct http_request *request)
{
	request->body_ended = true;
	if (request->upload->phase == UPLOAD_OPEN)
		client_gone(request->upload);
}
