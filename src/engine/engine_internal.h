#ifndef SONNIM_ENGINE_ENGINE_INTERNAL_H
#define SONNIM_ENGINE_ENGINE_INTERNAL_H

/* Shared by engine.c (what others call) and thread.c (the loop). */

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/apply/partition.h"
#include "engine/merge/relay.h"

struct view {
	struct engine    *engine;
	struct partition *partition;
	int64_t           now_ms;
};

/* A read on its way to one thread. */
struct read_ticket {
	struct engine_read *read;
	struct partition   *partition; /* NULL: all of the thread's */
	struct read_ticket *next;
	bool                late; /* it came behind the thread's last look at the journal */
};

/* Batches of one log time, copied and sorted by partition, to be applied together: a partition then
 * meets hundreds of records at once instead of the few that a request brought it. */
struct staged {
	char  *bytes;
	size_t used;
	VECTOR(struct journal_read) * batches; /* by the thread's partitions */
	bool any;
};

struct engine_thread {
	struct engine                   *engine;
	unsigned                         number;
	pthread_t                        thread;
	_Atomic(struct journal_reader *) reader;     /* NULL until the partitions are loaded */
	struct partition               **partitions; /* those that it owns */
	uint32_t                         partition_count;

	struct read_ticket *_Atomic arrived; /* newest first; pushed by any thread, taken whole */
	struct read_ticket         *waiting; /* the thread's own */

	struct staged staged;

	int64_t          stamp_ms; /* log time of the last batch, or the last safe time */
	uint64_t         through;  /* everything at or before it is applied */
	_Atomic uint64_t applied;  /* `through`, for others */
	_Atomic bool     loaded;
	_Atomic bool     replayed;
	_Atomic uint64_t replay_records;
	_Atomic int64_t  replayed_ns; /* when that was */
	int64_t          turned_ns;   /* when checkpoints last had their turn */
	int64_t          surveyed_ns; /* when surveys had theirs */
	_Atomic uint64_t stored;      /* its partitions' events through here lie in parts */
	_Atomic int64_t  timer_late_ms_max;
	uint64_t        *notified; /* by partition: changes that listeners have */
};

struct engine_listener {
	engine_listener_fn *call;
	void               *context;
};

struct engine {
	struct engine_config  config;
	struct journal       *journal;
	struct events_budget  budget;
	_Atomic uint64_t      elsewhere_bytes; /* engine_note_memory() */
	_Atomic bool          exhausted;
	_Atomic uint64_t      memory_limit_bytes;
	struct events_store  *events;
	struct plan_cache    *plans;
	struct dimensions    *dimensions;
	pthread_mutex_t       dimension_lock;
	uint64_t              dimension_number; /* of the record appended last; with the lock */
	struct checkpoints   *checkpoints;      /* NULL: none */
	int64_t               started_ns;
	struct partition    **partitions;
	struct engine_thread *threads;
	struct relay         *relay; /* what records cause in other partitions */
	_Atomic bool          live;  /* every thread has replayed what was there at start */
	unsigned              thread_count;
	_Atomic bool          stopping;
	_Atomic bool          failed;
	pthread_mutex_t       failure_lock;
	struct error          failure;

	struct duplicate_listener duplicates;
	struct engine_listener    listeners[LISTENERS_MAX];
	_Atomic unsigned          listener_count;
	pthread_mutex_t           listener_lock;
};

enum { STAGED_BYTES_MAX = 1 << 20 };

static inline struct engine_thread *thread_of(struct engine *engine, uint32_t partition)
{
	return &engine->threads[partition % engine->thread_count];
}

void *engine_thread_run(void *thread);

/* Ends a ticket: the last one of a read calls its `done`. */
void ticket_finish(struct read_ticket *ticket, enum status status);

#endif
