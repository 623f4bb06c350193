#include "engine/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "engine/apply/indexed.h"
#include "engine/engine_internal.h"
#include "engine/catalog/plan_cache.h"

static const char *const cause_names[] = {
	[CAUSE_CREATED] = "created", [CAUSE_EVENT] = "event",           [CAUSE_EXPIRY] = "expiry",
	[CAUSE_TRAIT] = "trait",     [CAUSE_DEFINITION] = "definition", [CAUSE_MERGE] = "merge",
	[CAUSE_ERASURE] = "erasure",
};

const char *cause_name(enum cause cause)
{
	assert(cause >= CAUSE_CREATED && cause <= CAUSE_ERASURE);
	return cause_names[cause];
}

static const char *const memory_names[ENGINE_MEMORY_COUNT] = {
#define X(name, text, help) text,
	ENGINE_MEMORY_KINDS(X)
#undef X
};

const char *engine_memory_name(enum engine_memory kind) { return memory_names[kind]; }

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (memory == NULL)
		abort();
	return memory;
}

static void engine_free(struct engine *engine)
{
	if (engine->events != NULL)
		events_store_stop(engine->events);
	for (unsigned i = 0; i < engine->thread_count; i++) {
		struct engine_thread *thread = &engine->threads[i];
		if (thread->reader != NULL)
			engine->journal->ops->reader_close(thread->reader);
		for (uint32_t p = 0; p < thread->partition_count && thread->staged.batches != NULL; p++)
			VECTOR_DONE(&thread->staged.batches[p]);
		free(thread->staged.batches);
		free(thread->staged.bytes);
		free(thread->partitions);
		free(thread->notified);
	}
	checkpoints_free(engine->checkpoints);
	for (uint32_t i = 0; i < engine->config.partition_count && engine->partitions[i] != NULL; i++)
		partition_free(engine->partitions[i]);
	relay_free(engine->relay);
	events_store_close(engine->events);
	plan_cache_free(engine->plans);
	dimensions_free(engine->dimensions);
	pthread_mutex_destroy(&engine->failure_lock);
	pthread_mutex_destroy(&engine->listener_lock);
	pthread_mutex_destroy(&engine->dimension_lock);
	free(engine->partitions);
	free(engine->threads);
	free(engine);
}

/* A thread without reader looks up by itself before it opens one. */
static void wake(struct engine_thread *thread)
{
	struct journal_reader *reader = atomic_load(&thread->reader);
	if (reader != NULL)
		thread->engine->journal->ops->reader_wake(reader);
}

static void wake_partition(void *context, uint32_t partition)
{
	wake(thread_of(context, partition));
}

static struct engine *engine_new(const struct engine_config *config)
{
	struct engine *engine      = zeroed(1, sizeof *engine);
	engine->config             = *config;
	engine->journal            = config->journal;
	engine->budget.limit_bytes = config->memory_limit_bytes;
	engine_set_memory_limit(engine, config->memory_limit_bytes);
	engine->plans      = plan_cache_new(config->retention_ms);
	engine->dimensions = dimensions_new(config->partition_count);
	engine->started_ns = clock_monotonic_ns();
	engine->relay = relay_new(config->journal, config->partition_count, wake_partition, engine);
	engine->thread_count = config->thread_count;
	engine->partitions   = zeroed(config->partition_count, sizeof *engine->partitions);
	engine->threads      = zeroed(config->thread_count, sizeof *engine->threads);
	pthread_mutex_init(&engine->failure_lock, NULL);
	pthread_mutex_init(&engine->listener_lock, NULL);
	pthread_mutex_init(&engine->dimension_lock, NULL);
	for (unsigned i = 0; i < engine->thread_count; i++) {
		engine->threads[i].engine   = engine;
		engine->threads[i].number   = i;
		engine->threads[i].stamp_ms = -1;
	}
	return engine;
}

