#include "app/serve_settings.h"

#include <stdlib.h>
#include <string.h>

#include "api/browser.h"
#include "base/instant.h"
#include "ingest/quota.h"
#include "base/log.h"
#include "base/machine.h"
#include "model/person.h"
#include "vault/blind.h"

enum { MEMORY_LIMIT_BYTES_MIN = 64 << 20, MEMORY_SHARE_PERCENT = 60, PUBLIC_URL_BYTES_MAX = 512 };

/* ---- Checks ---- */

static const char *text_in(const void *member)
{
	const char *text;
	memcpy(&text, member, sizeof text);
	return text;
}

static int64_t number_in(const void *member)
{
	int64_t number;
	memcpy(&number, member, sizeof number);
	return number;
}

static const char *check_named(const void *member)
{
	return text_in(member)[0] == '\0' ? "must not be empty" : NULL;
}

static const char *check_clock(const void *member)
{
	const char *clock = text_in(member);
	return strcmp(clock, "wall") != 0 && strcmp(clock, "manual") != 0 ? "must be wall or manual"
	                                                                  : NULL;
}

static const char *check_retention(const void *member)
{
	int64_t ms = number_in(member);
	return ms % DAY_MS != 0 || (ms != 0 && ms < 2 * DAY_MS) ? "must be whole days, at least 2d"
	                                                        : NULL;
}

static const char *check_history(const void *member)
{
	int64_t ms = number_in(member);
	return ms != 0 && ms < MINUTE_MS ? "must be 1m at least, or 0" : NULL;
}

static const char *check_memory(const void *member)
{
	int64_t bytes = number_in(member);
	return bytes != 0 && bytes < MEMORY_LIMIT_BYTES_MIN ? "must be 64MiB at least, or 0" : NULL;
}

/* "all", or the three in any order: the bit of each. */
static const char *check_roles(const void *member)
{
	static const char *const names[] = {"ingest", "api", "engine"};
	const char              *at      = text_in(member);
	unsigned                 there   = 0;
	if (strcmp(at, "all") == 0)
		return NULL;
	for (size_t length; *at != '\0'; at += length + (at[length] == ',')) {
		length        = strcspn(at, ",");
		unsigned role = 0;
		while (role < 3 && (strlen(names[role]) != length || memcmp(names[role], at, length) != 0))
			role++;
		if (role == 3)
			return "names a role that there is not: ingest, api, engine";
		there |= 1U << role;
	}
	return there == 7 ? NULL : "must be all: this version runs ingest,api,engine together only";
}

static const char *const level_names[] = {"debug", "info", "warning", "error"};
enum { LEVEL_COUNT = sizeof level_names / sizeof level_names[0] };

static unsigned level_of(const char *name)
{
	unsigned level = 0;
	while (level < LEVEL_COUNT && strcmp(level_names[level], name) != 0)
		level++;
	return level;
}

static const char *check_level(const void *member)
{
	return level_of(text_in(member)) == LEVEL_COUNT ? "must be debug, info, warning or error"
	                                                : NULL;
}

static const char *check_url(const void *member)
{
	struct text url = text_of(text_in(member));
	bool http = text_starts_with(url, TEXT("https://")) || text_starts_with(url, TEXT("http://"));
	if (!http || text_ends_with(url, TEXT("/")) || url.length > PUBLIC_URL_BYTES_MAX)
		return "must begin with https:// or http:// and not end with /";
	for (size_t i = 0; i < url.length; i++)
		if ((unsigned char)url.data[i] <= ' ' || strchr("\"<>?#\\", url.data[i]) != NULL)
			return "must be an address without blanks, query and fragment";
	return NULL;
}

static const char *check_variable(const void *member)
{
	const char *name = text_in(member);
	return name[0] == '\0' || strlen(name) > 200 || strchr(name, '=') != NULL
	           ? "must be the name of a variable"
	           : NULL;
}

static const char *check_country(const void *member)
{
	struct text country = text_of(text_in(member));
	if (country.length < 1 || country.length > BLIND_COUNTRY_DIGITS_MAX || country.data[0] == '0')
		return "must be the digits of a country calling code, such as 82";
	for (size_t i = 0; i < country.length; i++)
		if (country.data[i] < '0' || country.data[i] > '9')
			return "must be the digits of a country calling code, such as 82";
	return NULL;
}

