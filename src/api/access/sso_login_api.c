/* /api/v1/auth/oidc: logging in by single sign-on. A login is bound to its browser by a cookie that
 * bears a code of ours (access/code.h); state, nonce and PKCE's verifier are keyed hashes of it, so
 * that nothing of a login that was begun is kept here.
 *
 *   start ─► cookie, 302 to the provider ─► callback?code&state ─┬─► Grant
 *                                                                └─► 302 to a page of ours with a
 *                                                   code of ours ─► exchange ─► Grant
 *
 * A login that began with ?cookie=true leaves its refresh token in a cookie (cookie.h) instead of
 * in the Grant. That stands in the code too, so that nobody can wish it behind the begin. */

#include "api/access/sso_login.h"

#include <sodium.h>

#include "access/code.h"
#include "access/federated.h"
#include "api/access/cookie.h"
#include "api/access/grant.h"
#include "api/access/guards.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "base/clock.h"

static const char cookie_prefix[]   = "sno_";
static const char secure_cookie[]   = "__Host-sonnim-sso";
static const char loopback_cookie[] = "sonnim-sso";

enum { CODE_BYTES_MAX = 4096 };

static const uint8_t *secret_of(const struct api_call *call)
{
	return signing_keys_secret(access_signing_keys(call->api->config.access));
}

static bool is_https(struct api_call *call)
{
	return text_starts_with(call_public_url(call), TEXT("https://"));
}

struct text sso_login_redirect_uri(struct api_call *call, struct text provider_name)
{
	return text_of(arena_printf(call->arena, "%.*s/api/v1/auth/oidc/%.*s/callback",
	                            TEXT_FORMAT(call_public_url(call)), TEXT_FORMAT(provider_name)));
}

/* ---- The cookie ---- */

/* Data NULL: there is none. */
static struct text login_cookie(struct api_call *call)
{
	struct text header, value = {0};
	if (http_header(call->request, "Cookie", &header))
		cookie_find(header, text_of(is_https(call) ? secure_cookie : loopback_cookie), &value);
	return value;
}

/* SameSite=Lax: it comes along when the provider sends the browser back, and with no request that
 * another page makes by itself. `seconds` 0: gone. */
static void set_cookie(struct api_call *call, const char *value, int seconds)
{
	bool secure = is_https(call);
	http_add_header(
		call->request, "Set-Cookie",
		text_of(arena_printf(call->arena, "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s",
	                         secure ? secure_cookie : loopback_cookie, value, seconds,
	                         secure ? "; Secure" : "")));
}

/* What the cookie's code says of the login besides its provider: the second of its begin, and
 * whether the browser keeps it. */
static uint64_t begun_number(int64_t second, bool kept)
{
	return (uint64_t)second << 1 | (kept ? 1 : 0);
}

static int64_t begun_second(const struct code *code) { return (int64_t)(code->number >> 1); }

static bool is_kept(const struct code *code) { return (code->number & 1) != 0; }

/* What this login has of its own. */
static struct text derived(struct api_call *call, const char *purpose, struct text cookie)
{
	struct buffer text = {0};
	uint8_t       hash[SHA256_BYTES];
	code_hash(secret_of(call), purpose, cookie, hash);
	jws_add_base64(&text, hash, sizeof hash);
	struct text kept = arena_text(call->arena, buffer_text(&text));
	buffer_done(&text);
	return kept;
}

static struct oidc_login login_of(struct api_call *call, const struct sso_provider *provider,
                                  struct text cookie)
{
	return (struct oidc_login){.state        = derived(call, "sso state", cookie),
	                           .nonce        = derived(call, "sso nonce", cookie),
	                           .verifier     = derived(call, "sso verifier", cookie),
	                           .redirect_uri = sso_login_redirect_uri(call, provider->name)};
}

/* ---- GET start ---- */

static enum status find(struct api_call *call, struct sso_provider *ret_provider, struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_sso_provider row;
	enum status status = store->ops->sso_provider_get(store, http_param(call->request, "name"),
	                                                  call->arena, &row, err);
	if (status == STATUS_OK)
		status = sso_provider_open(&row, call->api->config.vault, call->arena, ret_provider, err);
	if (status == STATUS_OK && !ret_provider->active)
		status = error_set(err, STATUS_NOT_FOUND, "There is no such provider");
	return status;
}

