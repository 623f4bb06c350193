#include "base/clock.h"
#include "base/instant.h"
#include "base/log.h"
#include "engine/engine_internal.h"
#include "engine/survey.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	SURVEY_NS       = 1000000, /* of surveys at a time, */
	SURVEY_EVERY_NS = 4000000, /* under load again after so long: a fifth of it is theirs */
	BUILD_SLOTS     = 256,     /* between two looks at the journal */
	WAIT_MS_MAX     = 1000,    /* a sleeping thread looks up at least so often */
	BATCHES_A_ROUND = 4096,    /* staged at most before listeners and builds have their turn */
	WITNESS_NS      = 1000000, /* what is derived has for itself at a time */
	NAP_NS          = 10000000,
	TURN_NS         = 10000000, /* between two turns of checkpoints under load */
};

/* A read of many gets its instant right after it was sent to the last thread: none of them goes
 * past it meanwhile, or lets the read go, to which its sender still writes. */
static int64_t as_of(const struct engine_read *read)
{
	int64_t as_of_ms;
	while ((as_of_ms = __atomic_load_n(&read->as_of_ms, __ATOMIC_ACQUIRE)) == INSTANT_MS_NONE)
		sched_yield();
	return as_of_ms;
}

void ticket_finish(struct read_ticket *ticket, enum status status)
{
	struct engine_read *read = ticket->read;
	if (ticket->partition == NULL)
		as_of(read);
	free(ticket);
	if (status != STATUS_OK)
		atomic_store(&read->failed, (int)status);
	if (atomic_fetch_sub(&read->left, 1) > 1)
		return;

	status = (enum status)atomic_load(&read->failed);
	if (status == STATUS_OK) {
		read->done(read, STATUS_OK, NULL);
		return;
	}
	struct error err = {0};
	if (status == STATUS_TIMEOUT)
		error_set(&err, status, "the data asked for was not applied in time");
	else
		error_set(&err, status, "the engine does not answer: it is stopping or has failed");
	read->done(read, status, &err);
}

/* `late`: behind the look at the journal. What came before them may lie there yet, unless it is
 * stamped later than they are. */
static void take_arrived(struct engine_thread *thread, bool late)
{
	if (!late)
		for (struct read_ticket *ticket = thread->waiting; ticket != NULL; ticket = ticket->next)
			ticket->late = false;
	if (atomic_load(&thread->arrived) == NULL)
		return;
	struct read_ticket *arrived = atomic_exchange(&thread->arrived, NULL);
	while (arrived != NULL) {
		struct read_ticket *next = arrived->next;
		arrived->late            = late;
		arrived->next            = thread->waiting;
		thread->waiting          = arrived;
		arrived                  = next;
	}
}

/* Whether everything up to a position is applied, and what it caused elsewhere. */
static bool is_settled(const struct engine *engine, uint64_t position)
{
	for (unsigned i = 0; i < engine->thread_count; i++)
		if (atomic_load_explicit(&engine->threads[i].applied, memory_order_acquire) < position)
			return false;
	return relay_settled(engine->relay, position);
}

/* Whether what the read has asked for is applied. */
static bool is_applied(const struct engine_thread *thread, const struct read_ticket *ticket)
{
	uint64_t position = ticket->read->min_position;
	return position == 0 || (position <= thread->through && is_settled(thread->engine, position));
}

/* Whether the read's instant has come: all that it must see is applied. */
static bool is_ready(const struct engine_thread *thread, const struct read_ticket *ticket)
{
	if (ticket->late || !is_applied(thread, ticket))
		return false;
	/* Many persons: at the log time of its arrival, not before. One: whenever it is. */
	return ticket->partition != NULL || as_of(ticket->read) <= thread->stamp_ms;
}

static void run_read(struct engine_thread *thread, struct engine_read *read,
                     struct partition *partition, int64_t now_ms)
{
	partition_advance(partition, now_ms);
	struct view view = {thread->engine, partition, now_ms};
	read->run(read, &view);
}

