/* GET /api/v1/sources/{id}/debug and /ws/sources/{id}/debug. */

#include "api/call_audit.h"
#include "api/collection/debugger.h"
#include "api/collection/sources.h"
#include "api/handlers.h"
#include "api/stream/handshake.h"
#include "ingest/source.h"

static enum status find(struct api_call *call, struct source **ret_source, struct error *err)
{
	uint32_t    number;
	enum status status = sources_find_number(call, &number, err);
	if (status == STATUS_OK)
		*ret_source = source_of(ingest_sources(call->api->config.ingest), number);
	return status;
}

/* Newest first, as far as the ring reaches: there are no further pages. */
static enum status write_newest(struct api_call *call, struct buffer *out, struct error *err)
{
	struct source      *source;
	struct debug_event *events;
	size_t              count, limit;
	enum status         status;
	if ((status = find(call, &source, err)) != STATUS_OK ||
	    (status = call_limit(call, &limit, err)) != STATUS_OK)
		return status;
	debug_read(source_debug(source), 0, limit, call->arena, &events, &count);
	struct json_parser *parser  = json_parser_new();
	struct journal     *journal = call->api->config.journal;
	struct json_writer  w       = call_begin_list(out);
	for (size_t i = count; i > 0; i--)
		debug_event_write(&w, parser, &events[i - 1], call_shows_personal(call),
		                  ingest_classes(call->api->config.ingest));
	call_end_list(&w, CURSOR_OFFSET, TEXT(""), (int64_t)count, journal->ops->log_time_ms(journal));
	json_parser_free(parser);
	return STATUS_OK;
}

static void newest_step(struct api_call *call) { call_answer_written(call, write_newest); }

void debugger_get(struct api_call *call) { call_on_worker(call, newest_step); }

static void watch_step(struct api_call *call)
{
	struct source *source;
	struct error   err;
	if (find(call, &source, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct debug_watcher *watcher =
		debug_watcher_new(call->api->debugger, source, call_shows_personal(call));
	const struct websocket_options options = {.overflow = WEBSOCKET_OVERFLOW_DROP,
	                                          .on_open  = debug_watcher_open,
	                                          .on_close = debug_watcher_close,
	                                          .user     = watcher};
	if (!handshake_accept(call, options))
		debug_watcher_free(watcher);
}

void debugger_watch(struct api_call *call) { handshake_begin(call, watch_step); }
