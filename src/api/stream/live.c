#include "api/stream/live.h"

#include <assert.h>
#include <stdlib.h>

#include "api/context.h"
#include "api/woken.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "engine/view.h"

struct watcher {
	struct live      *live;
	struct websocket *socket; /* a reference; NULL before it is open */
	unsigned          refs;   /* the socket, and a read under way */
	bool              listed;
	char             *id; /* of the segment or the user */
	struct watcher   *before, *after;

	/* Of a segment */
	uint32_t segment; /* 0: a user is watched */
	bool     dirty;
	int64_t  size; /* as last told; −1: not yet */

	/* Of a user */
	struct person           person;
	bool                    identified;
	struct watcher         *same; /* the next watcher of this person */
	struct engine_read      read;
	bool                    active; /* changes behind `position`, `ordinal` are for it */
	uint64_t                position;
	uint32_t                ordinal;
	bool                    snapshot_due;
	int64_t                 snapshot_ms;
	struct view_membership *memberships; /* malloc */
	size_t                  membership_count;
};

/* A change of a watched user. */
struct told {
	uint32_t      partition;
	struct change change;
};

struct live {
	struct api  *api;
	struct woken woken; /* its lock is over what follows */
	_Atomic bool any;   /* anybody watches: what partition threads ask first */

	struct watcher *first;
	size_t          count;
	struct map_u64  segments;    /* number → 2 × how many watchers + whether it changed */
	bool            all_changed; /* every segment may have */
	struct map_u64  persons;     /* person number → first watcher */
	bool            dirty;       /* some watcher of a segment is */
	bool            snapshots;
	bool            overflow;
	VECTOR(struct told) queue;

	/* The one read of sizes under way. */
	struct engine_read read;
	bool               reading;
	bool               read_ok;
	VECTOR(uint32_t) numbers;
	struct map_u64 indexes; /* segment → place in `numbers` + 1 */
	uint64_t      *sizes;   /* [partition][number] */
	int64_t        next_ms;
};

/* ---- What the engine tells; under the lock for a few instructions ---- */

static void mark_segment(struct live *live, uint32_t segment)
{
	if (segment == 0) { /* a new person is in every segment that holds without events */
		live->all_changed = true;
		live->dirty       = live->dirty || live->segments.count > 0;
		return;
	}
	uint64_t *entry = map_u64_find(&live->segments, segment);
	if (entry == NULL)
		return;
	*entry |= 1;
	live->dirty = true;
}

static void queue_change(struct live *live, uint32_t partition, const struct change *change)
{
	struct person person = {partition, change->slot};
	if (change->segment == 0 || live->persons.count == 0)
		return;
	if (change->slot != SLOT_NONE && map_u64_find(&live->persons, person_number(person)) == NULL)
		return;
	if (live->queue.count >= LIVE_QUEUE_MAX)
		live->overflow = true;
	else
		VECTOR_ADD(&live->queue, (struct told){partition, *change});
}

static bool has_work(const struct live *live)
{
	return live->dirty || live->queue.count > 0 || live->overflow;
}

static void listen(void *context, uint32_t partition, const struct change *changes, size_t count)
{
	struct live *live = context;
	if (!atomic_load_explicit(&live->any, memory_order_relaxed))
		return;
	pthread_mutex_lock(&live->woken.lock);
	bool had_work = has_work(live);
	for (size_t i = 0; i < count; i++) {
		mark_segment(live, changes[i].segment);
		queue_change(live, partition, &changes[i]);
	}
	if (!had_work && has_work(live))
		pthread_cond_signal(&live->woken.wake);
	pthread_mutex_unlock(&live->woken.lock);
}

/* ---- Watchers ---- */

static struct watcher *new_watcher(struct live *live, struct text id)
{
	struct watcher *watcher = calloc(1, sizeof *watcher);
	assert(watcher != NULL);
	watcher->live = live;
	watcher->refs = 1;
	watcher->size = -1;
	watcher->id   = strndup(id.data, id.length);
	assert(watcher->id != NULL);
	return watcher;
}

struct watcher *watcher_of_segment(struct live *live, uint32_t segment, struct text id)
{
	struct watcher *watcher = new_watcher(live, id);
	watcher->segment        = segment;
	return watcher;
}

struct watcher *watcher_of_user(struct live *live, struct person person, bool identified,
                                struct text id)
{
	struct watcher *watcher = new_watcher(live, id);
	watcher->person         = person;
	watcher->identified     = identified;
	return watcher;
}

void watcher_free(struct watcher *watcher)
{
	websocket_unref(watcher->socket);
	free(watcher->memberships);
	free(watcher->id);
	free(watcher);
}

static void unref(struct watcher *watcher)
{
	struct live *live = watcher->live;
	pthread_mutex_lock(&live->woken.lock);
	bool last = --watcher->refs == 0;
	pthread_mutex_unlock(&live->woken.lock);
	if (last)
		watcher_free(watcher);
}

