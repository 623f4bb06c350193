#ifndef SONNIM_QUERY_COLUMNS_H
#define SONNIM_QUERY_COLUMNS_H

/* The columns of one partition: values by person slot, so that a test of millions of persons costs
 * some bits of each. Derived from the partition's state and rebuilt at every start.
 *
 *   traits      each that occurs, and $identified       kept by themselves, up to a number
 *   metrics     what a leaf aggregates, in its span     as asked for: columns_keep()
 *
 *   column ──► chunk of 64 K slots ──► block of 512 slots ──► bit slices, 64 bytes each
 *                (slices.h)                (lanes.h: SIMD)
 *
 * A test of a column answers about each person: it holds, it does not, or it is not known here
 * (more different strings than COLUMN_CODES_MAX, sums beyond 60 bits, values that are too far from
 * all others); who asks then decides by trait_holds() or leaf_look_events(). What is known is
 * exactly what these say at the instant.
 *
 * Upkeep: the partition tells who has changed (engine/apply/witness.h), which sets a bit; those
 * persons are looked at again before the next test of the column, or in leisure. Of metrics each
 * person has the instant at which his value changes by time alone, each block the least of them.
 *
 * Thread: the partition's, between two steps, but for columns_status(). */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan.h"

enum {
	COLUMN_BLOCK_SLOTS = 512,
	COLUMN_BLOCK_WORDS = COLUMN_BLOCK_SLOTS / 64,
	COLUMN_RUN_BLOCKS  = 128,         /* at most in one call: a chunk */
	COLUMN_CODES_MAX   = 4096,        /* different strings, booleans and sets of a trait */
	COLUMN_CODES_BYTES = 1024 * 1024, /* of all of them together, about */
	COLUMN_CODE_BYTES  = 1024,        /* of a value that gets a code */
	COLUMN_TRAITS_MAX  = 128,         /* traits that have a column */
	COLUMN_METRICS_MAX = 256,         /* metrics that have one */
};

/* Memory of the columns of all partitions. Beyond the limit no column is added, and each partition
 * gives up its largest one after the other: what they would answer is found in another way. */
struct columns_budget {
	_Atomic uint64_t used_bytes;
	uint64_t         limit_bytes;
};

struct columns;

/* Registers as the partition's witness; columns are built from then on in leisure. `budget`
 * outlives it. */
struct columns *columns_new(struct partition *partition, struct columns_budget *budget);
/* The partition may have been freed before. NULL is fine. */
void columns_free(struct columns *columns);

struct columns_status {
	uint32_t columns; /* without $identified */
	uint32_t columns_built;
	uint64_t bytes;
	uint64_t dirty; /* persons to look at again, of all columns */
};
void columns_status(const struct columns *columns, struct columns_status *ret_status);

/* Keeps a column for each leaf of the plan that can have one. Counted: one columns_forget() each.
 * A leaf is answered by the metric of its event, filter, aggregate, property and span, whatever it
 * is compared with; days_since_* by the first or last time; a count in `within` alone that is
 * compared with nothing but "at least one" also by the last time in all time, so that one column
 * serves windows of any length. Sequences, first and last values and filters that are relative to
 * now have no column, nor has what is beyond COLUMN_METRICS_MAX or the budget: false then, for
 * what was kept. */
bool columns_keep(struct columns *columns, struct plan *plan);
void columns_forget(struct columns *columns, struct plan *plan);

/* Work on what is not built or not up to date, until clock_monotonic_ns() is `end_ns`; true: there
 * is more to do. */
bool columns_work(struct columns *columns, int64_t end_ns);

/* ---- Persons ---- */

/* Blocks of slots are asked for as [block, block + count), count <= COLUMN_RUN_BLOCKS, all of one
 * chunk: block / COLUMN_RUN_BLOCKS is the same. Masks have COLUMN_BLOCK_WORDS words a block, bit i
 * of a block is slot block * COLUMN_BLOCK_SLOTS + i. */
uint32_t columns_block_count(const struct columns *columns);

