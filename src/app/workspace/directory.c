#include "app/workspace/directory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/workspace/directory_internal.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"

enum {
	PARTITIONS_DEFAULT = 4, /* it is small, until somebody says so */
	OPEN_WAIT_MS       = 60 * 1000,
	DELETE_WAIT_MS     = 60 * 1000,
};

#define RETENTION_MS_DEFAULT (1096 * DAY_MS)

/* ---- The list ---- */

/* Under the lock. */
static struct entry *find_entry(struct directory *directory, struct text id_or_slug)
{
	for (size_t i = 0; i < directory->entries.count; i++) {
		struct entry *entry = directory->entries.items[i];
		if (text_equal(text_of(entry->id), id_or_slug) ||
		    text_equal(text_of(entry->slug), id_or_slug))
			return entry;
	}
	return NULL;
}

static void make_findable(struct directory *directory, struct entry *entry)
{
	*map_text_put(&directory->by_slug, text_of(entry->slug)) = entry;
	*map_text_put(&directory->by_code, text_of(entry->code)) = entry;
	*map_text_put(&directory->by_id, text_of(entry->id))     = entry;
}

static void make_unfindable(struct directory *directory, struct entry *entry)
{
	entry->doomed = true;
	map_text_remove(&directory->by_slug, text_of(entry->slug));
	map_text_remove(&directory->by_code, text_of(entry->code));
	map_text_remove(&directory->by_id, text_of(entry->id));
}

static void describe(const struct entry *entry, struct arena *arena,
                     struct api_workspace *ret_workspace)
{
	*ret_workspace =
		(struct api_workspace){.slug   = arena_text(arena, text_of(entry->slug)),
	                           .name   = arena_text(arena, text_of(entry->name)),
	                           .state  = entry->state == ENTRY_ACTIVE && entry->run == RUN_FAILED
	                                         ? "failed"
	                                         : entry_state_name(entry->state),
	                           .open   = entry->run == RUN_OPEN,
	                           .limits = entry->limits,
	                           .partition_count = entry->partition_count,
	                           .retention_ms    = entry->retention_ms,
	                           .version         = entry->version,
	                           .created_ms      = entry->created_ms,
	                           .updated_ms      = entry->updated_ms};
	memcpy(ret_workspace->id, entry->id, sizeof ret_workspace->id);
	memcpy(ret_workspace->code, entry->code, sizeof ret_workspace->code);
}

static void *face_find(void *context, enum workspace_by by, struct text name)
{
	struct directory *directory = context;
	pthread_mutex_lock(&directory->lock);
	const struct map_text *map   = by == WORKSPACE_BY_SLUG   ? &directory->by_slug
	                               : by == WORKSPACE_BY_CODE ? &directory->by_code
	                                                         : &directory->by_id;
	struct entry          *entry = map_text_get(map, name);
	if (entry != NULL)
		entry->held++;
	pthread_mutex_unlock(&directory->lock);
	return entry;
}

static bool face_is_closed(void *held, struct arena *arena, struct workspace_closed *ret_closed)
{
	struct entry *entry = held;
	pthread_mutex_lock(&entry->directory->lock);
	bool closed = entry->run != RUN_OPEN && entry->run != RUN_OPENING;
	memcpy(ret_closed->code, entry->code, sizeof ret_closed->code);
	ret_closed->failed = entry->run == RUN_FAILED;
	if (closed && entry->public_keys != NULL)
		ret_closed->public_keys = arena_text(arena, text_of(entry->public_keys));
	pthread_mutex_unlock(&entry->directory->lock);
	return closed;
}

static enum status face_list(void *context, struct arena *arena,
                             struct api_workspace **ret_workspaces, size_t *ret_count,
                             struct error *err)
{
	struct directory *directory = context;
	(void)err;
	pthread_mutex_lock(&directory->lock);
	size_t                count      = directory->entries.count;
	struct api_workspace *workspaces = ARENA_ARRAY(arena, struct api_workspace, count + 1);
	for (size_t i = 0; i < count; i++)
		describe(directory->entries.items[i], arena, &workspaces[i]);
	pthread_mutex_unlock(&directory->lock);
	*ret_workspaces = workspaces;
	*ret_count      = count;
	return STATUS_OK;
}

static enum status no_workspace(struct error *err)
{
	return error_set(err, STATUS_NOT_FOUND, "There is no such workspace");
}