static void enlist(struct live *live, struct watcher *watcher)
{
	watcher->listed = true;
	watcher->after  = live->first;
	if (live->first != NULL)
		live->first->before = watcher;
	live->first = watcher;
	live->count++;
	atomic_store_explicit(&live->any, true, memory_order_relaxed);
	if (watcher->segment != 0) {
		*map_u64_put(&live->segments, watcher->segment) += 2;
		return;
	}
	uint64_t *same = map_u64_put(&live->persons, person_number(watcher->person));
	watcher->same  = (struct watcher *)(uintptr_t)*same;
	*same          = (uint64_t)(uintptr_t)watcher;
}

static void remove_person(struct live *live, struct watcher *watcher)
{
	uint64_t  number = person_number(watcher->person);
	uint64_t *head   = map_u64_find(&live->persons, number);
	if ((struct watcher *)(uintptr_t)*head == watcher) {
		*head = (uint64_t)(uintptr_t)watcher->same;
		if (*head == 0)
			map_u64_remove(&live->persons, number);
		return;
	}
	struct watcher *at = (struct watcher *)(uintptr_t)*head;
	while (at->same != watcher)
		at = at->same;
	at->same = watcher->same;
}

static void leave_segment(struct live *live, uint32_t segment)
{
	uint64_t *entry = map_u64_find(&live->segments, segment);
	*entry -= 2;
	if (*entry < 2)
		map_u64_remove(&live->segments, segment);
}

static void delist(struct live *live, struct watcher *watcher)
{
	if (!watcher->listed)
		return;
	watcher->listed = false;
	if (watcher->before != NULL)
		watcher->before->after = watcher->after;
	else
		live->first = watcher->after;
	if (watcher->after != NULL)
		watcher->after->before = watcher->before;
	live->count--;
	atomic_store_explicit(&live->any, live->count > 0, memory_order_relaxed);
	if (watcher->segment == 0)
		remove_person(live, watcher);
	else
		leave_segment(live, watcher->segment);
}

/* On the partition's thread: from here on its changes are for the watcher. */
static void take_snapshot(struct engine_read *read, struct view *view)
{
	struct watcher *watcher =
		(struct watcher *)(void *)((char *)read - offsetof(struct watcher, read));
	struct live            *live = watcher->live;
	struct view_membership *rows;
	struct arena            arena;
	struct change           last = {0};
	size_t                  got  = 0;
	arena_init(&arena);
	size_t   count = view_memberships(view, watcher->person.slot, &arena, &rows);
	uint64_t total = view_changes(view, 0, 0, &last, &got);
	if (total > 0)
		view_changes(view, total - 1, 1, &last, &got);

	pthread_mutex_lock(&live->woken.lock);
	watcher->memberships = malloc(count * sizeof *rows + 1);
	assert(watcher->memberships != NULL);
	if (count > 0)
		memcpy(watcher->memberships, rows, count * sizeof *rows);
	watcher->membership_count = count;
	watcher->snapshot_ms      = view_now_ms(view);
	watcher->position         = last.position;
	watcher->ordinal          = last.ordinal;
	watcher->active           = true;
	watcher->snapshot_due = live->snapshots = true;
	pthread_cond_signal(&live->woken.wake);
	pthread_mutex_unlock(&live->woken.lock);
	arena_done(&arena);
}

static void snapshot_taken(struct engine_read *read, enum status status, const struct error *err)
{
	struct watcher *watcher =
		(struct watcher *)(void *)((char *)read - offsetof(struct watcher, read));
	(void)err;
	if (status != STATUS_OK)
		websocket_close(watcher->socket, WEBSOCKET_TRY_LATER, "not now");
	unref(watcher);
}

void watcher_open(struct websocket *socket, void *user)
{
	struct watcher *watcher = user;
	struct live    *live    = watcher->live;
	watcher->socket         = websocket_ref(socket);
	pthread_mutex_lock(&live->woken.lock);
	bool admitted = live->count < LIVE_WATCHERS_MAX && !live->woken.stopping;
	if (admitted) {
		enlist(live, watcher);
		if (watcher->segment != 0)
			watcher->dirty = live->dirty = true;
		else
			watcher->refs++;
		pthread_cond_signal(&live->woken.wake);
	}
	pthread_mutex_unlock(&live->woken.lock);
	if (!admitted) {
		websocket_close(socket, WEBSOCKET_TRY_LATER, "too many watchers");
	} else if (watcher->segment == 0) {
		watcher->read = (struct engine_read){.run = take_snapshot, .done = snapshot_taken};
		engine_read_person(live->api->config.engine, watcher->person.partition, &watcher->read);
	}
}

