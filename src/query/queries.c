#include <stdlib.h>

#include "query/query_internal.h"

enum status queries_start(struct engine *engine, struct queries **ret_queries, struct error *err)
{
	(void)err;
	struct queries *queries = calloc(1, sizeof *queries);
	if (queries == NULL)
		abort();
	queries->engine = engine;
	*ret_queries    = queries;
	return STATUS_OK;
}

void queries_stop(struct queries *queries) { free(queries); }

void queries_status(struct queries *queries, struct queries_status *ret_status)
{
	*ret_status = (struct queries_status){
		.started         = atomic_load(&queries->started),
		.running         = atomic_load(&queries->running),
		.persons_scanned = atomic_load(&queries->persons_scanned),
		.persons_asked   = atomic_load(&queries->persons_asked),
	};
}

uint64_t queries_changes(struct queries *queries) { return engine_steps(queries->engine); }
