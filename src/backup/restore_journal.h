#ifndef SONNIM_BACKUP_RESTORE_JOURNAL_H
#define SONNIM_BACKUP_RESTORE_JOURNAL_H

/* The files of a restored journal, which no process has open. */

#include <stdint.h>

#include "base/error.h"

/* Cuts everything off that is stamped behind `to_ms`, and gives the last file the space that it was
 * begun with, so that a full disk is met here. INSTANT_MS_NEVER: nothing is cut off.
 * `*ret_last_position` is that of the last record. Not synced but for what is written here. */
MUST_USE enum status restore_journal_finish(const char *directory, int64_t to_ms,
                                            uint64_t *ret_last_position, struct error *err);

#endif
