/* A load generator for the collection API: shop events over many keep-alive connections, from one
 * thread, for as little processor time as possible (it shares the machine with the server).
 *
 *   load --mode=batch --connections=64 --seconds=60 --key=KEY     POST /v1/batch, 100 events each
 *   load --mode=track --connections=4000 --seconds=10 --key=KEY   POST /v1/track
 *
 * Request bodies are built once; before each is sent, user, message id, amount and time are
 * written over their digits in place:
 *
 *   {"type":"track","userId":"u00000042","event":"Order Completed","properties":{"revenue":1234.56,
 *    "category":"beauty","quantity":2},"messageId":"5f3a9c01-0000000007-03","timestamp":"2026-…Z"}
 *
 * No message id and no body ever repeats. Users are visited in a fixed irregular order that meets
 * each of --users before any a second time. Without --rate every connection sends as soon as it is
 * answered; with it requests are due at even intervals, and latency counts from when they were
 * due, not from when a connection was free ("coordinated omission"). */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/settings.h"

enum {
	PATTERN_COUNT      = 8, /* few, so that they stay in the cache */
	BATCH_MAX          = 1000,
	USER_DIGITS        = 8,
	SEQUENCE_DIGITS    = 10,
	TIME_BYTES         = 24, /* 2026-11-21T03:53:43.123Z */
	ANSWER_BYTES_MAX   = 16384,
	EVENTS_MAX         = 512,
	HISTOGRAM_OCTAVES  = 40,
	HISTOGRAM_STEPS    = 32, /* within an octave: 3 % wide */
	SUCCESS_BYTES      = 16, /* {"success":true} */
	RECONNECT_DELAY_NS = 10000000,
	WAIT_NS_MAX        = 100000000,
	DRAIN_SECONDS_MAX  = 15, /* for answers that are under way at the end */
};

struct options {
	char   *target;
	char   *mode;
	char   *key;
	int64_t connections;
	int64_t seconds;
	int64_t users;
	int64_t batch;
	int64_t rate;
	int64_t events;
	int64_t new_every;
	int64_t users_before;
	bool    personal;
	bool    json;
};

static const struct setting table[] = {
	SETTING_STRING(struct options, target, "target", "127.0.0.1:8080", "The server", "HOST:PORT"),
	SETTING_STRING(struct options, mode, "mode", "batch", "batch or track", "MODE"),
	SETTING_STRING(struct options, key, "key", "", "Write key of the source", "KEY"),
	SETTING_INT(struct options, connections, "connections", "64", 1, 30000, "How many"),
	SETTING_INT(struct options, seconds, "seconds", "10", 1, 86400, "How long"),
	SETTING_INT(struct options, users, "users", "1000000", 1, 99999999, "Distinct users"),
	SETTING_INT(struct options, batch, "batch", "100", 1, BATCH_MAX, "Events in a batch"),
	SETTING_INT(struct options, rate, "rate", "0", 0, 100000000,
                "Events a second; 0: all it takes"),
	SETTING_INT(struct options, events, "events", "0", 0, 10000000000,
                "So many and no more; 0: as many as --seconds allow"),
	SETTING_INT(struct options, new_every, "new-every", "0", 0, 1000000,
                "Every so many events a new user, the others of any who came; 0: as --users says"),
	SETTING_INT(struct options, users_before, "users-before", "0", 0, 99999999,
                "How many came before this run, with --new-every"),
	SETTING_BOOL(struct options, personal, "personal", "Two personal properties in each event"),
	SETTING_BOOL(struct options, json, "json", "Print the result as one line of JSON"),
};

static struct options options;

/* ---- What is sent ---- */

/* Where the digits of an event lie in its pattern. */
struct event_slots {
	size_t user;
	size_t email; /* 0: there is none */
	size_t phone;
	size_t revenue;
	size_t message;
	size_t time;
};

struct pattern {
	struct buffer      request;
	struct event_slots slots[BATCH_MAX];
	size_t             sent_at; /* of the batch; 0: none */
};

