#include "transfer/import/import_feed.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/source.h"
#include "model/record.h"

enum { PAUSE_MS_MIN = 100, PAUSE_MS_MAX = 5000 };

enum batch_state { BATCH_FILLING, BATCH_SENT, BATCH_FINISHED };

struct feed_batch {
	struct import_feed *feed;
	enum batch_state    state; /* under the feed's lock while SENT */
	struct buffer       body;
	struct buffer       texts; /* of the rows, and reasons, one behind the other */
	VECTOR(struct feed_row {
		uint64_t line;
		int64_t  time_ms;
		size_t   row_end;
		size_t   reason_end;
	})
	rows;
	uint32_t           message_count; /* rows without a reason */
	struct import_mark mark;

	/* What came of it. */
	enum status  status;
	struct error err;
	uint64_t     position;
	VECTOR(struct ingest_rejection) rejected;
	struct arena reasons; /* of them */
};

/* ---- Life ---- */

void import_feed_init(struct import_feed *feed, const struct import_feed_config *config)
{
	*feed = (struct import_feed){.config = *config, .thread = ingest_thread_new(config->ingest)};
	feed->batches = calloc(FEED_BATCHES, sizeof *feed->batches);
	if (feed->batches == NULL)
		abort();
	for (unsigned i = 0; i < FEED_BATCHES; i++) {
		feed->batches[i].feed = feed;
		arena_init(&feed->batches[i].reasons);
	}
	if (config->source_number != SOURCE_OF_API)
		feed->planned = source_of(ingest_sources(config->ingest), config->source_number);
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->finished, NULL);
}

static struct feed_batch *batch_at(struct import_feed *feed, uint64_t number)
{
	return &feed->batches[number % FEED_BATCHES];
}

static void wait_finished(struct import_feed *feed, const struct feed_batch *batch)
{
	pthread_mutex_lock(&feed->lock);
	while (batch->state == BATCH_SENT)
		pthread_cond_wait(&feed->finished, &feed->lock);
	pthread_mutex_unlock(&feed->lock);
}

void import_feed_done(struct import_feed *feed)
{
	for (unsigned i = 0; i < FEED_BATCHES; i++) {
		struct feed_batch *batch = &feed->batches[i];
		wait_finished(feed, batch);
		buffer_done(&batch->body);
		buffer_done(&batch->texts);
		VECTOR_DONE(&batch->rows);
		VECTOR_DONE(&batch->rejected);
		arena_done(&batch->reasons);
	}
	free(feed->batches);
	ingest_thread_free(feed->thread);
	pthread_cond_destroy(&feed->finished);
	pthread_mutex_destroy(&feed->lock);
}

/* ---- Sending ---- */

/* On the journal's or the vault's thread, or before ingest_submit() returns. */
static void finished(void *context, const struct ingest_result *result)
{
	struct feed_batch  *batch = context;
	struct import_feed *feed  = batch->feed;
	pthread_mutex_lock(&feed->lock);
	batch->status         = result->status;
	batch->position       = result->position;
	batch->rejected.count = 0;
	arena_reset(&batch->reasons);
	if (result->status != STATUS_OK)
		batch->err = *result->err;
	for (size_t i = 0; result->status == STATUS_OK && i < result->rejected_count; i++) {
		struct ingest_rejection rejection = result->rejected[i];
		rejection.reason = arena_text(&batch->reasons, ingest_rejection_reason(&rejection));
		VECTOR_ADD(&batch->rejected, rejection);
	}
	batch->state = BATCH_FINISHED;
	pthread_cond_signal(&feed->finished);
	pthread_mutex_unlock(&feed->lock);
}

static enum status send(struct feed_batch *batch, struct error *err)
{
	struct import_feed   *feed    = batch->feed;
	struct ingest_request request = {.kind          = INGEST_BATCH,
	                                 .source_number = feed->config.source_number,
	                                 .done          = finished,
	                                 .context       = batch,
	                                 .planned       = feed->planned};
	enum status status = ingest_parse(feed->thread, batch->body.data, batch->body.length, err);
	if (status != STATUS_OK)
		return error_set(err, STATUS_INTERNAL, "rows became no JSON");
	batch->state = BATCH_SENT;
	if (feed->config.trial)
		ingest_check(feed->thread, &request);
	else
		ingest_submit(feed->thread, &request);
	return STATUS_OK;
}

/* ---- Collecting ---- */

static struct text part(const struct feed_batch *batch, size_t begin, size_t end)
{
	return (struct text){batch->texts.data + begin, end - begin};
}

static enum status refuse_row(struct feed_batch *batch, size_t index, struct text code,
                              struct text reason, struct error *err)
{
	struct import_feed    *feed  = batch->feed;
	const struct feed_row *row   = &batch->rows.items[index];
	size_t                 begin = index > 0 ? batch->rows.items[index - 1].reason_end : 0;
	import_report_reject(feed->config.report, row->line, code, reason);
	return feed->config.reject(feed->config.context, row->line, code, reason,
	                           part(batch, begin, row->row_end), err);
}

