#include "app/workspace/workspace_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/backups.h"
#include "backup/restore.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "journal/file_log.h"
#include "store/sqlite.h"

enum { PARTITION_COUNT_DEFAULT = 16 };

#define RETENTION_MS_DEFAULT (1096 * DAY_MS)

static enum status path_in(const struct workspace *workspace, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	if (snprintf(into, PATH_MAX, "%s/%s", workspace->data, name) >= PATH_MAX)
		return error_set(err, STATUS_INVALID, "--data: the path is too long");
	return STATUS_OK;
}

/* ---- Directories ---- */

static bool lies_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0' || strcmp(directory, "/") == 0);
}

/* A backup of the data must not hold the keys, nor one of the keys the data. */
static enum status check_apart(const char *data, const char *keyring, struct error *err)
{
	char *real     = realpath(keyring, NULL);
	bool  together = real != NULL && (lies_within(real, data) || lies_within(data, real));
	free(real);
	if (real == NULL)
		return error_set(err, STATUS_IO, "cannot find the keyring directory %s", keyring);
	if (together)
		return error_set(err, STATUS_INVALID,
		                 "--keyring must lie outside --data, and not around it: a backup of the "
		                 "data must not contain the keys");
	return STATUS_OK;
}

/* The keyring's directory is made for the check of where it really lies, and removed again if it
 * must not lie there. */
static enum status open_directories(struct workspace *workspace, struct error *err)
{
	const struct serve_settings *settings  = workspace->settings;
	bool                         was_there = access(settings->keyring, F_OK) == 0;
	enum status                  status;
	if ((status = directory_create(settings->data, 0700, err)) != STATUS_OK ||
	    (status = directory_lock(settings->data, &workspace->lock_fd, err)) != STATUS_OK ||
	    (status = directory_create(settings->keyring, 0700, err)) != STATUS_OK)
		return status;
	workspace->data = realpath(settings->data, NULL);
	if (workspace->data == NULL)
		return error_set(err, STATUS_IO, "cannot find the data directory %s", settings->data);
	status = check_apart(workspace->data, settings->keyring, err);
	if (status != STATUS_OK && !was_there)
		(void)rmdir(settings->keyring);
	return status == STATUS_OK ? restore_check(workspace->data, err) : status;
}

/* ---- Parts ---- */

/* What was chosen when the data was made must not be asked for otherwise. */
static enum status check_row(const struct serve_settings  *settings,
                             const struct store_workspace *row, struct error *err)
{
	bool manual = serve_settings_clock(settings) == SERVE_CLOCK_MANUAL;
	if (settings->partitions != 0 && settings->partitions != row->partition_count)
		return error_set(err, STATUS_INVALID,
		                 "--partitions is chosen when the data is made: this one has %u",
		                 row->partition_count);
	if (settings->retention_ms != 0 && settings->retention_ms != row->retention_ms)
		return error_set(err, STATUS_INVALID,
		                 "--retention is chosen when the data is made: this one has %lldd",
		                 (long long)(row->retention_ms / DAY_MS));
	if (serve_settings_clock(settings) != SERVE_CLOCK_ANY && manual != row->manual_clock)
		return error_set(err, STATUS_INVALID,
		                 "--clock is chosen when the data is made: this one has %s",
		                 row->manual_clock ? "manual" : "wall");
	return STATUS_OK;
}

