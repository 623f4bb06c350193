#include "api/access/token.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "access/scope.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/map.h"

enum { SECRET_BYTES = 32, TOKEN_TEXT_BYTES_MAX = 256, TICKET_BYTES = 24 };

/* The form that credential.h reads. */
static void random_text(const char *prefix, const char *code, size_t byte_count, char *ret_text,
                        size_t size)
{
	uint8_t bytes[SECRET_BYTES];
	assert(byte_count <= sizeof bytes);
	random_bytes(bytes, byte_count);
	int    written = snprintf(ret_text, size, code[0] == '\0' ? "%s%s" : "%s%s_", prefix, code);
	size_t length  = (size_t)written;
	assert(length < size);
	sodium_bin2base64(ret_text + length, size - length, bytes, byte_count,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof bytes);
}

void api_token_new(const char *code, char ret_text[API_TOKEN_TEXT_BYTES],
                   uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	random_text("sonnim_", code, SECRET_BYTES, ret_text, API_TOKEN_TEXT_BYTES);
	hash_sha256(ret_text, strlen(ret_text), ret_hash);
}

void api_write_key_new(const char *code, char ret_key[API_WRITE_KEY_BYTES])
{
	random_text("wk_", code, TICKET_BYTES, ret_key, API_WRITE_KEY_BYTES);
}

/* ---- Tokens ---- */

struct kept {
	struct token token;
	int64_t      until_ms; /* monotonic */
};

struct tokens {
	struct store   *store;
	struct access  *access;
	pthread_mutex_t lock;
	struct map_text cache;   /* hash → struct kept */
	uint64_t        version; /* grows with each tokens_forget() */
};

struct tokens *tokens_new(struct store *store, struct access *access)
{
	struct tokens *tokens = calloc(1, sizeof *tokens);
	assert(tokens != NULL);
	tokens->store  = store;
	tokens->access = access;
	pthread_mutex_init(&tokens->lock, NULL);
	return tokens;
}

static void clear(struct map_text *cache)
{
	for (size_t i = 0; i < cache->capacity; i++)
		if (cache->slots[i].key != NULL)
			free(cache->slots[i].value);
	map_text_done(cache);
	*cache = (struct map_text){0};
}

void tokens_free(struct tokens *tokens)
{
	if (tokens == NULL)
		return;
	clear(&tokens->cache);
	pthread_mutex_destroy(&tokens->lock);
	free(tokens);
}

void tokens_forget(struct tokens *tokens)
{
	pthread_mutex_lock(&tokens->lock);
	clear(&tokens->cache);
	tokens->version++;
	pthread_mutex_unlock(&tokens->lock);
}

static struct text hash_text(const uint8_t hash[SHA256_BYTES])
{
	return (struct text){(const char *)hash, SHA256_BYTES};
}

bool tokens_cached(struct tokens *tokens, struct text text, struct token *ret_token)
{
	if (text.length > JWT_BYTES_MAX)
		return false;
	uint8_t hash[SHA256_BYTES];
	hash_sha256(text.data, text.length, hash);
	pthread_mutex_lock(&tokens->lock);
	const struct kept *kept  = map_text_get(&tokens->cache, hash_text(hash));
	bool               found = kept != NULL && clock_monotonic_ms() < kept->until_ms;
	if (found)
		*ret_token = kept->token;
	pthread_mutex_unlock(&tokens->lock);
	return found;
}

/* Unless a token was deleted while the store was asked. */
static void keep(struct tokens *tokens, const uint8_t hash[SHA256_BYTES], const struct token *token,
                 uint64_t version)
{
	pthread_mutex_lock(&tokens->lock);
	if (tokens->version == version) {
		if (tokens->cache.count >= TOKEN_CACHE_MAX)
			clear(&tokens->cache);
		void **slot = map_text_put(&tokens->cache, hash_text(hash));
		if (*slot == NULL)
			*slot = malloc(sizeof(struct kept));
		assert(*slot != NULL);
		*(struct kept *)*slot = (struct kept){*token, INT64_MAX};
		if (token->person_id[0] != '\0' || token->maker_id[0] != '\0')
			((struct kept *)*slot)->until_ms = clock_monotonic_ms() + TOKEN_KEPT_MS;
	}
	pthread_mutex_unlock(&tokens->lock);
}

