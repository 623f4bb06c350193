/* /api/v1/auth: logging in and out, and one's own sessions. What is wrong with an attempt is told
 * alike for all of it (access/sessions.h). Answers are not to be kept by anybody on the way. */

#include "access/reset.h"
#include "access/second_factor.h"
#include "api/access/cookie.h"
#include "api/access/grant.h"
#include "api/access/guards.h"
#include "api/access/mailer.h"
#include "api/access/person_json.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "base/clock.h"

enum { SECRET_TEXT_BYTES_MAX = 512 };

/* Whether the refresh token goes into a cookie. */
static enum status read_cookie(struct api_call *call, struct json body, bool *ret_cookie,
                               struct error *err)
{
	struct json value = json_get(body, "cookie");
	*ret_cookie       = json_type(value) == JSON_BOOL && json_bool(value);
	if (json_type(value) != JSON_NONE && json_type(value) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "cookie", "It must be true or false");
	return *ret_cookie ? cookie_check(call, err) : STATUS_OK;
}

/* ---- POST register, login ---- */

static enum status register_person(struct api_call *call, struct grant *ret_grant,
                                   struct error *err)
{
	static const char *const known[] = {"invitation", "email", "name", "password", NULL};
	struct access           *access  = call->api->config.access;
	struct login             login   = grant_login(call);
	struct person_wish       wish    = {0};
	int64_t                  now_ms  = clock_wall_ms();
	struct account           account;
	struct text              invitation;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "invitation", false, 1, SECRET_TEXT_BYTES_MAX, &invitation,
	                          err)) != STATUS_OK ||
	    (status = call_string(body, "email", true, 1, PERSON_EMAIL_BYTES, &wish.email, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "name", false, 1, PERSON_NAME_BYTES, &wish.name, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "password", false, 1, SECRET_TEXT_BYTES_MAX, &wish.password,
	                          err)) != STATUS_OK ||
	    (status = people_register(access, invitation, &wish, now_ms, call->arena, &account, err)) !=
	        STATUS_OK)
		return status;
	return sessions_begin(access, &account, &login, now_ms, call->arena, ret_grant, err);
}

static void register_step(struct api_call *call)
{
	struct grant grant;
	struct error err = {0};
	if (register_person(call, &grant, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		grant_answer(call, 201, &grant);
}

void auth_register(struct api_call *call) { call_on_password_worker(call, register_step); }

static enum status log_in(struct api_call *call, struct grant *ret_grant, int64_t *ret_wait_ms,
                          struct error *err)
{
	static const char *const known[] = {"email", "password", "device_token", "cookie", NULL};
	struct login             login   = grant_login(call);
	struct json              body;
	bool                     cookie;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "email", false, 1, PERSON_EMAIL_BYTES, &login.email, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "password", false, 1, SECRET_TEXT_BYTES_MAX, &login.password,
	                          err)) != STATUS_OK ||
	    (status = call_string(body, "device_token", true, 0, SECRET_TEXT_BYTES_MAX, &login.device,
	                          err)) != STATUS_OK ||
	    (status = read_cookie(call, body, &cookie, err)) != STATUS_OK ||
	    (status = sessions_login(call->api->config.access, &login, clock_wall_ms(),
	                             clock_monotonic_ms(), call->arena, ret_grant, ret_wait_ms, err)) !=
	        STATUS_OK)
		return status;
	if (cookie)
		cookie_keep(call, ret_grant);
	return STATUS_OK;
}

static void login_step(struct api_call *call)
{
	struct grant grant;
	int64_t      wait_ms = 0;
	struct error err     = {0};
	if (log_in(call, &grant, &wait_ms, &err) == STATUS_OK) {
		grant_answer(call, 200, &grant);
		return;
	}
	call_add_retry_after(call, wait_ms);
	call_fail(call, &err);
}

void auth_login(struct api_call *call) { call_on_password_worker(call, login_step); }

static enum status log_in_code(struct api_call *call, struct grant *ret_grant, int64_t *ret_wait_ms,
                               struct error *err)
{
	static const char *const known[] = {"ticket", "code", "device_token", "cookie", NULL};
	struct login             login   = grant_login(call);
	struct text              ticket, code;
	struct json              body;
	bool                     cookie;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "ticket", false, 1, SECRET_TEXT_BYTES_MAX, &ticket, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "code", false, 1, FACTOR_CODE_BYTES_MAX, &code, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "device_token", true, 0, SECRET_TEXT_BYTES_MAX, &login.device,
	                          err)) != STATUS_OK ||
	    (status = read_cookie(call, body, &cookie, err)) != STATUS_OK ||
	    (status = sessions_login_code(call->api->config.access, &login, ticket, code,
	                                  clock_wall_ms(), clock_monotonic_ms(), call->arena, ret_grant,
	                                  ret_wait_ms, err)) != STATUS_OK)
		return status;
	if (cookie)
		cookie_keep(call, ret_grant);
	return STATUS_OK;
}

static void login_code_step(struct api_call *call)
{
	struct grant grant;
	int64_t      wait_ms = 0;
	struct error err     = {0};
	if (log_in_code(call, &grant, &wait_ms, &err) == STATUS_OK) {
		grant_answer(call, 200, &grant);
		return;
	}
	call_add_retry_after(call, wait_ms);
	call_fail(call, &err);
}

void auth_login_totp(struct api_call *call) { call_on_password_worker(call, login_code_step); }

/* ---- POST refresh, logout ---- */

