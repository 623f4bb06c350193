#include "access/people.h"

#include <sodium.h>
#include <stdio.h>

#include "access/access_internal.h"
#include "access/linked.h"
#include "access/password.h"
#include "access/role.h"
#include "access/scope.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/json.h"

static const struct text tiers[] = {{"free", 4}, {"basic", 5}, {"premium", 7}, {"enterprise", 10}};

/* ---- What may be said ---- */

static enum status check_email(struct text email, struct error *err)
{
	const char *at     = email.length == 0 ? NULL : memchr(email.data, '@', email.length);
	size_t      before = at == NULL ? 0 : (size_t)(at - email.data);
	if (before == 0 || before + 1 == email.length || email.length > PERSON_EMAIL_BYTES ||
	    !text_is_line(email) || memchr(email.data, ' ', email.length) != NULL ||
	    memchr(at + 1, '@', email.length - before - 1) != NULL)
		return error_set_field(err, STATUS_INVALID, "email", "It must be an e-mail address");
	return STATUS_OK;
}

static enum status check_name(struct text name, struct error *err)
{
	if (name.length == 0 || name.length > PERSON_NAME_BYTES || !text_is_line(name))
		return error_set_field(err, STATUS_INVALID, "name",
		                       "It must have 1 to %d bytes, without control characters",
		                       PERSON_NAME_BYTES);
	return STATUS_OK;
}

static enum status check_tier(struct text tier, struct error *err)
{
	for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++)
		if (text_equal(tier, tiers[i]))
			return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, "subscription_tier",
	                       "It must be free, basic, premium or enterprise");
}

/* Whether who has `granted` has all of `scopes`. */
static bool has_all(uint32_t granted, uint32_t scopes)
{
	return (granted & SCOPE_ADMIN) != 0 || (scopes & ~granted) == 0;
}

/* ---- Roles ---- */

static const struct store_role *find_role(const struct store_role *roles, size_t count,
                                          struct text name)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(roles[i].name, name))
			return &roles[i];
	return NULL;
}

/* The next name of a list with blanks between; false behind the last. */
static bool next_name(struct text *rest, struct text *ret_name)
{
	while (rest->length > 0 && rest->data[0] == ' ') {
		rest->data++;
		rest->length--;
	}
	if (rest->length == 0)
		return false;
	const char *blank = memchr(rest->data, ' ', rest->length);
	*ret_name =
		(struct text){rest->data, blank == NULL ? rest->length : (size_t)(blank - rest->data)};
	rest->data += ret_name->length;
	rest->length -= ret_name->length;
	return true;
}

/* `*ret_unknown` (may be NULL): the first that there is not, data NULL when there are all. */
static uint32_t scopes_of(struct text roles, const struct store_role *own, size_t own_count,
                          struct text *ret_unknown)
{
	uint32_t    scopes = 0;
	struct text name;
	while (next_name(&roles, &name)) {
		const struct role       *built_in = role_built_in(name);
		const struct store_role *found    = find_role(own, own_count, name);
		if (built_in != NULL)
			scopes |= built_in->scopes;
		else if (found != NULL)
			scopes |= scope_set_read(found->scopes);
		else if (ret_unknown != NULL && ret_unknown->data == NULL)
			*ret_unknown = name;
	}
	return scopes;
}

enum status people_scopes(struct access *access, struct text roles, struct arena *arena,
                          uint32_t *ret_scopes, struct error *err)
{
	struct store      *store  = access->config.store;
	struct store_role *own    = NULL;
	size_t             count  = 0;
	struct text        other  = {0};
	uint32_t           scopes = scopes_of(roles, NULL, 0, &other);
	if (other.data != NULL) {
		enum status status = store->ops->role_list(store, arena, &own, &count, err);
		if (status != STATUS_OK)
			return status;
		scopes = scopes_of(roles, own, count, NULL);
	}
	*ret_scopes = scopes;
	return STATUS_OK;
}

static size_t count_names(struct text roles)
{
	size_t      count = 0;
	struct text name;
	while (next_name(&roles, &name))
		count++;
	return count;
}

