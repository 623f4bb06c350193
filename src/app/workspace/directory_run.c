#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access/linked.h"
#include "app/workspace/directory_internal.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"
#include "base/machine.h"

enum {
	TICK_MS           = 100, /* of the keeper, while any is there */
	REPLAY_POLL_NS    = 2000000,
	BUSY_INTERVAL_MS  = 1000,
	DISK_INTERVAL_MS  = 30 * 1000,
	DUE_AGAIN_MS      = 60 * 1000, /* one that failed is not opened by itself before */
	EXHAUSTED_PERCENT = 90,
};

static bool is_running(const struct entry *entry)
{
	return entry->run == RUN_OPENING || entry->run == RUN_OPEN || entry->run == RUN_CLOSING;
}

/* ---- Threads ---- */

static void start_thread(struct directory *directory, void *(*run)(void *), struct entry *entry)
{
	pthread_attr_t attributes;
	pthread_t      thread;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int failed = pthread_create(&thread, &attributes, run, entry);
	pthread_attr_destroy(&attributes);
	assert(failed == 0);
	directory->threads++;
}

/* The last thing that such a thread does. */
static void thread_ends(struct directory *directory)
{
	directory->threads--;
	directory->due = true;
	pthread_cond_broadcast(&directory->changed);
	pthread_mutex_unlock(&directory->lock);
}

static void log_entry(const char *message, const struct entry *entry)
{
	log_line(LOG_INFO, message, LOG_STRING("workspace", entry->id));
}

/* ---- Room ---- */

uint64_t directory_memory_share(const struct directory *directory)
{
	return serve_settings_memory_bytes(directory->settings) / 100 * DIRECTORY_SHARE_PERCENT;
}

static uint64_t lent_bytes(const struct directory *directory)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < directory->entries.count; i++)
		if (is_running(directory->entries.items[i]))
			bytes += entry_memory_bytes(directory->entries.items[i]);
	return bytes;
}

/* More than the share may be lent for a while, when --memory-limit was lowered or theirs were
 * raised while they run: home keeps the rest in any case. */
void directory_lend(struct directory *directory)
{
	uint64_t all   = serve_settings_memory_bytes(directory->settings);
	uint64_t share = directory_memory_share(directory), lent = lent_bytes(directory);
	workspace_limit(directory->home, all - (lent < share ? lent : share), 0);
}

static bool has_room(const struct directory *directory, const struct entry *wanted)
{
	int64_t count = 0;
	for (size_t i = 0; i < directory->entries.count; i++)
		count += is_running(directory->entries.items[i]);
	return count < directory->settings->workspaces_open_max &&
	       lent_bytes(directory) + entry_memory_bytes(wanted) <= directory_memory_share(directory);
}

/* The one that was used longest ago, of those that nobody holds and that have nothing to do. */
static void make_room(struct directory *directory)
{
	struct entry *oldest = NULL;
	for (size_t i = 0; i < directory->entries.count; i++) {
		struct entry *entry = directory->entries.items[i];
		if (entry->run == RUN_CLOSING)
			return; /* there will be some */
		if (entry->run == RUN_OPEN && entry->held == 0 && !entry->busy &&
		    (oldest == NULL || entry->used_ms < oldest->used_ms))
			oldest = entry;
	}
	if (oldest != NULL)
		directory_close(oldest);
}

/* ---- Requests that wait ---- */

static void refuse(struct http_request *request)
{
	struct error err;
	error_set(&err, STATUS_UNAVAILABLE, "The workspace cannot be opened now");
	http_add_header(request, "Retry-After", TEXT("5"));
	http_respond_error(request, 503, &err);
}

static void go_on(struct http_request *request, void *context)
{
	struct waiting         *waiting = context;
	struct entry           *entry   = waiting->entry;
	const struct api_route *route   = waiting->route;
	free(waiting);
	api_serve(workspace_api(entry->workspace), route, request, true);
}

static void let_in(struct entry *entry)
{
	for (size_t i = 0; i < entry->waiting.count; i++)
		http_go_on(entry->waiting.items[i]->request, go_on, entry->waiting.items[i]);
	entry->waiting.count = 0;
}

