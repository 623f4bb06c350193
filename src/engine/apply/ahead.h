#ifndef SONNIM_ENGINE_AHEAD_H
#define SONNIM_ENGINE_AHEAD_H

/* Looks ahead in the records that a partition is about to apply: with a million persons none of
 * what a record touches is in a cache, and a processor that is told early waits for many lines at
 * once. Of AHEAD records at a time, each look asking for what the one before has made known:
 *
 *   decode ──► what the event gets from dimensions (engine/dimension/enrich.h)
 *          ──► profile, message id's place, the person's newest event
 *          ──► features that the event matches, the person's sets of features and memberships
 *          ──► the series of these features, their ladders
 *
 * Only asking: what an earlier record of the batch changes is met as it then is. The features found
 * stay what they are, since definitions change between batches alone: a record that concerns
 * everyone is the last of its batch. Thread: the partition's. */

#include "engine/apply/partition.h"

enum { AHEAD = 32 };

struct ahead {
	struct record record;
	struct text   encoded;
	uint64_t      position;
	size_t        found;       /* its features: found_count of lookahead->features from here on */
	size_t        found_count; /* none but of events */
};

struct lookahead {
	const struct journal_read *batch;
	const struct journal_read *end;
	uint32_t                   done; /* records of `batch` */
	struct text                left; /* bytes of `batch` */
	uint32_t                   count;
	struct ahead               items[AHEAD];
};

/* `batches` bear one log time, all of one partition. */
void ahead_begin(struct lookahead *ahead, const struct journal_read *batches, size_t batch_count);

/* The next records, none at the end; their features lie in partition->ahead. STATUS_CORRUPT. */
MUST_USE enum status ahead_next(struct lookahead *ahead, struct partition *partition,
                                int64_t received_ms, struct error *err);

/* Asks for the persons whose timers are due: `slots` from `at` on. */
void ahead_of_timers(const struct partition *partition, const slot_list *slots, size_t at);

#endif
