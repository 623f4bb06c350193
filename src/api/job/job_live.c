#include "api/job/job_live.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/job/job_json.h"
#include "api/woken.h"
#include "base/clock.h"
#include "base/vector.h"

struct job_watcher {
	struct job_live    *live;
	struct websocket   *socket; /* a reference; NULL before it is open */
	struct job_watcher *before, *after;
	bool                listed;
	bool                snapshot_due;
	char                id[37]; /* empty: all */
};

struct job_id {
	char text[37];
};

struct job_live {
	struct api  *api;
	struct woken woken; /* its lock is over what follows */

	struct job_watcher *first;
	size_t              count;
	VECTOR(struct job_id) changed;
	bool    all_changed; /* more than `changed` may hold */
	bool    snapshots;   /* some are due */
	int64_t next_ms;     /* not told anything before */
};

/* ---- What the runner tells; under the lock for a few instructions ---- */

static void listen(void *context, const char *id)
{
	struct job_live *live = context;
	pthread_mutex_lock(&live->woken.lock);
	bool known = live->count == 0 || live->all_changed;
	for (size_t i = 0; i < live->changed.count && !known; i++)
		known = strcmp(live->changed.items[i].text, id) == 0;
	if (!known && live->changed.count >= JOB_LIVE_CHANGED_MAX) {
		live->all_changed = true;
	} else if (!known) {
		struct job_id changed;
		snprintf(changed.text, sizeof changed.text, "%s", id);
		VECTOR_ADD(&live->changed, changed);
		pthread_cond_signal(&live->woken.wake);
	}
	pthread_mutex_unlock(&live->woken.lock);
}

/* ---- Watchers ---- */

struct job_watcher *job_watcher_new(struct job_live *live, const char *id)
{
	struct job_watcher *watcher = calloc(1, sizeof *watcher);
	assert(watcher != NULL);
	watcher->live = live;
	if (id != NULL)
		snprintf(watcher->id, sizeof watcher->id, "%s", id);
	return watcher;
}

void job_watcher_free(struct job_watcher *watcher)
{
	websocket_unref(watcher->socket);
	free(watcher);
}

void job_watcher_open(struct websocket *socket, void *user)
{
	struct job_watcher *watcher = user;
	struct job_live    *live    = watcher->live;
	watcher->socket             = websocket_ref(socket);
	pthread_mutex_lock(&live->woken.lock);
	bool admitted = live->count < JOB_LIVE_WATCHERS_MAX && !live->woken.stopping;
	if (admitted) {
		watcher->listed       = true;
		watcher->snapshot_due = live->snapshots = true;
		watcher->after                          = live->first;
		if (live->first != NULL)
			live->first->before = watcher;
		live->first = watcher;
		live->count++;
		pthread_cond_signal(&live->woken.wake);
	}
	pthread_mutex_unlock(&live->woken.lock);
	if (!admitted)
		websocket_close(socket, WEBSOCKET_TRY_LATER, "too many watchers");
}

void job_watcher_close(struct websocket *socket, unsigned code, void *user)
{
	struct job_watcher *watcher = user;
	struct job_live    *live    = watcher->live;
	(void)socket;
	(void)code;
	pthread_mutex_lock(&live->woken.lock);
	if (watcher->listed) {
		if (watcher->before != NULL)
			watcher->before->after = watcher->after;
		else
			live->first = watcher->after;
		if (watcher->after != NULL)
			watcher->after->before = watcher->before;
		live->count--;
	}
	pthread_mutex_unlock(&live->woken.lock);
	job_watcher_free(watcher);
}

/* ---- Messages ---- */

static void end_message(struct json_writer *w, struct job_live *live)
{
	struct journal *journal = live->api->config.journal;
	json_member_instant(w, "as_of", journal->ops->log_time_ms(journal));
	json_end_object(w);
}

/* {"job":…,"as_of":…}; false: there is no such job any more. */
static bool write_job(struct job_live *live, const char *id, struct arena *arena,
                      struct buffer *out, uint64_t *ret_number)
{
	struct jobs       *jobs = live->api->config.jobs;
	struct json_writer w    = json_writer_of(out);
	struct store_job   job;
	struct error       err;
	if (jobs_get(jobs, id, arena, &job, &err) != STATUS_OK)
		return false;
	json_begin_object(&w);
	json_add_key(&w, TEXT("job"));
	job_json_write(&w, jobs, &job);
	end_message(&w, live);
	*ret_number = job.number;
	return true;
}

