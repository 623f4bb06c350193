/* /api/v1/privacy: rights of the person. Requests are jobs of the kind "privacy": the ids go,
 * sealed, into the job's directory, and into nothing else. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "api/call.h"
#include "api/call_audit.h"
#include "api/handlers.h"
#include "api/job/job_ask.h"
#include "api/job/job_json.h"
#include "api/transfer/upload_form.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "vault/subject_list.h"
#include "vault/vault_subjects.h"

/* As the kind expects them. */
#define KIND          "privacy"
#define SUBJECTS_NAME ".subjects"
#define UPLOAD_NAME   ".upload"

enum { SUBJECTS_MAX = 1000, REASON_BYTES_MAX = 256, TYPE_BYTES_MAX = 32 };

/* ---- What is answered ---- */

static const char *state_of(const struct store_job *job, struct json result)
{
	switch (job->state) {
	case STORE_JOB_QUEUED:
		return job->resume.length > 0 ? "RUNNING" : "INITIALIZED";
	case STORE_JOB_RUNNING:
		return "RUNNING";
	case STORE_JOB_DONE: {
		struct json state = json_get(result, "state");
		return json_type(state) == JSON_STRING &&
		               text_equal(json_string(state), TEXT("PARTIAL_SUCCESS"))
		           ? "PARTIAL_SUCCESS"
		           : "FINISHED";
	}
	default:
		return "FAILED";
	}
}

static void add_member(struct json_writer *w, const char *name, struct json value)
{
	json_add_key(w, text_of(name));
	if (json_type(value) == JSON_NONE)
		json_add_null(w);
	else
		json_add_value(w, value);
}

static void add_instant(struct json_writer *w, const char *name, int64_t ms)
{
	if (ms == INSTANT_MS_NONE || ms == 0)
		json_member_null(w, name);
	else
		json_member_instant(w, name, ms);
}

static void write_error(struct json_writer *w, const struct store_job *job)
{
	bool cancelled = job->state == STORE_JOB_CANCELLED;
	if (job->code.length == 0 && !cancelled) {
		json_member_null(w, "error");
		return;
	}
	json_add_key(w, TEXT("error"));
	json_begin_object(w);
	json_member_string(w, "code", cancelled ? TEXT("CANCELLED") : job->code);
	json_member_string(w, "message", cancelled ? TEXT("It was cancelled") : job->reason);
	json_end_object(w);
}

/* How far it has come, where there is no result yet. */
static struct json counts_of(struct json result, struct json resume)
{
	struct json counts = json_get(result, "counts");
	return json_type(counts) == JSON_OBJECT ? counts : json_get(resume, "counts");
}

static void write_request(struct api_call *call, struct json_writer *w, const struct store_job *job)
{
	struct json_parser *parsers[3];
	struct json         roots[3] = {0};
	const struct text   texts[3] = {job->params, job->result, job->resume};
	struct job_file    *files    = NULL;
	size_t              count    = 0;
	struct error        err;
	for (unsigned i = 0; i < 3; i++) {
		parsers[i] = json_parser_new();
		if (texts[i].length > 0 &&
		    json_parse_text(parsers[i], texts[i], &roots[i], &err) != STATUS_OK)
			roots[i] = (struct json){0};
	}
	json_begin_object(w);
	json_member_string(w, "id", text_of(job->id));
	add_member(w, "type", json_get(roots[0], "type"));
	json_member_string(w, "state", text_of(state_of(job, roots[1])));
	add_member(w, "reason", json_get(roots[0], "reason"));
	json_member_string(w, "askedBy", job->asked_by);
	json_member_instant(w, "createdAt", job->created_ms);
	add_instant(w, "finishedAt", job->finished_ms);
	add_member(w, "counts", counts_of(roots[1], roots[2]));
	add_member(w, "receipt", json_get(roots[1], "receipt"));
	write_error(w, job);
	(void)!jobs_files(call->api->config.jobs, job->id, call->arena, &files, &count, &err);
	job_json_files(w, files, count);
	json_end_object(w);
	for (unsigned i = 0; i < 3; i++)
		json_parser_free(parsers[i]);
}

