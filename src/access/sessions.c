#include "access/sessions.h"

#include <sodium.h>
#include <stdio.h>

#include "access/access_internal.h"
#include "access/linked.h"
#include "access/password.h"
#include "access/scope.h"
#include "access/second_factor.h"
#include "base/instant.h"
#include "base/json.h"

static const char refresh_prefix[] = "snr_";
static const char device_prefix[]  = "snd_";
static const char ticket_prefix[]  = "snt_";

static void refresh_hash(struct text text, uint8_t ret_hash[STORE_TOKEN_HASH_BYTES])
{
	hash_sha256(text.data, text.length, ret_hash);
}

/* ---- What is given ---- */

static int64_t session_end_ms(const struct access *access, int64_t created_ms, int64_t now_ms)
{
	const struct access_settings *settings = access->config.settings;
	int64_t                       idle_ms  = now_ms + settings->session_idle_ms;
	int64_t                       last_ms  = created_ms + settings->session_ms;
	return settings->session_ms > 0 && last_ms < idle_ms ? last_ms : idle_ms;
}

static void sign(struct access *access, int64_t now_ms, struct arena *arena, struct grant *grant)
{
	const struct account     *account = &grant->account;
	const struct claims_realm realm   = access_realm(access);
	struct buffer             json = {0}, token = {0};
	struct claims             claims = {.email     = account->email,
	                                    .tier      = account->row.tier,
	                                    .scopes    = grant->owes_factor ? 0 : account->scopes,
	                                    .issued_s  = now_ms / 1000,
	                                    .expires_s = now_ms / 1000 + CLAIMS_SECONDS};
	memcpy(claims.person_id, account->row.id, sizeof claims.person_id);
	memcpy(claims.session_id, grant->session_id, sizeof claims.session_id);
	claims_write(&claims, &realm, &json);
	signing_keys_sign(access->keys, buffer_text(&json), now_ms, &token);
	grant->token         = arena_text(arena, buffer_text(&token));
	grant->token_ends_ms = claims.expires_s * 1000;
	buffer_done(&json);
	buffer_done(&token);
}

static void write_refresh(struct access *access, const char *session_id, uint32_t generation,
                          char ret_text[CODE_TEXT_BYTES])
{
	struct code code = {.number = generation};
	memcpy(code.id, session_id, sizeof code.id);
	code_write(access_secret(access), refresh_prefix, &code, ret_text);
}

static struct text origin_of(const struct access *access, const struct login *login,
                             struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	char               agent[SESSION_AGENT_BYTES_MAX];
	size_t             length = login->agent.length;
	length                    = length < sizeof agent ? length : sizeof agent;
	for (size_t i = 0; i < length; i++) {
		char c   = login->agent.data[i];
		agent[i] = c >= ' ' && c < 0x7f ? c : '?'; /* headers are bytes */
	}
	json_begin_object(&w);
	json_member_string(&w, "address", login->address);
	json_member_string(&w, "agent", (struct text){agent, length});
	json_end_object(&w);
	struct text sealed = access_seal(access, arena, buffer_text(&out));
	buffer_done(&out);
	return sealed;
}

