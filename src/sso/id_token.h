#ifndef SONNIM_SSO_ID_TOKEN_H
#define SONNIM_SSO_ID_TOKEN_H

/* What an ID token says once its signature is right (access/jwks.h), and whether it is meant for us
 * and this login: OpenID Connect Core 1.0, 3.1.3.7. Threads: any. */

#include "access/jws.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

enum {
	ID_TOKEN_SECONDS_ASTRAY = 60,  /* by which the provider's clock may differ */
	ID_TOKEN_SECONDS_OLD    = 600, /* one that was issued before that is not of this login */
};

struct id_token_wish {
	struct text        issuer;
	struct text        client_id;
	struct text        nonce;
	struct text        access_token; /* that came with it; empty: none */
	enum jws_algorithm algorithm;    /* by which it was signed */
	int64_t            now_ms;
};

/* STATUS_UNAUTHORIZED with the claim as the field: iss, aud, azp, exp, iat, nbf, nonce, at_hash or
 * sub. */
MUST_USE enum status id_token_check(struct json claims, const struct id_token_wish *wish,
                                    struct error *err);

/* Who it is. Texts from the arena. */
struct sso_claims {
	struct text  subject;
	struct text  email; /* empty: not told */
	struct text  name;  /* the same, also when it has control characters */
	struct text *groups;
	size_t       group_count;
	bool         has_groups; /* the claim was there */
	bool         email_verified;
	bool         email_denied; /* it says that it was not verified */
};

/* What `found` lacks. A claim of groups is a list of strings, or one string. */
void sso_claims_take(struct json claims, struct text groups_claim, struct arena *arena,
                     struct sso_claims *found);

#endif
