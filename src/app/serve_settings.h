#ifndef SONNIM_APP_SERVE_SETTINGS_H
#define SONNIM_APP_SERVE_SETTINGS_H

/* What `sonnim serve` can be told: by flag, environment, file and default, in this order of
 * precedence (base/settings.h). */

#include "access/access.h"
#include "base/log.h"
#include "backup/settings.h"
#include "base/settings.h"
#include "events/settings.h"
#include "http/server.h"
#include "api/access/mailer.h"
#include "api/audience/audience_settings.h"
#include "audit/audit.h"
#include "ingest/letters.h"
#include "job/job.h"
#include "limit/limits.h"

struct serve_settings {
	char    *data;
	char    *keyring;
	char    *master_key_command;
	char    *master_key_env;
	char    *phone_country;
	char    *clock;
	bool     accept_clock;
	int64_t  partitions;
	int64_t  threads;
	uint64_t memory_limit_bytes;
	int64_t  retention_ms;
	uint64_t journal_file_bytes;
	int64_t  journal_retention_ms;
	int64_t  history_retention_ms; /* 0: for ever */
	uint64_t journal_pack_bytes_s;
	char    *admin_token_file;
	char    *setup_token_file;
	char    *address_file;
	char    *public_url; /* NULL: where it listens */
	char    *cors_origins;
	int64_t  quota_day; /* events; 0: any number */
	int64_t  quota_month;
	char    *filters;
	int64_t  workspace_idle_ms;
	int64_t  workspaces_open_max;
	bool     take_over;
	int64_t  take_over_wait_ms;
	char    *roles;
	int64_t  checkpoint_interval_ms;
	uint64_t checkpoint_bytes_per_s;
	uint64_t upload_bytes_max;
	char    *config;
	char    *log_level;

	struct events_settings   events;
	struct backup_settings   backup;
	struct http_settings     http;
	struct job_settings      jobs;
	struct letters_settings  letters;
	struct audience_settings audience;
	struct audit_settings    audit;
	struct access_settings   access;
	struct mailer_settings   mailer;
	struct limits_settings   limits;
};

enum { SERVE_SETTINGS_SETS = 11 };

/* The tables over `target`, for help and documentation too. */
void serve_settings_of(struct serve_settings *target,
                       struct settings        ret_sets[SERVE_SETTINGS_SETS]);

/* Reads everything that there is to read into a zeroed target and checks it. `argv[0]` is the
 * command's name. STATUS_INVALID: what is wrong and where. */
MUST_USE enum status serve_settings_load(struct serve_settings *settings, int argc, char **argv,
                                         struct error *err);
void                 serve_settings_done(struct serve_settings *settings);

/* The memory limit: as set, or a share of what there is. */
uint64_t serve_settings_memory_bytes(const struct serve_settings *settings);

enum log_level serve_settings_log_level(const struct serve_settings *settings);

/* "manual" was asked for, "wall", or nothing. */
enum serve_clock { SERVE_CLOCK_ANY, SERVE_CLOCK_WALL, SERVE_CLOCK_MANUAL };
enum serve_clock serve_settings_clock(const struct serve_settings *settings);

#endif