/* One more must have room: who makes thousands loses his oldest. */
static enum status make_room(struct access *access, const char *person_id, struct arena *arena,
                             struct error *err)
{
	struct store         *store = access->config.store;
	struct store_session *sessions;
	size_t                count;
	enum status           status =
		store->ops->session_list(store, text_of(person_id), arena, &sessions, &count, err);
	if (status != STATUS_OK || count < SESSIONS_OF_PERSON_MAX)
		return status;
	const struct store_session *oldest = &sessions[0];
	for (size_t i = 1; i < count; i++)
		if (sessions[i].used_ms < oldest->used_ms)
			oldest = &sessions[i];
	status = store->ops->session_delete(store, text_of(oldest->id), err);
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Who stole a password has known devices too: they are none any more when it is another. */
static struct code device_of(const struct access *access, const struct account *account)
{
	struct code code;
	uint8_t     hash[SHA256_BYTES];
	code_hash(access_secret(access), "device", account->row.password, hash);
	memcpy(code.id, account->row.id, sizeof code.id);
	memcpy(&code.number, hash, sizeof code.number);
	return code;
}

/* Who he is by now, when it makes no difference to whether he was let in. Where he has a second
 * factor, it may be another one. */
static enum status look_again(struct access *access, struct account *account, struct arena *arena,
                              struct error *err)
{
	struct account now;
	struct error   why;
	enum status    status = people_get(access, text_of(account->row.id), arena, &now, &why);
	bool           gone   = status == STATUS_NOT_FOUND;
	if (status != STATUS_OK && !gone) {
		*err = why;
		return status;
	}
	if (gone || !now.row.active || now.row.totp || account->row.totp ||
	    !text_equal(now.row.password, account->row.password))
		return error_set(err, STATUS_UNAUTHORIZED, "You were changed meanwhile: log in anew");
	*account = now;
	return STATUS_OK;
}

/* However often he is changed, each time is one of somebody's requests. */
static enum status store_session(struct access *access, const struct store_session *session,
                                 struct account *account, struct arena *arena, struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = STATUS_OK;
	for (;;) {
		struct error why;
		status = store->ops->session_add(store, session, account->row.version, &why);
		if (status != STATUS_PRECONDITION) {
			if (status != STATUS_OK)
				*err = why;
			return status;
		}
		if ((status = look_again(access, account, arena, err)) != STATUS_OK)
			return status;
	}
}

enum status sessions_begin(struct access *access, const struct account *account,
                           const struct login *login, int64_t now_ms, struct arena *arena,
                           struct grant *ret_grant, struct error *err)
{
	struct store        *store   = access->config.store;
	struct grant         grant   = {.account = *account};
	struct store_session session = {.origin     = origin_of(access, login, arena),
	                                .created_ms = now_ms,
	                                .expires_ms = session_end_ms(access, now_ms, now_ms)};
	struct code          device  = device_of(access, account);
	enum status          status  = store->ops->session_expire(store, now_ms, err);
	if (status == STATUS_OK)
		status = make_room(access, account->row.id, arena, err);
	if (status != STATUS_OK)
		return status;
	uuid_new(session.id);
	memcpy(session.person_id, account->row.id, sizeof session.person_id);
	write_refresh(access, session.id, 0, grant.refresh);
	refresh_hash(text_of(grant.refresh), session.refresh_hash);
	if (login->begins != NULL)
		login->begins(login->context, session.person_id, session.id);
	status = store_session(access, &session, &grant.account, arena, err);
	if (status != STATUS_OK)
		return status;
	grant.owes_factor = people_owes_factor(access, &grant.account.row);
	memcpy(grant.session_id, session.id, sizeof grant.session_id);
	code_write(access_secret(access), device_prefix, &device, grant.device);
	grant.session_ends_ms = session.expires_ms;
	sign(access, now_ms, arena, &grant);
	*ret_grant = grant;
	return STATUS_OK;
}

/* ---- Login ---- */

static bool is_known_device(const struct access *access, const struct login *login,
                            const struct account *account)
{
	struct code code;
	return code_read(access_secret(access), device_prefix, login->device, &code) &&
	       strcmp(code.id, account->row.id) == 0 &&
	       code.number == device_of(access, account).number;
}

/* With today's parameters; when it fails, the next login does it. */
static void renew_hash(struct access *access, struct account *account, struct text password,
                       struct arena *arena)
{
	struct store       *store   = access->config.store;
	struct store_person renewed = account->row;
	char                hash[PASSWORD_HASH_BYTES];
	if (password_hash(password, hash, NULL) != STATUS_OK)
		return;
	renewed.password = arena_text(arena, text_of(hash));
	if (store->ops->person_change(store, &renewed, (struct text){0}, NULL) == STATUS_OK)
		account->row = renewed;
}

/* What a ticket is good for: the time of its making, and what the factor was then. */
static uint64_t ticket_number(const struct access *access, const struct account *account,
                              const struct store_factor *factor, int64_t made_s)
{
	const int64_t state[] = {account->row.version, factor->last_step, factor->recovery_left,
	                         factor->created_ms};
	uint8_t       hash[SHA256_BYTES];
	uint32_t      mark;
	code_hash(access_secret(access), "factor", (struct text){(const char *)state, sizeof state},
	          hash);
	memcpy(&mark, hash, sizeof mark);
	return (uint64_t)made_s << 32 | mark;
}

static enum status challenge(struct access *access, const struct account *account, int64_t now_ms,
                             struct arena *arena, struct grant *ret_grant, struct error *err)
{
	struct store       *store = access->config.store;
	struct store_factor factor;
	struct grant        grant = {.account = *account};
	struct code         code;
	enum status         status =
		store->ops->factor_get(store, text_of(account->row.id), arena, &factor, err);
	if (status != STATUS_OK)
		return status;
	memcpy(code.id, account->row.id, sizeof code.id);
	code.number = ticket_number(access, account, &factor, now_ms / 1000);
	code_write(access_secret(access), ticket_prefix, &code, grant.challenge);
	*ret_grant = grant;
	return STATUS_OK;
}

enum status sessions_enter(struct access *access, const struct account *account,
                           const struct login *login, int64_t now_ms, struct arena *arena,
                           struct grant *ret_grant, struct error *err)
{
	if (account->row.totp)
		return challenge(access, account, now_ms, arena, ret_grant, err);
	enum status status = sessions_begin(access, account, login, now_ms, arena, ret_grant, err);
	if (status == STATUS_OK)
		atomic_fetch_add(&access->logins, 1);
	return status;
}

static enum status refused(struct access *access, struct error *err)
{
	atomic_fetch_add(&access->refused, 1);
	return error_set(err, STATUS_UNAUTHORIZED, "The e-mail address or the password is wrong");
}

enum status sessions_login(struct access *access, const struct login *login, int64_t now_ms,
                           int64_t monotonic_ms, struct arena *arena, struct grant *ret_grant,
                           int64_t *ret_wait_ms, struct error *err)
{
	struct store  *store = access->config.store;
	uint8_t        hash[STORE_TOKEN_HASH_BYTES];
	struct account account = {0};
	struct error   why;
	access_email_hash(access, login->email, hash);
	/* The row alone: to open what is sealed in it would take time that nobody's does not. */
	enum status status = store->ops->person_by_email(store, hash, arena, &account.row, &why);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
		*err = why;
		return status;
	}
	bool           known = status == STATUS_OK && is_known_device(access, login, &account);
	struct attempt attempt =
		attempt_of(access->attempts, login->address, (struct text){(const char *)hash, sizeof hash},
	               known ? login->device : TEXT(""));
	status = attempts_admit(access->attempts, &attempt, monotonic_ms, ret_wait_ms, err);
	if (status != STATUS_OK) {
		atomic_fetch_add(&access->delayed, 1);
		return status;
	}
	atomic_fetch_add(&access->passwords, 1);
	bool        may  = account.row.active && account.row.password.length > 0;
	const char *kept = may ? arena_text(arena, account.row.password).data : NULL;
	if (!password_matches(kept, login->password)) {
		attempts_failed(access->attempts, &attempt, monotonic_ms);
		return refused(access, err);
	}
	if (!account.row.totp)
		attempts_succeeded(access->attempts, &attempt);
	if ((status = people_fill(access, arena, &account, err)) != STATUS_OK)
		return status;
	if (password_is_outdated(kept))
		renew_hash(access, &account, login->password, arena);
	return sessions_enter(access, &account, login, now_ms, arena, ret_grant, err);
}

