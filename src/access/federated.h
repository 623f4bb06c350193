#ifndef SONNIM_ACCESS_FEDERATED_H
#define SONNIM_ACCESS_FEDERATED_H

/* People whom somebody else knows: who comes by single sign-on is found by his provider's name for
 * him (issuer and subject, kept as a keyed hash), and made when he comes for the first time,
 * without a password. His roles are what the provider says at each login. */

#include "access/people.h"

enum { FEDERATED_SUBJECT_BYTES_MAX = 255 }; /* OpenID Connect Core, 2 */

struct federated_wish {
	struct text issuer;
	struct text subject;
	struct text email; /* empty: not told */
	struct text name;  /* empty: not told */
	bool        email_verified;
	bool        email_denied; /* it is told that it was not verified */
	struct text roles;        /* names separated by blanks; not empty */
	bool        by_email;     /* somebody who is there already is known by his address: when the
	                             provider has verified it, and it was verified here (people.h), so
	                             that nobody waits under another's address for him to come */
};

/* STATUS_FORBIDDEN: he was switched off, his address is not told or not verified, or a role is
 * gone; STATUS_CONFLICT: his address is somebody's, who is not linked
 * so. `*ret_changed`: his roles are others now, the
 * caller forgets what he keeps of him. */
MUST_USE enum status federated_person(struct access *access, const struct federated_wish *wish,
                                      int64_t now_ms, struct arena *arena,
                                      struct account *ret_account, bool *ret_changed,
                                      struct error *err);

#endif
