#include "api/audience/calculation.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/context.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/map.h"
#include "query/member_list.h"

enum { TRIES_MAX = 5 };

struct calculation {
	struct calculations       *owner;
	unsigned                   refs;
	uint8_t                    key[SHA256_BYTES];
	struct calculation_wish    wish; /* texts in `arena` */
	struct arena               arena;
	struct calculation_waiter *waiters;
	bool                       running;
	bool                       abandoned;
	unsigned                   tries;
	struct worker_job          job;

	uint64_t position; /* what is surely in it */
	uint64_t changes;  /* queries_changes() before it was asked */
	uint64_t epoch;
	int64_t  done_ms; /* of the monotonic clock */

	struct query *query; /* the newest */
	enum status   status;
	struct error  err;

	char  *note; /* key, then note; NULL: none yet */
	size_t note_key_bytes, note_bytes;

	size_t              bytes;
	struct calculation *older, *newer; /* of those that are kept */
};

struct calculations {
	struct api     *api;
	pthread_mutex_t lock;
	bool            stopping;
	struct map_text running; /* by key; those that may be joined */
	struct map_text kept;
	uint64_t        running_count;

	struct calculation *oldest, *newest;
	size_t              kept_bytes;
	_Atomic uint64_t    epoch; /* grows when a definition is activated */

	struct calculations_status counts;
};

static struct text key_of(const struct calculation *calculation)
{
	return (struct text){(const char *)calculation->key, sizeof calculation->key};
}

static const struct audience_settings *settings_of(const struct calculations *calculations)
{
	return calculations->api->config.audience;
}

/* ---- Life ---- */

static void listen(void *context, uint32_t partition, const struct change *changes, size_t count)
{
	struct calculations *calculations = context;
	(void)partition;
	for (size_t i = 0; i < count; i++)
		if (changes[i].cause == CAUSE_DEFINITION) {
			atomic_fetch_add_explicit(&calculations->epoch, 1, memory_order_relaxed);
			return;
		}
}

struct calculations *calculations_new(struct api *api)
{
	struct calculations *calculations = calloc(1, sizeof *calculations);
	assert(calculations != NULL);
	calculations->api = api;
	pthread_mutex_init(&calculations->lock, NULL);
	engine_listen(api->config.engine, listen, calculations);
	return calculations;
}

static void let_lists_go(struct calculation *calculation)
{
	for (unsigned i = 0; i < calculation->wish.set_count; i++) {
		member_list_unref(calculation->wish.lists[i]);
		calculation->wish.lists[i] = NULL;
	}
}

static void free_calculation(struct calculation *calculation)
{
	let_lists_go(calculation);
	if (calculation->query != NULL)
		query_free(calculation->query);
	arena_done(&calculation->arena);
	free(calculation->note);
	free(calculation);
}

/* Under the lock. */
static struct calculation *unref_locked(struct calculation *calculation)
{
	return --calculation->refs == 0 ? calculation : NULL;
}

void calculation_unref(struct calculation *calculation)
{
	if (calculation == NULL)
		return;
	struct calculations *calculations = calculation->owner;
	pthread_mutex_lock(&calculations->lock);
	struct calculation *last = unref_locked(calculation);
	pthread_mutex_unlock(&calculations->lock);
	if (last != NULL)
		free_calculation(last);
}

/* ---- What is kept ---- */

/* Under the lock. */
static void forget(struct calculations *calculations, struct calculation *calculation)
{
	map_text_remove(&calculations->kept, key_of(calculation));
	*(calculation->older != NULL ? &calculation->older->newer : &calculations->oldest) =
		calculation->newer;
	*(calculation->newer != NULL ? &calculation->newer->older : &calculations->newest) =
		calculation->older;
	calculation->older = calculation->newer = NULL;
	calculations->kept_bytes -= calculation->bytes;
	struct calculation *last = unref_locked(calculation);
	if (last != NULL)
		free_calculation(last);
}