static enum status face_get(void *context, struct text id, struct arena *arena,
                            struct api_workspace *ret_workspace, struct error *err)
{
	struct directory *directory = context;
	pthread_mutex_lock(&directory->lock);
	struct entry *entry = find_entry(directory, id);
	if (entry != NULL)
		describe(entry, arena, ret_workspace);
	pthread_mutex_unlock(&directory->lock);
	return entry != NULL ? STATUS_OK : no_workspace(err);
}

/* ---- Going in ---- */

/* Under the lock; held, so that it stays. */
static enum status wait_until_open(struct entry *entry, int64_t most_ms, struct error *err)
{
	struct directory *directory = entry->directory;
	int64_t           until_ms  = clock_monotonic_ms() + most_ms;
	while (entry->run != RUN_OPEN && !directory->stopping && !entry->doomed) {
		int64_t left_ms = until_ms - clock_monotonic_ms();
		if (left_ms <= 0 ||
		    (entry->run == RUN_FAILED && clock_monotonic_ms() < entry->failed_until_ms))
			break;
		if (!directory_try_open(entry) || left_ms > 0)
			directory_wait(directory, left_ms < 100 ? left_ms : 100);
	}
	if (entry->run == RUN_OPEN && !directory->stopping)
		return STATUS_OK;
	return error_set(err, STATUS_UNAVAILABLE, "The workspace cannot be opened now");
}

static enum status face_enter(void *held, struct api **ret_api, struct error *err)
{
	struct entry *entry = held;
	pthread_mutex_lock(&entry->directory->lock);
	enum status status = wait_until_open(entry, DIRECTORY_WAIT_MS, err);
	if (status == STATUS_OK)
		*ret_api = workspace_api(entry->workspace);
	pthread_mutex_unlock(&entry->directory->lock);
	return status;
}

/* ---- Creating ---- */

static enum status check_slug(struct text slug, struct error *err)
{
	bool valid = slug.length > 0 && slug.length <= WORKSPACE_SLUG_BYTES_MAX &&
	             slug.data[0] >= 'a' && slug.data[0] <= 'z';
	for (size_t i = 0; i < slug.length && valid; i++) {
		char c = slug.data[i];
		valid  = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
	}
	if (!valid)
		return error_set_field(err, STATUS_INVALID, "slug",
		                       "It must be 1 to %d of a-z, 0-9 and -, and begin with a letter",
		                       WORKSPACE_SLUG_BYTES_MAX);
	if (text_equal(slug, TEXT(WORKSPACE_HOME_SLUG)))
		return error_set_field(err, STATUS_INVALID, "slug",
		                       "\"" WORKSPACE_HOME_SLUG "\" is the home workspace");
	return STATUS_OK;
}

/* One that wants more than there is for all of them would never be opened. */
static enum status check_limits(const struct directory        *directory,
                                const struct workspace_limits *limits, struct error *err)
{
	uint64_t share = directory_memory_share(directory);
	if (limits == NULL || limits->memory_bytes <= 0 || (uint64_t)limits->memory_bytes <= share)
		return STATUS_OK;
	return error_set_field(err, STATUS_INVALID, "limits.memoryBytes",
	                       "It must be at most %" PRIu64 ", %d %% of --memory-limit", share,
	                       DIRECTORY_SHARE_PERCENT);
}

/* Takes the row's texts from the arena. */
static struct entry *add_entry(struct directory *directory, const struct workspace_wish *wish,
                               struct arena *arena, struct error *err)
{
	struct store                *store  = workspace_store(directory->home);
	struct buffer                limits = {0};
	struct store_workspace_entry row    = {.slug  = wish->slug,
	                                       .name  = wish->name,
	                                       .state = text_of(entry_state_name(ENTRY_CREATING)),
	                                       .partition_count = wish->partitions,
	                                       .retention_ms    = wish->retention_ms,
	                                       .version         = 1,
	                                       .created_ms      = clock_wall_ms()};
	uuid_new(row.id);
	row.code       = arena_text(arena, (struct text){row.id, WORKSPACE_CODE_BYTES - 1});
	row.updated_ms = row.created_ms;
	row.due_ms     = INSTANT_MS_NEVER;
	workspace_limits_write(wish->limits, &limits);
	row.limits = arena_text(arena, buffer_text(&limits));
	buffer_done(&limits);
	if (row.partition_count == 0)
		row.partition_count = PARTITIONS_DEFAULT;
	if (row.retention_ms == 0)
		row.retention_ms = RETENTION_MS_DEFAULT;

