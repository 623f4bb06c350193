#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "query/columns_internal.h"

enum {
	SHARE_BLOCKS = 16, /* looked at to tell how many a test holds for */
	RUN_WORDS    = COLUMN_RUN_BLOCKS * COLUMN_BLOCK_WORDS,
};

struct column_test {
	struct columns      *columns;
	const struct column *column; /* NULL: everybody's value is missing */
	struct slices_set    holds;
	struct slices_set    unknown;
	struct slices_query *holds_query; /* of these; NULL: there is no column */
	struct slices_query *unknown_query;
};

/* ---- Intervals of keys ---- */

typedef VECTOR(struct slices_interval) interval_list;

/* Keys in their order, and what a test says of each: it is asked, never rebuilt. */
struct scale {
	bool (*passes)(const struct expr_test *test, int64_t key, int64_t now_ms);
	int64_t now_ms;
	int64_t key_min;
	int64_t key_max;
};

static bool number_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	const struct value value = {.type = VALUE_DOUBLE, .number = slices_key_double(key)};
	return evaluate_test(test, &value, now_ms);
}

static bool extreme_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	(void)now_ms;
	double number = slices_key_double(key);
	return evaluate_extreme(test, &number);
}

static bool count_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	(void)now_ms;
	return evaluate_count(test, (uint64_t)key);
}

static bool sum_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	(void)now_ms;
	return evaluate_sum(test, key);
}

/* A key is twice the average, or next to it, with no value of a test in between. */
static bool average_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	(void)now_ms;
	return evaluate_average(test, key, 2);
}

/* Keys are ages, so that they grow with the days. */
static bool age_passes(const struct expr_test *test, int64_t key, int64_t now_ms)
{
	return evaluate_days(test, now_ms - key, now_ms);
}

/* The least key for which `op` holds against the value, from which on it does; else key_max + 1. */
static int64_t find_bound(const struct scale *scale, enum expr_op op,
                          const struct expr_scalar *value)
{
	struct expr_scalar     scalar = *value;
	const struct expr_test test   = {.op = op, .value_count = 1, .values = &scalar};
	int64_t                begin = scale->key_min, end = scale->key_max + 1;
	while (begin < end) {
		int64_t middle = begin + (int64_t)(((uint64_t)end - (uint64_t)begin) / 2);
		if (scale->passes(&test, middle, scale->now_ms))
			end = middle;
		else
			begin = middle + 1;
	}
	return begin;
}

static int compare_intervals(const void *left, const void *right)
{
	const struct slices_interval *a = left, *b = right;
	return (a->low > b->low) - (a->low < b->low);
}

static void add_interval(interval_list *list, int64_t low, int64_t high)
{
	if (low <= high)
		VECTOR_ADD(list, (struct slices_interval){low, high});
}

/* In order, apart from each other. */
static void join_intervals(interval_list *list)
{
	size_t count = 0;
	if (list->count > 1)
		qsort(list->items, list->count, sizeof *list->items, compare_intervals);
	for (size_t i = 0; i < list->count; i++) {
		if (count > 0 && list->items[i].low <= list->items[count - 1].high) {
			if (list->items[i].high > list->items[count - 1].high)
				list->items[count - 1].high = list->items[i].high;
		} else {
			list->items[count++] = list->items[i];
		}
	}
	list->count = count;
}

/* The others of [low, high]. */
static void turn_round(interval_list *list, int64_t low, int64_t high)
{
	interval_list others = {0};
	for (size_t i = 0; i < list->count; i++) {
		add_interval(&others, low, list->items[i].low - 1);
		low = list->items[i].high + 1;
	}
	add_interval(&others, low, high);
	VECTOR_DONE(list);
	*list = others;
}

