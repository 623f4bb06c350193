/* Looking after what is there: backups_verify() and backups_prune(). */

#include <string.h>

#include "backup/backups_internal.h"
#include "backup/object_set.h"
#include "base/clock.h"
#include "base/instant.h"
#include "base/json.h"
#include "base/log.h"

struct care {
	struct backups           *backups;
	const struct backup_task *task;
	struct object_set         named;
	chain_link_list           kept_backups;
	chain_link_list           kept_steps;
	uint64_t                  objects;
	uint64_t                  bytes;
	uint64_t                  damaged; /* objects and documents */
	uint64_t                  missing;
	uint64_t                  unlisted; /* backups whose list cannot be read */
	uint64_t                  removed_backups;
	uint64_t                  removed_steps;
	uint64_t                  removed_objects;
	struct error              first; /* damage that was found */
};

static void care_done(struct care *care)
{
	object_set_done(&care->named);
	VECTOR_DONE(&care->kept_backups);
	VECTOR_DONE(&care->kept_steps);
}

static bool is_damage(enum status status)
{
	return status == STATUS_CORRUPT || status == STATUS_NOT_FOUND;
}

/* Damage is counted and does not end the work; everything else does. */
static enum status found(struct care *care, enum status status, const struct error *failure,
                         struct error *err)
{
	if (status == STATUS_OK)
		return STATUS_OK;
	if (!is_damage(status)) {
		if (err != NULL)
			*err = *failure;
		return status;
	}
	if (care->damaged + care->missing == 0)
		care->first = *failure;
	if (status == STATUS_CORRUPT)
		care->damaged++;
	else
		care->missing++;
	return STATUS_OK;
}

static enum status name_backup(struct care *care, const struct chain_link *link, struct error *err)
{
	struct repository    *repository = care->backups->repository;
	struct backup_summary summary    = {0};
	backup_file_list      files      = {0};
	enum status           status     = backup_summary_get(repository, link, &summary, err);
	if (status == STATUS_OK) {
		object_set_add(&care->named, &summary.list);
		status = backup_list_get(repository, &summary, &files, err);
	}
	for (size_t i = 0; i < files.count; i++)
		object_set_add(&care->named, &files.items[i].extents);
	backup_files_done(&files);
	backup_summary_done(&summary);
	return status;
}

static enum status name_step(struct care *care, const struct chain_link *link, struct error *err)
{
	struct archive_step step;
	enum status         status = archive_step_get(care->backups->repository, link, &step, err);
	if (status != STATUS_OK)
		return status;
	object_set_add(&care->named, &step.vault);
	object_set_add(&care->named, &step.store);
	for (size_t i = 0; i < step.journal.count; i++)
		object_set_add(&care->named, &step.journal.items[i].extents);
	archive_step_done(&step);
	return STATUS_OK;
}

/* ---- Verifying ---- */

static enum status name_all(struct care *care, struct error *err)
{
	struct repository *repository = care->backups->repository;
	struct error       failure    = {0};
	enum status        status;
	if ((status = chain_list(repository, CHAIN_BACKUPS, &care->kept_backups, err)) != STATUS_OK ||
	    (status = chain_list(repository, CHAIN_ARCHIVE, &care->kept_steps, err)) != STATUS_OK)
		return status;
	for (size_t i = 0; i < care->kept_backups.count && status == STATUS_OK; i++) {
		size_t known = care->named.ids.count;
		status       = name_backup(care, &care->kept_backups.items[i], &failure);
		/* The list lies in an object, which is read, counted and set aside with the others. */
		if (is_damage(status) && care->named.ids.count > known) {
			care->unlisted++;
			status = STATUS_OK;
		}
		status = found(care, status, &failure, err);
	}
	for (size_t i = 0; i < care->kept_steps.count && status == STATUS_OK; i++)
		status = found(care, name_step(care, &care->kept_steps.items[i], &failure), &failure, err);
	object_set_sort(&care->named);
	return status;
}

static enum status check_object(struct care *care, const struct object_id *id,
                                struct buffer *content, struct error *err)
{
	struct repository *repository = care->backups->repository;
	struct error       failure    = {0};
	buffer_clear(content);
	enum status status = repository_get(repository, id, content, &failure);
	care->bytes += content->length;
	if (status == STATUS_CORRUPT) {
		struct error left = {0};
		if (repository_set_aside(repository, id, &left) != STATUS_OK)
			log_error("a damaged object of the backups cannot be set aside", &left);
	}
	return found(care, status, &failure, err);
}

