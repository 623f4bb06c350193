#ifndef SONNIM_API_TOKEN_H
#define SONNIM_API_TOKEN_H

/* Who asks. Bearer tokens are random; the store keeps their SHA-256 only, by which they are found;
 * what was found is kept in a cache until a token is deleted. Tickets are tokens for one WebSocket:
 * random, in memory only, good once and for TICKET_MS. Threads: any. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "store/store.h"

struct token {
	char     id[37];
	uint32_t scopes;
	int64_t  expires_ms;
};

enum { TOKEN_CACHE_MAX = 1024, TICKET_MS = 60 * 1000, TICKETS_MAX = 10000, TICKET_TEXT_BYTES = 48 };

struct tokens;
struct tokens *tokens_new(struct store *store);
void           tokens_free(struct tokens *tokens);

/* From the cache alone: false: not there, ask tokens_look_up(). */
bool tokens_cached(struct tokens *tokens, struct text text, struct token *ret_token);

/* Asks the store (blocks) and keeps the answer. STATUS_UNAUTHORIZED: there is no such token; store
 * errors otherwise. */
MUST_USE enum status tokens_look_up(struct tokens *tokens, struct text text,
                                    struct token *ret_token, struct error *err);

/* A token was deleted: what is kept is asked anew. */
void tokens_forget(struct tokens *tokens);

/* STATUS_UNAUTHORIZED when it is over at `now_ms`, STATUS_FORBIDDEN without the scope. */
MUST_USE enum status token_check(const struct token *token, uint32_t needed_scope, int64_t now_ms,
                                 struct error *err);

/* The token of `Authorization: Bearer …`; false: the header has another form. */
bool token_of_header(struct text header, struct text *ret_token);

struct tickets;
struct tickets *tickets_new(void);
void            tickets_free(struct tickets *tickets);

/* STATUS_LIMITED when TICKETS_MAX are out. */
MUST_USE enum status tickets_add(struct tickets *tickets, const struct token *token, int64_t now_ms,
                                 char ret_text[TICKET_TEXT_BYTES], struct error *err);

/* False: unknown, used or too old. */
bool tickets_take(struct tickets *tickets, struct text text, int64_t now_ms,
                  struct token *ret_token);

#endif
