#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server_internal.h"

enum {
	STOP_STEP_MS    = 20, /* how often a stopping loop looks at what is left */
	PENDING_POLL_MS = 1,
	SHAKING_POLL_MS = 10,
	LOOKS           = 8, /* at a connection within the request timeout */
	NICE            = 3,
};

_Thread_local struct http_loop *http_loop_current;

/* ---- Posted work ----
 * A stack that is taken whole: pushing is one compare-and-swap. Whether the loop must be woken is
 * decided by `asleep`: the loop sets it, then looks at the stack once more; a poster pushes, then
 * looks at it. With both in sequential consistency one of the two sees the other. */

void http_loop_post(struct http_loop *loop, struct http_post *post)
{
	struct http_post *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	do {
		post->next = head;
	} while (!atomic_compare_exchange_weak(&loop->posted, &head, post));

	if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false)) {
		uint64_t one = 1;
		ssize_t  written;
		do {
			written = write(loop->wake_fd, &one, sizeof one);
		} while (written < 0 && errno == EINTR);
	}
}

static void run_posted(struct http_loop *loop)
{
	if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
		return;
	struct http_post *newest = atomic_exchange(&loop->posted, NULL);
	struct http_post *oldest = NULL;
	while (newest) {
		struct http_post *next = newest->next;
		newest->next           = oldest;
		oldest                 = newest;
		newest                 = next;
	}
	while (oldest) {
		struct http_post *post = oldest;
		oldest                 = post->next;
		post->run(loop, post);
	}
}

/* ---- Watches ---- */

static void control(struct http_loop *loop, int operation, int fd, uint32_t events, void *pointer)
{
	struct epoll_event event  = {.events = events, .data.ptr = pointer};
	int                result = epoll_ctl(loop->epoll_fd, operation, fd, &event);
	assert(result == 0);
	(void)result;
}

void http_loop_watch(struct http_loop *loop, int fd, uint32_t events, struct http_watch *watch)
{
	control(loop, EPOLL_CTL_ADD, fd, events, watch);
}

void http_loop_rewatch(struct http_loop *loop, int fd, uint32_t events, struct http_watch *watch)
{
	control(loop, EPOLL_CTL_MOD, fd, events, watch);
}

void http_loop_unwatch(struct http_loop *loop, int fd)
{
	control(loop, EPOLL_CTL_DEL, fd, 0, NULL);
}

/* ---- Deadlines ---- */

static void append(struct http_loop *loop, struct http_connection *connection)
{
	connection->look_ms                                    = loop->now_ms + loop->look_step_ms;
	connection->newer                                      = NULL;
	connection->older                                      = loop->newest;
	*(loop->newest ? &loop->newest->newer : &loop->oldest) = connection;
	loop->newest                                           = connection;
}

static void take_out(struct http_loop *loop, struct http_connection *connection)
{
	*(connection->older ? &connection->older->newer : &loop->oldest) = connection->newer;
	*(connection->newer ? &connection->newer->older : &loop->newest) = connection->older;
}

/* The client has ended its side and no request of it is under way. libmicrohttpd overlooks an end
 * that comes together with the last bytes. What it may still have in its buffer is done long before
 * the next look. */
