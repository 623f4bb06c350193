#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/instant.h"
#include "query/columns_internal.h"

enum {
	DUE_SHIFT      = 10,      /* a unit of dues is 1,024 ms */
	DELTAS_SLICE   = 64,      /* between two looks at the time */
	DELTAS_AHEAD   = 6,       /* the processor is asked for what so many later ones touch */
	DELTAS_MAX     = 1 << 20, /* of a column; then its persons are looked at again */
	SINGLY_MAX     = 1024,    /* persons: more of them are measured together */
	REFRESH_BLOCKS = 64,      /* measured by all columns of a group in turn */
};
#define DUE_NEVER UINT32_MAX

/* Sums beyond it are not known here. */
#define SUM_MAX (INT64_C(1) << 60)

/* ---- Which metric ---- */

static bool class_of(enum expr_aggregate aggregate, enum metric_class *ret_class)
{
	switch (aggregate) {
	case EXPR_COUNT:
		*ret_class = METRIC_COUNT;
		return true;
	case EXPR_SUM:
		*ret_class = METRIC_SUM;
		return true;
	case EXPR_AVG:
		*ret_class = METRIC_AVERAGE;
		return true;
	case EXPR_MIN:
		*ret_class = METRIC_MIN;
		return true;
	case EXPR_MAX:
		*ret_class = METRIC_MAX;
		return true;
	case EXPR_DISTINCT:
		*ret_class = METRIC_DISTINCT;
		return true;
	case EXPR_DAYS_SINCE_FIRST:
		*ret_class = METRIC_FIRST_TIME;
		return true;
	case EXPR_DAYS_SINCE_LAST:
		*ret_class = METRIC_LAST_TIME;
		return true;
	default:
		return false;
	}
}

/* A feature's key begins with the cap of its series, which a column does not have. */
static void add_key(struct buffer *key, enum metric_class class, const struct span *span,
                    const struct plan_feature *feature)
{
	struct text rest  = feature->key;
	const char *space = memchr(rest.data, ' ', rest.length);
	rest.length -= (size_t)(space - rest.data);
	rest.data = space;
	buffer_printf(key, "%d %lld %lld %lld %lld", class, (long long)span->within_ms,
	              (long long)span->until_ms, (long long)span->from_ms, (long long)span->to_ms);
	buffer_add_text(key, rest);
}

bool column_metric_key(const struct plan_feature *feature, const struct plan_leaf *leaf,
                       struct buffer *key, enum metric_class *ret_class)
{
	if (feature->sequence != NULL || feature->relative || !class_of(leaf->aggregate, ret_class))
		return false;
	add_key(key, *ret_class, &leaf->span, feature);
	return true;
}

void column_metric_last_key(const struct plan_feature *feature, struct buffer *key)
{
	const struct span all = {.from_ms = INSTANT_MS_NONE, .to_ms = INSTANT_MS_NEVER};
	add_key(key, METRIC_LAST_TIME, &all, feature);
}

/* ---- Columns and groups ---- */

static struct metric_group *find_group(const struct columns *columns, struct text event)
{
	if (event.length == 0)
		return columns->any;
	const uint64_t *at = map_u64_find(&columns->group_of, hash_name(event));
	if (at == NULL)
		return NULL;
	struct metric_group *group = (struct metric_group *)(uintptr_t)*at;
	return text_equal(group->event, event) ? group : NULL;
}

/* Whether what an event adds to a value can be told from the two alone. */
static bool is_added(enum metric_class class)
{
	return class != METRIC_AVERAGE && class != METRIC_DISTINCT;
}

/* NULL: another event's name has the same hash. */
static struct metric_group *put_group(struct columns *columns, struct text event)
{
	struct metric_group *group = find_group(columns, event);
	if (group != NULL)
		return group;
	if (event.length > 0 && map_u64_find(&columns->group_of, hash_name(event)) != NULL)
		return NULL;
	group = calloc(1, sizeof *group + event.length);
	if (group == NULL)
		abort();
	if (event.length > 0)
		memcpy(group->name, event.data, event.length);
	group->event = (struct text){group->name, event.length};
	VECTOR_ADD(&columns->groups, group);
	if (event.length == 0)
		columns->any = group;
	else
		*map_u64_put(&columns->group_of, hash_name(event)) = (uintptr_t)group;
	return group;
}