static size_t bytes_of(const struct calculation *calculation)
{
	const struct query_answer *answer = query_answer(calculation->query);
	size_t bytes = sizeof *calculation + sizeof *answer + calculation->arena.bytes +
	               answer->step_count * sizeof *answer->steps;
	for (unsigned s = 0; s < answer->step_count; s++)
		bytes += answer->steps[s].text.length;
	for (unsigned d = 0; d < answer->dimension_count; d++)
		for (uint32_t g = 0; g < answer->dimensions[d].count; g++) {
			const struct value *value = &answer->dimensions[d].groups[g].value;
			bytes += sizeof answer->dimensions[d].groups[g];
			if (value->type == VALUE_STRING || value->type == VALUE_STRING_SET)
				bytes += value->text.length;
		}
	return bytes;
}

/* Under the lock. */
static void keep(struct calculations *calculations, struct calculation *calculation)
{
	const struct audience_settings *settings = settings_of(calculations);
	struct calculation             *before = map_text_get(&calculations->kept, key_of(calculation));
	if (before != NULL)
		forget(calculations, before);
	calculation->bytes = bytes_of(calculation);
	calculation->refs++;
	*map_text_put(&calculations->kept, key_of(calculation)) = calculation;
	calculation->older                                      = calculations->newest;
	*(calculations->newest != NULL ? &calculations->newest->newer : &calculations->oldest) =
		calculation;
	calculations->newest = calculation;
	calculations->kept_bytes += calculation->bytes;
	while (calculations->oldest != NULL &&
	       (calculations->kept.count > (size_t)settings->cache_count_max ||
	        calculations->kept_bytes > settings->cache_bytes_max))
		forget(calculations, calculations->oldest);
}

static bool is_too_old(const struct calculations *calculations,
                       const struct calculation  *calculation)
{
	const struct audience_settings *settings = settings_of(calculations);
	const struct query_answer      *answer   = query_answer(calculation->query);
	if (clock_monotonic_ms() - calculation->done_ms >= settings->cache_ms)
		return true;
	if (calculation->wish.derived && calculation->epoch != atomic_load(&calculations->epoch))
		return true;
	uint64_t changed = queries_changes(calculations->api->config.queries) - calculation->changes;
	return (double)changed * 100 > (double)settings->cache_percent * (double)answer->person_count;
}

/* Under the lock; NULL: there is none that would do. */
static struct calculation *find_kept(struct calculations *calculations, struct text key,
                                     uint64_t min_position)
{
	while (calculations->oldest != NULL && clock_monotonic_ms() - calculations->oldest->done_ms >=
	                                           settings_of(calculations)->cache_ms)
		forget(calculations, calculations->oldest);
	struct calculation *found = map_text_get(&calculations->kept, key);
	if (found == NULL)
		return NULL;
	if (is_too_old(calculations, found)) {
		forget(calculations, found);
		return NULL;
	}
	return found->position >= min_position ? found : NULL;
}

/* ---- Under way ---- */

static void add_wish(struct buffer *out, const struct calculation_wish *wish)
{
	buffer_add_u8(out, (uint8_t)wish->set_count);
	for (unsigned i = 0; i < wish->set_count; i++) {
		uint8_t     hash[SHA256_BYTES];
		struct text set = wish->sets[i];
		if (wish->lists[i] != NULL) {
			member_list_hash(wish->lists[i], hash);
			set = (struct text){(const char *)hash, sizeof hash};
		}
		buffer_add_u8(out, wish->lists[i] != NULL);
		buffer_add_sized(out, set);
	}
	buffer_add_i64(out, wish->as_of_ms);
	buffer_add_u32(out, wish->sample_count);
	buffer_add_u8(out, wish->revenue);
	for (unsigned i = 0; i < wish->dimension_count; i++) {
		const struct query_dimension *dimension = &wish->dimensions[i];
		buffer_add_sized(out, dimension->trait);
		buffer_add_sized(out, dimension->event);
		buffer_add_sized(out, dimension->property);
		buffer_add_i64(out, dimension->within_ms);
	}
}

