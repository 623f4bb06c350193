#ifndef SONNIM_EVENTS_TAIL_SCAN_H
#define SONNIM_EVENTS_TAIL_SCAN_H

/* The events of a tail that one scan looks for, by slot: found in the tail's directory once, and
 * what has come since is looked for before each use. So a scan of everybody walks an array instead
 * of a chain of each person through all of the tail's memory.
 *
 *   directory ──► name, time ──► found │ by group of 512 slots │ those that came since │
 *
 * Thread: the partition's. Zeroed memory is of no tail. */

#include <stdbool.h>
#include <stdint.h>

#include "events/tail.h"

struct tail_scan {
	struct tail *tail;
	uint64_t     number;   /* of the tail */
	VECTOR(size_t) listed; /* by name: rows of the directory that were looked at */
	VECTOR(struct tail_row) found;
	size_t    grouped; /* of the found; those behind came since */
	uint32_t *starts;  /* by group, and the end of the last */
	uint32_t  group_count;
};

void tail_scan_done(struct tail_scan *scan);

/* Turns to a tail, if it is not this one, and takes in what came since. Of `query` name and
 * times count, which are always the same. */
void tail_scan_turn_to(struct tail_scan *scan, struct tail *tail, const struct events_query *query);

/* Those that may be of the slots [first_slot, end_slot), in two runs. */
struct tail_run {
	const struct tail_row *rows;
	size_t                 count;
};
void tail_scan_find(const struct tail_scan *scan, uint32_t first_slot, uint64_t end_slot,
                    struct tail_run ret_runs[2]);

#endif
