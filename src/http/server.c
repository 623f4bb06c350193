#include "http/server.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/server_internal.h"

static void default_error_body(void *user, unsigned http_status, const struct error *err,
                               const char *trace_id, struct buffer *out)
{
	struct json_writer writer = json_writer_of(out);

	(void)user;
	(void)http_status;
	json_begin_object(&writer);
	json_add_key(&writer, TEXT("error"));
	json_begin_object(&writer);
	json_member_string(&writer, "code", text_of(status_code(err->status)));
	json_member_string(&writer, "message", text_of(err->reason));
	json_add_key(&writer, TEXT("details"));
	json_begin_object(&writer);
	if (err->field[0]) {
		json_member_string(&writer, "field", text_of(err->field));
		json_member_string(&writer, "reason", text_of(err->reason));
	}
	json_end_object(&writer);
	json_member_instant(&writer, "timestamp", clock_wall_ms());
	json_member_string(&writer, "traceId", text_of(trace_id));
	json_end_object(&writer);
	json_end_object(&writer);
}

static void copy_headers(struct http_server *server, const struct http_server_config *config)
{
	server->headers      = calloc(config->header_count + 1, sizeof *server->headers);
	server->header_count = config->header_count;
	assert(server->headers);
	for (size_t i = 0; i < config->header_count; i++) {
		const struct http_header *from = &config->headers[i];
		struct http_header       *to   = &server->headers[i];
		to->name                       = text_of(strndup(from->name.data, from->name.length));
		to->value                      = text_of(strndup(from->value.data, from->value.length));
	}
}

/* Descriptors for all connections, as far as the hard limit lets us. */
static void raise_descriptor_limit(const struct http_settings *settings)
{
	struct rlimit limit;
	rlim_t        wanted = (rlim_t)settings->connection_count_max + 1024;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return; /* then connections wait where there is no descriptor */
}

unsigned http_loop_count(const struct http_settings *settings, size_t socket_count)
{
	long     processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count      = settings->threads > 0 ? (unsigned)settings->threads
	                      : processors > 0      ? (unsigned)processors
	                                            : 1;
	return count < socket_count ? (unsigned)socket_count : count;
}

/* Each loop has a passed socket of its own; where there are fewer of them, they are shared: one
 * that was bound here would take connections along into its end. */
static int socket_for(const struct http_server *server, const struct http_server_config *config,
                      unsigned loop)
{
	if (config->socket_count == 0)
		return loop == 0 ? server->listen_fd : http_listen_again(server);
	if (loop < config->socket_count)
		return config->sockets[loop];
	return fcntl(config->sockets[loop % config->socket_count], F_DUPFD_CLOEXEC, 0);
}

static enum status start_loops(struct http_server *server, const struct http_server_config *config,
                               struct error *err)
{
	unsigned    count  = http_loop_count(&server->settings, config->socket_count);
	enum status status = STATUS_OK;

	server->loops      = calloc(count, sizeof *server->loops);
	server->loop_count = count;
	assert(server->loops);
	for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
		int fd            = socket_for(server, config, i);
		server->listen_fd = -1;
		status            = http_loop_start(&server->loops[i], server, i, fd, err);
		if (status != STATUS_OK)
			server->loop_count = i + 1;
		else
			server->loops_open++;
	}
	for (size_t i = server->loop_count; i < config->socket_count; i++)
		close(config->sockets[i]); /* of loops that were not started */
	return status;
}

/* Checked before, with the settings. */
static void trust(struct http_server *server, const struct http_settings *settings)
{
	struct error err;
	if (settings->trusted_proxies != NULL) {
		enum status status =
			proxy_networks_parse(text_of(settings->trusted_proxies), &server->trusted, &err);
		assert(status == STATUS_OK);
		(void)status;
	}
	server->reads_forwarded =
		settings->proxy_header != NULL && strcmp(settings->proxy_header, "forwarded") == 0;
}

enum status http_server_start(const struct http_server_config *config,
                              struct http_server **ret_server, struct error *err)
{
	struct http_server *server = calloc(1, sizeof *server);
	assert(server);

	server->listen_fd = -1;
	server->settings  = *config->settings;
	trust(server, config->settings);
	server->neighbours = neighbours_new();
	http_server_set_limits(server, config->settings);
	server->router        = config->router;
	server->tls           = config->tls;
	server->first_loop    = config->first_loop;
	server->error_body    = config->error_body ? config->error_body : default_error_body;
	server->before_answer = config->before_answer;
	server->user          = config->user;
	pthread_mutex_init(&server->stop_lock, NULL);
	pthread_cond_init(&server->stop_cond, NULL);
	copy_headers(server, config);
	raise_descriptor_limit(&server->settings);

