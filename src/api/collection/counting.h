#ifndef SONNIM_API_COUNTING_H
#define SONNIM_API_COUNTING_H

/* Carries what is counted of the sources (ingest/source.h), and what is observed of them
 * (ingest/observed.h), into the store: a thread of its own does so each COUNTING_INTERVAL_MS, and
 * at the end; of what is observed only what is new, and how often it was seen each
 * COUNTING_OBSERVED_ROUNDS. A process that is killed loses what was counted since. What the store
 * does not take waits, by minute. */

#include "base/error.h"
#include "ingest/watch.h"
#include "store/store.h"

enum {
	COUNTING_INTERVAL_MS     = 1000,
	COUNTING_ROWS_AT_ONCE    = 2000,
	COUNTING_OBSERVED_ROUNDS = 60,
};

struct counting;

/* Reads what was observed before this process, and begins. */
MUST_USE enum status counting_new(struct ingest *ingest, struct store *store,
                                  struct journal *journal, struct counting **ret_counting,
                                  struct error *err);

/* Ends the thread; what is left is carried over. NULL is fine. */
void counting_free(struct counting *counting);

/* Carries over what was counted so far. Asks the store: not on a loop. */
MUST_USE enum status counting_flush(struct counting *counting, struct error *err);

/* Forgets what was observed of the source, here and in the store. Likewise. */
MUST_USE enum status counting_forget_observed(struct counting *counting, struct source *source,
                                              enum observed_family family, struct error *err);

#endif
