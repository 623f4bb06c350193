/* What a start reads: the change stream's file and the newest checkpoint that is whole. */

#include "engine/checkpoint/checkpoint_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/instant.h"
#include "base/log.h"
#include "engine/checkpoint/checkpoint_catalog.h"

/* Says once what is damaged; what is not there at all is not. */
static void report(struct checkpoints *checkpoints, const char *message, const char *path,
                   const char *reason)
{
	atomic_fetch_add(&checkpoints->damaged, 1);
	log_line(LOG_WARNING, message, LOG_STRING("file", path), LOG_STRING("reason", reason));
}

/* ---- Manifests ---- */

static void read_line(struct partition_checkpoint *target, unsigned number)
{
	struct checkpoints     *checkpoints = target->owner;
	struct checkpoint_line *line        = &target->lines[number];
	uint32_t                partition   = target->partition->number;
	struct buffer           bytes       = {0};
	struct error            err         = {0};
	char                    path[CHECKPOINT_PATH_MAX];
	checkpoint_manifest_path(path, checkpoints->directory, partition, number);
	enum status status = file_read(path, CHECKPOINT_BYTES_MAX, &bytes, &err);
	if (status == STATUS_OK)
		status = checkpoint_manifest_read(buffer_text(&bytes), checkpoints->config.workspace_id,
		                                  partition, &line->manifest, &err);
	line->exists = status == STATUS_OK;
	if (status != STATUS_OK && status != STATUS_NOT_FOUND)
		report(checkpoints, "a checkpoint cannot be read", path, err.reason);
	buffer_done(&bytes);
}

/* ---- Loading ---- */

struct loading {
	struct partition_checkpoint      *target;
	const struct checkpoint_manifest *manifest;
	unsigned                          line;
	const _Atomic bool               *stopping;
	int                               fd;
	char                              path[CHECKPOINT_PATH_MAX];
	struct buffer                     scratch;
	struct buffer                     bytes;
};

static enum status unpack(struct loading *loading, const struct checkpoint_place *place,
                          struct error *err)
{
	buffer_clear(&loading->bytes);
	return checkpoint_unpack(loading->fd, loading->path, place, &loading->scratch, &loading->bytes,
	                         err);
}

