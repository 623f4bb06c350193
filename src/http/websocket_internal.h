#ifndef SONNIM_HTTP_WEBSOCKET_INTERNAL_H
#define SONNIM_HTTP_WEBSOCKET_INTERNAL_H

/* What the three files of a WebSocket share: websocket_handshake.c makes it, websocket_queue.c is
 * its side towards all threads, websocket.c its side towards the wire. */

#include <pthread.h>
#include <stdatomic.h>
#include <wslay/wslay.h>

#include "http/server_internal.h"
#include "http/websocket.h"

enum {
	WEBSOCKET_ACCEPT_BYTES     = 28, /* base64 of 20 bytes */
	WEBSOCKET_REASON_BYTES_MAX = 123,
};

struct websocket_message {
	struct websocket_message *next;
	bool                      is_state;
	uint64_t                  key;
	size_t                    length;
	char                      data[];
};

enum websocket_phase {
	PHASE_OPENING,   /* accepted, the handshake is not sent yet */
	PHASE_OPEN,      /* until both close frames went over the wire */
	PHASE_LINGERING, /* on_close was called; the peer shall have time to read our close frame */
	PHASE_OVER,
};

struct websocket {
	struct http_post         post;
	struct http_watch        watch;
	atomic_uint              references;
	struct http_loop        *loop; /* may be gone when closed */
	unsigned                 loop_index;
	struct websocket_options options;
	void                    *owner; /* the request's, once it is open */
	http_release_fn         *release;
	char                     trace_id[TRACE_ID_BYTES];
	char                     accept[WEBSOCKET_ACCEPT_BYTES + 1];

	/* The loop's. */
	struct websocket                 *older;
	struct websocket                 *newer;
	enum websocket_phase              phase;
	int                               fd;
	struct MHD_UpgradeResponseHandle *upgrade;
	wslay_event_context_ptr           frames;
	struct buffer                     early; /* came right behind the handshake */
	size_t                            early_read;
	struct buffer                     out;
	size_t                            out_sent;
	size_t                            in_left; /* before it is the others' turn */
	uint32_t                          watched;
	int64_t                           heard_ms;
	int64_t                           full_ns; /* when the client may send its most again */
	int64_t                           pinged_ms;
	int64_t                           due_ms; /* of the peer's close; 0: none */
	bool                              close_queued;
	bool                              lost;   /* the connection */
	bool                              broken; /* the peer sent what is no frame */

	/* Everybody's. */
	pthread_mutex_t            lock;
	struct websocket_message  *queue;
	struct websocket_message **queue_end;
	unsigned                   queue_count;
	size_t                     queue_bytes;
	unsigned                   close_code; /* 0: not asked to */
	char                       close_reason[WEBSOCKET_REASON_BYTES_MAX + 1];
	bool                       posted;
	bool                       closed;
};

/* Under the lock: whether the caller must post the socket to its loop, once the lock is free. The
 * post holds a reference. */
bool websocket_must_post(struct websocket *socket);
void websocket_clear_queue(struct websocket *socket); /* under the lock */

/* The oldest message, out of the queue; free() it. NULL: none. */
struct websocket_message *websocket_take_queued(struct websocket *socket);

/* What a post does: sends what is queued. */
void websocket_flush(struct http_loop *loop, struct http_post *post);

#endif
