#ifndef SONNIM_API_GUARDS_H
#define SONNIM_API_GUARDS_H

/* Who stands behind each open WebSocket, and that it is closed (1008) when he may no longer: his
 * token has expired or was deleted, his session has ended, or he lost a permission that he had when
 * it was opened, be it the route's or one that decides what he is shown.
 *
 * A thread of its own asks the store: at once behind guards_changed(), at the first end of a token,
 * and every GUARDS_INTERVAL_MS, since sessions end by time too. Threads: any. */

#include "api/access/token.h"
#include "access/scope.h"
#include "http/websocket.h"

enum { GUARDS_INTERVAL_MS = 60 * 1000 };

struct api_call;
struct guards;
struct guards *guards_new(struct tokens *tokens);
void           guards_stop(struct guards *guards); /* ends its thread; NULL and again are fine */
void           guards_free(struct guards *guards); /* when all sockets are gone; NULL is fine */

/* websocket_accept() of a socket that is looked after from here on. */
bool guards_accept(struct guards *guards, struct http_request *request,
                   const struct websocket_options *options, const struct token *token,
                   enum scope scope);

/* How many are open of that token, or of that person. */
size_t guards_count(struct guards *guards, const struct token *token);

/* Something has changed for somebody: tokens_forget(), and every open socket is looked at. */
void guards_changed(struct guards *guards);

/* Told of every guards_changed() from now on, on its thread. Once, before anybody asks. */
void guards_on_change(struct guards *guards, void (*changed)(void *context), void *context);

/* Closes all that are open; one that is being accepted meanwhile is not among them. */
void guards_close_all(struct guards *guards, enum websocket_code code, const char *reason);

/* Answers a call that took something away from somebody: 204 behind guards_changed(), or the
 * error. */
void guards_answer(struct api_call *call, enum status status, const struct error *err);

#endif
