#ifndef SONNIM_BACKUP_RESTORE_H
#define SONNIM_BACKUP_RESTORE_H

/* Brings a data directory back from a repository: a backup, and behind it the steps of the archive
 * up to their end, or to an instant.
 *
 *   choose ─► DATA/restoring ─► files ─► journal cut at the instant ─► synced ─► marker removed
 *
 * The marker comes first and goes last: a server does not start while it is there. A restore that
 * was interrupted is started again: what it wrote already is compared with what it should be, by
 * its hash, and not written twice.
 *
 * With an instant T the newest backup is taken in which nothing is newer than T, and the journal is
 * cut behind its last frame stamped at or before T. Of the vault and the store that copy is taken
 * which was made first behind that record, so at most an interval of the archive later: sources,
 * tokens and definitions of that interval are there; definitions whose records were cut off are
 * carried into the journal again when the server starts.
 *
 * The keyring is not restored: it must be the present one. */

#include "backup/chain.h"
#include "base/instant.h"

#define RESTORE_MARKER "restoring" /* in the data directory: what lies there is not whole */

#define RESTORE_DONE "restored" /* until the first start: log time that was reached, 8 bytes */

struct restore_wish {
	const char *data;    /* made when absent; empty, or of an interrupted restore */
	const char *keyring; /* NULL: not looked at */
	int64_t     to_ms;   /* log time; INSTANT_MS_NEVER: all that there is */
	const char *backup;  /* id; NULL: the newest that will do */
	/* Told some times; may be NULL. */
	void (*tell)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void *tell_context;
};

struct restore_report {
	char     backup[64];    /* id */
	int64_t  reaches_ms;    /* log time up to which everything is there */
	uint64_t last_position; /* of the journal */
	uint64_t files;
	uint64_t bytes;         /* of them */
	uint64_t written_bytes; /* the others were there from an interrupted restore */
	int64_t  took_ms;
};

/* STATUS_INVALID: the instant lies behind the archive's end, or before every backup;
 * STATUS_CONFLICT: the directory holds something else; STATUS_NOT_FOUND and STATUS_CORRUPT: what is
 * missing or damaged; STATUS_NO_SPACE. After any of them it can be started again. */
MUST_USE enum status restore_run(struct repository *repository, const struct restore_wish *wish,
                                 struct restore_report *ret_report, struct error *err);

/* Whether the directory was restored and has not been used since, and what it reaches. */
MUST_USE enum status restore_first_start(const char *data, bool *ret_first, int64_t *ret_reaches_ms,
                                         struct error *err);
MUST_USE enum status restore_started(const char *data, struct error *err);

/* STATUS_CONFLICT: the directory holds an interrupted restore. */
MUST_USE enum status restore_check(const char *data, struct error *err);

#endif
