#ifndef SONNIM_APP_WORKSPACE_H
#define SONNIM_APP_WORKSPACE_H

/* One workspace: everything that belongs to one customer of the platform, wired together, from the
 * lock of its data to its api. It knows nothing of sockets and of other workspaces.
 *
 *   lock of the data ─► store ─► row ─► journal ─► vault ─► audit ─► access ─► engine ─► ingest
 *                                                                  (replays)        ─► api
 *   … replayed ─► vault knows the slots in use ─► definitions ─► open
 *
 * Only here is it known which backend runs. One thread at a time starts, opens and ends it; what is
 * asked of its api in between is its api's own matter. */

#include "access/people.h"
#include "api/api.h"
#include "app/serve_settings.h"

struct workspace;

/* Starts everything; the engine replays. Whatever fails is undone. `settings` outlive it; those of
 * HTTP and of the process (`listen`, `log-level`, …) are not looked at. `loop_count`: of the HTTP
 * server that will serve it. */
MUST_USE enum status workspace_start(const struct serve_settings *settings, unsigned loop_count,
                                     struct workspace **ret_workspace, struct error *err);

/* Whether the engine has replayed; STATUS_AGAIN: not yet; else why it cannot go on. */
MUST_USE enum status workspace_replayed(struct workspace *workspace, struct error *err);

/* Opens for everything once replayed, and makes the first token and source of new data:
 * `token` and `write_key` are empty when there were some already. */
struct workspace_first {
	char token[API_TOKEN_TEXT_BYTES];
	char write_key[API_WRITE_KEY_BYTES];
	char setup[INVITATION_TEXT_BYTES]; /* of the first person; empty: none */
};
MUST_USE enum status workspace_open(struct workspace *workspace, struct workspace_first *ret_first,
                                    struct error *err);

struct api *workspace_api(struct workspace *workspace);
const char *workspace_directory(const struct workspace *workspace); /* the data's real path */

/* Tells the engine what others take of its memory, `bytes` besides what the workspace itself knows
 * of: to be called some times a second. `exhausted`: the machine has no more. */
void workspace_watch_memory(struct workspace *workspace, uint64_t bytes, bool exhausted);

/* Takes over what is `live` of its settings, which the caller has changed since. */
void workspace_reload(struct workspace *workspace);

/* What is in flight is answered, everything is synced and closed; whoever asks its api is refused
 * from then on. `why`: the action and details of the last record of its audit trail, NULL when it
 * has never been of use to anybody. */
struct workspace_end {
	const char *action;
	const char *details; /* JSON */
};
void workspace_stop(struct workspace *workspace, const struct workspace_end *why);

/* When nobody holds a request of it any more. NULL is fine. */
void workspace_free(struct workspace *workspace);

#endif