static bool was_erased(void *context, uint32_t slot)
{
	const struct partition *partition = context;
	const struct unsealer  *unsealer  = partition->unsealer;
	return unsealer != NULL && unsealer->erased != NULL &&
	       unsealer->erased(unsealer->context, (struct person){partition->number, slot});
}

static enum status open_events(struct engine *engine, struct error *err)
{
	const struct engine_config *config = &engine->config;
	struct events_store_config  store  = {
		  .directory       = config->events_directory,
		  .partition_count = config->partition_count,
		  .retention_ms    = config->retention_ms,
		  .budget          = &engine->budget,
		  .settings        = config->events,
		  .position_end    = engine->journal->ops->position(engine->journal),
    };
	enum status status = STATUS_OK;
	if (config->events_directory != NULL)
		status = events_store_open(&store, &engine->events, err);
	engine->config.events_directory = NULL;
	for (uint32_t i = 0; i < config->partition_count && status == STATUS_OK; i++) {
		struct events *events = engine->events != NULL ? events_open(engine->events, i)
		                                               : events_new(i, &engine->budget);
		engine->partitions[i] = partition_new(i, config->retention_ms, events, engine->plans);
		engine->partitions[i]->unsealer               = config->unsealer;
		engine->partitions[i]->changes.erased         = was_erased;
		engine->partitions[i]->changes.erased_context = engine->partitions[i];
		engine->partitions[i]->enrichment.dimensions  = engine->dimensions;
		engine->partitions[i]->duplicates             = &engine->duplicates;
	}
	return status;
}

static void prepare_thread(struct engine *engine, struct engine_thread *thread)
{
	uint32_t count     = engine->config.partition_count;
	thread->partitions = zeroed(count, sizeof *thread->partitions);
	thread->notified   = zeroed(count, sizeof *thread->notified);
	for (uint32_t i = 0; i < count; i++)
		if (thread_of(engine, i) == thread)
			thread->partitions[thread->partition_count++] = engine->partitions[i];
	thread->staged.bytes   = zeroed(1, STAGED_BYTES_MAX);
	thread->staged.batches = zeroed(count, sizeof *thread->staged.batches);
}

static enum status open_checkpoints(struct engine *engine, struct error *err)
{
	struct checkpoints_config config = {
		.directory       = engine->config.checkpoint_directory,
		.partition_count = engine->config.partition_count,
		.interval_ms     = engine->config.checkpoint_interval_ms,
		.slice_us        = CHECKPOINT_SLICE_US,
		.bytes_per_s     = engine->config.checkpoint_bytes_per_s,
	};
	memcpy(config.workspace_id, engine->config.workspace_id, sizeof config.workspace_id);
	engine->config.checkpoint_directory = NULL;
	return config.directory == NULL ? STATUS_OK
	                                : checkpoints_new(&config, &engine->checkpoints, err);
}

enum status engine_start(const struct engine_config *config, struct engine **ret_engine,
                         struct error *err)
{
	assert(config->thread_count >= 1 && config->thread_count <= config->partition_count);
	assert(config->partition_count <= PARTITION_COUNT_MAX);

	struct engine *engine = engine_new(config);
	enum status    status = open_events(engine, err);
	if (status == STATUS_OK)
		status = open_checkpoints(engine, err);
	if (status != STATUS_OK) {
		engine_free(engine);
		return status;
	}
	for (unsigned i = 0; i < engine->thread_count; i++)
		prepare_thread(engine, &engine->threads[i]);
	for (unsigned i = 0; i < engine->thread_count; i++)
		if (pthread_create(&engine->threads[i].thread, NULL, engine_thread_run,
		                   &engine->threads[i]) != 0)
			abort();
	*ret_engine = engine;
	return STATUS_OK;
}

void engine_stop(struct engine *engine)
{
	atomic_store(&engine->stopping, true);
	for (unsigned i = 0; i < engine->thread_count; i++) {
		wake(&engine->threads[i]);
		pthread_join(engine->threads[i].thread, NULL);
	}
	engine_free(engine);
}

