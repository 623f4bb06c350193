#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_search.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "privacy/cleaning.h"
#include "privacy/erasing.h"
#include "privacy/export.h"
#include "privacy/request.h"
#include "privacy/upload.h"
#include "vault/subject_list.h"
#include "vault/vault_subjects.h"

#define KEEP_MS (INT64_C(1096) * DAY_MS) /* requests with their receipts: three years */

struct run {
	struct privacy       *privacy;
	struct job           *job;
	struct privacy_params params;
	struct privacy_state  state;
	uint8_t               request[VAULT_REQUEST_BYTES];
	char                  path[JOB_PATH_BYTES]; /* of the subjects */
	int                   fd;
	bool                  resumed; /* the batch at hand may be done already */
	bool                  ending;  /* it was interrupted at its end: its record may be there */
	struct arena          arena;   /* of the batch */
	vault_id_list         ids;
	struct privacy_export export;
	struct privacy_terms terms; /* of a deletion */
	char                 terms_path[JOB_PATH_BYTES];
};

static enum status save(struct run *run, struct error *err)
{
	struct buffer out = {0};
	privacy_state_write(&run->state, &out);
	enum status status = job_save(run->job, buffer_text(&out), err);
	buffer_done(&out);
	return status;
}

static void request_bytes(const char *id, uint8_t into[VAULT_REQUEST_BYTES])
{
	char   digits[2 * VAULT_REQUEST_BYTES + 1];
	size_t length = 0;
	for (const char *at = id; *at != '\0' && length < sizeof digits - 1; at++)
		if (*at != '-')
			digits[length++] = *at;
	if (!hash_unhex((struct text){digits, length}, into, VAULT_REQUEST_BYTES))
		memset(into, 0, VAULT_REQUEST_BYTES);
}

/* ---- A batch ---- */

static enum status note_all(struct run *run, enum vault_mark mark, struct error *err)
{
	struct vault_note *notes = calloc(run->ids.count + 1, sizeof *notes);
	if (notes == NULL)
		abort();
	for (size_t i = 0; i < run->ids.count; i++) {
		notes[i] = (struct vault_note){
			.id = run->ids.items[i], .mark = mark, .at_ms = job_now_ms(run->job)};
		memcpy(notes[i].request, run->request, sizeof notes[i].request);
	}
	enum status status =
		vault_note_subjects(run->privacy->transfer->vault, notes, run->ids.count, err);
	free(notes);
	return status;
}

struct asking {
	const uint8_t *request;
	bool           erased;
};

static void on_note(void *context, enum vault_mark mark, int64_t at_ms,
                    const uint8_t request[VAULT_REQUEST_BYTES])
{
	struct asking *asking = context;
	(void)at_ms;
	asking->erased |=
		mark == VAULT_ERASED && memcmp(request, asking->request, VAULT_REQUEST_BYTES) == 0;
}

/* Those who are unknown by now may have been erased by this request before it was interrupted. */
static enum status recognise(struct run *run, bool *known, struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < run->ids.count && status == STATUS_OK; i++) {
		struct asking asking = {run->request, false};
		if (known[i])
			continue;
		status   = vault_subject_notes(run->privacy->transfer->vault, run->ids.items[i], on_note,
		                               &asking, err);
		known[i] = asking.erased;
		run->state.counts.persons += asking.erased;
	}
	return status;
}

static enum status delete_batch(struct run *run, bool *known, struct error *err)
{
	struct erasing erasing = {.ids   = run->ids.items,
	                          .count = run->ids.count,
	                          .at_ms = job_now_ms(run->job),
	                          .known = known};
	memcpy(erasing.request, run->request, sizeof erasing.request);
	enum status status = erasing_run(run->privacy->transfer, &erasing, &run->terms, err);
	if (status == STATUS_OK && run->resumed)
		status = recognise(run, known, err);
	if (status == STATUS_OK && erasing.position > 0)
		status = erasing_await(run->privacy->transfer, erasing.position, err);
	if (status != STATUS_OK)
		return status;
	run->state.counts.persons += erasing.person_count;
	return STATUS_OK;
}

static enum status do_batch(struct run *run, bool *known, struct error *err)
{
	enum privacy_type type   = run->params.type;
	enum status       status = STATUS_OK;
	memset(known, 1, run->ids.count);
	if (privacy_type_suppresses(type))
		status = note_all(run, VAULT_SUPPRESSED, err);
	if (type == PRIVACY_UNSUPPRESS)
		status = note_all(run, VAULT_RELEASED, err);
	if (status == STATUS_OK && privacy_type_deletes(type))
		status = delete_batch(run, known, err);
	if (status == STATUS_OK && type == PRIVACY_EXPORT)
		status = privacy_export_batch(&run->export, run->ids.items, run->ids.count, known,
		                              &run->state.counts.persons, err);
	return status;
}

