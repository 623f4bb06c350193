#ifndef SONNIM_STORE_STORE_H
#define SONNIM_STORE_STORE_H

/* Definitions and everything relational: the workspace, sources, event types, tokens, segments with
 * their versions, jobs and their schedules, and the outbox through which definitions reach the
 * journal. Backends: SQLite (embedded, store/sqlite.h) and, later, PostgreSQL; the contract tests
 * in tests/contract/store run on every one.
 *
 * SQL lies in the .sql files of src/store/sql, embedded by the build; parameters only. Migrations
 * are numbered files that are applied once, in order, in one transaction each, and never change.
 *
 * Every operation is one transaction: it happened whole or not at all, and is durable when it
 * returned STATUS_OK. Results are allocated from the caller's arena. Threads: any (a backend
 * locks). On an error results are untouched. Errors: NOT_FOUND, CONFLICT (a unique value is taken:
 * `field` names the member, "write_key"), PRECONDITION (another version), NO_SPACE and UNAVAILABLE
 * (retriable), IO, CORRUPT. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

struct store_workspace {
	char     id[37];          /* UUID */
	uint32_t partition_count; /* fixed at creation */
	int64_t  created_ms;
	bool     manual_clock; /* fixed at creation */
	int64_t  retention_ms; /* fixed at creation: it is part of every answer's meaning */
};

struct store_source {
	char        id[37];
	uint32_t    number; /* dense, from 1, never used again; stands in records */
	struct text name;
	struct text write_key; /* unique */
	int64_t     created_ms;
	int64_t     updated_ms;
	struct text settings; /* JSON; empty: none */
};

/* What sources have sent is kept by minute, hour and day, each for a time of its own. */
enum store_span { STORE_SPAN_MINUTE = 1, STORE_SPAN_HOUR, STORE_SPAN_DAY };

#define STORE_MINUTE_MS       INT64_C(60000)
#define STORE_HOUR_MS         INT64_C(3600000)
#define STORE_MINUTES_KEPT_MS (6 * STORE_HOUR_MS)
#define STORE_HOURS_KEPT_MS   (14 * 24 * STORE_HOUR_MS)
#define STORE_DAYS_KEPT_MS    (400 * 24 * STORE_HOUR_MS)

int64_t store_span_ms(enum store_span span); /* its length */

struct store_count {
	uint32_t    source_number; /* 0: the platform's own events API */
	int64_t     at_ms;         /* to be added: any instant of it; listed: its beginning */
	struct text name;
	int64_t     value;
};

/* What a source has sent and was rejected: a dead letter. */
struct store_letter {
	uint64_t    id; /* grows; never used again */
	uint32_t    source_number;
	int64_t     at_ms;
	struct text code;     /* why: "MISSING_ID" */
	struct text place;    /* where: "batch[3].timestamp" */
	struct text reason;   /* what is wrong, in a sentence; empty: as the code says */
	int         kind;     /* of the call that brought it */
	uint64_t    bytes;    /* of what was sent */
	unsigned    replays;  /* how often it was sent again, and rejected again */
	bool        personal; /* sealed under the key of that person; else under the workspace's */
	uint32_t    partition;
	uint32_t    slot;
	struct text content; /* sealed */
};

/* The tracking plan of a source. */
struct store_plan {
	uint32_t    source_number; /* 0: the platform's own events API */
	uint32_t    version;       /* from 1, growing, also over deletions */
	int64_t     created_ms;
	int64_t     updated_ms;
	struct text plan; /* JSON; empty: it was deleted */
};

/* What was seen of a source so often (ingest/observed.h). */
struct store_observation {
	uint32_t    source_number;
	int         family; /* 1: types, 2: violations */
	struct text event;
	struct text property;
	struct text kind;
	int64_t     count;
	int64_t     first_ms;
	int64_t     last_ms;
	struct text sample;
};

struct store_letter_limits {
	uint64_t count_max; /* of one source; beyond them the oldest go */
	uint64_t bytes_max;
};

struct store_letter_filter {
	uint32_t    source_number;
	struct text code; /* empty: any */
	int64_t     from_ms, until_ms;
	uint64_t    before_id; /* 0: from the newest */
	size_t      limit;
};

struct store_letter_totals {
	uint64_t count;
	uint64_t bytes;
	int64_t  oldest_ms; /* when there are any */
};

enum { STORE_TOKEN_HASH_BYTES = 32 };

struct store_token {
	char        id[37];
	struct text name;
	uint8_t hash[STORE_TOKEN_HASH_BYTES]; /* SHA-256 of the token; the token itself is not kept */
	struct text scopes;                   /* separated by blanks */
	int64_t     created_ms;
	int64_t     expires_ms;    /* INSTANT_MS_NEVER: never */
	char        person_id[37]; /* who made it; empty: no person */
	int64_t     rate;          /* requests a second; 0: as the settings say */
	int64_t     burst;
};

