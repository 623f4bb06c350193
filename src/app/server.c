#include "app/server.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "app/background/background.h"
#include "app/background/backup_source.h"
#include "audit/audit.h"
#include "backup/backups.h"
#include "backup/restore.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/log.h"
#include "base/machine.h"
#include "engine/definition/definition.h"
#include "engine/engine.h"
#include "ingest/ingest.h"
#include "ingest/letters.h"
#include "journal/file_log.h"
#include "query/query.h"
#include "store/sqlite.h"
#include "transfer/transfer.h"
#include "vault/vault.h"

enum { PARTITION_COUNT_DEFAULT = 16, UUID_BYTES = 16 };

#define RETENTION_MS_DEFAULT (1096 * DAY_MS)

struct server {
	const struct serve_settings *settings;
	const struct sockets        *sockets; /* passed ones */
	int                          lock_fd;
	char                        *data;
	struct store                *store;
	struct store_workspace       workspace;
	struct journal              *journal;
	struct vault                *vault;
	struct audit                *audit;
	struct access               *access;
	struct backups              *backups; /* NULL: none are made */
	struct api_backups           backup_source;
	struct engine               *engine;
	struct queries              *queries;
	struct letters              *letters;
	struct ingest               *ingest;
	struct ingest_thread        *finisher; /* of merges that an end has interrupted */
	struct api                  *api;
	struct http_server          *http;
	struct definitions          *definitions;
	struct background            background;
	struct transfer              transfer;
};