static enum status take_batch(struct run *run, uint64_t next, struct error *err)
{
	bool *known = calloc(run->ids.count + 1, sizeof *known);
	if (known == NULL)
		abort();
	run->state.begun   = true;
	enum status status = save(run, err);
	if (status == STATUS_OK)
		status = do_batch(run, known, err);
	for (size_t i = 0; i < run->ids.count && status == STATUS_OK; i++) {
		run->state.counts.done += known[i];
		run->state.counts.unknown += !known[i];
	}
	free(known);
	if (status != STATUS_OK)
		return status;
	run->state.offset  = next;
	run->state.begun   = false;
	run->state.done_ms = job_now_ms(run->job);
	run->resumed       = false;
	return save(run, err);
}

static enum status take_batches(struct run *run, struct error *err)
{
	run->fd = open(run->path, O_RDONLY | O_CLOEXEC);
	if (run->fd < 0 && errno == ENOENT)
		return error_set(err, STATUS_GONE,
		                 "The list of subjects is not there: backups have no files of jobs");
	if (run->fd < 0)
		return file_error(err, errno, "open", run->path);
	run->resumed = run->state.begun;
	for (;;) {
		uint64_t next = run->state.offset;
		arena_done(&run->arena);
		arena_init(&run->arena);
		enum status status = subject_list_read(run->privacy->transfer->vault, run->fd, run->path,
		                                       &next, &run->arena, &run->ids, err);
		if (status == STATUS_NOT_FOUND)
			return STATUS_OK;
		if (status == STATUS_OK)
			status = take_batch(run, next, err);
		if (status == STATUS_OK && job_stopping(run->job) != JOB_GO_ON)
			status = error_set(err, STATUS_AGAIN, "stopped");
		if (status != STATUS_OK)
			return status;
		job_progress(run->job, (int64_t)(run->state.counts.done + run->state.counts.unknown),
		             (int64_t)run->state.counts.subjects, "subjects", NULL);
	}
}

/* ---- Receipt ---- */

static bool is_partial(const struct run *run)
{
	return run->state.counts.unknown + run->state.counts.invalid > 0;
}

static void write_details(const struct run *run, struct buffer *out)
{
	struct json_writer w = json_writer_of(out);
	json_begin_object(&w);
	json_member_string(&w, "type", text_of(privacy_type_name(run->params.type)));
	json_add_key(&w, TEXT("counts"));
	privacy_counts_write(&w, &run->state.counts);
	json_end_object(&w);
}

/* Whether the run that was interrupted has told already. */
static enum status find_told(struct run *run, bool *ret_told, struct error *err)
{
	struct audit            *audit = run->privacy->audit;
	const struct audit_query query = {.action     = TEXT("privacy.finish"),
	                                  .target     = text_of(job_id(run->job)),
	                                  .from_ms    = INSTANT_MS_MIN,
	                                  .to_ms      = INSTANT_MS_MAX,
	                                  .before_seq = UINT64_MAX,
	                                  .limit      = 1};
	audit_file_list          files;
	struct text             *lines;
	size_t                   count = 0;
	uint64_t                 next;
	audit_snapshot(audit, &files);
	enum status status = audit_search(audit_directory(audit), &files, &query, &run->arena, &lines,
	                                  &count, &next, err);
	VECTOR_DONE(&files);
	*ret_told = status == STATUS_OK && count > 0;
	return status;
}

/* The audit trail has it first: its chain and signature are what makes the receipt one. */
static enum status tell_audit(struct run *run, struct error *err)
{
	bool told = false;
	if (run->ending) {
		enum status status = find_told(run, &told, err);
		if (status != STATUS_OK || told)
			return status;
	}
	struct buffer details = {0};
	write_details(run, &details);
	const struct audit_record record = {.action      = TEXT("privacy.finish"),
	                                    .actor       = TEXT("system:privacy"),
	                                    .target      = text_of(job_id(run->job)),
	                                    .details     = buffer_text(&details),
	                                    .result_size = (int64_t)run->state.counts.persons};
	enum status               status = audit_note(run->privacy->audit, &record, err);
	buffer_done(&details);
	return status;
}

static void set_result(struct run *run)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	struct audit_head  head;
	char               hex[2 * SHA256_BYTES + 1];
	audit_head(run->privacy->audit, &head);
	hash_hex(head.hash, sizeof head.hash, hex);
	json_begin_object(&w);
	json_member_string(&w, "state", text_of(is_partial(run) ? "PARTIAL_SUCCESS" : "FINISHED"));
	json_add_key(&w, TEXT("counts"));
	privacy_counts_write(&w, &run->state.counts);
	json_add_key(&w, TEXT("receipt"));
	json_begin_object(&w);
	json_member_instant(&w, "finishedAt", job_now_ms(run->job));
	json_member_int(&w, "auditSeq", (int64_t)head.seq);
	json_member_string(&w, "auditHash", text_of(hex));
	json_end_object(&w);
	json_end_object(&w);
	job_set_result(run->job, buffer_text(&out));
	buffer_done(&out);
}

