/* Sends dead letters again. Each keeps its message id, or has one of its own for good, so that the
 * engine lets it count once however often it is sent: by two calls at once, or again since the
 * server was killed before the letter was deleted. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/collection/dead_letters.h"
#include "api/handlers.h"
#include "ingest/source.h"

struct outcome {
	struct replay   *replay;
	enum status      status;
	enum ingest_code code;  /* INGEST_ACCEPTED, or why it was rejected again */
	struct buffer    texts; /* then: where, and what is wrong */
	size_t           field_bytes;
	struct error     err;
};

/* Those that are on their way together. */
struct replay {
	struct api_call   *call;
	struct source     *planned; /* whose plan holds: that of the letters */
	pthread_mutex_t    lock;
	pthread_cond_t     all_done;
	size_t             left;
	struct dead_letter letters[DEAD_LETTERS_AT_ONCE];
	struct outcome     outcomes[DEAD_LETTERS_AT_ONCE];
	size_t             count;
	size_t             accepted, rejected; /* of all so far */
};

static void note_rejection(struct outcome *outcome, const struct ingest_rejection *rejection)
{
	outcome->code        = rejection->code;
	outcome->field_bytes = rejection->field.length;
	buffer_add_text(&outcome->texts, rejection->field);
	buffer_add_text(&outcome->texts, ingest_rejection_reason(rejection));
}

static void done(void *context, const struct ingest_result *result)
{
	struct outcome *outcome = context;
	struct replay  *replay  = outcome->replay;
	pthread_mutex_lock(&replay->lock);
	outcome->status = result->status;
	if (result->status != STATUS_OK)
		outcome->err = *result->err;
	else if (result->rejected_count > 0)
		note_rejection(outcome, &result->rejected[0]);
	else
		outcome->code = INGEST_ACCEPTED;
	replay->left--;
	pthread_cond_signal(&replay->all_done);
	pthread_mutex_unlock(&replay->lock);
}

/* False: it was not sent. */
static bool send(struct replay *replay, struct dead_letter *letter, struct outcome *outcome)
{
	struct api                 *api     = replay->call->api;
	const struct ingest_request request = {.kind          = (enum ingest_kind)letter->stored.kind,
	                                       .source_number = letter->stored.source_number,
	                                       .done          = done,
	                                       .context       = outcome,
	                                       .planned       = replay->planned};
	if (!letter->readable || letter_is_cut(&letter->stored))
		return false;
	struct text body =
		letter_body(&letter->stored, letter->event, letter->shared, replay->call->arena);
	pthread_mutex_lock(&api->ingest_shared_lock);
	bool sent =
		ingest_parse(api->ingest_shared, body.data, body.length, &outcome->err) == STATUS_OK;
	if (sent)
		ingest_submit(api->ingest_shared, &request);
	pthread_mutex_unlock(&api->ingest_shared_lock);
	return sent;
}

static void send_all(struct replay *replay)
{
	replay->left = replay->count;
	if (replay->count > 0)
		replay->planned = source_of(ingest_sources(replay->call->api->config.ingest),
		                            replay->letters[0].stored.source_number);
	for (size_t i = 0; i < replay->count; i++) {
		replay->outcomes[i] = (struct outcome){.replay = replay, .code = INGEST_INVALID_MESSAGE};
		if (send(replay, &replay->letters[i], &replay->outcomes[i]))
			continue;
		pthread_mutex_lock(&replay->lock);
		replay->left--;
		pthread_mutex_unlock(&replay->lock);
	}
	pthread_mutex_lock(&replay->lock);
	while (replay->left > 0)
		pthread_cond_wait(&replay->all_done, &replay->lock);
	pthread_mutex_unlock(&replay->lock);
}

/* Rejected once more: why, and where in the request that brought it. */
static enum status note_again(struct replay *replay, struct dead_letter *letter,
                              const struct outcome *outcome, struct error *err)
{
	struct store *store   = replay->call->api->config.store;
	const char   *index   = memchr(letter->stored.place.data, '[', letter->stored.place.length);
	struct text   texts   = buffer_text(&outcome->texts);
	struct text   field   = {texts.data, outcome->field_bytes};
	letter->stored.code   = text_of(ingest_code_name(outcome->code));
	letter->stored.place  = letter_place((enum ingest_kind)letter->stored.kind,
                                        index == NULL ? 0 : (uint32_t)strtoul(index + 1, NULL, 10),
	                                     outcome->code, field, replay->call->arena);
	letter->stored.reason = (struct text){texts.data + field.length, texts.length - field.length};
	return store->ops->letter_again(store, &letter->stored, err);
}

