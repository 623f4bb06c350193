#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

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

#define GET  "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: localhost\r\nX-Name: Kim\r\nContent-Length: 4\r\n\r\nbody"

static void echo(struct http_request *request) { answer_body(request, NULL); }

static void echo_on_loop(struct http_request *request, void *context)
{
	(void)context;
	echo(request);
}

/* ---- Under load ---- */

enum { CLIENTS = 8, REQUESTS_EACH = 400, WORKERS = 3 };

static void *work(void *seed)
{
	unsigned state = *(unsigned *)seed;
	for (;;) {
		struct http_request *request = take_held();
		if (text_equal(http_body(request), TEXT("stop"))) {
			echo(request);
			return NULL;
		}
		if (rand_r(&state) % 16 == 0)
			sleep_ms(rand_r(&state) % 5); /* some are parked, most are not */
		if (rand_r(&state) % 2 == 0)
			http_go_on(request, echo_on_loop, NULL);
		else
			echo(request);
	}
}

static void *ask(void *argument)
{
	struct peer  peer;
	struct reply reply;
	char         request[200], body[40];
	uintptr_t    client = (uintptr_t)pthread_self();

	peer_open(&peer, argument);
	for (int i = 0; i < REQUESTS_EACH; i++) {
		snprintf(body, sizeof body, "%lx-%d", (unsigned long)client, i);
		snprintf(request, sizeof request,
		         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
		exchange(&peer, request, 200, &reply);
		assert_string_equal(reply.body, body);
		reply_done(&reply);
	}
	peer_close(&peer);
	return NULL;
}

static void answers_from_other_threads_reach_their_own_requests(void **state)
{
	struct fixture *fixture = *state;
	pthread_t       clients[CLIENTS], workers[WORKERS];
	unsigned        seeds[WORKERS];
	unsigned        seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	FIXTURE_START(fixture, {"POST", "/", hold, NULL});
	for (int i = 0; i < WORKERS; i++) {
		seeds[i] = seed + (unsigned)i;
		assert_int_equal(pthread_create(&workers[i], NULL, work, &seeds[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, ask, fixture), 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(status_of(fixture, "POST / HTTP/1.1\r\nHost: h\r\n"
		                                    "Content-Length: 4\r\n\r\nstop"),
		                 200);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	assert_int_equal(http_server_counts(fixture->server).suspended, 0);
	assert_true(http_server_counts(fixture->server).requests >= CLIENTS * REQUESTS_EACH);
}

/* ---- One at a time ---- */

static pthread_t step_thread, handler_thread;
static char      step_context[] = "context";

static void hold_here(struct http_request *request, void *user)
{
	handler_thread = pthread_self();
	hold(request, user);
}

static void echo_here(struct http_request *request, void *context)
{
	assert_ptr_equal(context, step_context);
	step_thread = pthread_self();
	echo(request);
}

static void a_step_runs_on_the_thread_of_the_request_and_may_answer_it(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"POST", "/", hold_here, NULL});
	peer_open(&peer, *state);
	for (int i = 0; i < 3; i++) {
		peer_say(&peer, POST);
		struct http_request *request = take_held();
		sleep_ms(i * 20); /* parked or not */
		http_go_on(request, echo_here, step_context);
		reply_read(&peer, false, &reply);
		assert_string_equal(reply.body, "body");
		assert_true(pthread_equal(step_thread, handler_thread));
		reply_done(&reply);
	}
	peer_close(&peer);
}

static void a_step_of_a_request_whose_client_has_gone_ends_it(void **state)
{
	struct peer peer;
	FIXTURE_START(*state, {"POST", "/", hold, NULL});
	peer_open(&peer, *state);
	peer_say(&peer, POST);
	struct http_request *request = take_held();
	peer_close(&peer);
	sleep_ms(50);
	http_go_on(request, echo_here, step_context);
	assert_int_equal(status_of(*state, GET), 405);
}

static void a_request_that_waits_for_long_is_answered_all_the_same(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"POST", "/", hold, NULL});
	peer_open(&peer, *state);
	for (int i = 0; i < 3; i++) {
		peer_say(&peer, POST);
		struct http_request *request = take_held();
		sleep_ms(100);
		echo(request);
		reply_read(&peer, false, &reply);
		assert_string_equal(reply.body, "body");
		reply_done(&reply);
	}
	peer_close(&peer);
}