enum status people_check_roles(struct access *access, struct text roles, uint32_t granted,
                               struct arena *arena, struct error *err)
{
	struct store      *store = access->config.store;
	struct store_role *own;
	size_t             count, names = count_names(roles);
	struct text        unknown = {0};
	enum status        status  = store->ops->role_list(store, arena, &own, &count, err);
	if (status != STATUS_OK)
		return status;
	uint32_t scopes = scopes_of(roles, own, count, &unknown);
	if (names == 0 || names > ROLES_OF_PERSON_MAX)
		return error_set_field(err, STATUS_INVALID, "roles", "It must name 1 to %d roles",
		                       ROLES_OF_PERSON_MAX);
	if (unknown.data != NULL)
		return error_set_field(err, STATUS_INVALID, "roles", "There is no role \"%.*s\"",
		                       TEXT_FORMAT(unknown));
	if (!has_all(granted, scopes))
		return error_set_field(err, STATUS_FORBIDDEN, "roles",
		                       "Nobody gives a role that has permissions which he lacks");
	return STATUS_OK;
}

enum status people_put_role(struct access *access, struct store_role *role, uint32_t granted,
                            int64_t now_ms, struct arena *arena, struct error *err)
{
	struct store      *store = access->config.store;
	struct store_role *own;
	size_t             count;
	if (role_built_in(role->name) != NULL)
		return error_set(err, STATUS_CONFLICT, "The role is built in");
	if (!role_name_is_free(role->name))
		return error_set_field(err, STATUS_INVALID, "name",
		                       "It must be 1 to %d of a-z, 0-9 and -, and begin with a letter",
		                       ROLE_NAME_BYTES_MAX);
	enum status status = store->ops->role_list(store, arena, &own, &count, err);
	if (status != STATUS_OK)
		return status;
	const struct store_role *before = find_role(own, count, role->name);
	if (before == NULL && count >= ROLES_CUSTOM_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d roles already", ROLES_CUSTOM_MAX);
	if (!has_all(granted, scope_set_read(role->scopes)) ||
	    (before != NULL && !has_all(granted, scope_set_read(before->scopes))))
		return error_set_field(err, STATUS_FORBIDDEN, "permissions",
		                       "Nobody gives a permission that he lacks");
	role->updated_ms = now_ms;
	return store->ops->role_put(store, role, err);
}

enum status people_delete_role(struct access *access, struct text name, uint32_t granted,
                               struct arena *arena, struct error *err)
{
	struct store        *store = access->config.store;
	struct store_person *persons;
	size_t               count;
	uint32_t             scopes;
	if (role_built_in(name) != NULL)
		return error_set(err, STATUS_CONFLICT, "The role is built in");
	enum status status = store->ops->person_list(store, arena, &persons, &count, err);
	if (status == STATUS_OK)
		status = people_scopes(access, name, arena, &scopes, err);
	if (status != STATUS_OK)
		return status;
	if (!has_all(granted, scopes))
		return error_set(err, STATUS_FORBIDDEN, "The role has permissions which you lack");
	for (size_t i = 0; i < count; i++) {
		struct text roles = persons[i].roles, each;
		while (next_name(&roles, &each))
			if (text_equal(each, name))
				return error_set(err, STATUS_CONFLICT, "Somebody has the role");
	}
	return store->ops->role_delete(store, name, err);
}

/* ---- Accounts ---- */

static struct text text_of_json(struct json value, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_add_value(&w, value);
	struct text text = arena_text(arena, buffer_text(&out));
	buffer_done(&out);
	return text;
}

/* What lies sealed in the row. */
static enum status unseal(struct access *access, struct arena *arena, struct account *account,
                          struct error *err)
{
	struct text plain;
	struct json root;
	enum status status = access_unseal(access, arena, account->row.profile, &plain, err);
	if (status != STATUS_OK)
		return status;
	struct json_parser *parser = json_parser_new();
	status                     = json_parse_text(parser, plain, &root, err);
	if (status == STATUS_OK) {
		account->email    = access_string(root, "email", arena);
		account->name     = access_string(root, "name", arena);
		account->settings = text_of_json(json_get(root, "settings"), arena);
	} else {
		status = error_set(err, STATUS_CORRUPT, "A person's row in the store is damaged");
	}
	json_parser_free(parser);
	return status;
}

enum status people_fill(struct access *access, struct arena *arena, struct account *account,
                        struct error *err)
{
	enum status status = unseal(access, arena, account, err);
	if (status == STATUS_OK)
		status = people_scopes(access, account->row.roles, arena, &account->scopes, err);
	return status;
}

struct text people_seal(const struct access *access, struct arena *arena,
                        const struct account *account)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "email", account->email);
	json_member_string(&w, "name", account->name);
	json_add_key(&w, TEXT("settings"));
	json_add_raw(&w, account->settings);
	json_end_object(&w);
	struct text sealed = access_seal(access, arena, buffer_text(&out));
	sodium_memzero(out.data, out.length);
	buffer_done(&out);
	return sealed;
}

