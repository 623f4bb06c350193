#include "api/audience/audience_live.h"

#include <assert.h>
#include <stdlib.h>

#include "api/context.h"
#include "api/errors.h"
#include "api/woken.h"
#include "base/clock.h"
#include "base/map.h"

enum { SHARE = 10 }; /* one part in so many of the time goes into an audience */

struct audience_watch {
	struct watched        *watched;
	struct websocket      *socket;
	int64_t                told; /* the size; −1: nothing yet */
	bool                   told_error;
	struct audience_watch *before, *after;
};

/* An audience that somebody watches. */
struct watched {
	struct audience_live     *live;
	char                      id[UUID_TEXT_BYTES];
	char                     *canonical; /* malloc; NULL: a snapshot, whose size stays */
	size_t                    canonical_bytes;
	bool                      derived;
	int64_t                   as_of_ms; /* as asked */
	struct audience_watch    *first;
	struct calculation_waiter waiter;
	bool                      asking;
	bool                      answered; /* what the waiter got is to be taken */

	int64_t      size; /* −1: not known yet */
	int64_t      size_ms;
	enum status  status; /* of the last time */
	struct error err;
	uint64_t     changes;
	int64_t      started_ms;
	int64_t      next_ms; /* of the monotonic clock: not before */
	int64_t      idle_ms; /* then at the latest */
};

struct audience_live {
	struct audiences *audiences;
	struct woken      woken;   /* its lock is over what follows */
	struct map_text   watched; /* by id */
	VECTOR(struct watched *) list;
	uint64_t watcher_count;
	uint64_t calculated;
	uint64_t asking_count;
	size_t   turn; /* where in the list the next round begins */
};

/* ---- Telling; under the lock ---- */

static void write_head(struct json_writer *w, const struct watched *watched)
{
	json_begin_object(w);
	json_member_string(w, "audience_id", text_of(watched->id));
}

static void send_size(struct audience_watch *watch)
{
	const struct watched *watched = watch->watched;
	struct buffer         out     = {0};
	struct json_writer    w       = json_writer_of(&out);
	write_head(&w, watched);
	json_member_int(&w, "new_size", watched->size);
	json_member_int(&w, "delta", watch->told < 0 ? 0 : watched->size - watch->told);
	json_member_instant(&w, "as_of", watched->size_ms);
	json_end_object(&w);
	watch->told       = watched->size;
	watch->told_error = false;
	websocket_send_text(watch->socket, buffer_text(&out));
	buffer_done(&out);
}

static void send_error(struct audience_watch *watch)
{
	const struct watched *watched = watch->watched;
	struct buffer         out     = {0};
	struct json_writer    w       = json_writer_of(&out);
	write_head(&w, watched);
	json_add_key(&w, TEXT("error"));
	json_begin_object(&w);
	json_member_string(&w, "code", text_of(status_code(watched->status)));
	json_member_string(&w, "message", text_of(watched->err.reason));
	json_end_object(&w);
	json_end_object(&w);
	watch->told_error = true;
	websocket_send_text(watch->socket, buffer_text(&out));
	buffer_done(&out);
}

static void tell(const struct watched *watched)
{
	for (struct audience_watch *w = watched->first; w != NULL; w = w->after) {
		if (websocket_queued(w->socket) > 0)
			continue;
		if (watched->status != STATUS_OK && !status_retriable(watched->status)) {
			if (!w->told_error)
				send_error(w);
		} else if (watched->size >= 0 && watched->size != w->told) {
			send_size(w);
		}
	}
}

/* ---- Calculating ---- */

static void answered(struct calculation_waiter *waiter)
{
	struct watched *watched =
		(struct watched *)(void *)((char *)waiter - offsetof(struct watched, waiter));
	struct audience_live *live = watched->live;
	pthread_mutex_lock(&live->woken.lock);
	watched->answered = true;
	live->asking_count--;
	pthread_cond_broadcast(&live->woken.wake);
	pthread_mutex_unlock(&live->woken.lock);
}