static void answer_accepted(struct api_call *call, const struct store_job *job)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	write_request(call, &w, job);
	call_audit_target(call, text_of(job->id));
	call_answer(call, 202, &out);
}

/* ---- Asking ---- */

/* What was brought along by a request that is not to be: ids of people. */
static void drop_brought(struct api_call *call, const char *id)
{
	uint64_t     removed;
	struct error ignored; /* what is left goes with what was reserved and not used */
	(void)!jobs_drop_files(call->api->config.jobs, id, &removed, &ignored);
}

static void write_params(struct buffer *out, struct text type, struct text reason, bool file,
                         const struct upload_form *form, uint64_t subjects)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "type", type);
	json_member_string(&w, "reason", reason);
	json_member_bool(&w, "file", file);
	if (!file)
		json_member_int(&w, "subjects", (int64_t)subjects);
	if (form != NULL) {
		json_add_key(&w, TEXT("part"));
		json_begin_object(&w);
		json_member_int(&w, "offset", (int64_t)form->offset);
		json_member_int(&w, "bytes", (int64_t)form->bytes);
		json_end_object(&w);
	}
	json_end_object(&w);
}

static enum status ask(struct api_call *call, const char *id, const struct buffer *params,
                       struct store_job *ret_job, struct error *err)
{
	const struct job_wish wish = {
		.kind = KIND, .params = buffer_text(params), .id = id, .priority = JOB_PRIORITY_OF_KIND};
	return job_ask_plain(call, &wish, ret_job, err);
}

static enum status subject_of(struct json subject, size_t index, struct vault_id *ret_id,
                              struct error *err)
{
	char        field[48];
	struct json user = json_get(subject, "userId"), anonymous = json_get(subject, "anonymousId");
	bool        one = (json_type(user) == JSON_STRING) != (json_type(anonymous) == JSON_STRING);
	snprintf(field, sizeof field, "subjects[%zu]", index);
	if (json_type(subject) != JSON_OBJECT || !one)
		return error_set_field(err, STATUS_INVALID, field,
		                       "It is an object with a userId or an anonymousId");
	bool is_user = json_type(user) == JSON_STRING;
	*ret_id      = (struct vault_id){is_user ? VAULT_USER : VAULT_ANONYMOUS,
	                            json_string(is_user ? user : anonymous)};
	if (ret_id->id.length == 0 || ret_id->id.length > VAULT_ID_BYTES_MAX)
		return error_set_field(err, STATUS_INVALID, field, "An id has 1 to %d bytes",
		                       VAULT_ID_BYTES_MAX);
	return STATUS_OK;
}

static enum status add_subjects(struct subject_writer *writer, struct json subjects,
                                struct error *err)
{
	enum status status = STATUS_OK;
	size_t      index  = 0;
	for (struct json_iterator i = json_iterate(subjects); status == STATUS_OK && json_next(&i);) {
		struct vault_id id;
		status = subject_of(i.value, index++, &id, err);
		if (status == STATUS_OK)
			status = subject_writer_add(writer, id, err);
	}
	return status == STATUS_OK ? subject_writer_finish(writer, err) : status;
}

static enum status write_subjects(struct api_call *call, struct json subjects, char ret_id[37],
                                  uint64_t *ret_count, struct error *err)
{
	char                  directory[JOB_PATH_BYTES], path[JOB_PATH_BYTES];
	struct subject_writer writer;
	enum status           status = jobs_reserve(call->api->config.jobs, ret_id, directory, err);
	if (status != STATUS_OK)
		return status;
	if (snprintf(path, sizeof path, "%s/%s", directory, SUBJECTS_NAME) >= (int)sizeof path)
		return error_set(err, STATUS_IO, "the path of a request is too long");
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(err, errno, "make", path);
	subject_writer_init(&writer, call->api->config.vault, fd, path);
	status     = add_subjects(&writer, subjects, err);
	*ret_count = writer.count;
	subject_writer_done(&writer);
	close(fd);
	if (status != STATUS_OK)
		drop_brought(call, ret_id);
	return status;
}

