#include "engine/checkpoint/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/instant.h"
#include "engine/checkpoint/checkpoint_internal.h"

static struct checkpoints *make(const struct checkpoints_config *config)
{
	struct checkpoints *checkpoints = calloc(1, sizeof *checkpoints);
	if (checkpoints == NULL)
		abort();
	checkpoints->config     = *config;
	checkpoints->directory  = strdup(config->directory);
	checkpoints->partitions = calloc(config->partition_count, sizeof *checkpoints->partitions);
	if (checkpoints->directory == NULL || checkpoints->partitions == NULL)
		abort();
	for (uint32_t i = 0; i < config->partition_count; i++) {
		checkpoints->partitions[i].owner          = checkpoints;
		checkpoints->partitions[i].fd             = -1;
		checkpoints->partitions[i].spills_restart = true; /* the writer learns the file's end */
		atomic_store(&checkpoints->partitions[i].written_ms, INSTANT_MS_NONE);
	}
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&checkpoints->filled, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&checkpoints->lock, NULL);
	return checkpoints;
}

enum status checkpoints_new(const struct checkpoints_config *config,
                            struct checkpoints **ret_checkpoints, struct error *err)
{
	if (strlen(config->directory) > CHECKPOINT_PATH_MAX - 64)
		return error_set(err, STATUS_INVALID, "the checkpoints' path is too long");
	enum status status = directory_create(config->directory, 0700, err);
	if (status != STATUS_OK)
		return status;
	struct checkpoints *checkpoints = make(config);
	if (pthread_create(&checkpoints->writer, NULL, checkpoint_writer_run, checkpoints) != 0)
		abort();
	*ret_checkpoints = checkpoints;
	return STATUS_OK;
}

static void done(struct partition_checkpoint *target)
{
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++)
		checkpoint_manifest_done(&target->lines[line].manifest);
	checkpoint_manifest_done(&target->next);
	checkpoint_marks_done(&target->marks);
	for (size_t i = 0; i < target->spills.count; i++)
		checkpoint_job_free(target->spills.items[i]);
	VECTOR_DONE(&target->spills);
	VECTOR_DONE(&target->written);
	if (target->fd >= 0)
		close(target->fd);
}

void checkpoints_free(struct checkpoints *checkpoints)
{
	if (checkpoints == NULL)
		return;
	pthread_mutex_lock(&checkpoints->lock);
	checkpoints->stopping = true;
	pthread_cond_signal(&checkpoints->filled);
	pthread_mutex_unlock(&checkpoints->lock);
	pthread_join(checkpoints->writer, NULL);
	while (checkpoints->first != NULL) {
		struct checkpoint_job *job = checkpoints->first;
		checkpoints->first         = job->next;
		if (!checkpoint_is_of_changes(job))
			checkpoint_job_free(job);
	}
	for (uint32_t i = 0; i < checkpoints->config.partition_count; i++)
		done(&checkpoints->partitions[i]);
	pthread_mutex_destroy(&checkpoints->lock);
	pthread_cond_destroy(&checkpoints->filled);
	free(checkpoints->partitions);
	free(checkpoints->directory);
	free(checkpoints);
}

unsigned checkpoint_newest_line(const struct partition_checkpoint *target)
{
	unsigned newest = CHECKPOINT_LINES;
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++)
		if (target->lines[line].exists &&
		    (newest == CHECKPOINT_LINES ||
		     target->lines[line].manifest.round > target->lines[newest].manifest.round))
			newest = line;
	return newest;
}

void checkpoint_publish(struct partition_checkpoint *target)
{
	uint64_t needed_after = UINT64_MAX;
	int64_t  written_ms   = INSTANT_MS_NONE;
	for (unsigned line = 0; line < CHECKPOINT_LINES; line++) {
		const struct checkpoint_line *one      = &target->lines[line];
		uint64_t                      position = one->exists ? one->manifest.position : 0;
		if (position < needed_after)
			needed_after = position;
		if (one->exists && one->manifest.written_ms > written_ms)
			written_ms = one->manifest.written_ms;
	}
	atomic_store(&target->needed_after, needed_after);
	atomic_store(&target->written_ms, written_ms);
}

uint64_t checkpoints_needed_after(struct checkpoints *checkpoints)
{
	uint64_t needed_after = UINT64_MAX;
	for (uint32_t i = 0; i < checkpoints->config.partition_count; i++) {
		uint64_t position = atomic_load(&checkpoints->partitions[i].needed_after);
		if (position < needed_after)
			needed_after = position;
	}
	return needed_after;
}

void checkpoints_status(struct checkpoints *checkpoints, struct checkpoints_status *ret_status)
{
	*ret_status = (struct checkpoints_status){
		.rounds        = atomic_load(&checkpoints->rounds),
		.rounds_failed = atomic_load(&checkpoints->rounds_failed),
		.bytes         = atomic_load(&checkpoints->bytes),
		.duration_ms   = atomic_load(&checkpoints->duration_ms),
		.oldest_ms     = INSTANT_MS_NEVER,
		.pause_us_max  = atomic_load(&checkpoints->pause_us_max),
		.needed_after  = checkpoints_needed_after(checkpoints),
		.failing       = atomic_load(&checkpoints->failing),
		.damaged       = atomic_load(&checkpoints->damaged),
	};
	for (uint32_t i = 0; i < checkpoints->config.partition_count; i++) {
		int64_t written_ms = atomic_load(&checkpoints->partitions[i].written_ms);
		if (written_ms < ret_status->oldest_ms)
			ret_status->oldest_ms = written_ms;
	}
}
