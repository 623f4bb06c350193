#include "ingest/source.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/instant.h"
#include "ingest/plan.h"

#define SECOND_NS INT64_C(1000000000)

/* What is counted, by place in a slot. */
enum counter {
	COUNT_ACCEPTED,
	COUNT_SUPPRESSED,
	COUNT_VIOLATIONS,
	COUNT_REQUESTS,
	COUNT_BYTES,
	COUNT_DUPLICATES,
	COUNT_LAG_SUM,
	COUNT_LAG,
	COUNT_REFUSED  = COUNT_LAG + SOURCE_LAG_COUNT,
	COUNT_REJECTED = COUNT_REFUSED + SOURCE_REFUSAL_COUNT,
	COUNTER_COUNT  = COUNT_REJECTED + INGEST_CODE_COUNT,
};

static const char *const counter_names[COUNTER_COUNT] = {[COUNT_ACCEPTED]   = "accepted",
                                                         [COUNT_SUPPRESSED] = "suppressed",
                                                         [COUNT_VIOLATIONS] = "violations",
                                                         [COUNT_REQUESTS]   = "requests",
                                                         [COUNT_BYTES]      = "bytes",
                                                         [COUNT_DUPLICATES] = "duplicates",
                                                         [COUNT_LAG_SUM]    = "lag.sum",
                                                         [COUNT_LAG]        = "lag.0",
                                                         [COUNT_LAG + 1]    = "lag.1",
                                                         [COUNT_LAG + 2]    = "lag.2",
                                                         [COUNT_LAG + 3]    = "lag.3",
                                                         [COUNT_LAG + 4]    = "lag.4",
                                                         [COUNT_LAG + 5]    = "lag.5",
                                                         [COUNT_LAG + 6]    = "lag.6",
#define X(name) [COUNT_REFUSED + SOURCE_REFUSED_##name] = "refused." #name,
                                                         SOURCE_REFUSALS(X)
#undef X
#define X(name, code, message) [COUNT_REJECTED + INGEST_##name] = "rejected." code,
                                                             INGEST_CODES(X)
#undef X
};

const int64_t source_lag_bounds_ms[SOURCE_LAG_COUNT] = {1000,    10000,    60000,    600000,
                                                        3600000, 86400000, INT64_MAX};

struct slot {
	int64_t minute_ms;
	int64_t values[COUNTER_COUNT];
};

struct source {
	struct sources *sources;
	uint32_t        number;

	_Atomic int64_t rate; /* 0: no limit */
	_Atomic int64_t burst;
	_Atomic int64_t full_ns; /* when the bucket is full again */

	struct quota    quota;
	_Atomic int64_t quota_sizes[QUOTA_PERIODS];

	_Atomic bool     restricts_origins;
	pthread_rwlock_t origins_lock;
	VECTOR(struct text) origins; /* each its own memory */

	pthread_mutex_t lock; /* of the slots */
	VECTOR(struct slot) slots;
	_Atomic uint64_t duplicates;

	struct debug          *debug;
	struct observed       *types;
	struct observed       *violations;
	_Atomic(struct plan *) plan;
};

struct sources {
	uint64_t         replayed_through;
	pthread_rwlock_t lock;
	VECTOR(struct source *) list; /* by number */
	_Atomic uint64_t refused[SOURCE_REFUSAL_COUNT];
	_Atomic uint64_t debug_bytes;
	_Atomic uint64_t suppressed;
	_Atomic uint64_t violations;
	_Atomic uint64_t bytes;
	_Atomic int64_t  lag_sum_ms;
	_Atomic uint64_t lags[SOURCE_LAG_COUNT];

	struct quota    quota; /* of all together */
	_Atomic int64_t quota_sizes[QUOTA_PERIODS];

	struct observed_totals observed;
};

const char *source_refusal_name(enum source_refusal why)
{
	static const char *const names[] = {
#define X(name) #name,
		SOURCE_REFUSALS(X)
#undef X
	};
	return names[why];
}

/* ---- Which there are ---- */

struct sources *sources_new(uint64_t replayed_through)
{
	struct sources *sources = calloc(1, sizeof *sources);
	if (sources == NULL)
		abort();
	sources->replayed_through = replayed_through;
	pthread_rwlock_init(&sources->lock, NULL);
	return sources;
}

static struct source *new_source(struct sources *sources, uint32_t number)
{
	struct source *source = calloc(1, sizeof *source);
	if (source == NULL)
		abort();
	source->sources = sources;
	source->number  = number;
	source->debug   = debug_new(&sources->debug_bytes);

