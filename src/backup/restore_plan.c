#include "backup/restore_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void restore_plan_done(struct restore_plan *plan)
{
	backup_summary_done(&plan->summary);
	backup_files_done(&plan->files);
}

/* ---- The backup ---- */

static void id_of(const struct chain_link *link, char into[CHAIN_NAME_BYTES])
{
	char name[CHAIN_NAME_BYTES];
	chain_name(CHAIN_BACKUPS, link, name);
	snprintf(into, CHAIN_NAME_BYTES, "%s", name + sizeof CHAIN_BACKUPS);
}

static bool suits(const struct backup_summary *summary, int64_t to_ms, const char *backup)
{
	char id[CHAIN_NAME_BYTES];
	id_of(&summary->link, id);
	return summary->clock_ms <= to_ms && (backup == NULL || strcmp(id, backup) == 0);
}

static enum status none_suits(int64_t to_ms, int64_t oldest_ms, const char *backup, size_t count,
                              struct error *err)
{
	char text[INSTANT_TEXT_BYTES];
	if (count == 0)
		return error_set(err, STATUS_NOT_FOUND, "there is no backup in this place");
	if (backup != NULL && (to_ms == INSTANT_MS_NEVER || oldest_ms == INSTANT_MS_NEVER))
		return error_set(err, STATUS_NOT_FOUND, "there is no backup %s", backup);
	instant_format(oldest_ms, text);
	return error_set_field(err, STATUS_INVALID, "--to-time",
	                       "the oldest backup that could be used is of %s", text);
}

/* The newest that will do, by when it was begun. One that cannot be read is passed over when it was
 * not asked for: those before it may be whole. */
static enum status choose(struct repository *repository, int64_t to_ms, const char *backup,
                          struct backup_summary *ret_summary, struct error *err)
{
	chain_link_list       links     = {0};
	struct backup_summary best      = {0}, summary;
	int64_t               oldest_ms = INSTANT_MS_NEVER;
	struct error          failure   = {0};
	enum status           status    = chain_list(repository, CHAIN_BACKUPS, &links, err);
	for (size_t i = 0; i < links.count && status == STATUS_OK; i++) {
		char id[CHAIN_NAME_BYTES];
		id_of(&links.items[i], id);
		if (backup != NULL && strcmp(id, backup) != 0)
			continue;
		if (backup_summary_get(repository, &links.items[i], &summary, &failure) != STATUS_OK)
			continue;
		if (summary.clock_ms < oldest_ms)
			oldest_ms = summary.clock_ms;
		if (suits(&summary, to_ms, backup) && summary.begun_ms >= best.begun_ms) {
			backup_summary_done(&best);
			best = summary;
		} else {
			backup_summary_done(&summary);
		}
	}
	if (status == STATUS_OK && best.link.number == 0 && failure.status != STATUS_OK) {
		status = failure.status;
		if (err != NULL)
			*err = failure;
	} else if (status == STATUS_OK && best.link.number == 0) {
		status = none_suits(to_ms, oldest_ms, backup, links.count, err);
	}
	VECTOR_DONE(&links);
	if (status == STATUS_OK)
		*ret_summary = best;
	return status;
}

/* ---- The steps behind it ---- */

static struct backup_file *find_file(backup_file_list *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].path, path) == 0)
			return &files->items[i];
	VECTOR_ADD(files, (struct backup_file){.path = strdup(path)});
	return &files->items[files->count - 1];
}

/* Pieces go on where the file ends. */
static enum status append(struct backup_file *file, const extent_list *extents, struct error *err)
{
	for (size_t i = 0; i < extents->count; i++) {
		const struct extent *extent = &extents->items[i];
		if (extent->offset != file->length)
			return error_set(err, STATUS_CORRUPT,
			                 "%s: a piece of the archive is missing at %" PRIu64, file->path,
			                 file->length);
		VECTOR_ADD(&file->extents, *extent);
		file->length += extent->length;
	}
	return STATUS_OK;
}

static enum status apply_step(struct restore_plan *plan, const struct archive_step *step,
                              struct error *err)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < step->journal.count && status == STATUS_OK; i++) {
		char path[64];
		snprintf(path, sizeof path, "journal/%020" PRIu64 ".log",
		         step->journal.items[i].first_position);
		status = append(find_file(&plan->files, path), &step->journal.items[i].extents, err);
	}
	if (status == STATUS_OK)
		status = append(find_file(&plan->files, "vault/persons.log"), &step->vault, err);
	if (status != STATUS_OK)
		return status;
	struct backup_file *store = find_file(&plan->files, "store.db");
	store->extents.count      = 0;
	store->length             = step->store_bytes;
	for (size_t i = 0; i < step->store.count; i++)
		VECTOR_ADD(&store->extents, step->store.items[i]);
	plan->ends_ms = step->clock_ms;
	return STATUS_OK;
}

/* Up to the first one that has a record stamped behind the instant. */
static enum status apply_steps(struct repository *repository, int64_t to_ms,
                               struct restore_plan *plan, struct error *err)
{
	const struct chain_link *base   = &plan->summary.link;
	chain_link_list          links  = {0};
	uint64_t                 number = base->number;
	enum status              status = chain_list(repository, CHAIN_ARCHIVE, &links, err);
	bool                     over   = false;
	plan->ends_ms                   = plan->summary.clock_ms;
	for (size_t i = 0; i < links.count && status == STATUS_OK && !over; i++) {
		struct archive_step step;
		if (memcmp(links.items[i].lineage, base->lineage, LINEAGE_BYTES) != 0 ||
		    links.items[i].number <= base->number)
			continue;
		if (links.items[i].number != ++number) {
			status = error_set(err, STATUS_CORRUPT, "step %" PRIu64 " of the archive is missing",
			                   number);
			break;
		}
		status = archive_step_get(repository, &links.items[i], &step, err);
		if (status != STATUS_OK)
			break;
		status = apply_step(plan, &step, err);
		over   = step.last_ms > to_ms;
		archive_step_done(&step);
	}
	VECTOR_DONE(&links);
	if (status != STATUS_OK || over || to_ms == INSTANT_MS_NEVER || plan->ends_ms >= to_ms)
		return status;
	char text[INSTANT_TEXT_BYTES];
	instant_format(plan->ends_ms, text);
	return error_set_field(err, STATUS_INVALID, "--to-time", "the archive reaches up to %s only",
	                       text);
}

enum status restore_plan_make(struct repository *repository, int64_t to_ms, const char *backup,
                              struct restore_plan *ret_plan, struct error *err)
{
	struct restore_plan plan   = {.cut_ms = to_ms};
	enum status         status = choose(repository, to_ms, backup, &plan.summary, err);
	if (status == STATUS_OK)
		status = backup_list_get(repository, &plan.summary, &plan.files, err);
	if (status == STATUS_OK)
		status = apply_steps(repository, to_ms, &plan, err);
	if (status != STATUS_OK) {
		restore_plan_done(&plan);
		return status;
	}
	for (size_t i = 0; i < plan.files.count; i++)
		plan.bytes += plan.files.items[i].length;
	*ret_plan = plan;
	return STATUS_OK;
}