struct metric_column *column_metric_new(struct columns *columns, struct plan *plan,
                                        const struct plan_leaf *leaf, struct text key,
                                        enum metric_class class)
{
	const struct plan_feature *feature = &plan->features[leaf->feature];
	struct metric_group       *group   = put_group(columns, feature->event);
	if (group == NULL)
		return NULL;
	struct metric_column *metric = calloc(1, sizeof *metric + key.length);
	if (metric == NULL)
		abort();
	column_init(&metric->column, columns, 0);
	metric->column.doubles = class == METRIC_MIN || class == METRIC_MAX;
	metric->class          = class;
	metric->key            = (struct text){metric->name, key.length};
	memcpy(metric->name, key.data, key.length);
	metric->plan    = plan_ref(plan);
	metric->feature = feature;
	metric->span    = leaf->span;
	metric->group   = group;
	VECTOR_ADD(&columns->metrics, metric);
	VECTOR_ADD(&group->columns, metric);
	*map_text_put(&columns->metric_of, key) = metric;
	return metric;
}

#define TAKE_OUT(list, item)                                                                       \
	do {                                                                                           \
		size_t at_ = 0;                                                                            \
		while ((list)->items[at_] != (item))                                                       \
			at_++;                                                                                 \
		(list)->items[at_] = (list)->items[--(list)->count];                                       \
	} while (0)

static void count_dues(struct columns *columns, struct dues *dues, int64_t more)
{
	dues->bytes += (uint64_t)more;
	atomic_fetch_add_explicit(&columns->budget->used_bytes, (uint64_t)more, memory_order_relaxed);
}

static void dues_done(struct columns *columns, struct dues *dues)
{
	for (uint32_t i = 0; i < dues->block_count; i++)
		free(dues->blocks[i]);
	free(dues->blocks);
	free(dues->block_least);
	count_dues(columns, dues, -(int64_t)dues->bytes);
}

void column_metric_refuse(struct columns *columns, struct metric_column *metric)
{
	columns->gone++;
	dues_done(columns, &metric->dues);
	metric->dues = (struct dues){0};
	column_refuse(columns, &metric->column);
	fold_free(metric->fold);
	metric->fold = NULL;
	VECTOR_DONE(&metric->deltas);
	metric->deltas_done = 0;
}

void column_metric_stop(struct columns *columns)
{
	for (size_t i = 0; i < columns->metrics.count; i++) {
		fold_free(columns->metrics.items[i]->fold);
		columns->metrics.items[i]->fold = NULL;
	}
}

static void free_group(struct columns *columns, struct metric_group *group)
{
	TAKE_OUT(&columns->groups, group);
	if (columns->any == group)
		columns->any = NULL;
	else
		map_u64_remove(&columns->group_of, hash_name(group->event));
	dirty_done(&group->dirty);
	dirty_done(&group->unadded);
	VECTOR_DONE(&group->columns);
	free(group);
}

void column_metric_free(struct columns *columns, struct metric_column *metric)
{
	TAKE_OUT(&columns->metrics, metric);
	TAKE_OUT(&metric->group->columns, metric);
	if (metric->group->columns.count == 0)
		free_group(columns, metric->group);
	map_text_remove(&columns->metric_of, metric->key);
	column_metric_refuse(columns, metric);
	column_done(columns, &metric->column);
	plan_unref(metric->plan);
	free(metric);
}

/* ---- When values change by time alone ---- */

static uint32_t due_of(int64_t ms)
{
	if (ms == INSTANT_MS_NEVER)
		return DUE_NEVER;
	if (ms < 0)
		return 0;
	ms >>= DUE_SHIFT;
	return ms < DUE_NEVER ? (uint32_t)ms : DUE_NEVER - 1; /* sooner is right, too */
}

static void grow_dues(struct columns *columns, struct dues *dues, uint32_t block)
{
	uint32_t room = dues->block_count == 0 ? 16 : dues->block_count;
	while (room <= block)
		room *= 2;
	uint32_t more     = room - dues->block_count;
	dues->block_least = realloc(dues->block_least, room * sizeof *dues->block_least);
	dues->blocks      = realloc(dues->blocks, room * sizeof *dues->blocks);
	if (dues->block_least == NULL || dues->blocks == NULL)
		abort();
	memset(dues->block_least + dues->block_count, 0xff, more * sizeof *dues->block_least);
	memset(dues->blocks + dues->block_count, 0, more * sizeof *dues->blocks);
	count_dues(columns, dues, more * (int64_t)(sizeof *dues->block_least + sizeof *dues->blocks));
	dues->block_count = room;
}

