#include "access/reset.h"

#include "access/access_internal.h"
#include "access/password.h"
#include "base/instant.h"

static const char prefix[] = "snp_";

static uint64_t number_of(int64_t now_ms, const struct account *account)
{
	return (uint64_t)(now_ms / MINUTE_MS) << 32 | account->row.version;
}

enum status reset_begin(struct access *access, struct text email, int64_t now_ms,
                        struct arena *arena, struct account *ret_account,
                        char ret_token[CODE_TEXT_BYTES], struct error *err)
{
	struct account account;
	enum status    status = people_find(access, email, arena, &account, err);
	if (status == STATUS_OK && (!account.row.active || account.row.password.length == 0))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such person");
	if (status != STATUS_OK)
		return status;
	struct code code = {.number = number_of(now_ms, &account)};
	memcpy(code.id, account.row.id, sizeof code.id);
	code_write(access_secret(access), prefix, &code, ret_token);
	*ret_account = account;
	return STATUS_OK;
}

static enum status refused(struct error *err)
{
	return error_set_field(err, STATUS_UNAUTHORIZED, "reset_token",
	                       "It is not known, was used, or is over");
}

static bool is_good(const struct code *code, const struct account *account, int64_t now_ms)
{
	int64_t made = (int64_t)(code->number >> 32), now = now_ms / MINUTE_MS;
	return account->row.active && (uint32_t)code->number == account->row.version && made <= now &&
	       now - made < RESET_MINUTES;
}

enum status reset_finish(struct access *access, struct text token, struct text password,
                         int64_t now_ms, struct arena *arena, struct account *ret_account,
                         struct error *err)
{
	struct store  *store = access->config.store;
	struct account account;
	struct code    code;
	struct error   why;
	char           hash[PASSWORD_HASH_BYTES];
	if (!code_read(access_secret(access), prefix, token, &code))
		return refused(err);
	enum status status = people_get(access, text_of(code.id), arena, &account, &why);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !is_good(&code, &account, now_ms)))
		return refused(err);
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	if ((status = password_check(password, account.email, account.name, err)) != STATUS_OK ||
	    (status = password_hash(password, hash, err)) != STATUS_OK)
		return status;
	account.row.password       = arena_text(arena, text_of(hash));
	account.row.email_verified = true; /* he has read what was mailed there */
	account.row.updated_ms     = now_ms;
	status                     = store->ops->person_change(store, &account.row, TEXT(""), err);
	if (status == STATUS_PRECONDITION) /* somebody was faster with the same one */
		return refused(err);
	if (status == STATUS_OK)
		*ret_account = account;
	return status;
}
