#include "api/api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/browser.h"
#include "api/call.h"
#include "api/access/guards.h"
#include "api/access/sso.h"
#include "api/audience/filter_set.h"
#include "api/errors.h"
#include "api/audience/audiences.h"
#include "api/audience/overview.h"
#include "api/job/job_live.h"
#include "api/stream/live.h"
#include "api/metrics/metrics.h"
#include "api/openapi.h"
#include "api/personal/classification.h"
#include "api/collection/collect.h"
#include "api/collection/counting.h"
#include "api/collection/debugger.h"
#include "api/collection/tracking_plan.h"
#include "api/collection/write_keys.h"
#include "base/clock.h"
#include "base/log.h"

enum { STOP_POLL_NS = 1000000 };

static const char *const phase_names[API_PHASE_COUNT] = {
#define X(name, text) text,
	API_PHASES(X)
#undef X
};

const char *api_phase_name(enum api_phase phase) { return phase_names[phase]; }

enum status api_closed_error(struct api *api, struct error *err)
{
	if (atomic_load(&api->stopped))
		return error_set(err, STATUS_UNAVAILABLE, "The server is stopping");
	return error_set(err, STATUS_UNAVAILABLE, "The server is starting; not yet: %s",
	                 api_phase_name((enum api_phase)atomic_load(&api->phase)));
}

/* ---- Routes ---- */

static bool has_short_path(const char *path)
{
	return strncmp(path, API_PREFIX "/", sizeof API_PREFIX) == 0;
}

/* Everything a second time behind the name of a workspace. */
static void add_route(struct api *api, struct http_route *rows, const char *prefix,
                      const char *named_prefix)
{
	http_router_add(api->router, prefix, &rows[0], 1);
	rows[1]         = rows[0];
	rows[1].handler = call_dispatch_named;
	http_router_add(api->router, named_prefix, &rows[1], 1);
}

static void add_routes(struct api *api)
{
	api->router   = http_router_new();
	api->bindings = calloc(api_route_count, sizeof *api->bindings);
	api->routes   = calloc(4 * api_route_count, sizeof *api->routes);
	assert(api->bindings != NULL && api->routes != NULL);
	struct http_route *row = api->routes;
	for (size_t i = 0; i < api_route_count; i++, row += 4) {
		const struct api_route *route   = &api_routes[i];
		struct api_binding     *binding = &api->bindings[i];
		*binding                        = (struct api_binding){api, route};
		bool upload                     = (route->flags & ROUTE_UPLOAD) != 0;
		row[0] = (struct http_route){route->method, route->path, call_dispatch, binding, upload};
		add_route(api, row, "", WORKSPACE_PREFIX);
		if (!has_short_path(route->path))
			continue;
		row[2] = (struct http_route){route->method, route->path + strlen(API_PREFIX), call_dispatch,
		                             binding, upload};
		add_route(api, row + 2, API_SHORT_PREFIX, WORKSPACE_PREFIX API_SHORT_PREFIX);
	}
}

/* ---- What concerns every answer ---- */

/* The pattern, not the path: that holds ids. */
static void log_request(const struct http_request *request, unsigned http_status)
{
	char method[16];
	snprintf(method, sizeof method, "%.*s", TEXT_FORMAT(http_method(request)));
	log_trace_set(http_trace_id(request));
	log_line(LOG_DEBUG, "answered", LOG_STRING("method", method),
	         LOG_STRING("route", http_pattern(request)), LOG_NUMBER("status", http_status),
	         LOG_NUMBER("microseconds", (clock_monotonic_ns() - http_received_ns(request)) / 1000));
	log_trace_set(NULL);
}

void api_before_answer(void *user, struct http_request *request, unsigned http_status)
{
	struct api *owner = http_owner(request), *api = owner != NULL ? owner : user;
	metrics_answered(api->metrics, request, http_status);
	if (log_enabled(LOG_DEBUG))
		log_request(request, http_status);
	if (errors_wants_retry_after(http_status) && !http_header_added(request, "Retry-After"))
		http_add_header(request, "Retry-After", TEXT("1"));
	if (http_status == 401)
		http_add_header(request, "WWW-Authenticate",
		                browser_is_collection(request) ? TEXT("Basic realm=\"write key\"")
		                                               : TEXT("Bearer"));
	browser_before_answer(api, request);
}

void api_error_body(void *user, unsigned http_status, const struct error *err, const char *trace_id,
                    struct buffer *out)
{
	(void)user;
	(void)http_status;
	errors_write(out, err, NULL, trace_id, clock_wall_ms());
}

/* ---- Life ---- */

struct api *api_new(const struct api_config *config)
{
	struct api *api = calloc(1, sizeof *api);
	assert(api != NULL);
	api->config = *config;
	if (api->config.code == NULL) /* there is no other */
		api->config.code = api->config.path_prefix = "";
	api->started_ms      = clock_wall_ms();
	api->tokens          = tokens_new(config->store, config->access);
	api->tickets         = tickets_new(api->config.code);
	api->guards          = guards_new(api->tokens);
	api->mailer          = mailer_new(config->access, config->mailer);
	api->write_keys      = write_keys_new(config->store, ingest_sources(config->ingest));
	api->metrics         = metrics_new();
	api->workers         = workers_new(API_WORKER_COUNT);
	api->password_worker = workers_new(1);
	api->waiting_workers = config->workspaces == NULL ? NULL : workers_new(API_WAITING_COUNT);
	api->sso_workers     = workers_new(API_SSO_WORKER_COUNT);
	api->sso             = sso_new();
	api->filters         = filter_set_new(config->store, config->queries, config->retention_ms);
	api->overview        = overview_new(api);
	if (config->workspaces != NULL)
		guards_on_change(api->guards, config->workspaces->people_changed,
		                 config->workspaces->context);
	openapi_write(&api->openapi);
	if (api_is_home(api)) {
		add_routes(api);
		http_router_set_options(api->router, browser_preflight, api);
	}