/* Under the lock. */
static void take_answer(struct watched *watched)
{
	const struct audience_settings *settings = watched->live->audiences->api->config.audience;
	int64_t                         now_ms   = clock_monotonic_ms();
	int64_t                         rest_ms  = SHARE * (now_ms - watched->started_ms);
	const struct query_answer      *answer =
		calculation_answer(watched->waiter.calculation, &watched->err);
	watched->status = STATUS_OK;
	if (answer == NULL) {
		watched->status = watched->err.status;
	} else {
		watched->size    = (int64_t)answer->size;
		watched->size_ms = answer->as_of_ms;
		watched->live->calculated++;
	}
	calculation_unref(watched->waiter.calculation);
	watched->asking = watched->answered = false;
	watched->next_ms = now_ms + (rest_ms > settings->live_ms ? rest_ms : settings->live_ms);
	watched->idle_ms =
		now_ms + (rest_ms > settings->live_idle_ms ? rest_ms : settings->live_idle_ms);
}

static bool is_due(const struct watched *watched, int64_t now_ms)
{
	const struct api *api = watched->live->audiences->api;
	if (watched->asking || watched->canonical == NULL || now_ms < watched->next_ms)
		return false;
	if (watched->as_of_ms != INSTANT_MS_NONE && watched->size >= 0)
		return false; /* of an instant that is over */
	return watched->size < 0 || now_ms >= watched->idle_ms ||
	       watched->changes != queries_changes(api->config.queries);
}

/* Not under the lock: the answer may be there at once. */
static void ask(struct watched *watched)
{
	struct audience_live   *live = watched->live;
	struct calculation_wish wish = {.set_count = 1,
	                                .sets      = {{watched->canonical, watched->canonical_bytes}},
	                                .derived   = watched->derived,
	                                .as_of_ms  = watched->as_of_ms,
	                                .anew      = true,
	                                .passing   = true};
	watched->waiter.done         = answered;
	calculations_ask(live->audiences->calculations, &wish, &watched->waiter);
}

/* ---- Its thread ---- */

static void free_watched(struct watched *watched)
{
	free(watched->canonical);
	free(watched);
}

/* Under the lock: those that nobody watches and that are not under way. */
static void drop_unwatched(struct audience_live *live)
{
	size_t kept = 0;
	for (size_t i = 0; i < live->list.count; i++) {
		struct watched *watched = live->list.items[i];
		if (watched->first == NULL && !watched->asking) {
			map_text_remove(&live->watched, text_of(watched->id));
			free_watched(watched);
		} else {
			live->list.items[kept++] = watched;
		}
	}
	live->list.count = kept;
}

/* Half of the questions that may be under way are left to those who ask themselves. */
static bool has_room(const struct audience_live *live)
{
	uint64_t most = (uint64_t)live->audiences->api->config.audience->running_max / 2;
	return live->asking_count < (most > 0 ? most : 1);
}

/* Under the lock, which is let go of while it is asked. */
static void begin_question(struct watched *watched)
{
	struct audience_live *live = watched->live;
	watched->asking            = true;
	watched->started_ms        = clock_monotonic_ms();
	watched->changes           = queries_changes(live->audiences->api->config.queries);
	atomic_store(&watched->waiter.gone, watched->first == NULL);
	live->asking_count++;
	pthread_mutex_unlock(&live->woken.lock);
	ask(watched);
	pthread_mutex_lock(&live->woken.lock);
}

/* Under the lock. In turn: those that found no room are the first of the next time. */
static void work_once(struct audience_live *live)
{
	drop_unwatched(live);
	size_t count = live->list.count, first = count > 0 ? live->turn % count : 0;
	bool   full = false;
	for (size_t n = 0; n < count && !live->woken.stopping; n++) {
		size_t          index   = (first + n) % count;
		struct watched *watched = live->list.items[index];
		if (watched->answered)
			take_answer(watched);
		tell(watched);
		if (!is_due(watched, clock_monotonic_ms()))
			continue;
		if (has_room(live)) {
			begin_question(watched);
		} else if (!full) {
			full       = true;
			live->turn = index;
		}
	}
}

static void wait(struct audience_live *live)
{
	woken_wait(&live->woken, live->list.count == 0 ? -1 : AUDIENCE_LIVE_TICK_MS);
}

static void *work(void *context)
{
	struct audience_live *live = context;
	pthread_mutex_lock(&live->woken.lock);
	while (!live->woken.stopping) {
		work_once(live);
		if (!live->woken.stopping)
			wait(live);
	}
	while (live->asking_count > 0)
		woken_wait(&live->woken, -1);
	for (size_t i = 0; i < live->list.count; i++)
		if (live->list.items[i]->answered)
			take_answer(live->list.items[i]);
	pthread_mutex_unlock(&live->woken.lock);
	return NULL;
}