/* Those that have waited until `now_ms`. */
static void turn_away(struct entry *entry, int64_t now_ms)
{
	size_t kept = 0;
	for (size_t i = 0; i < entry->waiting.count; i++) {
		struct waiting *waiting = entry->waiting.items[i];
		if (waiting->due_ms > now_ms) {
			entry->waiting.items[kept++] = waiting;
			continue;
		}
		refuse(waiting->request);
		free(waiting);
		entry->held--;
		entry->directory->refused++;
	}
	entry->waiting.count = kept;
}

void directory_serve(void *held, const struct api_route *route, struct http_request *request)
{
	struct entry     *entry     = held;
	struct directory *directory = entry->directory;
	int64_t           now_ms    = clock_monotonic_ms();
	pthread_mutex_lock(&directory->lock);
	if (entry->run == RUN_OPEN && !directory->stopping) {
		pthread_mutex_unlock(&directory->lock);
		api_serve(workspace_api(entry->workspace), route, request, false);
		return;
	}
	bool waits = !directory->stopping && !entry->doomed &&
	             entry->waiting.count < DIRECTORY_WAITING_MAX &&
	             (entry->run != RUN_FAILED || now_ms >= entry->failed_until_ms);
	if (waits) {
		struct waiting *waiting = calloc(1, sizeof *waiting);
		assert(waiting != NULL);
		http_suspend(request);
		*waiting = (struct waiting){entry, route, request, now_ms + DIRECTORY_WAIT_MS};
		VECTOR_ADD(&entry->waiting, waiting);
		directory_try_open(entry);
		directory->due = true;
		pthread_cond_broadcast(&directory->changed);
	} else {
		entry->held--;
		directory->refused++;
	}
	pthread_mutex_unlock(&directory->lock);
	if (!waits)
		refuse(request);
}

void directory_release(void *context, bool used)
{
	struct entry     *entry     = context;
	struct directory *directory = entry->directory;
	pthread_mutex_lock(&directory->lock);
	entry->held--;
	if (used)
		entry->used_ms = clock_monotonic_ms();
	if (entry->held == 0 && entry->doomed)
		pthread_cond_broadcast(&directory->changed);
	pthread_mutex_unlock(&directory->lock);
}

/* ---- Opening ---- */

/* Home's people who may be here no more. Their row is removed when they are known to be gone. */
static enum status keep_members(struct entry *entry, struct workspace *workspace, bool *ret_removed,
                                struct error *err)
{
	struct store        *store = workspace_store(entry->directory->home);
	struct store_member *members;
	struct arena         arena;
	size_t               count;
	arena_init(&arena);
	enum status status =
		store->ops->member_list(store, text_of(entry->id), &arena, &members, &count, err);
	if (status == STATUS_OK) {
		struct text *ids = ARENA_ARRAY(&arena, struct text, count + 1);
		for (size_t i = 0; i < count; i++)
			ids[i] = text_of(members[i].person_id);
		status = linked_keep(workspace_access(workspace), ids, count, ret_removed, err);
	}
	arena_done(&arena);
	return status;
}

static enum status wait_for_replay(struct entry *entry, struct workspace *workspace,
                                   struct error *err)
{
	const struct timespec pause = {.tv_nsec = REPLAY_POLL_NS};
	enum status           status;
	while ((status = workspace_replayed(workspace, err)) == STATUS_AGAIN) {
		pthread_mutex_lock(&entry->directory->lock);
		bool stopping = entry->directory->stopping;
		pthread_mutex_unlock(&entry->directory->lock);
		if (stopping)
			return error_set(err, STATUS_UNAVAILABLE, "The server is stopping");
		nanosleep(&pause, NULL);
	}
	return status;
}

/* What those are told who verify its tokens, while it is closed. */
static void note_public_keys(struct entry *entry, struct workspace *workspace)
{
	struct buffer out = {0};
	signing_keys_write_public(access_signing_keys(workspace_access(workspace)), &out);
	char *text = strndup(out.data, out.length);
	assert(text != NULL);
	buffer_done(&out);
	pthread_mutex_lock(&entry->directory->lock);
	char *before       = entry->public_keys;
	entry->public_keys = text;
	pthread_mutex_unlock(&entry->directory->lock);
	free(before);
}