static bool is_deserted(const struct http_loop *loop, const struct http_connection *connection)
{
	char byte;
	return connection->phase <= HTTP_PHASE_RECEIVING &&
	       loop->now_ms - connection->since_ms >= loop->look_step_ms &&
	       recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The request timeout may change; who waits is then looked at by the old one once more. */
static void set_patience(struct http_loop *loop)
{
	int64_t request_ms =
		atomic_load_explicit(&loop->server->limits.request_timeout_ms, memory_order_relaxed);
	if (loop->patience_ms[HTTP_PHASE_RECEIVING] == request_ms)
		return;
	loop->look_step_ms                      = request_ms / LOOKS;
	loop->patience_ms[HTTP_PHASE_WAITING]   = loop->server->settings.idle_timeout_ms + request_ms;
	loop->patience_ms[HTTP_PHASE_RECEIVING] = request_ms;
	loop->patience_ms[HTTP_PHASE_ANSWERING] = INT64_MAX;
	loop->patience_ms[HTTP_PHASE_SENDING]   = request_ms;
	loop->patience_ms[HTTP_PHASE_UPGRADED]  = INT64_MAX;
}

/* Who has just connected to speak TLS has no reason to wait. */
static int64_t patience_ms(const struct http_loop *loop, const struct http_connection *connection)
{
	if (connection->shaking_hands)
		return loop->patience_ms[HTTP_PHASE_RECEIVING];
	int64_t slack_ms = connection->phase == HTTP_PHASE_SENDING ? connection->slack_ms : 0;
	return loop->patience_ms[connection->phase] + slack_ms;
}

/* Shut down, not closed: libmicrohttpd sees the end of the stream and cleans up by itself. */
static void enforce_deadlines(struct http_loop *loop)
{
	set_patience(loop);
	while (loop->oldest && loop->oldest->look_ms <= loop->now_ms) {
		struct http_connection *connection = loop->oldest;
		take_out(loop, connection);
		append(loop, connection);
		bool late = loop->now_ms - connection->since_ms >= patience_ms(loop, connection);
		if (late)
			http_count(&loop->timeouts, 1);
		if (late || is_deserted(loop, connection))
			shutdown(connection->fd, SHUT_RDWR);
	}
}

void http_loop_sending(struct http_loop *loop, struct http_connection *connection, uint64_t bytes)
{
	uint64_t rate = loop->server->settings.send_rate_min;
	if (rate == 0)
		return;
	connection->slack_ms = (int64_t)(bytes / rate * 1000 + bytes % rate * 1000 / rate);
	http_enter(loop, connection, HTTP_PHASE_SENDING);
}

/* Of this machine itself, and of proxies, who speak for many, there may be any number. */
static bool is_counted(const struct http_server *server, const struct in6_addr *address)
{
	return !IN6_IS_ADDR_LOOPBACK(address) &&
	       !(IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127) &&
	       !proxy_networks_have(&server->trusted, address);
}

static struct in6_addr address_of(const struct sockaddr *address)
{
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	if (address->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	memcpy(mapped.s6_addr + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	return mapped;
}

/* GnuTLS calls it when a handshake is over, on the loop's thread. */
static int hands_shaken(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                        const gnutls_datum_t *message)
{
	struct http_connection *connection = gnutls_db_get_ptr(session);
	(void)type, (void)when, (void)message;
	if (incoming && connection->shaking_hands) {
		connection->shaking_hands = false;
		http_loop_current->handshakes--;
	}
	return 0;
}

static void begin_tls(struct http_loop *loop, struct MHD_Connection *mhd,
                      struct http_connection *connection)
{
	gnutls_session_t session =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
	connection->credentials   = tls_attach(loop->server->tls, session);
	connection->shaking_hands = true;
	loop->handshakes++;
	gnutls_db_set_ptr(session, connection); /* nobody else uses it */
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
	                                   hands_shaken);
}

/* Before anything is set up for a connection. */
static enum MHD_Result admit_connection(void *cls, const struct sockaddr *socket_address,
                                        socklen_t length)
{
	struct http_loop     *loop    = cls;
	struct http_server   *server  = loop->server;
	const struct in6_addr address = address_of(socket_address);
	int64_t               most    = server->settings.address_connections_max;
	(void)length;
	if (most == 0 || !is_counted(server, &address) ||
	    neighbours_admit(server->neighbours, &address, (uint64_t)most))
		return MHD_YES;
	http_count(&loop->refused, 1);
	return MHD_NO;
}

static void connection_opened(struct http_loop *loop, struct MHD_Connection *mhd, void **context)
{
	struct http_connection *connection = calloc(1, sizeof *connection);
	assert(connection);
	const struct sockaddr *address =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

	connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->address = address_of(address);
	connection->counted = is_counted(loop->server, &connection->address);
	if (connection->counted)
		neighbours_add(loop->server->neighbours, &connection->address);
	connection->trusted = proxy_networks_have(&loop->server->trusted, &connection->address);
	proxy_address_write(&connection->address, connection->peer);
	if (loop->server->tls)
		begin_tls(loop, mhd, connection);
	http_enter(loop, connection, HTTP_PHASE_WAITING);
	append(loop, connection);
	http_count(&loop->connections, 1);
	*context = connection;
}

static void connection_changed(void *cls, struct MHD_Connection *mhd, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
	struct http_loop *loop = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_opened(loop, mhd, context);
		return;
	}
	struct http_connection *connection = *context;
	take_out(loop, connection);
	if (connection->counted)
		neighbours_remove(loop->server->neighbours, &connection->address);
	tls_detach(connection->credentials);
	loop->handshakes -= connection->shaking_hands;
	free(connection);
	*context = NULL;
	http_count(&loop->connections, -1);
	loop->again = true;
}

/* ---- Stopping ---- */

/* Connections between two requests: those that have sent something are left to be served, and so
 * are those that may do so any moment when nobody is to be turned away. */
static void close_waiting(struct http_loop *loop)
{
	for (struct http_connection *at = loop->oldest; at; at = at->newer) {
		char byte;
		if (at->phase == HTTP_PHASE_WAITING &&
		    loop->now_ms - at->since_ms >= loop->server->linger_ms &&
		    recv(at->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
			shutdown(at->fd, SHUT_RDWR);
	}
}

static void begin_to_stop(struct http_loop *loop, struct http_post *post)
{
	(void)post;
	MHD_socket listening = MHD_quiesce_daemon(loop->daemon);
	if (listening != MHD_INVALID_SOCKET)
		close(listening);
	loop->listen_fd   = -1;
	loop->stopping    = true;
	loop->stop_due_ms = loop->now_ms + loop->server->limits.stop_timeout_ms;
	websockets_go_away(loop);
}

static void say_closed(struct http_loop *loop)
{
	struct http_server *server = loop->server;

	if (loop->closed)
		return;
	loop->closed = true;
	pthread_mutex_lock(&server->stop_lock);
	server->loops_open--;
	pthread_cond_signal(&server->stop_cond);
	pthread_mutex_unlock(&server->stop_lock);
}

/* Time is up. Suspended requests keep what they point to until they are answered; only their
 * sockets end here. */
static void shut_down_all(struct http_loop *loop)
{
	websockets_abort(loop);
	for (struct http_connection *at = loop->oldest; at; at = at->newer)
		if (at->phase != HTTP_PHASE_UPGRADED)
			shutdown(at->fd, SHUT_RDWR);
}

/* True when the loop has nothing more to do. */
static bool stopped(struct http_loop *loop)
{
	if (!loop->stopping)
		return false;
	close_waiting(loop);
	if (loop->now_ms >= loop->stop_due_ms) {
		shut_down_all(loop);
		say_closed(loop);
	}
	return atomic_load(&loop->connections) == 0 && atomic_load(&loop->suspended) == 0;
}

/* ---- The loop ---- */

static void earlier(int64_t *timeout_ms, int64_t left_ms)
{
	if (left_ms < 0)
		left_ms = 0;
	if (*timeout_ms < 0 || left_ms < *timeout_ms)
		*timeout_ms = left_ms;
}

static int timeout_ms(struct http_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG daemon_ms;
	int64_t                timeout = -1;

	if (loop->again)
		return 0;
	if (MHD_get_timeout(loop->daemon, &daemon_ms) == MHD_YES) {
		/* Pending requests make it say 0 all the time (see http_suspend()), and so do handshakes
		 * that wait for their client: what he sends wakes us in any case. */
		if (daemon_ms == 0 && loop->pending > 0 && !loop->progress)
			daemon_ms = PENDING_POLL_MS;
		else if (daemon_ms == 0 && loop->handshakes > 0 && !loop->progress)
			daemon_ms = SHAKING_POLL_MS;
		earlier(&timeout, daemon_ms > 3600000 ? 3600000 : (int64_t)daemon_ms);
	}
	if (loop->oldest)
		earlier(&timeout, loop->oldest->look_ms - loop->now_ms);
	if (loop->sockets)
		earlier(&timeout, loop->tick_due_ms - loop->now_ms);
	if (loop->stopping)
		earlier(&timeout, STOP_STEP_MS);
	return (int)timeout;
}

static void wait_for_events(struct http_loop *loop)
{
	struct epoll_event events[HTTP_EVENTS_MAX];
	int                timeout = timeout_ms(loop);

	if (timeout != 0) {
		atomic_store(&loop->asleep, true);
		if (atomic_load(&loop->posted))
			timeout = 0;
	}
	int count = epoll_wait(loop->epoll_fd, events, HTTP_EVENTS_MAX, timeout);
	atomic_store(&loop->asleep, false);
	loop->now_ms = clock_monotonic_ms();

	for (int i = 0; i < count; i++) {
		struct http_watch *watch = events[i].data.ptr;
		if (watch == (void *)loop) {
			uint64_t wakes;
			if (read(loop->wake_fd, &wakes, sizeof wakes) < 0)
				continue; /* somebody was faster than our read: fine */
		} else if (watch) {
			watch->ready(watch, events[i].events);
		}
	}
}

/* On processors that are all busy, whoever works on requests that were taken goes first: new ones
 * wait in their sockets, instead of a backlog that grows behind them. On Linux a thread has a nice
 * value of its own. That it cannot be set costs nothing but this order. */
static void let_others_first(void) { setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); }

static void *run(void *argument)
{
	struct http_loop *loop = argument;

	let_others_first();
	http_loop_current = loop;
	while (!stopped(loop)) {
		run_posted(loop);
		loop->progress = loop->again = false;
		MHD_run(loop->daemon);
		enforce_deadlines(loop);
		if (loop->sockets && loop->now_ms >= loop->tick_due_ms) {
			websockets_tick(loop);
			loop->tick_due_ms = loop->now_ms + loop->tick_ms;
		}
		wait_for_events(loop);
	}
	run_posted(loop);
	MHD_stop_daemon(loop->daemon);
	loop->daemon = NULL;
	say_closed(loop);
	return NULL;
}

/* ---- Life ---- */

/* Ours decodes (request.c): libmicrohttpd would do it before the path is split. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static unsigned connections_of(const struct http_server *server)
{
	int64_t each = server->settings.connection_count_max / server->loop_count;
	return each < 1 ? 1 : (unsigned)each;
}

/* Never asked: each connection gets its credentials when it begins. Without a way to any the
 * library does not start. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **ret_certificate, unsigned *ret_length,
                          gnutls_privkey_t *ret_key)
{
	(void)session, (void)issuers, (void)issuer_count, (void)algorithms, (void)algorithm_count;
	(void)ret_certificate, (void)ret_length, (void)ret_key;
	return -1;
}

static struct MHD_Daemon *start_daemon(struct http_loop *loop)
{
	const struct http_settings *settings   = &loop->server->settings;
	size_t                      pool_bytes = 2 * settings->header_bytes_max + HTTP_POOL_BYTES_MORE;
	const struct http_tls      *tls        = loop->server->tls;
	struct MHD_OptionItem       secure[]   = {
				{MHD_OPTION_HTTPS_PRIORITIES, 0, tls ? (void *)tls_priorities(tls) : NULL},
				{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)no_certificate},
				{MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem *more = tls ? secure : secure + 2;

	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | (tls ? MHD_USE_TLS : 0), 0,
		admit_connection, loop, http_request_receive, loop, MHD_OPTION_LISTEN_SOCKET,
		loop->listen_fd, MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, loop,
		MHD_OPTION_NOTIFY_CONNECTION, connection_changed, loop, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, connections_of(loop->server),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)((settings->idle_timeout_ms + 999) / 1000), MHD_OPTION_ARRAY, more,
		MHD_OPTION_END);
}

static bool open_descriptors(struct http_loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd  = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->listen_fd < 0)
		return false;
	loop->daemon = start_daemon(loop);
	if (!loop->daemon)
		return false;
	/* Level-triggered: whatever libmicrohttpd left for its next turn wakes us again. */
	int daemon_fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	http_loop_watch(loop, daemon_fd, EPOLLIN, NULL);
	http_loop_watch(loop, loop->wake_fd, EPOLLIN, (void *)loop);
	return true;
}

enum status http_loop_start(struct http_loop *loop, struct http_server *server, unsigned index,
                            int listen_fd, struct error *err)
{
	const struct http_settings *settings = &server->settings;

	*loop = (struct http_loop){
		.server    = server,
		.index     = server->first_loop + index,
		.epoll_fd  = -1,
		.wake_fd   = -1,
		.listen_fd = listen_fd,
		.now_ms    = clock_monotonic_ms(),
	};
	/* Often enough for a ping interval that was set very low. */
	loop->tick_ms = settings->websocket_ping_ms / 4 < HTTP_TICK_MS ? settings->websocket_ping_ms / 4
	                                                               : HTTP_TICK_MS;
	set_patience(loop);
	trace_source_init(&loop->traces);
	if (!open_descriptors(loop))
		return error_set_errno(err, STATUS_IO, errno, "cannot start an HTTP loop");
	int result = pthread_create(&loop->thread, NULL, run, loop);
	if (result != 0)
		return error_set_errno(err, STATUS_IO, result, "cannot start an HTTP thread");
	loop->started = true;
	return STATUS_OK;
}

void http_loop_stop(struct http_loop *loop)
{
	loop->stop.run = begin_to_stop;
	if (loop->started)
		http_loop_post(loop, &loop->stop);
}

void http_loop_join(struct http_loop *loop)
{
	if (!loop->started)
		return;
	pthread_join(loop->thread, NULL);
	loop->started = false;
}

void http_loop_free(struct http_loop *loop)
{
	while (loop->idle) {
		struct http_request *request = loop->idle;
		loop->idle                   = request->next;
		arena_done(&request->arena);
		free(request);
	}
	if (loop->daemon)
		MHD_stop_daemon(loop->daemon);
	else if (loop->listen_fd >= 0)
		close(loop->listen_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
}
