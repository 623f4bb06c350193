#ifndef SONNIM_INGEST_SUBMISSION_H
#define SONNIM_INGEST_SUBMISSION_H

/* What lives of a request from ingest_submit() until its `done` was called: whom to call, what was
 * rejected, and, while new persons are not durable yet, its records. The threads of journal and
 * vault finish them; they go back to the thread that took them from its pool.
 *
 *   take (owner) ─► … any thread … submission_finish ─► returned (atomic stack) ─► free (owner) */

#include <stdatomic.h>

#include "base/arena.h"
#include "base/vector.h"
#include "ingest/ingest.h"
#include "ingest/letters.h"
#include "ingest/source.h"
#include "ingest/unfinished.h"

struct submission {
	struct submission_pool *pool;
	struct submission      *next; /* in the pool */
	struct journal         *journal;
	ingest_done_fn         *done;
	void                   *context;
	unsigned                accepted_count;
	unsigned                suppressed_count;
	VECTOR(struct ingest_rejection) rejected;
	struct arena arena; /* their texts */

	struct source       *source; /* for whom it is counted; NULL: nobody */
	struct source_counts counts;
	int64_t              now_ms;  /* when it came */
	uint64_t             taken;   /* from the source's quotas */
	struct quota_refusal limited; /* why it was not */
	struct letters      *letters; /* where `captured` goes when the submission succeeds */
	letter_list          captured;
	debug_list           seen; /* for who looks on at the source */

	struct unfinished *unfinished; /* where `merges` go when the submission fails */
	merge_list         merges;     /* those that its records tell of */

	struct journal_batch *held; /* one block with the records behind; NULL: none */
	size_t                held_count;
};

struct submission_pool {
	struct submission           *free; /* the owner's */
	_Atomic(struct submission *) returned;
	size_t                       count; /* all there are */
};

void submission_pool_init(struct submission_pool *pool);

/* Waits for those that are about to come back; asserts that all are. */
void submission_pool_done(struct submission_pool *pool);

/* An empty one; the owner only. */
struct submission *submission_take(struct submission_pool *pool);

/* Calls `done` and gives the submission back. `err` matters unless `status` is OK. Any thread,
 * once. */
void submission_finish(struct submission *submission, enum status status, uint64_t position,
                       int64_t log_time_ms, const struct error *err);

/* Appends, and finishes when that is done. */
void submission_append(struct submission *submission, const struct journal_batch *batches,
                       size_t count);

/* Copies the batches and appends them once the vault is durable up to `sequence`. */
void submission_append_when_durable(struct submission          *submission,
                                    const struct journal_batch *batches, size_t count,
                                    struct vault *vault, uint64_t sequence);

#endif
