#ifndef SONNIM_API_CLOSED_H
#define SONNIM_API_CLOSED_H

/* What a workspace is asked that does not run. It is opened only for who may be let in:
 *
 *   health                                    "closed", or "failed"
 *   documents that are the same for all       as at home; public keys as they were when it closed
 *   no credential, or one without its code    401
 *   a ticket: they end with what made them    401
 *   anything else                             call_open(): as often as an address may ask
 *
 * Whether the secret in a credential with its code is right, only the workspace itself knows, and
 * so it is with logins, whose credentials are in the body. In the handler; the call is gone
 * behind it. */

#include "api/call.h"

/* Of a call whose path names the workspace. */
void closed_serve(struct api_call *call);

/* Of one that has shown this write key, token or ticket. */
void closed_serve_credential(struct api_call *call, struct text credential);

#endif