void watcher_close(struct websocket *socket, unsigned code, void *user)
{
	struct watcher *watcher = user;
	(void)socket;
	(void)code;
	pthread_mutex_lock(&watcher->live->woken.lock);
	delist(watcher->live, watcher);
	pthread_mutex_unlock(&watcher->live->woken.lock);
	unref(watcher);
}

/* ---- Sizes of segments ---- */

static void run_sizes(struct engine_read *read, struct view *view)
{
	struct live *live  = (struct live *)(void *)((char *)read - offsetof(struct live, read));
	uint64_t    *sizes = live->sizes + (size_t)view_partition(view) * live->numbers.count;
	for (size_t i = 0; i < live->numbers.count; i++)
		sizes[i] = view_member_count(view, live->numbers.items[i]);
}

static void sizes_read(struct engine_read *read, enum status status, const struct error *err)
{
	struct live *live = (struct live *)(void *)((char *)read - offsetof(struct live, read));
	(void)err;
	pthread_mutex_lock(&live->woken.lock);
	live->read_ok = status == STATUS_OK;
	live->reading = false;
	pthread_cond_broadcast(&live->woken.wake);
	pthread_mutex_unlock(&live->woken.lock);
}

/* Whose last message was taken, so that the next one may go out. */
static bool is_due(const struct watcher *watcher)
{
	return watcher->segment != 0 && watcher->dirty && websocket_queued(watcher->socket) == 0;
}

/* The watchers of what changed since the last time. */
static void mark_watchers(struct live *live)
{
	for (struct watcher *w = live->first; w != NULL; w = w->after)
		if (w->segment != 0 &&
		    (live->all_changed || (*map_u64_find(&live->segments, w->segment) & 1) != 0))
			w->dirty = true;
	for (struct watcher *w = live->first; w != NULL; w = w->after)
		if (w->segment != 0)
			*map_u64_find(&live->segments, w->segment) &= ~UINT64_C(1);
	live->all_changed = false;
}

/* Under the lock: begins a read of what is due. */
static bool begin_sizes(struct live *live)
{
	mark_watchers(live);
	live->numbers.count = 0;
	live->dirty         = false;
	for (struct watcher *w = live->first; w != NULL; w = w->after) {
		if (!is_due(w)) {
			live->dirty = live->dirty || w->dirty;
			continue;
		}
		w->dirty        = false;
		uint64_t *index = map_u64_put(&live->indexes, w->segment);
		if (*index == 0) {
			VECTOR_ADD(&live->numbers, w->segment);
			*index = live->numbers.count;
		}
	}
	if (live->numbers.count == 0)
		return false;
	free(live->sizes);
	live->sizes = calloc(live->numbers.count * live->api->config.partition_count, sizeof(uint64_t));
	assert(live->sizes != NULL);
	live->reading = true;
	live->read    = (struct engine_read){.run = run_sizes, .done = sizes_read};
	return true;
}

static void send_size(struct watcher *watcher, int64_t size, int64_t as_of_ms)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	json_member_string(&w, "audience_id", text_of(watcher->id));
	json_member_int(&w, "new_size", size);
	json_member_int(&w, "delta", watcher->size < 0 ? 0 : size - watcher->size);
	json_member_instant(&w, "as_of", as_of_ms);
	json_end_object(&w);
	watcher->size = size;
	websocket_send_text(watcher->socket, buffer_text(&out));
	buffer_done(&out);
}

static int64_t size_at(const struct live *live, size_t index)
{
	int64_t size = 0;
	for (uint32_t p = 0; p < live->api->config.partition_count; p++)
		size += (int64_t)live->sizes[p * live->numbers.count + index];
	return size;
}

/* Under the lock. A size that did not change is no news, but the first one. */
static void send_sizes(struct live *live)
{
	if (live->numbers.count == 0)
		return;
	for (struct watcher *w = live->first; w != NULL; w = w->after) {
		const uint64_t *index = map_u64_find(&live->indexes, w->segment);
		if (w->segment == 0 || index == NULL)
			continue;
		if (!live->read_ok) {
			w->dirty = live->dirty = true;
			continue;
		}
		int64_t size = size_at(live, *index - 1);
		if (size != w->size)
			send_size(w, size, live->read.as_of_ms);
	}
	live->numbers.count = 0;
	map_u64_done(&live->indexes);
	live->indexes = (struct map_u64){0};
}

/* ---- Users ---- */

static void write_user(struct json_writer *w, const struct watcher *watcher)
{
	json_member_string(w, watcher->identified ? "userId" : "anonymousId", text_of(watcher->id));
}

static void write_segment(struct json_writer *w, struct live *live, uint32_t segment,
                          struct arena *arena)
{
	struct text id, key;
	if (definition_name_of(live->api->definitions, segment, arena, &id, &key))
		json_member_string(w, "segmentId", id);
	else
		json_member_null(w, "segmentId");
}

