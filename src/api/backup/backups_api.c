/* /api/v1/backups: what there is, and jobs that make, verify and prune it. */

#include "api/backup/backups_api.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "api/job/job_json.h"
#include "base/clock.h"

static enum status check_made(struct api_call *call, struct error *err)
{
	if (call->api->config.backups != NULL)
		return STATUS_OK;
	return error_set(err, STATUS_CONFLICT,
	                 "This server makes no backups: it needs --backup-directory and a key");
}

static void write_backup(struct json_writer *w, const struct api_backup *backup)
{
	json_begin_object(w);
	json_member_string(w, "id", text_of(backup->id));
	json_member_bool(w, "damaged", backup->damaged);
	if (!backup->damaged) {
		json_member_instant(w, "begunAt", backup->begun_ms);
		json_member_instant(w, "finishedAt", backup->finished_ms);
		json_member_instant(w, "logTime", backup->clock_ms);
		json_member_int(w, "lastPosition", (int64_t)backup->last_position);
		json_member_int(w, "files", (int64_t)backup->files);
		json_member_int(w, "bytes", (int64_t)backup->bytes);
		json_member_int(w, "newBytes", (int64_t)backup->new_bytes);
		json_member_int(w, "storedBytes", (int64_t)backup->stored_bytes);
	}
	json_end_object(w);
}

static enum status list(struct api_call *call, struct buffer *out, struct error *err)
{
	const struct api_backups *backups = call->api->config.backups;
	struct api_backup        *rows;
	struct byte_reader        cursor;
	size_t                    count, limit;
	enum status               status;
	if ((status = check_made(call, err)) != STATUS_OK ||
	    (status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = backups->list(backups->context, call->arena, &rows, &count, err)) != STATUS_OK)
		return status;
	struct buffer      next = {0};
	struct json_writer w    = call_begin_list(out);
	size_t             at   = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	for (size_t end = at + limit; at < count; at++) {
		if (at == end) {
			buffer_add_u32(&next, (uint32_t)at);
			break;
		}
		write_backup(&w, &rows[at]);
	}
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count, clock_wall_ms());
	buffer_done(&next);
	return STATUS_OK;
}

static enum status add_job(struct api_call *call, const char *kind, struct buffer *out,
                           struct error *err)
{
	struct jobs          *jobs = call->api->config.jobs;
	const struct job_wish wish = {.kind = kind, .priority = JOB_PRIORITY_OF_KIND};
	struct store_job      job;
	enum status           status = check_made(call, err);
	if (status == STATUS_OK)
		status = job_ask(call, &wish, &job, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(out);
	job_json_begin(&w, jobs, &job);
	job_json_files(&w, NULL, 0);
	json_end_object(&w);
	return STATUS_OK;
}

static enum status add_take(struct api_call *call, struct buffer *out, struct error *err)
{
	return add_job(call, "backup", out, err);
}

static enum status add_verify(struct api_call *call, struct buffer *out, struct error *err)
{
	return add_job(call, "backup-verify", out, err);
}

static enum status add_prune(struct api_call *call, struct buffer *out, struct error *err)
{
	return add_job(call, "backup-prune", out, err);
}

static void list_step(struct api_call *call) { call_answer_written(call, list); }

static void take_step(struct api_call *call) { call_answer_written(call, add_take); }

static void verify_step(struct api_call *call) { call_answer_written(call, add_verify); }

static void prune_step(struct api_call *call) { call_answer_written(call, add_prune); }

void backups_list_get(struct api_call *call) { call_on_worker(call, list_step); }

void backups_post(struct api_call *call) { call_on_worker(call, take_step); }

void backups_post_verify(struct api_call *call) { call_on_worker(call, verify_step); }

void backups_post_prune(struct api_call *call) { call_on_worker(call, prune_step); }