static enum status open_store(struct workspace *workspace, struct error *err)
{
	const struct serve_settings *settings = workspace->settings;
	struct store_workspace      *row      = &workspace->row;
	char                         path[PATH_MAX];
	bool                         created;
	enum status                  status;
	if ((status = path_in(workspace, "store.db", path, err)) != STATUS_OK ||
	    (status = sqlite_store_open(path, &workspace->store, err)) != STATUS_OK)
		return status;
	if (workspace->config.id != NULL)
		snprintf(row->id, sizeof row->id, "%s", workspace->config.id);
	else
		uuid_new(row->id);
	row->partition_count =
		settings->partitions != 0 ? (uint32_t)settings->partitions : PARTITION_COUNT_DEFAULT;
	row->created_ms   = clock_wall_ms();
	row->retention_ms = settings->retention_ms != 0 ? settings->retention_ms : RETENTION_MS_DEFAULT;
	row->manual_clock = serve_settings_clock(settings) == SERVE_CLOCK_MANUAL;
	status            = workspace->store->ops->workspace_open(workspace->store, row, &created, err);
	return status == STATUS_OK ? check_row(settings, row, err) : status;
}

static void row_bytes(const struct store_workspace *row, uint8_t into[UUID_BYTES])
{
	bool valid = uuid_bytes(text_of(row->id), into);
	assert(valid); /* the store keeps UUIDs */
}

static enum status open_journal(struct workspace *workspace, struct error *err)
{
	char                   path[PATH_MAX];
	struct file_log_config config = {.directory    = path,
	                                 .file_bytes   = workspace->settings->journal_file_bytes,
	                                 .retention_ms = workspace->settings->journal_retention_ms,
	                                 .pack_bytes_s = workspace->settings->journal_pack_bytes_s,
	                                 .clock        = workspace->row.manual_clock ? LOG_CLOCK_MANUAL
	                                                                             : LOG_CLOCK_WALL,
	                                 .accept_clock = workspace->settings->accept_clock};
	enum status            status = path_in(workspace, "journal", path, err);
	row_bytes(&workspace->row, config.workspace_id);
	return status != STATUS_OK ? status : file_log_open(&config, &workspace->journal, err);
}

static enum status open_vault(struct workspace *workspace, struct error *err)
{
	char                path[PATH_MAX];
	struct vault_config config = {.directory         = path,
	                              .keyring_directory = workspace->settings->keyring,
	                              .partition_count   = workspace->row.partition_count,
	                              .master_command    = workspace->settings->master_key_command,
	                              .master_variable   = workspace->settings->master_key_env,
	                              .phone_country     = workspace->settings->phone_country};
	enum status         status = path_in(workspace, "vault", path, err);
	row_bytes(&workspace->row, config.workspace_id);
	return status != STATUS_OK ? status : vault_open(&config, &workspace->vault, err);
}

/* Behind the vault, which has made the keyring and holds its lock. */
static enum status open_audit(struct workspace *workspace, struct error *err)
{
	char                path[PATH_MAX];
	struct audit_config config = {.directory         = path,
	                              .keyring_directory = workspace->settings->keyring,
	                              .settings          = &workspace->settings->audit};
	enum status         status = path_in(workspace, "audit", path, err);
	row_bytes(&workspace->row, config.workspace_id);
	return status != STATUS_OK ? status : audit_open(&config, &workspace->audit, err);
}

static enum status open_access(struct workspace *workspace, struct error *err)
{
	const struct serve_settings *settings = workspace->settings;
	const struct access_config   config   = {
			.store             = workspace->store,
			.vault             = workspace->vault,
			.keyring_directory = settings->keyring,
			.issuer            = settings->public_url != NULL ? settings->public_url : "sonnim",
			.host              = workspace->config.host,
			.audience          = workspace->row.id,
			.settings          = &settings->access};
	return access_open(&config, &workspace->access, err);
}

/* A backup beside what it is a copy of would be lost with it. */
static enum status check_backup_directory(const struct workspace *workspace, struct error *err)
{
	const char *directory = workspace->settings->backup.directory;
	enum status status    = directory_create(directory, 0700, err);
	char       *real      = status == STATUS_OK ? realpath(directory, NULL) : NULL;
	if (real != NULL && (lies_within(real, workspace->data) || lies_within(workspace->data, real)))
		status = error_set(err, STATUS_INVALID,
		                   "--backup-directory must lie outside --data, and not around it");
	free(real);
	return status;
}

