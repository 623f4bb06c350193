#include "api/openapi.h"

#include <stdio.h>

#include "api/call.h"
#include "api/handlers.h"
#include "base/json.h"

static const struct parameter {
	const char *name;
	const char *in;
	const char *description;
	const char *schema; /* JSON */
	const char *key;    /* by which it is referred to; NULL: its name */
} parameters[PARAMETER_COUNT] = {
	{"limit", "query", "Items of a page",
     "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}"},
	{"cursor", "query", "`next` of the page before", "{\"type\":\"string\"}"},
	{"X-Sonnim-Min-Position", "header",
     "Answer only once this position is applied (at most 5 seconds, then 503)",
     "{\"type\":\"string\"}"},
	{"If-Match", "header", "Change this version only, else 412", "{\"type\":\"string\"}"},
	{"partition", "query", "Number of the partition",
     "{\"type\":\"integer\",\"minimum\":0,\"default\":0}"},
	{"after", "query", "How many entries were read already",
     "{\"type\":\"integer\",\"minimum\":0,\"default\":0}"},
	{"ticket", "query", "A one-time ticket instead of the token in the subprotocol",
     "{\"type\":\"string\"}"},
	{"segment", "query", "Id or key of the segment",
     "{\"type\":\"string\",\"examples\":[\"busy-buyers\"]}"},
	{"consumer", "query", "Read behind the cursor of this consumer", "{\"type\":\"string\"}"},
	{"writeKey", "query", "The source's write key", "{\"type\":\"string\"}"},
	{"userId", "query", "Who it was", "{\"type\":\"string\"}"},
	{"anonymousId", "query", "Who it was, when no userId is known", "{\"type\":\"string\"}"},
	{"event", "query", "What happened", "{\"type\":\"string\"}"},
	{"span", "query", "How long what is counted together is",
     "{\"enum\":[\"minute\",\"hour\",\"day\"],\"default\":\"hour\"}"},
	{"from", "query", "The first instant", "{\"type\":\"string\",\"format\":\"date-time\"}"},
	{"to", "query", "The first instant behind it",
     "{\"type\":\"string\",\"format\":\"date-time\"}"},
	{"kind", "query", "Jobs of this kind only", "{\"type\":\"string\"}"},
	{"state", "query", "Jobs in this state only",
     "{\"enum\":[\"queued\",\"running\",\"done\",\"failed\",\"cancelled\"]}"},
	{"dryRun", "query", "Take nothing in; tell what would be rejected, and types of the columns",
     "{\"enum\":[\"true\",\"false\"]}"},
	{"mapping", "query", "What the columns mean, as JSON, where the body is no form",
     "{\"type\":\"string\"}"},
	{"name", "query", "Name of the file; its ending tells the format", "{\"type\":\"string\"}"},
	{"source", "query", "Id of the source that the events are of", "{\"type\":\"string\"}"},
	{"code", "query", "Why it was rejected", "{\"type\":\"string\"}"},
	{"text", "query", "What occurs in it", "{\"type\":\"string\",\"maxLength\":256}"},
	{"audience_id", "query", "Audience to watch, besides those that messages name",
     "{\"type\":\"string\"}"},
	{"drifted", "query", "Only properties of more than one type",
     "{\"enum\":[\"true\",\"false\"],\"default\":\"false\"}"},
	{"Cache-Control", "header", "no-cache: not from what is kept", "{\"enum\":[\"no-cache\"]}"},
	{"token", "query", "What the address has it for", "{\"type\":\"string\"}"},
	{"format", "query", "As which text; else Accept says, else JSON Lines",
     "{\"enum\":[\"csv\",\"jsonl\"]}"},
	{"actor", "query", "Who did it, as `user_id` says: token:ID", "{\"type\":\"string\"}"},
	{"action", "query", "What was done: segment.create, or segment. for all that begin with it",
     "{\"type\":\"string\",\"examples\":[\"audience.query\"]}"},
	{"target", "query", "To what: an id or key; a person as user_id:ID or anonymous_id:ID",
     "{\"type\":\"string\"}"},
	{"keepFormulas", "query",
     "CSV for programs: no apostrophe before what a spreadsheet takes for a formula",
     "{\"enum\":[\"true\",\"false\"],\"default\":\"false\"}"},
	{"email", "query", "An e-mail address; blanks around it and upper case do not matter",
     "{\"type\":\"string\",\"maxLength\":254}"},
	{"phone", "query", "A telephone number, with or without its country", "{\"type\":\"string\"}"},
	{"confirm", "query", "The slug of what is to be deleted, as a confirmation",
     "{\"type\":\"string\"}"},
	{"type", "query", "What is asked for",
     "{\"enum\":[\"SUPPRESS_ONLY\",\"UNSUPPRESS\",\"DELETE_ONLY\",\"SUPPRESS_WITH_DELETE\","
     "\"EXPORT\"]}"},
	{"reason", "query", "Why: a ticket, say, and nothing personal",
     "{\"type\":\"string\",\"maxLength\":256}"},
	{"code", "query", "What the provider gave the browser", "{\"type\":\"string\"}", "ssoCode"},
	{"state", "query", "What was sent with the browser", "{\"type\":\"string\"}", "ssoState"},
	{"iss", "query", "Who the provider is (RFC 9207)", "{\"type\":\"string\"}", "ssoIssuer"},
	{"error", "query", "Why there is no code", "{\"type\":\"string\"}", "ssoError"},
	{"cookie", "query", "Keep the refresh token in a cookie instead of answering it",
     "{\"enum\":[\"true\",\"false\"],\"default\":\"false\"}"},
	{"outcome", "query", "Those whose outcome is not known: the server was killed meanwhile",
     "{\"enum\":[\"unknown\"]}"},
};