	api->ingest_threads = calloc(config->loop_count, sizeof *api->ingest_threads);
	assert(api->ingest_threads != NULL);
	for (unsigned i = 0; i < config->loop_count; i++)
		api->ingest_threads[i] = ingest_thread_new(config->ingest);
	api->ingest_shared = ingest_thread_new(config->ingest);
	pthread_mutex_init(&api->ingest_shared_lock, NULL);
	pthread_mutex_init(&api->people_lock, NULL);
	pthread_mutex_init(&api->plans_lock, NULL);
	return api;
}

const struct http_router *api_router(const struct api *api) { return api->router; }

static void released(void *owner)
{
	struct api *api = owner;
	api->config.released(api->config.released_context, false);
}

static void released_after_use(void *owner)
{
	struct api *api = owner;
	api->config.released(api->config.released_context, true);
}

void api_note_use(struct http_request *request) { http_set_release(request, released_after_use); }

void api_serve(struct api *api, const struct api_route *route, struct http_request *request,
               bool suspended)
{
	http_set_owner(request, api, released);
	call_take(api, route, request, suspended);
}

void api_people_changed(struct api *api) { guards_changed(api->guards); }

bool api_is_awaited(struct api *api) { return tickets_are_out(api->tickets, clock_wall_ms()); }

void api_close_sockets(struct api *api)
{
	guards_close_all(api->guards, WEBSOCKET_GOING_AWAY, "the workspace is being closed");
}

void api_set_server(struct api *api, struct http_server *server) { api->server = server; }

void api_set_service(struct api *api, struct http_server *server) { api->service = server; }

void api_set_address_limits(struct api *api, struct limits *limits)
{
	api->address_limits = limits;
}

void api_set_phase(struct api *api, enum api_phase phase)
{
	atomic_store_explicit(&api->phase, phase, memory_order_release);
}

enum status api_load_filters(struct api *api, const char *file, struct error *err)
{
	struct error why    = {0};
	enum status  status = filter_set_load(api->filters, file, &why);
	if (status == STATUS_INVALID)
		return error_set(err, status, "--filters: %s", why.reason);
	if (status != STATUS_OK)
		*err = why;
	return status;
}

void api_preload(struct api *api) { overview_load(api->overview); }

static void count_duplicate(void *context, uint32_t source_number, uint64_t position)
{
	sources_count_duplicate(context, source_number, position);
}

enum status api_load(struct api *api, struct error *err)
{
	struct sources *sources = ingest_sources(api->config.ingest);
	enum status     status  = collect_load(api, err);
	if (status == STATUS_OK)
		status = classification_load(api, err);
	if (status == STATUS_OK)
		status = tracking_plans_load(api, err);
	if (status == STATUS_OK)
		status = counting_new(api->config.ingest, api->config.store, api->config.journal,
		                      &api->counting, err);
	if (status != STATUS_OK)
		return status;
	api->job_live = job_live_new(api);
	engine_on_duplicate(api->config.engine, count_duplicate, sources);
	api->debugger = debugger_new(api->config.journal, api->config.ingest);
	return STATUS_OK;
}

void api_open(struct api *api, struct definitions *definitions)
{
	api->definitions = definitions;
	api->live        = live_new(api);
	api->audiences   = audiences_new(api);
	api_set_phase(api, API_PHASE_READY);
}

void api_stop(struct api *api)
{
	const struct timespec pause = {.tv_nsec = STOP_POLL_NS};
	atomic_store(&api->stopped, true);
	if (api->live != NULL)
		live_stop(api->live);
	if (api->job_live != NULL)
		job_live_stop(api->job_live);
	if (api->debugger != NULL)
		debugger_stop(api->debugger);
	if (api->audiences != NULL)
		audiences_stop(api->audiences);
	while (atomic_load(&api->in_flight) > 0)
		nanosleep(&pause, NULL);
	workers_free(api->password_worker);
	workers_free(api->waiting_workers);
	api->password_worker = api->waiting_workers = NULL;
	workers_free(api->sso_workers);
	api->sso_workers = NULL;
	workers_free(api->workers);
	api->workers = NULL;
	guards_stop(api->guards);
	mailer_stop(api->mailer);
	counting_free(api->counting);
	api->counting = NULL;
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	workers_free(api->password_worker);
	workers_free(api->waiting_workers);
	workers_free(api->sso_workers);
	sso_free(api->sso);
	workers_free(api->workers);
	guards_stop(api->guards);
	mailer_stop(api->mailer);
	overview_free(api->overview);
	audiences_free(api->audiences);
	live_free(api->live);
	job_live_free(api->job_live);
	filter_set_free(api->filters);
	debugger_free(api->debugger);
	for (unsigned i = 0; i < api->config.loop_count; i++)
		ingest_thread_free(api->ingest_threads[i]);
	ingest_thread_free(api->ingest_shared);
	free(api->ingest_threads);
	pthread_mutex_destroy(&api->ingest_shared_lock);
	pthread_mutex_destroy(&api->people_lock);
	pthread_mutex_destroy(&api->plans_lock);
	http_router_free(api->router);
	free(api->routes);
	free(api->bindings);
	metrics_free(api->metrics);
	write_keys_free(api->write_keys);
	guards_free(api->guards);
	mailer_free(api->mailer);
	tickets_free(api->tickets);
	tokens_free(api->tokens);
	buffer_done(&api->openapi);
	free(api);
}
