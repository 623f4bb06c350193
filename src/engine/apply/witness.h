#ifndef SONNIM_ENGINE_WITNESS_H
#define SONNIM_ENGINE_WITNESS_H

/* Who keeps something derived of a partition's persons (src/query/columns.h) is told here, on the
 * partition's thread, also while a restart replays, right after it happened. Nothing that a
 * witness does may change the partition: it is no part of what the journal gives.
 *
 * Cost of nobody listening: one comparison an event.
 *
 * A witness embeds this and is registered by setting `partition->witness`, between two steps. */

#include <stdbool.h>
#include <stdint.h>

#include "model/record.h"

struct witness {
	/* The person came into being or ceased to be, or has other traits. */
	void (*saw_person)(struct witness *witness, uint32_t slot);

	/* An event was stored, of this time: what is seen of the person's others does not change. */
	void (*saw_event)(struct witness *witness, const struct record *record, int64_t time_ms);

	/* What is seen of the person's events is another in any way: by a correction or a merge, or
	 * by time in a person with corrections. Events that begin or cease to count by time alone
	 * are not told. */
	void (*saw_events)(struct witness *witness, uint32_t slot);

	/* There is time for work of its own until clock_monotonic_ns() is `end_ns`; between two
	 * batches. True: there is more to do. */
	bool (*work)(struct witness *witness, int64_t end_ns);

	/* The partition is about to be freed: nothing of it may be touched behind this. */
	void (*saw_end)(struct witness *witness);
};

#endif