/* What is left of a token that a person made. */
static enum status limit_to_maker(struct tokens *tokens, struct token *token, struct error *err)
{
	uint32_t scopes;
	if (token->maker_id[0] == '\0' || tokens->access == NULL)
		return STATUS_OK;
	enum status status = people_scopes_now(tokens->access, text_of(token->maker_id), &scopes, err);
	if (status == STATUS_OK)
		token->scopes = scope_set_both(token->scopes, scopes);
	return status;
}

static enum status find(struct tokens *tokens, const uint8_t hash[SHA256_BYTES],
                        struct token *ret_token, struct error *err)
{
	struct store_token row;
	struct arena       arena;
	struct error       failed;
	arena_init(&arena);
	enum status status =
		tokens->store->ops->token_by_hash(tokens->store, hash, &arena, &row, &failed);
	bool equal = status == STATUS_OK && constant_time_equal(hash_text(row.hash), hash_text(hash));
	if (equal) {
		*ret_token = (struct token){.scopes     = scope_set_read(row.scopes),
		                            .expires_ms = row.expires_ms,
		                            .rate       = row.rate,
		                            .burst      = row.burst};
		memcpy(ret_token->id, row.id, sizeof ret_token->id);
		memcpy(ret_token->hash, row.hash, sizeof ret_token->hash);
		memcpy(ret_token->maker_id, row.person_id, sizeof ret_token->maker_id);
		status = limit_to_maker(tokens, ret_token, &failed);
	}
	arena_done(&arena);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !equal))
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	if (status != STATUS_OK)
		*err = failed;
	return status;
}

static void take_identity(const struct identity *identity, struct token *token)
{
	memcpy(token->id, identity->session_id, sizeof token->id);
	memcpy(token->person_id, identity->person_id, sizeof token->person_id);
	token->scopes     = identity->scopes;
	token->claimed    = identity->claimed;
	token->expires_ms = identity->expires_ms;
}

enum status tokens_look_up(struct tokens *tokens, struct text text, struct token *ret_token,
                           struct error *err)
{
	struct token    token = {0};
	struct identity identity;
	uint8_t         hash[SHA256_BYTES];
	enum status     status;
	pthread_mutex_lock(&tokens->lock);
	uint64_t version = tokens->version;
	pthread_mutex_unlock(&tokens->lock);

	hash_sha256(text.data, text.length, hash);
	if (tokens->access != NULL && jwt_has_form(text)) {
		status = sessions_identify(tokens->access, text, clock_wall_ms(), &identity, err);
		if (status == STATUS_OK)
			take_identity(&identity, &token);
	} else if (text.length > TOKEN_TEXT_BYTES_MAX) {
		return error_set(err, STATUS_UNAUTHORIZED, "The token is not known");
	} else {
		status = find(tokens, hash, &token, err);
	}
	if (status != STATUS_OK)
		return status;
	keep(tokens, hash, &token, version);
	*ret_token = token;
	return STATUS_OK;
}

enum status tokens_recheck(struct tokens *tokens, struct token *token, struct error *err)
{
	if (token->person_id[0] == '\0')
		return find(tokens, token->hash, token, err);
	struct identity identity = {.claimed = token->claimed, .expires_ms = token->expires_ms};
	memcpy(identity.person_id, token->person_id, sizeof identity.person_id);
	memcpy(identity.session_id, token->id, sizeof identity.session_id);
	enum status status = sessions_recheck(tokens->access, clock_wall_ms(), &identity, err);
	if (status == STATUS_OK)
		take_identity(&identity, token);
	return status;
}