/* Somebody who logs in. */
struct store_person {
	char        id[37];
	uint8_t     email_hash[STORE_TOKEN_HASH_BYTES]; /* unique; under a key of the keyring */
	struct text profile;                            /* sealed: e-mail, name, settings */
	struct text password;                           /* its hash, as text; empty: none */
	struct text roles;                              /* names separated by blanks */
	struct text tier;                               /* of the subscription */
	bool        active;                             /* may log in */
	bool        email_verified;                     /* somebody has shown that the address is his */
	bool        totp; /* read only: he has a second factor that is confirmed */
	uint32_t    version;
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* Who says who people are: a provider of single sign-on (OpenID Connect). */
struct store_sso_provider {
	char        id[37];
	struct text name;        /* unique */
	struct text settings;    /* JSON object */
	struct text credentials; /* sealed */
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* A person's second factor: codes by time, and recovery codes that stand in for it once each. */
struct store_factor {
	char        person_id[37];
	struct text secret;        /* sealed */
	bool        confirmed;     /* else it is not asked for yet */
	int64_t     last_step;     /* of time: the newest whose code was used */
	uint32_t    recovery_left; /* read only */
	int64_t     created_ms;
};

/* A login and all that came of it by refreshing. */
struct store_session {
	char        id[37];
	char        person_id[37];
	uint32_t    generation;                           /* how often it was renewed */
	uint8_t     refresh_hash[STORE_TOKEN_HASH_BYTES]; /* of the token of this generation */
	struct text origin;                               /* sealed: where from, with what */
	int64_t     created_ms;
	int64_t     used_ms;
	int64_t     expires_ms;
};

/* Another workspace, as the home workspace knows it. */
struct store_workspace_entry {
	char        id[37];
	struct text code; /* unique */
	struct text slug; /* unique */
	struct text name;
	struct text state;
	struct text limits; /* JSON */
	uint32_t    partition_count;
	int64_t     retention_ms;
	int64_t     due_ms; /* when it has something to do by itself; 0: now; INSTANT_MS_NEVER */
	uint32_t    version;
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* Somebody of the home workspace who may enter another. */
struct store_member {
	char        workspace_id[37];
	char        person_id[37];
	struct text roles; /* of that workspace, separated by blanks */
	int64_t     created_ms;
};

/* A session of another workspace, and the one of home that it was begun from. */
struct store_visit {
	char session_id[37];
	char workspace_id[37];
	char person_id[37];
	char home_session_id[37];
};

struct store_invitation {
	char    id[37];
	uint8_t hash[STORE_TOKEN_HASH_BYTES]; /* of its text, which is not kept */
	struct text
		email; /* sealed; empty: of the first person, whoever it is: gone when there is one */
	struct text roles;
	struct text tier;
	bool        trusted; /* made by an admin: who follows it has shown that the address is his */
	int64_t     created_ms;
	int64_t     expires_ms;
};

/* A role beside the built-in ones. */
struct store_role {
	struct text name; /* unique */
	struct text description;
	struct text scopes; /* separated by blanks */
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* An event type of the platform's own events API beside the built-in ones. */
struct store_event_type {
	struct text name; /* unique */
	struct text description;
	int64_t     created_ms;
};

/* How far somebody who acts on the change stream has got. */
struct store_consumer {
	struct text name;
	struct text cursor; /* opaque */
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* A filter of audiences that was added through the API (model/filter.h). */
struct store_filter {
	struct text name;       /* unique */
	struct text definition; /* JSON */
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* What becomes of a segment's newest version. Live is what the journal says; this is its copy. */
enum store_version_state {
	STORE_VERSION_PREPARING = 1,
	STORE_VERSION_LIVE      = 2,
	STORE_VERSION_FAILED    = 3,
	STORE_VERSION_REPLACED  = 4, /* was live, or never became so: another one took its place */
};

struct store_segment {
	char        id[37];
	uint32_t    number; /* dense, from 1, never used again; stands in records and memberships */
	struct text key;    /* unique among those not deleted */
	struct text name;
	struct text description; /* may be empty */
	bool        active;      /* as last asked for */
	int64_t     created_ms;
	int64_t     updated_ms;

	uint32_t                 version;      /* the newest, but for those that were abandoned */
	uint32_t                 last_version; /* the highest that was ever given out */
	uint32_t                 live_version; /* 0: none yet */
	enum store_version_state state;        /* of the newest */
	struct text              reason;       /* why it failed */

