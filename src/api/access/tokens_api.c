/* /api/v1/tokens and /api/v1/ws-tickets. A token's text is answered once, when it is made. */

#include <stdio.h>

#include "api/call_audit.h"
#include "api/call_limit.h"
#include "api/access/guards.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"

enum { NAME_BYTES_MAX = 256, TOKENS_MAX = 10000 };

static void write_token(struct json_writer *w, const struct store_token *token, const char *text)
{
	json_begin_object(w);
	json_member_string(w, "id", text_of(token->id));
	json_member_string(w, "name", token->name);
	json_add_key(w, TEXT("scopes"));
	scope_set_write_json(w, scope_set_read(token->scopes));
	if (text != NULL)
		json_member_string(w, "token", text_of(text));
	if (token->person_id[0] == '\0')
		json_member_null(w, "personId");
	else
		json_member_string(w, "personId", text_of(token->person_id));
	json_member_instant(w, "createdAt", token->created_ms);
	if (token->expires_ms == INSTANT_MS_NEVER)
		json_member_null(w, "expiresAt");
	else
		json_member_instant(w, "expiresAt", token->expires_ms);
	json_add_key(w, TEXT("rate_limit"));
	if (token->rate == 0) {
		json_add_null(w);
	} else {
		json_begin_object(w);
		json_member_int(w, "requests_per_second", token->rate);
		json_member_int(w, "burst", token->burst);
		json_end_object(w);
	}
	json_end_object(w);
}

/* Nobody gives away what he does not have. */
static enum status read_scopes(struct json body, uint32_t granted, uint32_t *ret_set,
                               struct error *err)
{
	struct json scopes = json_get(body, "scopes");
	unsigned    index  = 0;
	*ret_set           = 0;
	if (json_type(scopes) != JSON_ARRAY || json_count(scopes) == 0)
		return error_set_field(err, STATUS_INVALID, "scopes", "It must be a list of scopes");
	for (struct json_iterator i = json_iterate(scopes); json_next(&i); index++) {
		char field[32];
		snprintf(field, sizeof field, "scopes[%u]", index);
		enum scope scope =
			json_type(i.value) == JSON_STRING ? scope_of(json_string(i.value)) : SCOPE_NONE;
		if (scope == SCOPE_NONE)
			return error_set_field(err, STATUS_INVALID, field, "There is no such scope");
		if (!scope_allows(granted, scope))
			return error_set_field(err, STATUS_FORBIDDEN, field,
			                       "A token cannot grant a scope that it lacks: %s",
			                       scope_name(scope));
		*ret_set |= scope;
	}
	return STATUS_OK;
}

/* A program's makes none that outlives it: whoever got hold of it had it for good. A person's is
 * his session, and what he makes ends with him. */
static enum status check_end(const struct token *asks, int64_t ends_ms, struct error *err)
{
	if (asks->person_id[0] != '\0' || ends_ms <= asks->expires_ms)
		return STATUS_OK;
	return error_set_field(err, STATUS_FORBIDDEN, "expiresAt",
	                       "A token makes none that outlives it");
}

static enum status read_expiry(struct json body, const struct token *asks, int64_t *ret_ms,
                               struct error *err)
{
	struct json value = json_get(body, "expiresAt");
	*ret_ms           = INSTANT_MS_NEVER;
	if (json_type(value) <= JSON_NULL)
		return check_end(asks, *ret_ms, err);
	if (json_type(value) != JSON_STRING || !instant_parse(json_string(value), ret_ms) ||
	    *ret_ms <= clock_wall_ms())
		return error_set_field(err, STATUS_INVALID, "expiresAt",
		                       "It must be an RFC 3339 instant to come, or null for never");
	return check_end(asks, *ret_ms, err);
}

/* The person who asks, or who made the token by which it is asked: what comes of him is his. */
static void maker_of(const struct api_call *call, char ret_id[37])
{
	const struct token *asks = &call->token;
	memcpy(ret_id, asks->person_id[0] != '\0' ? asks->person_id : asks->maker_id, 37);
}

static enum status read_size(struct json limit, const char *name, const char *field,
                             int64_t fallback, int64_t *ret_size, struct error *err)
{
	struct json value = json_get(limit, name);
	*ret_size         = fallback;
	if (json_type(value) == JSON_NONE && fallback > 0)
		return STATUS_OK;
	if (json_type(value) != JSON_INT || json_int(value) < 1 || json_int(value) > BUCKETS_RATE_MAX)
		return error_set_field(err, STATUS_INVALID, field, "It must be a whole number from 1 to %d",
		                       BUCKETS_RATE_MAX);
	*ret_size = json_int(value);
	return STATUS_OK;
}