enum status token_check(const struct token *token, uint32_t needed_scope, int64_t now_ms,
                        struct error *err)
{
	if (token->expires_ms != INSTANT_MS_NEVER && now_ms >= token->expires_ms)
		return error_set(err, STATUS_UNAUTHORIZED, "The token has expired");
	if (!scope_allows(token->scopes, (enum scope)needed_scope))
		return error_set(err, STATUS_FORBIDDEN, "The token lacks the scope %s",
		                 scope_name((enum scope)needed_scope));
	return STATUS_OK;
}

bool token_of_header(struct text header, struct text *ret_token)
{
	static const char scheme[] = "bearer ";
	size_t            length   = sizeof scheme - 1;
	if (header.length <= length || strncasecmp(header.data, scheme, length) != 0)
		return false;
	struct text token = {header.data + length, header.length - length};
	while (token.length > 0 && token.data[0] == ' ') {
		token.data++;
		token.length--;
	}
	*ret_token = token;
	return token.length > 0;
}

/* ---- Tickets ---- */

struct ticket {
	char         text[TICKET_TEXT_BYTES];
	struct token token;
	int64_t      ends_ms;
};

/* In order of their ends, since all live equally long: the old ones are at the begin. */
struct tickets {
	const char     *code;
	pthread_mutex_t lock;
	size_t          first;
	size_t          count;
	struct ticket   ring[TICKETS_MAX];
};

struct tickets *tickets_new(const char *code)
{
	struct tickets *tickets = calloc(1, sizeof *tickets);
	assert(tickets != NULL);
	tickets->code = code;
	pthread_mutex_init(&tickets->lock, NULL);
	return tickets;
}

void tickets_free(struct tickets *tickets)
{
	if (tickets == NULL)
		return;
	pthread_mutex_destroy(&tickets->lock);
	free(tickets);
}

static void drop_old(struct tickets *tickets, int64_t now_ms)
{
	while (tickets->count > 0 && tickets->ring[tickets->first].ends_ms <= now_ms) {
		tickets->first = (tickets->first + 1) % TICKETS_MAX;
		tickets->count--;
	}
}

enum status tickets_add(struct tickets *tickets, const struct token *token, int64_t now_ms,
                        char ret_text[TICKET_TEXT_BYTES], struct error *err)
{
	struct ticket ticket = {.token = *token, .ends_ms = now_ms + TICKET_MS};
	random_text(TICKET_PREFIX, tickets->code, TICKET_BYTES, ticket.text, sizeof ticket.text);

	pthread_mutex_lock(&tickets->lock);
	drop_old(tickets, now_ms);
	bool full = tickets->count == TICKETS_MAX;
	if (!full)
		tickets->ring[(tickets->first + tickets->count++) % TICKETS_MAX] = ticket;
	pthread_mutex_unlock(&tickets->lock);
	if (full)
		return error_set(err, STATUS_LIMITED, "Too many tickets are open");
	memcpy(ret_text, ticket.text, sizeof ticket.text);
	return STATUS_OK;
}

bool tickets_take(struct tickets *tickets, struct text text, int64_t now_ms,
                  struct token *ret_token)
{
	bool taken = false;
	pthread_mutex_lock(&tickets->lock);
	drop_old(tickets, now_ms);
	for (size_t i = 0; i < tickets->count && !taken; i++) {
		struct ticket *ticket = &tickets->ring[(tickets->first + i) % TICKETS_MAX];
		taken = ticket->text[0] != '\0' && constant_time_equal(text_of(ticket->text), text);
		if (taken) {
			*ret_token      = ticket->token;
			ticket->text[0] = '\0';
		}
	}
	pthread_mutex_unlock(&tickets->lock);
	return taken;
}

bool tickets_are_out(struct tickets *tickets, int64_t now_ms)
{
	bool out = false;
	pthread_mutex_lock(&tickets->lock);
	drop_old(tickets, now_ms);
	for (size_t i = 0; i < tickets->count && !out; i++)
		out = tickets->ring[(tickets->first + i) % TICKETS_MAX].text[0] != '\0';
	pthread_mutex_unlock(&tickets->lock);
	return out;
}
