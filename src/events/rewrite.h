#ifndef SONNIM_EVENTS_REWRITE_H
#define SONNIM_EVENTS_REWRITE_H

/* Reads the calls of several parts of one month, person by person, and hands them on in the order
 * of a part, a bounded number at a time. */

#include "base/map.h"
#include "events/part.h"
#include "events/part_write.h"

struct rewrite {
	struct part *const   *parts;
	size_t                part_count;
	int64_t               retention_ms;
	int64_t               after_ms;         /* calls that end at or before it are left out */
	uint64_t              through_position; /* calls behind it too */
	int64_t               rows_max;         /* handed on at once */
	const struct map_u64 *forgotten;        /* slots of which nothing is handed on; NULL: none */

	/* Takes the rows, at least one; false ends it. */
	bool (*take)(void *context, const struct part_row *rows, uint32_t count);
	void               *context;
	const _Atomic bool *stopping;
};

/* STATUS_CORRUPT: a part cannot be read (it is `damaged` then); STATUS_UNAVAILABLE: stopping or
 * ended by `take`. `*ret_left_out`: whether a call was left out because it had ended. */
MUST_USE enum status rewrite_run(const struct rewrite *rewrite, bool *ret_left_out,
                                 struct error *err);

#endif
