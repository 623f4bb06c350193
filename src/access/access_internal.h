#ifndef SONNIM_ACCESS_ACCESS_INTERNAL_H
#define SONNIM_ACCESS_ACCESS_INTERNAL_H

/* What access.c, people.c and sessions.c share. */

#include <stdatomic.h>

#include "access/access.h"
#include "base/json.h"

struct access {
	struct access_config config;
	char                *issuer;
	char                *audience;
	struct signing_keys *keys;
	struct attempts     *attempts;
	bool                 second_factor_required;
	_Atomic uint64_t     logins, refused, delayed, passwords, refreshes, reuses;
};

static inline struct claims_realm access_realm(const struct access *access)
{
	return (struct claims_realm){access->issuer, access->audience};
}

static inline const uint8_t *access_secret(const struct access *access)
{
	return signing_keys_secret(access->keys);
}

/* Sealed under a key of the workspace, and back, from the arena. */
struct text access_seal(const struct access *access, struct arena *arena, struct text plain);
MUST_USE enum status access_unseal(const struct access *access, struct arena *arena,
                                   struct text sealed, struct text *ret_plain, struct error *err);

/* A member of what was sealed; empty when it is no string. */
struct text access_string(struct json object, const char *name, struct arena *arena);

struct account;

/* people.c: of an account whose row is there the rest: what lies sealed in it, and what its roles
 * come to. */
MUST_USE enum status people_fill(struct access *access, struct arena *arena,
                                 struct account *account, struct error *err);

struct person_wish;

/* How his provider knows him. */
struct person_link {
	const uint8_t *hash; /* STORE_TOKEN_HASH_BYTES of them */
	bool           email_verified;
};

/* Somebody new without a password, whom person_by_link() finds. */
MUST_USE enum status people_make_federated(struct access *access, const struct person_wish *wish,
                                           const struct person_link *link, int64_t now_ms,
                                           struct arena *arena, struct account *ret_account,
                                           struct error *err);

/* Whether there is such a person, who has no more than `granted`: else STATUS_FORBIDDEN. */
MUST_USE enum status people_check_touchable(struct access *access, struct text id, uint32_t granted,
                                            struct error *err);

/* Whether he may do nothing but what is his own until he has a second factor. Who has no password
 * comes by single sign-on, where his provider asks for what it wants. */
bool people_owes_factor(const struct access *access, const struct store_person *person);

/* What of an account lies sealed in its row. */
struct text people_seal(const struct access *access, struct arena *arena,
                        const struct account *account);

#endif
