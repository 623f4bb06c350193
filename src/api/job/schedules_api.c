/* /api/v1/schedules: what adds jobs by the clock. All of it asks the store, so all of it runs on
 * workers. */

#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "api/job/job_json.h"
#include "base/instant.h"
#include "job/cron.h"

static void write_schedule(struct json_writer *w, struct api_call *call,
                           const struct store_schedule *schedule)
{
	json_begin_object(w);
	json_member_string(w, "name", schedule->name);
	json_member_string(w, "kind", schedule->kind);
	json_add_key(w, TEXT("params"));
	json_add_raw(w, schedule->params);
	json_member_string(w, "cron", schedule->cron);
	json_member_string(w, "zone", text_of(jobs_zone(call->api->config.jobs)));
	json_member_int(w, "priority", schedule->priority);
	json_member_bool(w, "active", schedule->active);
	if (schedule->next_ms == INSTANT_MS_NEVER)
		json_member_null(w, "nextAt");
	else
		json_member_instant(w, "nextAt", schedule->next_ms);
	if (schedule->last_ms == INSTANT_MS_NONE)
		json_member_null(w, "lastAt");
	else
		json_member_instant(w, "lastAt", schedule->last_ms);
	if (schedule->last_id[0] == '\0')
		json_member_null(w, "lastJobId");
	else
		json_member_string(w, "lastJobId", text_of(schedule->last_id));
	json_member_instant(w, "createdAt", schedule->created_ms);
	json_member_instant(w, "updatedAt", schedule->updated_ms);
	json_end_object(w);
}

static enum status find(struct api_call *call, struct store_schedule *ret_schedule,
                        struct error *err)
{
	return jobs_schedule_get(call->api->config.jobs, http_param(call->request, "name"), call->arena,
	                         ret_schedule, err);
}

/* ---- Reading ---- */

static enum status write_get(struct api_call *call, struct buffer *out, struct error *err)
{
	struct json_writer    w = json_writer_of(out);
	struct store_schedule schedule;
	enum status           status = find(call, &schedule, err);
	if (status == STATUS_OK)
		write_schedule(&w, call, &schedule);
	return status;
}

static void get_step(struct api_call *call) { call_answer_written(call, write_get); }

void schedules_get(struct api_call *call) { call_on_worker(call, get_step); }

/* By name; the cursor is how many were listed. */
static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store_schedule *schedules;
	struct byte_reader     cursor;
	size_t                 count, limit;
	enum status            status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_OFFSET, &cursor, err)) != STATUS_OK ||
	    (status = jobs_schedule_list(call->api->config.jobs, call->arena, &schedules, &count,
	                                 err)) != STATUS_OK)
		return status;
	size_t             at      = read_left(&cursor) > 0 ? read_u32(&cursor) : 0;
	struct buffer      next    = {0};
	struct journal    *journal = call->api->config.journal;
	struct json_writer w       = call_begin_list(out);
	for (; at < count && limit > 0; at++, limit--)
		write_schedule(&w, call, &schedules[at]);
	if (at < count)
		buffer_add_u32(&next, (uint32_t)at);
	call_end_list(&w, CURSOR_OFFSET, buffer_text(&next), (int64_t)count,
	              journal->ops->log_time_ms(journal));
	buffer_done(&next);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

void schedules_list(struct api_call *call) { call_on_worker(call, list_step); }

/* ---- Changing ---- */

static enum status read_priority(struct json body, int *ret_priority, struct error *err)
{
	struct json value = json_get(body, "priority");
	*ret_priority     = JOB_PRIORITY_OF_KIND;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_INT || json_int(value) < JOB_PRIORITY_MIN ||
	    json_int(value) > JOB_PRIORITY_MAX)
		return error_set_field(err, STATUS_INVALID, "priority", "A whole number from %d to %d",
		                       JOB_PRIORITY_MIN, JOB_PRIORITY_MAX);
	*ret_priority = (int)json_int(value);
	return STATUS_OK;
}

static enum status read_active(struct json body, bool *ret_active, struct error *err)
{
	struct json value = json_get(body, "active");
	*ret_active       = true;
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "active", "Must be true or false");
	*ret_active = json_bool(value);
	return STATUS_OK;
}

static enum status read_params(struct api_call *call, struct json body, struct text *ret_params,
                               struct error *err)
{
	struct json        value = json_get(body, "params");
	struct buffer      out   = {0};
	struct json_writer w     = json_writer_of(&out);
	*ret_params              = TEXT("{}");
	if (json_type(value) <= JSON_NULL)
		return STATUS_OK;
	if (json_type(value) != JSON_OBJECT)
		return error_set_field(err, STATUS_INVALID, "params", "A JSON object is needed");
	json_add_value(&w, value);
	*ret_params = arena_text(call->arena, buffer_text(&out));
	buffer_done(&out);
	return STATUS_OK;
}

static enum status write_put(struct api_call *call, struct buffer *out, struct error *err)
{
	static const char *const known[]  = {"kind", "params", "cron", "priority", "active", NULL};
	struct json_writer       w        = json_writer_of(out);
	struct store_schedule    schedule = {.name = http_param(call->request, "name")};
	struct job_asker         asker    = job_asker_of(call);
	struct json              body;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "kind", false, 1, JOB_KIND_NAME_MAX, &schedule.kind, err)) !=
	        STATUS_OK ||
	    (status = call_string(body, "cron", false, 1, CRON_TEXT_BYTES_MAX, &schedule.cron, err)) !=
	        STATUS_OK ||
	    (status = read_params(call, body, &schedule.params, err)) != STATUS_OK ||
	    (status = read_priority(body, &schedule.priority, err)) != STATUS_OK ||
	    (status = read_active(body, &schedule.active, err)) != STATUS_OK ||
	    (status = jobs_schedule_put(call->api->config.jobs, &schedule, &asker, err)) != STATUS_OK)
		return status;
	write_schedule(&w, call, &schedule);
	return STATUS_OK;
}

static void put_step(struct api_call *call) { call_answer_written(call, write_put); }

void schedules_put(struct api_call *call) { call_on_worker(call, put_step); }

static void delete_step(struct api_call *call)
{
	struct error err;
	if (jobs_schedule_delete(call->api->config.jobs, http_param(call->request, "name"), &err) !=
	    STATUS_OK)
		call_fail(call, &err);
	else
		call_answer_empty(call, 204);
}

void schedules_delete(struct api_call *call) { call_on_worker(call, delete_step); }

/* ---- Now ---- */

/* A job as the schedule would add it; its instants stay as they are. */
static enum status write_run(struct api_call *call, struct buffer *out, struct error *err)
{
	struct jobs          *jobs = call->api->config.jobs;
	struct json_writer    w    = json_writer_of(out);
	struct store_schedule schedule;
	struct store_job      job;
	enum status           status = find(call, &schedule, err);
	if (status != STATUS_OK)
		return status;
	struct job_wish wish = {
		.kind = schedule.kind.data, .params = schedule.params, .priority = schedule.priority};
	if ((status = job_ask(call, &wish, &job, err)) != STATUS_OK)
		return status;
	job_json_begin(&w, jobs, &job);
	job_json_files(&w, NULL, 0);
	json_end_object(&w);
	return STATUS_OK;
}

static void run_step(struct api_call *call) { call_answer_written(call, write_run); }

void schedules_run(struct api_call *call) { call_on_worker(call, run_step); }