static struct pattern patterns[PATTERN_COUNT];
static char           digits[10000][4];
static uint64_t       sequence; /* of requests */
static uint64_t       user;     /* the last one */
static uint64_t       user_step;
static uint64_t       user_count;  /* with --new-every */
static uint64_t       event_count; /* likewise */
static uint64_t       random_state = 88172645463325252;
static int64_t        time_ms; /* of time_text */
static char           time_text[64];

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	return b == 0 ? a : greatest_common_divisor(b, a % b);
}

/* A step of about the golden section that has no factor in common with the number of users: it
 * visits all of them, far from one another. */
static void choose_user_step(void)
{
	uint64_t count = (uint64_t)options.users;

	user_step = count < 3 ? 1 : count * 618 / 1000 | 1;
	while (greatest_common_divisor(user_step, count) != 1)
		user_step++;
	user = next_random() % count;
}

static void add_personal(struct buffer *out, struct event_slots *slots)
{
	buffer_printf(out, ",\"email\":\"u");
	slots->email = out->length;
	buffer_printf(out, "00000000@example.com\",\"phone\":\"+8210");
	slots->phone = out->length;
	buffer_printf(out, "00000000\"");
}

static void add_event(struct pattern *pattern, struct event_slots *slots, const char *run,
                      int64_t index)
{
	static const char *const events[] = {
		"Order Completed", "Product Added",    "Product Viewed",  "Product Clicked",
		"Cart Viewed",     "Checkout Started", "Product Removed", "Coupon Applied",
	};
	static const char *const categories[] = {
		"outdoor", "beauty", "kitchen", "fashion", "books", "accommodation", "toys", "groceries",
	};
	struct buffer *out = &pattern->request;

	buffer_printf(out, "{\"type\":\"track\",\"userId\":\"u");
	slots->user = out->length;
	buffer_printf(
		out, "00000000\",\"event\":\"%s\",\"properties\":{\"revenue\":", events[next_random() % 8]);
	slots->revenue = out->length;
	buffer_printf(out, "1000.00,\"category\":\"%s\",\"quantity\":%d", categories[next_random() % 8],
	              1 + (int)(next_random() % 9));
	if (options.personal)
		add_personal(out, slots);
	buffer_printf(out, "},\"messageId\":\"%s-", run);
	slots->message = out->length;
	buffer_printf(out, "0000000000-%03d\",\"timestamp\":\"", (int)index);
	slots->time = out->length;
	buffer_printf(out, "0000-00-00T00:00:00.000Z\"}");
}

static void add_body(struct pattern *pattern, const char *run, bool batch)
{
	struct buffer *out = &pattern->request;

	if (!batch) {
		add_event(pattern, &pattern->slots[0], run, 0);
		return;
	}
	buffer_printf(out, "{\"batch\":[");
	for (int64_t i = 0; i < options.batch; i++) {
		buffer_printf(out, i == 0 ? "" : ",");
		add_event(pattern, &pattern->slots[i], run, i);
	}
	buffer_printf(out, "],\"sentAt\":\"");
	pattern->sent_at = out->length;
	buffer_printf(out, "0000-00-00T00:00:00.000Z\"}");
}

static void add_base64(struct buffer *out, const char *text)
{
	static const char set[]  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t            length = strlen(text);

	for (size_t i = 0; i < length; i += 3) {
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;
		bits |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < length ? (unsigned char)text[i + 2] : 0;
		buffer_add_u8(out, (uint8_t)set[bits >> 18]);
		buffer_add_u8(out, (uint8_t)set[bits >> 12 & 63]);
		buffer_add_u8(out, (uint8_t)(i + 1 < length ? set[bits >> 6 & 63] : '='));
		buffer_add_u8(out, (uint8_t)(i + 2 < length ? set[bits & 63] : '='));
	}
}

