#include "events/shelf.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "events/merge.h"
#include "events/rewrite.h"

enum { PART_NAME_BYTES = 16 + sizeof ".part" };

typedef VECTOR(struct part *) part_list;

/* ---- Names ---- */

static enum status path_of(const char *directory, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	if (snprintf(into, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "%s: the path is too long", directory);
	return STATUS_OK;
}

static void part_name_write(uint64_t number, char into[PART_NAME_BYTES])
{
	snprintf(into, PART_NAME_BYTES, "%016llx.part", (unsigned long long)number);
}

static enum status part_path(const char *directory, uint64_t number, char into[PATH_MAX],
                             struct error *err)
{
	char name[PART_NAME_BYTES];
	part_name_write(number, name);
	return path_of(directory, name, into, err);
}

static enum status partition_path(const char *directory, uint32_t partition, char into[PATH_MAX],
                                  struct error *err)
{
	char name[16];
	snprintf(name, sizeof name, "%04u", partition);
	return path_of(directory, name, into, err);
}

/* ---- What is live ---- */

static void count_parts(struct shelf *shelf)
{
	uint64_t schema = events_settings_schema(shelf->settings);
	uint64_t bytes = 0, other = 0, damaged = 0;
	for (size_t i = 0; i < shelf->parts.count; i++) {
		const struct part *part = shelf->parts.items[i];
		bytes += part->header->file_bytes;
		other += part->header->schema != schema;
		damaged += atomic_load(&part->guard.damaged);
	}
	atomic_store(&shelf->part_count, shelf->parts.count);
	atomic_store(&shelf->part_bytes, bytes);
	atomic_store(&shelf->parts_to_rewrite, other);
	atomic_store(&shelf->parts_damaged, damaged);
}

static void publish(struct shelf *shelf)
{
	struct part_set *set =
		part_set_new(shelf->parts.items, shelf->parts.count, shelf->manifest.through_position,
	                 shelf->manifest.expired_ms, shelf->flushes);
	part_set_unref(atomic_exchange(&shelf->published, set));
	count_parts(shelf);
}

struct part_set *shelf_take(struct shelf *shelf)
{
	if (atomic_load_explicit(&shelf->published, memory_order_relaxed) == NULL)
		return NULL;
	return atomic_exchange(&shelf->published, NULL);
}

/* A change under way: what comes and goes, beside the live state. */
struct change {
	struct shelf *shelf;
	part_list     made;
	part_list     gone; /* not owned */
	uint64_t      through_position;
	int64_t       expired_ms;
	struct error *err;
	enum status   status;
	bool          flush;
	int32_t       month; /* of the part under way */
	uint64_t      run;
};

static bool is_in(const part_list *list, const struct part *part)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == part)
			return true;
	return false;
}

/* The manifest as it will be. */
static struct manifest next_manifest(const struct change *change)
{
	const struct shelf *shelf = change->shelf;
	struct manifest     next  = {
			 .partition        = shelf->partition,
			 .message_key      = shelf->manifest.message_key,
			 .through_position = change->through_position,
			 .expired_ms       = change->expired_ms,
			 .next_number      = shelf->manifest.next_number,
    };
	for (size_t i = 0; i < shelf->parts.count + change->made.count; i++) {
		const struct part *part = i < shelf->parts.count
		                              ? shelf->parts.items[i]
		                              : change->made.items[i - shelf->parts.count];
		if (!is_in(&change->gone, part))
			VECTOR_ADD(&next.parts,
			           (struct manifest_part){part->header->number, part->header->checksum});
	}
	return next;
}

static void adopt(struct change *change, struct manifest *next)
{
	struct shelf *shelf = change->shelf;
	manifest_done(&shelf->manifest);
	shelf->manifest = *next;
	*next           = (struct manifest){0};
	size_t kept     = 0;
	for (size_t i = 0; i < shelf->parts.count; i++) {
		struct part *part = shelf->parts.items[i];
		if (!is_in(&change->gone, part)) {
			shelf->parts.items[kept++] = part;
			continue;
		}
		/* Readers keep the mapping. A file that stays is a remain, removed at the next start. */
		(void)unlink(part->path);
	}
	shelf->parts.count = kept;
	for (size_t i = 0; i < change->made.count; i++)
		VECTOR_ADD(&shelf->parts, change->made.items[i]);
	change->made.count = 0;
	shelf->flushes += change->flush;
	publish(shelf);
	for (size_t i = 0; i < change->gone.count; i++)
		part_unref(change->gone.items[i]);
}

