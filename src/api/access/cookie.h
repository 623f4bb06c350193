#ifndef SONNIM_API_COOKIE_H
#define SONNIM_API_COOKIE_H

/* A login that a browser keeps: the refresh token in a cookie that no script can read, that goes to
 * this API alone and with no request that another site has brought about. Access tokens are never
 * in cookies.
 *
 *   login {"cookie": true}, or single sign-on that began with ?cookie=true
 *                          ─► Set-Cookie: __Secure-sonnim_refresh=…; HttpOnly; SameSite=Strict; …
 *   refresh {}             ─► taken from the cookie, when the page is of our own origin and says so
 *                             (COOKIE_HEADER): a form or a link on somebody else's page cannot
 *
 * Over plain HTTP it is kept only on this machine itself, under a name without the prefix. */

#include "access/sessions.h"
#include "api/call.h"

#define COOKIE_HEADER "X-Sonnim-CSRF"

/* The value of a cookie in a `Cookie` header; false: it is not there. */
bool cookie_find(struct text header, struct text name, struct text *ret_value);

/* Whether the request may have its login kept that way. STATUS_INVALID: it is no TLS;
 * STATUS_FORBIDDEN: a page of somebody else has sent it. */
MUST_USE enum status cookie_check(const struct api_call *call, struct error *err);

/* The first of these alone, for who comes back from elsewhere with a login that a page of ours has
 * begun. */
MUST_USE enum status cookie_check_transport(const struct api_call *call, struct error *err);

/* Moves the grant's refresh token into the cookie, until its session ends. Without one the cookie
 * that is there stays. */
void cookie_keep(struct api_call *call, struct grant *grant);

/* The refresh token that the request brings. STATUS_UNAUTHORIZED: none; STATUS_FORBIDDEN: nothing
 * says that a page of ours has sent it. */
MUST_USE enum status cookie_refresh(const struct api_call *call, struct text *ret_refresh,
                                    struct error *err);

/* Forgets it, where there is one. */
void cookie_drop(struct api_call *call);

#endif
