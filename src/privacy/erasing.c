#include "privacy/erasing.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/history.h"
#include "engine/wait.h"
#include "model/record.h"
#include "vault/vault_erase.h"

enum { AWAIT_MS = 60000 };

/* ---- Journal ---- */

struct append {
	pthread_mutex_t lock;
	pthread_cond_t  ended;
	bool            done;
	enum status     status;
	uint64_t        position;
	struct error    err;
};

static void appended(void *context, enum status status, uint64_t position, int64_t log_time_ms,
                     const struct error *err)
{
	struct append *append = context;
	(void)log_time_ms;
	pthread_mutex_lock(&append->lock);
	append->done     = true;
	append->status   = status;
	append->position = position;
	if (err != NULL)
		append->err = *err;
	pthread_cond_signal(&append->ended);
	pthread_mutex_unlock(&append->lock);
}

static enum status append_batches(struct journal *journal, const struct journal_batch *batches,
                                  size_t count, uint64_t *ret_position, struct error *err)
{
	struct append append = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
	enum status   status = journal->ops->append(journal, batches, count, appended, &append, err);
	if (status == STATUS_OK) {
		pthread_mutex_lock(&append.lock);
		while (!append.done)
			pthread_cond_wait(&append.ended, &append.lock);
		pthread_mutex_unlock(&append.lock);
		status        = append.status;
		*ret_position = append.position;
		if (status != STATUS_OK && err != NULL)
			*err = append.err;
	}
	pthread_cond_destroy(&append.ended);
	pthread_mutex_destroy(&append.lock);
	return status;
}

enum status erasing_append(struct transfer *transfer, const struct person *persons, size_t count,
                           uint64_t *ret_position, struct error *err)
{
	struct buffer        *records     = calloc(transfer->partition_count, sizeof *records);
	uint32_t             *counts      = calloc(transfer->partition_count, sizeof *counts);
	struct journal_batch *batches     = calloc(transfer->partition_count, sizeof *batches);
	size_t                batch_count = 0;
	enum status           status      = STATUS_OK;
	if (records == NULL || counts == NULL || batches == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		record_encode(&records[persons[i].partition],
		              &(struct record){.kind = RECORD_ERASURE, .slot = persons[i].slot});
		counts[persons[i].partition]++;
	}
	for (uint32_t p = 0; p < transfer->partition_count; p++)
		if (counts[p] > 0)
			batches[batch_count++] = (struct journal_batch){p, counts[p], buffer_text(&records[p])};
	if (batch_count > 0)
		status = append_batches(transfer->journal, batches, batch_count, ret_position, err);
	for (uint32_t p = 0; p < transfer->partition_count; p++)
		buffer_done(&records[p]);
	free(records);
	free(counts);
	free(batches);
	return status;
}

static void look_at_nothing(struct engine_read *read, struct view *view)
{
	(void)read;
	(void)view;
}

enum status erasing_await(struct transfer *transfer, uint64_t position, struct error *err)
{
	struct engine_wait wait = {
		.read = {.run = look_at_nothing, .min_position = position, .timeout_ms = AWAIT_MS}};
	return engine_wait_all(transfer->engine, &wait, err);
}

/* ---- A batch ---- */

static enum status note_erased(struct transfer *transfer, const struct erasing *erasing,
                               struct error *err)
{
	VECTOR(struct vault_note) notes = {0};
	for (size_t i = 0; i < erasing->count; i++) {
		if (!erasing->known[i])
			continue;
		struct vault_note note = {
			.id = erasing->ids[i], .mark = VAULT_ERASED, .at_ms = erasing->at_ms};
		memcpy(note.request, erasing->request, sizeof note.request);
		VECTOR_ADD(&notes, note);
	}
	enum status status = notes.count == 0
	                         ? STATUS_OK
	                         : vault_note_subjects(transfer->vault, notes.items, notes.count, err);
	VECTOR_DONE(&notes);
	return status;
}

static enum status erase_all(struct transfer *transfer, struct erasing *erasing,
                             struct privacy_terms *terms, const struct person *persons,
                             size_t count, struct error *err)
{
	struct vault_erasure *erasure = NULL;
	enum status status = vault_erasure_begin(transfer->vault, persons, count, &erasure, err);
	if (status != STATUS_OK)
		return status;
	size_t               going_count;
	const struct person *going = vault_erasure_persons(erasure, &going_count);
	erasing->person_count      = going_count;
	status                     = privacy_terms_add(terms, erasure, err);
	if (status == STATUS_OK)
		status = erasing_append(transfer, going, going_count, &erasing->position, err);
	if (status == STATUS_OK)
		status = note_erased(transfer, erasing, err);
	/* A restart cannot make again what was told of them, once their keys are gone. */
	if (status == STATUS_OK)
		status = erasing_await(transfer, erasing->position, err);
	if (status == STATUS_OK)
		status = engine_history_keep(transfer->engine, err);
	if (status != STATUS_OK) {
		vault_erasure_abandon(erasure);
		return status;
	}
	return vault_erasure_finish(erasure, err);
}

enum status erasing_run(struct transfer *transfer, struct erasing *erasing,
                        struct privacy_terms *terms, struct error *err)
{
	struct person *persons = calloc(erasing->count + 1, sizeof *persons);
	size_t         count   = 0;
	uint64_t       sequence;
	if (persons == NULL)
		abort();
	erasing->person_count = 0;
	erasing->position     = 0;
	enum status status    = vault_resolve(transfer->vault, erasing->ids, erasing->count, false,
	                                      persons, NULL, &sequence, err);
	for (size_t i = 0; i < erasing->count && status == STATUS_OK; i++) {
		erasing->known[i] = persons[i].slot != SLOT_NONE;
		if (erasing->known[i])
			persons[count++] = persons[i];
	}
	if (status == STATUS_OK && count > 0)
		status = erase_all(transfer, erasing, terms, persons, count, err);
	free(persons);
	return status;
}
