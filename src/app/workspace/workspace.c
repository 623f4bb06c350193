#include "app/workspace/workspace.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/workspace/workspace_internal.h"
#include "backup/restore.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/instant.h"
#include "base/log.h"
#include "ingest/source.h"
#include "journal/file_log.h"

enum status workspace_start(const struct workspace_config *config, struct workspace **ret_workspace,
                            struct error *err)
{
	struct workspace *workspace = calloc(1, sizeof *workspace);
	assert(workspace != NULL);
	workspace->config   = *config;
	workspace->settings = config->settings;
	workspace->lock_fd  = -1;
	if (workspace->config.code == NULL)
		workspace->config.code = workspace->config.path_prefix = "";
	enum status status = workspace_open_parts(workspace, err);
	if (status != STATUS_OK) {
		workspace_stop(workspace, NULL);
		workspace_free(workspace);
		return status;
	}
	*ret_workspace = workspace;
	return STATUS_OK;
}

struct api *workspace_api(struct workspace *workspace) { return workspace->api; }

struct store *workspace_store(struct workspace *workspace) { return workspace->store; }

struct access *workspace_access(struct workspace *workspace) { return workspace->access; }

const char *workspace_directory(const struct workspace *workspace) { return workspace->data; }

enum status workspace_replayed(struct workspace *workspace, struct error *err)
{
	struct engine_status status;
	engine_status(workspace->engine, &status);
	if (status.failed) {
		*err = status.error;
		return status.error.status;
	}
	if (status.loaded)
		api_set_phase(workspace->api, API_PHASE_REPLAY);
	return status.replayed ? STATUS_OK : STATUS_AGAIN;
}

static enum status keep_token(const char *file, const char *token, struct error *err)
{
	char line[80];
	if (file == NULL)
		return STATUS_OK;
	int length = snprintf(line, sizeof line, "%s\n", token);
	return file_replace(file, 0600, line, (size_t)length, err);
}

/* Where nobody would learn it, there is none: the admin token makes people as well. */
static enum status invite_first(struct workspace *workspace, struct workspace_first *ret_first,
                                struct error *err)
{
	const struct serve_settings *settings = workspace->settings;
	struct error                 why;
	bool home = workspace->config.code[0] == '\0'; /* who makes another has its admin token */
	if (!home || (settings->setup_token_file == NULL && settings->admin_token_file != NULL))
		return STATUS_OK;
	enum status status =
		people_invite_first(workspace->access, clock_wall_ms(), ret_first->setup, &why);
	if (status == STATUS_CONFLICT) /* all tokens were deleted, not all people */
		return STATUS_OK;
	if (status != STATUS_OK) {
		*err = why;
		return status;
	}
	return keep_token(settings->setup_token_file, ret_first->setup, err);
}

static enum status make_first(struct workspace *workspace, struct workspace_first *ret_first,
                              struct error *err)
{
	struct store       *store = workspace->store;
	struct store_token *tokens;
	struct arena        arena;
	size_t              count = 0;
	arena_init(&arena);
	enum status status = store->ops->token_list(store, &arena, &tokens, &count, err);
	arena_done(&arena);
	if (status != STATUS_OK || count > 0)
		return status;

	struct store_source source = {.name = TEXT("default"), .created_ms = clock_wall_ms()};
	uuid_new(source.id);
	api_write_key_new(workspace->config.code, ret_first->write_key);
	source.write_key  = text_of(ret_first->write_key);
	source.updated_ms = source.created_ms;
	if ((status = store->ops->source_put(store, &source, true, err)) != STATUS_OK)
		return status;

	struct store_token token = {.name       = TEXT("first admin token"),
	                            .scopes     = TEXT("admin"),
	                            .created_ms = clock_wall_ms(),
	                            .expires_ms = INSTANT_MS_NEVER};
	uuid_new(token.id);
	api_token_new(workspace->config.code, ret_first->token, token.hash);
	if ((status = keep_token(workspace->settings->admin_token_file, ret_first->token, err)) !=
	        STATUS_OK || /* a token that nobody learns is of no use */
	    (status = invite_first(workspace, ret_first, err)) != STATUS_OK)
		return status;
	return store->ops->token_add(store, &token, err);
}