static const char *key_of(const struct parameter *parameter)
{
	return parameter->key != NULL ? parameter->key : parameter->name;
}

enum answerer { ANYBODY, KNOWN, SCOPED, MATCHED, SOCKET, DROPPED };

static const struct failure {
	const char   *status;
	enum answerer who;
	const char   *description;
} failures[] = {
	{"400", ANYBODY, "The input is wrong; details.field says where"},
	{"401", KNOWN, "No token, no write key, no password, or not a known one"},
	{"403", SCOPED,
     "The token lacks the scope, belongs to no person, or it may not be done from there"},
	{"404", ANYBODY, "There is no such thing"},
	{"405", ANYBODY, "The path takes other methods; Allow names them"},
	{"409", ANYBODY, "Not in the present state"},
	{"410", DROPPED,
     "It is not there any more: a file that a restored backup did not have, or changes that were "
     "dropped for their age"},
	{"412", MATCHED, "If-Match names another version"},
	{"413", ANYBODY, "The body is too large"},
	{"414", ANYBODY, "The request line is too long"},
	{"415", ANYBODY, "The body is encoded in a way that is not known here"},
	{"426", SOCKET, "WebSockets of version 13 only"},
	{"429", ANYBODY,
     "Too many requests: details.limit names the limit; Retry-After says when to try again"},
	{"431", ANYBODY, "The headers are too large"},
	{"500", ANYBODY, "The server failed; its log has the reason under the trace id"},
	{"501", ANYBODY, "The body is transferred in a way that is not known here"},
	{"503", ANYBODY, "Not now; Retry-After says when to try again"},
	{"505", ANYBODY, "HTTP of another version"},
};

/* Whether the route can fail that way. */
static bool can_answer(const struct api_route *route, const struct failure *failure)
{
	switch (failure->who) {
	case ANYBODY:
		return true;
	case KNOWN:
		return route->access != ACCESS_PUBLIC || (route->flags & ROUTE_CREDENTIALS) != 0;
	case SCOPED:
		return route->scope != SCOPE_NONE || route->access == ACCESS_PERSON ||
		       (route->flags & (ROUTE_SSO | ROUTE_COOKIE)) != 0;
	case MATCHED:
		return (route->parameters & PARAMETER_IF_MATCH) != 0;
	case SOCKET:
		return route->access == ACCESS_SOCKET;
	case DROPPED:
		return route->response != NULL &&
		       (strcmp(route->response, "File") == 0 || strcmp(route->response, "ChangeList") == 0);
	}
	return true;
}

