#ifndef SONNIM_BACKUP_SETTINGS_H
#define SONNIM_BACKUP_SETTINGS_H

/* Settings of backups and of the archive. */

#include <stdint.h>

#include "base/settings.h"

struct backup_settings {
	char   *directory; /* NULL: no backups */
	char   *key_file;
	char   *key_command;
	char   *schedule; /* a cron expression; NULL: none by itself */
	int64_t archive_interval_ms;
	int64_t keep_ms;
};

/* The table, bound to `target`. */
struct settings backup_settings_of(struct backup_settings *target);

#endif
