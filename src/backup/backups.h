#ifndef SONNIM_BACKUP_BACKUPS_H
#define SONNIM_BACKUP_BACKUPS_H

/* Backups of a running server (docs/formats/backup.md).
 *
 *   hold the files ─► a step of the archive ─► copy what is new ─► read it back ─► summary, last
 *   (backup/pin.h)    (backup/archive.h)       (by content)                       └ now it is one
 *
 * The moment of a backup is that of its step: files that were held just before, a journal that ends
 * behind them, the vault and the store behind that. That is what a crash would leave, and a start
 * makes of it what it makes of a crash: the same state and the same change stream.
 *
 * The keyring is not in it, and never is: whoever was erased from it is erased from all backups.
 *
 * What a killed process leaves is objects that nobody names: the next backup uses them again, or
 * backups_prune() removes them. One of take, verify and prune at a time; the others wait. */

#include <stdint.h>

#include "backup/archive.h"
#include "backup/settings.h"
#include "base/arena.h"
#include "base/buffer.h"

struct backups_config {
	const char                   *data;
	const struct backup_settings *settings; /* outlive the backups; `directory` is not NULL */
	struct journal               *journal;
	struct vault                 *vault;
	struct store                 *store;
	uint32_t                      partition_count;
	uint8_t                       workspace_id[16];
};

struct backups;

/* Opens the place, or makes it, and begins to archive where there is a backup to go on from. */
MUST_USE enum status backups_open(const struct backups_config *config, struct backups **ret_backups,
                                  struct error *err);
void                 backups_close(struct backups *backups); /* NULL is fine */

/* Who wants the work done: asked before each piece of some MiB. */
struct backup_task {
	void *context;
	/* Waits as long as it wants; another status than STATUS_OK ends the work with it. */
	enum status (*pace)(void *context, uint64_t bytes, struct error *err);
	/* `total` −1: not known. */
	void (*tell)(void *context, int64_t done, int64_t total, const char *what);
};

/* All three answer a JSON object in `report`, also of what they did before they failed.
 * STATUS_NO_SPACE, STATUS_IO: the place; retriable ones may be tried again. */
MUST_USE enum status backups_take(struct backups *backups, const struct backup_task *task,
                                  struct buffer *report, struct error *err);

/* Reads every object that any backup or step names. STATUS_CORRUPT: some are damaged or missing,
 * which the report counts. Damaged ones are set aside, so that the next backup stores them anew
 * where the data still has them. */
MUST_USE enum status backups_verify(struct backups *backups, const struct backup_task *task,
                                    struct buffer *report, struct error *err);

/* Removes backups and steps that are too old, then objects that nobody names. */
MUST_USE enum status backups_prune(struct backups *backups, const struct backup_task *task,
                                   struct buffer *report, struct error *err);

/* "0123…-00000000000000000004" */
enum { BACKUP_ID_BYTES = 2 * LINEAGE_BYTES + 1 + 20 + 1 };

struct backup_entry {
	char     id[BACKUP_ID_BYTES];
	int64_t  begun_ms;
	int64_t  finished_ms;
	int64_t  clock_ms; /* log time: the earliest that a restore from it can go to */
	uint64_t last_position;
	uint64_t files;
	uint64_t bytes;
	uint64_t new_bytes;
	uint64_t stored_bytes;
	bool     damaged; /* the summary is; the rest is not known */
};

/* Newest first. Cost: a small file is read for each. */
MUST_USE enum status backups_list(struct backups *backups, struct arena *arena,
                                  struct backup_entry **ret_entries, size_t *ret_count,
                                  struct error *err);

struct backups_status {
	int64_t
		newest_ms; /* wall clock: when the newest was finished; INSTANT_MS_NONE: there is none */
	uint64_t              taken;    /* since start */
	uint64_t              failures; /* of backups, verifications and prunings, since start */
	uint64_t              damaged;  /* objects that were found damaged or missing, since start */
	struct archive_status archive;
};
void backups_status(struct backups *backups, struct backups_status *ret_status);

/* Prometheus text. */
void backups_write_metrics(struct backups *backups, struct buffer *out);

#endif
