/* The change stream on its way into its file: chunk by chunk, and the file that replaces it once
 * its old part was dropped. What goes to the writer comes back in the same order, so that the owner
 * reads each entry from the file in which the writer has put it. */

#include "engine/checkpoint/checkpoint_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
	RETRY_MS   = 1000, /* after a failed write */
	COPY_BYTES = 1 << 20,
};

bool checkpoint_is_of_changes(const struct checkpoint_job *job)
{
	return job->kind == JOB_CHANGES || job->kind == JOB_REPLACE;
}

/* ---- The partition's thread ---- */

static void hand_out(struct partition_checkpoint *target, struct checkpoint_job *job)
{
	job->restart           = target->spills_restart;
	job->offset            = target->partition->changes.file->end;
	target->spills_restart = false;
	VECTOR_ADD(&target->spills, job);
	checkpoint_writer_add(target->owner, job);
}

void checkpoint_hand_out_changes(struct partition_checkpoint *target)
{
	struct changes        *changes = &target->partition->changes;
	struct checkpoint_job *job     = checkpoint_job_new(target, JOB_CHANGES);
	job->count                     = changes_hand_out(changes, &job->entries, &job->first_index);
	assert(job->count > 0);
	hand_out(target, job);
}

static void end_replacement(struct partition_checkpoint *target, struct checkpoint_job *job,
                            bool done)
{
	if (done) {
		changes_replace(&target->partition->changes, job->replacement);
		job->replacement = NULL;
	}
	atomic_store(&target->replacing, done ? REPLACING_DONE : REPLACING_FAILED);
}

/* Takes in what is written. What failed, and all behind it, is handed out again once none of it is
 * on the way any more. */
static void take_in(struct partition_checkpoint *target)
{
	struct changes *changes = &target->partition->changes;
	size_t          taken   = 0;
	bool            failed  = false;
	while (taken < target->spills.count) {
		struct checkpoint_job *job     = target->spills.items[taken];
		int                    outcome = atomic_load(&job->outcome);
		if (outcome == OUTCOME_NONE)
			break;
		if (job->kind == JOB_REPLACE)
			end_replacement(target, job, outcome == OUTCOME_DONE);
		else if (outcome == OUTCOME_DONE)
			changes_stored(changes, job->written_bytes, job->count);
		else
			failed = true;
		checkpoint_job_free(job);
		taken++;
	}
	target->spills.count -= taken;
	if (taken > 0)
		memmove(target->spills.items, target->spills.items + taken,
		        target->spills.count * sizeof *target->spills.items);
	target->spills_failed |= failed;
	if (target->spills_failed && target->spills.count == 0) {
		changes_not_stored(changes);
		target->spills_failed   = false;
		target->spills_restart  = true;
		target->spills_after_ns = clock_monotonic_ns() + RETRY_MS * INT64_C(1000000);
	}
}

void checkpoint_spill(struct partition_checkpoint *target, int64_t now_ns)
{
	const struct changes *changes = &target->partition->changes;
	take_in(target);
	while (changes->file != NULL && changes->count >= changes->handed + CHANGES_PER_BLOCK &&
	       now_ns >= target->spills_after_ns)
		checkpoint_hand_out_changes(target);
}

void checkpoint_keep_changes(struct checkpoints *checkpoints, uint32_t partition)
{
	struct partition_checkpoint *target  = &checkpoints->partitions[partition];
	const struct changes        *changes = &target->partition->changes;
	take_in(target);
	while (changes->handed < changes->count && clock_monotonic_ns() >= target->spills_after_ns)
		checkpoint_hand_out_changes(target);
}

uint64_t checkpoint_needs_changes(struct checkpoints *checkpoints, uint32_t partition)
{
	const struct partition_checkpoint *target = &checkpoints->partitions[partition];
	uint64_t                           first  = UINT64_MAX;
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++)
		if (target->lines[line].exists && target->lines[line].manifest.first_change < first)
			first = target->lines[line].manifest.first_change;
	return first == UINT64_MAX ? 0 : first;
}

void checkpoint_changes_paths(const struct checkpoints *checkpoints, uint32_t partition,
                              char *ret_path, char *ret_next)
{
	checkpoint_changes_path(ret_path, checkpoints->directory, partition, false);
	checkpoint_changes_path(ret_next, checkpoints->directory, partition, true);
}

