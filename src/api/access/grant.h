#ifndef SONNIM_API_GRANT_H
#define SONNIM_API_GRANT_H

/* What all ways to log in have in common. */

#include "access/sessions.h"
#include "api/call.h"

/* Where the request comes from and with what. */
struct login grant_login(struct api_call *call);

/* What somebody is given, which nobody on the way may keep; the audit trail is told who he is. */
void grant_answer(struct api_call *call, unsigned http_status, const struct grant *grant);

#endif
