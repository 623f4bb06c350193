#ifndef SONNIM_BENCH_TAKING_H
#define SONNIM_BENCH_TAKING_H

/* Ingest with a real vault in a temporary directory, before a journal that throws away what it
 * gets and counts it: what taking in costs by itself. One thread. */

#include <stdbool.h>

#include "ingest/ingest.h"

struct taking {
	struct journal        journal; /* first */
	struct vault         *vault;
	struct ingest        *ingest;
	struct ingest_thread *thread;
	uint64_t              records; /* that the journal got */
	uint64_t              bytes;
	char                  directory[32];
};

/* False: it cannot be, and why is printed. */
bool taking_begin(struct taking *taking);
bool taking_end(struct taking *taking); /* false: the directory is still there */

/* CPU time of the calling thread. */
double taking_cpu_seconds(void);

#endif
