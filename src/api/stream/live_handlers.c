/* The handshake of the WebSockets: who asks (a token in the subprotocol, or a ticket) and what
 * for. */

#include "api/call.h"
#include "api/handlers.h"
#include "api/stream/live.h"
#include "api/reads.h"
#include "base/clock.h"

/* `new WebSocket(url, ["sonnim.bearer.TOKEN"])`: the one thing that a browser lets a page send. */
static const struct text protocol = {"sonnim.bearer.", 14};

struct handshake {
	const char   *subprotocol; /* as offered; NULL: a ticket was used */
	struct text   token;
	call_step_fn *then;
};

static void accept(struct api_call *call, struct watcher *watcher)
{
	const struct handshake        *state   = call->state;
	const struct websocket_options options = {.subprotocol = state->subprotocol,
	                                          .overflow    = WEBSOCKET_OVERFLOW_CLOSE,
	                                          .on_open     = watcher_open,
	                                          .on_close    = watcher_close,
	                                          .user        = watcher};
	struct http_request           *request = call->request;
	call_end(call);
	if (!websocket_accept(request, &options))
		watcher_free(watcher);
}

/* ---- Who asks ---- */

static void allowed(struct api_call *call)
{
	const struct handshake *state = call->state;
	struct error            err;
	if (token_check(&call->token, call->route->scope, clock_wall_ms(), &err) != STATUS_OK)
		call_fail(call, &err);
	else
		call_on_worker(call, state->then);
}

static void look_up(struct api_call *call)
{
	const struct handshake *state = call->state;
	struct error            err;
	if (tokens_look_up(call->api->tokens, state->token, &call->token, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		allowed(call);
}

static bool find_token(struct api_call *call, struct handshake *state)
{
	struct text name;
	for (unsigned i = 0; websocket_offer_at(call->request, i, &name); i++)
		if (text_starts_with(name, protocol)) {
			struct text kept   = arena_text(call->arena, name);
			state->subprotocol = kept.data;
			state->token =
				(struct text){kept.data + protocol.length, kept.length - protocol.length};
			return true;
		}
	return false;
}

static void shake(struct api_call *call, call_step_fn *then)
{
	struct handshake *state = ARENA_NEW(call->arena, struct handshake);
	struct text       ticket, header;
	struct error      err;
	call->state = state;
	state->then = then;
	if (!websocket_requested(call->request)) {
		error_set(&err, STATUS_INVALID, "This path is a WebSocket");
		call_fail(call, &err);
	} else if (http_query(call->request, "ticket", &ticket)) {
		if (tickets_take(call->api->tickets, ticket, clock_wall_ms(), &call->token)) {
			allowed(call);
			return;
		}
		error_set(&err, STATUS_UNAUTHORIZED, "The ticket is not known, was used, or is too old");
		call_fail(call, &err);
	} else if (find_token(call, state) || (http_header(call->request, "Authorization", &header) &&
	                                       token_of_header(header, &state->token))) {
		call_on_worker(call, look_up);
	} else {
		error_set(&err, STATUS_UNAUTHORIZED,
		          "A token is needed: the subprotocol \"sonnim.bearer.TOKEN\", or ?ticket=");
		call_fail(call, &err);
	}
}

/* ---- What for ---- */

static void watch_segment(struct api_call *call)
{
	struct definition definition;
	struct error      err;
	enum status       status = reads_segment(call, &definition, &err);
	if (status == STATUS_OK && (definition.segment.live_version == 0 || !definition.segment.active))
		status = reads_not_live(&definition, &err);
	if (status != STATUS_OK)
		call_fail(call, &err);
	else
		accept(call, watcher_of_segment(call->api->live, definition.segment.number,
		                                text_of(definition.segment.id)));
}

void live_segment(struct api_call *call) { shake(call, watch_segment); }

static void watch_user(struct api_call *call)
{
	struct reads_user user;
	struct vault_id   id;
	struct error      err;
	if (reads_user(call, &user, &err) != STATUS_OK ||
	    vault_external_id(call->api->config.vault, user.person, call->arena, &id, &err) !=
	        STATUS_OK)
		call_fail(call, &err);
	else
		accept(call,
		       watcher_of_user(call->api->live, user.person, id.namespace == VAULT_USER, id.id));
}

void live_user(struct api_call *call) { shake(call, watch_user); }