static enum status open_all(struct entry *entry, struct workspace **ret_workspace,
                            struct workspace_first *ret_first, struct error *err)
{
	struct directory *directory = entry->directory;
	struct store     *store     = workspace_store(directory->home);
	struct workspace *workspace;
	bool              removed;
	pthread_mutex_lock(&directory->lock);
	entry_derive_settings(entry);
	pthread_mutex_unlock(&directory->lock);
	const struct workspace_config config = {.settings         = &entry->settings,
	                                        .loop_count       = directory->loop_count,
	                                        .id               = entry->id,
	                                        .code             = entry->code,
	                                        .path_prefix      = entry->path_prefix,
	                                        .released         = directory_release,
	                                        .released_context = entry,
	                                        .host             = &entry->host};
	/* Open from here on: a start after a crash opens it again. */
	enum status status = store->ops->workspace_due(store, text_of(entry->id), 0, err);
	if (status == STATUS_OK)
		status = workspace_start(&config, &workspace, err);
	if (status != STATUS_OK)
		return status;
	if ((status = wait_for_replay(entry, workspace, err)) != STATUS_OK ||
	    (status = keep_members(entry, workspace, &removed, err)) != STATUS_OK ||
	    (status = workspace_open(workspace, ret_first, err)) != STATUS_OK) {
		workspace_stop(workspace, NULL);
		workspace_free(workspace);
		return status;
	}
	api_set_address_limits(workspace_api(workspace), directory->limits);
	api_set_server(workspace_api(workspace), directory->http);
	note_public_keys(entry, workspace);
	*ret_workspace = workspace;
	return STATUS_OK;
}

static void *open_it(void *context)
{
	struct entry          *entry     = context;
	struct directory      *directory = entry->directory;
	struct workspace      *workspace = NULL;
	struct workspace_first first     = {0};
	struct error           err       = {0};
	enum status            status    = open_all(entry, &workspace, &first, &err);
	if (status == STATUS_OK)
		log_entry("a workspace is open", entry);
	else
		log_error("a workspace could not be opened", &err);

	pthread_mutex_lock(&directory->lock);
	entry->used_ms = clock_monotonic_ms();
	if (status == STATUS_OK) {
		workspace_limit(workspace, entry_memory_bytes(entry), (uint64_t)entry->limits.profiles);
		entry->workspace = workspace;
		entry->run       = RUN_OPEN;
		entry->disk_ms   = 0;    /* its files are counted at once */
		entry->busy      = true; /* until it was asked */
		if (first.token[0] != '\0')
			entry->first = first;
		directory->opened++;
		let_in(entry);
	} else {
		entry->failed          = err;
		entry->run             = RUN_FAILED;
		entry->failed_until_ms = entry->used_ms + DIRECTORY_FAILED_MS;
		turn_away(entry, INT64_MAX);
		directory_lend(directory);
	}
	thread_ends(directory);
	return NULL;
}

bool directory_try_open(struct entry *entry)
{
	struct directory *directory = entry->directory;
	bool              failed    = entry->run == RUN_FAILED;
	if (directory->stopping || !directory->is_open ||
	    (entry->run != RUN_CLOSED && (!failed || clock_monotonic_ms() < entry->failed_until_ms)))
		return false;
	if (!has_room(directory, entry)) {
		make_room(directory);
		return false;
	}
	entry->run = RUN_OPENING;
	directory_lend(directory);
	start_thread(directory, open_it, entry);
	return true;
}

/* ---- Closing ---- */

static int64_t write_due(struct entry *entry, struct workspace *workspace)
{
	struct store *store  = workspace_store(entry->directory->home);
	int64_t       due_ms = workspace_due_ms(workspace);
	struct error  err;
	if (store->ops->workspace_due(store, text_of(entry->id), due_ms, &err) != STATUS_OK)
		log_error("when a workspace is due could not be written", &err);
	return due_ms;
}

