#ifndef SONNIM_API_CALCULATION_H
#define SONNIM_API_CALCULATION_H

/* Questions about audiences on their way to the query engine: who asks the same joins, and who
 * comes later gets the answer that is there.
 *
 *   calculations_ask() ─┬─ kept, young enough, little has changed ──► at once, `cached`
 *                       ├─ the same is under way ─────────────────► waits with the others
 *                       └─ query_start() ──► done ──► all who wait; kept
 *
 * The same: equal canonical definitions (contracts, rule 6), instant, breakdowns and sample. An
 * answer is kept for `audience-cache`, and dropped early when more has changed since than
 * `audience-cache-change` percent of the users, or when a definition was activated and it refers to
 * segments. What is kept is bounded by number and bytes, the oldest goes first. A question that
 * nobody waits for any more is cancelled.
 *
 * Threads: any. */

#include <stdatomic.h>

#include "api/api.h"
#include "query/query.h"

struct calculations;
struct calculation; /* one question with its answer; counted references */

struct calculations *calculations_new(struct api *api);
void                 calculations_stop(struct calculations *calculations); /* cancels all */
void                 calculations_free(
					struct calculations *calculations); /* when none is under way; NULL is fine */

struct calculation_wish {
	unsigned               set_count;
	struct text            sets[QUERY_SETS_MAX];  /* canonical */
	struct member_list    *lists[QUERY_SETS_MAX]; /* not NULL: instead of the set's definition */
	bool                   derived;               /* some set refers to segments */
	int64_t                as_of_ms;              /* INSTANT_MS_NONE: now */
	uint64_t               min_position;
	unsigned               sample_count;
	unsigned               dimension_count;
	struct query_dimension dimensions[QUERY_DIMENSIONS_MAX];
	bool                   revenue;
	bool                   members; /* never kept, never joined */
	bool                   passing; /* not kept */
	bool                   anew;    /* not from what is kept */
};

/* Somebody who asks; his memory until `done` was called. */
struct calculation_waiter {
	/* Once; maybe within calculations_ask(), else on any thread, where it must be short. */
	void (*done)(struct calculation_waiter *waiter);
	_Atomic bool gone; /* set: the answer is not wanted any more; `done` comes all the same */

	struct calculation *calculation; /* out: a reference, to be given back */
	bool                cached;      /* out: of another instant than the question */

	struct calculation_waiter *next; /* private */
};

/* Errors come with the calculation. */
void calculations_ask(struct calculations *calculations, const struct calculation_wish *wish,
                      struct calculation_waiter *waiter);

/* NULL, with the error: it failed. STATUS_LIMITED: too many are under way. */
const struct query_answer *calculation_answer(const struct calculation *calculation,
                                              struct error             *err);
bool                       calculation_succeeded(const struct calculation *calculation);
/* The same with what query_next_member() needs; of an answer that is there. */
const struct query *calculation_query(const struct calculation *calculation);
void                calculation_unref(struct calculation *calculation); /* NULL is fine */

/* What whoever got it has worked out from it for `key`, for those who get it later. Noted once,
 * long keys not at all. */
enum { CALCULATION_NOTE_KEY_BYTES_MAX = 4096 };
void calculation_note(struct calculation *calculation, struct text key, struct text note);
bool calculation_noted(struct calculation *calculation, struct text key, struct arena *arena,
                       struct text *ret_note);

struct calculations_status {
	uint64_t hits;
	uint64_t joined;
	uint64_t misses;
	uint64_t refused;
	uint64_t cancelled; /* under way when nobody waited for them any more */
	uint64_t running;
	uint64_t count;
	uint64_t bytes;
};
void calculations_status(struct calculations *calculations, struct calculations_status *ret_status);

#endif