static enum status path_in(const struct server *server, const char *name, char into[PATH_MAX],
                           struct error *err)
{
	if (snprintf(into, PATH_MAX, "%s/%s", server->data, name) >= PATH_MAX)
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
static enum status open_directories(struct server *server, struct error *err)
{
	const struct serve_settings *settings  = server->settings;
	bool                         was_there = access(settings->keyring, F_OK) == 0;
	enum status                  status;
	if ((status = directory_create(settings->data, 0700, err)) != STATUS_OK ||
	    (status = directory_lock(settings->data, &server->lock_fd, err)) != STATUS_OK ||
	    (status = directory_create(settings->keyring, 0700, err)) != STATUS_OK)
		return status;
	server->data = realpath(settings->data, NULL);
	if (server->data == NULL)
		return error_set(err, STATUS_IO, "cannot find the data directory %s", settings->data);
	status = check_apart(server->data, settings->keyring, err);
	if (status != STATUS_OK && !was_there)
		(void)rmdir(settings->keyring);
	return status == STATUS_OK ? restore_check(server->data, err) : status;
}

/* ---- Parts ---- */

static enum status open_store(struct server *server, struct error *err)
{
	const struct serve_settings *settings  = server->settings;
	struct store_workspace      *workspace = &server->workspace;
	char                         path[PATH_MAX];
	bool                         created;
	enum status                  status;
	if ((status = path_in(server, "store.db", path, err)) != STATUS_OK ||
	    (status = sqlite_store_open(path, &server->store, err)) != STATUS_OK)
		return status;
	uuid_new(workspace->id);
	workspace->partition_count =
		settings->partitions != 0 ? (uint32_t)settings->partitions : PARTITION_COUNT_DEFAULT;
	workspace->created_ms = clock_wall_ms();
	workspace->retention_ms =
		settings->retention_ms != 0 ? settings->retention_ms : RETENTION_MS_DEFAULT;
	workspace->manual_clock = serve_settings_clock(settings) == SERVE_CLOCK_MANUAL;
	bool manual             = workspace->manual_clock;
	status = server->store->ops->workspace_open(server->store, workspace, &created, err);
	if (status != STATUS_OK)
		return status;
	if (settings->partitions != 0 && settings->partitions != workspace->partition_count)
		return error_set(err, STATUS_INVALID,
		                 "--partitions is chosen when the data is made: this one has %u",
		                 workspace->partition_count);
	if (settings->retention_ms != 0 && settings->retention_ms != workspace->retention_ms)
		return error_set(err, STATUS_INVALID,
		                 "--retention is chosen when the data is made: this one has %lldd",
		                 (long long)(workspace->retention_ms / DAY_MS));
	if (serve_settings_clock(settings) != SERVE_CLOCK_ANY && manual != workspace->manual_clock)
		return error_set(err, STATUS_INVALID,
		                 "--clock is chosen when the data is made: this one has %s",
		                 workspace->manual_clock ? "manual" : "wall");
	return STATUS_OK;
}

static void workspace_bytes(const struct store_workspace *workspace, uint8_t into[UUID_BYTES])
{
	char   digits[2 * UUID_BYTES + 1];
	size_t length = 0;
	for (const char *at = workspace->id; *at != '\0' && length < sizeof digits - 1; at++)
		if (*at != '-')
			digits[length++] = *at;
	bool valid = hash_unhex((struct text){digits, length}, into, UUID_BYTES);
	assert(valid); /* the store keeps UUIDs */
}

static enum status open_journal(struct server *server, struct error *err)
{
	char                   path[PATH_MAX];
	struct file_log_config config = {.directory    = path,
	                                 .file_bytes   = server->settings->journal_file_bytes,
	                                 .retention_ms = server->settings->journal_retention_ms,
	                                 .pack_bytes_s = server->settings->journal_pack_bytes_s,
	                                 .clock = server->workspace.manual_clock ? LOG_CLOCK_MANUAL
	                                                                         : LOG_CLOCK_WALL,
	                                 .accept_clock = server->settings->accept_clock};
	enum status            status = path_in(server, "journal", path, err);
	workspace_bytes(&server->workspace, config.workspace_id);
	return status != STATUS_OK ? status : file_log_open(&config, &server->journal, err);
}

static enum status open_vault(struct server *server, struct error *err)
{
	char                path[PATH_MAX];
	struct vault_config config = {.directory         = path,
	                              .keyring_directory = server->settings->keyring,
	                              .partition_count   = server->workspace.partition_count};
	enum status         status = path_in(server, "vault", path, err);
	workspace_bytes(&server->workspace, config.workspace_id);
	return status != STATUS_OK ? status : vault_open(&config, &server->vault, err);
}

/* Behind the vault, which has made the keyring and holds its lock. */
static enum status open_audit(struct server *server, struct error *err)
{
	char                path[PATH_MAX];
	struct audit_config config = {.directory         = path,
	                              .keyring_directory = server->settings->keyring,
	                              .settings          = &server->settings->audit};
	enum status         status = path_in(server, "audit", path, err);
	workspace_bytes(&server->workspace, config.workspace_id);
	return status != STATUS_OK ? status : audit_open(&config, &server->audit, err);
}

static enum status open_access(struct server *server, struct error *err)
{
	const struct serve_settings *settings = server->settings;
	const struct access_config   config   = {
			.store             = server->store,
			.vault             = server->vault,
			.keyring_directory = settings->keyring,
			.issuer            = settings->public_url != NULL ? settings->public_url : "sonnim",
			.audience          = server->workspace.id,
			.settings          = &settings->access};
	return access_open(&config, &server->access, err);
}

/* A backup beside what it is a copy of would be lost with it. */
static enum status check_backup_directory(const struct server *server, struct error *err)
{
	const char *directory = server->settings->backup.directory;
	enum status status    = directory_create(directory, 0700, err);
	char       *real      = status == STATUS_OK ? realpath(directory, NULL) : NULL;
	if (real != NULL && (lies_within(real, server->data) || lies_within(server->data, real)))
		status = error_set(err, STATUS_INVALID,
		                   "--backup-directory must lie outside --data, and not around it");
	free(real);
	return status;
}

static enum status open_backups(struct server *server, struct error *err)
{
	struct backups_config config = {.data            = server->data,
	                                .settings        = &server->settings->backup,
	                                .journal         = server->journal,
	                                .vault           = server->vault,
	                                .store           = server->store,
	                                .partition_count = server->workspace.partition_count};
	if (server->settings->backup.directory == NULL)
		return STATUS_OK;
	workspace_bytes(&server->workspace, config.workspace_id);
	enum status status = check_backup_directory(server, err);
	if (status == STATUS_OK)
		status = backups_open(&config, &server->backups, err);
	server->backup_source = backup_source_of(server->backups);
	return status;
}

static unsigned thread_count(int64_t wanted)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	return wanted != 0 ? (unsigned)wanted : processors > 0 ? (unsigned)processors : 1;
}

static enum status start_engine(struct server *server, struct error *err)
{
	const struct serve_settings *settings   = server->settings;
	uint32_t                     partitions = server->workspace.partition_count;
	unsigned                     threads    = thread_count(settings->threads);

