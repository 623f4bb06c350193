#ifndef SONNIM_QUERY_SLICES_H
#define SONNIM_QUERY_SLICES_H

/* One column: a value for each slot, as bit slices.
 *
 *   slices ──► chunk of 64 K slots ──► 128 blocks, each `width` slices of 64 bytes (lanes.h)
 *                 │
 *                 └ how codes mean values, its frame of reference:
 *
 *   code   0        1        2 …            numbers.begin …             times.begin … 2^width − 1
 *          missing  unknown  codes, as are  base + step × (code − begin)  the same
 *
 * So every class of value lies in a range of its own, in the order of its keys, and a test is a few
 * intervals of codes. A chunk has no more slices than its values need: `base` is about the least of
 * them, `step` their greatest common divisor. A value that does not fit makes the chunk anew, with
 * room for more of its kind, so that this happens some times a doubling.
 *
 * Keys: of codes the code, of times ms, of numbers what the owner takes for them, in order;
 * slices_double_key() of doubles. Whatever keys within SLICES_KEY_MAX and COLUMN_CODES_MAX fit.
 *
 * Owner: one thread. Cost: setting a value some ns a slice, a chunk made anew about a ms. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "query/columns.h"
#include "query/lanes.h"

enum { SLICES_CHUNK_SLOTS = COLUMN_RUN_BLOCKS * COLUMN_BLOCK_SLOTS };

/* All finite doubles, and times. */
#define SLICES_KEY_MAX (INT64_MAX - (INT64_C(1) << 52))

struct slices_range {
	int64_t  base;
	uint64_t step;
	uint64_t begin; /* the first code */
	uint64_t room;  /* how many codes */
};

struct slices_chunk {
	uint64_t           *slices; /* block after block; NULL: all are missing */
	uint32_t            block_room;
	uint32_t            frame; /* another number whenever codes mean something else */
	uint8_t             width;
	uint64_t            codes_room;
	struct slices_range numbers;
	struct slices_range times;
	uint32_t            classes[COLUMN_CLASS_COUNT]; /* slots of each */
};

struct slices {
	struct slices_chunk *chunks;
	uint32_t             chunk_count;
	uint32_t             block_count;
	uint64_t             bytes;
	_Atomic uint64_t    *used_bytes; /* `bytes` of many together; NULL */
	const struct lanes  *lanes;
};

/* `key` of MISSING and UNKNOWN is 0. */
struct slices_value {
	enum column_class class;
	int64_t key;
};

void slices_init(struct slices *slices, _Atomic uint64_t *used_bytes);
void slices_done(struct slices *slices);

/* So many blocks at least; new slots are missing. */
void slices_reserve(struct slices *slices, uint32_t block_count);

void                slices_set(struct slices *slices, uint32_t slot, struct slices_value value);
struct slices_value slices_get(const struct slices *slices, uint32_t slot);

/* Asks the processor for what slices_set() of this slot will touch. */
void slices_prefetch(const struct slices *slices, uint32_t slot);

/* All of a chunk, that has this many blocks: values by slot. */
void slices_fill(struct slices *slices, uint32_t chunk, const struct slices_value *values,
                 uint32_t block_count);

/* All of a block. */
void slices_read(const struct slices *slices, uint32_t block,
                 struct slices_value ret_values[COLUMN_BLOCK_SLOTS]);

/* Keys of [low, high]. */
struct slices_interval {
	int64_t low;
	int64_t high;
};

/* Which values are meant. Intervals are sorted and apart from each other. */
struct slices_set {
	bool                    missing;
	bool                    unknown;
	const uint64_t         *codes; /* bits; NULL: none */
	uint32_t                code_count;
	uint32_t                number_count;
	struct slices_interval *numbers;
	uint32_t                time_count;
	struct slices_interval *times;
};

/* Codes of a chunk, [low, high]. */
struct slices_codes {
	uint64_t low;
	uint64_t high;
};

/* A set to be looked for again and again; what it is in codes is kept for the chunk at hand. */
struct slices_query {
	const struct slices     *slices;
	const struct slices_set *set;
	struct slices_codes     *room;
	uint32_t                 chunk;
	uint32_t                 frame;
	bool                     all;      /* all codes are meant */
	bool                     contrary; /* `codes` are those that are not meant */
	uint32_t                 count;
	struct slices_codes     *codes;
};

/* `room`, for slices_query_room() of the set, and the set outlive the query. */
uint32_t slices_query_room(const struct slices_set *set);
void     slices_query_init(struct slices_query *query, const struct slices *slices,
                           const struct slices_set *set, struct slices_codes *room);

/* Who of `among` has such a value: [block, block + count) as columns.h has it. `ret_holds` may be
 * `among`. */
void slices_query_run(struct slices_query *query, uint32_t block, uint32_t count,
                      const uint64_t *among, uint64_t *ret_holds);

/* The same once, of a set of a few intervals. */
void slices_match(const struct slices *slices, const struct slices_set *set, uint32_t block,
                  uint32_t count, const uint64_t *among, uint64_t *ret_holds);

/* Whether some slot of the chunk of `block` can have such a value. */
bool slices_may_match(const struct slices *slices, const struct slices_set *set, uint32_t block);

/* Adds up the numbers' keys of those in `mask`. */
void slices_sum(const struct slices *slices, uint32_t block, uint32_t count, const uint64_t *mask,
                __int128 *sum);

/* Adds to `counts` how many in `mask` have each code, to `*missing` how many have none; `rest` are
 * those with anything else. */
void slices_count(const struct slices *slices, uint32_t block, uint32_t count, const uint64_t *mask,
                  uint64_t counts[COLUMN_CODES_MAX], uint64_t *missing, uint64_t *rest);

/* In the order of the doubles, 0 and −0 alike; and back. */
int64_t slices_double_key(double number);
double  slices_key_double(int64_t key);

#endif
