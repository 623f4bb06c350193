#ifndef SONNIM_APP_SERVER_H
#define SONNIM_APP_SERVER_H

/* The embedded profile: a workspace with all its parts (workspace/workspace.h) and HTTP in one
 * process. HTTP answers from the first moment: 503 for what needs more until it is open. */

#include "app/process/sockets.h"
#include "app/serve_settings.h"
#include "app/workspace/workspace.h"

struct server;

/* Starts everything but HTTP; the engine replays. Whatever fails is undone. Both arguments outlive
 * the server; the sockets that were passed to this process are used instead of binding one. */
MUST_USE enum status server_start(const struct serve_settings *settings,
                                  const struct sockets *sockets, struct server **ret_server,
                                  struct error *err);

/* Starts HTTP, once: 503 for what needs more until server_open(). STATUS_IO: the address is taken,
 * STATUS_INVALID: it is none. */
MUST_USE enum status server_accept(struct server *server, struct error *err);
bool                 server_accepts(const struct server *server);

/* Copies of the sockets that it listens on, for a successor. */
void server_sockets(const struct server *server, struct sockets *ret_sockets);

/* Whether the engine has replayed; STATUS_AGAIN: not yet; else why it cannot go on. */
MUST_USE enum status server_replayed(struct server *server, struct error *err);

/* Opens for everything once replayed: workspace_open(). */
MUST_USE enum status server_open(struct server *server, struct workspace_first *ret_first,
                                 struct error *err);

const char *server_address(const struct server *server);   /* once it accepts */
const char *server_directory(const struct server *server); /* the data's real path */

/* Tells the engine what the rest of the process takes of memory, and looks whether certificates
 * have changed: to be called some times a second. */
void server_watch(struct server *server);

/* Takes over what is `live` of the settings that it was started with, which the caller has changed
 * since: limits of HTTP, memory and the journal's keeping, and the level of the log. */
void server_reload(struct server *server);

/* What is in flight is answered, everything is synced and closed. `outlived`: another process goes
 * on with the sockets, and nobody is turned away (http_server_retire()). NULL is fine. */
void server_stop(struct server *server, bool outlived);

#endif
