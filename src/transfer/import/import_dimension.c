#include "transfer/import/import_dimension.h"

#include <stdio.h>

#include "base/instant.h"
#include "base/json.h"
#include "engine/dimension/dimension_rows.h"

enum {
	BATCH_ROWS_MAX  = 4096,
	BATCH_BYTES_AIM = 256 << 10,
	PAUSE_MS_MIN    = 100,
	PAUSE_MS_MAX    = 5000,
};

void import_dimension_init(struct import_dimension              *feed,
                           const struct import_dimension_config *config)
{
	*feed           = (struct import_dimension){.config = *config, .parser = json_parser_new()};
	size_t most     = dimension_rows_bytes_max(config->engine);
	feed->bytes_max = most < BATCH_BYTES_AIM ? most : BATCH_BYTES_AIM;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->finished, NULL);
}

void import_dimension_done(struct import_dimension *feed)
{
	json_parser_free(feed->parser);
	buffer_done(&feed->rows);
	buffer_done(&feed->list);
	buffer_done(&feed->scratch);
	pthread_mutex_destroy(&feed->lock);
	pthread_cond_destroy(&feed->finished);
}

/* ---- Batches ---- */

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	struct import_dimension *feed = context;
	(void)log_time_ms;
	pthread_mutex_lock(&feed->lock);
	feed->status   = status;
	feed->position = position;
	if (status != STATUS_OK)
		feed->err = *err;
	feed->done = true;
	pthread_cond_signal(&feed->finished);
	pthread_mutex_unlock(&feed->lock);
}

static enum status append(struct import_dimension *feed, struct error *err)
{
	feed->done = false;
	enum status status =
		dimension_rows_append(feed->config.engine, feed->config.dimension, feed->count,
	                          buffer_text(&feed->rows), appended, feed, err);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&feed->lock);
	while (!feed->done)
		pthread_cond_wait(&feed->finished, &feed->lock);
	pthread_mutex_unlock(&feed->lock);
	if (feed->status != STATUS_OK)
		*err = feed->err;
	return feed->status;
}

/* Waits while the journal takes nothing: a full disk, a memory limit, a full queue. */
static enum status append_in_the_end(struct import_dimension *feed, struct error *err)
{
	int64_t pause_ms = PAUSE_MS_MIN;
	for (;;) {
		enum status status = append(feed, err);
		if (status == STATUS_FAILED)
			err->status = status = STATUS_UNAVAILABLE; /* until the server restarts */
		if (status == STATUS_OK || !status_retriable(status) || err->fatal)
			return status;
		if (!feed->config.wait(feed->config.context, pause_ms))
			return error_set(err, STATUS_AGAIN, "stopped");
		pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
	}
}

enum status import_dimension_flush(struct import_dimension *feed, struct error *err)
{
	enum status status = STATUS_OK;
	if (!feed->config.may_send(feed->config.context))
		return error_set(err, STATUS_AGAIN, "stopped");
	if (feed->count > 0 && !feed->config.trial)
		status = append_in_the_end(feed, err);
	if (status != STATUS_OK)
		return status;
	feed->config.report->accepted += feed->count;
	if (feed->position > feed->config.report->position)
		feed->config.report->position = feed->position;
	feed->safe  = feed->mark;
	feed->count = 0;
	buffer_clear(&feed->rows);
	return STATUS_OK;
}

/* ---- Rows ---- */

/* In feed->list, with its id; STATUS_INVALID with why there is none. */
static enum status read_row(struct import_dimension *feed, struct text row, struct text *ret_id,
                            struct error *err)
{
	const char *key = dimension_table(feed->config.dimension)->key;
	struct json root;
	buffer_clear(&feed->list);
	enum status status = json_parse_text(feed->parser, row, &root, err);
	if (status == STATUS_OK)
		status = dimension_row(feed->config.dimension, root, "", &feed->list, err);
	if (status == STATUS_OK)
		status = dimension_id(json_get(root, key), key, &feed->scratch, ret_id, err);
	return status;
}

static enum status refuse(struct import_dimension *feed, uint64_t line, const char *code,
                          struct text reason, struct text raw, struct error *err)
{
	import_report_reject(feed->config.report, line, text_of(code), reason);
	return feed->config.reject(feed->config.context, line, text_of(code), reason, raw, err);
}

enum status import_dimension_add(struct import_dimension *feed, uint64_t line, struct text row,
                                 struct text reason, struct text raw, struct import_mark mark,
                                 struct error *err)
{
	struct error wrong;
	struct text  id;
	char         why[ERROR_FIELD_BYTES_MAX + ERROR_REASON_BYTES_MAX + 4];
	enum status  status = STATUS_OK;
	import_report_row(feed->config.report, INSTANT_MS_NONE);
	if (reason.length > 0) {
		status = refuse(feed, line, "UNREADABLE_ROW", reason, raw, err);
	} else if (read_row(feed, row, &id, &wrong) != STATUS_OK) {
		snprintf(why, sizeof why, "%s: %s", wrong.field, wrong.reason);
		status = refuse(feed, line, "INVALID_ROW", text_of(why), raw, err);
	} else {
		size_t more = feed->list.length + id.length + 3 * VARINT_BYTES_MAX;
		if (feed->count > 0 && feed->rows.length + more > feed->bytes_max)
			status = import_dimension_flush(feed, err);
		dimension_add(&feed->rows, id, buffer_text(&feed->list));
		feed->count++;
	}
	feed->mark = mark;
	if (status == STATUS_OK && feed->count >= BATCH_ROWS_MAX)
		status = import_dimension_flush(feed, err);
	return status;
}
