#ifndef SONNIM_APP_SERVER_H
#define SONNIM_APP_SERVER_H

/* The embedded profile: all parts in one process, wired together.
 *
 *   lock of the data ─► store ─► workspace ─► journal ─► vault ─► engine ─► ingest ─► api ─► HTTP
 *                                                        (replays)            (503 until then)
 *   … replayed ─► vault knows the slots in use ─► definitions ─► ready
 *
 * Only here is it known which backend runs. */

#include "app/serve_settings.h"

struct server;

/* Starts everything up to HTTP; the engine replays. Whatever fails is undone. */
MUST_USE enum status server_start(const struct serve_settings *settings, struct server **ret_server,
                                  struct error *err);

/* Whether the engine has replayed; STATUS_AGAIN: not yet; else why it cannot go on. */
MUST_USE enum status server_replayed(struct server *server, struct error *err);

/* Opens for everything once replayed, and makes the first token and source of a new workspace:
 * `first_token` and `first_write_key` are empty when there were some already. */
struct server_first {
	char token[64];
	char write_key[40];
};
MUST_USE enum status server_open(struct server *server, struct server_first *ret_first,
                                 struct error *err);

const char *server_address(const struct server *server);

/* Tells the engine what the rest of the process takes of memory: to be called some times a
 * second. */
void server_watch_memory(struct server *server);

/* What is in flight is answered, everything is synced and closed. NULL is fine. */
void server_stop(struct server *server);

#endif