/* ---- The second step of a login ---- */

static enum status no_ticket(struct error *err)
{
	return error_set_field(err, STATUS_UNAUTHORIZED, "ticket",
	                       "It is not known, was used, or is over");
}

/* Whose ticket it is, and his factor. */
static enum status open_ticket(struct access *access, struct text ticket, int64_t now_ms,
                               struct arena *arena, struct account *ret_account,
                               struct store_factor *ret_factor, struct error *err)
{
	struct store *store = access->config.store;
	struct code   code;
	struct error  why;
	if (!code_read(access_secret(access), ticket_prefix, ticket, &code))
		return no_ticket(err);
	enum status status = people_get(access, text_of(code.id), arena, ret_account, &why);
	if (status == STATUS_OK)
		status = store->ops->factor_get(store, text_of(code.id), arena, ret_factor, &why);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
		*err = why;
		return status;
	}
	int64_t made_s = (int64_t)(code.number >> 32), now_s = now_ms / 1000;
	if (status != STATUS_OK || !ret_account->row.active || !ret_factor->confirmed ||
	    made_s > now_s || now_s - made_s >= CHALLENGE_SECONDS ||
	    code.number != ticket_number(access, ret_account, ret_factor, made_s))
		return no_ticket(err);
	return STATUS_OK;
}

/* By what a guess at a code counts: as one at the password does, and, but for a known device, by
 * the person alone. A million codes are few for who has many addresses, and nobody who has not
 * come past the first step can keep him out by it. */
static size_t code_attempts(struct access *access, const struct login *login,
                            const struct account *account, struct attempt ret_guesses[2])
{
	struct text person = {(const char *)account->row.email_hash, sizeof account->row.email_hash};
	bool        known  = is_known_device(access, login, account);
	ret_guesses[0] =
		attempt_of(access->attempts, login->address, person, known ? login->device : TEXT(""));
	ret_guesses[1] = attempt_of(access->attempts, TEXT(""), person, TEXT("second factor"));
	return known ? 1 : 2;
}

