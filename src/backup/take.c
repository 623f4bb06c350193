/* Making a backup: backups_take(). */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup/backups_internal.h"
#include "backup/pin.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "journal/file_log.h"
#include "journal/log_file.h"

struct taking {
	struct backups           *backups;
	const struct backup_task *task;
	struct copy               copy;
	struct archive_step       step; /* of its moment; the lists of what it added are not here */
	struct file_log_extent   *journal;
	size_t                    journal_count;
	uint64_t                  needed_position;
	backup_file_list          files;
	backup_file_list          before; /* of the last backup, by path */
	uint64_t                  bytes_total;
	uint64_t                  reused_bytes;
};

static enum status pace(void *context, uint64_t bytes, struct error *err)
{
	struct taking *taking = context;
	taking->task->tell(taking->task->context,
	                   (int64_t)(taking->copy.read_bytes + taking->reused_bytes),
	                   (int64_t)taking->bytes_total, "copying");
	return backup_task_pace(taking->task, bytes, err);
}

/* ---- What the last backup had ---- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

/* That of this lineage, so that inodes mean something. Whatever is wrong with it: no help then. */
static void find_before(struct taking *taking)
{
	struct repository *repository = taking->backups->repository;
	const uint8_t     *lineage    = archive_lineage(taking->backups->archive);
	chain_link_list    links      = {0};
	struct error       ignored;
	if (chain_list(repository, CHAIN_BACKUPS, &links, &ignored) != STATUS_OK)
		return;
	const struct chain_link *last = NULL;
	for (size_t i = 0; i < links.count; i++)
		if (memcmp(links.items[i].lineage, lineage, LINEAGE_BYTES) == 0)
			last = &links.items[i];
	struct backup_summary summary;
	if (last != NULL && backup_summary_get(repository, last, &summary, &ignored) == STATUS_OK) {
		if (backup_list_get(repository, &summary, &taking->before, &ignored) == STATUS_OK)
			qsort(taking->before.items, taking->before.count, sizeof *taking->before.items,
			      compare_paths);
		backup_summary_done(&summary);
	}
	VECTOR_DONE(&links);
}

/* A part of the event store never changes: the same file has the same objects, if they are there.
 */
static bool reuse(struct taking *taking, const char *path, struct backup_file *file)
{
	size_t length = strlen(path);
	if (length < 5 || strcmp(path + length - 5, ".part") != 0 || taking->before.count == 0)
		return false;
	const struct backup_file  wanted = {.path = (char *)path};
	const struct backup_file *found =
		bsearch(&wanted, taking->before.items, taking->before.count, sizeof wanted, compare_paths);
	if (found == NULL || found->length != file->length || found->inode != file->inode ||
	    found->modified_ns != file->modified_ns)
		return false;
	struct error absent;
	for (size_t i = 0; i < found->extents.count; i++)
		if (!extent_is_zeros(&found->extents.items[i]) &&
		    repository_has(taking->backups->repository, &found->extents.items[i].id, &absent) !=
		        STATUS_OK)
			return false;
	for (size_t i = 0; i < found->extents.count; i++)
		VECTOR_ADD(&file->extents, found->extents.items[i]);
	taking->reused_bytes += file->length;
	return true;
}

/* ---- Copying ---- */

static struct backup_file *add_file(struct taking *taking, const char *path, uint64_t length)
{
	VECTOR_ADD(&taking->files, (struct backup_file){.path = strdup(path), .length = length});
	return &taking->files.items[taking->files.count - 1];
}

static enum status count_pinned(void *context, const char *path, const char *pinned,
                                struct error *err)
{
	struct taking *taking = context;
	struct stat    info;
	(void)path;
	if (stat(pinned, &info) != 0)
		return file_error(err, errno, "find", pinned);
	taking->bytes_total += (uint64_t)info.st_size;
	return STATUS_OK;
}