	source->types      = observed_new(OBSERVED_TYPES, &sources->observed);
	source->violations = observed_new(OBSERVED_VIOLATIONS, &sources->observed);
	pthread_rwlock_init(&source->origins_lock, NULL);
	pthread_mutex_init(&source->lock, NULL);
	return source;
}

static void clear_origins(struct source *source)
{
	for (size_t i = 0; i < source->origins.count; i++)
		free((char *)source->origins.items[i].data);
	source->origins.count = 0;
}

static void free_source(struct source *source)
{
	clear_origins(source);
	VECTOR_DONE(&source->origins);
	VECTOR_DONE(&source->slots);
	debug_free(source->debug);
	observed_free(source->types);
	observed_free(source->violations);
	plan_free(source->plan);
	pthread_rwlock_destroy(&source->origins_lock);
	pthread_mutex_destroy(&source->lock);
	free(source);
}

void sources_free(struct sources *sources)
{
	if (sources == NULL)
		return;
	for (size_t i = 0; i < sources->list.count; i++)
		free_source(sources->list.items[i]);
	VECTOR_DONE(&sources->list);
	pthread_rwlock_destroy(&sources->lock);
	free(sources);
}

/* The first place whose number is not below; under the lock. */
static size_t place_of(const struct sources *sources, uint32_t number)
{
	size_t low = 0, high = sources->list.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (sources->list.items[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct source *at_place(const struct sources *sources, size_t place, uint32_t number)
{
	struct source *source = place < sources->list.count ? sources->list.items[place] : NULL;
	return source != NULL && source->number == number ? source : NULL;
}

struct source *source_of(struct sources *sources, uint32_t number)
{
	pthread_rwlock_rdlock(&sources->lock);
	struct source *source = at_place(sources, place_of(sources, number), number);
	pthread_rwlock_unlock(&sources->lock);
	if (source != NULL)
		return source;

	pthread_rwlock_wrlock(&sources->lock);
	size_t place = place_of(sources, number);
	source       = at_place(sources, place, number);
	if (source == NULL) {
		source = new_source(sources, number);
		VECTOR_ADD(&sources->list, source);
		for (size_t i = sources->list.count - 1; i > place; i--)
			sources->list.items[i] = sources->list.items[i - 1];
		sources->list.items[place] = source;
	}
	pthread_rwlock_unlock(&sources->lock);
	return source;
}

struct source *sources_next(struct sources *sources, const struct source *after)
{
	pthread_rwlock_rdlock(&sources->lock);
	size_t         place = after == NULL ? 0 : place_of(sources, after->number) + 1;
	struct source *next  = place < sources->list.count ? sources->list.items[place] : NULL;
	pthread_rwlock_unlock(&sources->lock);
	return next;
}

uint32_t source_number(const struct source *source) { return source->number; }

struct debug *source_debug(struct source *source) { return source->debug; }

struct observed *source_observed(struct source *source, enum observed_family family)
{
	return family == OBSERVED_TYPES ? source->types : source->violations;
}

const struct plan *source_plan(const struct source *source)
{
	return atomic_load_explicit(&source->plan, memory_order_acquire);
}

struct plan *source_exchange_plan(struct source *source, struct plan *plan)
{
	return atomic_exchange_explicit(&source->plan, plan, memory_order_acq_rel);
}

/* ---- Settings ---- */

static struct text copy_of(struct text text)
{
	char *data = malloc(text.length + 1);
	if (data == NULL)
		abort();
	memcpy(data, text.data, text.length);
	return (struct text){data, text.length};
}

void source_set(struct source *source, const struct source_settings *settings)
{
	assert(settings->rate == 0 || settings->burst > 0);
	pthread_rwlock_wrlock(&source->origins_lock);
	clear_origins(source);
	for (size_t i = 0; i < settings->origin_count; i++)
		VECTOR_ADD(&source->origins, copy_of(settings->origins[i]));
	pthread_rwlock_unlock(&source->origins_lock);
	atomic_store(&source->restricts_origins, !settings->any_origin);
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		atomic_store(&source->quota_sizes[p], settings->quota.events[p]);
	atomic_store(&source->burst, settings->burst);
	atomic_store(&source->rate, settings->rate);
}

/* "*.shop.example" is any host below shop.example, not that itself. */
static bool origin_matches(struct text pattern, struct text origin)
{
	const char *star = memchr(pattern.data, '*', pattern.length);
	if (star == NULL)
		return text_equal(pattern, origin);
	struct text before = {pattern.data, (size_t)(star - pattern.data)};
	struct text behind = {star + 1, pattern.length - before.length - 1};
	return origin.length > before.length + behind.length && text_starts_with(origin, before) &&
	       text_ends_with(origin, behind);
}

bool source_restricts_origins(struct source *source)
{
	return atomic_load_explicit(&source->restricts_origins, memory_order_relaxed);
}

bool source_allows_origin(struct source *source, struct text origin)
{
	if (!source_restricts_origins(source))
		return true;
	bool allowed = false;
	pthread_rwlock_rdlock(&source->origins_lock);
	for (size_t i = 0; i < source->origins.count && !allowed; i++)
		allowed = origin_matches(source->origins.items[i], origin);
	pthread_rwlock_unlock(&source->origins_lock);
	return allowed;
}

/* How long `events` fill a bucket into which `rate` a second drop. */
static int64_t filling_ns(int64_t events, int64_t rate)
{
	return events / rate * SECOND_NS + events % rate * SECOND_NS / rate;
}

bool source_admits(struct source *source, int64_t now_ms, uint64_t events,
                   unsigned *ret_retry_after_s)
{
	int64_t rate = atomic_load_explicit(&source->rate, memory_order_relaxed);
	if (rate == 0 || events == 0)
		return true;
	assert(events <= INGEST_MESSAGES_MAX);
	int64_t burst_ns = filling_ns(atomic_load(&source->burst), rate);
	int64_t now_ns   = now_ms * (SECOND_NS / 1000);
	int64_t full_ns  = atomic_load(&source->full_ns);
	for (;;) {
		int64_t from_ns = full_ns > now_ns ? full_ns : now_ns;
		int64_t then_ns = from_ns + filling_ns((int64_t)events, rate);
		if (then_ns - now_ns > burst_ns && full_ns > now_ns) {
			/* When it fits, or, where it never does, when the bucket is full. */
			int64_t wait_ns = then_ns - now_ns - burst_ns;
			int64_t full_in = full_ns - now_ns;
			int64_t wait_s  = ((wait_ns < full_in ? wait_ns : full_in) + SECOND_NS - 1) / SECOND_NS;
			*ret_retry_after_s =
				(unsigned)(wait_s < SOURCE_RETRY_AFTER_S_MAX ? wait_s : SOURCE_RETRY_AFTER_S_MAX);
			return false;
		}
		if (atomic_compare_exchange_weak(&source->full_ns, &full_ns, then_ns))
			return true;
	}
}

/* ---- Quotas ---- */

void sources_set_quota(struct sources *sources, const struct quota_sizes *sizes)
{
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		atomic_store(&sources->quota_sizes[p], sizes->events[p]);
}

void source_load_quota(struct source *source, int64_t now_ms, const uint64_t events[QUOTA_PERIODS])
{
	quota_load(&source->quota, now_ms, events);
	quota_load(&source->sources->quota, now_ms, events);
}

static struct quota_sizes sizes_of(_Atomic int64_t sizes[QUOTA_PERIODS])
{
	struct quota_sizes copy;
	for (unsigned p = 0; p < QUOTA_PERIODS; p++)
		copy.events[p] = atomic_load_explicit(&sizes[p], memory_order_relaxed);
	return copy;
}

static unsigned seconds_to_end(enum quota_period period, int64_t now_ms)
{
	return (unsigned)((quota_end_ms(period, now_ms) - now_ms + 999) / 1000);
}

static bool take_quota(struct quota *quota, const struct quota_sizes *sizes,
                       const char *const names[QUOTA_PERIODS], int64_t now_ms, uint64_t events,
                       struct quota_refusal *ret_limited)
{
	enum quota_period full;
	if (quota_take(quota, sizes, now_ms, events, &full))
		return true;
	*ret_limited =
		(struct quota_refusal){names[full], sizes->events[full], seconds_to_end(full, now_ms)};
	return false;
}

bool source_takes(struct source *source, int64_t now_ms, uint64_t events,
                  struct quota_refusal *ret_limited)
{
	static const char *const own[QUOTA_PERIODS] = {"source-day", "source-month"};
	static const char *const all[QUOTA_PERIODS] = {"workspace-day", "workspace-month"};
	struct sources          *sources            = source->sources;
	const struct quota_sizes own_sizes          = sizes_of(source->quota_sizes);
	const struct quota_sizes all_sizes          = sizes_of(sources->quota_sizes);
	if (!take_quota(&source->quota, &own_sizes, own, now_ms, events, ret_limited))
		return false;
	if (!take_quota(&sources->quota, &all_sizes, all, now_ms, events, ret_limited)) {
		quota_return(&source->quota, now_ms, events);
		return false;
	}
	if (source_admits(source, now_ms, events, &ret_limited->retry_after_s))
		return true;
	ret_limited->limit = "source";
	ret_limited->size  = atomic_load(&source->burst);
	source_gives_back(source, now_ms, events);
	return false;
}

void source_gives_back(struct source *source, int64_t taken_ms, uint64_t events)
{
	quota_return(&source->quota, taken_ms, events);
	quota_return(&source->sources->quota, taken_ms, events);
}

static void tighten(struct source_left *left, int64_t size, int64_t remaining, int64_t reset_s)
{
	if (remaining < 0)
		remaining = 0;
	if (left->size == 0 || remaining < left->remaining)
		*left = (struct source_left){size, remaining, (unsigned)reset_s};
}

static void tighten_quota(struct source_left *left, const struct quota *quota,
                          const struct quota_sizes *sizes, int64_t now_ms)
{
	for (unsigned p = 0; p < QUOTA_PERIODS; p++) {
		enum quota_period period = (enum quota_period)p;
		if (sizes->events[p] != 0)
			tighten(left, sizes->events[p],
			        sizes->events[p] - (int64_t)quota_used(quota, period, now_ms),
			        seconds_to_end(period, now_ms));
	}
}

bool source_left(struct source *source, int64_t now_ms, struct source_left *ret_left)
{
	const struct quota_sizes own  = sizes_of(source->quota_sizes);
	const struct quota_sizes all  = sizes_of(source->sources->quota_sizes);
	int64_t                  rate = atomic_load_explicit(&source->rate, memory_order_relaxed);
	*ret_left                     = (struct source_left){0};
	tighten_quota(ret_left, &source->quota, &own, now_ms);
	tighten_quota(ret_left, &source->sources->quota, &all, now_ms);
	if (rate != 0) {
		int64_t burst   = atomic_load(&source->burst);
		int64_t debt_ns = atomic_load(&source->full_ns) - now_ms * (SECOND_NS / 1000);
		debt_ns         = debt_ns > 0 ? debt_ns : 0;
		tighten(ret_left, burst, burst - debt_ns / (SECOND_NS / rate),
		        (debt_ns + SECOND_NS - 1) / SECOND_NS);
	}
	return ret_left->size != 0;
}

/* ---- Counting ---- */

/* Under the lock. The newest minute is the last slot. */
static struct slot *slot_of(struct source *source, int64_t now_ms)
{
	int64_t      minute_ms = now_ms - now_ms % MINUTE_MS;
	struct slot *last =
		source->slots.count == 0 ? NULL : &source->slots.items[source->slots.count - 1];
	if (last != NULL &&
	    (last->minute_ms >= minute_ms || source->slots.count >= SOURCE_MINUTES_KEPT_MAX))
		return last;
	VECTOR_ADD(&source->slots, (struct slot){.minute_ms = minute_ms});
	return &source->slots.items[source->slots.count - 1];
}

static void add_totals(struct sources *sources, const struct source_counts *counts)
{
	atomic_fetch_add_explicit(&sources->bytes, counts->bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&sources->lag_sum_ms, counts->lag_sum_ms, memory_order_relaxed);
	if (counts->suppressed > 0)
		atomic_fetch_add_explicit(&sources->suppressed, counts->suppressed, memory_order_relaxed);
	if (counts->violations > 0)
		atomic_fetch_add_explicit(&sources->violations, counts->violations, memory_order_relaxed);
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++)
		if (counts->lags[i] != 0)
			atomic_fetch_add_explicit(&sources->lags[i], counts->lags[i], memory_order_relaxed);
}

void source_count(struct source *source, int64_t now_ms, const struct source_counts *counts,
                  const struct ingest_rejection *rejected, size_t rejected_count)
{
	pthread_mutex_lock(&source->lock);
	int64_t *values = slot_of(source, now_ms)->values;
	values[COUNT_REQUESTS]++;
	values[COUNT_ACCEPTED] += (int64_t)counts->accepted;
	values[COUNT_SUPPRESSED] += (int64_t)counts->suppressed;
	values[COUNT_VIOLATIONS] += (int64_t)counts->violations;
	values[COUNT_BYTES] += (int64_t)counts->bytes;
	values[COUNT_LAG_SUM] += counts->lag_sum_ms;
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++)
		values[COUNT_LAG + i] += counts->lags[i];
	for (size_t i = 0; i < rejected_count; i++)
		values[COUNT_REJECTED + rejected[i].code]++;
	pthread_mutex_unlock(&source->lock);
	add_totals(source->sources, counts);
}

void source_debug_refused(struct source *source, int64_t now_ms, const char *code)
{
	debug_list list = {0};
	if (!debug_due(source->debug))
		return;
	VECTOR_ADD(&list,
	           (struct debug_event){.at_ms = now_ms, .verdict = DEBUG_REFUSED, .code = code});
	debug_add(source->debug, &list);
	VECTOR_DONE(&list);
}

void source_count_refused(struct source *source, int64_t now_ms, enum source_refusal why)
{
	atomic_fetch_add_explicit(&source->sources->refused[why], 1, memory_order_relaxed);
	pthread_mutex_lock(&source->lock);
	slot_of(source, now_ms)->values[COUNT_REFUSED + why]++;
	pthread_mutex_unlock(&source->lock);
	source_debug_refused(source, now_ms, source_refusal_name(why));
}

void sources_count_duplicate(struct sources *sources, uint32_t number, uint64_t position)
{
	if (position <= sources->replayed_through)
		return;
	atomic_fetch_add_explicit(&source_of(sources, number)->duplicates, 1, memory_order_relaxed);
}

/* ---- What was counted ---- */

static void take_slot(const struct source *source, const struct slot *slot, source_row_list *rows)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (slot->values[i] != 0)
			VECTOR_ADD(rows, (struct source_row){source->number, slot->minute_ms, counter_names[i],
			                                     slot->values[i]});
}

