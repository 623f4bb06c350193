#include "access/second_factor.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "access/access_internal.h"
#include "access/code.h"
#include "access/password.h"
#include "base/hash.h"

static enum status wrong_code(struct error *err)
{
	return error_set_field(err, STATUS_UNAUTHORIZED, "code", "It is wrong, or was used before");
}

/* ---- Recovery codes ---- */

/* Letters in any case, with or without what is between them. */
static void recovery_hash(const struct access *access, const char *person_id, struct text code,
                          uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	char   text[UUID_TEXT_BYTES + FACTOR_CODE_BYTES_MAX];
	size_t length = 0;
	for (const char *at = person_id; *at != '\0'; at++)
		text[length++] = *at;
	for (size_t i = 0; i < code.length && length < sizeof text; i++) {
		char c = code.data[i];
		if (c != '-' && c != ' ')
			text[length++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	code_hash(access_secret(access), "recovery", (struct text){text, length}, ret_hash);
	sodium_memzero(text, sizeof text);
}

static void recovery_code(char ret_text[RECOVERY_TEXT_BYTES])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t           bytes[RECOVERY_TEXT_BYTES - 1];
	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		ret_text[i] = i % 5 == 4 ? '-' : alphabet[bytes[i] & 31];
	ret_text[sizeof bytes] = '\0';
}

/* ---- Codes ---- */

static enum status unseal(struct access *access, const struct store_factor *factor,
                          uint8_t ret_secret[TOTP_SECRET_BYTES], struct error *err)
{
	struct arena arena;
	struct text  plain;
	arena_init(&arena);
	enum status status = access_unseal(access, &arena, factor->secret, &plain, err);
	if (status == STATUS_OK && plain.length != TOTP_SECRET_BYTES)
		status = error_set(err, STATUS_CORRUPT, "A second factor in the store is damaged");
	if (status == STATUS_OK) {
		memcpy(ret_secret, plain.data, TOTP_SECRET_BYTES);
		sodium_memzero((char *)plain.data, plain.length); /* the arena's, ours alone */
	}
	arena_done(&arena);
	return status;
}

static enum status find_step(struct access *access, const struct store_factor *factor,
                             struct text code, int64_t now_ms, int64_t *ret_step, struct error *err)
{
	uint8_t     secret[TOTP_SECRET_BYTES];
	enum status status = unseal(access, factor, secret, err);
	if (status == STATUS_OK && !totp_find(secret, code, now_ms, factor->last_step, ret_step))
		status = wrong_code(err);
	sodium_memzero(secret, sizeof secret);
	return status;
}

enum status second_factor_use(struct access *access, const struct store_factor *factor,
                              struct text code, int64_t now_ms, struct error *err)
{
	struct store *store = access->config.store;
	struct text   id    = text_of(factor->person_id);
	uint8_t       hash[STORE_TOKEN_HASH_BYTES];
	struct error  why;
	int64_t       step;
	enum status   status;
	if (code.length == TOTP_DIGITS) {
		status = find_step(access, factor, code, now_ms, &step, err);
		if (status != STATUS_OK)
			return status;
		status = store->ops->factor_use_step(store, id, step, &why);
	} else {
		recovery_hash(access, factor->person_id, code, hash);
		status = store->ops->factor_use_recovery(store, id, hash, &why);
	}
	if (status == STATUS_PRECONDITION)
		return wrong_code(err);
	if (status != STATUS_OK)
		*err = why;
	return status;
}

/* ---- Who asks for what is his own ---- */

struct asking {
	struct account      account;
	struct store_factor factor; /* person_id empty: there is none */
	struct attempt      attempt;
	struct arena        arena;
};

static enum status read_factor(struct access *access, struct asking *asking, struct error *err)
{
	struct store *store = access->config.store;
	struct error  why;
	enum status   status = store->ops->factor_get(store, text_of(asking->account.row.id),
	                                              &asking->arena, &asking->factor, &why);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
		*err = why;
		return status;
	}
	return STATUS_OK;
}

/* Who he is, his factor, and whether he may guess by now. */
static enum status ask(struct access *access, const struct factor_wish *wish, int64_t monotonic_ms,
                       struct asking *asking, int64_t *ret_wait_ms, struct error *err)
{
	*asking      = (struct asking){0};
	*ret_wait_ms = 0;
	arena_init(&asking->arena);
	asking->attempt    = attempt_of(access->attempts, TEXT(""), wish->person_id, wish->session_id);
	enum status status = people_get(access, wish->person_id, &asking->arena, &asking->account, err);
	if (status == STATUS_OK)
		status = read_factor(access, asking, err);
	if (status == STATUS_OK)
		status = attempts_admit(access->attempts, &asking->attempt, monotonic_ms, ret_wait_ms, err);
	return status;
}

/* Ends what ask() began; a wrong password or code counts. */
static enum status tell(struct access *access, struct asking *asking, int64_t monotonic_ms,
                        enum status status)
{
	if (status == STATUS_UNAUTHORIZED)
		attempts_failed(access->attempts, &asking->attempt, monotonic_ms);
	else if (status == STATUS_OK)
		attempts_succeeded(access->attempts, &asking->attempt);
	arena_done(&asking->arena);
	return status;
}

static enum status check_password(struct access *access, struct asking *asking,
                                  struct text password, struct error *err)
{
	struct text kept = asking->account.row.password;
	if (kept.length == 0)
		return STATUS_OK;
	atomic_fetch_add(&access->passwords, 1);
	if (password.data == NULL || !password_matches(arena_text(&asking->arena, kept).data, password))
		return error_set_field(err, STATUS_UNAUTHORIZED, "password", "It is wrong");
	return STATUS_OK;
}