static enum status open_backups(struct workspace *workspace, struct error *err)
{
	struct backups_config config = {.data            = workspace->data,
	                                .settings        = &workspace->settings->backup,
	                                .journal         = workspace->journal,
	                                .vault           = workspace->vault,
	                                .store           = workspace->store,
	                                .partition_count = workspace->row.partition_count};
	if (workspace->settings->backup.directory == NULL)
		return STATUS_OK;
	row_bytes(&workspace->row, config.workspace_id);
	enum status status = check_backup_directory(workspace, err);
	if (status == STATUS_OK)
		status = backups_open(&config, &workspace->backups, err);
	workspace->backup_source = backup_source_of(workspace->backups);
	return status;
}

static unsigned thread_count(int64_t wanted)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	return wanted != 0 ? (unsigned)wanted : processors > 0 ? (unsigned)processors : 1;
}

static bool unseal_record(void *context, struct person sealer, struct text sealed,
                          struct buffer *out)
{
	struct error err;
	return vault_unseal(context, sealer, RECORD_SEAL_PURPOSE, sealed, out, &err) == STATUS_OK;
}

static bool was_erased(void *context, struct person person)
{
	struct vault_id id;
	struct arena    arena;
	struct error    err;
	arena_init(&arena);
	bool erased = vault_external_id(context, person, &arena, &id, &err) == STATUS_NOT_FOUND;
	arena_done(&arena);
	return erased;
}

static enum status start_engine(struct workspace *workspace, struct error *err)
{
	const struct serve_settings *settings   = workspace->settings;
	uint32_t                     partitions = workspace->row.partition_count;
	unsigned                     threads    = thread_count(settings->threads);

	char        checkpoints[PATH_MAX];
	enum status status = path_in(workspace, "checkpoints", checkpoints, err);
	if (status != STATUS_OK)
		return status;
	char events[PATH_MAX];
	if ((status = path_in(workspace, "events", events, err)) != STATUS_OK)
		return status;
	workspace->unsealer         = (struct unsealer){unseal_record, was_erased, workspace->vault};
	struct engine_config config = {
		.journal                = workspace->journal,
		.unsealer               = &workspace->unsealer,
		.partition_count        = partitions,
		.thread_count           = threads < partitions ? threads : partitions,
		.retention_ms           = workspace->row.retention_ms,
		.memory_limit_bytes     = workspace_memory_bytes(workspace),
		.checkpoint_directory   = checkpoints,
		.checkpoint_interval_ms = settings->checkpoint_interval_ms,
		.checkpoint_bytes_per_s = settings->checkpoint_bytes_per_s,
		.events_directory       = events,
		.events                 = &settings->events,
	};
	row_bytes(&workspace->row, config.workspace_id);
	status = engine_start(&config, &workspace->engine, err);
	return status == STATUS_OK ? queries_start(workspace->engine, &workspace->queries, err)
	                           : status;
}

static enum status open_background(struct workspace *workspace, struct error *err)
{
	const int64_t           *history = workspace->settings->history_retention_ms == 0
	                                       ? NULL
	                                       : &workspace->settings->history_retention_ms;
	struct background_config config  = {
		 .settings         = &workspace->settings->jobs,
		 .data             = workspace->data,
		 .store            = workspace->store,
		 .journal          = workspace->journal,
		 .backups          = workspace->backups,
		 .backup_settings  = &workspace->settings->backup,
		 .engine           = workspace->engine,
		 .audit            = workspace->audit,
		 .audit_ms         = &workspace->settings->audit.retention_ms,
		 .times.events_ms  = &workspace->row.retention_ms,
		 .times.journal_ms = &workspace->settings->journal_retention_ms,
		 .times.letters_ms = &workspace->settings->letters.retention_ms,
		 .times.changes_ms = history};
	return background_open(&workspace->background, &config, err);
}