	struct text definition; /* JSON as the author wrote it: {"expression":…} or {"rules":…} or
	                         * {"logicalExpression":…,"dependencies":…} */
	struct text canonical;  /* canonical JSON of the newest version (model/expr.h) */
	uint8_t     hash[32];   /* SHA-256 of it */
	struct text live_canonical; /* of the live version; empty: none */
};

/* A version that is not to become live after all. */
struct store_abandoned {
	char     id[37];
	uint32_t version; /* the newest */
	uint32_t back_to; /* the live one, which is the newest again; 0: none is, it is not active */
};

/* One step towards the journal: `payload` becomes the body of a record of `kind` in every
 * partition. Rows are delivered in order of `id`, at least once (the engine drops what it has). */
struct store_outbox {
	uint64_t    id;   /* from 1, growing */
	uint8_t     kind; /* enum record_kind: PREPARE, ACTIVATE or ABANDON */
	struct text payload;
};

enum store_job_state {
	STORE_JOB_QUEUED    = 1,
	STORE_JOB_RUNNING   = 2,
	STORE_JOB_DONE      = 3,
	STORE_JOB_FAILED    = 4,
	STORE_JOB_CANCELLED = 5,
};
enum { STORE_JOB_STATE_COUNT = 6 }; /* 0 is none */

/* "queued", as the API and metrics have it; static. */
static inline const char *store_job_state_name(enum store_job_state state)
{
	static const char *const names[STORE_JOB_STATE_COUNT] = {"",     "queued", "running",
	                                                         "done", "failed", "cancelled"};
	return names[state];
}

/* Work in the background (job/job.h). Times are milliseconds; INSTANT_MS_NONE: not yet. */
struct store_job {
	char        id[37];
	uint64_t    number; /* dense, from 1, in order of creation, never used again */
	struct text kind;
	struct text params; /* JSON object */
	struct text asked_by;
	struct text schedule; /* the name of the one that added it; empty: none */
	int         priority;
	int64_t     created_ms;
	int64_t     run_from_ms; /* not before */

	enum store_job_state state;
	bool                 cancel_wanted; /* while it is running */
	bool                 saved;         /* `resume` was written since it was taken up */
	unsigned             attempt;       /* how often it was taken up and ended by itself */
	int64_t              started_ms;    /* when it was last taken up */
	int64_t              finished_ms;
	int64_t              updated_ms;

	int64_t     done;
	int64_t     total; /* −1: not known */
	struct text unit;
	struct text message;
	struct text resume; /* bytes, its kind's own */
	struct text result; /* JSON object; empty: none */
	struct text code;   /* of the last failure: "NO_SPACE"; empty: none */
	struct text reason;
};

struct store_job_filter {
	struct text          kind;               /* empty: any */
	enum store_job_state state;              /* 0: any */
	int64_t              finished_before_ms; /* done, failed or cancelled before; 0: any */
	uint64_t             before_number;      /* 0: from the newest */
	size_t               limit;
};

struct store_job_count {
	struct text          kind;
	enum store_job_state state;
	uint64_t             count;
};

struct store_schedule {
	struct text name;
	struct text kind;
	struct text params; /* JSON object */
	struct text cron;
	int         priority;
	bool        active;
	int64_t     created_ms;
	int64_t     updated_ms;
	int64_t     next_ms;     /* when it adds the next job; INSTANT_MS_NEVER */
	int64_t     last_ms;     /* the instant for which it added the last one; INSTANT_MS_NONE */
	char        last_id[37]; /* that job; empty: none yet */
};

/* What retention did with a thing that is kept for a time (job/retention.h). */
struct store_retention {
	struct text name;
	int64_t     age_ms;      /* the limit under which it was reported */
	int64_t     reported_ms; /* INSTANT_MS_NONE: not yet */
	int64_t     dropped_ms;  /* the last time; INSTANT_MS_NONE: never */
	uint64_t    dropped_count;
	uint64_t    dropped_bytes;
};

enum store_audience_kind {
	STORE_AUDIENCE_LIVE     = 1, /* a segment of the same definition */
	STORE_AUDIENCE_SNAPSHOT = 2, /* who was in it at one instant */
};

/* An audience that was saved. */
struct store_audience {
	char                     id[37];
	uint64_t                 number; /* dense, from 1, in order of creation, never used again */
	enum store_audience_kind kind;
	struct text              name;
	struct text              description;
	struct text definition; /* JSON as the author wrote it: {"expression":…,"filters":{…}} */
	char        segment_id[37]; /* of a live one; empty: none */
	uint32_t    version;
	int64_t     created_ms;
	int64_t     updated_ms;
	int64_t     as_of_ms; /* of `figures`; of a snapshot, of its members too */
	struct text figures;  /* JSON object: what was last calculated */
};

/* What a version said. */
struct store_audience_version {
	uint32_t    version;
	struct text name;
	struct text description;
	struct text definition;
	int64_t     at_ms;
};

/* The members of a snapshot in one partition: their slots, ascending, each as a varint of its
 * distance from the one before (the first from −1). */
struct store_audience_share {
	uint32_t    partition;
	uint64_t    count;
	struct text slots;
};

/* Where audiences are sent. */
struct store_destination {
	char        id[37];
	struct text name;        /* unique */
	struct text kind;        /* "s3" */
	struct text settings;    /* JSON object */
	struct text credentials; /* sealed */
	uint32_t    version;     /* from 1 */
	int64_t     created_ms;
	int64_t     updated_ms;
};

/* A change of definitions, which happens whole or not at all. */
struct store_commit {
	struct store_segment  *segments;
	size_t                 count;
	const uint32_t        *expected_versions; /* NULL, or 0 in it: any */
	struct store_outbox   *outbox;
	size_t                 outbox_count;
	struct store_audience *audience; /* the live one whose segment is the only one; NULL: none */
};

struct store;

struct store_ops {
	const char *name;