	pthread_mutex_lock(&directory->lock);
	bool taken = find_entry(directory, wish->slug) != NULL;
	bool full  = directory->entries.count >= WORKSPACES_MAX;
	pthread_mutex_unlock(&directory->lock);
	enum status status = STATUS_OK;
	if (taken)
		status = error_set(err, STATUS_CONFLICT, "There is a workspace with this slug");
	else if (full)
		status = error_set(err, STATUS_CONFLICT, "There are %d workspaces already", WORKSPACES_MAX);
	else
		status = store->ops->workspace_add(store, &row, err);
	if (status != STATUS_OK)
		return NULL;
	struct entry *entry = entry_new(directory, &row);
	entry->held         = 1;
	pthread_mutex_lock(&directory->lock);
	VECTOR_ADD(&directory->entries, entry);
	directory->due = true;
	pthread_cond_broadcast(&directory->changed);
	pthread_mutex_unlock(&directory->lock);
	return entry;
}

/* Its row as it is to be; under no lock, by the one thread that may change it. */
static enum status write_row(struct entry *entry, struct error *err)
{
	struct store                *store = workspace_store(entry->directory->home);
	struct store_workspace_entry row;
	struct arena                 arena;
	arena_init(&arena);
	pthread_mutex_lock(&entry->directory->lock);
	entry_row(entry, &arena, &row);
	pthread_mutex_unlock(&entry->directory->lock);
	row.updated_ms     = clock_wall_ms();
	enum status status = store->ops->workspace_change(store, &row, err);
	pthread_mutex_lock(&entry->directory->lock);
	if (status == STATUS_OK) {
		entry->version    = row.version;
		entry->updated_ms = row.updated_ms;
	}
	pthread_mutex_unlock(&entry->directory->lock);
	arena_done(&arena);
	return status;
}

/* Lets the keeper remove it at once. Under the lock. */
static void hand_to_keeper(struct entry *entry)
{
	entry->failed_until_ms = 0;
	entry->held--;
	entry->directory->due = true;
	pthread_cond_broadcast(&entry->directory->changed);
}

/* Of one that was handed to the keeper. Under the lock, which is let go meanwhile. False: something
 * of it is there still, the keeper tries again. */
static bool wait_until_gone(struct directory *directory, const char *id)
{
	int64_t       until_ms = clock_monotonic_ms() + DELETE_WAIT_MS;
	struct entry *entry;
	while ((entry = find_entry(directory, text_of(id))) != NULL &&
	       (entry->run != RUN_FAILED || entry->failed_until_ms == 0) && !directory->stopping &&
	       clock_monotonic_ms() < until_ms)
		directory_wait(directory, 100);
	return entry == NULL;
}

/* Why it cannot be opened, for who made it. */
static enum status explain_failure(const struct entry *entry, struct error *err)
{
	const struct error *why = &entry->failed;
	return error_set(err, why->status == STATUS_NO_SPACE ? STATUS_NO_SPACE : STATUS_UNAVAILABLE,
	                 "The workspace cannot be opened: %s", why->reason);
}

/* What there is of one that could not be made goes: the keeper removes it, or else the next start.
 * Under the lock; `entry` is held by the caller alone, and is not there any more afterwards. */
static void give_up(struct entry *entry)
{
	struct directory *directory = entry->directory;
	char              id[UUID_TEXT_BYTES];
	memcpy(id, entry->id, sizeof id);
	entry->state  = ENTRY_DELETING;
	entry->doomed = true;
	entry->first  = (struct workspace_first){0};
	hand_to_keeper(entry);
	(void)wait_until_gone(directory, id);
}

static enum status face_create(void *context, const struct workspace_wish *wish,
                               struct arena *arena, struct api_workspace *ret_workspace,
                               struct workspace_keys *ret_keys, struct error *err)
{
	struct directory *directory = context;
	enum status       status    = check_slug(wish->slug, err);
	if (status == STATUS_OK)
		status = check_limits(directory, wish->limits, err);
	if (status != STATUS_OK)
		return status;
	err->status         = STATUS_OK;
	struct entry *entry = add_entry(directory, wish, arena, err);
	if (entry == NULL)
		return err->status;
	pthread_mutex_lock(&directory->change);
	pthread_mutex_lock(&directory->lock);
	status = wait_until_open(entry, OPEN_WAIT_MS, err);
	if (status == STATUS_OK)
		entry->state = ENTRY_ACTIVE;
	else if (entry->run == RUN_FAILED)
		status = explain_failure(entry, err);
	pthread_mutex_unlock(&directory->lock);
	if (status == STATUS_OK)
		status = write_row(entry, err);
	pthread_mutex_unlock(&directory->change);
	pthread_mutex_lock(&directory->lock);
	if (status == STATUS_OK) {
		snprintf(ret_keys->token, sizeof ret_keys->token, "%s", entry->first.token);
		snprintf(ret_keys->write_key, sizeof ret_keys->write_key, "%s", entry->first.write_key);
		make_findable(directory, entry);
		describe(entry, arena, ret_workspace);
		entry->first = (struct workspace_first){0};
		entry->held--;
		entry->used_ms = clock_monotonic_ms();
	} else {
		give_up(entry);
	}
	pthread_mutex_unlock(&directory->lock);
	return status;
}

