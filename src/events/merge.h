#ifndef SONNIM_EVENTS_MERGE_H
#define SONNIM_EVENTS_MERGE_H

/* Which parts of a partition are to be merged. Size-tiered: within a month, runs of about the same
 * size are merged into one, so that an event is written again only a few times while the number of
 * runs that a reader has to ask grows with the logarithm of their size. A run is what one flush or
 * one merge wrote: parts that have no person in common but at their edges.
 *
 * Pure functions. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge_part {
	int32_t  month;
	uint64_t run;
	uint64_t bytes;
	bool     old_schema; /* its columns were chosen by other settings */
	bool     excluded;   /* damaged: left alone */
};

/* Marks in `ret_chosen` the parts to be merged next, all of one month; false: none.
 * `clock_month`: of the partition's clock; earlier months are tidied more thoroughly. */
bool merge_choose(const struct merge_part *parts, size_t count, int32_t clock_month,
                  bool *ret_chosen);

#endif
