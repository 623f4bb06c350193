#include "backup/backups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup_key.h"
#include "backup/backups_internal.h"
#include "backup/pin.h"
#include "backup/target_directory.h"
#include "base/clock.h"
#include "base/instant.h"

void backup_id(const struct chain_link *link, char ret_id[BACKUP_ID_BYTES])
{
	char name[CHAIN_NAME_BYTES];
	chain_name(CHAIN_BACKUPS, link, name);
	snprintf(ret_id, BACKUP_ID_BYTES, "%s", name + sizeof CHAIN_BACKUPS);
}

enum status backup_task_pace(const struct backup_task *task, uint64_t bytes, struct error *err)
{
	return task->pace(task->context, bytes, err);
}

void backups_note(struct backups *backups, enum status status)
{
	pthread_mutex_lock(&backups->lock);
	backups->status.failures += status != STATUS_OK && status != STATUS_AGAIN;
	pthread_mutex_unlock(&backups->lock);
}

/* ---- What there is ---- */

static int newest_first(const void *a, const void *b)
{
	const struct backup_entry *left  = a;
	const struct backup_entry *right = b;
	return (left->begun_ms < right->begun_ms) - (left->begun_ms > right->begun_ms);
}

static struct backup_entry entry_of(struct repository *repository, const struct chain_link *link)
{
	struct backup_summary summary;
	struct backup_entry   entry = {.damaged = true};
	struct error          ignored;
	backup_id(link, entry.id);
	if (backup_summary_get(repository, link, &summary, &ignored) != STATUS_OK)
		return entry;
	entry.damaged       = false;
	entry.begun_ms      = summary.begun_ms;
	entry.finished_ms   = summary.finished_ms;
	entry.clock_ms      = summary.clock_ms;
	entry.last_position = summary.last_position;
	entry.files         = summary.files;
	entry.bytes         = summary.bytes;
	entry.new_bytes     = summary.new_bytes;
	entry.stored_bytes  = summary.stored_bytes;
	backup_summary_done(&summary);
	return entry;
}

enum status backups_list(struct backups *backups, struct arena *arena,
                         struct backup_entry **ret_entries, size_t *ret_count, struct error *err)
{
	chain_link_list links  = {0};
	enum status     status = chain_list(backups->repository, CHAIN_BACKUPS, &links, err);
	if (status != STATUS_OK)
		return status;
	struct backup_entry *entries = ARENA_ARRAY(arena, struct backup_entry, links.count);
	for (size_t i = 0; i < links.count; i++)
		entries[i] = entry_of(backups->repository, &links.items[i]);
	if (links.count > 0)
		qsort(entries, links.count, sizeof *entries, newest_first);
	*ret_entries = entries;
	*ret_count   = links.count;
	VECTOR_DONE(&links);
	return STATUS_OK;
}

void backups_status(struct backups *backups, struct backups_status *ret_status)
{
	pthread_mutex_lock(&backups->lock);
	*ret_status = backups->status;
	pthread_mutex_unlock(&backups->lock);
	archive_status(backups->archive, &ret_status->archive);
}

static void add_metric(struct buffer *out, const char *name, const char *type, const char *help,
                       double value)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name,
	              value);
}

static void write_archive_metrics(const struct archive_status *archive, struct buffer *out)
{
	if (archive->archived_ms != 0)
		add_metric(out, "sonnim_archive_lag_seconds", "gauge",
		           "What would be lost with the machine now: since everything was archived",
		           (double)(clock_monotonic_ms() - archive->archived_ms) / 1000);
	add_metric(out, "sonnim_archive_begun", "gauge",
	           "1 once there is a backup behind which the journal is archived", archive->begun);
	add_metric(out, "sonnim_archive_failing", "gauge",
	           "1 while the last attempt to archive the journal did not succeed", archive->failing);
	add_metric(out, "sonnim_archive_steps_total", "counter",
	           "Steps of the archive written since the start", (double)archive->steps);
	add_metric(out, "sonnim_archive_failures_total", "counter",
	           "Attempts to archive that failed since the start", (double)archive->failures);
	add_metric(out, "sonnim_archive_bytes_total", "counter",
	           "Bytes archived since the start, as they were", (double)archive->bytes);
	add_metric(out, "sonnim_archive_stored_bytes_total", "counter",
	           "Bytes that they take where backups are kept", (double)archive->stored);
}

