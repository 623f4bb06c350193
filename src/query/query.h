#ifndef SONNIM_QUERY_QUERY_H
#define SONNIM_QUERY_QUERY_H

/* Any question about all persons at one instant: how many match, who, what they are worth, how they
 * divide; in the language of live segments, with their answers, while events go on.
 *
 *   wish ──► plan ──► each partition, at the instant as_of:             cost a person
 *                      1. columns      bits and bit slices, SIMD        some bits
 *                      2. segments     bitmaps of members               a bit
 *                      3. scans        stored events, by person         the person's rows
 *                      4. persons      one by one, as the engine does   a reading of the events
 *                     ──► sizes, sample, groups, revenue
 *
 * The cheapest and most selective come first; what they leave undecided goes to the next. The
 * columns are answered at the instant itself; scans and persons follow in slices between batches of
 * events, and whoever is about to change is evaluated right before (engine/survey.h), so that
 * everybody is seen as he was at the instant, and nobody waits.
 *
 * Nothing of it is part of the engine's state: the change stream knows nothing of queries. Columns
 * are derived, built at start and kept up.
 *
 * Threads: all calls any thread; `done` comes on one of the partitions' threads. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/engine.h"
#include "model/person.h"
#include "model/value.h"

enum {
	QUERY_SETS_MAX       = 5, /* compared with each other in one question */
	QUERY_SAMPLE_MAX     = 100,
	QUERY_DIMENSIONS_MAX = 8,
	QUERY_GROUPS_MAX     = 1000, /* of a dimension: the largest; the others are counted together */
	QUERY_STEPS_MAX      = 256,  /* leaves beyond are not told of */
};

/* ---- What all queries share ---- */

struct queries;

/* Once the engine has started: columns are built from then on, beside everything else. */
MUST_USE enum status queries_start(struct engine *engine, struct queries **ret_queries,
                                   struct error *err);
/* After the engine has stopped. NULL is fine. */
void queries_stop(struct queries *queries);

/* Keeps what the leaves of this definition look at (canonical form) as columns, whatever they are
 * compared with: a count, a sum, a first or last time of an event in a window. What cannot be a
 * column is passed over; traits have columns by themselves. Built in the background; until then it
 * is scanned. Counted: each call is taken back by one queries_forget(). STATUS_LIMITED: there are
 * too many, or no memory is left for another. */
MUST_USE enum status queries_keep(struct queries *queries, struct text canonical,
                                  struct error *err);
void                 queries_forget(struct queries *queries, struct text canonical);

/* The same of what revenue is made of (query_wish.order_event, refund_event), until the end. It is
 * so from the first question on that asks for it. */
MUST_USE enum status queries_keep_revenue(struct queries *queries, struct text order_event,
                                          struct text refund_event, struct error *err);

struct queries_status {
	uint32_t columns;
	uint32_t columns_built;
	uint64_t memory_bytes;     /* to be counted in the engine's limit (engine_note_memory()) */
	uint64_t memory_bytes_max; /* of columns */
	uint64_t started;          /* queries */
	uint64_t running;
	uint64_t persons_scanned; /* since start */
	uint64_t persons_asked;   /* one by one */
};
void queries_status(struct queries *queries, struct queries_status *ret_status);

/* How much has changed since the start: grows with every step that could change an answer. Cheap.
 * What a cache compares. */
uint64_t queries_changes(struct queries *queries);

/* ---- One question ---- */

/* By what members are grouped: the value of a trait, or the newest value of a property among the
 * events of a name (empty: any) in a window (0: all time). Everybody is in exactly one group;
 * those without a value are in one of their own. Of a set of strings, the set. */
struct query_dimension {
	struct text trait; /* empty: by event and property */
	struct text event;
	struct text property;
	int64_t     within_ms;
};

struct query;
struct member_list;

struct query_wish {
	/* Definitions in canonical form, references resolved; what they refer to is live. */
	unsigned    set_count; /* 1 to QUERY_SETS_MAX */
	struct text sets[QUERY_SETS_MAX];
	/* Not NULL: instead of the definition these are in the set, as far as they are there at the
	 * instant. References are kept. */
	struct member_list *lists[QUERY_SETS_MAX];

