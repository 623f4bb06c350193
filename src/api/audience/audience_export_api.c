/* POST /api/v1/audience/export: the members of an audience to a file, a bucket or a marketing
 * platform, by a job of the kind "audience-export"; …/exports/{id}: what became of it;
 * …/exports/{id}/file: the file, for whoever has its address until that expires. */

#include <stdio.h>

#include "api/audience/audiences.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "base/clock.h"
#include "base/edit_distance.h"
#include "base/file.h"
#include "base/instant.h"
#include "destination/destination.h"
#include "destination/signed_url.h"

#define KIND            "audience-export"
#define DEFINITION_FILE ".definition" /* what the job reads it from */

enum {
	ADDRESS_MS     = 3600000, /* how long the address of a file holds */
	NAME_BYTES_MAX = 256,
	BASE_BYTES_MAX = 512,
};

/* ---- Where to ---- */

static enum status no_destination(struct api_call *call, struct text wanted,
                                  const struct store_destination *rows, size_t count,
                                  struct error *err)
{
	const char **names = ARENA_ARRAY(call->arena, const char *, count + 2);
	names[0]           = "file";
	for (size_t i = 0; i < count; i++)
		names[i + 1] = arena_text(call->arena, rows[i].name).data;
	const char *nearest = edit_nearest(wanted, names);
	if (nearest != NULL)
		return error_set_field(err, STATUS_INVALID, "destination",
		                       "There is no such destination: did you mean \"%s\"?", nearest);
	return error_set_field(err, STATUS_INVALID, "destination",
	                       "There is no such destination: it is \"file\", or made by POST "
	                       "/api/v1/destinations");
}

/* The name of a destination, or a kind of which there is just one. */
static enum status find_destination(struct api_call *call, struct text wanted,
                                    struct text *ret_name, struct error *err)
{
	struct store             *store = call->api->config.store;
	struct store_destination *rows;
	size_t                    count, found = 0;
	if (text_equal(wanted, TEXT("file"))) {
		*ret_name = wanted;
		return STATUS_OK;
	}
	enum status status = store->ops->destination_list(store, call->arena, &rows, &count, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < count; i++) {
		if (text_equal(wanted, rows[i].name) || text_equal(wanted, rows[i].kind)) {
			*ret_name = rows[i].name;
			found++;
		}
	}
	if (found > 1)
		return error_set_field(err, STATUS_INVALID, "destination",
		                       "There are several of this kind: name one");
	return found == 1 ? STATUS_OK : no_destination(call, wanted, rows, count, err);
}

/* ---- POST ---- */

struct export_wish {
	struct json     body;
	struct audience audience;
	struct text     name;
	struct text     destination;
	bool            masked;
};

static enum status read_name(struct api_call *call, struct export_wish *wish, struct error *err)
{
	enum status status = call_string(wish->body, "name", true, 1, NAME_BYTES_MAX, &wish->name, err);
	if (status == STATUS_OK && wish->name.data == NULL)
		wish->name = wish->audience.kind == AUDIENCE_UNSAVED
		                 ? text_of(arena_printf(call->arena, "audience %s", wish->audience.id))
		                 : wish->audience.saved.name;
	return status;
}

static enum status read_mask(struct export_wish *wish, struct error *err)
{
	struct json mask = json_get(wish->body, "mask");
	wish->masked     = true;
	if (json_type(mask) == JSON_NONE || json_type(mask) == JSON_NULL)
		return STATUS_OK;
	if (json_type(mask) != JSON_BOOL)
		return error_set_field(err, STATUS_INVALID, "mask", "It is true or false");
	wish->masked = json_bool(mask);
	return STATUS_OK;
}

static enum status read_wish(struct api_call *call, struct export_wish *wish, struct error *err)
{
	static const char *const known[] = {"audience_id", "name",        "format",
	                                    "compression", "destination", "columns",
	                                    "mask",        "consent",     NULL};
	struct text              id, destination;
	enum status              status;
	if ((status = call_body(call, &wish->body, err)) != STATUS_OK ||
	    (status = call_only(wish->body, known, err)) != STATUS_OK ||
	    (status = call_string(wish->body, "audience_id", false, 1, UUID_TEXT_BYTES - 1, &id,
	                          err)) != STATUS_OK ||
	    (status = call_string(wish->body, "destination", true, 1, DESTINATION_NAME_BYTES_MAX,
	                          &destination, err)) != STATUS_OK ||
	    (status = read_mask(wish, err)) != STATUS_OK ||
	    (status = question_at(
			 "audience_id.",
			 audiences_find(call->api->audiences, id, call->arena, &wish->audience, err), err)) !=
	        STATUS_OK ||
	    (status = read_name(call, wish, err)) != STATUS_OK)
		return status;
	if (destination.data == NULL)
		destination = TEXT("file");
	return find_destination(call, destination, &wish->destination, err);
}

