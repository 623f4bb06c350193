/* Answers that are made while they are sent. */

#include <assert.h>
#include <stdlib.h>

#include "http/server_internal.h"

/* Of the producer, of libmicrohttpd's answer, and of a posted wake-up: the last one frees. */
struct http_stream {
	pthread_mutex_t         lock;
	pthread_cond_t          drained;
	struct http_loop       *loop;
	struct MHD_Connection  *mhd; /* the loop's, until `gone` */
	struct buffer           waiting;
	size_t                  sent; /* of `waiting` */
	unsigned                refs;
	bool                    ended; /* nothing more comes */
	bool                    whole;
	bool                    gone; /* nobody takes it any more */
	struct http_connection *connection;
	bool                    parked; /* the connection waits for more */
	bool                    posted;
	struct http_post        post;
};

enum { BLOCK_BYTES = 64 << 10 };

/* With the lock, which it gives back. */
static void unref(struct http_stream *stream)
{
	bool last = --stream->refs == 0;
	pthread_mutex_unlock(&stream->lock);
	if (!last)
		return;
	buffer_done(&stream->waiting);
	pthread_mutex_destroy(&stream->lock);
	pthread_cond_destroy(&stream->drained);
	free(stream);
}

/* ---- On the loop ---- */

static ssize_t give(void *context, uint64_t position, char *into, size_t room)
{
	struct http_stream *stream = context;
	(void)position;
	pthread_mutex_lock(&stream->lock);
	size_t  left  = stream->waiting.length - stream->sent;
	ssize_t given = (ssize_t)(left < room ? left : room);
	if (given > 0) {
		memcpy(into, stream->waiting.data + stream->sent, (size_t)given);
		stream->sent += (size_t)given;
	} else if (stream->ended) {
		given =
			stream->whole ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
	} else {
		stream->parked = true;
	}
	if (given > 0 && stream->sent == stream->waiting.length) {
		buffer_clear(&stream->waiting);
		stream->sent = 0;
		pthread_cond_signal(&stream->drained);
	}
	pthread_mutex_unlock(&stream->lock);
	/* A block is to be taken in its time; what the producer takes is no fault of the client. */
	if (given > 0)
		http_loop_sending(stream->loop, stream->connection, (uint64_t)given);
	else if (given == 0)
		http_enter(stream->loop, stream->connection, HTTP_PHASE_ANSWERING);
	/* It is resumed on this very thread, so not before. */
	if (given == 0)
		MHD_suspend_connection(stream->mhd);
	return given;
}

static void leave(void *context)
{
	struct http_stream *stream = context;
	pthread_mutex_lock(&stream->lock);
	stream->gone = true;
	pthread_cond_signal(&stream->drained);
	unref(stream);
}

static void resume(struct http_loop *loop, struct http_post *post)
{
	struct http_stream *stream =
		(struct http_stream *)((char *)post - offsetof(struct http_stream, post));
	(void)loop;
	pthread_mutex_lock(&stream->lock);
	bool waits     = stream->parked && !stream->gone;
	stream->parked = false;
	stream->posted = false;
	if (waits)
		MHD_resume_connection(stream->mhd);
	unref(stream);
}

struct MHD_Response *http_stream_response(struct http_request *request)
{
	struct http_stream *stream = request->stream;
	request->stream            = NULL;
	stream->mhd                = request->mhd;
	stream->connection         = request->connection;
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, give, stream, leave);
	assert(response);
	return response;
}

void http_stream_drop(struct http_request *request)
{
	if (request->stream)
		leave(request->stream);
	request->stream = NULL;
}

/* ---- The producer's ---- */

struct http_stream *http_respond_stream(struct http_request *request, unsigned http_status,
                                        const char *content_type)
{
	struct http_stream *stream = calloc(1, sizeof *stream);
	assert(stream);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->drained, NULL);
	stream->loop     = request->loop;
	stream->refs     = 2;
	stream->post.run = resume;
	request->stream  = stream;
	if (content_type != NULL)
		request->content_type = arena_text(&request->arena, text_of(content_type)).data;
	http_answer_ready(request, http_status);
	return stream;
}

/* With the lock: the connection goes on, if it waits. True: it is to be posted. */
static bool wants_wake(struct http_stream *stream)
{
	if (!stream->parked || stream->posted || stream->gone)
		return false;
	stream->posted = true;
	stream->refs++;
	return true;
}

bool http_stream_write(struct http_stream *stream, struct buffer *bytes)
{
	pthread_mutex_lock(&stream->lock);
	assert(!stream->ended);
	while (stream->waiting.length > 0 && !stream->gone)
		pthread_cond_wait(&stream->drained, &stream->lock);
	bool taken = !stream->gone;
	bool wake  = false;
	if (taken && bytes->length > 0) {
		struct buffer empty = stream->waiting;
		stream->waiting     = *bytes;
		*bytes              = empty; /* to be filled again */
		wake                = wants_wake(stream);
	}
	buffer_clear(bytes);
	pthread_mutex_unlock(&stream->lock);
	if (wake)
		http_loop_post(stream->loop, &stream->post);
	return taken;
}

void http_stream_end(struct http_stream *stream, bool whole)
{
	pthread_mutex_lock(&stream->lock);
	stream->ended = true;
	stream->whole = whole;
	bool wake     = wants_wake(stream);
	pthread_mutex_unlock(&stream->lock);
	/* The producer's reference keeps it until here. */
	if (wake)
		http_loop_post(stream->loop, &stream->post);
	pthread_mutex_lock(&stream->lock);
	unref(stream);
}
