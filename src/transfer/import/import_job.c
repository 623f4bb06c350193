#include "transfer/import/import_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "transfer/import/import_dimension.h"
#include "transfer/import/import_feed.h"
#include "transfer/import/import_infer.h"
#include "transfer/import/import_plan.h"
#include "transfer/import/import_sort.h"

enum {
	LAG_PAUSE_MS   = 20,
	LAG_ASK_EVERY  = 8,       /* batches */
	DIGEST_BYTES   = 1 << 20, /* read at a time */
	ROWS_ASK_EVERY = 1024,    /* between two questions whether to stop, where nothing is sent */
	REJECTED_AIM   = 1 << 20, /* written at a time */
};

enum phase { PHASE_READ, PHASE_MERGE, PHASE_DONE };

struct import {
	struct transfer        *transfer;
	struct job             *job;
	struct import_plan      plan;
	struct import_input    *input;
	struct import_rows      rows;
	struct import_feed      feed;
	struct import_dimension dimension; /* in its place, where the plan names one */
	struct import_report    report;
	struct import_infer     infer;
	struct import_sort      sort;
	struct buffer           message;
	struct error            row_error; /* why there is none */
	struct buffer           ignored;
	struct buffer           rejected; /* rows to be written */
	int                     rejected_fd;
	uint64_t                rejected_bytes; /* of the file */
	char                    rejected_path[JOB_PATH_BYTES];
	char                    directory[JOB_PATH_BYTES];
	bool                    trial;
	bool                    by_time;
	unsigned                sent;
	enum phase              phase;
	struct import_mark      from; /* where to go on */
	uint32_t                run_count;
};

/* ---- Parameters ---- */

static uint64_t number_of(struct json object, const char *name, uint64_t otherwise)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_INT && json_int(value) >= 0 ? json_uint(value) : otherwise;
}

static struct text text_of_member(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : TEXT("");
}

static enum status check(void *context, struct json params, struct error *err)
{
	static const char *const members[] = {"file", "mapping", "dryRun", "source", "sourceNumber"};
	(void)context;
	for (struct json_iterator i = json_iterate(params); json_next(&i);) {
		bool known = false;
		for (size_t m = 0; m < sizeof members / sizeof members[0]; m++)
			known = known || text_equal(i.name, text_of(members[m]));
		if (!known)
			return error_set_field(err, STATUS_INVALID, "params", "\"%.*s\" is not known",
			                       TEXT_FORMAT(i.name));
	}
	if (json_type(json_get(params, "file")) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "params.file",
		                       "an import is made by POST /api/v1/imports, with a file");
	struct import_plan plan;
	struct text        name = text_of_member(json_get(params, "file"), "name");
	enum status        status =
		import_plan_init(&plan, json_get(params, "mapping"), name, "params.mapping", err);
	import_plan_done(&plan);
	return status;
}

/* ---- Rejected rows ---- */

static enum status write_rejected(struct import *import, struct error *err)
{
	struct text text   = buffer_text(&import->rejected);
	enum status status = file_write_at(import->rejected_fd, text.data, text.length,
	                                   import->rejected_bytes, import->rejected_path, err);
	if (status == STATUS_OK)
		import->rejected_bytes += text.length;
	buffer_clear(&import->rejected);
	return status;
}

static enum status reject(void *context, uint64_t line, struct text code, struct text reason,
                          struct text row, struct error *err)
{
	struct import     *import = context;
	struct json_writer writer = json_writer_of(&import->rejected);
	json_begin_object(&writer);
	json_member_int(&writer, "line", (int64_t)line);
	json_member_string(&writer, "code", code);
	json_member_string(&writer, "reason", reason);
	json_member_string(&writer, "row", row);
	json_end_object(&writer);
	buffer_add_u8(&import->rejected, '\n');
	return import->rejected.length < REJECTED_AIM ? STATUS_OK : write_rejected(import, err);
}