enum status sessions_login_code(struct access *access, const struct login *login,
                                struct text ticket, struct text code, int64_t now_ms,
                                int64_t monotonic_ms, struct arena *arena, struct grant *ret_grant,
                                int64_t *ret_wait_ms, struct error *err)
{
	struct account      account;
	struct store_factor factor;
	*ret_wait_ms       = 0;
	enum status status = open_ticket(access, ticket, now_ms, arena, &account, &factor, err);
	if (status != STATUS_OK)
		return status;
	struct attempt guesses[2];
	size_t         count = code_attempts(access, login, &account, guesses);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = attempts_admit(access->attempts, &guesses[i], monotonic_ms, ret_wait_ms, err);
	if (status != STATUS_OK) {
		atomic_fetch_add(&access->delayed, 1);
		return status;
	}
	status = second_factor_use(access, &factor, code, now_ms, err);
	if (status == STATUS_UNAUTHORIZED) {
		for (size_t i = 0; i < count; i++)
			attempts_failed(access->attempts, &guesses[i], monotonic_ms);
		atomic_fetch_add(&access->refused, 1);
	}
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		attempts_succeeded(access->attempts, &guesses[i]);
	atomic_fetch_add(&access->logins, 1);
	return sessions_begin(access, &account, login, now_ms, arena, ret_grant, err);
}

/* ---- Refresh ---- */

static enum status no_session(struct error *err)
{
	return error_set(err, STATUS_UNAUTHORIZED,
	                 "The refresh token is not known, or its session is over");
}

/* Of somebody's session that is there and not over, whose person may log in. */
static enum status live_session(struct access *access, struct text id, int64_t now_ms,
                                struct arena *arena, struct store_session *ret_session,
                                struct account *ret_account, struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = store->ops->session_get(store, id, arena, ret_session, err);
	if (status == STATUS_OK && ret_session->expires_ms <= now_ms)
		return STATUS_NOT_FOUND;
	if (status == STATUS_OK)
		status = people_get(access, text_of(ret_session->person_id), arena, ret_account, err);
	if (status == STATUS_OK && linked_is(access, &ret_account->row))
		status = linked_check(access, ret_session->id, now_ms, err);
	return status == STATUS_OK && !ret_account->row.active ? STATUS_NOT_FOUND : status;
}

static enum status end_reused(struct access *access, const char *session_id, bool *ret_ended,
                              struct error *err)
{
	struct store *store  = access->config.store;
	enum status   status = store->ops->session_delete(store, text_of(session_id), err);
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		return status;
	atomic_fetch_add(&access->reuses, 1);
	*ret_ended = true;
	return error_set(err, STATUS_UNAUTHORIZED,
	                 "The refresh token was used before: its session has ended");
}

/* The session's next token, for whoever has brought its newest. STATUS_PRECONDITION: somebody was
 * faster with the same one. */
static enum status renew(struct access *access, struct store_session *session, int64_t now_ms,
                         struct grant *grant, struct error *err)
{
	write_refresh(access, session->id, session->generation + 1, grant->refresh);
	refresh_hash(text_of(grant->refresh), session->refresh_hash);
	session->used_ms    = now_ms;
	session->expires_ms = session_end_ms(access, session->created_ms, now_ms);
	return access->config.store->ops->session_renew(access->config.store, session, err);
}

/* The one before the newest, which another window of the browser has just exchanged. */
static bool is_shared(const struct refresh *refresh, const struct code *code,
                      const struct store_session *session)
{
	return refresh->shared && code->number + 1 == session->generation &&
	       refresh->now_ms - session->used_ms <= SESSION_SHARED_MS;
}

static bool is_newest(const struct refresh *refresh, const struct code *code,
                      const struct store_session *session)
{
	uint8_t hash[STORE_TOKEN_HASH_BYTES];
	refresh_hash(refresh->token, hash);
	return code->number == session->generation &&
	       sodium_memcmp(hash, session->refresh_hash, sizeof hash) == 0;
}

/* STATUS_PRECONDITION: it was used before. */
static enum status exchange(struct access *access, const struct refresh *refresh,
                            const struct code *code, struct store_session *session,
                            struct grant *grant, struct error *err)
{
	if (!is_newest(refresh, code, session))
		return is_shared(refresh, code, session) ? STATUS_OK : STATUS_PRECONDITION;
	enum status status = renew(access, session, refresh->now_ms, grant, err);
	if (status != STATUS_PRECONDITION || !refresh->shared)
		return status;
	memset(grant->refresh, 0, sizeof grant->refresh);
	return STATUS_OK;
}

