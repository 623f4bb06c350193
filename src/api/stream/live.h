#ifndef SONNIM_API_LIVE_H
#define SONNIM_API_LIVE_H

/* Who watches segments and users over WebSockets, and what they are told.
 *
 *   partition threads ── changes ──► marks, queue ──► own thread ──► WebSockets
 *                                                        │  ▲
 *                                                        └──┘ one engine_read for all changed
 *                                                             segments, each LIVE_INTERVAL_MS
 *
 * A segment's watcher gets its size: exact at `as_of`, and `delta` to what this watcher was told
 * before. A reader that has not taken the last message yet is passed over until it has: it gets the
 * newest state and never a queue. A user's watcher gets a snapshot, then every change behind it.
 * Threads: any, but for what says otherwise. */

#include "http/websocket.h"
#include "model/person.h"

enum {
	LIVE_INTERVAL_MS = 100,
	LIVE_QUEUE_MAX = 65536, /* changes of watched users that wait; then their sockets are closed */
	LIVE_WATCHERS_MAX = 10000,
};

struct api;
struct live;

struct live *live_new(struct api *api);    /* listens to the engine from here on */
void         live_stop(struct live *live); /* ends its thread; sockets stay */
void         live_free(struct live *live); /* when engine and sockets are gone; NULL is fine */

/* One socket's interest. It is given to websocket_accept() as `user` with the two callbacks. */
struct watcher;
struct watcher *watcher_of_segment(struct live *live, uint32_t segment, struct text id);
struct watcher *watcher_of_user(struct live *live, struct person person, bool identified,
                                struct text id);
void            watcher_free(struct watcher *watcher); /* when no socket came of it */
void            watcher_open(struct websocket *socket, void *user);
void            watcher_close(struct websocket *socket, unsigned code, void *user);

#endif