static enum status refresh(struct api_call *call, struct grant *ret_grant, struct error *err)
{
	static const char *const known[] = {"refresh_token", NULL};
	struct refresh           asked   = {.now_ms = clock_wall_ms()};
	struct json              body;
	bool                     ended = false;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "refresh_token", true, 0, SECRET_TEXT_BYTES_MAX, &asked.token,
	                          err)) != STATUS_OK)
		return status;
	asked.shared = asked.token.length == 0; /* by all windows of a browser */
	if (asked.shared && (status = cookie_refresh(call, &asked.token, err)) != STATUS_OK)
		return status;
	status =
		sessions_refresh(call->api->config.access, &asked, call->arena, ret_grant, &ended, err);
	if (status == STATUS_OK && asked.shared)
		cookie_keep(call, ret_grant);
	if (ended)
		guards_changed(call->api->guards);
	return status;
}

static void refresh_step(struct api_call *call)
{
	struct grant grant;
	struct error err = {0};
	if (refresh(call, &grant, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		grant_answer(call, 200, &grant);
}

void auth_refresh(struct api_call *call) { call_on_worker(call, refresh_step); }

static void logout_step(struct api_call *call)
{
	struct error err;
	enum status  status = sessions_end(call->api->config.access, text_of(call->token.person_id),
	                                   text_of(call->token.id), &err);
	cookie_drop(call);
	guards_answer(call, status, &err);
}

void auth_logout(struct api_call *call) { call_on_worker(call, logout_step); }

/* ---- PUT password ---- */

static enum status set_password(struct api_call *call, int64_t *ret_wait_ms, struct error *err)
{
	static const char *const known[] = {"current_password", "password", NULL};
	struct password_change   change  = {.person_id  = text_of(call->token.person_id),
	                                    .session_id = text_of(call->token.id)};
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "current_password", false, 1, SECRET_TEXT_BYTES_MAX,
	                          &change.current, err)) != STATUS_OK ||
	    (status = call_string(body, "password", false, 1, SECRET_TEXT_BYTES_MAX, &change.password,
	                          err)) != STATUS_OK)
		return status;
	return people_set_password(call->api->config.access, &change, clock_wall_ms(),
	                           clock_monotonic_ms(), call->arena, ret_wait_ms, err);
}

static void password_step(struct api_call *call)
{
	int64_t      wait_ms = 0;
	struct error err     = {0};
	enum status  status  = set_password(call, &wait_ms, &err);
	call_add_retry_after(call, wait_ms);
	guards_answer(call, status, &err);
}

void auth_password(struct api_call *call) { call_on_password_worker(call, password_step); }

/* ---- POST reset-request, reset ---- */

static enum status request_reset(struct api_call *call, int64_t *ret_wait_ms, struct error *err)
{
	static const char *const known[] = {"email", NULL};
	struct mailer           *mailer  = call->api->mailer;
	struct text              email;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "email", false, 1, PERSON_EMAIL_BYTES, &email, err)) !=
	        STATUS_OK)
		return status;
	if (!mailer_is_set(mailer))
		return error_set(err, STATUS_UNSUPPORTED, "This server sends no mail (--smtp-url)");
	return mailer_reset(mailer, text_of(http_client_address(call->request)), email, ret_wait_ms,
	                    err);
}

void auth_reset_request(struct api_call *call)
{
	int64_t      wait_ms = 0;
	struct error err     = {0};
	if (request_reset(call, &wait_ms, &err) != STATUS_OK) {
		call_add_retry_after(call, wait_ms);
		call_fail(call, &err);
	} else {
		call_answer_empty(call, 202);
	}
}

static enum status reset(struct api_call *call, struct account *ret_account, struct error *err)
{
	static const char *const known[] = {"reset_token", "password", NULL};
	struct text              token, password;
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "reset_token", false, 1, SECRET_TEXT_BYTES_MAX, &token, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "password", false, 1, SECRET_TEXT_BYTES_MAX, &password, err)) !=
	        STATUS_OK)
		return status;
	return reset_finish(call->api->config.access, token, password, clock_wall_ms(), call->arena,
	                    ret_account, err);
}

static void reset_step(struct api_call *call)
{
	struct account account;
	struct error   err    = {0};
	enum status    status = reset(call, &account, &err);
	if (status == STATUS_OK) {
		call_note_use(call);
		call_audit_actor(call, text_of(arena_printf(call->arena, "person:%s", account.row.id)));
	}
	guards_answer(call, status, &err);
}

void auth_reset(struct api_call *call) { call_on_password_worker(call, reset_step); }

/* ---- Sessions ---- */

static enum status write_sessions(struct api_call *call, struct buffer *out, struct error *err)
{
	struct session *sessions;
	size_t          count;
	enum status     status = sessions_list(call->api->config.access, text_of(call->token.person_id),
	                                       call->arena, &sessions, &count, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = call_begin_list(out);
	for (size_t i = 0; i < count; i++)
		person_json_session(&w, &sessions[i], strcmp(sessions[i].row.id, call->token.id) == 0);
	call_end_list(&w, CURSOR_OFFSET, (struct text){0}, (int64_t)count, clock_wall_ms());
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_sessions); }

void auth_sessions(struct api_call *call) { call_on_worker(call, list_step); }

static void end_step(struct api_call *call)
{
	struct error err;
	enum status  status = sessions_end(call->api->config.access, text_of(call->token.person_id),
	                                   http_param(call->request, "id"), &err);
	guards_answer(call, status, &err);
}

void auth_end_session(struct api_call *call) { call_on_worker(call, end_step); }

static void end_others_step(struct api_call *call)
{
	struct error err;
	enum status  status = sessions_end_all(call->api->config.access, text_of(call->token.person_id),
	                                       text_of(call->token.id), &err);
	guards_answer(call, status, &err);
}

void auth_end_sessions(struct api_call *call) { call_on_worker(call, end_others_step); }