	/* INSTANT_MS_NONE: now. Else a past instant (contracts, rule 11), with which nothing is
	 * compared. */
	int64_t  as_of_ms;
	uint64_t min_position; /* as of a read */
	uint32_t compared;     /* number of a segment whose live version set 0 is compared with; 0 */
	unsigned sample_count; /* of each list, at most QUERY_SAMPLE_MAX */
	bool     members;      /* keep who is in set 0: query_next_member() */

	unsigned               dimension_count;
	struct query_dimension dimensions[QUERY_DIMENSIONS_MAX]; /* of the members of set 0 */

	/* Revenue of the members of set 0 over [as_of − 365 d, as_of]: `$amount` of events of the first
	 * kind, minus |`$amount`| of those of the second. Empty name of orders: not asked. */
	struct text order_event;
	struct text refund_event;

	/* Called by the partitions' threads now and then; true: nobody wants the answer any more. */
	bool (*is_cancelled)(void *context);
	/* Called once, on one of those threads: it is over. */
	void (*done)(void *context, struct query *query);
	void *context;
};

/* Texts are copied. `done` may come before it returns. Errors: of the compilation; STATUS_INVALID
 * `as_of`: in the future, or a window reaches behind the retention there (rule 11). */
MUST_USE enum status query_start(struct queries *queries, const struct query_wish *wish,
                                 struct query **ret_query, struct error *err);

/* Persons evenly drawn from all that are meant: those whose hashes are the least. */
struct query_sample {
	uint32_t count;
	struct query_person {
		struct person person;
		uint64_t      order;
	} persons[QUERY_SAMPLE_MAX];
};

struct query_group {
	struct value value; /* VALUE_NULL: those without */
	uint64_t     size;
};

struct query_groups {
	uint32_t            count; /* by size, the largest first; then by value */
	struct query_group *groups;
	uint64_t            others; /* members in groups beyond QUERY_GROUPS_MAX */
};

/* How a part of the question was answered. */
enum query_part {
	QUERY_CONDITION, /* a leaf of the definition */
	QUERY_BREAKDOWN,
	QUERY_REVENUE,
};
const char *query_part_name(enum query_part part); /* "condition" */

enum query_way {
	QUERY_BY_COLUMN,
	QUERY_BY_SEGMENT,
	QUERY_BY_SCAN,
	QUERY_BY_PERSON,
};
const char *query_way_name(enum query_way way); /* "column" */

struct query_step {
	enum query_part part;
	struct text     text; /* the leaf, or what is looked at, in the text notation */
	enum query_way  way;
	uint64_t        persons; /* looked at */
	uint64_t        rows;    /* stored events looked at */
	uint64_t        passed;  /* of a condition, persons for whom it holds */
	int64_t         took_ns; /* of all threads together */
};

struct query_answer {
	enum status status; /* OK; AGAIN: definitions changed meanwhile, ask anew; UNAVAILABLE: stopped
	                     * or cancelled; CONFLICT: what it refers to is not live; TIMEOUT: the
	                     * instant was not reached; CORRUPT: stored events are damaged; INVALID: a
	                     * window of a segment that it refers to reaches behind the retention;
	                     * UNSUPPORTED: such segments are derived through too many levels */
	int64_t     as_of_ms;
	bool        exact; /* false: a past instant, and today's traits were used, or some of the
	                    * year's revenue lies behind the retention */
	uint64_t    person_count;
	uint64_t    size;                         /* of set 0 */
	uint64_t    regions[1 << QUERY_SETS_MAX]; /* persons by the bits of the sets that they are in */

	bool                compared;
	uint64_t            live_size;
	uint64_t            entering;
	uint64_t            leaving;
	struct query_sample members;
	struct query_sample enterers;
	struct query_sample leavers;

	uint64_t order_count;
	__int128 revenue; /* millionths */

	unsigned            dimension_count;
	struct query_groups dimensions[QUERY_DIMENSIONS_MAX];

	unsigned           step_count; /* conditions in order of the plan, then the others */
	struct query_step *steps;
	int64_t            took_ns; /* from query_start() to `done` */
};

/* Once `done` was called; belongs to the query. */
const struct query_answer *query_answer(const struct query *query);

/* The first member in the partition with slot >= from_slot; false: there is none. */
bool query_next_member(const struct query *query, uint32_t partition, uint32_t from_slot,
                       uint32_t *ret_slot);

void query_free(struct query *query);

#endif
