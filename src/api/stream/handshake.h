#ifndef SONNIM_API_HANDSHAKE_H
#define SONNIM_API_HANDSHAKE_H

/* The handshake of every WebSocket: who asks, by a token in the subprotocol or by a ticket, and
 * whether the route's scope is granted. */

#include "api/call.h"
#include "http/websocket.h"

/* Checks and goes on with `then`, on a worker; or answers the error. The call's `state` is used. */
void handshake_begin(struct api_call *call, call_step_fn *then);

/* The token or ticket that it brings, unchecked. False: none. */
bool handshake_credential(struct api_call *call, struct text *ret_credential);

/* In `then`: ends the call and accepts the socket, with the subprotocol that was offered. False:
 * refused, and no callback of `options` will come. */
bool handshake_accept(struct api_call *call, struct websocket_options options);

#endif