static enum status open_rejected(struct import *import, struct error *err)
{
	enum status status = job_file_path(import->job, IMPORT_REJECTED, import->rejected_path, err);
	if (status != STATUS_OK)
		return status;
	import->rejected_fd = open(import->rejected_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (import->rejected_fd < 0 ||
	    ftruncate(import->rejected_fd, (off_t)import->rejected_bytes) != 0)
		return file_error(err, errno, "cannot write", import->rejected_path);
	return STATUS_OK;
}

/* ---- State ---- */

static void write_state(const struct import *import, const struct import_mark *mark,
                        struct buffer *out)
{
	struct json_writer writer = json_writer_of(out);
	json_begin_object(&writer);
	json_member_int(&writer, "phase", import->phase);
	json_member_int(&writer, "offset", (int64_t)mark->place.offset);
	json_member_int(&writer, "nextLine", (int64_t)mark->place.line);
	json_member_int(&writer, "runs", import->run_count);
	json_add_key(&writer, TEXT("timeMs"));
	json_add_int(&writer, mark->time_ms);
	json_member_int(&writer, "line", (int64_t)mark->line);
	json_member_int(&writer, "rejectedBytes", (int64_t)import->rejected_bytes);
	if (import->phase == PHASE_DONE)
		json_member_string(&writer, "ignored", buffer_text(&import->ignored));
	json_add_key(&writer, TEXT("report"));
	json_begin_object(&writer);
	import_report_write(&import->report, &writer);
	json_end_object(&writer);
	json_end_object(&writer);
}

static enum status read_state(struct import *import, struct error *err)
{
	struct text text = job_state(import->job);
	struct json state;
	if (text.length == 0)
		return STATUS_OK;
	enum status status = json_parse_text(import->plan.map.parser, text, &state, err);
	if (status != STATUS_OK)
		return error_set(err, STATUS_CORRUPT, "the saved state cannot be read");
	struct json time_ms       = json_get(state, "timeMs");
	import->phase             = (enum phase)number_of(state, "phase", PHASE_READ);
	import->from.place.offset = number_of(state, "offset", 0);
	import->from.place.line   = number_of(state, "nextLine", 0);
	import->run_count         = (uint32_t)number_of(state, "runs", 0);
	import->from.line         = number_of(state, "line", 0);
	import->from.time_ms      = json_type(time_ms) == JSON_INT ? json_int(time_ms) : INT64_MIN;
	import->rejected_bytes    = number_of(state, "rejectedBytes", 0);
	import_report_read(&import->report, json_get(state, "report"));
	if (import->phase == PHASE_DONE)
		buffer_add_text(&import->ignored, text_of_member(state, "ignored"));
	return STATUS_OK;
}

static enum status sync_rejected(struct import *import, struct error *err)
{
	enum status status = write_rejected(import, err);
	if (status == STATUS_OK && fdatasync(import->rejected_fd) != 0)
		status = file_error(err, errno, "cannot sync", import->rejected_path);
	return status;
}

/* Everything up to the mark is safe: rejected rows first. */
static enum status save(struct import *import, const struct import_mark *mark, struct error *err)
{
	struct buffer state  = {0};
	enum status   status = sync_rejected(import, err);
	if (status != STATUS_OK)
		return status;
	write_state(import, mark, &state);
	status = job_save(import->job, buffer_text(&state), err);
	buffer_done(&state);
	return status;
}

/* ---- Pace ---- */

static void wait_for_engine(struct import *import)
{
	for (;;) {
		struct engine_status status;
		engine_status(import->transfer->engine, &status);
		if (status.failed || status.journal_position < status.applied_position + IMPORT_LAG_MAX ||
		    job_stopping(import->job) != JOB_GO_ON)
			return;
		job_sleep_ms(import->job, LAG_PAUSE_MS);
	}
}

static bool may_send(void *context)
{
	struct import *import = context;
	if (!import->trial && import->sent++ % LAG_ASK_EVERY == 0)
		wait_for_engine(import);
	return job_stopping(import->job) == JOB_GO_ON;
}

static bool wait_a_while(void *context, int64_t duration_ms)
{
	struct import *import = context;
	job_sleep_ms(import->job, duration_ms);
	return job_stopping(import->job) == JOB_GO_ON;
}

static enum status stopped(struct error *err) { return error_set(err, STATUS_AGAIN, "stopped"); }

/* What there is to do now and then. */
static enum status look_up(struct import *import, uint64_t *told_position, struct error *err)
{
	uint64_t position = import_input_position(import->input);
	if (position > *told_position) {
		job_use_bytes(import->job, position - *told_position);
		*told_position = position;
	}
	job_progress(import->job, (int64_t)position, (int64_t)import_input_size(import->input), "bytes",
	             NULL);
	if (job_stopping(import->job) != JOB_GO_ON)
		return stopped(err);
	return STATUS_OK;
}

/* ---- Rows ---- */

/* The next row as a message in `import->message`, or the reason why there is none. */
static enum status next_message(struct import *import, int64_t *ret_time_ms,
                                struct text *ret_reason, struct error *err)
{
	enum status status = import_rows_next(&import->rows, &import->row_error);
	*ret_time_ms       = INSTANT_MS_NONE;
	*ret_reason        = TEXT("");
	buffer_clear(&import->message);
	if (status == STATUS_OK) {
		if (import->infer.columns.count > 0)
			import_infer_row(&import->infer, &import->rows);
		status = import_map_message(&import->plan.map, &import->rows, &import->message, ret_time_ms,
		                            &import->row_error);
	}
	if (status == STATUS_INVALID) {
		*ret_reason = text_of(import->row_error.reason);
		return STATUS_OK;
	}
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		*err = import->row_error;
	return status;
}

static enum status add_row(struct import *import, int64_t time_ms, struct text reason,
                           struct error *err)
{
	struct import_mark mark = {.place = import_rows_place(&import->rows)};
	if (import->plan.map.table != NULL)
		return import_dimension_add(&import->dimension, import->rows.line,
		                            buffer_text(&import->message), reason, import->rows.raw, mark,
		                            err);
	return import_feed_add(&import->feed, import->rows.line, time_ms, buffer_text(&import->message),
	                       reason, import->rows.raw, mark, err);
}

static enum status flush(struct import *import, struct error *err)
{
	return import->plan.map.table != NULL ? import_dimension_flush(&import->dimension, err)
	                                      : import_feed_flush(&import->feed, err);
}

/* Where to go on, and what came of everything before is known. */
static const struct import_mark *safe_mark(const struct import *import)
{
	return import->plan.map.table != NULL ? &import->dimension.safe : &import->feed.safe;
}

/* In the order of the file. */
static enum status take_rows(struct import *import, struct error *err)
{
	uint64_t told  = 0;
	unsigned count = 0;
	for (;;) {
		int64_t     time_ms;
		struct text reason;
		enum status status = next_message(import, &time_ms, &reason, err);
		if (status == STATUS_NOT_FOUND)
			return flush(import, err);
		if (status == STATUS_OK)
			status = add_row(import, time_ms, reason, err);
		if (status == STATUS_OK && ++count % ROWS_ASK_EVERY == 0)
			status = look_up(import, &told, err);
		if (status == STATUS_OK && job_save_due(import->job) && !import->trial &&
		    safe_mark(import)->place.line > 0)
			status = save(import, safe_mark(import), err);
		if (status != STATUS_OK)
			return status;
	}
}

/* ---- By time ---- */

static enum status spill(struct import *import, struct error *err)
{
	struct import_mark mark   = {.place = import_rows_place(&import->rows)};
	enum status        status = import_sort_spill(&import->sort, err);
	if (status != STATUS_OK)
		return status;
	import->run_count = import->sort.run_count;
	return save(import, &mark, err);
}

static enum status sort_row(struct import *import, int64_t time_ms, struct text reason,
                            struct error *err)
{
	if (reason.length > 0) {
		import_report_row(&import->report, INSTANT_MS_NONE);
		import_report_reject(&import->report, import->rows.line, TEXT("UNREADABLE_ROW"), reason);
		return reject(import, import->rows.line, TEXT("UNREADABLE_ROW"), reason, import->rows.raw,
		              err);
	}
	if (import->message.length > FEED_MESSAGE_BYTES_MAX)
		return sort_row(import, time_ms, text_of(ingest_code_message(INGEST_EVENT_TOO_LARGE)), err);
	if (import_sort_add(&import->sort, time_ms, import->rows.line, buffer_text(&import->message)))
		return spill(import, err);
	return STATUS_OK;
}

static enum status sort_rows(struct import *import, struct error *err)
{
	uint64_t    told   = 0;
	unsigned    count  = 0;
	enum status status = STATUS_OK;
	job_progress(import->job, 0, -1, "bytes", "sorting");
	while (status == STATUS_OK) {
		int64_t     time_ms;
		struct text reason;
		status = next_message(import, &time_ms, &reason, err);
		if (status == STATUS_NOT_FOUND)
			break;
		if (status == STATUS_OK)
			status = sort_row(import, time_ms, reason, err);
		if (status == STATUS_OK && ++count % ROWS_ASK_EVERY == 0)
			status = look_up(import, &told, err);
	}
	if (status != STATUS_NOT_FOUND)
		return status;
	import->phase = PHASE_MERGE;
	if (import->sort.items.count > 0)
		return spill(import, err);
	return save(import, &(struct import_mark){.time_ms = INT64_MIN}, err);
}

static bool is_behind(const struct import_sorted *sorted, const struct import_mark *mark)
{
	return sorted->time_ms != mark->time_ms ? sorted->time_ms > mark->time_ms
	                                        : sorted->line > mark->line;
}

static enum status merge_rows(struct import *import, struct error *err)
{
	uint64_t count = 0;
	job_progress(import->job, (int64_t)import->report.rows, -1, "rows", "in the order of time");
	for (;;) {
		struct import_sorted sorted;
		enum status          status = import_sort_next(&import->sort, &sorted, err);
		if (status == STATUS_NOT_FOUND)
			return import_feed_flush(&import->feed, err);
		if (status != STATUS_OK)
			return status;
		if (!is_behind(&sorted, &import->from))
			continue;
		struct import_mark mark = {.time_ms = sorted.time_ms, .line = sorted.line};
		status = import_feed_add(&import->feed, sorted.line, sorted.time_ms, sorted.message,
		                         TEXT(""), sorted.message, mark, err);
		if (status == STATUS_OK && ++count % ROWS_ASK_EVERY == 0) {
			job_progress(import->job, (int64_t)import->report.rows, -1, "rows", NULL);
			if (job_stopping(import->job) != JOB_GO_ON)
				status = stopped(err);
		}
		if (status == STATUS_OK && job_save_due(import->job) && import->feed.safe.line > 0)
			status = save(import, &import->feed.safe, err);
		if (status != STATUS_OK)
			return status;
	}
}

static enum status take_by_time(struct import *import, struct error *err)
{
	enum status status = import_sort_init(&import->sort, import->directory, import->run_count, err);
	if (status == STATUS_OK && import->phase == PHASE_READ) {
		status               = sort_rows(import, err);
		import->from.time_ms = INT64_MIN;
		import->from.line    = 0;
	}
	if (status == STATUS_OK)
		status = merge_rows(import, err);
	import_sort_done(&import->sort);
	return status;
}

/* ---- One run ---- */

/* A digest of the file, where message ids need it. Not against forgery. */
static enum status read_digest(struct import *import, const char *path, uint64_t offset,
                               uint64_t bytes, struct error *err)
{
	struct import_input *input  = NULL;
	size_t               length = 1;
	char                *data   = malloc(DIGEST_BYTES);
	if (data == NULL)
		abort();
	enum status status = import_input_open_part(path, offset, bytes, &input, err);
	while (status == STATUS_OK && length > 0) {
		status = import_input_read(input, data, DIGEST_BYTES, &length, err);
		if (status == STATUS_OK)
			import->plan.map.digest = hash_bytes_seeded(data, length, import->plan.map.digest);
		if (status == STATUS_OK && job_stopping(import->job) != JOB_GO_ON)
			status = stopped(err);
		job_use_bytes(import->job, length);
	}
	import_input_close(input);
	free(data);
	return status;
}

static bool needs_digest(const struct import_map *map)
{
	if (map->table != NULL)
		return false;
	for (size_t i = 0; i < map->rules.count; i++)
		if (map->rules.items[i].timestamp && map->rules.items[i].fallback.length == 0 &&
		    !map->rules.items[i].constant)
			return false;
	return true;
}

static enum status open_file(struct import *import, struct error *err)
{
	struct json file   = json_get(job_params(import->job), "file");
	uint64_t    offset = number_of(file, "offset", 0);
	uint64_t    bytes  = number_of(file, "bytes", UINT64_MAX);
	char        path[JOB_PATH_BYTES];
	enum status status = job_file_path(import->job, IMPORT_UPLOAD, path, err);
	if (status == STATUS_OK)
		status = import_input_open_part(path, offset, bytes, &import->input, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, STATUS_GONE,
		                 "The file that was uploaded is not there: backups have no files of jobs");
	if (status == STATUS_OK)
		status = import_rows_open(&import->rows, import->input, import->plan.format,
		                          import->plan.delimiter, import->plan.columns, err);
	if (status == STATUS_OK)
		status = import_map_bind(&import->plan.map, &import->rows, &import->ignored, err);
	if (status == STATUS_OK && needs_digest(&import->plan.map))
		status = read_digest(import, path, offset, bytes, err);
	if (status == STATUS_OK && import->trial)
		import_infer_init(&import->infer, &import->rows);
	if (status == STATUS_OK && import->from.place.line > 0)
		status = import_rows_go_on(&import->rows, import->from.place, err);
	return status;
}

static void set_result(struct import *import)
{
	struct buffer      out     = {0};
	struct json_writer writer  = json_writer_of(&out);
	struct text        ignored = buffer_text(&import->ignored);
	if (ignored.length > IMPORT_IGNORED_BYTES_MAX)
		ignored.length = IMPORT_IGNORED_BYTES_MAX;
	json_begin_object(&writer);
	json_member_bool(&writer, "dryRun", import->trial);
	import_report_write(&import->report, &writer);
	json_member_string(&writer, "ignoredColumns", ignored);
	if (import->infer.columns.count > 0) {
		json_add_key(&writer, TEXT("columns"));
		import_infer_write(&import->infer, &import->rows, &writer);
	}
	json_end_object(&writer);
	job_set_result(import->job, buffer_text(&out));
	buffer_done(&out);
}

static void begin_dimension(struct import *import)
{
	const struct import_dimension_config config = {
		.engine    = import->transfer->engine,
		.dimension = import->plan.dimension,
		.trial     = import->trial,
		.report    = &import->report,
		.reject    = reject,
		.may_send  = may_send,
		.wait      = wait_a_while,
		.context   = import,
	};
	import_dimension_init(&import->dimension, &config);
}

static void begin_feed(struct import *import)
{
	struct import_feed_config config = {
		.ingest        = import->transfer->ingest,
		.source_number = (uint32_t)number_of(job_params(import->job), "sourceNumber", 0),
		.trial         = import->trial,
		.report        = &import->report,
		.reject        = reject,
		.may_send      = may_send,
		.wait          = wait_a_while,
		.context       = import,
	};
	import_feed_init(&import->feed, &config);
}

static void remove_upload(struct import *import)
{
	char         path[JOB_PATH_BYTES];
	struct error err;
	if (job_file_path(import->job, IMPORT_UPLOAD, path, &err) == STATUS_OK)
		(void)unlink(path);
}

/* Saved before the files go: a job that is killed behind that is done when it is taken up again. */
static enum status end(struct import *import, struct error *err)
{
	enum status status;
	if (import->trial)
		return sync_rejected(import, err);
	import->phase = PHASE_DONE;
	status        = save(import, &(struct import_mark){.time_ms = INT64_MIN}, err);
	if (status == STATUS_OK && import->by_time)
		import_sort_remove(import->directory);
	return status;
}

static enum status take_file(struct import *import, struct error *err)
{
	enum status status = read_state(import, err);
	if (status == STATUS_OK)
		status = open_rejected(import, err);
	if (status != STATUS_OK || import->phase == PHASE_DONE)
		return status;
	if ((status = open_file(import, err)) != STATUS_OK)
		return status;
	bool dimension = import->plan.map.table != NULL;
	if (dimension)
		begin_dimension(import);
	else
		begin_feed(import);
	status = import->by_time ? take_by_time(import, err) : take_rows(import, err);
	if (status == STATUS_OK)
		status = end(import, err);
	if (dimension)
		import_dimension_done(&import->dimension);
	else
		import_feed_done(&import->feed);
	return status;
}

static enum status run(void *context, struct job *job, struct error *err)
{
	struct import import = {.transfer = context, .job = job, .rejected_fd = -1};
	struct json   params = job_params(job);
	struct json   trial  = json_get(params, "dryRun");
	import.trial         = json_type(trial) == JSON_BOOL && json_bool(trial);
	import_report_init(&import.report);
	enum status status = job_file_path(job, "x", import.directory, err);
	if (status == STATUS_OK) {
		*strrchr(import.directory, '/') = '\0';
		status         = import_plan_init(&import.plan, json_get(params, "mapping"),
		                                  text_of_member(json_get(params, "file"), "name"),
		                                  "params.mapping", err);
		import.by_time = import.plan.by_time && !import.trial;
		if (status == STATUS_OK)
			status = take_file(&import, err);
		set_result(&import);
		import_plan_done(&import.plan);
	}
	if (status == STATUS_OK)
		remove_upload(&import);
	import_rows_close(&import.rows);
	import_input_close(import.input);
	import_infer_done(&import.infer);
	import_report_done(&import.report);
	buffer_done(&import.message);
	buffer_done(&import.ignored);
	buffer_done(&import.rejected);
	if (import.rejected_fd >= 0)
		close(import.rejected_fd);
	return status;
}

static const struct job_need *needs(void *context, struct json params)
{
	static const struct job_need messages[] = {{"events.write", NULL}, {0}};
	static const struct job_need rows[]     = {{"dimension.write", NULL}, {0}};
	(void)context;
	bool dimension = json_type(json_get(json_get(params, "mapping"), "dimension")) != JSON_NONE;
	return dimension ? rows : messages;
}

struct job_kind import_kind(struct transfer *transfer)
{
	return (struct job_kind){
		.name           = IMPORT_KIND,
		.summary        = "Takes the rows of a file in",
		.check          = check,
		.needs          = needs,
		.run            = run,
		.context        = transfer,
		.beside_max     = 2,
		.priority       = 10,
		.attempts_max   = 20,
		.backoff_ms     = 2000,
		.backoff_ms_max = 300000,
	};
}
