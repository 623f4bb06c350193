#ifndef SONNIM_INGEST_WATCH_H
#define SONNIM_INGEST_WATCH_H

/* The threads that take events in, seen from those who change what they look at: plans, and the
 * tables of what was observed. Each has shapes (shapes.h) with a lock that it holds while it works
 * on a request, and only then does it use a source's plan or names. So a plan that was exchanged
 * may be freed once each thread's lock was free for a moment; no thread waits for another one.
 *
 * Threads: any. */

#include "ingest/plan.h"
#include "ingest/shapes.h"
#include "ingest/source.h"

struct watch;

struct watch *watch_new(void);
void          watch_free(struct watch *watch); /* all have left */

void watch_join(struct watch *watch, struct shapes *shapes);
void watch_leave(struct watch *watch, struct shapes *shapes);

/* From now on this plan holds (NULL: none); it is taken over. */
void watch_set_plan(struct watch *watch, struct source *source, struct plan *plan);

/* What all threads have counted so far is in the tables. */
void watch_flush(struct watch *watch);

/* What was observed of the source so far is gone. */
void watch_forget(struct watch *watch, struct source *source, enum observed_family family);

#endif