	/* Reads the workspace, or makes it from `*workspace` when the store is new. */
	enum status (*workspace_open)(struct store *, struct store_workspace *workspace,
	                              bool *ret_created, struct error *);

	enum status (*source_list)(struct store *, struct arena *, struct store_source **ret_sources,
	                           size_t *ret_count, struct error *);
	/* Adds (number is assigned), or changes name and settings of the one with that id. */
	enum status (*source_put)(struct store *, struct store_source *source, bool create,
	                          struct error *);
	/* With its plan, its dead letters and all that was counted and observed of it. */
	enum status (*source_delete)(struct store *, const char *id, struct error *);
	/* The source of a write key: what collection asks on a miss of its cache. */
	enum status (*source_by_key)(struct store *, struct text write_key, struct arena *,
	                             struct store_source *ret_source, struct error *);

	/* Adds each to its minute, hour and day, in order of their sources, and drops what has been
	 * kept long enough by the time of a source's last one. */
	enum status (*count_add)(struct store *, const struct store_count *counts, size_t count,
	                         struct error *);
	/* What begins within [from_ms, until_ms), by time, then name. */
	enum status (*count_list)(struct store *, uint32_t source_number, enum store_span span,
	                          int64_t from_ms, int64_t until_ms, struct arena *,
	                          struct store_count **ret_counts, size_t *ret_count, struct error *);

	/* All that are not deleted, in order of their sources. */
	enum status (*plan_list)(struct store *, struct arena *, struct store_plan **ret_plans,
	                         size_t *ret_count, struct error *);
	/* STATUS_NOT_FOUND: none, or deleted. */
	enum status (*plan_get)(struct store *, uint32_t source_number, struct arena *,
	                        struct store_plan *ret_plan, struct error *);
	/* Sets the plan, with an empty one deletes it; `version` and `created_ms` are assigned. One
	 * that is there already makes no version, deleting none is STATUS_NOT_FOUND. Another version
	 * than `expected_version` (0: any) is STATUS_PRECONDITION. */
	enum status (*plan_put)(struct store *, struct store_plan *plan, uint32_t expected_version,
	                        struct error *);

	enum status (*observation_list)(struct store *, struct arena *,
	                                struct store_observation **ret_rows, size_t *ret_count,
	                                struct error *);
	/* Each in place of the one of its source, family, event, property and kind. */
	enum status (*observation_put)(struct store *, const struct store_observation *rows,
	                               size_t count, struct error *);
	/* All of a source and family. */
	enum status (*observation_drop)(struct store *, uint32_t source_number, int family,
	                                struct error *);

	/* Adds them (ids are assigned by the store), in order of their sources, and drops the oldest
	 * of these sources beyond the limits. */
	enum status (*letter_add)(struct store *, const struct store_letter *letters, size_t count,
	                          const struct store_letter_limits *limits, struct error *);
	enum status (*letter_get)(struct store *, uint32_t source_number, uint64_t id, struct arena *,
	                          struct store_letter *ret_letter, struct error *);
	/* Newest first; `ret_total` counts what the filter lets through but for `before_id`. */
	enum status (*letter_list)(struct store *, const struct store_letter_filter *filter,
	                           struct arena *, struct store_letter **ret_letters, size_t *ret_count,
	                           uint64_t *ret_total, struct error *);
	/* Rejected again: its code, place and reason are those of `*letter` now, and `replays` grows.
	 * One that is gone stays so. */
	enum status (*letter_again)(struct store *, const struct store_letter *letter, struct error *);
	/* Of all sources, by id, behind `after_id`. */
	enum status (*letter_all)(struct store *, uint64_t after_id, size_t limit, struct arena *,
	                          struct store_letter **ret_letters, size_t *ret_count, struct error *);
	/* What it holds is sealed anew: of each, `content` counts. Those that are gone stay so. */
	enum status (*letter_reseal)(struct store *, const struct store_letter *letters, size_t count,
	                             struct error *);
	/* Those that are there; `*ret_deleted` tells how many. */
	enum status (*letter_delete)(struct store *, uint32_t source_number, const uint64_t *ids,
	                             size_t count, size_t *ret_deleted, struct error *);
	/* All older than that. */
	enum status (*letter_expire)(struct store *, int64_t before_ms, size_t *ret_deleted,
	                             struct error *);
	/* Of those older than that. */
	enum status (*letter_totals)(struct store *, int64_t before_ms,
	                             struct store_letter_totals *ret_totals, struct error *);