/* After an error before the manifest was touched: nothing names the new files. */
static void remove_made(struct change *change)
{
	for (size_t i = 0; i < change->made.count; i++)
		(void)unlink(change->made.items[i]->path);
}

/* Whether the manifest on disk names what was made, as it may after an error: the new one was in
 * its place, and then the directory could not be synced. */
static bool is_named(const struct change *change, const char *manifest_path)
{
	struct manifest manifest = {0};
	struct error    err;
	bool            named = manifest_read(manifest_path, &manifest, &err) != STATUS_OK;
	for (size_t i = 0; i < manifest.parts.count && !named; i++)
		for (size_t j = 0; j < change->made.count && !named; j++)
			named = manifest.parts.items[i].number == change->made.items[j]->header->number;
	manifest_done(&manifest);
	return named;
}

/* Makes the change the live state, whole. After an error the old state stands; new parts stay
 * where they are when the manifest on disk names them. */
static enum status commit(struct change *change, struct error *err)
{
	struct shelf *shelf = change->shelf;
	char          path[PATH_MAX];
	enum status   status = path_of(shelf->directory, "manifest", path, err);
	if (status == STATUS_OK)
		status = directory_sync(shelf->directory, err);
	if (status != STATUS_OK) {
		remove_made(change);
		return status;
	}
	pthread_mutex_lock(&shelf->lock);
	/* The other thread may have committed since. */
	if (change->through_position < shelf->manifest.through_position)
		change->through_position = shelf->manifest.through_position;
	if (change->expired_ms < shelf->manifest.expired_ms)
		change->expired_ms = shelf->manifest.expired_ms;
	struct manifest next = next_manifest(change);
	status               = manifest_write(path, &next, err);
	if (status == STATUS_OK)
		adopt(change, &next);
	else if (!is_named(change, path))
		remove_made(change);
	manifest_done(&next);
	pthread_mutex_unlock(&shelf->lock);
	return status;
}

static void change_done(struct change *change)
{
	for (size_t i = 0; i < change->made.count; i++)
		part_unref(change->made.items[i]);
	VECTOR_DONE(&change->made);
	VECTOR_DONE(&change->gone);
}

/* Writes one part; rewrite_run's `take`. */
static bool write_part(void *context, const struct part_row *rows, uint32_t count)
{
	struct change *change = context;
	struct shelf  *shelf  = change->shelf;
	pthread_mutex_lock(&shelf->lock);
	struct part_identity identity = {.partition   = shelf->partition,
	                                 .month       = change->month,
	                                 .number      = shelf->manifest.next_number++,
	                                 .message_key = shelf->manifest.message_key};
	pthread_mutex_unlock(&shelf->lock);
	if (change->run == 0)
		change->run = identity.number;
	identity.run = change->run;

	char         path[PATH_MAX];
	struct part *part;
	change->status = part_path(shelf->directory, identity.number, path, change->err);
	if (change->status == STATUS_OK)
		change->status = part_write(path, rows, count, &identity, shelf->settings, change->err);
	if (change->status == STATUS_OK)
		change->status = part_open(path, &part, change->err);
	if (change->status != STATUS_OK)
		return false;
	part->guard.alarm = &shelf->damaged;
	VECTOR_ADD(&change->made, part);
	return true;
}

static struct change change_of(struct shelf *shelf, struct error *err)
{
	pthread_mutex_lock(&shelf->lock);
	struct change change = {.shelf            = shelf,
	                        .through_position = shelf->manifest.through_position,
	                        .expired_ms       = shelf->manifest.expired_ms,
	                        .err              = err};
	pthread_mutex_unlock(&shelf->lock);
	return change;
}

/* ---- Erased persons ---- */

/* Of so many parts and persons a round looks up whether there are rows. */
enum { FORGOTTEN_LOOKS_MAX = 200000 };

void shelf_forget(struct shelf *shelf, uint32_t slot)
{
	pthread_mutex_lock(&shelf->lock);
	uint64_t *known = map_u64_put(&shelf->forgotten_set, slot);
	if (*known == 0)
		VECTOR_ADD(&shelf->forgotten, slot);
	*known = 1;
	pthread_mutex_unlock(&shelf->lock);
}

