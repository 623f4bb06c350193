#ifndef SONNIM_APP_DIRECTORY_H
#define SONNIM_APP_DIRECTORY_H

/* The other workspaces of a server: which there are, which of them run, and how they come and go.
 *
 *   DATA/                        KEYRING/                  the home workspace, always open
 *   DATA/workspaces/<id>/        KEYRING/workspaces/<id>/  another: data and keys of its own, and
 *                                                          BACKUP/workspaces/<id>/
 *
 *              first request, or due         held by nobody for --workspace-idle
 *   closed ─────────────► opening ─────► open ─────────────► closing ─────► closed
 *                            └─► failed (asked for again DIRECTORY_FAILED_MS later)
 *
 * The list lies in home's store. A workspace opens on a thread of its own, while requests for it
 * wait, DIRECTORY_WAIT_MS at most. Whoever uses it holds it: requests until nothing is left of
 * them, WebSockets until they are closed. What it has to do by itself is never missed: before it is
 * closed its next due instant is written down (workspace_due_ms()), and then it is opened; one that
 * was open when the server was killed is opened with the next start.
 *
 * At most --workspaces-open-max run at a time; the memory that they may hold is taken from that of
 * home, DIRECTORY_SHARE_PERCENT of --memory-limit at most. When there is no room, the one that was
 * used longest ago is closed, if nobody holds it; else who asks gets 503.
 *
 * Created: row "creating", directories, first open, row "active". Deleted: row "deleting", nobody
 * finds it any more, closed, keys overwritten and removed, directories removed, row removed. A
 * start removes what it finds "creating" or "deleting", before it answers anything.
 *
 * Threads: any; one keeper of its own. */

#include "app/workspace/workspace.h"

enum {
	DIRECTORY_WAIT_MS       = 5 * 1000,
	DIRECTORY_FAILED_MS     = 5 * 1000,
	DIRECTORY_WAITING_MAX   = 1000, /* requests for one that is not open; then 503 */
	DIRECTORY_SHARE_PERCENT = 50,
};

struct directory;

/* Settings and limits by address are the server's, and outlive it. */
struct directory *directory_new(const struct serve_settings *settings, struct limits *limits,
                                unsigned loop_count);

/* What home's api is told of it; lives with the directory. */
const struct api_workspaces *directory_face(struct directory *directory);

/* Once home has started: reads the list, and removes what was to be removed. */
MUST_USE enum status directory_load(struct directory *directory, struct workspace *home,
                                    struct error *err);

/* Once home is open: opens what is due, and whoever asks. */
void directory_open(struct directory *directory);

void directory_set_server(struct directory *directory, struct http_server *http);

/* What is live of the settings has changed. */
void directory_reload(struct directory *directory);

/* Stops all but home; nobody gets in any more. Before home stops. NULL is fine. */
void directory_stop(struct directory *directory);
/* Behind the end of HTTP, before home is freed. NULL is fine. */
void directory_free(struct directory *directory);

#endif
