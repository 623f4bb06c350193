#ifndef SONNIM_API_JOB_LIVE_H
#define SONNIM_API_JOB_LIVE_H

/* Who watches background jobs over WebSockets.
 *
 *   runner ── ids of jobs that changed ──► set ──► own thread, each JOB_LIVE_INTERVAL_MS at most
 *                                                    │ reads them and writes each once
 *                                                    └──► WebSockets
 *
 * A watcher of one job gets {"job":…,"as_of":…}, at once and whenever it changes; a watcher of all
 * gets {"jobs":[the newest],"as_of":…} first and then the same messages. A reader that is slow gets
 * the newest state of each job and never a queue of old ones.
 * Threads: any, but for what says otherwise. */

#include "http/websocket.h"
#include "store/store.h"

enum {
	JOB_LIVE_INTERVAL_MS  = 100,
	JOB_LIVE_CHANGED_MAX  = 1024, /* jobs that changed within an interval; then all are told anew */
	JOB_LIVE_SNAPSHOT_MAX = 100,  /* jobs in the first message */
	JOB_LIVE_WATCHERS_MAX = 1000,
};

struct api;
struct job_live;
struct job_watcher;

struct job_live *job_live_new(struct api *api);        /* listens to the runner from here on */
void             job_live_stop(struct job_live *live); /* ends its thread; sockets stay */
void             job_live_free(struct job_live *live); /* when runner and sockets are gone */

/* One socket's interest: of the job `id`, or of all when it is NULL. */
struct job_watcher *job_watcher_new(struct job_live *live, const char *id);
void                job_watcher_free(struct job_watcher *watcher); /* when no socket came of it */
void                job_watcher_open(struct websocket *socket, void *user);
void                job_watcher_close(struct websocket *socket, unsigned code, void *user);

#endif
