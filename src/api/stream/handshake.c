#include "api/stream/handshake.h"

#include "api/access/guards.h"
#include "api/call_audit.h"
#include "api/call_limit.h"
#include "base/clock.h"

/* `new WebSocket(url, ["sonnim.bearer.TOKEN"])`: the one thing that a browser lets a page send. */
static const struct text protocol = {"sonnim.bearer.", 14};

struct handshake {
	const char   *subprotocol; /* as offered; NULL: a ticket was used */
	struct text   token;
	call_step_fn *then;
};

static void allowed(struct api_call *call)
{
	const struct handshake *state = call->state;
	struct error            err;
	if (!call_limit_socket(call))
		return;
	if (token_check(&call->token, call->route->scope, clock_wall_ms(), &err) != STATUS_OK ||
	    call_audit_begin(call, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		state->then(call);
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

/* What the ticket was made with may be over by now. */
static void look_again(struct api_call *call)
{
	struct error err;
	if (tokens_recheck(call->api->tokens, &call->token, &err) != STATUS_OK)
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

bool handshake_credential(struct api_call *call, struct text *ret_credential)
{
	struct handshake state;
	struct text      header;
	if (http_query(call->request, "ticket", ret_credential))
		return true;
	if (!find_token(call, &state) && !(http_header(call->request, "Authorization", &header) &&
	                                   token_of_header(header, &state.token)))
		return false;
	*ret_credential = state.token;
	return true;
}

void handshake_begin(struct api_call *call, call_step_fn *then)
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
			call_on_worker(call, look_again);
			return;
		}
		if (call_move(call, ticket))
			return;
		error_set(&err, STATUS_UNAUTHORIZED, "The ticket is not known, was used, or is too old");
		call_fail(call, &err);
	} else if (find_token(call, state) || (http_header(call->request, "Authorization", &header) &&
	                                       token_of_header(header, &state->token))) {
		if (!call_move(call, state->token))
			call_on_worker(call, look_up);
	} else {
		error_set(&err, STATUS_UNAUTHORIZED,
		          "A token is needed: the subprotocol \"sonnim.bearer.TOKEN\", or ?ticket=");
		call_fail(call, &err);
	}
}

bool handshake_accept(struct api_call *call, struct websocket_options options)
{
	const struct handshake *state   = call->state;
	struct http_request    *request = call->request;
	struct guards          *guards  = call->api->guards;
	struct token            token   = call->token;
	enum scope              scope   = call->route->scope;
	options.subprotocol             = state->subprotocol;
	call_note_use(call);
	call_end(call);
	return guards_accept(guards, request, &options, &token, scope);
}