/* The rows that the partition may ask for. */
static enum status load_dimensions(const struct loading *loading, struct error *err)
{
	const struct checkpoints *checkpoints = loading->target->owner;
	struct enrichment        *enrichment  = &loading->target->partition->enrichment;
	uint64_t                  number      = enrichment_number(enrichment, UINT64_MAX);
	if (number == 0)
		return STATUS_OK;
	enum status status =
		dimensions_load(enrichment->dimensions, checkpoints->directory, loading->line,
	                    checkpoints->config.workspace_id, number, err);
	return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

static enum status load_whole(struct loading *loading, struct error *err)
{
	struct partition                 *partition = loading->target->partition;
	const struct checkpoint_manifest *manifest  = loading->manifest;
	timers_done(&partition->timers);
	timers_init(&partition->timers, manifest->clock_ms);
	atomic_store(&partition->clock_ms, manifest->clock_ms);
	enum status status = unpack(loading, &manifest->definitions, err);
	if (status == STATUS_OK)
		status = checkpoint_catalog_read(partition, buffer_text(&loading->bytes), err);
	if (status == STATUS_OK)
		status = unpack(loading, &manifest->names, err);
	if (status != STATUS_OK)
		return status;
	struct byte_reader reader = byte_reader_of(loading->bytes.data, loading->bytes.length);
	if (!names_load(&partition->names, &reader) || !facts_load(&partition->facts, &reader) ||
	    !merge_load(&partition->merges, &reader) ||
	    !enrichment_load(&partition->enrichment, &reader) || read_left(&reader) > 0)
		return error_set(err, STATUS_CORRUPT,
		                 "%s: names, facts, merges or dimensions make no sense", loading->path);
	status = load_dimensions(loading, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < manifest->future.count; i++)
		future_add(&partition->future, manifest->future.items[i]);
	for (size_t i = 0; i < manifest->spans.count; i++)
		VECTOR_ADD(&partition->changes.spans, manifest->spans.items[i]);
	return STATUS_OK;
}

static enum status load_blocks(struct loading *loading, struct error *err)
{
	struct partition         *partition = loading->target->partition;
	struct checkpoint_indices indices;
	checkpoint_indices_init(&indices, &partition->catalog);
	enum status status = STATUS_OK;
	for (size_t i = 0; i < loading->manifest->blocks.count && status == STATUS_OK; i++) {
		const struct checkpoint_place *place = &loading->manifest->blocks.items[i].place;
		if (atomic_load(loading->stopping))
			status = error_set(err, STATUS_UNAVAILABLE, "the engine stops");
		if (place->stored_bytes == 0 || status != STATUS_OK)
			continue;
		status = unpack(loading, place, err);
		if (status == STATUS_OK)
			status = checkpoint_block_read(partition, (uint32_t)i, &indices,
			                               buffer_text(&loading->bytes), err);
		if (status == STATUS_OK)
			partition->profiles.changed[i] = (uint8_t) ~(1 << loading->line);
	}
	checkpoint_indices_done(&indices);
	return status;
}

/* The partition goes on as if the round's begin were now. */
static void set_resume(struct partition *partition, const struct checkpoint_manifest *manifest)
{
	partition->last_position   = manifest->position;
	partition->stored_position = manifest->position;
	partition->last_change_id  = manifest->last_change_id;
	struct resume *resume      = &partition->resume;
	*resume                    = (struct resume){
						   .active       = true,
						   .position     = manifest->position,
						   .end_position = manifest->end_position,
						   .end_ordinal  = manifest->end_ordinal,
						   .end_clock_ms = manifest->end_clock_ms,
						   .first_change = manifest->first_change,
						   .change_count = manifest->change_count,
    };
	for (size_t i = 0; i < manifest->blocks.count; i++)
		VECTOR_ADD(&resume->blocks, manifest->blocks.items[i].position);
}

/* What a checkpoint that turned out to be damaged has left behind. */
static void clear(struct partition *partition)
{
	profiles_done(&partition->profiles);
	catalog_done(&partition->catalog);
	catalog_init(&partition->catalog);
	timers_done(&partition->timers);
	timers_init(&partition->timers, -1);
	future_done(&partition->future);
	partition->future = (struct future){0};
	names_done(&partition->names);
	facts_done(&partition->facts);
	facts_init(&partition->facts);
	merges_done(&partition->merges);
	partition->merges = (struct merges){0};
	enrichment_clear(&partition->enrichment);
	VECTOR_DONE(&partition->changes.spans);
	atomic_store(&partition->clock_ms, 0);
}

static enum status load_line(struct partition_checkpoint *target, unsigned number,
                             const _Atomic bool *stopping, struct error *err)
{
	const struct checkpoint_manifest *manifest  = &target->lines[number].manifest;
	struct partition                 *partition = target->partition;
	struct loading                    loading   = {.target = target};
	loading.manifest                            = manifest;
	loading.line                                = number;
	loading.stopping                            = stopping;
	checkpoint_blocks_path(loading.path, target->owner->directory, partition->number, number,
	                       manifest->generation);
	if (manifest->retention_ms != partition->retention_ms)
		return error_set(err, STATUS_CORRUPT, "it was made under another retention");
	if (manifest->change_count > partition->changes.stored)
		return error_set(err, STATUS_CORRUPT, "the change stream does not reach as far");
	if (manifest->first_change < changes_first(&partition->changes))
		return error_set(err, STATUS_CORRUPT, "the change stream begins later");
	loading.fd = open(loading.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (loading.fd < 0)
		return file_error(err, errno, "open", loading.path);
	enum status status = load_whole(&loading, err);
	if (status == STATUS_OK)
		status = load_blocks(&loading, err);
	close(loading.fd);
	buffer_done(&loading.scratch);
	buffer_done(&loading.bytes);
	if (status == STATUS_OK)
		set_resume(partition, manifest);
	else
		clear(partition);
	return status;
}

/* The newest that is whole; CHECKPOINT_LINES: none. What another line has is not compared with what
 * was loaded: its next round writes everything. */
static enum status load_newest(struct partition_checkpoint *target, const _Atomic bool *stopping,
                               unsigned *ret_line, struct error *err)
{
	bool tried[CHECKPOINT_LINES] = {0};
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++)
		read_line(target, line);
	unsigned number;
	while ((number = checkpoint_newest_line(target)) != CHECKPOINT_LINES && !tried[number]) {
		char path[CHECKPOINT_PATH_MAX];
		tried[number]      = true;
		enum status status = load_line(target, number, stopping, err);
		if (status == STATUS_UNAVAILABLE)
			return status;
		if (status == STATUS_OK)
			break;
		checkpoint_manifest_path(path, target->owner->directory, target->partition->number, number);
		report(target->owner, "a checkpoint is damaged, the one before it is tried", path,
		       err->reason);
		target->lines[number].exists = false;
		checkpoint_manifest_done(&target->lines[number].manifest);
	}
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++)
		target->lines[line].outdated = line != number;
	*ret_line = number;
	return STATUS_OK;
}