/* STATUS_CORRUPT: stored events that were read turned out to be damaged. */
static enum status check_events(const struct engine_thread *thread, struct error *err)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < thread->partition_count && status == STATUS_OK; i++)
		status = events_check(thread->partitions[i]->events, err);
	return status;
}

static void answer(struct engine_thread *thread, struct read_ticket *ticket)
{
	struct engine_read *read = ticket->read;
	struct error        err;
	if (ticket->partition != NULL) {
		read->as_of_ms = thread->stamp_ms;
		run_read(thread, read, ticket->partition, thread->stamp_ms);
	} else {
		for (uint32_t i = 0; i < thread->partition_count; i++)
			run_read(thread, read, thread->partitions[i], read->as_of_ms);
	}
	ticket_finish(ticket, check_events(thread, &err));
}

/* Reads of many whose instants lie before end_ms, one after the other by these: each is answered
 * before a partition goes past its own. Called when every record stamped before end_ms is
 * applied. */
static void answer_many_before(struct engine_thread *thread, int64_t end_ms)
{
	for (;;) {
		struct read_ticket **first = NULL, **place = &thread->waiting;
		for (; *place != NULL; place = &(*place)->next)
			if ((*place)->partition == NULL && as_of((*place)->read) < end_ms &&
			    is_applied(thread, *place) &&
			    (first == NULL || as_of((*place)->read) < as_of((*first)->read)))
				first = place;
		if (first == NULL)
			return;
		struct read_ticket *ticket = *first;
		*first                     = ticket->next;
		answer(thread, ticket);
	}
}

/* Answers the waiting reads whose instant has come. Called when every record is applied that is
 * stamped at or before stamp_ms and was durable when the reads were taken. */
static void answer_reads(struct engine_thread *thread)
{
	int64_t now_ns = thread->waiting == NULL ? 0 : clock_monotonic_ns();
	for (struct read_ticket **place = &thread->waiting; *place != NULL;) {
		struct read_ticket *ticket = *place;
		if (is_ready(thread, ticket)) {
			*place = ticket->next;
			answer(thread, ticket);
		} else if (ticket->read->deadline_ns <= now_ns) {
			*place = ticket->next;
			ticket_finish(ticket, STATUS_TIMEOUT);
		} else {
			place = &ticket->next;
		}
	}
}

static void notify_partition(struct engine_thread *thread, uint32_t index, unsigned listeners)
{
	struct partition *partition = thread->partitions[index];
	struct changes   *changes   = &partition->changes;
	while (thread->notified[index] < changes->count) {
		struct change chunk[256];
		size_t        count = 0;
		while (count < 256 && thread->notified[index] < changes->count)
			chunk[count++] = changes_at(changes, thread->notified[index]++)->change;
		for (unsigned i = 0; i < listeners; i++)
			thread->engine->listeners[i].call(thread->engine->listeners[i].context,
			                                  partition->number, chunk, count);
	}
}

/* Tells the listeners what changed since, once all that was there at start is applied. */
static void notify(struct engine_thread *thread)
{
	unsigned listeners =
		atomic_load_explicit(&thread->engine->listener_count, memory_order_acquire);
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		if (listeners > 0 && atomic_load(&thread->replayed))
			notify_partition(thread, i, listeners);
		else
			thread->notified[i] = thread->partitions[i]->changes.count;
	}
}

static void advance_all(struct engine_thread *thread, int64_t now_ms)
{
	bool manual_or_replay = !atomic_load(&thread->replayed);
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		int64_t due_ms  = timers_next_ms(&thread->partitions[i]->timers);
		int64_t late_ms = now_ms - due_ms;
		if (due_ms <= now_ms && !manual_or_replay &&
		    late_ms > atomic_load(&thread->timer_late_ms_max))
			atomic_store(&thread->timer_late_ms_max, late_ms);
		partition_advance(thread->partitions[i], now_ms);
	}
}