static void send_snapshot(struct live *live, struct watcher *watcher, struct arena *arena)
{
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	write_user(&w, watcher);
	json_add_key(&w, TEXT("segments"));
	json_begin_array(&w);
	for (size_t i = 0; i < watcher->membership_count; i++) {
		json_begin_object(&w);
		write_segment(&w, live, watcher->memberships[i].segment, arena);
		json_member_instant(&w, "enteredAt", watcher->memberships[i].entered_ms);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_member_instant(&w, "as_of", watcher->snapshot_ms);
	json_end_object(&w);
	watcher->snapshot_due = false;
	websocket_send_text(watcher->socket, buffer_text(&out));
	buffer_done(&out);
}

static void send_change(struct live *live, struct watcher *watcher, const struct change *change,
                        struct arena *arena)
{
	bool seen = change->position < watcher->position ||
	            (change->position == watcher->position && change->ordinal <= watcher->ordinal);
	if (!watcher->active || seen)
		return;
	struct buffer      out = {0};
	struct json_writer w   = json_writer_of(&out);
	json_begin_object(&w);
	write_user(&w, watcher);
	write_segment(&w, live, change->segment, arena);
	json_member_string(&w, "change", change->entered ? TEXT("entered") : TEXT("exited"));
	json_member_instant(&w, "at", change->at_ms);
	json_member_string(&w, "cause", text_of(cause_name((enum cause)change->cause)));
	json_end_object(&w);
	websocket_send_text(watcher->socket, buffer_text(&out));
	buffer_done(&out);
}

static void tell(struct live *live, const struct told *told, struct arena *arena)
{
	struct person person = {told->partition, told->change.slot};
	if (told->change.slot == SLOT_NONE) {
		for (struct watcher *w = live->first; w != NULL; w = w->after)
			if (w->segment == 0 && w->person.partition == told->partition)
				send_change(live, w, &told->change, arena);
		return;
	}
	uint64_t *head = map_u64_find(&live->persons, person_number(person));
	for (struct watcher *w = head == NULL ? NULL : (struct watcher *)(uintptr_t)*head; w != NULL;
	     w                 = w->same)
        send_change(live, w, &told->change, arena);
}

/* Under the lock. */
static void tell_users(struct live *live, struct arena *arena)
{
	for (struct watcher *w = live->first; w != NULL; w = w->after) {
		if (live->snapshots && w->snapshot_due)
			send_snapshot(live, w, arena);
		if (live->overflow && w->segment == 0)
			websocket_close(w->socket, WEBSOCKET_TRY_LATER, "too many changes");
	}
	for (size_t i = 0; i < live->queue.count; i++)
		tell(live, &live->queue.items[i], arena);
	live->queue.count = 0;
	live->snapshots = live->overflow = false;
	arena_reset(arena);
}

/* ---- Its thread ---- */

static void wait(struct live *live)
{
	bool work = live->snapshots || live->overflow || live->queue.count > 0;
	if (work)
		return;
	int64_t left_ms = live->next_ms - clock_monotonic_ms();
	if (!live->dirty || live->reading) {
		woken_wait(&live->woken, -1);
	} else if (left_ms > 0) {
		woken_wait(&live->woken, left_ms);
	}
}

static void *work(void *context)
{
	struct live *live = context;
	struct arena arena;
	arena_init(&arena);
	pthread_mutex_lock(&live->woken.lock);
	while (!live->woken.stopping || live->reading) {
		wait(live);
		tell_users(live, &arena);
		if (live->reading)
			continue;
		send_sizes(live);
		if (!live->dirty || live->woken.stopping || clock_monotonic_ms() < live->next_ms)
			continue;
		live->next_ms = clock_monotonic_ms() + LIVE_INTERVAL_MS;
		if (begin_sizes(live)) {
			pthread_mutex_unlock(&live->woken.lock);
			engine_read_all(live->api->config.engine, &live->read);
			pthread_mutex_lock(&live->woken.lock);
		}
	}
	pthread_mutex_unlock(&live->woken.lock);
	arena_done(&arena);
	return NULL;
}

struct live *live_new(struct api *api)
{
	struct live *live = calloc(1, sizeof *live);
	assert(live != NULL);
	live->api = api;
	woken_start(&live->woken, work, live);
	engine_listen(api->config.engine, listen, live);
	return live;
}

void live_stop(struct live *live) { woken_stop(&live->woken); }

void live_free(struct live *live)
{
	if (live == NULL)
		return;
	assert(live->count == 0);
	woken_done(&live->woken);
	map_u64_done(&live->segments);
	map_u64_done(&live->persons);
	map_u64_done(&live->indexes);
	VECTOR_DONE(&live->queue);
	VECTOR_DONE(&live->numbers);
	free(live->sizes);
	free(live);
}