static void *close_it(void *context)
{
	const struct workspace_end end       = {"workspace.close", "{}"};
	struct entry              *entry     = context;
	struct directory          *directory = entry->directory;
	struct workspace          *workspace = entry->workspace;
	int64_t                    due_ms    = write_due(entry, workspace);
	note_public_keys(entry, workspace);
	workspace_stop(workspace, &end);
	if (!entry->ends) { /* nobody is in; who holds it by now waits for the next one */
		workspace_free(workspace);
		malloc_trim(0); /* what it held is the others' */
		workspace = NULL;
	}
	log_entry("a workspace is closed", entry);

	pthread_mutex_lock(&directory->lock);
	entry->workspace = workspace;
	entry->due_ms    = due_ms;
	entry->run       = RUN_CLOSED;
	directory->closed++;
	directory_lend(directory);
	thread_ends(directory);
	return NULL;
}

void directory_close(struct entry *entry)
{
	assert(entry->run == RUN_OPEN);
	entry->run = RUN_CLOSING;
	start_thread(entry->directory, close_it, entry);
}

/* ---- Removing ---- */

static void forget(struct directory *directory, struct entry *entry)
{
	size_t i = 0;
	while (directory->entries.items[i] != entry)
		i++;
	directory->entries.items[i] = directory->entries.items[--directory->entries.count];
	entry_free(entry);
}

static void *remove_it(void *context)
{
	struct entry     *entry     = context;
	struct directory *directory = entry->directory;
	struct store     *store     = workspace_store(directory->home);
	struct error      err       = {0};
	enum status       status    = directory_remove_files(entry, &err);
	if (status == STATUS_OK)
		status = store->ops->workspace_delete(store, text_of(entry->id), &err);
	if (status == STATUS_OK)
		log_entry("a workspace is deleted", entry);
	else
		log_error("a workspace could not be deleted", &err);

	pthread_mutex_lock(&directory->lock);
	if (status == STATUS_OK) {
		forget(directory, entry);
	} else {
		entry->failed          = err;
		entry->run             = RUN_FAILED;
		entry->failed_until_ms = clock_monotonic_ms() + DIRECTORY_FAILED_MS;
	}
	thread_ends(directory);
	return NULL;
}

/* One that nobody finds any more: once nobody holds it. */
static void push_out(struct entry *entry, int64_t now_ms)
{
	bool failed = entry->run == RUN_FAILED && now_ms < entry->failed_until_ms;
	turn_away(entry, INT64_MAX);
	if (entry->run == RUN_OPEN && entry->held > 0) {
		api_close_sockets(workspace_api(entry->workspace));
	} else if (entry->run == RUN_OPEN) {
		directory_close(entry);
	} else if (!is_running(entry) && entry->held == 0 && !failed) {
		entry->run = RUN_CLOSING;
		start_thread(entry->directory, remove_it, entry);
	}
}

/* ---- The keeper ---- */

/* What is asked of an open one a few times a second, without the lock: it is held meanwhile. */
static void look_after(struct entry *entry, bool people_changed, bool count_disk,
                       int64_t disk_bytes)
{
	struct workspace *workspace = entry->workspace;
	bool exhausted = machine_used_bytes() > machine_memory_bytes() / 100 * EXHAUSTED_PERCENT;
	bool removed   = false;
	struct error err;
	workspace_watch_memory(workspace, 0, exhausted);
	if (count_disk)
		workspace_note_disk(workspace, disk_bytes > 0 && directory_disk_bytes(entry->data) >=
		                                                     (uint64_t)disk_bytes);
	if (people_changed) {
		if (keep_members(entry, workspace, &removed, &err) != STATUS_OK)
			log_error("the members of a workspace could not be looked at", &err);
		api_people_changed(workspace_api(workspace));
	}
}

/* Whether it has something to do: asked only of one that might be closed. */
static void look_if_busy(struct entry *entry, int64_t now_ms)
{
	struct directory *directory = entry->directory;
	if (entry->held > 0 || now_ms - entry->looked_ms < BUSY_INTERVAL_MS)
		return;
	entry->looked_ms = now_ms;
	entry->held++;
	pthread_mutex_unlock(&directory->lock);
	int64_t due_ms  = workspace_due_ms(entry->workspace);
	bool    awaited = api_is_awaited(workspace_api(entry->workspace));
	pthread_mutex_lock(&directory->lock);
	entry->held--;
	int64_t left_ms = due_ms - clock_wall_ms(); /* not worth closing it */
	entry->busy     = awaited || left_ms < directory->settings->workspace_idle_ms;
}

