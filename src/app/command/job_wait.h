#ifndef SONNIM_APP_JOB_WAIT_H
#define SONNIM_APP_JOB_WAIT_H

/* Waits for a job of the server, with a bar on the standard error while that is a terminal: what
 * `sonnim import`, `export` and `backup` share. */

#include "app/client.h"

/* Until it is done, failed or cancelled; then `client->answer` is the job. A server that does not
 * answer (it restarts, the job goes on) is asked again for `retry_ms`; then it is said how to go
 * on. */
enum exit_code job_wait(struct client *client, const char *id, int64_t retry_ms);

/* Asks once, at `path`. EXIT_DONE with nothing in `client->answer`: the server does not answer, but
 * for less than `retry_ms`, since `*lost_ms` (INSTANT_MS_NONE at first). */
enum exit_code job_poll(struct client *client, const char *path, int64_t *lost_ms,
                        int64_t retry_ms);

/* Whether the job in `client->answer` came to a good end; prints what became of it otherwise. */
bool job_is_done(const struct client *client);

/* A member of an object; 0, or empty, when it is not there. */
uint64_t    job_count(struct json object, const char *name);
struct text job_text(struct json object, const char *name);

/* Gets a file of the server's, of any size that is held in memory, and writes it to `file`. Prints
 * what went wrong. */
enum exit_code job_fetch(struct client *client, const char *path, const char *file);

#endif
