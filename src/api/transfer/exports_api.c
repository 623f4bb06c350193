/* POST /api/v1/exports: a job of the kind "export"; GET …/{id}/files/{name}: what it wrote. Files
 * of an unmasked export lie under names that begin with a dot (transfer/export/export_job.h): they
 * are for who may see personal values. */

#include <stdio.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "base/file.h"

static bool is_unmasked(struct json params)
{
	struct json masked = json_get(params, "masked");
	return json_type(masked) == JSON_BOOL && !json_bool(masked);
}

/* ---- POST ---- */

static enum status add_job(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	struct json   body;
	struct buffer params = {0};
	enum status   status = call_body(call, &body, err);
	if (status != STATUS_OK)
		return status;
	struct json_writer w = json_writer_of(&params);
	json_add_value(&w, body);
	struct job_wish wish = {
		.kind = "export", .params = buffer_text(&params), .priority = JOB_PRIORITY_OF_KIND};
	status = job_ask_plain(call, &wish, ret_job, err);
	buffer_done(&params);
	return status;
}

static void create_step(struct api_call *call)
{
	struct store_job job;
	struct error     err;
	if (add_job(call, &job, &err) != STATUS_OK)
		call_fail(call, &err);
	else
		job_answer_accepted(call, &job);
}

void exports_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- Files ---- */

static bool is_file_name(struct text name)
{
	for (size_t i = 0; i < name.length; i++) {
		char byte   = name.data[i];
		bool letter = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
		if (!letter && !(i > 0 && (byte == '-' || byte == '.')))
			return false;
	}
	return name.length > 0 && name.length <= JOB_FILE_NAME_MAX;
}

/* Only what is whole has a manifest; before, there is nothing to be had. */
static enum status open_file(struct api_call *call, struct call_file *ret_file, struct error *err)
{
	char             directory[JOB_PATH_BYTES], path[JOB_PATH_BYTES + JOB_FILE_NAME_MAX + 2];
	struct store_job job;
	struct json      params;
	struct job_asker asker  = job_asker_of(call);
	struct text      name   = http_param(call->request, "name");
	const char      *id     = arena_text(call->arena, http_param(call->request, "id")).data;
	enum status      status = jobs_get(call->api->config.jobs, id, call->arena, &job, err);
	if (status == STATUS_OK && !text_equal(job.kind, TEXT("export")))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such export");
	if (status == STATUS_OK)
		status = jobs_allow(call->api->config.jobs, &job, &asker, err);
	if (status == STATUS_OK && job.state != STORE_JOB_DONE)
		status = error_set(err, STATUS_CONFLICT, "The export is not done");
	if (status != STATUS_OK)
		return status;
	call->parser = json_parser_new();
	if ((status = json_parse_text(call->parser, job.params, &params, err)) != STATUS_OK ||
	    (status = jobs_directory(call->api->config.jobs, job.id, directory, err)) != STATUS_OK)
		return status;
	if (!is_file_name(name))
		return error_set(err, STATUS_NOT_FOUND, "There is no such file");
	snprintf(path, sizeof path, "%s/%s%.*s", directory, is_unmasked(params) ? "." : "",
	         TEXT_FORMAT(name));
	status = file_open(path, &ret_file->fd, &ret_file->bytes, err);
	return status == STATUS_NOT_FOUND
	           ? jobs_file_missing(call->api->config.jobs, &job, "There is no such file", err)
	           : status;
}

static void file_step(struct api_call *call)
{
	call_answer_file(call, open_file, "application/octet-stream");
}

void exports_file(struct api_call *call) { call_on_worker(call, file_step); }