	char        checkpoints[PATH_MAX];
	enum status status = path_in(server, "checkpoints", checkpoints, err);
	if (status != STATUS_OK)
		return status;
	char events[PATH_MAX];
	if ((status = path_in(server, "events", events, err)) != STATUS_OK)
		return status;
	struct engine_config config = {
		.journal                = server->journal,
		.partition_count        = partitions,
		.thread_count           = threads < partitions ? threads : partitions,
		.retention_ms           = server->workspace.retention_ms,
		.memory_limit_bytes     = serve_settings_memory_bytes(settings),
		.checkpoint_directory   = checkpoints,
		.checkpoint_interval_ms = settings->checkpoint_interval_ms,
		.checkpoint_bytes_per_s = settings->checkpoint_bytes_per_s,
		.events_directory       = events,
		.events                 = &settings->events,
	};
	workspace_bytes(&server->workspace, config.workspace_id);
	status = engine_start(&config, &server->engine, err);
	return status == STATUS_OK ? queries_start(server->engine, &server->queries, err) : status;
}

static enum status open_background(struct server *server, struct error *err)
{
	const int64_t           *history = server->settings->history_retention_ms == 0
	                                       ? NULL
	                                       : &server->settings->history_retention_ms;
	struct background_config config  = {.settings         = &server->settings->jobs,
	                                    .data             = server->data,
	                                    .store            = server->store,
	                                    .journal          = server->journal,
	                                    .backups          = server->backups,
	                                    .backup_settings  = &server->settings->backup,
	                                    .engine           = server->engine,
	                                    .audit            = server->audit,
	                                    .audit_ms         = &server->settings->audit.retention_ms,
	                                    .times.events_ms  = &server->workspace.retention_ms,
	                                    .times.journal_ms = &server->settings->journal_retention_ms,
	                                    .times.letters_ms = &server->settings->letters.retention_ms,
	                                    .times.changes_ms = history};
	return background_open(&server->background, &config, err);
}

static enum status admit(void *context) { return engine_admits(context); }

static void start_api(struct server *server)
{
	const struct http_settings *http   = &server->settings->http;
	size_t                      passed = server->sockets->count;
	struct ingest_config        ingest = {.journal         = server->journal,
	                                      .vault           = server->vault,
	                                      .partition_count = server->workspace.partition_count,
	                                      .retention_ms    = server->workspace.retention_ms,
	                                      .replayed_through =
	                                          server->journal->ops->position(server->journal),
	                                      .admit         = admit,
	                                      .admit_context = server->engine};
	server->letters =
		letters_new(server->store, server->vault, server->journal, &server->settings->letters);
	ingest.letters           = server->letters;
	server->ingest           = ingest_new(&ingest);
	struct api_config config = {.store            = server->store,
	                            .journal          = server->journal,
	                            .vault            = server->vault,
	                            .access           = server->access,
	                            .engine           = server->engine,
	                            .queries          = server->queries,
	                            .ingest           = server->ingest,
	                            .letters          = server->letters,
	                            .jobs             = server->background.jobs,
	                            .retention        = server->background.retention,
	                            .audit            = server->audit,
	                            .audience         = &server->settings->audience,
	                            .mailer           = &server->settings->mailer,
	                            .upload_bytes_max = server->settings->upload_bytes_max,
	                            .partition_count  = server->workspace.partition_count,
	                            .loop_count       = http_loop_count(http, passed),
	                            .retention_ms     = ingest.retention_ms,
	                            .manual_clock     = server->workspace.manual_clock,
	                            .public_url       = server->settings->public_url,
	                            .data_directory   = server->data};

	if (server->backups != NULL)
		config.backups = &server->backup_source;
	server->api = api_new(&config);
	api_set_phase(server->api, API_PHASE_HOT_DATA); /* schema and statistics are there by now */
	api_preload(server->api);
	api_set_phase(server->api, API_PHASE_RULES);
}

/* ---- Life ---- */

