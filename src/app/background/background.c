#include "app/background/background.h"

#include <limits.h>
#include <stdio.h>

#include "app/background/audit_kept.h"
#include "backup/backup_jobs.h"

static int64_t log_time_ms(void *context)
{
	struct journal *journal = context;
	return journal->ops->log_time_ms(journal);
}

/* Everything that is kept for a time; what has a retention of its own gets its line here. */
static void register_things(struct background *background, const struct background_config *config)
{
	const struct retention_thing jobs = retention_of_jobs(background->jobs);
	kept_register(background->retention, &background->kept, &config->times);
	retention_register(background->retention, &jobs);
	audit_kept_register(background->retention, config->audit, config->audit_ms);
}

enum status background_open(struct background *background, const struct background_config *config,
                            struct error *err)
{
	char directory[PATH_MAX];
	if (snprintf(directory, sizeof directory, "%s/jobs", config->data) >= (int)sizeof directory)
		return error_set(err, STATUS_INVALID, "--data: the path is too long");
	struct jobs_config jobs   = {.store       = config->store,
	                             .directory   = directory,
	                             .settings    = config->settings,
	                             .now_ms      = log_time_ms,
	                             .now_context = config->journal};
	enum status        status = jobs_open(&jobs, &background->jobs, err);
	if (status != STATUS_OK)
		return status;
	background->retention =
		retention_new(background->jobs, config->store, config->settings->retention_wait_ms);
	background->kept = (struct kept){config->engine, config->journal, config->store};
	register_things(background, config);
	backfill_register(&background->backfill, background->jobs);
	background->backups         = config->backups;
	background->backup_settings = config->backup_settings;
	if (config->backups != NULL)
		backup_jobs_register(config->backups, background->jobs);
	return STATUS_OK;
}

enum status background_start(struct background *background, struct error *err)
{
	enum status status = jobs_start(background->jobs, err);
	if (status == STATUS_OK)
		status = retention_begin(background->retention, err);
	if (status == STATUS_OK && background->backups != NULL)
		status = backup_jobs_begin(background->backups, background->jobs,
		                           background->backup_settings, err);
	return status;
}

void background_stop(struct background *background)
{
	if (background->jobs != NULL)
		jobs_stop(background->jobs);
}

void background_done(struct background *background)
{
	retention_free(background->retention);
	job_unfollow(background->backfill.job,
	             STORE_JOB_RUNNING); /* taken up by a start that then failed */
	jobs_free(background->jobs);
}
