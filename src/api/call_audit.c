#include "api/call_audit.h"

#include <stdio.h>
#include <string.h>

#include "api/audience/question.h"
#include "model/personal.h"

enum { TARGET_BYTES_MAX = 192, HTTP_FAILED = 400, HTTP_BROKEN = 500 };

static const struct text hidden = {"(personal)", 10};

/* ---- What handlers tell ---- */

/* The intention says it too: what comes of the call may never be known. */
static void tell(struct api_call *call)
{
	if (call->intent.call != 0 && !call->audit_ended)
		audit_intend_better(call->api->config.audit, &call->intent, &call->audit);
}

void call_audit_target(struct api_call *call, struct text target)
{
	call->audit.target = arena_text(call->arena, target);
	tell(call);
}

struct text call_audit_person_name(struct person person, char into[CALL_AUDIT_PERSON_BYTES])
{
	int length =
		snprintf(into, CALL_AUDIT_PERSON_BYTES, "profile:%u-%u", person.partition, person.slot);
	return (struct text){into, (size_t)length};
}

void call_audit_person(struct api_call *call, struct person person)
{
	if (!call->audit_reserved)
		return; /* look-ups are many */
	char name[CALL_AUDIT_PERSON_BYTES];
	call_audit_target(call, call_audit_person_name(person, name));
}

void call_audit_actor(struct api_call *call, struct text actor)
{
	call->audit.actor = arena_text(call->arena, actor);
	tell(call);
}

bool call_shows_personal(struct api_call *call)
{
	bool shows =
		call->route->audit != AUDIT_NONE && scope_allows(call->token.scopes, SCOPE_PII_READ);
	if (shows)
		call->audit.personal = true;
	return shows;
}

/* ---- Filters, without personal values ---- */

static bool is_personal(struct json leaf)
{
	struct json trait = json_get(leaf, "trait"), property = json_get(leaf, "property");
	return (json_type(trait) == JSON_STRING &&
	        personal_by_name(PERSONAL_IN_TRAITS, json_string(trait))) ||
	       (json_type(property) == JSON_STRING &&
	        personal_by_name(PERSONAL_IN_PROPERTIES, json_string(property)));
}

/* What is as long as what ingest takes for free text is hidden as that is. */
static void write_hidden(struct json_writer *w, struct json value, bool personal)
{
	bool object = json_type(value) == JSON_OBJECT, array = json_type(value) == JSON_ARRAY;
	bool text = json_type(value) == JSON_STRING;
	if (!object && !array) {
		if (personal || (text && json_string(value).length > PERSONAL_TEXT_BYTES_MAX))
			json_add_string(w, hidden);
		else
			json_add_value(w, value);
		return;
	}
	bool leaf = object && is_personal(value);
	if (object)
		json_begin_object(w);
	else
		json_begin_array(w);
	for (struct json_iterator i = json_iterate(value); json_next(&i);) {
		if (object)
			json_add_key(w, i.name);
		bool tested = leaf && text_equal(i.name, TEXT("value"));
		write_hidden(w, i.value, personal || tested);
	}
	if (object)
		json_end_object(w);
	else
		json_end_array(w);
}

static struct text hide(struct arena *arena, struct text json)
{
	struct json_parser *parser = json_parser_new();
	struct buffer       out    = {0};
	struct json_writer  w      = json_writer_of(&out);
	struct json         root;
	struct error        ignored;
	if (json_parse_text(parser, json, &root, &ignored) == STATUS_OK)
		write_hidden(&w, root, false);
	struct text kept = arena_text(arena, buffer_text(&out));
	json_parser_free(parser);
	buffer_done(&out);
	return kept;
}

/* Flat filters as they were written; with an expression, everything in its canonical form, where
 * a name and what it is tested for stand together. */
void call_audit_filters(struct api_call *call, const struct question *question)
{
	bool        flat  = question->expression.length == 0 && question->filters.length > 0;
	struct text asked = hide(call->arena, flat ? question->filters : question->canonical);
	struct text known = call->audit.filters;
	if (known.length > 0 && known.data[0] == '[')
		asked = text_of(arena_printf(call->arena, "%.*s,%.*s]", (int)known.length - 1, known.data,
		                             TEXT_FORMAT(asked)));
	else if (known.length > 0)
		asked = text_of(
			arena_printf(call->arena, "[%.*s,%.*s]", TEXT_FORMAT(known), TEXT_FORMAT(asked)));
	call->audit.filters = asked;
}

