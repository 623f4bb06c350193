#ifndef SONNIM_BACKUP_CHAIN_H
#define SONNIM_BACKUP_CHAIN_H

/* The documents of a repository: backups and the steps of the archive (docs/formats/backup.md).
 *
 *   step 1 ─► step 2 ─► step 3 ─► step 4 ─► step 5 …      each: what the journal, the vault and the
 *     ▲                             ▲                     store have more than the step before
 *   backup 1 (everything through 1) backup 4
 *
 * A chain belongs to one life of a data directory, its *lineage*: a restored directory begins a new
 * one, since its journal goes on differently. A backup bears the number of the step that was taken
 * at its moment; a restore takes a backup and the steps behind it.
 *
 * Steps tell where each of the three stood: first the journal was asked, then vault and store, so
 * that both have whatever the journal's records need. */

#include <stdint.h>

#include "backup/extents.h"

enum { LINEAGE_BYTES = 16, CHAIN_NAME_BYTES = 8 + 2 * LINEAGE_BYTES + 1 + 20 + 1 };

#define CHAIN_BACKUPS "backups" /* folders */
#define CHAIN_ARCHIVE "archive"

struct chain_link {
	uint8_t  lineage[LINEAGE_BYTES];
	uint64_t number; /* of the step, from 1 */
};

typedef VECTOR(struct chain_link) chain_link_list;

/* "backups/0123…-00000000000000000004" */
void chain_name(const char *folder, const struct chain_link *link, char ret_name[CHAIN_NAME_BYTES]);

/* What is in a folder, by lineage, then number. */
MUST_USE enum status chain_list(struct repository *repository, const char *folder,
                                chain_link_list *ret_links, struct error *err);

/* Bytes of one file of the journal. */
struct step_journal {
	uint64_t    first_position; /* its name */
	extent_list extents;
};

struct archive_step {
	struct chain_link link;
	uint8_t           workspace_id[16];
	int64_t           wall_ms;       /* when it was taken */
	int64_t           clock_ms;      /* log time then */
	uint64_t          last_position; /* of the journal's last record in it */
	int64_t           last_ms;       /* its stamp */
	uint64_t          journal_file;  /* first position of the last file … */
	uint64_t          journal_end;   /* … and where it ended */
	uint64_t          vault_bytes;   /* of persons.log */
	uint64_t          store_bytes;
	VECTOR(struct step_journal) journal; /* since the step before; of the first one: nothing */
	extent_list vault;                   /* the same */
	extent_list store;                   /* all of it */
};

void                 archive_step_done(struct archive_step *step);
MUST_USE enum status archive_step_put(struct repository         *repository,
                                      const struct archive_step *step, struct error *err);
MUST_USE enum status archive_step_get(struct repository *repository, const struct chain_link *link,
                                      struct archive_step *ret_step, struct error *err);

struct backup_summary {
	struct chain_link link;
	uint8_t           workspace_id[16];
	int64_t           begun_ms;    /* wall clock */
	int64_t           finished_ms; /* when everything was stored and read back */
	int64_t           clock_ms;    /* log time of its moment: nothing in it is newer */
	uint64_t          last_position;
	uint64_t          files;
	uint64_t          bytes;        /* of all files */
	uint64_t          new_bytes;    /* of them that were not there before */
	uint64_t          stored_bytes; /* what those take */
	extent_list       list;         /* of the files: backup_files_write() */
};

void                 backup_summary_done(struct backup_summary *summary);
MUST_USE enum status backup_summary_put(struct repository           *repository,
                                        const struct backup_summary *summary, struct error *err);
MUST_USE enum status backup_summary_get(struct repository       *repository,
                                        const struct chain_link *link,
                                        struct backup_summary *ret_summary, struct error *err);

/* The files of a backup. */
MUST_USE enum status backup_list_put(struct copy *copy, const backup_file_list *files,
                                     extent_list *ret_list, struct error *err);
MUST_USE enum status backup_list_get(struct repository           *repository,
                                     const struct backup_summary *summary,
                                     backup_file_list *ret_files, struct error *err);

#endif
