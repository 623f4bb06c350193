/* POST /api/v1/imports: a file, however large, goes to the directory of a job of the kind "import";
 * GET …/{id}/rejected: the rows that were not taken.
 *
 *   headers ─► job reserved ─► body to its directory ─► where the file lies in it ─► job added
 *              (worker)        (http/server.h)          (worker)
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "api/transfer/upload_form.h"
#include "base/file.h"
#include "base/log.h"

/* As the kind expects and leaves them. */
#define UPLOAD_NAME   ".upload"
#define REJECTED_NAME ".rejected.jsonl"

enum { QUERY_TEXT_BYTES_MAX = 255 };

struct import {
	char         id[37];
	char         path[JOB_PATH_BYTES];
	int          fd;
	uint64_t     bytes;
	uint64_t     room;   /* for the body on the disk */
	enum status  status; /* of the body */
	struct error err;
	struct text  content_type;
	bool         trial;
	bool         counted;
};

static void cleanup(struct api_call *call)
{
	struct import *import = call->state;
	if (import->fd >= 0)
		close(import->fd);
	if (import->counted)
		atomic_fetch_sub(&call->api->upload_count, 1);
}

/* ---- Before the body ---- */

static enum status read_query(struct api_call *call, struct import *import, struct error *err)
{
	struct text value;
	enum status status = call_query_flag(call, "dryRun", &import->trial, err);
	if (status != STATUS_OK)
		return status;
	if (http_query(call->request, "name", &value) && value.length > QUERY_TEXT_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, "name", "It is longer than %d bytes",
		                       QUERY_TEXT_BYTES_MAX);
	return STATUS_OK;
}