static void prepare_read(struct engine_read *read, uint32_t tickets)
{
	int64_t timeout_ms = read->timeout_ms > 0 ? read->timeout_ms : READ_TIMEOUT_MS;
	read->deadline_ns  = clock_monotonic_ns() + timeout_ms * 1000000;
	atomic_store(&read->left, tickets);
	atomic_store(&read->failed, (int)STATUS_OK);
}

static void send(struct engine_thread *thread, struct engine_read *read,
                 struct partition *partition)
{
	struct read_ticket *ticket = zeroed(1, sizeof *ticket);
	ticket->read               = read;
	ticket->partition          = partition;
	ticket->next               = atomic_load(&thread->arrived);
	while (!atomic_compare_exchange_weak(&thread->arrived, &ticket->next, ticket))
		;
	wake(thread);
}

void engine_read_person(struct engine *engine, uint32_t partition, struct engine_read *read)
{
	assert(partition < engine->config.partition_count);
	prepare_read(read, 1);
	send(thread_of(engine, partition), read, engine->partitions[partition]);
}

void engine_read_all(struct engine *engine, struct engine_read *read)
{
	prepare_read(read, engine->thread_count);
	read->as_of_ms = INSTANT_MS_NONE;
	for (unsigned i = 0; i < engine->thread_count; i++)
		send(&engine->threads[i], read, NULL);
	/* Only now: no thread can have applied a record that is stamped later. */
	__atomic_store_n(&read->as_of_ms, engine->journal->ops->log_time_ms(engine->journal),
	                 __ATOMIC_RELEASE);
}

static void add_partition(struct engine_status *status, struct partition *partition)
{
	int64_t clock_ms = atomic_load(&partition->clock_ms);
	if (clock_ms < status->clock_ms)
		status->clock_ms = clock_ms;
	status->persons += atomic_load(&partition->persons);
	status->events += atomic_load(&partition->events_stored);
	status->events_duplicate += atomic_load(&partition->events_duplicate);
	status->events_enriched += atomic_load(&partition->events_enriched);
	status->changes += atomic_load(&partition->changes_count);
	status->timers_fired += atomic_load(&partition->timers_fired);
}

static uint64_t count_memory(struct engine *engine, uint64_t ret_bytes[ENGINE_MEMORY_COUNT])
{
	uint64_t sum = atomic_load_explicit(&engine->elsewhere_bytes, memory_order_relaxed);
	for (unsigned kind = 0; kind < ENGINE_MEMORY_COUNT; kind++) {
		ret_bytes[kind] = 0;
		for (uint32_t i = 0; i < engine->config.partition_count; i++)
			ret_bytes[kind] +=
				atomic_load_explicit(&engine->partitions[i]->bytes[kind], memory_order_relaxed);
	}
	ret_bytes[ENGINE_MEMORY_EVENTS] +=
		atomic_load_explicit(&engine->budget.used_bytes, memory_order_relaxed);
	ret_bytes[ENGINE_MEMORY_DIMENSIONS] += dimensions_bytes(engine->dimensions);
	for (unsigned kind = 0; kind < ENGINE_MEMORY_COUNT; kind++)
		sum += ret_bytes[kind];
	return sum;
}

void engine_note_memory(struct engine *engine, uint64_t elsewhere_bytes, bool exhausted)
{
	atomic_store_explicit(&engine->elsewhere_bytes, elsewhere_bytes, memory_order_relaxed);
	atomic_store_explicit(&engine->exhausted, exhausted, memory_order_relaxed);
}

