#ifndef SONNIM_ENGINE_ENGINE_H
#define SONNIM_ENGINE_ENGINE_H

/* The engine: a deterministic function of the journal. It applies every record to its person, keeps
 * every live segment's membership exact to the millisecond, and writes each change into the change
 * stream. Live, replay, restart and standby are the same run.
 *
 *   journal ──► thread ──► partition ──► events (stored)          thread: one reader, owns several
 *                             │  ├─────► windows, rules ──► changes         partitions
 *                             │  └─────► traits
 *                             └──► timers
 *   reads ────► thread's queue, run between steps (engine/view.h)
 *
 * Nobody calls it with events: they come from the journal alone. What others may do:
 *  - read: engine_read_person(), engine_read_all(): a function that runs on the partition's thread;
 *  - listen to changes as they happen: engine_listen();
 *  - change definitions: engine/definition/definition.h.
 *
 * Clock (contracts, rules 9 to 11): a partition's clock is the instant up to which all timers have
 * fired and before which all records are applied. */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/settings.h"
#include "engine/checkpoint/checkpoint.h"
#include "events/events.h"
#include "journal/journal.h"
#include "model/dimension.h"
#include "model/person.h"

struct engine;
struct view; /* a partition at one instant: engine/view.h */

struct engine_config {
	struct journal *journal;
	uint32_t        partition_count;
	unsigned        thread_count; /* 1 to partition_count */
	int64_t         retention_ms; /* whole days, INSTANT_MS_NEVER: unlimited */
	uint64_t        memory_limit_bytes;

	/* Of the event store's parts; NULL: all events stay in memory. Only until the call
	 * returns. */
	const char                   *events_directory;
	const struct events_settings *events; /* outlive the engine; NULL without directory */

	/* What opens the indexes of personal traits; NULL: they are unknown. Outlives the engine. */
	const struct unsealer *unsealer;

	/* Where checkpoints and the change stream lie; NULL: nowhere, each start reads the whole
	 * journal. Only until the call returns. */
	const char *checkpoint_directory;
	int64_t     checkpoint_interval_ms;
	uint64_t    checkpoint_bytes_per_s;
	uint8_t     workspace_id[16];
};

/* Opens the event store and starts the threads: they load the newest checkpoint, replay the journal
 * from there, and go on live. What fails on the way there says engine_status(). */
MUST_USE enum status engine_start(const struct engine_config *config, struct engine **ret_engine,
                                  struct error *err);

/* Stops after the step at hand; pending reads end with STATUS_UNAVAILABLE. */
void engine_stop(struct engine *engine);

/* One read: the caller's memory until `done` was called, once. */
struct engine_read {
	/* Runs on the partition's thread, between two steps, once for each partition concerned (for
	 * engine_read_all on several threads at the same time: write to memory of `partition` only).
	 * Must be short; takes copies of what it needs. */
	void (*run)(struct engine_read *read, struct view *view);
	/* Called once, on one of these threads, after the last run; or, without any run or after
	 * only some, with an error: STATUS_TIMEOUT (min_position or as_of was not reached in time),
	 * STATUS_UNAVAILABLE (the engine stops). */
	void (*done)(struct engine_read *read, enum status status, const struct error *err);

	uint64_t min_position; /* wait until this is applied; 0: do not */
	int64_t  timeout_ms;   /* at most so long; 0: READ_TIMEOUT_MS */
	int64_t  as_of_ms; /* out: the instant of the answer; for read_all set before the first run */

	/* private */
	struct person    person;
	int64_t          deadline_ns;
	_Atomic uint32_t left;
	_Atomic int      failed;
};

enum { READ_TIMEOUT_MS = 5000 };

/* Reads one partition at its own clock. */
void engine_read_person(struct engine *engine, uint32_t partition, struct engine_read *read);

/* Reads every partition at the log time of now: each evaluates its share when all timers due by
 * then have fired and before the first record stamped later. */
void engine_read_all(struct engine *engine, struct engine_read *read);

/* What memory is used for. */
#define ENGINE_MEMORY_KINDS(X)                                                                     \
	X(PROFILES, "profiles", "Persons and their traits")                                            \
	X(FEATURES, "features", "Windows of the persons that have events in them")                     \
	X(MEMBERSHIPS, "memberships", "Memberships by person")                                         \
	X(EVENTS, "events", "Events that are held in memory, and what finds them")                     \
	X(CHANGES, "changes", "The change stream, as far as it is not in its file")                    \
	X(DIMENSIONS, "dimensions", "Rows of dimensions, in the versions that are asked for")          \
	X(TIMERS, "timers", "Timers under way")                                                        \
	X(MERGES, "merges", "Visitors who became users, what moves with them, corrected facts")        \
	X(CATALOG, "catalog", "Compiled definitions")

