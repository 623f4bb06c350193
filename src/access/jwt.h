#ifndef SONNIM_ACCESS_JWT_H
#define SONNIM_ACCESS_JWT_H

/* Signed tokens: JWS compact serialisation (RFC 7515) of JWT claims (RFC 7519), over libcrypto.
 *
 *   base64url({"alg","typ":"JWT","kid"}) . base64url(claims) . base64url(signature)
 *
 * A key has one algorithm, and a token is verified with that of the key that its `kid` names; what
 * the token says of `alg` must be the same, so that neither "none" nor a public key taken for a
 * secret passes. Other members of the header than alg, kid and typ are refused (`crit`, `jwk`,
 * `jku`, `x5u` and so on are never acted on).
 *
 *   HS256  HMAC-SHA-256, a secret of 32 bytes
 *   RS256  RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits
 *   EdDSA  Ed25519
 *
 * Threads: a key may be used by any number at once. */

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_EDDSA, JWT_ALGORITHM_COUNT };

enum {
	JWT_BYTES_MAX    = 8192,
	JWT_KEY_ID_BYTES = 37, /* a UUID, with its NUL */
};

const char *jwt_algorithm_name(enum jwt_algorithm algorithm); /* "HS256" */
bool        jwt_algorithm_of(struct text name, enum jwt_algorithm *ret_algorithm);

struct jwt_key;

/* A new one with an id of its own. NULL: libcrypto makes none, by its build or its policy. Cost: of
 * RS256 some tenths of a second. */
struct jwt_key *jwt_key_new(enum jwt_algorithm algorithm);

/* What jwt_key_secret() wrote. STATUS_CORRUPT: it is no such key. */
MUST_USE enum status jwt_key_read(enum jwt_algorithm algorithm, struct text id, struct text secret,
                                  struct jwt_key **ret_key, struct error *err);
void                 jwt_key_free(struct jwt_key *key); /* NULL is fine; wiped */

const char        *jwt_key_id(const struct jwt_key *key);
enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key);

/* Appends what it takes to make the key again: the caller seals and wipes it. */
void jwt_key_secret(const struct jwt_key *key, struct buffer *out);

/* Adds its public half as a member of a JWKS (RFC 7517); nothing for HS256, which has none. */
void jwt_key_write_public(const struct jwt_key *key, struct json_writer *writer);

/* Appends the token with these claims (JSON). */
void jwt_sign(const struct jwt_key *key, struct text claims, struct buffer *out);

/* Whether the text has the form of a token at all: three parts with dots between. */
bool jwt_has_form(struct text token);

/* The id of the key that it names; false: it has none, or says something that is refused. */
bool jwt_read_key_id(struct text token, char ret_id[JWT_KEY_ID_BYTES]);

/* The claims, appended to `out`, once the signature is right. STATUS_UNAUTHORIZED otherwise. */
MUST_USE enum status jwt_verify(const struct jwt_key *key, struct text token, struct buffer *out,
                                struct error *err);

#endif