/* The lock is let go and taken again. */
static void keep_open(struct entry *entry, int64_t now_ms)
{
	struct directory *directory = entry->directory;
	bool              people    = entry->people_changed;
	bool              disk      = now_ms - entry->disk_ms >= DISK_INTERVAL_MS;
	int64_t           bytes     = entry->limits.disk_bytes;
	entry->people_changed       = false;
	if (disk)
		entry->disk_ms = now_ms;
	entry->held++;
	pthread_mutex_unlock(&directory->lock);
	look_after(entry, people, disk, bytes);
	pthread_mutex_lock(&directory->lock);
	entry->held--;
	look_if_busy(entry, now_ms);
	if (entry->run == RUN_OPEN && entry->held == 0 && !entry->busy && !entry->doomed &&
	    now_ms - entry->used_ms >= directory->settings->workspace_idle_ms)
		directory_close(entry);
}

static void keep(struct entry *entry, int64_t now_ms)
{
	bool may_open = entry->state == ENTRY_ACTIVE &&
	                (entry->run == RUN_CLOSED ||
	                 (entry->run == RUN_FAILED && now_ms - entry->used_ms >= DUE_AGAIN_MS));
	if (entry->doomed) {
		push_out(entry, now_ms);
		return;
	}
	turn_away(entry, now_ms);
	if (entry->waiting.count > 0 || (may_open && entry->due_ms <= clock_wall_ms()))
		directory_try_open(entry);
	if (entry->run == RUN_OPEN)
		keep_open(entry, now_ms);
}

/* Entries come and go only where the lock is let go, and the keeper holds the one that it looks at:
 * those behind it may move, and are looked at the next time. */
static void *work(void *context)
{
	struct directory *directory = context;
	pthread_mutex_lock(&directory->lock);
	while (!directory->stopping) {
		directory->due = false;
		for (size_t i = 0; i < directory->entries.count && !directory->stopping; i++)
			if (directory->is_open)
				keep(directory->entries.items[i], clock_monotonic_ms());
		if (!directory->due && !directory->stopping)
			directory_wait(directory, directory->entries.count > 0 ? TICK_MS : -1);
	}
	pthread_mutex_unlock(&directory->lock);
	return NULL;
}

void directory_wait(struct directory *directory, int64_t most_ms)
{
	if (most_ms < 0) {
		pthread_cond_wait(&directory->changed, &directory->lock);
		return;
	}
	struct timespec until = clock_deadline(most_ms);
	pthread_cond_timedwait(&directory->changed, &directory->lock, &until);
}

void directory_start_keeper(struct directory *directory)
{
	int failed       = pthread_create(&directory->keeper, NULL, work, directory);
	directory->keeps = true;
	assert(failed == 0);
}

/* ---- The end ---- */

void directory_stop(struct directory *directory)
{
	if (directory == NULL)
		return;
	pthread_mutex_lock(&directory->lock);
	directory->stopping = true;
	pthread_cond_broadcast(&directory->changed);
	for (size_t i = 0; i < directory->entries.count; i++)
		turn_away(directory->entries.items[i], INT64_MAX);
	pthread_mutex_unlock(&directory->lock);
	if (directory->keeps)
		pthread_join(directory->keeper, NULL);
	directory->keeps = false;

	pthread_mutex_lock(&directory->lock);
	while (directory->threads > 0)
		directory_wait(directory, -1);
	for (size_t i = 0; i < directory->entries.count; i++) {
		struct entry *entry = directory->entries.items[i];
		entry->ends         = true;
		if (entry->run == RUN_OPEN)
			directory_close(entry);
	}
	while (directory->threads > 0)
		directory_wait(directory, -1);
	pthread_mutex_unlock(&directory->lock);
}