enum status server_start(const struct serve_settings *settings, const struct sockets *sockets,
                         struct server **ret_server, struct error *err)
{
	struct server *server = calloc(1, sizeof *server);
	enum status    status;
	assert(server != NULL);
	server->settings = settings;
	server->sockets  = sockets;
	server->lock_fd  = -1;
	if ((status = open_directories(server, err)) != STATUS_OK ||
	    (status = open_store(server, err)) != STATUS_OK ||
	    (status = open_journal(server, err)) != STATUS_OK ||
	    (status = open_vault(server, err)) != STATUS_OK ||
	    (status = open_audit(server, err)) != STATUS_OK ||
	    (status = open_access(server, err)) != STATUS_OK ||
	    (status = open_backups(server, err)) != STATUS_OK ||
	    (status = start_engine(server, err)) != STATUS_OK ||
	    (status = open_background(server, err)) != STATUS_OK) {
		server_stop(server, false);
		return status;
	}
	start_api(server);
	if ((status = api_load_filters(server->api, settings->filters, err)) != STATUS_OK) {
		server_stop(server, false);
		return status;
	}
	*ret_server = server;
	return STATUS_OK;
}

enum status server_accept(struct server *server, struct error *err)
{
	struct http_server_config config = {.settings      = &server->settings->http,
	                                    .router        = api_router(server->api),
	                                    .error_body    = api_error_body,
	                                    .before_answer = api_before_answer,
	                                    .user          = server->api,
	                                    .sockets       = server->sockets->fds,
	                                    .socket_count  = server->sockets->count};
	enum status               status = http_server_start(&config, &server->http, err);
	if (status == STATUS_OK)
		api_set_server(server->api, server->http);
	return status;
}

bool server_accepts(const struct server *server) { return server->http != NULL; }

void server_sockets(const struct server *server, struct sockets *ret_sockets)
{
	ret_sockets->count = http_server_sockets(server->http, ret_sockets->fds);
}

const char *server_address(const struct server *server)
{
	return http_server_address(server->http);
}

const char *server_directory(const struct server *server) { return server->data; }

enum status server_replayed(struct server *server, struct error *err)
{
	struct engine_status status;
	engine_status(server->engine, &status);
	if (status.failed) {
		*err = status.error;
		return status.error.status;
	}
	if (status.loaded)
		api_set_phase(server->api, API_PHASE_REPLAY);
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

static enum status make_first(struct server *server, struct server_first *ret_first,
                              struct error *err)
{
	struct store       *store = server->store;
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
	api_write_key_new(ret_first->write_key);
	source.write_key  = text_of(ret_first->write_key);
	source.updated_ms = source.created_ms;
	if ((status = store->ops->source_put(store, &source, true, err)) != STATUS_OK)
		return status;