/* Tells the journal what no start needs any more, of any thread's partitions. */
static void tell_needed(struct engine_thread *thread)
{
	struct engine *engine = thread->engine;
	uint64_t stored = UINT64_MAX, needed_after = checkpoints_needed_after(engine->checkpoints);
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		uint64_t through = events_through(thread->partitions[i]->events);
		stored           = through < stored ? through : stored;
	}
	atomic_store_explicit(&thread->stored, stored, memory_order_release);
	for (unsigned i = 0; i < engine->thread_count; i++) {
		stored       = atomic_load_explicit(&engine->threads[i].stored, memory_order_acquire);
		needed_after = stored < needed_after ? stored : needed_after;
	}
	for (uint32_t i = 0; i < thread->partition_count; i++)
		enrichment_forget(&thread->partitions[i]->enrichment, thread->partitions[i]->number,
		                  needed_after);
	if (thread->number == 0 && needed_after > 0)
		engine->journal->ops->needed(engine->journal, needed_after + 1);
}

/* Checkpoints go on; returns in how many ms they want to again. */
static int64_t turn(struct engine_thread *thread, int64_t now_ns)
{
	struct error err;
	/* Nothing that damaged events gave may be kept. */
	if (thread->engine->checkpoints == NULL || check_events(thread, &err) != STATUS_OK)
		return WAIT_MS_MAX;
	thread->turned_ns = now_ns;
	tell_needed(thread);
	return checkpoint_turn(thread->engine->checkpoints, thread->partitions, thread->partition_count,
	                       thread->through);
}

static bool build_all(struct engine_thread *thread)
{
	bool more = false;
	for (uint32_t i = 0; i < thread->partition_count; i++)
		more |= partition_build(thread->partitions[i], BUILD_SLOTS);
	return more;
}

/* Slices of surveys, for a moment at most: events go first. True: there were some. */
static bool survey_all(struct engine_thread *thread)
{
	bool    any    = false;
	int64_t now_ns = clock_monotonic_ns(), end_ns = now_ns + SURVEY_NS;
	for (uint32_t i = 0; i < thread->partition_count && now_ns < end_ns; i++)
		while (thread->partitions[i]->surveys != NULL && now_ns < end_ns) {
			any = true;
			survey_go_on(thread->partitions[i], end_ns);
			now_ns = clock_monotonic_ns();
		}
	thread->surveyed_ns = now_ns;
	return any;
}

/* What is derived of partitions goes on, for a moment at most. */
static bool witness_all(struct engine_thread *thread)
{
	if (!atomic_load_explicit(&thread->replayed, memory_order_relaxed))
		return false;
	bool    more   = false;
	int64_t end_ns = clock_monotonic_ns() + WITNESS_NS;
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		struct witness *witness = thread->partitions[i]->witness;
		more |= witness != NULL && witness->work(witness, end_ns);
	}
	return more;
}

static int64_t sleep_ms(const struct engine_thread *thread, int64_t now_ms)
{
	int64_t next_ms = INSTANT_MS_NEVER;
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		int64_t due_ms = timers_next_ms(&thread->partitions[i]->timers);
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	int64_t wait_ms = next_ms - now_ms;
	if (next_ms == INSTANT_MS_NEVER || wait_ms > WAIT_MS_MAX)
		wait_ms = WAIT_MS_MAX;
	if (thread->waiting != NULL && wait_ms > 1)
		wait_ms = 1;
	return wait_ms < 0 ? 0 : wait_ms;
}

