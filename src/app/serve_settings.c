#include "app/serve_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/log.h"
#include "base/machine.h"
#include "model/person.h"

enum { MEMORY_LIMIT_BYTES_MIN = 64 << 20, MEMORY_SHARE_PERCENT = 60 };

#define SERVE struct serve_settings
static const struct setting table[] = {
	SETTING_STRING(SERVE, data, "data", "./data",
                   "Directory of the data; made when it is absent, locked while the server runs",
                   "DIRECTORY"),
	SETTING_STRING(SERVE, keyring, "keyring", "./keyring",
                   "Directory of the keys, outside the data so that a backup never holds both",
                   "DIRECTORY"),
	SETTING_STRING(SERVE, clock, "clock", NULL,
                   "wall, or manual for tests (POST /api/v1/clock); chosen when the data is made",
                   "wall|manual"),
	SETTING_BOOL(SERVE, accept_clock, "accept-clock",
                 "Follow a wall clock that is more than an hour ahead of the journal"),
	SETTING_INT(SERVE, partitions, "partitions", "0", 0, PARTITION_COUNT_MAX,
                "Partitions, chosen when the data is made; 0: 16, or what the data has"),
	SETTING_INT(SERVE, threads, "threads", "0", 0, 256,
                "Threads of the engine; 0: one for each processor"),
	SETTING_BYTES(SERVE, memory_limit_bytes, "memory-limit", "0", 0, INT64_C(1) << 50,
                  "Memory for all that grows with data, 64MiB at least; at the limit collection "
                  "answers 503. 0: 60 % of the machine's, or of its control group's"),
	SETTING_DURATION(SERVE, retention_ms, "retention", NULL, 0, INT64_C(36500) * 86400000,
                     "How long events are kept, in whole days, chosen when the data is made; "
                     "0: 1096d, or what the data has"),
	SETTING_BYTES(SERVE, journal_file_bytes, "journal-file-bytes", "256MiB", 1 << 20,
                  INT64_C(1) << 34, "Size of one file of the journal"),
	SETTING_DURATION(SERVE, journal_retention_ms, "journal-retention", "7d", 0,
                     INT64_C(36500) * 86400000,
                     "How long files of the journal are kept at least; those that a restart or a "
                     "consumer still needs are kept in any case"),
	SETTING_BYTES(SERVE, journal_pack_bytes_s, "journal-compress-rate", "32MiB", 0,
                  INT64_C(1) << 40,
                  "Finished files of the journal are compressed, reading so much a second; 0: not"),
	SETTING_STRING(SERVE, admin_token_file, "admin-token-file", NULL,
                   "Where the first admin token is written (0600) instead of being printed",
                   "FILE"),
	SETTING_STRING(SERVE, address_file, "address-file", NULL,
                   "Where the address is written once the server listens (for port 0)", "FILE"),
	SETTING_BOOL(SERVE, take_over, "take-over",
                 "Take the sockets over from the server that runs on the data, and its place: it "
                 "finishes and ends, and no connection is refused"),
	SETTING_DURATION(SERVE, take_over_wait_ms, "take-over-wait", "30s", 0, 3600000,
                     "With sockets that were passed on: how long connections wait in them until "
                     "this server is ready; then it accepts and answers 503 until it is"),
	SETTING_STRING(SERVE, roles, "roles", "all",
                   "Parts to run: ingest, api and engine; so far only all together",
                   "ingest,api,engine"),
	SETTING_DURATION(SERVE, checkpoint_interval_ms, "checkpoint-interval", "1m", 1, 86400000,
                     "From one checkpoint of a partition to the next, while it changes"),
	SETTING_BYTES(SERVE, checkpoint_bytes_per_s, "checkpoint-bandwidth", "64MiB", 64 << 10,
                  INT64_C(1) << 40, "Bytes a second that checkpoints write at most"),
	SETTING_STRING(SERVE, config, "config", NULL,
                   "File with settings, a line \"name = value\" each", "FILE"),
	SETTING_STRING(SERVE, log_level, "log-level", "info", "debug, info, warning or error", "LEVEL"),
};
#undef SERVE

void serve_settings_of(struct serve_settings *target, struct settings ret_sets[SERVE_SETTINGS_SETS])
{
	ret_sets[0] = (struct settings){table, sizeof table / sizeof table[0], target};
	ret_sets[1] = events_settings_of(&target->events);
	ret_sets[2] = http_settings_of(&target->http);
	ret_sets[3] = backup_settings_of(&target->backup);
}

/* ---- Checks ---- */

