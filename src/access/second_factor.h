#ifndef SONNIM_ACCESS_SECOND_FACTOR_H
#define SONNIM_ACCESS_SECOND_FACTOR_H

/* A person's second factor: codes by time (totp.h), and RECOVERY_CODES that stand in for one once
 * each, for who has lost his telephone.
 *
 *   none ──begin──► pending: not asked for ──confirm, with a code──► on ──end, with a code──► none
 *
 * The secret lies sealed in the store, recovery codes as keyed hashes. A code of a time counts
 * once, and none of a time before it. Wrong codes count as wrong passwords do (attempts.h), by
 * session or, at a login, by address and person, and by the person alone.
 *
 * Errors besides those of the store: STATUS_UNAUTHORIZED with the field "password" or "code" when
 * that is wrong, STATUS_LIMITED too early after such (`*ret_wait_ms`), STATUS_CONFLICT when it is
 * on already, STATUS_NOT_FOUND when there is none. */

#include "access/people.h"
#include "access/totp.h"

enum {
	RECOVERY_CODES        = 10,
	RECOVERY_TEXT_BYTES   = 15, /* "abcd-efgh-ijkl", with its NUL: 60 random bits */
	FACTOR_CODE_BYTES_MAX = 64,
	FACTOR_URI_BYTES      = 4096,
};

struct factor_state {
	bool     on;
	bool     pending;
	unsigned recovery_left;
};
MUST_USE enum status second_factor_get(struct access *access, struct text person_id,
                                       struct factor_state *ret_state, struct error *err);

/* Who asks to change his own, from which session, and with what. */
struct factor_wish {
	struct text person_id;
	struct text session_id;
	struct text password; /* of who has none it is not asked */
	struct text code;
};

/* The secret to be shown once, and the same as an address for a QR code. Costs a password. */
MUST_USE enum status second_factor_begin(struct access *access, const struct factor_wish *wish,
                                         int64_t now_ms, int64_t monotonic_ms,
                                         char ret_secret[TOTP_SECRET_TEXT],
                                         char ret_uri[FACTOR_URI_BYTES], int64_t *ret_wait_ms,
                                         struct error *err);

/* From here on a login asks for it; his other sessions end. The recovery codes are told once. */
MUST_USE enum status second_factor_confirm(struct access *access, const struct factor_wish *wish,
                                           int64_t now_ms, int64_t monotonic_ms,
                                           char     ret_codes[RECOVERY_CODES][RECOVERY_TEXT_BYTES],
                                           int64_t *ret_wait_ms, struct error *err);

/* Costs a password. */
MUST_USE enum status second_factor_end(struct access *access, const struct factor_wish *wish,
                                       int64_t now_ms, int64_t monotonic_ms, int64_t *ret_wait_ms,
                                       struct error *err);

/* Somebody else's, who has lost it and all codes. STATUS_FORBIDDEN: he has more than `granted`. */
MUST_USE enum status second_factor_reset(struct access *access, struct text person_id,
                                         uint32_t granted, struct error *err);

/* Whether it is a code of his by now, which is used up by that: STATUS_UNAUTHORIZED when not. */
MUST_USE enum status second_factor_use(struct access *access, const struct store_factor *factor,
                                       struct text code, int64_t now_ms, struct error *err);

#endif