static enum status verify(struct care *care, struct error *err)
{
	struct buffer content = {0};
	enum status   status  = name_all(care, err);
	for (size_t i = 0; i < care->named.ids.count && status == STATUS_OK; i++) {
		care->task->tell(care->task->context, (int64_t)i, (int64_t)care->named.ids.count,
		                 "verifying");
		status = backup_task_pace(care->task, OBJECT_BYTES_MAX, err);
		if (status == STATUS_OK)
			status = check_object(care, &care->named.ids.items[i], &content, err);
		care->objects++;
	}
	buffer_done(&content);
	if (status == STATUS_OK && care->unlisted > 0 && care->damaged + care->missing == 0)
		return error_set(err, STATUS_CORRUPT, "%llu backups have a list that makes no sense",
		                 (unsigned long long)care->unlisted);
	if (status == STATUS_OK && care->damaged + care->missing > 0)
		status = error_set(err, STATUS_CORRUPT, "%llu damaged, %llu missing; the first: %.300s",
		                   (unsigned long long)care->damaged, (unsigned long long)care->missing,
		                   care->first.reason);
	return status;
}

static void write_verified(const struct care *care, int64_t took_ms, struct buffer *report)
{
	struct json_writer w = json_writer_of(report);
	json_begin_object(&w);
	json_member_int(&w, "backups", (int64_t)care->kept_backups.count);
	json_member_int(&w, "steps", (int64_t)care->kept_steps.count);
	json_member_int(&w, "objects", (int64_t)care->objects);
	json_member_int(&w, "bytes", (int64_t)care->bytes);
	json_member_int(&w, "damaged", (int64_t)care->damaged);
	json_member_int(&w, "missing", (int64_t)care->missing);
	json_member_int(&w, "tookMs", took_ms);
	json_end_object(&w);
}

enum status backups_verify(struct backups *backups, const struct backup_task *task,
                           struct buffer *report, struct error *err)
{
	struct care care     = {.backups = backups, .task = task};
	int64_t     begun_ms = clock_monotonic_ms();
	pthread_mutex_lock(&backups->work_lock);
	enum status status = verify(&care, err);
	pthread_mutex_unlock(&backups->work_lock);
	write_verified(&care, clock_monotonic_ms() - begun_ms, report);
	pthread_mutex_lock(&backups->lock);
	backups->status.damaged += care.damaged + care.missing;
	pthread_mutex_unlock(&backups->lock);
	care_done(&care);
	backups_note(backups, status);
	return status;
}

/* ---- Pruning ---- */

static bool same_lineage(const struct chain_link *a, const struct chain_link *b)
{
	return memcmp(a->lineage, b->lineage, LINEAGE_BYTES) == 0;
}

static enum status remove_link(struct care *care, const char *folder, const struct chain_link *link,
                               struct error *err)
{
	struct target *target = repository_target(care->backups->repository);
	char           name[CHAIN_NAME_BYTES];
	chain_name(folder, link, name);
	return target->ops->remove(target, name, err);
}

/* A lineage's newest backup before the time that is kept reaches into it by its steps. Of a
 * lineage that ended before, nothing is kept but the newest backup of all. */
static enum status prune_backups(struct care *care, int64_t cutoff_ms, struct error *err)
{
	struct repository *repository = care->backups->repository;
	chain_link_list    links      = {0};
	enum status        status     = chain_list(repository, CHAIN_BACKUPS, &links, err);
	int64_t           *finished   = calloc(links.count + 1, sizeof *finished);
	size_t             newest     = 0;
	if (finished == NULL)
		abort();
	for (size_t i = 0; i < links.count && status == STATUS_OK; i++) {
		struct backup_summary summary;
		status = backup_summary_get(repository, &links.items[i], &summary, err);
		if (status != STATUS_OK)
			break;
		finished[i] = summary.finished_ms;
		backup_summary_done(&summary);
		if (finished[i] > finished[newest])
			newest = i;
	}
	for (size_t i = 0; i < links.count && status == STATUS_OK; i++) {
		const struct chain_link *link = &links.items[i];
		bool last = i + 1 == links.count || !same_lineage(link, &links.items[i + 1]);
		bool own =
			memcmp(link->lineage, archive_lineage(care->backups->archive), LINEAGE_BYTES) == 0;
		bool keep = finished[i] >= cutoff_ms || i == newest || (last && own) ||
		            (!last && finished[i + 1] >= cutoff_ms);
		if (keep) {
			VECTOR_ADD(&care->kept_backups, *link);
			continue;
		}
		status = remove_link(care, CHAIN_BACKUPS, link, err);
		care->removed_backups++;
	}
	free(finished);
	VECTOR_DONE(&links);
	return status;
}

