#ifndef SONNIM_APP_DIRECTORY_INTERNAL_H
#define SONNIM_APP_DIRECTORY_INTERNAL_H

/* What directory.c (the list), directory_run.c (opening, closing, the keeper), directory_entry.c
 * (one of them: its row, its settings) and directory_remove.c (what lies on disk) share. */

#include <pthread.h>

#include "app/workspace/directory.h"
#include "base/map.h"
#include "base/vector.h"

enum entry_state { ENTRY_CREATING, ENTRY_ACTIVE, ENTRY_DELETING };

enum entry_run { RUN_CLOSED, RUN_OPENING, RUN_OPEN, RUN_CLOSING, RUN_FAILED };

/* A request that waits until its workspace is open. */
struct waiting {
	struct entry           *entry;
	const struct api_route *route;
	struct http_request    *request;
	int64_t                 due_ms;
};

struct entry {
	struct directory       *directory;
	char                    id[UUID_TEXT_BYTES];
	char                    code[WORKSPACE_CODE_BYTES];
	char                    slug[WORKSPACE_SLUG_BYTES_MAX + 1];
	char                    name[WORKSPACE_NAME_BYTES_MAX + 1];
	enum entry_state        state;
	struct workspace_limits limits;
	uint32_t                partition_count;
	int64_t                 retention_ms;
	uint32_t                version;
	int64_t                 created_ms;
	int64_t                 updated_ms;
	int64_t                 due_ms; /* as in the store, while it is closed */

	struct serve_settings settings; /* home's, but for what is its own; derived anew each time */
	char                 *data, *keyring, *backup, *path_prefix, *public_url;
	char                 *public_keys; /* as it said when it was last open; NULL: not known */
	char                 *master_command, *master_variable; /* where its master key comes from */
	struct access_host    host;

	/* Under the directory's lock. */
	enum entry_run         run;
	unsigned               held;
	bool                   doomed; /* nobody finds it any more */
	bool                   ends;   /* with the server: requests of it may be left when it is closed,
	                                  and directory_free() frees it */
	struct workspace      *workspace;
	struct workspace_first first; /* of its first open, for who made it */
	struct error           failed;
	int64_t                failed_until_ms; /* monotonic */
	int64_t                used_ms;         /* monotonic */
	int64_t                looked_ms;       /* monotonic: when it was asked what it has to do */
	bool                   busy;            /* it has something to do, or soon will */
	int64_t                disk_ms;         /* monotonic: when its files were counted */
	bool                   people_changed;
	VECTOR(struct waiting *) waiting;
};

struct directory {
	const struct serve_settings *settings;
	struct limits               *limits;
	unsigned                     loop_count;
	struct api_workspaces        face;
	struct workspace            *home; /* from directory_load() on */
	struct http_server          *http;

	pthread_mutex_t change; /* one change of a row at a time; taken before `lock` */
	pthread_mutex_t lock;
	pthread_cond_t  changed; /* of any entry, or `due` */
	pthread_t       keeper;
	bool            keeps;    /* there is a keeper */
	bool            due;      /* it is to look now */
	bool            is_open;  /* they may be opened */
	bool            stopping; /* nobody gets in */
	unsigned        threads;  /* that open, close or remove one */
	VECTOR(struct entry *) entries;
	struct map_text by_slug, by_code, by_id; /* of those that may be found */
	uint64_t        opened, closed, refused;
};

/* directory_entry.c. The row's texts are copied. */
struct entry *entry_new(struct directory *directory, const struct store_workspace_entry *row);
void          entry_free(struct entry *entry);
void          entry_row(const struct entry *entry, struct arena *arena,
                        struct store_workspace_entry *ret_row);
void          entry_derive_settings(struct entry *entry);
const char   *entry_state_name(enum entry_state state);
uint64_t      entry_memory_bytes(const struct entry *entry);
void          workspace_limits_write(const struct workspace_limits *limits, struct buffer *out);

/* directory_run.c. The first three take the lock themselves, the others are called under it. */
void     directory_start_keeper(struct directory *directory);
void     directory_serve(void *entry, const struct api_route *route, struct http_request *request);
void     directory_release(void *entry, bool used);   /* one that holds it less */
void     directory_lend(struct directory *directory); /* what home may hold besides the others */
uint64_t directory_memory_share(const struct directory *directory); /* theirs together, at most */
bool     directory_try_open(struct entry *entry); /* false: it does not begin to, for now */
void     directory_close(struct entry *entry);    /* begins to */
/* For a change; −1: as long as it takes. The lock is let go meanwhile. */
void directory_wait(struct directory *directory, int64_t most_ms);

/* directory_remove.c. Everything of it on disk, its keys first; again after a crash. */
MUST_USE enum status directory_remove_files(const struct entry *entry, struct error *err);
uint64_t             directory_disk_bytes(const char *path);

#endif