void backups_write_metrics(struct backups *backups, struct buffer *out)
{
	struct backups_status status;
	backups_status(backups, &status);
	if (status.newest_ms != INSTANT_MS_NONE)
		add_metric(out, "sonnim_backup_age_seconds", "gauge",
		           "Since the newest backup was finished",
		           (double)(clock_wall_ms() - status.newest_ms) / 1000);
	add_metric(out, "sonnim_backups_total", "counter", "Backups made since the start",
	           (double)status.taken);
	add_metric(out, "sonnim_backup_failures_total", "counter",
	           "Backups, verifications and prunings that failed since the start",
	           (double)status.failures);
	add_metric(out, "sonnim_backup_damaged_objects_total", "counter",
	           "Objects of backups found damaged or missing since the start",
	           (double)status.damaged);
	write_archive_metrics(&status.archive, out);
}

/* ---- Life ---- */

static enum status open_repository(struct backups *backups, struct error *err)
{
	const struct backup_settings *settings = backups->config.settings;
	uint8_t                       key[CIPHER_KEY_BYTES];
	struct target                *target;
	enum status                   status;
	if ((status = backup_key_read(settings->key_file, settings->key_command, key, err)) !=
	    STATUS_OK)
		return status;
	if ((status = target_directory_open(settings->directory, true, &target, err)) == STATUS_OK)
		status = repository_open(target, key, true, &backups->repository, err);
	cipher_wipe(key, sizeof key);
	return status;
}

static enum status open_archive(struct backups *backups, struct error *err)
{
	const struct backups_config *config  = &backups->config;
	struct archive_config        archive = {.data        = config->data,
	                                        .journal     = config->journal,
	                                        .vault       = config->vault,
	                                        .store       = config->store,
	                                        .repository  = backups->repository,
	                                        .interval_ms = config->settings->archive_interval_ms};
	memcpy(archive.workspace_id, config->workspace_id, sizeof archive.workspace_id);
	return archive_open(&archive, &backups->archive, err);
}

static enum status find_newest(struct backups *backups, struct error *err)
{
	struct arena         arena;
	struct backup_entry *entries;
	size_t               count;
	arena_init(&arena);
	enum status status        = backups_list(backups, &arena, &entries, &count, err);
	backups->status.newest_ms = INSTANT_MS_NONE;
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (!entries[i].damaged && entries[i].finished_ms > backups->status.newest_ms)
			backups->status.newest_ms = entries[i].finished_ms;
	arena_done(&arena);
	return status;
}

enum status backups_open(const struct backups_config *config, struct backups **ret_backups,
                         struct error *err)
{
	struct backups *backups = calloc(1, sizeof *backups);
	enum status     status;
	if (backups == NULL)
		abort();
	backups->config = *config;
	pthread_mutex_init(&backups->work_lock, NULL);
	pthread_mutex_init(&backups->lock, NULL);
	if ((status = pin_release(config->data, err)) != STATUS_OK ||
	    (status = open_repository(backups, err)) != STATUS_OK ||
	    (status = find_newest(backups, err)) != STATUS_OK ||
	    (status = open_archive(backups, err)) != STATUS_OK) {
		backups_close(backups);
		return status;
	}
	*ret_backups = backups;
	return STATUS_OK;
}

void backups_close(struct backups *backups)
{
	if (backups == NULL)
		return;
	archive_close(backups->archive);
	repository_free(backups->repository);
	pthread_mutex_destroy(&backups->work_lock);
	pthread_mutex_destroy(&backups->lock);
	free(backups);
}
