#ifndef SONNIM_JOB_RETENTION_H
#define SONNIM_JOB_RETENTION_H

/* What is kept for a time only, and the job that drops what is older: kind "retention", each night.
 *
 *   look ──► something is due ──► reported for the first time ──► wait ──► dropped, from then on
 *                                 (in the job's result)         --retention-wait
 *
 * Nothing of a thing is dropped before a report of it exists: the first run that finds something
 * too old says so and drops nothing, and the first drop comes --retention-wait later at the
 * earliest. A limit that was shortened since is reported anew.
 *
 * Things that somebody else drops (the engine its events, the journal its files) are shown only.
 * A run is the same done twice, so a killed one begins anew. */

#include "job/job.h"

enum { RETENTION_THINGS_MAX = 32 };

struct retention_amount {
	uint64_t count;
	uint64_t bytes; /* 0: not known */
};

struct retention_look {
	int64_t                 oldest_ms; /* INSTANT_MS_NONE: there is nothing, or it is not known */
	struct retention_amount all;
	struct retention_amount due; /* of it, what is older than was asked for */
};

struct retention_thing {
	const char    *name;    /* "jobs"; stands in the store: never renamed */
	const char    *summary; /* for people: "Finished jobs with their results and files" */
	const char    *setting; /* that says how long: "job-retention"; NULL: none does */
	const int64_t *age_ms;  /* the setting; NULL, or NEVER in it: for ever */

	/* Answers what there is; `before_ms` INSTANT_MS_NONE: nothing is due. Any thread, not NULL. */
	enum status (*look)(void *context, int64_t before_ms, struct retention_look *ret_look,
	                    struct error *err);

	/* Drops what is older and adds it to `*dropped`, also to what it had dropped when it failed.
	 * Asks job_stopping() and job_use_bytes() on the way. NULL: somebody else drops it. */
	enum status (*drop)(void *context, struct job *job, int64_t before_ms,
	                    struct retention_amount *dropped, struct error *err);

	void *context;
};

struct retention;

/* Registers the kind; before jobs_start(). `wait_ms` as above. */
struct retention *retention_new(struct jobs *jobs, struct store *store, int64_t wait_ms);
void              retention_free(struct retention *retention); /* NULL is fine */

/* Before jobs_start(); the struct is copied, its strings are not. */
void retention_register(struct retention *retention, const struct retention_thing *thing);

/* The nightly schedule, unless somebody has changed it. */
MUST_USE enum status retention_begin(struct retention *retention, struct error *err);

/* What the next run will do with a thing. */
enum retention_plan {
	RETENTION_KEEP,   /* nothing is due */
	RETENTION_REPORT, /* report it for the first time */
	RETENTION_WAIT,   /* reported, but not long enough ago */
	RETENTION_DROP,
	RETENTION_OTHERS, /* nothing: somebody else drops it */
};
const char *retention_plan_name(enum retention_plan plan); /* "drop" */

struct retention_row {
	const struct retention_thing *thing;
	struct retention_look         look;
	enum retention_plan           plan;
	int64_t                       reported_ms;   /* INSTANT_MS_NONE: not yet, under this limit */
	int64_t                       drops_from_ms; /* INSTANT_MS_NONE likewise */
	int64_t                       dropped_ms;    /* the last time; INSTANT_MS_NONE: never */
	struct retention_amount       dropped;       /* at that time */
};

/* How long it is kept now; INSTANT_MS_NEVER: for ever. */
int64_t retention_age_ms(const struct retention_thing *thing);

/* All things, in order of registration, as a run now would find them. Asks the store and the
 * things: never on an HTTP loop. */
MUST_USE enum status retention_list(struct retention *retention, struct arena *arena,
                                    struct retention_row **ret_rows, size_t *ret_count,
                                    struct error *err);

/* The thing "jobs": finished jobs that are older than their kind or --job-retention says. */
struct retention_thing retention_of_jobs(struct jobs *jobs);

/* Prometheus text. */
void retention_write_metrics(struct retention *retention, struct buffer *out);

#endif
