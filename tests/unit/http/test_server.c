#include "http/server.h"

#include <zlib.h>

#include <sys/socket.h>

#include "fixture.h"

#include <unistd.h>

static int init(void **state)
{
	static struct fixture fixture;
	fixture_init(&fixture);
	*state = &fixture;
	return 0;
}

static int done(void **state)
{
	fixture_done(*state);
	return 0;
}

#define HOST "Host: localhost\r\n"

/* ---- What handlers see ---- */

static void describe(struct http_request *request, void *user)
{
	struct buffer body = {0};
	struct text   name, value;

	(void)user;
	buffer_printf(&body, "%.*s %.*s id=%.*s", TEXT_FORMAT(http_method(request)),
	              TEXT_FORMAT(http_path(request)), TEXT_FORMAT(http_param(request, "id")));
	for (size_t i = 0; i < http_query_count(request); i++) {
		http_query_at(request, i, &name, &value);
		buffer_printf(&body, " %.*s=%.*s", TEXT_FORMAT(name), TEXT_FORMAT(value));
	}
	if (http_header(request, "x-test", &value))
		buffer_printf(&body, " X-Test=%.*s", TEXT_FORMAT(value));
	buffer_printf(&body, " peer=%s pattern=%s", http_client_address(request),
	              http_pattern(request));
	http_respond(request, 200, "text/plain", &body);
}

static void a_handler_sees_parameters_query_headers_and_peer(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"GET", "/u/{id}/x", describe, NULL});
	peer_open(&peer, *state);
	exchange(&peer,
	         "GET /u/a%2Fb:c/x?q=%EC%A0%9C+%2B&flag&q=2 HTTP/1.1\r\n" HOST "x-TEST:  v 1 \r\n\r\n",
	         200, &reply);
	assert_string_equal(reply.body, "GET /u/a%2Fb:c/x id=a/b:c q=제 + flag= q=2 X-Test=v 1 "
	                                "peer=127.0.0.1 pattern=/u/{id}/x");
	reply_done(&reply);
	peer_close(&peer);
}

static void check_padding(struct http_request *request, void *user)
{
	struct text body = http_body(request);
	unsigned    sum  = 0;

	(void)user;
	for (int i = 0; i < 64; i++) /* the sanitizer sees a read too far */
		sum += (unsigned char)body.data[body.length + (size_t)i];
	((char *)body.data)[body.length / 2] = 'x'; /* writable */
	http_respond_static(request, sum == 0 ? 200 : 500, NULL, TEXT(""));
}

static void sixty_four_bytes_behind_a_body_may_be_read(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	struct reply    reply;
	char            request[400];
	FIXTURE_START(fixture, {"POST", "/", check_padding, NULL});
	peer_open(&peer, fixture);
	for (int length = 1; length < 200; length += 7) {
		snprintf(request, sizeof request,
		         "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n%0*d", length, length, 0);
		exchange(&peer, request, 200, &reply);
		reply_done(&reply);
	}
	peer_close(&peer);
}