/* ---- The table ---- */

#define SERVE struct serve_settings
static const struct setting table[] = {
	SETTING_STRING(SERVE, data, "data", "./data",
                   "Directory of the data; made when it is absent, locked while the server runs",
                   "DIRECTORY", .check = check_named),
	SETTING_STRING(SERVE, keyring, "keyring", "./keyring",
                   "Directory of the keys, outside the data so that a backup never holds both",
                   "DIRECTORY", .check = check_named),
	SETTING_STRING(SERVE, master_key_command, "master-key-command", NULL,
                   "Command that prints the keyring's master key, which then lies in no file",
                   "COMMAND", .check = check_named),
	SETTING_STRING(SERVE, master_key_env, "master-key-env", NULL,
                   "Variable of the environment that holds the master key; NAME_PREVIOUS: the one "
                   "that it replaces",
                   "NAME", .check = check_variable),
	SETTING_STRING(SERVE, phone_country, "phone-country", "82",
                   "Country calling code of telephone numbers that are written without one",
                   "DIGITS", .check = check_country),
	SETTING_STRING(SERVE, clock, "clock", NULL,
                   "wall, or manual for tests (POST /api/v1/clock); chosen when the data is made",
                   "wall|manual", .check = check_clock),
	SETTING_BOOL(SERVE, accept_clock, "accept-clock",
                 "Follow a wall clock that is more than an hour ahead of the journal"),
	SETTING_INT(SERVE, partitions, "partitions", "0", 0, PARTITION_COUNT_MAX,
                "Partitions, chosen when the data is made; 0: 16, or what the data has"),
	SETTING_INT(SERVE, threads, "threads", "0", 0, 256,
                "Threads of the engine; 0: one for each processor"),
	SETTING_BYTES(SERVE, memory_limit_bytes, "memory-limit", "0", 0, INT64_C(1) << 50,
                  "Memory for all that grows with data, 64MiB at least; at the limit collection "
                  "answers 503. 0: 60 % of the machine's, or of its control group's",
                  .live = true, .check = check_memory),
	SETTING_DURATION(SERVE, retention_ms, "retention", NULL, 0, INT64_C(36500) * 86400000,
                     "How long events are kept, in whole days, chosen when the data is made; "
                     "0: 1096d, or what the data has",
                     .check = check_retention),
	SETTING_BYTES(SERVE, journal_file_bytes, "journal-file-bytes", "256MiB", 1 << 20,
                  INT64_C(1) << 34, "Size of one file of the journal"),
	SETTING_DURATION(SERVE, journal_retention_ms, "journal-retention", "7d", 0,
                     INT64_C(36500) * 86400000,
                     "How long files of the journal are kept at least; those that a restart or a "
                     "consumer still needs are kept in any case",
                     .live = true),
	SETTING_DURATION(SERVE, history_retention_ms, "history-retention", "0s", 0,
                     INT64_C(36500) * 86400000,
                     "How long the change stream and the histories of segments reach back, 1m at "
                     "least; what a restart or a consumer still needs is kept in any case. 0: to "
                     "the begin",
                     .check = check_history),
	SETTING_BYTES(SERVE, journal_pack_bytes_s, "journal-compress-rate", "32MiB", 0,
                  INT64_C(1) << 40,
                  "Finished files of the journal are compressed, reading so much a second; 0: not",
                  .live = true),
	SETTING_STRING(SERVE, admin_token_file, "admin-token-file", NULL,
                   "Where the first admin token is written (0600) instead of being printed",
                   "FILE"),
	SETTING_STRING(SERVE, setup_token_file, "setup-token-file", NULL,
                   "Where the token is written (0600) with which the first person registers, "
                   "instead of being printed; with admin-token-file and without this there is none",
                   "FILE"),
	SETTING_STRING(SERVE, address_file, "address-file", NULL,
                   "Where the address is written once the server listens (for port 0)", "FILE"),
	SETTING_STRING(SERVE, public_url, "public-url", NULL,
                   "What addresses of this server begin with for others, such as "
                   "https://cdp.example.com; else where it listens",
                   "URL", .check = check_url),
	SETTING_STRING(SERVE, cors_origins, "cors-origins", NULL,
                   "Origins whose pages may use the API, such as https://app.example.com; those of "
                   "sources are settings of theirs",
                   "ORIGIN,…", .check = browser_check_origins),
	SETTING_INT(SERVE, quota_day, "quota-day", "0", 0, QUOTA_EVENTS_MAX,
                "Events that a workspace takes in a day (UTC), of all its sources; then 429 until "
                "the next. 0: any number",
                .live = true),
	SETTING_INT(SERVE, quota_month, "quota-month", "0", 0, QUOTA_EVENTS_MAX, "The same in a month",
                .live = true),
	SETTING_STRING(SERVE, filters, "filters", NULL,
                   "File with own filters of audiences (docs/filters.md)", "FILE"),
	SETTING_DURATION(SERVE, workspace_idle_ms, "workspace-idle", "15m", 1000,
                     INT64_C(366) * 86400000,
                     "A workspace other than the default one that nobody uses for so long is "
                     "closed until somebody does",
                     .live = true),
	SETTING_INT(SERVE, workspaces_open_max, "workspaces-open-max", "32", 1, 1000,
                "Workspaces other than the default one that may be open at a time", .live = true),
	SETTING_BOOL(SERVE, take_over, "take-over",
                 "Take the sockets over from the server that runs on the data, and its place: it "
                 "finishes and ends, and no connection is refused"),
	SETTING_DURATION(SERVE, take_over_wait_ms, "take-over-wait", "30s", 0, 3600000,
                     "With sockets that were passed on: how long connections wait in them until "
                     "this server is ready; then it accepts and answers 503 until it is"),
	SETTING_STRING(SERVE, roles, "roles", "all",
                   "Parts to run: ingest, api and engine; so far only all together",
                   "ingest,api,engine", .check = check_roles),
	SETTING_DURATION(SERVE, checkpoint_interval_ms, "checkpoint-interval", "1m", 1, 86400000,
                     "From one checkpoint of a partition to the next, while it changes"),
	SETTING_BYTES(SERVE, checkpoint_bytes_per_s, "checkpoint-bandwidth", "64MiB", 64 << 10,
                  INT64_C(1) << 40, "Bytes a second that checkpoints write at most"),
	SETTING_BYTES(SERVE, upload_bytes_max, "upload-limit", "64GiB", 1 << 20, INT64_C(1) << 50,
                  "Size of one file that is uploaded to be imported"),
	SETTING_STRING(SERVE, config, "config", NULL,
                   "File with settings, a line \"name = value\" each", "FILE"),
	SETTING_STRING(SERVE, log_level, "log-level", "info", "debug, info, warning or error", "LEVEL",
                   .live = true, .check = check_level),
};
#undef SERVE

