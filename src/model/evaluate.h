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

struct compiled_where; /* lives in the arena it was compiled in */

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
 * (a `where` may test it too). evaluate_amount() takes an exact amount; false: no usable one
 * (missing, no number, beyond the limit of decimals). */
enum { AMOUNT_NAME_COUNT = 4 };
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
bool evaluate_amount(const struct amount_path *path, struct text properties, struct text context,
                     int64_t *ret_millionths);

/* How an aggregate compares: exactly. Counts are compared as whole numbers against doubles without
 * rounding; an average of `count` amounts as their sum with `count` times the value, and it is
 * missing when there are none. */
bool evaluate_count(const struct expr_test *test, uint64_t count);
bool evaluate_sum(const struct expr_test *test, __int128 millionths);
bool evaluate_average(const struct expr_test *test, __int128 millionths, uint64_t count);

#endif
