/* What the WebSockets of segments and users watch. */

#include "api/call.h"
#include "api/handlers.h"
#include "api/reads.h"
#include "api/stream/handshake.h"
#include "api/stream/live.h"

static void accept(struct api_call *call, struct watcher *watcher)
{
	const struct websocket_options options = {.overflow = WEBSOCKET_OVERFLOW_CLOSE,
	                                          .on_open  = watcher_open,
	                                          .on_close = watcher_close,
	                                          .user     = watcher};
	if (!handshake_accept(call, options))
		watcher_free(watcher);
}

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

void live_segment(struct api_call *call) { handshake_begin(call, watch_segment); }

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

void live_user(struct api_call *call) { handshake_begin(call, watch_user); }