	enum status (*token_add)(struct store *, const struct store_token *token, struct error *);
	enum status (*token_by_hash)(struct store *, const uint8_t       hash[STORE_TOKEN_HASH_BYTES],
	                             struct arena *, struct store_token *ret_token, struct error *);
	enum status (*token_list)(struct store *, struct arena *, struct store_token **ret_tokens,
	                          size_t *ret_count, struct error *);
	enum status (*token_delete)(struct store *, const char *id, struct error *);

	enum status (*person_list)(struct store *, struct arena *, struct store_person **ret_persons,
	                           size_t *ret_count, struct error *); /* as they came */
	enum status (*person_get)(struct store *, struct text id, struct arena *,
	                          struct store_person *ret_person, struct error *);
	enum status (*person_by_email)(struct store *, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
	                               struct arena *, struct store_person *ret_person, struct error *);
	/* With the first version. `invitation_id` is used up by it (NULL: without one; STATUS_NOT_FOUND
	 * when it is not there any more), and so is that of the first person.
	 * `link`: NULL, or the hash by which person_by_link() finds him. */
	enum status (*person_add)(struct store *, const struct store_person *person,
	                          const char *invitation_id, const uint8_t *link, struct error *);
	/* Where the version is still that of `person`, which becomes the next; else
	 * STATUS_PRECONDITION. His sessions but `only_session` (empty: all) end with it; data NULL:
	 * they stay. */
	enum status (*person_change)(struct store *, struct store_person *person,
	                             struct text only_session, struct error *);
	enum status (*person_delete)(struct store *, struct text id,
	                             struct error *); /* and his sessions, and tokens that he made */

	/* Where the person may log in, and his version is still `person_version`: whatever ends his
	 * sessions makes it another one in the same step, so that none begins behind it that was let in
	 * before. Else STATUS_PRECONDITION. */
	enum status (*session_add)(struct store *, const struct store_session *session,
	                           uint32_t person_version, struct error *);
	enum status (*session_get)(struct store *, struct text id, struct arena *,
	                           struct store_session *ret_session, struct error *);
	enum status (*session_list)(struct store *, struct text person_id, struct arena *,
	                            struct store_session **ret_sessions, size_t *ret_count,
	                            struct error *); /* as they came */
	/* Takes over refresh_hash, used_ms and expires_ms, where the generation is still that of
	 * `session`, which becomes the next; else STATUS_PRECONDITION. */
	enum status (*session_renew)(struct store *, struct store_session *session, struct error *);
	enum status (*session_delete)(struct store *, struct text id, struct error *);
	/* All of a person but `except_id` (empty: all). */
	enum status (*session_delete_of)(struct store *, struct text person_id, struct text except_id,
	                                 struct error *);
	/* Sessions and invitations that have ended by then. INSTANT_MS_NEVER: all of them. */
	enum status (*session_expire)(struct store *, int64_t now_ms, struct error *);
	enum status (*session_count)(struct store *, uint64_t *ret_count, struct error *);

	enum status (*workspace_list)(struct store *, struct arena *,
	                              struct store_workspace_entry **ret_entries, size_t *ret_count,
	                              struct error *); /* as they came */
	/* With the first version. STATUS_CONFLICT: code or slug is taken. */
	enum status (*workspace_add)(struct store *, const struct store_workspace_entry *entry,
	                             struct error *);
	/* Name, state and limits, where the version is still that of `entry`, which becomes the next;
	 * else STATUS_PRECONDITION. */
	enum status (*workspace_change)(struct store *, struct store_workspace_entry *entry,
	                                struct error *);
	enum status (*workspace_due)(struct store *, struct text id, int64_t due_ms, struct error *);
	/* And its members and visits. */
	enum status (*workspace_delete)(struct store *, struct text id, struct error *);

	/* Of a workspace, or of a person, as they came. */
	enum status (*member_list)(struct store *, struct text workspace_or_person, struct arena *,
	                           struct store_member **ret_members, size_t *ret_count,
	                           struct error *);
	/* Adds him or replaces his roles. */
	enum status (*member_put)(struct store *, const struct store_member *member, struct error *);
	enum status (*member_delete)(struct store *, struct text workspace_id, struct text person_id,
	                             struct error *); /* and his visits */

	enum status (*visit_add)(struct store *, const struct store_visit *visit, struct error *);
	/* STATUS_NOT_FOUND: there is none, the session of home is over, or its person may not log
	 * in. */
	enum status (*visit_check)(struct store *, struct text workspace_id, struct text session_id,
	                           int64_t now_ms, struct error *);