static void finish_merge(void *context, const struct vault_merge *merge)
{
	struct workspace *workspace = context;
	if (!engine_merged(workspace->engine, merge->visitor))
		ingest_merge(workspace->ingest, merge);
}

static void register_transfer(struct workspace *workspace)
{
	workspace->transfer = (struct transfer){.journal         = workspace->journal,
	                                        .vault           = workspace->vault,
	                                        .engine          = workspace->engine,
	                                        .queries         = workspace->queries,
	                                        .store           = workspace->store,
	                                        .ingest          = workspace->ingest,
	                                        .partition_count = workspace->row.partition_count};
	transfer_register(&workspace->transfer, workspace->background.jobs);
	workspace->privacy = (struct privacy){.transfer = &workspace->transfer,
	                                      .jobs     = workspace->background.jobs,
	                                      .letters  = workspace->letters,
	                                      .audit    = workspace->audit};
	privacy_register(&workspace->privacy);
}

/* What no request asks for, into the audit trail. It has happened in any case: the log says where
 * the trail could not be told. */
void workspace_note(struct workspace *workspace, const char *action, const char *details)
{
	struct error              err    = {0};
	const struct audit_record record = {.action      = text_of(action),
	                                    .actor       = TEXT("system:server"),
	                                    .details     = text_of(details),
	                                    .result_size = -1};
	if (audit_note(workspace->audit, &record, &err) != STATUS_OK)
		log_error("the audit trail could not be told", &err);
}

/* Once, behind a restore. */
static enum status tell_restored(struct workspace *workspace, struct error *err)
{
	bool        first;
	int64_t     reaches_ms;
	enum status status = restore_first_start(workspace->data, &first, &reaches_ms, err);
	if (status != STATUS_OK || !first)
		return status;
	status = api_restored(workspace->api, reaches_ms, err);
	if (status == STATUS_OK)
		status = jobs_restored(workspace->background.jobs, err);
	if (status == STATUS_OK) /* what was ended meanwhile must not come back */
		status = workspace->store->ops->session_expire(workspace->store, INSTANT_MS_NEVER, err);
	if (status == STATUS_OK)
		workspace_note(workspace, "backup.restored", "{}");
	return status == STATUS_OK ? restore_started(workspace->data, err) : status;
}

enum status workspace_open(struct workspace *workspace, struct workspace_first *ret_first,
                           struct error *err)
{
	const struct definition_watch watch = backfill_watch(&workspace->background.backfill);
	bool                          home  = workspace->config.code[0] == '\0';
	enum status                   status;
	for (uint32_t p = 0; p < workspace->row.partition_count; p++)
		vault_reserve(workspace->vault, p, engine_slot_count(workspace->engine, p));
	workspace->finisher = ingest_thread_new(workspace->ingest);
	vault_each_merge(workspace->vault, finish_merge, workspace);
	ingest_finish_merges(workspace->finisher);
	*ret_first = (struct workspace_first){0};
	if ((status = make_first(workspace, ret_first, err)) != STATUS_OK)
		return status;
	register_transfer(workspace);
	/* Rollouts go on at once, as jobs: which kinds there are and who listens is settled by then. */
	if ((status = tell_restored(workspace, err)) != STATUS_OK ||
	    (status = privacy_catch_up(&workspace->privacy, err)) != STATUS_OK ||
	    (status = api_load(workspace->api, err)) != STATUS_OK ||
	    (status = definitions_start(workspace->engine, workspace->journal, workspace->store,
	                                workspace->row.partition_count, &watch, &workspace->definitions,
	                                err)) != STATUS_OK)
		return status;
	backfill_open(&workspace->background.backfill, workspace->definitions);
	if ((status = background_start(&workspace->background, err)) != STATUS_OK)
		return status;
	workspace_note(workspace, home ? "server.start" : "workspace.open",
	               "{\"version\":\"" SONNIM_VERSION "\"}");
	api_open(workspace->api, workspace->definitions);
	return STATUS_OK;
}

void workspace_watch_memory(struct workspace *workspace, uint64_t bytes, bool exhausted)
{
	struct vault_status   vault;
	struct queries_status queries;
	vault_status(workspace->vault, &vault);
	queries_status(workspace->queries, &queries);
	uint64_t profiles = atomic_load(&workspace->profiles_max);
	atomic_store(&workspace->profiles_used_up, profiles > 0 && vault.persons >= profiles);
	engine_note_memory(workspace->engine, vault.memory_bytes + queries.memory_bytes + bytes,
	                   exhausted);
}

