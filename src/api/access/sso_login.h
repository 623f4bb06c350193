#ifndef SONNIM_API_SSO_LOGIN_H
#define SONNIM_API_SSO_LOGIN_H

/* Where browsers come back to from a provider of that name: what it has to be told. */

#include "api/access/sso.h"
#include "api/call.h"

struct text sso_login_redirect_uri(struct api_call *call, struct text provider_name);

#endif