static void find_equal(const struct scale *scale, const struct expr_test *test, interval_list *list)
{
	for (unsigned i = 0; i < test->value_count; i++)
		if (test->values[i].type == EXPR_NUMBER)
			add_interval(list, find_bound(scale, EXPR_GTE, &test->values[i]),
			             find_bound(scale, EXPR_GT, &test->values[i]) - 1);
	join_intervals(list);
}

/* Of which keys the test holds. */
static void find_keys(const struct scale *scale, const struct expr_test *test, interval_list *list)
{
	list->count = 0;
	switch (test->op) {
	case EXPR_EQ:
	case EXPR_IN:
		find_equal(scale, test, list);
		return;
	case EXPR_NEQ:
	case EXPR_NOT_IN:
		find_equal(scale, test, list);
		turn_round(list, scale->key_min, scale->key_max);
		return;
	case EXPR_GT:
	case EXPR_GTE:
		add_interval(list, find_bound(scale, test->op, &test->values[0]), scale->key_max);
		return;
	case EXPR_LT:
		add_interval(list, scale->key_min, find_bound(scale, EXPR_GTE, &test->values[0]) - 1);
		return;
	case EXPR_LTE:
		add_interval(list, scale->key_min, find_bound(scale, EXPR_GT, &test->values[0]) - 1);
		return;
	case EXPR_EXISTS:
		add_interval(list, scale->key_min, scale->key_max);
		return;
	default: /* absent, and what asks for strings */
		return;
	}
}

static struct slices_interval *take_list(interval_list *list, struct arena *arena,
                                         uint32_t *ret_count)
{
	struct slices_interval *taken = arena_alloc(arena, (list->count + 1) * sizeof *taken);
	if (list->count > 0)
		memcpy(taken, list->items, list->count * sizeof *taken);
	*ret_count = (uint32_t)list->count;
	VECTOR_DONE(list);
	return taken;
}

/* ---- Times that stand for strings ---- */

/* The instants of the strings that the test compares with: only a string with one of these can be
 * equal to one of them. */
static void find_instants(const struct expr_test *test, interval_list *list)
{
	int64_t at_ms;
	for (unsigned i = 0; i < test->value_count; i++)
		if (test->values[i].type == EXPR_STRING && instant_parse(test->values[i].text, &at_ms))
			add_interval(list, at_ms, at_ms);
	join_intervals(list);
}

static void find_times(const struct expr_test *test, int64_t now_ms, interval_list *holds,
                       interval_list *unknown)
{
	const int64_t first_ms = INSTANT_MS_MIN, last_ms = INSTANT_MS_MAX;
	switch (test->op) {
	case EXPR_EQ:
	case EXPR_IN:
		find_instants(test, unknown);
		return;
	case EXPR_NEQ:
	case EXPR_NOT_IN:
		find_instants(test, unknown);
		find_instants(test, holds);
		turn_round(holds, first_ms, last_ms);
		return;
	case EXPR_CONTAINS:
	case EXPR_STARTS_WITH:
	case EXPR_ENDS_WITH:
		add_interval(unknown, first_ms, last_ms);
		return;
	case EXPR_EXISTS:
		add_interval(holds, first_ms, last_ms);
		return;
	case EXPR_WITHIN_LAST:
		add_interval(holds, now_ms - test->duration_ms + 1, now_ms);
		return;
	case EXPR_WITHIN_NEXT:
		add_interval(holds, now_ms + 1, now_ms + test->duration_ms);
		return;
	case EXPR_BEFORE:
		add_interval(holds, first_ms, test->instant_ms - 1);
		return;
	case EXPR_AFTER:
		add_interval(holds, test->instant_ms + 1, last_ms);
		return;
	default:
		return;
	}
}

/* ---- Traits ---- */

/* Which codes pass, each asked once. */
static void find_codes(const struct column *column, const struct expr_test *test, int64_t now_ms,
                       struct slices_set *set, struct arena *arena)
{
	if (column->codes == NULL)
		return;
	uint32_t  count = (uint32_t)column->codes->values.count;
	uint64_t *codes = arena_zalloc(arena, (count / 64 + 1) * sizeof *codes);
	for (uint32_t i = 0; i < count; i++)
		if (evaluate_test(test, &column->codes->values.items[i], now_ms))
			codes[i / 64] |= UINT64_C(1) << i % 64;
	set->codes      = codes;
	set->code_count = count;
}

