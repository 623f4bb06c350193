#include "app/server.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/browser.h"
#include "app/process/secure.h"
#include "app/workspace/directory.h"
#include "base/log.h"
#include "base/machine.h"

struct server {
	const struct serve_settings *settings;
	struct http_settings         service_settings;
	struct sockets               main_sockets; /* passed ones */
	struct sockets               service_sockets;
	struct workspace            *home;
	struct directory            *directory; /* of the other workspaces */
	struct limits               *limits;    /* by address */
	struct secure                secure;
	struct http_server          *http;
	struct http_server          *service; /* NULL: there is no such listener */
};

/* Services are few: one thread serves them. */
static struct http_settings service_settings(const struct http_settings *settings)
{
	struct http_settings own = *settings;
	own.listen               = settings->service_listen;
	own.threads              = 1;
	return own;
}

static unsigned main_loops(const struct server *server)
{
	return http_loop_count(&server->settings->http, server->main_sockets.count);
}

static unsigned service_loops(const struct server *server)
{
	return server->service_settings.listen == NULL
	           ? 0
	           : http_loop_count(&server->service_settings, server->service_sockets.count);
}

enum status server_start(const struct serve_settings *settings, const struct sockets *sockets,
                         struct server **ret_server, struct error *err)
{
	struct server *server = calloc(1, sizeof *server);
	assert(server != NULL);
	server->settings         = settings;
	server->service_settings = service_settings(&settings->http);
	secure_split(&settings->http, sockets, &server->main_sockets, &server->service_sockets);
	enum status status = secure_open(&settings->http, sockets, &server->secure, err);
	if (status != STATUS_OK) {
		free(server);
		return status;
	}
	unsigned loops    = main_loops(server) + service_loops(server);
	server->limits    = limits_new(&settings->limits, LIMITS_SLOTS_OF_SERVER);
	server->directory = directory_new(settings, server->limits, loops);

	const struct workspace_config config = {
		.settings = settings, .loop_count = loops, .workspaces = directory_face(server->directory)};
	status = workspace_start(&config, &server->home, err);
	if (status == STATUS_OK)
		status = directory_load(server->directory, server->home, err);
	if (status != STATUS_OK) {
		server_stop(server, false);
		return status;
	}
	api_set_address_limits(workspace_api(server->home), server->limits);
	*ret_server = server;
	return status;
}

static void made_main(void *context, struct http_server *http)
{
	struct server *server = context;
	api_set_server(workspace_api(server->home), http);
	directory_set_server(server->directory, http);
}

static void made_service(void *context, struct http_server *http)
{
	struct server *server = context;
	api_set_service(workspace_api(server->home), http);
}

enum status server_accept(struct server *server, struct error *err)
{
	struct api               *api = workspace_api(server->home);
	struct http_header        headers[BROWSER_HEADERS_MAX];
	struct http_server_config config = {.settings      = &server->settings->http,
	                                    .router        = api_router(api),
	                                    .error_body    = api_error_body,
	                                    .before_answer = api_before_answer,
	                                    .user          = api,
	                                    .made          = made_main,
	                                    .made_context  = server,
	                                    .headers       = headers,
	                                    .tls           = server->secure.main,
	                                    .sockets       = server->main_sockets.fds,
	                                    .socket_count  = server->main_sockets.count};
	config.header_count              = browser_headers(config.tls != NULL, headers);
	enum status status               = http_server_start(&config, &server->http, err);
	if (status != STATUS_OK)
		return status;
	if (server->secure.service == NULL)
		return STATUS_OK;
	config.made         = made_service;
	config.settings     = &server->service_settings;
	config.tls          = server->secure.service;
	config.first_loop   = main_loops(server);
	config.sockets      = server->service_sockets.fds;
	config.socket_count = server->service_sockets.count;
	return http_server_start(&config, &server->service, err);
}

bool server_accepts(const struct server *server) { return server->http != NULL; }

void server_sockets(const struct server *server, struct sockets *ret_sockets)
{
	int    service[HTTP_SOCKETS_MAX];
	size_t more = server->service == NULL ? 0 : http_server_sockets(server->service, service);
	ret_sockets->count = http_server_sockets(server->http, ret_sockets->fds);
	for (size_t i = 0; i < more; i++) {
		if (ret_sockets->count < HTTP_SOCKETS_MAX)
			ret_sockets->fds[ret_sockets->count++] = service[i];
		else
			close(service[i]);
	}
}

const char *server_address(const struct server *server)
{
	return http_server_address(server->http);
}

const char *server_directory(const struct server *server)
{
	return workspace_directory(server->home);
}

enum status server_replayed(struct server *server, struct error *err)
{
	return workspace_replayed(server->home, err);
}

enum status server_open(struct server *server, struct workspace_first *ret_first, struct error *err)
{
	enum status status = workspace_open(server->home, ret_first, err);
	if (status == STATUS_OK)
		directory_open(server->directory);
	return status;
}

/* A process that the system is about to kill takes nothing more, whatever it has counted. */
enum { EXHAUSTED_PERCENT = 90 };

void server_watch(struct server *server)
{
	struct http_server_counts http = http_server_counts(server->http);
	bool exhausted = machine_used_bytes() > machine_memory_bytes() / 100 * EXHAUSTED_PERCENT;
	secure_watch(&server->secure);
	workspace_watch_memory(server->home, http.bodies_bytes, exhausted);
}

void server_reload(struct server *server)
{
	log_level_set(serve_settings_log_level(server->settings));
	http_server_set_limits(server->http, &server->settings->http);
	limits_set(server->limits, &server->settings->limits);
	if (server->service != NULL)
		http_server_set_limits(server->service, &server->settings->http);
	secure_reload(&server->secure);
	workspace_reload(server->home);
	directory_reload(server->directory);
}

static void stop_http(struct http_server *http, bool outlived)
{
	if (http != NULL && outlived)
		http_server_retire(http);
	else if (http != NULL)
		http_server_stop(http);
}

static void stop_home(struct server *server, bool outlived)
{
	const struct workspace_end end = {"server.stop", outlived ? "{\"handed_over\":true}" : "{}"};
	if (server->home == NULL)
		return;
	if (server->http != NULL)
		workspace_stop(server->home, &end);
	else
		workspace_stop(server->home, NULL);
}

/* While everything still runs, the calls on their way are answered; then the workspace's threads
 * end, and last HTTP: nobody calls into what is gone. */
void server_stop(struct server *server, bool outlived)
{
	if (server == NULL)
		return;
	stop_http(server->service, outlived);
	stop_http(server->http, outlived);
	directory_stop(server->directory);
	stop_home(server, outlived);
	http_server_free(server->service);
	http_server_free(server->http);
	secure_close(&server->secure);
	directory_free(server->directory);
	workspace_free(server->home);
	limits_free(server->limits);
	free(server);
}