/* ---- Changing ---- */

static enum status face_change(void *context, struct text id, const struct workspace_wish *wish,
                               uint32_t version, struct arena *arena,
                               struct api_workspace *ret_workspace, struct error *err)
{
	struct directory *directory = context;
	enum status       status    = check_limits(directory, wish->limits, err);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&directory->change);
	pthread_mutex_lock(&directory->lock);
	struct entry *entry = find_entry(directory, id);
	if (entry == NULL || entry->doomed || entry->state != ENTRY_ACTIVE)
		status = no_workspace(err);
	else if (version != 0 && version != entry->version)
		status = error_set(err, STATUS_PRECONDITION, "The workspace was changed meanwhile");
	else
		entry->held++;
	pthread_mutex_unlock(&directory->lock);
	if (status == STATUS_OK) {
		struct workspace_limits before_limits = entry->limits;
		char                    before_name[sizeof entry->name];
		memcpy(before_name, entry->name, sizeof before_name);
		pthread_mutex_lock(&directory->lock);
		if (wish->limits != NULL)
			entry->limits = *wish->limits;
		if (wish->name.data != NULL)
			snprintf(entry->name, sizeof entry->name, "%.*s", TEXT_FORMAT(wish->name));
		pthread_mutex_unlock(&directory->lock);
		status = write_row(entry, err);
		pthread_mutex_lock(&directory->lock);
		if (status != STATUS_OK) {
			entry->limits = before_limits;
			memcpy(entry->name, before_name, sizeof before_name);
		} else {
			describe(entry, arena, ret_workspace);
			if (entry->run == RUN_OPEN)
				workspace_limit(entry->workspace, entry_memory_bytes(entry),
				                (uint64_t)entry->limits.profiles);
			directory_lend(directory);
		}
		entry->disk_ms = 0;
		entry->held--;
		pthread_mutex_unlock(&directory->lock);
	}
	pthread_mutex_unlock(&directory->change);
	return status;
}

/* ---- Deleting ---- */

static enum status begin_to_delete(struct directory *directory, struct text id,
                                   char ret_id[UUID_TEXT_BYTES], struct error *err)
{
	enum status status = STATUS_OK;
	pthread_mutex_lock(&directory->lock);
	struct entry *entry = find_entry(directory, id);
	if (entry == NULL || entry->state == ENTRY_CREATING)
		status = no_workspace(err);
	bool begins = status == STATUS_OK && !entry->doomed;
	if (status == STATUS_OK)
		memcpy(ret_id, entry->id, UUID_TEXT_BYTES);
	if (begins) {
		make_unfindable(directory, entry);
		entry->state = ENTRY_DELETING;
		entry->held++; /* until the row says so */
	}
	pthread_mutex_unlock(&directory->lock);
	if (!begins)
		return status;
	status = write_row(entry, err);
	pthread_mutex_lock(&directory->lock);
	if (status != STATUS_OK) {
		entry->doomed = false;
		entry->state  = ENTRY_ACTIVE;
		make_findable(directory, entry);
	}
	hand_to_keeper(entry);
	pthread_mutex_unlock(&directory->lock);
	return status;
}

static enum status face_destroy(void *context, struct text id, struct error *err)
{
	struct directory *directory = context;
	char              real[UUID_TEXT_BYTES];
	pthread_mutex_lock(&directory->change);
	enum status status = begin_to_delete(directory, id, real, err);
	pthread_mutex_unlock(&directory->change);
	if (status != STATUS_OK)
		return status;
	pthread_mutex_lock(&directory->lock);
	if (!wait_until_gone(directory, real))
		status = error_set(err, STATUS_UNAVAILABLE,
		                   "The workspace is being deleted; nobody can use it any more");
	pthread_mutex_unlock(&directory->lock);
	return status;
}

/* ---- The rest of the face ---- */

static void face_people_changed(void *context)
{
	struct directory *directory = context;
	pthread_mutex_lock(&directory->lock);
	for (size_t i = 0; i < directory->entries.count; i++)
		directory->entries.items[i]->people_changed = true;
	directory->due = true;
	pthread_cond_broadcast(&directory->changed);
	pthread_mutex_unlock(&directory->lock);
}