static void write_reference(struct json_writer *w, const char *kind, const char *name)
{
	char reference[128];
	snprintf(reference, sizeof reference, "#/components/%s/%s", kind, name);
	json_begin_object(w);
	json_member_string(w, "$ref", text_of(reference));
	json_end_object(w);
}

static void write_type(struct json_writer *w, const char *type, const char *schema)
{
	json_add_key(w, text_of(type));
	json_begin_object(w);
	json_add_key(w, TEXT("schema"));
	write_reference(w, "schemas", schema);
	json_end_object(w);
}

/* Rows that are written while they are sent, in either form. */
static bool is_rows(const char *schema)
{
	return strcmp(schema, "MartRows") == 0 || strcmp(schema, "AuditRows") == 0;
}

static void write_content(struct json_writer *w, const char *type, const char *schema)
{
	json_add_key(w, TEXT("content"));
	json_begin_object(w);
	write_type(w, type, schema);
	if (is_rows(schema))
		write_type(w, "text/csv", schema);
	json_end_object(w);
}

static void write_path_parameters(struct json_writer *w, const char *path)
{
	for (const char *at = path; (at = strchr(at, '{')) != NULL;) {
		const char *end = strchr(++at, '}');
		json_begin_object(w);
		json_member_string(w, "name", (struct text){at, (size_t)(end - at)});
		json_member_string(w, "in", TEXT("path"));
		json_member_bool(w, "required", true);
		json_add_key(w, TEXT("schema"));
		json_add_raw(w, TEXT("{\"type\":\"string\"}"));
		json_end_object(w);
		at = end;
	}
}

static void write_parameters(struct json_writer *w, const struct api_route *route)
{
	json_add_key(w, TEXT("parameters"));
	json_begin_array(w);
	write_path_parameters(w, route->path);
	for (unsigned i = 0; i < PARAMETER_COUNT; i++)
		if ((route->parameters >> i & 1) != 0)
			write_reference(w, "parameters", key_of(&parameters[i]));
	json_end_array(w);
}

/* Of an answer with that schema. */
static const char *content_type_of(const char *schema)
{
	if (strcmp(schema, "Upload") == 0 || strcmp(schema, "PrivacyUpload") == 0)
		return "multipart/form-data";
	if (strcmp(schema, "Lines") == 0 || is_rows(schema))
		return "application/x-ndjson";
	if (strcmp(schema, "Metrics") == 0)
		return "text/plain";
	if (strcmp(schema, "File") == 0)
		return "application/octet-stream";
	return strcmp(schema, "Pixel") == 0 ? "image/gif" : "application/json";
}

/* What says how much somebody may still ask (call_limit.h). */
static const struct limit_header {
	const char *name;
	const char *description;
} limit_headers[] = {
	{"X-RateLimit-Limit", "How many requests the limit lets through at once"},
	{"X-RateLimit-Remaining", "How many of them are left"},
	{"X-RateLimit-Reset", "Seconds until all of them are there again"},
	{"Retry-After", "Seconds until it is worth another try"},
};
enum { LIMIT_HEADERS_OF_ANSWERS = 3 };

static void write_headers(struct json_writer *w, bool refused)
{
	unsigned count = sizeof limit_headers / sizeof limit_headers[0];
	json_add_key(w, TEXT("headers"));
	json_begin_object(w);
	for (unsigned i = 0; i < (refused ? count : LIMIT_HEADERS_OF_ANSWERS); i++) {
		json_add_key(w, text_of(limit_headers[i].name));
		write_reference(w, "headers", limit_headers[i].name);
	}
	json_end_object(w);
}

