#ifndef SONNIM_API_DEBUGGER_H
#define SONNIM_API_DEBUGGER_H

/* The newest events of a source, as they come: by GET, and over WebSockets.
 *
 *   ring (ingest/debug.h) ── each DEBUGGER_INTERVAL_MS, while somebody watches ──► own thread
 *                                        └──► {"events":[new ones],"as_of":…} to each watcher
 *
 * The first message of a socket holds the newest there are. A reader that is slow misses some
 * (numbers have gaps) and never gets a queue of old ones. Personal values are "***" for who lacks
 * pii.read: those that are personal by their name, wherever it stands, texts longer than
 * PERSONAL_TEXT_BYTES_MAX, and texts with an "@"; names that the workspace's classes seal, too.
 * Threads: any. */

#include "api/api.h"
#include "base/json.h"
#include "http/websocket.h"
#include "ingest/debug.h"
#include "model/classes.h"

enum {
	DEBUGGER_INTERVAL_MS  = 200,
	DEBUGGER_WATCHERS_MAX = 200,
	DEBUGGER_DEPTH_MAX    = 64, /* what is nested deeper is left out */
};

struct source;
struct debugger;
struct debug_watcher;

struct debugger *debugger_new(struct journal *journal, struct ingest *ingest);
void             debugger_stop(struct debugger *debugger); /* ends its thread; sockets stay */
void             debugger_free(struct debugger *debugger); /* when the sockets are gone */

struct debug_watcher *debug_watcher_new(struct debugger *debugger, struct source *source,
                                        bool personal);
void                  debug_watcher_free(struct debug_watcher *watcher); /* no socket came of it */
void                  debug_watcher_open(struct websocket *socket, void *user);
void                  debug_watcher_close(struct websocket *socket, unsigned code, void *user);

/* Writes one; personal values in clear when `personal`. `classes`: the workspace's. */
void debug_event_write(struct json_writer *writer, struct json_parser *parser,
                       const struct debug_event *event, bool personal,
                       const struct classes *classes);

#endif
