#ifndef SONNIM_APP_WORKSPACE_INTERNAL_H
#define SONNIM_APP_WORKSPACE_INTERNAL_H

/* What workspace.c (life) and workspace_parts.c (what it consists of) share. */

#include <stdatomic.h>

#include "app/background/background.h"
#include "app/background/backup_source.h"
#include "app/workspace/workspace.h"
#include "engine/apply/indexed.h"
#include "privacy/privacy.h"
#include "transfer/transfer.h"

struct workspace {
	struct workspace_config      config;
	const struct serve_settings *settings;     /* the config's */
	_Atomic uint64_t             memory_bytes; /* 0: the settings' */
	_Atomic uint64_t             profiles_max; /* 0: no limit */
	_Atomic bool                 profiles_used_up;
	_Atomic bool                 disk_used_up;
	int                          lock_fd;
	char                        *data;
	struct store                *store;
	struct store_workspace       row;
	struct journal              *journal;
	struct vault                *vault;
	struct audit                *audit;
	struct access               *access;
	struct backups              *backups; /* NULL: none are made */
	struct api_backups           backup_source;
	struct unsealer              unsealer;
	struct engine               *engine;
	struct queries              *queries;
	struct letters              *letters;
	struct ingest               *ingest;
	struct ingest_thread        *finisher; /* of merges that an end has interrupted */
	struct limits               *limits;
	struct api                  *api;
	struct definitions          *definitions;
	struct background            background;
	struct transfer              transfer;
	struct privacy               privacy;
};

/* What it may hold. */
uint64_t workspace_memory_bytes(const struct workspace *workspace);

/* What its sources together may send, as the settings say now. */
void workspace_set_quota(struct workspace *workspace);

/* Opens all of them in the order in which they need each other; the api is not open yet. */
MUST_USE enum status workspace_open_parts(struct workspace *workspace, struct error *err);

#endif
