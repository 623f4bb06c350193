#ifndef SONNIM_ACCESS_JWKS_H
#define SONNIM_ACCESS_JWKS_H

/* Somebody else's public keys (RFC 7517), and tokens that he signed. Taken are RSA of 2,048 bits
 * and more for RS256, P-256 for ES256 and Ed25519 for EdDSA; keys of other kinds, for encryption or
 * damaged are left out. The algorithm is the key's: a token that names another is refused, so are
 * "none" and every one with a shared secret. What a header says of keys (jwk, jku, x5c) is not
 * looked at; one with "crit" is refused. Threads: any for reading. */

#include "access/jws.h"
#include "base/error.h"
#include "base/json.h"

enum { JWKS_KEYS_MAX = 64, JWKS_TOKEN_BYTES_MAX = 32 << 10 };

struct jwks;

/* STATUS_INVALID: it is no set of keys, or has none that is taken. */
MUST_USE enum status jwks_read(struct json root, struct jwks **ret_jwks, struct error *err);
void                 jwks_free(struct jwks *jwks); /* NULL is fine */

/* The claims, appended to `out`, once the signature is right. A token without "kid" may be signed
 * by any. STATUS_NOT_FOUND: none of the keys has its "kid" and algorithm, or it has none and is
 * signed by none: others may be there by now; STATUS_UNAUTHORIZED otherwise. */
MUST_USE enum status jwks_verify(const struct jwks *jwks, struct text token, struct buffer *out,
                                 enum jws_algorithm *ret_algorithm, struct error *err);

#endif