/* ---- The change stream ---- */

static enum status open_changes(struct partition_checkpoint *target, struct error *err)
{
	struct checkpoints *checkpoints = target->owner;
	char                path[CHECKPOINT_PATH_MAX], next[CHECKPOINT_PATH_MAX];
	struct change_file *file;
	checkpoint_changes_paths(checkpoints, target->partition->number, path, next);
	(void)unlink(next); /* a crash left it */
	enum status status = change_file_open(path, checkpoints->config.workspace_id,
	                                      target->partition->number, &file, err);
	if (status != STATUS_OK)
		return status;
	changes_open(&target->partition->changes, file);
	target->written_file = file;
	return STATUS_OK;
}

/* What follows a chunk that is not whole goes; it comes again from the journal. */
static enum status cut_changes(struct partition_checkpoint *target, struct error *err)
{
	struct change_file *file = target->partition->changes.file;
	if (file->end == file->length)
		return STATUS_OK;
	atomic_fetch_add(&target->owner->damaged, 1);
	log_line(LOG_WARNING, "the change stream is cut where it is not whole, the rest comes again",
	         LOG_STRING("file", file->path), LOG_NUMBER("offset", file->end),
	         LOG_NUMBER("bytes", file->length - file->end));
	return change_file_cut(file, err);
}

enum status checkpoint_load(struct checkpoints *checkpoints, struct partition *partition,
                            bool journal_begins, const _Atomic bool *stopping, uint64_t *ret_after,
                            struct error *err)
{
	struct partition_checkpoint *target = &checkpoints->partitions[partition->number];
	target->partition                   = partition;
	enum status status                  = open_changes(target, err);
	if (status != STATUS_OK)
		return status;
	unsigned     line;
	struct error damage = {0};
	status              = load_newest(target, stopping, &line, &damage);
	if (status != STATUS_OK) {
		*err = damage;
		return status;
	}
	if (line == CHECKPOINT_LINES && !journal_begins)
		return error_set(err, STATUS_CORRUPT,
		                 "partition %u: no checkpoint can be used%s%s, and the journal does not "
		                 "reach back to the begin",
		                 partition->number, damage.reason[0] == '\0' ? "" : ": ", damage.reason);
	*ret_after = line == CHECKPOINT_LINES ? 0 : target->lines[line].manifest.position;
	checkpoint_publish(target);
	return cut_changes(target, err);
}
