#ifndef SONNIM_ACCESS_JWS_H
#define SONNIM_ACCESS_JWS_H

/* Signed texts in their compact form (RFC 7515): three parts in base64url with dots between, of
 * which the last signs the others. What the tokens that we make (jwt.h) and those of others
 * (jwks.h) have in common. Threads: any. */

#include <openssl/types.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

struct jws {
	struct text header, claims, signature; /* still in base64url */
	struct text covered;                   /* by the signature */
};

/* False: it has another form, or more than that many bytes. */
bool jws_split(struct text token, size_t bytes_max, struct jws *ret_jws);

void jws_add_base64(struct buffer *out, const void *data, size_t length);

/* Appends what it says. False: another alphabet, padding, or bits left over. */
bool jws_read_base64(struct text text, struct buffer *out);

/* With asymmetric keys. RS256: RSA, PKCS #1 1.5, SHA-256; ES256: P-256, SHA-256; EdDSA: Ed25519. */
enum jws_algorithm { JWS_RS256, JWS_ES256, JWS_EDDSA, JWS_ALGORITHM_COUNT };

/* The key must be of the algorithm. */
bool jws_is_signed(enum jws_algorithm algorithm, EVP_PKEY *key, struct text covered,
                   struct text signature);

#endif