enum engine_memory {
#define X(name, text, help) ENGINE_MEMORY_##name,
	ENGINE_MEMORY_KINDS(X)
#undef X
		ENGINE_MEMORY_COUNT
};
const char *engine_memory_name(enum engine_memory kind); /* "profiles" */

/* Where the engine stands. */
struct engine_status {
	bool         loaded;   /* what was kept of the run before is in memory */
	bool         replayed; /* everything that was there at start is applied */
	bool         failed;   /* the journal could not be read: `error` says why */
	struct error error;
	uint64_t     applied_position; /* the least over all threads */
	uint64_t     journal_position;
	int64_t      clock_ms; /* the least over all partitions */
	uint64_t     persons;
	uint64_t     events;
	uint64_t     events_duplicate; /* dropped by dedupe since start */
	uint64_t     events_enriched;  /* that got fields of a dimension since start */
	uint64_t     dimension_rows[DIMENSION_COUNT];
	uint64_t     changes;
	uint64_t     timers_fired;
	int64_t  timer_late_ms_max; /* since start, live only: how far behind its instant one fired */
	uint64_t memory_bytes[ENGINE_MEMORY_COUNT]; /* of all that grows with data */
	uint64_t memory_used_bytes; /* their sum, and what others use: engine_note_memory() */
	uint64_t memory_limit_bytes;
	uint64_t replay_records;               /* read from the journal at start */
	int64_t  replay_ms;                    /* from the start until everything was applied */
	struct checkpoints_status checkpoints; /* zeros where there are none */
	bool                      memory_full; /* engine_admits() refuses */

	struct events_store_status stored; /* the event store's parts; zeros where it has none */
};
void engine_status(struct engine *engine, struct engine_status *ret_status);

/* STATUS_OK, or STATUS_NO_MEMORY while the memory limit is reached: what ingest asks before it
 * accepts. Any thread; cost: a load a partition and kind. */
enum status engine_admits(struct engine *engine);

/* Another limit from now on. What was chosen by the one at start (the tail of events) stays. */
void engine_set_memory_limit(struct engine *engine, uint64_t bytes);

uint32_t engine_partition_count(const struct engine *engine);
int64_t  engine_now_ms(const struct engine *engine); /* the log time of now */
int64_t  engine_retention_ms(const struct engine *engine);

/* Grows with every record, once it is durable, and every timer that may change something. Any
 * thread; cost: a load a partition. */
uint64_t engine_steps(struct engine *engine);

/* What other parts of the process use of the limit, and whether the process as a whole is about to
 * exhaust the machine's memory, whatever has been counted. To be told now and then. */
void engine_note_memory(struct engine *engine, uint64_t elsewhere_bytes, bool exhausted);

/* The slots of a partition that the journal has seen: for vault_reserve(). Valid once replayed. */
uint32_t engine_slot_count(struct engine *engine, uint32_t partition);

/* Whether this visitor's profile has become a user's. Valid once replayed. */
bool engine_merged(struct engine *engine, struct person person);

/* Why something changed (contracts, rule 27). The numbers are part of the change stream's
 * format. */
enum cause {
	CAUSE_CREATED    = 1,
	CAUSE_EVENT      = 2,
	CAUSE_EXPIRY     = 3,
	CAUSE_TRAIT      = 4,
	CAUSE_DEFINITION = 5,
	CAUSE_MERGE      = 6,
	CAUSE_ERASURE    = 7,
};
const char *cause_name(enum cause cause); /* "expiry" */

/* One entry of the change stream of a partition. Its id is (position, ordinal), unique within the
 * partition. slot SLOT_NONE: a segment that holds without any event became live (entered) or ceased
 * to be (exited) for everyone; segment 0: the person came into being (cause created). */
struct change {
	uint64_t position; /* of the last record applied */
	uint32_t ordinal;  /* of the change since that record, from 0 */
	uint32_t slot;
	uint32_t segment; /* number */
	uint8_t  entered;
	uint8_t  cause;
	uint16_t reserved;
	int64_t  at_ms;
	/* cause event: which one; 0 otherwise. To be looked up with view_event(). */
	uint64_t event_position;
};

/* `call` is told of each record that is dropped because its message id was there before, on its
 * partition's thread, also while a restart replays. Must be short. Once. */
typedef void engine_duplicate_fn(void *context, uint32_t source_number, uint64_t position);
void         engine_on_duplicate(struct engine *engine, engine_duplicate_fn *call, void *context);

/* `listener` is called on the partition's thread with the changes of one or more steps, in order,
 * live only (not for what a restart replays). Must be short and must not call the engine's waiting
 * functions. At most LISTENERS_MAX, for the life of the engine, set before engine_start's threads
 * have replayed or at any time later. */
enum { LISTENERS_MAX = 8 };
typedef void engine_listener_fn(void *context, uint32_t partition, const struct change *changes,
                                size_t count);
void         engine_listen(struct engine *engine, engine_listener_fn *listener, void *context);

#endif
