#ifndef SONNIM_ENGINE_PARTITION_H
#define SONNIM_ENGINE_PARTITION_H

/* One partition: everything that the engine keeps of its persons, and the steps by which it
 * changes.
 *
 *   partition_apply     a record: timers due by its stamp fire first, then its own step or steps
 *   partition_advance   time alone: timers fire, in order of their instant, one step each
 *   partition_build     a slice of the work that a PREPARE record has ordered
 *
 * Each step records, of what flipped, the net change of each (person, segment), by person slot,
 * level, segment number (contracts, rule 27). Nothing here knows the wall clock, other partitions
 * or how fast it is fed: the same records give the same state and the same change stream.
 *
 * Thread: one at a time, that of engine/thread.c. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/catalog/catalog.h"
#include "engine/change/changes.h"
#include "engine/dimension/enrich.h"
#include "engine/fact/facts.h"
#include "engine/apply/future.h"
#include "engine/merge/merge.h"
#include "engine/apply/names.h"
#include "engine/apply/profile.h"
#include "engine/checkpoint/resume.h"
#include "engine/apply/timers.h"
#include "engine/apply/witness.h"
#include "events/events.h"
#include "journal/journal.h"

struct plan_cache;
struct survey;
struct unsealer;

struct build {
	uint64_t            change_id;
	struct plan        *plan;
	struct catalog_news news;
	uint32_t            cursor; /* slots below it are built */
	bool                built;
	struct build       *next; /* in order of PREPARE */
};

/* A rule that may have flipped in the step at hand, and what would be the cause. */
struct candidate {
	uint32_t rule;
	uint32_t segment;
	uint8_t  cause;
	bool     known; /* what the rule is now: */
	bool     holds;
	uint64_t event_position;
};
typedef VECTOR(struct candidate) candidate_list;

/* Who is told of records that are dropped as duplicates. `call` NULL: nobody. */
struct duplicate_listener {
	void *context; /* set before `call` */
	_Atomic(void (*)(void *context, uint32_t source_number, uint64_t position)) call;
};

struct partition {
	uint32_t           number;
	int64_t            retention_ms;
	struct plan_cache *plans;

	const struct unsealer *unsealer; /* engine/apply/indexed.h; NULL: nothing can be opened */

	struct profiles   profiles;
	struct events    *events;
	struct timers     timers;
	struct catalog    catalog;
	struct changes    changes;
	struct build     *builds;  /* first to be built first; activated ones are taken out */
	struct survey    *surveys; /* under way: engine/survey.h */
	struct future     future;
	struct names      names;
	struct merges     merges;
	struct facts      facts;
	struct enrichment enrichment;
	struct witness   *witness; /* NULL: nobody listens */
	struct resume resume; /* after a restart, until what the checkpoint held is caught up with */

	uint64_t last_position;   /* of the last record applied */
	uint32_t ordinal;         /* of the next change since */
	uint64_t stored_position; /* events through it are part of the state; of those behind it the
	                             store may know from before a restart */
	uint64_t last_change_id;  /* highest PREPARE or ACTIVATE id applied */

	/* Counters, read by others. */
	_Atomic int64_t            clock_ms;
	_Atomic uint64_t           persons;
	_Atomic uint64_t           events_stored;
	_Atomic uint64_t           events_duplicate;
	struct duplicate_listener *duplicates; /* the engine's; NULL: none */
	_Atomic uint64_t           events_enriched;
	_Atomic uint64_t           changes_count;
	_Atomic uint64_t           timers_fired;
	_Atomic uint64_t           bytes[ENGINE_MEMORY_COUNT]; /* of events: engine.budget */

	/* The step at hand. */
	uint32_t        step;
	candidate_list *levels; /* by level: level_count of them */
	size_t          level_count;
	slot_list       due;
	event_list      scratch_events;
	VECTOR(struct sequence_event) scratch_steps;
	found_list found;                  /* features that an event may match */
	index_list ahead;                  /* those that the next events do (engine/apply/ahead.h) */
	index_list touched;                /* those that the step's event does */
	VECTOR(bool) before;               /* what leaves were before the step */
	rung_list       crossed;           /* of one feature's ladder */
	gauge_flip_list flips;             /* of one feature's gauge */
	VECTOR(struct future_event) begun; /* events of the future whose time is the step's */
};

/* Takes over `events`. `enrichment.dimensions`, which all partitions share, is to be set before the
 * first record. */
struct partition *partition_new(uint32_t number, int64_t retention_ms, struct events *events,
                                struct plan_cache *plans);
void              partition_free(struct partition *partition);

/* A person, who comes into being by the record at hand where need be, in a step of its own (rule
 * 22). */
struct profile *partition_person(struct partition *partition, uint32_t slot, bool identified,
                                 int64_t at_ms);

/* After traits were set: what the engine may know of personal ones, and what follows from them. */
void partition_index_traits(struct partition *partition, struct profile *profile, int64_t now_ms);

/* Applies batches of this partition, in order, all with one log time. STATUS_CORRUPT: a record does
 * not decode; those before it are perhaps applied, and the engine stops. */
MUST_USE enum status partition_apply(struct partition          *partition,
                                     const struct journal_read *batches, size_t batch_count,
                                     struct error *err);

/* Everything of this partition at or before this position went through the event store. */
uint64_t partition_stored_through(const struct partition *partition);

/* All that there was at start is applied: what is stored of the erased and did not come by now
 * does not come any more. */
void partition_replayed(struct partition *partition);

/* Fires all timers due at or before `now_ms`; the clock is then there. */
void partition_advance(struct partition *partition, int64_t now_ms);

/* Builds about `slots` slots of what is prepared; true when there is more to do. */
bool partition_build(struct partition *partition, uint32_t slots);

#endif