static void build_patterns(bool batch)
{
	uint8_t       run[4];
	char          run_text[9];
	struct buffer key = {0}, authorization = {0};

	for (int i = 0; i < 10000; i++) {
		char text[5];
		snprintf(text, sizeof text, "%04d", i);
		memcpy(digits[i], text, 4);
	}
	random_bytes(run, sizeof run);
	hash_hex(run, sizeof run, run_text);
	buffer_printf(&key, "%s:", options.key);
	buffer_add_u8(&key, 0);
	add_base64(&authorization, key.data);
	for (int i = 0; i < PATTERN_COUNT; i++) {
		struct pattern *pattern = &patterns[i];
		struct pattern  body    = {0};
		uint64_t        dice    = random_state;
		add_body(&body, run_text, batch); /* for its length */
		buffer_printf(&pattern->request,
		              "POST /v1/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %.*s\r\n"
		              "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		              options.mode, options.target, (int)authorization.length, authorization.data,
		              body.request.length);
		buffer_done(&body.request);
		random_state = dice;
		add_body(pattern, run_text, batch);
	}
	buffer_done(&key);
	buffer_done(&authorization);
}

static void patch_digits(char *at, uint64_t value, int count)
{
	for (at += count; count >= 4; count -= 4, value /= 10000)
		memcpy(at -= 4, digits[value % 10000], 4);
	for (; count > 0; count--, value /= 10)
		*--at = (char)('0' + value % 10);
}

static void update_time(int64_t now_ms)
{
	if (now_ms == time_ms)
		return;
	struct tm parts;
	time_t    seconds = now_ms / 1000;
	gmtime_r(&seconds, &parts);
	snprintf(time_text, sizeof time_text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	         (parts.tm_year + 1900) % 10000, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
	         parts.tm_min, parts.tm_sec, (int)(now_ms % 1000));
	time_ms = now_ms;
}

static void choose_user(void)
{
	if (options.new_every == 0) {
		user += user_step;
		if (user >= (uint64_t)options.users)
			user -= (uint64_t)options.users;
	} else if (event_count++ % (uint64_t)options.new_every == 0) {
		user = user_count++;
	} else {
		user = next_random() % user_count;
	}
}

/* The next request, valid until PATTERN_COUNT more were made. */
static struct text next_request(int64_t events)
{
	struct pattern *pattern = &patterns[sequence % PATTERN_COUNT];
	char           *data    = pattern->request.data;
	char            number[SEQUENCE_DIGITS];

	update_time(clock_wall_ms());
	patch_digits(number, sequence++, SEQUENCE_DIGITS);
	for (int64_t i = 0; i < events; i++) {
		const struct event_slots *slots = &pattern->slots[i];
		uint64_t                  dice  = next_random();
		choose_user();
		patch_digits(data + slots->user, user, USER_DIGITS);
		if (slots->email > 0) {
			memcpy(data + slots->email, data + slots->user, USER_DIGITS);
			memcpy(data + slots->phone, data + slots->user, USER_DIGITS);
		}
		memcpy(data + slots->revenue, digits[1000 + dice % 9000], 4);
		memcpy(data + slots->revenue + 5, digits[(dice >> 32) % 100] + 2, 2);
		memcpy(data + slots->message, number, SEQUENCE_DIGITS);
		memcpy(data + slots->time, time_text, TIME_BYTES);
	}
	if (pattern->sent_at > 0)
		memcpy(data + pattern->sent_at, time_text, TIME_BYTES);
	return buffer_text(&pattern->request);
}

/* ---- What comes back ---- */

