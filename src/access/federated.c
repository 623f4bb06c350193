#include "access/federated.h"

#include <string.h>

#include "access/access_internal.h"
#include "access/code.h"
#include "access/scope.h"

static void link_hash(const struct access *access, const struct federated_wish *wish,
                      uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	struct buffer text = {0};
	buffer_add_sized(&text, wish->issuer);
	buffer_add_sized(&text, wish->subject);
	code_hash(access_secret(access), "link", buffer_text(&text), ret_hash);
	buffer_done(&text);
}

/* Whether the provider says that the address of `account` is his. */
static bool verifies(const struct access *access, const struct federated_wish *wish,
                     const struct account *account)
{
	uint8_t hash[STORE_TOKEN_HASH_BYTES];
	if (!wish->email_verified || wish->email.length == 0)
		return false;
	access_email_hash(access, wish->email, hash);
	return memcmp(hash, account->row.email_hash, sizeof hash) == 0;
}

static enum status refresh(struct access *access, const struct federated_wish *wish, int64_t now_ms,
                           struct arena *arena, struct account *account, bool *ret_changed,
                           struct error *err)
{
	const struct person_change change = {.roles          = wish->roles,
	                                     .email_verified = verifies(access, wish, account)};
	if (!account->row.active)
		return error_set(err, STATUS_FORBIDDEN, "The person was switched off");
	bool same = text_equal(account->row.roles, wish->roles);
	if (same && change.email_verified <= account->row.email_verified)
		return STATUS_OK;
	*ret_changed = !same;
	return people_change(access, text_of(account->row.id), &change, SCOPE_ADMIN, now_ms, arena,
	                     account, err);
}

static enum status make(struct access *access, const struct federated_wish *wish,
                        const uint8_t hash[STORE_TOKEN_HASH_BYTES], int64_t now_ms,
                        struct arena *arena, struct account *ret_account, struct error *err)
{
	const struct person_wish person = {
		.email = wish->email,
		.name  = wish->name.length > 0 && wish->name.length <= PERSON_NAME_BYTES ? wish->name
	                                                                             : wish->email,
		.roles = wish->roles,
		.tier  = TEXT("free")};
	if (wish->email_denied)
		return error_set(err, STATUS_FORBIDDEN,
		                 "The provider says that the e-mail address is not verified");
	const struct person_link link = {.hash = hash, .email_verified = wish->email_verified};
	return people_make_federated(access, &person, &link, now_ms, arena, ret_account, err);
}

/* Nobody is known to be him. */
static enum status meet(struct access *access, const struct federated_wish *wish,
                        const uint8_t hash[STORE_TOKEN_HASH_BYTES], int64_t now_ms,
                        struct arena *arena, struct account *ret_account, bool *ret_changed,
                        struct error *err)
{
	struct store *store = access->config.store;
	struct error  why;
	if (wish->email.length == 0)
		return error_set(err, STATUS_FORBIDDEN, "The provider tells no e-mail address");
	enum status status = people_find(access, wish->email, arena, ret_account, &why);
	if (status == STATUS_NOT_FOUND)
		return make(access, wish, hash, now_ms, arena, ret_account, err);
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	if (!wish->by_email || !wish->email_verified)
		return error_set_field(err, STATUS_CONFLICT, "email", "Somebody has this address already");
	if (!ret_account->row.email_verified)
		return error_set_field(err, STATUS_CONFLICT, "email",
		                       "Somebody has this address already, and it was never verified");
	status = store->ops->person_link(store, hash, text_of(ret_account->row.id), err);
	return status == STATUS_OK ? refresh(access, wish, now_ms, arena, ret_account, ret_changed, err)
	                           : status;
}

enum status federated_person(struct access *access, const struct federated_wish *wish,
                             int64_t now_ms, struct arena *arena, struct account *ret_account,
                             bool *ret_changed, struct error *err)
{
	struct store  *store   = access->config.store;
	struct account account = {0};
	uint8_t        hash[STORE_TOKEN_HASH_BYTES];
	struct error   why;
	*ret_changed = false;
	if (people_check_roles(access, wish->roles, SCOPE_ADMIN, arena, &why) == STATUS_INVALID)
		return error_set(err, STATUS_FORBIDDEN, "The roles of the provider's groups: %s",
		                 why.reason);
	link_hash(access, wish, hash);
	enum status status = store->ops->person_by_link(store, hash, arena, &account.row, &why);
	if (status == STATUS_OK)
		status = people_fill(access, arena, &account, &why);
	if (status == STATUS_NOT_FOUND) {
		status = meet(access, wish, hash, now_ms, arena, &account, ret_changed, err);
	} else if (status != STATUS_OK) {
		*err = why;
	} else {
		status = refresh(access, wish, now_ms, arena, &account, ret_changed, err);
	}
	if (status == STATUS_OK)
		*ret_account = account;
	return status;
}
