#ifndef SONNIM_MODEL_SEQUENCE_H
#define SONNIM_MODEL_SEQUENCE_H

/* Whether some chain of a person's events matches the steps of a sequence (contracts, rule 4): each
 * step by another event, later than the one before in the order of rule 13, others in between
 * allowed, t_last − t_first < within, now < t_last + ended_within.
 *
 * As in ClickHouse's windowFunnel (src/AggregateFunctions/AggregateFunctionWindowFunnel.h) one pass
 * in order keeps, of all chains that have come to a step, only the latest instant at which one
 * began: that one is the last to break `within`, and the last whose events are forgotten.
 *
 *   steps A, B, C     event    start of A   of A B   of A B C
 *                     A 10         10
 *                     B 20         10         10
 *                     A 30         30         10
 *                     C 40         30         10        10  ──► a chain from 10 to 40
 *
 * An event that matches several steps takes them from the last to the first, so that no chain has
 * it twice. Of complete chains only the last is kept: it ends last and began last, so nothing that
 * another one would allow is lost. Ours differs: chains are for ever in question again, since
 * `ended_within` and the retention end them by time alone.
 *
 * Functions of their arguments alone, no memory. Cost: O(events × steps). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/evaluate.h"
#include "model/expr.h"

/* A compiled sequence; lives in the arena. */
struct sequence_step {
	struct text            name;  /* empty: any event */
	struct compiled_where *where; /* NULL: none */
};
struct sequence {
	unsigned             step_count;
	int64_t              within_ms;       /* INSTANT_MS_NEVER: no bound */
	int64_t              ended_within_ms; /* the same */
	int64_t              retention_ms;    /* the same */
	bool                 relative;        /* some `where` is relative to the instant */
	struct sequence_step steps[EXPR_STEPS_MAX];
};
struct sequence *sequence_compile(const struct expr_sequence *expr, int64_t retention_ms,
                                  struct arena *arena);

/* Which steps an event matches at `now_ms`: bit i for step i. */
uint32_t sequence_steps(const struct sequence *sequence, struct text name, struct text properties,
                        struct text context, int64_t now_ms);

/* The first instant after `now_ms` at which that may change, else INSTANT_MS_NEVER. */
int64_t sequence_steps_next_ms(const struct sequence *sequence, struct text name,
                               struct text properties, struct text context, int64_t now_ms);

/* A pass over events in order, none of which is in the future; kept, it goes on with the next
 * event. INSTANT_MS_NONE: no chain. */
struct sequence_run {
	int64_t starts_ms[EXPR_STEPS_MAX - 1]; /* by step but the last: when the chain to it began */
	int64_t first_ms, last_ms;             /* of the complete chain */
};
void sequence_begin(struct sequence_run *run);
void sequence_add(const struct sequence *sequence, struct sequence_run *run, int64_t time_ms,
                  uint32_t steps);

/* The complete chain of a run holds at the instants before this one; INSTANT_MS_NONE: there is
 * none. */
int64_t sequence_end_ms(const struct sequence *sequence, const struct sequence_run *run);

/* Of a person's events, in order, those of the future too (time > now_ms): whether the sequence
 * holds at `now_ms`, and the next instant at which that changes by time alone. Where `change_ms` of
 * some event comes before that, it is that instant: the masks must be asked for again there. */
struct sequence_event {
	int64_t  time_ms;
	uint32_t steps;     /* as of now_ms; an event without any may be left out */
	int64_t  change_ms; /* sequence_steps_next_ms(); INSTANT_MS_NEVER if it is not relative */
};
bool sequence_holds(const struct sequence *sequence, const struct sequence_event *events,
                    size_t count, int64_t now_ms, int64_t *ret_next_ms);

#endif