static enum status create(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	static const char *const known[] = {"type", "subjects", "reason", NULL};
	struct json              body, subjects;
	struct text              type, reason;
	struct buffer            params = {0};
	char                     id[37];
	uint64_t                 count = 0;
	enum status              status;
	if ((status = call_body(call, &body, err)) != STATUS_OK ||
	    (status = call_only(body, known, err)) != STATUS_OK ||
	    (status = call_string(body, "type", false, 1, TYPE_BYTES_MAX, &type, err)) != STATUS_OK ||
	    (status = call_string(body, "reason", true, 0, REASON_BYTES_MAX, &reason, err)) !=
	        STATUS_OK)
		return status;
	subjects = json_get(body, "subjects");
	if (json_type(subjects) != JSON_ARRAY || json_count(subjects) == 0 ||
	    json_count(subjects) > SUBJECTS_MAX)
		return error_set_field(err, STATUS_INVALID, "subjects", "It is an array of 1 to %d ids",
		                       SUBJECTS_MAX);
	status = write_subjects(call, subjects, id, &count, err);
	if (status == STATUS_OK) {
		write_params(&params, type, reason, false, NULL, count);
		status = ask(call, id, &params, ret_job, err);
		if (status != STATUS_OK)
			drop_brought(call, id);
	}
	buffer_done(&params);
	return status;
}

static void create_step(struct api_call *call)
{
	struct store_job job;
	struct error     err;
	if (create(call, &job, &err) == STATUS_OK)
		answer_accepted(call, &job);
	else
		call_fail(call, &err);
}

void privacy_create(struct api_call *call) { call_on_worker(call, create_step); }

/* ---- Asking by a file ---- */

struct upload {
	char         id[37];
	char         path[JOB_PATH_BYTES];
	int          fd;
	uint64_t     bytes;
	enum status  status; /* of the body */
	struct error err;
	bool         counted;
};

static void cleanup(struct api_call *call)
{
	struct upload *upload = call->state;
	if (upload->fd >= 0)
		close(upload->fd);
	if (upload->counted)
		atomic_fetch_sub(&call->api->upload_count, 1);
}

