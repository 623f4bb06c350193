/* /api/v1/jobs: background jobs. All of it asks the store, so all of it runs on workers. */

#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "api/job/job_json.h"
#include "api/job/job_live.h"
#include "api/stream/handshake.h"
#include "base/file.h"

static int64_t now_ms(struct api_call *call)
{
	struct journal *journal = call->api->config.journal;
	return journal->ops->log_time_ms(journal);
}

/* ---- List ---- */

static enum status read_state(struct text name, enum store_job_state *ret_state, struct error *err)
{
	for (int state = STORE_JOB_QUEUED; state < STORE_JOB_STATE_COUNT; state++)
		if (text_equal(name, text_of(store_job_state_name((enum store_job_state)state)))) {
			*ret_state = (enum store_job_state)state;
			return STATUS_OK;
		}
	return error_set_field(err, STATUS_INVALID, "state",
	                       "Must be queued, running, done, failed or cancelled");
}

static enum status read_filter(struct api_call *call, struct store_job_filter *filter,
                               struct error *err)
{
	struct text        state;
	struct byte_reader cursor;
	enum status        status;
	*filter = (struct store_job_filter){0};
	http_query(call->request, "kind", &filter->kind);
	if (http_query(call->request, "state", &state) &&
	    (status = read_state(state, &filter->state, err)) != STATUS_OK)
		return status;
	if ((status = call_limit(call, &filter->limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_JOBS, &cursor, err)) != STATUS_OK)
		return status;
	filter->before_number = read_left(&cursor) > 0 ? read_u64(&cursor) : 0;
	return STATUS_OK;
}

/* The newest first; the cursor is the number of the last one listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct jobs            *jobs = call->api->config.jobs;
	struct store_job_filter filter;
	struct store_job       *rows;
	size_t                  count, limit;
	uint64_t                total;
	enum status             status;
	if ((status = read_filter(call, &filter, err)) != STATUS_OK)
		return status;
	limit = filter.limit++;
	if ((status = jobs_list(jobs, &filter, call->arena, &rows, &count, &total, err)) != STATUS_OK)
		return status;
	struct buffer      next = {0};
	struct json_writer w    = call_begin_list(out);
	for (size_t i = 0; i < count && i < limit; i++)
		job_json_write(&w, jobs, &rows[i]);
	if (count > limit)
		buffer_add_u64(&next, rows[limit - 1].number);
	call_end_list(&w, CURSOR_JOBS, buffer_text(&next), (int64_t)total, now_ms(call));
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void jobs_api_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- One ---- */

static const char *id_of(struct api_call *call)
{
	return arena_text(call->arena, http_param(call->request, "id")).data;
}

static enum status write_job(struct api_call *call, const struct store_job *job, struct buffer *out,
                             struct error *err)
{
	struct jobs       *jobs = call->api->config.jobs;
	struct json_writer w    = json_writer_of(out);
	struct job_file   *files;
	size_t             count;
	enum status        status = jobs_files(jobs, job->id, call->arena, &files, &count, err);
	if (status != STATUS_OK)
		return status;
	job_json_begin(&w, jobs, job);
	job_json_files(&w, files, count);
	json_end_object(&w);
	return STATUS_OK;
}

typedef enum status find_fn(struct jobs *jobs, const char *id, struct arena *arena,
                            struct store_job *ret_job, struct error *err);

static enum status write_found(struct api_call *call, find_fn *find, struct buffer *out,
                               struct error *err)
{
	struct store_job job;
	enum status      status = find(call->api->config.jobs, id_of(call), call->arena, &job, err);
	return status == STATUS_OK ? write_job(call, &job, out, err) : status;
}

static enum status write_get(struct api_call *call, struct buffer *out, struct error *err)
{
	return write_found(call, jobs_get, out, err);
}

static enum status write_cancelled(struct api_call *call, struct buffer *out, struct error *err)
{
	return write_found(call, jobs_cancel, out, err);
}

static enum status write_retried(struct api_call *call, struct buffer *out, struct error *err)
{
	struct job_asker asker = job_asker_of(call);
	struct store_job job;
	enum status      status =
		jobs_retry(call->api->config.jobs, id_of(call), &asker, call->arena, &job, err);
	return status == STATUS_OK ? write_job(call, &job, out, err) : status;
}

static void get_step(struct api_call *call) { call_answer_written(call, write_get); }

static void cancel_step(struct api_call *call) { call_answer_written(call, write_cancelled); }

static void retry_step(struct api_call *call) { call_answer_written(call, write_retried); }

void jobs_api_get(struct api_call *call) { call_on_worker(call, get_step); }

void jobs_api_cancel(struct api_call *call) { call_on_worker(call, cancel_step); }

void jobs_api_retry(struct api_call *call) { call_on_worker(call, retry_step); }

/* ---- Files ---- */

static enum status open_file(struct api_call *call, struct call_file *ret_file, struct error *err)
{
	struct jobs     *jobs  = call->api->config.jobs;
	struct job_asker asker = job_asker_of(call);
	char             path[JOB_PATH_BYTES];
	struct store_job job;
	enum status      status;
	if ((status = jobs_get(jobs, id_of(call), call->arena, &job, err)) != STATUS_OK ||
	    (status = jobs_allow(jobs, &job, &asker, err)) != STATUS_OK ||
	    (status = jobs_file_path(jobs, &job, http_param(call->request, "name"), path, err)) !=
	        STATUS_OK)
		return status;
	return file_open(path, &ret_file->fd, &ret_file->bytes, err);
}

static void file_step(struct api_call *call)
{
	call_answer_file(call, open_file, "application/octet-stream");
}

void jobs_api_file(struct api_call *call) { call_on_worker(call, file_step); }

/* ---- Watching ---- */

static void accept(struct api_call *call, struct job_watcher *watcher)
{
	const struct websocket_options options = {.overflow = WEBSOCKET_OVERFLOW_DROP,
	                                          .on_open  = job_watcher_open,
	                                          .on_close = job_watcher_close,
	                                          .user     = watcher};
	if (!handshake_accept(call, options))
		job_watcher_free(watcher);
}

static void watch_all(struct api_call *call)
{
	accept(call, job_watcher_new(call->api->job_live, NULL));
}

static void watch_one(struct api_call *call)
{
	struct store_job job;
	struct error     err;
	if (jobs_get(call->api->config.jobs, id_of(call), call->arena, &job, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		accept(call, job_watcher_new(call->api->job_live, job.id));
}

void jobs_api_watch_all(struct api_call *call) { handshake_begin(call, watch_all); }

void jobs_api_watch(struct api_call *call) { handshake_begin(call, watch_one); }