	struct store_token token = {.name       = TEXT("first admin token"),
	                            .scopes     = TEXT("admin"),
	                            .created_ms = clock_wall_ms(),
	                            .expires_ms = INSTANT_MS_NEVER};
	uuid_new(token.id);
	api_token_new(ret_first->token, token.hash);
	if ((status = keep_token(server->settings->admin_token_file, ret_first->token, err)) !=
	    STATUS_OK)
		return status; /* a token that nobody learns is of no use */
	return store->ops->token_add(store, &token, err);
}

static void finish_merge(void *context, const struct vault_merge *merge)
{
	struct server *server = context;
	if (!engine_merged(server->engine, merge->visitor))
		ingest_merge(server->ingest, merge);
}

static void register_transfer(struct server *server)
{
	server->transfer = (struct transfer){.journal         = server->journal,
	                                     .vault           = server->vault,
	                                     .engine          = server->engine,
	                                     .queries         = server->queries,
	                                     .store           = server->store,
	                                     .ingest          = server->ingest,
	                                     .partition_count = server->workspace.partition_count};
	transfer_register(&server->transfer, server->background.jobs);
}

/* What no request asks for, into the audit trail. It has happened in any case: the log says where
 * the trail could not be told. */
static void note(struct server *server, const char *action, const char *details)
{
	struct error              err    = {0};
	const struct audit_record record = {.action      = text_of(action),
	                                    .actor       = TEXT("system:server"),
	                                    .details     = text_of(details),
	                                    .result_size = -1};
	if (audit_note(server->audit, &record, &err) != STATUS_OK)
		log_error("the audit trail could not be told", &err);
}

/* Once, behind a restore. */
static enum status tell_restored(struct server *server, struct error *err)
{
	bool        first;
	int64_t     reaches_ms;
	enum status status = restore_first_start(server->data, &first, &reaches_ms, err);
	if (status != STATUS_OK || !first)
		return status;
	status = api_restored(server->api, reaches_ms, err);
	if (status == STATUS_OK)
		status = jobs_restored(server->background.jobs, err);
	if (status == STATUS_OK) /* what was ended meanwhile must not come back */
		status = server->store->ops->session_expire(server->store, INSTANT_MS_NEVER, err);
	if (status == STATUS_OK)
		note(server, "backup.restored", "{}");
	return status == STATUS_OK ? restore_started(server->data, err) : status;
}

enum status server_open(struct server *server, struct server_first *ret_first, struct error *err)
{
	const struct definition_watch watch = backfill_watch(&server->background.backfill);
	enum status                   status;
	for (uint32_t p = 0; p < server->workspace.partition_count; p++)
		vault_reserve(server->vault, p, engine_slot_count(server->engine, p));
	server->finisher = ingest_thread_new(server->ingest);
	vault_each_merge(server->vault, finish_merge, server);
	ingest_finish_merges(server->finisher);
	*ret_first = (struct server_first){0};
	if ((status = make_first(server, ret_first, err)) != STATUS_OK ||
	    (status = definitions_start(server->engine, server->journal, server->store,
	                                server->workspace.partition_count, &watch, &server->definitions,
	                                err)) != STATUS_OK)
		return status;
	backfill_open(&server->background.backfill, server->definitions);
	register_transfer(server);
	if ((status = tell_restored(server, err)) != STATUS_OK ||
	    (status = api_load(server->api, err)) != STATUS_OK ||
	    (status = background_start(&server->background, err)) != STATUS_OK)
		return status;
	note(server, "server.start", "{\"version\":\"" SONNIM_VERSION "\"}");
	api_open(server->api, server->definitions);
	return STATUS_OK;
}

/* A process that the system is about to kill takes nothing more, whatever it has counted. */
enum { EXHAUSTED_PERCENT = 90 };

void server_watch_memory(struct server *server)
{
	struct vault_status       vault;
	struct queries_status     queries;
	struct http_server_counts http = http_server_counts(server->http);
	vault_status(server->vault, &vault);
	queries_status(server->queries, &queries);
	engine_note_memory(server->engine,
	                   vault.memory_bytes + queries.memory_bytes + http.bodies_bytes,
	                   machine_used_bytes() > machine_memory_bytes() / 100 * EXHAUSTED_PERCENT);
}

void server_reload(struct server *server)
{
	const struct serve_settings *settings = server->settings;
	log_level_set(serve_settings_log_level(settings));
	engine_set_memory_limit(server->engine, serve_settings_memory_bytes(settings));
	file_log_set_keeping(server->journal, settings->journal_retention_ms,
	                     settings->journal_pack_bytes_s);
	http_server_set_limits(server->http, &settings->http);
	note(server, "settings.reload", "{}");
}

/* The order is that in which nobody calls into what is gone: while everything still runs, the calls
 * on their way are answered; then whatever has threads that answer ends, and last the server. */
void server_stop(struct server *server, bool outlived)
{
	if (server == NULL)
		return;
	if (server->http != NULL && outlived)
		http_server_retire(server->http);
	else if (server->http != NULL)
		http_server_stop(server->http);
	if (server->api != NULL)
		api_stop(server->api);
	background_stop(&server->background);
	if (server->definitions != NULL)
		definitions_stop(server->definitions);
	if (server->engine != NULL)
		engine_stop(server->engine);
	queries_stop(server->queries);
	letters_free(server->letters);
	backups_close(server->backups);
	if (server->http != NULL)
		note(server, "server.stop", outlived ? "{\"handed_over\":true}" : "{}");
	audit_close(server->audit);
	if (server->journal != NULL)
		server->journal->ops->free(server->journal);
	if (server->vault != NULL)
		vault_close(server->vault);
	http_server_free(server->http);
	api_free(server->api);
	access_close(server->access);
	ingest_thread_free(server->finisher);
	if (server->ingest != NULL)
		ingest_free(server->ingest);
	background_done(&server->background);
	if (server->store != NULL)
		server->store->ops->free(server->store);
	if (server->lock_fd >= 0)
		close(server->lock_fd);
	free(server->data);
	free(server);
}