/* Sends what is caused elsewhere, once nobody replays any more. */
static void relay_all(struct engine_thread *thread)
{
	struct engine *engine = thread->engine;
	bool           live   = atomic_load_explicit(&engine->live, memory_order_relaxed);
	if (!live) {
		live = true;
		for (unsigned i = 0; i < engine->thread_count; i++)
			live &= atomic_load(&engine->threads[i].replayed);
		atomic_store(&engine->live, live);
	}
	for (uint32_t i = 0; i < thread->partition_count; i++)
		relay_send(engine->relay, thread->partitions[i], live);
}

static void set_through(struct engine_thread *thread, uint64_t through)
{
	thread->through = through;
	atomic_store_explicit(&thread->applied, through, memory_order_release);
}

static bool is_caught_up(const struct engine_thread *thread)
{
	for (uint32_t i = 0; i < thread->partition_count; i++)
		if (thread->partitions[i]->resume.active)
			return false;
	return true;
}

/* Nobody is told again what was told of the erased. */
static void end_replay(struct engine_thread *thread)
{
	atomic_store(&thread->replayed_ns, clock_monotonic_ns());
	atomic_store(&thread->replayed, true);
	notify(thread);
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		partition_replayed(thread->partitions[i]);
		thread->notified[i] = thread->partitions[i]->changes.count;
	}
}

/* Nothing to read: time goes on to the safe time, then there is leisure for what is prepared. */
static enum status idle(struct engine_thread *thread, int64_t safe_ms, uint64_t through,
                        struct error *err)
{
	set_through(thread, through);
	if (safe_ms > thread->stamp_ms) {
		/* Nobody goes past the instant of a read that was sent before it was answered how far. */
		take_arrived(thread, true);
		answer_many_before(thread, safe_ms);
		thread->stamp_ms = safe_ms;
	}
	advance_all(thread, thread->stamp_ms);
	enum status status = check_events(thread, err);
	if (status != STATUS_OK)
		return status;
	if (!atomic_load(&thread->replayed) && is_caught_up(thread))
		end_replay(thread);
	answer_reads(thread);
	relay_all(thread);
	notify(thread);
	int64_t turn_ms = turn(thread, clock_monotonic_ns());
	int64_t wait_ms = sleep_ms(thread, thread->stamp_ms);
	bool    more    = build_all(thread);
	more |= survey_all(thread);
	more |= witness_all(thread);
	if (!more)
		thread->engine->journal->ops->reader_wait(thread->reader,
		                                          turn_ms < wait_ms ? turn_ms : wait_ms);
	return STATUS_OK;
}

static void fail(struct engine_thread *thread, const struct error *err)
{
	struct engine *engine = thread->engine;
	pthread_mutex_lock(&engine->failure_lock);
	if (!atomic_load(&engine->failed)) {
		engine->failure = *err;
		log_error("the engine stops: it cannot go on from what is on disk", err);
	}
	atomic_store(&engine->failed, true);
	pthread_mutex_unlock(&engine->failure_lock);
}

/* Between batches: what the event store has written meanwhile, what it is to write next. */
static void poll_events(struct engine_thread *thread)
{
	struct checkpoints *checkpoints = thread->engine->checkpoints;
	uint64_t            needed_after =
        checkpoints == NULL ? EVENTS_FROM_BEGIN : checkpoints_needed_after(checkpoints);
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		struct partition *partition = thread->partitions[i];
		uint64_t          through   = partition_stored_through(partition);
		if (through < thread->through)
			through = thread->through;
		events_poll(partition->events, survey_clock_ms(partition), through, needed_after);
	}
}

/* Applies what is staged. */
static enum status flush(struct engine_thread *thread, struct error *err)
{
	struct staged *staged = &thread->staged;
	enum status    status = STATUS_OK;
	for (uint32_t i = 0; i < thread->partition_count && staged->any; i++) {
		size_t count = staged->batches[i].count;
		if (count > 0 && status == STATUS_OK) {
			status = partition_apply(thread->partitions[i], staged->batches[i].items, count, err);
			relay_applied(thread->engine->relay, thread->partitions[i]);
		}
		staged->batches[i].count = 0;
	}
	if (status == STATUS_OK)
		status = check_events(thread, err);
	poll_events(thread);
	staged->used = 0;
	staged->any  = false;
	return status;
}

