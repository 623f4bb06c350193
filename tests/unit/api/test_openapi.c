#include "api/openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/route.h"
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

static void answer(struct http_request *request, void *user)
{
	(void)request;
	(void)user;
}

static bool is_routed(struct http_router *router, struct text method, struct text path)
{
	struct http_matched matched;
	struct arena        arena;
	char                upper[16] = {0};
	arena_init(&arena);
	for (size_t i = 0; i < method.length; i++)
		upper[i] = (char)toupper(method.data[i]);
	bool found =
		http_router_match(router, text_of(upper), path, &arena, &matched) == HTTP_MATCH_FOUND &&
		text_equal(text_of(matched.route->pattern), path) &&
		strcmp(matched.route->method, upper) == 0;
	arena_done(&arena);
	return found;
}

/* A path with its parameters in braces matches itself. */
static void every_operation_is_a_route_of_the_router(void **state)
{
	(void)state;
	struct http_router *router = http_router_new();
	struct http_route  *rows   = calloc(api_route_count, sizeof *rows);
	size_t              count  = 0;
	for (size_t i = 0; i < api_route_count; i++)
		rows[i] = (struct http_route){api_routes[i].method, api_routes[i].path, answer, NULL};
	http_router_add(router, "", rows, api_route_count);

	for (struct json_iterator p = json_iterate(json_get(document, "paths")); json_next(&p);)
		for (struct json_iterator m = json_iterate(p.value); json_next(&m); count++)
			assert_true(is_routed(router, m.name, p.name));

	assert_int_equal(count, api_route_count);
	http_router_free(router);
	free(rows);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_an_operation),
		cmocka_unit_test(every_operation_is_a_route_of_the_router),
		cmocka_unit_test(every_reference_leads_somewhere),
		cmocka_unit_test(operations_have_names_of_their_own),
		cmocka_unit_test(whatever_needs_a_scope_says_so),
		cmocka_unit_test(parameters_of_a_path_are_described),
	};
	return cmocka_run_group_tests(tests, open_document, close_document);
}
