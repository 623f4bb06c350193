#ifndef SONNIM_BACKUP_BACKUPS_INTERNAL_H
#define SONNIM_BACKUP_BACKUPS_INTERNAL_H

/* What the parts of backups share. */

#include <pthread.h>

#include "backup/backups.h"

struct backups {
	struct backups_config config;
	struct repository    *repository;
	struct archive       *archive;
	pthread_mutex_t       work_lock; /* one of take, verify and prune at a time */
	pthread_mutex_t       lock;      /* of the status */
	struct backups_status status;
};

void backup_id(const struct chain_link *link, char ret_id[BACKUP_ID_BYTES]);

/* Counts what became of a work. */
void backups_note(struct backups *backups, enum status status);

enum status backup_task_pace(const struct backup_task *task, uint64_t bytes, struct error *err);

#endif