static enum status start(struct api_call *call, char ret_cookie[CODE_TEXT_BYTES],
                         struct text *ret_url, struct error *err)
{
	struct sso_provider provider;
	bool                kept;
	enum status         status = find(call, &provider, err);
	if (status == STATUS_OK)
		status = call_query_flag(call, "cookie", &kept, err);
	if (status == STATUS_OK && kept)
		status = cookie_check(call, err);
	if (status != STATUS_OK)
		return status;
	struct code code = {.number = begun_number(clock_wall_ms() / 1000, kept)};
	if (!is_https(call) && !sso_address_is_loopback(call_public_url(call)))
		return error_set(err, STATUS_UNSUPPORTED,
		                 "Single sign-on needs https: set public-url to where browsers find this "
		                 "server");
	memcpy(code.id, provider.id, sizeof code.id);
	code_write(secret_of(call), cookie_prefix, &code, ret_cookie);
	const struct oidc_login login = login_of(call, &provider, text_of(ret_cookie));
	return oidc_authorization(sso_oidc(call->api->sso), &provider, &login, clock_monotonic_ms(),
	                          call->arena, ret_url, err);
}

static void redirect(struct api_call *call, struct text url)
{
	http_add_header(call->request, "Location", url);
	http_add_header(call->request, "Cache-Control", TEXT("no-store"));
	call_answer_empty(call, 302);
}