/* {"requests_per_second": 50, "burst": 100}; the burst may be left out. */
static enum status read_limit(struct json body, struct store_token *token, struct error *err)
{
	static const char *const known[] = {"requests_per_second", "burst", NULL};
	struct json              limit   = json_get(body, "rate_limit");
	enum status              status;
	if (json_type(limit) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(limit) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "rate_limit", "It must be null or an object");
	if ((status = call_only(limit, known, err)) != STATUS_OK ||
	    (status = read_size(limit, "requests_per_second", "rate_limit.requests_per_second", 0,
	                        &token->rate, err)) != STATUS_OK)
		return status;
	return read_size(limit, "burst", "rate_limit.burst", token->rate, &token->burst, err);
}

static enum status read_name(struct json body, struct text *ret_name, struct error *err)
{
	enum status status = call_string(body, "name", false, 1, NAME_BYTES_MAX, ret_name, err);
	if (status == STATUS_OK && !text_is_line(*ret_name))
		return error_set_field(err, STATUS_INVALID, "name", "It must not have control characters");
	return status;
}

static enum status create(struct api_call *call, struct store_token *token,
                          char text[API_TOKEN_TEXT_BYTES], struct error *err)
{
	static const char *const known[] = {"name", "scopes", "expiresAt", "rate_limit", NULL};
	struct store            *store   = call->api->config.store;
	struct store_token      *tokens;
	struct json              body;
	uint32_t                 set;
	size_t                   count;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = read_name(body, &token->name, err)) != STATUS_OK ||
	    (status = read_scopes(body, call->token.scopes, &set, err)) != STATUS_OK ||
	    (status = read_expiry(body, &call->token, &token->expires_ms, err)) != STATUS_OK ||
	    (status = read_limit(body, token, err)) != STATUS_OK ||
	    (status = store->ops->token_list(store, call->arena, &tokens, &count, err)) != STATUS_OK)
		return status;
	if (count >= TOKENS_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d tokens already", TOKENS_MAX);

	struct buffer scopes = {0};
	scope_set_write(&scopes, set);
	token->scopes     = arena_text(call->arena, buffer_text(&scopes));
	token->created_ms = clock_wall_ms();
	buffer_done(&scopes);
	uuid_new(token->id);
	call_audit_target(call, text_of(token->id));
	maker_of(call, token->person_id);
	api_token_new(call->api->config.code, text, token->hash);
	return store->ops->token_add(store, token, err);
}

static void create_step(struct api_call *call)
{
	struct store_token token = {0};
	struct error       err;
	char               text[API_TOKEN_TEXT_BYTES];
	if (create(call, &token, text, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_token(&w, &token, text);
	call_answer(call, 201, &out);
}

void tokens_create(struct api_call *call) { call_on_worker(call, create_step); }

/* In the order of their making; the cursor is how many were listed. */
static enum status list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store       *store = call->api->config.store;
	struct store_token *tokens;
	struct byte_reader  cursor;
	size_t              count, limit;
	enum status         status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = store->ops->token_list(store, call->arena, &tokens, &count, err)) != STATUS_OK)
		return status;
	struct buffer      next = {0};
	struct json_writer w    = call_begin_list(out);
	size_t             at   = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	for (size_t end = at + limit; at < count; at++) {
		if (at == end) {
			buffer_add_u32(&next, (uint32_t)at);
			break;
		}
		write_token(&w, &tokens[at], NULL);
	}
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count, clock_wall_ms());
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, list); }

void tokens_list(struct api_call *call) { call_on_worker(call, list_step); }

static void delete_step(struct api_call *call)
{
	struct store *store = call->api->config.store;
	struct text   id    = http_param(call->request, "id");
	struct error  err;
	enum status   status = STATUS_NOT_FOUND;
	if (uuid_valid(id))
		status = store->ops->token_delete(store, arena_text(call->arena, id).data, &err);
	if (status == STATUS_NOT_FOUND)
		error_set(&err, STATUS_NOT_FOUND, "There is no such token");
	guards_answer(call, status, &err);
}

void tokens_delete(struct api_call *call) { call_on_worker(call, delete_step); }

void tickets_create(struct api_call *call)
{
	int64_t      now_ms = clock_wall_ms();
	char         text[TICKET_TEXT_BYTES];
	struct error err;
	if (tickets_add(call->api->tickets, &call->token, now_ms, text, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "ticket", text_of(text));
	json_member_instant(&w, "expiresAt", now_ms + TICKET_MS);
	json_end_object(&w);
	call_answer(call, 201, &out);
}
