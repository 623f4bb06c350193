#ifndef SONNIM_APP_BACKFILL_H
#define SONNIM_APP_BACKFILL_H

/* Jobs of the kind "backfill": what becomes live by a change of definitions is built from stored
 * events on the partitions' own threads, between events (engine/definition/definition.h); the job
 * shows how far that is.
 *
 *   PREPARE in the journal ─► job running, 0..1000 per mille ─► live ─► job done
 *                                   └─► cancelled ─► ABANDON in the journal ─► job cancelled
 *
 * Parameters: {"change":17,"segments":[{"id","version"}],"derived":2}. One change at a time, with
 * all definitions that were committed meanwhile. The journal is the truth: a job that a process
 * leaves unfinished is taken up by the next one, or is done when the change is live, and cancelled
 * when it was abandoned. */

#include "engine/definition/definition.h"
#include "job/job.h"

#define BACKFILL_KIND "backfill"

struct backfill {
	struct jobs        *jobs;
	struct definitions *definitions;
	struct job         *job; /* of the change under way; NULL: none, or the store refused */
};

/* `backfill` outlives jobs and definitions. */
void backfill_register(struct backfill *backfill, struct jobs *jobs);

/* For definitions_start(). */
struct definition_watch backfill_watch(struct backfill *backfill);

/* Whom to tell when a job is cancelled; before anybody can cancel one. */
void backfill_open(struct backfill *backfill, struct definitions *definitions);

#endif