static void start_step(struct api_call *call)
{
	char         cookie[CODE_TEXT_BYTES];
	struct text  url;
	struct error err = {0};
	if (start(call, cookie, &url, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	set_cookie(call, cookie, SSO_LOGIN_SECONDS);
	redirect(call, url);
}

void oidc_start(struct api_call *call) { call_on_sso_worker(call, start_step); }

/* ---- GET callback ---- */

/* That this browser began the login, at this provider, not long ago; and that a cookie is safe with
 * what it comes back by, where it wants one: the page that wished for it was asked at the begin. */
static enum status check_browser(struct api_call *call, const struct sso_provider *provider,
                                 struct text cookie, struct text state, bool *ret_kept,
                                 struct error *err)
{
	struct code code;
	int64_t     now_s = clock_wall_ms() / 1000;
	struct text own   = cookie.data == NULL ? TEXT("") : derived(call, "sso state", cookie);
	if (cookie.data == NULL || !code_read(secret_of(call), cookie_prefix, cookie, &code) ||
	    strcmp(code.id, provider->id) != 0 || now_s < begun_second(&code) ||
	    now_s - begun_second(&code) >= SSO_LOGIN_SECONDS || state.length != own.length ||
	    sodium_memcmp(state.data, own.data, own.length) != 0)
		return error_set_field(err, STATUS_UNAUTHORIZED, "state",
		                       "This browser began no such login, or it is over: begin anew");
	*ret_kept = is_kept(&code);
	return *ret_kept ? cookie_check_transport(call, err) : STATUS_OK;
}

/* By its short name only: what it says besides is not ours to show. */
static enum status refused(struct text name, struct error *err)
{
	for (size_t i = 0; i < name.length; i++)
		if ((name.data[i] < 'a' || name.data[i] > 'z') && name.data[i] != '_')
			name.length = 0;
	return error_set(err, STATUS_FORBIDDEN, "The provider refuses the login: %.*s",
	                 (int)(name.length < 64 ? name.length : 64), name.data);
}

static struct text query(struct api_call *call, const char *name)
{
	struct text value;
	return http_query(call->request, name, &value) ? value : TEXT("");
}

static enum status know(struct api_call *call, const struct sso_provider *provider,
                        const struct sso_claims *claims, struct account *ret_account,
                        struct error *err)
{
	const struct federated_wish wish = {
		.issuer         = provider->issuer,
		.subject        = claims->subject,
		.email          = claims->email,
		.name           = claims->name,
		.email_verified = claims->email_verified,
		.email_denied   = claims->email_denied,
		.roles    = sso_provider_roles(provider, claims->groups, claims->group_count, call->arena),
		.by_email = provider->link_by_email};
	bool changed;
	if (wish.roles.length == 0)
		return error_set(err, STATUS_FORBIDDEN,
		                 "None of your groups at the provider has a role here");
	enum status status = federated_person(call->api->config.access, &wish, clock_wall_ms(),
	                                      call->arena, ret_account, &changed, err);
	if (status == STATUS_OK && changed)
		guards_changed(call->api->guards);
	return status;
}

static enum status come_back(struct api_call *call, struct sso_provider *ret_provider,
                             struct account *ret_account, bool *ret_kept, struct error *err)
{
	struct text       cookie = login_cookie(call), code = query(call, "code");
	struct text       failure = query(call, "error");
	struct sso_claims claims;
	enum status       status;
	if ((status = find(call, ret_provider, err)) != STATUS_OK ||
	    (status = check_browser(call, ret_provider, cookie, query(call, "state"), ret_kept, err)) !=
	        STATUS_OK)
		return status;
	if (failure.length > 0)
		return refused(failure, err);
	if (code.length == 0 || code.length > CODE_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "code", "It must have 1 to %d bytes",
		                       CODE_BYTES_MAX);
	const struct oidc_login login = login_of(call, ret_provider, cookie);
	status = oidc_finish(sso_oidc(call->api->sso), ret_provider, &login, code, query(call, "iss"),
	                     clock_wall_ms(), clock_monotonic_ms(), call->arena, &claims, err);
	return status == STATUS_OK ? know(call, ret_provider, &claims, ret_account, err) : status;
}

static enum status enter(struct api_call *call, const struct account *account,
                         struct grant *ret_grant, struct error *err)
{
	const struct login login = grant_login(call);
	return sessions_enter(call->api->config.access, account, &login, clock_wall_ms(), call->arena,
	                      ret_grant, err);
}

/* The login is over: what bound it to the browser goes. */
static void give(struct api_call *call, struct grant *grant, bool kept)
{
	set_cookie(call, "", 0);
	if (kept)
		cookie_keep(call, grant);
	grant_answer(call, 200, grant);
}

/* To a page of ours, with a code that is of no use to another browser. */
static enum status to_page(struct api_call *call, const struct sso_provider *provider,
                           const struct account *account, struct text *ret_url, struct error *err)
{
	struct text path = provider->return_path;
	char        code[SSO_CODE_TEXT_BYTES];
	enum status status = sso_code_add(call->api->sso, account->row.id, login_cookie(call),
	                                  clock_monotonic_ms(), code, err);
	if (status != STATUS_OK)
		return status;
	call_note_use(call);
	char mark = memchr(path.data, '?', path.length) != NULL ? '&' : '?';
	*ret_url  = text_of(arena_printf(call->arena, "%.*s%ccode=%s", TEXT_FORMAT(path), mark, code));
	call_audit_actor(call, text_of(arena_printf(call->arena, "person:%s", account->row.id)));
	return STATUS_OK;
}

static void callback_step(struct api_call *call)
{
	struct sso_provider provider;
	struct account      account;
	struct grant        grant;
	struct text         url    = {0};
	struct error        err    = {0};
	bool                kept   = false;
	enum status         status = come_back(call, &provider, &account, &kept, &err);
	sso_count(call->api->sso, status == STATUS_OK);
	if (status == STATUS_OK && provider.return_path.length > 0)
		status = to_page(call, &provider, &account, &url, &err);
	else if (status == STATUS_OK)
		status = enter(call, &account, &grant, &err);
	if (status != STATUS_OK) {
		call_fail(call, &err);
	} else if (url.data != NULL) {
		redirect(call, url);
	} else {
		give(call, &grant, kept);
	}
}

void oidc_callback(struct api_call *call) { call_on_sso_worker(call, callback_step); }

/* ---- POST exchange ---- */

/* Whether the browser keeps the login: asked for at its begin, and from a page that may. Whose the
 * cookie is sso_code_take() says. */
static enum status check_kept(struct api_call *call, struct text cookie, bool *ret_kept,
                              struct error *err)
{
	struct code code;
	*ret_kept = cookie.data != NULL && code_read(secret_of(call), cookie_prefix, cookie, &code) &&
	            is_kept(&code);
	return *ret_kept ? cookie_check(call, err) : STATUS_OK;
}

static enum status exchange(struct api_call *call, struct grant *ret_grant, bool *ret_kept,
                            struct error *err)
{
	static const char *const known[] = {"code", NULL};
	struct access           *access  = call->api->config.access;
	struct text              code, cookie = login_cookie(call);
	struct account           account;
	struct json              body;
	char                     person_id[UUID_TEXT_BYTES];
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "code", false, 1, CODE_BYTES_MAX, &code, err)) != STATUS_OK ||
	    (status = check_kept(call, cookie, ret_kept, err)) != STATUS_OK)
		return status;
	if (!sso_code_take(call->api->sso, code, cookie, clock_monotonic_ms(), person_id))
		return error_set_field(err, STATUS_UNAUTHORIZED, "code",
		                       "It is not known, was used, is over, or of another browser");
	status = people_get(access, text_of(person_id), call->arena, &account, err);
	if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !account.row.active))
		return error_set(err, STATUS_UNAUTHORIZED, "The person was switched off");
	return status == STATUS_OK ? enter(call, &account, ret_grant, err) : status;
}

static void exchange_step(struct api_call *call)
{
	struct grant grant;
	struct error err  = {0};
	bool         kept = false;
	if (exchange(call, &grant, &kept, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		give(call, &grant, kept);
}

void oidc_exchange(struct api_call *call) { call_on_worker(call, exchange_step); }
