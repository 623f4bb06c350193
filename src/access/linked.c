#include "access/linked.h"

#include <string.h>

#include "access/access_internal.h"
#include "access/code.h"
#include "access/scope.h"

/* In place of that of an address: nobody's leads to it, nor is it in the way of one. */
static void hash_of(struct access *access, const char *id, uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	code_hash(access_secret(access), "linked", text_of(id), ret_hash);
}

bool linked_is(struct access *access, const struct store_person *row)
{
	uint8_t hash[STORE_TOKEN_HASH_BYTES];
	hash_of(access, row->id, hash);
	return memcmp(hash, row->email_hash, sizeof hash) == 0;
}

enum status linked_put(struct access *access, const struct account *home, struct text roles,
                       int64_t now_ms, struct arena *arena, struct error *err)
{
	struct store       *store   = access->config.store;
	struct account      account = *home;
	struct store_person before;
	struct error        why;
	enum status         status = people_check_roles(access, roles, SCOPE_ADMIN, arena, err);
	if (status != STATUS_OK)
		return status;
	account.settings       = TEXT("{}");
	account.row.password   = TEXT("");
	account.row.totp       = false;
	account.row.roles      = roles;
	account.row.active     = true;
	account.row.created_ms = account.row.updated_ms = now_ms;
	account.row.profile                             = people_seal(access, arena, &account);
	hash_of(access, account.row.id, account.row.email_hash);
	status = store->ops->person_get(store, text_of(account.row.id), arena, &before, &why);
	if (status == STATUS_NOT_FOUND)
		return store->ops->person_add(store, &account.row, NULL, NULL, err);
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	account.row.version = before.version;
	return store->ops->person_change(store, &account.row, (struct text){0}, err);
}

static bool is_among(const char *id, const struct text *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(text_of(id), ids[i]))
			return true;
	return false;
}

enum status linked_keep(struct access *access, const struct text *ids, size_t count,
                        bool *ret_removed, struct error *err)
{
	struct store        *store = access->config.store;
	struct store_person *rows;
	struct arena         arena;
	size_t               row_count = 0;
	*ret_removed                   = false;
	arena_init(&arena);
	enum status status = store->ops->person_list(store, &arena, &rows, &row_count, err);
	for (size_t i = 0; i < row_count && status == STATUS_OK; i++) {
		if (!linked_is(access, &rows[i]) || is_among(rows[i].id, ids, count))
			continue;
		status       = store->ops->person_delete(store, text_of(rows[i].id), err);
		*ret_removed = true;
	}
	arena_done(&arena);
	return status;
}

enum status linked_check(struct access *access, const char *session_id, int64_t now_ms,
                         struct error *err)
{
	const struct access_host *host = access->config.host;
	if (host == NULL)
		return error_set(err, STATUS_NOT_FOUND, "The session is over");
	return host->check(host->context, session_id, now_ms, err);
}

enum status linked_check_person(struct access *access, const char *person_id, struct error *err)
{
	const struct access_host *host = access->config.host;
	if (host == NULL)
		return error_set(err, STATUS_NOT_FOUND, "The person comes from elsewhere");
	return host->check_person(host->context, person_id, err);
}
