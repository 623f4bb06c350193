#ifndef SONNIM_ACCESS_CLAIMS_H
#define SONNIM_ACCESS_CLAIMS_H

/* What an access token says: iss, aud, sub, user_id, email, subscription_tier, permissions, iat,
 * exp = iat + CLAIMS_SECONDS, and sid, the session that it was given for. */

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

enum {
	CLAIMS_SECONDS        = 3600,
	CLAIMS_SECONDS_ASTRAY = 60, /* by which the clock of who signed may be ahead */
};

struct claims {
	char        person_id[UUID_TEXT_BYTES];
	char        session_id[UUID_TEXT_BYTES];
	struct text email; /* to be written only */
	struct text tier;  /* the same */
	uint32_t    scopes;
	int64_t     issued_s;
	int64_t     expires_s;
};

/* Who signs, and for whom: a token of another issuer or audience is none of ours. */
struct claims_realm {
	const char *issuer;
	const char *audience;
};

void claims_write(const struct claims *claims, const struct claims_realm *realm,
                  struct buffer *out);

/* STATUS_UNAUTHORIZED: of another realm, expired, not yet valid, or not of this shape. */
MUST_USE enum status claims_read(struct text json, const struct claims_realm *realm, int64_t now_ms,
                                 struct claims *ret_claims, struct error *err);

#endif