static bool write_jobs(struct job_live *live, struct arena *arena, struct buffer *out)
{
	struct store_job_filter filter = {.limit = JOB_LIVE_SNAPSHOT_MAX};
	struct jobs            *jobs   = live->api->config.jobs;
	struct json_writer      w      = json_writer_of(out);
	struct store_job       *rows;
	size_t                  count;
	uint64_t                total;
	struct error            err;
	if (jobs_list(jobs, &filter, arena, &rows, &count, &total, &err) != STATUS_OK)
		return false;
	json_begin_object(&w);
	json_add_key(&w, TEXT("jobs"));
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++)
		job_json_write(&w, jobs, &rows[i]);
	json_end_array(&w);
	end_message(&w, live);
	return true;
}

/* Under the lock, which is let go meanwhile. */
static void tell_job(struct job_live *live, const char *id, struct arena *arena)
{
	struct buffer out = {0};
	uint64_t      number;
	pthread_mutex_unlock(&live->woken.lock);
	bool written = write_job(live, id, arena, &out, &number);
	arena_reset(arena);
	pthread_mutex_lock(&live->woken.lock);
	for (struct job_watcher *w = live->first; w != NULL && written; w = w->after)
		if (w->id[0] == '\0' || strcmp(w->id, id) == 0)
			websocket_send_state(w->socket, number, buffer_text(&out));
	buffer_done(&out);
}

/* Under the lock, which is let go meanwhile: the first message of those who watch all. What is
 * told behind it may be in it already, and is the same then. */
static void tell_all(struct job_live *live, struct arena *arena)
{
	struct buffer out = {0};
	pthread_mutex_unlock(&live->woken.lock);
	bool written = write_jobs(live, arena, &out);
	arena_reset(arena);
	pthread_mutex_lock(&live->woken.lock);
	for (struct job_watcher *w = live->first; w != NULL && written; w = w->after)
		if (w->id[0] == '\0' && w->snapshot_due) {
			w->snapshot_due = false;
			websocket_send_state(w->socket, 0, buffer_text(&out));
		}
	buffer_done(&out);
}

/* A watcher of one job begins as if that had just changed. */
static void begin_watchers(struct job_live *live, struct arena *arena)
{
	bool all        = false;
	live->snapshots = false;
	for (struct job_watcher *w = live->first; w != NULL; w = w->after) {
		w->snapshot_due = w->snapshot_due || live->all_changed;
		if (w->snapshot_due && w->id[0] != '\0') {
			struct job_id id;
			memcpy(id.text, w->id, sizeof id.text);
			VECTOR_ADD(&live->changed, id);
			w->snapshot_due = false;
		}
		all = all || w->snapshot_due;
	}
	live->all_changed = false;
	if (all)
		tell_all(live, arena);
}

/* ---- Its thread ---- */

static void wait(struct job_live *live)
{
	bool    work    = live->changed.count > 0 || live->all_changed || live->snapshots;
	int64_t left_ms = live->next_ms - clock_monotonic_ms();
	if (!work) {
		woken_wait(&live->woken, -1);
	} else if (left_ms > 0) {
		woken_wait(&live->woken, left_ms);
	}
}

static void *work(void *context)
{
	struct job_live *live = context;
	struct arena     arena;
	arena_init(&arena);
	pthread_mutex_lock(&live->woken.lock);
	while (!live->woken.stopping) {
		wait(live);
		bool work = live->changed.count > 0 || live->all_changed || live->snapshots;
		if (!work || clock_monotonic_ms() < live->next_ms)
			continue;
		live->next_ms = clock_monotonic_ms() + JOB_LIVE_INTERVAL_MS;
		begin_watchers(live, &arena);
		/* Taken one by one, since the lock is let go in between. */
		for (size_t left = live->changed.count; left > 0; left--) {
			struct job_id id = live->changed.items[0];
			memmove(live->changed.items, live->changed.items + 1,
			        --live->changed.count * sizeof id);
			tell_job(live, id.text, &arena);
		}
	}
	pthread_mutex_unlock(&live->woken.lock);
	arena_done(&arena);
	return NULL;
}

struct job_live *job_live_new(struct api *api)
{
	struct job_live *live = calloc(1, sizeof *live);
	assert(live != NULL);
	live->api = api;
	woken_start(&live->woken, work, live);
	jobs_listen(api->config.jobs, listen, live);
	return live;
}

void job_live_stop(struct job_live *live) { woken_stop(&live->woken); }

void job_live_free(struct job_live *live)
{
	if (live == NULL)
		return;
	assert(live->count == 0);
	woken_done(&live->woken);
	VECTOR_DONE(&live->changed);
	free(live);
}