void sources_take(struct sources *sources, int64_t now_ms, source_row_list *rows)
{
	for (struct source *source = sources_next(sources, NULL); source != NULL;
	     source                = sources_next(sources, source)) {
		uint64_t duplicates = atomic_exchange(&source->duplicates, 0);
		pthread_mutex_lock(&source->lock);
		if (duplicates > 0)
			slot_of(source, now_ms)->values[COUNT_DUPLICATES] += (int64_t)duplicates;
		for (size_t i = 0; i < source->slots.count; i++)
			take_slot(source, &source->slots.items[i], rows);
		source->slots.count = 0;
		pthread_mutex_unlock(&source->lock);
	}
}

static unsigned counter_of(const char *name)
{
	unsigned i = 0;
	while (counter_names[i] != name) /* the same text: it came from here */
		i++;
	return i;
}

void sources_return(struct sources *sources, const source_row_list *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct source_row *row    = &rows->items[i];
		struct source           *source = source_of(sources, row->source_number);
		pthread_mutex_lock(&source->lock);
		slot_of(source, row->minute_ms)->values[counter_of(row->name)] += row->value;
		pthread_mutex_unlock(&source->lock);
	}
}

void sources_totals(struct sources *sources, struct sources_totals *ret_totals)
{
	for (unsigned i = 0; i < SOURCE_REFUSAL_COUNT; i++)
		ret_totals->refused[i] = atomic_load(&sources->refused[i]);
	ret_totals->debug_bytes = atomic_load(&sources->debug_bytes);
	ret_totals->suppressed  = atomic_load(&sources->suppressed);
	ret_totals->violations  = atomic_load(&sources->violations);
	ret_totals->bytes       = atomic_load(&sources->bytes);
	ret_totals->lag_sum_ms  = atomic_load(&sources->lag_sum_ms);
	for (unsigned i = 0; i < SOURCE_LAG_COUNT; i++)
		ret_totals->lags[i] = atomic_load(&sources->lags[i]);
	ret_totals->observed_bytes  = atomic_load(&sources->observed.bytes);
	ret_totals->observed_names  = atomic_load(&sources->observed.names);
	ret_totals->observed_beyond = atomic_load(&sources->observed.beyond);
	ret_totals->drifted         = atomic_load(&sources->observed.drifted);
	ret_totals->plans           = 0;
	for (struct source *source = sources_next(sources, NULL); source != NULL;
	     source                = sources_next(sources, source))
        ret_totals->plans += source_plan(source) != NULL;
}