/* Deletes what was accepted, also when others failed. */
static enum status settle_all(struct replay *replay, struct error *err)
{
	struct store *store = replay->call->api->config.store;
	uint64_t      ids[DEAD_LETTERS_AT_ONCE];
	size_t        accepted = 0, deleted;
	enum status   failed = STATUS_OK, status = STATUS_OK;
	for (size_t i = 0; i < replay->count; i++) {
		const struct outcome *outcome = &replay->outcomes[i];
		if (outcome->status != STATUS_OK) {
			failed = outcome->status;
			*err   = outcome->err;
		} else if (outcome->code == INGEST_ACCEPTED) {
			ids[accepted++] = replay->letters[i].stored.id;
		} else if (replay->letters[i].readable && !letter_is_cut(&replay->letters[i].stored)) {
			status = note_again(replay, &replay->letters[i], outcome, err);
		}
		if (status != STATUS_OK)
			failed = status;
	}
	if (accepted > 0 &&
	    (status = store->ops->letter_delete(store, replay->letters[0].stored.source_number, ids,
	                                        accepted, &deleted, err)) != STATUS_OK)
		failed = status;
	replay->accepted += accepted;
	replay->rejected += replay->count - accepted;
	return failed;
}

static enum status settle(struct replay *replay, struct error *err)
{
	enum status status = settle_all(replay, err);
	for (size_t i = 0; i < replay->count; i++)
		buffer_done(&replay->outcomes[i].texts);
	return status;
}

static struct replay *new_replay(struct api_call *call)
{
	struct replay *replay = ARENA_NEW(call->arena, struct replay);
	replay->call          = call;
	pthread_mutex_init(&replay->lock, NULL);
	pthread_cond_init(&replay->all_done, NULL);
	return replay;
}

static void free_replay(struct replay *replay)
{
	pthread_cond_destroy(&replay->all_done);
	pthread_mutex_destroy(&replay->lock);
}

static void answer(struct replay *replay, bool complete)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_int(&w, "replayed", (int64_t)replay->accepted);
	json_member_int(&w, "rejected", (int64_t)replay->rejected);
	json_member_bool(&w, "complete", complete);
	json_end_object(&w);
	call_add_position(replay->call, 0);
	call_answer(replay->call, 200, &out);
	buffer_done(&out);
}

/* ---- One ---- */

static void one_step(struct api_call *call)
{
	struct replay *replay = new_replay(call);
	struct error   err;
	enum status    status = dead_letters_find(call, &replay->letters[0], &err);
	if (status == STATUS_OK) {
		replay->count = 1;
		send_all(replay);
		status = settle(replay, &err);
	}
	free_replay(replay);
	if (status == STATUS_OK)
		answer(replay, true);
	else
		call_fail(call, &err);
}

void dead_letters_replay_one(struct api_call *call) { call_on_worker(call, one_step); }

/* ---- By filter, or by ids ---- */

static enum status replay_filtered(struct replay *replay, struct json body, bool *ret_complete,
                                   struct error *err)
{
	struct dead_letters_filter filter;
	size_t                     scanned = 0;
	uint64_t                   total;
	enum status                status = dead_letters_filter_of(replay->call, body, &filter, err);
	do {
		if (status == STATUS_OK)
			status = dead_letters_next(replay->call, &filter, DEAD_LETTERS_AT_ONCE, &scanned,
			                           replay->letters, &replay->count, &total, err);
		if (status != STATUS_OK)
			return status;
		send_all(replay);
		status = settle(replay, err);
	} while (replay->count == DEAD_LETTERS_AT_ONCE && scanned < DEAD_LETTERS_SCANNED_MAX);
	*ret_complete = scanned < DEAD_LETTERS_SCANNED_MAX;
	return status;
}

static void filter_step(struct api_call *call)
{
	static const char *const known[] = {"code", "text", "from", "to", NULL};
	struct replay           *replay  = new_replay(call);
	struct json              body;
	struct error             err;
	bool                     complete = false;
	enum status              status   = call_body(call, &body, &err);
	if (status == STATUS_OK)
		status = call_only(body, known, &err);
	if (status == STATUS_OK)
		status = replay_filtered(replay, body, &complete, &err);
	free_replay(replay);
	if (status == STATUS_OK)
		answer(replay, complete);
	else
		call_fail(call, &err);
}

void dead_letters_replay(struct api_call *call) { call_on_worker(call, filter_step); }