static struct column_test *new_test(struct columns *columns, struct column *column,
                                    struct arena *arena)
{
	struct column_test *test = ARENA_NEW(arena, struct column_test);
	test->columns            = columns;
	test->column             = column;
	test->unknown.unknown    = true;
	if (column != NULL)
		slices_reserve(&column->slices, columns_block_count(columns));
	return test;
}

static struct slices_query *new_query(const struct column *column, const struct slices_set *set,
                                      struct arena *arena)
{
	struct slices_query *query = ARENA_NEW(arena, struct slices_query);
	struct slices_codes *room =
		arena_alloc(arena, slices_query_room(set) * sizeof(struct slices_codes));
	slices_query_init(query, &column->slices, set, room);
	return query;
}

/* Both sets are complete. */
static struct column_test *finish_test(struct column_test *test, struct arena *arena)
{
	test->holds_query   = new_query(test->column, &test->holds, arena);
	test->unknown_query = new_query(test->column, &test->unknown, arena);
	return test;
}

/* Nobody has such a trait, for sure: whoever has one has a column. */
static bool occurs_never(const struct columns *columns, const struct plan_trait *trait)
{
	return column_is_built(&columns->identified) && !columns->traits_full &&
	       trait->path.part_count == 0 &&
	       map_u64_find(&columns->trait_of, trait->path.hash) == NULL;
}

/* NULL with `*ret_never`: nobody has the trait. */
static struct column *trait_column(struct columns *columns, const struct plan_trait *trait,
                                   bool *ret_never)
{
	column_trait_refresh(columns, INT64_MAX);
	*ret_never                  = false;
	struct column       *column = &columns->identified;
	struct trait_column *found  = NULL;
	if (!trait->identified) {
		found      = column_trait_find(columns, trait->path.name);
		column     = found == NULL ? NULL : &found->column;
		*ret_never = found == NULL && occurs_never(columns, trait);
	}
	return column != NULL && column_is_built(column) ? column : NULL;
}

struct column_test *columns_test_trait(struct columns *columns, const struct plan_trait *trait,
                                       int64_t now_ms, struct arena *arena)
{
	bool               never;
	struct column     *column = trait_column(columns, trait, &never);
	const struct value none   = {.type = VALUE_NONE};
	if (column == NULL && !never)
		return NULL;
	const struct expr_test *wanted = &trait->test;
	struct column_test     *test   = new_test(columns, column, arena);
	test->holds.missing            = evaluate_test(wanted, &none, now_ms);
	if (never)
		return test;

	const int64_t      key_max = slices_double_key(DBL_MAX);
	const struct scale scale   = {number_passes, now_ms, -key_max, key_max};
	interval_list      numbers = {0}, times = {0}, unknown = {0};
	find_codes(column, wanted, now_ms, &test->holds, arena);
	find_keys(&scale, wanted, &numbers);
	find_times(wanted, now_ms, &times, &unknown);
	test->holds.numbers = take_list(&numbers, arena, &test->holds.number_count);
	test->holds.times   = take_list(&times, arena, &test->holds.time_count);
	test->unknown.times = take_list(&unknown, arena, &test->unknown.time_count);
	return finish_test(test, arena);
}

/* ---- Metrics ---- */

static bool missing_passes(enum metric_class class, const struct expr_test *test, int64_t now_ms)
{
	switch (class) {
	case METRIC_COUNT:
	case METRIC_DISTINCT:
		return evaluate_count(test, 0);
	case METRIC_SUM:
		return evaluate_sum(test, 0);
	case METRIC_AVERAGE:
		return evaluate_average(test, 0, 0);
	case METRIC_MIN:
	case METRIC_MAX:
		return evaluate_extreme(test, NULL);
	default:
		return evaluate_days(test, INSTANT_MS_NONE, now_ms);
	}
}