enum status second_factor_get(struct access *access, struct text person_id,
                              struct factor_state *ret_state, struct error *err)
{
	struct store       *store  = access->config.store;
	struct store_factor factor = {0};
	struct arena        arena;
	struct error        why;
	arena_init(&arena);
	enum status status = store->ops->factor_get(store, person_id, &arena, &factor, &why);
	arena_done(&arena);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
		*err = why;
		return status;
	}
	*ret_state = (struct factor_state){.on            = factor.confirmed,
	                                   .pending       = status == STATUS_OK && !factor.confirmed,
	                                   .recovery_left = factor.recovery_left};
	return STATUS_OK;
}

static void write_uri(const struct access *access, struct text email, const char *secret,
                      char ret_uri[FACTOR_URI_BYTES])
{
	struct buffer out = {0};
	buffer_add_text(&out, TEXT("otpauth://totp/"));
	buffer_add_percent(&out, text_of(access->issuer));
	buffer_add_text(&out, TEXT(":"));
	buffer_add_percent(&out, email);
	buffer_printf(&out, "?secret=%s&issuer=", secret);
	buffer_add_percent(&out, text_of(access->issuer));
	buffer_printf(&out, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_S);
	snprintf(ret_uri, FACTOR_URI_BYTES, "%.*s", (int)out.length, out.data);
	sodium_memzero(out.data, out.length);
	buffer_done(&out);
}

enum status second_factor_begin(struct access *access, const struct factor_wish *wish,
                                int64_t now_ms, int64_t monotonic_ms,
                                char ret_secret[TOTP_SECRET_TEXT], char ret_uri[FACTOR_URI_BYTES],
                                int64_t *ret_wait_ms, struct error *err)
{
	struct store *store = access->config.store;
	struct asking asking;
	uint8_t       secret[TOTP_SECRET_BYTES];
	enum status   status = ask(access, wish, monotonic_ms, &asking, ret_wait_ms, err);
	if (status == STATUS_OK)
		status = check_password(access, &asking, wish->password, err);
	if (status == STATUS_OK) {
		random_bytes(secret, sizeof secret);
		struct store_factor factor = {
			.secret     = access_seal(access, &asking.arena,
		                              (struct text){(const char *)secret, sizeof secret}),
			.created_ms = now_ms};
		memcpy(factor.person_id, asking.account.row.id, sizeof factor.person_id);
		status = store->ops->factor_begin(store, &factor, err);
	}
	if (status == STATUS_OK) {
		totp_secret_text(secret, ret_secret);
		write_uri(access, asking.account.email, ret_secret, ret_uri);
	}
	sodium_memzero(secret, sizeof secret);
	return tell(access, &asking, monotonic_ms, status);
}

/* Who came in without it may be anybody: his other sessions end with it. */
static enum status confirm(struct access *access, struct asking *asking,
                           const struct factor_wish *wish, int64_t now_ms,
                           char ret_codes[RECOVERY_CODES][RECOVERY_TEXT_BYTES], struct error *err)
{
	struct store *store = access->config.store;
	uint8_t       hashes[RECOVERY_CODES][STORE_TOKEN_HASH_BYTES];
	if (asking->factor.person_id[0] == '\0')
		return error_set(err, STATUS_NOT_FOUND, "There is no second factor to confirm");
	if (asking->factor.confirmed)
		return error_set(err, STATUS_CONFLICT, "The second factor is on already");
	enum status status =
		find_step(access, &asking->factor, wish->code, now_ms, &asking->factor.last_step, err);
	if (status != STATUS_OK)
		return status;
	for (unsigned i = 0; i < RECOVERY_CODES; i++) {
		recovery_code(ret_codes[i]);
		recovery_hash(access, asking->factor.person_id, text_of(ret_codes[i]), hashes[i]);
	}
	status = store->ops->factor_confirm(store, &asking->factor,
	                                    (const uint8_t(*)[STORE_TOKEN_HASH_BYTES])hashes,
	                                    RECOVERY_CODES, wish->session_id, err);
	return status == STATUS_PRECONDITION ? error_set(err, STATUS_CONFLICT, "It was begun anew")
	                                     : status;
}

enum status second_factor_confirm(struct access *access, const struct factor_wish *wish,
                                  int64_t now_ms, int64_t monotonic_ms,
                                  char     ret_codes[RECOVERY_CODES][RECOVERY_TEXT_BYTES],
                                  int64_t *ret_wait_ms, struct error *err)
{
	struct asking asking;
	enum status   status = ask(access, wish, monotonic_ms, &asking, ret_wait_ms, err);
	if (status == STATUS_OK)
		status = confirm(access, &asking, wish, now_ms, ret_codes, err);
	return tell(access, &asking, monotonic_ms, status);
}

enum status second_factor_end(struct access *access, const struct factor_wish *wish, int64_t now_ms,
                              int64_t monotonic_ms, int64_t *ret_wait_ms, struct error *err)
{
	struct store *store = access->config.store;
	struct asking asking;
	enum status   status = ask(access, wish, monotonic_ms, &asking, ret_wait_ms, err);
	if (status == STATUS_OK && !asking.factor.confirmed)
		status = error_set(err, STATUS_NOT_FOUND, "The second factor is not on");
	if (status == STATUS_OK)
		status = check_password(access, &asking, wish->password, err);
	if (status == STATUS_OK)
		status = second_factor_use(access, &asking.factor, wish->code, now_ms, err);
	if (status == STATUS_OK)
		status = store->ops->factor_delete(store, wish->person_id, err);
	return tell(access, &asking, monotonic_ms, status);
}

enum status second_factor_reset(struct access *access, struct text person_id, uint32_t granted,
                                struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = people_check_touchable(access, person_id, granted, err);
	return status == STATUS_OK ? store->ops->factor_delete(store, person_id, err) : status;
}
