/* Jobs: work in the background. */

#include <assert.h>

#include "base/instant.h"
#include "store/sqlite_internal.h"

/* The columns as the statements that read jobs have them. */
static void read_job(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	struct store_job job = {
		.number        = (uint64_t)sqlite3_column_int64(row, 1),
		.kind          = sqlite_text(row, 2, arena),
		.params        = sqlite_text(row, 3, arena),
		.asked_by      = sqlite_text(row, 4, arena),
		.schedule      = sqlite_text(row, 5, arena),
		.priority      = sqlite3_column_int(row, 6),
		.created_ms    = sqlite3_column_int64(row, 7),
		.run_from_ms   = sqlite3_column_int64(row, 8),
		.state         = (enum store_job_state)sqlite3_column_int(row, 9),
		.cancel_wanted = sqlite3_column_int(row, 10) != 0,
		.saved         = sqlite3_column_int(row, 11) != 0,
		.attempt       = (unsigned)sqlite3_column_int(row, 12),
		.started_ms    = sqlite3_column_int64(row, 13),
		.finished_ms   = sqlite3_column_int64(row, 14),
		.updated_ms    = sqlite3_column_int64(row, 15),
		.done          = sqlite3_column_int64(row, 16),
		.total         = sqlite3_column_int64(row, 17),
		.unit          = sqlite_text(row, 18, arena),
		.message       = sqlite_text(row, 19, arena),
		.resume        = sqlite_bytes(row, 20, arena),
		.result        = sqlite_text(row, 21, arena),
		.code          = sqlite_text(row, 22, arena),
		.reason        = sqlite_text(row, 23, arena),
	};
	sqlite_id(row, 0, job.id);
	*(struct store_job *)ret_item = job;
}

enum status sqlite_job_insert(struct sqlite_store *store, struct store_job *job, struct error *err)
{
	uint64_t    number = 0;
	enum status status = sqlite_counter_next(store, "job", &number, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_ADD);
	sqlite_bind_string(statement, 1, job->id);
	sqlite_bind_number(statement, 2, (int64_t)number);
	sqlite_bind_text_of(statement, 3, job->kind);
	sqlite_bind_text_of(statement, 4, job->params);
	sqlite_bind_text_of(statement, 5, job->asked_by);
	sqlite_bind_text_of(statement, 6, job->schedule);
	sqlite_bind_number(statement, 7, job->priority);
	sqlite_bind_number(statement, 8, job->created_ms);
	sqlite_bind_number(statement, 9, job->run_from_ms);
	sqlite_bind_number(statement, 10, STORE_JOB_QUEUED);
	sqlite_bind_number(statement, 11, INSTANT_MS_NONE);
	sqlite_bind_bytes(statement, 12, "", 0);
	if ((status = sqlite_run(store, statement, err)) != STATUS_OK)
		return status;
	job->number        = number;
	job->state         = STORE_JOB_QUEUED;
	job->cancel_wanted = job->saved = false;
	job->attempt                    = 0;
	job->started_ms = job->finished_ms = INSTANT_MS_NONE;
	job->updated_ms                    = job->created_ms;
	job->done                          = 0;
	job->total                         = -1;
	job->unit = job->message = job->resume = job->result = job->code = job->reason = TEXT("");
	return STATUS_OK;
}

enum status sqlite_job_add(struct store *base, struct store_job *job, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	struct store_job     added  = *job;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	status = sqlite_job_insert(store, &added, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*job = added;
	return status;
}

/* Within a transaction. */
static enum status find_job(struct sqlite_store *store, const char *id, struct arena *arena,
                            struct store_job *ret_job, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_GET);
	sqlite_bind_string(statement, 1, id);
	bool        found  = false;
	enum status status = sqlite_row(store, statement, &found, err);
	if (status != STATUS_OK)
		return status;
	if (!found)
		return error_set(err, STATUS_NOT_FOUND, "There is no such job");
	read_job(statement, arena, ret_job);
	return STATUS_OK;
}

enum status sqlite_job_get(struct store *base, const char *id, struct arena *arena,
                           struct store_job *ret_job, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	struct store_job     job    = {0};
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	status = find_job(store, id, arena, &job, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_job = job;
	return status;
}

static enum status count_jobs(struct sqlite_store *store, const struct store_job_filter *filter,
                              uint64_t *ret_total, struct error *err)
{
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_LIST_TOTAL);
	sqlite_bind_text_of(statement, 1, filter->kind);
	sqlite_bind_number(statement, 2, filter->state);
	sqlite_bind_number(statement, 3, filter->finished_before_ms);
	bool        row    = false;
	enum status status = sqlite_row(store, statement, &row, err);
	if (status == STATUS_OK && row)
		*ret_total = (uint64_t)sqlite3_column_int64(statement, 0);
	return status;
}

enum status sqlite_job_list(struct store *base, const struct store_job_filter *filter,
                            struct arena *arena, struct store_job **ret_jobs, size_t *ret_count,
                            uint64_t *ret_total, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	struct store_job    *jobs   = NULL;
	size_t               count  = 0;
	uint64_t             total  = 0;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_LIST);
	sqlite_bind_text_of(statement, 1, filter->kind);
	sqlite_bind_number(statement, 2, filter->state);
	sqlite_bind_number(statement, 3, filter->finished_before_ms);
	sqlite_bind_number(statement, 4, (int64_t)filter->before_number);
	sqlite_bind_number(statement, 5, (int64_t)filter->limit);
	const struct sqlite_reader reader = {
		.read = read_job, .item_size = sizeof *jobs, .arena = arena};
	status = sqlite_rows(store, statement, &reader, &jobs, &count, err);
	if (status == STATUS_OK)
		status = count_jobs(store, filter, &total, err);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK) {
		*ret_jobs  = jobs;
		*ret_count = count;
		*ret_total = total;
	}
	return status;
}

