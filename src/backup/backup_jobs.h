#ifndef SONNIM_BACKUP_JOBS_H
#define SONNIM_BACKUP_JOBS_H

/* Backups as jobs: the kinds "backup", "backup-verify" and "backup-prune", none with parameters.
 * What a killed one has done is found again by its content, so each begins anew and is quick. */

#include "backup/backups.h"
#include "job/job.h"

/* Registers the kinds; before jobs_start(). */
void backup_jobs_register(struct backups *backups, struct jobs *jobs);

/* The schedules that there are by themselves, unless somebody has changed them, and a first backup
 * at once where the archive has none to begin behind. Once the queue runs. */
MUST_USE enum status backup_jobs_begin(struct backups *backups, struct jobs *jobs,
                                       const struct backup_settings *settings, struct error *err);

#endif