static void bodies_arrive_whole_in_pieces_or_chunks(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	peer_open(&peer, *state);
	peer_say(&peer, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
	sleep_ms(20);
	exchange(&peer, "56789", 200, &reply);
	assert_string_equal(reply.body, "0123456789");
	reply_done(&reply);

	peer_say(&peer, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
	sleep_ms(20);
	exchange(&peer, "3\r\nfgh\r\n0\r\n\r\n", 200, &reply);
	assert_string_equal(reply.body, "abcdefgh");
	reply_done(&reply);
	peer_close(&peer);
}

static void a_large_body_passes_through_unchanged(void **state)
{
	enum { LENGTH = 3 << 20 };
	struct peer  peer;
	struct reply reply;
	char        *body = malloc(LENGTH);
	char         head[200];
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	for (size_t i = 0; i < LENGTH; i++)
		body[i] = (char)(i * 2654435761u >> 13);
	snprintf(head, sizeof head, "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", LENGTH);
	peer_open(&peer, *state);
	peer_say(&peer, head);
	peer_send(&peer, body, LENGTH);
	reply_read(&peer, false, &reply);
	assert_int_equal(reply.body_length, LENGTH);
	assert_memory_equal(reply.body, body, LENGTH);
	reply_done(&reply);
	peer_close(&peer);
	free(body);
}

/* ---- Connections ---- */

static void pipelined_requests_are_answered_in_order(void **state)
{
	enum { COUNT = 200 };
	struct peer   peer;
	struct reply  reply;
	struct buffer all = {0};
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	for (int i = 0; i < COUNT; i++)
		buffer_printf(&all, "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n%04d", i);
	peer_open(&peer, *state);
	peer_send(&peer, all.data, all.length);
	for (int i = 0; i < COUNT; i++) {
		reply_read(&peer, false, &reply);
		assert_int_equal(atoi(reply.body), i);
		reply_done(&reply);
	}
	peer_close(&peer);
	buffer_done(&all);
}

static void http_1_0_and_connection_close_end_the_connection(void **state)
{
	const char *requests[] = {
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
	};
	FIXTURE_START(*state, {"GET", "/", answer_ok, NULL});
	for (int i = 0; i < 2; i++) {
		struct peer peer;
		char        rest[1024];
		peer_open(&peer, *state);
		peer_say(&peer, requests[i]);
		peer_read(&peer, rest, 15);
		assert_memory_equal(rest + 8, " 200 OK", 7);
		while (!peer_at_end(&peer))
			peer_read(&peer, rest, peer.length < sizeof rest ? peer.length : sizeof rest);
		peer_close(&peer);
	}
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"GET", "/", answer_ok, NULL});
	peer_open(&peer, *state);
	exchange(&peer, "HEAD / HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
	assert_string_equal(reply_header(&reply, "content-length"), "2");
	reply_done(&reply);
	exchange(&peer, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
	assert_string_equal(reply.body, "ok");
	reply_done(&reply);
	peer_close(&peer);
}

static void expect_100_continue_is_answered_before_the_body(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	peer_open(&peer, *state);
	exchange(&peer, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	         100, &reply);
	reply_done(&reply);
	exchange(&peer, "hi", 200, &reply);
	assert_string_equal(reply.body, "hi");
	reply_done(&reply);
	peer_close(&peer);
}

static void a_client_that_is_too_slow_loses_its_connection(void **state)
{
	struct fixture *fixture = *state;
	const char     *begun[] = {
			"POST / HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nx",
			"GET / HTTP/1.1\r\nHo",
			"",
    };
	fixture->settings.request_timeout_ms = 100;
	fixture->settings.idle_timeout_ms    = 1000;
	FIXTURE_START(fixture, {"POST", "/", answer_ok, NULL});
	for (int i = 0; i < 3; i++) {
		struct peer peer;
		peer_open(&peer, fixture);
		peer_say(&peer, begun[i]);
		assert_true(peer_at_end(&peer));
		peer_close(&peer);
	}
}

enum { LARGE_BYTES = 64 << 20 };

static void answer_large(struct http_request *request, void *user)
{
	struct buffer body = {0};
	(void)user;
	buffer_reserve(&body, LARGE_BYTES);
	memset(body.data, 'x', LARGE_BYTES);
	body.length = LARGE_BYTES;
	http_respond(request, 200, "text/plain", &body);
}

static void a_client_that_takes_its_answer_too_slowly_loses_its_connection(void **state)
{
	struct fixture *fixture              = *state;
	fixture->settings.request_timeout_ms = 100;
	fixture->settings.send_rate_min      = LARGE_BYTES;
	FIXTURE_START(fixture, {"GET", "/large", answer_large, NULL});
	struct peer peer;
	char        some[65536];
	ssize_t     got;
	size_t      sum = 0;
	peer_open(&peer, fixture);
	peer_say(&peer, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	while (http_server_counts(fixture->server).timeouts == 0)
		sleep_ms(10);
	while ((got = recv(peer.fd, some, sizeof some, 0)) > 0)
		sum += (size_t)got;
	assert_true(sum < LARGE_BYTES);
	peer_close(&peer);
}

static void a_client_that_ends_within_a_request_loses_its_connection(void **state)
{
	struct fixture *fixture              = *state;
	fixture->settings.request_timeout_ms = 1000; /* looked at often; the idle time stays long */
	FIXTURE_START(fixture, {"GET", "/ok", answer_ok, NULL});
	const char *const beginnings[] = {"GET /o", "GET /ok HTTP/1.1\r\nHos", "\r\n"};

	for (unsigned i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
		struct peer peer;
		peer_open(&peer, fixture);
		peer_say(&peer, beginnings[i]);
		assert_int_equal(shutdown(peer.fd, SHUT_WR), 0);
		assert_true(peer_at_end(&peer));
		peer_close(&peer);
	}
}

static void a_client_that_ends_after_its_request_gets_the_answer(void **state)
{
	struct fixture *fixture              = *state;
	fixture->settings.request_timeout_ms = 100;
	FIXTURE_START(fixture, {"GET", "/hold", hold, NULL});
	struct peer  peer;
	struct reply reply;
	peer_open(&peer, fixture);
	peer_say(&peer, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(shutdown(peer.fd, SHUT_WR), 0);
	struct http_request *request = take_held();
	sleep_ms(200); /* some looks */
	answer_ok(request, NULL);
	reply_read(&peer, false, &reply);
	assert_int_equal(reply.status, 200);
	assert_true(peer_at_end(&peer));
	reply_done(&reply);
	peer_close(&peer);
}

static void more_connections_than_allowed_wait_their_turn(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peers[6];
	struct reply    reply;
	fixture->settings.threads              = 1;
	fixture->settings.connection_count_max = 2;
	FIXTURE_START(fixture, {"GET", "/", answer_ok, NULL});
	for (int i = 0; i < 6; i++) {
		peer_open(&peers[i], fixture);
		peer_say(&peers[i], "GET / HTTP/1.1\r\n" HOST "\r\n");
	}
	for (int i = 0; i < 6; i++) {
		reply_read(&peers[i], false, &reply);
		assert_true(http_server_counts(fixture->server).connections <= 2);
		reply_done(&reply);
		peer_close(&peers[i]);
	}
}

/* ---- Answers ---- */

static void answer_with_headers(struct http_request *request, void *user)
{
	(void)user;
	http_add_header(request, "X-One", TEXT("1"));
	http_add_header(request, "X-Split", TEXT("a\r\nX-Evil: 1"));
	http_respond_static(request, 201, "text/plain", TEXT("made"));
}

static void before(void *user, struct http_request *request, unsigned http_status)
{
	char status[8];
	(void)user;
	snprintf(status, sizeof status, "%u", http_status);
	http_add_header(request, "X-Status", text_of(status));
}

static void headers_come_from_handler_hook_and_configuration(void **state)
{
	struct fixture          *fixture   = *state;
	const struct http_header headers[] = {{TEXT("X-Content-Type-Options"), TEXT("nosniff")}};
	struct peer              peer;
	struct reply             reply;
	fixture->config.headers       = headers;
	fixture->config.header_count  = 1;
	fixture->config.before_answer = before;
	FIXTURE_START(fixture, {"GET", "/", answer_with_headers, NULL});
	peer_open(&peer, fixture);
	exchange(&peer, "GET / HTTP/1.1\r\n" HOST "\r\n", 201, &reply);
	assert_string_equal(reply_header(&reply, "x-one"), "1");
	assert_string_equal(reply_header(&reply, "x-split"), "a  X-Evil: 1");
	assert_string_equal(reply_header(&reply, "x-evil"), "");
	assert_string_equal(reply_header(&reply, "x-status"), "201");
	assert_string_equal(reply_header(&reply, "x-content-type-options"), "nosniff");
	assert_string_equal(reply_header(&reply, "content-type"), "text/plain");
	reply_done(&reply);
	exchange(&peer, "GET /nothing HTTP/1.1\r\n" HOST "\r\n", 404, &reply);
	assert_string_equal(reply_header(&reply, "x-status"), "404");
	assert_string_equal(reply_header(&reply, "x-content-type-options"), "nosniff");
	reply_done(&reply);
	exchange(&peer, "BAD REQUEST LINE\r\n\r\n", 400, &reply);
	assert_string_equal(reply_header(&reply, "x-content-type-options"), "nosniff");
	reply_done(&reply);
	peer_close(&peer);
}

static void say_trace(struct http_request *request, void *user)
{
	struct buffer body = {0};
	(void)user;
	buffer_add_text(&body, text_of(http_trace_id(request)));
	http_respond(request, 200, NULL, &body);
}

static void the_trace_of_a_request_goes_on_in_its_answer(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"GET", "/", say_trace, NULL});
	peer_open(&peer, *state);
	exchange(&peer,
	         "GET / HTTP/1.1\r\n" HOST
	         "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
	         200, &reply);
	assert_string_equal(reply.body, "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_memory_equal(reply_header(&reply, "traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-",
	                    36);
	reply_done(&reply);
	exchange(&peer, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, &reply);
	assert_int_equal(strspn(reply.body, "0123456789abcdef"), 32);
	reply_done(&reply);
	peer_close(&peer);
}

/* ---- Errors of the server itself ---- */

static void error_body(void *user, unsigned http_status, const struct error *err,
                       const char *trace_id, struct buffer *out)
{
	(void)user;
	buffer_printf(out, "%u %s %zu", http_status, status_code(err->status), strlen(trace_id));
}

static void assert_error(struct fixture *fixture, const char *request, unsigned status,
                         const char *body)
{
	struct peer  peer;
	struct reply reply;
	peer_open(&peer, fixture);
	exchange(&peer, request, status, &reply);
	assert_string_equal(reply.body, body);
	assert_string_equal(reply_header(&reply, "content-type"), "application/json");
	reply_done(&reply);
	peer_close(&peer);
}

static void every_error_has_the_body_of_the_application(void **state)
{
	struct fixture *fixture = *state;
	char            long_line[9000];
	fixture->config.error_body = error_body;
	FIXTURE_START(fixture, {"GET", "/x", answer_ok, NULL});
	assert_error(fixture, "GET /y HTTP/1.1\r\n" HOST "\r\n", 404, "404 NOT_FOUND 32");
	assert_error(fixture, "PUT /x HTTP/1.1\r\n" HOST "\r\n", 405, "405 METHOD_NOT_ALLOWED 32");
	assert_error(fixture, "GET /%ff HTTP/1.1\r\n" HOST "\r\n", 400, "400 VALIDATION_ERROR 32");
	assert_error(fixture, "GET /x?a=%ff HTTP/1.1\r\n" HOST "\r\n", 400, "400 VALIDATION_ERROR 32");
	assert_error(fixture, "GET /x HTTX/1.1\r\n" HOST "\r\n", 400, "400 VALIDATION_ERROR 32");
	assert_error(fixture, "GET /x HTTP/2.0\r\n" HOST "\r\n", 505, "505 UNSUPPORTED 32");
	assert_error(fixture, "GET /x HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400,
	             "400 VALIDATION_ERROR 32");
	snprintf(long_line, sizeof long_line, "GET /%08000d HTTP/1.1\r\n" HOST "\r\n", 0);
	assert_error(fixture, long_line, 414, "414 PAYLOAD_TOO_LARGE 32");
	snprintf(long_line, sizeof long_line, "GET /x HTTP/1.1\r\n" HOST "X: %08000d\r\n\r\n", 0);
	assert_error(fixture, long_line, 431, "431 PAYLOAD_TOO_LARGE 32");
}

static void the_default_error_body_has_code_message_time_and_trace(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"GET", "/x", answer_ok, NULL});
	peer_open(&peer, *state);
	exchange(&peer, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 405, &reply);
	assert_non_null(strstr(reply.body, "{\"error\":{\"code\":\"METHOD_NOT_ALLOWED\",\"message\":"));
	assert_non_null(strstr(reply.body, "\"details\":{},\"timestamp\":\"2"));
	assert_non_null(strstr(reply.body, "\"traceId\":\""));
	assert_string_equal(reply_header(&reply, "allow"), "GET, HEAD, OPTIONS");
	reply_done(&reply);
	exchange(&peer, "OPTIONS /x HTTP/1.1\r\n" HOST "\r\n", 204, &reply);
	assert_string_equal(reply_header(&reply, "allow"), "GET, HEAD, OPTIONS");
	reply_done(&reply);
	peer_close(&peer);
}

