#ifndef SONNIM_BACKUP_RESTORE_PLAN_H
#define SONNIM_BACKUP_RESTORE_PLAN_H

/* Which backup a restore begins with, and what its files are with the steps behind it. */

#include "backup/restore.h"

struct restore_plan {
	struct backup_summary summary;
	backup_file_list      files;   /* journal, vault and store as of the last step */
	int64_t               cut_ms;  /* the journal is cut behind it; INSTANT_MS_NEVER: not */
	int64_t               ends_ms; /* log time that the last step reaches */
	uint64_t              bytes;
};

void                 restore_plan_done(struct restore_plan *plan);
MUST_USE enum status restore_plan_make(struct repository *repository, int64_t to_ms,
                                       const char *backup, struct restore_plan *ret_plan,
                                       struct error *err);

#endif