uint64_t workspace_memory_bytes(const struct workspace *workspace)
{
	uint64_t bytes = atomic_load(&workspace->memory_bytes);
	return bytes > 0 ? bytes : serve_settings_memory_bytes(workspace->settings);
}

static enum status admit(void *context)
{
	struct workspace *workspace = context;
	if (atomic_load_explicit(&workspace->profiles_used_up, memory_order_relaxed) ||
	    atomic_load_explicit(&workspace->disk_used_up, memory_order_relaxed))
		return STATUS_NO_SPACE;
	return engine_admits(workspace->engine);
}

static void start_api(struct workspace *workspace)
{
	struct ingest_config ingest = {.journal         = workspace->journal,
	                               .vault           = workspace->vault,
	                               .partition_count = workspace->row.partition_count,
	                               .retention_ms    = workspace->row.retention_ms,
	                               .replayed_through =
	                                   workspace->journal->ops->position(workspace->journal),
	                               .admit         = admit,
	                               .admit_context = workspace};
	workspace->letters = letters_new(workspace->store, workspace->vault, workspace->journal,
	                                 &workspace->settings->letters);
	ingest.letters     = workspace->letters;
	workspace->ingest  = ingest_new(&ingest);
	workspace_set_quota(workspace);
	workspace->limits        = limits_new(&workspace->settings->limits, LIMITS_SLOTS_OF_WORKSPACE);
	struct api_config config = {.store            = workspace->store,
	                            .journal          = workspace->journal,
	                            .vault            = workspace->vault,
	                            .access           = workspace->access,
	                            .engine           = workspace->engine,
	                            .queries          = workspace->queries,
	                            .ingest           = workspace->ingest,
	                            .letters          = workspace->letters,
	                            .jobs             = workspace->background.jobs,
	                            .retention        = workspace->background.retention,
	                            .audit            = workspace->audit,
	                            .audience         = &workspace->settings->audience,
	                            .limits           = workspace->limits,
	                            .mailer           = &workspace->settings->mailer,
	                            .upload_bytes_max = workspace->settings->upload_bytes_max,
	                            .partition_count  = workspace->row.partition_count,
	                            .loop_count       = workspace->config.loop_count,
	                            .retention_ms     = ingest.retention_ms,
	                            .manual_clock     = workspace->row.manual_clock,
	                            .cors_origins     = workspace->settings->cors_origins,
	                            .public_url       = workspace->settings->public_url,
	                            .data_directory   = workspace->data,
	                            .code             = workspace->config.code,
	                            .path_prefix      = workspace->config.path_prefix,
	                            .workspaces       = workspace->config.workspaces,
	                            .released         = workspace->config.released,
	                            .released_context = workspace->config.released_context};

	if (workspace->backups != NULL)
		config.backups = &workspace->backup_source;
	workspace->api = api_new(&config);
	api_set_phase(workspace->api, API_PHASE_HOT_DATA); /* schema and statistics are there by now */
	api_preload(workspace->api);
	api_set_phase(workspace->api, API_PHASE_RULES);
}

enum status workspace_open_parts(struct workspace *workspace, struct error *err)
{
	enum status status;
	if ((status = open_directories(workspace, err)) != STATUS_OK ||
	    (status = open_store(workspace, err)) != STATUS_OK ||
	    (status = open_journal(workspace, err)) != STATUS_OK ||
	    (status = open_vault(workspace, err)) != STATUS_OK ||
	    (status = open_audit(workspace, err)) != STATUS_OK ||
	    (status = open_access(workspace, err)) != STATUS_OK ||
	    (status = open_backups(workspace, err)) != STATUS_OK ||
	    (status = start_engine(workspace, err)) != STATUS_OK ||
	    (status = open_background(workspace, err)) != STATUS_OK)
		return status;
	start_api(workspace);
	return api_load_filters(workspace->api, workspace->settings->filters, err);
}
