#ifndef SONNIM_API_CONTEXT_H
#define SONNIM_API_CONTEXT_H

/* What all handlers share: the parts of the server, and what the api keeps of its own. */

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/cursor.h"
#include "api/worker.h"

enum {
	API_CALLS_MAX         = 4096, /* at a time, collection not counted; then 503 */
	API_WAITING_COUNT     = 2,    /* workers for what waits for another workspace */
	API_WORKER_COUNT      = 2,
	API_PREVIEWS_MAX      = 4,  /* under way at a time; then 429 */
	API_UPLOADS_MAX       = 8,  /* files on their way to the disk at a time; then 429 */
	API_MART_ANSWERS_MAX  = 4,  /* tables of the mart on their way at a time; then 429 */
	API_PASSWORDS_MAX     = 64, /* to be compared or hashed, one at a time; then 429 */
	API_SSO_MAX           = 64, /* logins that wait for a provider; then 429 */
	API_SSO_WORKER_COUNT  = 2,
	API_AUDIT_EXPORTS_MAX = 2, /* of the audit trail on their way at a time; then 429 */
};

struct api_route;
struct tokens;
struct tickets;
struct guards;
struct mailer;
struct sso;
struct write_keys;
struct counting;
struct metrics;
struct live;
struct job_live;
struct filter_set;
struct debugger;
struct audiences;
struct overview;

/* What a route of the router points to. */
struct api_binding {
	struct api             *api;
	const struct api_route *route;
};

struct api {
	struct api_config           config;
	struct definitions         *definitions; /* set before `phase` becomes READY */
	struct http_server         *server;
	struct http_server *_Atomic service; /* NULL: there is no listener for services */
	struct limits              *address_limits;
	int64_t                     started_ms;
	_Atomic int                 phase; /* enum api_phase */
	_Atomic bool                stopped;
	_Atomic int                 call_count; /* collection not counted */
	_Atomic int                 preview_count;
	_Atomic int                 upload_count;
	_Atomic int                 audit_export_count;
	_Atomic int                 mart_count; /* tables of the mart on their way */
	_Atomic int                 password_count;
	_Atomic int                 sso_count;
	_Atomic int                 in_flight; /* all of them: what api_stop() waits for */

	struct http_router *router;
	struct api_binding *bindings;
	struct http_route  *routes;
	struct workers     *workers;
	struct workers     *password_worker;
	struct workers     *waiting_workers; /* of home; NULL elsewhere */
	struct workers     *sso_workers;
	struct sso         *sso;
	struct tokens      *tokens;
	struct tickets     *tickets;
	struct guards      *guards;
	struct mailer      *mailer;
	struct write_keys  *write_keys;
	struct counting    *counting; /* from api_load() on */
	struct metrics     *metrics;
	struct debugger    *debugger; /* from api_load() on */
	struct live        *live;
	struct job_live    *job_live;
	struct audiences   *audiences; /* from api_open() on */
	struct filter_set  *filters;
	struct overview    *overview;
	struct buffer       openapi;

	/* One for each loop thread, and one that workers share (collect.c). */
	struct ingest_thread **ingest_threads;
	struct ingest_thread  *ingest_shared;
	pthread_mutex_t        ingest_shared_lock;

	pthread_mutex_t people_lock; /* over a change of what a person may do, by who may still do it */
	pthread_mutex_t plans_lock;  /* over a change of a tracking plan, in store and ingest */
};

/* The default workspace, by which all requests come, and which tells of the server. */
static inline bool api_is_home(const struct api *api) { return api->config.code[0] == '\0'; }

static inline bool api_is_open(const struct api *api)
{
	return atomic_load_explicit(&api->phase, memory_order_acquire) == API_PHASE_READY &&
	       !atomic_load_explicit(&api->stopped, memory_order_relaxed);
}

/* Describes why the api is not open. */
enum status api_closed_error(struct api *api, struct error *err);

const char *api_phase_name(enum api_phase phase);

#endif
