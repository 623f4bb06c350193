#ifndef SONNIM_EVENTS_WRITER_H
#define SONNIM_EVENTS_WRITER_H

/* The threads behind the store: one cuts sealed tails into parts, the other merges parts, one at a
 * time, so that no more than two files are written at once and a long merge holds up no tail.
 *
 * What fails is tried again after a second; the log has a line when that begins and when it ends.
 *
 * Used by events.c. */

#include "events/events.h"
#include "events/shelf.h"

struct events_store {
	struct events_store_config config;
	struct shelf             **shelves; /* by partition */
	_Atomic bool               stopping;
	_Atomic bool               failing;
	_Atomic uint64_t           flushes;
	_Atomic uint64_t           merges;

	pthread_mutex_t lock; /* of `work` alone */
	pthread_cond_t  work; /* something was sealed, retired or flushed; or the end */
	pthread_t       flusher;
	pthread_t       merger;
	bool            started;
};

void writer_start(struct events_store *store);
void writer_stop(struct events_store *store);

/* Something was sealed or retired. */
void writer_wake(struct events_store *store);

#endif
