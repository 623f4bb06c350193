#ifndef SONNIM_EVENTS_PART_FILTER_H
#define SONNIM_EVENTS_PART_FILTER_H

/* Which rows of a part are events of a name, in a time range, that pass a `where`: 64 rows to a
 * word, on the columns as they lie. Nothing is decoded that need not be:
 *
 *   name      codes of the dictionary are compared, eight at a time
 *   tests     of a dictionary each text is tested once, rows by its code; numbers as they lie;
 *             column statistics tell beforehand what holds of all values, or of none
 *   where     bitmaps run through the tests' graph (model/evaluate.h), so that a test only meets
 *             rows that still depend on it
 *
 * Exact: the same rows as evaluate_where() of the rows' lists at `now_ms`.
 *
 * Thread: one. Cost: 0.1 ns a row for the name, some ns for each test of each row that meets it. */

#include <stdbool.h>
#include <stdint.h>

#include "events/part_reading.h"

enum { FILTER_WORDS_MAX = 64 };

struct part_filter_wish {
	struct text                  name;  /* empty: every event */
	const struct compiled_where *where; /* NULL: none; outlives the filter */
	int64_t                      from_ms;
	int64_t                      to_ms;
	int64_t                      received_before_ms; /* 0: whenever */
	int64_t                      now_ms;             /* of relative tests */
};

struct filter_test;

struct part_filter {
	struct part            *part;
	struct part_filter_wish wish;
	struct part_name        name;
	bool                    by_time; /* not all rows lie in the range */
	bool                    by_received;
	unsigned                test_count;
	struct filter_test     *tests;
	uint64_t               *reach; /* FILTER_WORDS_MAX for each test, for those that pass or fail */
	bool                    fast;  /* the processor counts bits and spreads them */
};

/* False: no row of the part passes; nothing is to be freed then. */
bool part_filter_init(struct part_filter *filter, struct part *part,
                      const struct part_filter_wish *wish);
void part_filter_done(struct part_filter *filter);

/* Takes out of `bits` (bit i of word w: row (first_word + w) * 64 + i) the rows that do not pass,
 * or were stored behind `through_position`. At most FILTER_WORDS_MAX words. */
void part_filter_run(struct part_filter *filter, uint32_t first_word, uint32_t word_count,
                     uint64_t through_position, uint64_t *bits);

#endif