/* The instants of a block; NULL: they are all never. */
static uint32_t *dues_of(struct columns *columns, struct dues *dues, uint32_t block, bool wanted)
{
	if (block >= dues->block_count) {
		if (!wanted)
			return NULL;
		grow_dues(columns, dues, block);
	}
	if (dues->blocks[block] == NULL && wanted) {
		const size_t bytes  = COLUMN_BLOCK_SLOTS * sizeof *dues->blocks[block];
		dues->blocks[block] = malloc(bytes);
		if (dues->blocks[block] == NULL)
			abort();
		memset(dues->blocks[block], 0xff, bytes);
		count_dues(columns, dues, (int64_t)bytes);
	}
	return dues->blocks[block];
}

/* `sooner`: only if it is before what is known. */
static void set_due(struct columns *columns, struct dues *dues, uint32_t slot, int64_t next_ms,
                    bool sooner)
{
	uint32_t  due   = due_of(next_ms);
	uint32_t  block = block_of(slot);
	uint32_t *kept  = dues_of(columns, dues, block, due != DUE_NEVER);
	if (kept == NULL)
		return;
	kept += slot % COLUMN_BLOCK_SLOTS;
	if (sooner && *kept <= due)
		return;
	*kept = due;
	if (due < dues->block_least[block])
		dues->block_least[block] = due;
}

/* ---- Values ---- */

static struct slices_value number(int64_t key) { return (struct slices_value){COLUMN_NUMBER, key}; }

static struct slices_value sum(__int128 millionths)
{
	if (millionths > SUM_MAX || millionths < -SUM_MAX)
		return (struct slices_value){COLUMN_UNKNOWN, 0};
	return number((int64_t)millionths);
}

static struct slices_value average(__int128 millionths, uint32_t count)
{
	__int128 floor = millionths / count;
	__int128 rest  = millionths % count;
	if (rest < 0)
		floor--;
	return sum(2 * floor + (rest != 0));
}

/* What the events that count come to. */
static struct slices_value value_of(enum metric_class class, const struct folded *folded)
{
	bool plain = class == METRIC_COUNT || class == METRIC_FIRST_TIME || class == METRIC_LAST_TIME;
	if ((plain ? folded->count : folded->used) == 0)
		return (struct slices_value){COLUMN_MISSING, 0};
	switch (class) {
	case METRIC_COUNT:
		return number(folded->count);
	case METRIC_SUM:
		return sum(folded->sum);
	case METRIC_AVERAGE:
		return average(folded->sum, folded->used);
	case METRIC_MIN:
		return number(slices_double_key(folded->min));
	case METRIC_MAX:
		return number(slices_double_key(folded->max));
	case METRIC_DISTINCT:
		return number(folded->used);
	case METRIC_FIRST_TIME:
		return number(folded->first_ms);
	default:
		return number(folded->last_ms);
	}
}

static struct fold *new_fold(const struct columns *columns, const struct metric_column *metric,
                             int64_t now_ms)
{
	static const unsigned takes[] = {
		[METRIC_SUM] = FOLD_SUM,           [METRIC_AVERAGE] = FOLD_SUM,
		[METRIC_MIN] = FOLD_EXTREMES,      [METRIC_MAX] = FOLD_EXTREMES,
		[METRIC_DISTINCT] = FOLD_DISTINCT, [METRIC_FIRST_TIME] = FOLD_TIMES,
		[METRIC_LAST_TIME] = FOLD_TIMES,
	};
	const struct plan_feature *feature = metric->feature;
	return fold_new(&(struct fold_wish){
		.partition = columns->partition,
		.event     = feature->event,
		.where     = feature->where,
		.property  = feature->kind == SERIES_TIMES ? NULL : &feature->property,
		.span      = metric->span,
		.now_ms    = now_ms,
		.takes     = takes[metric->class] | FOLD_NEXT,
	});
}

/* The wanted ones of a block. `singly`: so few are wanted in all that each is read alone, without
 * a look at what others have. */