/* Before the first record with a later stamp: what is to be answered at the stamp so far. */
static void reach(struct engine_thread *thread, const struct journal_read *batch)
{
	take_arrived(thread, false);
	set_through(thread, batch->first_position - 1);
	answer_reads(thread);
	answer_many_before(thread, batch->log_time_ms); /* they may lie between the two stamps */
	thread->stamp_ms = batch->log_time_ms;
	int64_t now_ns   = clock_monotonic_ns();
	if (now_ns - thread->turned_ns >= TURN_NS)
		turn(thread, now_ns);
	if (now_ns - thread->surveyed_ns >= SURVEY_EVERY_NS)
		survey_all(thread);
}

static enum status stage(struct engine_thread *thread, const struct journal_read *batch,
                         struct error *err)
{
	struct staged *staged = &thread->staged;
	enum status    status = STATUS_OK;
	if (batch->log_time_ms > thread->stamp_ms) {
		status = flush(thread, err);
		if (status != STATUS_OK)
			return status;
		reach(thread, batch);
	}
	if (batch->records.length > STAGED_BYTES_MAX - staged->used)
		status = flush(thread, err);
	if (status == STATUS_OK && batch->records.length > STAGED_BYTES_MAX) {
		struct partition *partition = thread->engine->partitions[batch->partition];
		status                      = partition_apply(partition, batch, 1, err);
		relay_applied(thread->engine->relay, partition);
		return status;
	}
	if (status != STATUS_OK)
		return status;

	struct journal_read copy = *batch;
	copy.records.data        = staged->bytes + staged->used;
	memcpy(staged->bytes + staged->used, batch->records.data, batch->records.length);
	staged->used += batch->records.length;
	VECTOR_ADD(&staged->batches[batch->partition / thread->engine->thread_count], copy);
	staged->any = true;
	return STATUS_OK;
}

/* What a restart reads again must give the change stream that there is. */
static enum status check_changes(const struct engine_thread *thread, struct error *err)
{
	for (uint32_t i = 0; i < thread->partition_count; i++) {
		const struct changes *changes = &thread->partitions[i]->changes;
		if (changes->differing > 0)
			return error_set(err, STATUS_CORRUPT,
			                 "entry %llu of the change stream %s is not what the journal gives",
			                 (unsigned long long)changes->differing - 1, changes->file->path);
	}
	return STATUS_OK;
}

/* Applies what is there, a round of it; false after a failure. */
static bool work(struct engine_thread *thread)
{
	const struct journal_ops *ops    = thread->engine->journal->ops;
	enum status               status = STATUS_OK;
	struct error              err    = {0};
	for (unsigned i = 0; i < BATCHES_A_ROUND && status == STATUS_OK; i++) {
		struct journal_read batch;
		int64_t             safe_ms;
		uint64_t            through;
		/* Before the look at the journal, so that an answer holds what came before it. */
		take_arrived(thread, false);
		status = ops->read(thread->reader, &batch, &safe_ms, &through, &err);
		if (status == STATUS_OK) {
			if (!atomic_load_explicit(&thread->replayed, memory_order_relaxed))
				atomic_fetch_add(&thread->replay_records, batch.record_count);
			status = stage(thread, &batch, &err);
		} else if (status == STATUS_AGAIN) {
			status = flush(thread, &err);
			if (status == STATUS_OK)
				status = idle(thread, safe_ms, through, &err);
			break;
		}
	}
	if (status == STATUS_OK)
		status = flush(thread, &err);
	if (status == STATUS_OK)
		status = check_changes(thread, &err);
	if (status != STATUS_OK) {
		fail(thread, &err);
		return false;
	}
	relay_all(thread);
	notify(thread);
	build_all(thread);
	survey_all(thread);
	witness_all(thread);
	return true;
}

