#include "privacy/cleaning.h"

#include <string.h>

#include "ingest/debug.h"
#include "ingest/letters_erase.h"
#include "ingest/source.h"
#include "privacy/request.h"
#include "privacy/terms.h"

enum { PAGE_JOBS = 100 };

/* ---- Dead letters ---- */

static bool may_go_on(void *context) { return job_stopping(context) == JOB_GO_ON; }

static enum status clean_letters(struct privacy *privacy, struct job *job, const char *subjects,
                                 const char *more, struct privacy_counts *counts, struct error *err)
{
	struct vault       *vault = privacy->transfer->vault;
	struct letter_terms terms;
	uint64_t            removed = 0;
	letter_terms_init(&terms, vault);
	job_progress(job, -1, -1, "subjects", "dead letters");
	enum status status = privacy_terms_read(vault, subjects, &terms, err);
	if (status == STATUS_OK)
		status = privacy_terms_read(vault, more, &terms, err);
	if (status == STATUS_OK)
		status = letters_erase(privacy->letters, &terms, may_go_on, job, &removed, err);
	counts->letters += removed;
	letter_terms_done(&terms);
	return status;
}

/* ---- Files of jobs ---- */

static bool is_finished(const struct store_job *job)
{
	return job->state != STORE_JOB_QUEUED && job->state != STORE_JOB_RUNNING;
}

/* Requests that write no files of persons are not waited for: two of them would wait for one
 * another. What they read ends with them. */
static bool is_waited_for(const struct store_job *job)
{
	if (!text_equal(job->kind, TEXT(PRIVACY_KIND)))
		return true;
	struct json_parser   *parser = json_parser_new();
	struct privacy_params params;
	struct json           json;
	struct error          err;
	bool                  read = json_parse_text(parser, job->params, &json, &err) == STATUS_OK &&
	            privacy_params_read(json, &params, &err) == STATUS_OK;
	bool waited = !read || params.type == PRIVACY_EXPORT;
	json_parser_free(parser);
	return waited;
}

static enum status clean_job(struct privacy *privacy, const struct store_job *job, int64_t done_ms,
                             struct privacy_counts *counts, struct error *err)
{
	uint64_t removed = 0;
	if (job->created_ms > done_ms)
		return STATUS_OK;
	if (!is_finished(job)) /* what has not begun holds nobody yet */
		return (job->state == STORE_JOB_QUEUED && job->resume.length == 0) || !is_waited_for(job)
		           ? STATUS_OK
		           : error_set(err, STATUS_UNAVAILABLE,
		                       "the job %s may hold persons who are to be erased: its end is "
		                       "waited for",
		                       job->id);
	enum status status = jobs_drop_files(privacy->jobs, job->id, &removed, err);
	counts->files += removed;
	return status;
}

static enum status clean_kind(struct privacy *privacy, const char *kind, const char *own_id,
                              int64_t done_ms, struct privacy_counts *counts, struct error *err)
{
	struct store           *store  = privacy->transfer->store;
	struct store_job_filter filter = {.kind = text_of(kind), .limit = PAGE_JOBS};
	enum status             status = STATUS_OK;
	size_t                  count  = PAGE_JOBS;
	while (status == STATUS_OK && count == PAGE_JOBS) {
		struct store_job *jobs;
		struct arena      arena;
		uint64_t          total;
		arena_init(&arena);
		status = store->ops->job_list(store, &filter, &arena, &jobs, &count, &total, err);
		for (size_t i = 0; i < count && status == STATUS_OK; i++) {
			filter.before_number = jobs[i].number;
			if (strcmp(jobs[i].id, own_id) != 0)
				status = clean_job(privacy, &jobs[i], done_ms, counts, err);
		}
		arena_done(&arena);
	}
	return status;
}

static enum status clean_jobs(struct privacy *privacy, const char *own_id, int64_t done_ms,
                              struct privacy_counts *counts, struct error *err)
{
	static const char *const kinds[] = {"export", "audience-export", "import", PRIVACY_KIND};
	enum status              status  = STATUS_OK;
	for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0] && status == STATUS_OK; i++)
		status = clean_kind(privacy, kinds[i], own_id, done_ms, counts, err);
	return status;
}

/* ---- Memory ---- */

static void clean_debuggers(struct privacy *privacy)
{
	struct sources *sources = ingest_sources(privacy->transfer->ingest);
	for (struct source *source = sources_next(sources, NULL); source != NULL;
	     source                = sources_next(sources, source))
        debug_clear(source_debug(source));
}

enum status cleaning_run(struct privacy *privacy, struct job *job, const char *subjects,
                         const char *terms, int64_t done_ms, struct privacy_counts *counts,
                         struct error *err)
{
	enum status status = clean_letters(privacy, job, subjects, terms, counts, err);
	clean_debuggers(privacy);
	if (status == STATUS_OK)
		status = clean_jobs(privacy, job_id(job), done_ms, counts, err);
	return status;
}