void engine_status(struct engine *engine, struct engine_status *ret_status)
{
	*ret_status = (struct engine_status){
		.loaded           = true,
		.replayed         = true,
		.failed           = atomic_load(&engine->failed),
		.applied_position = UINT64_MAX,
		.journal_position = engine->journal->ops->position(engine->journal),
		.clock_ms         = INSTANT_MS_NEVER,
		.memory_limit_bytes =
			atomic_load_explicit(&engine->memory_limit_bytes, memory_order_relaxed),
	};
	ret_status->memory_used_bytes = count_memory(engine, ret_status->memory_bytes);
	ret_status->memory_full       = engine_admits(engine) != STATUS_OK;
	for (unsigned i = 0; i < engine->thread_count; i++) {
		struct engine_thread *thread  = &engine->threads[i];
		uint64_t              applied = atomic_load(&thread->applied);
		int64_t               late_ms = atomic_load(&thread->timer_late_ms_max);
		int64_t replay_ms = (atomic_load(&thread->replayed_ns) - engine->started_ns) / 1000000;
		ret_status->loaded &= atomic_load(&thread->loaded);
		ret_status->replayed &= atomic_load(&thread->replayed);
		ret_status->replay_records += atomic_load(&thread->replay_records);
		if (replay_ms > ret_status->replay_ms)
			ret_status->replay_ms = replay_ms;
		if (applied < ret_status->applied_position)
			ret_status->applied_position = applied;
		if (late_ms > ret_status->timer_late_ms_max)
			ret_status->timer_late_ms_max = late_ms;
	}
	for (unsigned i = 0; i < DIMENSION_COUNT; i++)
		ret_status->dimension_rows[i] = dimensions_count(engine->dimensions, (enum dimension)i);
	if (engine->events != NULL)
		events_store_status(engine->events, &ret_status->stored);
	for (uint32_t i = 0; i < engine->config.partition_count; i++)
		add_partition(ret_status, engine->partitions[i]);
	if (engine->checkpoints != NULL)
		checkpoints_status(engine->checkpoints, &ret_status->checkpoints);
	if (ret_status->failed) {
		pthread_mutex_lock(&engine->failure_lock);
		ret_status->error = engine->failure;
		pthread_mutex_unlock(&engine->failure_lock);
	}
}

void engine_set_memory_limit(struct engine *engine, uint64_t bytes)
{
	atomic_store_explicit(&engine->memory_limit_bytes, bytes, memory_order_relaxed);
}

enum status engine_admits(struct engine *engine)
{
	uint64_t bytes[ENGINE_MEMORY_COUNT];
	if (atomic_load_explicit(&engine->exhausted, memory_order_relaxed) ||
	    count_memory(engine, bytes) >=
	        atomic_load_explicit(&engine->memory_limit_bytes, memory_order_relaxed))
		return STATUS_NO_MEMORY;
	return STATUS_OK;
}

uint32_t engine_partition_count(const struct engine *engine)
{
	return engine->config.partition_count;
}

int64_t engine_now_ms(const struct engine *engine)
{
	return engine->journal->ops->log_time_ms(engine->journal);
}

int64_t engine_retention_ms(const struct engine *engine) { return engine->config.retention_ms; }

uint64_t engine_steps(struct engine *engine)
{
	uint64_t steps = engine->journal->ops->position(engine->journal);
	for (uint32_t i = 0; i < engine->config.partition_count; i++)
		steps += atomic_load_explicit(&engine->partitions[i]->timers_fired, memory_order_relaxed);
	return steps;
}

uint32_t engine_slot_count(struct engine *engine, uint32_t partition)
{
	assert(partition < engine->config.partition_count);
	return engine->partitions[partition]->profiles.slot_count;
}

bool engine_merged(struct engine *engine, struct person person)
{
	struct person user;
	return merge_user_of(engine->partitions[person.partition], person.slot, &user);
}

void engine_on_duplicate(struct engine *engine, engine_duplicate_fn *call, void *context)
{
	engine->duplicates.context = context;
	atomic_store_explicit(&engine->duplicates.call, call, memory_order_release);
}

void engine_listen(struct engine *engine, engine_listener_fn *listener, void *context)
{
	pthread_mutex_lock(&engine->listener_lock);
	unsigned count = atomic_load(&engine->listener_count);
	assert(count < LISTENERS_MAX);
	engine->listeners[count] = (struct engine_listener){listener, context};
	atomic_store_explicit(&engine->listener_count, count + 1, memory_order_release);
	pthread_mutex_unlock(&engine->listener_lock);
}
