#ifndef SONNIM_ACCESS_PEOPLE_H
#define SONNIM_ACCESS_PEOPLE_H

/* Who there is: people who log in, invitations to become one, and roles.
 *
 * Addresses and names lie sealed in the store; a person is found by the keyed hash of his address,
 * whose letters A-Z count as a-z. A person's permissions are the union of his roles'; a role that
 * was deleted gives nothing.
 *
 * Whether an address was verified is kept: by a provider that said so, by the mail of a forgotten
 * password, or by an invitation of an admin that was followed. Who was made with a password that
 * others know has shown nothing, nor has who came first, or by an invitation of somebody else, who
 * could have followed it himself.
 *
 * Nobody gives away what he lacks: `granted` are the permissions of who asks. A role with more of
 * them cannot be given or made by him, and a person who has more not be changed or deleted, nor his
 * sessions be ended: STATUS_FORBIDDEN. The caller sees to it that nobody changes himself.
 *
 * Texts of what is answered lie in the caller's arena. Errors besides: those of the store;
 * STATUS_INVALID with the field; STATUS_CONFLICT: the address, or the name of a role, is taken. */

#include "access/access.h"
#include "base/arena.h"

enum {
	PEOPLE_MAX            = 10000,
	PERSON_EMAIL_BYTES    = 254,
	PERSON_NAME_BYTES     = 256,
	PERSON_SETTINGS_BYTES = 4096,
	INVITATION_TEXT_BYTES = 80,
};

struct account {
	struct store_person row;
	struct text         email;
	struct text         name;
	struct text         settings; /* JSON: an object */
	uint32_t            scopes;   /* of the roles */
};

MUST_USE enum status people_list(struct access *access, struct arena *arena,
                                 struct account **ret_accounts, size_t *ret_count,
                                 struct error *err);
MUST_USE enum status people_get(struct access *access, struct text id, struct arena *arena,
                                struct account *ret_account, struct error *err);
/* STATUS_NOT_FOUND: nobody has the address. */
MUST_USE enum status people_find(struct access *access, struct text email, struct arena *arena,
                                 struct account *ret_account, struct error *err);

/* What he may do by now. STATUS_NOT_FOUND: there is no such person, or he was switched off. */
MUST_USE enum status people_scopes_now(struct access *access, struct text id, uint32_t *ret_scopes,
                                       struct error *err);

struct person_wish {
	struct text email;
	struct text name;
	struct text password;
	struct text roles; /* names separated by blanks */
	struct text tier;
};

/* Costs a password. */
MUST_USE enum status people_add(struct access *access, const struct person_wish *wish,
                                uint32_t granted, int64_t now_ms, struct arena *arena,
                                struct account *ret_account, struct error *err);

/* What `change` names; data NULL: stays. A change of roles or `active` takes effect at once for who
 * looks people up; the caller forgets what he keeps of them. STATUS_CONFLICT: he was changed
 * meanwhile. */
struct person_change {
	struct text name;
	struct text roles;
	struct text tier;
	struct text settings;
	const bool *active;
	bool        email_verified; /* his address was; false: stays */
};
MUST_USE enum status people_change(struct access *access, struct text id,
                                   const struct person_change *change, uint32_t granted,
                                   int64_t now_ms, struct arena *arena, struct account *ret_account,
                                   struct error *err);

struct password_change {
	struct text person_id;
	struct text session_id; /* that asks: all others end */
	struct text current;
	struct text password;
};
/* His own, without regard to what he has. Costs two passwords. `monotonic_ms` is for delays.
 * STATUS_UNAUTHORIZED: `current` is not his; STATUS_LIMITED: too early after such,
 * `*ret_wait_ms` says how much; STATUS_CONFLICT: he was changed meanwhile. */
MUST_USE enum status people_set_password(struct access                *access,
                                         const struct password_change *change, int64_t now_ms,
                                         int64_t monotonic_ms, struct arena *arena,
                                         int64_t *ret_wait_ms, struct error *err);
MUST_USE enum status people_delete(struct access *access, struct text id, uint32_t granted,
                                   struct error *err);
MUST_USE enum status people_end_sessions(struct access *access, struct text id, uint32_t granted,
                                         struct error *err);

/* ---- Invitations ---- */

struct invitation {
	struct store_invitation row;
	struct text             email;
};

/* Its text is answered once. The address may be somebody's: who registers is told. */
MUST_USE enum status people_invite(struct access *access, const struct person_wish *wish,
                                   uint32_t granted, int64_t now_ms, struct arena *arena,
                                   struct invitation *ret_invitation,
                                   char ret_text[INVITATION_TEXT_BYTES], struct error *err);
MUST_USE enum status people_invitations(struct access *access, struct arena *arena,
                                        struct invitation **ret_invitations, size_t *ret_count,
                                        struct error *err);

/* The invitation of the first person, an admin, for who sets the server up: whoever bears it, until
 * there is a person. Its text is told once. STATUS_CONFLICT: there is one already. */
MUST_USE enum status people_invite_first(struct access *access, int64_t now_ms,
                                         char ret_text[INVITATION_TEXT_BYTES], struct error *err);

/* Makes the person who was invited; of the wish name and password count, and the address of who
 * comes first, which is STATUS_INVALID for anybody else. Costs a password. STATUS_UNAUTHORIZED:
 * there is no such invitation, it was used, or it is over. */
MUST_USE enum status people_register(struct access *access, struct text invitation,
                                     const struct person_wish *wish, int64_t now_ms,
                                     struct arena *arena, struct account *ret_account,
                                     struct error *err);

/* ---- Roles ---- */

/* The permissions of these roles; unknown names give nothing. */
MUST_USE enum status people_scopes(struct access *access, struct text roles, struct arena *arena,
                                   uint32_t *ret_scopes, struct error *err);

/* Roles that somebody is to have: they exist, and who gives them has what they hold. With the field
 * "roles" when not. */
MUST_USE enum status people_check_roles(struct access *access, struct text roles, uint32_t granted,
                                        struct arena *arena, struct error *err);

/* A role of one's own; built-in names are STATUS_CONFLICT. */
MUST_USE enum status people_put_role(struct access *access, struct store_role *role,
                                     uint32_t granted, int64_t now_ms, struct arena *arena,
                                     struct error *err);
/* STATUS_CONFLICT: somebody has it. */
MUST_USE enum status people_delete_role(struct access *access, struct text name, uint32_t granted,
                                        struct arena *arena, struct error *err);

#endif