static uint64_t histogram[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
static uint64_t latency_max_us;

static size_t slot_of(uint64_t us)
{
	if (us < HISTOGRAM_STEPS)
		return us;
	unsigned shift = 63 - (unsigned)__builtin_clzll(us) - 5;
	size_t   slot  = (shift + 1) * HISTOGRAM_STEPS + (us >> shift) - HISTOGRAM_STEPS;
	size_t   last  = sizeof histogram / sizeof histogram[0] - 1;
	return slot < last ? slot : last;
}

static uint64_t us_of(size_t slot)
{
	if (slot < HISTOGRAM_STEPS)
		return slot;
	return (HISTOGRAM_STEPS + slot % HISTOGRAM_STEPS) << (slot / HISTOGRAM_STEPS - 1);
}

static uint64_t percentile_us(double share)
{
	uint64_t total = 0, seen = 0;
	size_t   slots = sizeof histogram / sizeof histogram[0];

	for (size_t i = 0; i < slots; i++)
		total += histogram[i];
	for (size_t i = 0; i < slots; i++) {
		seen += histogram[i];
		if (seen > 0 && (double)seen >= share * (double)total)
			return us_of(i);
	}
	return 0;
}

/* ---- Connections ---- */

struct connection {
	int                fd;
	bool               busy;   /* a request is under way */
	int64_t            due_ns; /* when it was due, or was sent */
	char              *rest;   /* of the request, when the socket's buffer was full */
	size_t             rest_at;
	size_t             rest_length;
	char              *answer; /* what came so far, when it came in pieces */
	size_t             answer_length;
	struct connection *next; /* in `ready` */
};

static struct {
	uint64_t requests;
	uint64_t events;
	uint64_t failed;   /* answers other than 200 */
	uint64_t rejected; /* answers 200 that name rejected events */
	uint64_t lost;     /* connections */
	unsigned first_failure;
} result;

static struct sockaddr_in address;
static int                epoll_fd;
static struct connection *connections;
static struct connection *ready; /* answered, wait until a request is due */
static int64_t            events_each;
static int64_t            due_ns; /* of the next request, with --rate */
static int64_t            interval_ns;
static int64_t            end_ns;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_connection(struct connection *connection)
{
	int                one   = 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};

	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		die("socket");
	if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
		die(options.target);
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
		die("epoll_ctl");
	connection->busy          = false;
	connection->rest_length   = 0;
	connection->answer_length = 0;
}

static void reopen(struct connection *connection)
{
	result.lost++;
	close(connection->fd);
	nanosleep(&(struct timespec){.tv_nsec = RECONNECT_DELAY_NS}, NULL);
	open_connection(connection);
}

static void keep_rest(struct connection *connection, struct text request, size_t sent)
{
	connection->rest = realloc(connection->rest, request.length);
	if (!connection->rest)
		die("memory");
	connection->rest_length = request.length - sent;
	connection->rest_at     = 0;
	memcpy(connection->rest, request.data + sent, connection->rest_length);
}

static void send_request(struct connection *connection, int64_t since_ns)
{
	struct text request = next_request(events_each);
	ssize_t sent = send(connection->fd, request.data, request.length, MSG_NOSIGNAL | MSG_DONTWAIT);

	connection->busy   = true;
	connection->due_ns = since_ns;
	if (sent < 0 && errno != EAGAIN) {
		reopen(connection);
		connection->next = ready;
		ready            = connection;
		return;
	}
	sent = sent < 0 ? 0 : sent;
	if ((size_t)sent < request.length)
		keep_rest(connection, request, (size_t)sent);
}