/* A copy for a writer, who takes his time. */
static struct map_u64 copy_forgotten(struct shelf *shelf)
{
	struct map_u64 copy = {0};
	pthread_mutex_lock(&shelf->lock);
	for (size_t i = 0; i < shelf->forgotten.count; i++)
		*map_u64_put(&copy, shelf->forgotten.items[i]) = 1;
	pthread_mutex_unlock(&shelf->lock);
	return copy;
}

/* Notes which parts have rows of erased persons; the lock is held. */
static void look_for_forgotten(struct shelf *shelf)
{
	size_t   left  = FORGOTTEN_LOOKS_MAX;
	uint64_t count = 0;
	for (size_t i = 0; i < shelf->parts.count; i++) {
		struct part *part = shelf->parts.items[i];
		uint32_t     begin, end;
		for (; part->forgotten_checked < shelf->forgotten.count && !part->has_forgotten && left > 0;
		     left--)
			part->has_forgotten =
				part_find(part, shelf->forgotten.items[part->forgotten_checked++], &begin, &end);
		count += part->has_forgotten;
	}
	atomic_store(&shelf->parts_forgotten, count);
	if (count == 0)
		shelf->forgotten_due_ns = 0;
	else if (shelf->forgotten_due_ns == 0)
		shelf->forgotten_due_ns =
			clock_monotonic_ns() + shelf->settings->erased_rewrite_ms * INT64_C(1000000);
}

static bool is_forgotten_due(const struct shelf *shelf)
{
	return shelf->forgotten_due_ns != 0 && clock_monotonic_ns() >= shelf->forgotten_due_ns;
}

static void drop_forgotten(struct shelf *shelf, part_row_list *rows)
{
	struct map_u64 forgotten = copy_forgotten(shelf);
	size_t         kept      = 0;
	for (size_t i = 0; i < rows->count && forgotten.count > 0; i++)
		if (map_u64_find(&forgotten, rows->items[i].slot) == NULL)
			rows->items[kept++] = rows->items[i];
	if (forgotten.count > 0)
		rows->count = kept;
	map_u64_done(&forgotten);
}

/* ---- Flushing ---- */

/* The rows by month, each month's sorted: `months` tells of each row. */
struct by_month {
	int32_t  month;
	uint32_t row;
};

static int compare_months(const void *left, const void *right)
{
	const struct by_month *a = left, *b = right;
	if (a->month != b->month)
		return a->month < b->month ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

static bool one_month(const part_row_list *rows, int32_t *ret_month)
{
	int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->items[i].time_ms < min_ms)
			min_ms = rows->items[i].time_ms;
		if (rows->items[i].time_ms > max_ms)
			max_ms = rows->items[i].time_ms;
	}
	*ret_month = event_month(min_ms);
	return *ret_month == event_month(max_ms);
}

/* Hands on sorted rows of one month, as many at once as a part may have. */
static bool write_month(struct change *change, int32_t month, const struct part_row *rows,
                        size_t count)
{
	change->month = month;
	change->run   = 0;
	size_t max    = (size_t)change->shelf->settings->part_rows_max;
	for (size_t at = 0; at < count; at += max) {
		size_t left = count - at;
		if (!write_part(change, rows + at, (uint32_t)(left < max ? left : max)))
			return false;
	}
	return true;
}

static bool write_months(struct change *change, const part_row_list *rows)
{
	struct by_month *months = calloc(rows->count, sizeof *months);
	struct part_row *sorted = calloc(rows->count, sizeof *sorted);
	if (months == NULL || sorted == NULL)
		abort();
	for (size_t i = 0; i < rows->count; i++)
		months[i] = (struct by_month){event_month(rows->items[i].time_ms), (uint32_t)i};
	qsort(months, rows->count, sizeof *months, compare_months);
	for (size_t i = 0; i < rows->count; i++)
		sorted[i] = rows->items[months[i].row];
	bool written = true;
	for (size_t begin = 0, end; begin < rows->count && written; begin = end) {
		for (end = begin + 1; end < rows->count && months[end].month == months[begin].month;)
			end++;
		written = write_month(change, months[begin].month, sorted + begin, end - begin);
	}
	free(months);
	free(sorted);
	return written;
}

static enum status write_rows(struct change *change, part_row_list *rows)
{
	int32_t month;
	if (rows->count == 0)
		return STATUS_OK;
	qsort(rows->items, rows->count, sizeof rows->items[0], part_row_compare);
	if (one_month(rows, &month))
		(void)write_month(change, month, rows->items, rows->count);
	else
		(void)write_months(change, rows);
	return change->status;
}