static void refuse_reads(struct engine_thread *thread)
{
	for (uint32_t i = 0; i < thread->partition_count; i++)
		survey_break_all(thread->partitions[i], STATUS_UNAVAILABLE);
	take_arrived(thread, false);
	while (thread->waiting != NULL) {
		struct read_ticket *ticket = thread->waiting;
		thread->waiting            = ticket->next;
		ticket_finish(ticket, STATUS_UNAVAILABLE);
	}
}

/* The log's time must not begin before what was kept of an earlier run. */
static void reach_kept(const struct engine_thread *thread, const struct partition *partition)
{
	const struct changes *changes = &partition->changes;
	int64_t               kept_ms = partition->resume.end_clock_ms;
	if (changes->stored > 0) {
		int64_t at_ms = changes_at(changes, changes->stored - 1)->change.at_ms;
		kept_ms       = at_ms > kept_ms ? at_ms : kept_ms;
	}
	thread->engine->journal->ops->clock_reach(thread->engine->journal, kept_ms);
}

static enum status load(struct engine_thread *thread, uint64_t *ret_after, struct error *err)
{
	struct engine  *engine  = thread->engine;
	struct journal *journal = engine->journal;
	uint64_t        after   = engine->checkpoints == NULL ? 0 : UINT64_MAX;
	for (uint32_t i = 0; i < thread->partition_count && engine->checkpoints != NULL; i++) {
		uint64_t    one;
		enum status status = checkpoint_load(engine->checkpoints, thread->partitions[i],
		                                     journal->ops->first_position(journal) <= 1,
		                                     &engine->stopping, &one, err);
		if (status != STATUS_OK)
			return status;
		reach_kept(thread, thread->partitions[i]);
		/* Stored events that no part holds are read again, too. */
		uint64_t stored = events_through(thread->partitions[i]->events);
		after           = one < after ? one : after;
		after           = stored < after ? stored : after;
	}
	*ret_after = after;
	return STATUS_OK;
}

/* What was kept of the run before, then a reader of what came since. */
static enum status open_thread(struct engine_thread *thread, struct error *err)
{
	struct engine         *engine = thread->engine;
	uint32_t               count  = engine->config.partition_count;
	bool                  *wanted = calloc(count, sizeof *wanted);
	struct journal_reader *reader = NULL;
	uint64_t               after;
	if (wanted == NULL)
		abort();
	for (uint32_t i = 0; i < count; i++)
		wanted[i] = thread_of(engine, i) == thread;
	enum status status = load(thread, &after, err);
	if (status == STATUS_OK)
		status =
			engine->journal->ops->reader_open(engine->journal, wanted, count, after, &reader, err);
	free(wanted);
	if (status != STATUS_OK)
		return status;
	atomic_store(&thread->reader, reader);
	atomic_store(&thread->loaded, true);
	return STATUS_OK;
}

/* After a failure there may be no reader to wait with. */
static void nap(struct engine_thread *thread)
{
	struct journal_reader *reader = atomic_load(&thread->reader);
	if (reader != NULL)
		thread->engine->journal->ops->reader_wait(reader, WAIT_MS_MAX);
	else
		nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

void *engine_thread_run(void *pointer)
{
	struct engine_thread *thread = pointer;
	struct error          err    = {0};
	bool                  failed = open_thread(thread, &err) != STATUS_OK;
	if (failed && !atomic_load(&thread->engine->stopping))
		fail(thread, &err);
	while (!atomic_load(&thread->engine->stopping)) {
		if (!failed)
			failed = !work(thread);
		if (failed) {
			refuse_reads(thread);
			nap(thread);
		}
	}
	refuse_reads(thread);
	for (uint32_t i = 0; i < thread->partition_count; i++)
		relay_land(thread->engine->relay, thread->partitions[i]);
	return NULL;
}
