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

struct workspace_config {
	/* Outlive it; those of HTTP and of the process (`listen`, `log-level`, …) are not looked at. */
	const struct serve_settings *settings;
	unsigned                     loop_count; /* of the HTTP server that will serve it */

	/* Of another workspace than home; all outlive it. */
	const char *id;          /* NULL: made with the data */
	const char *code;        /* api.h; NULL: home */
	const char *path_prefix; /* api.h */
	void (*released)(void *context, bool used);
	void                     *released_context;
	const struct access_host *host; /* sessions of home's people ask it; NULL: there are none */

	/* Of home; NULL: there is only itself. */
	const struct api_workspaces *workspaces;
};

/* Starts everything; the engine replays. Whatever fails is undone. */
MUST_USE enum status workspace_start(const struct workspace_config *config,
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

struct store  *workspace_store(struct workspace *workspace);
struct access *workspace_access(struct workspace *workspace);

/* When it next has something to do without being asked: 0 now (a job is not finished), else the
 * next instant of a schedule, or INSTANT_MS_NEVER. Asks the store. */
int64_t workspace_due_ms(struct workspace *workspace);

/* What it may hold, in place of the settings' limit, from now on. */
void workspace_limit(struct workspace *workspace, uint64_t memory_bytes, uint64_t profiles);

/* Whether its disk is used up as far as it may be: collection is refused while it is. */
void workspace_note_disk(struct workspace *workspace, bool used_up);

/* Into its audit trail, of the system. */
void workspace_note(struct workspace *workspace, const char *action, const char *details);

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