/* ---- The job ---- */

static void remove_file(struct run *run, const char *name)
{
	char         path[JOB_PATH_BYTES];
	struct error err;
	if (job_file_path(run->job, name, path, &err) == STATUS_OK)
		(void)unlink(path);
}

/* Its files are written anew, whole. */
static enum status begin_export(struct run *run, struct error *err)
{
	run->state.offset      = 0;
	run->state.counts.done = run->state.counts.unknown = run->state.counts.persons = 0;
	return privacy_export_open(&run->export, run->privacy, run->job, err);
}

static enum status work(struct run *run, struct error *err)
{
	enum status status = STATUS_OK;
	if (run->state.phase == PRIVACY_READING) {
		if (run->params.file)
			status = privacy_upload_read(run->privacy, run->job, &run->state.counts, err);
		if (status != STATUS_OK && !status_retriable(status))
			remove_file(run, PRIVACY_UPLOAD); /* its ids are in clear, and nobody reads it again */
		run->state.phase = PRIVACY_WORKING;
		if (status == STATUS_OK)
			status = save(run, err);
		if (status == STATUS_OK)
			remove_file(run, PRIVACY_UPLOAD);
	}
	if (status == STATUS_OK && run->state.phase == PRIVACY_WORKING) {
		if (run->params.type == PRIVACY_EXPORT)
			status = begin_export(run, err);
		else if (privacy_type_deletes(run->params.type))
			status = privacy_terms_open(&run->terms, run->privacy->transfer, run->terms_path, err);
		if (status == STATUS_OK)
			status = take_batches(run, err);
		run->state.phase = PRIVACY_CLEANING;
		if (status == STATUS_OK && run->params.type == PRIVACY_EXPORT)
			status = privacy_export_finish(&run->export, err);
		if (status == STATUS_OK)
			status = save(run, err);
	}
	if (status == STATUS_OK && privacy_type_deletes(run->params.type))
		status = cleaning_run(run->privacy, run->job, run->path, run->terms_path,
		                      run->state.done_ms, &run->state.counts, err);
	if (status == STATUS_OK)
		status = tell_audit(run, err);
	return status;
}

/* What was counted when the request was made: none of it is in clear in the parameters. */
static void read_count(struct run *run)
{
	struct json subjects = json_get(job_params(run->job), "subjects");
	if (run->state.phase == PRIVACY_READING && json_type(subjects) == JSON_INT)
		run->state.counts.subjects = json_uint(subjects);
}

static enum status run_job(void *context, struct job *job, struct error *err)
{
	struct run run = {.privacy = context, .job = job, .fd = -1};
	arena_init(&run.arena);
	request_bytes(job_id(job), run.request);
	enum status status = privacy_params_read(job_params(job), &run.params, err);
	if (status == STATUS_OK)
		status = privacy_state_read(job_state(job), &run.state, err);
	if (status == STATUS_OK)
		status = job_file_path(job, PRIVACY_SUBJECTS, run.path, err);
	if (status == STATUS_OK)
		status = job_file_path(job, PRIVACY_TERMS, run.terms_path, err);
	read_count(&run);
	run.ending = run.state.phase == PRIVACY_CLEANING;
	if (status == STATUS_OK)
		status = work(&run, err);
	if (status == STATUS_OK || job_stopping(job) == JOB_CANCELLED) {
		remove_file(&run, PRIVACY_UPLOAD);
		remove_file(&run, PRIVACY_SUBJECTS);
		remove_file(&run, PRIVACY_TERMS);
	}
	if (status == STATUS_OK)
		set_result(&run);
	privacy_export_done(&run.export);
	privacy_terms_done(&run.terms);
	VECTOR_DONE(&run.ids);
	arena_done(&run.arena);
	if (run.fd >= 0)
		close(run.fd);
	return status;
}

static enum status check(void *context, struct json params, struct error *err)
{
	struct privacy_params read;
	(void)context;
	return privacy_params_read(params, &read, err);
}

static const struct job_need *needs(void *context, struct json params)
{
	static const struct job_need need[] = {{"privacy.write", NULL}, {0}};
	(void)context;
	(void)params;
	return need;
}

void privacy_register(struct privacy *privacy)
{
	const struct job_kind kind = {
		.name           = PRIVACY_KIND,
		.summary        = "Suppresses, erases or exports persons at their request",
		.check          = check,
		.needs          = needs,
		.run            = run_job,
		.context        = privacy,
		.beside_max     = 1,
		.priority       = 50,
		.attempts_max   = JOB_ATTEMPTS_MAX,
		.backoff_ms     = 1000,
		.backoff_ms_max = 600000, /* an import that is waited for may take hours */
		.keep_ms        = KEEP_MS,
	};
	jobs_register(privacy->jobs, &kind);
}