enum status shelf_flush(struct shelf *shelf, struct error *err)
{
	const struct tail *tail = atomic_load(&shelf->sealed);
	assert(tail != NULL);
	struct change change    = change_of(shelf, err);
	part_row_list rows      = {0};
	change.flush            = true;
	uint64_t sealed_through = shelf->sealed_through;
	/* What the parts may have lost cannot be seen in them any more. */
	int64_t after_ms = atomic_load(&shelf->clock_ms);
	if (after_ms < change.expired_ms)
		after_ms = change.expired_ms;
	bool all = tail_rows(tail, after_ms, shelf->retention_ms, &rows);
	drop_forgotten(shelf, &rows);
	enum status status = write_rows(&change, &rows);
	VECTOR_DONE(&rows);
	if (status == STATUS_OK) {
		if (change.through_position < sealed_through)
			change.through_position = sealed_through;
		if (!all && change.expired_ms < after_ms)
			change.expired_ms = after_ms;
		/* Before the set can be taken: whoever takes it seals the next one. */
		atomic_store(&shelf->sealed, NULL);
		status = commit(&change, err);
		if (status != STATUS_OK)
			atomic_store(&shelf->sealed, (struct tail *)(uintptr_t)tail);
	} else {
		remove_made(&change);
	}
	change_done(&change);
	return status;
}

/* ---- Tidying ---- */

static enum status rewrite_parts(struct shelf *shelf, struct change *change,
                                 uint64_t through_position, int64_t after_ms)
{
	bool           left_out  = false;
	struct map_u64 forgotten = copy_forgotten(shelf);
	struct rewrite rewrite   = {
		  .parts            = change->gone.items,
		  .part_count       = change->gone.count,
		  .retention_ms     = shelf->retention_ms,
		  .after_ms         = after_ms,
		  .through_position = through_position,
		  .rows_max         = shelf->settings->part_rows_max,
		  .forgotten        = &forgotten,
		  .take             = write_part,
		  .context          = change,
		  .stopping         = shelf->stopping,
    };
	change->month      = change->gone.items[0]->header->month;
	change->run        = 0;
	enum status status = rewrite_run(&rewrite, &left_out, change->err);
	map_u64_done(&forgotten);
	if (change->status != STATUS_OK)
		status = change->status;
	if (status == STATUS_OK && left_out && change->expired_ms < after_ms)
		change->expired_ms = after_ms;
	return status;
}

/* The parts all of whose events have ended. */
static void find_over(struct shelf *shelf, int64_t clock_ms, part_list *over)
{
	for (size_t i = 0; i < shelf->parts.count; i++)
		if (events_end_ms(shelf->parts.items[i]->header->time_max_ms, shelf->retention_ms) <=
		    clock_ms)
			VECTOR_ADD(over, shelf->parts.items[i]);
}

static struct merge_part merge_part_of(const struct part *part, uint64_t schema, bool forgotten)
{
	return (struct merge_part){
		.month      = part->header->month,
		.run        = part->header->run,
		.bytes      = part->header->file_bytes,
		.old_schema = part->header->schema != schema || (forgotten && part->has_forgotten),
		.excluded   = atomic_load(&part->guard.damaged),
	};
}