/* Every row is told of, in order. */
static enum status tell(struct feed_batch *batch, struct error *err)
{
	struct import_report *report  = batch->feed->config.report;
	uint32_t              message = 0;
	size_t                next    = 0; /* rejection */
	enum status           status  = STATUS_OK;
	for (size_t i = 0; status == STATUS_OK && i < batch->rows.count; i++) {
		const struct feed_row *row = &batch->rows.items[i];
		import_report_row(report, row->time_ms);
		if (row->reason_end > row->row_end) {
			status = refuse_row(batch, i, TEXT("UNREADABLE_ROW"),
			                    part(batch, row->row_end, row->reason_end), err);
		} else if (next < batch->rejected.count && batch->rejected.items[next].index == message) {
			const struct ingest_rejection *rejection = &batch->rejected.items[next];
			status = refuse_row(batch, i, text_of(ingest_code_name(rejection->code)),
			                    rejection->reason, err);
			next++;
			message++;
		} else {
			report->accepted++;
			message++;
		}
	}
	if (batch->position > report->position)
		report->position = batch->position;
	return status;
}

static void reset(struct feed_batch *batch)
{
	batch->state = BATCH_FILLING;
	buffer_clear(&batch->body);
	buffer_clear(&batch->texts);
	batch->rows.count     = 0;
	batch->rejected.count = 0;
	batch->message_count  = 0;
	batch->position       = 0;
	batch->status         = STATUS_OK;
}

/* Sends again what was not taken, in order, once nothing is under way: rows of one person keep
 * theirs. What was taken stays so: all rows bear message ids. */
static enum status send_again(struct import_feed *feed, struct error *err)
{
	int64_t pause_ms = PAUSE_MS_MIN;
	for (uint64_t number = feed->collected; number < feed->made; number++)
		wait_finished(feed, batch_at(feed, number));
	for (uint64_t number = feed->collected; number < feed->made;) {
		struct feed_batch *batch = batch_at(feed, number);
		if (batch->status == STATUS_OK) {
			number++;
			continue;
		}
		if (!status_retriable(batch->status)) {
			*err = batch->err;
			/* After a failed write nothing is taken until the server restarts: then this goes
			 * on. */
			err->status = batch->status == STATUS_FAILED ? STATUS_UNAVAILABLE : batch->status;
			return err->status;
		}
		if (!feed->config.wait(feed->config.context, pause_ms))
			return error_set(err, STATUS_AGAIN, "stopped");
		pause_ms           = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
		enum status status = send(batch, err);
		if (status != STATUS_OK)
			return status;
		wait_finished(feed, batch);
	}
	return STATUS_OK;
}

/* The oldest one. */
static enum status collect(struct import_feed *feed, struct error *err)
{
	struct feed_batch *batch = batch_at(feed, feed->collected);
	wait_finished(feed, batch);
	if (batch->status != STATUS_OK) {
		enum status status = send_again(feed, err);
		if (status != STATUS_OK)
			return status;
	}
	enum status status = tell(batch, err);
	if (status != STATUS_OK)
		return status;
	feed->safe = batch->mark;
	feed->collected++;
	reset(batch);
	return STATUS_OK;
}

static bool is_finished(struct import_feed *feed, const struct feed_batch *batch)
{
	pthread_mutex_lock(&feed->lock);
	bool is = batch->state == BATCH_FINISHED;
	pthread_mutex_unlock(&feed->lock);
	return is;
}

/* Closes the batch that is filled and makes room for the next. */
static enum status send_filled(struct import_feed *feed, struct error *err)
{
	struct feed_batch *batch  = batch_at(feed, feed->made);
	enum status        status = STATUS_OK;
	if (!feed->config.may_send(feed->config.context))
		return error_set(err, STATUS_AGAIN, "stopped");
	if (batch->message_count > 0) {
		buffer_add_text(&batch->body, TEXT("]}"));
		buffer_reserve(&batch->body, JSON_PADDING_BYTES);
		status = send(batch, err);
	} else {
		batch->state = BATCH_FINISHED;
	}
	if (status != STATUS_OK)
		return status;
	feed->made++;
	while (status == STATUS_OK && feed->collected < feed->made &&
	       (feed->made - feed->collected == FEED_BATCHES ||
	        is_finished(feed, batch_at(feed, feed->collected))))
		status = collect(feed, err);
	return status;
}

/* ---- Rows ---- */

static void add_message(struct feed_batch *batch, struct text message)
{
	buffer_add_text(&batch->body, batch->message_count++ == 0 ? TEXT("{\"batch\":[") : TEXT(","));
	buffer_add_text(&batch->body, message);
}

enum status import_feed_add(struct import_feed *feed, uint64_t line, int64_t time_ms,
                            struct text message, struct text reason, struct text row,
                            struct import_mark mark, struct error *err)
{
	struct feed_batch *batch = batch_at(feed, feed->made);
	if (message.length > FEED_MESSAGE_BYTES_MAX) {
		message.length = 0;
		reason         = text_of(ingest_code_message(INGEST_EVENT_TOO_LARGE));
	}
	assert((message.length > 0) != (reason.length > 0));
	if (message.length > 0)
		add_message(batch, message);
	buffer_add_text(&batch->texts, row);
	size_t row_end = batch->texts.length;
	buffer_add_text(&batch->texts, reason);
	VECTOR_ADD(&batch->rows, (struct feed_row){line, time_ms, row_end, batch->texts.length});
	batch->mark = mark;
	if (batch->rows.count < FEED_ROWS_MAX && batch->body.length < FEED_BODY_BYTES_AIM &&
	    batch->texts.length < FEED_RAW_BYTES_AIM)
		return STATUS_OK;
	return send_filled(feed, err);
}

enum status import_feed_flush(struct import_feed *feed, struct error *err)
{
	enum status status = STATUS_OK;
	if (batch_at(feed, feed->made)->rows.count > 0)
		status = send_filled(feed, err);
	while (status == STATUS_OK && feed->collected < feed->made)
		status = collect(feed, err);
	return status;
}
