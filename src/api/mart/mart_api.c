/* GET /api/v1/mart/{table}: a table of the data mart, made while it is sent. Each answer has a
 * thread of its own, which waits for the engine and for the client; their number is limited. */

#include "mart/mart.h"

#include <stdlib.h>

#include "api/call_audit.h"
#include "api/handlers.h"
#include "base/log.h"
#include "http/server.h"

struct mart_answer {
	struct api         *api;
	struct api_call    *call; /* until the answer begins */
	struct mart_wish    wish;
	struct http_stream *stream; /* from then on */
	char                trace_id[33];
};

static void begin_answer(struct mart_answer *answer)
{
	struct api_call     *call    = answer->call;
	struct http_request *request = call->request;
	http_add_header(request, "X-Content-Type-Options", TEXT("nosniff"));
	call_end(call);
	answer->call   = NULL;
	answer->stream = http_respond_stream(
		request, 200, answer->wish.csv ? "text/csv; charset=utf-8" : "application/x-ndjson");
}

static bool write_piece(void *context, struct buffer *piece)
{
	struct mart_answer *answer = context;
	if (answer->stream == NULL)
		begin_answer(answer);
	return http_stream_write(answer->stream, piece) &&
	       !atomic_load_explicit(&answer->api->stopped, memory_order_relaxed);
}

static void *run(void *context)
{
	struct mart_answer *answer = context;
	struct api         *api    = answer->api;
	struct error        err    = {0};
	enum status         status = mart_write(&answer->wish, write_piece, answer, &err);
	if (status != STATUS_OK && answer->stream == NULL) {
		call_fail(answer->call, &err);
	} else {
		if (answer->stream == NULL)
			begin_answer(answer); /* there are no rows */
		http_stream_end(answer->stream, status == STATUS_OK);
		if (status != STATUS_OK && status != STATUS_UNAVAILABLE) {
			log_trace_set(answer->trace_id);
			log_error("a table of the mart ended amidst its rows", &err);
			log_trace_set(NULL);
		}
	}
	free(answer);
	atomic_fetch_sub(&api->mart_count, 1);
	atomic_fetch_sub(&api->in_flight, 1);
	return NULL;
}

/* ?format=, else what Accept asks for, else JSON Lines. */
static enum status read_format(struct api_call *call, bool *ret_csv, struct error *err)
{
	struct text text;
	if (http_query(call->request, "format", &text)) {
		*ret_csv = text_equal(text, TEXT("csv"));
		if (!*ret_csv && !text_equal(text, TEXT("jsonl")))
			return error_set_field(err, STATUS_INVALID, "format", "It must be csv or jsonl");
		return STATUS_OK;
	}
	*ret_csv =
		http_header(call->request, "Accept", &text) && text_starts_with(text, TEXT("text/csv"));
	return STATUS_OK;
}

static enum status read_wish(struct api_call *call, struct mart_wish *wish, struct error *err)
{
	const struct api_config *config  = &call->api->config;
	struct journal          *journal = config->journal;
	wish->engine                     = config->engine;
	wish->vault                      = config->vault;
	wish->partition_count            = config->partition_count;
	wish->table                      = mart_table_of(http_param(call->request, "table"));
	wish->masked                     = !call_shows_personal(call);
	wish->position                   = journal->ops->position(journal);
	wish->as_of_ms                   = journal->ops->log_time_ms(journal);
	if (call->min_position > wish->position)
		wish->position = call->min_position;
	if (wish->table == MART_TABLE_COUNT)
		return error_set(err, STATUS_NOT_FOUND, "There is no such table in the mart");
	enum status status = call_query_flag(call, "keepFormulas", &wish->keep_formulas, err);
	return status == STATUS_OK ? read_format(call, &wish->csv, err) : status;
}

static enum status start(struct api_call *call, const struct mart_wish *wish, struct error *err)
{
	struct api *api = call->api;
	if (atomic_fetch_add(&api->mart_count, 1) >= API_MART_ANSWERS_MAX) {
		atomic_fetch_sub(&api->mart_count, 1);
		return error_set(err, STATUS_LIMITED, "%d tables are being read already",
		                 API_MART_ANSWERS_MAX);
	}
	struct mart_answer *answer = calloc(1, sizeof *answer);
	if (answer == NULL)
		abort();
	*answer = (struct mart_answer){.api = api, .call = call, .wish = *wish};
	memcpy(answer->trace_id, http_trace_id(call->request), sizeof answer->trace_id);
	atomic_fetch_add(&api->in_flight, 1);
	call_suspend(call);
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, answer) != 0)
		abort();
	pthread_detach(thread);
	return STATUS_OK;
}

void mart_get(struct api_call *call)
{
	struct mart_wish wish;
	struct error     err;
	if (read_wish(call, &wish, &err) != STATUS_OK || start(call, &wish, &err) != STATUS_OK)
		call_fail(call, &err);
}
