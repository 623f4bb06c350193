#ifndef SONNIM_TRANSFER_EXPORT_JOB_H
#define SONNIM_TRANSFER_EXPORT_JOB_H

/* Jobs of the kind "export": events and profiles of a range of time as files.
 *
 *   engine, piece by piece ─► rows ─► events-0001.jsonl.zst, … profiles-0001.… ─► manifest.json
 *
 * Parameters: {"what":["events","profiles"],"format":"jsonl"|"csv","compression":"none"|"gzip"|
 * "zstd","from","to","masked","keepFormulas","consent"}; all but `what` may be missing: jsonl,
 * none, all time, masked, guarded, everybody.
 * A profile belongs to a range when it was created before its end and created or active since its
 * begin. The journal's position at the job's begin says what is in it (export_read.h).
 *
 * Who has not agreed to `consent` (model/consent.h) when he is read is left out: profile and events
 * alike, and counted for each of the two.
 *
 * A file is whole or not there; the state is saved behind each, so that an interruption costs one
 * file at most. The manifest is written last: without it nothing is whole. It names every file with
 * rows, bytes and SHA-256. Of a cancelled export nothing is left.
 *
 * Files of an unmasked export have names that begin with a dot, and so are not to be had where the
 * files of all jobs are; the API hands them out to who may see personal values. Whoever has an
 * export run, or reads its files, needs the scope user.read, and pii.read for an unmasked one. */

#include "job/job.h"
#include "transfer/transfer.h"

#define EXPORT_KIND     "export"
#define EXPORT_MANIFEST "manifest.json"

enum {
	EXPORT_FILE_TEXT_BYTES_AIM = 256 << 20, /* before compression */
	EXPORT_FILES_MAX           = 1500,
};

struct job_kind export_kind(struct transfer *transfer);

#endif