static void copy_member(struct json_writer *w, const struct export_wish *wish, const char *name,
                        const char *fallback)
{
	struct json value = json_get(wish->body, name);
	if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL) {
		if (fallback != NULL)
			json_member_string(w, name, text_of(fallback));
		return;
	}
	json_add_key(w, text_of(name));
	json_add_value(w, value);
}

static void write_params(struct api_call *call, const struct export_wish *wish, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "audience_id", text_of(wish->audience.id));
	json_member_string(&w, "name", wish->name);
	json_member_bool(&w, "snapshot", wish->audience.kind == AUDIENCE_SNAPSHOT);
	if (wish->audience.kind == AUDIENCE_UNSAVED && wish->audience.as_of_ms != INSTANT_MS_NONE)
		json_member_instant(&w, "as_of", wish->audience.as_of_ms);
	copy_member(&w, wish, "format", "csv");
	copy_member(&w, wish, "compression", NULL);
	copy_member(&w, wish, "columns", NULL);
	copy_member(&w, wish, "consent", NULL);
	json_member_string(&w, "destination", wish->destination);
	json_member_bool(&w, "masked", wish->masked);
	json_member_string(&w, "base", call_public_url(call));
	json_end_object(&w);
}

static enum status lay_definition(const struct export_wish *wish, const char *directory,
                                  struct error *err)
{
	char path[JOB_PATH_BYTES + sizeof DEFINITION_FILE];
	if (wish->audience.kind == AUDIENCE_SNAPSHOT)
		return STATUS_OK;
	snprintf(path, sizeof path, "%s/" DEFINITION_FILE, directory);
	return file_replace(path, 0600, wish->audience.canonical.data, wish->audience.canonical.length,
	                    err);
}

/* Errors name members as the client wrote them. */
static enum status rename_field(enum status status, struct error *err)
{
	if (status != STATUS_OK && strcmp(err->field, "masked") == 0)
		snprintf(err->field, sizeof err->field, "mask");
	return status;
}

static enum status add_job(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	char               id[UUID_TEXT_BYTES], directory[JOB_PATH_BYTES];
	struct export_wish wish   = {0};
	struct buffer      params = {0};
	enum status        status;
	if ((status = read_wish(call, &wish, err)) != STATUS_OK ||
	    (status = jobs_reserve(call->api->config.jobs, id, directory, err)) != STATUS_OK ||
	    (status = lay_definition(&wish, directory, err)) != STATUS_OK)
		return status;
	write_params(call, &wish, &params);
	const struct job_wish asked = {
		.kind = KIND, .params = buffer_text(&params), .id = id, .priority = JOB_PRIORITY_OF_KIND};
	status = rename_field(job_ask_plain(call, &asked, ret_job, err), err);
	buffer_done(&params);
	return status;
}

/* ---- The answer ---- */

static struct text text_member(struct json object, const char *name)
{
	struct json value = json_get(object, name);
	return json_type(value) == JSON_STRING ? json_string(value) : (struct text){0};
}

static void member_or_null(struct json_writer *w, const char *name, struct text text)
{
	if (text.data == NULL)
		json_member_null(w, name);
	else
		json_member_string(w, name, text);
}

static void copy_or_null(struct json_writer *w, const char *name, struct json value)
{
	json_add_key(w, text_of(name));
	if (json_type(value) == JSON_NONE)
		json_add_null(w);
	else
		json_add_value(w, value);
}

/* Where it lies in the bucket, once it does; else an address here, which answers once the file is
 * there. */
static void write_file_url(struct api_call *call, struct json_writer *w,
                           const struct store_job *job, struct json result)
{
	struct text   location = text_member(result, "location");
	struct buffer url      = {0};
	if (location.data == NULL) {
		signed_url_write(call->api->config.vault, call_public_url(call), text_of(job->id),
		                 clock_wall_ms() + ADDRESS_MS, &url);
		location = buffer_text(&url);
	}
	json_member_string(w, "file_url", location);
	buffer_done(&url);
}