	enum status (*invitation_add)(struct store *, const struct store_invitation *invitation,
	                              struct error *);
	enum status (*invitation_list)(struct store *, struct arena *,
	                               struct store_invitation **ret_invitations, size_t *ret_count,
	                               struct error *); /* as they came */
	enum status (*invitation_by_hash)(struct store *, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
	                                  struct arena *, struct store_invitation *ret_invitation,
	                                  struct error *);
	enum status (*invitation_delete)(struct store *, struct text id, struct error *);

	enum status (*role_list)(struct store *, struct arena *, struct store_role **ret_roles,
	                         size_t *ret_count, struct error *); /* by name */
	/* Adds or replaces it; created_ms is set to when it was added: the first `updated_ms`. */
	enum status (*role_put)(struct store *, struct store_role *role, struct error *);
	enum status (*role_delete)(struct store *, struct text name, struct error *);

	/* By who he is at a provider of single sign-on. */
	enum status (*person_by_link)(struct store *, const uint8_t        hash[STORE_TOKEN_HASH_BYTES],
	                              struct arena *, struct store_person *ret_person, struct error *);
	/* STATUS_CONFLICT: the hash is somebody's already. */
	enum status (*person_link)(struct store *, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
	                           struct text person_id, struct error *);

	enum status (*sso_provider_list)(struct store *, struct arena *,
	                                 struct store_sso_provider **ret_providers, size_t *ret_count,
	                                 struct error *); /* by name */
	enum status (*sso_provider_get)(struct store *, struct text name, struct arena *,
	                                struct store_sso_provider *ret_provider, struct error *);
	/* Adds or replaces it; of one that was there `id` and created_ms are set to what they were. */
	enum status (*sso_provider_put)(struct store *, struct store_sso_provider *provider,
	                                struct error *);
	enum status (*sso_provider_delete)(struct store *, struct text name, struct error *);

	enum status (*factor_get)(struct store *, struct text person_id, struct arena *,
	                          struct store_factor *ret_factor, struct error *);
	/* Adds it, not confirmed, in place of one that is not either. STATUS_CONFLICT: one is. */
	enum status (*factor_begin)(struct store *, const struct store_factor *factor, struct error *);
	/* Confirms the one with that secret: takes over last_step and the hashes of the recovery codes,
	 * in place of those there were. The person's version becomes the next, and his sessions but
	 * `only_session` end with it. STATUS_PRECONDITION: there is none to confirm. */
	enum status (*factor_confirm)(struct store *, const struct store_factor              *factor,
	                              const uint8_t (*hashes)[STORE_TOKEN_HASH_BYTES], size_t count,
	                              struct text only_session, struct error *);
	/* Each step once, and none behind it: else STATUS_PRECONDITION. Of a confirmed one. */
	enum status (*factor_use_step)(struct store *, struct text person_id, int64_t step,
	                               struct error *);
	/* Deletes the code. STATUS_PRECONDITION: there is none such. */
	enum status (*factor_use_recovery)(struct store *, struct text person_id,
	                                   const uint8_t hash[STORE_TOKEN_HASH_BYTES], struct error *);
	/* The person's version becomes the next. */
	enum status (*factor_delete)(struct store *, struct text person_id, struct error *);

	enum status (*event_type_list)(struct store *, struct arena *,
	                               struct store_event_type **ret_types, size_t *ret_count,
	                               struct error *); /* by name */
	enum status (*event_type_add)(struct store *, const struct store_event_type *type,
	                              struct error *);

	enum status (*consumer_list)(struct store *, struct arena *,
	                             struct store_consumer **ret_consumers, size_t *ret_count,
	                             struct error *); /* by name */
	enum status (*consumer_get)(struct store *, struct text name, struct arena *,
	                            struct store_consumer *ret_consumer, struct error *);
	/* Adds it, or changes its cursor; `created_ms` is set to when it was added: the first
	 * `updated_ms`. */
	enum status (*consumer_put)(struct store *, struct store_consumer *consumer, struct error *);
	enum status (*consumer_delete)(struct store *, struct text name, struct error *);

	enum status (*filter_list)(struct store *, struct arena *, struct store_filter **ret_filters,
	                           size_t *ret_count, struct error *); /* by name */
	/* Adds it, or changes its definition; `created_ms` is set to when it was added: the first
	 * `updated_ms`. */
	enum status (*filter_put)(struct store *, struct store_filter *filter, struct error *);
	enum status (*filter_delete)(struct store *, struct text name, struct error *);