static struct calculation *new_calculation(struct calculations           *calculations,
                                           const struct calculation_wish *wish,
                                           const uint8_t                  key[SHA256_BYTES])
{
	struct calculation *calculation = calloc(1, sizeof *calculation);
	struct journal     *journal     = calculations->api->config.journal;
	assert(calculation != NULL);
	arena_init(&calculation->arena);
	struct arena *arena           = &calculation->arena;
	calculation->owner            = calculations;
	calculation->refs             = 1;
	calculation->wish             = *wish;
	calculation->position         = journal->ops->position(journal);
	calculation->changes          = queries_changes(calculations->api->config.queries);
	calculation->epoch            = atomic_load(&calculations->epoch);
	struct calculation_wish *mine = &calculation->wish;
	memcpy(calculation->key, key, SHA256_BYTES);
	for (unsigned i = 0; i < wish->set_count; i++)
		if (wish->lists[i] != NULL)
			member_list_ref(wish->lists[i]);
		else
			mine->sets[i] = arena_text(arena, wish->sets[i]);
	for (unsigned i = 0; i < wish->dimension_count; i++) {
		mine->dimensions[i].trait    = arena_text(arena, wish->dimensions[i].trait);
		mine->dimensions[i].event    = arena_text(arena, wish->dimensions[i].event);
		mine->dimensions[i].property = arena_text(arena, wish->dimensions[i].property);
	}
	return calculation;
}

/* Under the lock. */
static void leave_running(struct calculations *calculations, struct calculation *calculation)
{
	if (map_text_get(&calculations->running, key_of(calculation)) == calculation)
		map_text_remove(&calculations->running, key_of(calculation));
}

/* By the partitions' threads. */
static bool is_cancelled(void *context)
{
	struct calculation  *calculation  = context;
	struct calculations *calculations = calculation->owner;
	bool                 gone         = true;
	pthread_mutex_lock(&calculations->lock);
	for (struct calculation_waiter *w = calculation->waiters; w != NULL && gone; w = w->next)
		gone = atomic_load_explicit(&w->gone, memory_order_relaxed);
	gone = gone || calculations->stopping;
	if (gone && !calculation->abandoned) {
		calculation->abandoned = true;
		leave_running(calculations, calculation); /* nobody joins it any more */
	}
	gone = calculation->abandoned;
	pthread_mutex_unlock(&calculations->lock);
	return gone;
}

/* Tells all who wait. Takes the reference of being under way. */
static void finish(struct calculation *calculation, enum status status)
{
	struct calculations *calculations = calculation->owner;
	let_lists_go(calculation); /* what is kept is the answer */
	pthread_mutex_lock(&calculations->lock);
	leave_running(calculations, calculation);
	calculations->counts.cancelled += calculation->abandoned && status != STATUS_OK;
	calculation->running = false;
	calculation->status  = status;
	calculation->done_ms = clock_monotonic_ms();
	calculations->running_count--;
	struct calculation_waiter *waiters = calculation->waiters;
	calculation->waiters               = NULL;
	for (struct calculation_waiter *w = waiters; w != NULL; w = w->next) {
		w->calculation = calculation;
		calculation->refs++;
	}
	if (status == STATUS_OK && !calculation->wish.members && !calculation->wish.passing &&
	    !calculations->stopping)
		keep(calculations, calculation);
	struct calculation *last = unref_locked(calculation);
	pthread_mutex_unlock(&calculations->lock);
	for (struct calculation_waiter *w = waiters, *next; w != NULL; w = next) {
		next = w->next;
		w->done(w);
	}
	if (last != NULL)
		free_calculation(last);
}

static enum status describe(const struct query_answer *answer, struct error *err)
{
	switch (answer->status) {
	case STATUS_OK:
		return STATUS_OK;
	case STATUS_CONFLICT:
		return error_set_field(err, STATUS_CONFLICT, "expression",
		                       "A segment that it refers to is not Live");
	case STATUS_AGAIN:
		return error_set(err, STATUS_UNAVAILABLE,
		                 "Definitions change too often for an answer; try again");
	case STATUS_TIMEOUT:
		return error_set(err, STATUS_TIMEOUT, "the data asked for was not applied in time");
	case STATUS_INVALID:
		return error_set_field(err, STATUS_INVALID, "as_of",
		                       "A window of a segment that it refers to reaches behind the "
		                       "retention, to events that are not kept any more");
	case STATUS_UNSUPPORTED:
		return error_set_field(err, STATUS_UNSUPPORTED, "as_of",
		                       "The segments that it refers to are derived through too many "
		                       "levels to be asked of a past instant");
	case STATUS_CORRUPT:
		return error_set(err, STATUS_CORRUPT, "Stored events are damaged");
	default:
		return error_set(err, STATUS_UNAVAILABLE, "The question was given up");
	}
}

