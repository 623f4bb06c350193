#include "engine/checkpoint/checkpoint_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

struct checkpoint_job *checkpoint_job_new(struct partition_checkpoint *target,
                                          enum checkpoint_job_kind     kind)
{
	struct checkpoint_job *job = calloc(1, sizeof *job);
	if (job == NULL)
		abort();
	job->target = target;
	job->kind   = kind;
	return job;
}

void checkpoint_job_free(struct checkpoint_job *job)
{
	buffer_done(&job->bytes);
	change_file_close(job->replacement);
	free(job);
}

void checkpoint_writer_add(struct checkpoints *checkpoints, struct checkpoint_job *job)
{
	atomic_fetch_add(&checkpoints->queued_bytes, job->bytes.length);
	pthread_mutex_lock(&checkpoints->lock);
	if (checkpoints->last == NULL)
		checkpoints->first = job;
	else
		checkpoints->last->next = job;
	checkpoints->last = job;
	pthread_cond_signal(&checkpoints->filled);
	pthread_mutex_unlock(&checkpoints->lock);
}

/* Waits until `until_ns`, or for the end; true: it ends. */
static bool pause_until(struct checkpoints *checkpoints, int64_t until_ns)
{
	const struct timespec until = {.tv_sec  = until_ns / 1000000000,
	                               .tv_nsec = until_ns % 1000000000};
	pthread_mutex_lock(&checkpoints->lock);
	while (!checkpoints->stopping && clock_monotonic_ns() < until_ns)
		pthread_cond_timedwait(&checkpoints->filled, &checkpoints->lock, &until);
	bool stopping = checkpoints->stopping;
	pthread_mutex_unlock(&checkpoints->lock);
	return stopping;
}

/* Counts what was written, and keeps to the bytes that may be written a second. */
static void account(struct checkpoints *checkpoints, uint64_t bytes)
{
	int64_t now_ns = clock_monotonic_ns();
	atomic_fetch_add(&checkpoints->bytes, bytes);
	if (checkpoints->free_ns < now_ns)
		checkpoints->free_ns = now_ns;
	checkpoints->free_ns +=
		(int64_t)((double)bytes * 1e9 / (double)checkpoints->config.bytes_per_s);
	if (checkpoints->free_ns > now_ns)
		pause_until(checkpoints, checkpoints->free_ns);
}

/* ---- Rounds ---- */

static void fail_round(struct partition_checkpoint *target, const struct error *err)
{
	if (!target->failed)
		log_error("a checkpoint cannot be written, the one before it stays", err);
	target->failed = true;
}

static enum status open_blocks(struct partition_checkpoint *target, struct error *err)
{
	char path[CHECKPOINT_PATH_MAX];
	checkpoint_blocks_path(path, target->owner->directory, target->partition->number, target->line,
	                       target->next.generation);
	int flags  = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	target->fd = open(path, target->full ? flags | O_TRUNC : flags, 0600);
	return target->fd < 0 ? file_error(err, errno, "open", path) : STATUS_OK;
}

static struct checkpoint_place *place_of(struct partition_checkpoint *target,
                                         const struct checkpoint_job *job)
{
	switch (job->kind) {
	case JOB_DEFINITIONS:
		return &target->next.definitions;
	case JOB_NAMES:
		return &target->next.names;
	default:
		assert(job->kind == JOB_BLOCK);
		return &target->next.blocks.items[job->block].place;
	}
}

static void write_part(struct partition_checkpoint *target, struct checkpoint_job *job)
{
	struct checkpoint_manifest *next   = &target->next;
	struct checkpoint_place    *place  = place_of(target, job);
	struct buffer               packed = {0};
	struct error                err    = {0};
	enum status status = target->fd < 0 && !target->failed ? open_blocks(target, &err) : STATUS_OK;
	if (status == STATUS_OK && !target->failed) {
		checkpoint_pack(buffer_text(&job->bytes), place, &packed);
		place->offset = next->file_bytes;
		status        = file_write_at(target->fd, packed.data, packed.length, next->file_bytes,
		                              target->owner->directory, &err);
		next->file_bytes += packed.length;
		account(target->owner, packed.length);
	}
	if (status != STATUS_OK)
		fail_round(target, &err);
	buffer_done(&packed);
}

