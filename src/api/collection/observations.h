#ifndef SONNIM_API_OBSERVATIONS_H
#define SONNIM_API_OBSERVATIONS_H

/* What was observed of sources (ingest/observed.h), between the store and the tables. On workers,
 * or on the thread of counting.h, which sees to it that it is one at a time. */

#include "ingest/watch.h"
#include "store/store.h"

MUST_USE enum status observations_load(struct sources *sources, struct store *store,
                                       struct error *err);

/* Writes what has changed; with `new_only` what was never written. What the store does not take is
 * written again. */
MUST_USE enum status observations_keep(struct ingest *ingest, struct store *store, bool new_only,
                                       struct error *err);

#endif
