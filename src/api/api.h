#ifndef SONNIM_API_API_H
#define SONNIM_API_API_H

/* The HTTP face of the server: one table of routes (routes.c) from which the router, the check of
 * scopes and GET /openapi.json are made. What it promises: docs/api.md.
 *
 *   HTTP loop ─► token, scope ─► handler ─┬─► ingest ───────────► answered by the journal's thread
 *               (token.h)       (call.h)  ├─► engine_read ──┐
 *                                         └─► worker ◄──────┘ ─► answered by a worker
 *
 * A handler never blocks the loop that it runs on: what writes to the store, decrypts or makes
 * large answers is done by workers (worker.h).
 *
 * Life: api_new() with what is there at start; the HTTP server is started at once with its router
 * and the two callbacks; until api_open() everything but health, metrics and the documents is
 * answered 503. End: http_server_stop(), api_stop(), then what the api uses may be stopped, then
 * http_server_free(), api_free(). */

#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "api/workspace/workspaces.h"
#include "api/access/mailer.h"
#include "api/audience/audience_settings.h"
#include "audit/audit.h"
#include "api/backup/backups_api.h"
#include "engine/definition/definition.h"
#include "engine/engine.h"
#include "http/router.h"
#include "http/server.h"
#include "ingest/ingest.h"
#include "ingest/letters.h"
#include "job/job.h"
#include "job/retention.h"
#include "limit/limits.h"
#include "journal/journal.h"
#include "query/query.h"
#include "store/store.h"
#include "vault/vault.h"

struct api;

struct api_config {
	struct store                   *store;
	struct journal                 *journal;
	struct vault                   *vault;
	struct access                  *access;
	struct engine                  *engine;
	struct queries                 *queries;
	struct ingest                  *ingest;
	struct letters                 *letters;
	struct jobs                    *jobs; /* open; it may not have started yet */
	struct retention               *retention;
	struct audit                   *audit;
	const struct api_backups       *backups; /* NULL: this server makes none */
	const struct audience_settings *audience;
	const struct mailer_settings   *mailer;
	struct limits                  *limits; /* of tokens and persons */
	uint32_t                        partition_count;
	unsigned                        loop_count; /* loop threads of the HTTP server */
	int64_t     retention_ms;     /* windows must be shorter by a day; INSTANT_MS_NEVER: any */
	uint64_t    upload_bytes_max; /* of one file to import */
	bool        manual_clock;
	const char *cors_origins; /* whose pages may use the api besides its own; NULL: none */
	const char *public_url;   /* what addresses of this server begin with; NULL: where it listens */
	const char *data_directory; /* for metrics of the disk; outlives the api */

	/* Of several workspaces: what this one's credentials bear, what its paths begin with for others
	 * ("/w/shop"), and who is told that a request of api_serve() is over. All empty for the home
	 * workspace, which alone knows `workspaces` (NULL: there is only itself). */
	const char                  *code;
	const char                  *path_prefix;
	const struct api_workspaces *workspaces;
	void (*released)(void *context, bool used); /* used: somebody was let in */
	void *released_context;
};

/* Where a start stands; each phase is over when the next begins. */
#define API_PHASES(X)                                                                              \
	X(SCHEMA, "schema checked")                                                                    \
	X(STATISTICS, "statistics read")                                                               \
	X(HOT_DATA, "hot data loaded")                                                                 \
	X(RULES, "rules loaded")                                                                       \
	X(INDEXES, "indexes built")                                                                    \
	X(REPLAY, "replayed")                                                                          \
	X(READY, "ready")

enum api_phase {
#define X(name, text) API_PHASE_##name,
	API_PHASES(X)
#undef X
		API_PHASE_COUNT
};

struct api *api_new(const struct api_config *config);

const struct http_router *api_router(const struct api *api);
http_error_body_fn        api_error_body;    /* user: the api of home */
http_before_answer_fn     api_before_answer; /* user: the api of home */

/* Has a request of another workspace's route answered by its own api; `released` is called when
 * nothing of it is left. In the handler; `suspended`: behind http_go_on(). */
struct api_route;
void api_serve(struct api *api, const struct api_route *route, struct http_request *request,
               bool suspended);

/* Whoever sent it was let in: `released` is told. By whoever has the request. */
void api_note_use(struct http_request *request);

/* Somebody's permissions have changed elsewhere: who asks is looked up anew. */
void api_people_changed(struct api *api);

/* Whether somebody was given what only this process knows, and is about to come back with it. */
bool api_is_awaited(struct api *api);

/* Closes its WebSockets (1001), since it is to be stopped while HTTP goes on. */
void api_close_sockets(struct api *api);

/* For metrics; the server that uses the router. */
void api_set_server(struct api *api, struct http_server *server);

/* The same of a listener for services; without one it is not called. */
void api_set_service(struct api *api, struct http_server *server);

/* The limits by address, which are the whole server's and outlive the api. Before requests come. */
void api_set_address_limits(struct api *api, struct limits *limits);

/* The phase that the start is in (what came before is done). Any thread. */
void api_set_phase(struct api *api, enum api_phase phase);

/* Reads the filters of audiences that were added: in `file` (NULL: none) and in the store. Once,
 * before HTTP starts. STATUS_INVALID: "--filters: file:line:column: …". */
MUST_USE enum status api_load_filters(struct api *api, const char *file, struct error *err);

/* Reads the hot data that was kept of the run before. */
void api_preload(struct api *api);

/* Reads what the api needs of the store before it is opened, and listens to the jobs from here on:
 * they have not started yet. */
MUST_USE enum status api_load(struct api *api, struct error *err);

/* What was restored, up to this log time, has been replayed: consumers of the change stream that
 * had got further are set back. Before api_open(). */
MUST_USE enum status api_restored(struct api *api, int64_t reaches_ms, struct error *err);

/* From here on everything is answered. */
void api_open(struct api *api, struct definitions *definitions);

/* After http_server_stop(): waits until every call that is on its way was answered (their reads and
 * appends have time limits), and ends the api's own threads. */
void api_stop(struct api *api);

/* After http_server_free(), and when the engine and the journal no longer call back. */
void api_free(struct api *api);

/* A new token of the workspace with that code ("": home): text for its owner, and what the store
 * keeps of it. */
enum { API_TOKEN_TEXT_BYTES = 64 };
void api_token_new(const char *code, char ret_text[API_TOKEN_TEXT_BYTES],
                   uint8_t ret_hash[STORE_TOKEN_HASH_BYTES]);

/* A new write key of a source, of such a workspace. */
enum { API_WRITE_KEY_BYTES = 48 };
void api_write_key_new(const char *code, char ret_key[API_WRITE_KEY_BYTES]);

#endif