static void start(struct calculation *calculation);

static void start_again(struct worker_job *job)
{
	struct calculation *calculation =
		(struct calculation *)(void *)((char *)job - offsetof(struct calculation, job));
	query_free(calculation->query);
	calculation->query = NULL;
	start(calculation);
}

/* On a thread of a partition. */
static void query_done(void *context, struct query *query)
{
	struct calculation        *calculation = context;
	const struct query_answer *answer      = query_answer(query);
	calculation->query                     = query;
	if (answer->status == STATUS_AGAIN && ++calculation->tries < TRIES_MAX &&
	    !is_cancelled(calculation)) {
		calculation->job.run = start_again;
		workers_submit(calculation->owner->api->workers, &calculation->job);
		return;
	}
	finish(calculation, describe(answer, &calculation->err));
}

static void start(struct calculation *calculation)
{
	const struct calculation_wish  *wish     = &calculation->wish;
	struct api                     *api      = calculation->owner->api;
	const struct audience_settings *settings = settings_of(calculation->owner);
	struct query                   *query;
	struct query_wish               asked = {.set_count       = wish->set_count,
	                                         .as_of_ms        = wish->as_of_ms,
	                                         .min_position    = wish->min_position,
	                                         .sample_count    = wish->sample_count,
	                                         .members         = wish->members,
	                                         .dimension_count = wish->dimension_count,
	                                         .is_cancelled    = is_cancelled,
	                                         .done            = query_done,
	                                         .context         = calculation};
	memcpy(asked.sets, wish->sets, sizeof asked.sets);
	memcpy(asked.lists, wish->lists, sizeof asked.lists);
	memcpy(asked.dimensions, wish->dimensions, sizeof asked.dimensions);
	asked.order_event  = wish->revenue ? text_of(settings->order_event) : TEXT("");
	asked.refund_event = wish->revenue && settings->refund_event != NULL
	                         ? text_of(settings->refund_event)
	                         : TEXT("");
	enum status status = query_start(api->config.queries, &asked, &query, &calculation->err);
	if (status != STATUS_OK)
		finish(calculation, status);
}

/* Under the lock: one under way that sees all that the question must. */
static struct calculation *find_running(struct calculations           *calculations,
                                        const struct calculation_wish *wish, struct text key,
                                        uint64_t position)
{
	struct calculation *found = map_text_get(&calculations->running, key);
	if (found == NULL || found->position < wish->min_position)
		return NULL;
	return wish->anew && found->position < position ? NULL : found;
}

/* Under the lock. What is to be started; NULL: nothing, it is joined, answered or refused. */
static struct calculation *admit(struct calculations           *calculations,
                                 const struct calculation_wish *wish, struct text key,
                                 struct calculation_waiter *waiter)
{
	struct journal     *journal  = calculations->api->config.journal;
	uint64_t            position = journal->ops->position(journal);
	struct calculation *found    = NULL;
	if (!wish->members && !wish->anew)
		found = find_kept(calculations, key, wish->min_position);
	if (found != NULL) {
		calculations->counts.hits++;
		found->refs++;
		waiter->calculation = found;
		waiter->cached      = true;
		return NULL;
	}
	if (!wish->members)
		found = find_running(calculations, wish, key, position);
	if (found != NULL) {
		calculations->counts.joined++;
		waiter->cached = found->position < position;
	} else {
		calculations->counts.misses++;
		found = new_calculation(calculations, wish, (const uint8_t *)key.data);
		if (calculations->running_count >= (uint64_t)settings_of(calculations)->running_max) {
			calculations->counts.refused++;
			found->status       = error_set(&found->err, STATUS_LIMITED,
			                                "%lld questions about audiences are under way",
			                                (long long)settings_of(calculations)->running_max);
			waiter->calculation = found;
			return NULL;
		}
	}
	waiter->next   = found->waiters;
	found->waiters = waiter;
	if (found->running)
		return NULL;
	found->running = true;
	calculations->running_count++;
	if (!wish->members && map_text_get(&calculations->running, key) == NULL)
		*map_text_put(&calculations->running, key) = found;
	return found;
}