enum status sqlite_job_ready(struct store *base, struct text kind, int64_t now_ms,
                             struct arena *arena, struct store_job *ret_job, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader    = {.read      = read_job,
	                                        .item_size = sizeof *ret_job,
	                                        .arena     = arena,
	                                        .missing   = "No job is ready"};
	sqlite3_stmt              *statement = sqlite_statement(store, SQL_JOB_READY);
	sqlite_bind_text_of(statement, 1, kind);
	sqlite_bind_number(statement, 2, now_ms);
	return sqlite_find(store, statement, &reader, ret_job, err);
}

enum status sqlite_job_next_run(struct store *base, int64_t now_ms, int64_t *ret_run_ms,
                                struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	int64_t              run_ms = INSTANT_MS_NEVER;
	bool                 found  = false;
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_NEXT_RUN);
	sqlite_bind_number(statement, 1, now_ms);
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && found)
		run_ms = sqlite3_column_int64(statement, 0);
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_run_ms = run_ms;
	return status;
}

enum status sqlite_job_change(struct store *base, struct store_job *job,
                              enum store_job_state expected, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_CHANGE);
	sqlite_bind_number(statement, 1, job->run_from_ms);
	sqlite_bind_number(statement, 2, job->state);
	sqlite_bind_number(statement, 3, job->saved);
	sqlite_bind_number(statement, 4, job->attempt);
	sqlite_bind_number(statement, 5, job->started_ms);
	sqlite_bind_number(statement, 6, job->finished_ms);
	sqlite_bind_number(statement, 7, job->updated_ms);
	sqlite_bind_number(statement, 8, job->done);
	sqlite_bind_number(statement, 9, job->total);
	sqlite_bind_text_of(statement, 10, job->unit);
	sqlite_bind_text_of(statement, 11, job->message);
	sqlite_bind_bytes(statement, 12, job->resume.data, job->resume.length);
	sqlite_bind_text_of(statement, 13, job->result);
	sqlite_bind_text_of(statement, 14, job->code);
	sqlite_bind_text_of(statement, 15, job->reason);
	sqlite_bind_string(statement, 16, job->id);
	sqlite_bind_number(statement, 17, expected);
	bool found = false, cancel_wanted = false;
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_PRECONDITION, "The job is in another state by now");
	else if (status == STATUS_OK)
		cancel_wanted = sqlite3_column_int(statement, 0) != 0;
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		job->cancel_wanted = cancel_wanted;
	return status;
}

enum status sqlite_job_cancel(struct store *base, const char *id, int64_t now_ms,
                              struct arena *arena, struct store_job *ret_job, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	struct store_job     job    = {0};
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_CANCEL);
	sqlite_bind_number(statement, 1, now_ms);
	sqlite_bind_string(statement, 2, id);
	if ((status = sqlite_run(store, statement, err)) == STATUS_OK)
		status = find_job(store, id, arena, &job, err);
	if (status == STATUS_OK && (job.state == STORE_JOB_DONE || job.state == STORE_JOB_FAILED))
		status = error_set(err, STATUS_CONFLICT, "The job is %s already",
		                   job.state == STORE_JOB_DONE ? "done" : "failed");
	status = sqlite_end(store, status, err);
	if (status == STATUS_OK)
		*ret_job = job;
	return status;
}

enum status sqlite_job_delete(struct store *base, const char *id, struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	struct arena         arena;
	if (status != STATUS_OK)
		return status;
	arena_init(&arena);
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_DELETE);
	sqlite_bind_string(statement, 1, id);
	bool             found = false;
	struct store_job job;
	status = sqlite_row(store, statement, &found, err);
	if (status == STATUS_OK && !found)
		status = find_job(store, id, &arena, &job, err);
	if (status == STATUS_OK && !found)
		status = error_set(err, STATUS_CONFLICT, "The job is not finished");
	status = sqlite_end(store, status, err);
	arena_done(&arena);
	return status;
}

static void read_count(sqlite3_stmt *row, struct arena *arena, void *ret_item)
{
	*(struct store_job_count *)ret_item = (struct store_job_count){
		.kind  = sqlite_text(row, 0, arena),
		.state = (enum store_job_state)sqlite3_column_int(row, 1),
		.count = (uint64_t)sqlite3_column_int64(row, 2),
	};
}

enum status sqlite_job_count(struct store *base, struct arena *arena,
                             struct store_job_count **ret_counts, size_t *ret_count,
                             struct error *err)
{
	struct sqlite_store *store  = sqlite_store_of(base);
	enum status          status = sqlite_begin(store, err);
	if (status != STATUS_OK)
		return status;
	const struct sqlite_reader reader = {
		.read = read_count, .item_size = sizeof **ret_counts, .arena = arena};
	sqlite3_stmt *statement = sqlite_statement(store, SQL_JOB_COUNT);
	return sqlite_list(store, statement, &reader, ret_counts, ret_count, err);
}