static enum status copy_pinned(void *context, const char *path, const char *pinned,
                               struct error *err)
{
	struct taking *taking = context;
	struct stat    info;
	if (stat(pinned, &info) != 0)
		return file_error(err, errno, "find", pinned);
	struct backup_file *file = add_file(taking, path, (uint64_t)info.st_size);
	file->inode              = (uint64_t)info.st_ino;
	file->modified_ns =
		(int64_t)info.st_mtim.tv_sec * INT64_C(1000000000) + (int64_t)info.st_mtim.tv_nsec;
	if (reuse(taking, path, file))
		return STATUS_OK;
	return copy_file(&taking->copy, pinned, 0, file->length, OBJECT_BYTES_MAX, &file->extents, err);
}

static enum status read_log(void *source, void *into, size_t length, uint64_t offset,
                            size_t *ret_length, struct error *err)
{
	return log_file_read(source, into, length, offset, ret_length, err);
}

/* A file that a start does not need is left to the archive. */
static bool is_needed(const struct taking *taking, size_t i)
{
	return i + 1 == taking->journal_count ||
	       taking->journal[i + 1].first_position > taking->needed_position;
}

static enum status copy_journal(struct taking *taking, struct error *err)
{
	char directory[PATH_MAX], name[64];
	snprintf(directory, sizeof directory, "%s/journal", taking->backups->config.data);
	enum status status = STATUS_OK;
	for (size_t i = 0; i < taking->journal_count && status == STATUS_OK; i++) {
		const struct file_log_extent *piece = &taking->journal[i];
		struct log_file               log;
		if (!is_needed(taking, i))
			continue;
		snprintf(name, sizeof name, "journal/%020" PRIu64 ".log", piece->first_position);
		struct backup_file *file = add_file(taking, name, piece->end);
		status = log_file_open(directory, piece->first_position, O_RDONLY, &log, err);
		if (status != STATUS_OK)
			break;
		status = copy_range(&taking->copy, read_log, &log, 0, piece->end, OBJECT_BYTES_MAX,
		                    &file->extents, err);
		log_file_close(&log);
	}
	return status;
}

static enum status copy_vault(struct taking *taking, struct error *err)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/vault/persons.log", taking->backups->config.data);
	struct backup_file *file = add_file(taking, "vault/persons.log", taking->step.vault_bytes);
	return copy_file(&taking->copy, path, 0, file->length, OBJECT_BYTES_MAX, &file->extents, err);
}

/* The moment: see backups.h. */
static enum status hold(struct taking *taking, struct error *err)
{
	struct backups              *backups = taking->backups;
	const struct backups_config *config  = &backups->config;
	const struct archive_step   *step    = NULL;
	struct file_log_status       journal;
	archive_begin(backups->archive);
	file_log_status(config->journal, &journal); /* what will be needed is never less */
	taking->needed_position = journal.needed_position;
	enum status status = pin_take(config->data, config->workspace_id, config->partition_count, err);
	if (status == STATUS_OK)
		status = archive_take(backups->archive, taking->needed_position, &step, err);
	if (status == STATUS_OK) {
		uint64_t position;
		int64_t  stamp_ms;
		taking->step         = *step;
		taking->step.journal = (typeof(taking->step.journal)){0};
		taking->step.vault = taking->step.store = (extent_list){0};
		struct backup_file *file                = add_file(taking, "store.db", step->store_bytes);
		for (size_t i = 0; i < step->store.count; i++)
			VECTOR_ADD(&file->extents, step->store.items[i]);
		file_log_extents(config->journal, &taking->journal, &taking->journal_count, &position,
		                 &stamp_ms);
		/* What came since is not of this moment. */
		while (taking->journal[taking->journal_count - 1].first_position > step->journal_file)
			taking->journal_count--;
		taking->journal[taking->journal_count - 1].end = step->journal_end;
	}
	archive_end(backups->archive);
	return status;
}