void calculations_ask(struct calculations *calculations, const struct calculation_wish *wish,
                      struct calculation_waiter *waiter)
{
	struct buffer what = {0};
	uint8_t       key[SHA256_BYTES];
	add_wish(&what, wish);
	hash_sha256(what.data, what.length, key);
	buffer_done(&what);
	waiter->calculation = NULL;
	waiter->cached      = false;
	waiter->next        = NULL;

	pthread_mutex_lock(&calculations->lock);
	struct calculation *begun =
		admit(calculations, wish, (struct text){(const char *)key, sizeof key}, waiter);
	bool known = waiter->calculation != NULL;
	pthread_mutex_unlock(&calculations->lock);
	if (known)
		waiter->done(waiter);
	else if (begun != NULL)
		start(begun);
}

/* ---- What came of it ---- */

const struct query_answer *calculation_answer(const struct calculation *calculation,
                                              struct error             *err)
{
	if (calculation->status == STATUS_OK)
		return query_answer(calculation->query);
	*err        = calculation->err;
	err->status = calculation->status;
	return NULL;
}

bool calculation_succeeded(const struct calculation *calculation)
{
	return calculation->status == STATUS_OK;
}

const struct query *calculation_query(const struct calculation *calculation)
{
	return calculation->query;
}

void calculation_note(struct calculation *calculation, struct text key, struct text note)
{
	struct calculations *calculations = calculation->owner;
	if (key.length > CALCULATION_NOTE_KEY_BYTES_MAX)
		return;
	pthread_mutex_lock(&calculations->lock);
	if (calculation->note == NULL) {
		calculation->note           = malloc(key.length + note.length + 1);
		calculation->note_key_bytes = key.length;
		calculation->note_bytes     = note.length;
		assert(calculation->note != NULL);
		memcpy(calculation->note, key.data, key.length);
		memcpy(calculation->note + key.length, note.data, note.length);
	}
	pthread_mutex_unlock(&calculations->lock);
}

bool calculation_noted(struct calculation *calculation, struct text key, struct arena *arena,
                       struct text *ret_note)
{
	struct calculations *calculations = calculation->owner;
	pthread_mutex_lock(&calculations->lock);
	bool found = calculation->note != NULL &&
	             text_equal(key, (struct text){calculation->note, calculation->note_key_bytes});
	if (found)
		*ret_note = arena_text(arena, (struct text){calculation->note + calculation->note_key_bytes,
		                                            calculation->note_bytes});
	pthread_mutex_unlock(&calculations->lock);
	return found;
}

void calculations_status(struct calculations *calculations, struct calculations_status *ret_status)
{
	pthread_mutex_lock(&calculations->lock);
	*ret_status         = calculations->counts;
	ret_status->running = calculations->running_count;
	ret_status->count   = calculations->kept.count;
	ret_status->bytes   = calculations->kept_bytes;
	pthread_mutex_unlock(&calculations->lock);
}

void calculations_stop(struct calculations *calculations)
{
	pthread_mutex_lock(&calculations->lock);
	calculations->stopping = true;
	while (calculations->oldest != NULL)
		forget(calculations, calculations->oldest);
	pthread_mutex_unlock(&calculations->lock);
}

void calculations_free(struct calculations *calculations)
{
	if (calculations == NULL)
		return;
	assert(calculations->running_count == 0);
	map_text_done(&calculations->running);
	map_text_done(&calculations->kept);
	pthread_mutex_destroy(&calculations->lock);
	free(calculations);
}
