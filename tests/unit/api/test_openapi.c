#include "api/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "api/call.h"
#include "api/route.h"
#include "base/instant.h"
#include "base/json.h"
#include "http/router.h"

static struct buffer       text;
static struct json_parser *parser;
static struct json         document;

static int open_document(void **state)
{
	struct error err;
	(void)state;
	openapi_write(&text);
	parser = json_parser_new();
	return json_parse_text(parser, buffer_text(&text), &document, &err) == STATUS_OK ? 0 : -1;
}

static int close_document(void **state)
{
	(void)state;
	buffer_done(&text);
	json_parser_free(parser);
	return 0;
}

static struct json operation_of(const struct api_route *route)
{
	char method[8] = {0};
	for (unsigned i = 0; route->method[i] != '\0'; i++)
		method[i] = (char)tolower(route->method[i]);
	return json_get(json_get(json_get(document, "paths"), route->path), method);
}

static void every_route_is_an_operation(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++)
		assert_int_equal(json_type(operation_of(&api_routes[i])), JSON_OBJECT);
}

/* The server's own router: nothing that it leads to is called here. */
struct routed {
	struct ingest *ingest;
	struct api    *api;
};

static struct routed new_router(void)
{
	const struct ingest_config ingest = {.partition_count = 1, .retention_ms = INSTANT_MS_NEVER};
	struct routed              routed = {.ingest = ingest_new(&ingest)};
	const struct api_config    config = {
		   .ingest = routed.ingest, .partition_count = 1, .loop_count = 1};
	routed.api = api_new(&config);
	return routed;
}

static void free_router(struct routed *routed)
{
	api_free(routed->api);
	ingest_free(routed->ingest);
}

static bool is_routed(const struct http_router *router, struct text method, struct text path)
{
	for (size_t i = 0; i < http_router_count(router); i++) {
		const char              *at;
		const struct http_route *route = http_router_at(router, i, &at);
		if (strlen(route->method) == method.length &&
		    strncasecmp(route->method, method.data, method.length) == 0 &&
		    text_equal(text_of(at), path))
			return true;
	}
	return false;
}

static void every_operation_is_a_route_of_the_router(void **state)
{
	(void)state;
	struct routed routed = new_router();
	size_t        count  = 0;
	for (struct json_iterator p = json_iterate(json_get(document, "paths")); json_next(&p);)
		for (struct json_iterator m = json_iterate(p.value); json_next(&m); count++)
			assert_true(is_routed(api_router(routed.api), m.name, p.name));

	assert_int_equal(count, api_route_count);
	free_router(&routed);
}

/* "/api/x" stands for "/api/v1/x", and "/w/{workspace}/x" for "/x" of another workspace. */
static void every_route_of_the_router_is_an_operation(void **state)
{
	(void)state;
	struct routed             routed = new_router();
	const struct http_router *router = api_router(routed.api);
	for (size_t i = 0; i < http_router_count(router); i++) {
		const char              *at;
		const struct http_route *route = http_router_at(router, i, &at);
		char                     path[128], method[8] = {0};
		if (strncmp(at, WORKSPACE_PREFIX "/", sizeof WORKSPACE_PREFIX) == 0)
			at += sizeof WORKSPACE_PREFIX - 1;
		bool is_short = strncmp(at, "/api/", 5) == 0 && strncmp(at, "/api/v1/", 8) != 0;
		snprintf(path, sizeof path, "%s%s", is_short ? "/api/v1" : "", is_short ? at + 4 : at);
		for (unsigned m = 0; route->method[m] != '\0'; m++)
			method[m] = (char)tolower(route->method[m]);
		struct json operation = json_get(json_get(json_get(document, "paths"), path), method);
		assert_int_equal(json_type(operation), JSON_OBJECT);
	}
	free_router(&routed);
}

static void every_path_of_the_api_has_a_short_form(void **state)
{
	(void)state;
	struct routed routed = new_router();
	for (size_t i = 0; i < api_route_count; i++) {
		char path[128];
		if (strncmp(api_routes[i].path, "/api/v1/", 8) != 0)
			continue;
		snprintf(path, sizeof path, "/api%s", api_routes[i].path + 7);
		assert_true(
			is_routed(api_router(routed.api), text_of(api_routes[i].method), text_of(path)));
	}
	free_router(&routed);
}