void serve_settings_of(struct serve_settings *target, struct settings ret_sets[SERVE_SETTINGS_SETS])
{
	ret_sets[0]  = (struct settings){table, sizeof table / sizeof table[0], target};
	ret_sets[1]  = events_settings_of(&target->events);
	ret_sets[2]  = http_settings_of(&target->http);
	ret_sets[3]  = backup_settings_of(&target->backup);
	ret_sets[4]  = job_settings_of(&target->jobs);
	ret_sets[5]  = letters_settings_of(&target->letters);
	ret_sets[6]  = audience_settings_of(&target->audience);
	ret_sets[7]  = audit_settings_of(&target->audit);
	ret_sets[8]  = access_settings_of(&target->access);
	ret_sets[9]  = mailer_settings_of(&target->mailer);
	ret_sets[10] = limits_settings_of(&target->limits);
}

enum serve_clock serve_settings_clock(const struct serve_settings *settings)
{
	if (settings->clock == NULL)
		return SERVE_CLOCK_ANY;
	return strcmp(settings->clock, "manual") == 0 ? SERVE_CLOCK_MANUAL : SERVE_CLOCK_WALL;
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
	return status;
}

enum log_level serve_settings_log_level(const struct serve_settings *settings)
{
	return (enum log_level)level_of(settings->log_level);
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
