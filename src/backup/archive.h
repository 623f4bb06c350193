#ifndef SONNIM_BACKUP_ARCHIVE_H
#define SONNIM_BACKUP_ARCHIVE_H

/* The continuous archive: what journal, vault and store have more than at the step before is copied
 * to the repository every few seconds, by a thread of its own, so that no more than that is lost
 * with the machine. The first step is taken with the first backup; before it there is nothing for
 * the others to lie behind.
 *
 *   every interval, and at once when a file of the journal is finished:
 *   log time ─► end of the journal ─► end of the vault ─► copy of the store ─► step
 *
 * A step that takes long, because the store is large and has changed, is followed by a rest, so
 * that the archive takes 10 % of the time at most, but of three minutes at most.
 *
 * Files of the journal are held until they are archived (file_log_hold()), so a target that cannot
 * be reached makes the journal grow and loses nothing; health and metrics say so.
 *
 * The lineage stands in DATA/lineage. Where the journal does not go on from the last step (the
 * directory was brought back by other means), a new one begins, and needs a backup.
 *
 * Threads: any. */

#include <stdint.h>

#include "backup/chain.h"
#include "journal/journal.h"
#include "store/store.h"
#include "vault/vault.h"

struct archive_config {
	const char        *data; /* directory */
	struct journal    *journal;
	struct vault      *vault;
	struct store      *store;
	struct repository *repository;
	uint8_t            workspace_id[16];
	int64_t            interval_ms;
};

struct archive;

/* Finds where the last step stood, and starts the thread. */
MUST_USE enum status archive_open(const struct archive_config *config, struct archive **ret_archive,
                                  struct error *err);
void                 archive_close(struct archive *archive); /* takes a last step; NULL is fine */

/* Nothing is archived from this call on until archive_end(). Between the two belong to the caller:
 * the moment of a backup, and the removal of what no step names. */
void archive_begin(struct archive *archive);
void archive_end(struct archive *archive);

/* Between the two: takes a step. What lies before `held_position` (0: nothing) is not held until
 * archive_release(). `*ret_step` is valid until archive_end(). */
MUST_USE enum status archive_take(struct archive *archive, uint64_t held_position,
                                  const struct archive_step **ret_step, struct error *err);
void                 archive_release(struct archive *archive);

const uint8_t *archive_lineage(const struct archive *archive);

struct archive_status {
	bool     begun;       /* there is a step */
	bool     failing;     /* the last attempt did not succeed */
	uint64_t steps;       /* since start */
	uint64_t failures;    /* since start */
	uint64_t bytes;       /* read since start */
	uint64_t stored;      /* of them, what they take */
	int64_t  archived_ms; /* monotonic: everything until then is archived; 0: nothing */
};
void archive_status(struct archive *archive, struct archive_status *ret_status);

#endif