static void measure(struct columns *columns, struct metric_column *metric, struct fold *fold,
                    uint32_t block, const uint64_t wanted[COLUMN_BLOCK_WORDS], bool singly)
{
	const uint32_t first = block * COLUMN_BLOCK_SLOTS;
	uint64_t       touched[COLUMN_BLOCK_WORDS];
	metric->column.moved++;
	if (!singly)
		fold_block(fold, first, COLUMN_BLOCK_WORDS, wanted, touched, columns->folded);
	for (uint32_t word = 0; word < COLUMN_BLOCK_WORDS; word++)
		for (uint64_t left = wanted[word]; left != 0; left &= left - 1) {
			uint32_t       at     = word * 64 + (unsigned)__builtin_ctzll(left);
			struct folded *folded = &columns->folded[at];
			bool           some   = singly ? fold_person(fold, first + at, folded)
			                               : (touched[word] >> at % 64 & 1) != 0;
			column_put(&metric->column, first + at,
			           some ? value_of(metric->class, folded)
			                : (struct slices_value){COLUMN_MISSING, 0});
			set_due(columns, &metric->dues, first + at, some ? folded->next_ms : INSTANT_MS_NEVER,
			        false);
		}
}

/* Whether it is kept up already. */
static bool is_measured(const struct metric_column *metric, uint32_t block)
{
	return block < metric->column.built_blocks;
}

/* ---- What events add ---- */

/* False: nothing, or it does not pass. */
static bool delta_of(const struct metric_column *metric, const struct record *record,
                     int64_t *ret_key)
{
	const struct plan_feature *feature = metric->feature;
	struct value               value;
	double                     found;
	*ret_key = 0;
	if (!evaluate_where(feature->where, record->properties, record->context, 0))
		return false;
	switch (metric->class) {
	case METRIC_SUM:
		return evaluate_amount(&feature->property, record->properties, record->context, ret_key);
	case METRIC_MIN:
	case METRIC_MAX:
		value = evaluate_property(&feature->property, record->properties, record->context);
		if (!value_number(&value, &found))
			return false;
		*ret_key = slices_double_key(found);
		return true;
	default:
		return true;
	}
}

/* Too many have gathered: their persons are looked at again instead. */
static void give_up_deltas(struct metric_column *metric)
{
	for (size_t i = metric->deltas_done; i < metric->deltas.count; i++)
		dirty_add(&metric->group->dirty, metric->deltas.items[i].slot);
	VECTOR_DONE(&metric->deltas);
	metric->deltas_done = 0;
}

/* Whether an event of this time counts now or at some time to come. */
static bool is_in_span(const struct span *span, int64_t time_ms, int64_t now_ms)
{
	int64_t end_ms = span_end_ms(span, time_ms);
	return time_ms >= span->from_ms && time_ms < span->to_ms && end_ms > now_ms &&
	       span_start_ms(span, time_ms) < end_ms;
}

static void saw(struct metric_group *group, const struct record *record, int64_t time_ms,
                int64_t now_ms)
{
	if (group == NULL)
		return;
	struct metric_delta delta = {.slot = record->slot, .time_ms = time_ms};
	for (size_t i = 0; i < group->columns.count; i++) {
		struct metric_column *metric = group->columns.items[i];
		if (!is_measured(metric, block_of(record->slot)) ||
		    !is_in_span(&metric->span, time_ms, now_ms) || !delta_of(metric, record, &delta.key))
			continue;
		if (!is_added(metric->class)) {
			dirty_add(&group->unadded, record->slot);
			continue;
		}
		if (metric->deltas.count == DELTAS_MAX)
			give_up_deltas(metric);
		VECTOR_ADD(&metric->deltas, delta);
	}
}

void column_metric_saw(struct columns *columns, const struct record *record, int64_t time_ms)
{
	int64_t now_ms = atomic_load_explicit(&columns->partition->clock_ms, memory_order_relaxed);
	saw(find_group(columns, record->name), record, time_ms, now_ms);
	saw(columns->any, record, time_ms, now_ms);
}

void column_metric_saw_all(struct columns *columns, uint32_t slot)
{
	for (size_t i = 0; i < columns->groups.count; i++)
		dirty_add(&columns->groups.items[i]->dirty, slot);
}