enum status people_list(struct access *access, struct arena *arena, struct account **ret_accounts,
                        size_t *ret_count, struct error *err)
{
	struct store        *store = access->config.store;
	struct store_person *rows;
	struct store_role   *own; /* read once, not for each */
	size_t               count, own_count;
	enum status          status = store->ops->person_list(store, arena, &rows, &count, err);
	if (status == STATUS_OK)
		status = store->ops->role_list(store, arena, &own, &own_count, err);
	if (status != STATUS_OK)
		return status;
	struct account *accounts = ARENA_ARRAY(arena, struct account, count + 1);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		accounts[i].row    = rows[i];
		accounts[i].scopes = scopes_of(rows[i].roles, own, own_count, NULL);
		status             = unseal(access, arena, &accounts[i], err);
	}
	if (status != STATUS_OK)
		return status;
	*ret_accounts = accounts;
	*ret_count    = count;
	return STATUS_OK;
}

enum status people_get(struct access *access, struct text id, struct arena *arena,
                       struct account *ret_account, struct error *err)
{
	struct store  *store   = access->config.store;
	struct account account = {0};
	enum status    status  = store->ops->person_get(store, id, arena, &account.row, err);
	if (status == STATUS_OK)
		status = people_fill(access, arena, &account, err);
	if (status == STATUS_OK)
		*ret_account = account;
	return status;
}

enum status people_find(struct access *access, struct text email, struct arena *arena,
                        struct account *ret_account, struct error *err)
{
	struct store  *store   = access->config.store;
	struct account account = {0};
	uint8_t        hash[STORE_TOKEN_HASH_BYTES];
	access_email_hash(access, email, hash);
	enum status status = store->ops->person_by_email(store, hash, arena, &account.row, err);
	if (status == STATUS_OK)
		status = people_fill(access, arena, &account, err);
	if (status == STATUS_OK)
		*ret_account = account;
	return status;
}

enum status people_scopes_now(struct access *access, struct text id, uint32_t *ret_scopes,
                              struct error *err)
{
	struct store       *store = access->config.store;
	struct store_person row;
	struct arena        arena;
	arena_init(&arena);
	enum status status = store->ops->person_get(store, id, &arena, &row, err);
	if (status == STATUS_OK && !row.active)
		status = error_set(err, STATUS_NOT_FOUND, "The person was switched off");
	if (status == STATUS_OK && linked_is(access, &row))
		status = linked_check_person(access, row.id, err);
	if (status == STATUS_OK)
		status = people_scopes(access, row.roles, &arena, ret_scopes, err);
	if (status == STATUS_OK && people_owes_factor(access, &row))
		*ret_scopes = 0;
	arena_done(&arena);
	return status;
}

bool people_owes_factor(const struct access *access, const struct store_person *person)
{
	return access->second_factor_required && !person->totp && person->password.length > 0;
}

static enum status hash_wish(const struct person_wish *wish, char ret_hash[PASSWORD_HASH_BYTES],
                             struct error *err)
{
	ret_hash[0] = '\0';
	if (wish->password.data == NULL)
		return STATUS_OK;
	enum status status = password_check(wish->password, wish->email, wish->name, err);
	return status == STATUS_OK ? password_hash(wish->password, ret_hash, err) : status;
}

/* How somebody new comes. */
struct way {
	const char    *invitation_id; /* NULL: without one */
	const uint8_t *link;          /* NULL: none */
	bool           email_verified;
};