static struct scale scale_of(enum metric_class class, int64_t now_ms)
{
	const int64_t double_max = slices_double_key(DBL_MAX);
	switch (class) {
	case METRIC_COUNT:
	case METRIC_DISTINCT:
		return (struct scale){count_passes, now_ms, 1, INT64_MAX - 1};
	case METRIC_SUM:
		return (struct scale){sum_passes, now_ms, -SLICES_KEY_MAX, SLICES_KEY_MAX};
	case METRIC_AVERAGE:
		return (struct scale){average_passes, now_ms, -SLICES_KEY_MAX, SLICES_KEY_MAX};
	case METRIC_MIN:
	case METRIC_MAX:
		return (struct scale){extreme_passes, now_ms, -double_max, double_max};
	default:
		return (struct scale){age_passes, now_ms, 0, now_ms - INSTANT_MS_MIN};
	}
}

/* From ages to times. */
static void turn_ages(interval_list *list, int64_t now_ms)
{
	for (size_t i = 0; i < list->count; i++) {
		struct slices_interval age = list->items[i];
		list->items[i]             = (struct slices_interval){now_ms - age.high, now_ms - age.low};
	}
	join_intervals(list);
}

static struct metric_column *find_metric(struct columns *columns, const struct buffer *key,
                                         int64_t now_ms)
{
	struct metric_column *metric = map_text_get(&columns->metric_of, buffer_text(key));
	if (metric == NULL || !column_is_built(&metric->column))
		return NULL;
	column_metric_refresh_now(columns, metric, now_ms);
	return metric;
}

/* Whether a count is only asked whether it is 0. */
static bool asks_for_any(const struct expr_test *test)
{
	const struct scale scale = scale_of(METRIC_COUNT, 0);
	interval_list      list  = {0};
	find_keys(&scale, test, &list);
	bool any = list.count == 0 ||
	           (list.items[0].low == scale.key_min && list.items[0].high == scale.key_max);
	VECTOR_DONE(&list);
	return any;
}

/* A count within some time up to now that is only asked whether it is 0: by the last time. */
static struct column_test *test_by_last(struct columns *columns, const struct plan_feature *feature,
                                        const struct plan_leaf *leaf, int64_t now_ms,
                                        struct arena *arena)
{
	const struct span *span = &leaf->span;
	if (feature->sequence != NULL || feature->relative || leaf->aggregate != EXPR_COUNT ||
	    span->until_ms > 0 || span->from_ms != INSTANT_MS_NONE || !asks_for_any(&leaf->test))
		return NULL;
	struct buffer key = {0};
	column_metric_last_key(feature, &key);
	struct metric_column *metric = find_metric(columns, &key, now_ms);
	buffer_done(&key);
	if (metric == NULL)
		return NULL;

	struct column_test *test = new_test(columns, &metric->column, arena);
	interval_list       list = {0};
	int64_t from_ms          = span->within_ms == 0 ? INSTANT_MS_MIN : now_ms - span->within_ms + 1;
	bool    none = evaluate_count(&leaf->test, 0), some = evaluate_count(&leaf->test, 1);
	if (some)
		add_interval(&list, from_ms, now_ms);
	if (none)
		add_interval(&list, INSTANT_MS_MIN, from_ms - 1);
	join_intervals(&list);
	test->holds.missing = none;
	test->holds.numbers = take_list(&list, arena, &test->holds.number_count);
	return finish_test(test, arena);
}

