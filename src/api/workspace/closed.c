#include "api/workspace/closed.h"

#include <string.h>

#include "api/handlers.h"
#include "api/stream/handshake.h"
#include "api/workspace/workspaces.h"

/* ---- Credentials ---- */

static void refuse(struct api_call *call, const char *reason)
{
	struct error err;
	error_set(&err, STATUS_UNAUTHORIZED, "%s", reason);
	call_fail(call, &err);
}

/* Whether its store may know it. */
static bool may_know(const struct api_call *call, struct text credential)
{
	char code[WORKSPACE_CODE_BYTES];
	return !text_starts_with(credential, TEXT(TICKET_PREFIX)) &&
	       credential_code(credential, code) && strcmp(code, call->closed->code) == 0;
}

void closed_serve_credential(struct api_call *call, struct text credential)
{
	if (may_know(call, credential))
		call_open(call);
	else if (call->route->access == ACCESS_WRITE_KEY)
		refuse(call, "No source has this write key");
	else
		refuse(call, "The token or ticket is not known");
}

static void serve_bearer(struct api_call *call)
{
	struct text header, token;
	if (http_header(call->request, "Authorization", &header) && token_of_header(header, &token))
		closed_serve_credential(call, token);
	else
		refuse(call, "A token is needed: \"Authorization: Bearer TOKEN\"");
}

static void serve_socket(struct api_call *call)
{
	struct text credential;
	if (handshake_credential(call, &credential))
		closed_serve_credential(call, credential);
	else
		refuse(call, "A token is needed: the subprotocol \"sonnim.bearer.TOKEN\", or ?ticket=");
}

/* ---- What nobody has to show anything for ---- */

static void answer_health(struct api_call *call, bool fails)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "status", fails ? TEXT("failed") : TEXT("closed"));
	json_end_object(&w);
	call_answer(call, fails ? 503 : 200, &out);
}

static void answer_keys(struct api_call *call)
{
	struct buffer out = {0};
	buffer_add_text(&out, call->closed->public_keys);
	http_add_header(call->request, "Cache-Control", TEXT("public, max-age=300"));
	call_answer(call, 200, &out);
}

static void serve_settings(struct api_call *call)
{
	struct error err;
	if (may_know(call, http_param(call->request, "writeKey"))) {
		call_open(call);
	} else {
		error_set(&err, STATUS_NOT_FOUND, "No source has this write key");
		call_fail(call, &err);
	}
}

static void serve_public(struct api_call *call)
{
	api_handler_fn *handler = call->route->handler;
	if (handler == health_live || handler == events_health)
		answer_health(call, false);
	else if (handler == health_ready)
		answer_health(call, call->closed->failed);
	else if (handler == openapi_get || handler == collect_metrics)
		handler(call);
	else if (handler == collect_settings)
		serve_settings(call);
	else if (handler == jwks_get && call->closed->public_keys.data != NULL)
		answer_keys(call);
	else
		call_open(call);
}

void closed_serve(struct api_call *call)
{
	switch (call->route->access) {
	case ACCESS_PUBLIC:
		serve_public(call);
		return;
	case ACCESS_WRITE_KEY: /* which finds the key and comes back with it */
		call->route->handler(call);
		return;
	case ACCESS_TOKEN:
	case ACCESS_PERSON:
		serve_bearer(call);
		return;
	case ACCESS_SOCKET:
		serve_socket(call);
		return;
	}
}
