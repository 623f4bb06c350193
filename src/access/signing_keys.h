#ifndef SONNIM_ACCESS_SIGNING_KEYS_H
#define SONNIM_ACCESS_SIGNING_KEYS_H

/* The keys that access tokens are signed with, and how one follows another without a gap.
 *
 *   made ──► published ──► signs ──► followed: verifies only ──► gone
 *            (JWKS)        │         for CLAIMS_SECONDS and what clocks are astray
 *                          └ HS256 at once; RS256 and EdDSA SIGNING_AHEAD_MS after they were made,
 *                            so that who caches the JWKS knows them; at once where the newest
 *                            before is of another algorithm
 *
 * They lie in KEYRING/signing.keys (0600, JSON), each secret sealed under a key of the workspace
 * that the vault has from the keyring; with them one for message codes (signing_keys_secret).
 * Threads: any. Cost of signing and verifying: see jwt.h. */

#include "access/jwt.h"
#include "vault/vault.h"

enum {
	SIGNING_KEYS_MAX     = 16,
	SIGNING_AHEAD_MS     = 10 * 60 * 1000,
	SIGNING_SECRET_BYTES = 32,
};

struct signing_keys_config {
	const char        *directory; /* the keyring's */
	struct vault      *vault;
	enum jwt_algorithm algorithm;
	int64_t            age_ms; /* a key that has signed for so long is followed; 0: never */
};

struct signing_key_info {
	char               id[JWT_KEY_ID_BYTES];
	enum jwt_algorithm algorithm;
	int64_t            created_ms;
	int64_t            signs_from_ms;
	bool               signs; /* now */
};

struct signing_keys;

/* Reads the file, or makes it with its first key. STATUS_CORRUPT: it is damaged, or of another
 * workspace; STATUS_UNSUPPORTED: libcrypto does not offer the algorithm. `config` is copied. */
MUST_USE enum status signing_keys_open(const struct signing_keys_config *config, int64_t now_ms,
                                       struct signing_keys **ret_keys, struct error *err);
void                 signing_keys_free(struct signing_keys *keys);

/* The secret beside them; lives as long as `keys`. */
const uint8_t *signing_keys_secret(const struct signing_keys *keys);

/* Appends the signed token. Makes the next key when the present one is old: where that cannot be
 * written, the present one goes on. */
void signing_keys_sign(struct signing_keys *keys, struct text claims, int64_t now_ms,
                       struct buffer *out);

/* jwt_verify() with the key that the token names. STATUS_UNAUTHORIZED when there is none. */
MUST_USE enum status signing_keys_verify(struct signing_keys *keys, struct text token,
                                         int64_t now_ms, struct buffer *out, struct error *err);

/* Makes the next key, and drops those that verify nothing any more. STATUS_CONFLICT: one waits to
 * follow already, or there are SIGNING_KEYS_MAX. Errors of files leave all as it was. */
MUST_USE enum status signing_keys_rotate(struct signing_keys *keys, int64_t now_ms,
                                         struct error *err);

/* All of them, the oldest first. */
size_t signing_keys_list(struct signing_keys *keys, int64_t now_ms,
                         struct signing_key_info ret_keys[SIGNING_KEYS_MAX]);

/* {"keys":[…]}: those that have a public half. */
void signing_keys_write_public(struct signing_keys *keys, struct buffer *out);

#endif
