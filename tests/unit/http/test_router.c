#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void handler(struct http_request *request, void *user)
{
	(void)request;
	(void)user;
}

#define ROUTE(method, pattern)                                                                     \
	{                                                                                              \
		method, pattern, handler, NULL                                                             \
	}
static const struct http_route table[] = {
	ROUTE("GET", "/segments"),
	ROUTE("POST", "/segments"),
	ROUTE("GET", "/segments/{id}"),
	ROUTE("DELETE", "/segments/{id}"),
	ROUTE("GET", "/segments/{id}/members"),
	ROUTE("GET", "/segments/new"),
	ROUTE("HEAD", "/health"),
	ROUTE("GET", "/health"),
	ROUTE("GET", "/users/me/settings"),
	ROUTE("GET", "/users/{user}/segments/{segment}"),
	ROUTE("GET", "/"),
};

struct world {
	struct http_router *router;
	struct arena        arena;
	struct http_matched matched;
};

static int build(void **state)
{
	static struct world world;
	arena_init(&world.arena);
	world.router = http_router_new();
	http_router_add(world.router, "", table, sizeof table / sizeof table[0]);
	*state = &world;
	return 0;
}

static int demolish(void **state)
{
	struct world *world = *state;
	arena_done(&world->arena);
	http_router_free(world->router);
	return 0;
}

static enum http_match match(struct world *world, const char *method, const char *path)
{
	return http_router_match(world->router, text_of(method), text_of(path), &world->arena,
	                         &world->matched);
}

static void assert_found(struct world *world, const char *method, const char *path,
                         const char *pattern)
{
	assert_int_equal(match(world, method, path), HTTP_MATCH_FOUND);
	assert_string_equal(world->matched.route->pattern, pattern);
	assert_string_equal(world->matched.path, pattern);
}

static void assert_param(const struct world *world, size_t index, const char *name,
                         const char *value)
{
	const struct http_params *params = &world->matched.params;
	assert_true(index < params->count);
	assert_true(text_equal(params->names[index], text_of(name)));
	assert_true(text_equal(params->values[index], text_of(value)));
}

static void literals_and_parameters_are_found_by_segment(void **state)
{
	assert_found(*state, "GET", "/", "/");
	assert_found(*state, "GET", "/segments", "/segments");
	assert_found(*state, "POST", "/segments", "/segments");
	assert_found(*state, "DELETE", "/segments/7", "/segments/{id}");
	assert_param(*state, 0, "id", "7");
	assert_found(*state, "GET", "/users/u1/segments/vip", "/users/{user}/segments/{segment}");
	assert_param(*state, 0, "user", "u1");
	assert_param(*state, 1, "segment", "vip");
}

static void a_literal_goes_before_a_parameter(void **state)
{
	assert_found(*state, "GET", "/segments/new", "/segments/new");
	assert_int_equal(((struct world *)*state)->matched.params.count, 0);
}

static void a_literal_that_leads_nowhere_falls_back_to_the_parameter(void **state)
{
	assert_found(*state, "GET", "/users/me/segments/x", "/users/{user}/segments/{segment}");
	assert_param(*state, 0, "user", "me");
	assert_found(*state, "GET", "/segments/new/members", "/segments/{id}/members");
	assert_param(*state, 0, "id", "new");
}

static void a_parameter_holds_anything_but_a_raw_slash(void **state)
{
	assert_found(*state, "GET", "/segments/user_id:7", "/segments/{id}");
	assert_param(*state, 0, "id", "user_id:7");
	assert_found(*state, "GET", "/segments/a%2Fb%20c", "/segments/{id}");
	assert_param(*state, 0, "id", "a/b c");
	assert_found(*state, "GET", "/segments/%EC%A0%9C%EC%A3%BC", "/segments/{id}");
	assert_param(*state, 0, "id", "제주");
}

static void an_escaped_literal_is_the_literal(void **state)
{
	assert_found(*state, "GET", "/seg%6Dents/n%65w", "/segments/new");
}