	enum status status = STATUS_OK;
	assert(config->socket_count <= HTTP_SOCKETS_MAX);
	if (config->socket_count == 0) {
		status = http_listen(server, config->settings->listen, err);
	} else {
		server->listen_fd = config->sockets[0];
		http_describe_bound(server);
	}
	if (status == STATUS_OK)
		status = http_writer_start(&server->writer, err);
	if (status == STATUS_OK && config->made != NULL)
		config->made(config->made_context, server);
	if (status == STATUS_OK)
		status = start_loops(server, config, err);
	if (status != STATUS_OK) {
		http_server_free(server);
		return status;
	}
	*ret_server = server;
	return STATUS_OK;
}

unsigned http_server_port(const struct http_server *server) { return server->port; }

const char *http_server_address(const struct http_server *server) { return server->address; }

void http_server_set_limits(struct http_server *server, const struct http_settings *settings)
{
	struct http_limits *limits = &server->limits;
	atomic_store(&limits->body_bytes_max, settings->body_bytes_max);
	atomic_store(&limits->bodies_bytes_max, settings->bodies_bytes_max);
	atomic_store(&limits->request_timeout_ms, settings->request_timeout_ms);
	atomic_store(&limits->stop_timeout_ms, settings->stop_timeout_ms);
	atomic_store(&limits->stop_linger_ms, settings->stop_linger_ms);
	atomic_store(&limits->websocket_queue_max, (uint64_t)settings->websocket_queue_max);
	atomic_store(&limits->websocket_queue_bytes_max, settings->websocket_queue_bytes_max);
}

void http_server_stop(struct http_server *server)
{
	assert(!http_loop_current || http_loop_current->server != server);

	if (server->stopped)
		return;
	server->stopped = true;
	for (unsigned i = 0; i < server->loop_count; i++)
		http_loop_stop(&server->loops[i]);

	pthread_mutex_lock(&server->stop_lock);
	while (server->loops_open > 0)
		pthread_cond_wait(&server->stop_cond, &server->stop_lock);
	pthread_mutex_unlock(&server->stop_lock);
}

void http_server_retire(struct http_server *server)
{
	server->linger_ms = server->limits.stop_linger_ms;
	http_server_stop(server);
}

size_t http_server_sockets(const struct http_server *server, int ret_sockets[HTTP_SOCKETS_MAX])
{
	size_t count = 0;
	assert(!server->stopped);
	while (count < server->loop_count && count < HTTP_SOCKETS_MAX) {
		int copy = fcntl(server->loops[count].listen_fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			break;
		ret_sockets[count++] = copy;
	}
	if (count == server->loop_count)
		return count;
	while (count > 0) /* all or none: a connection in one that is left behind would be lost */
		close(ret_sockets[--count]);
	return 0;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_server_stop(server);
	for (unsigned i = 0; i < server->loop_count; i++) {
		http_loop_join(&server->loops[i]);
		http_loop_free(&server->loops[i]);
	}
	http_writer_stop(&server->writer);
	free(server->loops);
	for (size_t i = 0; i < server->header_count; i++) {
		free((char *)server->headers[i].name.data);
		free((char *)server->headers[i].value.data);
	}
	free(server->headers);
	neighbours_free(server->neighbours);
	pthread_mutex_destroy(&server->stop_lock);
	pthread_cond_destroy(&server->stop_cond);
	free(server);
}

struct http_server_counts http_server_counts(const struct http_server *server)
{
	struct http_server_counts counts = {
		.connections_max  = (uint64_t)server->settings.connection_count_max,
		.bodies_bytes_max = server->limits.bodies_bytes_max,
	};

	for (unsigned i = 0; i < server->loop_count; i++) {
		struct http_loop *loop = &server->loops[i];
		counts.connections += atomic_load_explicit(&loop->connections, memory_order_relaxed);
		counts.websockets += atomic_load_explicit(&loop->sockets_count, memory_order_relaxed);
		counts.requests += atomic_load_explicit(&loop->requests, memory_order_relaxed);
		counts.suspended += atomic_load_explicit(&loop->suspended, memory_order_relaxed);
		counts.bodies_bytes += atomic_load_explicit(&loop->bodies_bytes, memory_order_relaxed);
		counts.uploads += atomic_load_explicit(&loop->uploads, memory_order_relaxed);
		counts.refused += atomic_load_explicit(&loop->refused, memory_order_relaxed);
		counts.timeouts += atomic_load_explicit(&loop->timeouts, memory_order_relaxed);
		counts.websocket_dropped +=
			atomic_load_explicit(&loop->socket_dropped, memory_order_relaxed);
	}
	return counts;
}

const struct http_tls *http_server_tls(const struct http_server *server) { return server->tls; }