struct audience_live *audience_live_new(struct audiences *audiences)
{
	struct audience_live *live = calloc(1, sizeof *live);
	assert(live != NULL);
	live->audiences = audiences;
	woken_start(&live->woken, work, live);
	return live;
}

void audience_live_stop(struct audience_live *live) { woken_stop(&live->woken); }

void audience_live_free(struct audience_live *live)
{
	if (live == NULL)
		return;
	assert(live->watcher_count == 0);
	drop_unwatched(live);
	map_text_done(&live->watched);
	VECTOR_DONE(&live->list);
	woken_done(&live->woken);
	free(live);
}

/* ---- Watching ---- */

/* What was last calculated of a saved one. */
static int64_t size_of(const struct store_audience *saved)
{
	struct json_parser *parser = json_parser_new();
	struct json         figures;
	struct error        err;
	int64_t             size = 0;
	if (json_parse_text(parser, saved->figures, &figures, &err) == STATUS_OK &&
	    json_type(json_get(figures, "audience_size")) == JSON_INT)
		size = json_int(json_get(figures, "audience_size"));
	json_parser_free(parser);
	return size;
}

static struct watched *new_watched(struct audience_live *live, const struct audience *audience)
{
	struct watched *watched = calloc(1, sizeof *watched);
	assert(watched != NULL);
	watched->live     = live;
	watched->derived  = audience->derived;
	watched->as_of_ms = audience->as_of_ms;
	watched->size     = -1;
	memcpy(watched->id, audience->id, sizeof watched->id);
	if (audience->kind == AUDIENCE_SNAPSHOT) {
		watched->size    = size_of(&audience->saved);
		watched->size_ms = audience->as_of_ms;
	} else {
		watched->canonical_bytes = audience->canonical.length;
		watched->canonical       = strndup(audience->canonical.data, audience->canonical.length);
		assert(watched->canonical != NULL);
	}
	return watched;
}

static void enlist(struct watched *watched, struct audience_watch *watch)
{
	watch->after = watched->first;
	if (watched->first != NULL)
		watched->first->before = watch;
	watched->first = watch;
	atomic_store(&watched->waiter.gone, false);
}

enum status audience_watch_new(struct audience_live *live, const struct audience *audience,
                               struct websocket *socket, struct audience_watch **ret_watch,
                               struct error *err)
{
	enum status status = STATUS_OK;
	pthread_mutex_lock(&live->woken.lock);
	struct watched *watched = map_text_get(&live->watched, text_of(audience->id));
	if (live->woken.stopping)
		status = error_set(err, STATUS_UNAVAILABLE, "The server is stopping");
	else if (live->watcher_count >= AUDIENCE_WATCHERS_MAX ||
	         (watched == NULL && live->list.count >= AUDIENCE_LIVE_MAX))
		status = error_set(err, STATUS_LIMITED, "Too many audiences are watched");
	if (status == STATUS_OK && watched == NULL) {
		watched                                             = new_watched(live, audience);
		*map_text_put(&live->watched, text_of(watched->id)) = watched;
		VECTOR_ADD(&live->list, watched);
	}
	if (status == STATUS_OK) {
		struct audience_watch *watch = calloc(1, sizeof *watch);
		assert(watch != NULL);
		watch->watched = watched;
		watch->socket  = websocket_ref(socket);
		watch->told    = -1;
		enlist(watched, watch);
		live->watcher_count++;
		*ret_watch = watch;
		pthread_cond_broadcast(&live->woken.wake);
	}
	pthread_mutex_unlock(&live->woken.lock);
	return status;
}

void audience_watch_free(struct audience_watch *watch)
{
	struct watched       *watched = watch->watched;
	struct audience_live *live    = watched->live;
	pthread_mutex_lock(&live->woken.lock);
	*(watch->before != NULL ? &watch->before->after : &watched->first) = watch->after;
	if (watch->after != NULL)
		watch->after->before = watch->before;
	if (watched->first == NULL)
		atomic_store(&watched->waiter.gone, true);
	live->watcher_count--;
	pthread_mutex_unlock(&live->woken.lock);
	websocket_unref(watch->socket);
	free(watch);
}

void audience_live_status(struct audience_live *live, struct audience_live_status *ret_status)
{
	pthread_mutex_lock(&live->woken.lock);
	*ret_status = (struct audience_live_status){.audiences  = live->list.count,
	                                            .watchers   = live->watcher_count,
	                                            .calculated = live->calculated};
	pthread_mutex_unlock(&live->woken.lock);
}