static void face_counts(void *context, struct workspace_counts *ret_counts)
{
	struct directory       *directory = context;
	struct workspace_counts counts    = {0};
	pthread_mutex_lock(&directory->lock);
	counts.all     = directory->entries.count;
	counts.opened  = directory->opened;
	counts.closed  = directory->closed;
	counts.refused = directory->refused;
	for (size_t i = 0; i < directory->entries.count; i++) {
		const struct entry *entry = directory->entries.items[i];
		counts.open += entry->run == RUN_OPEN;
		counts.failed += entry->run == RUN_FAILED;
		if (entry->run == RUN_OPEN)
			counts.memory_bytes += entry_memory_bytes(entry);
	}
	pthread_mutex_unlock(&directory->lock);
	*ret_counts = counts;
}

const struct api_workspaces *directory_face(struct directory *directory)
{
	return &directory->face;
}

/* ---- Life ---- */

struct directory *directory_new(const struct serve_settings *settings, struct limits *limits,
                                unsigned loop_count)
{
	struct directory  *directory = calloc(1, sizeof *directory);
	pthread_condattr_t attributes;
	assert(directory != NULL);
	directory->settings   = settings;
	directory->limits     = limits;
	directory->loop_count = loop_count;
	directory->face       = (struct api_workspaces){.context        = directory,
	                                                .find           = face_find,
	                                                .is_closed      = face_is_closed,
	                                                .serve          = directory_serve,
	                                                .enter          = face_enter,
	                                                .leave          = directory_release,
	                                                .list           = face_list,
	                                                .get            = face_get,
	                                                .create         = face_create,
	                                                .change         = face_change,
	                                                .destroy        = face_destroy,
	                                                .people_changed = face_people_changed,
	                                                .counts         = face_counts};
	pthread_mutex_init(&directory->lock, NULL);
	pthread_mutex_init(&directory->change, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&directory->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return directory;
}

/* What a process before this one has not finished. */
static enum status finish_removal(struct directory *directory, struct entry *entry,
                                  struct error *err)
{
	struct store *store  = workspace_store(directory->home);
	enum status   status = directory_remove_files(entry, err);
	if (status == STATUS_OK)
		status = store->ops->workspace_delete(store, text_of(entry->id), err);
	if (status == STATUS_OK)
		log_line(LOG_INFO, "a workspace that was being deleted or made is removed",
		         LOG_STRING("workspace", entry->id));
	entry_free(entry);
	return status;
}

enum status directory_load(struct directory *directory, struct workspace *home, struct error *err)
{
	struct store                 *store = workspace_store(home);
	struct store_workspace_entry *rows;
	struct arena                  arena;
	size_t                        count = 0;
	directory->home                     = home;
	arena_init(&arena);
	enum status status = store->ops->workspace_list(store, &arena, &rows, &count, err);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct entry *entry = entry_new(directory, &rows[i]);
		if (entry->state != ENTRY_ACTIVE) {
			status = finish_removal(directory, entry, err);
			continue;
		}
		VECTOR_ADD(&directory->entries, entry);
		make_findable(directory, entry);
	}
	arena_done(&arena);
	return status;
}

void directory_open(struct directory *directory)
{
	pthread_mutex_lock(&directory->lock);
	directory->is_open = true;
	directory_start_keeper(directory);
	pthread_mutex_unlock(&directory->lock);
}

void directory_set_server(struct directory *directory, struct http_server *http)
{
	directory->http = http;
}

void directory_reload(struct directory *directory)
{
	pthread_mutex_lock(&directory->lock);
	for (size_t i = 0; i < directory->entries.count; i++) {
		struct entry *entry = directory->entries.items[i];
		if (entry->run != RUN_OPEN)
			continue;
		entry_derive_settings(entry);
		workspace_reload(entry->workspace);
	}
	directory_lend(directory);
	pthread_mutex_unlock(&directory->lock);
}

void directory_free(struct directory *directory)
{
	if (directory == NULL)
		return;
	for (size_t i = 0; i < directory->entries.count; i++) {
		struct entry *entry = directory->entries.items[i];
		workspace_free(entry->workspace);
		entry->workspace = NULL;
		entry_free(entry);
	}
	VECTOR_DONE(&directory->entries);
	map_text_done(&directory->by_slug);
	map_text_done(&directory->by_code);
	map_text_done(&directory->by_id);
	pthread_mutex_destroy(&directory->lock);
	pthread_mutex_destroy(&directory->change);
	pthread_cond_destroy(&directory->changed);
	free(directory);
}
