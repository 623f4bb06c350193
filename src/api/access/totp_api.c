/* /api/v1/auth/totp: one's own second factor; …/auth/login/totp: the second step of a login;
 * /api/v1/people/{id}/totp: somebody else's. All on the thread of passwords, one after the other,
 * so that nobody guesses twice at once. */

#include "access/second_factor.h"
#include "api/access/guards.h"
#include "api/access/person_json.h"
#include "api/call.h"
#include "api/handlers.h"
#include "base/clock.h"

enum { SECRET_TEXT_BYTES_MAX = 512 };

static void answer_secret(struct api_call *call, struct buffer *out)
{
	http_add_header(call->request, "Cache-Control", TEXT("no-store"));
	call_answer(call, 200, out);
}

static void fail(struct api_call *call, int64_t wait_ms, const struct error *err)
{
	call_add_retry_after(call, wait_ms);
	call_fail(call, err);
}

/* ---- One's own ---- */

static enum status write_state(struct api_call *call, struct buffer *out, struct error *err)
{
	struct factor_state state;
	enum status         status =
		second_factor_get(call->api->config.access, text_of(call->token.person_id), &state, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_bool(&w, "on", state.on);
	json_member_bool(&w, "pending", state.pending);
	json_member_int(&w, "recovery_codes_left", state.recovery_left);
	json_end_object(&w);
	return STATUS_OK;
}

static void get_step(struct api_call *call) { call_answer_written(call, write_state); }

void totp_get(struct api_call *call) { call_on_worker(call, get_step); }

/* `with_password`, `with_code`: the members that there must be. */
static enum status read_wish(struct api_call *call, bool with_password, bool with_code,
                             struct factor_wish *ret_wish, struct error *err)
{
	const char *known[3] = {NULL};
	struct json body;
	enum status status;
	size_t      count = 0;
	*ret_wish         = (struct factor_wish){.person_id  = text_of(call->token.person_id),
	                                         .session_id = text_of(call->token.id)};
	if (with_password)
		known[count++] = "password";
	if (with_code)
		known[count++] = "code";
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK)
		return status;
	/* Who comes by single sign-on has none. */
	if (with_password && (status = call_string(body, "password", true, 1, SECRET_TEXT_BYTES_MAX,
	                                           &ret_wish->password, err)) != STATUS_OK)
		return status;
	if (with_code)
		status = call_string(body, "code", false, 1, FACTOR_CODE_BYTES_MAX, &ret_wish->code, err);
	return status;
}

static void begin_step(struct api_call *call)
{
	struct factor_wish wish;
	char              *uri = arena_alloc(call->arena, FACTOR_URI_BYTES);
	char               secret[TOTP_SECRET_TEXT];
	int64_t            wait_ms = 0;
	struct error       err     = {0};
	enum status        status  = read_wish(call, true, false, &wish, &err);
	if (status == STATUS_OK)
		status = second_factor_begin(call->api->config.access, &wish, clock_wall_ms(),
		                             clock_monotonic_ms(), secret, uri, &wait_ms, &err);
	if (status != STATUS_OK) {
		fail(call, wait_ms, &err);
		return;
	}
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "secret", text_of(secret));
	json_member_string(&w, "otpauth_uri", text_of(uri));
	json_end_object(&w);
	answer_secret(call, &out);
}

void totp_begin(struct api_call *call) { call_on_password_worker(call, begin_step); }

static void confirm_step(struct api_call *call)
{
	struct factor_wish wish;
	char               codes[RECOVERY_CODES][RECOVERY_TEXT_BYTES];
	int64_t            wait_ms = 0;
	struct error       err     = {0};
	enum status        status  = read_wish(call, false, true, &wish, &err);
	if (status == STATUS_OK)
		status = second_factor_confirm(call->api->config.access, &wish, clock_wall_ms(),
		                               clock_monotonic_ms(), codes, &wait_ms, &err);
	if (status != STATUS_OK) {
		fail(call, wait_ms, &err);
		return;
	}
	guards_changed(call->api->guards);
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_add_key(&w, TEXT("recovery_codes"));
	json_begin_array(&w);
	for (unsigned i = 0; i < RECOVERY_CODES; i++)
		json_add_string(&w, text_of(codes[i]));
	json_end_array(&w);
	json_end_object(&w);
	answer_secret(call, &out);
}

void totp_confirm(struct api_call *call) { call_on_password_worker(call, confirm_step); }

static void end_step(struct api_call *call)
{
	struct factor_wish wish;
	int64_t            wait_ms = 0;
	struct error       err     = {0};
	enum status        status  = read_wish(call, true, true, &wish, &err);
	if (status == STATUS_OK)
		status = second_factor_end(call->api->config.access, &wish, clock_wall_ms(),
		                           clock_monotonic_ms(), &wait_ms, &err);
	call_add_retry_after(call, wait_ms);
	guards_answer(call, status, &err);
}

void totp_end(struct api_call *call) { call_on_password_worker(call, end_step); }

/* ---- Somebody else's ---- */

static void reset_step(struct api_call *call)
{
	struct text  id     = http_param(call->request, "id");
	struct error err    = {0};
	enum status  status = STATUS_OK;
	if (text_equal(id, text_of(call->token.person_id)))
		status = error_set(&err, STATUS_CONFLICT, "One's own is ended with a code of it");
	if (status == STATUS_OK)
		status = second_factor_reset(call->api->config.access, id, call->token.scopes, &err);
	guards_answer(call, status, &err);
}

void people_api_reset_totp(struct api_call *call) { call_on_worker(call, reset_step); }