static enum status sync_file(int fd, const char *path, struct error *err)
{
	return fd >= 0 && fdatasync(fd) != 0 ? file_error(err, errno, "sync", path) : STATUS_OK;
}

/* What the manifest names must be durable before it is. */
static enum status complete(struct partition_checkpoint *target, struct error *err)
{
	struct checkpoints       *checkpoints = target->owner;
	const struct change_file *file        = target->written_file;
	uint32_t                  partition   = target->partition->number;
	char                      path[CHECKPOINT_PATH_MAX];
	struct buffer             bytes = {0};
	enum status               status;
	if (target->changes_failed)
		return error_set(err, STATUS_IO, "the change stream of partition %u is not written",
		                 partition);
	if ((status = sync_file(file->fd, file->path, err)) != STATUS_OK ||
	    (status = sync_file(target->fd, checkpoints->directory, err)) != STATUS_OK)
		return status;
	struct dimensions *dimensions = target->partition->enrichment.dimensions;
	if (target->dimension_number > 0) {
		uint64_t written;
		status = dimensions_keep(dimensions, checkpoints->directory, target->line,
		                         checkpoints->config.workspace_id, target->dimension_number,
		                         &written, err);
		if (status != STATUS_OK)
			return status;
		account(checkpoints, written);
	}
	target->next.written_ms = clock_wall_ms();
	checkpoint_manifest_write(&target->next, checkpoints->config.workspace_id, partition, &bytes);
	checkpoint_manifest_path(path, checkpoints->directory, partition, target->line);
	status = file_replace(path, 0600, bytes.data, bytes.length, err);
	if (status == STATUS_OK)
		account(checkpoints, bytes.length);
	buffer_done(&bytes);
	return status;
}

/* The file of the generation before is of no use any more. */
static void remove_previous(const struct partition_checkpoint *target)
{
	const struct checkpoint_line *line = &target->lines[target->line];
	char                          path[CHECKPOINT_PATH_MAX];
	if (!target->full || !line->exists)
		return;
	checkpoint_blocks_path(path, target->owner->directory, target->partition->number, target->line,
	                       line->manifest.generation);
	(void)unlink(path);
}

static void end_round(struct partition_checkpoint *target, bool finish)
{
	struct error err = {0};
	if (finish && !target->failed && complete(target, &err) != STATUS_OK)
		fail_round(target, &err);
	bool done = finish && !target->failed;
	if (done)
		remove_previous(target);
	if (target->fd >= 0)
		close(target->fd);
	if (finish)
		atomic_store(&target->owner->failing, target->failed);
	target->fd     = -1;
	target->failed = false;
	atomic_store(&target->outcome, done ? OUTCOME_DONE : OUTCOME_FAILED);
}

/* ---- The thread ---- */

static struct checkpoint_job *take_job(struct checkpoints *checkpoints)
{
	pthread_mutex_lock(&checkpoints->lock);
	while (!checkpoints->stopping && checkpoints->first == NULL)
		pthread_cond_wait(&checkpoints->filled, &checkpoints->lock);
	struct checkpoint_job *job = checkpoints->stopping ? NULL : checkpoints->first;
	if (job != NULL) {
		checkpoints->first = job->next;
		if (job->next == NULL)
			checkpoints->last = NULL;
		job->next = NULL;
	}
	pthread_mutex_unlock(&checkpoints->lock);
	return job;
}

void *checkpoint_writer_run(void *pointer)
{
	struct checkpoints    *checkpoints = pointer;
	struct checkpoint_job *job;
	while ((job = take_job(checkpoints)) != NULL) {
		struct partition_checkpoint *target = job->target;
		uint64_t                     queued = job->bytes.length;
		if (checkpoint_is_of_changes(job)) {
			checkpoint_write_changes(target, job); /* its owner's again */
			continue;
		}
		if (job->kind == JOB_FINISH || job->kind == JOB_ABANDON)
			end_round(target, job->kind == JOB_FINISH);
		else
			write_part(target, job);
		checkpoint_job_free(job);
		atomic_fetch_sub(&checkpoints->queued_bytes, queued);
	}
	return NULL;
}