	/* All that are not deleted, in order of `number`. */
	enum status (*segment_list)(struct store *, struct arena *, struct store_segment **ret_segments,
	                            size_t *ret_count, struct error *);
	/* The deleted ones, likewise: what happened while they were still names them. */
	enum status (*segment_list_deleted)(struct store *, struct arena *,
	                                    struct store_segment **ret_segments, size_t *ret_count,
	                                    struct error *);
	/* One, by id or key. */
	enum status (*segment_get)(struct store *, struct text id_or_key, struct arena *,
	                           struct store_segment *ret_segment, struct error *);

	/* A number for a segment that is about to be committed; one not used then is never used. */
	enum status (*segment_reserve)(struct store *, uint32_t *ret_number, struct error *);

	/* Commits a change of definitions together with what tells the journal of it: `segments` are
	 * added (version 1) or replaced by id, where `version` one larger than `last_version` adds a
	 * row of versions, which begins as PREPARING, and the stored one leaves them; any other
	 * version, and one that differs from `expected_versions`, which is If-Match, is
	 * STATUS_PRECONDITION and nothing happens. `state`, `reason` and what is live are left to
	 * segment_settle(), whatever `segments` say. `outbox` rows get their ids. Numbers of new
	 * segments come from segment_reserve(), since payloads name them; a number never changes.
	 * `audience` is added, as by audience_add(), where its `number` is 0, and gets the segment;
	 * else it is changed, as by audience_change(). */
	enum status (*segment_commit)(struct store *, const struct store_commit *commit,
	                              struct error *);
	/* Takes a segment out of lists; its number stays used. The audience that has it goes too. */
	enum status (*segment_delete)(struct store *, const char *id, struct store_outbox *outbox,
	                              size_t outbox_count, struct error *);
	/* The journal says so. LIVE: `version` is the live one, the one before it REPLACED. News that
	 * a replay brings again, of versions older than the live one, changes nothing. */
	enum status (*segment_settle)(struct store *, const char *id, uint32_t version,
	                              enum store_version_state state, struct text reason,
	                              struct error *);

	/* Takes versions back, all or none, together with what tells the journal of it: where the live
	 * one is still there it is the newest again, else the segment is not active and keeps the
	 * version, PREPARING, for when it is. An audience that has a segment which goes back gets the
	 * definition of the live version, in a version of its own. `ret_segments`: as they are then,
	 * `count` of them. STATUS_PRECONDITION: one of them is not the newest, or `back_to` is not what
	 * the store knows as live. */
	enum status (*segment_abandon)(struct store *, const struct store_abandoned *abandoned,
	                               size_t count, int64_t at_ms, struct store_outbox *outbox,
	                               struct arena *, struct store_segment *ret_segments,
	                               struct error *);

	/* Rows not yet delivered, oldest first, at most `limit`. */
	enum status (*outbox_list)(struct store *, size_t limit, struct arena *,
	                           struct store_outbox **ret_rows, size_t *ret_count, struct error *);
	enum status (*outbox_done)(struct store *, uint64_t through_id, struct error *);

	/* Adds a job that is queued; `number` is assigned. */
	enum status (*job_add)(struct store *, struct store_job *job, struct error *err);
	enum status (*job_get)(struct store *, const char *id, struct arena *,
	                       struct store_job *ret_job, struct error *err);
	/* The newest first; `*ret_total`: how many the filter finds without `before_number`. */
	enum status (*job_list)(struct store *, const struct store_job_filter *filter, struct arena *,
	                        struct store_job **ret_jobs, size_t *ret_count, uint64_t *ret_total,
	                        struct error *err);
	/* Which of this kind is to run next at `now_ms`: queued, its time has come; by priority, the
	 * larger first, then by number. STATUS_NOT_FOUND: none. */
	enum status (*job_ready)(struct store *, struct text kind, int64_t now_ms, struct arena *,
	                         struct store_job *ret_job, struct error *err);
	/* When the next one may run that is queued and may not at `now_ms`; INSTANT_MS_NEVER: none. */
	enum status (*job_next_run)(struct store *, int64_t now_ms, int64_t *ret_run_ms,
	                            struct error *err);
	/* Writes everything from `state` on but `cancel_wanted`, and `run_from_ms`, over a job that is
	 * in the state `expected`; STATUS_PRECONDITION when it is in another. `cancel_wanted` is what
	 * is stored: cleared when the job leaves RUNNING. */
	enum status (*job_change)(struct store *, struct store_job *job, enum store_job_state expected,
	                          struct error *err);
	/* QUEUED: CANCELLED at once; RUNNING: `cancel_wanted`; CANCELLED: stays so; else
	 * STATUS_CONFLICT. */
	enum status (*job_cancel)(struct store *, const char *id, int64_t now_ms, struct arena *,
	                          struct store_job *ret_job, struct error *err);
	/* Deletes it; STATUS_CONFLICT while it is queued or running. */
	enum status (*job_delete)(struct store *, const char *id, struct error *err);
	/* By kind and state, those that there are. */
	enum status (*job_count)(struct store *, struct arena *, struct store_job_count **ret_counts,
	                         size_t *ret_count, struct error *err);