/* Who exists. */
void columns_persons(struct columns *columns, uint32_t block, uint32_t count, uint64_t *ret_mask);

/* ---- Tests ---- */

struct column_test;

/* Prepares a test at `now_ms`, the partition's clock, and brings its column up to date; it may be
 * used until the partition's next step. From `arena`. NULL: there is no column, or it is not
 * built. */
struct column_test *columns_test_trait(struct columns *columns, const struct plan_trait *trait,
                                       int64_t now_ms, struct arena *arena);
struct column_test *columns_test_leaf(struct columns *columns, const struct plan_feature *feature,
                                      const struct plan_leaf *leaf, int64_t now_ms,
                                      struct arena *arena);

/* Of those in `among` for whom it holds, and for whom it is not known. `ret_holds` may be `among`.
 * True: somebody is in `ret_unknown`. Blocks without anybody in `among` cost a look. */
bool column_test_run(const struct column_test *test, uint32_t block, uint32_t count,
                     const uint64_t *among, uint64_t *ret_holds, uint64_t *ret_unknown);

/* For how many of a million persons it holds, from some blocks; cheap. */
uint32_t column_test_share(const struct column_test *test);

/* ---- Values ---- */

/* A column that is built and up to date, or NULL; as tests. Of a leaf only one that has its very
 * aggregate and span. */
struct column *columns_trait(struct columns *columns, struct text name, int64_t now_ms);
struct column *columns_metric(struct columns *columns, const struct plan_feature *feature,
                              const struct plan_leaf *leaf, int64_t now_ms);

/* Of a metric's column: while its mark stays good, the column is there, and says of everybody whom
 * no step has changed what it said then. It turns bad when somebody is measured again, whose value
 * time may have changed meanwhile. */
struct column_mark {
	uint64_t gone;
	uint64_t moved;
};
struct column_mark columns_mark(const struct columns *columns, const struct column *column);
bool               columns_mark_is_good(const struct columns *columns, const struct column *column,
                                        struct column_mark mark);

enum column_class {
	COLUMN_MISSING,
	COLUMN_UNKNOWN, /* not known here */
	COLUMN_CODE,    /* of a string, boolean or set: column_code_value() */
	COLUMN_NUMBER,
	COLUMN_TIME, /* of a trait: a string that is an instant, by which it is known here */
	COLUMN_CLASS_COUNT
};

struct column_value {
	enum column_class class;
	union {
		uint32_t code;
		double   number;  /* of traits, min and max */
		int64_t  integer; /* of count and distinct the number, 0 is MISSING; of sum millionths; of
		                   * first and last times, and of TIME, ms; of avg 2 × floor(millionths),
		                   * + 1 when rounded */
	};
};
struct column_value column_value(const struct column *column, uint32_t slot);

/* The value that has this code; texts live as long as the columns. */
struct value column_code_value(const struct column *column, uint32_t code);
uint32_t     column_code_count(const struct column *column);

/* Adds up the integers of those in `mask` that have one; `ret_unknown` are those whose value is not
 * known. By counting bits of slices: cost a few ns a block and slice. */
void column_sum(const struct column *column, uint32_t block, uint32_t count, const uint64_t *mask,
                __int128 *sum, uint64_t *ret_unknown);

/* Adds to `counts[code]` how many in `mask` have it, to `classes` how many are of which class.
 * `ret_rest` are those with a number, a time, or not known here. */
void column_count(const struct column *column, uint32_t block, uint32_t count, const uint64_t *mask,
                  uint64_t counts[COLUMN_CODES_MAX], uint64_t classes[COLUMN_CLASS_COUNT],
                  uint64_t *ret_rest);

/* What is known of a column's values, for lists of filters. */
struct column_statistics {
	uint64_t classes[COLUMN_CLASS_COUNT]; /* slots; those without a person are MISSING */
	uint64_t bytes;
	bool     has_numbers;
	double   number_min; /* bounds: nobody is beyond them */
	double   number_max;
};
void column_statistics(const struct column *column, struct column_statistics *ret_statistics);

#endif