static enum status copy_all(struct taking *taking, struct error *err)
{
	const char *data   = taking->backups->config.data;
	enum status status = pin_each(data, count_pinned, taking, err);
	taking->bytes_total += taking->step.vault_bytes;
	for (size_t i = 0; i < taking->journal_count; i++)
		taking->bytes_total += is_needed(taking, i) ? taking->journal[i].end : 0;
	if (status != STATUS_OK || (status = pin_each(data, copy_pinned, taking, err)) != STATUS_OK ||
	    (status = copy_journal(taking, err)) != STATUS_OK)
		return status;
	return copy_vault(taking, err);
}

static enum status conclude(struct taking *taking, struct backup_summary *summary,
                            struct error *err)
{
	summary->link          = taking->step.link;
	summary->clock_ms      = taking->step.clock_ms;
	summary->last_position = taking->step.last_position;
	summary->files         = taking->files.count;
	memcpy(summary->workspace_id, taking->step.workspace_id, sizeof summary->workspace_id);
	for (size_t i = 0; i < taking->files.count; i++)
		summary->bytes += taking->files.items[i].length;
	enum status status    = backup_list_put(&taking->copy, &taking->files, &summary->list, err);
	summary->new_bytes    = taking->copy.new_bytes;
	summary->stored_bytes = taking->copy.stored_bytes;
	summary->finished_ms  = clock_wall_ms();
	return status == STATUS_OK ? backup_summary_put(taking->backups->repository, summary, err)
	                           : status;
}

static void write_report(const struct taking *taking, const struct backup_summary *summary,
                         int64_t took_ms, struct buffer *report)
{
	struct json_writer w = json_writer_of(report);
	char               id[BACKUP_ID_BYTES];
	backup_id(&taking->step.link, id);
	json_begin_object(&w);
	json_member_string(&w, "backup", text_of(id));
	json_member_int(&w, "files", (int64_t)summary->files);
	json_member_int(&w, "bytes", (int64_t)summary->bytes);
	json_member_int(&w, "newBytes", (int64_t)summary->new_bytes);
	json_member_int(&w, "storedBytes", (int64_t)summary->stored_bytes);
	json_member_int(&w, "tookMs", took_ms);
	json_end_object(&w);
}

static enum status take(struct taking *taking, struct buffer *report, struct error *err)
{
	int64_t               begun_ms = clock_monotonic_ms();
	struct backup_summary summary  = {.begun_ms = clock_wall_ms()};
	find_before(taking);
	enum status status = hold(taking, err);
	if (status == STATUS_OK)
		status = copy_all(taking, err);
	if (status == STATUS_OK)
		status = conclude(taking, &summary, err);
	if (status == STATUS_OK) {
		write_report(taking, &summary, clock_monotonic_ms() - begun_ms, report);
		pthread_mutex_lock(&taking->backups->lock);
		taking->backups->status.newest_ms = summary.finished_ms;
		taking->backups->status.taken++;
		pthread_mutex_unlock(&taking->backups->lock);
	}
	backup_summary_done(&summary);
	return status;
}

enum status backups_take(struct backups *backups, const struct backup_task *task,
                         struct buffer *report, struct error *err)
{
	struct taking taking     = {.backups = backups,
	                            .task    = task,
	                            .copy    = {.repository = backups->repository, .pace = pace}};
	taking.copy.pace_context = &taking;
	pthread_mutex_lock(&backups->work_lock);
	enum status  status = take(&taking, report, err);
	struct error left;
	archive_release(backups->archive);
	if (pin_release(backups->config.data, &left) != STATUS_OK && status == STATUS_OK) {
		status = left.status;
		if (err != NULL)
			*err = left;
	}
	backup_files_done(&taking.files);
	backup_files_done(&taking.before);
	free(taking.journal);
	pthread_mutex_unlock(&backups->work_lock);
	backups_note(backups, status);
	return status;
}
