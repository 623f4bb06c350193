#ifndef SONNIM_API_TOKEN_H
#define SONNIM_API_TOKEN_H

/* Who asks. A bearer token is a program's, random, of which the store keeps the SHA-256 only, or a
 * person's, signed (access/sessions.h). What was found is kept in a cache until something changes
 * for anybody; a person's for TOKEN_KEPT_MS, since sessions end by time too. A program's that a
 * person made allows no more than he may at that moment, and nothing once he is gone. Tickets are
 * tokens for one WebSocket: random, in memory only, good once and for TICKET_MS. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "access/sessions.h"
#include "base/error.h"
#include "base/text.h"
#include "store/store.h"

struct token {
	char     id[37];        /* of the program's token, or of the person's session */
	char     person_id[37]; /* empty: a program's */
	char     maker_id[37];  /* of a program's: the person who made it; empty: none */
	uint32_t scopes;
	uint32_t claimed; /* a person's: what the token itself says */
	int64_t  expires_ms;
	int64_t  rate; /* requests a second that it was made with; 0: the settings' */
	int64_t  burst;
	uint8_t  hash[STORE_TOKEN_HASH_BYTES];
};

enum {
	TOKEN_CACHE_MAX   = 1024,
	TOKEN_KEPT_MS     = 60 * 1000,
	TICKET_MS         = 60 * 1000,
	TICKETS_MAX       = 10000,
	TICKET_TEXT_BYTES = 48,
};

struct tokens;
struct tokens *tokens_new(struct store *store, struct access *access); /* NULL: no people's */
void           tokens_free(struct tokens *tokens);

/* From the cache alone: false: not there, ask tokens_look_up(). */
bool tokens_cached(struct tokens *tokens, struct text text, struct token *ret_token);

/* Asks the store (blocks) and keeps the answer. STATUS_UNAUTHORIZED: there is no such token; store
 * errors otherwise. */
MUST_USE enum status tokens_look_up(struct tokens *tokens, struct text text,
                                    struct token *ret_token, struct error *err);

/* A token was deleted, a session has ended, somebody's roles have changed: what is kept is asked
 * anew. */
void tokens_forget(struct tokens *tokens);

/* Asks anew for one that was found before (blocks): its scopes and end may be others by now.
 * Errors as above. */
MUST_USE enum status tokens_recheck(struct tokens *tokens, struct token *token, struct error *err);

/* STATUS_UNAUTHORIZED when it is over at `now_ms`, STATUS_FORBIDDEN without the scope. */
MUST_USE enum status token_check(const struct token *token, uint32_t needed_scope, int64_t now_ms,
                                 struct error *err);

/* The token of `Authorization: Bearer …`; false: the header has another form. */
bool token_of_header(struct text header, struct text *ret_token);

#define TICKET_PREFIX "wst_"

struct tickets;
struct tickets *tickets_new(const char *code); /* of the workspace; kept, not copied */
void            tickets_free(struct tickets *tickets);

/* STATUS_LIMITED when TICKETS_MAX are out. */
MUST_USE enum status tickets_add(struct tickets *tickets, const struct token *token, int64_t now_ms,
                                 char ret_text[TICKET_TEXT_BYTES], struct error *err);

/* False: unknown, used or too old. */
bool tickets_take(struct tickets *tickets, struct text text, int64_t now_ms,
                  struct token *ret_token);

/* Whether one may still be used. */
bool tickets_are_out(struct tickets *tickets, int64_t now_ms);

#endif