static void ambiguous_framing_is_refused(void **state)
{
	const char *bad[] = {
		"Content-Length: 2\r\nContent-Length: 3\r\n",
		"Content-Length: 2\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Content-Length : 2\r\n",
		"Content-Length: 2x\r\n",
		"Content-Length: -2\r\n",
	};
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char request[300];
		snprintf(request, sizeof request, "POST / HTTP/1.1\r\n" HOST "%s\r\n%s", bad[i],
		         strstr(bad[i], "chunked") ? "2\r\nhi\r\n0\r\n\r\n" : "hi");
		assert_int_equal(status_of(*state, request), 400);
	}
	const char *endless[] = {"gzip", "gzip, chunked", "chunked, gzip", "identity"};
	for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
		char request[300];
		snprintf(request, sizeof request,
		         "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: %s\r\n\r\n2\r\nhi\r\n", endless[i]);
		assert_int_equal(status_of(*state, request), 501);
	}
	assert_int_equal(status_of(*state, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n"
	                                   "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"),
	                 400);
	assert_int_equal(status_of(*state, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"), 400);
}

static void two_authorizations_are_refused(void **state)
{
	FIXTURE_START(*state, {"GET", "/", answer_body, NULL});
	assert_int_equal(status_of(*state, "GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\n\r\n"),
	                 200);
	assert_int_equal(status_of(*state, "GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\n"
	                                   "authorization: Bearer a\r\n\r\n"),
	                 400);
}

/* ---- Limits ---- */

static void a_body_over_the_limit_is_413_and_the_connection_lives_on(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	struct reply    reply;
	char            request[3000];
	fixture->settings.body_bytes_max = 1024;
	FIXTURE_START(fixture, {"POST", "/", answer_body, NULL});
	peer_open(&peer, fixture);
	for (int length = 1023; length <= 1026; length++) {
		snprintf(request, sizeof request,
		         "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n%0*d", length, length, 0);
		exchange(&peer, request, length <= 1024 ? 200 : 413, &reply);
		reply_done(&reply);
		snprintf(request, sizeof request,
		         "POST / HTTP/1.1\r\n" HOST
		         "Transfer-Encoding: chunked\r\n\r\n3e8\r\n%01000d\r\n%x\r\n%0*d\r\n0\r\n\r\n",
		         0, length - 1000, length - 1000, 0);
		exchange(&peer, request, length <= 1024 ? 200 : 413, &reply);
		reply_done(&reply);
	}
	peer_close(&peer);
}

static void a_body_that_is_far_too_large_is_refused_at_once(void **state)
{
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	assert_int_equal(
		status_of(*state, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n"), 413);
	assert_int_equal(status_of(*state, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	                                   "Content-Length: 5000000\r\n\r\n"),
	                 413);
	assert_int_equal(status_of(*state, "POST / HTTP/1.1\r\n" HOST
	                                   "Content-Length: 99999999999999999999999\r\n\r\n"),
	                 413);
}

static void large_bodies_share_a_memory_limit(void **state)
{
	struct fixture *fixture = *state;
	struct peer     holder, other;
	struct reply    reply;
	char            head[200];
	char           *body               = calloc(1, 900000);
	fixture->settings.bodies_bytes_max = 1 << 20;
	FIXTURE_START(fixture, {"POST", "/", answer_ok, NULL});
	snprintf(head, sizeof head, "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", 900000);
	peer_open(&holder, fixture);
	peer_say(&holder, head);
	peer_send(&holder, body, 899999);
	while (http_server_counts(fixture->server).bodies_bytes < 899999)
		sleep_ms(1);
	peer_open(&other, fixture);
	peer_say(&other, head);
	peer_send(&other, body, 900000);
	reply_read(&other, false, &reply);
	assert_int_equal(reply.status, 503);
	assert_string_equal(reply_header(&reply, "retry-after"), "1");
	reply_done(&reply);

	peer_send(&holder, body, 1);
	reply_read(&holder, false, &reply);
	assert_int_equal(reply.status, 200);
	reply_done(&reply);
	while (http_server_counts(fixture->server).bodies_bytes > 0)
		sleep_ms(1);
	peer_say(&other, head);
	peer_send(&other, body, 900000);
	reply_read(&other, false, &reply);
	assert_int_equal(reply.status, 200);
	reply_done(&reply);
	peer_close(&holder);
	peer_close(&other);
	free(body);
}

static void headers_up_to_the_limit_pass_and_more_are_431(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	struct reply    reply;
	FIXTURE_START(fixture, {"GET", "/", answer_ok, NULL});
	for (int more = 0; more <= 1; more++) {
		struct buffer request = {0};
		buffer_printf(&request, "GET / HTTP/1.1\r\n" HOST);
		for (int i = 0; i < 30; i++)
			buffer_printf(&request, "X-Header-%d: %0100d\r\n", i, i);
		int left =
			(int)(fixture->settings.header_bytes_max - request.length) - (int)strlen("X: \r\n\r\n");
		buffer_printf(&request, "X: %0*d\r\n\r\n", left + more, 0);
		peer_open(&peer, fixture);
		peer_send(&peer, request.data, request.length);
		reply_read(&peer, false, &reply);
		assert_int_equal(reply.status, more ? 431 : 200);
		reply_done(&reply);
		peer_close(&peer);
		buffer_done(&request);
	}
}

/* ---- gzip ---- */

static void post_gzip(struct fixture *fixture, struct text body, const char *encoding,
                      unsigned status, struct reply *reply)
{
	struct peer peer;
	char        head[200];
	peer_open(&peer, fixture);
	snprintf(head, sizeof head,
	         "POST / HTTP/1.1\r\n" HOST "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
	         encoding, body.length);
	peer_say(&peer, head);
	peer_send(&peer, body.data, body.length);
	reply_read(&peer, false, reply);
	assert_int_equal(reply->status, status);
	peer_close(&peer);
}

static struct text gzip_of(struct text text)
{
	z_stream stream = {.next_in = (Bytef *)text.data, .avail_in = (uInt)text.length};
	deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	uLong bound      = deflateBound(&stream, text.length);
	char *out        = malloc(bound);
	stream.next_out  = (Bytef *)out;
	stream.avail_out = (uInt)bound;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return (struct text){out, bound - stream.avail_out};
}

static void gzip_bodies_are_decompressed_under_the_same_limit(void **state)
{
	struct reply reply;
	char        *large = calloc(1, 5 << 20);
	struct text  small_gzip, large_gzip;
	FIXTURE_START(*state, {"POST", "/", answer_body, NULL});
	small_gzip = gzip_of(TEXT("{\"a\":1}"));
	large_gzip = gzip_of((struct text){large, 5 << 20});
	post_gzip(*state, small_gzip, "gzip", 200, &reply);
	assert_string_equal(reply.body, "{\"a\":1}");
	reply_done(&reply);
	post_gzip(*state, large_gzip, "gzip", 413, &reply);
	reply_done(&reply);
	post_gzip(*state, TEXT("plain"), "gzip", 400, &reply);
	reply_done(&reply);
	post_gzip(*state, TEXT("plain"), "br", 415, &reply);
	reply_done(&reply);
	post_gzip(*state, TEXT("plain"), "identity", 200, &reply);
	reply_done(&reply);
	free(large);
	free((char *)small_gzip.data);
	free((char *)large_gzip.data);
}

/* ---- Addresses ---- */

static void an_address_in_use_or_unreadable_is_an_error_that_names_it(void **state)
{
	struct fixture           *fixture = *state;
	struct http_settings      other;
	struct http_server_config config;
	struct http_server       *server = NULL;
	struct error              err    = {0};
	FIXTURE_START(fixture, {"GET", "/", answer_ok, NULL});
	other           = fixture->settings;
	config          = fixture->config;
	other.listen    = (char *)http_server_address(fixture->server);
	config.settings = &other;
	assert_int_equal(http_server_start(&config, &server, &err), STATUS_IO);
	assert_non_null(strstr(err.reason, other.listen));

	const char *bad[] = {"localhost", "1.2.3.4:",   "1.2.3.4:99999",
	                     "::1:80",    "1.2.3.4:8x", "[::1:80"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		other.listen = (char *)bad[i];
		assert_int_equal(http_server_start(&config, &server, &err), STATUS_INVALID);
		assert_string_equal(err.field, "listen");
	}
	assert_null(server);
}

/* ---- Sockets that are passed on ---- */

static void a_connection_waits_in_the_sockets_from_one_server_to_the_next(void **state)
{
	struct fixture *fixture = *state;
	struct peer     waiting[8];
	struct reply    reply;
	int             sockets[HTTP_SOCKETS_MAX];
	char            address[64];
	FIXTURE_START(fixture, {"GET", "/", answer_ok, NULL});
	snprintf(address, sizeof address, "%s", http_server_address(fixture->server));
	size_t count = http_server_sockets(fixture->server, sockets);
	assert_int_equal(count, 2); /* one a loop */
	http_server_stop(fixture->server);
	for (unsigned i = 0; i < 8; i++) {
		peer_open(&waiting[i], fixture);
		peer_say(&waiting[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	http_server_free(fixture->server);

	struct error err;
	fixture->settings.threads    = 3; /* two of them share a socket */
	fixture->config.sockets      = sockets;
	fixture->config.socket_count = count;
	assert_int_equal(http_server_start(&fixture->config, &fixture->server, &err), STATUS_OK);
	assert_string_equal(http_server_address(fixture->server), address);
	for (unsigned i = 0; i < 8; i++) {
		reply_read(&waiting[i], false, &reply);
		assert_int_equal(reply.status, 200);
		reply_done(&reply);
		peer_close(&waiting[i]);
	}
}

static void it_is_known_where_a_socket_listens(void **state)
{
	struct fixture *fixture = *state;
	int             sockets[HTTP_SOCKETS_MAX];
	FIXTURE_START(fixture, {"GET", "/", answer_ok, NULL});
	size_t count = http_server_sockets(fixture->server, sockets);
	assert_true(http_socket_listens(sockets[0]));
	assert_true(http_socket_is_at(sockets[0], http_server_address(fixture->server)));
	assert_true(http_socket_is_at(sockets[0], "127.0.0.1:0"));
	assert_false(http_socket_is_at(sockets[0], "127.0.0.1:1"));
	assert_false(http_socket_is_at(sockets[0], "127.0.0.2:0"));
	assert_false(http_socket_is_at(sockets[0], "no address"));
	assert_false(http_socket_listens(fileno(stdin)));
	while (count > 0)
		close(sockets[--count]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_waits_in_the_sockets_from_one_server_to_the_next),
		TEST(it_is_known_where_a_socket_listens),
		TEST(a_handler_sees_parameters_query_headers_and_peer),
		TEST(sixty_four_bytes_behind_a_body_may_be_read),
		TEST(bodies_arrive_whole_in_pieces_or_chunks),
		TEST(a_large_body_passes_through_unchanged),
		TEST(pipelined_requests_are_answered_in_order),
		TEST(http_1_0_and_connection_close_end_the_connection),
		TEST(head_has_the_headers_of_get_and_no_body),
		TEST(expect_100_continue_is_answered_before_the_body),
		TEST(a_client_that_is_too_slow_loses_its_connection),
		TEST(a_client_that_takes_its_answer_too_slowly_loses_its_connection),
		TEST(a_client_that_ends_within_a_request_loses_its_connection),
		TEST(a_client_that_ends_after_its_request_gets_the_answer),
		TEST(more_connections_than_allowed_wait_their_turn),
		TEST(headers_come_from_handler_hook_and_configuration),
		TEST(the_trace_of_a_request_goes_on_in_its_answer),
		TEST(every_error_has_the_body_of_the_application),
		TEST(the_default_error_body_has_code_message_time_and_trace),
		TEST(ambiguous_framing_is_refused),
		TEST(two_authorizations_are_refused),
		TEST(a_body_over_the_limit_is_413_and_the_connection_lives_on),
		TEST(a_body_that_is_far_too_large_is_refused_at_once),
		TEST(large_bodies_share_a_memory_limit),
		TEST(headers_up_to_the_limit_pass_and_more_are_431),
		TEST(gzip_bodies_are_decompressed_under_the_same_limit),
		TEST(an_address_in_use_or_unreadable_is_an_error_that_names_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