struct column_test *columns_test_leaf(struct columns *columns, const struct plan_feature *feature,
                                      const struct plan_leaf *leaf, int64_t now_ms,
                                      struct arena *arena)
{
	struct buffer key = {0};
	enum metric_class class;
	struct metric_column *metric = NULL;
	if (column_metric_key(feature, leaf, &key, &class))
		metric = find_metric(columns, &key, now_ms);
	buffer_done(&key);
	if (metric == NULL)
		return test_by_last(columns, feature, leaf, now_ms, arena);

	struct column_test *test  = new_test(columns, &metric->column, arena);
	const struct scale  scale = scale_of(class, now_ms);
	interval_list       list  = {0};
	find_keys(&scale, &leaf->test, &list);
	if (class == METRIC_FIRST_TIME || class == METRIC_LAST_TIME)
		turn_ages(&list, now_ms);
	test->holds.missing = missing_passes(class, &leaf->test, now_ms);
	test->holds.numbers = take_list(&list, arena, &test->holds.number_count);
	return finish_test(test, arena);
}

/* ---- Runs ---- */

bool column_test_run(const struct column_test *test, uint32_t block, uint32_t count,
                     const uint64_t *among, uint64_t *ret_holds, uint64_t *ret_unknown)
{
	const size_t         bytes  = (size_t)count * COLUMN_BLOCK_WORDS * sizeof(uint64_t);
	const struct column *column = test->column;
	bool                 some   = false;
	if (column != NULL && slices_may_match(&column->slices, &test->unknown, block)) {
		slices_query_run(test->unknown_query, block, count, among, ret_unknown);
		for (size_t i = 0; i < (size_t)count * COLUMN_BLOCK_WORDS && !some; i++)
			some = ret_unknown[i] != 0;
	} else {
		memset(ret_unknown, 0, bytes);
	}
	if (column != NULL)
		slices_query_run(test->holds_query, block, count, among, ret_holds);
	else if (!test->holds.missing)
		memset(ret_holds, 0, bytes);
	else if (ret_holds != among)
		memcpy(ret_holds, among, bytes);
	return some;
}

uint32_t column_test_share(const struct column_test *test)
{
	uint32_t blocks = columns_block_count(test->columns);
	uint32_t step   = blocks <= SHARE_BLOCKS ? 1 : blocks / SHARE_BLOCKS;
	uint64_t asked = 0, found = 0;
	for (uint32_t block = 0; block < blocks; block += step) {
		uint64_t among[COLUMN_BLOCK_WORDS], holds[COLUMN_BLOCK_WORDS], unknown[COLUMN_BLOCK_WORDS];
		columns_persons(test->columns, block, 1, among);
		column_test_run(test, block, 1, among, holds, unknown);
		for (unsigned i = 0; i < COLUMN_BLOCK_WORDS; i++) {
			asked += (unsigned)__builtin_popcountll(among[i]);
			found += (unsigned)__builtin_popcountll(holds[i] | unknown[i]);
		}
	}
	return asked == 0 ? 0 : (uint32_t)(found * 1000000 / asked);
}

/* ---- Values ---- */

struct column *columns_trait(struct columns *columns, struct text name, int64_t now_ms)
{
	(void)now_ms;
	column_trait_refresh(columns, INT64_MAX);
	struct trait_column *trait  = column_trait_find(columns, name);
	struct column       *column = trait == NULL ? NULL : &trait->column;
	if (text_equal(name, TEXT("$identified")))
		column = &columns->identified;
	if (column == NULL || !column_is_built(column))
		return NULL;
	slices_reserve(&column->slices, columns_block_count(columns));
	return column;
}

struct column *columns_metric(struct columns *columns, const struct plan_feature *feature,
                              const struct plan_leaf *leaf, int64_t now_ms)
{
	struct buffer key = {0};
	enum metric_class class;
	struct metric_column *metric = NULL;
	if (column_metric_key(feature, leaf, &key, &class))
		metric = find_metric(columns, &key, now_ms);
	buffer_done(&key);
	if (metric == NULL)
		return NULL;
	slices_reserve(&metric->column.slices, columns_block_count(columns));
	return &metric->column;
}