/* A step is of use behind a backup of its lineage; of the present one those stay that a backup
 * under way, or the next step, may lie behind. */
static enum status prune_steps(struct care *care, struct error *err)
{
	struct repository *repository = care->backups->repository;
	chain_link_list    links      = {0};
	enum status        status     = chain_list(repository, CHAIN_ARCHIVE, &links, err);
	for (size_t i = 0; i < links.count && status == STATUS_OK; i++) {
		const struct chain_link *link = &links.items[i];
		bool last = i + 1 == links.count || !same_lineage(link, &links.items[i + 1]);
		bool keep = last && memcmp(link->lineage, archive_lineage(care->backups->archive),
		                           LINEAGE_BYTES) == 0;
		for (size_t k = 0; k < care->kept_backups.count && !keep; k++)
			keep = same_lineage(link, &care->kept_backups.items[k]) &&
			       link->number >= care->kept_backups.items[k].number;
		if (keep) {
			VECTOR_ADD(&care->kept_steps, *link);
			continue;
		}
		status = remove_link(care, CHAIN_ARCHIVE, link, err);
		care->removed_steps++;
	}
	VECTOR_DONE(&links);
	return status;
}

static enum status sweep(void *context, const char *name, struct error *err)
{
	struct care     *care   = context;
	struct target   *target = repository_target(care->backups->repository);
	struct object_id id;
	if (!object_id_of_name(name, &id))
		return STATUS_OK;
	care->objects++;
	if (object_set_has(&care->named, &id))
		return STATUS_OK;
	care->removed_objects++;
	return target->ops->remove(target, name, err);
}

/* Nothing is written meanwhile, so that what is not named now is not about to be. */
static enum status prune(struct care *care, struct error *err)
{
	int64_t     cutoff_ms = clock_wall_ms() - care->backups->config.settings->keep_ms;
	enum status status    = prune_backups(care, cutoff_ms, err);
	if (status == STATUS_OK)
		status = prune_steps(care, err);
	for (size_t i = 0; i < care->kept_backups.count && status == STATUS_OK; i++) {
		care->task->tell(care->task->context, (int64_t)i, (int64_t)care->kept_backups.count,
		                 "reading what is kept");
		status = backup_task_pace(care->task, 0, err);
		if (status == STATUS_OK)
			status = name_backup(care, &care->kept_backups.items[i], err);
	}
	for (size_t i = 0; i < care->kept_steps.count && status == STATUS_OK; i++)
		status = name_step(care, &care->kept_steps.items[i], err);
	object_set_sort(&care->named);
	struct target *target = repository_target(care->backups->repository);
	return status == STATUS_OK ? target->ops->each(target, "objects", sweep, care, err) : status;
}

static void write_pruned(const struct care *care, int64_t took_ms, struct buffer *report)
{
	struct json_writer w = json_writer_of(report);
	json_begin_object(&w);
	json_member_int(&w, "backups", (int64_t)care->kept_backups.count);
	json_member_int(&w, "steps", (int64_t)care->kept_steps.count);
	json_member_int(&w, "objects", (int64_t)(care->objects - care->removed_objects));
	json_member_int(&w, "removedBackups", (int64_t)care->removed_backups);
	json_member_int(&w, "removedSteps", (int64_t)care->removed_steps);
	json_member_int(&w, "removedObjects", (int64_t)care->removed_objects);
	json_member_int(&w, "tookMs", took_ms);
	json_end_object(&w);
}

enum status backups_prune(struct backups *backups, const struct backup_task *task,
                          struct buffer *report, struct error *err)
{
	struct care care     = {.backups = backups, .task = task};
	int64_t     begun_ms = clock_monotonic_ms();
	pthread_mutex_lock(&backups->work_lock);
	archive_begin(backups->archive);
	enum status status = prune(&care, err);
	archive_end(backups->archive);
	pthread_mutex_unlock(&backups->work_lock);
	write_pruned(&care, clock_monotonic_ms() - begun_ms, report);
	care_done(&care);
	backups_note(backups, status);
	return status;
}