static void find_reference(struct json value, unsigned *count)
{
	struct json reference = json_get(value, "$ref");
	if (json_type(reference) == JSON_STRING) {
		struct text path = json_string(reference);
		struct json at   = document;
		char        part[128];
		assert_true(text_starts_with(path, TEXT("#/")));
		for (size_t begin = 2, end; begin <= path.length; begin = end + 1) {
			for (end = begin; end < path.length && path.data[end] != '/';)
				end++;
			snprintf(part, sizeof part, "%.*s", (int)(end - begin), path.data + begin);
			at = json_get(at, part);
		}
		assert_int_equal(json_type(at), JSON_OBJECT);
		++*count;
	}
	for (struct json_iterator i = json_iterate(value); json_next(&i);)
		find_reference(i.value, count);
}

static void every_reference_leads_somewhere(void **state)
{
	(void)state;
	unsigned count = 0;
	find_reference(document, &count);
	assert_true(count > api_route_count);
}

static void operations_have_names_of_their_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++)
		for (size_t o = 0; o < i; o++)
			assert_string_not_equal(api_routes[i].operation, api_routes[o].operation);
}

static bool has_scope(const struct api_route *route)
{
	struct json scope = json_get(operation_of(route), "x-scope");
	return json_type(scope) == JSON_STRING &&
	       text_equal(json_string(scope), text_of(scope_name(route->scope)));
}

static void whatever_needs_a_scope_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		if (route->scope != SCOPE_NONE)
			assert_true(has_scope(route));
		bool open = route->access == ACCESS_PUBLIC || route->access == ACCESS_WRITE_KEY ||
		            strcmp(route->path, "/api/v1/ws-tickets") == 0;
		if (route->access != ACCESS_PERSON) /* what is one's own may need none */
			assert_true(open == (route->scope == SCOPE_NONE));
	}
}

static void parameters_of_a_path_are_described(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		if (strchr(api_routes[i].path, '{') == NULL)
			continue;
		struct json          parameters = json_get(operation_of(&api_routes[i]), "parameters");
		struct json_iterator first      = json_iterate(parameters);
		assert_true(json_next(&first));
		assert_true(text_equal(json_string(json_get(first.value, "in")), TEXT("path")));
		assert_true(json_bool(json_get(first.value, "required")));
	}
}

static bool declares(const struct api_route *route, const char *status)
{
	return json_type(json_get(json_get(operation_of(route), "responses"), status)) == JSON_OBJECT;
}

static void every_route_declares_how_it_can_fail(void **state)
{
	static const char *const always[] = {"400", "404", "405", "413", "429", "500", "503"};
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		for (size_t a = 0; a < sizeof always / sizeof always[0]; a++)
			assert_true(declares(route, always[a]));
		bool known  = route->access != ACCESS_PUBLIC || (route->flags & ROUTE_CREDENTIALS) != 0;
		bool scoped = route->scope != SCOPE_NONE || route->access == ACCESS_PERSON ||
		              (route->flags & (ROUTE_SSO | ROUTE_COOKIE)) != 0;
		assert_true(declares(route, "401") == known);
		assert_true(declares(route, "403") == scoped);
		assert_true(declares(route, "412") == ((route->parameters & PARAMETER_IF_MATCH) != 0));
		assert_true(declares(route, "426") == (route->access == ACCESS_SOCKET));
	}
}

/* One success, but for a browser that may be sent elsewhere, and nothing that is not in the
 * table. */
static void a_route_declares_one_success(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		char        own[8];
		unsigned    count   = 0;
		struct json answers = json_get(operation_of(&api_routes[i]), "responses");
		snprintf(own, sizeof own, "%u", api_routes[i].success);
		for (struct json_iterator r = json_iterate(answers); json_next(&r);)
			count += r.name.data[0] < '4';
		bool elsewhere = (api_routes[i].flags & ROUTE_SSO) != 0;
		assert_int_equal(count, 1 + elsewhere);
		assert_true(!elsewhere || declares(&api_routes[i], "302"));
		assert_true(declares(&api_routes[i], own));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_an_operation),
		cmocka_unit_test(every_operation_is_a_route_of_the_router),
		cmocka_unit_test(every_route_of_the_router_is_an_operation),
		cmocka_unit_test(every_path_of_the_api_has_a_short_form),
		cmocka_unit_test(every_reference_leads_somewhere),
		cmocka_unit_test(operations_have_names_of_their_own),
		cmocka_unit_test(whatever_needs_a_scope_says_so),
		cmocka_unit_test(parameters_of_a_path_are_described),
		cmocka_unit_test(every_route_declares_how_it_can_fail),
		cmocka_unit_test(a_route_declares_one_success),
	};
	return cmocka_run_group_tests(tests, open_document, close_document);
}