enum status sessions_refresh(struct access *access, const struct refresh *refresh,
                             struct arena *arena, struct grant *ret_grant, bool *ret_ended,
                             struct error *err)
{
	struct store_session session;
	struct grant         grant = {0};
	struct code          code;
	struct error         why;
	*ret_ended = false;
	if (!code_read(access_secret(access), refresh_prefix, refresh->token, &code))
		return no_session(err);
	enum status status = live_session(access, text_of(code.id), refresh->now_ms, arena, &session,
	                                  &grant.account, &why);
	if (status == STATUS_NOT_FOUND)
		return no_session(err);
	if (status == STATUS_OK)
		status = exchange(access, refresh, &code, &session, &grant, &why);
	if (status == STATUS_PRECONDITION)
		return end_reused(access, session.id, ret_ended, err);
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	memcpy(grant.session_id, session.id, sizeof grant.session_id);
	grant.session_ends_ms = session.expires_ms;
	grant.owes_factor     = people_owes_factor(access, &grant.account.row);
	sign(access, refresh->now_ms, arena, &grant);
	atomic_fetch_add(&access->refreshes, 1);
	*ret_grant = grant;
	return STATUS_OK;
}

/* ---- Who asks ---- */

enum status sessions_recheck(struct access *access, int64_t now_ms, struct identity *identity,
                             struct error *err)
{
	struct store_session session;
	struct account       account;
	struct arena         arena;
	struct error         why;
	arena_init(&arena);
	enum status status = live_session(access, text_of(identity->session_id), now_ms, &arena,
	                                  &session, &account, &why);
	bool        same   = status == STATUS_OK && strcmp(session.person_id, identity->person_id) == 0;
	if (same)
		identity->scopes = people_owes_factor(access, &account.row)
		                       ? 0
		                       : scope_set_both(identity->claimed, account.scopes);
	arena_done(&arena);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !same))
		return error_set(err, STATUS_UNAUTHORIZED, "The session is over");
	if (status != STATUS_OK)
		*err = why;
	return status;
}

enum status sessions_identify(struct access *access, struct text token, int64_t now_ms,
                              struct identity *ret_identity, struct error *err)
{
	const struct claims_realm realm    = access_realm(access);
	struct identity           identity = {0};
	struct buffer             json     = {0};
	struct claims             claims   = {0};
	enum status               status = signing_keys_verify(access->keys, token, now_ms, &json, err);
	if (status == STATUS_OK)
		status = claims_read(buffer_text(&json), &realm, now_ms, &claims, err);
	buffer_done(&json);
	if (status != STATUS_OK)
		return status;
	memcpy(identity.person_id, claims.person_id, sizeof identity.person_id);
	memcpy(identity.session_id, claims.session_id, sizeof identity.session_id);
	identity.claimed    = claims.scopes;
	identity.expires_ms = claims.expires_s * 1000;
	status              = sessions_recheck(access, now_ms, &identity, err);
	if (status == STATUS_OK)
		*ret_identity = identity;
	return status;
}

/* ---- Lists ---- */

enum status sessions_list(struct access *access, struct text person_id, struct arena *arena,
                          struct session **ret_sessions, size_t *ret_count, struct error *err)
{
	struct store         *store = access->config.store;
	struct store_session *rows;
	size_t                count;
	enum status status = store->ops->session_list(store, person_id, arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	struct session     *sessions = ARENA_ARRAY(arena, struct session, count + 1);
	struct json_parser *parser   = json_parser_new();
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct text plain;
		struct json root;
		sessions[i].row = rows[i];
		if ((status = access_unseal(access, arena, rows[i].origin, &plain, err)) != STATUS_OK ||
		    (status = json_parse_text(parser, plain, &root, err)) != STATUS_OK)
			break;
		sessions[i].address = access_string(root, "address", arena);
		sessions[i].agent   = access_string(root, "agent", arena);
	}
	json_parser_free(parser);
	if (status != STATUS_OK)
		return status;
	*ret_sessions = sessions;
	*ret_count    = count;
	return STATUS_OK;
}

enum status sessions_end(struct access *access, struct text person_id, struct text session_id,
                         struct error *err)
{
	struct store        *store = access->config.store;
	struct store_session session;
	struct arena         arena;
	arena_init(&arena);
	enum status status = store->ops->session_get(store, session_id, &arena, &session, err);
	if (status == STATUS_OK && !text_equal(text_of(session.person_id), person_id))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such session");
	if (status == STATUS_OK)
		status = store->ops->session_delete(store, session_id, err);
	arena_done(&arena);
	return status;
}

enum status sessions_end_all(struct access *access, struct text person_id, struct text except_id,
                             struct error *err)
{
	struct store *store = access->config.store;
	return store->ops->session_delete_of(store, person_id, except_id, err);
}
