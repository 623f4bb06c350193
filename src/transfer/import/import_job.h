#ifndef SONNIM_TRANSFER_IMPORT_JOB_H
#define SONNIM_TRANSFER_IMPORT_JOB_H

/* Jobs of the kind "import": a file's rows become messages and go into ingest.
 *
 *   .upload ─► rows ─► map ─────────────────────────► feed ─► ingest ─► journal
 *                       └─► by time: sort ─► merge ─►  └─► .rejected.jsonl, report
 *
 * Parameters: {"file":{"name","offset","bytes"},"mapping":{…},"dryRun","source","sourceNumber"}.
 * The file lies as IMPORT_UPLOAD in the job's directory; offset and bytes say which part of it is
 * meant (the rest are the form's other fields). A trial run takes nothing in and tells what would
 * be rejected, and what types the columns could have.
 *
 * Result: {"rows","accepted","rejected","mistakes":[{"code","reason","rows","lines"}],…}; no value
 * of a row is in it. Every row that was not taken stands in IMPORT_REJECTED with line, code, reason
 * and itself: personal data, for who may read that.
 *
 * Exactly once: what is saved are the place in the file behind the last row of which is known what
 * came of it, the report up to there, and the length of the file of rejected rows. Rows behind that
 * are read, and sent, again; all bear message ids (import_map.h), by which the engine drops what it
 * has. The upload is deleted when all is done.
 *
 * Live work goes first: the feed waits while the engine is IMPORT_LAG_MAX records behind. */

#include "job/job.h"
#include "transfer/transfer.h"

#define IMPORT_KIND     "import"
#define IMPORT_UPLOAD   ".upload"
#define IMPORT_REJECTED ".rejected.jsonl"

enum { IMPORT_LAG_MAX = 400000 };

/* `transfer` outlives the jobs. */
struct job_kind import_kind(struct transfer *transfer);

#endif
