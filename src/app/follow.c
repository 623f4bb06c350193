#include "app/follow.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "engine/change/change_line.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "engine/wait.h"
#include "journal/file_log.h"
#include "store/sqlite.h"

enum {
	CHANGES_A_READ = 4096,
	LOOK_US        = 20 * 1000, /* between two rounds */
	READ_MS        = 60 * 1000,
};

struct follower {
	const struct follow_config *config;
	struct store_workspace      workspace;
	struct journal             *journal;
	struct engine              *engine;
	uint64_t                   *printed; /* by partition: entries so far */
};

/* One read of one partition's stream. */
struct follow_read {
	struct engine_wait wait;
	uint64_t           from;
	struct change      changes[CHANGES_A_READ];
	size_t             count;
	uint64_t           total;
};

static void run(struct engine_read *read, struct view *view)
{
	struct follow_read *own = (struct follow_read *)read;
	own->total = view_changes(view, own->from, CHANGES_A_READ, own->changes, &own->count);
}

static enum status read_changes(struct follower *follower, uint32_t partition,
                                struct follow_read *own, struct error *err)
{
	own->wait.read = (struct engine_read){
		.run = run, .min_position = follower->config->through, .timeout_ms = READ_MS};
	own->from = follower->printed[partition];
	return engine_wait_person(follower->engine, partition, &own->wait, err);
}

static void print(const struct follower *follower, uint32_t partition, const struct change *change)
{
	if (change->position < follower->config->from || change->at_ms < follower->config->from_ms)
		return;
	struct buffer      line = {0};
	struct json_writer w    = json_writer_of(&line);
	change_line_write(&w, partition, change);
	printf("%.*s\n", (int)line.length, line.data);
	buffer_done(&line);
}

/* Prints what is new in all partitions, one behind the other. */
static enum status print_round(struct follower *follower, struct follow_read *own,
                               struct error *err)
{
	for (uint32_t p = 0; p < follower->workspace.partition_count; p++) {
		do {
			enum status status = read_changes(follower, p, own, err);
			if (status != STATUS_OK)
				return status;
			for (size_t i = 0; i < own->count; i++)
				print(follower, p, &own->changes[i]);
			follower->printed[p] += own->count;
		} while (follower->printed[p] < own->total);
	}
	return fflush(stdout) == 0 ? STATUS_OK
	                           : error_set(err, STATUS_IO, "cannot write to the standard output");
}

/* STATUS_OK once everything up to the wanted position is applied. */
static enum status wait_applied(struct follower *follower, struct error *err)
{
	struct engine_status status;
	for (;; usleep(LOOK_US)) {
		engine_status(follower->engine, &status);
		if (status.failed) {
			*err = status.error;
			return err->status;
		}
		if (status.replayed && status.applied_position >= follower->config->through)
			return STATUS_OK;
	}
}

static enum status follow(struct follower *follower, struct error *err)
{
	struct follow_read *own = calloc(1, sizeof *own);
	if (own == NULL)
		abort();
	enum status status;
	do {
		status = wait_applied(follower, err);
		if (status == STATUS_OK)
			status = print_round(follower, own, err);
		if (status == STATUS_OK && follower->config->through == 0)
			usleep(LOOK_US);
	} while (status == STATUS_OK && follower->config->through == 0);
	free(own);
	return status;
}

static enum status path_in(const struct follower *follower, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	if (snprintf(into, PATH_MAX, "%s/%s", follower->config->data, name) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "--data: the path is too long");
	return STATUS_OK;
}

static enum status open_parts(struct follower *follower, struct error *err)
{
	char                    path[PATH_MAX];
	struct file_log_config  log       = {.directory = path};
	struct store_workspace *workspace = &follower->workspace;
	enum status             status;
	if ((status = path_in(follower, "store.db", path, err)) != STATUS_OK ||
	    (status = sqlite_store_workspace(path, workspace, err)) != STATUS_OK ||
	    (status = path_in(follower, "journal", path, err)) != STATUS_OK)
		return status;

	status = file_log_follow(&log, &follower->journal, err);
	if (status != STATUS_OK)
		return status;
	uint64_t first = follower->journal->ops->first_position(follower->journal);
	if (first > 1)
		return error_set(err, STATUS_NOT_FOUND,
		                 "the journal begins at position %" PRIu64
		                 ": what lies before is deleted and cannot be applied again",
		                 first);

	long                 processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t             threads    = processors > 0 ? (uint32_t)processors : 1;
	uint32_t             partitions = workspace->partition_count;
	struct engine_config config     = {
			.journal            = follower->journal,
			.partition_count    = partitions,
			.thread_count       = threads < partitions ? threads : partitions,
			.retention_ms       = workspace->retention_ms,
			.memory_limit_bytes = follower->config->memory_limit_bytes,
    };
	return engine_start(&config, &follower->engine, err);
}

enum status follow_journal(const struct follow_config *config, struct error *err)
{
	struct follower follower = {.config = config};
	enum status     status   = open_parts(&follower, err);
	if (status == STATUS_OK) {
		follower.printed = calloc(follower.workspace.partition_count, sizeof *follower.printed);
		if (follower.printed == NULL)
			abort();
		status = follow(&follower, err);
	}
	if (follower.engine != NULL)
		engine_stop(follower.engine);
	if (follower.journal != NULL)
		follower.journal->ops->free(follower.journal);
	free(follower.printed);
	return status;
}
