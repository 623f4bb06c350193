#ifndef SONNIM_API_CALL_LIMIT_H
#define SONNIM_API_CALL_LIMIT_H

/* How often somebody may ask (limit/limits.h): by token, person and address.
 *
 *   public route, or a token that has to be looked up ─► the address's bucket
 *   a token that is known ─► the token's own bucket, or that of the person behind all his sessions
 *   WebSocket ─► the address's handshakes, then those of the token or person
 *
 * Whoever was measured is told what is left, on ordinary answers and on refusals alike:
 * X-RateLimit-Limit, -Remaining and -Reset (seconds until the bucket is full). Of several buckets
 * the last one asked speaks. Any thread that has the call. */

#include "api/call.h"
#include "limit/limits.h"

/* False: refused, and answered with 429. */
bool call_limit_address(struct api_call *call, enum limit limit);
bool call_limit_token(struct api_call *call);  /* of a request whose token is known */
bool call_limit_socket(struct api_call *call); /* of a handshake whose token is known */

/* 429 RATE_LIMITED, with `details.limit`, that limit's name. The headers are there by then. */
void call_limited(struct api_call *call, const char *limit, const char *message,
                  unsigned retry_after_s);

/* Sets the three headers, instead of those that are there. Nothing where there is no limit. */
void call_limit_headers(struct http_request *request, const struct bucket_state *state);

/* The metrics of both kinds of limits. */
void call_limit_write_metrics(const struct api *api, struct buffer *out);

#endif