static bool send_rest(struct connection *connection)
{
	while (connection->rest_at < connection->rest_length) {
		ssize_t sent =
			send(connection->fd, connection->rest + connection->rest_at,
		         connection->rest_length - connection->rest_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return errno == EAGAIN;
		connection->rest_at += (size_t)sent;
	}
	connection->rest_length = connection->rest_at = 0;
	return true;
}

/* Length of the whole answer at `data`; 0: not all of it is there. */
static size_t answer_length(const char *data, size_t length, size_t *ret_body)
{
	const char *end = memmem(data, length, "\r\n\r\n", 4);
	if (!end)
		return 0;
	size_t      head  = (size_t)(end - data) + 4;
	const char *field = memmem(data, head, "\r\nContent-Length: ", 18);
	*ret_body         = field ? (size_t)strtoul(field + 18, NULL, 10) : 0;
	return head + *ret_body <= length ? head + *ret_body : 0;
}

static void count_answer(struct connection *connection, const char *data, size_t length,
                         size_t body, int64_t now_ns)
{
	uint64_t us = (uint64_t)(now_ns - connection->due_ns) / 1000;

	histogram[slot_of(us)]++;
	latency_max_us = us > latency_max_us ? us : latency_max_us;
	result.requests++;
	if (length < 12 || memcmp(data + 9, "200", 3) != 0) {
		if (result.failed++ == 0)
			result.first_failure = (unsigned)strtoul(data + 9, NULL, 10);
	} else if (body > SUCCESS_BYTES && memmem(data, length, "\"rejected\"", 10)) {
		result.rejected++;
	} else {
		result.events += (uint64_t)events_each;
	}
	connection->busy          = false;
	connection->answer_length = 0;
	connection->next          = ready;
	ready                     = connection;
}

/* False: the connection is lost. */
static bool receive(struct connection *connection)
{
	static char data[ANSWER_BYTES_MAX];
	size_t      body;

	while (connection->busy) {
		size_t have = connection->answer_length;
		if (have > 0)
			memcpy(data, connection->answer, have);
		ssize_t got = recv(connection->fd, data + have, sizeof data - have, MSG_DONTWAIT);
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		have += (size_t)got;
		if (answer_length(data, have, &body) > 0) {
			count_answer(connection, data, have, body, clock_monotonic_ns());
			return true;
		}
		if (have == sizeof data)
			return false;
		connection->answer = realloc(connection->answer, sizeof data);
		if (!connection->answer)
			die("memory");
		memcpy(connection->answer, data, have);
		connection->answer_length = have;
	}
	return true;
}

static void handle(struct connection *connection, uint32_t events)
{
	bool alive = !(events & (EPOLLERR | EPOLLHUP));

	if (alive && connection->rest_length > 0)
		alive = send_rest(connection);
	if (alive && (events & EPOLLIN))
		alive = receive(connection);
	if (alive)
		return;
	bool was_busy = connection->busy;
	reopen(connection);
	if (was_busy) {
		connection->next = ready;
		ready            = connection;
	}
}

/* ---- The run ---- */

static bool is_all_sent(void)
{
	return options.events > 0 && sequence * (uint64_t)events_each >= (uint64_t)options.events;
}

/* Sends on free connections what is due; nanoseconds until more is, at most WAIT_NS_MAX. */
static int64_t send_due(int64_t now_ns)
{
	/* What was answered in this turn is asked again once, or dead connections would spin. */
	struct connection *free_ones = ready;

	ready = NULL;
	while (free_ones) {
		struct connection *connection = free_ones;
		if ((interval_ns > 0 && due_ns > now_ns) || is_all_sent())
			break;
		free_ones = connection->next;
		send_request(connection, interval_ns > 0 ? due_ns : now_ns);
		due_ns += interval_ns;
	}
	if (!free_ones)
		return ready ? 0 : WAIT_NS_MAX;
	struct connection *last = free_ones;
	while (last->next)
		last = last->next;
	last->next = ready;
	ready      = free_ones;
	return due_ns - now_ns < WAIT_NS_MAX ? due_ns - now_ns : WAIT_NS_MAX;
}

static void handle_some(int64_t wait_ns)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec    timeout = {.tv_nsec = wait_ns};
	int                count   = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &timeout, NULL);
	for (int i = 0; i < count; i++)
		handle(events[i].data.ptr, events[i].events);
}

static bool any_busy(void)
{
	for (int64_t i = 0; i < options.connections; i++)
		if (connections[i].busy)
			return true;
	return false;
}

/* To the last answer, so that what was taken in can be counted on both sides. */
static void run(void)
{
	int64_t now_ns = clock_monotonic_ns();

	due_ns = now_ns;
	end_ns = now_ns + options.seconds * 1000000000;
	while (now_ns < end_ns && !is_all_sent()) {
		handle_some(send_due(now_ns));
		now_ns = clock_monotonic_ns();
	}
	while (any_busy() && clock_monotonic_ns() < now_ns + DRAIN_SECONDS_MAX * INT64_C(1000000000))
		handle_some(WAIT_NS_MAX);
}

