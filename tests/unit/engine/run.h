#ifndef SONNIM_TESTS_ENGINE_RUN_H
#define SONNIM_TESTS_ENGINE_RUN_H

/* One partition, fed with records by hand, for the tests of this folder. What was fed is kept, so
 * that it can be fed again to another partition. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "engine/apply/partition.h"
#include "engine/catalog/plan_cache.h"
#include "engine/apply/leaf.h"
#include "model/expr.h"
#include "model/value.h"

#define RUN_RETENTION_MS (1096 * DAY_MS)

struct run_batch {
	char    *records;
	size_t   size;
	uint32_t count;
	uint64_t position;
	int64_t  log_time_ms;
};

struct run {
	struct events_budget budget;
	int64_t              retention_ms;
	struct plan_cache   *plans;
	struct dimensions   *dimensions;
	struct partition    *partition;
	struct json_parser  *parser;
	struct arena         arena;
	uint64_t             position;
	uint64_t             change_id;
	uint64_t             dimension_number;
	uint64_t             message; /* number of the next message id */
	VECTOR(struct run_batch) batches;
};

void run_begin(struct run *run);
void run_begin_retaining(struct run *run, int64_t retention_ms);
void run_done(struct run *run);

/* Applies one encoded record at `at_ms`. */
void run_feed(struct run *run, int64_t at_ms, const struct record *record);

/* An event whose properties are given as JSON, accepted at `at_ms`, of time `time_ms`, with a
 * message id of its own unless one is given. Returns its position. */
uint64_t run_event(struct run *run, uint32_t slot, int64_t at_ms, int64_t time_ms, const char *name,
                   const char *properties, const char *message_id);
void     run_traits(struct run *run, uint32_t slot, int64_t at_ms, const char *traits);

/* A row of a product, of properties given as JSON; NULL: it is deleted. */
void run_dimension(struct run *run, int64_t at_ms, const char *id, const char *row);

/* Defines segments (numbers, expressions as JSON; references are "1", "2", …) and makes them live
 * in one step. */
void         run_prepare(struct run *run, int64_t at_ms, size_t count, const uint32_t *segments,
                         const uint32_t *versions, const char *const *expressions);
void         run_activate(struct run *run, int64_t at_ms, size_t off_count, const uint32_t *off);
void         run_abandon(struct run *run, int64_t at_ms, uint64_t change_id, size_t off_count,
                         const uint32_t *off);
void         run_define(struct run *run, int64_t at_ms, uint32_t segment, const char *expression);
struct expr *run_expr(struct run *run, const char *expression);

/* Whether the person is a member of the live segment. */
bool run_is_member(const struct run *run, uint32_t slot, uint32_t segment);

/* The change stream as bytes, and that of a fresh partition to which everything is fed again and
 * whose clock then goes to `now_ms`. Both to be freed with buffer_done(). */
void run_stream(const struct partition *partition, struct buffer *out);
void run_replay(const struct run *run, int64_t now_ms, struct buffer *out);

/* Asserts that the change stream's entry `index` says this. */
void run_expect(const struct run *run, uint64_t index, uint32_t slot, uint32_t segment,
                bool entered, enum cause cause, int64_t at_ms);

#endif
