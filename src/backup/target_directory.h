#ifndef SONNIM_BACKUP_TARGET_DIRECTORY_H
#define SONNIM_BACKUP_TARGET_DIRECTORY_H

/* A directory as a target of backups: another disk, or one that is mounted over the network.
 *
 *   DIRECTORY/repository, DIRECTORY/objects/ab/ab12…, DIRECTORY/archive/…
 *   DIRECTORY/.new/                          what is under way; removed when it is opened to write
 *
 * Objects lie in 256 directories by the first two characters of their names. Files have mode 0600.
 * A process that writes holds a lock on the directory, so that there is one at a time; those that
 * only read take none. */

#include <stdbool.h>

#include "backup/target.h"

/* `write`: made when it is absent, and locked (STATUS_CONFLICT: another process writes there). Else
 * STATUS_NOT_FOUND when it is absent. */
MUST_USE enum status target_directory_open(const char *path, bool write, struct target **ret_target,
                                           struct error *err);

#endif
