#ifndef SONNIM_API_AUDIENCE_LIVE_H
#define SONNIM_API_AUDIENCE_LIVE_H

/* Who watches audiences over /ws/audiences, and what they are told (docs/audiences.md).
 *
 *   subscribe ─► id ─┬─ live, its segment is Live ──► api/stream/live.h: counts of its changes
 *                    └─ any other ──► watched ◄── own thread: calculated anew when data came or
 *                                        │        time has passed, once for all who watch it
 *                                        └──► sockets
 *
 * A subscriber is told the size that differs from what he was told before, exact at `as_of`. One
 * that has not taken the last message yet is passed over until it has: it gets the newest state and
 * never a queue. An audience is calculated again `audience-live` after the last time at the
 * earliest, and so that at most a tenth of the time is spent on it; without new data only after
 * `audience-live-idle`. Threads: any. */

#include "api/audience/audiences.h"
#include "http/websocket.h"

enum {
	AUDIENCE_LIVE_TICK_MS = 100,
	AUDIENCE_LIVE_MAX     = 1000,  /* audiences that are calculated for watchers */
	AUDIENCE_WATCHERS_MAX = 10000, /* of them, all together */
	AUDIENCE_WATCHES_MAX  = 50,    /* of one socket */
};

struct audience_live *audience_live_new(struct audiences *audiences);
void audience_live_stop(struct audience_live *live); /* ends its thread; sockets stay */
void audience_live_free(struct audience_live *live); /* when sockets are gone; NULL is fine */

/* One socket's interest in one audience. */
struct audience_watch;

/* From here on the socket, of which a reference is taken, is told. STATUS_LIMITED: there are too
 * many. */
MUST_USE enum status audience_watch_new(struct audience_live *live, const struct audience *audience,
                                        struct websocket *socket, struct audience_watch **ret_watch,
                                        struct error *err);
/* Nothing is told any more. */
void audience_watch_free(struct audience_watch *watch);

struct audience_live_status {
	uint64_t audiences; /* calculated for watchers */
	uint64_t watchers;
	uint64_t calculated; /* times, since start */
};
void audience_live_status(struct audience_live *live, struct audience_live_status *ret_status);

#endif
