#ifndef SONNIM_INGEST_RUNS_H
#define SONNIM_INGEST_RUNS_H

/* The records of one request, by partition, ready for one append. One thread. */

#include "ingest/message.h"
#include "journal/journal.h"

struct runs {
	struct run {
		struct buffer records;
		uint32_t      count;
	} * of_partition;
	uint32_t              partition_count;
	struct journal_batch *batches;     /* those that are not empty, once ended; partition_count */
	size_t                batch_count; /* while filling: of partitions in `batches` */
	size_t                bytes;       /* of all; counted at the end */
};

void runs_init(struct runs *runs, uint32_t partition_count);
void runs_done(struct runs *runs);

/* Forgets the request before. */
void runs_begin(struct runs *runs);
void runs_add(struct runs *runs, uint32_t partition, const struct record *record);

/* Fills `batches`, which point into the runs until the next begin, and `bytes`. */
void runs_end(struct runs *runs);

#endif
