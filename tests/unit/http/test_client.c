#include "http/client.h"

#include "fixture.h"

struct world {
	struct fixture              fixture;
	struct http_client         *client;
	struct http_client_response response;
	char                        url[128];
};

static void redirect(struct http_request *request, void *user)
{
	(void)user;
	http_add_header(request, "Location", TEXT("/elsewhere"));
	http_respond_static(request, 302, NULL, TEXT(""));
}

static void say_request(struct http_request *request, void *user)
{
	struct buffer body  = {0};
	struct text   value = TEXT("-");

	(void)user;
	http_header(request, "X-Key", &value);
	buffer_printf(&body, "%.*s %.*s '%.*s'", TEXT_FORMAT(http_method(request)), TEXT_FORMAT(value),
	              TEXT_FORMAT(http_body(request)));
	http_add_header(request, "X-Sonnim-Position", TEXT(" 17 "));
	http_respond(request, 200, "text/plain", &body);
}

static int init(void **state)
{
	static struct world world;
	world = (struct world){0};
	fixture_init(&world.fixture);
	FIXTURE_START(&world.fixture, {"GET", "/", say_request, NULL}, {"POST", "/", say_request, NULL},
	              {"PUT", "/", say_request, NULL}, {"DELETE", "/", say_request, NULL},
	              {"GET", "/redirect", redirect, NULL}, {"GET", "/hold", hold, NULL});
	world.client = http_client_new();
	*state       = &world;
	return 0;
}

static int done(void **state)
{
	struct world *world = *state;
	http_client_free(world->client);
	http_client_response_done(&world->response);
	fixture_done(&world->fixture);
	return 0;
}

static enum status ask(struct world *world, struct http_client_request request, const char *path,
                       struct error *err)
{
	snprintf(world->url, sizeof world->url, "http://%s%s",
	         http_server_address(world->fixture.server), path);
	request.url = world->url;
	return http_client_send(world->client, &request, &world->response, err);
}

static void assert_answer(struct world *world, struct http_client_request request,
                          const char *expected)
{
	struct error err = {0};
	if (ask(world, request, "/", &err) != STATUS_OK)
		fail_msg("%s", err.reason);
	assert_int_equal(world->response.status, 200);
	assert_true(text_equal(buffer_text(&world->response.body), text_of(expected)));
}

static void methods_headers_and_bodies_go_out_and_come_back(void **state)
{
	const struct http_header key = {TEXT("X-Key"), TEXT("k1")};
	assert_answer(*state, (struct http_client_request){0}, "GET - ''");
	assert_answer(*state, (struct http_client_request){.headers = &key, .header_count = 1},
	              "GET k1 ''");
	assert_answer(*state, (struct http_client_request){.body = TEXT("x")}, "POST - 'x'");
	assert_answer(*state, (struct http_client_request){.method = "POST"}, "POST - ''");
	assert_answer(*state, (struct http_client_request){.method = "PUT", .body = TEXT("{}")},
	              "PUT - '{}'");
	assert_answer(*state, (struct http_client_request){.method = "DELETE"}, "DELETE - ''");
	assert_answer(*state, (struct http_client_request){.method = "HEAD"}, "");
}

static void headers_of_the_answer_are_found_in_any_case(void **state)
{
	struct world *world = *state;
	struct text   value;
	assert_answer(world, (struct http_client_request){0}, "GET - ''");
	assert_true(http_client_header(&world->response, "x-sonnim-POSITION", &value));
	assert_true(text_equal(value, TEXT("17")));
	assert_false(http_client_header(&world->response, "X-Sonnim", &value));
}

static void one_connection_serves_many_requests(void **state)
{
	struct world *world = *state;
	for (int i = 0; i < 20; i++)
		assert_answer(world, (struct http_client_request){.body = TEXT("x")}, "POST - 'x'");
	assert_int_equal(http_server_counts(world->fixture.server).connections, 1);
}

static void redirects_are_answers_like_any_other(void **state)
{
	struct world *world = *state;
	struct text   value;
	struct error  err = {0};
	assert_int_equal(ask(world, (struct http_client_request){0}, "/redirect", &err), STATUS_OK);
	assert_int_equal(world->response.status, 302);
	assert_true(http_client_header(&world->response, "location", &value));
	assert_true(text_equal(value, TEXT("/elsewhere")));
}

static void what_never_comes_times_out(void **state)
{
	struct world *world = *state;
	struct error  err   = {0};
	assert_int_equal(ask(world, (struct http_client_request){.timeout_ms = 2000}, "/hold", &err),
	                 STATUS_TIMEOUT);
	http_respond_static(take_held(), 200, NULL, TEXT(""));
}

static void a_server_that_is_not_there_is_unavailable_and_named(void **state)
{
	struct world *world = *state;
	struct error  err   = {0};
	http_server_stop(world->fixture.server);
	assert_int_equal(ask(world, (struct http_client_request){0}, "/?key=secret", &err),
	                 STATUS_UNAVAILABLE);
	assert_non_null(strstr(err.reason, http_server_address(world->fixture.server)));
	assert_null(strstr(err.reason, "secret"));
}

static void only_http_is_spoken(void **state)
{
	struct world                    *world   = *state;
	struct error                     err     = {0};
	const struct http_client_request file    = {.url = "file:///etc/hostname"};
	const struct http_client_request nothing = {.url = "http://"};
	assert_int_equal(http_client_send(world->client, &file, &world->response, &err),
	                 STATUS_INVALID);
	assert_int_equal(http_client_send(world->client, &nothing, &world->response, &err),
	                 STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(methods_headers_and_bodies_go_out_and_come_back),
		TEST(headers_of_the_answer_are_found_in_any_case),
		TEST(one_connection_serves_many_requests),
		TEST(redirects_are_answers_like_any_other),
		TEST(what_never_comes_times_out),
		TEST(a_server_that_is_not_there_is_unavailable_and_named),
		TEST(only_http_is_spoken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
