#include "ingest/submission.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
	REJECTIONS_KEPT_MAX = 1024, /* memory for them, from one request to the next */
	RETURN_POLL_NS      = 100000,
	RETURN_POLLS_MAX    = 100000, /* ten seconds: then somebody has forgotten one */
};

void submission_pool_init(struct submission_pool *pool)
{
	pool->free  = NULL;
	pool->count = 0;
	atomic_init(&pool->returned, NULL);
}

static void collect(struct submission_pool *pool)
{
	if (pool->free == NULL)
		pool->free = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
}

/* Whoever was told by `done` that the last one has ended may be here before the thread that told
 * him has given it back. */
void submission_pool_done(struct submission_pool *pool)
{
	const struct timespec pause = {.tv_nsec = RETURN_POLL_NS};
	size_t                count = 0;
	unsigned              polls = 0;
	while (count < pool->count) {
		collect(pool);
		struct submission *submission = pool->free;
		if (submission == NULL) {
			if (++polls == RETURN_POLLS_MAX)
				break;
			nanosleep(&pause, NULL);
			continue;
		}
		pool->free = submission->next;
		VECTOR_DONE(&submission->rejected);
		VECTOR_DONE(&submission->merges);
		VECTOR_DONE(&submission->captured);
		VECTOR_DONE(&submission->seen);
		arena_done(&submission->arena);
		free(submission);
		count++;
	}
	assert(count == pool->count);
}

struct submission *submission_take(struct submission_pool *pool)
{
	collect(pool);
	struct submission *submission = pool->free;
	if (submission != NULL) {
		pool->free = submission->next;
		return submission;
	}
	submission = calloc(1, sizeof *submission);
	if (submission == NULL)
		abort();
	arena_init(&submission->arena);
	submission->pool = pool;
	pool->count++;
	return submission;
}

static void give_back(struct submission *submission)
{
	free(submission->held);
	letters_drop(&submission->captured);
	debug_drop(&submission->seen);
	submission->held             = NULL;
	submission->held_count       = 0;
	submission->accepted_count   = 0;
	submission->suppressed_count = 0;
	submission->source           = NULL;
	submission->taken            = 0;
	submission->limited          = (struct quota_refusal){0};
	submission->rejected.count   = 0;
	submission->merges.count     = 0;
	if (submission->arena.bytes > 0)
		arena_reset(&submission->arena);
	if (submission->rejected.capacity > REJECTIONS_KEPT_MAX)
		VECTOR_DONE(&submission->rejected);

	/* Only the owner takes, and all at once: no ABA. */
	struct submission_pool *pool = submission->pool;
	submission->next             = atomic_load_explicit(&pool->returned, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&pool->returned, &submission->next, submission,
	                                              memory_order_release, memory_order_relaxed))
		continue;
}

void submission_finish(struct submission *submission, enum status status, uint64_t position,
                       int64_t log_time_ms, const struct error *err)
{
	struct ingest_result result = {.status = status, .err = err};
	if (status == STATUS_OK) {
		result.err            = NULL;
		result.position       = position;
		result.log_time_ms    = log_time_ms;
		result.accepted_count = submission->accepted_count;
		result.rejected       = submission->rejected.items;
		result.rejected_count = submission->rejected.count;
	}
	result.limited = submission->limited;
	if (submission->taken > result.accepted_count)
		source_gives_back(submission->source, submission->now_ms,
		                  submission->taken - result.accepted_count);
	if (status == STATUS_OK && submission->source != NULL) {
		submission->counts.accepted   = submission->accepted_count;
		submission->counts.suppressed = submission->suppressed_count;
		source_count(submission->source, submission->now_ms, &submission->counts,
		             submission->rejected.items, submission->rejected.count);
	}
	if (status == STATUS_OK && submission->seen.count > 0)
		debug_add(source_debug(submission->source), &submission->seen);
	else if (status != STATUS_OK && submission->source != NULL && status_retriable(status) &&
	         status != STATUS_LIMITED)
		source_debug_refused(submission->source, submission->now_ms, status_code(status));
	if (status == STATUS_OK && submission->captured.count > 0)
		letters_add(submission->letters, &submission->captured);
	if (status != STATUS_OK && submission->merges.count > 0)
		unfinished_add(submission->unfinished, submission->merges.items, submission->merges.count);
	submission->done(submission->context, &result);
	give_back(submission);
}

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	submission_finish(context, status, position, log_time_ms, err);
}

void submission_append(struct submission *submission, const struct journal_batch *batches,
                       size_t count)
{
	struct journal *journal = submission->journal;
	struct error    err;
	enum status status = journal->ops->append(journal, batches, count, appended, submission, &err);
	if (status != STATUS_OK)
		submission_finish(submission, status, 0, 0, &err);
}

static void hold(struct submission *submission, const struct journal_batch *batches, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += batches[i].records.length;

	submission->held = malloc(count * sizeof *batches + bytes);
	if (submission->held == NULL)
		abort();
	submission->held_count = count;
	char *at               = (char *)(submission->held + count);
	for (size_t i = 0; i < count; i++) {
		submission->held[i] = batches[i];
		submission->held[i].records.data =
			memcpy(at, batches[i].records.data, batches[i].records.length);
		at += batches[i].records.length;
	}
}

static void durable(void *context, enum status status, const struct error *err)
{
	struct submission *submission = context;
	if (status == STATUS_OK)
		submission_append(submission, submission->held, submission->held_count);
	else
		submission_finish(submission, status, 0, 0, err);
}

void submission_append_when_durable(struct submission          *submission,
                                    const struct journal_batch *batches, size_t count,
                                    struct vault *vault, uint64_t sequence)
{
	hold(submission, batches, count);
	vault_when_durable(vault, sequence, durable, submission);
}