static void report(double seconds)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	uint64_t sent  = sequence * (uint64_t)events_each;
	uint64_t users = sent < (uint64_t)options.users ? sent : (uint64_t)options.users;
	if (options.new_every > 0)
		users = user_count; /* with those of runs before */

	const char *format =
		options.json
			? "{\"mode\":\"%s\",\"connections\":%ld,\"seconds\":%.3f,\"requests\":%lu,"
			  "\"events\":%lu,\"requests_per_s\":%.1f,\"events_per_s\":%.1f,\"failed\":%lu,"
			  "\"first_failure\":%u,\"rejected\":%lu,\"lost\":%lu,\"p50_us\":%lu,"
			  "\"p90_us\":%lu,\"p99_us\":%lu,\"max_us\":%lu,\"users\":%lu,"
			  "\"cpu_us_per_event\":%.3f}\n"
			: "mode %s, %ld connections, %.3f s\n"
			  "requests %lu, events %lu, %.1f requests/s, %.1f events/s\n"
			  "failed %lu (first status %u), with rejected events %lu, connections lost %lu\n"
			  "latency p50 %lu us, p90 %lu us, p99 %lu us, max %lu us\n"
			  "distinct users %lu, own processor time %.3f us an event\n";
	printf(format, options.mode, (long)options.connections, seconds, result.requests, result.events,
	       (double)result.requests / seconds, (double)result.events / seconds, result.failed,
	       result.first_failure, result.rejected, result.lost, percentile_us(0.5),
	       percentile_us(0.9), percentile_us(0.99), latency_max_us, users,
	       result.events ? cpu_s * 1e6 / (double)result.events : 0);
}

static void parse_target(void)
{
	char  host[64];
	char *colon = strrchr(options.target, ':');

	address.sin_family = AF_INET;
	if (!colon || (size_t)(colon - options.target) >= sizeof host)
		goto bad;
	memcpy(host, options.target, (size_t)(colon - options.target));
	host[colon - options.target] = '\0';
	address.sin_port             = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &address.sin_addr) == 1)
		return;
bad:
	fprintf(stderr, "load: --target is an IPv4 address and a port, such as 127.0.0.1:8080\n");
	exit(2);
}

static void prepare(bool batch)
{
	struct rlimit limit;

	parse_target();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	events_each = batch ? options.batch : 1;
	interval_ns = options.rate > 0 ? 1000000000 * events_each / options.rate : 0;
	random_bytes(&random_state, sizeof random_state);
	random_state |= 1;
	choose_user_step();
	user_count = (uint64_t)options.users_before;
	build_patterns(batch);
	epoll_fd    = epoll_create1(EPOLL_CLOEXEC);
	connections = calloc((size_t)options.connections, sizeof *connections);
	if (epoll_fd < 0 || !connections)
		die("start");
	for (int64_t i = 0; i < options.connections; i++) {
		open_connection(&connections[i]);
		connections[i].next = ready;
		ready               = &connections[i];
	}
}

int main(int argc, char **argv)
{
	struct settings set = {table, sizeof table / sizeof table[0], &options};
	struct error    err = {0};

	if (settings_load(&set, 1, &err) != STATUS_OK ||
	    settings_parse_flags(&set, 1, &argc, argv, &err) != STATUS_OK) {
		fprintf(stderr, "load: %s\n", err.reason);
		return 2;
	}
	bool batch = strcmp(options.mode, "batch") == 0;
	if (!batch && strcmp(options.mode, "track") != 0) {
		fprintf(stderr, "load: --mode is batch or track\n");
		return 2;
	}
	prepare(batch);
	int64_t began_ns = clock_monotonic_ns();
	run();
	report((double)(clock_monotonic_ns() - began_ns) / 1e9);
	return result.events > 0 ? 0 : 1;
}