static enum status make_room(struct api_call *call, struct import *import, struct error *err)
{
	int before      = atomic_fetch_add(&call->api->upload_count, 1);
	import->counted = true;
	if (before >= API_UPLOADS_MAX)
		return error_set(err, STATUS_LIMITED, "%d files are being uploaded already",
		                 API_UPLOADS_MAX);
	char        directory[JOB_PATH_BYTES];
	enum status status = jobs_reserve(call->api->config.jobs, import->id, directory, err);
	if (status != STATUS_OK)
		return status;
	int length = snprintf(import->path, sizeof import->path, "%s/%s", directory, UPLOAD_NAME);
	if (length >= (int)sizeof import->path)
		return error_set(err, STATUS_IO, "the path of an upload is too long");
	import->fd = open(import->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return import->fd < 0 ? file_error(err, errno, "cannot make", import->path) : STATUS_OK;
}

static void finish_step(struct api_call *call);

static void received(struct http_request *request, void *context, enum status status,
                     uint64_t bytes, const struct error *err)
{
	struct api_call *call   = context;
	struct import   *import = call->state;
	(void)request;
	import->status = status;
	import->bytes  = bytes;
	if (status != STATUS_OK) {
		import->err        = *err;
		import->err.status = status;
	}
	if (status == STATUS_TOO_LARGE && import->room < call->api->config.upload_bytes_max)
		import->status = error_set(&import->err, STATUS_TOO_LARGE,
		                           "the file is larger than half of what is free on the server's "
		                           "disk, which is %llu bytes",
		                           (unsigned long long)import->room);
	call_on_worker(call, finish_step);
}

/* Half of what is free at most: the journal lives on the same disk. */
static uint64_t room_of(const struct import *import)
{
	struct statvfs disk;
	if (fstatvfs(import->fd, &disk) != 0)
		return UINT64_MAX;
	return (uint64_t)disk.f_bavail * disk.f_frsize / 2;
}

static void begin_step(struct api_call *call)
{
	struct import *import = call->state;
	struct error   err;
	if (read_query(call, import, &err) != STATUS_OK || make_room(call, import, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	uint64_t most = call->api->config.upload_bytes_max;
	import->room  = room_of(import);
	http_receive(call->request, import->fd, import->room < most ? import->room : most, received,
	             call);
}

void imports_create(struct api_call *call)
{
	struct import *import = ARENA_NEW(call->arena, struct import);
	import->fd            = -1;
	call->state           = import;
	call->cleanup         = cleanup;
	call_on_worker(call, begin_step);
}

/* ---- Behind it ---- */

/* The mapping of the form, or of the query. */
static enum status add_mapping(struct api_call *call, const struct upload_form *form,
                               struct json_writer *w, struct error *err)
{
	struct text mapping = form->mapping;
	struct json json;
	if (mapping.length == 0 && !http_query(call->request, "mapping", &mapping))
		return STATUS_OK;
	call->parser = call->parser != NULL ? call->parser : json_parser_new();
	if (json_parse_text(call->parser, mapping, &json, err) != STATUS_OK)
		return error_set_field(err, STATUS_INVALID, "mapping", "It is not JSON");
	json_add_key(w, TEXT("mapping"));
	json_add_value(w, json);
	return STATUS_OK;
}

/* By id: events of an import may be told from others by their source. */
static enum status add_source(struct api_call *call, struct json_writer *w, struct error *err)
{
	struct store        *store = call->api->config.store;
	struct store_source *sources;
	size_t               count;
	struct text          id;
	if (!http_query(call->request, "source", &id))
		return STATUS_OK;
	enum status status = store->ops->source_list(store, call->arena, &sources, &count, err);
	for (size_t i = 0; status == STATUS_OK && i < count; i++) {
		if (!text_equal(text_of(sources[i].id), id))
			continue;
		json_member_string(w, "source", id);
		json_member_int(w, "sourceNumber", sources[i].number);
		return STATUS_OK;
	}
	return status != STATUS_OK
	           ? status
	           : error_set_field(err, STATUS_INVALID, "source", "There is no such source");
}

static enum status write_params(struct api_call *call, const struct upload_form *form,
                                struct buffer *out, struct error *err)
{
	const struct import *import = call->state;
	struct json_writer   w      = json_writer_of(out);
	struct text          name   = form->name;
	http_query(call->request, "name", &name);
	json_begin_object(&w);
	json_add_key(&w, TEXT("file"));
	json_begin_object(&w);
	json_member_string(&w, "name", name);
	json_member_int(&w, "offset", (int64_t)form->offset);
	json_member_int(&w, "bytes", (int64_t)form->bytes);
	json_end_object(&w);
	json_member_bool(&w, "dryRun", import->trial);
	enum status status = add_mapping(call, form, &w, err);
	if (status == STATUS_OK)
		status = add_source(call, &w, err);
	json_end_object(&w);
	return status;
}

/* Errors of the parameters are named as the caller knows them. */
static enum status add_job(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	const struct import *import = call->state;
	struct buffer        params = {0};
	struct upload_form   form;
	struct text          content_type = {0};
	http_header(call->request, "Content-Type", &content_type);
	enum status status =
		upload_form_read(import->fd, import->bytes, content_type, call->arena, &form, err);
	if (status == STATUS_OK)
		status = write_params(call, &form, &params, err);
	if (status == STATUS_OK && fsync(import->fd) != 0)
		status = file_error(err, errno, "cannot sync", import->path);
	if (status == STATUS_OK) {
		struct job_wish wish = {.kind     = "import",
		                        .params   = buffer_text(&params),
		                        .id       = import->id,
		                        .priority = JOB_PRIORITY_OF_KIND};
		status               = job_ask_plain(call, &wish, ret_job, err);
	}
	buffer_done(&params);
	return status;
}

static void finish_step(struct api_call *call)
{
	struct import   *import = call->state;
	struct store_job job;
	struct error     err    = import->err;
	enum status      status = import->status;
	if (status == STATUS_OK)
		status = add_job(call, &job, &err);
	if (status != STATUS_OK) {
		(void)unlink(import->path); /* the directory goes with the reservation */
		call_fail(call, &err);
		return;
	}
	job_answer_accepted(call, &job);
}

/* ---- Rejected rows ---- */

static enum status open_rejected(struct api_call *call, struct call_file *ret_file,
                                 struct error *err)
{
	char             path[JOB_PATH_BYTES + sizeof REJECTED_NAME];
	char             directory[JOB_PATH_BYTES];
	struct store_job job;
	const char      *id     = arena_text(call->arena, http_param(call->request, "id")).data;
	enum status      status = jobs_get(call->api->config.jobs, id, call->arena, &job, err);
	if (status == STATUS_OK && !text_equal(job.kind, TEXT("import")))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such import");
	if (status == STATUS_OK)
		status = jobs_directory(call->api->config.jobs, job.id, directory, err);
	if (status != STATUS_OK)
		return status;
	snprintf(path, sizeof path, "%s/%s", directory, REJECTED_NAME);
	status = file_open(path, &ret_file->fd, &ret_file->bytes, err);
	return status == STATUS_NOT_FOUND
	           ? jobs_file_missing(call->api->config.jobs, &job,
	                               "The import has no rejected rows yet, or no more", err)
	           : status;
}

static void rejected_step(struct api_call *call)
{
	call_answer_file(call, open_rejected, "application/x-ndjson");
}

void imports_rejected(struct api_call *call) { call_on_worker(call, rejected_step); }
