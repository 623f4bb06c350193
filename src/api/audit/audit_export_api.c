/* GET /api/v1/audit/export: all records that a search finds, the oldest first, as JSON Lines, which
 * are the lines of the trail as they stand there, or as CSV. Written while it is sent, on a thread
 * of its own; the number of such threads is limited. */

#include "api/audit/audit_api.h"

#include <stdlib.h>

#include "api/handlers.h"
#include "base/log.h"

enum { PIECE_BYTES = 64 << 10 };

struct audit_export {
	struct api         *api;
	struct http_stream *stream;
	struct audit_query  query;
	audit_file_list     files;
	struct arena        arena;  /* of the query's texts: the request's is gone */
	struct json_parser *parser; /* of CSV; NULL: JSON Lines */
	struct buffer       piece;
	char                trace_id[33];
};

static bool flush(struct audit_export *export)
{
	bool taken = http_stream_write(export->stream, &export->piece) &&
	             !atomic_load_explicit(&export->api->stopped, memory_order_relaxed);
	buffer_clear(&export->piece);
	return taken;
}

static bool take(void *context, struct text line)
{
	struct audit_export *export = context;
	struct json  root;
	struct error ignored;
	if (export->parser == NULL) {
		buffer_add_text(&export->piece, line);
		buffer_add(&export->piece, "\n", 1);
	} else if (json_parse_text(export->parser, line, &root, &ignored) == STATUS_OK) {
		audit_csv_row(root, &export->piece);
	}
	return export->piece.length < PIECE_BYTES || flush(export);
}

static void *run(void *context)
{
	struct audit_export *export = context;
	struct api  *api            = export->api;
	struct error err            = {0};
	if (export->parser != NULL)
		audit_csv_head(&export->piece);
	enum status status = audit_each(audit_directory(api->config.audit), &export->files,
	                                &export->query, take, export, &err);
	if (export->piece.length > 0)
		flush(export);
	http_stream_end(export->stream, status == STATUS_OK);
	if (status != STATUS_OK) {
		log_trace_set(export->trace_id);
		log_error("an export of the audit trail ended amidst its records", &err);
		log_trace_set(NULL);
	}
	VECTOR_DONE(&export->files);
	json_parser_free(export->parser);
	buffer_done(&export->piece);
	arena_done(&export->arena);
	free(export);
	atomic_fetch_sub(&api->audit_export_count, 1);
	atomic_fetch_sub(&api->in_flight, 1);
	return NULL;
}

static enum status read_format(struct api_call *call, bool *ret_csv, struct error *err)
{
	struct text format;
	*ret_csv = http_query(call->request, "format", &format) && text_equal(format, TEXT("csv"));
	if (!*ret_csv && http_query(call->request, "format", &format) &&
	    !text_equal(format, TEXT("jsonl")))
		return error_set_field(err, STATUS_INVALID, "format", "It must be csv or jsonl");
	return STATUS_OK;
}

static struct audit_export *make(struct api_call *call, const struct audit_query *query, bool csv)
{
	struct audit_export *export = calloc(1, sizeof *export);
	if (export == NULL)
		abort();
	arena_init(&export->arena);
	export->api          = call->api;
	export->query        = *query;
	export->query.actor  = arena_text(&export->arena, query->actor);
	export->query.action = arena_text(&export->arena, query->action);
	export->query.target = arena_text(&export->arena, query->target);
	export->parser       = csv ? json_parser_new() : NULL;
	memcpy(export->trace_id, http_trace_id(call->request), sizeof export->trace_id);
	return export;
}

/* The record of the export comes before its first byte. */
static void begin(struct api_call *call, struct audit_export *export, bool csv)
{
	struct http_request *request = call->request;
	http_add_header(request, "X-Content-Type-Options", TEXT("nosniff"));
	http_add_header(request, "Content-Disposition",
	                csv ? TEXT("attachment; filename=\"audit.csv\"")
	                    : TEXT("attachment; filename=\"audit.jsonl\""));
	atomic_fetch_add(&call->api->in_flight, 1);
	call_end(call);
	export->stream =
		http_respond_stream(request, 200, csv ? "text/csv; charset=utf-8" : "application/x-ndjson");
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, export) != 0)
		abort();
	pthread_detach(thread);
}

static void export_step(struct api_call *call)
{
	struct api        *api = call->api;
	struct audit_query query;
	struct error       err;
	bool               csv;
	enum status        status = audit_api_query(call, &query, &err);
	if (status == STATUS_OK)
		status = read_format(call, &csv, &err);
	if (status == STATUS_OK &&
	    atomic_fetch_add(&api->audit_export_count, 1) >= API_AUDIT_EXPORTS_MAX) {
		atomic_fetch_sub(&api->audit_export_count, 1);
		status = error_set(&err, STATUS_LIMITED, "%d exports of the audit trail are on their way",
		                   API_AUDIT_EXPORTS_MAX);
	}
	if (status != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	struct audit_export *export = make(call, &query, csv);
	audit_snapshot(api->config.audit, &export->files);
	begin(call, export, csv);
}

void audit_export(struct api_call *call) { call_on_worker(call, export_step); }