/* The row of somebody new; without a password where the wish has none. */
static enum status make(struct access *access, const struct person_wish *wish,
                        const struct way *way, int64_t now_ms, struct arena *arena,
                        struct account *ret_account, struct error *err)
{
	struct store  *store   = access->config.store;
	char          *hash    = arena_alloc(arena, PASSWORD_HASH_BYTES);
	struct account account = {.email    = arena_text(arena, wish->email),
	                          .name     = arena_text(arena, wish->name),
	                          .settings = TEXT("{}")};
	enum status    status;
	if ((status = check_name(wish->name, err)) != STATUS_OK ||
	    (status = hash_wish(wish, hash, err)) != STATUS_OK ||
	    (status = people_scopes(access, wish->roles, arena, &account.scopes, err)) != STATUS_OK)
		return status;
	account.row = (struct store_person){.profile        = people_seal(access, arena, &account),
	                                    .password       = text_of(hash),
	                                    .roles          = arena_text(arena, wish->roles),
	                                    .tier           = arena_text(arena, wish->tier),
	                                    .active         = true,
	                                    .email_verified = way->email_verified,
	                                    .version        = 1,
	                                    .created_ms     = now_ms,
	                                    .updated_ms     = now_ms};
	uuid_new(account.row.id);
	access_email_hash(access, wish->email, account.row.email_hash);
	status = store->ops->person_add(store, &account.row, way->invitation_id, way->link, err);
	if (status == STATUS_CONFLICT)
		return error_set_field(err, status, "email", "Somebody has this address already");
	if (status == STATUS_OK)
		*ret_account = account;
	return status;
}

static enum status check_room(struct access *access, struct arena *arena, struct error *err)
{
	struct store            *store = access->config.store;
	struct store_person     *persons;
	struct store_invitation *invitations;
	size_t                   count, invited;
	enum status              status;
	if ((status = store->ops->person_list(store, arena, &persons, &count, err)) != STATUS_OK ||
	    (status = store->ops->invitation_list(store, arena, &invitations, &invited, err)) !=
	        STATUS_OK)
		return status;
	if (count + invited >= PEOPLE_MAX)
		return error_set(err, STATUS_CONFLICT, "There are %d people and invitations already",
		                 PEOPLE_MAX);
	return STATUS_OK;
}

enum status people_add(struct access *access, const struct person_wish *wish, uint32_t granted,
                       int64_t now_ms, struct arena *arena, struct account *ret_account,
                       struct error *err)
{
	enum status status;
	if ((status = check_email(wish->email, err)) != STATUS_OK ||
	    (status = check_tier(wish->tier, err)) != STATUS_OK ||
	    (status = people_check_roles(access, wish->roles, granted, arena, err)) != STATUS_OK ||
	    (status = check_room(access, arena, err)) != STATUS_OK)
		return status;
	return make(access, wish, &(struct way){0}, now_ms, arena, ret_account, err);
}

enum status people_make_federated(struct access *access, const struct person_wish *wish,
                                  const struct person_link *link, int64_t now_ms,
                                  struct arena *arena, struct account *ret_account,
                                  struct error *err)
{
	enum status status;
	if ((status = check_email(wish->email, err)) != STATUS_OK ||
	    (status = check_room(access, arena, err)) != STATUS_OK)
		return status;
	const struct way way = {.link = link->hash, .email_verified = link->email_verified};
	return make(access, wish, &way, now_ms, arena, ret_account, err);
}

static enum status check_change(struct access *access, const struct account *account,
                                const struct person_change *change, uint32_t granted,
                                struct arena *arena, struct error *err)
{
	enum status status = STATUS_OK;
	if (!has_all(granted, account->scopes))
		return error_set(err, STATUS_FORBIDDEN, "The person has permissions which you lack");
	if (change->name.data != NULL)
		status = check_name(change->name, err);
	if (status == STATUS_OK && change->tier.data != NULL)
		status = check_tier(change->tier, err);
	if (status == STATUS_OK && change->roles.data != NULL)
		status = people_check_roles(access, change->roles, granted, arena, err);
	if (status == STATUS_OK && change->settings.length > PERSON_SETTINGS_BYTES)
		status = error_set(err, STATUS_TOO_LARGE, "Settings take %d bytes at most",
		                   PERSON_SETTINGS_BYTES);
	return status;
}

/* `only_session`: see person_change(). Where somebody was faster, who asks again sees what he
 * did. */
static enum status change_row(struct access *access, struct store_person *row,
                              struct text only_session, struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = store->ops->person_change(store, row, only_session, err);
	if (status == STATUS_PRECONDITION)
		return error_set(err, STATUS_CONFLICT, "The person was changed meanwhile");
	return status;
}

