#ifndef SONNIM_PRIVACY_EXPORT_H
#define SONNIM_PRIVACY_EXPORT_H

/* A complete machine-readable copy of persons: files of JSON Lines in the job's directory, personal
 * values in clear.
 *
 *   profiles.jsonl       one line a person: id, traits, times
 *   events.jsonl         one line an event, those of visitors who became the person included
 *   segments.jsonl       one line a change of a membership: segment, entered or exited, when, why
 *   links.jsonl          anonymous ids of visitors who became the person
 *   dead_letters.jsonl   what was rejected and is the person's, or names one of the ids asked for
 *   manifest.json        the files with their rows, and what they hold
 *
 * A person is asked for by one of his ids. Written anew when the job is taken up again. */

#include "base/map.h"
#include "ingest/letters_erase.h"
#include "privacy/request.h"
#include "transfer/export/export_read.h"
#include "transfer/export/export_row.h"
#include "vault/vault.h"

enum privacy_file {
	PRIVACY_PROFILES,
	PRIVACY_EVENTS,
	PRIVACY_SEGMENTS,
	PRIVACY_LINKS,
	PRIVACY_LETTERS,
	PRIVACY_FILE_COUNT
};

struct privacy_export {
	struct privacy      *privacy; /* NULL: not open */
	struct job          *job;
	struct export_reader reader;
	struct export_writer writer;
	int                  fds[PRIVACY_FILE_COUNT];
	uint64_t             rows[PRIVACY_FILE_COUNT];
	uint64_t             bytes[PRIVACY_FILE_COUNT];
	struct buffer        texts[PRIVACY_FILE_COUNT];

	struct map_u64      written; /* numbers of persons, of visitors who became them too */
	struct letter_terms terms;   /* their ids */

	struct arena          arena; /* of the segments, those that were deleted too */
	struct store_segment *segments[2];
	size_t                segment_counts[2];
};

MUST_USE enum status privacy_export_open(struct privacy_export *export, struct privacy *privacy,
                                         struct job *job, struct error *err);
void                 privacy_export_done(struct privacy_export *export);

/* `known[i]`: the id named somebody. `*persons` grows by those who were written. */
MUST_USE enum status privacy_export_batch(struct privacy_export *export, const struct vault_id *ids,
                                          size_t count, bool *known, uint64_t *persons,
                                          struct error *err);

/* Syncs, writes the manifest and gives the files their names. */
MUST_USE enum status privacy_export_finish(struct privacy_export *export, struct error *err);

#endif
