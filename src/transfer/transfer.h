#ifndef SONNIM_TRANSFER_TRANSFER_H
#define SONNIM_TRANSFER_TRANSFER_H

/* What jobs that bring data in and out work with. */

#include "engine/engine.h"
#include "ingest/ingest.h"
#include "job/job.h"
#include "query/query.h"
#include "vault/vault.h"

struct transfer {
	struct journal *journal;
	struct vault   *vault;
	struct engine  *engine;
	struct queries *queries;
	struct store   *store;
	struct ingest  *ingest;
	uint32_t        partition_count;
};

/* Registers the kinds. `transfer` outlives the runner. */
void transfer_register(struct transfer *transfer, struct jobs *jobs);

#endif