static void unknown_paths_and_unknown_methods_are_told_apart(void **state)
{
	struct world *world = *state;
	assert_int_equal(match(world, "GET", "/nothing"), HTTP_MATCH_NO_PATH);
	assert_int_equal(match(world, "GET", "/segments/7/nothing"), HTTP_MATCH_NO_PATH);
	assert_int_equal(match(world, "GET", "/users"), HTTP_MATCH_NO_PATH);
	assert_int_equal(match(world, "PUT", "/segments/7"), HTTP_MATCH_NO_METHOD);
	assert_string_equal(world->matched.allow, "GET, DELETE, HEAD, OPTIONS");
	assert_int_equal(match(world, "get", "/segments"), HTTP_MATCH_NO_METHOD);
}

static void a_trailing_slash_and_an_empty_segment_are_other_paths(void **state)
{
	assert_int_equal(match(*state, "GET", "/segments/"), HTTP_MATCH_NO_PATH);
	assert_int_equal(match(*state, "GET", "//segments"), HTTP_MATCH_NO_PATH);
	assert_int_equal(match(*state, "GET", "/segments//members"), HTTP_MATCH_NO_PATH);
}

static void get_answers_head_unless_head_has_a_route(void **state)
{
	struct world *world = *state;
	assert_int_equal(match(world, "HEAD", "/segments"), HTTP_MATCH_FOUND);
	assert_string_equal(world->matched.route->method, "GET");
	assert_int_equal(match(world, "HEAD", "/health"), HTTP_MATCH_FOUND);
	assert_string_equal(world->matched.route->method, "HEAD");
}

static void options_go_to_their_handler_on_any_path(void **state)
{
	struct world *world = *state;
	assert_int_equal(match(world, "OPTIONS", "/segments"), HTTP_MATCH_NO_METHOD);
	assert_string_equal(world->matched.allow, "GET, POST, HEAD, OPTIONS");

	http_router_set_options(world->router, handler, NULL);
	const char *paths[] = {"/segments", "/nothing", "*"};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(match(world, "OPTIONS", paths[i]), HTTP_MATCH_FOUND);
		assert_string_equal(world->matched.route->method, "OPTIONS");
	}
}

static void bad_paths_are_refused(void **state)
{
	struct world *world = *state;
	assert_int_equal(match(world, "GET", "/segments/%zz"), HTTP_MATCH_BAD_PATH);
	assert_int_equal(match(world, "GET", "/segments/%ff"), HTTP_MATCH_BAD_PATH);
	assert_int_equal(match(world, "GET", "segments"), HTTP_MATCH_BAD_PATH);
	assert_int_equal(match(world, "GET", ""), HTTP_MATCH_BAD_PATH);
	assert_int_equal(match(world, "GET",
	                       "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/"
	                       "7/8/9/0/1/2/3"),
	                 HTTP_MATCH_BAD_PATH);
}

static void one_table_may_be_added_under_several_prefixes(void **state)
{
	struct world *world = *state;
	const char   *path;
	http_router_add(world->router, "/api/v1", table, 2);
	http_router_add(world->router, "/api", table, 2);
	assert_int_equal(match(world, "GET", "/api/v1/segments"), HTTP_MATCH_FOUND);
	assert_string_equal(world->matched.path, "/api/v1/segments");
	assert_int_equal(match(world, "GET", "/api/segments"), HTTP_MATCH_FOUND);
	assert_ptr_equal(world->matched.route, &table[0]);

	assert_int_equal(http_router_count(world->router), sizeof table / sizeof table[0] + 4);
	assert_ptr_equal(http_router_at(world->router, sizeof table / sizeof table[0], &path),
	                 &table[0]);
	assert_string_equal(path, "/api/v1/segments");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, demolish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(literals_and_parameters_are_found_by_segment),
		TEST(a_literal_goes_before_a_parameter),
		TEST(a_literal_that_leads_nowhere_falls_back_to_the_parameter),
		TEST(a_parameter_holds_anything_but_a_raw_slash),
		TEST(an_escaped_literal_is_the_literal),
		TEST(unknown_paths_and_unknown_methods_are_told_apart),
		TEST(a_trailing_slash_and_an_empty_segment_are_other_paths),
		TEST(get_answers_head_unless_head_has_a_route),
		TEST(options_go_to_their_handler_on_any_path),
		TEST(bad_paths_are_refused),
		TEST(one_table_may_be_added_under_several_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
