#ifndef SONNIM_ACCESS_ACCESS_H
#define SONNIM_ACCESS_ACCESS_H

/* What people, their logins and their tokens share: the store that keeps them, the vault that seals
 * what is personal of them, the keys that sign.
 *
 *   people.h ── who there is, invitations, roles      sessions.h ── login, refresh, who asks
 *        └──────────────┬──────────────────────────────────┘
 *                  access.h ── store, vault, signing_keys.h, attempts.h
 *
 * Everything here may wait for the store and costs, with a password, some tenths of a second: not
 * on a thread that must not block. Threads: any. Nothing is logged. */

#include <stdint.h>

#include "access/attempts.h"
#include "access/claims.h"
#include "access/signing_keys.h"
#include "base/settings.h"
#include "store/store.h"
#include "vault/vault.h"

struct access_settings {
	char   *algorithm;       /* HS256, RS256 or EdDSA */
	int64_t key_age_ms;      /* a signing key that is older is followed; 0: never */
	int64_t session_idle_ms; /* a session that nobody refreshes ends */
	int64_t session_ms;      /* and any of them after so long; 0: never */
	int64_t invitation_ms;   /* how long an invitation can be used */
	char   *second_factor;   /* optional or required */
};

/* The table over such a struct, for settings_load() and settings_parse_flags(). */
struct settings access_settings_of(struct access_settings *target);

/* Of another workspace: home, people of which have sessions here (access/linked.h). */
struct access_host {
	void *context;
	/* STATUS_NOT_FOUND: the session is over, since what it was begun from is. */
	enum status (*check)(void *context, const char *session_id, int64_t now_ms, struct error *err);
	/* STATUS_NOT_FOUND: he may do nothing at home by now, so nothing here. */
	enum status (*check_person)(void *context, const char *person_id, struct error *err);
};

struct access_config {
	struct store                 *store;
	struct vault                 *vault;
	const char                   *keyring_directory;
	const char                   *issuer;   /* "iss" */
	const char                   *audience; /* "aud": the workspace */
	const struct access_settings *settings; /* outlives it */
	const struct access_host     *host;     /* outlives it; NULL: nobody is linked */
};

struct access;

/* Errors: those of signing_keys_open(). The texts are copied. */
MUST_USE enum status access_open(const struct access_config *config, struct access **ret_access,
                                 struct error *err);
void                 access_close(struct access *access); /* NULL is fine */

struct signing_keys          *access_signing_keys(struct access *access);
const struct access_settings *access_settings(const struct access *access);
const char                   *access_issuer(const struct access *access);

/* The key of an address, however its letters are written. */
void access_email_hash(const struct access *access, struct text email,
                       uint8_t ret_hash[STORE_TOKEN_HASH_BYTES]);

/* What has happened since the start, for metrics. */
struct access_counts {
	uint64_t logins;    /* that were let in */
	uint64_t refused;   /* wrong address or password */
	uint64_t delayed;   /* came too early */
	uint64_t passwords; /* compared: one for each of the first two, whoever it was */
	uint64_t refreshes;
	uint64_t reuses; /* of a refresh token, which ended the session */
};
struct access_counts access_counts(struct access *access);

#endif
