#include "ingest/runs.h"

#include <assert.h>
#include <stdlib.h>

enum { RUN_KEPT_BYTES_MAX = 256 * 1024 }; /* of a partition, from one request to the next */

void runs_init(struct runs *runs, uint32_t partition_count)
{
	assert(partition_count >= 1 && partition_count <= PARTITION_COUNT_MAX);

	*runs              = (struct runs){.partition_count = partition_count};
	runs->of_partition = calloc(partition_count, sizeof *runs->of_partition);
	runs->batches      = calloc(partition_count, sizeof *runs->batches);
	if (runs->of_partition == NULL || runs->batches == NULL)
		abort();
}

void runs_done(struct runs *runs)
{
	for (uint32_t i = 0; i < runs->partition_count; i++)
		buffer_done(&runs->of_partition[i].records);
	free(runs->of_partition);
	free(runs->batches);
	*runs = (struct runs){0};
}

void runs_begin(struct runs *runs)
{
	for (size_t i = 0; i < runs->batch_count; i++) {
		struct run *run = &runs->of_partition[runs->batches[i].partition];
		run->count      = 0;
		if (run->records.capacity > RUN_KEPT_BYTES_MAX)
			buffer_done(&run->records);
		buffer_clear(&run->records);
	}
	runs->batch_count = 0;
	runs->bytes       = 0;
}

void runs_add(struct runs *runs, uint32_t partition, const struct record *record)
{
	assert(partition < runs->partition_count);

	struct run *run = &runs->of_partition[partition];
	if (run->count++ == 0)
		runs->batches[runs->batch_count++].partition = partition;
	record_encode(&run->records, record);
}

void runs_end(struct runs *runs)
{
	for (size_t i = 0; i < runs->batch_count; i++) {
		struct journal_batch *batch = &runs->batches[i];
		const struct run     *run   = &runs->of_partition[batch->partition];
		batch->record_count         = run->count;
		batch->records              = buffer_text(&run->records);
		runs->bytes += run->records.length;
	}
}
