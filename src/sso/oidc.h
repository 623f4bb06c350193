#ifndef SONNIM_SSO_OIDC_H
#define SONNIM_SSO_OIDC_H

/* Logins by OpenID Connect Core 1.0: the authorisation code flow with PKCE (RFC 7636, S256).
 *
 *   browser ── oidc_authorization(): the address where it is sent ──► provider
 *   browser ◄── code ── provider
 *   oidc_finish(code) ── token endpoint ──► ID token ── keys, claims ──► who it is
 *                     └─ userinfo, where the token tells no address or groups
 *
 * Where the provider's endpoints and keys are it says itself (Discovery 1.0), and what it said is
 * kept for OIDC_KEPT_MS, of OIDC_ISSUERS_MAX; keys are fetched anew when a token is signed with one
 * that is not among them. Each request has OIDC_TIMEOUT_MS and OIDC_BODY_BYTES_MAX; no redirect is
 * followed; only https is spoken, or http to this machine itself when the issuer is there.
 *
 * Everything here waits for somebody else: on threads that may. Threads: any. Errors:
 * STATUS_UNAVAILABLE: he does not answer, or not as he should, with the reason;
 * STATUS_UNAUTHORIZED: the code or the ID token is refused (id_token.h). */

#include "sso/id_token.h"
#include "sso/provider.h"

enum {
	OIDC_TIMEOUT_MS     = 10 * 1000,
	OIDC_BODY_BYTES_MAX = 256 << 10,
	OIDC_KEPT_MS        = 60 * 60 * 1000,
	OIDC_ISSUERS_MAX    = 64,
};

struct oidc;
struct oidc *oidc_new(void);
void         oidc_free(struct oidc *oidc); /* NULL is fine */

/* What one login has of its own. */
struct oidc_login {
	struct text state;
	struct text nonce;
	struct text verifier;     /* of PKCE: 43 to 128 characters */
	struct text redirect_uri; /* where the browser comes back to */
};

/* `monotonic_ms` is for what is kept. */
MUST_USE enum status oidc_authorization(struct oidc *oidc, const struct sso_provider *provider,
                                        const struct oidc_login *login, int64_t monotonic_ms,
                                        struct arena *arena, struct text *ret_url,
                                        struct error *err);

/* `code` and `issuer` (RFC 9207; empty: not told) are what the browser brought. */
MUST_USE enum status oidc_finish(struct oidc *oidc, const struct sso_provider *provider,
                                 const struct oidc_login *login, struct text code,
                                 struct text issuer, int64_t now_ms, int64_t monotonic_ms,
                                 struct arena *arena, struct sso_claims *ret_claims,
                                 struct error *err);

#endif