	enum status (*schedule_list)(struct store *, struct arena *,
	                             struct store_schedule **ret_schedules, size_t *ret_count,
	                             struct error *err); /* by name */
	enum status (*schedule_get)(struct store *, struct text name, struct arena *,
	                            struct store_schedule *ret_schedule, struct error *err);
	/* Adds it, or replaces all but `created_ms`, `last_ms` and `last_id`, which are set to what is
	 * stored. */
	enum status (*schedule_put)(struct store *, struct store_schedule *schedule, struct error *err);
	/* Adds `job` and moves the schedule on to `next_ms`, in one transaction, when it still is at
	 * `expected_next_ms`; STATUS_PRECONDITION otherwise. */
	enum status (*schedule_fire)(struct store *, struct text name, int64_t expected_next_ms,
	                             int64_t next_ms, struct store_job *job, struct error *err);
	enum status (*schedule_delete)(struct store *, struct text name, struct error *err);

	enum status (*retention_list)(struct store *, struct arena *, struct store_retention **ret_rows,
	                              size_t *ret_count, struct error *err); /* by name */
	/* Adds or replaces it. */
	enum status (*retention_put)(struct store *, const struct store_retention *row,
	                             struct error *err);

	/* In order of `number`, behind `after_number`; `*ret_total` counts all. */
	enum status (*audience_list)(struct store *, uint64_t after_number, size_t limit,
	                             struct arena *, struct store_audience **ret_audiences,
	                             size_t *ret_count, uint64_t *ret_total, struct error *);
	enum status (*audience_get)(struct store *, struct text id, struct arena *,
	                            struct store_audience *ret_audience, struct error *);
	/* The live one whose segment this is. */
	enum status (*audience_by_segment)(struct store *, const char *segment_id, struct arena *,
	                                   struct store_audience *ret_audience, struct error *);
	/* Adds it with its first version; `number` is assigned, `updated_ms` is `created_ms`. `shares`:
	 * the members of a snapshot, at most one of a partition. */
	enum status (*audience_add)(struct store *, struct store_audience *audience,
	                            const struct store_audience_share *shares, size_t share_count,
	                            struct error *);
	/* Replaces name, description, definition, times and figures. A `version` one larger than stored
	 * adds a row of versions, the same one does not; any other, or a stored one that differs from
	 * `expected_version` (0: any), is STATUS_PRECONDITION. `shares` NULL: members stay. */
	enum status (*audience_change)(struct store *, struct store_audience *audience,
	                               uint32_t                           expected_version,
	                               const struct store_audience_share *shares, size_t share_count,
	                               struct error *);
	/* With its versions and members. */
	enum status (*audience_delete)(struct store *, struct text id, struct error *);
	/* The newest first; none of an audience that is not there. */
	enum status (*audience_versions)(struct store *, struct text id, struct arena *,
	                                 struct store_audience_version **ret_versions,
	                                 size_t                         *ret_count, struct error *);
	/* All of them, by partition, as they were put together; none of an audience that is not
	 * there. */
	enum status (*audience_members)(struct store *, struct text id, struct arena *,
	                                struct store_audience_share **ret_shares, size_t *ret_count,
	                                struct error *);

	enum status (*destination_list)(struct store *, struct arena *,
	                                struct store_destination **ret_destinations, size_t *ret_count,
	                                struct error *); /* by name */
	enum status (*destination_get)(struct store *, struct text id_or_name, struct arena *,
	                               struct store_destination *ret_destination, struct error *);
	/* Its `version` becomes 1, `updated_ms` is `created_ms`. */
	enum status (*destination_add)(struct store *, const struct store_destination *destination,
	                               struct error *);
	/* Replaces name, settings and credentials, if it is at `version`, which grows by one; else
	 * STATUS_PRECONDITION. */
	enum status (*destination_change)(struct store *, struct store_destination *destination,
	                                  struct error *);
	enum status (*destination_delete)(struct store *, struct text id_or_name, struct error *);

	/* What a part of the server wants to have at its next start. */
	enum status (*kept_get)(struct store *, struct text name, struct arena *, struct text *ret_text,
	                        int64_t *ret_at_ms, struct error *);
	enum status (*kept_put)(struct store *, struct text name, struct text text, int64_t at_ms,
	                        struct error *);

	/* Grows with every row that is written, from the opening on: two equal answers mean that
	 * nothing was written between. */
	uint64_t (*revision)(struct store *);
	/* Writes a copy of everything as of one moment, which later calls do not wait for, into the
	 * file `path`, which must not be there: the backend's own form. Not synced. */
	enum status (*snapshot)(struct store *, const char *path, struct error *);

	void (*free)(struct store *);
};

/* Every backend's struct begins with this. */
struct store {
	const struct store_ops *ops;
};

#endif