void checkpoint_replace_changes(struct checkpoints *checkpoints, uint32_t partition,
                                struct change_file *file, uint64_t source_end)
{
	struct partition_checkpoint *target = &checkpoints->partitions[partition];
	struct checkpoint_job       *job    = checkpoint_job_new(target, JOB_REPLACE);
	job->replacement                    = file;
	job->source_end                     = source_end;
	atomic_store(&target->replacing, REPLACING_UNDER_WAY);
	hand_out(target, job);
}

enum checkpoint_replacing checkpoint_replacing(struct checkpoints *checkpoints, uint32_t partition)
{
	return (enum checkpoint_replacing)atomic_load(&checkpoints->partitions[partition].replacing);
}

/* ---- The writer's thread ---- */

static void write_chunk(struct partition_checkpoint *target, struct checkpoint_job *job)
{
	struct error err    = {0};
	bool         before = target->changes_failed;
	change_chunk_encode(job->entries, job->count, job->first_index, &job->bytes);
	/* What comes behind a chunk that is not there cannot be there either. */
	if (!before)
		target->changes_failed = change_file_write(target->written_file, target->changes_end,
		                                           buffer_text(&job->bytes), &err) != STATUS_OK;
	if (!before && target->changes_failed)
		log_error("the change stream cannot be written, it is kept in memory", &err);
	job->written_bytes = job->bytes.length;
	if (!target->changes_failed) {
		target->changes_end += job->written_bytes;
		atomic_fetch_add(&target->owner->bytes, job->written_bytes);
	}
	buffer_done(&job->bytes);
}

/* Appends to the replacement what the file has got since it was copied. */
static enum status copy_since(const struct partition_checkpoint *target,
                              const struct checkpoint_job *job, struct error *err)
{
	const struct change_file *from   = target->written_file;
	struct change_file       *to     = job->replacement;
	uint64_t                  offset = job->source_end;
	uint64_t                  end    = to->end + (target->changes_end - offset);
	enum status               status = STATUS_OK;
	char                     *bytes  = malloc(COPY_BYTES);
	if (bytes == NULL)
		abort();
	for (uint64_t at = to->end; offset < target->changes_end && status == STATUS_OK;) {
		uint64_t left   = target->changes_end - offset;
		size_t   length = left < COPY_BYTES ? left : COPY_BYTES;
		status          = file_read_at(from->fd, bytes, length, offset, from->path, err);
		if (status == STATUS_OK)
			status = file_write_at(to->fd, bytes, length, at, to->path, err);
		offset += length;
		at += length;
	}
	free(bytes);
	if (status == STATUS_OK)
		status = change_file_reach(to, err);
	if (status == STATUS_OK && to->end != end)
		status =
			error_set(err, STATUS_CORRUPT, "%s: what is read is not what was written", to->path);
	return status;
}

/* The manifests count on what is synced: the new file is before it bears the old one's name. */
static enum status replace(struct partition_checkpoint *target, struct checkpoint_job *job,
                           struct error *err)
{
	struct change_file *file   = job->replacement;
	const char         *path   = target->written_file->path;
	enum status         status = copy_since(target, job, err);
	if (status == STATUS_OK && fdatasync(file->fd) != 0)
		status = file_error(err, errno, "sync", file->path);
	if (status == STATUS_OK && rename(file->path, path) != 0)
		status = file_error(err, errno, "replace", path);
	if (status != STATUS_OK)
		return status;
	/* Where this fails the next manifest, in the same directory, syncs it or is not written. */
	if (directory_sync(target->owner->directory, err) != STATUS_OK)
		log_error("the directory of the change stream cannot be synced", err);
	free(file->path);
	file->path = strdup(path);
	if (file->path == NULL)
		abort();
	target->written_file = file;
	target->changes_end  = file->end;
	return STATUS_OK;
}

void checkpoint_write_changes(struct partition_checkpoint *target, struct checkpoint_job *job)
{
	struct error err  = {0};
	bool         done = false;
	if (job->restart) {
		target->changes_failed = false;
		target->changes_end    = job->offset;
	}
	if (job->kind == JOB_CHANGES) {
		write_chunk(target, job);
		done = !target->changes_failed;
	} else {
		if (!target->changes_failed && !(done = replace(target, job, &err) == STATUS_OK))
			log_error("the old part of the change stream cannot be dropped", &err);
		if (!done)
			(void)unlink(job->replacement->path); /* of use to nobody, and as large as the other */
	}
	atomic_store(&job->outcome, done ? OUTCOME_DONE : OUTCOME_FAILED);
}