static void write_shared_headers(struct json_writer *w)
{
	json_add_key(w, TEXT("headers"));
	json_begin_object(w);
	for (unsigned i = 0; i < sizeof limit_headers / sizeof limit_headers[0]; i++) {
		json_add_key(w, text_of(limit_headers[i].name));
		json_begin_object(w);
		json_member_string(w, "description", text_of(limit_headers[i].description));
		json_add_key(w, TEXT("schema"));
		json_add_raw(w, TEXT("{\"type\":\"integer\",\"minimum\":0}"));
		json_end_object(w);
	}
	json_end_object(w);
}

/* Who watches over the server is not limited. */
static bool is_limited(const struct api_route *route)
{
	return (route->flags & ROUTE_STARTING) == 0;
}

static void write_success(struct json_writer *w, const struct api_route *route)
{
	char status[8];
	snprintf(status, sizeof status, "%u", route->success);
	json_add_key(w, text_of(status));
	json_begin_object(w);
	json_member_string(w, "description",
	                   route->success == 101   ? TEXT("The WebSocket is open")
	                   : route->success == 201 ? TEXT("Made")
	                   : route->success == 202 ? TEXT("Taken; a job works on it")
	                   : route->success == 204 ? TEXT("Done")
	                   : route->success == 302 ? TEXT("Elsewhere: Location")
	                                           : TEXT("The answer"));
	if (is_limited(route))
		write_headers(w, false);
	if (route->response != NULL)
		write_content(w, content_type_of(route->response), route->response);
	json_end_object(w);
}

static void write_responses(struct json_writer *w, const struct api_route *route)
{
	json_add_key(w, TEXT("responses"));
	json_begin_object(w);
	write_success(w, route);
	if ((route->flags & ROUTE_SSO) != 0 && route->success != 302) {
		json_add_key(w, TEXT("302"));
		json_add_raw(w, TEXT("{\"description\":\"Elsewhere: Location\"}"));
	}
	for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		if (!can_answer(route, &failures[i]))
			continue;
		json_add_key(w, text_of(failures[i].status));
		write_reference(w, "responses", failures[i].status);
	}
	json_end_object(w);
}

static void write_security(struct json_writer *w, const struct api_route *route)
{
	json_add_key(w, TEXT("security"));
	json_begin_array(w);
	if (route->access == ACCESS_WRITE_KEY) {
		json_add_raw(w, TEXT("{\"writeKey\":[]}"));
		json_add_raw(w, TEXT("{}")); /* the key may stand in the body */
	} else if (route->access != ACCESS_PUBLIC) {
		json_begin_object(w);
		json_add_key(w, TEXT("token"));
		json_begin_array(w);
		if (route->scope != SCOPE_NONE)
			json_add_string(w, text_of(scope_name(route->scope)));
		json_end_array(w);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_operation(struct json_writer *w, const struct api_route *route)
{
	char method[8] = {0};
	for (unsigned i = 0; route->method[i] != '\0' && i < sizeof method - 1; i++)
		method[i] = (char)(route->method[i] | 0x20);
	json_add_key(w, text_of(method));
	json_begin_object(w);
	json_member_string(w, "operationId", text_of(route->operation));
	json_add_key(w, TEXT("tags"));
	json_begin_array(w);
	json_add_string(w, text_of(route->tag));
	json_end_array(w);
	json_member_string(w, "summary", text_of(route->summary));
	if (route->scope != SCOPE_NONE)
		json_member_string(w, "x-scope", text_of(scope_name(route->scope)));
	write_security(w, route);
	write_parameters(w, route);
	if (route->request != NULL) {
		json_add_key(w, TEXT("requestBody"));
		json_begin_object(w);
		json_member_bool(w, "required", true);
		write_content(w, content_type_of(route->request), route->request);
		json_end_object(w);
	}
	write_responses(w, route);
	json_end_object(w);
}

static bool is_first_of_path(size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(api_routes[i].path, api_routes[index].path) == 0)
			return false;
	return true;
}

static void write_paths(struct json_writer *w)
{
	json_add_key(w, TEXT("paths"));
	json_begin_object(w);
	for (size_t i = 0; i < api_route_count; i++) {
		if (!is_first_of_path(i))
			continue;
		json_add_key(w, text_of(api_routes[i].path));
		json_begin_object(w);
		for (size_t o = i; o < api_route_count; o++)
			if (strcmp(api_routes[o].path, api_routes[i].path) == 0)
				write_operation(w, &api_routes[o]);
		json_end_object(w);
	}
	json_end_object(w);
}

static void write_shared_parameters(struct json_writer *w)
{
	json_add_key(w, TEXT("parameters"));
	json_begin_object(w);
	for (unsigned i = 0; i < PARAMETER_COUNT; i++) {
		json_add_key(w, text_of(key_of(&parameters[i])));
		json_begin_object(w);
		json_member_string(w, "name", text_of(parameters[i].name));
		json_member_string(w, "in", text_of(parameters[i].in));
		json_member_string(w, "description", text_of(parameters[i].description));
		json_add_key(w, TEXT("schema"));
		json_add_raw(w, text_of(parameters[i].schema));
		json_end_object(w);
	}
	json_end_object(w);
}

static void write_shared_responses(struct json_writer *w)
{
	json_add_key(w, TEXT("responses"));
	json_begin_object(w);
	for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		json_add_key(w, text_of(failures[i].status));
		json_begin_object(w);
		json_member_string(w, "description", text_of(failures[i].description));
		if (strcmp(failures[i].status, "429") == 0)
			write_headers(w, true);
		write_content(w, "application/json", "Error");
		json_end_object(w);
	}
	json_end_object(w);
}

