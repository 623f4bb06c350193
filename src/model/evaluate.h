#ifndef SONNIM_MODEL_EVALUATE_H
#define SONNIM_MODEL_EVALUATE_H

/* Tests against values: the meaning of rules 15 to 17 in one place, for live segments, backfills
 * and queries alike. A test is compiled once (paths hashed, lists sorted) and evaluated often;
 * evaluation never allocates.
 *
 * Relative time tests make an answer change by time alone: evaluate_*_next_ms tells when. Only
 * strings in the form of rule 7 are times. */

#include "model/expr.h"
#include "model/value.h"

struct compiled_where; /* below; lives in the arena it was compiled in */

/* Compiles; NULL where compiles to NULL, which holds for every event. */
struct compiled_where *evaluate_compile_where(const struct expr_where *where, struct arena *arena);

/* Whether an event with these lists passes at `now_ms`. A name that begins with "context." is
 * looked up in `context` (without the prefix) when `properties` does not have it. */
bool evaluate_where(const struct compiled_where *where, struct text properties, struct text context,
                    int64_t now_ms);

/* The first instant after `now_ms` at which some relative test of it may change, else
 * INSTANT_MS_NEVER. */
int64_t evaluate_where_next_ms(const struct compiled_where *where, struct text properties,
                               struct text context, int64_t now_ms);

/* The same for one value: `value.type` VALUE_NONE is a missing one. Lists of `test` with more than
 * a few items are searched by bisection when `test` was sorted by evaluate_sort_test(). */
void    evaluate_sort_test(struct expr_test *test, struct arena *arena);
bool    evaluate_test(const struct expr_test *test, const struct value *value, int64_t now_ms);
int64_t evaluate_test_next_ms(const struct expr_test *test, const struct value *value,
                              int64_t now_ms);

/* The property of an aggregate: "$amount" is the first number among revenue, amount, total, value
 * (a `where` may test it too). What has no usable one, the aggregate does not see:
 *   sum, avg               evaluate_amount(): an exact amount, within the limit of decimals
 *   min, max               value_number() of evaluate_property()
 *   first, last, distinct  evaluate_exists() of evaluate_property(); sealed values exist */
enum { AMOUNT_NAME_COUNT = 4 };
extern const char *const amount_names[AMOUNT_NAME_COUNT];
struct amount_path {
	bool              built_in;
	bool              in_context; /* the name begins with "context." */
	struct value_path path;
	struct value_path context_path;                   /* without the prefix */
	uint32_t          name_hashes[AMOUNT_NAME_COUNT]; /* of revenue, amount, total, value */
};
void         amount_path_init(struct amount_path *path, struct text property, struct arena *arena);
struct value evaluate_property(const struct amount_path *path, struct text properties,
                               struct text context);
bool         evaluate_exists(const struct value *value);
bool evaluate_amount(const struct amount_path *path, struct text properties, struct text context,
                     int64_t *ret_millionths);

/* A `where` is its tests in order, each with the test that follows when it holds and when it does
 * not, so that nothing is asked in vain and `not` costs nothing; what follows lies behind:
 *
 *   a and (b or not c):   0: a ├ holds ► 1       1: b ├ holds ► PASSES   2: c ├ holds ► FAILS
 *                              └ else  ► FAILS        └ else  ► 2             └ else  ► PASSES */
enum { WHERE_PASSES = UINT16_MAX, WHERE_FAILS = UINT16_MAX - 1 };
struct where_test {
	struct amount_path property;
	struct expr_test   test;
	uint16_t           when_true;
	uint16_t           when_false;
};
struct compiled_where {
	unsigned          count;
	struct where_test tests[];
};

/* --- how aggregates compare (evaluate_aggregate.c); first and last by evaluate_test() --- */

/* Of count and distinct: whole numbers against doubles without rounding. */
bool evaluate_count(const struct expr_test *test, uint64_t count);
bool evaluate_sum(const struct expr_test *test, __int128 millionths);

/* The sum of `count` amounts, divided by it: compared as sum ⋚ value × count, without rounding.
 * Count 0: missing. */
bool evaluate_average(const struct expr_test *test, __int128 millionths, uint64_t count);

/* Of min and max; NULL: missing. */
bool evaluate_extreme(const struct expr_test *test, const double *number);

/* Of days_since_*: floor((now − event) / day), for an event not after `now_ms`; INSTANT_MS_NONE:
 * missing. The other answers the first instant after `now_ms` at which the test flips, as long as
 * it is the same event; else INSTANT_MS_NEVER. */
bool    evaluate_days(const struct expr_test *test, int64_t event_ms, int64_t now_ms);
int64_t evaluate_days_next_ms(const struct expr_test *test, int64_t event_ms, int64_t now_ms);

/* What `distinct` counts: a value, or each item of a string set, by a key that is equal exactly for
 * equal values (numbers as doubles, types apart); of strings it is a hash of 127 bits. Sealed
 * values have none: nobody can tell them apart.
 *   struct distinct_reader r = evaluate_distinct(&value);
 *   while (distinct_next(&r, &key)) … */
struct distinct_key {
	uint64_t high, low;
};
struct distinct_reader {
	const struct value *value; /* NULL: read */
	struct byte_reader  items;
};
struct distinct_reader evaluate_distinct(const struct value *value);
bool                   distinct_next(struct distinct_reader *reader, struct distinct_key *ret_key);

#endif