void workspace_limit(struct workspace *workspace, uint64_t memory_bytes, uint64_t profiles)
{
	atomic_store(&workspace->memory_bytes, memory_bytes);
	atomic_store(&workspace->profiles_max, profiles);
	engine_set_memory_limit(workspace->engine, workspace_memory_bytes(workspace));
}

void workspace_note_disk(struct workspace *workspace, bool used_up)
{
	atomic_store(&workspace->disk_used_up, used_up);
}

static bool has_unfinished_job(struct workspace *workspace, struct arena *arena)
{
	struct store_job_count *counts;
	struct error            ignored;
	size_t                  count = 0;
	if (workspace->store->ops->job_count(workspace->store, arena, &counts, &count, &ignored) !=
	    STATUS_OK)
		return true; /* rather too often than never */
	for (size_t i = 0; i < count; i++)
		if ((counts[i].state == STORE_JOB_QUEUED || counts[i].state == STORE_JOB_RUNNING) &&
		    counts[i].count > 0)
			return true;
	return false;
}

int64_t workspace_due_ms(struct workspace *workspace)
{
	struct store_schedule *schedules;
	struct arena           arena;
	struct error           ignored;
	size_t                 count  = 0;
	int64_t                due_ms = INSTANT_MS_NEVER;
	arena_init(&arena);
	if (jobs_schedule_list(workspace->background.jobs, &arena, &schedules, &count, &ignored) !=
	    STATUS_OK)
		due_ms = 0;
	for (size_t i = 0; i < count && due_ms > 0; i++)
		if (schedules[i].active && schedules[i].next_ms < due_ms)
			due_ms = schedules[i].next_ms;
	if (workspace->row.manual_clock && due_ms > 0)
		due_ms = INSTANT_MS_NEVER; /* instants of another clock */
	if (has_unfinished_job(workspace, &arena))
		due_ms = 0;
	arena_done(&arena);
	return due_ms;
}

void workspace_set_quota(struct workspace *workspace)
{
	const struct quota_sizes sizes = {{[QUOTA_DAY]   = workspace->settings->quota_day,
	                                   [QUOTA_MONTH] = workspace->settings->quota_month}};
	sources_set_quota(ingest_sources(workspace->ingest), &sizes);
}

void workspace_reload(struct workspace *workspace)
{
	const struct serve_settings *settings = workspace->settings;
	engine_set_memory_limit(workspace->engine, workspace_memory_bytes(workspace));
	file_log_set_keeping(workspace->journal, settings->journal_retention_ms,
	                     settings->journal_pack_bytes_s);
	workspace_set_quota(workspace);
	limits_set(workspace->limits, &settings->limits);
	workspace_note(workspace, "settings.reload", "{}");
}

/* The order is that in which nobody calls into what is gone: whatever has threads that answer ends
 * first. */
void workspace_stop(struct workspace *workspace, const struct workspace_end *why)
{
	if (workspace->api != NULL)
		api_stop(workspace->api);
	background_stop(&workspace->background);
	if (workspace->definitions != NULL)
		definitions_stop(workspace->definitions);
	if (workspace->engine != NULL)
		engine_stop(workspace->engine);
	queries_stop(workspace->queries);
	letters_free(workspace->letters);
	backups_close(workspace->backups);
	if (why != NULL)
		workspace_note(workspace, why->action, why->details);
	audit_close(workspace->audit);
	if (workspace->journal != NULL)
		workspace->journal->ops->free(workspace->journal);
	if (workspace->vault != NULL)
		vault_close(workspace->vault);
}

void workspace_free(struct workspace *workspace)
{
	if (workspace == NULL)
		return;
	api_free(workspace->api);
	limits_free(workspace->limits);
	access_close(workspace->access);
	ingest_thread_free(workspace->finisher);
	if (workspace->ingest != NULL)
		ingest_free(workspace->ingest);
	background_done(&workspace->background);
	if (workspace->store != NULL)
		workspace->store->ops->free(workspace->store);
	if (workspace->lock_fd >= 0)
		close(workspace->lock_fd);
	free(workspace->data);
	free(workspace);
}
