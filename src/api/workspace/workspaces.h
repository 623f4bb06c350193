#ifndef SONNIM_API_WORKSPACES_H
#define SONNIM_API_WORKSPACES_H

/* What the API of the home workspace knows of the others: the application has them
 * (app/workspace/directory.h) and says how to reach them.
 *
 *   request ─┬─ /w/{slug}/… ──────────────────► by slug ─┐
 *            └─ a credential with their code ─► by code ─┴► find() ─► serve() ─► its own api
 *                                                             └─ closed: closed.h
 *
 * Threads: any. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/workspace/credential.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

enum {
	WORKSPACES_MAX           = 1000,
	WORKSPACE_SLUG_BYTES_MAX = 40,
	WORKSPACE_NAME_BYTES_MAX = 128,
};

/* By which the home workspace may be named in a path too. */
#define WORKSPACE_HOME_SLUG "default"
#define WORKSPACE_PREFIX    "/w/{workspace}"

struct api;
struct api_route;
struct http_request;

/* 0: no limit, but for memory, which has a default. */
struct workspace_limits {
	int64_t memory_bytes;
	int64_t disk_bytes;
	int64_t profiles; /* that may be known at a time */
};

/* X(member, name, smallest) */
#define WORKSPACE_LIMITS(X)                                                                        \
	X(memory_bytes, "memoryBytes", 32 << 20)                                                       \
	X(disk_bytes, "diskBytes", 64 << 20)                                                           \
	X(profiles, "profiles", 1)

struct api_workspace {
	char                    id[UUID_TEXT_BYTES];
	char                    code[WORKSPACE_CODE_BYTES];
	struct text             slug;
	struct text             name;
	const char             *state; /* "active", "deleting", "failed" */
	bool                    open;  /* runs now */
	struct workspace_limits limits;
	uint32_t                partition_count;
	int64_t                 retention_ms;
	uint32_t                version;
	int64_t                 created_ms;
	int64_t                 updated_ms;
};

struct workspace_wish {
	struct text                    slug;
	struct text                    name;
	const struct workspace_limits *limits;       /* NULL: stay, or none */
	uint32_t                       partitions;   /* 0: the default */
	int64_t                        retention_ms; /* 0: the default */
};

/* What its first administrator gets, once. */
struct workspace_keys {
	char token[64];
	char write_key[64];
};

struct workspace_counts {
	uint64_t all;
	uint64_t open;
	uint64_t failed;  /* could not be opened when they were last asked for */
	uint64_t opened;  /* since the start */
	uint64_t closed;  /* for lack of use, since the start */
	uint64_t refused; /* requests that waited in vain, since the start */
	uint64_t memory_bytes;
};

/* Of one that does not run. */
struct workspace_closed {
	char code[WORKSPACE_CODE_BYTES];
	bool failed; /* it could not be opened when it was last asked for */
	struct text
		public_keys; /* what it said of its signing keys when it was open; NULL: not known */
};

enum workspace_by { WORKSPACE_BY_SLUG, WORKSPACE_BY_CODE, WORKSPACE_BY_ID };

struct api_workspaces {
	void *context;

	/* One that is there, held until it has served a request or was left; NULL: there is none. Never
	 * waits. */
	void *(*find)(void *context, enum workspace_by by, struct text name);
	/* Whether whoever comes next would have it opened. Texts from the arena. Never waits. */
	bool (*is_closed)(void *held, struct arena *arena, struct workspace_closed *ret_closed);
	/* Gives the request to its api, once it is open; or answers 503. In a handler, before anything
	 * was done with the request. */
	void (*serve)(void *held, const struct api_route *route, struct http_request *request);

	/* What follows may wait, for seconds: not on a loop. */

	/* Waits until it is open. STATUS_UNAVAILABLE: that failed. It is held still. */
	enum status (*enter)(void *held, struct api **ret_api, struct error *err);
	/* `used`: for somebody who was let in. Else it is closed as if he had not been here. */
	void (*leave)(void *held, bool used);

	enum status (*list)(void *context, struct arena *arena, struct api_workspace **ret_workspaces,
	                    size_t *ret_count, struct error *err);
	/* By id or slug. */
	enum status (*get)(void *context, struct text id, struct arena *arena,
	                   struct api_workspace *ret_workspace, struct error *err);
	/* STATUS_CONFLICT: the slug is taken, or there are too many; STATUS_INVALID with the field. */
	enum status (*create)(void *context, const struct workspace_wish *wish, struct arena *arena,
	                      struct api_workspace *ret_workspace, struct workspace_keys *ret_keys,
	                      struct error *err);
	/* Name and limits. `version` 0: any. */
	enum status (*change)(void *context, struct text id, const struct workspace_wish *wish,
	                      uint32_t version, struct arena *arena,
	                      struct api_workspace *ret_workspace, struct error *err);
	/* Its keys are gone when this returns, and then everything else of it. */
	enum status (*destroy)(void *context, struct text id, struct error *err);

	/* Something has changed for some person: sessions there are looked at anew. Never waits. */
	void (*people_changed)(void *context);
	/* For health and metrics. */
	void (*counts)(void *context, struct workspace_counts *ret_counts);
};

#endif