static void write_scopes(struct json_writer *w)
{
	struct buffer text = {0};
	buffer_printf(&text, "`Authorization: Bearer TOKEN`. Scopes:");
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		enum scope scope = (enum scope)(1u << i);
		buffer_printf(&text, "\n- `%s`: %s", scope_name(scope), scope_help(scope));
	}
	json_member_string(w, "description", buffer_text(&text));
	buffer_done(&text);
}

static void write_components(struct json_writer *w)
{
	json_add_key(w, TEXT("components"));
	json_begin_object(w);
	json_add_key(w, TEXT("schemas"));
	json_add_raw(w, text_of(openapi_schemas));
	write_shared_parameters(w);
	write_shared_responses(w);
	write_shared_headers(w);
	json_add_key(w, TEXT("securitySchemes"));
	json_begin_object(w);
	json_add_key(w, TEXT("token"));
	json_begin_object(w);
	json_member_string(w, "type", TEXT("http"));
	json_member_string(w, "scheme", TEXT("bearer"));
	write_scopes(w);
	json_end_object(w);
	json_add_key(w, TEXT("writeKey"));
	json_begin_object(w);
	json_member_string(w, "type", TEXT("http"));
	json_member_string(w, "scheme", TEXT("basic"));
	json_member_string(w, "description",
	                   TEXT("The source's write key as the user, no password; or `writeKey` in "
	                        "the body"));
	json_end_object(w);
	json_end_object(w);
	json_end_object(w);
}

void openapi_write(struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "openapi", TEXT("3.1.0"));
	json_add_key(&w, TEXT("info"));
	json_begin_object(&w);
	json_member_string(&w, "title", TEXT("Sonnim"));
	json_member_string(&w, "version", TEXT(SONNIM_VERSION));
	json_member_string(&w, "description",
	                   TEXT("Customer events in, exact audiences out. Paths under /api/v1 are "
	                        "answered under /api too, and every path behind /w/{slug} by the "
	                        "workspace of that slug."));
	json_end_object(&w);
	write_paths(&w);
	write_components(&w);
	json_end_object(&w);
}

void openapi_get(struct api_call *call)
{
	call_answer_static(call, "application/json", buffer_text(&call->api->openapi));
}
