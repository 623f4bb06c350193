#ifndef SONNIM_API_COUNTING_H
#define SONNIM_API_COUNTING_H

/* Carries what is counted of the sources (ingest/source.h) into the store: a thread of its own does
 * so each COUNTING_INTERVAL_MS, and at the end. A process that is killed loses what was counted
 * since. What the store does not take waits, by minute. */

#include "base/error.h"
#include "ingest/source.h"
#include "store/store.h"

enum { COUNTING_INTERVAL_MS = 5000, COUNTING_ROWS_AT_ONCE = 2000 };

struct counting;

struct counting *counting_new(struct sources *sources, struct store *store,
                              struct journal *journal);

/* Ends the thread; what is left is carried over. NULL is fine. */
void counting_free(struct counting *counting);

/* Carries over what was counted so far. Asks the store: not on a loop. */
MUST_USE enum status counting_flush(struct counting *counting, struct error *err);

#endif