/* ---- Targets ---- */

/* Paths of users name them by their external ids. */
static bool names_person(const struct api_route *route)
{
	return strstr(route->path, "/users/{id}") != NULL;
}

/* Ids and keys are of such characters; whatever else somebody puts into a path is not kept, and
 * digits alone may be a telephone number. */
static bool is_plain(struct text text)
{
	bool letter = false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		bool a = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		letter = letter || a;
		if (!a && (c < '0' || c > '9') && strchr("-_.:", c) == NULL)
			return false;
	}
	return letter;
}

/* The parameters of the path, one behind the other: "products/p1". */
static void target_of_path(struct api_call *call)
{
	char        into[TARGET_BYTES_MAX];
	size_t      length = 0;
	const char *at     = call->route->path;
	if (call->audit.target.length > 0 || names_person(call->route))
		return;
	while ((at = strchr(at, '{')) != NULL) {
		char        name[32];
		const char *end = strchr(++at, '}');
		snprintf(name, sizeof name, "%.*s", (int)(end - at), at);
		struct text value = http_param(call->request, name);
		if (length + value.length + 1 > sizeof into)
			return;
		if (!is_plain(value))
			value = TEXT("-");
		if (length > 0)
			into[length++] = '/';
		memcpy(into + length, value.data, value.length);
		length += value.length;
	}
	call_audit_target(call, (struct text){into, length});
}

/* ---- What the answer says ---- */

static bool number_of(struct json body, const char *name, int64_t *ret_number)
{
	struct json value = json_get(body, name);
	if (json_type(value) != JSON_INT)
		return false;
	*ret_number = json_int(value);
	return true;
}

/* Of what was changed, what tells a version from another and who may do what from then on. */
static void keep_details(struct api_call *call, struct json body)
{
	static const char *const names[] = {"version", "scopes", "roles", "permissions",
	                                    "active",  "kind",   "state"};
	struct buffer            out     = {0};
	struct json_writer       w       = json_writer_of(&out);
	bool                     some    = false;
	json_begin_object(&w);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct json value = json_get(body, names[i]);
		if (json_type(value) <= JSON_NULL)
			continue;
		json_add_key(&w, text_of(names[i]));
		json_add_value(&w, value);
		some = true;
	}
	json_end_object(&w);
	if (some)
		call->audit.details = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
}

static void look_at_body(struct api_call *call, const struct buffer *body)
{
	static const char *const ids[] = {"id", "export_id", "audience_id"};
	struct json_parser      *parser;
	struct json              root;
	struct error             ignored;
	if (body == NULL || body->length == 0)
		return;
	parser = json_parser_new();
	if (json_parse_text(parser, buffer_text(body), &root, &ignored) == STATUS_OK &&
	    json_type(root) == JSON_OBJECT) {
		struct audit_record *record = &call->audit;
		struct json          items  = json_get(root, "items");
		if (record->result_size < 0 && !number_of(root, "audience_size", &record->result_size) &&
		    !number_of(root, "size", &record->result_size) && json_type(items) == JSON_ARRAY)
			record->result_size = (int64_t)json_count(items);
		for (size_t i = 0; i < sizeof ids / sizeof ids[0] && record->target.length == 0; i++) {
			struct json id = json_get(root, ids[i]);
			if (json_type(id) == JSON_STRING && !names_person(call->route))
				call_audit_target(call, json_string(id));
		}
		if (call->route->audit == AUDIT_DURABLE && record->details.length == 0)
			keep_details(call, root);
	}
	json_parser_free(parser);
}

/* ---- The record ---- */

/* Of a route that is not recorded otherwise, a refusal names the operation. */
static void name_action(struct api_call *call)
{
	const struct api_route *route = call->route;
	if (route->audit != AUDIT_NONE) {
		call->audit.action = text_of(route->action);
		return;
	}
	call->audit.action = TEXT("access.refused");
	call->audit.target = text_of(route->operation);
}

