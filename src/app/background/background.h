#ifndef SONNIM_APP_BACKGROUND_H
#define SONNIM_APP_BACKGROUND_H

/* Background jobs of this process: the runner (job/job.h), and which kinds of jobs there are. A new
 * kind gets its line in background_open(), and a schedule that comes with it in
 * background_start(). */

#include "app/background/backfill.h"
#include "app/background/kept.h"
#include "audit/audit.h"
#include "backup/backups.h"
#include "engine/engine.h"
#include "job/job.h"
#include "job/retention.h"
#include "journal/journal.h"

struct background_config {
	const struct job_settings    *settings;
	const char                   *data; /* the server's directory: jobs lie in DATA/jobs */
	struct store                 *store;
	struct journal               *journal; /* its log time is the jobs' clock */
	struct backups               *backups; /* NULL: none are made */
	const struct backup_settings *backup_settings;
	struct audit                 *audit;
	const int64_t                *audit_ms; /* how long its records are kept */
	struct engine                *engine;
	struct kept_times             times;
};

struct background {
	struct jobs                  *jobs;
	struct retention             *retention;
	struct kept                   kept;
	struct backfill               backfill;
	struct backups               *backups;
	const struct backup_settings *backup_settings;
};

/* The queue can be asked and added to from here on. `background` is zeroed before. */
MUST_USE enum status background_open(struct background              *background,
                                     const struct background_config *config, struct error *err);

/* Jobs run from here on. */
MUST_USE enum status background_start(struct background *background, struct error *err);

/* What runs is told to stop and queued again. Before what the kinds use is stopped. */
void background_stop(struct background *background);

/* When nobody asks any more. */
void background_done(struct background *background);

#endif