enum serve_clock serve_settings_clock(const struct serve_settings *settings)
{
	if (settings->clock == NULL)
		return SERVE_CLOCK_ANY;
	return strcmp(settings->clock, "manual") == 0 ? SERVE_CLOCK_MANUAL : SERVE_CLOCK_WALL;
}

static bool is_role(struct text name)
{
	return text_equal(name, TEXT("ingest")) || text_equal(name, TEXT("api")) ||
	       text_equal(name, TEXT("engine"));
}

/* "all", or the three in any order. */
static enum status check_roles(const char *roles, struct error *err)
{
	unsigned count = 0;
	if (strcmp(roles, "all") == 0)
		return STATUS_OK;
	for (const char *at = roles;; at++) {
		size_t length = strcspn(at, ",");
		if (!is_role((struct text){at, length}))
			return error_set(err, STATUS_INVALID, "--roles: there is no role \"%.*s\"", (int)length,
			                 at);
		count++;
		at += length;
		if (*at == '\0')
			break;
	}
	bool all =
		count == 3 && strstr(roles, "ingest") && strstr(roles, "api") && strstr(roles, "engine");
	if (!all)
		return error_set(err, STATUS_INVALID,
		                 "--roles: this version runs all roles together only "
		                 "(ingest,api,engine)");
	return STATUS_OK;
}

static enum status set_log_level(const char *name, struct error *err)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(name, names[i]) == 0) {
			log_level_set((enum log_level)i);
			return STATUS_OK;
		}
	return error_set(err, STATUS_INVALID, "--log-level must be debug, info, warning or error");
}

static enum status check(const struct serve_settings *settings, struct error *err)
{
	enum status status;
	if (settings->clock != NULL && strcmp(settings->clock, "wall") != 0 &&
	    strcmp(settings->clock, "manual") != 0)
		return error_set(err, STATUS_INVALID, "--clock must be wall or manual");
	if (settings->retention_ms % DAY_MS != 0 ||
	    (settings->retention_ms != 0 && settings->retention_ms < 2 * DAY_MS))
		return error_set(err, STATUS_INVALID, "--retention must be whole days, at least 2d");
	if (settings->memory_limit_bytes != 0 && settings->memory_limit_bytes < MEMORY_LIMIT_BYTES_MIN)
		return error_set(err, STATUS_INVALID, "--memory-limit must be 64MiB at least, or 0");
	if (settings->data == NULL || settings->keyring == NULL || settings->http.listen == NULL)
		return error_set(err, STATUS_INVALID, "--data, --keyring and --listen must not be empty");
	if ((status = check_roles(settings->roles, err)) != STATUS_OK)
		return status;
	return set_log_level(settings->log_level, err);
}

/* ---- Reading ---- */

static enum status parse_flags(const struct settings *sets, int argc, char **argv,
                               struct error *err)
{
	char **copy = calloc((size_t)argc + 1, sizeof *copy);
	if (copy == NULL)
		abort();
	memcpy(copy, argv, (size_t)argc * sizeof *copy);
	enum status status = settings_parse_flags(sets, SERVE_SETTINGS_SETS, &argc, copy, err);
	if (status == STATUS_OK && argc > 1)
		status = error_set(err, STATUS_INVALID, "\"%s\" is no flag", copy[1]);
	free(copy);
	return status;
}

enum status serve_settings_load(struct serve_settings *settings, int argc, char **argv,
                                struct error *err)
{
	struct settings sets[SERVE_SETTINGS_SETS];
	enum status     status;
	serve_settings_of(settings, sets);
	if ((status = settings_load(sets, SERVE_SETTINGS_SETS, err)) != STATUS_OK ||
	    (status = parse_flags(sets, argc, argv, err)) != STATUS_OK)
		return status;
	if (settings->config != NULL) { /* flags win over the file, so they are read again */
		char *file = strdup(settings->config);
		if (file == NULL)
			abort();
		status = settings_load_file(sets, SERVE_SETTINGS_SETS, file, err);
		free(file);
		if (status == STATUS_OK)
			status = parse_flags(sets, argc, argv, err);
	}
	return status == STATUS_OK ? check(settings, err) : status;
}

uint64_t serve_settings_memory_bytes(const struct serve_settings *settings)
{
	return settings->memory_limit_bytes != 0 ? settings->memory_limit_bytes
	                                         : machine_memory_bytes() / 100 * MEMORY_SHARE_PERCENT;
}

void serve_settings_done(struct serve_settings *settings)
{
	struct settings sets[SERVE_SETTINGS_SETS];
	serve_settings_of(settings, sets);
	settings_done(sets, SERVE_SETTINGS_SETS);
}