static enum status make_room(struct api_call *call, struct upload *upload, struct error *err)
{
	char directory[JOB_PATH_BYTES];
	int  before     = atomic_fetch_add(&call->api->upload_count, 1);
	upload->counted = true;
	if (before >= API_UPLOADS_MAX)
		return error_set(err, STATUS_LIMITED, "%d files are being uploaded already",
		                 API_UPLOADS_MAX);
	enum status status = jobs_reserve(call->api->config.jobs, upload->id, directory, err);
	if (status != STATUS_OK)
		return status;
	if (snprintf(upload->path, sizeof upload->path, "%s/%s", directory, UPLOAD_NAME) >=
	    (int)sizeof upload->path)
		return error_set(err, STATUS_IO, "the path of an upload is too long");
	upload->fd = open(upload->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return upload->fd < 0 ? file_error(err, errno, "make", upload->path) : STATUS_OK;
}

static enum status add_upload(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	const struct upload *upload = call->state;
	struct buffer        params = {0};
	struct text          type = TEXT(""), reason = TEXT(""), content_type = {0};
	struct upload_form   form;
	http_query(call->request, "type", &type);
	http_query(call->request, "reason", &reason);
	http_header(call->request, "Content-Type", &content_type);
	enum status status =
		upload_form_read(upload->fd, upload->bytes, content_type, call->arena, &form, err);
	if (status == STATUS_OK && fsync(upload->fd) != 0)
		status = file_error(err, errno, "sync", upload->path);
	if (status == STATUS_OK) {
		write_params(&params, type, reason, true, &form, 0);
		status = ask(call, upload->id, &params, ret_job, err);
	}
	buffer_done(&params);
	return status;
}

static void uploaded_step(struct api_call *call)
{
	struct upload   *upload = call->state;
	struct store_job job;
	struct error     err    = upload->err;
	enum status      status = upload->status;
	if (status == STATUS_OK)
		status = add_upload(call, &job, &err);
	if (status == STATUS_OK) {
		answer_accepted(call, &job);
		return;
	}
	drop_brought(call, upload->id);
	call_fail(call, &err);
}

static void received(struct http_request *request, void *context, enum status status,
                     uint64_t bytes, const struct error *err)
{
	struct api_call *call   = context;
	struct upload   *upload = call->state;
	(void)request;
	upload->status = status;
	upload->bytes  = bytes;
	if (status != STATUS_OK) {
		upload->err        = *err;
		upload->err.status = status;
	}
	call_on_worker(call, uploaded_step);
}

static void upload_step(struct api_call *call)
{
	struct upload *upload = call->state;
	struct error   err;
	if (make_room(call, upload, &err) != STATUS_OK) {
		call_fail(call, &err);
		return;
	}
	http_receive(call->request, upload->fd, call->api->config.upload_bytes_max, received, call);
}

void privacy_upload(struct api_call *call)
{
	struct upload *upload = ARENA_NEW(call->arena, struct upload);
	upload->fd            = -1;
	call->state           = upload;
	call->cleanup         = cleanup;
	call_on_worker(call, upload_step);
}

/* ---- Reading ---- */

static enum status find(struct api_call *call, struct store_job *ret_job, struct error *err)
{
	const char *id     = arena_text(call->arena, http_param(call->request, "id")).data;
	enum status status = jobs_get(call->api->config.jobs, id, call->arena, ret_job, err);
	if (status == STATUS_OK && !text_equal(ret_job->kind, TEXT(KIND)))
		status = error_set(err, STATUS_NOT_FOUND, "There is no such request");
	return status;
}

static enum status write_list(struct api_call *call, struct buffer *out, struct error *err)
{
	struct journal         *journal = call->api->config.journal;
	struct store_job_filter filter  = {.kind = TEXT(KIND)};
	struct store_job       *rows;
	struct byte_reader      cursor;
	size_t                  count, limit;
	uint64_t                total;
	enum status             status;
	if ((status = call_limit(call, &limit, err)) != STATUS_OK ||
	    (status = call_cursor(call, CURSOR_JOBS, &cursor, err)) != STATUS_OK)
		return status;
	filter.limit         = limit + 1;
	filter.before_number = read_left(&cursor) > 0 ? read_u64(&cursor) : 0;
	status = jobs_list(call->api->config.jobs, &filter, call->arena, &rows, &count, &total, err);
	if (status != STATUS_OK)
		return status;
	struct buffer      next = {0};
	struct json_writer w    = call_begin_list(out);
	for (size_t i = 0; i < count && i < limit; i++)
		write_request(call, &w, &rows[i]);
	if (count > limit)
		buffer_add_u64(&next, rows[limit - 1].number);
	call_end_list(&w, CURSOR_JOBS, buffer_text(&next), (int64_t)total,
	              journal->ops->log_time_ms(journal));
	buffer_done(&next);
	return STATUS_OK;
}

static enum status write_one(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store_job   job;
	struct json_writer w      = json_writer_of(out);
	enum status        status = find(call, &job, err);
	if (status == STATUS_OK)
		write_request(call, &w, &job);
	return status;
}

/* What is running is not stopped in the middle: it is one person, or it goes on to its end. */
static enum status write_cancelled(struct api_call *call, struct buffer *out, struct error *err)
{
	struct store_job   job;
	struct json_writer w      = json_writer_of(out);
	enum status        status = find(call, &job, err);
	if (status == STATUS_OK && (job.state == STORE_JOB_RUNNING || job.resume.length > 0))
		status = error_set(err, STATUS_CONFLICT, "The request is being carried out already");
	if (status == STATUS_OK)
		status = jobs_cancel(call->api->config.jobs, job.id, call->arena, &job, err);
	if (status != STATUS_OK)
		return status;
	uint64_t     removed;
	struct error ignored;
	(void)!jobs_drop_files(call->api->config.jobs, job.id, &removed, &ignored);
	write_request(call, &w, &job);
	return STATUS_OK;
}

static void list_step(struct api_call *call) { call_answer_written(call, write_list); }

static void get_step(struct api_call *call) { call_answer_written(call, write_one); }

static void cancel_step(struct api_call *call) { call_answer_written(call, write_cancelled); }

void privacy_list(struct api_call *call) { call_on_worker(call, list_step); }

void privacy_get(struct api_call *call) { call_on_worker(call, get_step); }

void privacy_cancel(struct api_call *call) { call_on_worker(call, cancel_step); }

static enum status open_file(struct api_call *call, struct call_file *ret_file, struct error *err)
{
	char             path[JOB_PATH_BYTES];
	struct store_job job;
	enum status      status = find(call, &job, err);
	if (status == STATUS_OK)
		status = jobs_file_path(call->api->config.jobs, &job, http_param(call->request, "name"),
		                        path, err);
	return status == STATUS_OK ? file_open(path, &ret_file->fd, &ret_file->bytes, err) : status;
}

static void file_step(struct api_call *call)
{
	call_answer_file(call, open_file, "application/octet-stream");
}

void privacy_file(struct api_call *call) { call_on_worker(call, file_step); }

/* ---- What is known of an id ---- */

struct notes {
	struct json_writer w;
	bool               suppressed;
};

static void write_note(void *context, enum vault_mark mark, int64_t at_ms,
                       const uint8_t request[VAULT_REQUEST_BYTES])
{
	static const char *const names[] = {[VAULT_SUPPRESSED] = "suppressed",
	                                    [VAULT_RELEASED]   = "released",
	                                    [VAULT_ERASED]     = "erased"};
	struct notes            *notes   = context;
	char                     hex[2 * VAULT_REQUEST_BYTES + 1], id[37];
	if (mark < VAULT_SUPPRESSED || mark > VAULT_ERASED)
		return;
	hash_hex(request, VAULT_REQUEST_BYTES, hex);
	snprintf(id, sizeof id, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
	         hex + 20);
	json_begin_object(&notes->w);
	json_member_string(&notes->w, "what", text_of(names[mark]));
	json_member_instant(&notes->w, "at", at_ms);
	json_member_string(&notes->w, "requestId", text_of(id));
	json_end_object(&notes->w);
}

static enum status write_subject(struct api_call *call, struct buffer *out, struct error *err)
{
	struct vault   *vault = call->api->config.vault;
	struct text     user = {0}, anonymous = {0};
	struct vault_id id;
	http_query(call->request, "userId", &user);
	http_query(call->request, "anonymousId", &anonymous);
	id = user.length > 0 ? (struct vault_id){VAULT_USER, user}
	                     : (struct vault_id){VAULT_ANONYMOUS, anonymous};
	if (id.id.length == 0 || id.id.length > VAULT_ID_BYTES_MAX ||
	    (user.length > 0 && anonymous.length > 0))
		return error_set_field(err, STATUS_INVALID, "userId",
		                       "Ask with a userId or an anonymousId");
	struct notes notes = {.w = json_writer_of(out)};
	json_begin_object(&notes.w);
	json_member_bool(&notes.w, "known", vault_known(vault, id));
	json_member_bool(&notes.w, "suppressed",
	                 vault_any_suppressed(vault, &id, 1) ||
	                     vault_linked_to_suppressed(vault, anonymous));
	json_add_key(&notes.w, TEXT("history"));
	json_begin_array(&notes.w);
	enum status status = vault_subject_notes(vault, id, write_note, &notes, err);
	json_end_array(&notes.w);
	json_end_object(&notes.w);
	return status;
}

static void subject_step(struct api_call *call) { call_answer_written(call, write_subject); }

void privacy_subject(struct api_call *call) { call_on_worker(call, subject_step); }