static struct text actor_of(struct arena *arena, const struct token *token)
{
	bool person = token->person_id[0] != '\0';
	return text_of(arena_printf(arena, person ? "person:%s" : "token:%s",
	                            person ? token->person_id : token->id));
}

/* What is known of it whatever comes of it. */
static void name_call(struct api_call *call)
{
	struct audit_record *record = &call->audit;
	if (record->actor.length == 0 && call->token.id[0] != '\0')
		record->actor = actor_of(call->arena, &call->token);
	name_action(call);
	target_of_path(call);
	record->ip       = text_of(http_client_address(call->request));
	record->trace_id = text_of(http_trace_id(call->request));
}

/* Who may not see personal values is shown none, and that is not recorded. */
static bool may_have_effect(const struct api_call *call)
{
	return call->route->audit != AUDIT_PERSONAL || scope_allows(call->token.scopes, SCOPE_PII_READ);
}

enum status call_audit_begin(struct api_call *call, struct error *err)
{
	struct audit *audit  = call->api->config.audit;
	enum status   status = STATUS_OK;
	if (call->route->audit == AUDIT_NONE)
		return status;
	name_call(call);
	if (may_have_effect(call))
		status = audit_intend(audit, &call->audit, &call->intent, err);
	else
		status = audit_reserve(audit, err);
	call->audit_reserved = status == STATUS_OK;
	return status;
}

void call_audit_cancel(struct api_call *call)
{
	audit_release(call->api->config.audit, &call->intent);
	call->intent         = (struct audit_intent){0};
	call->audit_reserved = false;
}

static bool is_unknown(const struct api_call *call)
{
	return call->audit.actor.length == 0 && call->token.id[0] == '\0';
}

/* A refusal of somebody unknown, beside the rate: no record. */
static bool admit(struct api_call *call)
{
	uint64_t left_out = 0;
	if (!is_unknown(call))
		return true;
	if (!audit_admit_unknown(call->api->config.audit, &left_out))
		return false;
	if (left_out > 0)
		call->audit.details =
			text_of(arena_printf(call->arena, "{\"left_out\":%llu}", (unsigned long long)left_out));
	return true;
}

/* A call that was refused before room was reserved: a wrong token, a scope that is lacking. */
static bool reserve_late(struct api_call *call, unsigned http_status)
{
	struct error ignored;
	bool         refused = (http_status == 401 || http_status == 403) &&
	               (call->route->access == ACCESS_TOKEN || call->route->access == ACCESS_PERSON ||
	                call->route->access == ACCESS_SOCKET);
	return refused && admit(call) && audit_reserve(call->api->config.audit, &ignored) == STATUS_OK;
}

/* Whether there is something to record; what was reserved is given back where not. */
static bool wanted(struct api_call *call, unsigned http_status)
{
	if (!call->audit_reserved)
		return reserve_late(call, http_status);
	bool refused  = http_status == 401 || http_status == 403;
	bool personal = call->route->audit != AUDIT_PERSONAL || call->audit.personal || refused;
	bool done     = http_status < HTTP_FAILED && call->route->audit == AUDIT_DURABLE;
	if (personal && (done || admit(call)))
		return true;
	audit_release(call->api->config.audit, &call->intent);
	return false;
}

bool call_audit_end(struct api_call *call, unsigned http_status, const struct buffer *body,
                    audit_written_fn *written)
{
	struct audit_record *record = &call->audit;
	if (call->audit_ended)
		return false;
	bool records         = wanted(call, http_status);
	call->audit_ended    = true;
	call->audit_reserved = false;
	if (!records)
		return false;
	name_call(call);
	if (http_status < HTTP_FAILED)
		look_at_body(call, body);
	record->personal =
		http_status < HTTP_FAILED && (record->personal || call->route->scope == SCOPE_PII_READ);
	record->status = http_status;
	bool waits     = written != NULL && call->route->audit == AUDIT_DURABLE &&
	             (http_status < HTTP_FAILED || http_status >= HTTP_BROKEN);
	if (waits)
		call_suspend(call);
	audit_add(call->api->config.audit, &call->intent, record, waits ? written : NULL, call);
	return waits;
}