static void others_are_served_while_many_wait(void **state)
{
	enum { COUNT = 50 };
	struct fixture *fixture = *state;
	struct peer     peers[COUNT];
	struct reply    reply;
	FIXTURE_START(fixture, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	for (int i = 0; i < COUNT; i++) {
		peer_open(&peers[i], fixture);
		peer_say(&peers[i], POST);
		assert_int_equal(status_of(fixture, GET), 200);
	}
	for (int i = 0; i < COUNT; i++)
		echo(take_held());
	for (int i = 0; i < COUNT; i++) {
		reply_read(&peers[i], false, &reply);
		assert_int_equal(reply.status, 200);
		reply_done(&reply);
		peer_close(&peers[i]);
	}
}

static void a_pipelined_request_waits_for_the_one_before_it(void **state)
{
	struct peer  peer;
	struct reply reply;
	FIXTURE_START(*state, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	peer_open(&peer, *state);
	peer_say(&peer, POST GET POST GET);
	for (int i = 0; i < 2; i++) {
		struct http_request *request = take_held();
		sleep_ms(i * 100);
		echo(request);
		reply_read(&peer, false, &reply);
		assert_string_equal(reply.body, "body");
		reply_done(&reply);
		reply_read(&peer, false, &reply);
		assert_string_equal(reply.body, "ok");
		reply_done(&reply);
	}
	peer_close(&peer);
}

static void an_error_may_be_the_late_answer(void **state)
{
	struct peer  peer;
	struct reply reply;
	struct error err = {0};
	FIXTURE_START(*state, {"POST", "/", hold, NULL});
	error_set(&err, STATUS_NO_SPACE, "the disk is full");
	peer_open(&peer, *state);
	peer_say(&peer, POST);
	struct http_request *request = take_held();
	http_add_header(request, "Retry-After", TEXT("3"));
	http_respond_error(request, 503, &err);
	reply_read(&peer, false, &reply);
	assert_int_equal(reply.status, 503);
	assert_string_equal(reply_header(&reply, "retry-after"), "3");
	assert_non_null(strstr(reply.body, "\"code\":\"NO_SPACE\""));
	reply_done(&reply);
	peer_close(&peer);
}

/* ---- Clients that go ---- */

static void assert_all_there(struct http_request *request)
{
	struct text name;
	assert_true(text_equal(http_method(request), TEXT("POST")));
	assert_true(text_equal(http_path(request), TEXT("/")));
	assert_true(http_header(request, "x-name", &name));
	assert_true(text_equal(name, TEXT("Kim")));
	assert_true(text_equal(http_body(request), TEXT("body")));
	assert_string_equal(http_client_address(request), "127.0.0.1");
}

static void wait_for_no_connection(struct fixture *fixture)
{
	while (http_server_counts(fixture->server).connections > 0)
		sleep_ms(1);
}

static void a_request_outlives_the_connection_that_was_reset(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	FIXTURE_START(fixture, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	peer_open(&peer, fixture);
	peer_say(&peer, POST);
	struct http_request *request = take_held();
	peer_reset(&peer);
	wait_for_no_connection(fixture);
	assert_all_there(request);
	echo(request);
	while (http_server_counts(fixture->server).suspended > 0)
		sleep_ms(1);
	assert_int_equal(status_of(fixture, GET), 200);
}

static void a_parked_request_outlives_its_client(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer;
	FIXTURE_START(fixture, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	peer_open(&peer, fixture);
	peer_say(&peer, POST);
	struct http_request *request = take_held();
	sleep_ms(100);
	peer_reset(&peer);
	sleep_ms(20);
	assert_all_there(request);
	echo(request);
	wait_for_no_connection(fixture);
	while (http_server_counts(fixture->server).suspended > 0)
		sleep_ms(1);
}

static atomic_int gone;

static void count_gone(void *user)
{
	assert_string_equal(user, "mine");
	atomic_fetch_add(&gone, 1);
}

static void hold_and_watch(struct http_request *request, void *user)
{
	struct text mine = arena_text(http_arena(request), TEXT("mine"));

	(void)user;
	http_suspend(request);
	http_on_cancel(request, count_gone, (void *)mine.data);
	pass_to_test(request);
}

static void a_handler_learns_that_its_client_has_gone(void **state)
{
	struct fixture *fixture = *state;
	atomic_store(&gone, 0);
	FIXTURE_START(fixture, {"POST", "/", hold_and_watch, NULL});
	for (int i = 0; i < 4; i++) {
		struct peer peer;
		peer_open(&peer, fixture);
		peer_say(&peer, POST);
		struct http_request *request = take_held();
		sleep_ms(i / 2 * 100); /* pending, then parked */
		if (i % 2)
			peer_reset(&peer);
		else
			peer_close(&peer);
		while (atomic_load(&gone) < i + 1)
			sleep_ms(1);
		echo(request);
	}
	wait_for_no_connection(fixture);
	assert_int_equal(atomic_load(&gone), 4);
}

static void nobody_is_told_when_the_client_stays(void **state)
{
	struct peer  peer;
	struct reply reply;
	atomic_store(&gone, 0);
	FIXTURE_START(*state, {"POST", "/", hold_and_watch, NULL});
	peer_open(&peer, *state);
	for (int i = 0; i < 3; i++) {
		peer_say(&peer, POST);
		struct http_request *request = take_held();
		sleep_ms(i * 50);
		echo(request);
		reply_read(&peer, false, &reply);
		reply_done(&reply);
	}
	peer_close(&peer);
	wait_for_no_connection(*state);
	assert_int_equal(atomic_load(&gone), 0);
}

/* ---- Stopping ---- */

static void *stop(void *server)
{
	http_server_stop(server);
	return NULL;
}

static void a_stop_lets_requests_in_flight_finish(void **state)
{
	struct fixture *fixture = *state;
	struct peer     busy, idle;
	struct reply    reply;
	pthread_t       stopper;
	FIXTURE_START(fixture, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	peer_open(&idle, fixture);
	exchange(&idle, GET, 200, &reply);
	reply_done(&reply);
	peer_open(&busy, fixture);
	peer_say(&busy, POST);
	struct http_request *request = take_held();
	assert_int_equal(pthread_create(&stopper, NULL, stop, fixture->server), 0);
	assert_true(peer_at_end(&idle));

	echo(request);
	reply_read(&busy, false, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "body");
	assert_string_equal(reply_header(&reply, "connection"), "close");
	reply_done(&reply);
	assert_true(peer_at_end(&busy));
	pthread_join(stopper, NULL);
	peer_close(&idle);
	peer_close(&busy);
}

static bool can_connect(const struct fixture *fixture)
{
	struct sockaddr_in address = {
		.sin_family      = AF_INET,
		.sin_port        = htons((uint16_t)http_server_port(fixture->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int  fd        = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return connected;
}

static void *retire(void *server)
{
	http_server_retire(server);
	return NULL;
}

static void a_server_that_retires_serves_who_has_just_been_answered_once_more(void **state)
{
	struct fixture *fixture = *state;
	struct peer     peer, other;
	struct reply    reply;
	pthread_t       retirer;
	fixture->settings.stop_linger_ms = 60000;
	FIXTURE_START(fixture, {"POST", "/", hold, NULL}, {"GET", "/", answer_ok, NULL});
	peer_open(&peer, fixture);
	exchange(&peer, GET, 200, &reply);
	assert_string_equal(reply_header(&reply, "connection"), "");
	reply_done(&reply);
	peer_open(&other, fixture);
	peer_say(&other, POST);
	struct http_request *request = take_held();
	assert_int_equal(pthread_create(&retirer, NULL, retire, fixture->server), 0);
	while (can_connect(fixture)) /* until it has begun to retire */
		sleep_ms(1);
	exchange(&peer, GET, 200, &reply);
	assert_string_equal(reply_header(&reply, "connection"), "close");
	reply_done(&reply);
	assert_true(peer_at_end(&peer));
	echo(request);
	reply_read(&other, false, &reply);
	reply_done(&reply);
	pthread_join(retirer, NULL);
	peer_close(&peer);
	peer_close(&other);
}

static void *free_server(void *server)
{
	http_server_free(server);
	atomic_store(&gone, 1);
	return NULL;
}

static void a_stop_cuts_off_what_takes_too_long_but_not_its_memory(void **state)
{
	struct fixture *fixture = *state;
	for (int parked = 0; parked < 2; parked++) {
		struct peer peer;
		pthread_t   freer;
		if (parked)
			fixture_init(fixture);
		fixture->settings.stop_timeout_ms = 50;
		FIXTURE_START(fixture, {"POST", "/", hold, NULL});
		peer_open(&peer, fixture);
		peer_say(&peer, POST);
		struct http_request *request = take_held();
		sleep_ms(parked * 100);
		http_server_stop(fixture->server);
		assert_true(peer_at_end(&peer));
		peer_close(&peer);

		atomic_store(&gone, 0);
		assert_int_equal(pthread_create(&freer, NULL, free_server, fixture->server), 0);
		sleep_ms(50);
		assert_int_equal(atomic_load(&gone), 0);
		assert_all_there(request);
		echo(request);
		pthread_join(freer, NULL);
		fixture->server = NULL;
		if (!parked)
			fixture_done(fixture);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_from_other_threads_reach_their_own_requests),
		TEST(a_step_runs_on_the_thread_of_the_request_and_may_answer_it),
		TEST(a_step_of_a_request_whose_client_has_gone_ends_it),
		TEST(a_request_that_waits_for_long_is_answered_all_the_same),
		TEST(others_are_served_while_many_wait),
		TEST(a_pipelined_request_waits_for_the_one_before_it),
		TEST(an_error_may_be_the_late_answer),
		TEST(a_request_outlives_the_connection_that_was_reset),
		TEST(a_parked_request_outlives_its_client),
		TEST(a_handler_learns_that_its_client_has_gone),
		TEST(nobody_is_told_when_the_client_stays),
		TEST(a_stop_lets_requests_in_flight_finish),
		TEST(a_server_that_retires_serves_who_has_just_been_answered_once_more),
		TEST(a_stop_cuts_off_what_takes_too_long_but_not_its_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
