#include "fixture.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/vector.h"

enum { READ_TIMEOUT_MS = 300000 };

void fixture_init(struct fixture *fixture)
{
	*fixture             = (struct fixture){0};
	struct settings sets = http_settings_of(&fixture->settings);
	struct error    err  = {0};

	setenv("SONNIM_LISTEN", "127.0.0.1:0", 1);
	setenv("SONNIM_HTTP_THREADS", "2", 1);
	assert_int_equal(settings_load(&sets, 1, &err), STATUS_OK);
	fixture->router = http_router_new();
}

void fixture_start(struct fixture *fixture, const struct http_route *routes, size_t count)
{
	struct http_route *kept = malloc(count * sizeof *kept);
	struct error       err  = {0};

	memcpy(kept, routes, count * sizeof *kept);
	http_router_add(fixture->router, "", kept, count);
	fixture->config.settings = &fixture->settings;
	fixture->config.router   = fixture->router;
	if (http_server_start(&fixture->config, &fixture->server, &err) != STATUS_OK)
		fail_msg("%s", err.reason);
}

void fixture_done(struct fixture *fixture)
{
	struct settings sets = http_settings_of(&fixture->settings);
	const char     *path;

	http_server_free(fixture->server);
	if (http_router_count(fixture->router) > 0)
		free((void *)http_router_at(fixture->router, 0, &path));
	http_router_free(fixture->router);
	settings_done(&sets, 1);
}

void answer_ok(struct http_request *request, void *user)
{
	(void)user;
	http_respond_static(request, 200, "text/plain", TEXT("ok"));
}

void answer_body(struct http_request *request, void *user)
{
	struct buffer body = {0};

	(void)user;
	buffer_add_text(&body, http_body(request));
	http_respond(request, 200, "application/octet-stream", &body);
}

static pthread_mutex_t held_lock  = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  held_added = PTHREAD_COND_INITIALIZER;
static VECTOR(struct http_request *) held;

void pass_to_test(struct http_request *request)
{
	pthread_mutex_lock(&held_lock);
	VECTOR_ADD(&held, request);
	pthread_cond_signal(&held_added);
	pthread_mutex_unlock(&held_lock);
}

void hold(struct http_request *request, void *user)
{
	(void)user;
	http_suspend(request);
	pass_to_test(request);
}

struct http_request *take_held(void)
{
	pthread_mutex_lock(&held_lock);
	while (held.count == 0)
		pthread_cond_wait(&held_added, &held_lock);
	struct http_request *oldest = held.items[0];
	memmove(held.items, held.items + 1, --held.count * sizeof held.items[0]);
	if (held.count == 0)
		VECTOR_DONE(&held);
	pthread_mutex_unlock(&held_lock);
	return oldest;
}

void peer_open(struct peer *peer, const struct fixture *fixture)
{
	struct sockaddr_in address = {
		.sin_family      = AF_INET,
		.sin_port        = htons((uint16_t)http_server_port(fixture->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	*peer    = (struct peer){0};
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(peer->fd >= 0);
	assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, sizeof address), 0);
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	free(peer->data);
	peer->data = NULL;
}

void peer_reset(struct peer *peer)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	peer_close(peer);
}

void peer_send(struct peer *peer, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t sent = send(peer->fd, at, length, MSG_NOSIGNAL);
		assert_true(sent > 0);
		at += sent;
		length -= (size_t)sent;
	}
}

void peer_say(struct peer *peer, const char *text) { peer_send(peer, text, strlen(text)); }

/* More bytes behind those that we have; false at the end. */
static bool receive(struct peer *peer)
{
	struct pollfd readable = {.fd = peer->fd, .events = POLLIN};

	if (poll(&readable, 1, READ_TIMEOUT_MS) != 1)
		fail_msg("nothing came for %d ms", READ_TIMEOUT_MS);
	peer->data  = realloc(peer->data, peer->length + 65536);
	ssize_t got = recv(peer->fd, peer->data + peer->length, 65536, 0);
	if (got <= 0)
		return false;
	peer->length += (size_t)got;
	return true;
}

static void take(struct peer *peer, void *into, size_t length)
{
	memcpy(into, peer->data, length);
	memmove(peer->data, peer->data + length, peer->length - length);
	peer->length -= length;
}

void peer_read(struct peer *peer, void *into, size_t length)
{
	while (peer->length < length)
		if (!receive(peer))
			fail_msg("the connection ended");
	take(peer, into, length);
}

bool peer_at_end(struct peer *peer) { return peer->length == 0 && !receive(peer); }

static void read_headers(struct peer *peer, struct reply *reply)
{
	size_t length = 0;

	do {
		assert_true(length + 2 < sizeof reply->headers);
		peer_read(peer, reply->headers + length, 1);
		if (reply->headers[length] != '\r')
			length++;
	} while (length < 2 || memcmp(reply->headers + length - 2, "\n\n", 2) != 0);
	reply->headers[length - 1] = '\0';
	for (char *at = reply->headers; *at; at += strcspn(at, "\n") + 1)
		for (char *name = at; *name && *name != ':' && *name != '\n'; name++)
			*name = (char)tolower(*name);
}

const char *reply_header(const struct reply *reply, const char *name)
{
	static _Thread_local char value[4096];
	char                      wanted[256];

	snprintf(wanted, sizeof wanted, "\n%s: ", name);
	const char *found = strstr(reply->headers, wanted);
	if (!found)
		return "";
	found += strlen(wanted);
	snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\n"), found);
	return value;
}

void reply_read(struct peer *peer, bool bodiless, struct reply *reply)
{
	*reply = (struct reply){0};
	read_headers(peer, reply);
	assert_int_equal(sscanf(reply->headers, "http/1.1 %u", &reply->status), 1);
	if (!bodiless)
		reply->body_length = (size_t)atol(reply_header(reply, "content-length"));
	reply->body = calloc(1, reply->body_length + 1);
	peer_read(peer, reply->body, reply->body_length);
}

void reply_done(struct reply *reply)
{
	free(reply->body);
	reply->body = NULL;
}

void exchange(struct peer *peer, const char *request, unsigned status, struct reply *reply)
{
	peer_say(peer, request);
	reply_read(peer, strncmp(request, "HEAD ", 5) == 0, reply);
	assert_int_equal(reply->status, status);
}

unsigned status_of(const struct fixture *fixture, const char *request)
{
	struct peer  peer;
	struct reply reply;

	peer_open(&peer, fixture);
	peer_say(&peer, request);
	reply_read(&peer, strncmp(request, "HEAD ", 5) == 0, &reply);
	reply_done(&reply);
	peer_close(&peer);
	return reply.status;
}

void sleep_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}