enum status people_change(struct access *access, struct text id, const struct person_change *change,
                          uint32_t granted, int64_t now_ms, struct arena *arena,
                          struct account *ret_account, struct error *err)
{
	struct account account;
	enum status    status = people_get(access, id, arena, &account, err);
	if (status == STATUS_OK)
		status = check_change(access, &account, change, granted, arena, err);
	if (status != STATUS_OK)
		return status;
	if (change->name.data != NULL)
		account.name = change->name;
	if (change->settings.data != NULL)
		account.settings = change->settings;
	if (change->roles.data != NULL)
		account.row.roles = change->roles;
	if (change->tier.data != NULL)
		account.row.tier = change->tier;
	if (change->active != NULL)
		account.row.active = *change->active;
	account.row.email_verified |= change->email_verified;
	account.row.profile    = people_seal(access, arena, &account);
	account.row.updated_ms = now_ms;
	struct text only       = account.row.active ? (struct text){0} : TEXT("");
	if ((status = people_scopes(access, account.row.roles, arena, &account.scopes, err)) !=
	        STATUS_OK ||
	    (status = change_row(access, &account.row, only, err)) != STATUS_OK)
		return status;
	*ret_account = account;
	return STATUS_OK;
}

/* Whether `current` is his password. Who got hold of a session guesses as slowly as who logs in,
 * and keeps nobody else from it. */
static enum status check_current(struct access *access, const struct account *account,
                                 const struct password_change *change, int64_t monotonic_ms,
                                 struct arena *arena, int64_t *ret_wait_ms, struct error *err)
{
	struct attempt attempt =
		attempt_of(access->attempts, TEXT(""), change->person_id, change->session_id);
	enum status status = attempts_admit(access->attempts, &attempt, monotonic_ms, ret_wait_ms, err);
	if (status != STATUS_OK)
		return status;
	atomic_fetch_add(&access->passwords, 1);
	const char *kept =
		account->row.password.length > 0 ? arena_text(arena, account->row.password).data : NULL;
	if (!password_matches(kept, change->current)) {
		attempts_failed(access->attempts, &attempt, monotonic_ms);
		return error_set_field(err, STATUS_UNAUTHORIZED, "current_password", "It is wrong");
	}
	attempts_succeeded(access->attempts, &attempt);
	return STATUS_OK;
}

enum status people_set_password(struct access *access, const struct password_change *change,
                                int64_t now_ms, int64_t monotonic_ms, struct arena *arena,
                                int64_t *ret_wait_ms, struct error *err)
{
	struct account account;
	char           hash[PASSWORD_HASH_BYTES];
	enum status    status;
	*ret_wait_ms = 0;
	if ((status = people_get(access, change->person_id, arena, &account, err)) != STATUS_OK ||
	    (status = check_current(access, &account, change, monotonic_ms, arena, ret_wait_ms, err)) !=
	        STATUS_OK ||
	    (status = password_check(change->password, account.email, account.name, err)) !=
	        STATUS_OK ||
	    (status = password_hash(change->password, hash, err)) != STATUS_OK)
		return status;
	account.row.password   = text_of(hash);
	account.row.updated_ms = now_ms;
	return change_row(access, &account.row, change->session_id, err);
}

enum status people_check_touchable(struct access *access, struct text id, uint32_t granted,
                                   struct error *err)
{
	struct account account;
	struct arena   arena;
	arena_init(&arena);
	enum status status = people_get(access, id, &arena, &account, err);
	if (status == STATUS_OK && !has_all(granted, account.scopes))
		status = error_set(err, STATUS_FORBIDDEN, "The person has permissions which you lack");
	arena_done(&arena);
	return status;
}

enum status people_delete(struct access *access, struct text id, uint32_t granted,
                          struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = people_check_touchable(access, id, granted, err);
	return status == STATUS_OK ? store->ops->person_delete(store, id, err) : status;
}

enum status people_end_sessions(struct access *access, struct text id, uint32_t granted,
                                struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = people_check_touchable(access, id, granted, err);
	return status == STATUS_OK ? store->ops->session_delete_of(store, id, TEXT(""), err) : status;
}

/* ---- Invitations ---- */