static struct slices_value with_delta(const struct metric_column *metric, struct slices_value value,
                                      const struct metric_delta *delta)
{
	bool none = value.class == COLUMN_MISSING;
	if (value.class == COLUMN_UNKNOWN)
		return value;
	switch (metric->class) {
	case METRIC_COUNT:
		return number(none ? 1 : value.key + 1);
	case METRIC_SUM:
		return sum((none ? 0 : (__int128)value.key) + delta->key);
	case METRIC_MIN:
		return number(none || delta->key < value.key ? delta->key : value.key);
	case METRIC_MAX:
		return number(none || delta->key > value.key ? delta->key : value.key);
	case METRIC_FIRST_TIME:
		return number(none || delta->time_ms < value.key ? delta->time_ms : value.key);
	default:
		return number(none || delta->time_ms > value.key ? delta->time_ms : value.key);
	}
}

static void prefetch(const struct metric_column *metric, uint32_t slot)
{
	const struct dues *dues  = &metric->dues;
	uint32_t           block = block_of(slot);
	slices_prefetch(&metric->column.slices, slot);
	if (block < dues->block_count && dues->blocks[block] != NULL)
		__builtin_prefetch(&dues->blocks[block][slot % COLUMN_BLOCK_SLOTS], 1);
}

static void add_delta(struct columns *columns, struct metric_column *metric,
                      const struct metric_delta *delta, int64_t now_ms)
{
	const struct span *span     = &metric->span;
	int64_t            start_ms = span_start_ms(span, delta->time_ms);
	int64_t            end_ms   = span_end_ms(span, delta->time_ms);
	if (!is_in_span(span, delta->time_ms, now_ms))
		return;
	set_due(columns, &metric->dues, delta->slot, start_ms > now_ms ? start_ms : end_ms, true);
	if (start_ms <= now_ms)
		column_put(&metric->column, delta->slot,
		           with_delta(metric, column_get(&metric->column, delta->slot), delta));
}

static bool is_late(int64_t end_ns)
{
	return end_ns != INT64_MAX && clock_monotonic_ns() >= end_ns;
}

/* Before anybody is measured: what was stored since is in what is measured then. Values that time
 * has changed meanwhile are measured behind this. False: some are left. */
static bool add_deltas(struct columns *columns, struct metric_column *metric, int64_t now_ms,
                       int64_t end_ns)
{
	struct metric_delta *deltas = metric->deltas.items;
	size_t               count = metric->deltas.count, done = metric->deltas_done;
	while (done < count && (done % DELTAS_SLICE != 0 || !is_late(end_ns))) {
		if (done + DELTAS_AHEAD < count)
			prefetch(metric, deltas[done + DELTAS_AHEAD].slot);
		add_delta(columns, metric, &deltas[done++], now_ms);
	}
	metric->deltas_done = done;
	if (done < count)
		return false;
	metric->deltas_done = metric->deltas.count = 0;
	return true;
}

/* ---- All of them ---- */

struct wanted_block {
	uint32_t block;
	uint64_t words[COLUMN_BLOCK_WORDS];
};

/* Measures those who are dirty, some blocks at a time; false: it is late, some are left. */
static bool measure_dirty(struct columns *columns, const struct metric_group *group,
                          struct dirty *dirty, bool all, int64_t now_ms, int64_t end_ns)
{
	const bool singly = dirty->count <= SINGLY_MAX;
	while (dirty->blocks.count > 0 && !is_late(end_ns)) {
		struct wanted_block wanted[REFRESH_BLOCKS];
		unsigned            count = 0;
		dirty_sort(dirty);
		while (count < REFRESH_BLOCKS &&
		       dirty_take(dirty, &wanted[count].block, wanted[count].words))
			count++;
		for (size_t i = 0; i < group->columns.count; i++) {
			struct metric_column *metric = group->columns.items[i];
			if (!all && is_added(metric->class))
				continue;
			struct fold *fold = new_fold(columns, metric, now_ms);
			for (unsigned j = 0; j < count; j++)
				if (is_measured(metric, wanted[j].block))
					measure(columns, metric, fold, wanted[j].block, wanted[j].words, singly);
			fold_free(fold);
		}
	}
	return dirty->blocks.count == 0;
}

bool column_metric_refresh(struct columns *columns, struct metric_group *group, int64_t now_ms,
                           int64_t end_ns)
{
	for (size_t i = 0; i < group->columns.count; i++)
		if (!add_deltas(columns, group->columns.items[i], now_ms, end_ns))
			return false;
	return measure_dirty(columns, group, &group->dirty, true, now_ms, end_ns);
}