static void write_export(struct api_call *call, struct json_writer *w, const struct store_job *job,
                         struct json params, struct json result)
{
	json_begin_object(w);
	json_member_string(w, "export_id", text_of(job->id));
	write_file_url(call, w, job, result);
	member_or_null(w, "marketing_segment_id", text_member(result, "marketingSegmentId"));
	json_member_string(w, "state", text_of(store_job_state_name(job->state)));
	member_or_null(w, "audience_id", text_member(params, "audience_id"));
	member_or_null(w, "name", text_member(params, "name"));
	member_or_null(w, "destination", text_member(params, "destination"));
	member_or_null(w, "file", text_member(result, "file"));
	member_or_null(w, "sha256", text_member(result, "sha256"));
	copy_or_null(w, "rows", json_get(result, "rows"));
	copy_or_null(w, "without_consent", json_get(result, "withoutConsent"));
	copy_or_null(w, "bytes", json_get(result, "bytes"));
	copy_or_null(w, "as_of", json_get(result, "asOf"));
	member_or_null(w, "error", job->reason.length > 0 ? job->reason : (struct text){0});
	json_end_object(w);
}

static enum status write_job(struct api_call *call, const struct store_job *job, struct buffer *out,
                             struct error *err)
{
	struct json_parser *parsers[2] = {json_parser_new(), json_parser_new()};
	struct json         params, result;
	struct json_writer  w      = json_writer_of(out);
	struct text         told   = job->result.length > 0 ? job->result : TEXT("{}");
	enum status         status = json_parse_text(parsers[0], job->params, &params, err);
	if (status == STATUS_OK)
		status = json_parse_text(parsers[1], told, &result, err);
	if (status == STATUS_OK)
		write_export(call, &w, job, params, result);
	json_parser_free(parsers[0]);
	json_parser_free(parsers[1]);
	return status;
}

static void create_step(struct api_call *call)
{
	struct store_job job;
	struct buffer    out = {0};
	struct error     err;
	if (add_job(call, &job, &err) != STATUS_OK || write_job(call, &job, &out, &err) != STATUS_OK) {
		buffer_done(&out);
		call_fail(call, &err);
		return;
	}
	http_add_header(call->request, "Location",
	                text_of(arena_printf(call->arena, "/api/v1/audience/exports/%s", job.id)));
	call_answer(call, 202, &out);
}

void audience_export_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- GET ---- */

static enum status find_job(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	const char *id     = arena_text(call->arena, http_param(call->request, "id")).data;
	enum status status = jobs_get(call->api->config.jobs, id, call->arena, ret_job, err);
	if (status == STATUS_NOT_FOUND ||
	    (status == STATUS_OK && !text_equal(ret_job->kind, TEXT(KIND))))
		return error_set(err, STATUS_NOT_FOUND, "There is no such export");
	return status;
}

static enum status write_get(struct api_call *call, struct buffer *out, struct error *err)
{
	struct job_asker asker = job_asker_of(call);
	struct store_job job;
	enum status      status = find_job(call, &job, err);
	if (status == STATUS_OK)
		status = jobs_allow(call->api->config.jobs, &job, &asker, err); /* its address is the key */
	return status == STATUS_OK ? write_job(call, &job, out, err) : status;
}

static void get_step(struct api_call *call) { call_answer_written(call, write_get); }

void audience_export_get(struct api_call *call) { call_on_worker(call, get_step); }

/* ---- The file ---- */

static enum status open_file(struct api_call *call, struct call_file *ret_file, struct error *err)
{
	char             directory[JOB_PATH_BYTES], path[JOB_PATH_BYTES + JOB_FILE_NAME_MAX + 2];
	struct store_job job;
	struct json      result;
	struct text      token = {0};
	http_query(call->request, "token", &token);
	enum status status = signed_url_check(call->api->config.vault, http_param(call->request, "id"),
	                                      token, clock_wall_ms(), err);
	if (status != STATUS_OK || (status = find_job(call, &job, err)) != STATUS_OK)
		return status;
	if (job.result.length == 0 || job.state != STORE_JOB_DONE)
		return error_set(err, STATUS_CONFLICT, "The export is %s", store_job_state_name(job.state));
	call->parser = json_parser_new();
	if ((status = json_parse_text(call->parser, job.result, &result, err)) != STATUS_OK ||
	    (status = jobs_directory(call->api->config.jobs, job.id, directory, err)) != STATUS_OK)
		return status;
	struct json masked = json_get(result, "masked");
	bool        dotted = json_type(masked) == JSON_BOOL && !json_bool(masked);
	struct text name   = text_member(result, "file");
	snprintf(path, sizeof path, "%s/%s%.*s", directory, dotted ? "." : "", TEXT_FORMAT(name));
	status = file_open(path, &ret_file->fd, &ret_file->bytes, err);
	if (status == STATUS_NOT_FOUND)
		return error_set(err, status, "The file is not kept any more");
	if (status == STATUS_OK)
		call_note_use(call);
	ret_file->name = arena_text(call->arena, name);
	return status;
}

static void file_step(struct api_call *call)
{
	call_answer_file(call, open_file, "application/octet-stream");
}

void audience_export_file(struct api_call *call) { call_on_worker(call, file_step); }