static void invitation_text(char ret_text[INVITATION_TEXT_BYTES])
{
	uint8_t bytes[32];
	random_bytes(bytes, sizeof bytes);
	memcpy(ret_text, "sni_", 4);
	sodium_bin2base64(ret_text + 4, INVITATION_TEXT_BYTES - 4, bytes, sizeof bytes,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum status people_invite(struct access *access, const struct person_wish *wish, uint32_t granted,
                          int64_t now_ms, struct arena *arena, struct invitation *ret_invitation,
                          char ret_text[INVITATION_TEXT_BYTES], struct error *err)
{
	struct store     *store      = access->config.store;
	struct invitation invitation = {.email = wish->email};
	enum status       status;
	if ((status = check_email(wish->email, err)) != STATUS_OK ||
	    (status = check_tier(wish->tier, err)) != STATUS_OK ||
	    (status = people_check_roles(access, wish->roles, granted, arena, err)) != STATUS_OK ||
	    (status = check_room(access, arena, err)) != STATUS_OK)
		return status;
	invitation.row =
		(struct store_invitation){.email      = access_seal(access, arena, wish->email),
	                              .roles      = wish->roles,
	                              .tier       = wish->tier,
	                              .trusted    = (granted & SCOPE_ADMIN) != 0,
	                              .created_ms = now_ms,
	                              .expires_ms = now_ms + access->config.settings->invitation_ms};
	uuid_new(invitation.row.id);
	invitation_text(ret_text);
	hash_sha256(ret_text, strlen(ret_text), invitation.row.hash);
	status = store->ops->invitation_add(store, &invitation.row, err);
	if (status == STATUS_OK)
		*ret_invitation = invitation;
	return status;
}

enum status people_invite_first(struct access *access, int64_t now_ms,
                                char ret_text[INVITATION_TEXT_BYTES], struct error *err)
{
	struct store           *store = access->config.store;
	struct store_person    *persons;
	struct store_invitation row = {.email      = TEXT(""),
	                               .roles      = TEXT("admin"),
	                               .tier       = TEXT("free"),
	                               .created_ms = now_ms,
	                               .expires_ms = INSTANT_MS_NEVER};
	struct arena            arena;
	size_t                  count;
	arena_init(&arena);
	enum status status = store->ops->person_list(store, &arena, &persons, &count, err);
	arena_done(&arena);
	if (status != STATUS_OK)
		return status;
	if (count > 0)
		return error_set(err, STATUS_CONFLICT, "There is a person already");
	uuid_new(row.id);
	invitation_text(ret_text);
	hash_sha256(ret_text, strlen(ret_text), row.hash);
	return store->ops->invitation_add(store, &row, err);
}

static enum status invited_email(const struct access *access, struct arena *arena,
                                 const struct store_invitation *row, struct text *ret_email,
                                 struct error *err)
{
	*ret_email = TEXT("");
	return row->email.length == 0 ? STATUS_OK
	                              : access_unseal(access, arena, row->email, ret_email, err);
}

enum status people_invitations(struct access *access, struct arena *arena,
                               struct invitation **ret_invitations, size_t *ret_count,
                               struct error *err)
{
	struct store            *store = access->config.store;
	struct store_invitation *rows;
	size_t                   count;
	enum status              status = store->ops->invitation_list(store, arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	struct invitation *invitations = ARENA_ARRAY(arena, struct invitation, count + 1);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		invitations[i].row = rows[i];
		status             = invited_email(access, arena, &rows[i], &invitations[i].email, err);
	}
	if (status != STATUS_OK)
		return status;
	*ret_invitations = invitations;
	*ret_count       = count;
	return STATUS_OK;
}

/* Of who comes first his own word, else what the invitation says. */
static enum status email_of_new(const struct access *access, struct arena *arena,
                                const struct store_invitation *row, struct text *email,
                                struct error *err)
{
	if (row->email.length == 0)
		return check_email(*email, err);
	if (email->data != NULL)
		return error_set_field(err, STATUS_INVALID, "email", "The invitation has it");
	return invited_email(access, arena, row, email, err);
}

enum status people_register(struct access *access, struct text invitation,
                            const struct person_wish *wish, int64_t now_ms, struct arena *arena,
                            struct account *ret_account, struct error *err)
{
	struct store           *store = access->config.store;
	struct store_invitation row   = {0};
	struct person_wish      whole = *wish;
	uint8_t                 hash[SHA256_BYTES];
	hash_sha256(invitation.data, invitation.length, hash);
	enum status status = store->ops->invitation_by_hash(store, hash, arena, &row, err);
	if (status == STATUS_OK && row.expires_ms > now_ms)
		status = email_of_new(access, arena, &row, &whole.email, err);
	else if (status == STATUS_OK)
		status = STATUS_NOT_FOUND;
	if (status == STATUS_OK) {
		whole.roles          = row.roles;
		whole.tier           = row.tier;
		const struct way way = {.invitation_id = row.id, .email_verified = row.trusted};
		status               = make(access, &whole, &way, now_ms, arena, ret_account, err);
	}
	if (status == STATUS_NOT_FOUND)
		return error_set_field(err, STATUS_UNAUTHORIZED, "invitation",
		                       "It is not known, was used, or is over");
	return status;
}