bool column_metric_refresh_unadded(struct columns *columns, struct metric_group *group,
                                   int64_t now_ms, int64_t end_ns)
{
	return measure_dirty(columns, group, &group->unadded, false, now_ms, end_ns);
}

/* Whose value may have changed by now; their number. */
static uint32_t find_due(const struct dues *dues, uint32_t block, int64_t now_ms,
                         uint64_t words[COLUMN_BLOCK_WORDS])
{
	uint32_t now_due = due_of(now_ms), count = 0;
	memset(words, 0, COLUMN_BLOCK_WORDS * sizeof *words);
	if (dues->block_least[block] > now_due)
		return 0;
	for (uint32_t i = 0; i < COLUMN_BLOCK_SLOTS; i++) {
		bool is_due = dues->blocks[block][i] <= now_due;
		words[i / 64] |= (uint64_t)is_due << i % 64;
		count += is_due;
	}
	return count;
}

static void measure_due(struct columns *columns, struct metric_column *metric, struct fold *fold,
                        uint32_t block, const uint64_t words[COLUMN_BLOCK_WORDS], bool singly)
{
	uint32_t        least = DUE_NEVER;
	const uint32_t *dues  = metric->dues.blocks[block];
	measure(columns, metric, fold, block, words, singly);
	for (uint32_t i = 0; i < COLUMN_BLOCK_SLOTS; i++)
		least = dues[i] < least ? dues[i] : least;
	metric->dues.block_least[block] = least;
}

bool column_metric_refresh_dues(struct columns *columns, struct metric_column *metric,
                                int64_t now_ms, int64_t end_ns)
{
	const struct dues *dues  = &metric->dues;
	uint64_t           total = 0, words[COLUMN_BLOCK_WORDS];
	bool               late  = false;
	for (uint32_t block = 0; block < dues->block_count && total <= SINGLY_MAX; block++)
		total += find_due(dues, block, now_ms, words);
	if (total == 0)
		return true;
	struct fold *fold = new_fold(columns, metric, now_ms);
	for (uint32_t block = 0; block < dues->block_count && !late; block++) {
		if (!is_measured(metric, block) || find_due(dues, block, now_ms, words) == 0)
			continue;
		measure_due(columns, metric, fold, block, words, total <= SINGLY_MAX);
		late = is_late(end_ns);
	}
	fold_free(fold);
	return !late;
}

void column_metric_refresh_now(struct columns *columns, struct metric_column *metric,
                               int64_t now_ms)
{
	column_metric_refresh(columns, metric->group, now_ms, INT64_MAX);
	if (!is_added(metric->class))
		column_metric_refresh_unadded(columns, metric->group, now_ms, INT64_MAX);
	column_metric_refresh_dues(columns, metric, now_ms, INT64_MAX);
}

/* The fold goes on from slice to slice, at the instant at which it began: what has begun or ended
 * since is due at once. Those with corrections, of whom that is not so, are measured again. */
static void build_block(struct columns *columns, struct metric_column *metric, uint32_t count)
{
	uint64_t everybody[COLUMN_BLOCK_WORDS];
	uint32_t block  = metric->column.built_blocks;
	int64_t  now_ms = atomic_load_explicit(&columns->partition->clock_ms, memory_order_relaxed);
	memset(everybody, 0xff, sizeof everybody);
	if (metric->fold == NULL)
		metric->fold = new_fold(columns, metric, now_ms);
	if (block < count)
		measure(columns, metric, metric->fold, block, everybody, false);
	column_advance(&metric->column, block + 1 >= count);
	const struct fact_slots *amended =
		facts_amended(&columns->partition->facts, metric->feature->event);
	for (uint32_t word = 0; word < COLUMN_BLOCK_WORDS; word++)
		for (uint64_t left = fact_slots_at(amended, block * COLUMN_BLOCK_WORDS + word); left != 0;
		     left &= left - 1)
			dirty_add(&metric->group->dirty,
			          block * COLUMN_BLOCK_SLOTS + word * 64 + (unsigned)__builtin_ctzll(left));
}

bool column_metric_build(struct columns *columns, struct metric_column *metric, int64_t end_ns)
{
	while (!column_is_built(&metric->column) && !metric->column.refused) {
		if (is_late(end_ns))
			return false;
		build_block(columns, metric, columns_block_count(columns));
	}
	fold_free(metric->fold);
	metric->fold = NULL;
	return true;
}
