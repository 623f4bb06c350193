#ifndef SONNIM_PRIVACY_PRIVACY_H
#define SONNIM_PRIVACY_PRIVACY_H

/* Rights of the person: jobs of the kind "privacy" (docs/privacy.md).
 *
 *   .upload ─► .subjects (sealed) ─► batch by batch ─► what is held elsewhere ─► receipt
 *              vault/subject_list.h
 *
 * A batch of a deletion, in this order, so that a crash anywhere leaves it to be done once more and
 * never half done and finished:
 *   1. suppressed, where asked for: nothing of the ids comes in any more
 *   2. who goes is settled: those named and the visitors who became them; nobody is linked to them
 *      by what else they may be named is noted (terms.h)
 *   3. an ERASURE record for each lies in the journal, durably
 *   4. what is asked about later ("was X erased?") is noted by keyed hash, with the request's id
 *   5. what the change stream has told of them lies in its files: a restart cannot make it again
 *   6. keys are overwritten, mappings gone
 * Behind a crash before 6 the ids still lead to the persons, and all is done again; behind one
 * after 6 they are known by 4. Then, once: dead letters, files that exports have left, newest
 * events in memory.
 *
 * Parameters: {"type":"DELETE_ONLY","reason":"…","file":bool}; ids are in the job's files only. */

#include "audit/audit.h"
#include "ingest/letters.h"
#include "job/job.h"
#include "transfer/transfer.h"

#define PRIVACY_KIND     "privacy"
#define PRIVACY_UPLOAD   ".upload"
#define PRIVACY_SUBJECTS ".subjects"
#define PRIVACY_TERMS    ".terms"

enum { PRIVACY_REASON_BYTES_MAX = 256 };

enum privacy_type {
	PRIVACY_SUPPRESS_ONLY,
	PRIVACY_UNSUPPRESS,
	PRIVACY_DELETE_ONLY,
	PRIVACY_SUPPRESS_WITH_DELETE,
	PRIVACY_EXPORT,
	PRIVACY_TYPE_COUNT
};

struct privacy {
	struct transfer *transfer;
	struct jobs     *jobs;
	struct letters  *letters;
	struct audit    *audit;
};

/* Registers the kind. `privacy` outlives the runner. */
void privacy_register(struct privacy *privacy);

/* Before anything is served, once the journal is applied: who was erased while this data was not
 * there (it came out of an older backup) is erased here too. */
MUST_USE enum status privacy_catch_up(struct privacy *privacy, struct error *err);

#endif