static void find_to_merge(struct shelf *shelf, int64_t clock_ms, part_list *chosen)
{
	size_t             count  = shelf->parts.count;
	uint64_t           schema = events_settings_schema(shelf->settings);
	struct merge_part *parts  = calloc(count + 1, sizeof *parts);
	bool              *marks  = calloc(count + 1, sizeof *marks);
	if (parts == NULL || marks == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		parts[i] = merge_part_of(shelf->parts.items[i], schema, is_forgotten_due(shelf));
	if (merge_choose(parts, count, event_month(clock_ms), marks))
		for (size_t i = 0; i < count; i++)
			if (marks[i])
				VECTOR_ADD(chosen, shelf->parts.items[i]);
	free(parts);
	free(marks);
}

enum status shelf_tidy(struct shelf *shelf, struct error *err)
{
	struct change change   = change_of(shelf, err);
	int64_t       clock_ms = atomic_load(&shelf->clock_ms);
	bool          merging  = false;
	/* Before a first instant is known nothing is over, and no month is the present one. */
	if (clock_ms == INSTANT_MS_NONE)
		return STATUS_AGAIN;
	pthread_mutex_lock(&shelf->lock);
	look_for_forgotten(shelf);
	find_over(shelf, clock_ms, &change.gone);
	if (change.gone.count == 0) {
		find_to_merge(shelf, clock_ms, &change.gone);
		merging = true;
	}
	pthread_mutex_unlock(&shelf->lock);

	enum status status = STATUS_AGAIN;
	if (change.gone.count > 0) {
		status = STATUS_OK;
		if (merging)
			status = rewrite_parts(shelf, &change, UINT64_MAX, clock_ms);
		else if (change.expired_ms < clock_ms)
			change.expired_ms = clock_ms;
		if (status == STATUS_OK)
			status = commit(&change, err);
		else
			remove_made(&change);
	}
	change_done(&change);
	return status;
}

void shelf_clean(struct shelf *shelf)
{
	tail_free(atomic_exchange(&shelf->retired_tail, NULL));
	part_set_unref(atomic_exchange(&shelf->retired_set, NULL));
}

/* ---- Opening ---- */

/* Whether a name is one of ours that the manifest does not know. */
static bool is_remain(const struct manifest *manifest, const char *name)
{
	if (text_ends_with(text_of(name), TEXT(".new")))
		return true;
	if (!text_ends_with(text_of(name), TEXT(".part")))
		return false;
	for (size_t i = 0; i < manifest->parts.count; i++) {
		char live[PART_NAME_BYTES];
		part_name_write(manifest->parts.items[i].number, live);
		if (strcmp(name, live) == 0)
			return false;
	}
	return true;
}

static enum status remove_remains(const struct shelf *shelf, struct error *err)
{
	DIR *directory = opendir(shelf->directory);
	if (directory == NULL)
		return file_error(err, errno, "read", shelf->directory);
	enum status          status = STATUS_OK;
	const struct dirent *entry;
	while (status == STATUS_OK && (entry = readdir(directory)) != NULL) {
		char path[PATH_MAX];
		if (is_remain(&shelf->manifest, entry->d_name) &&
		    (status = path_of(shelf->directory, entry->d_name, path, err)) == STATUS_OK &&
		    unlink(path) != 0)
			status = file_error(err, errno, "remove", path);
	}
	closedir(directory);
	return status;
}

static enum status open_parts(struct shelf *shelf, struct error *err)
{
	for (size_t i = 0; i < shelf->manifest.parts.count; i++) {
		const struct manifest_part *wanted = &shelf->manifest.parts.items[i];
		char                        path[PATH_MAX];
		struct part                *part;
		enum status                 status;
		if ((status = part_path(shelf->directory, wanted->number, path, err)) != STATUS_OK ||
		    (status = part_open(path, &part, err)) != STATUS_OK)
			return status == STATUS_NOT_FOUND
			           ? error_set(err, STATUS_CORRUPT, "%s: the manifest names it, it is missing",
			                       path)
			           : status;
		part->guard.alarm = &shelf->damaged;
		VECTOR_ADD(&shelf->parts, part);
		if (part->header->number != wanted->number || part->header->checksum != wanted->checksum ||
		    part->header->partition != shelf->partition)
			return error_set(err, STATUS_CORRUPT, "%s: not the file that the manifest names", path);
	}
	return STATUS_OK;
}

static enum status open_manifest(struct shelf *shelf, struct error *err)
{
	char         path[PATH_MAX];
	struct error reason;
	enum status  status = path_of(shelf->directory, "manifest", path, err);
	if (status != STATUS_OK)
		return status;
	status = manifest_read(path, &shelf->manifest, &reason);
	if (status == STATUS_NOT_FOUND) {
		shelf->manifest = (struct manifest){
			.partition = shelf->partition, .expired_ms = INSTANT_MS_NONE, .next_number = 1};
		random_bytes(&shelf->manifest.message_key, sizeof shelf->manifest.message_key);
		return manifest_write(path, &shelf->manifest, err);
	}
	if (status != STATUS_OK) {
		*err = reason;
		return status;
	}
	if (shelf->manifest.partition != shelf->partition)
		return error_set(err, STATUS_CORRUPT, "%s: of another partition", path);
	return STATUS_OK;
}

/* The journal lost what lies behind its end: so must the parts. */
static enum status cut_off(struct shelf *shelf, uint64_t position_end, struct error *err)
{
	struct change change   = change_of(shelf, err);
	enum status   status   = STATUS_OK;
	_Atomic bool  stopping = false;
	if (change.through_position <= position_end)
		return STATUS_OK;
	shelf->stopping = &stopping;
	for (;;) {
		struct change part = change_of(shelf, err);
		for (size_t i = 0; i < shelf->parts.count && part.gone.count == 0; i++)
			if (shelf->parts.items[i]->header->position_max > position_end)
				VECTOR_ADD(&part.gone, shelf->parts.items[i]);
		if (part.gone.count == 0)
			break;
		status = rewrite_parts(shelf, &part, position_end, INSTANT_MS_NONE);
		if (status == STATUS_OK)
			status = commit(&part, err);
		else
			remove_made(&part);
		change_done(&part);
		if (status != STATUS_OK)
			return status;
	}
	shelf->manifest.through_position = position_end;
	change.through_position          = position_end;
	status                           = commit(&change, err);
	change_done(&change);
	return status;
}

enum status shelf_open(const struct shelf_config *config, struct shelf **ret_shelf,
                       struct error *err)
{
	struct shelf *shelf = calloc(1, sizeof *shelf);
	char          path[PATH_MAX];
	enum status   status;
	if (shelf == NULL)
		abort();
	shelf->partition    = config->partition;
	shelf->retention_ms = config->retention_ms;
	shelf->settings     = config->settings;
	pthread_mutex_init(&shelf->lock, NULL);
	atomic_init(&shelf->clock_ms, INSTANT_MS_NONE);
	if ((status = partition_path(config->directory, config->partition, path, err)) != STATUS_OK ||
	    (status = directory_create(path, 0700, err)) != STATUS_OK ||
	    (status = directory_sync(config->directory, err)) != STATUS_OK) {
		shelf_close(shelf);
		return status;
	}
	shelf->directory = strdup(path);
	if (shelf->directory == NULL)
		abort();
	if ((status = open_manifest(shelf, err)) != STATUS_OK ||
	    (status = open_parts(shelf, err)) != STATUS_OK ||
	    (status = remove_remains(shelf, err)) != STATUS_OK ||
	    (status = cut_off(shelf, config->position_end, err)) != STATUS_OK) {
		shelf_close(shelf);
		return status;
	}
	shelf->message_key = shelf->manifest.message_key;
	shelf->stopping    = config->stopping;
	publish(shelf);
	*ret_shelf = shelf;
	return STATUS_OK;
}

void shelf_close(struct shelf *shelf)
{
	if (shelf == NULL)
		return;
	shelf_clean(shelf);
	part_set_unref(atomic_exchange(&shelf->published, NULL));
	for (size_t i = 0; i < shelf->parts.count; i++)
		part_unref(shelf->parts.items[i]);
	VECTOR_DONE(&shelf->parts);
	VECTOR_DONE(&shelf->forgotten);
	map_u64_done(&shelf->forgotten_set);
	manifest_done(&shelf->manifest);
	pthread_mutex_destroy(&shelf->lock);
	free(shelf->directory);
	free(shelf);
}

enum status shelf_verify(const char *root, uint32_t partition, uint64_t *ret_parts,
                         uint64_t *ret_events, struct error *err)
{
	struct manifest manifest = {0};
	char            directory[PATH_MAX], path[PATH_MAX];
	enum status     status = partition_path(root, partition, directory, err);
	if (status == STATUS_OK && (status = path_of(directory, "manifest", path, err)) == STATUS_OK)
		status = manifest_read(path, &manifest, err);
	for (size_t i = 0; i < manifest.parts.count && status == STATUS_OK; i++) {
		struct part *part;
		if ((status = part_path(directory, manifest.parts.items[i].number, path, err)) != STATUS_OK)
			break;
		status = part_open(path, &part, err);
		if (status == STATUS_NOT_FOUND)
			status =
				error_set(err, STATUS_CORRUPT, "%s: the manifest names it, it is missing", path);
		if (status != STATUS_OK)
			break;
		if (part->header->checksum != manifest.parts.items[i].checksum)
			status =
				error_set(err, STATUS_CORRUPT, "%s: not the file that the manifest names", path);
		else
			status = part_verify(part, err);
		++*ret_parts;
		*ret_events += part->header->events;
		part_unref(part);
	}
	manifest_done(&manifest);
	return status;
}
