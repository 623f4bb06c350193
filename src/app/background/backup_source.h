#ifndef SONNIM_APP_BACKUP_SOURCE_H
#define SONNIM_APP_BACKUP_SOURCE_H

/* What the API is told of backups (api/backup/backups_api.h). */

#include "api/backup/backups_api.h"
#include "backup/backups.h"

/* Lives as long as the backups. */
struct api_backups backup_source_of(struct backups *backups);

#endif
